"""The two ways to place a one-dimensional limit: between two groups, or above a negative one."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.density import (
    Histogram,
    Landscape,
    compute_histogram,
    find_landscape,
    smooth,
)
from corelab.cytometry.records import Mask, Values, fair_rows

WIDTHS: Final = (0.12, 0.18, 0.25, 0.35)
Position = npt.NDArray[np.floating[Any]]
"""Places of events on an axis."""

Sighting = tuple[float, float, float]
"""A valley at one smoothing width: position, depth, width."""

_SAME_VALLEY: Final = 0.3
_FULL_N: Final = 2000
_MIN_SIDE: Final = 25
_MIN_EVENTS: Final = 50
_MIN_NEGATIVES: Final = 25
_MIN_BELOW_ZERO: Final = 10
"""Values below zero that tell the noise within a third; the default may be off by a factor of five."""
_MIN_FLOORED: Final = 0.01
_FLOOR_WIDTH: Final = 0.05
_MIN_PILE: Final = 0.2
"""Share of a group at its floor; a normal group has it only where it is as narrow as a fifth of the noise."""
_LOPSIDED: Final = 2.0
_WITHIN_ONE: Final = 0.6827
_PEAK_WIDTH: Final = 0.25
_MIN_PEAK_SHARE: Final = 0.02
_MIN_GROUP: Final = 100
_MAX_GROUP_SPREAD: Final = 0.6
"""Spread of the logarithm of a stained group; a smear from the negatives upwards has more."""
_NEAREST_GROUP: Final = 4.0
_MIN_COUNTED: Final = 300
"""Events that tell middle and spread of a group well enough to move the limit of a count."""
_PLACES: Final = 151
_WINDOW: Final = 1.3
_TAIL: Final = 1.25
"""How much wider negatives are to the right, where dim light adds to their noise, than to the left."""
_ONE_SD: Final = 0.8413
_MOST_ROUNDS: Final = 20
_SETTLED_LIMIT: Final = 0.02
_BLOCK: Final = 1 << 14
_HUGE: Final = 1e18
DEFAULT_SCALE: Final = 150.0
"""Noise of a channel that has no negative values, in channel units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValleyFit:
    """A limit between two groups on the axis, and how much it is to be trusted (0 to 1)."""

    position: float
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative:
    """Mode and left-hand spread of a negative group, in the units of the values, and its events."""

    mode: float
    spread: float
    n: int


def compute_scale(x: Values) -> float:
    """Compute the noise of a channel, 1.4826 × median |x| over its negative values.

    Returns
    -------
    float
        NaN where fewer than 10 values are negative: then the channel has no scale of its own.
    """
    negative = x[x < 0]
    if len(negative) < _MIN_BELOW_ZERO:
        return float("nan")
    return float(1.4826 * np.median(-negative))


def compute_floored_scale(x: Values) -> float:
    """Compute the noise of a channel whose values below zero were recorded as zero.

    Returns
    -------
    float
        NaN where it was not so: a value below zero, or fewer than 1 % at zero.

    Notes
    -----
    Of negatives around zero half lie at the floor, so that of as many above it 68 % lie within one spread.
    """
    if not len(x) or x.min() != 0:
        return float("nan")
    n_floored = int(np.count_nonzero(x == 0))
    if n_floored < max(_MIN_NEGATIVES, _MIN_FLOORED * len(x)):
        return float("nan")
    return _measure_right(np.sort(x[x > 0]), 0.0, n_floored)


def _measure_right(above: Values, mode: float, n_left: int) -> float:
    """Return the spread of a group to the right of its mode, by the number of its events to the left."""
    place = int(_WITHIN_ONE * n_left)
    return float(above[place] - mode) if place < len(above) else float("nan")


