import math

import pytest

from corelab.figures.catalog import figure_catalog
from corelab.figures.clock import ClockSpan
from corelab.figures.course import Episode, Point, SubsetBar, Track
from corelab.figures.episode_row import arrange_lanes, draw_episode_row, name_term
from corelab.figures.outcome_row import OutcomeStyle, draw_outcome_row, known_value
from corelab.figures.panel import Frame, Slot
from corelab.figures.phenotype_row import compute_bar_widths, draw_phenotype_row
from corelab.figures.text_width import measure_text, shorten
from corelab.figures.tokens import LIGHT
from corelab.figures.track_row import draw_track_row, fold_bound, fold_colour

FRAME = Frame(
    subject_id="CL-017",
    span=ClockSpan(left=-6, right=40, width_px=1150),
    tokens=LIGHT,
    catalog=figure_catalog(),
    height_px=800,
)
SLOT = Slot(key="row", number=1, top_px=60, height_px=44)


def _point(day, status="quantified", value=math.nan, **more):
    return Point(
        day=day, visit="V", visit_label="V", collected_at=f"t{day}", status=status, value=value, **more
    )


@pytest.mark.parametrize(
    ("fold", "colour"),
    [
        (0.5, LIGHT.body),
        (1.39, LIGHT.body),
        (1.4, LIGHT.fold[0]),
        (2.0, LIGHT.fold[1]),
        (15.9, LIGHT.fold[2]),
        (16, LIGHT.fold[3]),
        (341.7, LIGHT.fold[4]),
        (math.nan, LIGHT.body),
    ],
)
def test_fold_colour__steps_at_their_bounds(fold, colour):
    assert fold_colour(fold, LIGHT) == colour


def test_fold_bound__takes_the_bound_where_the_baseline_is_censored():
    point = _point(7.0, value=820.0)
    track = Track(name="IL-6", unit="pg/mL", points=(point,), folds={"t7.0": _point(7.0, low=341.7)})
    assert fold_bound(track, point) == 341.7
    falling = Track(name="IL-6", unit="", points=(point,), folds={"t7.0": _point(7.0, high=0.3)})
    assert fold_bound(falling, point) == 0.3
    assert math.isnan(fold_bound(Track(name="IL-6", unit="", points=(point,), folds={}), point))


def test_draw_track_row__shape_tells_the_status():
    points = tuple(
        _point(float(d), s, value=3.0)
        for d, s in enumerate(["quantified", "detected_blq", "above_uloq", "failed", "missing"])
    )
    drawing = draw_track_row([Track(name="IL-6", unit="pg/mL", points=points, folds={})], SLOT, FRAME)
    symbols = drawing.traces[0]["marker"]["symbol"]
    assert len(set(symbols)) == 5
    assert drawing.axis["ticktext"] == ["IL-6"]


def test_known_value__a_censored_outcome_stands_at_its_limit():
    assert known_value(_point(1.0, "detected_blq", high=0.1)) == 0.1
    assert known_value(_point(1.0, "above_uloq", uloq=200.0)) == 200.0
    assert math.isnan(known_value(_point(1.0, "failed", value=3.0)))


def test_draw_outcome_row__a_censored_value_is_hollow_and_a_missing_one_below_all():
    points = [
        _point(0.0, value=3.0),
        _point(1.0, "detected_blq", high=0.1),
        _point(2.0, "missing"),
        _point(3.0, value=1.0),
    ]
    style = OutcomeStyle(least=(0.3, 3.0), ticks=(0.5, 3.0), threshold=0.5, is_log=True)
    drawing = draw_outcome_row(points, SLOT, FRAME, style=style)
    marks = drawing.traces[-1]
    assert marks["marker"]["symbol"] == ["circle", "triangle-down", "diamond", "circle"]
    assert marks["marker"]["color"][1] == LIGHT.body
    assert marks["y"][2] < min(marks["y"][0], marks["y"][1], marks["y"][3])
    dotted = [t for t in drawing.traces if t.get("line", {}).get("dash")]
    assert dotted[0]["x"] == [1.0, 3.0, None]
    assert drawing.shapes[0]["y0"] == pytest.approx(math.log10(0.5))


def test_draw_outcome_row__labels_never_touch_nor_stand_in_the_lane_of_missing():
    style = OutcomeStyle(least=(60.0, 90.0), ticks=(90.0, 60.0, 120.0, 30.0))
    drawing = draw_outcome_row([_point(0.0, value=78.0)], SLOT, FRAME, style=style)
    assert drawing.axis["tickvals"] == [90.0, 60.0]


