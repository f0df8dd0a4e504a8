"""The terminal slope: which last points are chosen, and what they say of the half-life.

References
----------
Best-fit rule of WinNonlin and PKNCA: the candidate set with the largest adjusted R squared; within 0.0001 of
it the one with more points.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
ADJUSTED_R2_TIE: Final = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSlope:
    """A fitted terminal phase: rate per day, adjusted R squared, points and the interval used."""

    rate: float
    intercept: float
    r2: float
    r2_adjusted: float
    n_points: int
    first_day: float
    last_day: float

    @property
    def half_life(self) -> float:
        """Days in which the value halves."""
        return float(np.log(2) / self.rate)

    @property
    def span(self) -> float:
        """Length of the interval in half-lives."""
        return (self.last_day - self.first_day) / self.half_life


def fit_terminal_slope(
    days: npt.ArrayLike, values: npt.ArrayLike, *, minimum_points: int = 3
) -> TerminalSlope | None:
    """Fit the log-linear fall after the peak, or return None where it has too few points.

    Parameters
    ----------
    days, values
        Quantified points only, sorted by time. The first occurrence of the maximum and everything
        before it are left out.
    minimum_points
        Fewest points of a fit.

    Examples
    --------
    >>> slope = fit_terminal_slope([10, 14, 21, 28, 60], [48200, 31000, 8400, 2100, 310])
    >>> slope.n_points, round(slope.half_life, 4), round(slope.span, 2)
    (3, 9.0081, 4.33)
    """
    time, value = np.asarray(days, dtype=float), np.asarray(values, dtype=float)
    if not time.size:
        return None
    after_peak = slice(int(np.argmax(value)) + 1, None)
    time, value = time[after_peak], value[after_peak]
    candidates = [_fit(time[-size:], value[-size:]) for size in range(minimum_points, time.size + 1)]
    falling = [fit for fit in candidates if fit.rate > 0]
    if not falling:
        return None
    best = max(fit.r2_adjusted for fit in falling)
    return max(
        (fit for fit in falling if best - fit.r2_adjusted < ADJUSTED_R2_TIE), key=lambda fit: fit.n_points
    )


def _fit(time: Values, value: Values) -> TerminalSlope:
    logarithm = np.log(value)
    x, y = time - time.mean(), logarithm - logarithm.mean()
    slope = float((x @ y) / (x @ x))
    total = float(y @ y)
    r2 = slope**2 * float(x @ x) / total if total > 0 else 0.0
    n = time.size
    return TerminalSlope(
        rate=-slope,
        intercept=float(logarithm.mean() - slope * time.mean()),
        r2=r2,
        r2_adjusted=1 - (1 - r2) * (n - 1) / (n - 2),
        n_points=n,
        first_day=float(time[0]),
        last_day=float(time[-1]),
    )
