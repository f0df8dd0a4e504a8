# ruff: noqa: E501 - a row of a table, or of cases, reads best on one line
"""Figures of cytokines: what lies below a limit stays below it, a curve holds its standards."""

import json
import math

import pytest

from corelab.figures.catalog import figure_catalog
from corelab.figures.control_chart import control_chart_figure
from corelab.figures.cytokine_courses import build_courses, courses_figure
from corelab.figures.plate_map import build_wells, plate_map_figure
from corelab.figures.standard_curve import standard_curve_figure
from tests.dashboards.trial import draw, make_measurements, make_tables
from tests.figures.trial import conform

CATALOG = figure_catalog()
LOOK = ("light", CATALOG)


@pytest.fixture(scope="module")
def tables():
    return make_tables()


def trace(figure, name):
    return next(each for each in figure["data"] if each["name"] == name)


def result(visit, status, **numbers):
    return {
        **draw("CL-001", visit), "assay": "cytokine", "name": "IL-6", "metric": "concentration", "unit": "pg/mL",
        "status": status, "source_id": visit, **numbers,
    }  # fmt: skip


def test_courses__put_what_lies_below_a_limit_into_the_gutter(tables):
    rows = [row for row in make_measurements() if row["name"] != "IL-6"]
    rows += [
        result("LD", "not_detected", relation="<", lloq=2.4), result("D3", "quantified", value=40.0, lloq=2.4),
        result("D7", "above_uloq", relation=">", low=10_000.0, uloq=10_000.0), result("D14", "failed", value=12.0),
    ]  # fmt: skip
    told = {**tables, "measurements": conform({"measurements": rows})["measurements"]}

    courses = build_courses(told)
    figure = courses_figure(courses, highlight="", size=(700, 300), scheme="light", catalog=CATALOG)

    assert [course.analyte for course in courses] == ["IL-6"]
    marks = trace(figure, "IL-6")
    floor = min(y for y, words in zip(marks["y"], marks["customdata"], strict=True) if "40.0" in words[-1])
    assert marks["y"][0] < floor
    assert marks["y"][3] < marks["y"][0]
    assert marks["y"][2] == math.log10(10_000)
    assert courses[0].draws[1].arm == "high"
    assert marks["marker"]["symbol"][:2] == ["circle", "square"]  # not detected; of the high dose
    assert marks["customdata"][0][-1] == "CL-001 · IL-6 · LD · not detected"
    lines = trace(figure, "lines")
    assert [y is None for y in lines["y"]] == [True, True, False, True, True]
    json.dumps(figure, allow_nan=False)


def test_courses__draw_the_chosen_child_in_ink_and_say_when_there_is_none(tables):
    courses = build_courses(tables)
    figure = courses_figure(courses, highlight="CL-001", size=(900, 400), scheme="dark", catalog=CATALOG)

    assert trace(figure, "lines")["line"]["width"] == 2.5
    assert courses_figure([], highlight="", size=(900, 400), scheme="dark", catalog=CATALOG)["data"] == []


def test_plate_map__writes_what_each_well_holds_and_marks_what_is_flagged(tables):
    wells = build_wells(tables["plate_wells"], "P1", "IL-6")
    figure = plate_map_figure(wells, size=(1000, 300), scheme="light", catalog=CATALOG)

    roles = trace(figure, "roles")
    told = dict(zip(zip(roles["x"], roles["y"], strict=True), roles["text"], strict=True))
    assert told[0, 0] == "S1"
    assert told[1, 0] == "Q1"
    assert told[1, 1] == "CL-001 D7"
    assert (round(trace(figure, "flags")["x"][0]), round(trace(figure, "flags")["y"][0])) == (1, 2)
    cells = trace(figure, "wells")["customdata"]
    assert cells[1][1][:4] == ["well", "P1", "IL-6", "B2"]
    assert cells[1][1][4].endswith("210 pg/mL")
    narrow = plate_map_figure(wells, size=(400, 300), scheme="light", catalog=CATALOG)
    assert "CL-001 D7" not in trace(narrow, "roles")["text"]
    json.dumps(figure, allow_nan=False)


def test_plate_map__finds_every_well_of_a_mean(tables):
    wells = tables["plate_wells"].head(1).assign(well="A1,B1")

    assert [(well.row, well.column) for well in build_wells(wells, "P1", "IL-6")] == [(0, 0), (1, 0)]


def test_standard_curve__puts_samples_where_their_response_meets_the_curve(tables):
    figure = standard_curve_figure(tables, plate="P1", analyte="IL-6", size=(900, 400), look=LOOK)

    standards, sample, control = (trace(figure, kind) for kind in ("standard", "unknown", "qc"))
    assert len(standards["x"]) == 8
    assert 10 ** sample["x"][0] == pytest.approx(105.0)
    assert 10 ** control["x"][0] == pytest.approx(200.0)
    texts = [each["text"] for each in figure["layout"]["annotations"]]
    assert "LLOQ 0.610" in texts
    assert "ULOQ 10\u202f000" in texts
    json.dumps(figure, allow_nan=False)


def test_standard_curve__says_why_there_is_none(tables):
    figure = standard_curve_figure(tables, plate="P1", analyte="TNF-a", size=(900, 400), look=LOOK)

    assert figure["data"] == []
    assert "5 of 7 levels" in figure["layout"]["annotations"][0]["text"]


def test_control_chart__draws_deviations_and_tells_verdicts_by_shape(tables):
    figure = control_chart_figure(
        tables["plate_controls"], analyte="IL-6", size=(900, 400), scheme="light", catalog=CATALOG
    )

    runs = trace(figure, "runs")
    assert runs["y"] == pytest.approx([1.0, 2.4, 3.6])
    assert runs["marker"]["symbol"] == ["circle", "triangle-up", "x-thin-open"]
    assert runs["customdata"][2][-1] == "P3 · QC1 · out of control · recovery 118 % · 1_3s"
    assert len(figure["layout"]["shapes"]) == 5


def test_control_chart__draws_recovery_while_a_lot_has_no_spread(tables):
    young = tables["plate_controls"].assign(z=math.nan, centre=math.nan, sd=math.nan)
    figure = control_chart_figure(young, analyte="IL-6", size=(900, 400), scheme="light", catalog=CATALOG)

    assert trace(figure, "runs")["y"] == [105.0, 112.0, 118.0]
    assert "too few runs for a spread" in figure["layout"]["annotations"][0]["text"]
    assert (
        control_chart_figure(young, analyte="IL-99", size=(900, 400), scheme="light", catalog=CATALOG)["data"]
        == []
    )


def test_courses__of_many_children_count_what_lies_in_the_gutter(tables):
    subjects = [
        {"subject_id": f"CL-{number:03d}", "arm": "low", "infusion_at": "2026-05-06T10:00:00+08:00"}
        for number in range(1, 21)
    ]
    rows = [
        {**result("D3", "not_detected" if number % 2 else "quantified", value=None if number % 2 else 40.0, lloq=2.4),
         "subject_id": f"CL-{number:03d}"}
        for number in range(1, 21)
    ]  # fmt: skip
    told = conform({"subjects": subjects, "measurements": rows})
    figure = courses_figure(
        build_courses(told), highlight="CL-002", size=(700, 300), scheme="light", catalog=CATALOG
    )

    assert trace(figure, "counts")["text"] == ["10"]
    assert [each["customdata"][0][1] for each in figure["data"] if "customdata" in each] == ["CL-002"]
