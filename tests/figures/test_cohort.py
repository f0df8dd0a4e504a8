# ruff: noqa: E501 - a row of a table, or of cases, reads best on one line
import json
import math

import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.figures.catalog import figure_catalog
from corelab.figures.cohort import cohort_figure, persistence_bars_figure, summarise_kinetics_by_dose
from corelab.figures.cohort_data import (
    Curve,
    Sample,
    build_curves,
    nominal_day,
    summarise_visits,
)
from corelab.figures.kinetics_by_dose import compute_smallest_p, describe_comparison
from corelab.figures.persistence_bars import build_bars
from corelab.figures.tokens import LIGHT, SCHEMES
from corelab.tables.schemas import SCHEMAS
from tests.figures.trial import at, cohort_tables, conform, course_tables, subject_row

CATALOG = figure_catalog()
LOOK = {
    "analyte": "CAR_VCN_UG",
    "scheme": "light",
    "highlight": "",
    "width": 1416,
    "height": 456,
    "catalog": CATALOG,
}
THIN = "\u202f"


@pytest.fixture(scope="module")
def six():
    return cohort_tables(6)


@pytest.fixture(scope="module")
def fifty():
    return cohort_tables(50)


def _empty():
    return {name: schema.empty() for name, schema in SCHEMAS.items()}


def _medians(figure):
    return [t for t in figure["data"] if t.get("line", {}).get("width") == 3.2]


def _sample(value, *, visit="D7", day=7.0, status="quantified"):
    return Sample(
        day=day, visit=visit, visit_label=visit, collected_at=at(day), status=status, value=value, lloq=50.0
    )


def _curves(values):
    samples = [_sample(value, status="quantified" if value == value else "not_detected") for value in values]
    return [Curve(subject_id=f"s{n}", arm="low", samples=(sample,)) for n, sample in enumerate(samples)]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("analyte", ["CAR_VCN_UG", "CAR_ABS", "CAR_PCT_CD3", "CAR_PCT_LYM"])
@pytest.mark.parametrize("children", [0, 1, 3, 6])
def test_cohort_figure__is_valid_plotly_for_few_children(children, analyte, scheme):
    tables = cohort_tables(children) if children else _empty()
    look = {**LOOK, "analyte": analyte, "scheme": scheme}
    for drawn in (cohort_figure(tables, **look), persistence_bars_figure(tables, **{**look, "height": 250})):
        go.Figure(drawn)
        json.dumps(drawn, allow_nan=False)


def test_cohort_figure__names_who_is_absent_in_words():
    words = [n["text"] for n in cohort_figure(_empty(), **LOOK)["layout"]["annotations"]]
    assert words == ["No child with a sample of this analyte yet."]
    one = cohort_figure(cohort_tables(2, arms=("high",)), **LOOK)
    assert "No child in this group yet." in [n["text"] for n in one["layout"]["annotations"]]


def test_cohort_figure__no_median_of_three_children(six):
    assert _medians(cohort_figure(six, **LOOK)) == []


def test_cohort_figure__median_from_five_children_and_dotted_into_the_gutter(fifty):
    figure = cohort_figure(fifty, **LOOK)
    assert len(_medians(figure)) == 2
    falls = [t for t in figure["data"] if t.get("line", {}).get("dash") == "2px,3px"]
    floor = figure["layout"]["yaxis"]["range"][0]
    assert len(falls) == 2
    assert all(floor < fall["y"][1] < fall["y"][0] for fall in falls)


def test_cohort_figure__few_children_have_names_many_only_the_chosen_one(six, fifty):
    def names(figure):
        return {
            n["text"].replace("<b>", "").replace("</b>", "")
            for n in figure["layout"]["annotations"]
            if "CL-" in n["text"]
        }

    assert names(cohort_figure(six, **LOOK)) == {f"CL-{n:03d}" for n in range(1, 7)}
    assert names(cohort_figure(fifty, **{**LOOK, "highlight": "CL-017"})) == {"CL-017"}


def test_cohort_figure__names_of_curves_that_end_together_stand_apart_and_cover_nothing(six):
    rows = six["persistence"]
    one, other = six["subjects"].query("arm == 'low'")["subject_id"].iloc[:2]
    twin = rows[rows["subject_id"] == one].assign(subject_id=other)
    tables = {**six, "persistence": pd.concat([rows[rows["subject_id"] != other], twin])}

    notes = {n["text"]: n for n in cohort_figure(tables, **LOOK)["layout"]["annotations"]}

    assert [notes[one][side] for side in "xy"] == [notes[other][side] for side in "xy"]
    places = {(notes[name]["xanchor"], notes[name].get("ay", 0)) for name in (one, other)}
    assert len(places) == 2
    assert all("bgcolor" not in n for text, n in notes.items() if "CL-" in text)
    assert all(n["showarrow"] for n in notes.values() if n.get("ay"))


