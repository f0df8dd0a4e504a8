"""One subject's course of one analyte, and what the rules for values below the limit leave of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.vocabulary import Status

Values = npt.NDArray[np.float64]

_BELOW: Final = (Status.DETECTED_BLQ.value, Status.NOT_DETECTED.value)
PRE_INFUSION: Final = "PRE_INFUSION"
_VALID: Final = (Status.QUANTIFIED.value, *_BELOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlqRule:
    """What stands for a value below the limit, by where it lies in the course.

    ``first_zero``: before the first quantifiable value it is 0, else dropped. ``middle_half`` and
    ``last_half``: between two quantifiable values, and once after the last, it is half the limit, else
    dropped.
    """

    first_zero: bool
    middle_half: bool
    last_half: bool


DETECTION_UNKNOWN: Final = "DETECTION_UNKNOWN"
"""Below the limit, and nobody told whether detected (as `corelab.ingest.values` says)."""

BLQ_RULES: Final = {
    "first0_middle_missing_last_missing": BlqRule(first_zero=True, middle_half=False, last_half=False),
    "first_missing_middle_missing_last_missing": BlqRule(
        first_zero=False, middle_half=False, last_half=False
    ),
    "first0_middle_half_last_missing": BlqRule(first_zero=True, middle_half=True, last_half=False),
    "first0_middle_missing_last_half": BlqRule(first_zero=True, middle_half=False, last_half=True),
}
"""The rules by the name that a study file gives."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """The valid samples of one subject and analyte after infusion, in the order of time.

    ``days`` (n,) since infusion, above 0; ``values`` (n,) NaN unless quantified; ``limits`` (n,) the
    value's LLOQ or NaN; ``is_blq`` and ``is_detected`` (n,), and ``is_told`` (n,), whether it was said that
    it was detected or not. ``before`` is the last valid value before
    infusion: 0 for one below the limit, NaN without a sample.
    """

    days: Values
    values: Values
    limits: Values
    is_blq: npt.NDArray[np.bool_]
    is_detected: npt.NDArray[np.bool_]
    is_told: npt.NDArray[np.bool_]
    before: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """The points through which areas are drawn, from time 0 on; remarks say what was assumed."""

    days: Values
    values: Values
    remarks: tuple[str, ...]


def build_course(
    days: Sequence[float],
    values: Sequence[float],
    statuses: Sequence[str],
    *,
    limits: Sequence[float] | None = None,
    reasons: Sequence[str] | None = None,
) -> Course:
    """Sort samples by time, keep the valid ones and split them at infusion.

    A failed or missing sample is not a value below the limit: it is left out. Times at or before 0 are
    before infusion; there a value that is held below the limit because of that (``PRE_INFUSION``) is the
    height at time 0. Rows may come in any order.
    """
    count = len(days)
    time = np.asarray(days, dtype=float)
    status = np.asarray(statuses, dtype=str)
    limit = np.full(count, np.nan) if limits is None else np.asarray(limits, dtype=float)
    reason = np.asarray([""] * count if reasons is None else list(reasons), dtype=str)
    held = (np.char.find(reason, PRE_INFUSION) >= 0) & (time <= 0) if count else np.zeros(0, dtype=bool)
    has_value = (status == Status.QUANTIFIED.value) | held
    value = np.where(has_value, np.asarray(values, dtype=float), np.nan)
    valid = np.isin(status, _VALID) & np.isfinite(time)
    order = np.lexsort((status, value, time))
    order = order[valid[order]]
    after = order[time[order] > 0]
    known = np.char.find(reason, DETECTION_UNKNOWN) < 0 if count else np.zeros(0, dtype=bool)
    detected = (status == Status.QUANTIFIED.value) | ((status == Status.DETECTED_BLQ.value) & known)
    return Course(
        days=time[after],
        values=value[after],
        limits=limit[after],
        is_blq=np.isin(status[after], _BELOW),
        is_detected=detected[after],
        is_told=known[after],
        before=_value_before(value[order][time[order] <= 0]),
    )


def _value_before(values: Values) -> float:
    if not values.size:
        return float("nan")
    return 0.0 if np.isnan(values[-1]) else float(values[-1])


def derive_curve(course: Course, rule: BlqRule) -> Curve:
    """Apply a rule for values below the limit; the curve starts at time 0 with the value before."""
    quantified = np.flatnonzero(~course.is_blq)
    if not quantified.size:
        return Curve(days=np.zeros(0), values=np.zeros(0), remarks=())
    first, last = quantified[0], quantified[-1]
    index = np.arange(course.days.size)
    kept = course.values.copy()
    if rule.first_zero:
        kept[index < first] = 0.0
    if rule.middle_half:
        middle = course.is_blq & (index > first) & (index < last)
        kept[middle] = course.limits[middle] / 2
    if rule.last_half and last + 1 < index.size:
        kept[last + 1] = course.limits[last + 1] / 2
    present = np.isfinite(kept)
    start = 0.0 if np.isnan(course.before) else course.before
    return Curve(
        days=np.concatenate([[0.0], course.days[present]]),
        values=np.concatenate([[start], kept[present]]),
        remarks=_remarks_on_start(course),
    )


def _remarks_on_start(course: Course) -> tuple[str, ...]:
    if np.isnan(course.before):
        return ("C0_IMPUTED",)
    return ("C0_NOT_BLQ",) if course.before > 0 else ()
