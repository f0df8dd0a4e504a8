# ruff: noqa: E501 - a row of a table, or of cases, reads best on one line
import datetime as dt
import itertools
import json
import math

import plotly.graph_objects as go
import pytest

from corelab.figures.catalog import Catalog, figure_catalog
from corelab.figures.clock import clock_position
from corelab.figures.course import Point
from corelab.figures.patient import (
    build_course,
    find_visit,
    key_entries,
    patient_figure,
    readout_at,
    summarise_readout,
    tick_layout,
)
from corelab.figures.patient_ground import snap_to_draw
from corelab.figures.readout import Span, write_markup
from corelab.figures.tokens import DARK, LIGHT, SCHEMES
from corelab.study import builtin_study
from tests.figures.trial import AS_OF, at, child_tables, conform, course_tables, medications, subject_row

STUDY = builtin_study()
CATALOG = figure_catalog()
LOOK = {"width": 1416, "height": 808, "scheme": "light", "catalog": CATALOG}


@pytest.fixture(scope="module")
def course():
    return build_course(child_tables(), "CL-017", study=STUDY, as_of=AS_OF, medications=medications())


@pytest.fixture(scope="module")
def figure(course):
    return patient_figure(course, **LOOK, stamp="corelab 1.0")


def _early(until=10.5):
    as_of = dt.datetime.fromisoformat(at(until + 0.5))
    return build_course(
        child_tables(until=until), "CL-017", study=STUDY, as_of=as_of, medications=medications()
    )


def _waiting():
    rows = course_tables(until=-100)
    rows["subjects"] = [subject_row("CL-017", "", "")]
    return build_course(conform(rows), "CL-017", study=STUDY, as_of=AS_OF)


def _marks(figure, row):
    return next(
        t for t in figure["data"] if t.get("meta", {}).get("row") == row and t.get("mode") == "markers"
    )


def _words(figure):
    return " ".join(note["text"] for note in figure["layout"]["annotations"])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("until", ["M3", "today", "M24"])
@pytest.mark.parametrize("make", [_early, lambda: _early(-4.0), _waiting])
def test_patient_figure__is_valid_plotly_and_json_for_every_child(make, until, scheme):
    drawn = patient_figure(make(), width=1256, height=700, scheme=scheme, catalog=CATALOG, until=until)
    go.Figure(drawn)
    json.dumps(drawn, allow_nan=False)


def test_patient_figure__full_course_is_valid_and_light(figure):
    go.Figure(figure)
    text = json.dumps(figure, allow_nan=False)
    assert len(text) < 150_000
    assert len(figure["data"]) < 90


def test_patient_figure__all_rows_share_one_time_axis(figure):
    rows = [t for t in figure["data"] if t.get("meta", {}).get("row")]
    assert {trace["xaxis"] for trace in rows} == {"x"}
    assert {t["meta"]["row"] for t in rows} >= {
        "car_abs", "car_vcn", "car_pct", "b_cells", "phenotype", "tracks", "sledai", "upcr", "egfr", "events", "drugs",
    }  # fmt: skip


def test_patient_figure__rows_do_not_overlap_and_keep_their_shares(figure):
    layout = figure["layout"]
    domains = [layout["yaxis" if n == 1 else f"yaxis{n}"]["domain"] for n in range(1, 12)]
    for (low, _), (_, high) in itertools.pairwise(domains):
        assert low - high == pytest.approx(7 / 808)
    heights = [high - low for low, high in domains]
    assert heights[0] / heights[4] == pytest.approx(2.45 / 1.1)


def test_patient_figure__every_sample_of_a_level_is_a_mark_with_its_shape(figure):
    marks = _marks(figure, "car_abs")
    shapes = {
        data[2]: symbol for data, symbol in zip(marks["customdata"], marks["marker"]["symbol"], strict=True)
    }
    assert shapes["D10"] == "circle"
    assert shapes["M3"] == "triangle-down"
    assert shapes["M6"] == "circle"
    assert shapes["D21"] == "x-thin-open"
    assert shapes["M4"] == "diamond"
    assert len(shapes) == 15


