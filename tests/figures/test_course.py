# ruff: noqa: E501 - a row of a table, or of cases, reads best on one line
import datetime as dt
import json
import math

import pandas as pd
import pytest

from corelab.errors import ContractError
from corelab.figures.catalog import figure_catalog
from corelab.figures.patient import build_course, patient_figure
from corelab.study import builtin_study
from tests.figures.trial import AS_OF, at, child_tables, conform, course_tables, medications, subject_row

STUDY = builtin_study()


@pytest.fixture(scope="module")
def course():
    return build_course(child_tables(), "CL-017", study=STUDY, as_of=AS_OF, medications=medications())


def _figure(course):
    figure = patient_figure(course, width=1400, height=800, scheme="light", catalog=figure_catalog())
    return json.dumps(figure, sort_keys=True)


def _by_label(points):
    return {point.visit_label: point for point in points}


def test_build_course__time_is_elapsed_from_infusion_not_the_nominal_day(course):
    points = _by_label(course.series["car_abs"])
    assert points["D3"].day == pytest.approx(3.1)
    assert points["D0"].day == pytest.approx(-0.1)
    assert course.today == pytest.approx(199.968, abs=1e-3)


def test_build_course__keeps_every_status_with_its_limit_and_count(course):
    points = _by_label(course.series["car_abs"])
    assert points["M3"].status == "detected_blq"
    assert math.isnan(points["M3"].value)
    assert (points["M3"].high, points["M3"].count, points["M3"].total) == (0.41, 24, 61000)
    assert points["D21"].status == "failed"
    assert points["D21"].reason == "TIME_DRIFT"
    assert points["UNS.1"].value == 30.0


def test_build_course__a_closed_visit_without_a_row_is_missing_at_its_target(course):
    missing = [(p.visit, p.day, p.collected_at) for p in course.series["car_abs"] if p.status == "missing"]
    assert missing == [("M4", 123.0, ""), ("M5", 153.0, "")]
    assert [p.visit for p in course.series["car_vcn"] if p.status == "missing"] == []
    assert [p.visit for p in course.series["upcr"] if p.status == "missing"] == ["M2"]


def test_build_course__an_open_window_is_not_missing():
    infusion = dt.datetime.fromisoformat(at(0))
    tables = child_tables(until=10.5)
    open_window = build_course(tables, "CL-017", study=STUDY, as_of=infusion + dt.timedelta(days=14))
    assert [p.visit for p in open_window.series["car_vcn"] if p.status == "missing"] == []
    closed = build_course(tables, "CL-017", study=STUDY, as_of=infusion + dt.timedelta(days=15))
    assert [p.visit for p in closed.series["car_vcn"] if p.status == "missing"] == ["D14"]


def test_build_course__a_tabled_missing_row_is_not_doubled():
    rows = course_tables()
    rows["persistence"].append({
        "subject_id": "CL-017", "arm": "high", "visit": "M4", "visit_label": "M4", "collected_at": "", "analyte": "CAR_ABS",
        "unit": "cells/uL", "status": "missing", "reason": "NOT_COLLECTED",
    })  # fmt: skip
    course = build_course(conform(rows), "CL-017", study=STUDY, as_of=AS_OF)
    assert [p.visit for p in course.series["car_abs"] if p.status == "missing"] == ["M4", "M5"]


def test_build_course__nothing_is_due_after_the_end_of_follow_up():
    rows = course_tables()
    rows["measurements"].append({
        "subject_id": "CL-017", "arm": "high", "visit": "ET", "visit_label": "ET", "study_day": 100, "collected_at": at(100.0),
        "assay": "assessment", "name": "SLEDAI-2K", "metric": "score", "value": 1.0, "status": "quantified", "source_id": "a:9",
    })  # fmt: skip
    course = build_course(conform(rows), "CL-017", study=STUDY, as_of=AS_OF)
    assert not [p for p in course.series["car_abs"] if p.status == "missing"]


def test_build_course__b_cells_take_the_passing_tube_of_a_draw():
    rows = course_tables()
    again = dict(next(r for r in rows["populations"] if r["visit"] == "D10"))
    rows["populations"].append({**again, "file_id": "ff", "qc": "fail", "cells_per_ul": 777.0})
    course = build_course(conform(rows), "CL-017", study=STUDY, as_of=AS_OF)
    points = [p for p in course.series["b_cells"] if p.visit == "D10"]
    assert [p.status for p in points] == ["not_detected"]


