"""Figures of outcomes: counts and intervals as the tables have them, grades always written."""

import json
import math

import pytest

from corelab.figures.catalog import figure_catalog
from corelab.figures.expansion import describe_tests, expansion_figure
from corelab.figures.expansion_data import build_panels
from corelab.figures.grade_matrix import grade_matrix_figure
from corelab.figures.incidence import incidence_figure, response_share_figure
from corelab.figures.response_matrix import response_matrix_figure
from corelab.figures.safety import build_event_matrix, build_lab_matrix
from corelab.figures.swimmer import build_roads, swimmer_figure
from corelab.figures.waterfall import read_changes, waterfall_figure
from tests.dashboards.trial import make_tables

CATALOG = figure_catalog()
SIZE = (800, 400)
LOOK = ("light", CATALOG)
DEFAULT = "CORELAB_DEFAULT"


@pytest.fixture(scope="module")
def tables():
    return make_tables()


def trace(figure, name):
    return next(each for each in figure["data"] if each["name"] == name)


def test_incidence__draws_the_exact_interval_of_every_group(tables):
    figure = incidence_figure(tables["summary"], size=SIZE, scheme="light", catalog=CATALOG)

    assert trace(figure, "share")["x"] == [100, 100, 100, 100, 100, 100, 0, 100, 50]
    assert trace(figure, "interval")["x"][:2] == [2.5, 100.0]
    assert trace(figure, "numbers")["text"][-1] == "1/2 · 50.0 (1.3–98.7)"
    assert trace(figure, "share")["customdata"][0][:5] == ["share", "AE_ANY", "", "observed", "low"]
    json.dumps(figure, allow_nan=False)


def test_response_share__puts_imputed_beside_evaluable_and_says_where_nobody_was_judged(tables):
    figure = response_share_figure(
        tables["summary"], endpoint="ORR", definition="", visits=["M3"], size=SIZE, look=LOOK
    )

    texts = trace(figure, "numbers")["text"]
    assert texts[0].startswith("0/1 · 0 ")
    assert texts[3] == "nobody judged"
    fills = trace(figure, "share")["marker"]["color"]
    assert len(fills) == 5
    assert fills[0] != fills[-1]


def test_event_matrix__writes_the_worst_grade_and_leads_with_astct(tables):
    matrix = build_event_matrix(tables, CATALOG)
    figure = grade_matrix_figure(matrix, size=SIZE, scheme="light", catalog=CATALOG, empty="none")

    assert [row.key for row in matrix.rows] == [
        "CRS", "Neutrophil count decreased", "Hypogammaglobulinaemia",
    ]  # fmt: skip
    assert matrix.children == (("CL-002", "low"), ("CL-001", "high"))
    assert matrix.rows[1].count == "2/2 · 2"
    assert sorted(trace(figure, "grades")["text"]) == ["G1", "G2", "G3", "G4", "·", "·"]
    assert trace(figure, "sections")["text"] == ["GRADED BY ASTCT 2019", "GRADED BY CTCAE v5.0"]
    said = matrix.cells["Neutrophil count decreased", "CL-002"].words[-1]
    assert said == "CL-002 · Neutrophil count decreased · worst G3 (CTCAE v5.0) · from day 4, ongoing"
    json.dumps(figure, allow_nan=False)


def test_lab_matrix__tells_a_value_without_a_grade_from_one_of_grade_0(tables):
    matrix = build_lab_matrix(tables, "expansion", CATALOG)
    figure = grade_matrix_figure(matrix, size=SIZE, scheme="dark", catalog=CATALOG, empty="none")

    assert trace(figure, "grades")["text"] == ["–", "G4"]
    assert matrix.rows[0].count == "1/1 · 1"
    assert build_lab_matrix(tables, "late", CATALOG).rows == ()


def test_response_matrix__tells_states_apart_by_shape(tables):
    figure = response_matrix_figure(tables, definition=DEFAULT, visits=["M3"], size=SIZE, look=LOOK)

    assert len(trace(figure, "responder")["x"]) == 3
    assert len(trace(figure, "non_responder")["x"]) == 1
    assert len(trace(figure, "not_evaluable")["x"]) == 4
    words = trace(figure, "not_evaluable")["customdata"][0]
    assert words[:2] == ["response", "CL-002"]
    assert words[-1].endswith("not evaluable · MISSING labs.csv M3 UPCR")
    json.dumps(figure, allow_nan=False)


def test_waterfall__draws_the_change_by_which_a_response_was_judged(tables):
    changes = read_changes(tables["responses"], visit="M3", definition=DEFAULT)

    assert [(change.subject_id, change.percent) for change in changes] == [("CL-001", -62.5)]
    figure = waterfall_figure(tables["responses"], visit="M3", definition=DEFAULT, size=SIZE, look=LOOK)
    assert trace(figure, "ends")["text"] == ["−62 ✓"]
    empty = waterfall_figure(tables["responses"], visit="M12", definition=DEFAULT, size=SIZE, look=LOOK)
    assert empty["data"] == []


def test_swimmer__ends_aplasia_only_where_it_was_seen_to_end(tables):
    roads = {road.subject_id: road for road in build_roads(tables, DEFAULT)}

    assert roads["CL-001"].release_grade == 1
    assert roads["CL-001"].aplasia[:2] == (7.0, 92.0)
    assert math.isnan(roads["CL-001"].aplasia[2])
    assert math.isnan(roads["CL-002"].aplasia[0])
    figure = swimmer_figure(tables, definition=DEFAULT, size=SIZE, look=LOOK)
    assert len(trace(figure, "aplasia goes on")["x"]) == 1
    assert len(trace(figure, "responder")["x"]) == 1
    json.dumps(figure, allow_nan=False)


def test_expansion__says_what_a_test_cannot_show(tables):
    panels = {
        panel.outcome: panel
        for panel in build_panels(tables, analyte="CAR_VCN_UG", parameter="CMAX", primary=DEFAULT)
    }

    assert set(panels) == {"ORR", "CRS_GRADE", "DOSE_HIGH"}
    by_dose = [text for text, _ in describe_tests(panels["DOSE_HIGH"], CATALOG)]
    assert by_dose == [
        "ratio of geometric means 5.22", "too few for an interval, n = 2",
        "permutation p 1.0 · Mann–Whitney p 1.0", "Not informative, too few children to tell.",
    ]  # fmt: skip
    assert describe_tests(panels["ORR"], CATALOG)[0][0].startswith("All children are in one group")
    assert describe_tests(panels["CRS_GRADE"], CATALOG)[-1][0] == "adjusted by Holm p 0.040, exploratory"
    figure = expansion_figure(
        list(panels.values()), analyte="CAR_VCN_UG", size=(1200, 700), scheme="dark", catalog=CATALOG
    )
    assert {pair.subject_id: pair.outcome for pair in panels["CRS_GRADE"].pairs} == {
        "CL-001": 1.0,
        "CL-002": 0.0,
    }
    json.dumps(figure, allow_nan=False)
