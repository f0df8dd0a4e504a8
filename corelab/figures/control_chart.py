"""Levey-Jennings: each control over the runs, against the spread of its lot or its nominal value."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.course import to_float
from corelab.figures.forest import draw_words
from corelab.figures.numbers import escape_markup, format_exact, format_number
from corelab.figures.panel import Piece, font, linear_axis, note
from corelab.figures.tokens import DASH_THRESHOLD, FONT_LABEL, FONT_TABLE, FONT_TICK, SCHEMES, Scheme, Tokens

LEFT_PX: Final = 46.0
GAP_PX: Final = 22.0
TITLE_PX: Final = 24.0
FOOT_PX: Final = 30.0
PANEL_PX: Final = 180.0
MOST: Final = 12
SIGMAS: Final = (-3.0, -2.0, 0.0, 2.0, 3.0)
TOLERANCE: Final = (80.0, 100.0, 120.0)
"""Recovery in percent that a control is drawn against while its lot has too few runs for a spread."""
SYMBOLS: Final[Mapping[str, str]] = {
    "in_control": "circle", "warning": "triangle-up", "out_of_control": "x-thin-open",
    "not_evaluable": "circle-open",
}  # fmt: skip
COLOURS: Final[Mapping[str, str]] = {
    "in_control": "ink", "warning": "warn", "out_of_control": "fail", "not_evaluable": "ink_2",
}  # fmt: skip


def control_chart_figure(
    controls: pd.DataFrame, *, analyte: str, size: tuple[int, int], scheme: Scheme, catalog: Catalog
) -> dict[str, Any]:
    """Return a panel for each control of an analyte: deviations where its lot has a spread, else recovery.

    Notes
    -----
    Marks have ``customdata`` ``[control, plate, analyte, level, sentence]``.
    """
    tokens = SCHEMES[scheme]
    rows = controls[(controls["analyte"] == analyte) & controls["nominal"].notna()]
    levels = list(dict.fromkeys(rows["level"]))[:MOST]
    if not levels:
        return draw_words(catalog.text("controls.empty"), width=size[0], height=160, tokens=tokens)
    columns = min(len(levels), max(1, int(size[0] // 380)))
    lines = math.ceil(len(levels) / columns)
    panel_px = max(PANEL_PX, min(size[1] / lines, 300.0))
    height = math.ceil(panel_px * lines)
    width = (size[0] - GAP_PX * (columns - 1)) / columns
    layout: Piece = _layout((size[0], height), tokens)
    data: list[Piece] = []
    notes: list[Piece] = []
    shapes: list[Piece] = []
    for number, level in enumerate(levels):
        found = rows[rows["level"] == level].sort_values(["run_at", "plate"]).to_dict(orient="records")
        left = (number % columns) * (width + GAP_PX) + LEFT_PX
        top = (number // columns) * panel_px
        place = _Place(
            number=number, x=(left, left + width - LEFT_PX), y=(top + TITLE_PX, top + panel_px - FOOT_PX)
        )
        has_z = any(math.isfinite(to_float(row["z"])) for row in found)
        layout |= _axes(place, found, has_z=has_z, size=(size[0], height), tokens=tokens)
        shapes += _draw_lines(place, has_z=has_z, tokens=tokens)
        data.append(_draw_runs(place, found, has_z=has_z, look=(tokens, catalog)))
        notes.append(_draw_title(place, level, found, (size[0], height), (tokens, catalog)))
    return {"data": data, "layout": {**layout, "annotations": notes, "shapes": shapes}}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a panel lies in px from left and top."""

    number: int
    x: tuple[float, float]
    y: tuple[float, float]

    @property
    def suffix(self) -> str:
        return "" if self.number == 0 else str(self.number + 1)


