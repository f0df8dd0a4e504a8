"""Shares with their exact intervals: a row a question, a line a group, the numbers written beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from corelab.figures.numbers import escape_markup
from corelab.figures.panel import Piece, box, font, note
from corelab.figures.text_width import shorten
from corelab.figures.tokens import (
    DASH_THRESHOLD,
    FONT_LABEL,
    FONT_TICK,
    SCHEMES,
    Scheme,
    Tokens,
)

HEAD_PX: Final = 22.0
FOOT_PX: Final = 6.0
LINE_LEAST_PX: Final = 11.0
LINE_MOST_PX: Final = 18.0
ROW_GAP_PX: Final = 8.0
NAME_GAP_PX: Final = 10.0
TICKS: Final = (0, 25, 50, 75, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestLine:
    """One share in percent with its interval, all NaN where nobody was judged.

    ``colour`` is the name of a token; ``text`` stands in the column beside; ``choice`` is what a click sends,
    its last word the sentence that is said.
    """

    share: float
    low: float
    high: float
    colour: str
    text: str
    symbol: str = "circle"
    is_hollow: bool = False
    name: str = ""
    choice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestRow:
    """One question with a line for each group."""

    label: str
    lines: tuple[ForestLine, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestLook:
    """Outer size, room for names on the left and numbers on the right, heads, and a limit that is drawn."""

    width: int
    height: int
    left_px: float
    right_px: float
    scheme: Scheme
    heads: tuple[str, str] = ("", "")
    threshold: float = math.nan
    threshold_text: str = ""


def forest_figure(rows: Sequence[ForestRow], look: ForestLook, *, empty: str) -> dict[str, Any]:
    """Return shares between 0 and 100 % with their intervals and the numbers behind them.

    Parameters
    ----------
    rows
        From top to bottom.
    look
        Size, scheme and heads; the figure is as high as its lines need, between 10 and 18 px each.
    empty
        What is said when there is no row.
    """
    tokens = SCHEMES[look.scheme]
    lines = [(row, line) for row in rows for line in row.lines]
    if not lines:
        return draw_words(empty, width=look.width, height=max(look.height // 2, 80), tokens=tokens)
    places, extent = place_lines(rows, available=look.height - HEAD_PX - FOOT_PX)
    layout = _layout(look, extent, tokens)
    return {
        "data": [
            _draw_intervals(lines, places, tokens),
            _draw_marks(lines, places, tokens),
            _draw_names(rows, places, look, tokens),
            _draw_numbers(lines, places, look, tokens),
        ],
        "layout": {
            **layout,
            "shapes": _draw_ground(look, extent, tokens),
            "annotations": _draw_heads(look, tokens),
        },
    }


def place_lines(rows: Sequence[ForestRow], *, available: float) -> tuple[list[float], float]:
    """Return the middle of each line in px from the top of the first row, and the height of all rows."""
    count = sum(len(row.lines) for row in rows)
    has_groups = any(len(row.lines) > 1 for row in rows)
    gap = ROW_GAP_PX if has_groups else 0.0
    step = (available - gap * len(rows)) / max(count, 1)
    step = min(max(step, LINE_LEAST_PX), LINE_MOST_PX)
    places, top = [], 0.0
    for row in rows:
        top += gap / 2
        for _ in row.lines:
            places.append(top + step / 2)
            top += step
        top += gap / 2
    return places, top


def _layout(look: ForestLook, extent: float, tokens: Tokens) -> Piece:
    height = math.ceil(extent + HEAD_PX + FOOT_PX)
    left, right = look.left_px / look.width, 1 - look.right_px / look.width
    vertical = [FOOT_PX / height, 1 - HEAD_PX / height]
    hidden: Piece = {"visible": False, "fixedrange": True}
    return {
        "template": None, "width": look.width, "height": height, "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "font": font(FONT_LABEL, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "hoverdistance": 24, "dragmode": False, "uirevision": "forest",
        "xaxis": {
            "domain": [left, right], "range": [-3, 103], "side": "top", "anchor": "y", "fixedrange": True,
            "tickmode": "array", "tickvals": list(TICKS), "ticktext": [str(tick) for tick in TICKS],
            "tickfont": font(FONT_TICK, tokens.muted), "showgrid": True, "gridcolor": tokens.grid,
            "zeroline": False, "ticks": "", "tickangle": 0,
        },
        "xaxis2": {**hidden, "domain": [0, left], "range": [0, look.left_px], "anchor": "y"},
        "xaxis3": {**hidden, "domain": [right, 1], "range": [0, look.right_px], "anchor": "y"},
        "yaxis": {**hidden, "domain": vertical, "range": [extent, 0], "anchor": "x"},
    }  # fmt: skip


def _draw_ground(look: ForestLook, extent: float, tokens: Tokens) -> list[Piece]:
    shapes = [box("y domain", (0, 1), (0, 1), xref="x domain", fillcolor=tokens.zone, layer="below")]
    if math.isfinite(look.threshold):
        line = {"color": tokens.muted, "width": 1, "dash": DASH_THRESHOLD}
        shapes.append(box("y", (look.threshold, look.threshold), (0, extent), type="line", line=line))
    return shapes


def _draw_heads(look: ForestLook, tokens: Tokens) -> list[Piece]:
    left, right = (
        note(
            escape_markup(text), xref="paper", yref="paper", at=(at, 1.0), yshift=-5, xshift=shift,
            font=font(FONT_TICK, tokens.muted),
        )
        for text, at, shift in zip(
            look.heads, (0.0, 1 - look.right_px / look.width), (4, 10), strict=True
        )
    )  # fmt: skip
    notes = [left, right]
    if math.isfinite(look.threshold) and look.threshold_text:
        notes.append(
            note(
                escape_markup(look.threshold_text), xref="x", yref="y domain", at=(look.threshold, 0.0),
                yanchor="bottom", xshift=3, font=font(FONT_TICK, tokens.muted),
            )
        )  # fmt: skip
    return notes


Placed = Sequence[tuple[ForestRow, ForestLine]]


def _draw_intervals(lines: Placed, places: Sequence[float], tokens: Tokens) -> Piece:
    x: list[float | None] = []
    y: list[float | None] = []
    for (_, line), place in zip(lines, places, strict=True):
        if math.isfinite(line.low) and math.isfinite(line.high):
            x += [line.low, line.high, None]
            y += [place, place, None]
    return {
        "type": "scatter", "mode": "lines", "xaxis": "x", "yaxis": "y", "x": x, "y": y, "hoverinfo": "skip",
        "line": {"color": tokens.muted, "width": 1.5}, "showlegend": False, "name": "interval",
        "cliponaxis": False,
    }  # fmt: skip


def _draw_marks(lines: Placed, places: Sequence[float], tokens: Tokens) -> Piece:
    known = [
        (line, place) for (_, line), place in zip(lines, places, strict=True) if math.isfinite(line.share)
    ]
    colours = [getattr(tokens, line.colour) for line, _ in known]
    return {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": "y", "showlegend": False,
        "x": [line.share for line, _ in known], "y": [place for _, place in known], "name": "share",
        "marker": {
            "symbol": [line.symbol for line, _ in known], "size": 8, "opacity": 1,
            "color": [
                tokens.zone if line.is_hollow else colour
                for (line, _), colour in zip(known, colours, strict=True)
            ],
            "line": {"color": colours, "width": 1.6},
        },
        "customdata": [list(line.choice) for line, _ in known], "hoverinfo": "none", "cliponaxis": False,
    }  # fmt: skip


def _draw_names(
    rows: Sequence[ForestRow], places: Sequence[float], look: ForestLook, tokens: Tokens
) -> Piece:
    """Write each row's name at its first line, and the name of each line that has one."""
    x, y, text, sizes, colours = [], [], [], [], []
    number = 0
    for row in rows:
        room = look.left_px - NAME_GAP_PX - (52.0 if row.lines[0].name else 0.0)
        x.append(4.0)
        y.append(places[number])
        text.append(f"{escape_markup(shorten(row.label, FONT_LABEL, room))}")
        sizes.append(FONT_LABEL)
        colours.append(tokens.ink)
        for line in row.lines:
            if line.name:
                x.append(look.left_px - 52.0)
                y.append(places[number])
                text.append(escape_markup(line.name))
                sizes.append(FONT_TICK)
                colours.append(getattr(tokens, line.colour))
            number += 1
    return {
        "type": "scatter", "mode": "text", "xaxis": "x2", "yaxis": "y", "x": x, "y": y, "text": text,
        "textfont": {**font(FONT_LABEL, tokens.ink), "size": sizes, "color": colours},
        "textposition": "middle right",
        "hoverinfo": "skip", "showlegend": False, "name": "names", "cliponaxis": False,
    }  # fmt: skip