def to_axis(x: Values, scale: float | Values) -> Values:
    """Map linear values to the self-scaled axis ``asinh(x / (2.5 scale))``.

    On it the negatives of any channel have the same width, about 0.4, too narrow to be split;
    a fixed cofactor tears them in two as soon as the noise exceeds it.
    """
    return np.arcsinh(np.asarray(x) / (2.5 * scale))


def approximate_axis(x: Values, scale: float, among: Mask | None = None) -> npt.NDArray[np.float32]:
    """Map linear values to the self-scaled axis within 1e-6, in a seventh of the time: for histograms.

    ``asinh(z) = log(|z| + sqrt(z² + 1))`` with the sign of ``z``, up to 1e18; a block at a time, so that
    what lies between stays in the processor's cache. ``among`` says of which events.
    """
    y = np.empty(len(x) if among is None else int(np.count_nonzero(among)), dtype=np.float32)
    end, unit = 0, 2.5 * scale
    wide, narrow = np.empty(min(len(x), _BLOCK)), np.empty((2, min(len(x), _BLOCK)), dtype=np.float32)
    for begin in range(0, len(x), _BLOCK):
        block = x[begin : begin + _BLOCK]
        if among is not None:
            block = block[among[begin : begin + _BLOCK]]
        start, end = end, end + len(block)
        ratio, (size, square), z = wide[: len(block)], narrow[:, : len(block)], y[start:end]
        np.divide(block, unit, out=ratio)
        np.maximum(ratio, -_HUGE, out=ratio)
        np.minimum(ratio, _HUGE, out=ratio)
        z[:] = ratio
        np.abs(z, out=size)
        np.multiply(size, size, out=square)
        square += np.float32(1)
        size += np.sqrt(square, out=square)
        np.copysign(np.log(size, out=size), z, out=z)
    return y


def from_axis(y: float, scale: float) -> float:
    """Map one position of the axis back to linear units."""
    return float(np.sinh(y) * 2.5 * scale)


def fit_valley(y: Position, *, which: str, at_least: float = -np.inf) -> ValleyFit | None:
    """Place a limit in a valley that persists over several smoothing widths.

    Parameters
    ----------
    y
        Values on an axis where groups are of similar width.
    which
        ``first``, ``last`` or ``deepest`` of the valleys.
    at_least
        Valleys below this position do not count.

    Returns
    -------
    ValleyFit or None
        None if no valley with at least 25 events on either side shows at two of four widths.
        The score is the median depth × share of widths × exp(-spread of the positions).
    """
    if len(y) < _MIN_EVENTS:
        return None
    factor = max(1.0, (_FULL_N / len(y)) ** 0.2)
    histogram = compute_histogram(y, margin=4 * WIDTHS[-1] * factor)
    seen = [
        (valley.position, valley.depth, width)
        for width in WIDTHS
        for valley in find_landscape(histogram, width * factor).valleys
        if valley.position >= at_least and _has_sides(histogram, valley.position)
    ]
    lasting = [fit for fit in map(_join, _group(sorted(seen))) if fit is not None]
    if not lasting:
        return None
    if which == "deepest":
        return max(lasting, key=lambda fit: fit.score)
    return lasting[0 if which == "first" else -1]


def _group(seen: list[Sighting]) -> list[list[Sighting]]:
    """Group what is one valley at several widths: positions without a gap."""
    groups: list[list[Sighting]] = []
    for sighting in seen:
        if groups and sighting[0] - groups[-1][-1][0] <= _SAME_VALLEY:
            groups[-1].append(sighting)
        else:
            groups.append([sighting])
    return groups


def _join(group: list[Sighting]) -> ValleyFit | None:
    """Make one valley of its sightings; None where it is seen at one width only."""
    share = len({width for _, _, width in group}) / len(WIDTHS)
    if share < 0.5:
        return None
    positions = np.array([position for position, _, _ in group])
    depth = float(np.median([depth for _, depth, _ in group]))
    score = depth * share * float(np.exp(-positions.std()))
    return ValleyFit(position=float(np.median(positions)), score=score)


