"""The map of single cells: one large picture with the names of clusters, and the same by time below it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.cell_raster import (
    RAMP_FROM,
    Codes,
    Dots,
    Window,
    draw_dots,
    find_window,
    list_cluster_colours,
    scale_codes,
)
from corelab.figures.forest import draw_words
from corelab.figures.gate_raster import build_ramp
from corelab.figures.numbers import escape_markup, format_count
from corelab.figures.panel import Piece, font, note
from corelab.figures.tokens import FONT_LABEL, FONT_TABLE, FONT_TICK, SCHEMES, Scheme, Tokens

PERIODS: Final[Mapping[str, tuple[float, float]]] = {
    "before": (-1e9, -0.5), "week_1": (-0.5, 8.5), "week_4": (8.5, 30.5), "month_3": (30.5, 105.0),
    "month_6": (105.0, 230.0), "later": (230.0, 1e9),
}  # fmt: skip
"""Parts of the course, in study days: as many as fit side by side, none of them empty of visits."""
COLOURS: Final = ("cluster", "compartment", "period")
"""What cells can be coloured by; beside these each marker."""
SMALL_SHARE: Final = 0.27
HEAD_PX: Final = 24.0
GAP_PX: Final = 10.0
LARGEST_RATIO: Final = 1.6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapView:
    """What is shown: the cells of a panel, what colours them, and which were asked for.

    ``cells`` has ``x, y, cluster, compartment, study_day, subject_id, weight`` and the markers; ``clusters``
    are the panel's clusters in their order with their descriptions.
    """

    cells: pd.DataFrame
    clusters: Mapping[str, str]
    colour: str = "cluster"
    subject_id: str = ""
    compartment: str = ""
    period: str = ""


def find_asked(view: MapView) -> "pd.Series[bool]":
    """Mark the cells that pass the view's filters."""
    asked = pd.Series(data=True, index=view.cells.index)
    if view.subject_id:
        asked &= view.cells["subject_id"] == view.subject_id
    if view.compartment:
        asked &= view.cells["compartment"] == view.compartment
    if view.period:
        asked &= name_periods(view.cells) == view.period
    return asked


def name_periods(cells: pd.DataFrame) -> "pd.Series[str]":
    """Return the part of the course of each cell; empty before an infusion is known."""
    days = cells["study_day"].to_numpy(dtype=float)
    named = np.full(len(days), "", dtype=object)
    for name, (first, last) in PERIODS.items():
        named[(days >= first) & (days < last)] = name
    return pd.Series(named, index=cells.index)


