"""The visit of what was delivered without one: the nearest draw has it, what is farther is unscheduled."""

import datetime as dt
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.study.model import Study
from corelab.study.schedule import assign_visit, compute_target_date

UNSCHEDULED: Final = "UNS"
_Rank = tuple[int, int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """When something was drawn, and of what it is a repetition.

    ``series`` names what is measured again and again: within it one visit belongs to one draw.
    ``collected`` and ``infusion`` are None where unknown; ``visit`` is empty where none was delivered.
    """

    series: Hashable
    collected: dt.datetime | None
    infusion: dt.datetime | None
    visit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The visit of a draw; ``taken`` is the one in whose window it lies and which another draw has."""

    visit: str
    taken: str = ""


def place_draws(draws: Sequence[Draw], *, study: Study) -> list[Placed]:
    """Place draws in visits, those of one series against each other.

    A delivered visit is kept, and the draws that have it go before those that would get it by their date.
    Of these the one nearest to the target has it, of two equally near ones the earlier; the others are
    unscheduled. What was drawn at one moment stays together. The order of the draws does not matter.

    Examples
    --------
    >>> from corelab.study import builtin_study
    >>> infusion = dt.datetime(2025, 6, 10, tzinfo=dt.UTC)
    >>> def draw(day: int) -> Draw:
    ...     collected = infusion + dt.timedelta(days=day)
    ...     return Draw(series="ALC", collected=collected, infusion=infusion, visit="")
    >>> [(one.visit, one.taken) for one in place_draws([draw(26), draw(29), draw(40)], study=builtin_study())]
    [('UNS', 'D28'), ('D28', ''), ('UNS', '')]
    """
    wanted = [draw.visit or _find_window(draw, study) for draw in draws]
    ranks = [_rank(draw, visit, study) for draw, visit in zip(draws, wanted, strict=True)]
    first: dict[tuple[Hashable, str], _Rank] = {}
    stated: set[tuple[Hashable, str, float]] = set()
    for draw, visit, rank in zip(draws, wanted, ranks, strict=True):
        key = draw.series, visit
        first[key] = min(rank, first.get(key, rank))
        if draw.visit:
            stated.add((*key, rank[-1]))

    def has_it(draw: Draw, visit: str, rank: _Rank) -> bool:
        free = bool(draw.visit) or visit == UNSCHEDULED
        return free or rank == first[draw.series, visit] or (draw.series, visit, rank[-1]) in stated

    return [
        Placed(visit=visit) if has_it(draw, visit, rank) else Placed(visit=UNSCHEDULED, taken=visit)
        for draw, visit, rank in zip(draws, wanted, ranks, strict=True)
    ]


def _find_window(draw: Draw, study: Study) -> str:
    if draw.collected is None or draw.infusion is None:
        return UNSCHEDULED
    collected, infusion = (study.localise(moment).date() for moment in (draw.collected, draw.infusion))
    return assign_visit(collected, infusion, study.visits)


def _rank(draw: Draw, visit: str, study: Study) -> _Rank:
    """Order the draws of a visit: stated ones, then by distance from the target in days, then by time."""
    instant = study.localise(draw.collected).timestamp() if draw.collected else 0.0
    if draw.visit or draw.collected is None or draw.infusion is None or visit == UNSCHEDULED:
        return 0, 0, instant
    target = compute_target_date(study.visits_by_code[visit], study.localise(draw.infusion).date())
    distance = abs((study.localise(draw.collected).date() - target).days) if target else 0
    return 1, distance, instant
