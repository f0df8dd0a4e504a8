"""Areas against the worked profile, and the laws that any area obeys."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.kinetics.areas import (
    compute_area,
    compute_partial_area,
    compute_segment_areas,
    extend_last_segment,
    interpolate,
)

DAYS = [0, 1, 3, 7, 10, 14, 21, 28, 60]
COPIES = [0, 120, 900, 15_600, 48_200, 31_000, 8_400, 2_100, 310]
CURVES = st.lists(
    st.tuples(st.floats(0.05, 30), st.floats(0, 1e6).map(lambda value: round(value, 3))),
    min_size=3,
    max_size=12,
)


def draw_curve(steps: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    days = np.cumsum([width for width, _ in steps])
    return days - days[0], np.array([value for _, value in steps])


def test_compute_area__worked_profile() -> None:
    assert compute_area(DAYS, COPIES) == pytest.approx(468_565.60, abs=0.005)
    assert compute_area(DAYS, COPIES, method="linear") == pytest.approx(501_390.0)


def test_compute_partial_area__worked_profile() -> None:
    assert compute_partial_area(DAYS, COPIES, 28) == pytest.approx(438_624.99, abs=0.005)
    assert compute_partial_area(DAYS, COPIES, 28, method="linear") == pytest.approx(462_830.0)


def test_compute_partial_area__worked_partial_end() -> None:
    days = [0, 1, 3, 7, 10, 14, 21, 26.9, 33.1]
    copies = [0, 120, 900, 15_600, 48_200, 31_000, 8_400, 2_500, 1_500]
    assert interpolate(days, copies, 28) == pytest.approx(2_283.39, abs=0.005)
    assert interpolate(days, copies, 28, method="linear") == pytest.approx(2_322.58, abs=0.005)
    assert compute_partial_area(days, copies, 28) == pytest.approx(438_165.14, abs=0.005)


def test_compute_area__trailing_half_limit_would_be_wrong() -> None:
    days, copies = [*DAYS, 90, 180], [*COPIES, 25, 25]
    assert compute_area(days, copies, method="linear") == pytest.approx(508_665.0)


def test_interpolate__outside_the_points_is_unknown() -> None:
    assert np.isnan(interpolate([1, 2], [5, 5], 0.5))
    assert np.isnan(interpolate([1, 2], [5, 5], 2.5))
    assert np.isnan(interpolate([], [], 1))


@pytest.mark.parametrize(("values", "expected"), [([10, 5], 2.5), ([5, 10], 10), ([5, 0], 0), ([5, 5], 5)])
def test_extend_last_segment__falls_on_or_is_held(values: list[float], expected: float) -> None:
    assert extend_last_segment([0, 1], values, 2) == pytest.approx(expected)


@given(CURVES, st.data())
def test_compute_partial_area__is_additive_at_sampled_times(
    steps: list[tuple[float, float]], data: st.DataObject
) -> None:
    days, values = draw_curve(steps)
    cut = data.draw(st.integers(1, days.size - 2))
    first = compute_partial_area(days, values, float(days[cut]))
    rest = compute_area(days[cut:], values[cut:])
    assert first + rest == pytest.approx(compute_area(days, values), rel=1e-9, abs=1e-9)


@given(CURVES, st.floats(0, 1))
def test_compute_partial_area__grows_with_its_end(steps: list[tuple[float, float]], share: float) -> None:
    days, values = draw_curve(steps)
    ends = [share * days[-1], days[-1]]
    first, second = (compute_partial_area(days, values, float(end)) for end in ends)
    assert 0 <= first <= second * (1 + 1e-9) + 1e-9


@given(CURVES)
def test_compute_segment_areas__log_down_lies_below_the_chord_and_above_the_lower_end(
    steps: list[tuple[float, float]],
) -> None:
    days, values = draw_curve(steps)
    areas = compute_segment_areas(days, values)
    chords = compute_segment_areas(days, values, method="linear")
    lower = np.minimum(values[:-1], values[1:]) * np.diff(days)
    assert (areas <= chords * (1 + 1e-9) + 1e-12).all()
    assert (areas >= lower * (1 - 1e-9) - 1e-12).all()


def test_compute_segment_areas__nearly_equal_neighbours_keep_their_digits() -> None:
    value = 1e5
    area = compute_segment_areas([0, 1], [value, value - 1e-6])
    assert area[0] == pytest.approx(value, rel=1e-10)


@given(CURVES, st.floats(0, 1))
def test_interpolate__splitting_a_segment_keeps_its_area(
    steps: list[tuple[float, float]], share: float
) -> None:
    days, values = draw_curve(steps)
    at = float(days[0] + share * (days[1] - days[0]))
    if at in days or values[1] == 0:  # a fall to nothing is a straight line as a whole only
        return
    middle = interpolate(days, values, at)
    split = compute_area([days[0], at, days[1]], [values[0], middle, values[1]])
    assert split == pytest.approx(compute_area(days[:2], values[:2]), rel=1e-6, abs=1e-9)
