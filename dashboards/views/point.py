"""One value of a child's course with everything that is known of its doubt."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from corelab.figures.course import PatientCourse, Point
from corelab.vocabulary import Analyte

if TYPE_CHECKING:
    import pandas as pd

ANALYTES: Final[Mapping[str, str]] = {
    "car_abs": Analyte.CAR_ABS,
    "car_vcn": Analyte.CAR_VCN_UG,
    "car_pct": Analyte.CAR_PCT_CD3,
}
GATED: Final[Mapping[str, tuple[str, str]]] = {
    "car_abs": ("cart", "car_t"),
    "car_pct": ("cart", "car_t"),
    "b_cells": ("bcell", "b_cells"),
}
"""Rows that come from a gate: panel and population."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which value a person asked for."""

    subject_id: str
    row: str
    visit_label: str
    collected_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One remark of the quality checks on the file behind a value."""

    check: str
    level: str
    value: float
    limit: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The gate that counted, and the tube it counted in."""

    file_id: str
    tube: str
    population: str
    source: str
    version: str
    qc: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """The background that a CAR-T count was tested against."""

    count: float
    total: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PointDetail:
    """A value, its gate and blank where it has them, and the draws of the same row beside it."""

    choice: Choice
    point: Point
    gate: Gate | None
    blank: Blank | None
    before: Choice | None
    after: Choice | None


def parse_choice(sent: Any) -> Choice | None:
    """Read what a click sent: subject, row, visit label and time of collection; None for anything else."""
    if not isinstance(sent, Sequence) or isinstance(sent, str) or len(sent) < 4:
        return None
    words = list(sent[:4])
    if not all(isinstance(word, str) and len(word) <= 128 for word in words):
        return None
    return Choice(subject_id=words[0], row=words[1], visit_label=words[2], collected_at=words[3])


def list_row_points(course: PatientCourse, row: str) -> tuple[Point, ...]:
    """Return the points of a row by its key; ``tracks:<analyte>`` is a soluble analyte."""
    if row in course.series:
        return course.series[row]
    tracks = {f"tracks:{track.name}": track.points for track in course.tracks}
    return tracks.get(row, ())


def build_point_detail(
    course: PatientCourse, tables: "Mapping[str, pd.DataFrame]", choice: Choice
) -> PointDetail | None:
    """Collect what is known of a value, or None when the course has no such value."""
    points = list_row_points(course, choice.row)
    places = [
        place
        for place, point in enumerate(points)
        if (point.visit_label, point.collected_at) == (choice.visit_label, choice.collected_at)
    ]
    if not places or choice.subject_id != course.subject_id:
        return None
    place = places[0]
    return PointDetail(
        choice=choice,
        point=points[place],
        gate=find_gate(tables, choice),
        blank=find_blank(tables["persistence"], choice),
        before=choose(course, choice.row, points, place - 1),
        after=choose(course, choice.row, points, place + 1),
    )


def choose(course: PatientCourse, row: str, points: Sequence[Point], place: int) -> Choice | None:
    """Name a point of a row by its place, or None beyond its ends."""
    if not 0 <= place < len(points):
        return None
    point = points[place]
    return Choice(
        subject_id=course.subject_id,
        row=row,
        visit_label=point.visit_label,
        collected_at=point.collected_at,
    )


def find_gate(tables: "Mapping[str, pd.DataFrame]", choice: Choice) -> Gate | None:
    """Find the full tube of the draw and the gate that counted in it; a failed tube yields to a good one."""
    if choice.row not in GATED or not choice.collected_at:
        return None
    panel, population = GATED[choice.row]
    table = tables["populations"]
    is_same = (
        (table["subject_id"] == choice.subject_id)
        & (table["collected_at"] == choice.collected_at)
        & (table["panel"] == panel)
        & (table["tube"] == "full")
        & (table["population"] == population)
    )
    rows = sorted(table[is_same].to_dict(orient="records"), key=lambda row: bool(row["qc"] == "fail"))
    if not rows:
        return None
    row = rows[0]
    return Gate(
        file_id=row["file_id"],
        tube=row["tube"],
        population=population,
        source=row["gate_source"],
        version=row["gate_version"],
        qc=row["qc"],
        findings=list_findings(tables["quality"], row["file_id"]),
    )


def list_findings(quality: "pd.DataFrame", file_id: str) -> tuple[Finding, ...]:
    """Return the quality findings of a file, the graver first."""
    rows = quality[quality["object"] == file_id].to_dict(orient="records")
    findings = [
        Finding(
            check=row["check"],
            level=row["level"],
            value=float(row["value"]),
            limit=float(row["limit"]),
            reason=row["reason"],
        )
        for row in rows
    ]
    return tuple(sorted(findings, key=lambda finding: (finding.level != "fail", finding.check)))


def find_blank(persistence: "pd.DataFrame", choice: Choice) -> Blank | None:
    """Return the background of a CAR-T count, or None where none was measured."""
    analyte = ANALYTES.get(choice.row)
    is_same = (
        (persistence["subject_id"] == choice.subject_id)
        & (persistence["collected_at"] == choice.collected_at)
        & (persistence["analyte"] == analyte)
    )
    rows = persistence[is_same]
    if analyte is None or rows.empty or rows["blank_reference"].isna().iloc[0]:
        return None
    row = rows.iloc[0]
    p_value = row["p_value"]
    return Blank(
        count=float(row["blank_events"]),
        total=float(row["blank_reference"]),
        p_value=float(p_value) if p_value is not None else math.nan,
    )