def test_patient_figure__nothing_below_a_limit_is_drawn_as_zero_or_on_the_scale(figure):
    axis = figure["layout"]["yaxis"]
    marks = _marks(figure, "car_abs")
    heights = {data[2]: y for data, y in zip(marks["customdata"], marks["y"], strict=True)}
    floor = (
        min(
            tick
            for tick, text in zip(axis["tickvals"], axis["ticktext"], strict=True)
            if "LLOQ" not in text and "no" not in text
        )
        - 1
    )
    assert heights["M6"] == heights["LD"] < floor
    assert heights["D21"] == heights["M4"] < heights["M6"]
    assert heights["D10"] == pytest.approx(math.log10(214.0))


def test_patient_figure__a_score_of_zero_stands_at_zero(figure):
    marks = _marks(figure, "sledai")
    heights = {data[2]: y for data, y in zip(marks["customdata"], marks["y"], strict=True)}
    assert heights["M6"] == 0.0


def test_patient_figure__marks_carry_what_a_click_needs(figure, course):
    point = next(p for p in course.series["car_abs"] if p.visit == "D10")
    assert ["CL-017", "car_abs", "D10", point.collected_at] in _marks(figure, "car_abs")["customdata"]
    assert ["CL-017", "car_abs", "M4", ""] in _marks(figure, "car_abs")["customdata"]
    assert any(data[1] == "tracks:IL-6" for data in _marks(figure, "tracks")["customdata"])


def test_patient_figure__infusion_today_and_seams_are_drawn(figure, course):
    shapes = figure["layout"]["shapes"]
    today = clock_position(course.today)
    assert any(s["type"] == "line" and s["x0"] == 0.0 == s["x1"] for s in shapes)
    assert any(s["type"] == "line" and s["x0"] == today == s["x1"] and "dash" in s["line"] for s in shapes)
    assert {s["xanchor"] for s in shapes if s.get("xsizemode") == "pixel"} == {-0.45, 30.0}


def test_patient_figure__shapes_never_mix_between_with_a_domain_or_the_paper(figure):
    for shape in figure["layout"]["shapes"]:
        if shape["layer"] == "between":
            assert shape["xref"] == "x"
            assert shape["yref"].lstrip("y").isdigit() or shape["yref"] == "y"


def test_patient_figure__aplasia_has_a_sure_band_and_a_dotted_uncertain_end(figure):
    bands = [s for s in figure["layout"]["shapes"] if str(s.get("fillcolor", "")).startswith("rgba(0,99,163")]
    assert [(s["x0"], s["x1"]) for s in bands] == [
        (7.0, clock_position(90.2)), (clock_position(90.2), clock_position(120.0)),
    ]  # fmt: skip
    assert [s["fillcolor"] for s in bands] == ["rgba(0,99,163,0.13)", "rgba(0,99,163,0.06)"]
    assert bands[1]["line"]["dash"] == "dot"


def test_patient_figure__right_censored_aplasia_has_no_end():
    drawn = patient_figure(_early(), **LOOK)
    bands = [s for s in drawn["layout"]["shapes"] if str(s.get("fillcolor", "")).startswith("rgba(0,99,163")]
    assert len(bands) == 1
    assert "aplasia since D7" in _words(drawn)


def test_patient_figure__few_parents_are_hatched_or_words(figure):
    bars = next(t for t in figure["data"] if t["type"] == "bar" and t.get("meta", {}).get("subset") == "em")
    hatch = dict(zip([d[2] for d in bars["customdata"]], bars["marker"]["pattern"]["shape"], strict=True))
    assert hatch["D3"] == "/"
    assert hatch["D10"] == ""
    assert "D1" not in hatch
    words = next(
        t for t in figure["data"] if t.get("mode") == "text" and t.get("meta", {}).get("row") == "phenotype"
    )
    assert dict(zip([d[2] for d in words["customdata"]], words["text"], strict=True)) == {
        "D1": "n&lt;50",
        "D21": "×",
        "M3": "n&lt;50",
    }


