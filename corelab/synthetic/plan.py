"""The plan of a trial: every draw and every tube, with the traps laid into them."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from corelab.study import Study
from corelab.synthetic.bead_runs import BeadRun, describe_fading, plan_beads
from corelab.synthetic.children import Child, draw_children
from corelab.synthetic.composition import TubeQuality
from corelab.synthetic.schedule import Draw, draw_schedule, draw_unscheduled
from corelab.synthetic.seeding import spawn_generator
from corelab.vocabulary import Panel

_INVENTED_NAMES: Final = ("Sample-Child^Ada", "Testkind^Ben", "Nobody^Cleo", "Placeholder^Dan")


@dataclass(frozen=True, slots=True, kw_only=True)
class TubePlan:
    """One tube that will be acquired.

    Parameters
    ----------
    path
        Place in the delivery; it tells nothing of the child.
    draw
        Blood draw from which it was filled.
    n_events
        Events to acquire.
    quality
        Viability and traps.
    is_named
        Whether the manifest names the file.
    patient_name
        Invented name written into its keywords, or empty.
    """

    path: str
    draw: Draw
    panel: Panel
    tube: str
    n_events: int
    quality: TubeQuality
    acquired_at: dt.datetime
    instrument: str
    batch: str
    predilution: float
    is_named: bool = True
    patient_name: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells this tube from any other, whoever else is in the trial."""
        kind = "named" if self.is_named else "unnamed"
        return (self.draw.child.subject_id, self.draw.visit, self.panel.value, self.tube, kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """All children, draws and tubes of a trial, the quality beads of its instruments, and the traps laid."""

    seed: int
    children: tuple[Child, ...]
    draws: tuple[Draw, ...]
    tubes: tuple[TubePlan, ...]
    beads: tuple[BeadRun, ...]
    traps: Mapping[str, Any]


def plan_trial(*, subjects: int, events: int, seed: int, study: Study) -> TrialPlan:
    """Plan a trial without drawing a single event.

    Parameters
    ----------
    subjects
        Number of children, at least 1.
    events
        Events a tube.
    seed
        Seed of everything.
    study
        Visits, windows, doses.

    Returns
    -------
    TrialPlan
    """
    children = draw_children(seed, subjects=subjects, study=study)
    special = children[2] if subjects > 2 else children[0]
    missed = {special.subject_id: ("M2",)}
    draws = [
        draw
        for child in children
        for draw in draw_schedule(seed, child, study=study, missed=missed.get(child.subject_id, ()))
    ]
    draws.append(draw_unscheduled(seed, special))
    ordered = tuple(sorted(draws, key=lambda draw: (draw.collected_at, draw.child.subject_id)))
    tubes = [
        tube
        for run, draw in enumerate(ordered, start=1)
        for tube in _plan_draw(seed, run, draw, events=events)
    ]
    tubes, traps = _lay_traps(seed, tubes, children)
    beads = plan_beads((tube.path, tube.acquired_at, tube.instrument, tube.batch) for tube in tubes)
    traps |= describe_fading(beads)
    traps |= {
        "missed_visit": {"subject_id": special.subject_id, "visit": "M2"},
        "unscheduled_draw": {"subject_id": special.subject_id, "visit": "UNS"},
        "cd19_negative": [c.subject_id for c in children if c.trait == "cd19_negative"],
        "few_b_cells": [c.subject_id for c in children if c.trait == "few_b_cells"],
    }
    return TrialPlan(
        seed=seed,
        children=children,
        draws=ordered,
        tubes=tuple(tubes),
        beads=beads,
        traps=MappingProxyType(traps),
    )


def _plan_draw(seed: int, run: int, draw: Draw, *, events: int) -> Iterator[TubePlan]:
    rng = spawn_generator(seed, "handling", draw.child.subject_id, draw.visit)
    quality = TubeQuality(
        viability=float(rng.uniform(0.9, 0.97)),
        doublets=float(rng.uniform(0.015, 0.045)),
        false_car=draw.child.false_car,
        cd19_positive=draw.child.cd19_positive,
    )
    acquired_at = draw.collected_at + dt.timedelta(minutes=int(rng.integers(120, 1200)))
    for number, (panel, tube) in enumerate(_tubes_of(draw), start=1):
        without = {"fmo_car": "CAR", "fmo_cd19": "CD19"}.get(tube, "")
        yield TubePlan(
            path=f"fcs/run-{run:04d}_tube{number:02d}.fcs",
            draw=draw,
            panel=panel,
            tube=tube,
            n_events=events,
            quality=replace(quality, without=without),
            acquired_at=acquired_at + dt.timedelta(minutes=4 * number),
            instrument=f"CYTO-{draw.child.index % 2 + 1}",
            batch=f"B{acquired_at:%y%m%d}",
            predilution=2.0 if draw.child.index % 5 == 4 else 1.0,
        )


def _tubes_of(draw: Draw) -> Iterator[tuple[Panel, str]]:
    if "cart" in draw.expects:
        yield Panel.CART, "full"
        if draw.visit == "LD":
            yield Panel.CART, "fmo_car"
    if "bcell" in draw.expects:
        yield Panel.BCELL, "full"
        if draw.visit == "SCR":
            yield Panel.BCELL, "fmo_cd19"


def _find(tubes: list[TubePlan], child: Child, visit: str, panel: Panel) -> int | None:
    """Place of a child's full tube in the list, or None where it was not drawn."""
    wanted = (child.subject_id, visit, panel, "full")
    for place, tube in enumerate(tubes):
        if (tube.draw.child.subject_id, tube.draw.visit, tube.panel, tube.tube) == wanted:
            return place
    return None


def _lay_traps(
    seed: int, tubes: list[TubePlan], children: tuple[Child, ...]
) -> tuple[list[TubePlan], dict[str, Any]]:
    """Spoil one tube by drift and one by dead cells or a clog; name some; forget one."""
    rng = spawn_generator(seed, "traps")
    laid = list(tubes)
    traps: dict[str, Any] = {}
    first, other = children[0], children[4] if len(children) > 4 else children[0]
    start = float(rng.uniform(0.3, 0.7))
    drift = (start, start + float(rng.uniform(0.15, 0.28)), float(rng.uniform(0.6, 0.8)))
    place = _find(laid, first, "D28", Panel.CART)
    if place is not None:
        laid[place] = _spoil(laid[place], drift=drift)
        traps["drift"] = {"file": laid[place].path, "from": drift[0], "to": drift[1], "factor": drift[2]}
    place = _find(laid, other, "M4", Panel.CART)
    if place is not None:
        is_clogged = bool(rng.random() < 0.5)
        laid[place] = _clog(laid[place]) if is_clogged else _spoil(laid[place], viability=0.4)
        kind = "clogged" if is_clogged else "viability"
        traps["failed_tube"] = {"file": laid[place].path, "kind": kind}
    laid = [_write_name(tube) for tube in laid]
    traps["patient_names"] = [tube.path for tube in laid if tube.patient_name]
    place = _find(laid, first, "D10", Panel.CART)
    if place is not None:
        forgotten = replace(laid[place], path=laid[place].path.replace("tube01", "tube09"), is_named=False)
        laid.append(forgotten)
        traps["unnamed_file"] = forgotten.path
    return laid, traps


def _spoil(tube: TubePlan, **quality: Any) -> TubePlan:
    return replace(tube, quality=replace(tube.quality, **quality))


def _clog(tube: TubePlan) -> TubePlan:
    return replace(tube, n_events=max(tube.n_events // 60, 30))


def _write_name(tube: TubePlan) -> TubePlan:
    """Write an invented name into the keywords of every third child at early visits."""
    child = tube.draw.child
    if child.index % 3 == 0 and tube.draw.visit in {"SCR", "LD", "D7"}:
        return replace(tube, patient_name=_INVENTED_NAMES[child.index % len(_INVENTED_NAMES)])
    return tube
