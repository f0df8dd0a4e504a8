"""Acceptance of a run by its controls, and of repeated analysis and bridging between plates.

References
----------
ICH M10, Bioanalytical method validation (2022), sections 4 and 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from corelab.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class QcVerdict:
    """Controls of one analyte: how many lie within the limit, of how many, and what is wrong."""

    n_accepted: int
    n: int
    recoveries: tuple[tuple[float, float], ...]
    reason: str

    @property
    def is_accepted(self) -> bool:
        """Whether the run's controls pass."""
        return not self.reason


def judge_controls(found: Mapping[float, Sequence[float]], *, off_percent: float = 20.0) -> QcVerdict:
    """Judge quality controls by 4-6-20: two thirds of all, and half at each level, within the limit.

    Parameters
    ----------
    found
        Results by nominal concentration; NaN is a control that could not be read, and fails.
    off_percent
        How far a control may lie off its nominal concentration.

    Examples
    --------
    >>> judge_controls({12: [14.5, 11], 180: [205, 150], 1500: [1650, 2010]}).is_accepted
    True
    >>> judge_controls({12: [14.5, 9], 180: [205, 150], 1500: [1650, 1400]}).reason
    'QC: none of 2 at 12 within 20 %'
    """
    recoveries = tuple(
        (level, value / level * 100) for level, values in sorted(found.items()) for value in values
    )
    passes = {
        level: [abs(percent - 100) <= off_percent for nominal, percent in recoveries if nominal == level]
        for level in sorted(found)
    }
    n, accepted = len(recoveries), sum(sum(one) for one in passes.values())
    return QcVerdict(
        n_accepted=accepted,
        n=n,
        recoveries=recoveries,
        reason=_why_rejected(passes, accepted, n, off_percent),
    )


def _why_rejected(passes: Mapping[float, Sequence[bool]], accepted: int, n: int, off: float) -> str:
    for level, one in passes.items():
        if 2 * sum(one) < len(one):
            count = "none" if not any(one) else str(sum(one))
            return f"QC: {count} of {len(one)} at {level:g} within {off:g} %"
    if 3 * accepted < 2 * n:
        return f"QC: {accepted} of {n} within {off:g} %"
    return ""


def judge_reanalysis(pairs: Sequence[tuple[float, float]], *, off_percent: float = 30.0) -> bool:
    """Tell whether incurred samples analysed again agree: two thirds within the limit of their mean.

    Raises
    ------
    ValueError
        If there is no pair.
    """
    if not pairs:
        raise ValueError("no pair of results")
    close = [abs(again - first) / ((again + first) / 2) * 100 <= off_percent for first, again in pairs]
    return 3 * sum(close) >= 2 * len(close)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """Ratio of a plate to the reference by shared samples, and why it may not be applied."""

    ratio: float
    n: int
    reason: str


def compute_bridge(
    plate: Sequence[float],
    reference: Sequence[float],
    *,
    fewest: int = 3,
    limits: tuple[float, float] = (0.8, 1.25),
) -> Bridge:
    """Return the geometric mean ratio of bridging samples; it applies within limits only.

    Examples
    --------
    >>> bridge = compute_bridge([110, 210, 480], [100, 200, 500])
    >>> round(bridge.ratio, 4), bridge.reason
    (1.035, '')
    """
    ratios = np.asarray(plate, dtype=np.float64) / np.asarray(reference, dtype=np.float64)
    if len(ratios) < fewest:
        return Bridge(ratio=float("nan"), n=len(ratios), reason=f"BRIDGE: {len(ratios)} of {fewest} samples")
    ratio = float(np.exp(np.log(ratios).mean()))
    inside = limits[0] <= ratio <= limits[1]
    return Bridge(
        ratio=ratio,
        n=len(ratios),
        reason="" if inside else f"BRIDGE: ratio outside {limits[0]:g} to {limits[1]:g}",
    )


class PlateState(StrEnum):
    """Where a plate stands; a locked one changes no more."""

    PARSED = "parsed"
    QC_EVALUATED = "qc_evaluated"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    LOCKED = "locked"


_NEXT = {
    PlateState.PARSED: (PlateState.QC_EVALUATED,),
    PlateState.QC_EVALUATED: (PlateState.ACCEPTED, PlateState.REJECTED),
    PlateState.ACCEPTED: (PlateState.LOCKED,),
    PlateState.REJECTED: (PlateState.LOCKED,),
    PlateState.LOCKED: (),
}


def advance_plate(state: PlateState, to: PlateState) -> PlateState:
    """Return the new state of a plate.

    Raises
    ------
    InputError
        If that step is not possible from where the plate stands.
    """
    if to not in _NEXT[state]:
        allowed = " or ".join(_NEXT[state]) or "no other state"
        raise InputError(f"a plate cannot go from {state} to {to}", expected=allowed)
    return to