def _layout(size: tuple[int, int], tokens: Tokens) -> Piece:
    return {
        "template": None, "width": size[0], "height": size[1], "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": tokens.zone, "font": font(FONT_LABEL, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "hoverdistance": 14, "dragmode": False, "uirevision": "controls",
    }  # fmt: skip


def _value(row: Mapping[str, Any], *, has_z: bool) -> float:
    return to_float(row["z"] if has_z else row["recovery_percent"])


def _axes(
    place: _Place, rows: Sequence[Mapping[str, Any]], *, has_z: bool, size: tuple[int, int], tokens: Tokens
) -> Piece:
    values = [value for row in rows if math.isfinite(value := _value(row, has_z=has_z))]
    ticks = SIGMAS if has_z else TOLERANCE
    edge = 0.6 if has_z else 12.0
    low, high = min(*values, *ticks) - edge, max(*values, *ticks) + edge
    labels = [format_exact(tick) for tick in ticks]
    return {
        f"xaxis{place.suffix}": {
            "domain": [place.x[0] / size[0], place.x[1] / size[0]], "anchor": f"y{place.suffix}",
            "range": [-0.6, max(len(rows), 6) - 0.4], "tickmode": "array", "fixedrange": True,
            "tickvals": list(range(len(rows))), "ticktext": [escape_markup(str(r["plate"])) for r in rows],
            "tickfont": font(FONT_TICK, tokens.ink_2), "showgrid": False, "zeroline": False, "ticks": "",
            "tickangle": 0 if len(rows) <= 8 else -90,
        },
        f"yaxis{place.suffix}": {
            **linear_axis(low, high, ticks=ticks, labels=labels, tokens=tokens), "showgrid": False,
            "domain": [1 - place.y[1] / size[1], 1 - place.y[0] / size[1]], "anchor": f"x{place.suffix}",
        },
    }  # fmt: skip


def _draw_lines(place: _Place, *, has_z: bool, tokens: Tokens) -> list[Piece]:
    """Draw the centre, and the limits of warning and rejection or of tolerance."""
    looks = {0.0: ("ink_2", "solid"), 2.0: ("warn", DASH_THRESHOLD), 3.0: ("fail", DASH_THRESHOLD)}
    ends = {100.0: ("ink_2", "solid")}
    lines = []
    for at in SIGMAS if has_z else TOLERANCE:
        name, dash = looks[abs(at)] if has_z else ends.get(at, ("warn", DASH_THRESHOLD))
        lines.append(
            {
                "type": "line", "xref": f"x{place.suffix} domain", "yref": f"y{place.suffix}",
                "x0": 0, "x1": 1, "y0": at, "y1": at, "layer": "below",
                "line": {"color": getattr(tokens, name), "width": 1, "dash": dash},
            }
        )  # fmt: skip
    return lines


def _draw_runs(
    place: _Place, rows: Sequence[Mapping[str, Any]], *, has_z: bool, look: tuple[Tokens, Catalog]
) -> Piece:
    tokens, catalog = look
    known = [(at, row) for at, row in enumerate(rows) if math.isfinite(_value(row, has_z=has_z))]
    verdicts = [str(row["verdict"]) for _, row in known]
    colours = [getattr(tokens, COLOURS[verdict]) for verdict in verdicts]
    return {
        "type": "scatter", "mode": "lines+markers", "xaxis": f"x{place.suffix}", "yaxis": f"y{place.suffix}",
        "x": [at for at, _ in known], "y": [_value(row, has_z=has_z) for _, row in known],
        "line": {"color": tokens.context, "width": 1}, "showlegend": False, "name": "runs",
        "marker": {
            "symbol": [SYMBOLS[verdict] for verdict in verdicts], "size": 8, "color": colours, "opacity": 1,
            "line": {"color": colours, "width": 1.8},
        },
        "customdata": [
            ["control", *(str(row[name]) for name in ("plate", "analyte", "level")), _say(row, catalog)]
            for _, row in known
        ],
        "hoverinfo": "none", "cliponaxis": False,
    }  # fmt: skip


def _say(row: Mapping[str, Any], catalog: Catalog) -> str:
    return catalog.text(
        "controls.said", plate=row["plate"], level=row["level"], rules=row["rules"] or "",
        verdict=catalog.text(f"controls.{row['verdict']}"),
        recovery=format_number(to_float(row["recovery_percent"])),
    ).strip(" ·")  # fmt: skip


def _draw_title(
    place: _Place,
    level: str,
    rows: Sequence[Mapping[str, Any]],
    size: tuple[int, int],
    look: tuple[Tokens, Catalog],
) -> Piece:
    tokens, catalog = look
    has_z = any(math.isfinite(to_float(row["z"])) for row in rows)
    key = "controls.by_lot" if has_z else "controls.by_nominal"
    told = catalog.text(key, nominal=format_number(to_float(rows[0]["nominal"])), unit=rows[0]["unit"])
    return note(
        f"<b>{escape_markup(level)}</b>  {escape_markup(told)}", xref="paper", yref="paper",
        at=(place.x[0] / size[0], 1 - (place.y[0] - 4) / size[1]), yanchor="bottom",
        font=font(FONT_TABLE, tokens.ink),
    )  # fmt: skip
