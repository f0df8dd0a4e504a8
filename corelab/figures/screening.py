"""Screening at a glance: a row a criterion in words, a column a child, exceptions in ink."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from corelab.figures.catalog import Catalog
from corelab.figures.forest import draw_words
from corelab.figures.key_line import draw_mark_key
from corelab.figures.numbers import escape_markup
from corelab.figures.panel import Piece, font, note
from corelab.figures.screening_cell import describe_judgement, mark_look, write_unit, write_value
from corelab.figures.screening_data import (
    BY_EXCEPTION,
    FAILS,
    OPEN,
    PASSES,
    Judgement,
    Screening,
    is_exclusion,
    share_threshold,
)
from corelab.figures.text_width import shorten
from corelab.figures.tokens import (
    ARM_GLYPHS,
    FONT_LABEL,
    FONT_TICK,
    SCHEMES,
    Scheme,
    Tokens,
    with_alpha,
)

HEAD_PX: Final = 68.0
TALL_HEAD_PX: Final = 96.0
"""With names upright over narrow columns."""
FOOT_PX: Final = 4.0
ROW_LEAST_PX: Final = 15.0
ROW_MOST_PX: Final = 26.0
LEFT_WIDE_PX: Final = 392.0
LEFT_MOST_PX: Final = 560.0
LEFT_NARROW_PX: Final = 250.0
COLUMN_PX: Final = 84.0
LIMIT_SHARE: Final = 0.3
WORDS_FROM_PX: Final = 54.0
"""Width of a column from which its cells hold values and words beside the shape."""
KEY_AT_PX: Final = 9.0
NAME_AT_PX: Final = 36.0
VERDICT_FOOT_PX: Final = 12.0
ID_PX: Final = 46.0
TINT: Final = 0.11
MARKS: Final = (PASSES, BY_EXCEPTION, FAILS, OPEN)
VERDICT_GLYPHS: Final = {"eligible": "✓", "ineligible": "×", "pending": "◇"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """Where criteria and children lie; ``rows`` has an empty name between inclusion and exclusion."""

    screening: Screening
    titles: Mapping[str, str]
    rows: tuple[str, ...]
    width: int
    height: int
    left_px: float

    @property
    def columns(self) -> int:
        return len(self.screening.candidates)

    @property
    def column_px(self) -> float:
        return (self.width - self.left_px) / max(self.columns, 1)

    @property
    def has_words(self) -> bool:
        return self.column_px >= WORDS_FROM_PX

    @property
    def head_px(self) -> float:
        return HEAD_PX if self.has_words else TALL_HEAD_PX

    @property
    def verdict_px(self) -> float:
        return self.head_px - VERDICT_FOOT_PX

    def paper(self, top_px: float) -> float:
        return 1.0 - top_px / self.height

    def list_cells(self) -> list[tuple[int, int, Judgement]]:
        """Return row, column and judgement of every cell that has one."""
        children = [child.subject_id for child in self.screening.candidates]
        found = (
            (row, column, self.screening.judgements.get((criterion, child)))
            for row, criterion in enumerate(self.rows)
            for column, child in enumerate(children)
        )
        return [(row, column, cell) for row, column, cell in found if cell is not None]


def screening_figure(
    screening: Screening,
    titles: Mapping[str, str],
    *,
    width: int,
    height: int,
    scheme: Scheme,
    catalog: Catalog,
) -> dict[str, Any]:
    """Return the matrix of criteria by children.

    Parameters
    ----------
    screening
        Made by `build_screening`, and narrowed by `select_screening`.
    titles
        What each criterion asks, in words.
    width, height
        Outer size in px; the figure is as high as its criteria need, within 15 to 26 px each.
    scheme, catalog
        Colours and words.

    Notes
    -----
    Each cell has ``customdata`` ``[criterion, subject_id, sentence]``.
    """
    tokens = SCHEMES[scheme]
    if not screening.candidates or not screening.criteria:
        return draw_words(catalog.text("screening.empty"), width=width, height=160, tokens=tokens)
    grid = _build_grid(screening, titles, width=width, height=height)
    cells = grid.list_cells()
    return {
        "data": [
            _draw_cells(grid, cells, tokens, catalog),
            *(_draw_marks(mark, grid, cells, tokens) for mark in MARKS),
            *_draw_values(grid, cells, tokens, catalog),
            *_draw_labels(grid, tokens, catalog),
            *draw_mark_key(
                [(mark_look(mark, tokens), catalog.text(f"screening.mark.{mark}")) for mark in MARKS],
                tokens,
                axes=("x3", "y3"),
            ),
        ],
        "layout": _layout(grid, tokens, catalog),
    }


def _build_grid(screening: Screening, titles: Mapping[str, str], *, width: int, height: int) -> _Grid:
    inclusion = [name for name in screening.criteria if not is_exclusion(name)]
    exclusion = [name for name in screening.criteria if is_exclusion(name)]
    between = [""] if inclusion and exclusion else []
    rows = (*inclusion, *between, *exclusion)
    children = max(len(screening.candidates), 1)
    is_wide = (width - LEFT_WIDE_PX) / children >= WORDS_FROM_PX
    spare = min(max(width - children * COLUMN_PX, LEFT_WIDE_PX), LEFT_MOST_PX)
    left = spare if is_wide else LEFT_NARROW_PX
    head = HEAD_PX if (width - left) / children >= WORDS_FROM_PX else TALL_HEAD_PX
    row_px = min(max((height - head - FOOT_PX) / len(rows), ROW_LEAST_PX), ROW_MOST_PX)
    return _Grid(
        screening=screening, titles=titles, rows=rows, width=width, left_px=left,
        height=round(head + FOOT_PX + row_px * len(rows)),
    )  # fmt: skip


def _draw_cells(
    grid: _Grid, cells: list[tuple[int, int, Judgement]], tokens: Tokens, catalog: Catalog
) -> Piece:
    """Lay a quiet field over the whole matrix that takes clicks, tinted where a child does not pass."""
    blank: list[Any] = [None] * grid.columns
    levels = [list(blank) for _ in grid.rows]
    words: list[list[Any]] = [list(blank) for _ in grid.rows]
    for row, column, cell in cells:
        levels[row][column] = {FAILS: 1.0, OPEN: 0.5}.get(cell.mark, 0.0)
        words[row][column] = [cell.criterion, cell.subject_id, describe_judgement(cell, grid.titles, catalog)]
    clear = with_alpha(tokens.body, 0.0)
    return {
        "type": "heatmap", "xaxis": "x", "yaxis": "y", "x": list(range(grid.columns)),
        "y": list(range(len(grid.rows))), "z": levels, "customdata": words, "zmin": 0, "zmax": 1,
        "colorscale": [
            [0, clear], [0.25, clear], [0.25, with_alpha(tokens.warn, TINT)],
            [0.75, with_alpha(tokens.warn, TINT)], [0.75, with_alpha(tokens.fail, TINT)],
            [1, with_alpha(tokens.fail, TINT)],
        ],
        "showscale": False, "xgap": 1, "ygap": 1, "hoverinfo": "none", "name": "cells", "hoverongaps": False,
    }  # fmt: skip


def _mark_at(grid: _Grid, column: int) -> float:
    """Return where a column's marks stand: in its middle, or at its left before words."""
    return column - 0.5 + 10.0 / grid.column_px if grid.has_words else float(column)


