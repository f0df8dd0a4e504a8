"""Gates that need no antibody: margin, beads, singlets, lymphocytes by side scatter."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.recipes import approximate_axis, fit_valley
from corelab.cytometry.records import Mask, Values, choose_fairly
from corelab.ingest.fcs_events import Events

_SINGLET_MADS: Final = 4.0
_BEAD_MADS: Final = 4.5
_MIN_BEADS: Final = 25
_MIN_BEAD_BRIGHTNESS: Final = 10.0
_MAX_BEAD_SPREAD: Final = 0.15
_BLOCK: Final = 1 << 16

Recorded = npt.NDArray[np.floating[Any]]
"""A channel as recorded, in the width of the file."""

Limits = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BeadGate:
    """Which events are beads.

    ``limit`` is the smallest brightness in units of noise, ``cores`` are centre and reach of the logarithm of
    each scatter channel.
    """

    mask: Mask
    limit: float
    score: float
    cores: tuple[Limits, ...] = ()


def find_margin(observed: Events, ranges: Values, scatter: list[int], *, top: Values | None = None) -> Mask:
    """Mark events at the end of the range of any channel, or at or below zero scatter.

    Parameters
    ----------
    observed
        ``(n_events, n_channels)`` before compensation.
    ranges
        Upper range of each channel.
    scatter
        Columns of scatter.
    top
        Largest value of each channel, where these events are not all of the file.
    """
    margin = np.zeros(len(observed), dtype=bool)
    top = find_top(observed) if top is None else top
    for column in np.flatnonzero(top >= 0.985 * ranges).tolist():
        margin |= observed[:, column] >= top[column] * (1 - 1e-4)
    for column in scatter:
        margin |= observed[:, column] <= 0
    return margin


def find_top(observed: Events) -> Values:
    """Return the largest value of each channel, not below zero."""
    return np.asarray(observed.max(axis=0, initial=0.0), dtype=np.float64)


def fit_singlets(area: Recorded, height: Recorded, among: Mask) -> Limits:
    """Place the multiples of the height between which a singlet's area lies.

    Parameters
    ----------
    area, height
        ``(n_events,)`` forward scatter.
    among
        Events that set the median, from which log(area / height) is within 4 robust deviations: no beads,
        no margin. Without one, nothing lies between the two.
    """
    usable = among & (area > 0) & (height > 0)
    if not usable.any():
        return 1.0, 0.0
    part = choose_fairly(usable)
    centre, spread = _robust(np.log(np.divide(area[part], height[part], dtype=np.float64)))
    reach = _SINGLET_MADS * max(spread, 1e-3)
    return float(np.exp(centre - reach)), float(np.exp(centre + reach))


def keep_ratio(among: Mask, area: Recorded, height: Recorded, *, limits: Limits) -> Mask:
    """Mark the events that have an area and a height, the area within two multiples of the height."""
    kept = np.empty(len(among), dtype=bool)
    for begin in range(0, len(kept), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        wide, tall = (np.asarray(one[rows], dtype=np.float64) for one in (area, height))
        is_there = among[rows] & (wide > 0) & (tall > 0)
        kept[rows] = is_there & (wide >= limits[0] * tall) & (wide <= limits[1] * tall)
    return kept


def _robust(values: Values) -> tuple[float, float]:
    centre = float(np.median(values))
    return centre, 1.4826 * float(np.median(np.abs(values - centre)))


def find_beads(brightness: Values, scatter: list[Recorded]) -> BeadGate | None:
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
    cores: list[Limits] = []
    for values in scatter:
        positive = bright & (values > 0)
        if positive.sum() < _MIN_BEADS:
            return None
        logs = np.log(values[positive], dtype=np.float64)
        centre, spread = _robust(logs)
        if spread > _MAX_BEAD_SPREAD:
            return None
        cores.append((centre, _BEAD_MADS * max(spread, 1e-3)))
        core &= _is_near(values, bright, cores[-1])
    if scatter and np.median(scatter[-1][core]) <= np.median(scatter[-1][~bright]):
        return None
    return BeadGate(mask=core, limit=limit, score=fit.score, cores=tuple(cores))


def apply_beads(gate: BeadGate, brightness: Values, scatter: list[Recorded]) -> BeadGate:
    """Mark the beads among other events of the same file, brightness and scatter as for `find_beads`."""
    bright = brightness > gate.limit
    mask = bright.copy()
    for values, core in zip(scatter, gate.cores, strict=True):
        mask &= _is_near(values, bright, core)
    return replace(gate, mask=mask)


def _is_near(values: Recorded, among: Mask, core: Limits) -> Mask:
    """Mark the events whose logarithm lies within reach of the centre."""
    positive = among & (values > 0)
    is_near = np.zeros(len(positive), dtype=bool)
    is_near[positive] = np.abs(np.log(values[positive], dtype=np.float64) - core[0]) <= core[1]
    return is_near
