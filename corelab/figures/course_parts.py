"""The parts of a course that are no plain series: analytes with folds, subsets, events, drugs."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from corelab.figures.course import (
    Episode,
    SubjectClock,
    SubsetBar,
    Track,
    to_float,
)
from corelab.figures.course_rows import Rows, build_point, complete_points

TRACK_ORDER: Final = (
    "IL6", "TNFA", "TNF", "IFNG", "GRANZYMEB", "IL10", "IL15", "IL2", "IL8", "CXCL10", "MCP1", "SIL2RA",
    "GMCSF", "BAFF", "FERRITIN", "CRP",
)  # fmt: skip
FEW_EVENTS: Final = "FEW_EVENTS"
"""Reason of a subset whose parent has too few events: no failure of the tube."""
TRACKS_AT_MOST: Final = 9
CAR_COMPARTMENT: Final = "car_t"
MEMORY_SUBSETS: Final[tuple[str, ...]] = ("naive", "naive_or_scm", "scm", "cm", "em", "temra")
_GREEK: Final = str.maketrans({"α": "A", "β": "B", "γ": "G"})


def normalise_name(name: str) -> str:
    """Return a name in plain capitals without signs, so that spellings compare."""
    return re.sub(r"[^A-Z0-9]", "", name.translate(_GREEK).upper())


def build_tracks(rows: Rows, clock: SubjectClock) -> tuple[Track, ...]:
    """Return the soluble analytes in clinical order, at most nine."""
    measured = rows.measured
    folds = [row for row in measured if row["metric"] == "fold_change"]
    drawn = {str(row["name"]) for row in folds}
    drawn |= {str(row["name"]) for row in measured if row["assay"] == "cytokine"}
    names = sorted(drawn, key=_track_rank)[:TRACKS_AT_MOST]
    return tuple(_build_track(name, measured, clock) for name in names)


def _track_rank(name: str) -> tuple[int, str]:
    base = normalise_name(re.split(r"[@|(/ ]", name)[0])
    return (TRACK_ORDER.index(base) if base in TRACK_ORDER else len(TRACK_ORDER)), name


def _build_track(name: str, measured: list[dict[str, Any]], clock: SubjectClock) -> Track:
    mine = [row for row in measured if row["name"] == name]
    values = [row for row in mine if row["metric"] in ("concentration", "result")]
    folds = [build_point(row, clock) for row in mine if row["metric"] == "fold_change"]
    expects = "cytokine" if any(row["assay"] == "cytokine" for row in values) else "laboratory"
    points = complete_points(values, clock, expects)
    unit = next((point.unit for point in points if point.unit), "")
    return Track(
        name=name, unit=unit, points=points, folds={fold.collected_at: fold for fold in folds if fold}
    )


def build_phenotype(rows: Rows, clock: SubjectClock) -> tuple[SubsetBar, ...]:
    """Return the memory subsets of CAR-T cells by draw."""
    draws: dict[str, list[dict[str, Any]]] = {}
    for row in rows.of("phenotype", compartment=CAR_COMPARTMENT):
        if row["subset"] in MEMORY_SUBSETS and row["collected_at"]:
            draws.setdefault(str(row["collected_at"]), []).append(row)
    return tuple(
        sorted((_build_bar(collected, found, clock) for collected, found in draws.items()), key=_bar_day)
    )


def _bar_day(bar: SubsetBar) -> float:
    return bar.day


def _build_bar(collected: str, found: list[dict[str, Any]], clock: SubjectClock) -> SubsetBar:
    parents = [to_float(row["parent_count"]) for row in found]
    shares = {str(row["subset"]): to_float(row["percent"]) for row in found}
    percents = {name: shares[name] for name in MEMORY_SUBSETS if name in shares}
    return SubsetBar(
        day=clock.day(collected), visit_label=str(found[0]["visit_label"] or found[0]["visit"]),
        collected_at=collected, parent_count=max(parents),
        percents=percents, failed=all(_is_failed_tube(row) for row in found),
    )  # fmt: skip


def _is_failed_tube(row: Mapping[str, Any]) -> bool:
    return bool(row["status"] == "failed" and row["reason"] != FEW_EVENTS)


def build_events(rows: Rows) -> tuple[Episode, ...]:
    """Return the adverse events, those of special interest first, then by grade."""
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


def build_drugs(
    medications: pd.DataFrame | None, subject_id: str, clock: SubjectClock
) -> tuple[Episode, ...] | None:
    """Return the drugs of a subject by start, None where no table of them was given."""
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
