"""The course of a soluble marker: baseline, peak, area, time above a multiple of baseline, lowest value.

A value below or above the range is an interval here, never a number: what rests on such a value is an
interval as well. Areas are linear trapezoids, since a cytokine does not start from zero.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.kinetics.areas import compute_partial_area
from corelab.kinetics.level import Level, compute_fold
from corelab.kinetics.parameter import NAN, Outcome, UnitKind, join_reasons, not_calculated, number
from corelab.vocabulary import Status

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CytokineSettings:
    """How a soluble marker is judged; from the study file's section ``cytokine``."""

    peak_window_days: float
    minimum_peak_samples: int
    peak_samples_by_day: float
    above_fold: float
    extension_days: float
    censored_tolerance_percent: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CytokineCourse:
    """Valid samples from infusion on, in the order of time, and the level before lymphodepletion.

    ``low`` and ``high`` (n,) bound each level; an open upper end is infinite. ``baseline`` is None where
    none was measured. A last sample before infusion stands at day 0.
    """

    days: Values
    low: Values
    high: Values
    statuses: tuple[Status, ...]
    baseline: Level | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CytokineParameter:
    """A parameter of a soluble marker."""

    name: str
    label: str
    unit: UnitKind
    compute: Callable[[CytokineCourse, CytokineSettings], Outcome]


def build_cytokine_settings(raw: Mapping[str, Any], *, extension_days: float) -> CytokineSettings:
    """Read the settings of a study file."""
    return CytokineSettings(
        peak_window_days=float(raw["peak_window_days"]),
        minimum_peak_samples=int(raw["minimum_peak_samples"]),
        peak_samples_by_day=float(raw["peak_samples_by_day"]),
        above_fold=float(raw["above_fold"]),
        extension_days=extension_days,
        censored_tolerance_percent=float(raw["censored_area_tolerance_percent"]),
    )


def build_cytokine_course(
    days: Sequence[float], levels: Sequence[Level], *, baseline: Level | None
) -> CytokineCourse:
    """Sort levels by time; of those at or before infusion the last stands for day 0."""
    order = sorted(range(len(days)), key=lambda i: (days[i], levels[i].low, levels[i].high))
    before = [i for i in order if days[i] <= 0]
    kept = before[-1:] + [i for i in order if days[i] > 0]
    chosen = [levels[i] for i in kept]
    return CytokineCourse(
        days=np.array([max(days[i], 0.0) for i in kept], dtype=float),
        low=np.array([level.low for level in chosen], dtype=float),
        high=np.array([np.inf if np.isnan(level.high) else level.high for level in chosen], dtype=float),
        statuses=tuple(level.status for level in chosen),
        baseline=baseline,
    )


def compute_base(course: CytokineCourse, _: CytokineSettings) -> Outcome:
    """Return the level before lymphodepletion."""
    return not_calculated("NO_BASELINE") if course.baseline is None else _as_outcome(course.baseline)


def _as_outcome(level: Level, *reasons: str) -> Outcome:
    if level.is_quantified:
        return number(level.low, *reasons)
    word = "ABOVE_ULOQ" if level.status is Status.ABOVE_ULOQ else "BELOW_LLOQ"
    high = level.high if np.isfinite(level.high) else NAN
    reason = join_reasons((word, *reasons))
    return Outcome(low=level.low, high=high, status=level.status, reason=reason)


def _window(course: CytokineCourse, settings: CytokineSettings) -> npt.NDArray[np.intp]:
    return np.flatnonzero((course.days > 0) & (course.days <= settings.peak_window_days))


def _find_peak(course: CytokineCourse, settings: CytokineSettings) -> tuple[int | None, str]:
    """Return the position of the highest level inside the window and a remark, or why there is none."""
    inside = _window(course, settings)
    early = inside[course.days[inside] <= settings.peak_samples_by_day]
    if early.size < settings.minimum_peak_samples:
        return None, "FEW_SAMPLES"
    ranks = [(course.high[i] == np.inf, course.low[i], course.high[i], -course.days[i]) for i in inside]
    peak = int(inside[max(range(inside.size), key=lambda i: ranks[i])])
    return peak, "PEAK_EDGE" if peak in (inside[0], inside[-1]) else ""


def compute_peak(course: CytokineCourse, settings: CytokineSettings) -> Outcome:
    """Return the highest level inside the window; above the range it is only a lower bound."""
    peak, remark = _find_peak(course, settings)
    if peak is None:
        return not_calculated(remark)
    return _as_outcome(
        Level(low=course.low[peak], high=course.high[peak], status=course.statuses[peak]), remark
    )


def compute_peak_day(course: CytokineCourse, settings: CytokineSettings) -> Outcome:
    """Return the day of the highest level."""
    peak, remark = _find_peak(course, settings)
    if peak is None:
        return not_calculated(remark)
    if course.statuses[peak] in (Status.DETECTED_BLQ, Status.NOT_DETECTED):
        return not_calculated("ALL_BLQ")
    return number(float(course.days[peak]), remark)


def compute_peak_fold(course: CytokineCourse, settings: CytokineSettings) -> Outcome:
    """Return the highest level over baseline, as a bound where one of them is censored."""
    peak, remark = _find_peak(course, settings)
    if peak is None or course.baseline is None:
        return not_calculated(remark if peak is None else "NO_BASELINE")
    level = Level(low=course.low[peak], high=course.high[peak], status=course.statuses[peak])
    return compute_fold(level, course.baseline, remark)