def test_cohort_figure__the_chosen_child_is_ink_in_its_own_facet(six):
    figure = cohort_figure(six, **{**LOOK, "highlight": "CL-004"})
    chosen = [t for t in figure["data"] if t.get("name") == "CL-004"]
    assert [(t["line"]["color"], t["line"]["width"], t["xaxis"]) for t in chosen] == [(LIGHT.ink, 2.5, "x")]


def test_cohort_figure__below_lloq_is_a_mark_in_the_gutter_never_on_the_line(six):
    figure = cohort_figure(six, **LOOK)
    below = [t for t in figure["data"] if t.get("name") == "below"]
    axis = figure["layout"]["yaxis"]
    floor = (
        min(tick for tick, text in zip(axis["tickvals"], axis["ticktext"], strict=True) if text == "100") - 1
    )
    assert all(y < floor for trace in below for y in trace["y"])
    for line in (t for t in figure["data"] if str(t.get("name", "")).startswith("CL-")):
        assert all(y is None or y >= math.log10(50) for y in line["y"])


def test_cohort_figure__counts_under_the_axis_agree_with_the_table(fifty):
    figure = cohort_figure(fifty, **LOOK)
    above, of_n, below = [t for t in figure["data"] if t.get("name") == "counts" and t["xaxis"] == "x"]
    for high, n, low in zip(above["text"], of_n["text"], below["text"], strict=True):
        assert int(high) + int(low or 0) == int(n)
    assert of_n["text"][0] == "25"


def test_cohort_figure__both_facets_have_one_scale(six):
    layout = cohort_figure(six, **LOOK)["layout"]
    assert layout["yaxis"]["range"] == layout["yaxis2"]["range"]
    assert layout["xaxis"]["range"] == layout["xaxis2"]["range"]


def test_build_curves__leaves_out_failed_missing_and_uninfused():
    rows = course_tables()
    rows["subjects"].append(subject_row("CL-099", "", ""))
    curves = build_curves(conform(rows), "CAR_ABS")
    assert [curve.subject_id for curve in curves] == ["CL-017"]
    labels = [sample.visit_label for sample in curves[0].samples]
    assert "D21" not in labels
    assert "UNS.1" in labels
    assert labels == sorted(
        labels, key=lambda label: next(s.day for s in curves[0].samples if s.visit_label == label)
    )


def test_summarise_visits__below_lloq_ranks_lowest():
    nan = math.nan
    summary = summarise_visits(_curves([nan, nan, 100.0, 400.0, 1600.0]))[0]
    assert (summary.n, summary.n_above, summary.median) == (5, 3, 100.0)
    assert math.isnan(summary.lower)
    assert summary.upper == 400.0
    fallen = summarise_visits(_curves([nan, nan, nan, 400.0, 1600.0]))[0]
    assert math.isnan(fallen.median)
    assert fallen.median_is_below


def test_summarise_visits__an_even_median_is_geometric_and_below_if_one_neighbour_is():
    summary = summarise_visits(_curves([50.0, 100.0, 400.0, 800.0, 900.0, 60.0]))[0]
    assert summary.median == pytest.approx(200.0)
    half = summarise_visits(_curves([math.nan] * 3 + [400.0, 800.0, 900.0]))[0]
    assert half.median_is_below


@given(
    st.lists(st.one_of(st.just(math.nan), st.floats(min_value=50, max_value=1e6)), min_size=1, max_size=30)
)
def test_summarise_visits__quartiles_are_in_order_and_counts_add_up(values):
    summary = summarise_visits(_curves(values))[0]
    assert summary.n == len(values)
    assert summary.n_above == sum(value == value for value in values)
    if not summary.has_median:
        assert math.isnan(summary.median)
        assert not summary.median_is_below
        return
    known = [q for q in (summary.lower, summary.median, summary.upper) if q == q]
    assert known == sorted(known)


def test_nominal_day__of_words_without_a_day_is_none():
    assert [nominal_day(visit) for visit in ("D0", "D28", "M6")] == [0.0, 28.0, 182.625]
    assert all(math.isnan(nominal_day(visit)) for visit in ("SCR", "APH", "LD", "UNS", "ET", ""))


