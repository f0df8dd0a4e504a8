"""A row of levels over orders of magnitude: values above, what is below a limit or absent in the gutter."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from corelab.figures.clock import clock_position
from corelab.figures.course import Point
from corelab.figures.log_gutter import LANE_PX, LogGutter, build_log_gutter, compute_ticks
from corelab.figures.numbers import escape_markup, format_exact
from corelab.figures.panel import Drawing, Frame, Piece, Slot, box, decoration, font, linear_axis, note, rule
from corelab.figures.tokens import (
    DASH_GAP,
    DASH_LLOQ,
    DASH_THRESHOLD,
    FONT_LABEL,
    LINE_SERIES,
    LINE_THIN,
    MARKS,
    Tokens,
)

BELOW: Final = ("detected_blq", "not_detected")
ABSENT: Final = ("failed", "missing", "not_calculated")
LLOQ_TICK_PX: Final = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelStyle:
    """How a row of levels looks: its colour, the range shown at least, a threshold."""

    colour: str
    least: tuple[float, float]
    threshold: float = math.nan


def shown_status(point: Point) -> str:
    """Return the status by which a point is drawn on a logarithmic axis.

    A number that is not above zero has no height there: it is drawn as not detected, below its upper
    limit, and one without a number as not calculated.
    """
    if point.status == "quantified" and not point.value > 0:
        return "not_calculated" if math.isnan(point.value) else "not_detected"
    return point.status


def point_level(point: Point) -> float:
    """Return the number at which a point stands: its value, or the limit it exceeds; NaN without one."""
    if point.status == "above_uloq":
        known = [number for number in (point.uloq, point.low, point.value) if number > 0]
        return known[0] if known else math.nan
    return point.value


def draw_level_row(points: Sequence[Point], slot: Slot, frame: Frame, *, style: LevelStyle) -> Drawing:
    """Draw one analyte over the course."""
    axis = build_axis(points, slot.height_px, style)
    ticks, labels = compute_ticks(axis)
    lanes, words = _lane_labels(axis, frame)
    y_axis = linear_axis(
        axis.bottom, axis.top, ticks=[*ticks, *lanes], labels=[*labels, *words], tokens=frame.tokens
    )
    traces = [
        *_draw_lloq_ticks(points, axis, slot, frame),
        *draw_upper_limits(points, axis, slot, colour=style.colour),
        *_draw_intervals(points, axis, slot, style.colour),
        *draw_segments(points, axis, slot, colour=style.colour),
        draw_points(points, axis, slot, frame=frame, colour=style.colour),
    ]
    shapes = [*_draw_gutter(axis, slot, frame), *_draw_threshold(axis, slot, frame, style)]
    fixed = find_fixed_lloq(points)
    if math.isfinite(fixed):
        colour = frame.tokens.muted
        shapes.append(rule(slot.axis, axis.height(fixed), frame.span, colour=colour, dash=DASH_LLOQ))
    return Drawing(
        axis=y_axis, traces=traces, shapes=shapes, annotations=_label_lloq(fixed, axis, slot, frame)
    )


def build_axis(points: Sequence[Point], height_px: float, style: LevelStyle) -> LogGutter:
    """Return the axis that holds the values and limits of a row."""
    drawn = [point_level(point) for point in points if shown_status(point) in ("quantified", "above_uloq")]
    limits = [point.lloq for point in points] + [style.threshold]
    return build_log_gutter([*drawn, *limits], height_px=height_px, least=style.least)


def point_height(point: Point, axis: LogGutter) -> float:
    """Return where a point stands: its value, its lane of the gutter, the top above an unknown limit."""
    lane, level = MARKS[shown_status(point)].lane, point_level(point)
    if lane:
        return axis.lane(lane)
    return axis.top if math.isnan(level) else axis.height(level)


def find_fixed_lloq(points: Sequence[Point]) -> float:
    """Return the limit that all points share (an assay's constant), NaN where each has its own."""
    given = [point.lloq for point in points if point.lloq > 0]
    limits = set(given)
    return given[0] if len(limits) == 1 and len(given) > 1 else math.nan


def pair_segments(points: Sequence[Point]) -> list[tuple[Point, Point, bool]]:
    """Return the segments of a row: two points and whether the line between them is solid.

    Solid only between neighbouring quantified values; dotted where something failed or is missing between
    them or one end lies below its limit; none between two values that both lie below.
    """
    segments = []
    previous: Point | None = None
    is_broken = False
    for point in points:
        status = shown_status(point)
        if status in ABSENT:
            is_broken = True
            continue
        if previous is not None:
            below = sum(shown_status(end) in BELOW for end in (previous, point))
            if below < 2:
                segments.append((previous, point, below == 0 and not is_broken))
        previous, is_broken = point, False
    return segments


def draw_segments(points: Sequence[Point], axis: LogGutter, slot: Slot, *, colour: str) -> list[Piece]:
    """Draw the lines between the points, solid and dotted apart."""
    traces = []
    for solid in (True, False):
        chosen = [(start, end) for start, end, is_solid in pair_segments(points) if is_solid == solid]
        if not chosen:
            continue
        x = itertools.chain.from_iterable(
            (clock_position(start.day), clock_position(end.day), None) for start, end in chosen
        )
        y = itertools.chain.from_iterable(
            (point_height(start, axis), point_height(end, axis), None) for start, end in chosen
        )
        look = {"width": LINE_SERIES} if solid else {"width": 1.5, "dash": DASH_GAP}
        traces.append(decoration(slot, list(x), list(y), line={"color": colour, **look}))
    return traces


def draw_points(points: Sequence[Point], axis: LogGutter, slot: Slot, *, frame: Frame, colour: str) -> Piece:
    """Draw the marks; each carries subject, row, visit label and time of collection for a click."""
    return {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": slot.axis, "showlegend": False,
        "x": [clock_position(point.day) for point in points],
        "y": [point_height(point, axis) for point in points],
        "marker": build_markers([shown_status(point) for point in points], colour, frame.tokens),
        "customdata": [[frame.subject_id, slot.key, p.visit_label, p.collected_at] for p in points],
        "hoverinfo": "none", "cliponaxis": True, "name": slot.key, "meta": {"row": slot.key},
    }  # fmt: skip


def build_markers(statuses: Sequence[str], colour: str, tokens: Tokens) -> Piece:
    """Return the marker arrays of points by status; shape tells them apart, colour only helps."""
    marks = [MARKS[status] for status in statuses]
    edges = [status_colour(status, colour, tokens) for status in statuses]
    return {
        "symbol": [mark.symbol for mark in marks],
        "size": [mark.size for mark in marks],
        "color": [tokens.body if mark.is_filled_hollow else e for mark, e in zip(marks, edges, strict=True)],
        "opacity": 1,
        "line": {"color": edges, "width": [_edge_width(status) for status in statuses]},
    }


def status_colour(status: str, colour: str, tokens: Tokens) -> str:
    """Return the colour of a mark: fail and missing have their own, all others that of the series."""
    return {"failed": tokens.fail, "missing": tokens.muted, "not_calculated": tokens.muted}.get(
        status, colour
    )


def _edge_width(status: str) -> float:
    if status == "failed":
        return 2.0
    return 1.5 if MARKS[status].hollow else 0.0


def draw_upper_limits(points: Sequence[Point], axis: LogGutter, slot: Slot, *, colour: str) -> list[Piece]:
    """Draw the upper 95 % limit of values below their limit of quantification: a dotted line and a cap."""
    below = [(p, p.upper_limit) for p in points if shown_status(p) in BELOW and p.upper_limit > 0]
    drawn = [(point, math.log10(high)) for point, high in below if math.log10(high) > axis.floor]
    if not drawn:
        return []
    x = [clock_position(point.day) for point, _ in drawn]
    tops = [min(top, axis.top) for _, top in drawn]
    lines: dict[str, list[float | None]] = {"x": [], "y": []}
    for position, top in zip(x, tops, strict=True):
        lines["x"] += [position, position, None]
        lines["y"] += [axis.lane(1), top, None]
    return [
        decoration(slot, lines["x"], lines["y"], line={"color": colour, "width": 1, "dash": "1px,2px"}),
        decoration(slot, x, tops, mode="markers", marker=_dash_marker(4, colour, width=1.2)),
    ]


def _draw_intervals(points: Sequence[Point], axis: LogGutter, slot: Slot, colour: str) -> list[Piece]:
    known = [p for p in points if shown_status(p) == "quantified" and p.low > 0 and p.high > 0]
    if not known:
        return []
    x: list[float | None] = []
    y: list[float | None] = []
    for point in known:
        x += [clock_position(point.day), clock_position(point.day), None]
        y += [axis.height(point.low), axis.height(point.high), None]
    return [decoration(slot, x, y, line={"color": colour, "width": LINE_THIN})]


def _draw_lloq_ticks(points: Sequence[Point], axis: LogGutter, slot: Slot, frame: Frame) -> list[Piece]:
    own = [p for p in points if p.lloq > 0 and shown_status(p) not in ("missing",)]
    if not own or math.isfinite(find_fixed_lloq(points)):
        return []
    x = [clock_position(point.day) for point in own]
    y = [axis.height(point.lloq) for point in own]
    marker = _dash_marker(LLOQ_TICK_PX / 2, frame.tokens.muted, width=1)
    return [decoration(slot, x, y, mode="markers", marker=marker)]


def _dash_marker(size: float, colour: str, *, width: float) -> Piece:
    """Return a short horizontal line; Plotly draws it twice as long as its size and wants both colours."""
    return {"symbol": "line-ew", "size": size, "color": colour, "line": {"color": colour, "width": width}}


def _lane_labels(axis: LogGutter, frame: Frame) -> tuple[list[float], list[str]]:
    words = [frame.catalog.text("patient.lane.below"), frame.catalog.text("patient.lane.no_result")]
    return [axis.below(LANE_PX[1]), axis.below(LANE_PX[2])], words


def _draw_gutter(axis: LogGutter, slot: Slot, frame: Frame) -> list[Piece]:
    span, tokens = frame.span, frame.tokens
    return [
        box(slot.axis, (span.left, span.right), (axis.bottom, axis.floor), fillcolor=tokens.gutter),
        rule(slot.axis, axis.floor, span, colour=tokens.border, dash="solid"),
    ]


def _draw_threshold(axis: LogGutter, slot: Slot, frame: Frame, style: LevelStyle) -> list[Piece]:
    if math.isnan(style.threshold):
        return []
    height = axis.height(style.threshold)
    return [rule(slot.axis, height, frame.span, colour=style.colour, dash=DASH_THRESHOLD)]


def _label_lloq(fixed: float, axis: LogGutter, slot: Slot, frame: Frame) -> list[Any]:
    if math.isnan(fixed):
        return []
    text = escape_markup(frame.catalog.text("patient.lloq_at", value=format_exact(fixed)))
    return [
        note(
            text, xref="x domain", yref=slot.axis, at=(1.0, axis.height(fixed)), xanchor="right",
            yanchor="bottom", xshift=-2, font=font(FONT_LABEL - 1, frame.tokens.muted),
        )
    ]  # fmt: skip
