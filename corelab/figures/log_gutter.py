"""A logarithmic axis that also has room, in exact pixels, for what is below a limit or never came."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from corelab.figures.numbers import format_power

GUTTER_PX: Final = 26.0
GUTTER_LOW_PX: Final = 24.0
LOW_PANEL_PX: Final = 70.0
LANE_PX: Final = (0.0, 8.5, 19.0)
"""Distance of each lane below the floor: 1 is ``<LLOQ``, 2 is ``no result``."""
LABEL_STEP_PX: Final = 13.0
HEADROOM: Final = 0.3
"""Decades kept free above the highest value, so that its mark is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGutter:
    """A linear axis over log10 values from ``floor`` to ``top``, with a gutter of ``gutter_px`` below."""

    floor: float
    top: float
    height_px: float
    gutter_px: float

    @property
    def units_per_px(self) -> float:
        """Decades of one pixel."""
        return (self.top - self.floor) / (self.height_px - self.gutter_px)

    @property
    def bottom(self) -> float:
        """Where the axis ends below the gutter."""
        return self.floor - self.gutter_px * self.units_per_px

    def lane(self, number: int) -> float:
        """Return the height of a lane of the gutter on the axis."""
        return self.floor - LANE_PX[number] * self.units_per_px

    def below(self, px: float) -> float:
        """Return the height some pixels below the floor."""
        return self.floor - px * self.units_per_px

    def height(self, value: float) -> float:
        """Return the height of a positive value, kept inside the part above the gutter."""
        return min(max(math.log10(value), self.floor), self.top)


def build_log_gutter(
    values: Iterable[float], *, height_px: float, least: tuple[float, float], gutter_px: float = 0.0
) -> LogGutter:
    """Return the axis that holds positive values, from a whole decade up.

    Parameters
    ----------
    values
        Quantified values and limits of quantification; those not above zero are left out.
    height_px
        Height of the whole panel.
    least
        Lowest and highest value that are always held, so that subjects compare at a glance.
    gutter_px
        Height of the gutter; by default as high as the panel allows.
    """
    logs = [math.log10(value) for value in (*values, *least) if math.isfinite(value) and value > 0]
    floor = math.floor(min(logs) - 0.05)
    gutter = gutter_px or (GUTTER_PX if height_px >= LOW_PANEL_PX else GUTTER_LOW_PX)
    return LogGutter(floor=floor, top=max(logs) + HEADROOM, height_px=height_px, gutter_px=gutter)


def compute_ticks(axis: LogGutter) -> tuple[list[float], list[str]]:
    """Return a tick at every decade above the floor and its label, empty where labels would touch."""
    first, last = math.floor(axis.floor) + 1, math.floor(axis.top + 1e-9)
    decades = list(range(first, last + 1))
    step = max(1, math.ceil(LABEL_STEP_PX * axis.units_per_px))
    labels = [format_power(decade) if (last - decade) % step == 0 else "" for decade in decades]
    return [float(decade) for decade in decades], labels
