"""What pages say, as plain records made from literal tables."""

import datetime as dt
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.figures.catalog import figure_catalog, read_catalog
from corelab.figures.patient import build_course
from corelab.study import builtin_study
from corelab.vocabulary import Arm, GateSource, Role, Status
from dashboards.app import WORDS
from dashboards.components.drawer import write_unit
from dashboards.pages.exports import list_records
from dashboards.pages.patients import keep_zoom
from dashboards.sizes import LARGEST, SMALLEST, read_viewport
from dashboards.views.point import Blank, Choice, build_point_detail, parse_choice
from dashboards.views.readings import build_readings
from dashboards.views.subject import build_subject
from dashboards.views.trial import Coming, Gap, Waiting, list_coming, list_gaps, list_waiting
from tests.dashboards.trial import CUT_OFF, FILE_ID, make_tables

STUDY = builtin_study()
AS_OF = dt.datetime.fromisoformat(CUT_OFF)


@pytest.fixture(scope="module")
def tables():
    return make_tables()


@pytest.fixture(scope="module")
def course(tables):
    return build_course(tables, "CL-001", study=STUDY, as_of=AS_OF)


def choose(course, row, label):
    point = next(point for point in course.series[row] if point.visit_label == label)
    return Choice(subject_id=course.subject_id, row=row, visit_label=label, collected_at=point.collected_at)


def test_build_subject__says_who_and_when(tables):
    subject = build_subject(tables, "CL-001", STUDY, as_of=AS_OF)

    assert (subject.arm, subject.arm_label, subject.sex, subject.age) == ("high", "1×10⁶/kg", "F", "11")
    assert (subject.infused_on, subject.day) == ("2026-05-06", 200)
    assert (subject.cd19_call, subject.cd19_percent, subject.cd19_interval) == (
        "positive",
        "97.2",
        "96.3–97.9",
    )
    assert (subject.previous_id, subject.next_id) == ("", "CL-002")


def test_build_subject__leaves_open_what_is_not_known(tables):
    subject = build_subject(tables, "CL-003", STUDY, as_of=AS_OF)

    assert (subject.arm, subject.infused_on, subject.day, subject.cd19_call) == ("", "", None, "")
    assert build_subject(tables, "CL-999", STUDY, as_of=AS_OF) is None


def test_build_point_detail__joins_count_gate_blank_and_findings(course, tables):
    detail = build_point_detail(course, tables, choose(course, "car_pct", "M3"))

    assert (detail.point.count, detail.point.total, detail.point.status) == (24, 61000, "detected_blq")
    assert math.isnan(detail.point.value)
    assert (detail.gate.file_id, detail.gate.source, detail.gate.version) == (FILE_ID, "control", "cart-1")
    assert [(finding.check, finding.value) for finding in detail.gate.findings] == [("VIABILITY", 84.0)]
    assert detail.blank == Blank(count=0, total=119000, p_value=0.0004)
    assert (detail.before.visit_label, detail.after.visit_label) == ("M2", "M4")


def test_build_point_detail__a_missing_visit_has_no_gate_and_no_blank(course, tables):
    detail = build_point_detail(course, tables, choose(course, "car_pct", "M4"))

    assert (detail.point.status, detail.gate, detail.blank) == ("missing", None, None)


def test_build_point_detail__a_laboratory_value_has_no_gate(course, tables):
    detail = build_point_detail(course, tables, choose(course, "upcr", "M3"))

    assert (detail.gate, detail.blank, detail.before.visit_label) == (None, None, "M2")


@pytest.mark.parametrize(
    "choice",
    [
        Choice(subject_id="CL-002", row="car_pct", visit_label="M3", collected_at=""),
        Choice(subject_id="CL-001", row="nothing", visit_label="M3", collected_at=""),
        Choice(subject_id="CL-001", row="car_pct", visit_label="M3", collected_at="never"),
    ],
)
def test_build_point_detail__is_none_for_what_the_course_does_not_hold(course, tables, choice):
    assert build_point_detail(course, tables, choice) is None


@given(sent=st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=6)))
def test_parse_choice__never_fails_whatever_a_client_sends(sent):
    choice = parse_choice(sent)

    assert choice is None or all(isinstance(word, str) for word in sent[:4])


