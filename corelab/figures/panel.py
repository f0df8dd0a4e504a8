"""The parts of a figure: rows placed in pixels on one clock, and small builders of Plotly's pieces."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from corelab.figures.catalog import Catalog
from corelab.figures.clock import ClockSpan
from corelab.figures.numbers import escape_markup
from corelab.figures.tokens import FONT_FAMILY, FONT_LABEL, FONT_TICK, Tokens

Piece = dict[str, Any]
"""A trace, shape, annotation or axis as plain Plotly JSON."""

SEAM_PX: Final = 7.0
ROW_GAP_PX: Final = 7.0
LEFT_PX: Final = 128.0
"""Room left of the clock, for names and ticks."""
HEAD_PX: Final = 61.0
"""Room above the rows, for the key, the zones and the visits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What all rows of a figure share: its clock, its scheme, its words and its outer height."""

    subject_id: str
    span: ClockSpan
    tokens: Tokens
    catalog: Catalog
    height_px: float

    def paper(self, top_px: float) -> float:
        """Return the paper coordinate of a distance from the top in px."""
        return 1.0 - top_px / self.height_px


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The place of one row: its key, the number of its y axis, its top and height in px."""

    key: str
    number: int
    top_px: float
    height_px: float

    @property
    def axis(self) -> str:
        """Plotly's name of the y axis in a trace or a reference."""
        return "y" if self.number == 1 else f"y{self.number}"

    @property
    def layout_key(self) -> str:
        """Plotly's name of the y axis in a layout."""
        return "yaxis" if self.number == 1 else f"yaxis{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What one row adds to the figure; ``axis`` lacks only its domain."""

    axis: Piece
    traces: list[Piece] = field(default_factory=list)
    shapes: list[Piece] = field(default_factory=list)
    annotations: list[Piece] = field(default_factory=list)


def font(size: float, colour: str, *, bold: bool = False) -> Piece:
    """Return a Plotly font."""
    return {"family": FONT_FAMILY, "size": size, "color": colour} | ({"weight": 700} if bold else {})


def linear_axis(
    low: float, high: float, *, ticks: Sequence[float], labels: Sequence[str], tokens: Tokens
) -> Piece:
    """Return a y axis with given ticks, without lines of its own beside a quiet grid."""
    return {
        "range": [low, high], "tickmode": "array", "tickvals": list(ticks),
        "ticktext": [escape_markup(label) for label in labels], "tickfont": font(FONT_TICK, tokens.muted),
        "fixedrange": True, "showgrid": True, "gridcolor": tokens.grid, "gridwidth": 1, "zeroline": False,
        "showline": False, "ticks": "", "automargin": False,
    }  # fmt: skip


def box(slot_axis: str, x: tuple[float, float], y: tuple[float, float], **look: Any) -> Piece:
    """Return a rectangle in units of the clock and of a row, above the grid and below the marks.

    Plotly draws the layer ``between`` only in data units: a reference to a domain or to the paper has
    no such layer.
    """
    return {
        "type": "rect", "xref": "x", "yref": slot_axis, "x0": x[0], "x1": x[1], "y0": y[0], "y1": y[1],
        "line": {"width": 0}, "layer": "between", **look,
    }  # fmt: skip


def rule(slot_axis: str, y: float, span: ClockSpan, *, colour: str, dash: str, xref: str = "x") -> Piece:
    """Return a horizontal line over the whole clock of a row."""
    return {
        "type": "line", "xref": xref, "yref": slot_axis, "x0": span.left, "x1": span.right, "y0": y, "y1": y,
        "line": {"color": colour, "width": 1, "dash": dash}, "layer": "between",
    }  # fmt: skip


def note(text: str, *, xref: str, yref: str, at: tuple[float, float], **look: Any) -> Piece:
    """Return a text without an arrow; ``look`` overrides anchors, shifts and font."""
    return {
        "text": text, "xref": xref, "yref": yref, "x": at[0], "y": at[1], "showarrow": False,
        "xanchor": "left", "yanchor": "top", "align": "left", "borderpad": 0, **look,
    }  # fmt: skip


def decoration(slot: Slot, x: Sequence[float | None], y: Sequence[float | None], **look: Any) -> Piece:
    """Return a trace that is looked at only: no hover, no click."""
    return {
        "type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "xaxis": "x", "yaxis": slot.axis,
        "hoverinfo": "skip", "showlegend": False, "cliponaxis": True, **look,
    }  # fmt: skip


def row_label(
    lines: Sequence[str], slot: Slot, frame: Frame, *, colour: str, ramp: Sequence[str] = ()
) -> Piece:
    """Return a row's name: the first line bold in its colour, the others plain, then a ramp of colours."""
    first, *others = (escape_markup(line) for line in lines)
    squares = "".join(f'<span style="color:{step}">■</span>' for step in ramp)
    text = "<br>".join([f"<b>{first}</b>", *others, *([squares] if squares else [])])
    return note(
        text, xref="paper", yref="paper", at=(0.0, frame.paper(slot.top_px)), xshift=4 - LEFT_PX, yshift=1,
        font=font(FONT_LABEL, colour), name=f"label:{slot.key}",
    )  # fmt: skip
