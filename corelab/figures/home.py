"""The trial at a glance: a row a child, a column a visit, four pips for what came of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.numbers import escape_markup
from corelab.figures.overview import ASSAYS, OverviewCounts, count_overview, name_stage, summarise_overview
from corelab.figures.panel import Piece, font, note
from corelab.figures.text_width import measure_text
from corelab.figures.tokens import ARM_SYMBOLS, FONT_LABEL, FONT_TICK, SCHEMES, Scheme, Tokens

__all__ = [
    "OverviewCounts", "count_overview", "overlay_reviews", "overview_figure", "overview_height",
    "summarise_overview",
]  # fmt: skip

LEFT_PX: Final = 132.0
RIGHT_PX: Final = 8.0
HEAD_PX: Final = 56.0
FOOT_PX: Final = 6.0
ROW_LEAST_PX: Final = 11.0
ROW_MOST_PX: Final = 30.0
KEY_AT_PX: Final = 8.0
ZONE_AT_PX: Final = 26.0
VISIT_AT_PX: Final = 44.0
PIP_STEP: Final = 0.21
"""Distance of the pips of a visit, in columns."""
GROUP_ROWS: Final = 5
FIRST_MONTH: Final = "M2"
FIRST_DAY: Final = "D1"
STATES: Final = ("done", "missing", "failed", "not_due")
REVIEWED: Final = ("signed", "review", "stale")
"""What becomes of ``done`` where reviews are known."""
RECEIVED: Final = frozenset({"done", *REVIEWED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """Where children and visits lie, in rows, columns and px."""

    subjects: tuple[str, ...]
    visits: tuple[str, ...]
    row_px: float
    width: int
    height: int

    def column(self, visit: str, assay: str) -> float:
        return self.visits.index(visit) + (list(ASSAYS).index(assay) - 1.5) * PIP_STEP

    def paper(self, top_px: float) -> float:
        return 1.0 - top_px / self.height


def overlay_reviews(overview: pd.DataFrame, marks: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    """Return an overview in which what came says whether it is signed.

    Parameters
    ----------
    overview
        Made by `summarise_overview`.
    marks
        By child and visit: ``signed``, ``review`` or ``stale``; what is not there is to review.
    """
    keys = zip(overview["subject_id"], overview["visit"], overview["state"], strict=True)
    states = []
    for subject, visit, state in keys:
        states.append(marks.get((subject, visit), "review") if state == "done" else state)
    return overview.assign(state=states)


def overview_height(children: int, available: int) -> int:
    """Return the height of the matrix: what is there, within 11 to 30 px a child."""
    row = min(max((available - HEAD_PX - FOOT_PX) / max(children, 1), ROW_LEAST_PX), ROW_MOST_PX)
    return math.ceil(HEAD_PX + FOOT_PX + row * max(children, 1))


def overview_figure(
    overview: pd.DataFrame, *, width: int, height: int, scheme: Scheme, catalog: Catalog
) -> dict[str, Any]:
    """Return the matrix of an overview made by `summarise_overview`.

    Parameters
    ----------
    overview
        One row per child, visit and assay.
    width, height
        Outer size in px; the figure is as high as its children need, at most 30 px each, at least 11.
    scheme, catalog
        Colours and words.

    Notes
    -----
    Pips have ``customdata`` ``[subject_id, visit, assay, state]``, names of children ``[subject_id]``.
    """
    tokens = SCHEMES[scheme]
    subjects = tuple(dict.fromkeys(overview["subject_id"]))
    tall = overview_height(len(subjects), height)
    if not subjects:
        return _draw_nothing(width, max(tall, 120), tokens, catalog)
    grid = _Grid(
        subjects=subjects, visits=tuple(dict.fromkeys(overview["visit"])),
        row_px=(tall - HEAD_PX - FOOT_PX) / len(subjects), width=width, height=tall,
    )  # fmt: skip
    rows = overview.to_dict(orient="records")
    return {
        "data": [
            *(_draw_pips(state, rows, grid, tokens) for state in _list_states(overview)),
            *_draw_names(overview, grid, tokens, catalog),
            _draw_today(overview, grid, tokens),
            *_draw_key(_list_states(overview), grid, tokens, catalog),
        ],
        "layout": _layout(grid, tokens, catalog),
    }


def _draw_pips(state: str, rows: Sequence[dict[str, Any]], grid: _Grid, tokens: Tokens) -> Piece:
    chosen = [row for row in rows if row["state"] == state]
    return {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": "y", "showlegend": False, "name": state,
        "x": [grid.column(row["visit"], row["assay"]) for row in chosen],
        "y": [grid.subjects.index(row["subject_id"]) for row in chosen],
        "marker": _pip(state, tokens),
        "customdata": [[row["subject_id"], row["visit"], row["assay"], state] for row in chosen],
        "hoverinfo": "none" if state != "not_due" else "skip",
    }  # fmt: skip


def _pip(state: str, tokens: Tokens) -> Piece:
    """Return the mark of a state; exceptions by shape, what came is quiet."""
    colours = {
        "done": tokens.signed,
        "signed": tokens.signed,
        "review": tokens.action,
        "stale": tokens.warn,
        "missing": tokens.warn,
        "failed": tokens.fail,
        "not_due": tokens.context,
    }
    symbols = {
        "done": "square", "signed": "square", "review": "square", "stale": "triangle-up",
        "missing": "diamond", "failed": "x-thin-open", "not_due": "circle",
    }  # fmt: skip
    sizes = {
        "done": 7, "signed": 7, "review": 6, "stale": 6.6, "missing": 6.2, "failed": 6, "not_due": 2,
    }  # fmt: skip
    widths = {
        "done": 0, "signed": 0, "review": 1.4, "stale": 1.4, "missing": 1.6, "failed": 1.8, "not_due": 0,
    }  # fmt: skip
    is_hollow = state in ("missing", "review", "stale")
    fill = tokens.body if is_hollow else colours[state]
    return {
        "symbol": symbols[state], "size": sizes[state], "color": fill, "opacity": 1,
        "line": {"color": colours[state], "width": widths[state]},
    }  # fmt: skip


def _draw_names(overview: pd.DataFrame, grid: _Grid, tokens: Tokens, catalog: Catalog) -> list[Piece]:
    """Write each child's dose mark, name and stage left of the matrix, on an axis of their own in px."""
    first = overview.drop_duplicates("subject_id").to_dict(orient="records")
    rows = list(range(len(first)))
    colours = {"low": tokens.low, "high": tokens.high}
    common: Piece = {
        "type": "scatter", "xaxis": "x2", "yaxis": "y", "y": rows, "showlegend": False, "hoverinfo": "none",
        "customdata": [[row["subject_id"]] for row in first],
    }  # fmt: skip
    names = [escape_markup(str(row["subject_id"])) for row in first]
    return [
        {
            **common, "mode": "markers", "x": [6.0] * len(first), "name": "arms",
            "marker": {
                "symbol": [ARM_SYMBOLS.get(row["arm"], "circle-open") for row in first], "size": 6,
                "color": [colours.get(row["arm"], tokens.muted) for row in first], "opacity": 1,
            },
        },
        {
            **common, "mode": "text", "x": [14.0] * len(first), "text": names, "textposition": "middle right",
            "textfont": font(FONT_LABEL, tokens.ink), "name": "names",
        },
        {
            **common, "mode": "text", "x": [LEFT_PX - 14.0] * len(first), "textposition": "middle left",
            "text": [_stage(row, overview, catalog) for row in first], "name": "stages",
            "textfont": font(FONT_TICK, tokens.muted),
        },
    ]  # fmt: skip


