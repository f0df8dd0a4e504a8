import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.figures.catalog import figure_catalog
from corelab.figures.clock import ClockSpan
from corelab.figures.course import Point
from corelab.figures.level_row import (
    LevelStyle,
    build_axis,
    draw_level_row,
    find_fixed_lloq,
    pair_segments,
    point_height,
    shown_status,
)
from corelab.figures.panel import Frame, Slot
from corelab.figures.tokens import LIGHT, MARKS

STYLE = LevelStyle(colour=LIGHT.car_t, least=(0.2, 300.0))
FRAME = Frame(
    subject_id="CL-017",
    span=ClockSpan(left=-6, right=40, width_px=1100),
    tokens=LIGHT,
    catalog=figure_catalog(),
    height_px=800,
)
SLOT = Slot(key="car_abs", number=1, top_px=60, height_px=106)


def _point(day, status="quantified", value=10.0, **more):
    number = value if status in ("quantified", "failed") else math.nan
    return Point(
        day=day,
        visit=f"V{day}",
        visit_label=f"V{day}",
        collected_at=f"t{day}",
        status=status,
        value=number,
        **more,
    )


def _segments(*statuses):
    points = [_point(float(day), status) for day, status in enumerate(statuses)]
    return [(start.day, end.day, solid) for start, end, solid in pair_segments(points)]


def test_pair_segments__solid_between_neighbouring_quantified_values():
    assert _segments("quantified", "quantified", "above_uloq") == [(0, 1, True), (1, 2, True)]


@pytest.mark.parametrize("gap", ["failed", "missing", "not_calculated"])
def test_pair_segments__dotted_across_what_failed_or_is_missing(gap):
    assert _segments("quantified", gap, "quantified", "quantified") == [(0, 2, False), (2, 3, True)]


def test_pair_segments__dotted_into_and_out_of_the_gutter_and_nothing_inside_it():
    assert _segments("not_detected", "detected_blq", "quantified", "not_detected", "not_detected") == [
        (1, 2, False),
        (2, 3, False),
    ]


@given(st.lists(st.sampled_from(sorted(MARKS)), max_size=12))
def test_pair_segments__a_solid_line_never_touches_a_value_below_its_limit(statuses):
    points = [_point(float(day), status) for day, status in enumerate(statuses)]
    for start, end, solid in pair_segments(points):
        between = [p.status for p in points if start.day < p.day < end.day]
        if solid:
            assert not between
            assert {start.status, end.status} <= {"quantified", "above_uloq"}


@given(st.lists(st.sampled_from(sorted(MARKS)), min_size=1, max_size=12))
def test_draw_level_row__every_point_has_a_mark_and_none_below_a_limit_stands_on_the_scale(statuses):
    points = [_point(float(day), status, uloq=500.0) for day, status in enumerate(statuses)]
    drawing = draw_level_row(points, SLOT, FRAME, style=STYLE)
    marks = drawing.traces[-1]
    axis = build_axis(points, SLOT.height_px, STYLE)
    assert len(marks["x"]) == len(points)
    for status, y in zip(statuses, marks["y"], strict=True):
        assert math.isfinite(y)
        assert (y < axis.floor) == (MARKS[status].lane > 0)


def test_shown_status__a_measured_zero_is_below_its_upper_limit_not_at_a_height():
    assert shown_status(_point(1.0, value=0.0)) == "not_detected"
    assert shown_status(_point(1.0, value=math.nan)) == "not_calculated"
    assert shown_status(_point(1.0, value=3.0)) == "quantified"


def test_point_height__above_uloq_stands_at_the_limit():
    point = _point(1.0, "above_uloq", uloq=200.0)
    axis = build_axis([point], 106, STYLE)
    assert point_height(point, axis) == pytest.approx(math.log10(200.0))


def test_find_fixed_lloq__only_where_all_share_it():
    assert find_fixed_lloq([_point(0.0, lloq=50.0), _point(1.0, lloq=50.0), _point(2.0)]) == 50.0
    assert math.isnan(find_fixed_lloq([_point(0.0, lloq=0.4), _point(1.0, lloq=0.5)]))
    assert math.isnan(find_fixed_lloq([_point(0.0)]))


def test_draw_level_row__limits_of_each_sample_are_ticks_and_a_fixed_one_a_labelled_line():
    own = draw_level_row([_point(0.0, lloq=0.4), _point(1.0, lloq=0.5)], SLOT, FRAME, style=STYLE)
    ticks = [t for t in own.traces if t["mode"] == "markers" and t.get("hoverinfo") == "skip"]
    assert ticks[0]["y"] == pytest.approx([math.log10(0.4), math.log10(0.5)])
    assert not own.annotations
    fixed = draw_level_row([_point(0.0, lloq=50.0), _point(1.0, lloq=50.0)], SLOT, FRAME, style=STYLE)
    assert [note["text"] for note in fixed.annotations] == ["LLOQ 50"]
    line = fixed.shapes[-1]
    assert (line["type"], line["y0"], line["line"]["dash"]) == (
        "line",
        pytest.approx(math.log10(50)),
        "4px,3px",
    )


def test_draw_level_row__an_upper_limit_reaches_from_the_gutter_to_its_value():
    points = [_point(0.0, "not_detected", high=0.9), _point(1.0)]
    drawing = draw_level_row(points, SLOT, FRAME, style=STYLE)
    stem = next(t for t in drawing.traces if t["mode"] == "lines" and t["line"].get("dash") == "1px,2px")
    axis = build_axis(points, SLOT.height_px, STYLE)
    assert stem["y"][:2] == pytest.approx([axis.lane(1), math.log10(0.9)])


def test_draw_level_row__decoration_takes_no_click_and_data_no_balloon():
    drawing = draw_level_row(
        [_point(0.0, low=8.0, high=12.0, lloq=0.4), _point(1.0, "not_detected", high=0.3)],
        SLOT,
        FRAME,
        style=STYLE,
    )
    *others, marks = drawing.traces
    assert {trace["hoverinfo"] for trace in others} == {"skip"}
    assert marks["hoverinfo"] == "none"
    assert marks["customdata"] == [
        ["CL-017", "car_abs", "V0.0", "t0.0"],
        ["CL-017", "car_abs", "V1.0", "t1.0"],
    ]
