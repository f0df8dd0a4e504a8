"""Shares of cells over time: a panel a share, a line a child, intervals at every sample."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from corelab.figures.catalog import Catalog
from corelab.figures.clock import (
    clock_position,
)
from corelab.figures.cohort_data import nominal_day
from corelab.figures.course_grid import GridPlace, GridSizes, draw_axes, draw_ground, fit_grid, lay_out
from corelab.figures.forest import draw_words
from corelab.figures.level_row import build_markers
from corelab.figures.numbers import escape_markup, format_exact, format_interval, format_number
from corelab.figures.panel import Piece, font, linear_axis, note
from corelab.figures.text_width import shorten
from corelab.figures.tokens import (
    ARM_SYMBOLS,
    FONT_LABEL,
    FONT_TABLE,
    SCHEMES,
    Scheme,
    Tokens,
    with_alpha,
)

SIZES: Final = GridSizes(
    left_px=44.0, gap_px=14.0, title_px=50.0, foot_px=10.0, panel_px=172.0, column_least_px=290.0
)
LANE: Final = 0.12
"""Height of the lane below zero, as a share of the axis; results without a value stand in it."""
MANY: Final = 12
MEANS_FROM: Final = 5
"""Children of a dose group and visit from which on their mean is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePoint:
    """One share of a child at one draw, NaN where it has none; ``choice`` is what a click sends."""

    subject_id: str
    arm: str
    day: float
    visit_label: str
    value: float
    low: float
    high: float
    status: str
    choice: tuple[str, ...]
    is_few: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPoint:
    """The mean of a dose group at a visit with its limits, and the children behind it."""

    arm: str
    visit: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePanel:
    """One share over time: its name, what it is, its unit, and what was found."""

    title: str
    detail: str
    unit: str
    points: tuple[SharePoint, ...]
    groups: tuple[GroupPoint, ...] = ()


def share_courses_figure(
    panels: Sequence[SharePanel],
    *,
    highlight: str,
    size: tuple[int, int],
    scheme: Scheme,
    catalog: Catalog,
) -> dict[str, Any]:
    """Return the panels in as many columns as have room; the figure is as high as its panels need.

    Parameters
    ----------
    panels
        From left to right and top to bottom.
    highlight
        Child drawn in ink, or empty.
    size
        Outer width in px, and the height to fill at least.
    """
    tokens = SCHEMES[scheme]
    if not any(panel.points for panel in panels):
        return draw_words(catalog.text("shares.empty"), width=size[0], height=160, tokens=tokens)
    days = [point.day for panel in panels for point in panel.points]
    grid = fit_grid(len(panels), days, size=size, sizes=SIZES)
    frame = _Frame(highlight=highlight, tokens=tokens, catalog=catalog)
    layout: Piece = lay_out(grid, tokens=tokens, revision="shares")
    data: list[Piece] = []
    shapes: list[Piece] = []
    notes: list[Piece] = []
    for number, panel in enumerate(panels):
        place = _Place(panel=panel, number=number, grid=grid, frame=frame, top=find_top(panel))
        layout |= _axes(place)
        data += _draw_points(place)
        shapes += draw_ground(place, (-LANE * place.top, 0.0, place.top), tokens=tokens)
        notes += _draw_title(place)
    return {"data": data, "layout": {**layout, "shapes": shapes, "annotations": notes}}


def find_top(panel: SharePanel) -> float:
    """Return a round end of the axis above all values; limits may be cut (a tip says so), values never.

    Examples
    --------
    >>> find_top(SharePanel(title="", detail="", unit="%", points=()))
    1.0
    """
    values = [point.value for point in panel.points if math.isfinite(point.value)]
    most = max([*values, *(group.value for group in panel.groups)], default=0.0)
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= most * 1.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    highlight: str
    tokens: Tokens
    catalog: Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place(GridPlace):
    panel: SharePanel
    frame: _Frame
    top: float

    @property
    def lane(self) -> float:
        """Height of the lane's middle."""
        return -0.5 * LANE * self.top


def _axes(place: _Place) -> Piece:
    tokens = place.frame.tokens
    heights = [0.0, place.top / 2, place.top]
    y_axis = linear_axis(
        -LANE * place.top, place.top, ticks=[*heights, place.lane], tokens=tokens,
        labels=[*map(format_exact, heights), place.frame.catalog.text("patient.lane.no_result")],
    )  # fmt: skip
    visits = (point.visit_label for point in place.panel.points)
    return draw_axes(place, visits, y_axis=y_axis, tokens=tokens)


def _draw_title(place: _Place) -> list[Piece]:
    panel, tokens = place.panel, place.frame.tokens
    at: Piece = {
        "xref": f"{place.x} domain", "yref": "paper", "yanchor": "bottom", "at": (0.0, place.domain_y[1]),
    }  # fmt: skip
    title = f"<b>{escape_markup(panel.title)}</b>  {escape_markup(panel.unit)}"
    detail = escape_markup(shorten(panel.detail, FONT_LABEL, place.grid.span.width_px))
    return [
        note(title, yshift=28, font=font(FONT_TABLE, tokens.ink), **at),
        note(detail, yshift=15, font=font(FONT_LABEL, tokens.ink_2), **at),
    ]


