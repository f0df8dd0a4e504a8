"""How long an analyte stays quantifiable, when its loss is confirmed, and whether it returns."""

from dataclasses import dataclass

import numpy as np

from corelab.kinetics.profile import Course


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A confirmed loss: between the last quantifiable day and the first below the limit."""

    after: float
    at: float
    has_returned: bool


def find_confirmed_loss(course: Course, *, samples: int = 2, minimum_gap_days: float = 7.0) -> Loss | None:
    """Return the first confirmed loss, or None where there is none.

    A loss is confirmed by consecutive valid samples below the limit, at least ``samples`` of them and
    ``minimum_gap_days`` from the first to the last. A single one between two quantifiable values is a
    blip. A later quantifiable value keeps the loss and marks it as returned.
    """
    quantified = np.flatnonzero(~course.is_blq)
    for position, last in enumerate(quantified):
        following = quantified[position + 1] if position + 1 < quantified.size else course.days.size
        run = course.days[last + 1 : following]
        if run.size >= samples and run[-1] - run[0] >= minimum_gap_days:
            return Loss(
                after=float(course.days[last]),
                at=float(run[0]),
                has_returned=bool(following < course.days.size),
            )
    return None