def test_patient_figure__grades_are_written_in_their_bars(figure):
    bars = next(t for t in figure["data"] if t["type"] == "bar" and t.get("name") == "events")
    texts = {data[1]: text for data, text in zip(bars["customdata"], bars["text"], strict=True)}
    assert texts["events:Neutropenia"] == "G4"
    assert texts["events:Hypogammaglobulinaemia"] == "G2 ▸"


def test_patient_figure__has_no_drug_row_without_a_table():
    drawn = patient_figure(build_course(child_tables(), "CL-017", study=STUDY, as_of=AS_OF), **LOOK)
    assert not [t for t in drawn["data"] if t.get("name") == "drugs"]
    assert "Drugs" not in _words(drawn)


def test_patient_figure__says_in_words_what_is_absent():
    as_of = dt.datetime.fromisoformat(at(0.2))
    rows = course_tables(until=-100)
    words = _words(patient_figure(build_course(conform(rows), "CL-017", study=STUDY, as_of=as_of), **LOOK))
    assert (
        "No CAR-T sample yet. The first is due at D1." not in words
    )  # LD is closed and missing: that is shown
    empty = build_course(
        conform({**rows, "subjects": [subject_row("CL-017", "high", at(4))]}),
        "CL-017",
        study=STUDY,
        as_of=dt.datetime.fromisoformat(at(-2)),
    )
    words = _words(patient_figure(empty, **LOOK))
    assert "No CAR-T sample yet. The first is due at LD." in words
    assert "No adverse event recorded." in words
    assert "not infused yet" in _words(patient_figure(_waiting(), **LOOK))


def test_patient_figure__keeps_its_least_height(course):
    assert patient_figure(course, **{**LOOK, "height": 500})["layout"]["height"] == 776


def test_patient_figure__without_readout_gives_its_room_to_the_clock(course):
    drawn = patient_figure(course, **LOOK, with_readout=False)
    assert drawn["layout"]["margin"]["r"] == 12
    assert not [n for n in drawn["layout"]["annotations"] if str(n.get("name", "")).startswith("readout")]


def test_patient_figure__colours_come_from_the_scheme(course):
    dark = json.dumps(patient_figure(course, **{**LOOK, "scheme": "dark"}))
    assert DARK.car_t in dark
    for role in ("car_t", "b_cells", "zone", "gutter", "muted"):
        assert getattr(LIGHT, role) not in dark


def test_patient_figure__every_word_comes_from_the_catalog(course):
    marked = Catalog(language="test", words={key: f"§{text}" for key, text in CATALOG.words.items()})
    drawn = patient_figure(course, **{**LOOK, "catalog": marked})
    plain = [
        n["text"]
        for n in drawn["layout"]["annotations"]
        if any(c.isalpha() for c in n["text"]) and "§" not in n["text"]
    ]
    assert not [text for text in plain if not text.startswith("<span")], plain
    for note in drawn["layout"]["annotations"]:
        assert "<LLOQ" not in note["text"]


def test_tick_layout__mutes_what_is_not_yet_due(figure, course):
    texts = figure["layout"]["xaxis"]["ticktext"]
    assert "M6" in texts
    assert any("M9" in text and LIGHT.muted in text for text in texts)
    span = type(course.ticks[0])
    assert span
    assert len(texts) == len(course.ticks)


def test_tick_layout__gains_labels_after_a_zoom(course):
    from corelab.figures.clock import ClockSpan

    zoomed = tick_layout(course, ClockSpan(left=-1.2, right=4.0, width_px=1100), LIGHT)
    assert {"LD", "D0", "D1", "D3"} <= set(zoomed["ticktext"])


def test_summarise_readout__peak_last_and_kinetics(course):
    read = {
        row: [" ".join(s.text for s in line) for line in lines]
        for row, lines in summarise_readout(course, CATALOG).items()
    }
    assert read["car_abs"][0] == "peak 214  D10"
    assert "not detected" in read["car_abs"][1]
    assert read["car_abs"][2] == "≤ 0.0530 · 0/61\u202f000"
    assert read["car_abs"][3] == "t½ 4.60 d (D14–M2)"
    assert read["car_vcn"][-1] == "AUC₀₋₂₈ 439\u202f000"
    assert read["b_cells"][0] == "aplasia (83, 113] d"
    assert read["b_cells"][1] == "≥10/µL: days (90, 120]"
    assert read["sledai"] == ["16 →  0  M6"]
    assert read["events"][0] == "CRS G1 (ASTCT 2019)"


