"""From the contract's tables to one subject's course."""

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from corelab.figures.course import (
    FOLLOW_UP_ENDS,
    Aplasia,
    Episode,
    Parameter,
    PatientCourse,
    Point,
    SubjectClock,
    SubsetBar,
    Track,
    build_clock,
    build_ticks,
    derive_missing_points,
    to_float,
)
from corelab.study import Study
from corelab.vocabulary import Analyte

CAR_ROWS: Final[Mapping[str, tuple[str, str]]] = {
    "car_abs": (Analyte.CAR_ABS, "cart"),
    "car_vcn": (Analyte.CAR_VCN_UG, "qpcr"),
    "car_pct": (Analyte.CAR_PCT_CD3, "cart"),
}
"""Row -> analyte of the table ``persistence``, and what the visit expects for it."""

TRACK_ORDER: Final = (
    "IL6", "TNFA", "TNF", "IFNG", "GRANZYMEB", "IL10", "IL15", "IL2", "IL8", "CXCL10", "MCP1", "SIL2RA",
    "GMCSF", "BAFF", "FERRITIN", "CRP",
)  # fmt: skip
RECOVERY: Final = (
    "onset_low", "onset_high", "aplasia_day", "recovery_10_low", "recovery_10_high", "recovery_50_low",
    "recovery_50_high",
)  # fmt: skip
TRACKS_AT_MOST: Final = 9
CAR_COMPARTMENT: Final = "car_t"
MEMORY_SUBSETS: Final[tuple[str, ...]] = ("naive", "naive_or_scm", "scm", "cm", "em", "temra")
_GREEK: Final = str.maketrans({"α": "A", "β": "B", "γ": "G"})


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """One subject's rows of every table."""

    tables: Mapping[str, pd.DataFrame]
    subject_id: str

    def of(self, name: str) -> list[dict[str, Any]]:
        table = self.tables.get(name)
        if table is None or table.empty:
            return []
        rows: list[dict[str, Any]] = table[table["subject_id"] == self.subject_id].to_dict(orient="records")
        return rows


def build_course(
    tables: Mapping[str, pd.DataFrame],
    subject_id: str,
    study: Study,
    as_of: dt.date,
    *,
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
    rows = _Rows(tables=tables, subject_id=subject_id)
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
        series=series, phenotype=_build_phenotype(rows, clock), tracks=_build_tracks(rows, due),
        events=_build_events(rows), drugs=_build_drugs(medications, subject_id, clock),
        aplasia=_build_aplasia(rows, series["b_cells"]), recovery=_read_recovery(rows),
        kinetics=_read_kinetics(rows),
    )  # fmt: skip


def _empty_course(subject: Mapping[str, Any]) -> PatientCourse:
    return PatientCourse(
        subject_id=str(subject["subject_id"]), arm=str(subject["arm"]), infusion_at="", today=math.nan,
        ticks=(), series={}, phenotype=(), tracks=(), events=(), drugs=None, aplasia=None, recovery={},
        kinetics={},
    )  # fmt: skip


def _build_series(rows: _Rows, clock: SubjectClock) -> dict[str, tuple[Point, ...]]:
    persistence, measured = rows.of("persistence"), rows.of("measurements")
    series = {
        key: _complete([row for row in persistence if row["analyte"] == analyte], clock, expects)
        for key, (analyte, expects) in CAR_ROWS.items()
    }
    series["b_cells"] = _complete(_b_cell_rows(rows, measured), clock, "bcell")
    for key, is_row, expects in _OUTCOMES:
        series[key] = _complete([row for row in measured if is_row(row)], clock, expects)
    return series


def _complete(rows: Iterable[Mapping[str, Any]], clock: SubjectClock, expects: str) -> tuple[Point, ...]:
    points = [_build_point(row, clock) for row in rows]
    return tuple(derive_missing_points([p for p in points if p is not None], clock, expects=expects))


