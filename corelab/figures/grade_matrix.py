"""Terms by children, the worst grade written in every cell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from corelab.figures.catalog import Catalog
from corelab.figures.forest import draw_words
from corelab.figures.numbers import escape_markup
from corelab.figures.panel import Piece, font, note
from corelab.figures.text_width import shorten
from corelab.figures.tokens import ARM_GLYPHS, FONT_LABEL, FONT_TICK, SCHEMES, Scheme, Tokens, ink_on

HEAD_PX: Final = 24.0
TALL_HEAD_PX: Final = 58.0
FOOT_PX: Final = 4.0
ROW_LEAST_PX: Final = 14.0
ROW_MOST_PX: Final = 24.0
LEFT_PX: Final = 214.0
NAME_PX: Final = LEFT_PX - 44.0
"""Room for a term's name."""
COUNT_PX: Final = 92.0
GRADE_FROM_PX: Final = 17.0
"""Width of a column from which ``G3`` has room; the bare number below."""
NOT_GRADED: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeRow:
    """One term: its name, a remark before the counts (``AESI``), and the section it stands in."""

    key: str
    label: str
    remark: str = ""
    section: str = ""
    count: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeCell:
    """The worst grade of a child; 0 was looked at and found without, -1 could not be graded."""

    grade: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeMatrix:
    """All cells by row and child; a child without a cell was not looked at."""

    rows: tuple[GradeRow, ...]
    children: tuple[tuple[str, str], ...]
    cells: Mapping[tuple[str, str], GradeCell]


Line = GradeRow | str


def grade_matrix_figure(
    matrix: GradeMatrix, *, size: tuple[int, int], scheme: Scheme, catalog: Catalog, empty: str
) -> dict[str, Any]:
    """Return the matrix, exceptions in the ramp of grades and always with the grade written.

    Parameters
    ----------
    matrix
        Rows in their order; a new section gets a line of its own.
    size
        Outer width and height in px; the figure is as high as its rows need.
    empty
        What is said when there is nothing to show.
    """
    tokens = SCHEMES[scheme]
    if not matrix.rows or not matrix.children:
        return draw_words(empty, width=size[0], height=120, tokens=tokens)
    lines = list_lines(matrix.rows)
    column_px = (size[0] - LEFT_PX - COUNT_PX) / len(matrix.children)
    head = HEAD_PX if column_px >= 44 else TALL_HEAD_PX
    row_px = min(max((size[1] - head - FOOT_PX) / len(lines), ROW_LEAST_PX), ROW_MOST_PX)
    frame = _Frame(
        matrix=matrix, lines=lines, width=size[0], height=math.ceil(head + FOOT_PX + row_px * len(lines)),
        head_px=head, column_px=column_px,
    )  # fmt: skip
    return {
        "data": [_draw_fields(frame, tokens), _draw_grades(frame, tokens), *_draw_names(frame, tokens)],
        "layout": _layout(frame, tokens, catalog),
    }


def list_lines(rows: Sequence[GradeRow]) -> list[Line]:
    """Return the rows with the name of each section before its first row."""
    lines: list[Line] = []
    section = ""
    for row in rows:
        if row.section != section:
            lines.append(row.section)
            section = row.section
        lines.append(row)
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    matrix: GradeMatrix
    lines: list[Line]
    width: int
    height: int
    head_px: float
    column_px: float

    def paper(self, top_px: float) -> float:
        return 1.0 - top_px / self.height

    def list_cells(self) -> list[tuple[int, int, GradeCell]]:
        found = []
        for place, line in enumerate(self.lines):
            if isinstance(line, str):
                continue
            for column, (child, _) in enumerate(self.matrix.children):
                cell = self.matrix.cells.get((line.key, child))
                if cell is not None:
                    found.append((place, column, cell))
        return found


def _draw_fields(frame: _Frame, tokens: Tokens) -> Piece:
    """Fill the graded cells; the whole matrix takes clicks."""
    blank: list[Any] = [None] * len(frame.matrix.children)
    levels = [list(blank) for _ in frame.lines]
    words: list[list[Any]] = [list(blank) for _ in frame.lines]
    for place, column, cell in frame.list_cells():
        levels[place][column] = max(cell.grade, 0)
        words[place][column] = list(cell.words)
    colours = ["rgba(0,0,0,0)", *tokens.grades]
    edges = [(step / 6, step / 6 + 1 / 6) for step in range(6)]
    scale = [[end, colour] for ends, colour in zip(edges, colours, strict=True) for end in ends]
    scale[-1][0] = 1
    return {
        "type": "heatmap", "xaxis": "x", "yaxis": "y", "x": list(range(len(frame.matrix.children))),
        "y": list(range(len(frame.lines))), "z": levels, "zmin": -0.5, "zmax": 5.5, "colorscale": scale,
        "showscale": False, "customdata": words, "xgap": 2, "ygap": 2, "hoverinfo": "none", "name": "cells",
        "hoverongaps": False,
    }  # fmt: skip


