"""Charts for a wall screen: the same drawing, every length of ink and type larger by one factor.

A chart is built for the window's size divided by the factor and then enlarged, so that its layout is that of
the smaller screen.
"""

from collections.abc import Mapping
from typing import Any, Final

MARGINS: Final = frozenset({"l", "r", "t", "b", "pad"})
LENGTHS: Final = frozenset(
    {"xshift", "yshift", "ticklen", "gridwidth", "tickwidth", "borderpad", "hoverdistance"}
)
PIXEL_ENDS: Final = {"xsizemode": ("x0", "x1"), "ysizemode": ("y0", "y1")}


def enlarge_figure(figure: dict[str, Any], scale: float) -> dict[str, Any]:
    """Return a figure with all lengths in px times a factor; positions in data units stay."""
    if scale == 1.0:
        return figure
    layout = {**figure["layout"]}
    for side in ("width", "height"):
        layout[side] = round(layout[side] * scale)
    return {
        **figure,
        "data": [_enlarge(trace, scale) for trace in figure["data"]],
        "layout": _enlarge(layout, scale),
    }


def _enlarge(node: Any, scale: float, inside: str = "") -> Any:
    if isinstance(node, list):
        return [_enlarge(item, scale, inside) for item in node]
    if not isinstance(node, Mapping):
        return node
    pixel_ends = {end for mode, ends in PIXEL_ENDS.items() if node.get(mode) == "pixel" for end in ends}
    grown = {}
    for name, value in node.items():
        if name in pixel_ends or _is_length(name, inside):
            grown[name] = _multiply(value, scale)
        else:
            grown[name] = _scale_dash(value, scale) if name == "dash" else _enlarge(value, scale, name)
    return grown


def _is_length(name: str, inside: str) -> bool:
    """Tell whether a property is a length in px; a bar's own ``width`` is in units of its axis."""
    if name == "size":
        return True
    if name == "width":
        return inside == "line"
    return name in LENGTHS or (inside == "margin" and name in MARGINS)


def _multiply(value: Any, scale: float) -> Any:
    if isinstance(value, list | tuple):
        return [_multiply(item, scale) for item in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value * scale if is_number else value


def _scale_dash(value: Any, scale: float) -> Any:
    if not isinstance(value, str) or "px" not in value:
        return value
    lengths = (float(part.strip().removesuffix("px")) for part in value.split(","))
    return ",".join(f"{length * scale:g}px" for length in lengths)
