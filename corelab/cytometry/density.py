"""Smoothed histograms with only the peaks and valleys that the events support."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.records import Values

N_BINS: Final = 1024
_MIN_DEPTH: Final = 0.3
_MIN_SIGNIFICANCE: Final = 4.0
_BLOCK: Final = 1 << 14
"""Events that are looked at together, so that they stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histogram:
    """Counts of ``y`` in ``N_BINS`` equal bins from ``low``, each ``step`` wide."""

    counts: Values
    low: float
    step: float

    def position(self, index: float) -> float:
        """Return the value at the middle of a bin."""
        return self.low + (index + 0.5) * self.step


@dataclass(frozen=True, slots=True, kw_only=True)
class Valley:
    """A minimum between two peaks: where, and how deep against the lower of the two."""

    position: float
    depth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Landscape:
    """Positions of the supported peaks, ascending, and of the valleys between them."""

    peaks: tuple[float, ...]
    valleys: tuple[Valley, ...]


def compute_histogram(y: npt.NDArray[np.floating[Any]], *, margin: float) -> Histogram:
    """Bin values with ``margin`` of empty axis on either side."""
    low, high = float(y.min()) - margin, float(y.max()) + margin
    step = max((high - low) / N_BINS, 1e-9)
    counts = np.zeros(N_BINS)
    for begin in range(0, len(y), _BLOCK):
        index = np.minimum(((y[begin : begin + _BLOCK] - low) / step).astype(np.int64), N_BINS - 1)
        counts += np.bincount(index, minlength=N_BINS)
    return Histogram(counts=counts, low=low, step=step)


def smooth(counts: Values, sd_bins: float) -> Values:
    """Convolve with a Gaussian of ``sd_bins`` bins, cut at four standard deviations."""
    half = min(int(np.ceil(4 * sd_bins)), N_BINS // 2 - 1)
    offsets = np.arange(-half, half + 1)
    kernel = np.exp(-0.5 * (offsets / sd_bins) ** 2)
    return np.convolve(counts, kernel / kernel.sum(), mode="same")


def find_landscape(histogram: Histogram, width: float, *, min_depth: float = _MIN_DEPTH) -> Landscape:
    """Find peaks and valleys at one smoothing width and drop those that noise can explain.

    A valley stands if its depth, 1 - valley / lower peak, is at least ``min_depth`` and depth times
    the square root of the events under the lower peak's kernel is at least 4. The weakest
    valley goes first, together with the lower of its two peaks.

    Parameters
    ----------
    histogram
        Counts.
    width
        Standard deviation of the smoothing, in units of the axis.
    min_depth
        Smallest depth that is taken.
    """
    sd_bins = max(width / histogram.step, 0.5)
    density = smooth(histogram.counts, sd_bins)
    peaks, valleys = _extrema(density)
    while valleys:
        depth = [_depth(density, peaks, valleys, i) for i in range(len(valleys))]
        under = [_lower(density, peaks, i) * sd_bins * np.sqrt(2 * np.pi) for i in range(len(depth))]
        strength = [min(d / min_depth, d * np.sqrt(n) / _MIN_SIGNIFICANCE)
                    for d, n in zip(depth, under, strict=True)]  # fmt: skip
        weakest = int(np.argmin(strength))
        if strength[weakest] >= 1:
            break
        _drop(density, peaks, valleys, weakest)
    found = [
        Valley(position=histogram.position(v), depth=_depth(density, peaks, valleys, i))
        for i, v in enumerate(valleys)
    ]
    return Landscape(peaks=tuple([histogram.position(p) for p in peaks]), valleys=tuple(found))


def _extrema(density: Values) -> tuple[list[int], list[int]]:
    """List all local maxima and, between neighbours, the middle of the lowest stretch."""
    change = np.sign(np.diff(density, prepend=0.0, append=0.0))
    moving = np.flatnonzero(change)
    falls = (change[moving[:-1]] > 0) & (change[moving[1:]] < 0)
    peaks = [int((a + b - 1) // 2) for a, b in zip(moving[:-1][falls], moving[1:][falls], strict=True)]
    valleys = []
    for left, right in pairwise(peaks):
        stretch = density[left : right + 1]
        lowest = np.flatnonzero(stretch <= stretch.min() * (1 + 1e-9))
        valleys.append(left + int(lowest.mean()))
    return peaks, valleys


def _lower(density: Values, peaks: list[int], index: int) -> float:
    return float(min(density[peaks[index]], density[peaks[index + 1]]))


def _depth(density: Values, peaks: list[int], valleys: list[int], index: int) -> float:
    return 1.0 - float(density[valleys[index]]) / _lower(density, peaks, index)


def _drop(density: Values, peaks: list[int], valleys: list[int], index: int) -> None:
    """Remove a valley with its lower peak; of the valleys beside that peak the deeper stays."""
    gone = index if density[peaks[index]] < density[peaks[index + 1]] else index + 1
    beside = [i for i in (gone - 1, gone) if 0 <= i < len(valleys)]
    drop = max(beside, key=lambda i: density[valleys[i]]) if len(beside) == 2 else beside[0]
    del peaks[gone], valleys[drop]