def compute_auc(course: CytokineCourse, settings: CytokineSettings, end: float) -> Outcome:
    """Return the linear area from day 0 to a fixed day.

    Notes
    -----
    With censored levels the area lies between two bounds. Where they differ by no more than the study's
    tolerance their middle stands for it (reason ``CENSORED``), else the bounds stand alone.
    """
    days = course.days
    if days.size < 2 or days[0] > 0:
        return not_calculated("FEW_SAMPLES" if days.size < 2 else "NO_SAMPLE_BEFORE_INFUSION")
    if end - days[-1] > settings.extension_days:
        return not_calculated("AFTER_LAST_SAMPLE")
    remark = "AUC_EXT_SHORT" if end > days[-1] else ""
    low, high = (_held_area(days, values, end) for values in (course.low, course.high))
    if low == high:
        return number(low, remark)
    if high - low <= settings.censored_tolerance_percent / 100 * low:
        return number((low + high) / 2, "CENSORED", remark, low=low, high=high)
    return Outcome(
        low=low,
        high=high if np.isfinite(high) else NAN,
        status=Status.NOT_CALCULATED,
        reason=join_reasons(("CENSORED", remark)),
    )


def _held_area(days: Values, values: Values, end: float) -> float:
    if not np.isfinite(values).all():
        return float("inf")
    if end > days[-1]:
        days, values = np.append(days, end), np.append(values, values[-1])
    return compute_partial_area(days, values, end, method="linear")


def compute_days_above(course: CytokineCourse, settings: CytokineSettings) -> Outcome:
    """Return the days inside the window on which the level lies above a multiple of baseline.

    The level is taken to run straight between samples. Below the range it counts as not above; a baseline
    below the range leaves a lower bound, counted against the limit instead.
    """
    if course.baseline is None:
        return not_calculated("NO_BASELINE")
    if course.days.size < 2:
        return not_calculated("FEW_SAMPLES")
    threshold = settings.above_fold * course.baseline.high
    if not np.isfinite(threshold):
        return not_calculated("BASELINE_CENSORED")
    days = _measure_above(course.days, course.low, threshold, settings.peak_window_days)
    censored = any(status is Status.ABOVE_ULOQ for status in course.statuses)
    if not course.baseline.is_quantified or censored:
        return Outcome(low=days, status=Status.NOT_CALCULATED, reason="CENSORED")
    return number(days)


def _measure_above(days: Values, values: Values, threshold: float, end: float) -> float:
    total = 0.0
    for i in range(days.size - 1):
        start, stop = float(days[i]), min(float(days[i + 1]), end)
        if start >= end:
            break
        slope = (values[i + 1] - values[i]) / (days[i + 1] - days[i])
        first, last = float(values[i]), float(values[i] + slope * (stop - start))
        total += _share_above(first, last, threshold) * (stop - start)
    return total


def _share_above(first: float, last: float, threshold: float) -> float:
    if first > threshold and last > threshold:
        return 1.0
    if first <= threshold and last <= threshold:
        return 0.0
    return abs(max(first, last) - threshold) / abs(last - first)


def compute_nadir(course: CytokineCourse, settings: CytokineSettings) -> Outcome:
    """Return the lowest level inside the window."""
    inside = _window(course, settings)
    if not inside.size:
        return not_calculated("FEW_SAMPLES")
    lowest = int(min(inside, key=lambda i: (course.high[i], course.low[i], course.days[i])))
    return _as_outcome(
        Level(low=course.low[lowest], high=course.high[lowest], status=course.statuses[lowest])
    )


CYTOKINE_PARAMETERS: Final[Mapping[str, CytokineParameter]] = MappingProxyType(
    {
        parameter.name: parameter
        for parameter in (
            CytokineParameter(name="BASE", label="Baseline", unit="value", compute=compute_base),
            CytokineParameter(name="PEAK", label="Peak", unit="value", compute=compute_peak),
            CytokineParameter(name="TPEAK", label="Time of peak", unit="day", compute=compute_peak_day),
            CytokineParameter(
                name="FOLDPEAK", label="Peak over baseline", unit="ratio", compute=compute_peak_fold
            ),
            CytokineParameter(
                name="AUC0_14D",
                label="Area to day 14",
                unit="value_day",
                compute=lambda course, settings: compute_auc(course, settings, 14.0),
            ),
            CytokineParameter(
                name="AUC0_28D",
                label="Area to day 28",
                unit="value_day",
                compute=lambda course, settings: compute_auc(course, settings, 28.0),
            ),
            CytokineParameter(
                name="TABOVE",
                label="Days above a multiple of baseline",
                unit="day",
                compute=compute_days_above,
            ),
            CytokineParameter(name="NADIR", label="Lowest value", unit="value", compute=compute_nadir),
        )
    }
)
"""Every parameter of a soluble marker, by name."""


def compute_cytokine_parameters(course: CytokineCourse, settings: CytokineSettings) -> dict[str, Outcome]:
    """Compute every parameter of one marker's course."""
    return {name: p.compute(course, settings) for name, p in CYTOKINE_PARAMETERS.items()}
