"""Two groups that one marker tells apart although no valley lies between them: a mixture of two normals."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.density import Histogram, compute_histogram
from corelab.cytometry.records import Values, fair_rows

_MARGIN: Final = 1.0
_FEWEST: Final = 25
_MIN_EVENTS: Final = 100
"""Below, hardly more events than two groups of 25 would have to tell these from one."""
_NARROWEST: Final = 0.2
"""Smallest spread of a group on the axis: half of that of noise."""
_WIDEST: Final = 0.8
"""Largest spread of a group where few events judge it, twice that of noise; a wider one holds levels."""
_ALIKE: Final = 100.0
"""Events' worth of belief that both groups are as wide as they are together; thousands overrule it."""
_MOST_ROUNDS: Final = 300
_SETTLED: Final = 1e-5
_CHANCE: Final = 0.85
"""Times 1 / sqrt(n), the distance that 99 % of draws from two normals stay within, these found as here."""
_CLOSE: Final = 0.01
"""A description that puts no more than 1 % of the events elsewhere is good enough, however many there are."""
_ROUGH: Final = 0.02
"""One of up to 2 % is half believed where the groups stand far apart: what is amiss lies in their shape."""
_FAR_APART: Final = 1.75
"""Distance in sums of the two spreads at which 4 % of either group lie beyond the limit between them."""
_APART: Final = 1.0
"""Distance in sums of the two spreads beyond which two equal normals have two peaks."""
_BY_CHANCE: Final = 7.0
"""Times 1 / sqrt(n), how far beyond that two normals describe one group in 1 draw of 1,000."""
_PLACES: Final = 1001


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoGroups:
    """Two normal groups on the axis: the lower one's share, middles and spreads, events behind them.

    ``is_sure`` tells whether they describe the events, or only roughly so.
    """

    share: float
    low: float
    low_sd: float
    high: float
    high_sd: float
    n: int
    is_sure: bool = True

    @property
    def separation(self) -> float:
        """Distance of the middles in sums of the spreads."""
        return (self.high - self.low) / (self.low_sd + self.high_sd)

    def holds_between(self, place: float) -> bool:
        """Tell whether a place lies between the middles, one spread or more from either."""
        return self.low + self.low_sd <= place <= self.high - self.high_sd

    @property
    def smaller(self) -> float:
        """Events of the smaller group."""
        return min(self.share, 1 - self.share) * self.n

    def place_limit(self) -> tuple[float, float]:
        """Place the limit with the fewest events on the wrong side; their share comes with it."""
        from scipy.special import ndtr

        places = np.linspace(self.low, self.high, _PLACES)
        wrong = self.share * ndtr((self.low - places) / self.low_sd)
        wrong += (1 - self.share) * ndtr((places - self.high) / self.high_sd)
        best = int(np.argmin(wrong))
        return float(places[best]), float(wrong[best])


def fit_two_groups(y: npt.NDArray[np.floating[Any]]) -> TwoGroups | None:
    """Describe values by two normal groups, if these describe them and stand apart.

    Parameters
    ----------
    y
        Values on an axis where the noise of negatives is 0.4 wide.

    Returns
    -------
    TwoGroups or None
        None where the events do not follow two normals, where these make one peak, below 100 events or 25 in
        one of them. They follow them if no more than one in a hundred lies elsewhere; or, if too few tell,
        if chance explains Kolmogorov and Smirnov's distance and neither group is too wide to be one. Two in
        a hundred are let pass as not sure, for groups far apart and not too wide.

    Notes
    -----
    Expectation and maximisation over a histogram, from the middle between the 10 % and 90 % quantiles: no
    chance is involved. A prior for alike spreads keeps one group of a few hundred events from growing over
    the flank of the other. The distance's bound was found by simulation as Lilliefors found his: all five
    numbers come from the events that they are held against, where he has two and a bound of 0.886. A few
    hundred events of three levels can pass it; one of the two normals then spans two levels and is wider for
    it.

    References
    ----------
    Dempster, Laird and Rubin (1977), J. R. Stat. Soc. B 39:1. Fraley and Raftery (2007), J. Classif. 24:155,
    for the prior. Lilliefors (1967), J. Am. Stat. Assoc. 62:399.
    """
    if len(y) < _MIN_EVENTS:
        return None
    part = y[fair_rows(len(y))]
    histogram = compute_histogram(part, margin=_MARGIN)
    fit = _maximise(histogram, float(np.quantile(part, (0.1, 0.9)).mean()))
    if fit is None or fit.smaller < _FEWEST or fit.separation < _APART + _BY_CHANCE / np.sqrt(fit.n):
        return None
    return _judge(fit, histogram)


def _judge(fit: TwoGroups, histogram: Histogram) -> TwoGroups | None:
    """Tell whether the events follow the two normals, and how surely."""
    distance = _measure_distance(histogram, fit)
    is_narrow = max(fit.low_sd, fit.high_sd) <= _WIDEST
    if distance <= _CLOSE or (distance <= _CHANCE / np.sqrt(fit.n) and is_narrow):
        return fit
    is_rough = distance <= _ROUGH and is_narrow and fit.separation >= _FAR_APART
    return replace(fit, is_sure=False) if is_rough else None


def _maximise(histogram: Histogram, start: float) -> TwoGroups | None:
    """Find the two groups under which the events are likeliest, beginning with those beside a place."""
    counts = histogram.counts
    filled = np.flatnonzero(counts)
    counts = counts[filled]
    places: Values = np.asarray(histogram.low + (filled + 0.5) * histogram.step, dtype=np.float64)
    chance = (places <= start).astype(np.float64)
    share = 0.0
    for _ in range(_MOST_ROUNDS):
        low, high = counts @ chance, counts @ (1 - chance)
        if min(low, high) < 1:
            return None
        before, share = share, float(low / (low + high))
        (low_at, low_sum), (high_at, high_sum) = (
            _describe(places, counts * part) for part in (chance, 1 - chance)
        )
        alike = _ALIKE * (low_sum + high_sum) / (low + high)
        low_sd, high_sd = (
            max(float(np.sqrt((squares + alike) / (n + _ALIKE))), _NARROWEST)
            for squares, n in ((low_sum, low), (high_sum, high))
        )
        if abs(share - before) < _SETTLED:
            break
        odds = (1 - share) / share * low_sd / high_sd
        bent = ((places - low_at) / low_sd) ** 2 - ((places - high_at) / high_sd) ** 2
        chance = 1 / (1 + odds * np.exp(np.minimum(0.5 * bent, 500.0)))
    return TwoGroups(
        share=share, low=low_at, low_sd=low_sd, high=high_at, high_sd=high_sd, n=int(counts.sum())
    )


def _describe(places: Values, weights: Values) -> tuple[float, float]:
    """Return the middle of a group and the sum of the squares around it."""
    middle = float(weights @ places / weights.sum())
    return middle, float(weights @ (places - middle) ** 2)


def _measure_distance(histogram: Histogram, fit: TwoGroups) -> float:
    """Measure how far the described share below any place is from that of the events."""
    from scipy.special import ndtr

    edges = histogram.low + histogram.step * np.arange(1, len(histogram.counts) + 1)
    described = fit.share * ndtr((edges - fit.low) / fit.low_sd)
    described += (1 - fit.share) * ndtr((edges - fit.high) / fit.high_sd)
    return float(np.abs(described - np.cumsum(histogram.counts) / fit.n).max())
