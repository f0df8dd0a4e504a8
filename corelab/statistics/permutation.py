"""Exact tests of two small groups and of two rankings.

References
----------
Pitman EJG. J R Stat Soc Suppl 1937;4:119 (permutation of means). Mann HB, Whitney DR. Ann Math Stat
1947;18:50. Kendall MG. Biometrika 1945;33:239 (tau-b).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Orders = npt.NDArray[np.intp]
EXACT_UP_TO: Final = 200_000
"""Arrangements up to which all are counted; above, as many random ones as asked for are drawn."""
EXACT_PAIRINGS_UP_TO: Final = 7
CHUNK: Final = 500
"""Rearrangements compared at once."""
TIE_TOLERANCE: Final = 1e-9
NAN: Final = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A two-sided test: its statistic, p-value and the smallest p-value that these numbers could give."""

    statistic: float
    p_value: float
    smallest_p: float
    is_exact: bool

    def is_informative(self, *, level: float) -> bool:
        """Whether the test could have reached the level at all; if not, it shows no absence either."""
        return self.smallest_p <= level


UNDEFINED: Final = Comparison(statistic=NAN, p_value=NAN, smallest_p=NAN, is_exact=True)


def compare_means(
    first: npt.ArrayLike, second: npt.ArrayLike, *, seed: int, resamples: int = 10_000
) -> Comparison:
    """Test a difference of means by permuting the groups, two-sided by the size of the difference.

    Parameters
    ----------
    first, second
        Values of the two groups, mostly logarithms.
    seed
        Of the random arrangements, where there are too many to count.

    Returns
    -------
    comparison
        With the difference of means as statistic; undefined where a group is empty.

    Examples
    --------
    >>> import numpy as np
    >>> test = compare_means(np.log([48200, 96000, 27400, 61000, 55300]), np.log([3100, 12500, 9800]), seed=1)
    >>> round(test.statistic, 5), round(test.p_value, 6)
    (1.99494, 0.017857)
    """
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if x.size == 0 or y.size == 0:
        return UNDEFINED
    pooled = np.concatenate([x, y])
    sums, is_exact = _sum_arrangements(pooled, x.size, seed=seed, resamples=resamples)
    differences = np.abs(sums / x.size - (pooled.sum() - sums) / y.size)
    observed = float(x.mean() - y.mean())
    return Comparison(
        statistic=observed,
        p_value=_share_at_least(differences, abs(observed), is_exact=is_exact),
        smallest_p=_share_at_least(differences, float(differences.max()), is_exact=is_exact),
        is_exact=is_exact,
    )


def _sum_arrangements(pooled: Values, size: int, *, seed: int, resamples: int) -> tuple[Values, bool]:
    """Return the sum of the first group in every arrangement, or in random ones."""
    from itertools import combinations

    if math.comb(pooled.size, size) <= EXACT_UP_TO:
        places = np.array(list(combinations(range(pooled.size), size)), dtype=np.intp)
        return pooled[places].sum(axis=1), True
    order = _draw_orders(pooled.size, seed, resamples)[:, :size]
    return pooled[order].sum(axis=1), False


def _share_at_least(statistics: Values, observed: float, *, is_exact: bool) -> float:
    """Return the share of arrangements at least as extreme; random ones count the observed as well."""
    slack = TIE_TOLERANCE * max(1.0, observed)
    extreme = int(np.count_nonzero(statistics >= observed - slack))
    return extreme / statistics.size if is_exact else (extreme + 1) / (statistics.size + 1)


def compare_ranks(first: npt.ArrayLike, second: npt.ArrayLike) -> Comparison:
    """Test two groups by Mann and Whitney's U, exact where no two values are equal.

    Examples
    --------
    >>> test = compare_ranks([48200, 96000, 27400, 61000, 55300], [3100, 12500, 9800])
    >>> round(test.p_value, 6), test.is_exact
    (0.035714, True)
    """
    from scipy.stats import mannwhitneyu

    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if x.size == 0 or y.size == 0:
        return UNDEFINED
    is_exact = np.unique(np.concatenate([x, y])).size == x.size + y.size
    result = mannwhitneyu(x, y, method="exact" if is_exact else "asymptotic")
    return Comparison(
        statistic=float(result.statistic),
        p_value=float(result.pvalue) if result.pvalue == result.pvalue else 1.0,
        smallest_p=min(1.0, 2 / math.comb(x.size + y.size, x.size)),
        is_exact=bool(is_exact),
    )


def correlate_kendall(
    first: npt.ArrayLike, second: npt.ArrayLike, *, seed: int, resamples: int = 10_000
) -> Comparison:
    """Test Kendall's tau-b by permuting the pairs; ties, as between grades, are counted as they are.

    Examples
    --------
    >>> test = correlate_kendall([1, 2, 3, 4, 5], [1, 1, 2, 2, 3], seed=1)
    >>> round(test.statistic, 4), round(test.p_value, 4)
    (0.8944, 0.0667)
    """
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    return _correlate_kendall(tuple(x.tolist()), tuple(y.tolist()), seed, resamples)


