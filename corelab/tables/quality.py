"""`quality`: every finding on a file or a delivered row, with its level and limit."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from corelab.study.model import Study, Visit
from corelab.study.schedule import compute_window
from corelab.tables.clock import TIMED_TABLES, Clocks, SubjectClock
from corelab.tables.evidence import BIOPSY
from corelab.tables.inputs import Inputs
from corelab.tables.rows import stack_rows
from corelab.tables.tubes import Tubes
from corelab.tables.values import UNKNOWN_UNIT, UNREADABLE
from corelab.vocabulary import Level

UNTIMED: Final = ("", "UNS", "SCR")
"""Visits of which several dates are no conflict: unscheduled draws, and screening with its re-tests."""
COLUMNS: Final = ["subject_id", "visit", "object", "check", "level", "value", "limit", "reason"]
_TOLD: Final = ("object", "check", "reason")


def derive_quality(
    inputs: Inputs,
    *,
    tubes: Tubes,
    measurements: pd.DataFrame,
    subjects: pd.DataFrame,
    clocks: Clocks,
    further: Sequence[pd.DataFrame] = (),
) -> pd.DataFrame:
    """Collect the findings on files, dates, values, scores and doses, and further ones of other tables.

    Each is told once of a child; `tell_once` does so for all.
    """
    parts = [
        _of_files(tubes),
        _of_visits(inputs, clocks),
        _of_values(measurements),
        _of_scores(measurements),
        _of_doses(inputs, subjects, clocks),
        _of_conflicts(inputs),
        _of_taken_visits(inputs),
        *further,
    ]
    return tell_once(stack_rows(parts, COLUMNS), ("subject_id", *_TOLD))


def tell_once(findings: pd.DataFrame, key: Sequence[str] = _TOLD) -> pd.DataFrame:
    """Keep of findings that say the same the weightiest, whatever their order."""
    numbers = findings.astype(dict.fromkeys(("value", "limit"), "float64"))
    texts = numbers.fillna(dict.fromkeys(("subject_id", "visit", "object", "check", "level", "reason"), ""))
    ordered = texts.sort_values([*_TOLD, "level", "subject_id", "visit", "value", "limit"], kind="stable")
    return ordered.drop_duplicates(list(key), ignore_index=True)


def _of_files(tubes: Tubes) -> pd.DataFrame:
    named = tubes.table[["file_id", "subject_id", "visit"]]
    rows = tubes.findings.merge(named, on="file_id", how="left").rename(columns={"file_id": "object"})
    kept = rows[rows["level"].isin((Level.WARN.value, Level.FAIL.value))]
    return kept.sort_values(["object", "check", "reason", "level", "value"], ignore_index=True)


def _of_visits(inputs: Inputs, clocks: Clocks) -> pd.DataFrame:
    """Name every row whose date lies outside the window of its visit; it is still analysed."""
    late = _find_outside(clocks)
    parts = []
    for name in TIMED_TABLES:
        table = getattr(inputs, name)
        source = table["file_id"] if name == "acquisitions" else table["source_id"]
        rows = table.assign(object=source)
        if name == "assessments":  # a biopsy that screening looks back on is of its own date
            rows = rows[rows["instrument"] != BIOPSY]
        rows = rows[["subject_id", "visit", "collected_at", "object"]]
        parts.append(rows.merge(late, on=["subject_id", "visit", "collected_at"]))
    return stack_rows(parts, COLUMNS)


def _find_outside(clocks: Clocks) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for draw in clocks.draws.itertuples(index=False):
        clock = clocks.subjects.get(draw.subject_id)
        visit = clocks.study.visits_by_code.get(draw.visit)
        if clock is None or clock.infusion is None or visit is None or draw.study_day is pd.NA:
            continue
        first, last = _list_days(visit, clock, clocks.study)
        reason = "" if first <= draw.study_day <= last else _say_window(first, last, draw.visit)
        if not reason and draw.visit == "D0" and not draw.is_before:
            reason = "drawn after the infusion; visit D0 is before it"
        if reason:
            rows.append(
                {
                    "subject_id": draw.subject_id, "visit": draw.visit, "collected_at": draw.collected_at,
                    "check": "VISIT_WINDOW", "level": Level.WARN.value, "value": float(draw.study_day),
                    "limit": float(first if draw.study_day < first else last), "reason": reason,
                }
            )  # fmt: skip
    columns = ["subject_id", "visit", "collected_at", "check", "level", "value", "limit", "reason"]
    return pd.DataFrame(rows, columns=columns)


def _list_days(visit: Visit, clock: SubjectClock, study: Study) -> tuple[float, float]:
    """Return the first and last study day of a visit, infinite where there is no limit.

    The window of LD lies around the day on which lymphodepletion began, where that is known.
    """
    infusion = clock.infusion.date() if clock.infusion else dt.date.max
    window = compute_window(visit, infusion)
    if window is None:
        first, last = study.settings.get("untargeted_windows", {}).get(visit.code, (None, None))
        return (-math.inf if first is None else first), (math.inf if last is None else last)
    first, last = ((edge - infusion).days for edge in window)
    if visit.code == "LD" and clock.lymphodepletion is not None and visit.day is not None:
        moved = (clock.lymphodepletion.date() - infusion).days - visit.day
        return first + moved, last + moved
    return first, last


def _say_window(first: float, last: float, visit: str) -> str:
    if math.isinf(first):
        return f"study day after {last} of visit {visit}"
    return f"study day outside {first} to {last} of visit {visit}"


def _of_conflicts(inputs: Inputs) -> pd.DataFrame:
    """Name what was measured again on another date of one visit; both are kept, the later one stands."""
    parts = []
    for name, what in (("labs", ["test"]), ("cytokines", ["analyte", "platform", "matrix"]), ("qpcr", [])):
        table = getattr(inputs, name)
        timed = table[
            (table["subject_id"] != "") & ~table["visit"].isin(UNTIMED) & (table["collected_at"] != "")
        ]
        rows = timed.assign(date=timed["collected_at"].str[:10], object=timed["source_id"])
        group = ["subject_id", "visit", *what]
        # Texts have no fast minimum: the first of each group in order of dates is it.
        first = rows[[*group, "date"]].sort_values("date").drop_duplicates(group)
        dated = rows.merge(first.rename(columns={"date": "first"}), on=group, how="left")
        again = dated[dated["date"] > dated["first"]]
        text = again[what[0]] if what else pd.Series("copies_per_ug", index=again.index, dtype=object)
        reason = (
            text + " of visit " + again["visit"] + " measured on " + again["first"] + " and " + again["date"]
        )
        told = again[["subject_id", "visit", "object"]]  # what was measured is no value of the check
        parts.append(told.assign(check="VISIT_CONFLICT", level=Level.WARN.value, reason=reason))
    return stack_rows(parts, COLUMNS)


def _of_taken_visits(inputs: Inputs) -> pd.DataFrame:
    """Name what came without a visit and is unscheduled, because a nearer draw has the visit of its date."""
    parts = []
    for name in TIMED_TABLES:
        table = getattr(inputs, name)
        rows = table[table["visit_taken"] != ""]
        told = rows[["subject_id", "visit"]].assign(
            object=rows["file_id" if name == "acquisitions" else "source_id"],
            reason="without a visit, drawn " + rows["collected_at"].str[:10] + "; visit "
            + rows["visit_taken"] + " belongs to a nearer or named draw",
        )  # fmt: skip
        parts.append(told.assign(check="VISIT_TAKEN", level=Level.WARN.value))
    return stack_rows(parts, COLUMNS)


def _of_values(measurements: pd.DataFrame) -> pd.DataFrame:
    words = {UNREADABLE: "the value cannot be read", UNKNOWN_UNIT: "the unit is unknown, or none of the test"}
    rows = measurements[measurements["reason"].isin(words)]
    return rows.assign(
        object=rows["source_id"], check=rows["reason"], level=Level.FAIL.value, value=float("nan"),
        limit=float("nan"), reason=rows["reason"].map(words),
    )  # fmt: skip


def _of_scores(measurements: pd.DataFrame) -> pd.DataFrame:
    rows = measurements[measurements["reason"] == "SUM_MISMATCH"]
    return rows.assign(
        object=rows["source_id"], check="SUM", level=Level.FAIL.value, value=float("nan"), limit=rows["low"],
        reason="the delivered SLEDAI-2K total cannot be the sum of its items",
    )  # fmt: skip


def _of_doses(inputs: Inputs, subjects: pd.DataFrame, clocks: Clocks) -> pd.DataFrame:
    low, high = (float(limit) for limit in clocks.study.settings["dose"]["tolerance_percent"])
    if subjects.empty:
        return subjects
    rows = subjects.merge(inputs.subjects[["subject_id", "source_id"]], on="subject_id")
    percent = rows["pct_of_planned"]
    off = rows[(percent < low) | (percent > high)]
    return off.assign(
        visit="", object=off["source_id"], check="DOSE", level=Level.WARN.value, value=off["pct_of_planned"],
        limit=[low if value < low else high for value in off["pct_of_planned"]],
        reason="actual dose off the planned dose, in percent",
    )  # fmt: skip
