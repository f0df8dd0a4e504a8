"""One bar a child: quantified until when, lost by when, observed for how long."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.clock import (
    MONTH_SEAM,
    ClockSpan,
    VisitTick,
    clock_position,
    compute_span,
    select_labels,
)
from corelab.figures.cohort_data import Curve, build_curves, nominal_day
from corelab.figures.course import to_float
from corelab.figures.panel import SEAM_PX, Piece, box, font, linear_axis, note
from corelab.figures.tokens import FONT_LABEL, FONT_TICK, SCHEMES, Scheme, Tokens, with_alpha

LEFT_PX: Final = 66.0
RIGHT_PX: Final = 20.0
HEAD_PX: Final = 24.0
FOOT_PX: Final = 4.0
NAME_STEP_PX: Final = 11.0
BAR_AT_MOST_PX: Final = 13.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistenceBar:
    """One child in days from infusion: quantified to ``solid``, lost by ``pale``, observed to ``observed``.

    ``pale`` is NaN while the analyte is still quantified (right-censored).
    """

    subject_id: str
    arm: str
    solid: float
    pale: float
    observed: float

    @property
    def is_censored(self) -> bool:
        """Whether loss was not seen."""
        return math.isnan(self.pale)


def build_bars(tables: Mapping[str, pd.DataFrame], analyte: str) -> tuple[PersistenceBar, ...]:
    """Return the bars of all children with a persistence, high dose first, longest first.

    Reads ``PERSIST`` of ``kinetics``: its value is the last quantified day, its upper bound the first
    confirming sample below LLOQ, empty where right-censored.
    """
    curves = {curve.subject_id: curve for curve in build_curves(tables, analyte)}
    kinetics = tables["kinetics"]
    rows = kinetics[(kinetics["analyte"] == analyte) & (kinetics["parameter"] == "PERSIST")]
    bars = [
        _build_bar(row, curves[str(row["subject_id"])])
        for row in rows.to_dict(orient="records")
        if str(row["subject_id"]) in curves and row["status"] == "quantified"
    ]
    return tuple(sorted(bars, key=lambda bar: (bar.arm != "high", -bar.solid, bar.subject_id)))


def _build_bar(row: Mapping[str, Any], curve: Curve) -> PersistenceBar:
    solid = to_float(row["value"])
    observed = max((sample.day for sample in curve.samples), default=solid)
    return PersistenceBar(
        subject_id=curve.subject_id, arm=curve.arm, solid=solid, pale=to_float(row["high"]),
        observed=max(observed, solid),
    )  # fmt: skip


def persistence_bars_figure(  # noqa: PLR0913 - the page's own choices, all of them by keyword
    tables: Mapping[str, pd.DataFrame],
    *,
    analyte: str,
    scheme: Scheme,
    highlight: str,
    width: int,
    height: int,
    catalog: Catalog,
) -> dict[str, Any]:
    """Return one bar a child: solid to the last quantified sample, pale until loss, a line while observed.

    Parameters are those of `corelab.figures.cohort.cohort_figure`; the tables need ``kinetics`` as well.
    ``customdata`` is ``[subject_id, analyte]``.
    """
    tokens = SCHEMES[scheme]
    bars = build_bars(tables, analyte)
    layout = _layout(width, height, tokens)
    if not bars:
        words = note(
            catalog.text("persistence.empty"), xref="paper", yref="paper", at=(0.5, 0.6), xanchor="center",
            font=font(FONT_LABEL + 1, tokens.ink_2),
        )  # fmt: skip
        hidden = {"visible": False, "fixedrange": True}
        return {"data": [], "layout": {**layout, "xaxis": hidden, "yaxis": hidden, "annotations": [words]}}
    last = max(max(bar.observed, bar.pale if not bar.is_censored else 0.0) for bar in bars)
    span = compute_span([], right_day=max(last, 28.0), width_px=width - LEFT_PX - RIGHT_PX)
    span = ClockSpan(left=-span.units(14), right=span.right, width_px=span.width_px)
    return {
        "data": [
            *_draw_bars(bars, height, tokens, analyte, highlight),
            *_draw_arrows(bars, height, span, tokens, highlight),
        ],
        "layout": {
            **layout,
            "xaxis": _x_axis(tables, analyte, span, tokens),
            "yaxis": _y_axis(bars, height, tokens, highlight),
            "shapes": _draw_ground(bars, span, tokens, highlight),
            "annotations": [],
        },
    }


def _row_px(bars: Sequence[PersistenceBar], height: int) -> float:
    return (height - HEAD_PX - FOOT_PX) / len(bars)


def _colour(bar: PersistenceBar, tokens: Tokens, highlight: str) -> str:
    if bar.subject_id == highlight:
        return tokens.ink
    return tokens.low if bar.arm == "low" else tokens.high


def _draw_bars(
    bars: Sequence[PersistenceBar], height: int, tokens: Tokens, analyte: str, highlight: str
) -> list[Piece]:
    rows = list(range(len(bars)))
    colours = [_colour(bar, tokens, highlight) for bar in bars]
    solid = [clock_position(bar.solid) for bar in bars]
    pale = [
        0.0 if bar.is_censored else max(clock_position(bar.pale) - end, 0.0)
        for bar, end in zip(bars, solid, strict=True)
    ]
    common: Piece = {
        "type": "bar", "orientation": "h", "xaxis": "x", "yaxis": "y", "y": rows, "showlegend": False,
        "hoverinfo": "none", "customdata": [[bar.subject_id, analyte] for bar in bars],
        "width": min(0.72, BAR_AT_MOST_PX / _row_px(bars, height)),
    }  # fmt: skip
    return [
        {
            **common, "base": 0, "x": solid, "name": "quantified",
            "marker": {"color": colours, "line": {"width": 0}},
        },
        {
            **common, "base": solid, "x": pale, "name": "until loss",
            "marker": {"color": [with_alpha(colour, 0.30) for colour in colours], "line": {"width": 0}},
        },
    ]  # fmt: skip


def _draw_arrows(
    bars: Sequence[PersistenceBar], height: int, span: ClockSpan, tokens: Tokens, highlight: str
) -> list[Piece]:
    """Mark the bars whose end was not seen."""
    still = [(row, bar) for row, bar in enumerate(bars) if bar.is_censored]
    if not still:
        return []
    return [
        {
            "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": "y", "showlegend": False,
            "x": [clock_position(bar.solid) + span.units(8) for _, bar in still],
            "y": [row for row, _ in still],
            "marker": {
                "symbol": "triangle-right", "size": min(8.0, 1.6 * _row_px(bars, height)), "opacity": 1,
                "color": [_colour(bar, tokens, highlight) for _, bar in still],
            },
            "hoverinfo": "skip", "name": "still quantified",
        }
    ]  # fmt: skip


def _draw_ground(
    bars: Sequence[PersistenceBar], span: ClockSpan, tokens: Tokens, highlight: str
) -> list[Piece]:
    ends = (len(bars) - 0.4, -0.6)
    half = SEAM_PX / 2
    shapes = [box("y domain", (0, 1), (0, 1), xref="x domain", fillcolor=tokens.zone, layer="below")]
    line = {"color": tokens.context, "width": 1}
    for row, bar in enumerate(bars):
        shapes.append(box("y", (0, clock_position(bar.observed)), (row, row), type="line", line=line))
    if span.right > MONTH_SEAM:
        shapes.append(
            box("y", (-half, half), ends, xsizemode="pixel", xanchor=MONTH_SEAM, fillcolor=tokens.body)
        )
    shapes.append(box("y", (0, 0), ends, type="line", line={"color": tokens.ink, "width": 1.5}))
    return shapes


def _layout(width: int, height: int, tokens: Tokens) -> Piece:
    return {
        "template": None, "width": width, "height": height, "autosize": False,
        "margin": {"l": LEFT_PX, "r": RIGHT_PX, "t": HEAD_PX, "b": FOOT_PX, "pad": 0},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": font(FONT_LABEL, tokens.ink_2), "showlegend": False, "hovermode": "closest",
        "barmode": "overlay", "dragmode": False, "uirevision": "persistence",
    }  # fmt: skip


def _x_axis(tables: Mapping[str, pd.DataFrame], analyte: str, span: ClockSpan, tokens: Tokens) -> Piece:
    visits = {sample.visit for curve in build_curves(tables, analyte) for sample in curve.samples}
    days = sorted((nominal_day(visit), visit) for visit in visits if math.isfinite(nominal_day(visit)))
    ticks = [VisitTick(label=visit, day=day, is_due=True) for day, visit in days]
    shown = select_labels(ticks, span)
    return {
        "range": [span.left, span.right], "side": "top", "showgrid": True, "gridcolor": tokens.grid,
        "zeroline": False, "fixedrange": True, "ticks": "", "tickangle": 0, "tickmode": "array",
        "tickvals": [clock_position(tick.day) for tick in ticks], "tickfont": font(FONT_TICK, tokens.ink_2),
        "ticktext": [tick.label if tick.label in shown else "" for tick in ticks],
    }  # fmt: skip


def _y_axis(bars: Sequence[PersistenceBar], height: int, tokens: Tokens, highlight: str) -> Piece:
    """Name every child where there is room for a line of text each, else only the chosen one."""
    room = _row_px(bars, height)
    names = [bar.subject_id if room >= NAME_STEP_PX or bar.subject_id == highlight else "" for bar in bars]
    axis = linear_axis(len(bars) - 0.4, -0.6, ticks=list(range(len(bars))), labels=names, tokens=tokens)
    return {**axis, "showgrid": False}