def test_build_bars__solid_to_the_last_quantified_pale_until_loss_open_when_censored(six):
    bars = {bar.subject_id: bar for bar in build_bars(six, "CAR_VCN_UG")}
    assert len(bars) == 6
    assert not bars["CL-003"].is_censored
    assert (
        bars["CL-003"].solid < bars["CL-003"].pale <= bars["CL-003"].observed + 1e-3
    )  # collected_at holds whole seconds
    assert bars["CL-001"].is_censored


def test_persistence_bars_figure__censored_bars_have_an_arrow_and_no_pale_end(six):
    figure = persistence_bars_figure(six, **{**LOOK, "height": 250})
    _, pale, arrows = figure["data"]
    censored = sum(bar.is_censored for bar in build_bars(six, "CAR_VCN_UG"))
    assert len(arrows["x"]) == censored == sum(width == 0 for width in pale["x"])


def test_persistence_bars_figure__names_all_where_there_is_room(six, fifty):
    few = persistence_bars_figure(six, **{**LOOK, "height": 250})["layout"]["yaxis"]["ticktext"]
    many = persistence_bars_figure(fifty, **{**LOOK, "height": 250, "highlight": "CL-017"})["layout"][
        "yaxis"
    ]["ticktext"]
    assert all(few)
    assert [name for name in many if name] == ["CL-017"]


def _kinetics(values_by_arm):
    rows = {name: [] for name in SCHEMAS}
    for arm, values in values_by_arm.items():
        for number, value in enumerate(values):
            for parameter in ("CMAX", "TMAX", "AUC0_28D", "PERSIST"):
                rows["kinetics"].append({
                    "subject_id": f"{arm}{number}", "arm": arm, "analyte": "CAR_VCN_UG", "parameter": parameter, "value": value,
                    "status": "quantified" if value == value else "not_calculated", "high": 2 * value if number else math.nan,
                })  # fmt: skip
    return conform(rows)


def _card(tables):
    return summarise_kinetics_by_dose(tables, "CAR_VCN_UG", catalog=CATALOG).set_index("key")


def test_summarise_kinetics_by_dose__worked_geometric_mean():
    card = _card(_kinetics({"low": [48200, 12500, 96000, 3100, 27400], "high": [1.0, 2.0, 4.0]}))
    assert card.loc["CMAX", "low"] == f"21{THIN}800 (218)"
    assert card.loc["CMAX", "statistic"] == "gMean (gCV %)"
    assert card.loc["TMAX", "low"] == f"27{THIN}400 (3{THIN}100–96{THIN}000)"
    assert card.loc["children", ["low", "high"]].tolist() == ["5", "3"]
    assert card.loc["PERSIST", "low"].endswith("1 still quantified")


def test_summarise_kinetics_by_dose__fewer_than_three_are_listed():
    card = _card(_kinetics({"low": [48200, 12500, 96000], "high": [3100, math.nan]}))
    assert card.loc["CMAX", "statistic"] == "each child"
    assert card.loc["CMAX", "low"] == f"48{THIN}200 · 12{THIN}500 · 96{THIN}000"
    assert card.loc["CMAX", "high"] == f"3{THIN}100 · –"
    assert card.loc["not_calculated", "high"] == "Cmax: 1 · AUC 0–28 d: 1"
    assert card.loc["not_calculated", "low"] == "0"


def test_summarise_kinetics_by_dose__many_beside_two_says_which_are_single_values():
    card = _card(_kinetics({"low": [float(n) for n in range(1, 26)], "high": [3.0, 4.0]}))
    assert card.loc["CMAX", "high"] == "each: 3.00 · 4.00"


def test_summarise_kinetics_by_dose__nothing_is_a_dash_not_a_zero():
    card = _card(_kinetics({}))
    assert card.loc["CMAX", ["low", "high"]].tolist() == ["–", "–"]


@pytest.mark.parametrize(
    ("low", "high", "p"), [(3, 3, 0.1), (3, 5, 1 / 56), (5, 3, 1 / 56), (4, 4, 2 / 70), (1, 1, 1.0)]
)
def test_compute_smallest_p__exact_two_sided(low, high, p):
    assert compute_smallest_p(low, high) == pytest.approx(p)


def test_describe_comparison__says_when_no_test_could_be_informative(six, fifty):
    assert (
        describe_comparison(six, "CAR_VCN_UG", catalog=CATALOG)
        == "Smallest attainable p is 0.10: not informative."
    )
    assert describe_comparison(fifty, "CAR_VCN_UG", catalog=CATALOG).startswith("Descriptive only.")
    assert describe_comparison(_empty(), "CAR_VCN_UG", catalog=CATALOG).startswith("Descriptive only.")
