"""The infusion clock: three linear zones on one axis whose unit is one day of the first month."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from corelab.figures.text_width import measure_text
from corelab.figures.tokens import FONT_LABEL

DAYS_PER_UNIT_BEFORE: Final = 5.0
"""Before infusion five days are as wide as one."""
MONTH_SEAM: Final = 30.0
"""Day on which the scale changes to months; the window of D28 stays whole before it."""
DAYS_PER_MONTH: Final = 30.4375
UNITS_PER_MONTH: Final = 2.0

BEFORE_SEAM: Final = -0.45
"""Position of the gap that marks the first change of scale. It stands left of D0, not on it: the
infusion line and samples of that day lie on the change itself."""

EDGE_PX: Final = 14.0
LABEL_GAP_PX: Final = 21.0

LABEL_RANK: Final = (
    "D0", "D28", "D7", "D14", "M3", "M6", "M12", "M24", "SCR", "D10", "D21", "M2", "M9", "M18",
    "D3", "LD", "APH", "D1",
)  # fmt: skip
"""Which labels stay when they come too close, first to last; all others come after these."""

Until = Literal["M3", "today", "M24"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitTick:
    """One visit on the clock: its label and its day, actual where a sample came, else the target."""

    label: str
    day: float
    is_due: bool
    is_target: bool = True
    """Whether the protocol sets this day; unscheduled draws are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSpan:
    """What part of the clock is drawn, in its own units, over a width in px."""

    left: float
    right: float
    width_px: float

    @property
    def px_per_unit(self) -> float:
        """Pixels of one unit (one day of the first month)."""
        return self.width_px / (self.right - self.left)

    def units(self, px: float) -> float:
        """Return the units that are as wide as some pixels."""
        return px / self.px_per_unit

    def pixel(self, position: float) -> float:
        """Return the pixel of a position, from the left edge."""
        return (position - self.left) * self.px_per_unit


def clock_position(day: float) -> float:
    """Return where a day from infusion lies on the clock.

    Examples
    --------
    >>> clock_position(-5.0), clock_position(28.0), clock_position(30.0 + 30.4375)
    (-1.0, 28.0, 32.0)
    """
    if day < 0:
        return day / DAYS_PER_UNIT_BEFORE
    if day <= MONTH_SEAM:
        return day
    return MONTH_SEAM + UNITS_PER_MONTH * (day - MONTH_SEAM) / DAYS_PER_MONTH


def clock_day(position: float) -> float:
    """Return the day from infusion at a position; the inverse of `clock_position`."""
    if position < 0:
        return position * DAYS_PER_UNIT_BEFORE
    if position <= MONTH_SEAM:
        return position
    return MONTH_SEAM + (position - MONTH_SEAM) * DAYS_PER_MONTH / UNITS_PER_MONTH


def compute_right_day(ticks: Iterable[VisitTick], *, today: float, until: Until) -> float:
    """Return the last day that is drawn: the next due visit, at least D28, unless another end is asked."""
    targets = {tick.label: tick.day for tick in ticks if tick.is_target}
    if until in targets:
        return targets[until]
    if until == "M3":
        return 3 * DAYS_PER_MONTH
    if until == "M24":
        return 24 * DAYS_PER_MONTH
    coming = [day for day in targets.values() if day > today]
    return max(min(coming, default=today), 28.0)


def compute_span(days: Iterable[float], *, right_day: float, width_px: float) -> ClockSpan:
    """Return the span that holds the given days up to ``right_day``, with room for a marker at each edge.

    The left end is the first day that is given, at the latest day -5 (lymphodepletion).
    """
    first = clock_position(min([*days, -DAYS_PER_UNIT_BEFORE]))
    last = clock_position(right_day)
    edge = EDGE_PX * (last - first) / (width_px - 2 * EDGE_PX)
    return ClockSpan(left=first - edge, right=last + edge, width_px=width_px)


def select_labels(ticks: Sequence[VisitTick], span: ClockSpan, *, gap_px: float = LABEL_GAP_PX) -> set[str]:
    """Return the labels that are written: by rank, each at least ``gap_px`` from those already taken.

    Labels longer than a visit's word (``UNS.12``) keep more distance.
    """
    kept: list[tuple[float, float]] = []
    shown = set()
    for tick in sorted(ticks, key=_rank):
        position = clock_position(tick.day)
        pixel, half = span.pixel(position), measure_text(tick.label, FONT_LABEL) / 2
        clear = all(abs(pixel - other) >= max(gap_px, half + other_half + 3) for other, other_half in kept)
        if clear and span.left <= position <= span.right:
            kept.append((pixel, half))
            shown.add(tick.label)
    return shown


def list_zones(span: ClockSpan) -> list[tuple[str, float, float]]:
    """Return the zones that the span shows: name, left and right position."""
    bounds = (-float("inf"), BEFORE_SEAM, MONTH_SEAM, float("inf"))
    zones = []
    for name, (left, right) in zip(("before", "days", "months"), itertools.pairwise(bounds), strict=True):
        start, end = max(left, span.left), min(right, span.right)
        if end > start:
            zones.append((name, start, end))
    return zones


def _rank(tick: VisitTick) -> tuple[int, float]:
    rank = LABEL_RANK.index(tick.label) if tick.label in LABEL_RANK else len(LABEL_RANK)
    return (rank if tick.is_target else rank + 1), tick.day
