"""One concentration as an interval, and its ratio to another."""

from dataclasses import dataclass

import numpy as np

from corelab.kinetics.parameter import NAN, Outcome, join_reasons, not_calculated, number
from corelab.vocabulary import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One concentration as an interval; both ends are equal where it was quantified."""

    low: float
    high: float
    status: Status

    @property
    def is_quantified(self) -> bool:
        """Whether the interval is a number."""
        return self.status is Status.QUANTIFIED


def compute_fold(level: Level, baseline: Level, *reasons: str) -> Outcome:
    """Return a ratio to baseline: a number, a bound where one is censored, nothing where both are.

    Examples
    --------
    >>> peak = Level(low=820.0, high=820.0, status=Status.QUANTIFIED)
    >>> base = Level(low=0.0, high=2.4, status=Status.DETECTED_BLQ)
    >>> round(compute_fold(peak, base).low, 2)
    341.67
    """
    if not level.is_quantified and not baseline.is_quantified:
        return not_calculated("BOTH_CENSORED", *reasons)
    low = level.low / baseline.high if baseline.high > 0 else NAN
    high = level.high / baseline.low if baseline.low > 0 else NAN
    if level.is_quantified and baseline.is_quantified:
        return number(low, *reasons) if baseline.high > 0 else not_calculated("ZERO_BASELINE", *reasons)
    high = high if np.isfinite(high) else NAN
    status = Status.NOT_CALCULATED if level.is_quantified else level.status
    word = "BASELINE_CENSORED" if level.is_quantified else "VALUE_CENSORED"
    return Outcome(low=low, high=high, status=status, reason=join_reasons((word, *reasons)))
