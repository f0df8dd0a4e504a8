"""A standard curve with its band and limits, what it rests on, and the samples on it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.course import to_float
from corelab.figures.forest import draw_words
from corelab.figures.log_gutter import LogGutter, build_log_gutter, compute_ticks
from corelab.figures.numbers import escape_markup, format_number
from corelab.figures.panel import Piece, font, linear_axis, note
from corelab.figures.plate_map import describe_well
from corelab.figures.screening_cell import write_unit
from corelab.figures.tokens import DASH_LLOQ, FONT_LABEL, FONT_TICK, SCHEMES, Scheme, Tokens, with_alpha

LEFT_PX: Final = 48.0
RIGHT_PX: Final = 10.0
HEAD_PX: Final = 22.0
FOOT_PX: Final = 36.0
KINDS: Final = ("standard", "qc", "unknown")


def standard_curve_figure(
    tables: Mapping[str, pd.DataFrame],
    *,
    plate: str,
    analyte: str,
    size: tuple[int, int],
    look: tuple[Scheme, Catalog],
) -> dict[str, Any]:
    """Return the curve of one analyte on log axes, both limits drawn and named.

    Parameters
    ----------
    tables
        ``plate_curves``, ``plate_curve_points`` and ``plate_wells``.

    Notes
    -----
    Marks have ``customdata`` ``[well, plate, analyte, well, sentence]``. Samples stand where the curve puts
    their response, dilution taken out again; they are not below it or above it.
    """
    scheme, catalog = look
    tokens = SCHEMES[scheme]
    points = _select(tables["plate_curve_points"], plate, analyte)
    curves = _select(tables["plate_curves"], plate, analyte)
    wells = _select(tables["plate_wells"], plate, analyte)
    if not points or not curves:
        reason = str(curves[0]["reason"]) if curves else catalog.text("plates.no_curve")
        return draw_words(reason, width=size[0], height=size[1], tokens=tokens)
    marks = {kind: [place for row in wells if (place := _place(row, kind))] for kind in KINDS}
    spots = [spot for places in marks.values() for spot in places]
    x_axis = _build_axis([x for x, _, _ in spots] + [to_float(p["concentration"]) for p in points], size[0])
    y_axis = _build_axis([y for _, y, _ in spots] + [to_float(p["response"]) for p in points], size[1])
    axes = (x_axis, y_axis)
    return {
        "data": [
            *_draw_band(points, axes, tokens),
            _draw_curve(points, axes, tokens),
            *(_draw_marks(kind, marks[kind], axes, tokens, catalog) for kind in KINDS),
        ],
        "layout": _layout(curves[0], axes, size, tokens, catalog),
    }


def _select(table: pd.DataFrame, plate: str, analyte: str) -> list[dict[str, Any]]:
    kept = table[(table["plate"] == plate) & (table["analyte"] == analyte)]
    rows: list[dict[str, Any]] = kept.to_dict(orient="records")
    return rows


def _place(row: Mapping[str, Any], kind: str) -> tuple[float, float, Mapping[str, Any]] | None:
    """Return where a well of a kind stands on the curve: standards at what they should be."""
    if str(row["role"]) != kind:
        return None
    dilution = to_float(row["dilution"])
    known = to_float(row["nominal"]) if kind != "unknown" else math.nan
    told = known if known > 0 else to_float(row["calculated"])
    # Both hold for the specimen; the curve is that of what was in the well.
    x = told / (dilution if dilution > 0 else 1.0)
    y = to_float(row["signal"])
    return (x, y, row) if x > 0 and y > 0 else None


def _build_axis(values: Sequence[float], length_px: int) -> LogGutter:
    known = [value for value in values if value > 0]
    return build_log_gutter(
        known, height_px=float(length_px), least=(min(known, default=1.0), max(known, default=10.0)),
        gutter_px=1.0,
    )  # fmt: skip


Axes = tuple[LogGutter, LogGutter]


def _draw_band(points: Sequence[Mapping[str, Any]], axes: Axes, tokens: Tokens) -> list[Piece]:
    known = [
        (to_float(p["concentration"]), to_float(p["response_low"]), to_float(p["response_high"]))
        for p in points
    ]
    known = [(x, low, high) for x, low, high in known if x > 0 and high > 0]
    if not known:
        return []
    x = [axes[0].height(value) for value, _, _ in known]
    low = [axes[1].height(max(bound, 10.0 ** axes[1].floor)) for _, bound, _ in known]
    high = [axes[1].height(bound) for _, _, bound in known]
    return [
        {
            "type": "scatter", "mode": "lines", "x": [*x, *reversed(x)], "y": [*high, *reversed(low)],
            "fill": "toself", "fillcolor": with_alpha(tokens.action, 0.16), "line": {"width": 0},
            "hoverinfo": "skip", "showlegend": False, "name": "band",
        }
    ]  # fmt: skip


def _draw_curve(points: Sequence[Mapping[str, Any]], axes: Axes, tokens: Tokens) -> Piece:
    """Draw the curve; dotted where it lies outside the limits and gives no number."""
    known = [p for p in points if to_float(p["concentration"]) > 0 and to_float(p["response"]) > 0]
    return {
        "type": "scatter", "mode": "lines", "showlegend": False, "hoverinfo": "skip", "name": "curve",
        "x": [axes[0].height(to_float(p["concentration"])) for p in known],
        "y": [axes[1].height(to_float(p["response"])) for p in known],
        "line": {"color": tokens.ink_2, "width": 1.5},
    }  # fmt: skip


def _draw_marks(
    kind: str,
    places: Sequence[tuple[float, float, Mapping[str, Any]]],
    axes: Axes,
    tokens: Tokens,
    catalog: Catalog,
) -> Piece:
    symbols = {"standard": "circle", "qc": "diamond", "unknown": "line-ns-open"}
    colours = {"standard": tokens.ink, "qc": tokens.action, "unknown": tokens.car_t}
    is_out = [bool(str(row["flags"]).replace("ANCHOR", "").strip()) for _, _, row in places]
    fills = [tokens.zone if out or kind == "qc" else colours[kind] for out in is_out]
    return {
        "type": "scatter", "mode": "markers", "showlegend": False, "name": kind, "hoverinfo": "none",
        "x": [axes[0].height(x) for x, _, _ in places], "y": [axes[1].height(y) for _, y, _ in places],
        "marker": {
            "symbol": symbols[kind], "size": 9 if kind != "unknown" else 7, "color": fills, "opacity": 1,
            "line": {"color": colours[kind], "width": 1.6},
        },
        "customdata": [
            ["well", str(r["plate"]), str(r["analyte"]), str(r["well"]), describe_well(r, catalog)]
            for _, _, r in places
        ],
    }  # fmt: skip


def _layout(
    curve: Mapping[str, Any], axes: Axes, size: tuple[int, int], tokens: Tokens, catalog: Catalog
) -> Piece:
    x_ticks, x_labels = compute_ticks(axes[0])
    y_ticks, y_labels = compute_ticks(axes[1])
    x_axis = linear_axis(axes[0].floor, axes[0].top, ticks=x_ticks, labels=x_labels, tokens=tokens)
    y_axis = linear_axis(axes[1].floor, axes[1].top, ticks=y_ticks, labels=y_labels, tokens=tokens)
    limits = [(name, to_float(curve[name])) for name in ("lod", "lloq", "uloq")]
    drawn = [(name, value) for name, value in limits if value > 0]
    unit = write_unit(str(curve["unit"]))
    return {
        "template": None, "width": size[0], "height": size[1], "autosize": False,
        "margin": {"l": LEFT_PX, "r": RIGHT_PX, "t": HEAD_PX, "b": FOOT_PX, "pad": 0},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": tokens.zone, "showlegend": False,
        "font": font(FONT_LABEL, tokens.ink_2), "hovermode": "closest", "hoverdistance": 12,
        "dragmode": False, "uirevision": "curve", "xaxis": x_axis, "yaxis": y_axis,
        "shapes": [
            {
                "type": "line", "xref": "x", "yref": "paper", "x0": axes[0].height(value),
                "x1": axes[0].height(value), "y0": 0, "y1": 1, "layer": "between",
                "line": {"color": tokens.muted, "width": 1, "dash": DASH_LLOQ},
            }
            for _, value in drawn
        ],
        "annotations": [
            *(
                note(
                    escape_markup(f"{name.upper()} {format_number(value)}"), xref="x", yref="paper",
                    at=(axes[0].height(value), 1.0), yanchor="bottom", font=font(FONT_TICK, tokens.muted),
                    xanchor="center",
                )
                for name, value in drawn
            ),
            note(
                escape_markup(catalog.text("plates.axis", unit=unit)), xref="paper", yref="paper",
                at=(1.0, 0.0), xanchor="right", yshift=-20, font=font(FONT_TICK, tokens.muted),
            ),
        ],
    }  # fmt: skip