def test_compute_bar_widths__close_neighbours_get_narrow_bars():
    wide, *close = compute_bar_widths([10.0, 20.0, 20.5], FRAME)
    assert wide == pytest.approx(1.0)
    assert close == pytest.approx([0.44, 0.44])


@pytest.mark.parametrize(
    ("parents", "bars", "hatched"), [(49, 0, ""), (50, 1, "/"), (199, 1, "/"), (200, 1, "")]
)
def test_draw_phenotype_row__bounds_of_words_and_hatching(parents, bars, hatched):
    bar = SubsetBar(
        day=7.0,
        visit_label="D7",
        collected_at="t",
        parent_count=parents,
        percents={"naive_or_scm": 40.0, "cm": 60.0},
    )
    drawing = draw_phenotype_row([bar], SLOT, FRAME)
    drawn = [t for t in drawing.traces if t["type"] == "bar"]
    assert len(drawn) == 2 * bars
    if bars:
        assert drawn[0]["marker"]["pattern"]["shape"] == [hatched]
        assert drawn[0]["name"] == "naive_or_scm"
    else:
        assert drawing.traces[0]["text"] == ["n&lt;50"]


def _episode(name, start=1.0, end=5.0, **more):
    return Episode(name=name, start=start, end=end, **more)


def test_arrange_lanes__repeats_share_a_lane_and_the_rest_is_counted():
    lanes = arrange_lanes(
        [_episode("a"), _episode("b"), _episode("a", 8.0, 9.0), _episode("c"), _episode("d")], at_most=3
    )
    assert lanes.names == ("a", "b", "c")
    assert [lane for lane, _ in lanes.episodes] == [0, 1, 0, 2]
    assert lanes.hidden == 1


def test_draw_episode_row__says_how_many_found_no_lane():
    drawing = draw_episode_row([_episode(f"e{n}") for n in range(9)], SLOT, FRAME, today=20.0, is_graded=True)
    assert [note["text"] for note in drawing.annotations] == ["and 5 more"]


def test_draw_episode_row__what_goes_on_ends_at_today_with_an_arrow():
    drawing = draw_episode_row(
        [_episode("a", 2.0, math.nan, grade=3)], SLOT, FRAME, today=20.0, is_graded=True
    )
    bar = drawing.traces[0]
    assert (bar["base"], bar["x"], bar["text"]) == ([2.0], [18.0], ["G3 ▸"])
    assert bar["marker"]["color"] == [LIGHT.grades[2]]


def test_draw_episode_row__a_short_bar_is_seen_and_its_words_stand_outside():
    drawing = draw_episode_row([_episode("a", 2.0, 2.0, grade=1)], SLOT, FRAME, today=20.0, is_graded=True)
    bar = drawing.traces[0]
    assert bar["x"][0] * FRAME.span.px_per_unit == pytest.approx(3.0)
    assert bar["textposition"] == ["outside"]


def test_shorten__fits_and_keeps_what_fits():
    assert shorten("CRS", 10, 74) == "CRS"
    short = shorten("Hypogammaglobulinaemia", 10, 74)
    assert short.endswith("…")
    assert measure_text(short, 10) <= 80
    assert measure_text("中文", 10) == 20.0


def test_draw_phenotype_row__words_that_would_touch_become_a_dash():
    bars = [
        SubsetBar(
            day=day,
            visit_label=f"D{day}",
            collected_at=f"t{day}",
            parent_count=parents,
            percents={"cm": 100.0},
        )
        for day, parents in ((0.0, 3), (0.3, 0), (1.0, 500), (3.0, 10))
    ]
    words = draw_phenotype_row(bars, SLOT, FRAME).traces[-1]
    assert words["text"] == ["n&lt;50", "–", "n&lt;50"]


def test_name_term__short_where_the_catalog_has_one():
    catalog = figure_catalog()
    assert name_term("Cytokine release syndrome", catalog) == "CRS"
    assert name_term("Immune effector cell-associated neurotoxicity syndrome", catalog) == "ICANS"
    assert name_term("Herpes zoster", catalog) == "Herpes zoster"


@pytest.mark.parametrize(
    ("status", "more", "limit"),
    [
        ("detected_blq", {"lloq": 50.0, "lod": 20.0}, 50.0),
        ("not_detected", {"lloq": 50.0, "lod": 20.0}, 20.0),
        ("not_detected", {"lloq": 50.0}, 50.0),
        ("not_detected", {"high": 0.3, "lloq": 0.8}, 0.3),
    ],
)
def test_upper_limit__is_the_interval_or_the_limit_not_reached(status, more, limit):
    assert _point(1.0, status, **more).upper_limit == limit
