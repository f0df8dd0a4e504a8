"""Bootstrap intervals: of a ratio of geometric means and of a rank correlation.

References
----------
Efron B. J Am Stat Assoc 1987;82:171 (bias-corrected and accelerated interval).
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

BCA_FROM: Final = 8
"""Values in each group from which the accelerated interval is taken; below, percentiles."""
NAN: Final = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapRatio:
    """A ratio of geometric means with its 95 % interval; NaN where a group cannot be resampled."""

    ratio: float
    ci_low: float
    ci_high: float
    method: str


def estimate_geometric_ratio(
    first: npt.ArrayLike, second: npt.ArrayLike, *, seed: int, resamples: int = 10_000
) -> BootstrapRatio:
    """Return the ratio of the geometric means of two groups of positive values.

    Parameters
    ----------
    seed
        Of the resampling; the same seed gives the same interval.

    Raises
    ------
    ValueError
        If a value is not positive.

    Examples
    --------
    >>> found = estimate_geometric_ratio([48200, 96000, 27400, 61000, 55300], [3100, 12500, 9800], seed=1)
    >>> round(found.ratio, 3), found.method
    (7.352, 'percentile')
    """
    groups = [np.asarray(values, dtype=float) for values in (first, second)]
    if any(bool(np.any(~(values > 0))) for values in groups):
        message = "a ratio of geometric means needs positive values"
        raise ValueError(message)
    if min(values.size for values in groups) == 0:
        return BootstrapRatio(ratio=NAN, ci_low=NAN, ci_high=NAN, method="")
    logs = [np.log(values) for values in groups]
    ratio = math.exp(float(logs[0].mean() - logs[1].mean()))
    smallest = min(values.size for values in groups)
    if smallest < 2:
        return BootstrapRatio(ratio=ratio, ci_low=NAN, ci_high=NAN, method="")
    method = "BCa" if smallest >= BCA_FROM else "percentile"
    low, high = _resample(logs, method, seed=seed, resamples=resamples)
    return BootstrapRatio(ratio=ratio, ci_low=math.exp(low), ci_high=math.exp(high), method=method)


def _resample(logs: list[Any], method: str, *, seed: int, resamples: int) -> tuple[float, float]:
    from scipy.stats import bootstrap

    with warnings.catch_warnings():
        # Equal values in a group leave nothing to correct for; the interval is then NaN, which says so.
        warnings.simplefilter("ignore")
        found = bootstrap(
            logs,
            _difference,
            n_resamples=resamples,
            method=method,
            vectorized=True,
            rng=np.random.default_rng(seed),
        )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _difference(first: Any, second: Any, axis: int = -1) -> Any:
    return first.mean(axis=axis) - second.mean(axis=axis)


def bound_spearman(
    first: npt.ArrayLike, second: npt.ArrayLike, *, seed: int, resamples: int = 10_000
) -> tuple[float, float, str]:
    """Return the 95 % interval of Spearman's correlation by resampling the pairs, and its kind.

    NaN with fewer than three pairs or where one side does not vary.

    Examples
    --------
    >>> low, high, method = bound_spearman([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5], seed=1)
    >>> low < 0.83 < high, method
    (True, 'percentile')
    """
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if x.size < 3 or np.unique(x).size == 1 or np.unique(y).size == 1:
        return NAN, NAN, ""
    from scipy.stats import bootstrap

    method = "BCa" if x.size >= BCA_FROM else "percentile"
    with warnings.catch_warnings():
        # A resample of equal values has no correlation; the interval leaves such resamples out.
        warnings.simplefilter("ignore")
        found = bootstrap(
            (x, y),
            _correlate_ranks,
            n_resamples=resamples,
            method=method,
            paired=True,
            vectorized=True,
            rng=np.random.default_rng(seed),
        )
        drawn = found.bootstrap_distribution
        low, high = found.confidence_interval
        if np.isnan([low, high]).any():
            low, high = np.nanpercentile(drawn, [2.5, 97.5])
            method = "percentile"
    return float(low), float(high), method


def _correlate_ranks(first: Any, second: Any, axis: int = -1) -> Any:
    from scipy.stats import rankdata

    x, y = (rankdata(values, axis=axis) for values in (first, second))
    x, y = (values - values.mean(axis=axis, keepdims=True) for values in (x, y))
    scale = np.sqrt((x**2).sum(axis=axis) * (y**2).sum(axis=axis))
    return np.divide((x * y).sum(axis=axis), scale, out=np.full_like(scale, np.nan), where=scale > 0)
