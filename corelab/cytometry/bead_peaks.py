"""The brightest peak of a run's quality beads in every detector: what an instrument is held against.

Everything is as recorded: compensation mixes detectors, and a laser that fades is seen in its own.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from corelab.cytometry.density import compute_histogram, find_landscape
from corelab.cytometry.markers import MarkerMap
from corelab.cytometry.records import BeadPeak, Finding, Mask, Values
from corelab.ingest.fcs import Acquisition
from corelab.vocabulary import Level

LEAST_BEADS: Final = 100
"""Beads behind a peak: its median is then known to an eighth of its spread."""

_CORE_MADS: Final = 4.5
_PEAK_MADS: Final = 3.0
_ROUNDS: Final = 3
_WIDTH: Final = 0.08
"""Smoothing of logarithms; peaks of a set of beads lie 0.7 or more apart."""
_LEAST_SHARE: Final = 0.02
_FULL: Final = 0.985
_MOST_FULL: Final = 0.01


def measure_bead_peaks(acquisition: Acquisition, markers: MarkerMap, kept: Mask) -> tuple[BeadPeak, ...]:
    """Measure the brightest bead peak of forward and side scatter and of every other detector.

    Parameters
    ----------
    acquisition
        A tube of beads alone, of one brightness or of several.
    markers
        Tells scatter from light.
    kept
        Events outside a drift of the run.

    Returns
    -------
    tuple of BeadPeak
        One for each detector, in their order; one without 100 beads in a peak below the end of its
        range has neither median nor spread.
    """
    scatter = [markers.scatter[name] for name in ("FSC-A", "SSC-A") if name in markers.scatter]
    core = _find_core([acquisition.column(column) for column in scatter], kept)
    columns = sorted({*scatter, *markers.fluorescence})
    return tuple(
        _measure(
            acquisition.detectors[column], acquisition.column(column)[core], float(acquisition.ranges[column])
        )
        for column in columns
    )


def check_bead_peaks(peaks: Sequence[BeadPeak]) -> list[Finding]:
    """Name the detectors without a peak."""
    dark = [peak.detector for peak in peaks if not np.isfinite(peak.median)]
    if not dark:
        return []
    reason = f"detectors without a peak of {LEAST_BEADS} beads below the end of the range: {', '.join(dark)}"
    return [Finding(check="BEAD_QC", level=Level.WARN, value=float(len(dark)), limit=0.0, reason=reason)]


def _find_core(scatter: Sequence[Values], kept: Mask) -> Mask:
    """Leave debris and clumps of beads out, by the scatter of the many."""
    core = kept.copy()
    for values in scatter:
        core &= values > 0
    for _ in range(_ROUNDS):
        core = _tighten(scatter, core)
    return core


def _tighten(scatter: Sequence[Values], core: Mask) -> Mask:
    inside = core.copy()
    for values in scatter:
        if not core.any():
            break
        logs = np.log(values[core])
        centre, spread = _robust(logs)
        inside[core] &= np.abs(logs - centre) <= _CORE_MADS * max(spread, 1e-3)
    return inside


def _measure(detector: str, values: Values, upper: float) -> BeadPeak:
    """Measure the brightest peak that is no piling up at the end of the range."""
    values = values[np.isfinite(values)]
    lit = values[values > 0]
    empty = BeadPeak(detector=detector, median=float("nan"), robust_cv=float("nan"), n=len(values))
    if len(lit) < LEAST_BEADS:
        return empty
    logs = np.log(lit)
    landscape = find_landscape(compute_histogram(logs, margin=4 * _WIDTH), _WIDTH)
    edges = [-np.inf, *(valley.position for valley in landscape.valleys), np.inf]
    for low, high in reversed(list(pairwise(edges))):
        peak = lit[(logs > low) & (logs <= high)]
        least = max(LEAST_BEADS, _LEAST_SHARE * len(values))
        if len(peak) >= least and np.mean(peak >= _FULL * upper) <= _MOST_FULL:
            return _describe(detector, peak)
    return empty


def _describe(detector: str, peak: Values) -> BeadPeak:
    for _ in range(_ROUNDS):
        centre, spread = _robust(peak)
        peak = peak[np.abs(peak - centre) <= _PEAK_MADS * max(spread, 1e-6 * abs(centre))]
    centre, spread = _robust(peak)
    return BeadPeak(detector=detector, median=centre, robust_cv=spread / centre, n=len(peak))


def _robust(values: Values) -> tuple[float, float]:
    centre = float(np.median(values))
    return centre, 1.4826 * float(np.median(np.abs(values - centre)))
