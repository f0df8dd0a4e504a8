"""What a kinetic parameter is: a function of one prepared course, registered under its name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from corelab.errors import ConfigError
from corelab.kinetics.profile import BLQ_RULES, BlqRule, Course, Curve, derive_curve
from corelab.kinetics.terminal import TerminalSlope, fit_terminal_slope
from corelab.vocabulary import Status

NAN: Final = float("nan")
UnitKind = Literal["value", "day", "value_day", "per_day", "count", "ratio", "percent", "flag"]

UNITS: Final[Mapping[UnitKind, str]] = {
    "value": "{unit}", "day": "d", "value_day": "{unit}*d", "per_day": "1/d", "count": "1", "ratio": "1",
    "percent": "%", "flag": "1",
}  # fmt: skip
"""The unit of a parameter; ``{unit}`` is the analyte's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KineticSettings:
    """How a course is judged; from the study file's section ``kinetics``."""

    blq_rule: BlqRule
    cmax_window_days: float
    minimum_auc28_samples: int
    minimum_points: int
    minimum_r2_adjusted: float
    minimum_span: float
    loss_samples: int
    loss_gap_days: float
    auc28_extension_days: float
    auc84_extension_days: float
    maximum_extrapolated_percent: float
    auc28_late_from_day: float
    first_sample_by_day: float
    extrapolate: bool


def build_settings(raw: Mapping[str, Any], *, late_from_day: float) -> KineticSettings:
    """Read the settings of a study file; ``late_from_day`` opens the window of visit D21.

    Raises
    ------
    ConfigError
        If the rule for values below the limit is unknown.
    """
    if raw["blq_rule"] not in BLQ_RULES:
        raise ConfigError(
            f"blq_rule {raw['blq_rule']!r} is unknown",
            place="settings.kinetics",
            expected=", ".join(BLQ_RULES),
        )
    return KineticSettings(
        blq_rule=BLQ_RULES[raw["blq_rule"]],
        cmax_window_days=float(raw["cmax_window_days"]),
        minimum_auc28_samples=int(raw["minimum_auc28_samples"]),
        minimum_points=int(raw["lambda_z_minimum_points"]),
        minimum_r2_adjusted=float(raw["minimum_r2_adjusted"]),
        minimum_span=float(raw["minimum_span"]),
        loss_samples=int(raw["loss_confirming_blq"]),
        loss_gap_days=float(raw["loss_minimum_gap_days"]),
        auc28_extension_days=float(raw["auc28_extension_days"]),
        auc84_extension_days=float(raw["auc84_extension_days"]),
        maximum_extrapolated_percent=float(raw["maximum_extrapolated_percent"]),
        auc28_late_from_day=late_from_day,
        first_sample_by_day=float(raw["first_sample_by_day"]),
        extrapolate=bool(raw["extrapolate_lambda_z"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One subject's course of one analyte with everything that several parameters share."""

    course: Course
    curve: Curve
    slope: TerminalSlope | None
    settings: KineticSettings

    @property
    def has_quantified(self) -> bool:
        """Whether any sample after infusion is quantifiable."""
        return bool((~self.course.is_blq).any())

    @property
    def last_quantified(self) -> int:
        """Position of the last quantifiable sample."""
        return int(np.flatnonzero(~self.course.is_blq)[-1])

    @property
    def first_quantified(self) -> int:
        """Position of the first quantifiable sample."""
        return int(np.flatnonzero(~self.course.is_blq)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a parameter came to: a number, an interval, or why there is none."""

    value: float = NAN
    low: float = NAN
    high: float = NAN
    status: Status = Status.QUANTIFIED
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A kinetic parameter: its name, label, kind of unit and the function that computes it."""

    name: str
    label: str
    unit: UnitKind
    compute: Callable[[Case], Outcome]


def build_case(course: Course, settings: KineticSettings) -> Case:
    """Draw the curve and fit the terminal slope of a course once for all parameters."""
    quantified = ~course.is_blq
    return Case(
        course=course,
        curve=derive_curve(course, settings.blq_rule),
        slope=fit_terminal_slope(
            course.days[quantified], course.values[quantified], minimum_points=settings.minimum_points
        ),
        settings=settings,
    )


def not_calculated(*reasons: str) -> Outcome:
    """Return the outcome of a parameter that cannot be computed."""
    return Outcome(status=Status.NOT_CALCULATED, reason=join_reasons(reasons))


def number(value: float, *reasons: str, low: float = NAN, high: float = NAN) -> Outcome:
    """Return a computed value, with remarks if there are any."""
    return Outcome(value=value, low=low, high=high, reason=join_reasons(reasons))


def join_reasons(reasons: tuple[str, ...]) -> str:
    """Write several reasons as one text, each once, in their order."""
    return ";".join(dict.fromkeys(reason for reason in reasons if reason))


def explain_absence(case: Case) -> str:
    """Say why a course without a quantifiable sample has no parameters."""
    return "ALL_BLQ" if case.course.days.size else "NO_POST_INFUSION_SAMPLE"
