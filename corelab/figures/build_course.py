"""From the contract's tables to one subject's course."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from corelab.figures.course import (
    FOLLOW_UP_ENDS,
    Aplasia,
    Parameter,
    PatientCourse,
    Point,
    SubjectClock,
    build_clock,
    build_ticks,
    to_float,
)
from corelab.figures.course_parts import (
    build_drugs,
    build_events,
    build_phenotype,
    build_tracks,
    normalise_name,
)
from corelab.figures.course_rows import Rows, complete_points
from corelab.study import Study
from corelab.vocabulary import Analyte

CAR_ROWS: Final[Mapping[str, tuple[str, str]]] = {
    "car_abs": (Analyte.CAR_ABS, "cart"),
    "car_vcn": (Analyte.CAR_VCN_UG, "qpcr"),
    "car_pct": (Analyte.CAR_PCT_CD3, "cart"),
}
"""Row -> analyte of the table ``persistence``, and what the visit expects for it."""

RECOVERY: Final = (
    "onset_low", "onset_high", "aplasia_day", "recovery_10_low", "recovery_10_high", "recovery_50_low",
    "recovery_50_high",
)  # fmt: skip


def build_course(
    tables: Mapping[str, pd.DataFrame],
    subject_id: str,
    *,
    study: Study,
    as_of: dt.date,
    medications: pd.DataFrame | None = None,
) -> PatientCourse:
    """Gather one subject's course from the tables of a snapshot.

    Parameters
    ----------
    tables
        Tables of the contract by name; an absent one counts as empty.
    subject_id, study
        Whose course, in which trial.
    as_of
        Data cut-off, a date or a moment: visits whose window closed before it and to which nothing came
        are points of status ``missing``.
    medications
        Delivered medications (columns of ``Inputs.medications``), where the home gives them.

    Raises
    ------
    KeyError
        If the subject has no row in ``subjects``.
    """
    rows = Rows(tables=tables, subject_id=subject_id)
    subjects = rows.of("subjects")
    if not subjects:
        raise KeyError(subject_id)
    subject = subjects[0]
    clock = build_clock(str(subject["infusion_at"]), as_of, study)
    if clock is None:
        return _empty_course(subject)
    due = replace(clock, cut_off=_follow_up_end(rows, clock))
    series = _build_series(rows, due)
    return PatientCourse(
        subject_id=subject_id, arm=str(subject["arm"]), infusion_at=str(subject["infusion_at"]),
        today=clock.day(clock.cut_off.isoformat()), ticks=build_ticks(_list_draws(rows, clock), clock),
        series=series, phenotype=build_phenotype(rows, clock), tracks=build_tracks(rows, due),
        events=build_events(rows), drugs=build_drugs(medications, subject_id, clock),
        aplasia=_build_aplasia(rows, series["b_cells"]), recovery=_read_recovery(rows),
        kinetics=_read_kinetics(rows),
    )  # fmt: skip


def _empty_course(subject: Mapping[str, Any]) -> PatientCourse:
    return PatientCourse(
        subject_id=str(subject["subject_id"]), arm=str(subject["arm"]), infusion_at="", today=math.nan,
        ticks=(), series={}, phenotype=(), tracks=(), events=(), drugs=None, aplasia=None, recovery={},
        kinetics={},
    )  # fmt: skip


def _build_series(rows: Rows, clock: SubjectClock) -> dict[str, tuple[Point, ...]]:
    persistence, measured = rows.of("persistence"), rows.measured
    series = {
        key: complete_points([row for row in persistence if row["analyte"] == analyte], clock, expects)
        for key, (analyte, expects) in CAR_ROWS.items()
    }
    series["b_cells"] = complete_points(_b_cell_rows(rows), clock, "bcell")
    for key, is_row, expects in _OUTCOMES:
        series[key] = complete_points([row for row in measured if is_row(row)], clock, expects)
    return series


def _b_cell_rows(rows: Rows) -> list[dict[str, Any]]:
    """Return B cells per uL of each draw: the full tube, a passing one before a failed one."""
    judged = {
        str(row["collected_at"]): {key: row[key] for key in ("status", "value", "lloq", "reason")}
        for row in rows.of("measurements", assay="flow", name="b_cells", metric="cells_per_ul")
    }
    tubes = rows.of("populations", panel="bcell", tube="full", population="b_cells")
    best = {str(row["collected_at"]): row for row in sorted(tubes, key=lambda row: row["qc"] != "fail")}
    return [{**_b_cell_row(row), **judged.get(collected, {})} for collected, row in best.items()]


def _b_cell_row(row: Mapping[str, Any]) -> dict[str, Any]:
    failed = row["qc"] == "fail" and row["status"] != "missing"
    return {
        **row, "status": "failed" if failed else row["status"], "value": row["cells_per_ul"],
        "ci_low": row["cells_per_ul_low"], "ci_high": row["cells_per_ul_high"], "unit": "cells/uL",
        "n_events": row["count"], "n_reference": row["parent_count"], "source_id": row["file_id"],
    }  # fmt: skip


def _is_sledai(row: Mapping[str, Any]) -> bool:
    name = normalise_name(str(row["name"]))
    return row["assay"] == "assessment" and name in ("SLEDAI2K", "SLEDAI2KTOTAL")


def _is_laboratory(test: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda row: bool(
        row["assay"] == "laboratory" and row["name"] == test and row["metric"] == "result"
    )


_OUTCOMES: Final = (
    ("sledai", _is_sledai, "scores"),
    ("upcr", _is_laboratory("UPCR"), "renal"),
    ("egfr", _is_laboratory("EGFR"), "renal"),
)


def _read_recovery(rows: Rows) -> dict[str, float]:
    found = rows.of("b_cell_recovery")
    return {name: to_float(found[0].get(name)) for name in RECOVERY} if found else {}


def _build_aplasia(rows: Rows, b_cells: tuple[Point, ...]) -> Aplasia | None:
    recovery = _read_recovery(rows)
    start = recovery.get("aplasia_day", math.nan)
    if math.isnan(start):
        return None
    last = max((point.day for point in b_cells if point.collected_at), default=start)
    low, high = recovery["recovery_10_low"], recovery["recovery_10_high"]
    return Aplasia(start=start, end_low=last if math.isnan(low) else low, end_high=high)


def _read_kinetics(rows: Rows) -> dict[tuple[str, str], Parameter]:
    return {
        (str(row["analyte"]), str(row["parameter"])): Parameter(
            value=to_float(row["value"]), low=to_float(row["low"]), high=to_float(row["high"]),
            unit=str(row["unit"]), status=str(row["status"]), reason=str(row["reason"]),
        )
        for row in rows.of("kinetics")
    }  # fmt: skip


def _list_draws(rows: Rows, clock: SubjectClock) -> dict[str, tuple[str, float]]:
    """Return the first draw of each visit label over all assays."""
    draws: dict[str, tuple[str, float]] = {}
    for visit, label, collected in rows.list_draws():
        day = clock.day(collected)
        if label not in draws or day < draws[label][1]:
            draws[label] = (visit, day)
    return draws


def _follow_up_end(rows: Rows, clock: SubjectClock) -> dt.datetime:
    """Return the moment after which nothing is due: the cut-off, or the end of the subject's follow-up."""
    ends = [
        clock.day(str(row["collected_at"]))
        for row in rows.measured
        if row["collected_at"]
        and (row["visit"] == "ET" or str(row["name"]).rpartition(":")[2] in FOLLOW_UP_ENDS)
    ]
    last = clock.infusion + dt.timedelta(days=min(ends)) if ends else clock.cut_off
    return min(last, clock.cut_off)