def _has_sides(histogram: Histogram, position: float) -> bool:
    edge = int((position - histogram.low) / histogram.step)
    below = float(histogram.counts[:edge].sum())
    return min(below, float(histogram.counts.sum()) - below) >= _MIN_SIDE


def fit_negative(x: Values, *, scale: float) -> Negative | None:
    """Find the lowest group of events and its width from its left half alone.

    Positive events, however many or dim, lie on the right and do not widen it.

    Parameters
    ----------
    x
        Linear values.
    scale
        Noise of the channel, to see the peaks on its self-scaled axis.

    Returns
    -------
    Negative or None
        None below 50 events. Mode and spread are those of a fair part; ``n`` counts all events within
        3 spreads of the mode.
    """
    if len(x) < _MIN_EVENTS:
        return None
    part = np.sort(x[fair_rows(len(x))])  # in order, a median is a place and a range is a slice
    peak = from_axis(_lowest_peak(approximate_axis(part, scale)), scale)
    mode, spread = peak, scale * float(np.sqrt(1 + (peak / (2.5 * scale)) ** 2))
    for _ in range(3):
        mode = _refine_mode(part, mode, spread)
        below = int(np.searchsorted(part, mode))
        if below < _MIN_NEGATIVES // 2:
            return None
        spread = 1.4826 * (mode - 0.5 * float(part[(below - 1) // 2] + part[below // 2]))
    spread = _widen_floored(part, mode, spread, scale)
    n = _count_within(x, mode, 3 * spread)
    return Negative(mode=mode, spread=spread, n=n) if spread > 0 else None


def _widen_floored(x: Values, mode: float, spread: float, scale: float) -> float:
    """Return the right-hand spread, or the noise, of a group whose left half was recorded as one value.

    Compensation moves the events of the floor a little apart; still many lie within a twentieth of the noise,
    and the group is far wider to the right. Any other group keeps its spread.
    """
    reach = _FLOOR_WIDTH * scale
    first, last, end = np.searchsorted(x, (mode - reach, mode + reach, mode + 3 * scale))
    if end - first < _MIN_EVENTS or last - first < _MIN_PILE * (end - first):
        return spread
    right = _measure_right(x[last:], mode, int(last))
    return max(right, scale) if right > _LOPSIDED * spread else spread


def _count_within(x: Values, centre: float, reach: float) -> int:
    """Count the values that are no farther from a place, a block at a time."""
    blocks = (x[begin : begin + _BLOCK] for begin in range(0, len(x), _BLOCK))
    return sum(int(np.count_nonzero(np.abs(block - centre) <= reach)) for block in blocks)


def _lowest_peak(y: Position) -> float:
    """Return the lowest peak that holds at least 2 % of the events."""
    factor = max(1.0, (_FULL_N / len(y)) ** 0.2)
    histogram = compute_histogram(y, margin=4 * _PEAK_WIDTH * factor)
    landscape = find_landscape(histogram, _PEAK_WIDTH * factor)
    edges = [-np.inf, *(valley.position for valley in landscape.valleys), np.inf]
    return _first_large(y, landscape, edges)


def _first_large(y: Position, landscape: Landscape, edges: list[float]) -> float:
    for peak, low, high in zip(landscape.peaks, edges[:-1], edges[1:], strict=True):
        if np.count_nonzero((y > low) & (y <= high)) >= _MIN_PEAK_SHARE * len(y):
            return peak
    return landscape.peaks[0]


def _refine_mode(x: Values, mode: float, spread: float) -> float:
    """Find the mode of ordered values in linear units within 2.5 spreads of a first guess."""
    reach = 2.5 * spread
    near = x[np.searchsorted(x, mode - reach) : np.searchsorted(x, mode + reach, side="right")]
    if len(near) < _MIN_NEGATIVES:
        return mode
    z = (near - mode) / spread
    histogram = compute_histogram(z, margin=2.0)
    width = 0.35 * max(1.0, (_FULL_N / len(near)) ** 0.2)
    highest = int(np.argmax(smooth(histogram.counts, width / histogram.step)))
    return mode + spread * histogram.position(highest)


def balance_groups(z: Values, first: float) -> float | None:
    """Find the limit that as large a part of the negatives exceeds as of the positives falls short of.

    Parameters
    ----------
    z
        Distances from the mode of the negatives in their left-hand spreads.
    first
        A limit above which there are positives only.

    Returns
    -------
    float or None
        None where what lies above is no group of its own: a smear, too few events, or too near.

    Notes
    -----
    The upper half of the positives, which no negative reaches, gives their middle d and the spread s of
    their logarithm. With negatives t times as wide to the right as to the left, both have the same part on
    the wrong side of k where ``k / t = ln(d / k) / s``: ``k = W(a d) / a``, ``a = s / t``, Lambert's W.
    """
    from scipy.special import lambertw

    limit = first
    for _ in range(_MOST_ROUNDS):
        group = _describe_positives(z[z > limit], at_least=_MIN_GROUP)
        if group is None:
            return None
        middle, spread = group
        slope = spread / _TAIL
        before, limit = limit, float(lambertw(slope * middle).real / slope)
        if abs(limit - before) < _SETTLED_LIMIT:
            break
    return limit


def _describe_positives(z: Values, *, at_least: int) -> tuple[float, float] | None:
    """Return the middle of a group and the spread of its logarithm by its upper half; None for a smear."""
    if len(z) < at_least:
        return None
    middle, high = np.quantile(z, (0.5, _ONE_SD))
    spread = max(float(np.log(high / middle)), 1e-3)
    return None if spread > _MAX_GROUP_SPREAD or middle < _NEAREST_GROUP else (float(middle), spread)


def balance_counts(z: Values, first: float, lowest: float) -> float | None:
    """Find the limit that as many negatives exceed as positives fall short of: the count is then right.

    Parameters
    ----------
    z
        Distances from the mode of the negatives in their left-hand spreads.
    first
        A limit above which there are positives only; the result is no higher.
    lowest
        The result is no lower.

    Returns
    -------
    float or None
        None where fewer than 300 events lie above the first limit, or no group of its own: a smear, too near,
        or at the limit more than half as dense, by the logarithm, as in its middle.

    Notes
    -----
    Positives and negatives are described as in `balance_groups`. The larger the positive group is, the lower
    is the limit: of many dim cells a fixed one loses far more than it keeps out.
    """
    from scipy.special import ndtr

    places = np.linspace(lowest, first, _PLACES)
    limit, middle = first, first
    for _ in range(_MOST_ROUNDS):
        group = _describe_positives(z[z > limit], at_least=_MIN_COUNTED)
        if group is None:
            return None
        middle, spread = group
        n_positive = 2 * int(np.count_nonzero(z > middle))
        short = n_positive * ndtr(np.log(places / middle) / spread)
        is_fair = (len(z) - n_positive) * ndtr(-places / _TAIL) <= short
        before, limit = limit, float(places[int(np.argmax(is_fair))]) if is_fair.any() else first
        if abs(limit - before) < _SETTLED_LIMIT:
            break
    edge = np.count_nonzero((z > limit) & (z <= limit * _WINDOW))
    centre = np.count_nonzero((z > middle / np.sqrt(_WINDOW)) & (z <= middle * np.sqrt(_WINDOW)))
    return limit if edge < 0.5 * centre else None


def compute_swing(x: Values, cut: float, spread: float) -> float:
    """Compute by how many points the share above a limit changes when it moves by ±0.5 spread."""
    if not len(x):
        return 100.0
    near = np.count_nonzero((x > cut - 0.5 * spread) & (x <= cut + 0.5 * spread))
    return 100.0 * float(near) / len(x)
