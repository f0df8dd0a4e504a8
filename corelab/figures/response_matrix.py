"""Who responded, at each due visit and by each endpoint: a row a child, four marks a visit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.forest import draw_words
from corelab.figures.key_line import draw_mark_key
from corelab.figures.numbers import escape_markup
from corelab.figures.panel import Piece, font, note
from corelab.figures.safety import list_infused
from corelab.figures.tokens import ARM_GLYPHS, FONT_LABEL, FONT_TICK, SCHEMES, Scheme, Tokens

ENDPOINTS: Final = ("CRR", "PRR", "ORR", "SRI4")
SRI: Final = "SRI-4"
STATES: Final = ("responder", "non_responder", "not_evaluable", "not_due")
LEFT_PX: Final = 76.0
HEAD_PX: Final = 62.0
FOOT_PX: Final = 4.0
ROW_LEAST_PX: Final = 12.0
ROW_MOST_PX: Final = 24.0
VISIT_GAP: Final = 0.7
"""Room between visits, in columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    children: tuple[tuple[str, str], ...]
    visits: tuple[str, ...]
    width: int
    height: int

    def column(self, visit: str, endpoint: str) -> float:
        step = len(ENDPOINTS) + VISIT_GAP
        return self.visits.index(visit) * step + ENDPOINTS.index(endpoint)

    @property
    def columns(self) -> float:
        return len(self.visits) * (len(ENDPOINTS) + VISIT_GAP) - VISIT_GAP

    def paper(self, top_px: float) -> float:
        return 1.0 - top_px / self.height


def response_matrix_figure(
    tables: Mapping[str, pd.DataFrame],
    *,
    definition: str,
    visits: Sequence[str],
    size: tuple[int, int],
    look: tuple[Scheme, Catalog],
) -> dict[str, Any]:
    """Return responders by shape: filled responded, hollow did not, a diamond could not be judged.

    Parameters
    ----------
    tables
        ``subjects`` and ``responses``.
    definition
        Of renal response; SRI-4 has one of its own.
    visits
        Efficacy visits in the order of time.

    Notes
    -----
    Each mark has ``customdata`` ``[response, subject_id, visit, endpoint, definition, sentence]``.
    """
    scheme, catalog = look
    tokens = SCHEMES[scheme]
    children = list_infused(tables["subjects"])
    if not children or not visits:
        return draw_words(catalog.text("response.empty"), width=size[0], height=120, tokens=tokens)
    row_px = min(max((size[1] - HEAD_PX - FOOT_PX) / len(children), ROW_LEAST_PX), ROW_MOST_PX)
    height = math.ceil(HEAD_PX + FOOT_PX + row_px * len(children))
    grid = _Grid(children=children, visits=tuple(visits), width=size[0], height=height)
    states = read_states(tables["responses"], definition)
    return {
        "data": [
            *(_draw_state(state, states, grid, tokens, catalog) for state in STATES),
            *draw_mark_key(
                [(state_look(state, tokens), catalog.text(f"response.state.{state}")) for state in STATES],
                tokens,
                axes=("x3", "y3"),
            ),
        ],
        "layout": _layout(grid, tokens, catalog),
    }


def read_states(responses: pd.DataFrame, definition: str) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    """Return the row of each child, visit and endpoint by the chosen definition of renal response."""
    kept = responses[responses["definition"].isin((definition, SRI)) & responses["endpoint"].isin(ENDPOINTS)]
    return {
        (str(row["subject_id"]), str(row["visit"]), str(row["endpoint"])): row
        for row in kept.to_dict(orient="records")
    }


def state_look(state: str, tokens: Tokens) -> Piece:
    """Return the mark of a response: told apart by shape, colour only helps."""
    looks: Mapping[str, tuple[str, float, str, str, float]] = {
        "responder": ("circle", 10, tokens.ok, tokens.ok, 0),
        "non_responder": ("circle", 9, tokens.body, tokens.ink_2, 1.6),
        "not_evaluable": ("diamond", 9, tokens.body, tokens.warn, 1.6),
        "not_due": ("circle", 2, tokens.context, tokens.context, 0),
    }
    symbol, size, fill, edge, line = looks[state]
    return {
        "symbol": symbol, "size": size, "color": fill, "opacity": 1, "line": {"color": edge, "width": line},
    }  # fmt: skip


