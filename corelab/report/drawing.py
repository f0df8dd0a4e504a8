"""Shapes of a chart on paper in points, drawn by the template as vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Shape = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chart: its size and its shapes, first drawn first; the origin is the upper left corner."""

    width: float
    height: float
    shapes: Sequence[Shape]


def line(
    points: Sequence[tuple[float, float]], colour: str, *, width: float = 0.6, is_dashed: bool = False
) -> Shape:
    """Draw a line through points."""
    return {
        "kind": "line", "points": [_place(*point) for point in points], "colour": colour, "width": width,
        "dashed": is_dashed,
    }  # fmt: skip


def area(points: Sequence[tuple[float, float]], *, fill: str = "", colour: str = "") -> Shape:
    """Draw a closed shape, filled, outlined, or both."""
    return {
        "kind": "area", "points": [_place(*point) for point in points], "fill": fill, "colour": colour,
    }  # fmt: skip


def circle(x: float, y: float, radius: float, *, fill: str, colour: str) -> Shape:
    """Draw a circle around a point."""
    return {
        "kind": "circle", "at": _place(x - radius, y - radius), "radius": radius, "fill": fill,
        "colour": colour,
    }  # fmt: skip


def text(x: float, y: float, words: str, *, colour: str, anchor: str = "left", size: float = 7.0) -> Shape:
    """Write words whose left, middle or right stands at a point, on their middle line."""
    return {
        "kind": "text", "at": _place(x, y), "text": words, "colour": colour, "anchor": anchor, "size": size,
    }  # fmt: skip


def _place(x: float, y: float) -> list[float]:
    """Round to a hundredth of a point, so that the same tables give the same bytes everywhere."""
    return [round(float(x), 2), round(float(y), 2)]
