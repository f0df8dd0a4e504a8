"""Courses of soluble markers: what is censored stays an interval."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.kinetics.cytokine import (
    CYTOKINE_PARAMETERS,
    CytokineSettings,
    build_cytokine_course,
    build_cytokine_settings,
    compute_cytokine_parameters,
)
from corelab.kinetics.level import Level, compute_fold
from corelab.kinetics.parameter import Outcome
from corelab.study import builtin_study
from corelab.vocabulary import Status

SETTINGS: CytokineSettings = build_cytokine_settings(builtin_study().settings["cytokine"], extension_days=2.0)
BELOW = "<2.4"
ABOVE = ">10000"


def level(value: float | str) -> Level:
    if value == BELOW:
        return Level(low=0.0, high=2.4, status=Status.DETECTED_BLQ)
    if value == ABOVE:
        return Level(low=10_000.0, high=float("nan"), status=Status.ABOVE_ULOQ)
    return Level(low=float(value), high=float(value), status=Status.QUANTIFIED)


def compute(
    days: list[float], values: list[float | str], *, baseline: float | str | None = 4.0
) -> dict[str, Outcome]:
    base = None if baseline is None else level(baseline)
    course = build_cytokine_course(days, [level(value) for value in values], baseline=base)
    return compute_cytokine_parameters(course, SETTINGS)


@pytest.mark.parametrize(
    ("value", "baseline", "expected"),
    [
        (820.0, BELOW, (None, 341.666667, None, "not_calculated", "BASELINE_CENSORED")),
        (820.0, 4.0, (205.0, None, None, "quantified", "")),
        (BELOW, 4.0, (None, 0.0, 0.6, "detected_blq", "VALUE_CENSORED")),
        (ABOVE, 4.0, (None, 2500.0, None, "above_uloq", "VALUE_CENSORED")),
        (BELOW, BELOW, (None, None, None, "not_calculated", "BOTH_CENSORED")),
        (5.0, 0.0, (None, None, None, "not_calculated", "ZERO_BASELINE")),
    ],
)
def test_compute_fold__a_bound_where_one_side_is_censored(
    value: float | str, baseline: float | str, expected: tuple[float | str | None, ...]
) -> None:
    fold = compute_fold(level(value), level(baseline))
    numbers = [None if math.isnan(x) else round(x, 6) for x in (fold.value, fold.low, fold.high)]
    assert (*numbers, fold.status.value, fold.reason) == expected


def test_compute_cytokine_parameters__a_course_by_hand() -> None:
    outcomes = compute([-5, 0, 2, 6, 10, 14, 28], [4, 8, 8, 100, 20, 8, 8])
    values = {name: outcome.value for name, outcome in outcomes.items()}
    assert values["BASE"] == 4
    assert (values["PEAK"], values["TPEAK"], values["FOLDPEAK"]) == (100, 6, 25)
    assert values["AUC0_14D"] == pytest.approx(8 * 2 + 54 * 4 + 60 * 4 + 14 * 4)
    assert values["AUC0_28D"] == pytest.approx(values["AUC0_14D"] + 8 * 14)
    assert values["NADIR"] == 8
    # Above 2 x 4 from day 2 (where it leaves 8) to day 14 (where it is back at 8).
    assert values["TABOVE"] == pytest.approx(12)


def test_compute_cytokine_parameters__every_parameter_has_an_outcome_even_for_one_sample() -> None:
    outcomes = compute([3], [10.0], baseline=None)
    assert set(outcomes) == set(CYTOKINE_PARAMETERS)
    assert {outcome.reason for name, outcome in outcomes.items() if name != "NADIR"} == {
        "NO_BASELINE", "FEW_SAMPLES",
    }  # fmt: skip


def test_peak__above_the_range_is_a_lower_bound() -> None:
    peak = compute([1, 3, 7, 14], [5, 50, ABOVE, 60])["PEAK"]
    assert (peak.status.value, peak.low, math.isnan(peak.value)) == ("above_uloq", 10_000.0, True)


def test_peak__on_the_edge_is_flagged() -> None:
    assert compute([1, 3, 7], [50, 10, 5])["PEAK"].reason == "PEAK_EDGE"
    assert compute([1, 3, 7], [5, 10, 50])["PEAK"].reason == "PEAK_EDGE"
    assert compute([1, 3, 7], [5, 50, 10])["PEAK"].reason == ""


def test_peak__nothing_in_range() -> None:
    outcomes = compute([1, 3, 7], [BELOW, BELOW, BELOW])
    assert (outcomes["PEAK"].status.value, outcomes["PEAK"].high) == ("detected_blq", 2.4)
    assert outcomes["TPEAK"].reason == "ALL_BLQ"


def test_auc__censored_levels_leave_bounds_or_a_value_within_the_tolerance() -> None:
    wide = compute([0, 7, 14], [BELOW, BELOW, 10.0])["AUC0_14D"]
    assert (wide.status.value, wide.low, wide.reason) == ("not_calculated", 35.0, "CENSORED")
    assert wide.high == pytest.approx(2.4 * 7 + 6.2 * 7)
    narrow = compute([0, 7, 14], [BELOW, 1000.0, 1000.0])["AUC0_14D"]
    assert narrow.low <= narrow.value <= narrow.high
    assert (narrow.status.value, narrow.reason) == ("quantified", "CENSORED")


@pytest.mark.parametrize(
    ("days", "reason"),
    [([1.0, 14.0], "NO_SAMPLE_BEFORE_INFUSION"), ([0.0, 11.0], "AFTER_LAST_SAMPLE"), ([0.0], "FEW_SAMPLES")],
)
def test_auc__is_not_calculated_where_it_is_not_described(days: list[float], reason: str) -> None:
    outcome = compute(days, [5.0] * len(days))["AUC0_14D"]
    assert (outcome.status.value, outcome.reason) == ("not_calculated", reason)


@given(st.permutations(range(7)))
def test_compute_cytokine_parameters__the_order_of_rows_is_irrelevant(order: list[int]) -> None:
    days, values = [-5.0, 0, 2, 6, 10, 14, 28], [4.0, 8, BELOW, ABOVE, 20, 8, 8]
    shuffled = compute([days[i] for i in order], [values[i] for i in order])
    assert repr(shuffled) == repr(compute(days, values))
