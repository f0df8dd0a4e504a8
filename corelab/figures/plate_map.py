"""A plate as it stands on the bench: rows and columns of wells, what each holds, and how bright it was."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.course import to_float
from corelab.figures.forest import draw_words
from corelab.figures.numbers import escape_markup, format_number
from corelab.figures.panel import Piece, font
from corelab.figures.screening_cell import write_unit
from corelab.figures.text_width import shorten
from corelab.figures.tokens import FONT_LABEL, FONT_TICK, SCHEMES, Scheme, Tokens, ink_on

WELL: Final = re.compile(r"([A-P])0*(\d{1,2})")
ROLES: Final[Mapping[str, str]] = {"standard": "S", "qc": "Q", "blank": "B", "unknown": "", "unstated": "?"}
NAMED_PX: Final = 62.0
"""Width of a well from which the sample is written in it."""
MARGIN: Final[Mapping[str, float]] = {"l": 22, "r": 4, "t": 20, "b": 4, "pad": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateWell:
    """One well of one analyte, where it lies (from 0) and the row of the table it came from."""

    row: int
    column: int
    told: Mapping[str, Any]


def build_wells(wells: pd.DataFrame, plate: str, analyte: str) -> list[PlateWell]:
    """Return the wells of a plate for one analyte; a mean of wells lies in each of them."""
    rows = wells[(wells["plate"] == plate) & (wells["analyte"] == analyte)].to_dict(orient="records")
    return [
        PlateWell(row=ord(letter) - ord("A"), column=int(number) - 1, told=row)
        for row in rows
        for letter, number in WELL.findall(str(row["well"]))
    ]


def plate_map_figure(
    wells: Sequence[PlateWell], *, size: tuple[int, int], scheme: Scheme, catalog: Catalog
) -> dict[str, Any]:
    """Return the wells in their grid: fill by signal, a letter by role, a cross where a well is flagged.

    Notes
    -----
    Cells have ``customdata`` ``[well, plate, analyte, well, sentence]``.
    """
    tokens = SCHEMES[scheme]
    if not wells:
        return draw_words(catalog.text("plates.no_wells"), width=size[0], height=size[1], tokens=tokens)
    rows = max(8, 1 + max(well.row for well in wells))
    columns = max(12, 1 + max(well.column for well in wells))
    levels, words = _fill(wells, rows, columns, catalog)
    return {
        "data": [
            _draw_signal(levels, words, tokens),
            _draw_letters(wells, levels, (size[0] - MARGIN["l"]) / columns, tokens),
            _draw_flags(wells, tokens),
        ],
        "layout": _layout(rows, columns, size, tokens),
    }


def _fill(
    wells: Sequence[PlateWell], rows: int, columns: int, catalog: Catalog
) -> tuple[list[list[Any]], list[list[Any]]]:
    levels: list[list[Any]] = [[None] * columns for _ in range(rows)]
    words: list[list[Any]] = [[None] * columns for _ in range(rows)]
    signals = [_signal(well) for well in wells]
    known = [math.log10(signal) for signal in signals if signal > 0]
    low, high = min(known, default=0.0), max(known, default=1.0)
    for well, signal in zip(wells, signals, strict=True):
        share = (math.log10(signal) - low) / (high - low or 1.0) if signal > 0 else 0.0
        levels[well.row][well.column] = share
        told = well.told
        words[well.row][well.column] = [
            "well", str(told["plate"]), str(told["analyte"]), str(told["well"]), describe_well(told, catalog),
        ]  # fmt: skip
    return levels, words


def _signal(well: PlateWell) -> float:
    return to_float(well.told["signal"])


def describe_well(told: Mapping[str, Any], catalog: Catalog) -> str:
    """Say one well: where, what it holds, its signal and what came of it."""
    role = catalog.text(f"plates.role.{told['role']}")
    who = " ".join(str(told[name]) for name in ("subject_id", "visit") if told[name]) or str(told["name"])
    value = to_float(told["value"])
    result = (
        f"{format_number(value)} {write_unit(str(told['unit']))}"
        if math.isfinite(value)
        else catalog.text(f"status.{told['status']}")
        if told["status"]
        else ""
    )
    signal = catalog.text("plates.signal", signal=format_number(to_float(told["signal"])))
    return " · ".join(part for part in (str(told["well"]), role, who, signal, result) if part)


def _draw_signal(levels: list[list[Any]], words: list[list[Any]], tokens: Tokens) -> Piece:
    steps = [tokens.panel, *tokens.density[1:]]
    scale = [[place / (len(steps) - 1), colour] for place, colour in enumerate(steps)]
    return {
        "type": "heatmap", "xaxis": "x", "yaxis": "y", "x": list(range(len(levels[0]))),
        "y": list(range(len(levels))), "z": levels, "zmin": 0, "zmax": 1, "colorscale": scale,
        "showscale": False, "xgap": 2, "ygap": 2, "customdata": words, "hoverinfo": "none", "name": "wells",
        "hoverongaps": False,
    }  # fmt: skip


def _draw_letters(
    wells: Sequence[PlateWell], levels: list[list[Any]], room_px: float, tokens: Tokens
) -> Piece:
    """Write what is in each well: a letter for what calibrates, the sample where it has room."""
    texts = [(well, text) for well in wells if (text := _label(well, room_px))]
    steps = [tokens.panel, *tokens.density[1:]]
    inks = [ink_on(steps[round(levels[w.row][w.column] * (len(steps) - 1))]) for w, _ in texts]
    return {
        "type": "scatter", "mode": "text", "xaxis": "x", "yaxis": "y", "showlegend": False, "name": "roles",
        "x": [well.column for well, _ in texts], "y": [well.row for well, _ in texts], "hoverinfo": "skip",
        "text": [escape_markup(text) for _, text in texts],
        "textfont": {**font(FONT_TICK, tokens.ink), "color": inks},
    }  # fmt: skip


def _label(well: PlateWell, room_px: float) -> str:
    told = well.told
    letter = ROLES.get(str(told["role"]), "")
    if letter:
        number = re.search(r"\d+$", str(told["name"]))
        return f"{letter}{number.group(0)}" if number and len(number.group(0)) <= 2 else letter
    who = " ".join(str(told[name]) for name in ("subject_id", "visit") if told[name])
    return shorten(who or str(told["name"]), FONT_TICK, room_px - 8) if room_px >= NAMED_PX else ""


def _draw_flags(wells: Sequence[PlateWell], tokens: Tokens) -> Piece:
    flagged = [well for well in wells if str(well.told["flags"]).replace("ANCHOR", "").strip()]
    return {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": "y", "showlegend": False,
        "x": [well.column + 0.3 for well in flagged], "y": [well.row - 0.28 for well in flagged],
        "marker": {
            "symbol": "x-thin-open", "size": 6, "color": tokens.fail, "opacity": 1,
            "line": {"color": tokens.fail, "width": 2},
        },
        "hoverinfo": "skip", "name": "flags",
    }  # fmt: skip


def _layout(rows: int, columns: int, size: tuple[int, int], tokens: Tokens) -> Piece:
    axis: Piece = {
        "fixedrange": True, "showgrid": False, "zeroline": False, "ticks": "", "tickmode": "array",
        "tickfont": font(FONT_LABEL, tokens.ink_2), "tickangle": 0,
    }  # fmt: skip
    return {
        "template": None, "width": size[0], "height": size[1], "autosize": False, "margin": dict(MARGIN),
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "showlegend": False,
        "font": font(FONT_LABEL, tokens.ink_2), "hovermode": "closest", "dragmode": False,
        "uirevision": "plate",
        "xaxis": {
            **axis, "range": [-0.5, columns - 0.5], "side": "top", "tickvals": list(range(columns)),
            "ticktext": [str(number + 1) for number in range(columns)],
        },
        "yaxis": {
            **axis, "range": [rows - 0.5, -0.5], "tickvals": list(range(rows)),
            "ticktext": [chr(ord("A") + number) for number in range(rows)],
        },
    }  # fmt: skip