def cell_map_figure(
    view: MapView, *, size: tuple[int, int], scheme: Scheme, catalog: Catalog
) -> dict[str, Any]:
    """Return the map as pictures made here; no cell goes to the browser as a number.

    Parameters
    ----------
    view
        What is shown.
    size
        Outer width and height in px.

    Notes
    -----
    The names of clusters have ``customdata`` ``[cluster, name, sentence]``.
    """
    tokens = SCHEMES[scheme]
    if view.cells.empty:
        return draw_words(catalog.text("cells.nothing"), width=size[0], height=200, tokens=tokens)
    asked = find_asked(view).to_numpy()
    codes, palette = choose_colours(view, scheme)
    x, y = view.cells["x"].to_numpy(float), view.cells["y"].to_numpy(float)
    frame = _Frame(
        view=view, asked=asked, periods=name_periods(view.cells).to_numpy(), x=x, y=y, codes=codes,
        palette=palette, window=find_window(x, y), size=size, scheme=scheme,
    )  # fmt: skip
    panels = [
        _Place(name="", left=0.0, top=HEAD_PX, width=size[0], height=frame.large_px),
        *place_small(frame),
    ]
    return {
        "data": [_draw_names(frame, tokens, catalog)],
        "layout": {
            **_layout(frame, tokens),
            "images": [_draw_image(panel, frame) for panel in panels],
            "shapes": [_draw_edge(panel, frame, tokens) for panel in panels],
            "annotations": [
                note(
                    write_legend(view, palette, catalog), xref="paper", yref="paper", at=(0.0, 1.0),
                    font=font(FONT_LABEL, tokens.ink_2), yshift=-4,
                ),
                *(_draw_head(panel, frame, tokens, catalog) for panel in panels[1:]),
            ],
        },
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Frame:
    view: MapView
    asked: np.ndarray[Any, np.dtype[np.bool_]]
    periods: np.ndarray[Any, np.dtype[Any]]
    x: np.ndarray[Any, np.dtype[np.float64]]
    y: np.ndarray[Any, np.dtype[np.float64]]
    codes: Codes
    palette: list[str]
    window: Window
    size: tuple[int, int]
    scheme: Scheme

    @property
    def small_px(self) -> float:
        """Height of the row of small maps with its heads."""
        return self.size[1] * SMALL_SHARE

    @property
    def large_px(self) -> float:
        """Height of the large map."""
        return self.size[1] - self.small_px - HEAD_PX - GAP_PX

    def paper(self, top_px: float) -> float:
        return 1.0 - top_px / self.size[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One picture: the part of the course that it shows (empty: all), and where it stands in px."""

    name: str
    left: float
    top: float
    width: float
    height: float


def place_small(frame: _Frame) -> list[_Place]:
    """Place a small map for every part of the course that any cell is of."""
    present = [name for name in PERIODS if (frame.periods == name).any()]
    if not present:
        return []
    width = min((frame.size[0] - GAP_PX * (len(present) - 1)) / len(present), frame.small_px * LARGEST_RATIO)
    top = frame.size[1] - frame.small_px + HEAD_PX
    return [
        _Place(
            name=name, left=number * (width + GAP_PX), top=top, width=width,
            height=frame.small_px - HEAD_PX - 2,
        )
        for number, name in enumerate(present)
    ]  # fmt: skip


def choose_colours(view: MapView, scheme: Scheme) -> tuple[Codes, list[str]]:
    """Return a colour of the palette for each cell, and the palette."""
    tokens, cells = SCHEMES[scheme], view.cells
    if view.colour == "compartment":
        names = ["car_neg_t", "car_t", "b_cells"]
        palette = [tokens.muted, tokens.car_t, tokens.b_cells]
        return _encode(cells["compartment"], names), palette
    if view.colour == "period":
        steps = build_ramp(tokens.density[RAMP_FROM:])
        picked = [steps[round(at)] for at in np.linspace(0, len(steps) - 1, len(PERIODS))]
        return _encode(name_periods(cells), list(PERIODS)), [*picked, tokens.muted]
    if view.colour in cells and view.colour not in ("cluster", ""):
        ramp = list(build_ramp(tokens.density))
        return scale_codes(cells[view.colour].to_numpy(float), len(ramp))[0], ramp
    names = list(view.clusters)
    return _encode(cells["cluster"], names), [*list_cluster_colours(len(names), scheme), tokens.muted]


def _encode(words: "pd.Series[str]", names: Sequence[str]) -> Codes:
    """Return the place of each word among names; any other is behind the last."""
    places = {name: number for number, name in enumerate(names)}
    return np.array([places.get(str(word), len(names)) for word in words], dtype=np.int64)


def write_legend(view: MapView, palette: Sequence[str], catalog: Catalog) -> str:
    """Write what the colours say, with a square of each; clusters are named on the map itself."""
    if view.colour == "compartment":
        present = set(view.cells["compartment"])
        names = ["car_neg_t", "car_t", "b_cells"]
        parts = [
            f"{_square(colour)} {catalog.text(f'cells.compartment.{name}')}"
            for name, colour in zip(names, palette, strict=True)
            if name in present
        ]
        return "   ".join(parts)
    if view.colour == "period":
        pairs = zip(PERIODS, palette[: len(PERIODS)], strict=True)
        return "   ".join(
            f"{_square(colour)} {catalog.text(f'cells.period.{name}')}" for name, colour in pairs
        )
    if view.colour != "cluster":
        steps = "".join(_square(palette[round(at)]) for at in np.linspace(0, len(palette) - 1, 9))
        low, high = catalog.text("cells.low"), catalog.text("cells.high")
        return f"<b>{escape_markup(view.colour)}</b>  {low} {steps} {high}"
    return escape_markup(catalog.text("cells.by_cluster"))


def _square(colour: str) -> str:
    return f'<span style="color:{colour}">■</span>'


def _draw_image(panel: _Place, frame: _Frame) -> Piece:
    asked = frame.asked & (frame.periods == panel.name) if panel.name else frame.asked
    kept = asked | frame.asked if panel.name else np.ones(len(asked), dtype=bool)
    dots = Dots(x=frame.x[kept], y=frame.y[kept], codes=frame.codes[kept], is_asked=asked[kept])
    size = (max(round(panel.width), 8), max(round(panel.height), 8))
    picture = draw_dots(dots, frame.window, size=size, palette=frame.palette, scheme=frame.scheme)
    return {
        "source": f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}", "xref": "paper",
        "yref": "paper", "x": panel.left / frame.size[0], "y": frame.paper(panel.top),
        "sizex": panel.width / frame.size[0], "sizey": panel.height / frame.size[1], "xanchor": "left",
        "yanchor": "top", "sizing": "stretch", "layer": "below",
    }  # fmt: skip


def _draw_edge(panel: _Place, frame: _Frame, tokens: Tokens) -> Piece:
    left, top = panel.left / frame.size[0], frame.paper(panel.top)
    return {
        "type": "rect", "xref": "paper", "yref": "paper", "x0": left, "y0": top,
        "x1": left + panel.width / frame.size[0], "y1": frame.paper(panel.top + panel.height),
        "line": {"color": tokens.border, "width": 1}, "layer": "above",
    }  # fmt: skip


def _draw_head(panel: _Place, frame: _Frame, tokens: Tokens, catalog: Catalog) -> Piece:
    shown = frame.asked & (frame.periods == panel.name)
    children = len(set(frame.view.cells["subject_id"].to_numpy()[shown]))
    words = catalog.text(
        "cells.head", period=catalog.text(f"cells.period.{panel.name}"), cells=format_count(int(shown.sum())),
        children=children,
    )  # fmt: skip
    return note(
        escape_markup(words), xref="paper", yref="paper", yanchor="bottom", yshift=2,
        at=(panel.left / frame.size[0], frame.paper(panel.top)), font=font(FONT_TICK, tokens.ink_2),
    )  # fmt: skip


def _draw_names(frame: _Frame, tokens: Tokens, catalog: Catalog) -> Piece:
    """Write each cluster's name at the median of its cells, in a mark that can be chosen."""
    groups = frame.view.cells.groupby("cluster", sort=True)[["x", "y"]].median()
    names = [str(name) for name in groups.index]
    return {
        "type": "scatter", "mode": "markers+text", "xaxis": "x", "yaxis": "y", "showlegend": False,
        "x": groups["x"].tolist(), "y": groups["y"].tolist(), "text": [f"<b>{name}</b>" for name in names],
        "textposition": "middle center", "textfont": font(FONT_LABEL, tokens.ink), "name": "clusters",
        "marker": {
            "symbol": "square", "size": 22, "color": tokens.body, "opacity": 0.82,
            "line": {"color": tokens.border, "width": 1},
        },
        "customdata": [
            [
                "cluster", name,
                catalog.text("cells.said", name=name, description=frame.view.clusters.get(name, "")),
            ]
            for name in names
        ],
        "hoverinfo": "none", "cliponaxis": False,
    }  # fmt: skip


def _layout(frame: _Frame, tokens: Tokens) -> Piece:
    hidden: Piece = {"visible": False, "fixedrange": True}
    window = frame.window
    return {
        "template": None, "width": frame.size[0], "height": frame.size[1], "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "font": font(FONT_TABLE, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "hoverdistance": 14, "dragmode": False, "uirevision": "cells",
        "xaxis": {**hidden, "domain": [0, 1], "range": [window.x0, window.x1], "anchor": "y"},
        "yaxis": {
            **hidden, "range": [window.y0, window.y1], "anchor": "x",
            "domain": [frame.paper(HEAD_PX + frame.large_px), frame.paper(HEAD_PX)],
        },
    }  # fmt: skip