def _build_point(row: Mapping[str, Any], clock: SubjectClock) -> Point | None:
    """Return a row as a point; None for a row without a draw, which the schedule adds again."""
    collected = str(row["collected_at"])
    if not collected:
        return None
    low, high = _limits(row)
    return Point(
        day=clock.day(collected), visit=str(row["visit"]),
        visit_label=str(row.get("visit_label") or row["visit"]), collected_at=collected,
        status=str(row["status"]), value=to_float(row.get("value")), low=low, high=high,
        lloq=to_float(row.get("lloq")), uloq=to_float(row.get("uloq")),
        count=to_float(row.get("n_events")), total=to_float(row.get("n_reference")),
        relation=str(row.get("relation", "")), reason=str(row.get("reason", "")),
        unit=str(row.get("unit", "")), source_id=str(row.get("source_id", "")),
    )  # fmt: skip


def _limits(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return the interval of a row, or the bounds of a censored value where it has none."""
    low, high = to_float(row.get("ci_low")), to_float(row.get("ci_high"))
    if math.isnan(low):
        low = to_float(row.get("low"))
    return low, to_float(row.get("high")) if math.isnan(high) else high


def _b_cell_rows(rows: _Rows, measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return B cells per uL of each draw: the full tube, a passing one before a failed one."""
    judged = {
        str(row["collected_at"]): {key: row[key] for key in ("status", "value", "lloq", "reason")}
        for row in measured
        if row["assay"] == "flow" and row["name"] == "b_cells" and row["metric"] == "cells_per_ul"
    }
    tubes = [
        row
        for row in rows.of("populations")
        if row["panel"] == "bcell" and row["tube"] == "full" and row["population"] == "b_cells"
    ]
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
    name = _normalise(str(row["name"]))
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


def _normalise(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.translate(_GREEK).upper())


def _build_tracks(rows: _Rows, clock: SubjectClock) -> tuple[Track, ...]:
    measured = rows.of("measurements")
    folds = [row for row in measured if row["metric"] == "fold_change"]
    drawn = {str(row["name"]) for row in folds}
    drawn |= {str(row["name"]) for row in measured if row["assay"] == "cytokine"}
    names = sorted(drawn, key=_track_rank)[:TRACKS_AT_MOST]
    return tuple(_build_track(name, measured, clock) for name in names)


def _track_rank(name: str) -> tuple[int, str]:
    base = _normalise(re.split(r"[@|(/ ]", name)[0])
    return (TRACK_ORDER.index(base) if base in TRACK_ORDER else len(TRACK_ORDER)), name


def _build_track(name: str, measured: list[dict[str, Any]], clock: SubjectClock) -> Track:
    mine = [row for row in measured if row["name"] == name]
    values = [row for row in mine if row["metric"] in ("concentration", "result")]
    folds = [_build_point(row, clock) for row in mine if row["metric"] == "fold_change"]
    expects = "cytokine" if any(row["assay"] == "cytokine" for row in values) else "laboratory"
    points = _complete(values, clock, expects)
    unit = next((point.unit for point in points if point.unit), "")
    return Track(
        name=name, unit=unit, points=points, folds={fold.collected_at: fold for fold in folds if fold}
    )


def _build_phenotype(rows: _Rows, clock: SubjectClock) -> tuple[SubsetBar, ...]:
    draws: dict[str, list[dict[str, Any]]] = {}
    for row in rows.of("phenotype"):
        if row["compartment"] == CAR_COMPARTMENT and row["subset"] in MEMORY_SUBSETS and row["collected_at"]:
            draws.setdefault(str(row["collected_at"]), []).append(row)
    return tuple(
        sorted((_build_bar(collected, found, clock) for collected, found in draws.items()), key=_bar_day)
    )


def _bar_day(bar: SubsetBar) -> float:
    return bar.day


def _build_bar(collected: str, found: list[dict[str, Any]], clock: SubjectClock) -> SubsetBar:
    counts = {str(row["subset"]): (to_float(row["count"]), to_float(row["parent_count"])) for row in found}
    shares = {str(row["subset"]): to_float(row["percent"]) for row in found}
    percents = {name: shares[name] for name in MEMORY_SUBSETS if name in shares}
    return SubsetBar(
        day=clock.day(collected), visit_label=str(found[0]["visit_label"] or found[0]["visit"]),
        collected_at=collected, parent_count=max((total for _, total in counts.values()), default=math.nan),
        percents=percents, failed=all(row["status"] == "failed" for row in found),
    )  # fmt: skip


def _build_events(rows: _Rows) -> tuple[Episode, ...]:
    events = []
    for row in rows.of("adverse_events"):
        start, duration, grade = (to_float(row[key]) for key in ("onset_day", "duration_days", "worst_grade"))
        if math.isnan(start):
            continue
        ongoing = row["ongoing"] == "yes"
        events.append(
            Episode(
                name=str(row["term"]), start=start, end=math.nan if ongoing else start + duration,
                grade=0 if math.isnan(grade) else int(grade), is_aesi=row["aesi"] == "yes",
                scale=str(row["scale"]),
            )
        )  # fmt: skip
    return tuple(sorted(events, key=lambda event: (not event.is_aesi, -event.grade, event.start, event.name)))


def _build_drugs(
    medications: pd.DataFrame | None, subject_id: str, clock: SubjectClock
) -> tuple[Episode, ...] | None:
    if medications is None:
        return None
    mine = medications[medications["subject_id"] == subject_id].to_dict(orient="records")
    drugs = [
        Episode(
            name=str(row["drug"]), start=clock.day(str(row["start"])),
            end=clock.day(str(row["end"])) if row["end"] else math.nan, text=_dose(row),
        )
        for row in mine
        if row["start"]
    ]  # fmt: skip
    return tuple(sorted(drugs, key=lambda drug: (drug.start, drug.name)))


def _dose(row: Mapping[str, Any]) -> str:
    dose = to_float(row["dose"])
    return "" if math.isnan(dose) else f"{dose:g} {row['unit']}".strip()


def _read_recovery(rows: _Rows) -> dict[str, float]:
    found = rows.of("b_cell_recovery")
    return {name: to_float(found[0].get(name)) for name in RECOVERY} if found else {}


def _build_aplasia(rows: _Rows, b_cells: tuple[Point, ...]) -> Aplasia | None:
    recovery = _read_recovery(rows)
    start = recovery.get("aplasia_day", math.nan)
    if math.isnan(start):
        return None
    last = max((point.day for point in b_cells if point.collected_at), default=start)
    low, high = recovery["recovery_10_low"], recovery["recovery_10_high"]
    return Aplasia(start=start, end_low=last if math.isnan(low) else low, end_high=high)


def _read_kinetics(rows: _Rows) -> dict[tuple[str, str], Parameter]:
    return {
        (str(row["analyte"]), str(row["parameter"])): Parameter(
            value=to_float(row["value"]), low=to_float(row["low"]), high=to_float(row["high"]),
            unit=str(row["unit"]), status=str(row["status"]), reason=str(row["reason"]),
        )
        for row in rows.of("kinetics")
    }  # fmt: skip


def _list_draws(rows: _Rows, clock: SubjectClock) -> dict[str, tuple[str, float]]:
    """Return the first draw of each visit label over all assays."""
    draws: dict[str, tuple[str, float]] = {}
    for name in ("persistence", "populations", "measurements"):
        for row in rows.of(name):
            label = str(row["visit_label"] or row["visit"])
            if not row["collected_at"] or not label:
                continue
            day = clock.day(str(row["collected_at"]))
            if label not in draws or day < draws[label][1]:
                draws[label] = (str(row["visit"]), day)
    return draws


def _follow_up_end(rows: _Rows, clock: SubjectClock) -> dt.datetime:
    """Return the moment after which nothing is due: the cut-off, or the end of the subject's follow-up."""
    ends = [
        clock.day(str(row["collected_at"]))
        for row in rows.of("measurements")
        if row["collected_at"]
        and (row["visit"] == "ET" or str(row["name"]).rpartition(":")[2] in FOLLOW_UP_ENDS)
    ]
    last = clock.infusion + dt.timedelta(days=min(ends)) if ends else clock.cut_off
    return min(last, clock.cut_off)