def _stage(row: dict[str, Any], overview: pd.DataFrame, catalog: Catalog) -> str:
    mine = overview[(overview["subject_id"] == row["subject_id"]) & overview["state"].isin(RECEIVED)]
    key, number = name_stage(float(row["study_day"]), mine["visit"])
    return catalog.text(f"home.stage.{key}", n=number)


def _draw_today(overview: pd.DataFrame, grid: _Grid, tokens: Tokens) -> Piece:
    """Mark the cut-off behind the last visit of each infused child that is due or has brought something."""
    reached = overview[overview["study_day"].notna() & (overview["state"] != "not_due")]
    last = reached.groupby("subject_id")["visit"].agg(lambda visits: max(map(grid.visits.index, visits)))
    ends = [(str(subject), int(column)) for subject, column in last.items() if column + 1 < len(grid.visits)]
    return {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": "y", "showlegend": False,
        "x": [column + 0.5 for _, column in ends], "y": [grid.subjects.index(subject) for subject, _ in ends],
        "marker": _cut(tokens), "hoverinfo": "skip", "name": "today",
    }  # fmt: skip


def _cut(tokens: Tokens) -> Piece:
    """Return the upright that marks the cut-off."""
    line = {"color": tokens.ink, "width": 1.6}
    return {"symbol": "line-ns", "size": 5, "color": tokens.ink, "opacity": 1, "line": line}


def _list_states(overview: pd.DataFrame) -> tuple[str, ...]:
    is_reviewed = overview["state"].isin(REVIEWED).any()
    return (*REVIEWED, *STATES[1:]) if is_reviewed else STATES


def _draw_key(states: Sequence[str], grid: _Grid, tokens: Tokens, catalog: Catalog) -> list[Piece]:
    left = measure_text(catalog.text("home.key"), FONT_LABEL) + 22.0
    places = []
    for state in (*states, "today"):
        places.append((state, left))
        left += 14.0 + measure_text(catalog.text(f"home.state.{state}"), FONT_LABEL) + 18.0
    y = [0.5] * len(places)
    common: Piece = {
        "type": "scatter",
        "xaxis": "x3",
        "yaxis": "y3",
        "hoverinfo": "skip",
        "showlegend": False,
    }
    marks: list[Piece] = []
    for state, at in places:
        marker = _cut(tokens) if state == "today" else _pip(state, tokens)
        marks.append({**common, "mode": "markers", "x": [at], "y": [0.5], "marker": marker})
    words = {
        **common, "mode": "text", "x": [at + 8.0 for _, at in places], "y": y, "textposition": "middle right",
        "text": [catalog.text(f"home.state.{state}") for state, _ in places],
        "textfont": font(FONT_LABEL, tokens.ink_2),
    }  # fmt: skip
    title = {
        **common, "mode": "text", "x": [2.0], "y": [0.5], "textposition": "middle right",
        "text": [catalog.text("home.key")], "textfont": font(FONT_LABEL, tokens.ink_2),
    }  # fmt: skip
    return [*marks, words, title]


