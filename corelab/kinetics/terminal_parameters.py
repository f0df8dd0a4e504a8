"""The terminal slope as parameters; a weak fit keeps its values and says so."""

from collections.abc import Callable
from typing import Final

from corelab.kinetics.parameter import (
    Case,
    Outcome,
    Parameter,
    explain_absence,
    join_reasons,
    not_calculated,
    number,
)
from corelab.kinetics.terminal import TerminalSlope


def explain_slope(case: Case) -> str:
    """Say what is weak about the terminal slope; empty for a firm one."""
    if case.slope is None:
        return "FEW_POINTS" if case.has_quantified else explain_absence(case)
    return join_reasons(
        (
            "LOW_R2ADJ" if case.slope.r2_adjusted < case.settings.minimum_r2_adjusted else "",
            "SHORT_SPAN" if case.slope.span < case.settings.minimum_span else "",
        )
    )


def _of_slope(read: Callable[[TerminalSlope], float]) -> Callable[[Case], Outcome]:
    def compute(case: Case) -> Outcome:
        if case.slope is None:
            return not_calculated(explain_slope(case))
        return number(float(read(case.slope)), explain_slope(case))

    return compute


PARAMETERS: Final = (
    Parameter(
        name="LAMZ", label="Terminal rate", unit="per_day", compute=_of_slope(lambda slope: slope.rate)
    ),
    Parameter(
        name="LAMZHL",
        label="Terminal half-life",
        unit="day",
        compute=_of_slope(lambda slope: slope.half_life),
    ),
    Parameter(
        name="LAMZNPT",
        label="Points of the slope",
        unit="count",
        compute=_of_slope(lambda slope: slope.n_points),
    ),
    Parameter(
        name="LAMZLL",
        label="First day of the slope",
        unit="day",
        compute=_of_slope(lambda slope: slope.first_day),
    ),
    Parameter(
        name="LAMZUL",
        label="Last day of the slope",
        unit="day",
        compute=_of_slope(lambda slope: slope.last_day),
    ),
    Parameter(
        name="R2ADJ",
        label="Adjusted R squared of the slope",
        unit="ratio",
        compute=_of_slope(lambda slope: slope.r2_adjusted),
    ),
    Parameter(
        name="LAMZSPN",
        label="Interval of the slope in half-lives",
        unit="ratio",
        compute=_of_slope(lambda slope: slope.span),
    ),
)
