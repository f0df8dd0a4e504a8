"""Gates that need no antibody: margin, beads, singlets, lymphocytes by side scatter."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from corelab.cytometry.recipes import fit_valley, to_axis
from corelab.cytometry.records import Mask, Values

_SINGLET_MADS: Final = 4.0
_BEAD_MADS: Final = 4.5
_MIN_BEADS: Final = 25
_MIN_BEAD_BRIGHTNESS: Final = 10.0
_MAX_BEAD_SPREAD: Final = 0.15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BeadGate:
    """Which events are beads; ``limit`` is the smallest brightness in units of noise."""

    mask: Mask
    limit: float
    score: float


def find_margin(observed: Values, ranges: Values, scatter: list[int]) -> Mask:
    """Mark events at the end of the range of any channel, or at or below zero scatter.

    Parameters
    ----------
    observed
        ``(n_events, n_channels)`` before compensation.
    ranges
        Upper range of each channel.
    scatter
        Columns of scatter.
    """
    top = observed.max(axis=0, initial=0.0)
    reached = top >= 0.985 * ranges
    margin = np.zeros(len(observed), dtype=bool)
    for column in np.flatnonzero(reached).tolist():
        margin |= observed[:, column] >= top[column] * (1 - 1e-4)
    for column in scatter:
        margin |= observed[:, column] <= 0
    return margin


def find_singlets(area: Values, height: Values, among: Mask) -> Mask:
    """Mark events whose log(area / height) is within 4 robust deviations of the median.

    Parameters
    ----------
    area, height
        ``(n_events,)`` forward scatter.
    among
        Events that set the median: no beads, no margin.
    """
    usable = among & (area > 0) & (height > 0)
    if not usable.any():
        return usable
    ratio = np.full(len(area), np.nan)
    ratio[usable] = np.log(area[usable] / height[usable])
    centre, spread = _robust(ratio[usable])
    return usable & (np.abs(ratio - centre) <= _SINGLET_MADS * max(spread, 1e-3))


def _robust(values: Values) -> tuple[float, float]:
    centre = float(np.median(values))
    return centre, 1.4826 * float(np.median(np.abs(values - centre)))


def find_beads(brightness: Values, scatter: list[Values]) -> BeadGate | None:
    """Find counting beads: bright in nearly all detectors and tight in scatter.

    Parameters
    ----------
    brightness
        ``(n_events,)`` second lowest of the detectors' observed values in units of their noise.
    scatter
        Forward and side scatter as far as they are there; side scatter last.

    Returns
    -------
    BeadGate or None
        None where no group is bright, tight and, if there is side scatter, high in it: there are
        no beads, or they cannot be told. Cell-bead coincidences lie outside the scatter core.
    """
    fit = fit_valley(to_axis(brightness, 1.0), which="last")
    if fit is None:
        return None
    limit = float(np.sinh(fit.position) * 2.5)
    bright = brightness > limit
    if bright.sum() < _MIN_BEADS or np.median(brightness[bright]) < _MIN_BEAD_BRIGHTNESS:
        return None
    core = bright.copy()
    for values in scatter:
        positive = bright & (values > 0)
        if positive.sum() < _MIN_BEADS:
            return None
        logs = np.log(np.where(values > 0, values, np.nan))
        centre, spread = _robust(logs[positive])
        if spread > _MAX_BEAD_SPREAD:
            return None
        core &= np.abs(logs - centre) <= _BEAD_MADS * max(spread, 1e-3)
    if scatter and np.median(scatter[-1][core]) <= np.median(scatter[-1][~bright]):
        return None
    return BeadGate(mask=core, limit=limit, score=fit.score)