@lru_cache(maxsize=4)
def _correlate_kendall(
    first: tuple[float, ...], second: tuple[float, ...], seed: int, resamples: int
) -> Comparison:
    """Test as `correlate_kendall`; a trend over the same pairs permutes nothing anew."""
    x, y = np.array(first), np.array(second)
    signs_x, signs_y = _compare_pairs(x), _compare_pairs(y)
    scale = math.sqrt(float((signs_x**2).sum()) * float((signs_y**2).sum()))

    # Each pair once: the other half has the same products. Whole numbers, so that their sums are exact.
    one, other = np.triu_indices(x.size, 1)
    above = 2 * signs_x[one, other]

    def agree(orders: Orders) -> Values:
        rearranged = signs_y.take(orders[:, one] * x.size + orders[:, other])
        summed: Values = rearranged @ above / scale
        return summed

    return _permute_pairs(agree if scale else None, x.size, seed=seed, resamples=resamples)


def _compare_pairs(values: Values) -> Values:
    signs: Values = np.sign(values[:, None] - values[None, :])
    return signs


def compare_trend(
    groups: npt.ArrayLike, values: npt.ArrayLike, *, seed: int, resamples: int = 10_000
) -> Comparison:
    """Test a trend of values over ordered groups by Jonckheere and Terpstra's statistic.

    Notes
    -----
    The statistic counts the pairs of different groups in which the higher group has the higher value, equal
    values as half. It is a linear function of Kendall's concordance, so that permutation gives both the same
    two-sided p-value.

    References
    ----------
    Jonckheere AR. Biometrika 1954;41:133. Terpstra TJ. Indag Math 1952;14:327.

    Examples
    --------
    >>> test = compare_trend([1, 1, 2, 2, 3], [1, 2, 3, 4, 5], seed=1)
    >>> test.statistic, round(test.p_value, 4)
    (8.0, 0.0667)
    """
    x, y = np.asarray(groups, dtype=float), np.asarray(values, dtype=float)
    found = correlate_kendall(y, x, seed=seed, resamples=resamples)
    if math.isnan(found.statistic):
        return UNDEFINED
    above = _compare_pairs(x) > 0
    pairs = _compare_pairs(y)[above]
    return replace(found, statistic=float((pairs > 0).sum() + 0.5 * (pairs == 0).sum()))


def correlate_spearman(
    first: npt.ArrayLike, second: npt.ArrayLike, *, seed: int, resamples: int = 10_000
) -> Comparison:
    """Test Spearman's rank correlation by permuting the pairs.

    Examples
    --------
    >>> test = correlate_spearman([1, 2, 3, 4], [1, 3, 2, 4], seed=1)
    >>> round(test.statistic, 4), round(test.p_value, 4)
    (0.8, 0.3333)
    """
    from scipy.stats import rankdata

    x, y = (rankdata(np.asarray(values, dtype=float)) for values in (first, second))
    centred_x, centred_y = (values - values.mean() if values.size else values for values in (x, y))
    scale = math.sqrt(float((centred_x**2).sum()) * float((centred_y**2).sum()))

    def agree(orders: Orders) -> Values:
        correlated: Values = centred_y[orders] @ centred_x / scale
        return correlated

    return _permute_pairs(agree if scale else None, x.size, seed=seed, resamples=resamples)


@lru_cache(maxsize=4)
def _draw_orders(n: int, seed: int, resamples: int) -> Orders:
    """Draw random orders; one seed gives the same ones to every test of as many pairs."""
    return np.random.default_rng(seed).random((resamples, n)).argsort(axis=1)


def _permute_pairs(
    agree: Callable[[Orders], Values] | None, n: int, *, seed: int, resamples: int
) -> Comparison:
    """Test a correlation, given as that of many rearrangements at once; None where it is not defined."""
    from itertools import permutations

    if n < 2 or agree is None:
        return UNDEFINED
    is_exact = n <= EXACT_PAIRINGS_UP_TO
    if is_exact:
        orders = np.array(list(permutations(range(n))), dtype=np.intp)
    else:
        orders = _draw_orders(n, seed, resamples)
    observed = float(agree(np.arange(n)[None, :])[0])
    parts = [agree(orders[start : start + CHUNK]) for start in range(0, len(orders), CHUNK)]
    sizes = np.abs(np.concatenate(parts))
    return Comparison(
        statistic=observed,
        p_value=_share_at_least(sizes, abs(observed), is_exact=is_exact),
        smallest_p=_share_at_least(sizes, float(sizes.max()), is_exact=is_exact),
        is_exact=is_exact,
    )
