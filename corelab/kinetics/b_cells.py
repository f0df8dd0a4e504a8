"""Loss and return of B cells as intervals between samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

NAN: Final = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """When a level was reached again: after ``low``, at or before ``high`` (NaN: not yet)."""

    low: float
    high: float

    @property
    def is_censored(self) -> bool:
        """Whether the level is not known to be reached."""
        return self.high != self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Aplasia:
    """First sample in aplasia, the interval of its onset, and the return to each level."""

    day: float
    onset_low: float
    onset_high: float
    recoveries: tuple[Recovery, ...]


def find_aplasia(
    days: Sequence[float],
    cells_per_ul: Sequence[float],
    *,
    below: float,
    levels: Sequence[float],
    confirming: int = 2,
    was_below_before: bool = False,
) -> Aplasia | None:
    """Find the loss of B cells after infusion and their return.

    Parameters
    ----------
    days
        Study days of the samples after infusion, in any order.
    cells_per_ul
        Concentrations; for a sample without a B cell, 0.
    below
        Aplasia is the first sample below this concentration.
    levels
        Concentrations whose return is looked for, each confirmed by consecutive samples.
    confirming
        Samples in a row at or above a level; the first of them dates the return.
    was_below_before
        Whether the concentration was below the limit before infusion: the onset is then not credited to
        the infusion and has no interval.

    Returns
    -------
    aplasia
        None where no sample is below the limit.

    Examples
    --------
    >>> found = find_aplasia([7, 14, 28, 60, 90, 120, 150, 180], [0.4, 0, 0, 2, 8, 35, 72, 140],
    ...     below=10, levels=[10, 50])
    >>> found.day, [(r.low, r.high) for r in found.recoveries]
    (7, [(90, 120), (120, 150)])
    """
    series = sorted(zip(days, cells_per_ul, strict=True))
    first = next((i for i, (_, value) in enumerate(series) if value < below), None)
    if first is None:
        return None
    day = series[first][0]
    before = series[first - 1][0] if first else 0.0
    return Aplasia(
        day=day,
        onset_low=NAN if was_below_before else before,
        onset_high=NAN if was_below_before else day,
        recoveries=tuple(_find_recovery(series[first:], level, confirming) for level in levels),
    )


def _find_recovery(series: Sequence[tuple[float, float]], level: float, confirming: int) -> Recovery:
    for start in range(len(series) - confirming + 1):
        if all(value >= level for _, value in series[start : start + confirming]):
            return Recovery(low=series[start - 1][0] if start else NAN, high=series[start][0])
    last_below = [day for day, value in series if value < level][-1]
    return Recovery(low=last_below, high=NAN)
