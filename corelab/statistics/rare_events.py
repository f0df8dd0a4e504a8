"""When a few events are a population: limits of blank and detection, and the one decision rule.

References
----------
CLSI EP17-A2 (limit of blank, limit of detection); CLSI H62; Arroz M. Cytometry B 2016;90:31 (20 and 50
events); Fisher RA. J R Stat Soc 1922;85:87.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.vocabulary import Status

Values = npt.NDArray[np.float64]

NO_EVENTS: Final = "NO_EVENTS"
TRACE: Final = "TRACE"
NOT_ABOVE_BLANK: Final = "NOT_ABOVE_BLANK"
BELOW_LLOQ: Final = "BELOW_LLOQ"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFloors:
    """The fewest events that count as detected and as quantified, and the level of the blank test."""

    lod_events: int
    lloq_events: int
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions:
    """One decision a sample, each field of shape ``(n_samples,)``.

    ``status`` and ``reason`` are words, ``p_value`` is against the blank (NaN without one) and
    ``lod_events`` is the floor L that was applied.
    """

    status: npt.NDArray[np.str_]
    reason: npt.NDArray[np.str_]
    p_value: Values
    lod_events: Values


def compute_limit_of_blank(blanks: npt.ArrayLike, *, z: float = 1.645) -> float:
    """Return mean + z x SD of blank results, in their unit.

    Raises
    ------
    ValueError
        If fewer than two blanks are given.

    Examples
    --------
    >>> round(compute_limit_of_blank([1.2, 0.8, 2.1, 1.5, 0.9, 1.7, 1.1, 1.4, 2.0, 1.3]), 4)
    2.1149
    """
    values = np.asarray(blanks, dtype=float)
    if values.size < 2:
        message = "a limit of blank needs at least two blanks"
        raise ValueError(message)
    return float(values.mean() + z * values.std(ddof=1))


def compute_limit_of_detection(limit_of_blank: float, sd_low: float, *, z: float = 1.645) -> float:
    """Return LOB + z x SD of low samples, in their unit.

    Examples
    --------
    >>> round(compute_limit_of_detection(2.11492, 0.77002), 4)
    3.3816
    """
    return limit_of_blank + z * sd_low


def compute_fisher_greater(
    count: npt.ArrayLike, total: npt.ArrayLike, *, blank_count: npt.ArrayLike, blank_total: npt.ArrayLike
) -> Values:
    """Return Fisher's one-sided p that the sample holds no larger fraction than the blank.

    Returns
    -------
    p : values, broadcast over the arguments
        NaN where a count is missing or either total is zero.

    Examples
    --------
    >>> round(float(compute_fisher_greater(14, 61000, blank_count=3, blank_total=58000)), 4)
    0.0084
    """
    from scipy.stats import hypergeom

    n, total_n, blank, blank_n = (
        np.asarray(values, dtype=float) for values in (count, total, blank_count, blank_total)
    )
    known = np.isfinite(n + total_n + blank + blank_n) & (total_n > 0) & (blank_n > 0)
    drawn = [np.where(known, values, 1.0) for values in (n, total_n, blank, blank_n)]
    p = hypergeom.sf(drawn[0] - 1, drawn[1] + drawn[3], drawn[0] + drawn[2], drawn[1])
    return np.where(known, p, np.nan)


def compute_lod_events(
    total: npt.ArrayLike, *, floors: EventFloors, limit_of_blank_percent: float = float("nan")
) -> Values:
    """Return L, the fewest events that count as detected: max(floor, ceil(LOB% x N / 100)).

    Examples
    --------
    >>> floors = EventFloors(lod_events=20, lloq_events=50, alpha=0.05)
    >>> compute_lod_events([61000, 200000], floors=floors, limit_of_blank_percent=0.02).tolist()
    [20.0, 40.0]
    """
    total_n = np.asarray(total, dtype=float)
    if not np.isfinite(limit_of_blank_percent):
        return np.full_like(total_n, floors.lod_events)
    # A limit that is a whole number of events must not be lifted by one by binary rounding.
    events = np.ceil(np.round(limit_of_blank_percent * total_n / 100, 9))
    return np.maximum(floors.lod_events, events)


def decide(
    count: npt.ArrayLike, p_value: npt.ArrayLike, lod_events: npt.ArrayLike, *, floors: EventFloors
) -> Decisions:
    """Apply the one rule: detected from L events and above the blank, quantified from 50 as well.

    A p-value of NaN (no blank at all) leaves the floors alone to decide.
    """
    n, p, floor = np.broadcast_arrays(
        *(np.asarray(values, dtype=float) for values in (count, p_value, lod_events))
    )
    above_blank = ~(p >= floors.alpha)
    detected = (n >= floor) & above_blank
    quantified = detected & (n >= np.maximum(floors.lloq_events, floor))
    status = np.select(
        [quantified, detected],
        [Status.QUANTIFIED.value, Status.DETECTED_BLQ.value],
        Status.NOT_DETECTED.value,
    )
    reason = np.select(
        [quantified, detected, n == 0, ~above_blank], ["", BELOW_LLOQ, NO_EVENTS, NOT_ABOVE_BLANK], TRACE
    )
    return Decisions(status=status, reason=reason, p_value=p, lod_events=floor)
