"""Verdicts: standards, controls, dilutions, charts, expected concentrations; worked numbers first."""

import numpy as np
import pytest

from corelab.errors import ConfigError, InputError
from corelab.immunoassay.acceptance import (
    PlateState,
    advance_plate,
    compute_bridge,
    judge_controls,
    judge_reanalysis,
)
from corelab.immunoassay.calibration import calibrate
from corelab.immunoassay.control_chart import ControlPoint, chart_controls
from corelab.immunoassay.curve import Curve, compute_response
from corelab.immunoassay.quantitation import combine_replicates, combine_specimen, quantify, quantify_wells
from corelab.immunoassay.series import find_series_faults
from corelab.immunoassay.settings import build_rules
from corelab.vocabulary import Status

CURVE = Curve(a=14.0, b=1.1, c=900.0, d=21000.0)
NOMINAL = np.repeat([0.5, 2, 8, 32, 128, 512, 2048, 8192], 2)
BLANKS = [13.0, 14.0, 15.0]


def simulate(seed: int, *, cv: float = 0.06, nominal: np.ndarray = NOMINAL) -> np.ndarray:
    """Responses whose spread grows with what lies above the blank, and the blank's own."""
    rng = np.random.default_rng(seed)
    net = compute_response(CURVE, nominal) - CURVE.a
    return np.asarray(
        CURVE.a + net * (1 + cv * rng.standard_normal(len(net))) + rng.standard_normal(len(net))
    )


def test_judge_controls__worked_set_is_accepted_and_rejected_when_both_fail_at_one_level() -> None:
    worked = {12.0: [14.5, 11.0], 180.0: [205.0, 150.0], 1500.0: [1650.0, 2010.0]}
    verdict = judge_controls(worked)
    percents = [round(percent, 1) for _, percent in verdict.recoveries]
    assert percents == [120.8, 91.7, 113.9, 83.3, 110.0, 134.0]
    assert (verdict.n_accepted, verdict.n, verdict.is_accepted) == (4, 6, True)
    assert not judge_controls(worked | {12.0: [14.5, 9.0], 1500.0: [1650.0, 1700.0]}).is_accepted
    assert judge_controls({12.0: [float("nan"), 12.0]}).n_accepted == 1
    assert judge_controls({}).is_accepted


def test_judge_reanalysis__two_thirds_within_thirty_percent() -> None:
    assert judge_reanalysis([(100, 110), (100, 120), (100, 200)])
    assert not judge_reanalysis([(100, 110), (100, 200), (100, 200)])


def test_compute_bridge__applies_within_limits_only() -> None:
    assert compute_bridge([130, 260, 390], [100, 200, 300]).reason == "BRIDGE: ratio outside 0.8 to 1.25"
    assert compute_bridge([100, 200], [100, 200]).reason == "BRIDGE: 2 of 3 samples"


def test_advance_plate__knows_no_way_back() -> None:
    state = PlateState.PARSED
    for step in (PlateState.QC_EVALUATED, PlateState.REJECTED, PlateState.LOCKED):
        state = advance_plate(state, step)
    with pytest.raises(InputError, match="cannot go from locked to accepted"):
        advance_plate(state, PlateState.ACCEPTED)


def test_calibrate__ends_the_range_at_accepted_standards() -> None:
    responses = simulate(3)
    responses[:2] = [40.0, 41.0]  # the lowest standard reads far too high
    calibration = calibrate(NOMINAL, responses, blanks=BLANKS)
    assert calibration.is_accepted
    assert (calibration.lloq, calibration.uloq) == (2.0, 8192.0)
    assert calibration.levels[0].is_anchor
    few = calibrate(NOMINAL[:10], responses[:10], blanks=BLANKS)
    assert few.reasons[0].startswith("STANDARDS: 4 of 5 levels")
    assert calibrate([1, 2], [5, 6]).reasons == ("STANDARDS: 2 levels",)


def test_calibrate__needs_a_blank_below_its_lowest_standard() -> None:
    assert calibrate(NOMINAL, simulate(3), blanks=[900.0, 905.0]).lloq > 32


def test_quantify__gives_intervals_outside_the_range_and_dilutes_the_limits_too() -> None:
    calibration = calibrate(NOMINAL, simulate(3), blanks=BLANKS)
    assert calibration.fit is not None
    low, top = calibration.fit.curve.floor, calibration.fit.curve.ceiling
    inside, under, over, beneath, missing = quantify_wells(
        calibration,
        [5000.0, low - 5, top + 5, low + 0.4, float("nan")],
        dilutions=[4.0] * 5,
    )
    assert inside.value == inside.calculated == pytest.approx(4 * quantify(calibration, 5000.0).value)
    assert inside.ci_low < inside.value < inside.ci_high
    assert (under.status, under.relation, under.low, under.high) == (
        Status.NOT_DETECTED, "<", 0.0, 4 * calibration.lloq,
    )  # fmt: skip
    assert (over.status, over.relation, over.low) == (Status.ABOVE_ULOQ, ">", 4 * calibration.uloq)
    assert beneath.status in (Status.NOT_DETECTED, Status.DETECTED_BLQ)
    assert (missing.status, missing.reason) == (Status.FAILED, "NO_SIGNAL")
    assert all(np.isnan(one.value) for one in (under, over, beneath, missing))


