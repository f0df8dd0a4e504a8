"""The courses keep to the published anchors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corelab.synthetic.course import (
    Course,
    b_per_ul,
    blood_on,
    car_per_ul,
    copies_per_ug,
    draw_course,
)
from corelab.synthetic.seeding import log_uniform, spawn_generator


def course_of(seed: int, *, arm: str = "low", few_b_cells: bool = False, is_infused: bool = True) -> Course:
    return draw_course(np.random.default_rng(seed), arm=arm, few_b_cells=few_b_cells, is_infused=is_infused)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_car_per_ul__rises_to_the_peak_and_only_falls_after(seed: int) -> None:
    course = course_of(seed)
    before = [car_per_ul(course, day) for day in np.linspace(0.5, course.tmax, 30)]
    after = [car_per_ul(course, day) for day in np.linspace(course.tmax, 300, 60)]
    assert car_per_ul(course, 0.0) == car_per_ul(course, -5.0) == 0.0
    assert car_per_ul(course, course.tmax) == pytest.approx(course.cmax)
    assert all(np.diff(before) >= 0)
    assert all(np.diff(after) < 0)


def test_car_per_ul__declines_biphasically() -> None:
    """Worked: 100/µL, fast 4 d (95 %), slow 30 d (5 %); 30 days past the peak."""
    course = replace(
        course_of(1), cmax=100.0, tmax=10.0, half_life_fast=4.0, half_life_slow=30.0, slow_share=0.05
    )
    assert car_per_ul(course, 40.0) == pytest.approx(95 * 2**-7.5 + 5 * 0.5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), few=st.booleans())
def test_b_per_ul__is_aplastic_from_the_second_week_and_back_on_the_drawn_days(seed: int, few: bool) -> None:
    course = course_of(seed, few_b_cells=few)
    assert b_per_ul(course, -20.0) == course.b_baseline
    assert all(b_per_ul(course, day) < 10 for day in range(9, int(course.b_return_10_day) - 5))
    assert b_per_ul(course, course.b_return_10_day) == pytest.approx(10, rel=0.06)
    assert b_per_ul(course, course.b_return_50_day) == pytest.approx(50, rel=0.4)
    assert b_per_ul(course, 500.0) > 80


def test_blood_on__a_child_that_was_not_infused_stays_as_it_is() -> None:
    course = course_of(3, is_infused=False)
    assert replace(blood_on(course, 10.0), day=0) == replace(blood_on(course, -20.0), day=0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_blood_on__lymphocytes_fall_below_a_fifth_after_lymphodepletion(seed: int) -> None:
    course = course_of(seed)
    nadir = min(blood_on(course, day).lymphocytes for day in (0, 1, 2, 3))
    assert 40 < nadir < 250
    assert 0 < blood_on(course, 7).granulocyte < 1000


def test_copies_per_ug__follows_the_coupling_of_the_specification() -> None:
    course = replace(course_of(5), copies_per_cell=2.0)
    blood = blood_on(course, 12.0)
    assert copies_per_ug(course, blood) == pytest.approx(2 * blood.car / blood.leukocytes * 151_515)


def test_draw_course__medians_match_the_anchors() -> None:
    courses = [course_of(seed) for seed in range(400)]
    assert np.median([c.cmax for c in courses]) == pytest.approx(120, rel=0.15)
    assert np.median([c.tmax for c in courses]) == pytest.approx(10, rel=0.05)
    assert np.median([c.b_return_10_day for c in courses]) == pytest.approx(105, rel=0.06)
    high = [course_of(seed, arm="high").cmax for seed in range(400)]
    assert np.median(high) / np.median([c.cmax for c in courses]) == pytest.approx(1.3, rel=0.02)


def test_spawn_generator__depends_on_the_names_and_nothing_else() -> None:
    first = spawn_generator(1, "a", "b").random(4)
    np.testing.assert_array_equal(first, spawn_generator(1, "a", "b").random(4))
    for other in (spawn_generator(2, "a", "b"), spawn_generator(1, "ab"), spawn_generator(1, "b", "a")):
        assert not np.array_equal(first, other.random(4))


def test_log_uniform__keeps_to_its_limits() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([log_uniform(rng, 60, 2000) for _ in range(2000)])
    assert drawn.min() >= 60
    assert drawn.max() <= 2000
    assert np.median(drawn) == pytest.approx(np.sqrt(60 * 2000), rel=0.1)
