"""Efficacy visits that are due, and how a child left the trial."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.clinical.evidence import Answer
from corelab.clinical.logic import Truth
from corelab.study.model import Visit
from corelab.study.schedule import compute_window
from corelab.tables.clock import Clocks

EARLY_TERMINATION: Final = "ET"
LEAVING: Final[Mapping[str, str]] = {
    "death": "DEATH", "withdrawal": "WITHDRAWAL", "lost_to_followup": "LOST_TO_FOLLOWUP",
}  # fmt: skip
DISPOSITION: Final = "disposition"
SECOND_INFUSION: Final = "second_infusion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """When and how a child left the trial."""

    date: dt.date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DueVisit:
    """An efficacy visit that is due: its word and the last date of its window (None for ET)."""

    code: str
    closes: dt.date | None


Answers = Mapping[tuple[str, str], Sequence[Answer]]


def find_departure(answers: Answers) -> Departure | None:
    """Return the first death, withdrawal or loss to follow-up."""
    found = [
        Departure(date=answer.date, reason=reason)
        for item, reason in LEAVING.items()
        for answer in answers.get((DISPOSITION, item), ())
        if answer.truth is Truth.YES
    ]
    return min(found, key=lambda departure: departure.date, default=None)


def find_second_infusion(answers: Answers) -> dt.date | None:
    """Return the date of a second infusion, after which no visit answers for the first."""
    dates = [a.date for a in answers.get((DISPOSITION, SECOND_INFUSION), ()) if a.truth is Truth.YES]
    return min(dates, default=None)


def list_due_efficacy_visits(
    infusion: dt.date | None, departure: Departure | None, *, clocks: Clocks
) -> list[DueVisit]:
    """Return the efficacy visits of an infused child that are due at the data cut-off.

    A visit is due when its window closed by the cut-off, or when the child died or left before; a child that
    left has ``ET`` as well.
    """
    if infusion is None or clocks.as_of is None:
        return []
    cut_off = clocks.as_of.date()
    has_left = departure is not None and departure.date <= cut_off
    due = []
    for visit in clocks.study.visits:
        closes = _closing_date(visit, infusion)
        if visit.efficacy and closes is not None and (closes <= cut_off or has_left):
            due.append(DueVisit(code=visit.code, closes=closes))
    if has_left:
        due.append(DueVisit(code=EARLY_TERMINATION, closes=None))
    return due


def _closing_date(visit: Visit, infusion: dt.date) -> dt.date | None:
    window = compute_window(visit, infusion)
    return window[1] if window else None
