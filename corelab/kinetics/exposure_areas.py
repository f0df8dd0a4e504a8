"""Areas of a course: to the last quantifiable value, to fixed days, and to infinity."""

from typing import Final

import numpy as np

from corelab.kinetics.areas import compute_area, compute_partial_area, extend_last_segment
from corelab.kinetics.parameter import (
    Case,
    Outcome,
    Parameter,
    explain_absence,
    join_reasons,
    not_calculated,
    number,
)
from corelab.kinetics.terminal_parameters import explain_slope


def _area_to_last(case: Case) -> float:
    inside = case.curve.days <= case.course.days[case.last_quantified]
    return compute_area(case.curve.days[inside], case.curve.values[inside])


def _remarks(case: Case) -> tuple[str, ...]:
    late = case.course.days[0] > case.settings.first_sample_by_day
    return (*case.curve.remarks, "LATE_FIRST_SAMPLE" if late else "")


def compute_auclst(case: Case) -> Outcome:
    """Return the area from infusion to the last quantifiable value."""
    if not case.has_quantified:
        return not_calculated(explain_absence(case))
    return number(_area_to_last(case), *_remarks(case))


def compute_auc_to(case: Case, end: float, extension: float) -> Outcome:
    """Return the area from infusion to a fixed day.

    Notes
    -----
    Between two points the curve is interpolated. Beyond the last quantifiable value: a later value below
    the limit ends the area there (``AUC_TRUNC_BLQ``); an end no further than the visit's window is
    reached along the last segment (``AUC_EXT_SHORT``); anything else is not calculated unless the study
    extrapolates along an unflagged terminal slope (``AUC_EXTRAPOLATED``).
    """
    if not case.has_quantified:
        return not_calculated(explain_absence(case))
    last_day = float(case.course.days[case.last_quantified])
    if end <= last_day:
        return number(compute_partial_area(case.curve.days, case.curve.values, end), *_remarks(case))
    if case.settings.extrapolate and _has_firm_slope(case):
        return number(_extrapolate(case, last_day, end), *_remarks(case), "AUC_EXTRAPOLATED")
    if case.course.is_blq[-1]:
        return number(compute_area(case.curve.days, case.curve.values), *_remarks(case), "AUC_TRUNC_BLQ")
    if end - last_day > extension:
        return not_calculated("AFTER_LAST_SAMPLE")
    days, values = case.curve.days, case.curve.values
    last = extend_last_segment(days, values, end)
    return number(
        compute_area(np.append(days, end), np.append(values, last)), *_remarks(case), "AUC_EXT_SHORT"
    )


def _has_firm_slope(case: Case) -> bool:
    return case.slope is not None and case.slope.span >= case.settings.minimum_span


def _extrapolate(case: Case, last_day: float, end: float) -> float:
    rate = case.slope.rate if case.slope else float("nan")
    last = float(case.course.values[case.last_quantified])
    return _area_to_last(case) + last * (1 - float(np.exp(-rate * (end - last_day)))) / rate


def compute_auc_0_28d(case: Case) -> Outcome:
    """Return the area to day 28, if enough samples describe it."""
    settings, days = case.settings, case.course.days
    until = 28.0 + settings.auc28_extension_days
    inside = days <= until
    if case.has_quantified and (
        inside.sum() < settings.minimum_auc28_samples or case.course.is_blq[inside].all()
    ):
        return not_calculated("FEW_SAMPLES")
    if case.has_quantified and not _is_late_part_known(case, until):
        return not_calculated("NO_LATE_SAMPLE")
    return compute_auc_to(case, 28.0, settings.auc28_extension_days)


def _is_late_part_known(case: Case, until: float) -> bool:
    """Tell whether a sample lies in the D21-D28 windows, or the value was lost before them.

    A sample after the window describes day 28 as well, by interpolation.
    """
    days, settings = case.course.days, case.settings
    if ((days >= settings.auc28_late_from_day) & (days <= until)).any():
        return True
    early = case.course.is_blq[days < settings.auc28_late_from_day]
    return early.size >= settings.loss_samples and bool(early[-settings.loss_samples :].all())


def compute_auc_0_84d(case: Case) -> Outcome:
    """Return the area to day 84."""
    return compute_auc_to(case, 84.0, case.settings.auc84_extension_days)


def _explain_no_infinity(case: Case) -> str:
    if not case.has_quantified:
        return explain_absence(case)
    flagged = explain_slope(case)
    if flagged:
        return flagged
    extrapolated = 100 * (1 - _area_to_last(case) / _area_to_infinity(case))
    return "EXTRAPOLATED_SHARE" if extrapolated > case.settings.maximum_extrapolated_percent else ""


def _area_to_infinity(case: Case) -> float:
    rate = case.slope.rate if case.slope else float("nan")
    return _area_to_last(case) + float(case.course.values[case.last_quantified]) / rate


def compute_auc_infinity(case: Case) -> Outcome:
    """Return the area to infinity, unless the slope is flagged or too much of it is extrapolated."""
    reason = _explain_no_infinity(case)
    return not_calculated(reason) if reason else number(_area_to_infinity(case), join_reasons(_remarks(case)))


def compute_extrapolated_percent(case: Case) -> Outcome:
    """Return the extrapolated share of the area to infinity, under the same conditions."""
    reason = _explain_no_infinity(case)
    if reason:
        return not_calculated(reason)
    return number(100 * (1 - _area_to_last(case) / _area_to_infinity(case)))


PARAMETERS: Final = (
    Parameter(
        name="AUCLST", label="Area to last quantifiable value", unit="value_day", compute=compute_auclst
    ),
    Parameter(name="AUC0_28D", label="Area to day 28", unit="value_day", compute=compute_auc_0_28d),
    Parameter(name="AUC0_84D", label="Area to day 84", unit="value_day", compute=compute_auc_0_84d),
    Parameter(name="AUCIFO", label="Area to infinity", unit="value_day", compute=compute_auc_infinity),
    Parameter(
        name="AUCPEO",
        label="Extrapolated share of area",
        unit="percent",
        compute=compute_extrapolated_percent,
    ),
)