def _draw_state(
    state: str,
    states: Mapping[tuple[str, str, str], Mapping[str, Any]],
    grid: _Grid,
    tokens: Tokens,
    catalog: Catalog,
) -> Piece:
    x: list[float] = []
    y: list[int] = []
    words: list[list[str]] = []
    for place, (child, _) in enumerate(grid.children):
        for visit in grid.visits:
            for endpoint in ENDPOINTS:
                row = states.get((child, visit, endpoint))
                if (str(row["state"]) if row else "not_due") == state:
                    x.append(grid.column(visit, endpoint))
                    y.append(place)
                    words.append(_write_words(child, visit, endpoint, row, catalog))
    return {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": "y", "showlegend": False, "name": state,
        "x": x, "y": y, "marker": state_look(state, tokens), "cliponaxis": False,
        **({"hoverinfo": "skip"} if state == "not_due" else {"hoverinfo": "none", "customdata": words}),
    }  # fmt: skip


def _write_words(
    child: str, visit: str, endpoint: str, row: Mapping[str, Any] | None, catalog: Catalog
) -> list[str]:
    if row is None:
        return []
    told = catalog.text(f"response.state.{row['state']}")
    rest = str(row["reason"]) or str(row["value"])
    said = " · ".join(part for part in (child, visit, endpoint, told, rest) if part)
    return ["response", child, visit, endpoint, str(row["definition"]), said]


def _layout(grid: _Grid, tokens: Tokens, catalog: Catalog) -> Piece:
    hidden: Piece = {"visible": False, "fixedrange": True}
    left, rows = LEFT_PX / grid.width, len(grid.children)
    return {
        "template": None, "width": grid.width, "height": grid.height, "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "font": font(FONT_LABEL, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "hoverdistance": 14, "dragmode": False, "uirevision": "response",
        "xaxis": {**hidden, "domain": [left, 1], "range": [-0.6, grid.columns - 0.4], "anchor": "y"},
        "xaxis3": {**hidden, "domain": [0, 1], "range": [0, grid.width], "anchor": "y3"},
        "yaxis": {
            **hidden, "domain": [FOOT_PX / grid.height, grid.paper(HEAD_PX)], "range": [rows - 0.5, -0.5],
            "anchor": "x",
        },
        "yaxis3": {**hidden, "domain": [grid.paper(18), 1], "range": [0, 1], "anchor": "x3"},
        "shapes": [
            {
                "type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": place + 0.5,
                "y1": place + 0.5, "line": {"color": tokens.grid, "width": 1}, "layer": "below",
            }
            for place in range(rows)
        ],
        "annotations": [*_draw_heads(grid, tokens, catalog), *_draw_children(grid, tokens)],
    }  # fmt: skip


def _draw_heads(grid: _Grid, tokens: Tokens, catalog: Catalog) -> list[Piece]:
    notes = []
    for visit in grid.visits:
        middle = (grid.column(visit, ENDPOINTS[0]) + grid.column(visit, ENDPOINTS[-1])) / 2
        notes.append(
            note(
                visit, xref="x", yref="paper", at=(middle, grid.paper(30)), xanchor="center",
                yanchor="middle", font=font(FONT_LABEL, tokens.ink),
            )
        )  # fmt: skip
        notes += [
            note(
                catalog.text(f"response.short.{endpoint}"), xref="x", yref="paper", xanchor="center",
                at=(grid.column(visit, endpoint), grid.paper(50)), yanchor="middle",
                font=font(FONT_TICK, tokens.muted),
            )
            for endpoint in ENDPOINTS
        ]  # fmt: skip
    return notes


def _draw_children(grid: _Grid, tokens: Tokens) -> list[Piece]:
    return [
        note(
            write_child(child, arm, tokens), xref="paper", yref="y", at=(0.0, float(place)),
            yanchor="middle", font=font(FONT_LABEL, tokens.ink),
        )
        for place, (child, arm) in enumerate(grid.children)
    ]  # fmt: skip


def write_child(child: str, arm: str, tokens: Tokens) -> str:
    """Write a child's name after the mark of its dose group, as markup."""
    colour = {"low": tokens.low, "high": tokens.high}.get(arm, tokens.muted)
    return f'<span style="color:{colour}">{ARM_GLYPHS.get(arm, "")}</span> {escape_markup(child)}'
