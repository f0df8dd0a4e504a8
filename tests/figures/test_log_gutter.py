import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.figures.log_gutter import build_log_gutter, compute_ticks

VALUES = st.lists(st.floats(min_value=1e-3, max_value=1e6), max_size=8)


@given(VALUES, st.floats(min_value=50, max_value=300))
def test_build_log_gutter__lanes_are_exact_pixels_below_the_floor(values, height):
    axis = build_log_gutter(values, height_px=height, least=(1.0, 100.0))
    px = (axis.top - axis.bottom) / height
    assert (axis.floor - axis.bottom) / px == pytest.approx(26 if height >= 70 else 24)
    assert (axis.floor - axis.lane(1)) / px == pytest.approx(8.5)
    assert (axis.floor - axis.lane(2)) / px == pytest.approx(19)
    assert axis.bottom < axis.lane(2) < axis.lane(1) < axis.floor


@given(VALUES)
def test_build_log_gutter__holds_every_value_above_the_floor(values):
    axis = build_log_gutter(values, height_px=100, least=(1.0, 100.0))
    for value in values:
        assert axis.floor < math.log10(value) < axis.top
        assert axis.height(value) == math.log10(value)


def test_build_log_gutter__leaves_out_zero_and_what_is_no_number():
    axis = build_log_gutter([0.0, -3.0, math.nan, math.inf], height_px=100, least=(1.0, 100.0))
    assert (axis.floor, axis.top) == (-1, pytest.approx(2.3))


def test_compute_ticks__labels_every_decade_of_a_high_panel_but_not_the_floor():
    axis = build_log_gutter([0.21, 214.0], height_px=106, least=(1.0, 900.0))
    ticks, labels = compute_ticks(axis)
    assert ticks == [0.0, 1.0, 2.0, 3.0]
    assert labels == ["1", "10", "100", "1\u202f000"]


def test_compute_ticks__labels_every_second_decade_of_a_low_panel():
    axis = build_log_gutter([0.02, 90_000.0], height_px=56, least=(0.1, 100.0))
    ticks, labels = compute_ticks(axis)
    shown = [tick for tick, label in zip(ticks, labels, strict=True) if label]
    assert len(ticks) == 7
    assert shown == [-1.0, 2.0, 5.0]
    gaps = [(b - a) / axis.units_per_px for a, b in itertools.pairwise(shown)]
    assert min(gaps) >= 10
