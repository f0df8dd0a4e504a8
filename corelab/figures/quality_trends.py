"""Quality over time: a panel for each thing that is followed, a mark for each tube, a running median."""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from corelab.figures.catalog import Catalog
from corelab.figures.forest import draw_words
from corelab.figures.numbers import escape_markup, format_count, format_exact, format_number
from corelab.figures.panel import Piece, font, linear_axis, note
from corelab.figures.quality_data import Trend, TrendPoint
from corelab.figures.tokens import DASH_THRESHOLD, FONT_LABEL, FONT_TABLE, FONT_TICK, SCHEMES, Scheme, Tokens
from corelab.vocabulary import Level

LEFT_PX: Final = 46.0
GAP_PX: Final = 26.0
TITLE_PX: Final = 30.0
FOOT_PX: Final = 26.0
LEAST_PX: Final = 170.0
NARROWEST_PX: Final = 360.0
MEDIAN_OF: Final = 9
"""Tubes of one running median, those before and after alike."""
ID_SHOWN: Final = 12
"""Digits of a file's id: thousands of marks are sent, and so many tell the files of a trial apart."""
MONTH_DAYS: Final = 30.4
SYMBOLS: Final = {Level.PASS: "circle", Level.WARN: "triangle-up", Level.FAIL: "x-thin-open"}
COLOURS: Final = {Level.PASS: "ink_2", Level.WARN: "warn", Level.FAIL: "fail"}
SIZES: Final = {Level.PASS: 5, Level.WARN: 7, Level.FAIL: 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a panel lies, in px from left and top of a figure of a size."""

    number: int
    x: tuple[float, float]
    y: tuple[float, float]
    size: tuple[int, int]

    @property
    def suffix(self) -> str:
        return "" if self.number == 0 else str(self.number + 1)


def quality_trends_figure(
    trends: Sequence[Trend], *, size: tuple[int, int], scheme: Scheme, catalog: Catalog
) -> dict[str, Any]:
    """Return the panels, all over the same days.

    Notes
    -----
    Marks have ``customdata`` ``["tube", start of the file id, what is followed, sentence]``.
    """
    tokens = SCHEMES[scheme]
    if not trends:
        return draw_words(catalog.text("trends.empty"), width=size[0], height=160, tokens=tokens)
    columns = min(len(trends), max(1, int(size[0] // NARROWEST_PX)), 3)
    lines = math.ceil(len(trends) / columns)
    panel_px = max(LEAST_PX, size[1] / lines)
    size = (size[0], math.ceil(panel_px * lines))
    width = (size[0] - GAP_PX * (columns - 1)) / columns
    days = [point.day for trend in trends for point in trend.points]
    span = (min(days) - 0.02 * (max(days) - min(days)) - 1, max(days) + 0.02 * (max(days) - min(days)) + 1)
    data: list[Piece] = []
    layout, shapes, notes = _layout(size, tokens), [], []
    for number, trend in enumerate(trends):
        left, top = (number % columns) * (width + GAP_PX) + LEFT_PX, (number // columns) * panel_px
        place = _Place(
            number=number, x=(left, left + width - LEFT_PX), y=(top + TITLE_PX, top + panel_px - FOOT_PX),
            size=size,
        )  # fmt: skip
        layout |= _axes(place, trend, span, tokens)
        shapes += _draw_limits(place, trend, tokens)
        data += [_draw_median(place, trend, tokens), _draw_tubes(place, trend, (tokens, catalog))]
        notes.append(_draw_title(place, trend, (tokens, catalog)))
    return {"data": data, "layout": {**layout, "annotations": notes, "shapes": shapes}}


def _layout(size: tuple[int, int], tokens: Tokens) -> Piece:
    return {
        "template": None, "width": size[0], "height": size[1], "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": tokens.zone, "font": font(FONT_LABEL, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "hoverdistance": 10, "dragmode": False, "uirevision": "trends",
    }  # fmt: skip


def _height(trend: Trend, value: float) -> float:
    """Return how high a value is drawn: counts by their power of ten, none on the line of one."""
    return math.log10(max(value, 1.0)) if trend.is_log else value


def _axes(place: _Place, trend: Trend, span: tuple[float, float], tokens: Tokens) -> Piece:
    heights = [_height(trend, value) for value in _list_values(trend)]
    room = 0.08 * (max(heights) - min(heights)) or 1.0
    low, high = min(heights) - room, max(heights) + room
    if trend.is_log:
        ticks = [float(power) for power in range(math.ceil(low), math.floor(high) + 1)]
        labels = [format_count(10**power) for power in ticks]
    else:
        ticks = _choose_ticks(low, high)
        labels = [format_exact(tick) for tick in ticks]
    months = _list_months(span)
    return {
        f"xaxis{place.suffix}": {
            "domain": [place.x[0] / place.size[0], place.x[1] / place.size[0]], "range": list(span),
            "anchor": f"y{place.suffix}", "tickmode": "array", "fixedrange": True,
            "tickvals": [at for at, _ in months], "ticktext": [text for _, text in months],
            "tickfont": font(FONT_TICK, tokens.muted), "gridcolor": tokens.grid, "zeroline": False,
            "ticks": "",
        },
        f"yaxis{place.suffix}": {
            **linear_axis(low, high, ticks=ticks, labels=labels, tokens=tokens), "anchor": f"x{place.suffix}",
            "domain": [1 - place.y[1] / place.size[1], 1 - place.y[0] / place.size[1]],
        },
    }  # fmt: skip


def _list_values(trend: Trend) -> list[float]:
    """List what a panel must have room for: its values, and the limits that lie near them."""
    values = [point.value for point in trend.points]
    return [*values, *(limit.value for limit in trend.limits if limit.value <= 4 * max(values) + 1)]


def _choose_ticks(low: float, high: float) -> list[float]:
    """Choose three to six round numbers."""
    step = 10.0 ** math.floor(math.log10(high - low))
    step = next(step * part for part in (0.2, 0.5, 1.0, 2.0) if (high - low) / (step * part) <= 6)
    return [round(step * n, 9) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _list_months(span: tuple[float, float]) -> list[tuple[float, str]]:
    """List the firsts of months that have room, as days and in figures."""
    first, last = (dt.date(1970, 1, 1) + dt.timedelta(days=day) for day in span)
    every = next(n for n in (1, 2, 3, 6, 12, 24, 60, 600) if (span[1] - span[0]) / MONTH_DAYS / n <= 5)
    months = (dt.date(year, month, 1) for year in range(first.year, last.year + 1) for month in range(1, 13))
    return [
        (float((day - dt.date(1970, 1, 1)).days), f"{day:%Y-%m}")
        for day in months
        if first <= day <= last and (12 * day.year + day.month - 1) % every == 0
    ]


def _draw_limits(place: _Place, trend: Trend, tokens: Tokens) -> list[Piece]:
    return [
        {
            "type": "line", "xref": f"x{place.suffix} domain", "yref": f"y{place.suffix}", "x0": 0, "x1": 1,
            "y0": _height(trend, limit.value), "y1": _height(trend, limit.value), "layer": "below",
            "line": {"color": getattr(tokens, COLOURS[limit.level]), "width": 1, "dash": DASH_THRESHOLD},
        }
        for limit in trend.limits
        if limit.value in _list_values(trend)
    ]  # fmt: skip


def _draw_median(place: _Place, trend: Trend, tokens: Tokens) -> Piece:
    heights = np.array([_height(trend, point.value) for point in trend.points])
    half = MEDIAN_OF // 2
    medians = [
        float(np.median(heights[max(at - half, 0) : at + half + 1])) for at in range(len(heights))
    ]  # fmt: skip
    return {
        "type": "scatter", "mode": "lines", "xaxis": f"x{place.suffix}", "yaxis": f"y{place.suffix}",
        "x": [point.day for point in trend.points], "y": medians, "hoverinfo": "skip", "name": "median",
        "line": {"color": tokens.context, "width": 2},
    }  # fmt: skip


def _draw_tubes(place: _Place, trend: Trend, look: tuple[Tokens, Catalog]) -> Piece:
    """Draw the tubes, those that were warned of or failed above the others."""
    tokens, catalog = look
    order = (Level.PASS, Level.WARN, Level.FAIL)
    points = sorted(trend.points, key=lambda point: order.index(point.level))
    colours = [getattr(tokens, COLOURS[point.level]) for point in points]
    return {
        "type": "scatter", "mode": "markers", "xaxis": f"x{place.suffix}", "yaxis": f"y{place.suffix}",
        "x": [point.day for point in points], "y": [_height(trend, point.value) for point in points],
        "marker": {
            "symbol": [SYMBOLS[point.level] for point in points], "color": colours, "opacity": 1,
            "size": [SIZES[point.level] for point in points], "line": {"color": colours, "width": 1.4},
        },
        "customdata": [
            ["tube", point.file_id[:ID_SHOWN], trend.key, said]
            for point, said in zip(points, _say(trend, points, catalog), strict=True)
        ],
        "hoverinfo": "none", "cliponaxis": False, "name": trend.key,
    }  # fmt: skip


def _say(trend: Trend, points: Sequence[TrendPoint], catalog: Catalog) -> list[str]:
    what, unit = (catalog.text(f"trends.{kind}.{trend.key}") for kind in ("name", "unit"))
    levels = {level: catalog.text(f"trends.level.{level}") for level in Level}
    write = format_count if trend.is_log else format_number
    return [
        catalog.text(
            "trends.said", subject=point.subject_id, visit=point.visit, panel=point.panel, tube=point.tube,
            what=what, value=write(point.value), unit=unit, level=levels[point.level],
        )
        for point in points
    ]  # fmt: skip


def _draw_title(place: _Place, trend: Trend, look: tuple[Tokens, Catalog]) -> Piece:
    tokens, catalog = look
    levels = [point.level for point in trend.points]
    told = catalog.text(
        "trends.told", unit=catalog.text(f"trends.unit.{trend.key}"), count=format_count(len(levels)),
        warned=format_count(levels.count(Level.WARN)), failed=format_count(levels.count(Level.FAIL)),
    )  # fmt: skip
    name = escape_markup(catalog.text(f"trends.name.{trend.key}"))
    return note(
        f"<b>{name}</b>  {escape_markup(told)}", xref="paper", yref="paper",
        at=(place.x[0] / place.size[0], 1 - (place.y[0] - 4) / place.size[1]), yanchor="bottom",
        font=font(FONT_TABLE, tokens.ink),
    )  # fmt: skip
