"""The curves of one child on paper: copies, CAR-T cells and B cells under one infusion clock."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.figures.clock import ClockSpan, clock_position, compute_right_day, compute_span, select_labels
from corelab.figures.course import PatientCourse, Point
from corelab.figures.log_gutter import LogGutter, build_log_gutter, compute_ticks
from corelab.figures.tokens import LIGHT, MARKS
from corelab.report.drawing import Drawing, Shape, area, circle, line, text
from corelab.report.words import Words

WIDTH: Final = 510.0
LEFT: Final = 40.0
PANEL: Final = 92.0
TITLE: Final = 11.0
FOOT: Final = 13.0
GUTTER: Final = 24.0
ROWS: Final[Mapping[str, tuple[float, float]]] = {
    "car_vcn": (50.0, 1e5), "car_abs": (1.0, 1e3), "b_cells": (1.0, 1e3),
}  # fmt: skip
"""Rows from top to bottom, with the values that every child's axis holds."""
APLASIA_BELOW: Final = 10.0
RADIUS: Final = 2.0
DOT: Final = "#FFFFFF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One row of the chart: its upper edge, its axis, and the clock that all rows share."""

    top: float
    axis: LogGutter
    span: ClockSpan

    def x(self, day: float) -> float:
        """Return where a day from infusion stands."""
        return LEFT + self.span.pixel(clock_position(day))

    def y(self, height: float) -> float:
        """Return where a height of the axis stands."""
        return self.top + (self.axis.top - height) / self.axis.units_per_px

    def place(self, point: Point) -> tuple[float, float]:
        """Return where a point stands: at its value, or in the lane of its status."""
        lane = MARKS[point.status].lane
        value = point.low if point.status == "above_uloq" and not math.isfinite(point.value) else point.value
        is_placed = lane == 0 and math.isfinite(value) and value > 0
        return self.x(point.day), self.y(self.axis.height(value) if is_placed else self.axis.lane(lane or 1))


def draw_course(course: PatientCourse, words: Words) -> Drawing:
    """Draw the curves of a child who was infused."""
    right = compute_right_day(course.ticks, today=course.today, until="today")
    days = [point.day for row in ROWS for point in course.series.get(row, ()) if point.day <= right]
    span = compute_span(days, right_day=right, width_px=WIDTH - LEFT)
    shapes: list[Shape] = []
    for number, row in enumerate(ROWS):
        points = [point for point in course.series.get(row, ()) if point.day <= right]
        panel = build_panel(points, ROWS[row], span, top=number * (TITLE + PANEL) + TITLE)
        shapes += draw_ground(panel, words, title=words.text(f"chart.{row}"))
        if row == "b_cells":
            shapes += draw_aplasia(panel, course)
        shapes += draw_points(panel, points, LIGHT.b_cells if row == "b_cells" else LIGHT.car_t)
    height = len(ROWS) * (TITLE + PANEL)
    shapes += draw_visits(course, span, height)
    return Drawing(width=WIDTH, height=height + FOOT, shapes=tuple(shapes))


def build_panel(
    points: Sequence[Point], least: tuple[float, float], span: ClockSpan, *, top: float, height: float = PANEL
) -> Panel:
    """Build a row whose axis holds its values, intervals and limits."""
    held = [value for p in points for value in (p.value, p.high if p.status == "quantified" else p.lloq)]
    return Panel(
        top=top, span=span,
        axis=build_log_gutter(held, height_px=height - 6, least=least, gutter_px=GUTTER),
    )  # fmt: skip


def draw_ground(panel: Panel, words: Words, *, title: str) -> list[Shape]:
    """Draw the decades, the gutter with its two lanes, and the infusion."""
    right, bottom = LEFT + panel.span.width_px, panel.y(panel.axis.bottom)
    floor = panel.y(panel.axis.floor)
    shapes = [
        text(LEFT, panel.top - 5, title, colour=LIGHT.ink_2),
        area([(LEFT, floor), (right, floor), (right, bottom), (LEFT, bottom)], fill=LIGHT.gutter),
        text(LEFT - 3, panel.y(panel.axis.lane(1)), words.text("chart.below"), colour=LIGHT.muted,
             anchor="right"),
        text(LEFT - 3, panel.y(panel.axis.lane(2)), words.text("chart.no_result"), colour=LIGHT.muted,
             anchor="right", size=6),
    ]  # fmt: skip
    for tick, label in zip(*compute_ticks(panel.axis), strict=True):
        y = panel.y(tick)
        shapes.append(line([(LEFT, y), (right, y)], LIGHT.grid))
        shapes.append(text(LEFT - 3, y, label, colour=LIGHT.muted, anchor="right"))
    shapes.append(line([(panel.x(0), panel.top), (panel.x(0), bottom)], LIGHT.ink_2, width=0.8))
    return shapes


