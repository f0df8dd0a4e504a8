"""Shares of cells over time: a panel a share, a line a child, intervals at every sample."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from corelab.figures.catalog import Catalog
from corelab.figures.clock import (
    MONTH_SEAM,
    ClockSpan,
    VisitTick,
    clock_position,
    compute_span,
    select_labels,
)
from corelab.figures.cohort_data import nominal_day
from corelab.figures.forest import draw_words
from corelab.figures.level_row import build_markers
from corelab.figures.numbers import escape_markup, format_exact, format_interval, format_number
from corelab.figures.panel import SEAM_PX, Piece, box, font, linear_axis, note
from corelab.figures.text_width import shorten
from corelab.figures.tokens import (
    ARM_SYMBOLS,
    FONT_LABEL,
    FONT_TABLE,
    FONT_TICK,
    SCHEMES,
    Scheme,
    Tokens,
    with_alpha,
)
from corelab.vocabulary import VISITS

LEFT_PX: Final = 44.0
GAP_PX: Final = 14.0
TITLE_PX: Final = 50.0
FOOT_PX: Final = 10.0
PANEL_PX: Final = 172.0
COLUMN_LEAST_PX: Final = 290.0
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
    columns = max(1, min(len(panels), int((size[0] - LEFT_PX) // COLUMN_LEAST_PX)))
    rows = math.ceil(len(panels) / columns)
    panel_px = max(PANEL_PX, size[1] / rows)
    days = [point.day for panel in panels for point in panel.points if math.isfinite(point.day)]
    width_px = (size[0] - GAP_PX * (columns - 1)) / columns - LEFT_PX
    frame = _Frame(
        columns=columns, panel_px=panel_px, width=size[0], height=math.ceil(panel_px * rows),
        span=compute_span([-5.0], right_day=max([28.0, *days]), width_px=width_px), highlight=highlight,
        tokens=tokens, catalog=catalog,
    )  # fmt: skip
    layout: Piece = _layout(frame)
    data: list[Piece] = []
    shapes: list[Piece] = []
    notes: list[Piece] = []
    for number, panel in enumerate(panels):
        place = _Place(panel=panel, number=number, frame=frame, top=find_top(panel))
        layout |= _axes(place)
        data += _draw_points(place)
        shapes += _draw_ground(place)
        notes += _draw_title(place)
    return {"data": data, "layout": {**layout, "shapes": shapes, "annotations": notes}}


def find_top(panel: SharePanel) -> float:
    """Return a round end of the axis above all values; limits may be cut, values never.

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
    columns: int
    panel_px: float
    width: int
    height: int
    span: ClockSpan
    highlight: str
    tokens: Tokens
    catalog: Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    panel: SharePanel
    number: int
    frame: _Frame
    top: float

    @property
    def suffix(self) -> str:
        return "" if self.number == 0 else str(self.number + 1)

    @property
    def x(self) -> str:
        return f"x{self.suffix}"

    @property
    def y(self) -> str:
        return f"y{self.suffix}"

    @property
    def lane(self) -> float:
        """Height of the lane's middle."""
        return -0.5 * LANE * self.top

    @property
    def domain_x(self) -> list[float]:
        column = self.number % self.frame.columns
        step = (self.frame.width + GAP_PX) / self.frame.columns
        left = column * step + LEFT_PX
        return [left / self.frame.width, (left + self.frame.span.width_px) / self.frame.width]

    @property
    def domain_y(self) -> list[float]:
        top = (self.number // self.frame.columns) * self.frame.panel_px
        low, high = top + self.frame.panel_px - FOOT_PX, top + TITLE_PX
        return [1 - low / self.frame.height, 1 - high / self.frame.height]


def _layout(frame: _Frame) -> Piece:
    return {
        "template": None, "width": frame.width, "height": frame.height, "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "font": font(FONT_TICK, frame.tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "hoverdistance": 12, "dragmode": False, "uirevision": "shares",
    }  # fmt: skip


def _axes(place: _Place) -> Piece:
    span, tokens = place.frame.span, place.frame.tokens
    seen = {point.visit_label for point in place.panel.points}
    days = [(nominal_day(visit), visit) for visit in VISITS if visit in seen]
    ticks = [VisitTick(label=v, day=d, is_due=True) for d, v in sorted(days) if math.isfinite(d)]
    shown = select_labels(ticks, span, gap_px=26)
    heights = [0.0, place.top / 2, place.top]
    y_axis = linear_axis(
        -LANE * place.top, place.top, ticks=[*heights, place.lane], tokens=tokens,
        labels=[*map(format_exact, heights), place.frame.catalog.text("patient.lane.no_result")],
    )  # fmt: skip
    return {
        f"xaxis{place.suffix}": {
            "domain": place.domain_x, "anchor": place.y, "range": [span.left, span.right], "side": "top",
            "showgrid": True, "gridcolor": tokens.grid, "zeroline": False, "fixedrange": True, "ticks": "",
            "tickangle": 0, "tickmode": "array", "tickvals": [clock_position(tick.day) for tick in ticks],
            "ticktext": [tick.label if tick.label in shown else "" for tick in ticks],
            "tickfont": font(FONT_TICK, tokens.ink_2),
        },
        f"yaxis{place.suffix}": {**y_axis, "domain": place.domain_y, "anchor": place.x},
    }  # fmt: skip


def _draw_ground(place: _Place) -> list[Piece]:
    span, tokens, bottom = place.frame.span, place.frame.tokens, -LANE * place.top
    whole, axis = (span.left, span.right), place.y
    shapes = [
        box(f"{axis} domain", (0, 1), (0, 1), xref=f"{place.x} domain", fillcolor=tokens.zone, layer="below"),
        box(axis, whole, (bottom, 0.0), xref=place.x, fillcolor=tokens.gutter, layer="below"),
    ]
    if span.right > MONTH_SEAM:
        half = SEAM_PX / 2
        shapes.append(
            box(
                axis, (-half, half), (bottom, place.top), xref=place.x, xsizemode="pixel", xanchor=MONTH_SEAM,
                fillcolor=tokens.body, layer="below",
            )
        )  # fmt: skip
    line = {"color": tokens.ink, "width": 1}
    return [*shapes, box(axis, (0, 0), (bottom, place.top), xref=place.x, type="line", line=line)]


def _draw_title(place: _Place) -> list[Piece]:
    panel, tokens = place.panel, place.frame.tokens
    at: Piece = {
        "xref": f"{place.x} domain", "yref": "paper", "yanchor": "bottom", "at": (0.0, place.domain_y[1]),
    }  # fmt: skip
    title = f"<b>{escape_markup(panel.title)}</b>  {escape_markup(panel.unit)}"
    detail = escape_markup(shorten(panel.detail, FONT_LABEL, place.frame.span.width_px))
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
        traces += _draw_means(arm, place)
    chosen = [p for p in points if p.subject_id == frame.highlight and frame.highlight]
    if chosen:
        traces.append(_draw_lines(chosen, place, {"color": frame.tokens.ink, "width": 2.5}))
        traces.append(_draw_marks(chosen, place, frame.tokens.ink, has_limits=True))
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


def _say(point: SharePoint, place: _Place) -> str:
    catalog, panel = place.frame.catalog, place.panel
    where = f"{point.subject_id} · {panel.title} · {point.visit_label}"
    if not math.isfinite(point.value):
        return f"{where} · {catalog.text(f'status.{point.status}')}"
    value = f"{format_number(point.value)} {panel.unit}".strip()
    if math.isfinite(point.low) and math.isfinite(point.high):
        interval = format_interval(point.low, point.high, estimate=point.value)
        value = f"{value} ({catalog.text('shares.interval', interval=interval)})"
    return f"{where} · {value}"