def _draw_points(place: _Place) -> list[Piece]:
    """Draw the children's lines and marks, the means of dose groups, and the chosen child on top."""
    frame, points = place.frame, [p for p in place.panel.points if math.isfinite(p.day)]
    is_many = len({point.subject_id for point in points}) > MANY
    traces = []
    for arm in ("low", "high", ""):
        own = [p for p in points if p.arm == arm and p.subject_id != frame.highlight]
        if own:
            colour = _arm_colour(arm, frame.tokens)
            alpha = 0.3 if is_many or frame.highlight else 0.55
            line = {"color": with_alpha(colour, alpha), "width": 1 if is_many else 1.5}
            traces.append(_draw_lines(own, place, line))
            if not is_many:
                traces.append(_draw_marks(own, place, colour, has_limits=not frame.highlight))
                traces += [] if frame.highlight else _draw_cut(own, place, colour)
        traces += _draw_means(arm, place)
    chosen = [p for p in points if p.subject_id == frame.highlight and frame.highlight]
    if chosen:
        traces.append(_draw_lines(chosen, place, {"color": frame.tokens.ink, "width": 2.5}))
        traces.append(_draw_marks(chosen, place, frame.tokens.ink, has_limits=True))
        traces += _draw_cut(chosen, place, frame.tokens.ink)
    return traces


def _arm_colour(arm: str, tokens: Tokens) -> str:
    return {"low": tokens.low, "high": tokens.high}.get(arm, tokens.muted)


def _draw_means(arm: str, place: _Place) -> list[Piece]:
    groups = [
        (nominal_day(group.visit), group)
        for group in place.panel.groups
        if group.arm == arm and group.n >= MEANS_FROM
    ]
    known = sorted((pair for pair in groups if math.isfinite(pair[0])), key=lambda pair: pair[0])
    if not known:
        return []
    colour = _arm_colour(arm, place.frame.tokens)
    return [
        {
            "type": "scatter", "mode": "lines", "xaxis": place.x, "yaxis": place.y, "showlegend": False,
            "x": [clock_position(day) for day, _ in known], "y": [group.value for _, group in known],
            "error_y": _limits([(group.value, group.low, group.high) for _, group in known], colour, 2),
            "line": {"color": colour, "width": 3.2}, "hoverinfo": "skip", "name": f"mean:{arm}",
        }
    ]  # fmt: skip


def _limits(rows: Sequence[tuple[float, float, float]], colour: str, width: float) -> Piece:
    return {
        "type": "data", "symmetric": False, "width": 0, "thickness": width, "color": colour,
        "array": [_positive(high - value) for value, _, high in rows],
        "arrayminus": [_positive(value - low) for value, low, _ in rows],
    }  # fmt: skip


def _positive(value: float) -> float:
    return value if value > 0 else 0.0


def _height(point: SharePoint, place: _Place) -> float:
    return point.value if math.isfinite(point.value) else place.lane


def _draw_lines(points: Sequence[SharePoint], place: _Place, line: Piece) -> Piece:
    """Draw the lines; they break where a value is lacking and between children."""
    x: list[float | None] = []
    y: list[float | None] = []
    before = ""
    for point in sorted(points, key=lambda one: (one.subject_id, one.day)):
        if point.subject_id != before:
            x.append(None)
            y.append(None)
            before = point.subject_id
        x.append(clock_position(point.day))
        y.append(point.value if math.isfinite(point.value) else None)
    return {
        "type": "scatter", "mode": "lines", "xaxis": place.x, "yaxis": place.y, "x": x, "y": y, "line": line,
        "hoverinfo": "skip", "showlegend": False, "connectgaps": False, "name": "lines",
    }  # fmt: skip


def _draw_marks(points: Sequence[SharePoint], place: _Place, colour: str, *, has_limits: bool) -> Piece:
    marker = build_markers([point.status for point in points], colour, place.frame.tokens)
    symbols = [
        ARM_SYMBOLS.get(point.arm, symbol) if point.status == "quantified" else symbol
        for point, symbol in zip(points, marker["symbol"], strict=True)
    ]
    rows = [(p.value, p.low, p.high) if math.isfinite(p.value) else (0.0, 0.0, 0.0) for p in points]
    limits = {"error_y": _limits(rows, with_alpha(colour, 0.6), 1)} if has_limits else {}
    return {
        "type": "scatter", "mode": "markers", "xaxis": place.x, "yaxis": place.y, "showlegend": False,
        "x": [clock_position(point.day) for point in points],
        "y": [_height(point, place) for point in points],
        "marker": {**marker, "symbol": symbols, "size": [min(size, 6.0) for size in marker["size"]]},
        **limits,
        "customdata": [[*point.choice, _say(point, place)] for point in points], "hoverinfo": "none",
        "cliponaxis": False, "name": place.panel.title,
    }  # fmt: skip


def _draw_cut(points: Sequence[SharePoint], place: _Place, colour: str) -> list[Piece]:
    """Draw a small tip where an interval runs on above the axis."""
    cut = [point for point in points if math.isfinite(point.value) and point.high > place.top]
    if not cut:
        return []
    marker = {"symbol": "triangle-up", "size": 5, "color": with_alpha(colour, 0.6)}
    return [
        {
            "type": "scatter", "mode": "markers", "xaxis": place.x, "yaxis": place.y, "showlegend": False,
            "x": [clock_position(point.day) for point in cut], "y": [place.top] * len(cut),
            "marker": marker, "cliponaxis": False, "hoverinfo": "skip", "name": "cut",
        }
    ]  # fmt: skip


def _say(point: SharePoint, place: _Place) -> str:
    catalog, panel = place.frame.catalog, place.panel
    where = f"{point.subject_id} · {panel.title} · {point.visit_label}"
    if not math.isfinite(point.value):
        why = "shares.few" if point.is_few else f"status.{point.status}"
        return f"{where} · {catalog.text(why)}"
    value = f"{format_number(point.value)} {panel.unit}".strip()
    if math.isfinite(point.low) and math.isfinite(point.high):
        interval = format_interval(point.low, point.high, estimate=point.value)
        value = f"{value} ({catalog.text('shares.interval', interval=interval)})"
    return f"{where} · {value}"
