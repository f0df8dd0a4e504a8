"""Time to an event that is only known to lie between two samples.

References
----------
Kaplan EL, Meier P. J Am Stat Assoc 1958;53:457. Turnbull BW. J R Stat Soc B 1976;38:290. Kalbfleisch JD,
Prentice RL. The Statistical Analysis of Failure Time Data. 1980 (log-log interval).

Notes
-----
Kaplan-Meier is scipy's. Turnbull's estimate is our own: that of lifelines 0.30.3 takes both ends of an
interval in, so that a loss after day 30 and by day 60 and one after day 60 and by day 90 both fall on day 60.
The tests hold both against lifelines, its intervals opened on the left.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
NAN: Final = float("nan")
CONVERGED: Final = 1e-10
MOST_STEPS: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """The share still without the event at a time, with its 95 % interval; NaN where not estimable."""

    share: float
    ci_low: float
    ci_high: float


NOT_ESTIMABLE: Final = Survival(share=NAN, ci_low=NAN, ci_high=NAN)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntervalMasses:
    """Turnbull's estimate: probability ``masses`` in the intervals from ``lows`` to ``highs``."""

    lows: Values
    highs: Values
    masses: Values


def estimate_kaplan_meier(lows: Sequence[float], highs: Sequence[float], at: float) -> Survival:
    """Estimate survival with each event at the middle of its interval.

    Parameters
    ----------
    lows, highs
        The event lies after ``low`` and at or before ``high``; NaN as ``high`` where it had not happened.
    at
        Time at which the share is asked for.

    Returns
    -------
    survival
        Not estimable after the last time at which anyone was under observation.

    Examples
    --------
    >>> round(estimate_kaplan_meier([0, 1, 5, 9], [2, 3, float("nan"), 11], 8).share, 4)
    0.5
    """
    return fit_kaplan_meier(lows, highs)(at)


def fit_kaplan_meier(lows: Sequence[float], highs: Sequence[float]) -> Callable[[float], Survival]:
    """Fit the curve of `estimate_kaplan_meier` once; what is returned reads it at any time."""
    from scipy.stats import CensoredData, ecdf

    low, high = np.asarray(lows, dtype=float), np.asarray(highs, dtype=float)
    if low.size == 0:
        return lambda _at: NOT_ESTIMABLE
    is_censored = np.isnan(high)
    events = (low[~is_censored] + high[~is_censored]) / 2
    last = max(events.max(initial=0.0), low[is_censored].max(initial=0.0))
    curve = ecdf(CensoredData(uncensored=events, right=low[is_censored])).sf
    with warnings.catch_warnings():
        # At 0 and 1 the interval has no width to compute; it is NaN there, which is what is reported.
        warnings.simplefilter("ignore")
        interval = curve.confidence_interval(method="log-log")

    def read(at: float) -> Survival:
        share = float(curve.evaluate(at))
        if at > last and share > 0:
            return NOT_ESTIMABLE
        if not 0 < share < 1:
            return Survival(share=share, ci_low=NAN, ci_high=NAN)
        ci_low, ci_high = (float(one.evaluate(at)) for one in (interval.low, interval.high))
        return Survival(share=share, ci_low=ci_low, ci_high=ci_high)

    return read


def estimate_turnbull(lows: Sequence[float], highs: Sequence[float]) -> IntervalMasses:
    """Estimate where the event lies from intervals alone, by self-consistency.

    Raises
    ------
    ValueError
        If an interval is empty.

    Examples
    --------
    >>> found = estimate_turnbull([0, 1, 2], [2, 3, 4])
    >>> found.lows.tolist(), found.highs.tolist(), found.masses.round(3).tolist()
    ([1.0, 2.0], [2.0, 3.0], [0.5, 0.5])
    """
    low = np.asarray(lows, dtype=float)
    high = np.where(np.isnan(np.asarray(highs, dtype=float)), np.inf, np.asarray(highs, dtype=float))
    if bool(np.any(low >= high)):
        message = "an interval must end after it begins"
        raise ValueError(message)
    starts, ends = _find_innermost(low, high)
    covers = ((starts[None, :] >= low[:, None]) & (ends[None, :] <= high[:, None])).astype(float)
    masses = np.full(starts.size, 1 / max(starts.size, 1))
    for _ in range(MOST_STEPS if low.size else 0):
        once = _share_out(covers, masses)
        step = once - masses
        if np.abs(step).max(initial=0.0) < CONVERGED:
            break
        twice = _share_out(covers, once)
        masses = _leap(masses, step, (twice - once) - step, otherwise=twice)
    return IntervalMasses(lows=starts, highs=ends, masses=masses)


def _share_out(covers: Values, masses: Values) -> Values:
    """Share each subject among the intervals that it may have, by their masses."""
    weights = covers * masses
    weights /= np.add.reduce(weights, axis=1, keepdims=True)
    shared: Values = np.add.reduce(weights, axis=0) / len(covers)
    return shared


def _leap(masses: Values, step: Values, bend: Values, *, otherwise: Values) -> Values:
    """Go on along a step and how the next one bends; two plain steps where a mass would be lost.

    The scheme S3 of Varadhan R, Roland C. Scand J Stat 2008;35:335 (SQUAREM).
    """
    size = float(np.sqrt((bend**2).sum()))
    if size == 0:
        return otherwise
    length = max(1.0, float(np.sqrt((step**2).sum())) / size)
    leapt: Values = masses + 2 * length * step + length**2 * bend
    return leapt / leapt.sum() if (leapt > 0).all() else otherwise


def _find_innermost(low: Values, high: Values) -> tuple[Values, Values]:
    """Return the intervals that can hold mass: a beginning followed directly by an end."""
    # At one time an end comes before a beginning, since intervals are open on the left.
    points = sorted([(float(t), 1) for t in np.unique(low)] + [(float(t), 0) for t in np.unique(high)])
    pairs = [
        (start, end)
        for (start, is_start), (end, is_start_too) in pairwise(points)
        if is_start and not is_start_too
    ]
    return np.array([start for start, _ in pairs]), np.array([end for _, end in pairs])


def read_survival(masses: IntervalMasses, at: float) -> tuple[float, float]:
    """Return the least and greatest share without the event at a time that the estimate allows.

    The two differ inside an interval, where the estimate does not say when the event happens.

    Examples
    --------
    >>> found = estimate_turnbull([0, 1, 2], [2, 3, 4])
    >>> [round(share, 3) for share in read_survival(found, 2.5)]
    [0.0, 0.5]
    """
    gone = float(masses.masses[masses.highs <= at].sum())
    going = float(masses.masses[(masses.lows < at) & (masses.highs > at)].sum())
    return max(0.0, 1 - gone - going), max(0.0, 1 - gone)
