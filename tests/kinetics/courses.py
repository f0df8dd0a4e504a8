"""Courses from short literals: a number is quantified, None is below the limit, a word is a status."""

from collections.abc import Sequence

from corelab.kinetics.parameter import KineticSettings, Outcome, build_settings
from corelab.kinetics.profile import Course, build_course
from corelab.kinetics.registry import compute_parameters
from corelab.study import builtin_study

Value = float | str | None
SETTINGS = builtin_study().settings["kinetics"]
WORKED_DAYS = [0, 1, 3, 7, 10, 14, 21, 28, 60, 90, 180]
WORKED: list[Value] = [None, 120, 900, 15_600, 48_200, 31_000, 8_400, 2_100, 310, None, None]


def make_course(days: Sequence[float], values: Sequence[Value], *, limit: float = 50.0) -> Course:
    return build_course(
        days,
        [value if isinstance(value, int | float) else float("nan") for value in values],
        [_status(value) for value in values],
        limits=[limit] * len(days),
    )


def _status(value: Value) -> str:
    if isinstance(value, str):
        return value
    return "not_detected" if value is None else "quantified"


def make_settings(**changes: object) -> KineticSettings:
    raw = {**SETTINGS, **changes}
    return build_settings(raw, late_from_day=19.0)


def compute(days: Sequence[float], values: Sequence[Value], **changes: object) -> dict[str, Outcome]:
    return compute_parameters(make_course(days, values), make_settings(**changes))
