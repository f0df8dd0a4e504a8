"""A figure for a wall screen: the same drawing with every pixel larger."""

import re
from collections.abc import Mapping
from typing import Any, Final

PIXEL_KEYS: Final = frozenset(
    {"xshift", "yshift", "borderpad", "ticklen", "hoverdistance", "l", "r", "t", "b", "pad"}
)
SIZED: Final = frozenset({"font", "tickfont", "textfont", "marker", "pattern"})
"""Where ``size`` is a number of pixels."""
OUTER: Final = frozenset({"width", "height"})


def scale_figure(figure: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """Return a figure enlarged in all its pixels: outer size, type, marks, lines, margins and shifts.

    Build it at the size of the screen divided by ``factor`` first, so that it fills the screen afterwards.
    Data, ranges and the width of bars stay; they are in units of their axes.
    """
    layout = {
        key: value * factor if key in OUTER else _scale(value, key, factor)
        for key, value in figure["layout"].items()
    }
    return {**figure, "data": [_scale(trace, "", factor) for trace in figure["data"]], "layout": layout}


def _scale(node: Any, key: str, factor: float) -> Any:
    if isinstance(node, dict):
        return {name: _scale_member(node, name, key, factor) for name in node}
    if isinstance(node, list) and node and isinstance(node[0], dict):
        return [_scale(item, key, factor) for item in node]
    if key in PIXEL_KEYS and isinstance(node, int | float):
        return round(node * factor) if key == "hoverdistance" else node * factor
    return node


def _scale_member(node: dict[str, Any], name: str, key: str, factor: float) -> Any:
    value = node[name]
    if (name == "size" and key in SIZED) or (name == "width" and key == "line"):
        return _multiply(value, factor)
    if name in ("x0", "x1") and node.get("xsizemode") == "pixel":
        return value * factor
    if name == "dash":
        return _scale_dash(value, factor)
    if name in ("customdata", "x", "y", "text", "base"):
        return value
    return _scale(value, name, factor)


def _multiply(value: Any, factor: float) -> Any:
    return [item * factor for item in value] if isinstance(value, list) else value * factor


def _scale_dash(dash: str, factor: float) -> str:
    return re.sub(r"([\d.]+)px", lambda match: f"{float(match[1]) * factor:g}px", dash)
