"""Gates that need no antibody: margin, beads, singlets, lymphocytes by side scatter."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from corelab.cytometry.recipes import approximate_axis, fit_valley
from corelab.cytometry.records import Mask, Values, fair_rows
from corelab.ingest.fcs_events import Events

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


def find_margin(observed: Events, ranges: Values, scatter: list[int]) -> Mask:
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
    top = _find_top(observed)
    reached = top >= 0.985 * ranges
    margin = np.zeros(len(observed), dtype=bool)
    for column in np.flatnonzero(reached).tolist():
        margin |= observed[:, column] >= top[column] * (1 - 1e-4)
    for column in scatter:
        margin |= observed[:, column] <= 0
    return margin


def _find_top(observed: Events) -> Values:
    """Return the largest value of each channel, not below zero: 64 events a row, as short rows are slow."""
    n_rows, n_channels = observed.shape
    whole = n_rows - n_rows % 64
    wide = observed[:whole].reshape(-1, 64 * n_channels).max(axis=0, initial=0.0)
    rest = observed[whole:].max(axis=0, initial=0.0)
    return np.asarray(np.maximum(wide.reshape(64, n_channels).max(axis=0), rest), dtype=np.float64)


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
    found = np.flatnonzero(usable)
    part = found[fair_rows(len(found))]
    centre, spread = _robust(np.log(area[part] / height[part]))
    reach = _SINGLET_MADS * max(spread, 1e-3)
    low, high = np.exp(centre - reach), np.exp(centre + reach)
    return np.asarray(usable & (area >= low * height) & (area <= high * height))


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
    fit = fit_valley(approximate_axis(brightness, 1.0), which="last")
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
        logs = np.log(values[positive])
        centre, spread = _robust(logs)
        if spread > _MAX_BEAD_SPREAD:
            return None
        is_near = np.zeros(len(core), dtype=bool)
        is_near[positive] = np.abs(logs - centre) <= _BEAD_MADS * max(spread, 1e-3)
        core &= is_near
    if scatter and np.median(scatter[-1][core]) <= np.median(scatter[-1][~bright]):
        return None
    return BeadGate(mask=core, limit=limit, score=fit.score)