def test_combine__averages_replicates_by_concentration_and_judges_their_spread() -> None:
    calibration = calibrate(NOMINAL, simulate(3), blanks=BLANKS)
    wells = quantify_wells(calibration, [1000.0, 1100.0, 1700.0, 12.0, 30000.0], dilutions=[1.0] * 5)
    close = combine_replicates(wells[:2], fit=calibration.fit)
    assert close.value == pytest.approx((wells[0].value + wells[1].value) / 2)
    assert (close.status, close.reason) == (Status.QUANTIFIED, "")
    far = combine_replicates([wells[0], wells[2]], fit=calibration.fit)
    assert (far.status, far.reason) == (Status.FAILED, "REPEAT")
    assert far.value > 0
    mixed = combine_replicates([wells[0], wells[3]], fit=calibration.fit)
    assert (mixed.relation, np.isnan(mixed.value)) == ("<", True)


def test_combine_specimen__reports_the_least_diluted_result_in_range_and_uncovers_a_hook() -> None:
    calibration = calibrate(NOMINAL, simulate(3), blanks=BLANKS)
    over, inside = quantify_wells(calibration, [30_000.0, 5000.0], dilutions=[1.0, 10.0])
    assert combine_specimen([inside, over], fit=calibration.fit) is inside
    hooked, diluted = quantify_wells(calibration, [4000.0, 5000.0], dilutions=[1.0, 10.0])
    assert combine_specimen([hooked, diluted], fit=calibration.fit).reason == "HOOK"
    below = quantify_wells(calibration, [1.0, 1.0], dilutions=[2.0, 20.0])
    assert combine_specimen(below, fit=calibration.fit).high == 2 * calibration.lloq


def test_simulated_plates__back_calculate_and_cover() -> None:
    """Standards within 20 % (25 % at the limits) on three quarters of levels; intervals hold 95 %."""
    levels = passed = covered = judged = 0
    truth = np.array([5.0, 20.0, 100.0, 600.0, 3000.0])
    for seed in range(80):
        calibration = calibrate(NOMINAL, simulate(seed), blanks=14 + np.array([-1.0, 0.3, 0.7]))
        levels += len(calibration.levels)
        passed += sum(
            abs(level.recovery_percent - 100) <= (25 if place in (0, 7) else 20)
            for place, level in enumerate(calibration.levels)
        )
        wells = quantify_wells(
            calibration, simulate(1000 + seed, nominal=truth).tolist(), dilutions=[1.0] * 5
        )
        for one, value in zip(wells, truth, strict=True):
            if one.status is Status.QUANTIFIED:
                judged += 1
                covered += one.ci_low <= value <= one.ci_high
    print(f"back-calculated {passed} of {levels} levels; intervals hold {covered} of {judged}")  # noqa: T201
    assert passed >= 0.75 * levels
    assert judged > 200
    assert 0.93 <= covered / judged <= 0.97


def test_series__finds_what_contradicts_its_own_dilution() -> None:
    good = {f"S{place}": 8000 / 4**place for place in range(1, 9)}
    assert find_series_faults(good) == []
    (fault,) = find_series_faults(good | {"S3": 125000.0})
    assert (fault.level, fault.implied, fault.is_slip) == ("S3", 125.0, True)
    (step,) = find_series_faults(good | {"S8": good["S8"] / 2.5})
    assert not step.is_slip
    swapped = find_series_faults(good | {"S4": good["S5"], "S5": good["S4"]})
    assert [one.level for one in swapped] == ["S4", "S5"]
    assert any(one.is_slip for one in swapped)
    without = {level: value for level, value in good.items() if level != "S4"}
    assert find_series_faults(without, places=[1, 2, 3, 5, 6, 7, 8]) == []
    assert find_series_faults({"a": 1.0, "b": 7.0, "c": 9.0, "d": 500.0}) == []


def test_chart__each_lot_has_its_own_centre_and_rules() -> None:
    values = [100.0, 102.0, 98.0, 101.0, 99.0, 100.0]
    points = [ControlPoint(plate=f"p{i}", lot="A", value=value) for i, value in enumerate(values)]
    points += [ControlPoint(plate="q", lot="B", value=300.0), ControlPoint(plate="r", lot="A", value=140.0)]
    charted = chart_controls(points, baseline=6)
    assert [point.rules for point in charted[:6]] == [()] * 6
    assert np.isnan(charted[6].z)
    assert charted[7].is_rejected
    assert "1_3s" in charted[7].rules


def test_build_rules__refuses_what_it_does_not_know() -> None:
    with pytest.raises(ConfigError, match="weighting '1/x' is unknown"):
        build_rules({"weighting": "1/x"})
    assert build_rules({"tier": 2, "qc_off": 25}).qc_off == 25
    for raw in ({"colour": 1}, {"qc_off": "wide"}, {"needs_qc": 1}):
        with pytest.raises(ConfigError, match="immunoassay setting"):
            build_rules(raw)
