"""Curves and their inverse: the worked numbers of the specification, and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.immunoassay.calibration import calibrate, find_hook
from corelab.immunoassay.curve import Curve, compute_concentration, compute_response, is_above, is_below
from corelab.immunoassay.fitting import compute_gradient, fit_curve
from corelab.immunoassay.quantitation import compute_band

FOUR = Curve(a=12, b=1.15, c=850, d=21000)
FIVE = Curve(a=12, b=1.15, c=850, d=21000, g=0.8)
NOMINAL = [2.4, 9.8, 39, 156, 625, 2500, 10000]
MFI = [18, 45, 190, 1180, 4600, 13900, 19800]


def test_curve__gives_the_worked_numbers() -> None:
    assert float(compute_response(FOUR, 100)) == pytest.approx(1662.3356, abs=5e-5)
    assert float(compute_concentration(FOUR, 5000)) == pytest.approx(308.4968, abs=5e-5)
    assert 4 * float(compute_concentration(FOUR, 5000)) == pytest.approx(1233.987, abs=5e-4)
    assert float(compute_response(FIVE, 100)) == pytest.approx(1342.9914, abs=5e-5)
    assert float(compute_concentration(FIVE, 5000)) == pytest.approx(386.3499, abs=5e-5)


def test_weights__make_the_worked_standards_pass() -> None:
    fit = fit_curve(NOMINAL, MFI)
    assert fit is not None
    assert fit.kind == "4PL"
    curve = fit.curve
    assert (curve.a, curve.b, curve.c, curve.d) == pytest.approx((12.455, 1.2671, 1660.70, 21798.8), rel=5e-5)
    recoveries = compute_concentration(curve, MFI) / np.array(NOMINAL) * 100
    assert recoveries == pytest.approx([100.8, 99.9, 96.3, 110.4, 93.6, 103.7, 101.4], abs=0.051)


def test_weights__of_one_lose_the_lowest_standards() -> None:
    fit = fit_curve(NOMINAL, MFI, weighting="none")
    assert fit is not None
    recoveries = compute_concentration(fit.curve, MFI) / np.array(NOMINAL) * 100
    assert np.isnan(recoveries[:2]).all()
    assert recoveries[2:4] == pytest.approx([83.9, 120.3], abs=0.051)
    assert not calibrate(NOMINAL, MFI).reasons


@given(
    a=st.floats(0, 100), span=st.floats(500, 50_000), b=st.floats(0.5, 3), c=st.floats(1, 5000),
    g=st.floats(0.3, 3), share=st.floats(0.01, 0.99),
)  # fmt: skip
def test_inverse__undoes_the_curve(a: float, span: float, b: float, c: float, g: float, share: float) -> None:
    curve = Curve(a=a, b=b, c=c, d=a + span, g=g)
    response = a + share * span
    x = float(compute_concentration(curve, response))
    assert float(compute_response(curve, x)) == pytest.approx(response, rel=1e-9)


@pytest.mark.parametrize("curve", [FOUR, Curve(a=21000, b=-1.15, c=850, d=12), FIVE])
def test_inverse__has_none_beyond_an_asymptote_and_says_on_which_side(curve: Curve) -> None:
    found = compute_concentration(curve, [11.0, 12.0, 21000.0, 22000.0])
    assert np.isnan(found).all()
    assert is_below(curve, [11.0, 12.0, 500.0, 21000.0]).tolist() == [True, True, False, False]
    assert is_above(curve, [11.0, 500.0, 21000.0, 22000.0]).tolist() == [False, False, True, True]


@pytest.mark.parametrize("curve", [FOUR, FIVE, Curve(a=21000, b=-1.4, c=850, d=12, g=0.7)])
def test_gradient__is_the_derivative_by_each_parameter(curve: Curve) -> None:
    side = 1 if curve.b > 0 else -1
    lower, span = min(curve.a, curve.d), abs(curve.d - curve.a)
    start = np.array([lower, np.log(span), np.log(abs(curve.b)), np.log(curve.c), np.log(curve.g)])

    def response(parameters: np.ndarray) -> np.ndarray:
        low, high = parameters[0], parameters[0] + np.exp(parameters[1])
        ends = (low, high) if side > 0 else (high, low)
        b, c, g = np.exp(parameters[2:])
        return compute_response(Curve(a=ends[0], b=side * b, c=c, d=ends[1], g=g), x)

    x = np.array([0.0, 5.0, 300.0, 9000.0])
    exact = compute_gradient(curve, x, n_parameters=5)
    for place in range(5):
        step = np.zeros(5)
        step[place] = 1e-6
        numeric = (response(start + step) - response(start - step)) / 2e-6
        assert exact[:, place] == pytest.approx(numeric, rel=1e-5, abs=1e-4)


def test_fit__is_the_same_whatever_the_order_of_the_wells() -> None:
    x = np.repeat([3.0, 9, 27, 81, 243, 729, 2187], 2)
    y = compute_response(FIVE, x) * (1 + 0.03 * np.sin(np.arange(14.0)))
    first = fit_curve(x, y)
    again = fit_curve(x[::-1], y[::-1])
    assert first is not None
    assert again is not None
    assert again.curve.c == pytest.approx(first.curve.c, rel=1e-6)
    assert first.kind == again.kind


def test_fit__takes_the_fifth_parameter_only_where_it_helps() -> None:
    x = np.repeat(np.geomspace(1, 20_000, 10), 2)
    noise = 1 + 0.01 * np.tile([1, -1], 10)
    skew = Curve(a=10, b=2.5, c=900, d=20_000, g=0.35)
    kinds = [fit_curve(x, compute_response(curve, x) * noise) for curve in (FOUR, skew)]
    assert [fit.kind for fit in kinds if fit] == ["4PL", "5PL"]


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([1, 2, 4], [10, 20, 40]),
        ([1, 2, 4, 8, 16], [10, 10, 10, 10, 10]),
        ([1, 2, 4, 8, 16], [50, 40, 30, 20, 10]),
    ],
)
def test_fit__gives_no_curve_where_there_is_none(x: list[float], y: list[float]) -> None:
    assert fit_curve(x, y) is None


def test_hook__finds_top_levels_whose_response_falls() -> None:
    x = np.array([1.0, 10, 100, 1000, 10_000])
    assert find_hook(x, np.array([10.0, 90, 800, 5000, 3000]), drop_percent=10) == [10_000.0]
    assert find_hook(x, np.array([10.0, 90, 800, 5000, 4700]), drop_percent=10) == []


def test_band__holds_the_curve_and_widens_away_from_the_standards() -> None:
    x = np.repeat([3.0, 9, 27, 81, 243, 729, 2187], 2)
    fit = fit_curve(x, compute_response(FOUR, x) * (1 + 0.05 * np.tile([1, -1], 7)))
    assert fit is not None
    low, high = compute_band(fit, [30.0, 20_000.0])
    centre = compute_response(fit.curve, [30.0, 20_000.0])
    widths = [(b - a) / c for a, b, c in zip(low, high, centre, strict=True)]
    assert all(a < c < b for a, b, c in zip(low, high, centre, strict=True))
    assert widths[1] > widths[0]
