"""Who was drawn when: the study's schedule with the jitter, gaps and extra draws of real life."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from corelab.study import Study, Visit
from corelab.study.schedule import compute_target_date
from corelab.synthetic.children import DATA_CUTOFF, Child
from corelab.synthetic.seeding import spawn_generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One blood draw of one child."""

    child: Child
    visit: str
    collected_at: dt.datetime
    expects: tuple[str, ...]

    @property
    def day(self) -> float:
        """Elapsed days from the end of infusion."""
        return self.child.day_of(self.collected_at)


_UNSCHEDULED = ("cart", "bcell", "qpcr", "cytokine", "laboratory")


def draw_schedule(seed: int, child: Child, *, study: Study, missed: Sequence[str]) -> tuple[Draw, ...]:
    """List the draws of a child up to the data cut-off, in the order of time.

    Parameters
    ----------
    seed
        Seed of the trial.
    child
        Whose draws.
    study
        Visits with targets and windows.
    missed
        Visits that this child did not come to.

    Returns
    -------
    tuple of Draw
        A screening failure has its screening only. The third child (the first where there are
        fewer) has an unscheduled draw at the height of its cytokine release.
    """
    rng = spawn_generator(seed, "schedule", child.subject_id)
    draws = []
    for visit in study.visits:
        moment = _draw_moment(rng, child, visit)
        if moment is None or moment.date() > DATA_CUTOFF or visit.code in missed:
            continue
        if child.is_infused or visit.code == "SCR":
            draws.append(Draw(child=child, visit=visit.code, collected_at=moment, expects=visit.expects))
    return tuple(sorted(draws, key=lambda draw: draw.collected_at))


def draw_unscheduled(seed: int, child: Child) -> Draw:
    """Give the extra draw of a child with fever: the evening of day 5."""
    rng = spawn_generator(seed, "unscheduled", child.subject_id)
    date = child.infusion_at.date() + dt.timedelta(days=5)
    moment = dt.datetime.combine(date, dt.time(21, int(rng.integers(0, 60))))
    return Draw(child=child, visit="UNS", collected_at=moment, expects=_UNSCHEDULED)


def _draw_moment(rng: np.random.Generator, child: Child, visit: Visit) -> dt.datetime | None:
    """Draw a time within a visit's window; D0 lies before the infusion."""
    clock = dt.time(int(rng.integers(7, 10)), int(rng.integers(0, 60)))
    jitter = int(rng.integers(-min(visit.before, 4), min(visit.after, 4) + 1))
    infusion = child.infusion_at.date()
    untargeted = {"SCR": 44 - jitter, "APH": 22 - jitter}
    if visit.code in untargeted:
        days = untargeted[visit.code]
        return dt.datetime.combine(infusion - dt.timedelta(days=days), clock)
    target = compute_target_date(visit, infusion)
    if target is None:
        return None
    if visit.code in {"LD", "D7", "D10", "D14"}:
        jitter = 0 if visit.code == "LD" else int(np.sign(jitter)) * int(rng.random() < 0.3)
    return dt.datetime.combine(target + dt.timedelta(days=jitter), clock)