def test_list_gaps__names_what_is_late_the_latest_first():
    overview = pd.DataFrame(
        [("CL-001", "M3", "qpcr", "missing"), ("CL-001", "M3", "flow", "missing"),
         ("CL-001", "D7", "flow", "missing"), ("CL-001", "SCR", "flow", "missing"),
         ("CL-001", "M2", "flow", "failed"), ("CL-001", "D1", "flow", "done")],
        columns=["subject_id", "visit", "assay", "state"],
    )  # fmt: skip
    subjects = make_tables()["subjects"]

    gaps = list_gaps(subjects, overview, STUDY, state="missing", as_of=AS_OF)

    # M3 is due on 6 August and its window closes on 13 August, 101 days before 22 November.
    assert gaps == [
        Gap(subject_id="CL-001", visit="M3", assays=("qpcr", "flow"), days=101),
        Gap(subject_id="CL-001", visit="D7", assays=("flow",), days=192),
        Gap(subject_id="CL-001", visit="SCR", assays=("flow",), days=None),
    ]


def test_list_coming__lists_a_week_ahead_and_open_windows_without_what_came():
    subjects = make_tables()["subjects"]
    overview = pd.DataFrame(
        [("CL-002", "D14", "flow", "done"), ("CL-002", "D21", "flow", "not_due")],
        columns=["subject_id", "visit", "assay", "state"],
    )

    coming = list_coming(subjects, overview, STUDY, as_of=AS_OF)

    assert coming == [
        Coming(subject_id="CL-002", visit="D21", due=dt.date(2026, 11, 22)),
        Coming(subject_id="CL-002", visit="D28", due=dt.date(2026, 11, 29)),
    ]
    came = overview.assign(state="done")
    assert [visit.visit for visit in list_coming(subjects, came, STUDY, as_of=AS_OF)] == ["D28"]


def test_list_waiting__keeps_path_and_reason():
    quarantine = pd.DataFrame(
        {"path": ["b.fcs", "a.csv:3"], "reason": ["no manifest", "unit"], "kind": ["", ""]}
    )

    assert list_waiting(quarantine) == [
        Waiting(path="a.csv:3", reason="unit"), Waiting(path="b.fcs", reason="no manifest"),
    ]  # fmt: skip


def test_build_readings__reads_each_visit_row_by_row(course):
    readings = build_readings(course, figure_catalog())

    assert readings["rows"][:4] == ["car_abs", "car_vcn", "car_pct", "b_cells"]
    d10 = readings["visits"]["D10"]
    assert d10["x"] == pytest.approx(9.96, abs=0.05)
    assert d10["rows"]["car_abs"][0][0] == ["214", "strong"]
    assert "zero" not in str(readings)
    assert readings["visits"]["M3"]["rows"]["car_pct"][0][0][0] == "detected, < LLOQ"


def test_build_readings__is_empty_before_infusion(tables):
    assert build_readings(build_course(tables, "CL-003", study=STUDY, as_of=AS_OF), figure_catalog()) == {}


@given(
    width=st.none() | st.booleans() | st.text(max_size=3) | st.integers() | st.floats(),
    height=st.integers(min_value=1, max_value=10_000),
)
def test_read_viewport__is_none_or_a_size_that_can_be_drawn(width, height):
    viewport = read_viewport({"width": width, "height": height})

    if viewport is not None:
        assert SMALLEST[0] <= viewport.width <= LARGEST[0]
        assert SMALLEST[1] <= viewport.height <= LARGEST[1]


def test_keep_zoom__carries_the_range_over_only_to_the_same_view():
    fresh = {"layout": {"uirevision": "CL-001 today", "xaxis": {"range": [-10, 40]}}}
    zoomed = {"layout": {"uirevision": "CL-001 today", "xaxis": {"range": [0, 20]}}}
    other = {"layout": {"uirevision": "CL-002 today", "xaxis": {"range": [0, 20]}}}

    assert keep_zoom({"layout": {**fresh["layout"], "xaxis": {"range": [-10, 40]}}}, other) == fresh
    assert keep_zoom({"layout": {**fresh["layout"], "xaxis": {"range": [-10, 40]}}}, None) == fresh
    assert keep_zoom(fresh, zoomed)["layout"]["xaxis"]["range"] == [0, 20]


def test_list_records__what_is_missing_is_null_and_never_zero():
    table = pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "x": [float("nan"), 0.0], "t": ["", "a"]})

    assert list_records(table) == [{"n": 1, "x": None, "t": ""}, {"n": None, "x": 0.0, "t": "a"}]


@pytest.mark.parametrize(
    ("unit", "shown"), [("ug/L", "µg/L"), ("U/L", "U/L"), ("fg/mL", "fg/mL"), ("mg/g", "mg/g")]
)
def test_write_unit__writes_micro_where_it_is_meant(unit, shown):
    assert write_unit(unit) == shown


def test_catalog__says_every_word_of_the_contract():
    catalog = read_catalog(WORDS["en"])
    lists = {"status": Status, "status_mark": Status, "gate_source": GateSource, "role": Role, "arm": Arm}
    for prefix, words in lists.items():
        assert [word for word in words if not catalog.has(f"{prefix}.{word}")] == []