def test_build_course__aplasia_is_right_censored_until_b_cells_return(course):
    assert (course.aplasia.start, course.aplasia.end_low, course.aplasia.end_high) == (7.0, 90.0, 120.0)
    early = build_course(
        child_tables(until=28.5), "CL-017", study=STUDY, as_of=dt.datetime.fromisoformat(at(29))
    )
    assert early.aplasia.end_low == pytest.approx(28.0)
    assert math.isnan(early.aplasia.end_high)


def test_build_course__ticks_hold_actual_days_and_coming_visits(course):
    ticks = {tick.label: tick for tick in course.ticks}
    assert ticks["D14"].day == pytest.approx(14.2)
    assert ticks["D0"].day == 0.0
    assert ticks["M9"].day == 276.0
    assert (ticks["M6"].is_due, ticks["M9"].is_due) == (True, False)
    assert not ticks["UNS.1"].is_target


def test_build_course__tracks_are_in_clinical_order_with_their_folds(course):
    assert [track.name for track in course.tracks] == ["IL-6", "TNF-a", "IFN-g", "IL-10", "IL-15", "MCP-1"]
    il_6 = course.tracks[0]
    peak = next(p for p in il_6.points if p.visit == "D7")
    assert il_6.folds[peak.collected_at].value == 100


def test_build_course__drugs_only_where_a_table_was_given(course):
    assert len(course.drugs) == 8
    assert build_course(child_tables(), "CL-017", study=STUDY, as_of=AS_OF).drugs is None
    other = build_course(
        child_tables(), "CL-017", study=STUDY, as_of=AS_OF, medications=medications("CL-001")
    )
    assert other.drugs == ()


def test_build_course__before_infusion_the_clock_does_not_run():
    rows = course_tables(until=-100)
    rows["subjects"] = [subject_row("CL-017", "", "")]
    course = build_course(conform(rows), "CL-017", study=STUDY, as_of=AS_OF)
    assert not course.is_infused
    assert math.isnan(course.today)


def test_build_course__does_not_depend_on_the_order_of_rows():
    tables = child_tables()
    shuffled = {name: table.sample(frac=1, random_state=3) for name, table in tables.items()}
    first = build_course(tables, "CL-017", study=STUDY, as_of=AS_OF)
    second = build_course(shuffled, "CL-017", study=STUDY, as_of=AS_OF)
    assert _figure(first) == _figure(second)


def test_build_course__takes_only_the_rows_of_its_subject():
    both = {
        name: pd.concat([one, two], ignore_index=True)
        for (name, one), two in zip(
            child_tables().items(),
            child_tables(subject="CL-001", arm="low", until=10.5).values(),
            strict=True,
        )
    }
    assert len(build_course(both, "CL-001", study=STUDY, as_of=AS_OF).series["car_vcn"]) < 20
    alone = build_course(child_tables(), "CL-017", study=STUDY, as_of=AS_OF)
    assert _figure(build_course(both, "CL-017", study=STUDY, as_of=AS_OF)) == _figure(alone)


def test_build_course__unknown_subject_and_broken_time_are_refused():
    with pytest.raises(KeyError, match="CL-999"):
        build_course(child_tables(), "CL-999", study=STUDY, as_of=AS_OF)
    tables = child_tables()
    tables["subjects"].loc[0, "infusion_at"] = "yesterday"
    with pytest.raises(ContractError, match="yesterday"):
        build_course(tables, "CL-017", study=STUDY, as_of=AS_OF)


def test_build_course__few_events_are_no_failed_tube():
    rows = course_tables()
    for row in rows["phenotype"]:
        if row["visit"] == "M3":
            row.update(status="failed", reason="FEW_EVENTS", percent=math.nan)
    bars = {
        bar.visit_label: bar.failed
        for bar in build_course(conform(rows), "CL-017", study=STUDY, as_of=AS_OF).phenotype
    }
    assert bars["D21"]
    assert not bars["M3"]
