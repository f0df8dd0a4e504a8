"""All children's curves of one analyte, the dose groups side by side on one scale."""

import math
from collections.abc import Mapping, Sequence
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
from corelab.figures.cohort_data import (
    Curve,
    build_curves,
    list_arms,
    nominal_day,
    select_group,
    summarise_visits,
)
from corelab.figures.cohort_marks import COUNT_ROW_PX, LANE_PX, Facet, arm_colour, draw_end_labels, draw_facet
from corelab.figures.kinetics_by_dose import summarise_kinetics_by_dose
from corelab.figures.log_gutter import LogGutter, build_log_gutter, compute_ticks
from corelab.figures.numbers import format_exact, format_number
from corelab.figures.panel import SEAM_PX, Piece, box, font, linear_axis, note, rule
from corelab.figures.persistence_bars import persistence_bars_figure
from corelab.figures.tokens import (
    ARM_GLYPHS,
    DASH_LLOQ,
    FONT_LABEL,
    FONT_TABLE,
    FONT_TICK,
    SCHEMES,
    Scheme,
    Tokens,
)

__all__ = ["cohort_figure", "persistence_bars_figure", "summarise_kinetics_by_dose"]

LEFT_PX: Final = 58.0
RIGHT_PX: Final = 16.0
HEAD_PX: Final = 42.0
GUTTER_PX: Final = 30.0
COUNTS_PX: Final = 34.0
FACET_GAP: Final = 0.034
LEAST: Final[Mapping[str, tuple[float, float]]] = {
    "CAR_VCN_UG": (20.0, 100_000.0), "CAR_ABS": (0.2, 500.0), "CAR_PCT_CD3": (0.15, 60.0),
    "CAR_PCT_LYM": (0.15, 60.0),
}  # fmt: skip


def cohort_figure(  # noqa: PLR0913 - the page's own choices, all of them by keyword
    tables: Mapping[str, pd.DataFrame],
    *,
    analyte: str,
    scheme: Scheme,
    highlight: str,
    width: int,
    height: int,
    catalog: Catalog,
) -> dict[str, Any]:
    """Return the curves of an analyte, low and high dose side by side with one y axis.

    Parameters
    ----------
    tables
        ``subjects`` and ``persistence`` of a snapshot.
    analyte
        ``CAR_VCN_UG``, ``CAR_ABS``, ``CAR_PCT_CD3`` or ``CAR_PCT_LYM``.
    highlight
        Subject drawn in ink, or empty.
    width, height
        Outer size in px.
    scheme, catalog
        Colours and words.

    Notes
    -----
    Each mark and line has ``customdata`` ``[subject_id, analyte, visit_label, collected_at]``. A median
    stands only on at least five children; what is below LLOQ ranks lowest.
    """
    tokens = SCHEMES[scheme]
    curves = build_curves(tables, analyte)
    if not any(curve.samples for curve in curves):
        return _draw_nothing(width=width, height=height, tokens=tokens, catalog=catalog)
    axis = _build_axis(curves, analyte, height)
    span = _build_span(curves, (width - LEFT_PX - RIGHT_PX) * (1 - FACET_GAP) / 2)
    ticks = _list_ticks(curves)
    shown = frozenset(select_labels(ticks, span))
    facets = [
        Facet(
            arm=arm, curves=group, visits=summarise_visits(group), number=number, axis=axis, span=span,
            shown=shown, analyte=analyte, highlight=highlight,
        )
        for number, arm in enumerate(list_arms(), start=1)
        for group in (select_group(curves, arm),)
    ]  # fmt: skip
    doses = _read_doses(tables["subjects"])
    data: list[Piece] = []
    shapes: list[Piece] = []
    notes: list[Piece] = []
    for facet in facets:
        data += draw_facet(facet, tokens)
        shapes += _draw_ground(facet, tokens)
        notes += _draw_words(facet, tokens, catalog, dose=doses.get(facet.arm, math.nan))
        notes += draw_end_labels(facet, tokens)
    return {
        "data": data,
        "layout": {
            **_layout(width, height, tokens),
            **_axes(facets, ticks, tokens, catalog),
            "shapes": shapes,
            "annotations": notes,
        },
    }