def _draw_marks(mark: str, grid: _Grid, cells: list[tuple[int, int, Judgement]], tokens: Tokens) -> Piece:
    chosen = [(row, column) for row, column, cell in cells if cell.mark == mark]
    return {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": "y", "showlegend": False, "name": mark,
        "x": [_mark_at(grid, column) for _, column in chosen], "y": [row for row, _ in chosen],
        "marker": mark_look(mark, tokens), "hoverinfo": "skip",
    }  # fmt: skip


def _draw_values(
    grid: _Grid, cells: list[tuple[int, int, Judgement]], tokens: Tokens, catalog: Catalog
) -> list[Piece]:
    if not grid.has_words:
        return []
    room = grid.column_px - 24.0
    colours = {FAILS: tokens.fail, OPEN: tokens.warn, BY_EXCEPTION: tokens.action}
    texts = [escape_markup(shorten(write_value(cell, catalog), FONT_LABEL, room)) for _, _, cell in cells]
    return [
        {
            "type": "scatter", "mode": "text", "xaxis": "x", "yaxis": "y", "showlegend": False,
            "x": [_mark_at(grid, column) + 8.0 / grid.column_px for _, column, _ in cells],
            "y": [row for row, _, _ in cells], "text": texts, "textposition": "middle right",
            "textfont": {
                **font(FONT_LABEL, tokens.ink_2),
                "color": [colours.get(cell.mark, tokens.ink_2) for _, _, cell in cells],
            },
            "hoverinfo": "skip", "name": "values",
        }
    ]  # fmt: skip


