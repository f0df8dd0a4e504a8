"""Peak, first and last quantifiable values, and values at fixed days."""

from typing import Final

import numpy as np

from corelab.kinetics.areas import interpolate
from corelab.kinetics.parameter import (
    Case,
    Outcome,
    Parameter,
    explain_absence,
    join_reasons,
    not_calculated,
    number,
)
from corelab.kinetics.profile import DETECTION_UNKNOWN
from corelab.vocabulary import Status


def _find_peak(case: Case) -> int | None:
    """Return the position of the first maximum inside the window, or None."""
    course = case.course
    inside = ~course.is_blq & (course.days <= case.settings.cmax_window_days)
    if not inside.any():
        return None
    return int(np.argmax(np.where(inside, course.values, -np.inf)))


def compute_cmax(case: Case) -> Outcome:
    """Return the largest quantifiable value; below the limit throughout, it is below the largest limit."""
    peak = _find_peak(case)
    if peak is not None:
        return number(float(case.course.values[peak]))
    if case.has_quantified:
        return not_calculated("AFTER_WINDOW")
    if not case.course.days.size:
        return not_calculated(explain_absence(case))
    limits = case.course.limits[np.isfinite(case.course.limits)]
    status = Status.DETECTED_BLQ if case.course.is_detected.any() else Status.NOT_DETECTED
    high = float(limits.max()) if limits.size else float("nan")
    return Outcome(low=0.0, high=high, status=status, reason="ALL_BLQ")


def compute_tmax(case: Case) -> Outcome:
    """Return the day of the first occurrence of the largest value."""
    peak = _find_peak(case)
    if peak is None:
        return not_calculated("AFTER_WINDOW" if case.has_quantified else explain_absence(case))
    return number(float(case.course.days[peak]))


def compute_tlst(case: Case) -> Outcome:
    """Return the day of the last quantifiable value."""
    if not case.has_quantified:
        return not_calculated(explain_absence(case))
    return number(float(case.course.days[case.last_quantified]))


def compute_clst(case: Case) -> Outcome:
    """Return the last quantifiable value."""
    if not case.has_quantified:
        return not_calculated(explain_absence(case))
    return number(float(case.course.values[case.last_quantified]))


def compute_first_quantified(case: Case) -> Outcome:
    """Return the day of the first quantifiable value."""
    if not case.has_quantified:
        return not_calculated(explain_absence(case))
    return number(float(case.course.days[case.first_quantified]))


def compute_expanded(case: Case) -> Outcome:
    """Return 1 where any sample is quantifiable, 0 where valid samples are all below the limit."""
    if not case.course.days.size:
        return not_calculated(explain_absence(case))
    return number(1.0 if case.has_quantified else 0.0)


def compute_expansion_fold(case: Case) -> Outcome:
    """Return the peak over the first quantifiable value."""
    peak = _find_peak(case)
    if peak is None:
        return not_calculated("AFTER_WINDOW" if case.has_quantified else explain_absence(case))
    return number(float(case.course.values[peak] / case.course.values[case.first_quantified]))


def compute_expansion_rate(case: Case) -> Outcome:
    """Return the rate of growth from the first quantifiable value to the peak, per day."""
    peak = _find_peak(case)
    if peak is None:
        return not_calculated("AFTER_WINDOW" if case.has_quantified else explain_absence(case))
    first, course = case.first_quantified, case.course
    if peak == first:
        return not_calculated("PEAK_IS_FIRST")
    growth = float(np.log(course.values[peak] / course.values[first]))
    return number(growth / float(course.days[peak] - course.days[first]))


def compute_doubling_time(case: Case) -> Outcome:
    """Return the days in which the value doubles between the first quantifiable value and the peak."""
    rate = compute_expansion_rate(case)
    return number(float(np.log(2)) / rate.value) if rate.value > 0 else not_calculated(rate.reason)


def _value_at(case: Case, day: float, window: float) -> Outcome:
    """Return the value at a day: measured, interpolated, or the nearest inside the window."""
    if not case.has_quantified:
        return _nearest(case, day, window) if case.course.days.size else not_calculated(explain_absence(case))
    inside = interpolate(case.curve.days, case.curve.values, day)
    if inside > 0:
        return number(inside)
    return _nearest(case, day, window)


def _nearest(case: Case, day: float, window: float) -> Outcome:
    course = case.course
    distance = np.abs(course.days - day)
    if not distance.size or distance.min() > window:
        return not_calculated("NO_SAMPLE_IN_WINDOW")
    nearest = int(np.argmin(distance))
    if not course.is_blq[nearest]:
        return number(float(course.values[nearest]), "NEAREST_SAMPLE")
    is_told = bool(course.is_told[nearest])
    status = Status.NOT_DETECTED if is_told and not course.is_detected[nearest] else Status.DETECTED_BLQ
    reason = join_reasons(("BELOW_LLOQ", "" if is_told else DETECTION_UNKNOWN))
    return Outcome(low=0.0, high=float(course.limits[nearest]), status=status, reason=reason)


def compute_c28d(case: Case) -> Outcome:
    """Return the value at day 28."""
    return _value_at(case, 28.0, case.settings.auc28_extension_days)


def compute_c90d(case: Case) -> Outcome:
    """Return the value at day 90."""
    return _value_at(case, 90.0, case.settings.auc84_extension_days)


PARAMETERS: Final = (
    Parameter(name="CMAX", label="Peak", unit="value", compute=compute_cmax),
    Parameter(name="TMAX", label="Time of peak", unit="day", compute=compute_tmax),
    Parameter(name="TLST", label="Time of last quantifiable value", unit="day", compute=compute_tlst),
    Parameter(name="CLST", label="Last quantifiable value", unit="value", compute=compute_clst),
    Parameter(
        name="FIRSTQ", label="Time of first quantifiable value", unit="day", compute=compute_first_quantified
    ),
    Parameter(
        name="EXPANDED", label="Ever quantifiable (1 yes, 0 no)", unit="flag", compute=compute_expanded
    ),
    Parameter(
        name="EXPFOLD", label="Peak over first quantifiable", unit="ratio", compute=compute_expansion_fold
    ),
    Parameter(
        name="EXPRATE", label="Rate of expansion to the peak", unit="per_day", compute=compute_expansion_rate
    ),
    Parameter(name="EXPDT", label="Doubling time of expansion", unit="day", compute=compute_doubling_time),
    Parameter(name="C28D", label="Value at day 28", unit="value", compute=compute_c28d),
    Parameter(name="C90D", label="Value at day 90", unit="value", compute=compute_c90d),
)
