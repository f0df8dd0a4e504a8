"""A low row of one clinical outcome: score or laboratory value, with its threshold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from corelab.figures.clock import clock_position
from corelab.figures.course import Point
from corelab.figures.level_row import build_markers
from corelab.figures.numbers import format_exact
from corelab.figures.panel import Drawing, Frame, Piece, Slot, decoration, linear_axis, rule
from corelab.figures.tokens import DASH_GAP, DASH_THRESHOLD, LINE_SERIES, MARKS

LANE_PX: Final = 11.0
"""Height kept below the values for what failed or never came."""
EDGE_PX: Final = 6.0
LABEL_GAP_PX: Final = 10.0
HAS_VALUE: Final = ("quantified", "above_uloq", "detected_blq", "not_detected")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeStyle:
    """Range shown at least, ticks by importance, threshold; ``is_log`` for orders of magnitude."""

    least: tuple[float, float]
    ticks: tuple[float, ...]
    threshold: float = math.nan
    is_log: bool = False

    def scale(self, value: float) -> float:
        """Return a value on the axis."""
        return math.log10(value) if self.is_log else value


def known_value(point: Point) -> float:
    """Return the number of a point, or the limit that censors it; NaN where there is none."""
    if point.status not in HAS_VALUE:
        return math.nan
    if math.isfinite(point.value):
        return point.value
    bound = point.low if point.status == "above_uloq" else point.high
    limit = point.uloq if point.status == "above_uloq" else point.lloq
    return bound if math.isfinite(bound) else limit


def draw_outcome_row(points: Sequence[Point], slot: Slot, frame: Frame, *, style: OutcomeStyle) -> Drawing:
    """Draw one outcome over the course; a score of zero is a measured zero and stands at zero."""
    drawable = [
        p for p in points if math.isfinite(known_value(p)) and (known_value(p) > 0 or not style.is_log)
    ]
    heights = [style.scale(known_value(point)) for point in drawable]
    low, high = _range([*heights, *map(style.scale, style.least)], slot.height_px)
    lowest = min([*heights, *map(style.scale, style.least)])
    ticks = _select_ticks(style, (lowest, high), (high - low) / slot.height_px)
    labels = [format_exact(tick) for tick in ticks]
    absent = [point for point in points if point.status in ("failed", "missing")]
    lane = low + (high - low) * 5.0 / slot.height_px
    shown = sorted([*zip(drawable, heights, strict=True), *((p, lane) for p in absent)], key=_day)
    traces = [*_draw_lines(shown, slot, frame), _draw_marks(shown, slot, frame)]
    heights = [style.scale(tick) for tick in ticks]
    axis = linear_axis(low, high, ticks=heights, labels=labels, tokens=frame.tokens)
    return Drawing(axis=axis, traces=traces, shapes=_draw_threshold(slot, frame, style))


def _day(item: tuple[Point, float]) -> float:
    return item[0].day


def _range(heights: Sequence[float], height_px: float) -> tuple[float, float]:
    low, high = min(heights), max(heights)
    per_px = (high - low) / (height_px - LANE_PX - EDGE_PX)
    return low - LANE_PX * per_px, high + EDGE_PX * per_px


def _select_ticks(style: OutcomeStyle, ends: tuple[float, float], per_px: float) -> list[float]:
    """Return the ticks inside the range, first come first, none nearer than a line of text."""
    gap = LABEL_GAP_PX * per_px
    kept: list[float] = []
    for tick in style.ticks:
        place = style.scale(tick)
        if ends[0] <= place <= ends[1] and all(abs(place - style.scale(other)) >= gap for other in kept):
            kept.append(tick)
    return kept


def _draw_lines(shown: Sequence[tuple[Point, float]], slot: Slot, frame: Frame) -> list[Piece]:
    """Draw solid lines between neighbours, dotted across what failed or is missing."""
    pieces: dict[bool, tuple[list[float | None], list[float | None]]] = {True: ([], []), False: ([], [])}
    previous: tuple[Point, float] | None = None
    solid = True
    for point, height in shown:
        if point.status not in HAS_VALUE:
            solid = False
            continue
        if previous is not None:
            x, y = pieces[solid]
            x += [clock_position(previous[0].day), clock_position(point.day), None]
            y += [previous[1], height, None]
        previous, solid = (point, height), True
    looks: dict[bool, Piece] = {True: {"width": LINE_SERIES - 0.5}, False: {"width": 1.5, "dash": DASH_GAP}}
    return [
        decoration(slot, x, y, line={"color": frame.tokens.ink_2, **looks[key]})
        for key, (x, y) in pieces.items()
        if x
    ]


def _draw_marks(shown: Sequence[tuple[Point, float]], slot: Slot, frame: Frame) -> Piece:
    tokens = frame.tokens
    return {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": slot.axis, "showlegend": False,
        "x": [clock_position(point.day) for point, _ in shown], "y": [height for _, height in shown],
        "marker": {
            **build_markers([point.status for point, _ in shown], tokens.ink, tokens),
            "size": [MARKS[point.status].size - 0.5 for point, _ in shown],
        },
        "customdata": [[frame.subject_id, slot.key, p.visit_label, p.collected_at] for p, _ in shown],
        "hoverinfo": "none", "cliponaxis": True, "name": slot.key, "meta": {"row": slot.key},
    }  # fmt: skip


def _draw_threshold(slot: Slot, frame: Frame, style: OutcomeStyle) -> list[Piece]:
    if math.isnan(style.threshold):
        return []
    height = style.scale(style.threshold)
    return [rule(slot.axis, height, frame.span, colour=frame.tokens.ok, dash=DASH_THRESHOLD)]