def _draw_labels(grid: _Grid, tokens: Tokens, catalog: Catalog) -> list[Piece]:
    """Write the criteria: id, what is asked, and the limit that holds for all children."""
    named = [(row, name) for row, name in enumerate(grid.rows) if name]
    rows = [row for row, _ in named]
    is_wide = grid.has_words
    room = grid.left_px - ID_PX - (LIMIT_SHARE * grid.left_px if is_wide else 0.0) - 16.0
    common: Piece = {
        "type": "scatter", "mode": "text", "xaxis": "x2", "yaxis": "y", "y": rows, "hoverinfo": "skip",
        "showlegend": False, "cliponaxis": False,
    }  # fmt: skip
    ids = {
        **common, "x": [2.0] * len(rows), "text": [name for _, name in named], "name": "ids",
        "textposition": "middle right", "textfont": font(FONT_TICK, tokens.muted),
    }  # fmt: skip
    titles = {
        **common, "x": [ID_PX] * len(rows), "name": "titles", "textposition": "middle right",
        "text": [
            escape_markup(shorten(catalog.say(grid.titles.get(name, name)), FONT_LABEL, room))
            for _, name in named
        ],
        "textfont": font(FONT_LABEL, tokens.ink),
    }  # fmt: skip
    if not is_wide:
        return [ids, titles]
    limits = {
        **common, "x": [grid.left_px - 8.0] * len(rows), "name": "limits", "textposition": "middle left",
        "text": [escape_markup(_limit(grid, name, catalog)) for _, name in named],
        "textfont": font(FONT_TICK, tokens.muted),
    }  # fmt: skip
    return [ids, titles, limits]


def _limit(grid: _Grid, criterion: str, catalog: Catalog) -> str:
    judgements = grid.screening.row(criterion)
    text = share_threshold(judgements)
    if text.startswith("attested"):
        return catalog.text("screening.attested")
    units = {cell.unit for cell in judgements if cell.unit}
    unit = units.pop() if len(units) == 1 else ""
    shown = "" if unit in ("1", "a", "score", "titre", "%") or "ULN" in text else write_unit(unit)
    return shorten(f"{catalog.say(text)} {shown}".strip(), FONT_TICK, LIMIT_SHARE * grid.left_px)


def _layout(grid: _Grid, tokens: Tokens, catalog: Catalog) -> Piece:
    left = grid.left_px / grid.width
    hidden: Piece = {"visible": False, "fixedrange": True}
    top, rows = grid.paper(grid.head_px), len(grid.rows)
    return {
        "template": None, "width": grid.width, "height": grid.height, "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "font": font(FONT_LABEL, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "dragmode": False, "uirevision": "screening",
        "xaxis": {**hidden, "domain": [left, 1], "range": [-0.5, grid.columns - 0.5], "anchor": "y"},
        "xaxis2": {**hidden, "domain": [0, left], "range": [0, grid.left_px], "anchor": "y"},
        "xaxis3": {**hidden, "domain": [0, 1], "range": [0, grid.width], "anchor": "y3"},
        "yaxis": {
            **hidden, "domain": [grid.paper(grid.height - FOOT_PX), top], "range": [rows - 0.5, -0.5],
            "anchor": "x",
        },
        "yaxis3": {**hidden, "domain": [grid.paper(2 * KEY_AT_PX), 1], "range": [0, 1], "anchor": "x3"},
        "shapes": _draw_lines(grid, tokens), "annotations": _draw_heads(grid, tokens, catalog),
    }  # fmt: skip