def test_readout_at__gives_value_interval_and_counts_of_one_visit(course):
    read = readout_at(course, "D10", CATALOG)
    lines = ["".join(span.text for span in line) for line in read["car_abs"]]
    assert lines == ["214 (199–229)", "64\u202f200/61\u202f000 events"]
    il_6 = "".join(span.text for span in read["tracks"][0])
    assert il_6 == "94.3 pg/mL ×23"
    assert read["phenotype"][0][0] == Span(text="naive ")


def test_readout_at__says_why_there_is_no_value(course):
    failed = ["".join(s.text for s in line) for line in readout_at(course, "D21", CATALOG)["car_abs"]]
    assert failed == ["failed", "TIME_DRIFT"]
    missing = ["".join(s.text for s in line) for line in readout_at(course, "M4", CATALOG)["car_abs"]]
    assert missing[0] == "missing"
    trace = ["".join(s.text for s in line) for line in readout_at(course, "M3", CATALOG)["car_abs"]]
    assert trace == ["detected, < LLOQ", "≤ 0.410 · 24/61\u202f000"]


def test_find_visit__is_the_nearest_on_the_clock(course):
    assert find_visit(course, 9.2) == "D10"
    assert find_visit(course, clock_position(88.0)) == "M3"
    assert find_visit(_waiting(), 3.0) == ""


def test_write_markup__escapes_and_colours():
    markup = write_markup([(Span(text="< LLOQ", tone="strong"), Span(text="x"))], LIGHT, accent=LIGHT.car_t)
    assert "<b>&lt; LLOQ</b>" in markup
    assert LIGHT.ink in markup


def test_key_entries__explain_every_mark_that_a_course_uses():
    statuses = {entry.status for entry in key_entries(CATALOG)}
    assert {"quantified", "detected_blq", "not_detected", "above_uloq", "failed", "missing"} <= statuses


def test_snap_to_draw__a_whole_day_means_its_draw():
    draws = [Point(day=6.7, visit="D7", visit_label="D7", collected_at="t", status="quantified")]
    assert snap_to_draw(7.0, draws) == 6.7
    assert snap_to_draw(8.0, draws) == 8.0
    assert math.isnan(snap_to_draw(math.nan, draws))
    assert snap_to_draw(7.0, []) == 7.0


def test_readout_at__a_value_below_a_fixed_limit_says_which(course):
    rows = course_tables()
    for row in rows["persistence"]:
        if row["analyte"] == "CAR_VCN_UG" and row["visit"] == "M6":
            row.update(status="detected_blq", ci_low=math.nan, ci_high=math.nan, reason="DETECTION_UNKNOWN")
    read = readout_at(build_course(conform(rows), "CL-017", study=STUDY, as_of=AS_OF), "M6", CATALOG)
    assert ["".join(s.text for s in line) for line in read["car_vcn"]] == [
        "below LLOQ",
        "< 50",
    ]


def test_patient_figure__rings_what_is_to_review_and_squares_what_changed(course, figure):
    drawn = patient_figure(course, **LOOK, marks={"D7": "review", "D14": "stale", "D28": "signed"})
    go.Figure(drawn)
    rings = [t for t in drawn["data"] if str(t.get("name", "")).startswith("ring:")]
    marks = _marks(drawn, "car_abs")
    at_d7 = {
        (x, y)
        for x, y, key in zip(marks["x"], marks["y"], marks["customdata"], strict=True)
        if key[2] == "D7"
    }
    review = [t for t in rings if t["name"] == "ring:review" and t["yaxis"] == marks["yaxis"]]
    assert {(x, y) for t in review for x, y in zip(t["x"], t["y"], strict=True)} == at_d7
    assert {t["marker"]["symbol"] for t in rings} == {"circle-open", "square-open"}
    key = " ".join(str(t.get("text", "")) for t in drawn["data"])
    assert "to review" in key
    assert not [t for t in figure["data"] if str(t.get("name", "")).startswith("ring:")]
