"""`medications`: what each subject was given, on its own clock."""

import datetime as dt
from typing import Any, Final

import pandas as pd

from corelab.study.schedule import compute_study_day
from corelab.tables.clock import Clocks, SubjectClock, parse_moment

COLUMNS: Final = [
    "subject_id", "arm", "drug", "start", "end", "start_day", "end_day", "dose", "unit", "route", "reason",
    "source_id",
]  # fmt: skip


def derive_medications(medications: pd.DataFrame, *, clocks: Clocks) -> pd.DataFrame:
    """Place every delivered medication on its subject's clock; an end that was not delivered stays open.

    Raises
    ------
    InputError
        If a time is not ISO 8601.
    """
    rows = [_derive_row(row, clocks) for row in medications.to_dict(orient="records")]
    return pd.DataFrame(rows, columns=COLUMNS)


def _derive_row(row: dict[str, Any], clocks: Clocks) -> dict[str, Any]:
    clock = clocks.subjects.get(row["subject_id"])
    start, end = (parse_moment(row[name], clocks.study, place=row["source_id"]) for name in ("start", "end"))
    return {
        **row,
        "arm": clock.arm if clock else "",
        "start_day": _day(start, clock, clocks),
        "end_day": _day(end, clock, clocks),
    }


def _day(moment: dt.datetime | None, clock: SubjectClock | None, clocks: Clocks) -> int | None:
    if moment is None or clock is None or clock.infusion is None:
        return None
    return compute_study_day(moment, clock.infusion, study=clocks.study)