def _build_axis(curves: Sequence[Curve], analyte: str, height: int) -> LogGutter:
    values = [sample.value for curve in curves for sample in curve.samples if not sample.is_below]
    limits = [sample.lloq for curve in curves for sample in curve.samples]
    low, high = LEAST[analyte]
    return build_log_gutter(
        [*values, *limits], height_px=height - HEAD_PX, least=(low, high), gutter_px=GUTTER_PX + COUNTS_PX
    )


def _build_span(curves: Sequence[Curve], width_px: float) -> ClockSpan:
    last = max(sample.day for curve in curves for sample in curve.samples)
    span = compute_span([], right_day=max(last, 28.0), width_px=width_px)
    return ClockSpan(left=-span.units(14), right=span.right, width_px=width_px)


def _read_doses(subjects: pd.DataFrame) -> dict[str, float]:
    doses = subjects.dropna(subset=["planned_dose_per_kg"]).groupby("arm")["planned_dose_per_kg"].first()
    return {str(arm): float(dose) for arm, dose in doses.items()}


def _draw_ground(facet: Facet, tokens: Tokens) -> list[Piece]:
    axis, span = facet.axis, facet.span
    whole = (span.left, span.right)
    foot = axis.below(GUTTER_PX)
    shapes = [
        box(
            f"{facet.y} domain",
            (0, 1),
            (0, 1),
            xref=f"{facet.x} domain",
            fillcolor=tokens.zone,
            layer="below",
        ),
        box(facet.y, whole, (foot, axis.floor), xref=facet.x, fillcolor=tokens.gutter),
        box(facet.y, whole, (axis.bottom, foot), xref=facet.x, fillcolor=tokens.zone),
    ]
    if math.isfinite(facet.limit):
        height = axis.height(facet.limit)
        shapes.append(rule(facet.y, height, span, colour=tokens.muted, dash=DASH_LLOQ, xref=facet.x))
    if span.right > MONTH_SEAM:
        seam = {"xsizemode": "pixel", "xanchor": MONTH_SEAM, "fillcolor": tokens.body}
        ends = (-SEAM_PX / 2, SEAM_PX / 2)
        shapes.append(box(facet.y, ends, (axis.bottom, axis.top), xref=facet.x, **seam))
    line = {"color": tokens.ink_2, "width": 1}
    shapes.append(box(facet.y, (0, 0), (axis.floor, axis.top), xref=facet.x, type="line", line=line))
    return shapes


def _draw_words(facet: Facet, tokens: Tokens, catalog: Catalog, *, dose: float) -> list[Piece]:
    colour = arm_colour(facet.arm, tokens)
    name = catalog.text("cohort.group", glyph=ARM_GLYPHS[facet.arm], arm=catalog.text(f"arm.{facet.arm}"))
    n = len(facet.curves)
    detail = (
        catalog.text("cohort.group_detail_no_dose", n=n)
        if math.isnan(dose)
        else catalog.text("cohort.group_detail", dose=_format_dose(dose), n=n)
    )
    domain = f"{facet.x} domain"
    title = note(
        f"<b>{name}</b>  {detail}", xref=domain, yref="paper", at=(0.0, 1.0), yanchor="top",
        font=font(FONT_TABLE, colour),
    )  # fmt: skip
    if facet.curves:
        return [title]
    empty = note(
        catalog.text("cohort.empty_group"), xref=domain, yref=f"{facet.y} domain", at=(0.5, 0.5),
        xanchor="center", font=font(FONT_LABEL, tokens.muted),
    )  # fmt: skip
    return [title, empty]