def _layout(grid: _Grid, tokens: Tokens, catalog: Catalog) -> Piece:
    columns, rows = len(grid.visits), len(grid.subjects)
    left = LEFT_PX / grid.width
    right = 1.0 - RIGHT_PX / grid.width
    vertical = [grid.paper(grid.height - FOOT_PX), grid.paper(HEAD_PX)]
    hidden: Piece = {"visible": False, "fixedrange": True}
    return {
        "template": None, "width": grid.width, "height": grid.height, "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "font": font(FONT_LABEL, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "hoverdistance": 8, "dragmode": False, "uirevision": "overview",
        "xaxis": {**hidden, "domain": [left, right], "range": [-0.5, columns - 0.5], "anchor": "y"},
        "xaxis2": {**hidden, "domain": [0, left], "range": [0, LEFT_PX], "anchor": "y"},
        "xaxis3": {**hidden, "domain": [0, 1], "range": [0, grid.width], "anchor": "y3"},
        "yaxis": {**hidden, "domain": vertical, "range": [rows - 0.5, -0.5], "anchor": "x"},
        "yaxis3": {**hidden, "domain": [grid.paper(2 * KEY_AT_PX), 1], "range": [0, 1], "anchor": "x3"},
        "shapes": _draw_lines(grid, tokens), "annotations": _draw_heads(grid, tokens, catalog),
    }  # fmt: skip


def _draw_lines(grid: _Grid, tokens: Tokens) -> list[Piece]:
    """Draw a quiet line every five children, and the brackets of the zones above the visits."""
    line = {"color": tokens.grid, "width": 1}
    shapes: list[Piece] = [
        {
            "type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": row - 0.5, "y1": row - 0.5,
            "line": line, "layer": "below",
        }
        for row in range(GROUP_ROWS, len(grid.subjects), GROUP_ROWS)
    ]  # fmt: skip
    height = grid.paper(ZONE_AT_PX + 8)
    for _, first, last in _list_zones(grid):
        shapes.append(
            {
                "type": "line", "xref": "x", "yref": "paper", "x0": first - 0.42, "x1": last + 0.42,
                "y0": height, "y1": height, "line": {"color": tokens.border, "width": 1}, "layer": "below",
            }
        )  # fmt: skip
    return shapes


def _list_zones(grid: _Grid) -> list[tuple[str, int, int]]:
    """Return the zones of the schedule: name, first and last column."""
    starts = [("before", 0)]
    firsts = (("days", FIRST_DAY), ("months", FIRST_MONTH))
    starts += [(name, grid.visits.index(visit)) for name, visit in firsts if visit in grid.visits]
    ends = [start - 1 for _, start in starts[1:]] + [len(grid.visits) - 1]
    return [(name, start, end) for (name, start), end in zip(starts, ends, strict=True) if end >= start]


def _draw_heads(grid: _Grid, tokens: Tokens, catalog: Catalog) -> list[Piece]:
    zones = [
        note(
            catalog.text(f"home.zone.{name}"), xref="x", yref="paper", yanchor="middle",
            at=(first - 0.42, grid.paper(ZONE_AT_PX)), font=font(FONT_TICK, tokens.muted),
        )
        for name, first, _ in _list_zones(grid)
    ]  # fmt: skip
    visits = [
        note(
            visit, xref="x", yref="paper", xanchor="center", yanchor="middle",
            at=(column, grid.paper(VISIT_AT_PX)), font=font(FONT_LABEL, tokens.ink_2),
        )
        for column, visit in enumerate(grid.visits)
    ]  # fmt: skip
    return [*zones, *visits]


def _draw_nothing(width: int, height: int, tokens: Tokens, catalog: Catalog) -> dict[str, Any]:
    words = note(
        escape_markup(catalog.text("home.empty")), xref="paper", yref="paper", at=(0.5, 0.6),
        xanchor="center", font=font(FONT_LABEL + 1, tokens.ink_2),
    )  # fmt: skip
    hidden = {"visible": False, "fixedrange": True}
    layout = {
        "template": None, "width": width, "height": height, "autosize": False, "xaxis": hidden,
        "yaxis": hidden, "annotations": [words], "paper_bgcolor": "rgba(0,0,0,0)", "dragmode": False,
        "plot_bgcolor": "rgba(0,0,0,0)",
    }  # fmt: skip
    return {"data": [], "layout": layout}