def _draw_numbers(lines: Placed, places: Sequence[float], look: ForestLook, tokens: Tokens) -> Piece:
    return {
        "type": "scatter", "mode": "text", "xaxis": "x3", "yaxis": "y", "x": [10.0] * len(lines),
        "y": list(places), "textposition": "middle right", "hoverinfo": "skip", "showlegend": False,
        "text": [escape_markup(shorten(line.text, FONT_LABEL, look.right_px)) for _, line in lines],
        "textfont": font(FONT_LABEL, tokens.ink_2), "name": "numbers", "cliponaxis": False,
    }  # fmt: skip


def draw_words(text: str, *, width: int, height: int, tokens: Tokens) -> dict[str, Any]:
    """Return a figure that only says something, for data that are not there."""
    words = note(
        escape_markup(text), xref="paper", yref="paper", at=(0.5, 0.6), xanchor="center",
        font=font(FONT_LABEL + 1, tokens.ink_2),
    )  # fmt: skip
    hidden = {"visible": False, "fixedrange": True}
    layout = {
        "template": None, "width": width, "height": height, "autosize": False, "xaxis": hidden,
        "yaxis": hidden, "annotations": [words], "paper_bgcolor": "rgba(0,0,0,0)", "dragmode": False,
        "plot_bgcolor": "rgba(0,0,0,0)", "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
    }  # fmt: skip
    return {"data": [], "layout": layout}