def _format_dose(dose: float) -> str:
    exponent = math.floor(math.log10(dose))
    mantissa = format_number(dose / 10**exponent, digits=1)
    return mantissa + "×10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _layout(width: int, height: int, tokens: Tokens) -> Piece:
    return {
        "template": None, "width": width, "height": height, "autosize": False,
        "margin": {"l": LEFT_PX, "r": RIGHT_PX, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": tokens.body,
        "plot_bgcolor": "rgba(0,0,0,0)", "font": font(FONT_LABEL, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "hoverdistance": 24, "dragmode": "zoom", "uirevision": "cohort",
    }  # fmt: skip


def _axes(facets: Sequence[Facet], ticks: Sequence[VisitTick], tokens: Tokens, catalog: Catalog) -> Piece:
    span = facets[0].span
    height = facets[0].axis.height_px + HEAD_PX
    vertical = [0.0, 1.0 - HEAD_PX / height]
    axes: Piece = {}
    for facet, domain in zip(facets, ([0.0, 0.5 - FACET_GAP / 2], [0.5 + FACET_GAP / 2, 1.0]), strict=True):
        suffix = "" if facet.number == 1 else str(facet.number)
        axes[f"xaxis{suffix}"] = {
            "domain": domain, "range": [span.left, span.right], "minallowed": span.left,
            "maxallowed": span.right, "anchor": facet.y, "side": "top", "showgrid": True,
            "gridcolor": tokens.grid, "zeroline": False, "ticks": "outside", "ticklen": 3,
            "tickcolor": tokens.border, "tickangle": 0, "tickfont": font(FONT_TICK, tokens.ink_2),
            **_visit_ticks(ticks, facets[0].shown),
        }  # fmt: skip
        axes[f"yaxis{suffix}"] = {**_y_axis(facet, tokens, catalog), "domain": vertical, "anchor": facet.x}
    return axes


def _list_ticks(curves: Sequence[Curve]) -> list[VisitTick]:
    visits = {sample.visit for curve in curves for sample in curve.samples}
    days = sorted((nominal_day(visit), visit) for visit in visits if math.isfinite(nominal_day(visit)))
    return [VisitTick(label=visit, day=day, is_due=True) for day, visit in days]


def _visit_ticks(ticks: Sequence[VisitTick], shown: frozenset[str]) -> Piece:
    return {
        "tickmode": "array", "tickvals": [clock_position(tick.day) for tick in ticks],
        "ticktext": [tick.label if tick.label in shown else "" for tick in ticks],
    }  # fmt: skip


def _y_axis(facet: Facet, tokens: Tokens, catalog: Catalog) -> Piece:
    ticks, labels = compute_ticks(facet.axis)
    lanes = [facet.axis.below(px) for px in (LANE_PX[0], *COUNT_ROW_PX)]
    words = [catalog.text(f"cohort.{key}") for key in ("below", "at_least_lloq", "of_n")]
    if math.isfinite(facet.limit):
        ticks, labels = _add_limit(facet.axis, ticks, labels, facet.limit, catalog)
    axis = linear_axis(
        facet.axis.bottom,
        facet.axis.top,
        ticks=[*ticks, *lanes],
        labels=[*labels, *words],
        tokens=tokens,
    )
    return {**axis, "showticklabels": facet.number == 1, "showgrid": True}


def _add_limit(
    axis: LogGutter, ticks: list[float], labels: list[str], limit: float, catalog: Catalog
) -> tuple[list[float], list[str]]:
    """Name the limit on the axis where no decade's label stands close."""
    height = axis.height(limit)
    close = any(
        label and abs(height - tick) < 12 * axis.units_per_px
        for tick, label in zip(ticks, labels, strict=True)
    )
    text = "" if close else catalog.text("cohort.lloq", value=format_exact(limit))
    return [*ticks, height], [*labels, text]


def _draw_nothing(*, width: int, height: int, tokens: Tokens, catalog: Catalog) -> dict[str, Any]:
    words = note(
        catalog.text("cohort.empty"), xref="paper", yref="paper", at=(0.5, 0.6), xanchor="center",
        font=font(FONT_LABEL + 2, tokens.ink_2),
    )  # fmt: skip
    hidden = {"visible": False, "fixedrange": True}
    layout = {**_layout(width, height, tokens), "xaxis": hidden, "yaxis": hidden, "annotations": [words]}
    return {"data": [], "layout": layout}
