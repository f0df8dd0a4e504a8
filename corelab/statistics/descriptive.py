"""Summaries of a few values on a ratio scale.

References
----------
Julious SA, Debarnot CA. J Biopharm Stat 2000;10:55 (geometric mean and coefficient of variation).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

NAN: Final = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometricSummary:
    """Geometric mean with its 95 % interval, and geometric CV in percent, of ``n`` positive values."""

    n: int
    mean: float
    ci_low: float
    ci_high: float
    cv_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSummary:
    """Median, quartiles (type 7) and range of ``n`` values."""

    n: int
    median: float
    q1: float
    q3: float
    minimum: float
    maximum: float


def summarise_geometric(values: Sequence[float], *, level: float = 0.95) -> GeometricSummary:
    """Summarise positive values on the log scale; values that are not positive have no logarithm.

    Parameters
    ----------
    values
        What was quantified; a value below a limit belongs to the count beside it, not here.
    level
        Confidence level of the mean, from Student's t on the log scale.

    Raises
    ------
    ValueError
        If a value is not positive.

    Notes
    -----
    ``exp(mean(ln x))`` and ``100 sqrt(exp(s²) - 1)`` with s² of n - 1.

    Examples
    --------
    >>> found = summarise_geometric([48200, 12500, 96000, 3100, 27400])
    >>> round(found.mean, 2), round(found.cv_percent, 2)
    (21790.55, 217.83)
    """
    numbers = np.asarray(values, dtype=float)
    if bool(np.any(~(numbers > 0))):
        message = "a geometric mean needs positive values"
        raise ValueError(message)
    n = int(numbers.size)
    if n == 0:
        return GeometricSummary(n=0, mean=NAN, ci_low=NAN, ci_high=NAN, cv_percent=NAN)
    logs = np.log(numbers)
    centre = float(logs.mean())
    if n == 1:
        return GeometricSummary(n=1, mean=math.exp(centre), ci_low=NAN, ci_high=NAN, cv_percent=NAN)
    spread = float(logs.std(ddof=1))
    reach = _student_quantile(level, n - 1) * spread / math.sqrt(n)
    return GeometricSummary(
        n=n,
        mean=math.exp(centre),
        ci_low=math.exp(centre - reach),
        ci_high=math.exp(centre + reach),
        cv_percent=100 * math.sqrt(math.expm1(spread**2)),
    )


def _student_quantile(level: float, freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))


def summarise_order(values: Sequence[float]) -> OrderSummary:
    """Summarise values by their order; a time such as TMAX is only ever summarised so.

    Examples
    --------
    >>> summarise_order([7, 10, 14, 12]).median
    11.0
    """
    numbers = np.asarray(values, dtype=float)
    if numbers.size == 0:
        return OrderSummary(n=0, median=NAN, q1=NAN, q3=NAN, minimum=NAN, maximum=NAN)
    q1, median, q3 = (float(q) for q in np.quantile(numbers, [0.25, 0.5, 0.75]))
    return OrderSummary(
        n=int(numbers.size),
        median=median,
        q1=q1,
        q3=q3,
        minimum=float(numbers.min()),
        maximum=float(numbers.max()),
    )


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of one family by Holm's step-down method; NaN takes no part.

    References
    ----------
    Holm S. Scand J Stat 1979;6:65.

    Examples
    --------
    >>> [round(p, 3) for p in adjust_holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    adjusted = [NAN] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[place] = largest
    return adjusted
