"""Signal over the time of an acquisition: stretches that differ are left out, trends are told.

Ranks, not intensities: the median of a two-humped channel jumps across its valley by chance, the mean
of ranks does not. Windows of 1 to 15 bins are scanned, since a fault has no fixed length.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.recipes import Position
from corelab.cytometry.records import Mask, Values, fair_rows

_BIN_EVENTS: Final = 250
_MIN_BINS: Final = 8
_LONGEST: Final = 15
_LIMIT: Final = 6.0
_MOST_WINDOWS: Final = 100
_SLOPE: Final = 1.5
"""Step between the outer thirds, in standard errors of a bin, above which a run is no longer level."""

_LEVELS: Final = 512
_QUANTILE_EVENTS: Final = 25_000
_MANY: Final = 100_000
"""Below, NumPy is done before the compiled loop is loaded."""
_BLOCK: Final = 1 << 14
"""Events that are looked at together, so that they stay in the processor's cache."""
_POSITIVE: Final = 1.5
"""Position on the self-scaled axis above which an event counts as positive (about 5 s)."""

Levels = npt.NDArray[np.int16]
SumBins = Callable[[Values, Levels, npt.NDArray[np.int64]], Values]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeCheck:
    """Events kept, their missing share, and the largest lasting trend.

    ``trend`` is the change of a channel's mean rank between the first and the last third of the run;
    ``spans`` are the stretches that are left out, from a time on and below another.
    """

    kept: Mask
    removed: float
    trend: float
    spans: tuple[tuple[float, float], ...] = ()


def scan_time(time: npt.NDArray[np.floating[Any]], channels: Iterable[Position]) -> TimeCheck:
    """Scan the channels of one acquisition along its time.

    Parameters
    ----------
    time
        ``(n_events,)``.
    channels
        One ``(n_events,)`` on the self-scaled axis for each channel; looked at one after the other.

    Returns
    -------
    TimeCheck
        Everything is kept where there are fewer than 2,000 events.
    """
    n_events = len(time)
    n_bins = n_events // _BIN_EVENTS
    if n_bins < _MIN_BINS:
        return TimeCheck(kept=np.ones(n_events, dtype=bool), removed=0.0, trend=0.0)
    order = None if (time[1:] >= time[:-1]).all() else np.argsort(time, kind="stable")
    starts = -(-np.arange(n_bins) * n_events // n_bins)
    in_order = (y if order is None else y[order] for y in channels)
    scores = np.array([row for y in in_order for row in compute_bin_scores(y, starts)])
    bad = find_departures(scores)
    steps = compute_steps(scores[:, ~bad])
    kept = np.repeat(~bad, np.diff(starts, append=n_events))
    if order is not None:
        kept[order] = kept.copy()
    return TimeCheck(
        kept=kept,
        removed=1.0 - float(kept.mean()),
        trend=float(np.abs(steps).max()) / float(np.sqrt(12 * _BIN_EVENTS)),
        spans=_list_spans(bad, time[starts] if order is None else time[order[starts]]),
    )


def _list_spans(
    bad: npt.NDArray[np.bool_], begins: npt.NDArray[np.floating[Any]]
) -> tuple[tuple[float, float], ...]:
    """List the stretches of neighbouring bad bins, the last one open where the run ends in it."""
    changes = np.flatnonzero(np.diff(bad, prepend=False, append=False)).tolist()
    ends = [*begins.tolist(), float("inf")]
    return tuple((ends[a], ends[b]) for a, b in zip(changes[::2], changes[1::2], strict=True))


def keep_time(check: TimeCheck, time: npt.NDArray[np.floating[Any]]) -> TimeCheck:
    """Apply what was left out of a part of a file to other events of it."""
    kept = np.ones(len(time), dtype=bool)
    for begin, end in check.spans:
        kept &= (time < np.float64(begin)) | (time >= np.float64(end))
    return replace(check, kept=kept)


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


def compute_bin_scores(y: Position, starts: npt.NDArray[np.int64]) -> list[Values]:
    """Compute the mean rank per bin in standard errors, for all events and for the positives alone.

    Parameters
    ----------
    y
        One channel in the order of time.
    starts
        First event of each bin.

    Returns
    -------
    list
        ``(n_bins,)`` for all events and, where they are neither nearly none nor nearly all, for the
        positives; centred on the median bin. The standard error of a mean of m ranks is
        ``1 / sqrt(12 m)`` at least; a channel that scatters more from bin to bin (a fluctuating flow) is
        judged by its own scatter.
    """
    level, counts, edges = find_levels(y)
    is_positive = edges > _POSITIVE
    tables = [_rank(counts)]
    if 0.02 < counts[is_positive].sum() / len(y) < 0.98:
        tables.append(np.where(is_positive, _rank(np.where(is_positive, counts, 0)), 0.0))
        tables.append(is_positive.astype(np.float64))
    sums = _choose_loops(len(y))[1](np.array(tables), level, starts)
    rows = [_standardise(sums[0], np.diff(starts, append=len(y)))]
    return rows if len(sums) == 1 else [*rows, _standardise(sums[1], sums[2].astype(np.int64))]


def compute_ranks(values: Position) -> Values:
    """Compute ranks in [0, 1] from a histogram of 512 levels, ties sharing their middle."""
    level, counts, _ = find_levels(values)
    return np.asarray(_rank(counts)[level])


def find_levels(values: Position) -> tuple[Levels, npt.NDArray[np.int64], Values]:
    """Sort values into 512 levels between two outer quantiles of a fair part of them.

    Returns
    -------
    tuple
        The level of each value, how many each level has, and where each begins.
    """
    part = values[fair_rows(len(values), most=_QUANTILE_EVENTS)]
    low, high = (float(edge) for edge in np.quantile(part, (0.002, 0.998)))
    step = max((high - low) / _LEVELS, 1e-12)
    level, counts = np.empty(len(values), dtype=np.int16), np.zeros(_LEVELS, dtype=np.int64)
    kind = values.dtype.type
    _choose_loops(len(values))[0](values, kind(low), kind(step), level, counts)
    return level, counts, np.asarray(low + step * np.arange(_LEVELS), dtype=np.float64)


def _choose_loops(n_events: int) -> tuple[Callable[..., None], SumBins]:
    """Choose what sorts values into levels, and what adds up numbers of the levels of each bin's events."""
    if n_events >= _MANY:
        try:
            from corelab.cytometry.kernel import products
        except ImportError:
            return _sort_levels, _sum_bins
        return products.sort_levels, products.sum_bins
    return _sort_levels, _sum_bins


def _sort_levels(
    values: Position, low: np.floating[Any], step: np.floating[Any], level: Levels, counts: Any
) -> None:
    for begin in range(0, len(values), _BLOCK):
        place = values[begin : begin + _BLOCK] - low
        place /= step
        np.maximum(place, 0, out=place)
        own = level[begin : begin + _BLOCK]
        own[:] = np.minimum(place, _LEVELS - 1, out=place)
        counts += np.bincount(own, minlength=_LEVELS)


def _sum_bins(tables: Values, level: Levels, starts: npt.NDArray[np.int64]) -> Values:
    return np.array([np.add.reduceat(table[level], starts) for table in tables])


def _rank(counts: npt.NDArray[np.int64]) -> Values:
    """Give the middle rank of each level."""
    return np.asarray((np.cumsum(counts) - 0.5 * counts) / max(int(counts.sum()), 1))


def _standardise(total: Values, n: npt.NDArray[np.int64]) -> Values:
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