def _draw_lines(grid: _Grid, tokens: Tokens) -> list[Piece]:
    """Draw a quiet line under each criterion, and a stronger one under the verdicts and between the parts."""
    shapes: list[Piece] = []
    for row, name in enumerate(grid.rows):
        following = grid.rows[row + 1] if row + 1 < len(grid.rows) else None
        if not name or following == "":
            continue
        line = {"color": tokens.grid, "width": 1}
        shapes.append(_line(grid, "y", row + 0.5, line))
    if "" in grid.rows:
        place = grid.rows.index("") + 0.5
        shapes.append(_line(grid, "y", place, {"color": tokens.border, "width": 1}))
    shapes.append(_line(grid, "paper", grid.paper(grid.head_px), {"color": tokens.border, "width": 1}))
    return shapes


def _line(grid: _Grid, yref: str, at: float, line: Piece) -> Piece:
    return {
        "type": "line", "xref": "paper", "yref": yref, "x0": 0, "x1": 1, "y0": at, "y1": at, "line": line,
        "layer": "below",
    }  # fmt: skip


def _draw_heads(grid: _Grid, tokens: Tokens, catalog: Catalog) -> list[Piece]:
    """Write the children's names, their verdicts in words where there is room, and the parts' names."""
    notes = [
        note(
            catalog.text(f"screening.part.{part}"), xref="paper", yref=yref, at=(0.0, at), xshift=-1,
            yanchor="middle", font=font(FONT_TICK, tokens.muted),
        )
        for part, yref, at in (
            ("verdict", "paper", grid.paper(grid.verdict_px)),
            *((("exclusion", "y", float(grid.rows.index(""))),) if "" in grid.rows else ()),
        )
    ]  # fmt: skip
    for column, child in enumerate(grid.screening.candidates):
        colour = {"low": tokens.low, "high": tokens.high}.get(child.arm, tokens.muted)
        glyph = f'<span style="color:{colour}">{ARM_GLYPHS.get(child.arm, "")}</span> '
        name = f"{glyph if child.arm else ''}{escape_markup(child.subject_id)}"
        turned = {} if grid.has_words else {"textangle": -90, "yanchor": "bottom"}
        at = (
            _mark_at(grid, column) - (5.0 / grid.column_px if grid.has_words else 0.0),
            grid.paper(NAME_AT_PX),
        )
        if not grid.has_words:
            at = (float(column), grid.paper(grid.verdict_px - 10))
        notes.append(
            note(
                name, xref="x", yref="paper", at=at, **{"yanchor": "middle", **turned},
                xanchor="left" if grid.has_words else "center", font=font(FONT_LABEL, tokens.ink),
            )
        )  # fmt: skip
        notes.append(_write_verdict(grid, column, tokens, catalog))
    return notes


def _write_verdict(grid: _Grid, column: int, tokens: Tokens, catalog: Catalog) -> Piece:
    verdict = grid.screening.candidates[column].verdict
    colour = {"eligible": tokens.ok, "pending": tokens.warn, "ineligible": tokens.fail}[verdict]
    word = catalog.text(f"screening.verdict.{verdict}")
    text = f"{VERDICT_GLYPHS[verdict]} {word}" if grid.has_words else VERDICT_GLYPHS[verdict]
    return note(
        text, xref="x", yref="paper", yanchor="middle", font=font(FONT_LABEL, colour, bold=True),
        at=(_mark_at(grid, column), grid.paper(grid.verdict_px)), xshift=-4 if grid.has_words else 0,
        xanchor="left" if grid.has_words else "center",
    )  # fmt: skip
