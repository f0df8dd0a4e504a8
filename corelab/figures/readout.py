"""The column of values beside a course: peak, last, and what the tables say of it; words, not drawing."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from corelab.figures.catalog import Catalog
from corelab.figures.clock import clock_position
from corelab.figures.course import Episode, Parameter, PatientCourse, Point, Track
from corelab.figures.episode_row import name_term
from corelab.figures.numbers import (
    NARROW,
    format_count,
    format_number,
)
from corelab.figures.readout_words import (
    Line,
    ReadOut,
    Span,
    describe_fold,
    describe_point,
    format_delivered,
    write_markup,
)
from corelab.figures.visit_readout import OUTCOME_ROWS, readout_at

__all__ = ["Line", "ReadOut", "Span", "find_visit", "readout_at", "summarise_readout", "write_markup"]

ANALYTE_OF_ROW: Final[Mapping[str, str]] = {
    "car_abs": "CAR_ABS", "car_vcn": "CAR_VCN_UG", "car_pct": "CAR_PCT_CD3",
}  # fmt: skip


def summarise_readout(course: PatientCourse, catalog: Catalog) -> ReadOut:
    """Return for every row its peak, its last value and what the tables say of its course."""
    read: dict[str, tuple[Line, ...]] = {row: _summarise_car(course, row, catalog) for row in ANALYTE_OF_ROW}
    read["b_cells"] = _summarise_b_cells(course, catalog)
    read["tracks"] = tuple(_summarise_track(track, course, catalog) for track in course.tracks)
    for row in OUTCOME_ROWS:
        read[row] = _summarise_outcome(course.series.get(row, ()), catalog)
    read["events"] = _summarise_events(course.events, catalog)
    read["drugs"] = _summarise_drugs(course.drugs or (), catalog)
    return read


def find_visit(course: PatientCourse, position: float) -> str:
    """Return the label of the visit nearest to a position on the clock; empty without any."""
    if not course.ticks:
        return ""
    nearest = min(course.ticks, key=lambda tick: abs(clock_position(tick.day) - position))
    return nearest.label


def _summarise_car(course: PatientCourse, row: str, catalog: Catalog) -> tuple[Line, ...]:
    points = course.series.get(row, ())
    peak, last = _describe_peak(course, row, catalog), _describe_last(points, catalog)
    is_same = len(peak) == len(last) == 1 and peak[0][-1] == last[0][-1]
    lines = peak if is_same else [*peak, *last]
    tail = _TAILS[row](course, ANALYTE_OF_ROW[row], catalog)
    return tuple([*lines, tail] if tail else lines)


def _describe_peak(course: PatientCourse, row: str, catalog: Catalog) -> list[Line]:
    points = [point for point in course.series.get(row, ()) if point.status == "quantified"]
    after = [point for point in points if point.day > 0]
    if not after:
        return []
    peak = max(after, key=lambda point: point.value)
    unit = f"{NARROW}%" if row == "car_pct" else ""
    text = catalog.text("patient.read.peak", value=format_number(peak.value) + unit)
    return [(Span(text=text, tone="accent"), Span(text=f" {peak.visit_label}"))]


def _describe_last(points: Iterable[Point], catalog: Catalog) -> list[Line]:
    valid = [point for point in points if point.status not in ("failed", "missing", "not_calculated")]
    if not valid:
        return []
    last = valid[-1]
    words, *more = describe_point(last, catalog)
    head: Line = (
        Span(text=catalog.text("patient.read.last") + " "),
        words[0],
        Span(text=f" {last.visit_label}"),
    )
    return [head] if last.status == "quantified" else [head, *more]


def _describe_half_life(course: PatientCourse, analyte: str, catalog: Catalog) -> Line | None:
    half = _parameter(course, analyte, "LAMZHL")
    if half is None:
        return None
    ends = [_parameter(course, analyte, name) for name in ("LAMZLL", "LAMZUL")]
    text = catalog.text("patient.read.half_life", value=format_number(half.value))
    labels = [_nearest_label(course, end.value) for end in ends if end is not None]
    span = f" ({labels[0]}–{labels[1]})" if len(labels) == 2 else ""
    return (Span(text=text + span, tone="muted"),)


def _describe_area(course: PatientCourse, analyte: str, catalog: Catalog) -> Line | None:
    area = _parameter(course, analyte, "AUC0_28D")
    if area is None:
        return None
    return (Span(text=catalog.text("patient.read.area", value=format_number(area.value)), tone="muted"),)


def _describe_persistence(course: PatientCourse, analyte: str, catalog: Catalog) -> Line | None:
    persist = _parameter(course, analyte, "PERSIST")
    if persist is None:
        return None
    key = "patient.read.persists" if math.isnan(persist.high) else "patient.read.persisted"
    text = catalog.text(key, days=format_count(persist.value))
    return (Span(text=text, tone="muted"),)


_TAILS: Final[Mapping[str, Callable[[PatientCourse, str, Catalog], Line | None]]] = {
    "car_abs": _describe_half_life,
    "car_vcn": _describe_area,
    "car_pct": _describe_persistence,
}


def _parameter(course: PatientCourse, analyte: str, name: str) -> Parameter | None:
    found = course.kinetics.get((analyte, name))
    usable = found is not None and found.status == "quantified" and math.isfinite(found.value)
    return found if usable else None


def _nearest_label(course: PatientCourse, day: float) -> str:
    return find_visit(course, clock_position(day))


def _summarise_b_cells(course: PatientCourse, catalog: Catalog) -> tuple[Line, ...]:
    lines: list[Line] = []
    aplasia = course.aplasia
    if aplasia is not None and math.isnan(aplasia.end_high):
        label = _nearest_label(course, aplasia.start)
        text = catalog.text("patient.read.aplasia_since", visit=label)
        lines.append((Span(text=text, tone="accent"),))
    elif aplasia is not None:
        ends = (aplasia.end_low - aplasia.start, aplasia.end_high - aplasia.start)
        text = catalog.text("patient.read.aplasia", interval=_half_open(ends))
        lines.append((Span(text=text, tone="accent"),))
        back = _half_open((aplasia.end_low, aplasia.end_high))
        lines.append((Span(text=catalog.text("patient.read.recovered", interval=back)),))
    return (*lines, *_describe_last(course.series.get("b_cells", ()), catalog))


def _half_open(ends: tuple[float, float]) -> str:
    return f"({format_count(ends[0])}, {format_count(ends[1])}]"


def _summarise_track(track: Track, course: PatientCourse, catalog: Catalog) -> Line:
    above = [point for point in track.points if point.status == "above_uloq"]
    known = [point for point in track.points if point.status == "quantified"]
    if above:
        return (
            Span(text=catalog.text("patient.read.above_uloq"), tone="strong"),
            Span(text=f" {above[0].visit_label}"),
        )
    if not known:
        return (Span(text=catalog.text("patient.read.no_peak"), tone="muted"),) if track.points else ()
    peak = max(known, key=lambda point: point.value)
    return (
        Span(text=format_number(peak.value), tone="strong"),
        Span(text=f" {peak.visit_label}"),
        Span(text=describe_fold(track, peak), tone="muted"),
    )


def _summarise_outcome(points: Iterable[Point], catalog: Catalog) -> tuple[Line, ...]:
    known = [point for point in points if point.status == "quantified"]
    if not known:
        return ()
    first, last = known[0], known[-1]
    if first is last:
        text = catalog.text("patient.read.at", value=format_delivered(first.value), visit=first.visit_label)
        return ((Span(text=text),),)
    return (
        (
            Span(text=f"{format_delivered(first.value)} → "),
            Span(text=format_delivered(last.value), tone="strong"),
            Span(text=f" {last.visit_label}"),
        ),
    )


def _summarise_events(events: tuple[Episode, ...], catalog: Catalog) -> tuple[Line, ...]:
    if not events:
        return ()
    lines: list[Line] = []
    for event in [event for event in events if "ASTCT" in event.scale][:2]:
        name = name_term(event.name, catalog)
        text = catalog.text("patient.read.astct", term=name, grade=event.grade, scale=event.scale)
        lines.append((Span(text=text),))
    severe = sum(event.grade >= 3 for event in events)
    ongoing = sum(math.isnan(event.end) for event in events)
    text = catalog.text("patient.read.events_count", n=len(events), severe=severe)
    lines.append((Span(text=text),))
    if ongoing:
        lines.append((Span(text=catalog.text("patient.read.ongoing", n=ongoing)),))
    return tuple(lines)


def _summarise_drugs(drugs: tuple[Episode, ...], catalog: Catalog) -> tuple[Line, ...]:
    ongoing = list(dict.fromkeys(drug.name for drug in drugs if math.isnan(drug.end)))
    if not ongoing:
        return ()
    return tuple(
        (Span(text=catalog.text("patient.read.on_drug", drug=catalog.say(name))),) for name in ongoing[:3]
    )
