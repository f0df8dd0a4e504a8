"""Every parameter on the worked profile, and the cases in which there is none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.errors import ConfigError
from corelab.kinetics.parameter import Outcome
from corelab.kinetics.profile import build_course
from corelab.kinetics.registry import PARAMETERS, compute_parameters
from corelab.vocabulary import Status
from tests.kinetics.courses import WORKED, WORKED_DAYS, compute, make_course, make_settings


def why(outcome: Outcome) -> tuple[str, str]:
    return outcome.status.value, outcome.reason


@pytest.fixture(scope="module")
def worked() -> dict[str, Outcome]:
    return compute(WORKED_DAYS, WORKED)


@pytest.mark.parametrize(
    ("name", "value", "digits"),
    [
        ("CMAX", 48_200, 0), ("TMAX", 10, 0), ("CLST", 310, 0), ("TLST", 60, 0), ("FIRSTQ", 1, 0),
        ("AUC0_28D", 438_624.99, 2), ("AUCLST", 468_565.60, 2), ("AUC0_84D", 468_565.60, 2),
        ("LAMZ", 0.076947, 6), ("R2ADJ", 0.86529, 5), ("LAMZHL", 9.0081, 4), ("LAMZSPN", 4.33, 2),
        ("LAMZNPT", 3, 0), ("LAMZLL", 21, 0), ("LAMZUL", 60, 0), ("AUCIFO", 472_594.34, 2),
        ("AUCPEO", 0.852, 3), ("PERSIST", 60, 0), ("LOSS", 90, 0), ("REEXP", 0, 0), ("EXPANDED", 1, 0),
        ("EXPFOLD", 48_200 / 120, 6), ("C28D", 2_100, 0),
    ],
)  # fmt: skip
def test_compute_parameters__worked_profile(
    worked: dict[str, Outcome], name: str, value: float, digits: int
) -> None:
    assert worked[name].status is Status.QUANTIFIED
    assert worked[name].value == pytest.approx(value, abs=0.5 * 10**-digits)


def test_compute_parameters__worked_profile_intervals_and_remarks(worked: dict[str, Outcome]) -> None:
    assert (worked["LOSS"].low, worked["LOSS"].high) == (60, 90)
    assert (worked["PERSIST"].low, worked["PERSIST"].high) == (60, 90)
    assert worked["AUC0_84D"].reason == "AUC_TRUNC_BLQ"
    assert worked["AUC0_28D"].reason == ""
    assert why(worked["C90D"]) == ("not_detected", "BELOW_LLOQ")
    assert worked["C90D"].high == 50


def test_compute_parameters__a_sample_that_may_have_been_detected_is_not_called_undetected() -> None:
    statuses = ["quantified", "quantified", "detected_blq"]
    for reason, word in (("DETECTION_UNKNOWN", "BELOW_LLOQ;DETECTION_UNKNOWN"), ("", "BELOW_LLOQ")):
        course = build_course(
            [7, 28, 90], [900.0, 300.0, math.nan], statuses, limits=[50.0] * 3, reasons=["", "", reason]
        )
        assert why(compute_parameters(course, make_settings())["C90D"]) == ("detected_blq", word)


def test_compute_parameters__every_parameter_has_an_outcome(worked: dict[str, Outcome]) -> None:
    contract = (
        "CMAX TMAX TLST CLST AUCLST AUC0_28D AUC0_84D LAMZ LAMZHL LAMZNPT LAMZLL LAMZUL R2ADJ LAMZSPN "
        "AUCIFO AUCPEO FIRSTQ PERSIST LOSS REEXP EXPFOLD C28D C90D"
    )
    assert set(contract.split()) <= set(worked) == set(PARAMETERS)


def test_auc_0_84d__extrapolated_along_the_slope_where_the_study_says_so() -> None:
    outcome = compute(WORKED_DAYS, WORKED, extrapolate_lambda_z=True)["AUC0_84D"]
    assert outcome.value == pytest.approx(471_958.80, abs=0.005)
    assert outcome.reason == "AUC_EXTRAPOLATED"


def test_auc_0_28d__partial_end_between_samples() -> None:
    days = [0, 1, 3, 7, 10, 14, 21, 26.9, 33.1]
    outcome = compute(days, [None, 120, 900, 15_600, 48_200, 31_000, 8_400, 2_500, 1_500])["AUC0_28D"]
    assert outcome.value == pytest.approx(438_165.14, abs=0.005)


def test_auc_0_28d__short_of_the_end_by_the_window_is_extended_along_the_fall() -> None:
    outcome = compute([0, 3, 7, 14, 21, 26.5], [None, 100, 9_000, 4_000, 800, 400])["AUC0_28D"]
    assert outcome.reason == "AUC_EXT_SHORT"
    inside = compute([0, 3, 7, 14, 21, 26.5], [None, 100, 9_000, 4_000, 800, 400])["AUCLST"].value
    rate = math.log(2) / 5.5
    assert outcome.value == pytest.approx(inside + 400 * (1 - math.exp(-rate * 1.5)) / rate)


def test_auc_0_28d__far_short_of_the_end_is_not_calculated() -> None:
    outcome = compute([0, 3, 7, 14, 25.9], [None, 100, 9_000, 4_000, 800])["AUC0_28D"]
    assert why(outcome) == ("not_calculated", "AFTER_LAST_SAMPLE")


@pytest.mark.parametrize(
    ("days", "values", "reason"),
    [
        ([0, 7, 14, 21], [None, 500, 400, 300], "FEW_SAMPLES"),
        ([0, 1, 3, 7, 14, 60], [None, 100, 500, 900, 400, 100], "NO_LATE_SAMPLE"),
        ([0, 1, 3, 7, 14, 60], [None, None, None, None, None, 100], "FEW_SAMPLES"),
    ],
)
def test_auc_0_28d__needs_samples_that_describe_it(
    days: list[float], values: list[float | None], reason: str
) -> None:
    assert why(compute(days, values)["AUC0_28D"]) == ("not_calculated", reason)


def test_auc_0_28d__a_loss_before_day_19_needs_no_late_sample() -> None:
    outcome = compute([0, 3, 5, 7, 10, 17, 60], [None, 100, 500, 90, None, None, None])["AUC0_28D"]
    assert why(outcome) == ("quantified", "AUC_TRUNC_BLQ")


def test_auclst__remarks_on_the_start() -> None:
    assert compute([4, 7, 14], [100, 900, 400])["AUCLST"].reason == "C0_IMPUTED;LATE_FIRST_SAMPLE"
    assert compute([-1, 1, 7], [60, 900, 400])["AUCLST"].reason == "C0_NOT_BLQ"


def test_compute_parameters__nothing_quantifiable() -> None:
    outcomes = compute([0, 1, 7, 28], [None, None, None, None])
    assert why(outcomes["CMAX"]) == ("not_detected", "ALL_BLQ")
    assert outcomes["CMAX"].high == 50
    assert math.isnan(outcomes["CMAX"].value)
    assert outcomes["EXPANDED"].value == 0
    others = set(outcomes) - {"CMAX", "EXPANDED", "PERSISTD", "C28D", "C90D"}
    assert {why(outcomes[name]) for name in others} == {("not_calculated", "ALL_BLQ")}


def test_compute_parameters__no_sample_after_infusion() -> None:
    outcomes = compute([-5, 0], [None, None])
    assert {why(outcome) for outcome in outcomes.values()} == {("not_calculated", "NO_POST_INFUSION_SAMPLE")}


def test_compute_parameters__failed_and_missing_samples_are_not_below_the_limit() -> None:
    days = [0, 1, 3, 7, 8, 10, 14, 21, 28, 60, 75, 90, 180]
    values = [None, 120, 900, 15_600, "failed", 48_200, 31_000, 8_400, 2_100, 310, "missing", None, None]
    assert compute(days, values) == compute(WORKED_DAYS, WORKED)


def test_lambda_z__a_weak_slope_keeps_its_values_and_says_so() -> None:
    outcomes = compute([0, 7, 10, 12, 14], [None, 900, 500, 700, 400])
    assert outcomes["LAMZ"].value > 0
    assert outcomes["LAMZHL"].reason == "LOW_R2ADJ;SHORT_SPAN"
    assert why(outcomes["AUCIFO"]) == ("not_calculated", "LOW_R2ADJ;SHORT_SPAN")


def test_lambda_z__fewer_than_three_points_after_the_peak() -> None:
    assert why(compute([0, 7, 10, 14], [None, 900, 500, 400])["LAMZ"]) == ("not_calculated", "FEW_POINTS")


def test_cmax__the_first_of_equal_peaks() -> None:
    assert compute([0, 5, 7, 10], [None, 900, 300, 900])["TMAX"].value == 5


def test_cmax__only_inside_its_window() -> None:
    outcomes = compute([0, 7, 90], [None, 300, 900])
    assert (outcomes["CMAX"].value, outcomes["TMAX"].value) == (300, 7)
    assert why(compute([0, 7, 90], [None, None, 900])["CMAX"]) == ("not_calculated", "AFTER_WINDOW")


@pytest.mark.parametrize(
    ("days", "values", "loss", "reexpansion"),
    [
        ([1, 7, 30, 60, 90], [900, None, 500, None, None], (30, 60), 0),
        ([1, 7, 30, 60, 90], [900, None, 500, 400, None], None, 0),
        ([1, 30, 36, 60], [900, None, None, 800], None, 0),
        ([1, 30, 37, 60], [900, None, None, 800], (1, 30), 1),
        ([1, 30, 33, 37], [900, None, None, None], (1, 30), 0),
    ],
)
def test_loss__two_consecutive_samples_a_week_apart(
    days: list[float], values: list[float | None], loss: tuple[float, float] | None, reexpansion: int
) -> None:
    outcomes = compute(days, values)
    assert outcomes["REEXP"].value == reexpansion
    if loss is None:
        assert why(outcomes["LOSS"]) == ("not_calculated", "RIGHT_CENSORED")
        assert outcomes["LOSS"].low == outcomes["TLST"].value
        assert math.isnan(outcomes["PERSIST"].high)
    else:
        assert (outcomes["LOSS"].low, outcomes["LOSS"].high) == loss
        assert outcomes["LOSS"].value == loss[1]


def test_persistence__detected_outlasts_quantifiable() -> None:
    outcomes = compute([1, 7, 30, 60], [900, 400, "detected_blq", None])
    assert (outcomes["PERSIST"].value, outcomes["PERSISTD"].value) == (7, 30)


def test_build_settings__refuses_an_unknown_rule() -> None:
    with pytest.raises(ConfigError, match="blq_rule"):
        make_settings(blq_rule="half")


def test_blq_rule__trailing_half_limit_closes_the_curve() -> None:
    outcomes = compute(WORKED_DAYS, WORKED, blq_rule="first0_middle_missing_last_half")
    assert outcomes["AUC0_84D"].value > compute(WORKED_DAYS, WORKED)["AUC0_84D"].value
    assert outcomes["AUCLST"].value == pytest.approx(468_565.60, abs=0.005)


@given(st.permutations(range(len(WORKED_DAYS))))
def test_compute_parameters__the_order_of_rows_is_irrelevant(order: list[int]) -> None:
    course = make_course([WORKED_DAYS[i] for i in order], [WORKED[i] for i in order])
    outcomes = compute_parameters(course, make_settings())
    assert {name: repr(outcome) for name, outcome in outcomes.items()} == {
        name: repr(outcome) for name, outcome in compute(WORKED_DAYS, WORKED).items()
    }


SERIES = st.lists(
    st.tuples(st.floats(0.1, 400), st.one_of(st.none(), st.floats(50, 1e6))),
    max_size=14,
    unique_by=lambda pair: pair[0],
)


@given(SERIES, st.floats(1.5, 1000))
def test_compute_parameters__values_scale_with_the_unit_and_times_do_not(
    series: list[tuple[float, float | None]], factor: float
) -> None:
    days = [day for day, _ in series]
    values = [value for _, value in series]
    plain = compute(days, values)
    scaled = compute(days, [None if value is None else value * factor for value in values])
    for name in ("CMAX", "CLST", "AUCLST", "AUC0_28D"):
        expected = plain[name].value * factor
        assert scaled[name].value == pytest.approx(expected, rel=1e-6, nan_ok=True)
    for name in ("TMAX", "TLST", "PERSIST", "LOSS", "FIRSTQ"):
        assert scaled[name].value == pytest.approx(plain[name].value, nan_ok=True)


@given(SERIES)
def test_compute_parameters__a_number_or_a_reason(series: list[tuple[float, float | None]]) -> None:
    outcomes = compute([day for day, _ in series], [value for _, value in series])
    for outcome in outcomes.values():
        assert math.isfinite(outcome.value) == (outcome.status is Status.QUANTIFIED)
        assert outcome.status is Status.QUANTIFIED or outcome.reason
