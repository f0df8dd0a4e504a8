"""Exact and approximate confidence intervals of counts; every function takes numbers or arrays.

All fractions are between 0 and 1. A total of zero has no estimate: both limits are NaN.

References
----------
Clopper CJ, Pearson ES. Biometrika 1934;26:404. Wilson EB. JASA 1927;22:209. Newcombe RG. Stat Med
1998;17:873 (method 10).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, gammaincinv, ndtri

Values = npt.NDArray[np.float64]
Interval = tuple[Values, Values]


def clopper_pearson(count: npt.ArrayLike, total: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the exact two-sided interval of a binomial fraction.

    Parameters
    ----------
    count
        Events in the population.
    total
        Events of the denominator.
    level
        Confidence level, two-sided.

    Returns
    -------
    low, high : fractions, broadcast over the arguments
        NaN where the total is zero or a count is missing.

    Raises
    ------
    ValueError
        If a count is negative or above its total.

    Examples
    --------
    >>> low, high = clopper_pearson(14, 61000)
    >>> round(100 * float(low), 5), round(100 * float(high), 5)
    (0.01255, 0.0385)
    """
    n, total_n = _check_counts(count, total)
    tail = (1 - level) / 2
    known = total_n > 0
    # betaincinv knows no parameter of zero: those limits are set by definition below.
    low = betaincinv(np.maximum(n, 0.5), total_n - n + 1, tail)
    high = betaincinv(n + 1, np.maximum(total_n - n, 0.5), 1 - tail)
    low = np.where(n > 0, low, 0.0)
    high = np.where(n < total_n, high, 1.0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def wilson(count: npt.ArrayLike, total: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a binomial fraction.

    Raises
    ------
    ValueError
        If a count is negative or above its total.

    Examples
    --------
    >>> low, high = wilson(14, 61000)
    >>> round(100 * float(low), 5), round(100 * float(high), 5)
    (0.01367, 0.03852)
    """
    n, total_n = _check_counts(count, total)
    z = float(ndtri((1 + level) / 2))
    safe = np.where(total_n > 0, total_n, np.nan)
    fraction = n / safe
    centre = fraction + z**2 / (2 * safe)
    reach = z * np.sqrt(fraction * (1 - fraction) / safe + z**2 / (4 * safe**2))
    scale = 1 + z**2 / safe
    low = np.where(n > 0, (centre - reach) / scale, 0.0 * safe)
    high = np.where(n < total_n, (centre + reach) / scale, 1.0 + 0.0 * safe)
    return low, high


def newcombe(
    count: npt.ArrayLike,
    total: npt.ArrayLike,
    *,
    control_count: npt.ArrayLike,
    control_total: npt.ArrayLike,
    level: float = 0.95,
) -> Interval:
    """Return the interval of a difference of two fractions (Wilson hybrid); it is never clipped.

    Raises
    ------
    ValueError
        If a count is negative or above its total.

    Examples
    --------
    >>> low, high = newcombe(412, 5650, control_count=9, control_total=5400)
    >>> round(100 * float(low), 3), round(100 * float(high), 3)
    (6.459, 7.837)
    """
    first = np.asarray(count, dtype=float) / _divisor(total)
    second = np.asarray(control_count, dtype=float) / _divisor(control_total)
    low_1, high_1 = wilson(count, total, level=level)
    low_2, high_2 = wilson(control_count, control_total, level=level)
    difference = first - second
    low = difference - np.sqrt((first - low_1) ** 2 + (high_2 - second) ** 2)
    high = difference + np.sqrt((high_1 - first) ** 2 + (second - low_2) ** 2)
    return low, high


def count_ratio(count: npt.ArrayLike, reference: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the exact interval of a ratio of two counts, as cells to beads of the same tube.

    Notes
    -----
    Given ``n + b`` events, ``n`` is binomial; the Clopper-Pearson limits ``l`` of ``n / (n + b)`` give
    ``l / (1 - l)``. Infinite where there is no reference event.

    Raises
    ------
    ValueError
        If a count is negative.

    Examples
    --------
    >>> low, high = count_ratio(412, 8950)
    >>> round(float(low) * 49800 / 50, 2), round(float(high) * 49800 / 50, 2)
    (41.44, 50.61)
    """
    n = np.asarray(count, dtype=float)
    low, high = clopper_pearson(n, n + np.asarray(reference, dtype=float), level=level)
    return low / _nonzero(1 - low), np.where(high < 1, high / _nonzero(1 - high), np.inf + 0.0 * high)


def poisson_exact(count: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the exact two-sided interval of the mean of a Poisson count.

    References
    ----------
    Garwood F. Biometrika 1936;28:437.

    Examples
    --------
    >>> low, high = poisson_exact([0, 100])
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.0, 81.36], [3.69, 121.63])
    """
    n = np.asarray(count, dtype=float)
    tail = (1 - level) / 2
    low = np.where(n > 0, gammaincinv(np.maximum(n, 0.5), tail), 0.0 * n)
    return low, gammaincinv(n + 1, 1 - tail)


def _nonzero(values: Values) -> Values:
    return np.where(values > 0, values, np.nan)


def _divisor(total: npt.ArrayLike) -> Values:
    return _nonzero(np.asarray(total, dtype=float))


def _check_counts(count: npt.ArrayLike, total: npt.ArrayLike) -> Interval:
    n, total_n = np.broadcast_arrays(np.asarray(count, dtype=float), np.asarray(total, dtype=float))
    if bool(np.any(n < 0)) or bool(np.any(n > total_n)):
        offender: Any = np.argwhere(np.atleast_1d((n < 0) | (n > total_n)))[0]
        message = f"count outside 0..total at position {offender.tolist()}"
        raise ValueError(message)
    return n, total_n
