"""Clusters by markers: the median of each, scaled over the clusters, with the share of cells beside it."""

import math
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.cell_raster import RAMP_FROM
from corelab.figures.forest import draw_words
from corelab.figures.numbers import escape_markup, format_number
from corelab.figures.panel import Piece, font, note
from corelab.figures.tokens import FONT_LABEL, FONT_TICK, SCHEMES, Scheme, Tokens

LEFT_PX: Final = 34.0
RIGHT_PX: Final = 54.0
HEAD_PX: Final = 58.0
FOOT_PX: Final = 4.0
ROW_LEAST_PX: Final = 12.0
ROW_MOST_PX: Final = 24.0


def cell_heat_figure(
    heat: pd.DataFrame, clusters: pd.DataFrame, *, size: tuple[int, int], scheme: Scheme, catalog: Catalog
) -> dict[str, Any]:
    """Return the heat map of one panel.

    Parameters
    ----------
    heat
        ``cluster, marker, divides, median, scaled``.
    clusters
        ``cluster, description, percent`` in their order.
    size
        Outer width in px, and the height that may be filled.

    Notes
    -----
    Cells have ``customdata`` ``[cluster, name, sentence]``.
    """
    tokens = SCHEMES[scheme]
    if heat.empty:
        return draw_words(catalog.text("cells.nothing"), width=size[0], height=120, tokens=tokens)
    names = list(clusters["cluster"])
    markers = order_markers(heat)
    wide = heat.pivot_table(index="cluster", columns="marker", values=["scaled", "median"], aggfunc="first")
    row_px = min(max((size[1] - HEAD_PX - FOOT_PX) / len(names), ROW_LEAST_PX), ROW_MOST_PX)
    height = math.ceil(HEAD_PX + FOOT_PX + row_px * len(names))
    words = dict(zip(clusters["cluster"], clusters["description"], strict=True))
    scaled = [[_read(wide, "scaled", name, marker) for marker in markers] for name in names]
    said = [
        [
            ["cluster", name, _say(wide, name, marker, words[name], catalog)]
            for marker in markers
        ]
        for name in names
    ]  # fmt: skip
    ramp = tokens.density[RAMP_FROM - 1 :]
    return {
        "data": [
            {
                "type": "heatmap", "x": list(range(len(markers))), "y": list(range(len(names))), "z": scaled,
                "zmin": 0, "zmax": 1, "showscale": False, "customdata": said, "hoverinfo": "none",
                "colorscale": [[step / (len(ramp) - 1), colour] for step, colour in enumerate(ramp)],
                "xgap": 1, "ygap": 1, "name": "heat", "hoverongaps": False,
            }
        ],
        "layout": {
            **_layout((size[0], height), (len(markers), len(names)), tokens),
            "annotations": [
                *_draw_markers(markers, heat, height, tokens),
                *_draw_names(clusters, tokens),
                note(
                    escape_markup(catalog.text("cells.share")), xref="paper", yref="paper", xanchor="right",
                    yanchor="bottom", at=(1.0, 1 - (HEAD_PX - 4) / height),
                    font=font(FONT_TICK, tokens.muted),
                ),
            ],
        },
    }  # fmt: skip


def order_markers(heat: pd.DataFrame) -> list[str]:
    """Return the markers, first those that divide cells into clusters."""
    pairs = heat[["divides", "marker"]].drop_duplicates()
    return [str(m) for m in pairs.sort_values(["divides", "marker"], ascending=[False, True])["marker"]]


def _read(wide: pd.DataFrame, what: str, name: str, marker: str) -> float | None:
    value = float(wide.loc[name, (what, marker)]) if name in wide.index else math.nan
    return None if math.isnan(value) else value


def _say(wide: pd.DataFrame, name: str, marker: str, words: str, catalog: Catalog) -> str:
    median = _read(wide, "median", name, marker)
    value = format_number(median) if median is not None else "–"
    return catalog.text("cells.said_marker", name=name, marker=marker, median=value, description=words)


def _layout(size: tuple[int, int], count: tuple[int, int], tokens: Tokens) -> Piece:
    hidden: Piece = {"visible": False, "fixedrange": True}
    width, height = size
    return {
        "template": None, "width": width, "height": height, "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "font": font(FONT_LABEL, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "dragmode": False, "uirevision": "heat",
        "xaxis": {
            **hidden, "domain": [LEFT_PX / width, 1 - RIGHT_PX / width], "range": [-0.5, count[0] - 0.5],
            "anchor": "y",
        },
        "yaxis": {
            **hidden, "domain": [FOOT_PX / height, 1 - HEAD_PX / height], "range": [count[1] - 0.5, -0.5],
            "anchor": "x",
        },
    }  # fmt: skip


def _draw_markers(markers: Sequence[str], heat: pd.DataFrame, height: int, tokens: Tokens) -> list[Piece]:
    divides = dict(zip(heat["marker"], heat["divides"], strict=True))
    return [
        note(
            f"<b>{escape_markup(marker)}</b>" if divides[marker] == "yes" else escape_markup(marker),
            xref="x", yref="paper", at=(place, 1 - (HEAD_PX - 3) / height), textangle=-60, xanchor="left",
            yanchor="bottom", xshift=-6,
            font=font(FONT_TICK, tokens.ink if divides[marker] == "yes" else tokens.muted),
        )
        for place, marker in enumerate(markers)
    ]  # fmt: skip


def _draw_names(clusters: pd.DataFrame, tokens: Tokens) -> list[Piece]:
    notes = []
    for place, row in enumerate(clusters.to_dict(orient="records")):
        at = {"yref": "y", "yanchor": "middle"}
        notes.append(
            note(str(row["cluster"]), xref="paper", at=(0.0, place), font=font(FONT_LABEL, tokens.ink), **at)
        )
        share = format_number(float(row["percent"]))
        notes.append(
            note(
                share, xref="paper", at=(1.0, place), xanchor="right",
                font=font(FONT_TICK, tokens.ink_2), **at,
            )
        )  # fmt: skip
    return notes