def draw_aplasia(panel: Panel, course: PatientCourse) -> list[Shape]:
    """Shade what lies below the limit of aplasia, stronger for the days on which it is sure."""
    top, floor = panel.y(panel.axis.height(APLASIA_BELOW)), panel.y(panel.axis.floor)
    left, right = LEFT, LEFT + panel.span.width_px
    shapes = [area([(left, top), (right, top), (right, floor), (left, floor)], fill="#EAF2F9")]
    if course.aplasia is not None:
        found = course.aplasia
        end = found.end_low if math.isfinite(found.end_low) else course.today
        start, last = max(panel.x(found.start), left), min(panel.x(end), right)
        shapes.append(area([(start, top), (last, top), (last, floor), (start, floor)], fill="#CFE1F0"))
    return shapes


def draw_points(panel: Panel, points: Sequence[Point], colour: str) -> list[Shape]:
    """Draw limits, intervals, the line through what was quantified, and a mark for every draw."""
    shapes: list[Shape] = []
    for point in points:
        x = panel.x(point.day)
        if math.isfinite(point.lloq) and point.lloq > 0:
            y = panel.y(panel.axis.height(point.lloq))
            shapes.append(line([(x - 4, y), (x + 4, y)], LIGHT.muted, is_dashed=True))
        if point.status == "quantified" and point.low > 0 and math.isfinite(point.high):
            ends = [(x, panel.y(panel.axis.height(value))) for value in (point.low, point.high)]
            shapes.append(line(ends, colour, width=0.8))
    known = [panel.place(point) for point in points if MARKS[point.status].lane == 0]
    if len(known) > 1:
        shapes.append(line(known, colour, width=0.9))
    for point in points:
        shapes += _SHAPES[point.status](*panel.place(point), colour)
    return shapes


def draw_visits(course: PatientCourse, span: ClockSpan, height: float) -> list[Shape]:
    """Write the visits under the rows, as many as have room."""
    shown = select_labels(course.ticks, span)
    return [
        text(
            LEFT + span.pixel(clock_position(tick.day)),
            height + 5,
            tick.label,
            colour=LIGHT.ink_2,
            anchor="center",
        )
        for tick in course.ticks
        if tick.label in shown
    ]


def _full(x: float, y: float, colour: str) -> list[Shape]:
    return [circle(x, y, RADIUS, fill=colour, colour=colour)]


def _ring(x: float, y: float, colour: str) -> list[Shape]:
    return [circle(x, y, RADIUS, fill=DOT, colour=colour)]


def _polygon(*corners: tuple[float, float]) -> Callable[[float, float, str], list[Shape]]:
    def draw(x: float, y: float, colour: str) -> list[Shape]:
        return [area([(x + dx, y + dy) for dx, dy in corners], fill=DOT, colour=colour)]

    return draw


def _cross(x: float, y: float, _colour: str) -> list[Shape]:
    ends = [[(x - 2, y - 2), (x + 2, y + 2)], [(x - 2, y + 2), (x + 2, y - 2)]]
    return [line(end, LIGHT.fail, width=1.0) for end in ends]


_DIAMOND: Final = _polygon((0, -2.5), (2.2, 0), (0, 2.5), (-2.2, 0))
_SHAPES: Final[Mapping[str, Callable[[float, float, str], list[Shape]]]] = {
    "quantified": _full,
    "not_detected": _ring,
    "detected_blq": _polygon((-2.4, -2), (2.4, -2), (0, 2.4)),
    "above_uloq": _polygon((-2.4, 2), (2.4, 2), (0, -2.4)),
    "not_calculated": _DIAMOND,
    "failed": _cross,
    "missing": _DIAMOND,
}
"""The shapes of the visual language by status."""
