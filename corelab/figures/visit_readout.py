"""What one visit brought, for the column beside a course."""

import math
from typing import Final

from corelab.figures.catalog import Catalog
from corelab.figures.course import PatientCourse, Point, SubsetBar, Track
from corelab.figures.numbers import (
    format_count,
    format_exact,
    format_number,
)
from corelab.figures.readout_words import (
    Line,
    ReadOut,
    Span,
    describe_fold,
    describe_point,
    name_status,
)

LEVEL_ROWS: Final = ("car_abs", "car_vcn", "car_pct", "b_cells")
OUTCOME_ROWS: Final = ("sledai", "upcr", "egfr")
SUBSETS_PER_LINE: Final = 2


def readout_at(course: PatientCourse, visit_label: str, catalog: Catalog) -> ReadOut:
    """Return for every row what one visit brought; a row to which nothing belongs is left out."""
    read: dict[str, tuple[Line, ...]] = {}
    for row in (*LEVEL_ROWS, *OUTCOME_ROWS):
        found = [point for point in course.series.get(row, ()) if point.visit_label == visit_label]
        if found:
            read[row] = describe_point(found[-1], catalog)
    bars = [bar for bar in course.phenotype if bar.visit_label == visit_label]
    if bars:
        read["phenotype"] = _describe_bar(bars[-1], catalog)
    read["tracks"] = tuple(_describe_track(track, visit_label, catalog) for track in course.tracks)
    return read


def _describe_track(track: Track, visit_label: str, catalog: Catalog) -> Line:
    found = [point for point in track.points if point.visit_label == visit_label]
    if not found:
        return ()
    point = found[-1]
    if point.status == "quantified":
        return (
            Span(text=format_number(point.value), tone="strong"),
            Span(text=f" {point.unit}"),
            Span(text=describe_fold(track, point), tone="muted"),
        )
    return (Span(text=catalog.text(f"status.{name_status(point)}")), Span(text=_limit_words(point, catalog)))


def _limit_words(point: Point, catalog: Catalog) -> str:
    if point.status in ("detected_blq", "not_detected") and math.isfinite(point.lloq):
        return " " + catalog.text("patient.read.below", limit=format_exact(point.lloq))
    return ""


def _describe_bar(bar: SubsetBar, catalog: Catalog) -> tuple[Line, ...]:
    if bar.failed:
        return ((Span(text=catalog.text("status.failed"), tone="strong"),),)
    parts = [
        (Span(text=f"{catalog.text(f'subset.{name}')} "), Span(text=f"{percent:.0f}", tone="strong"))
        for name, percent in bar.percents.items()
        if math.isfinite(percent)
    ]  # fmt: skip
    lines: list[Line] = []
    for start in range(0, len(parts), SUBSETS_PER_LINE):
        spans: list[Span] = []
        for part in parts[start : start + SUBSETS_PER_LINE]:
            spans += [*([Span(text=" · ")] if spans else []), *part]
        lines.append(tuple(spans))
    parents = Span(text=f"n {format_count(bar.parent_count)}", tone="muted")
    if len(parts) % SUBSETS_PER_LINE:
        *whole, last = lines
        return (*whole, (*last, Span(text=" · "), parents))
    return (*lines, (parents,))
