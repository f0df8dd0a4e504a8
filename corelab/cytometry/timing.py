"""Signal over the time of an acquisition: stretches that differ are left out, trends are told.

Ranks, not intensities: the median of a two-humped channel jumps across its valley by chance, the mean
of ranks does not. Windows of 1 to 15 bins are scanned, since a fault has no fixed length.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.records import Mask, Values

_BIN_EVENTS: Final = 250
_MIN_BINS: Final = 8
_LONGEST: Final = 15
_LIMIT: Final = 6.0
_MOST_WINDOWS: Final = 100
_SLOPE: Final = 1.5
"""Step between the outer thirds, in standard errors of a bin, above which a run is no longer level."""

_LEVELS: Final = 512
_POSITIVE: Final = 1.5
"""Position on the self-scaled axis above which an event counts as positive (about 5 s)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeCheck:
    """Events kept, their missing share, and the largest lasting trend.

    ``trend`` is the change of a channel's mean rank between the first and the last third of the run.
    """

    kept: Mask
    removed: float
    trend: float


def check_time(time: Values, y: Values) -> TimeCheck:
    """Scan the channels of one acquisition along its time.

    Parameters
    ----------
    time
        ``(n_events,)``.
    y
        ``(n_events, n_channels)`` on the self-scaled axis.

    Returns
    -------
    TimeCheck
        Everything is kept where there are fewer than 2,000 events.
    """
    n_events = len(time)
    n_bins = n_events // _BIN_EVENTS
    if n_bins < _MIN_BINS:
        return TimeCheck(kept=np.ones(n_events, dtype=bool), removed=0.0, trend=0.0)
    bins = np.empty(n_events, dtype=np.int64)
    bins[np.argsort(time, kind="stable")] = np.arange(n_events) * n_bins // n_events
    scores = compute_bin_scores(y, bins, n_bins)
    bad = find_departures(scores)
    steps = compute_steps(scores[:, ~bad])
    return TimeCheck(
        kept=~bad[bins],
        removed=float(bad[bins].mean()),
        trend=float(np.abs(steps).max()) / float(np.sqrt(12 * _BIN_EVENTS)),
    )


def find_departures(scores: Values) -> npt.NDArray[np.bool_]:
    """Mark stretches that depart from the rest, but not the two ends of a lasting trend.

    A stretch that is cut out leaves a level run behind; a trend leaves a slope, and then the run is
    scanned again without the straight line through its outer thirds.
    """
    bad = scan_windows(scores)
    if not bad.any() or np.abs(compute_steps(scores[:, ~bad])).max() <= _SLOPE:
        return bad
    n_bins = scores.shape[1]
    line = (np.arange(n_bins) - (n_bins - 1) / 2) / (n_bins - n_bins // 3)
    level = scan_windows(scores - compute_steps(scores)[:, None] * line)
    return level if level.sum() < bad.sum() else bad


def compute_steps(scores: Values) -> Values:
    """Compute the difference of the medians of the last and the first third of a run."""
    third = scores.shape[1] // 3
    if third < 2:
        return np.zeros(len(scores))
    return np.asarray(np.median(scores[:, -third:], axis=1) - np.median(scores[:, :third], axis=1))


def compute_bin_scores(y: Values, bins: npt.NDArray[np.int64], n_bins: int) -> Values:
    """Compute the mean rank per bin in standard errors, for all events and for the positives alone.

    Returns
    -------
    array
        ``(n_statistics, n_bins)``; centred on the median bin. The standard error of a mean of m
        ranks is ``1 / sqrt(12 m)`` at least; a channel that scatters more from bin to bin (a
        fluctuating flow) is judged by its own scatter.
    """
    rows = []
    for column in range(y.shape[1]):
        values = y[:, column]
        ranks = compute_ranks(values)
        rows.append(_standardise(ranks, bins, n_bins))
        positive = values > _POSITIVE
        share = float(positive.mean())
        if 0.02 < share < 0.98:
            part = compute_ranks(values[positive])
            rows.append(_standardise(part, bins[positive], n_bins))
    return np.array(rows)


def compute_ranks(values: Values) -> Values:
    """Compute ranks in [0, 1] from a histogram of 512 levels, ties sharing their middle."""
    low, high = np.quantile(values, (0.002, 0.998))
    step = max(float(high - low) / _LEVELS, 1e-12)
    level = np.clip((values - low) / step, 0, _LEVELS - 1).astype(np.int64)
    counts = np.bincount(level, minlength=_LEVELS)
    middle = (np.cumsum(counts) - 0.5 * counts) / len(values)
    return np.asarray(middle[level])


def _standardise(ranks: Values, bins: npt.NDArray[np.int64], n_bins: int) -> Values:
    n = np.bincount(bins, minlength=n_bins)
    total = np.bincount(bins, weights=ranks, minlength=n_bins)
    enough = n >= 5
    mean = np.where(enough, total / np.maximum(n, 1), np.nan)
    centre = float(np.nanmedian(mean)) if enough.any() else 0.0
    z = np.where(enough, (mean - centre) * np.sqrt(12.0 * np.maximum(n, 1)), 0.0)
    # Neighbours' differences do not see a slow trend or a single jump, only the noise.
    noise = 1.4826 * float(np.median(np.abs(np.diff(z)))) / np.sqrt(2)
    return np.asarray(z / max(1.0, noise))


def scan_windows(scores: Values) -> npt.NDArray[np.bool_]:
    """Mark bins in windows whose mean departs by more than six standard errors.

    The window with the largest departure goes first; the rest is centred anew.
    """
    n_bins = scores.shape[1]
    bad = np.zeros(n_bins, dtype=bool)
    for _ in range(_MOST_WINDOWS):
        centred = np.where(bad, 0.0, scores - np.median(scores[:, ~bad], axis=1, keepdims=True))
        window = _worst_window(centred)
        if window is None or (bad.mean() > 0.7):
            break
        bad[window[0] : window[1]] = True
    return bad


def _worst_window(centred: Values) -> tuple[int, int] | None:
    running = np.cumsum(np.pad(centred, ((0, 0), (1, 0))), axis=1)
    best, where = _LIMIT, None
    for length in range(1, min(_LONGEST, centred.shape[1] // 2) + 1):
        sums = np.abs(running[:, length:] - running[:, :-length]).max(axis=0) / np.sqrt(length)
        at = int(np.argmax(sums))
        if sums[at] > best:
            best, where = float(sums[at]), (at, at + length)
    return where
