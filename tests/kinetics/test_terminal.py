"""The choice of terminal points, and its fit against numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.kinetics.terminal import fit_terminal_slope

DAYS = np.array([1, 3, 7, 10, 14, 21, 28, 60.0])
COPIES = np.array([120, 900, 15_600, 48_200, 31_000, 8_400, 2_100, 310.0])


def test_fit_terminal_slope__worked_candidates() -> None:
    chosen = fit_terminal_slope(DAYS, COPIES)
    assert chosen is not None
    assert (chosen.n_points, chosen.first_day, chosen.last_day) == (3, 21, 60)
    assert chosen.r2_adjusted == pytest.approx(0.86529, abs=5e-6)
    four = fit_terminal_slope(DAYS, COPIES, minimum_points=4)
    assert four is not None
    assert four.rate == pytest.approx(0.092486, abs=5e-7)
    assert four.r2_adjusted == pytest.approx(0.86346, abs=5e-6)


def test_fit_terminal_slope__the_peak_is_left_out() -> None:
    # With the peak the five points would fit better (0.8947) and give 6.963 d.
    with_peak = np.polyfit(DAYS[3:], np.log(COPIES[3:]), 1)
    assert np.log(2) / -with_peak[0] == pytest.approx(6.963, abs=5e-4)
    chosen = fit_terminal_slope(DAYS, COPIES)
    assert chosen is not None
    assert chosen.half_life == pytest.approx(9.0081, abs=5e-5)


def test_fit_terminal_slope__more_points_within_a_hair_of_the_best() -> None:
    days = np.arange(6.0)
    chosen = fit_terminal_slope(days, 1000 * np.exp(-0.3 * days))
    assert chosen is not None
    assert (chosen.n_points, chosen.first_day) == (5, 1.0)


@pytest.mark.parametrize("values", [[], [5.0], [9, 5, 4], [1, 2, 3, 4, 5], [9, 1, 2, 3]])
def test_fit_terminal_slope__no_fall_to_fit(values: list[float]) -> None:
    assert fit_terminal_slope(list(range(len(values))), values) is None


@given(st.lists(st.floats(1, 1e5), min_size=4, max_size=10))
def test_fit_terminal_slope__equals_least_squares_on_its_points(values: list[float]) -> None:
    days = np.arange(len(values), dtype=float)
    chosen = fit_terminal_slope(days, values)
    if chosen is None:
        return
    inside = slice(int(chosen.first_day), None)
    slope, intercept = np.polyfit(days[inside], np.log(np.array(values)[inside]), 1)
    assert chosen.rate == pytest.approx(-slope, rel=1e-6, abs=1e-9)
    assert chosen.intercept == pytest.approx(intercept, rel=1e-6, abs=1e-7)
    assert chosen.first_day > int(np.argmax(values))
