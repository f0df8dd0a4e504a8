"""Panels on the infusion clock side by side: where each stands, its axis of time and its ground."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.figures.clock import (
    MONTH_SEAM,
    ClockSpan,
    VisitTick,
    clock_position,
    compute_span,
    select_labels,
)
from corelab.figures.cohort_data import nominal_day
from corelab.figures.panel import SEAM_PX, Piece, box, font
from corelab.figures.tokens import FONT_TICK, Tokens
from corelab.vocabulary import VISITS

FIRST_DAY: Final = -5.0
LEAST_LAST_DAY: Final = 28.0
LABEL_GAP_PX: Final = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSizes:
    """Sizes in px: left of a panel, between two, above and below one, and the least of a panel."""

    left_px: float
    gap_px: float
    title_px: float
    foot_px: float
    panel_px: float
    column_least_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseGrid:
    """The grid of a figure: outer size in px, columns, height of a panel with its title, span of time."""

    sizes: GridSizes
    columns: int
    panel_px: float
    width: int
    height: int
    span: ClockSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPlace:
    """One panel of a grid, by its number from left to right and top to bottom."""

    grid: CourseGrid
    number: int

    @property
    def suffix(self) -> str:
        """What stands behind the names of its axes."""
        return "" if self.number == 0 else str(self.number + 1)

    @property
    def x(self) -> str:
        """Name of its axis of time."""
        return f"x{self.suffix}"

    @property
    def y(self) -> str:
        """Name of its axis of values."""
        return f"y{self.suffix}"

    @property
    def domain_x(self) -> list[float]:
        """Share of the figure's width that it takes."""
        grid = self.grid
        step = (grid.width + grid.sizes.gap_px) / grid.columns
        left = self.number % grid.columns * step + grid.sizes.left_px
        return [left / grid.width, (left + grid.span.width_px) / grid.width]

    @property
    def domain_y(self) -> list[float]:
        """Share of the figure's height that it takes, from below."""
        grid = self.grid
        top = self.number // grid.columns * grid.panel_px
        low, high = top + grid.panel_px - grid.sizes.foot_px, top + grid.sizes.title_px
        return [1 - low / grid.height, 1 - high / grid.height]


def fit_grid(n_panels: int, days: Iterable[float], *, size: tuple[int, int], sizes: GridSizes) -> CourseGrid:
    """Lay panels out in as many columns as have room; the figure is as high as its panels need.

    Parameters
    ----------
    n_panels
        How many there are, one or more.
    days
        Days from infusion that must be in the span; what is not finite is passed over.
    size
        Outer width in px, and the height to fill at least.
    sizes
        Sizes of a panel.
    """
    columns = max(1, min(n_panels, int((size[0] - sizes.left_px) // sizes.column_least_px)))
    rows = math.ceil(n_panels / columns)
    panel_px = max(sizes.panel_px, size[1] / rows)
    width_px = (size[0] - sizes.gap_px * (columns - 1)) / columns - sizes.left_px
    last = max([LEAST_LAST_DAY, *filter(math.isfinite, days)])
    return CourseGrid(
        sizes=sizes, columns=columns, panel_px=panel_px, width=size[0], height=math.ceil(panel_px * rows),
        span=compute_span([FIRST_DAY], right_day=last, width_px=width_px),
    )  # fmt: skip


def lay_out(grid: CourseGrid, *, tokens: Tokens, revision: str) -> Piece:
    """Return the layout of the figure without its axes."""
    return {
        "template": None, "width": grid.width, "height": grid.height, "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "font": font(FONT_TICK, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "hoverdistance": 12, "dragmode": False, "uirevision": revision,
    }  # fmt: skip


def draw_axes(place: GridPlace, visits: Iterable[str], *, y_axis: Piece, tokens: Tokens) -> Piece:
    """Return a panel's two axes: the visits that were seen above it, and its own axis of values."""
    span, seen = place.grid.span, set(visits)
    days = [(nominal_day(visit), visit) for visit in VISITS if visit in seen]
    ticks = [VisitTick(label=v, day=d, is_due=True) for d, v in sorted(days) if math.isfinite(d)]
    shown = select_labels(ticks, span, gap_px=LABEL_GAP_PX)
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


def draw_ground(place: GridPlace, heights: Sequence[float], *, tokens: Tokens) -> list[Piece]:
    """Return a panel's ground, the gutter below its values, the seam of months and the day of infusion.

    ``heights`` are the lower end of the axis, where its values begin, and its upper end.
    """
    span, (bottom, floor, top) = place.grid.span, heights
    whole = (span.left, span.right)
    shapes = [
        box(
            f"{place.y} domain", (0, 1), (0, 1), xref=f"{place.x} domain", fillcolor=tokens.zone,
            layer="below",
        ),
        box(place.y, whole, (bottom, floor), xref=place.x, fillcolor=tokens.gutter, layer="below"),
    ]  # fmt: skip
    if span.right > MONTH_SEAM:
        half = SEAM_PX / 2
        shapes.append(
            box(
                place.y, (-half, half), (bottom, top), xref=place.x, xsizemode="pixel", xanchor=MONTH_SEAM,
                fillcolor=tokens.body, layer="below",
            )
        )  # fmt: skip
    line = {"color": tokens.ink, "width": 1}
    return [*shapes, box(place.y, (0, 0), (bottom, top), xref=place.x, type="line", line=line)]
