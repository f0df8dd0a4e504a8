# ruff: noqa: E501 - a row of a table, or of cases, reads best on one line
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.figures.clock import (
    BEFORE_SEAM,
    DAYS_PER_MONTH,
    LABEL_GAP_PX,
    ClockSpan,
    VisitTick,
    clock_day,
    clock_position,
    compute_right_day,
    compute_span,
    list_zones,
    select_labels,
)

DAYS = st.floats(min_value=-400, max_value=2000)


@pytest.mark.parametrize(
    ("day", "position"),
    [
        (-28.0, -5.6),
        (-5.0, -1.0),
        (0.0, 0.0),
        (1.0, 1.0),
        (28.0, 28.0),
        (30.0, 30.0),
        (30.0 + DAYS_PER_MONTH, 32.0),
        (30.0 + 3 * DAYS_PER_MONTH, 36.0),
    ],
)
def test_clock_position__three_linear_zones(day, position):
    assert clock_position(day) == pytest.approx(position)


@pytest.mark.parametrize("seam", [0.0, 30.0])
def test_clock_position__is_continuous_at_its_seams(seam):
    before, after = clock_position(seam - 1e-9), clock_position(seam + 1e-9)
    assert before == pytest.approx(seam, abs=1e-8)
    assert after == pytest.approx(seam, abs=1e-8)


def test_clock_position__has_the_slope_of_its_zone_right_beside_the_seams():
    step = 0.5
    assert clock_position(0.0) - clock_position(-step) == pytest.approx(step / 5)
    assert clock_position(step) - clock_position(0.0) == pytest.approx(step)
    assert clock_position(30.0) - clock_position(30.0 - step) == pytest.approx(step)
    assert clock_position(30.0 + step) - clock_position(30.0) == pytest.approx(2 * step / DAYS_PER_MONTH)


def test_clock_position__keeps_the_window_of_d28_in_the_first_month():
    assert clock_position(30.0) - clock_position(26.0) == pytest.approx(4.0)


@given(DAYS)
def test_clock_day__inverts_the_clock(day):
    assert clock_day(clock_position(day)) == pytest.approx(day, abs=1e-9)


@given(DAYS, DAYS)
def test_clock_position__never_swaps_two_days(first, second):
    if first < second:
        assert clock_position(first) <= clock_position(second)


def _ticks(*pairs: tuple[str, float]) -> list[VisitTick]:
    return [VisitTick(label=label, day=day, is_due=True) for label, day in pairs]


SCHEDULE = _ticks(
    ("SCR", -28), ("LD", -5), ("D0", 0), ("D1", 1), ("D3", 3), ("D7", 7), ("D10", 10), ("D14", 14), ("D21", 21), ("D28", 28),
    ("M2", 61), ("M3", 92), ("M6", 184), ("M9", 276), ("M12", 365), ("M18", 549), ("M24", 730),
)  # fmt: skip


@pytest.mark.parametrize(
    ("today", "until", "day"),
    [
        (10.5, "today", 28.0),
        (28.0, "today", 61.0),
        (200.0, "today", 276.0),
        (900.0, "today", 900.0),
        (200.0, "M3", 92.0),
        (10.0, "M24", 730.0),
    ],
)
def test_compute_right_day__is_the_next_due_visit_at_least_d28(today, until, day):
    assert compute_right_day(SCHEDULE, today=today, until=until) == day


def test_compute_right_day__ignores_unscheduled_draws():
    draws = [*SCHEDULE, VisitTick(label="UNS.1", day=210.0, is_due=True, is_target=False)]
    assert compute_right_day(draws, today=200.0, until="today") == 276.0


@given(st.lists(st.floats(min_value=-60, max_value=0), max_size=5), st.floats(min_value=28, max_value=731))
def test_compute_span__leaves_a_marker_of_room_at_both_edges(days, right):
    span = compute_span(days, right_day=right, width_px=1000)
    for day in [*days, -5.0, right]:
        assert 13.9 <= span.pixel(clock_position(day)) <= 1000 - 13.9


@given(st.floats(min_value=200, max_value=2000), st.floats(min_value=28, max_value=731))
def test_select_labels__never_lets_two_touch(width, right):
    span = compute_span([-28.0], right_day=right, width_px=width)
    shown = select_labels(SCHEDULE, span)
    pixels = sorted(span.pixel(clock_position(tick.day)) for tick in SCHEDULE if tick.label in shown)
    assert all(b - a >= LABEL_GAP_PX - 1e-6 for a, b in itertools.pairwise(pixels))
    assert "D0" in shown


def test_select_labels__drops_by_rank_and_keeps_the_rest():
    span = compute_span([-28.0], right_day=276.0, width_px=1124)
    shown = select_labels(SCHEDULE, span)
    assert {"SCR", "D0", "D7", "D28", "M6"} <= shown
    narrow = select_labels(SCHEDULE, compute_span([-28.0], right_day=730.0, width_px=500))
    assert "D1" not in narrow
    assert "LD" not in narrow


def test_select_labels__leaves_out_what_a_zoom_does_not_show():
    assert select_labels(SCHEDULE, ClockSpan(left=5.0, right=15.0, width_px=1000)) == {"D7", "D10", "D14"}


def test_list_zones__covers_the_span_without_a_hole():
    span = compute_span([-28.0], right_day=276.0, width_px=1124)
    zones = list_zones(span)
    assert [name for name, _, _ in zones] == ["before", "days", "months"]
    assert zones[0][1] == span.left
    assert zones[-1][2] == span.right
    assert zones[0][2] == zones[1][1] == BEFORE_SEAM
    assert zones[1][2] == zones[2][1] == 30.0
    early = list_zones(compute_span([], right_day=28.0, width_px=1124))
    assert [name for name, _, _ in early][:2] == ["before", "days"]


def test_list_zones__of_a_zoom_shows_only_what_is_seen():
    assert list_zones(ClockSpan(left=31.0, right=40.0, width_px=500)) == [("months", 31.0, 40.0)]


def test_clock_span__pixel_and_units_agree():
    span = ClockSpan(left=-6.0, right=34.0, width_px=800)
    assert span.units(span.pixel(-5.0)) == pytest.approx(1.0)
    assert not math.isnan(span.px_per_unit)


def test_select_labels__a_long_label_keeps_more_distance():
    ticks = [*_ticks(("D7", 7)), VisitTick(label="UNS.1", day=5.9, is_due=True, is_target=False)]
    assert select_labels(ticks, ClockSpan(left=0.0, right=30.0, width_px=600)) == {"D7"}
    assert select_labels(ticks, ClockSpan(left=0.0, right=30.0, width_px=1200)) == {"D7", "UNS.1"}