def _draw_grades(frame: _Frame, tokens: Tokens) -> Piece:
    """Write the grades; a quiet dot where nothing was found, a dash where nothing could be graded."""
    cells = frame.list_cells()
    sign = "G" if frame.column_px >= GRADE_FROM_PX else ""
    texts = {NOT_GRADED: "–", 0: "·"}
    return {
        "type": "scatter", "mode": "text", "xaxis": "x", "yaxis": "y", "showlegend": False,
        "x": [column for _, column, _ in cells], "y": [place for place, _, _ in cells], "name": "grades",
        "text": [texts.get(cell.grade, f"{sign}{cell.grade}") for _, _, cell in cells],
        "textposition": "middle center", "hoverinfo": "skip",
        "textfont": {
            **font(FONT_TICK, tokens.ink),
            "color": [
                ink_on(tokens.grades[cell.grade - 1]) if cell.grade > 0 else tokens.muted
                for _, _, cell in cells
            ],
        },
    }  # fmt: skip


def _draw_names(frame: _Frame, tokens: Tokens) -> list[Piece]:
    rows = [(place, line) for place, line in enumerate(frame.lines) if isinstance(line, GradeRow)]
    sections = [(place, line) for place, line in enumerate(frame.lines) if isinstance(line, str)]
    common: Piece = {
        "type": "scatter", "mode": "text", "xaxis": "x2", "yaxis": "y", "hoverinfo": "skip",
        "showlegend": False, "cliponaxis": False, "textposition": "middle right",
    }  # fmt: skip
    names = {
        **common, "x": [2.0] * len(rows), "y": [place for place, _ in rows], "name": "names",
        "text": [escape_markup(shorten(row.label, FONT_LABEL, NAME_PX)) for _, row in rows],
        "textfont": font(FONT_LABEL, tokens.ink),
    }  # fmt: skip
    remarks = {
        **common, "x": [LEFT_PX - 8.0] * len(rows), "y": [place for place, _ in rows], "name": "remarks",
        "text": [row.remark for _, row in rows], "textposition": "middle left",
        "textfont": font(FONT_TICK, tokens.warn),
    }  # fmt: skip
    heads = {
        **common, "x": [2.0] * len(sections), "y": [place for place, _ in sections], "name": "sections",
        "text": [escape_markup(text) for _, text in sections], "textfont": font(FONT_TICK, tokens.muted),
    }  # fmt: skip
    counts = {
        **common, "xaxis": "x3", "x": [8.0] * len(rows), "y": [place for place, _ in rows],
        "text": [row.count for _, row in rows], "textfont": font(FONT_LABEL, tokens.ink_2), "name": "counts",
    }  # fmt: skip
    return [names, remarks, heads, counts]


def _layout(frame: _Frame, tokens: Tokens, catalog: Catalog) -> Piece:
    hidden: Piece = {"visible": False, "fixedrange": True}
    left, right = LEFT_PX / frame.width, 1 - COUNT_PX / frame.width
    rows, columns = len(frame.lines), len(frame.matrix.children)
    return {
        "template": None, "width": frame.width, "height": frame.height, "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "font": font(FONT_LABEL, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "dragmode": False, "uirevision": "grades",
        "xaxis": {**hidden, "domain": [left, right], "range": [-0.5, columns - 0.5], "anchor": "y"},
        "xaxis2": {**hidden, "domain": [0, left], "range": [0, LEFT_PX], "anchor": "y"},
        "xaxis3": {**hidden, "domain": [right, 1], "range": [0, COUNT_PX], "anchor": "y"},
        "yaxis": {
            **hidden, "domain": [FOOT_PX / frame.height, frame.paper(frame.head_px)],
            "range": [rows - 0.5, -0.5], "anchor": "x",
        },
        "shapes": [
            {
                "type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": place + 0.5,
                "y1": place + 0.5, "line": {"color": tokens.grid, "width": 1}, "layer": "below",
            }
            for place in range(rows)
        ],
        "annotations": _draw_heads(frame, tokens, catalog),
    }  # fmt: skip


def _draw_heads(frame: _Frame, tokens: Tokens, catalog: Catalog) -> list[Piece]:
    is_tall = frame.head_px == TALL_HEAD_PX
    notes = []
    for column, (child, arm) in enumerate(frame.matrix.children):
        colour = {"low": tokens.low, "high": tokens.high}.get(arm, tokens.muted)
        glyph = f'<span style="color:{colour}">{ARM_GLYPHS.get(arm, "")}</span>'
        turned = {"textangle": -90} if is_tall else {}
        notes.append(
            note(
                f"{glyph} {escape_markup(child)}", xref="x", yref="paper", xanchor="center", yanchor="bottom",
                at=(float(column), frame.paper(frame.head_px - 4)), font=font(FONT_LABEL, tokens.ink),
                **turned,
            )
        )  # fmt: skip
    notes.append(
        note(
            escape_markup(catalog.text("grades.counted")), xref="paper", yref="paper", xshift=8,
            at=(1 - COUNT_PX / frame.width, frame.paper(frame.head_px - 4)), yanchor="bottom",
            font=font(FONT_TICK, tokens.muted),
        )
    )  # fmt: skip
    return notes
