# ruff: noqa: E501 - a row of a table, or of cases, reads best on one line
import datetime as dt
import json
import math

import pandas as pd
import plotly.graph_objects as go
import pytest

from corelab.figures.catalog import figure_catalog
from corelab.figures.home import (
    count_overview,
    overlay_reviews,
    overview_figure,
    overview_height,
    summarise_overview,
)
from corelab.figures.overview import name_stage
from corelab.figures.tokens import LIGHT, SCHEMES
from corelab.study import builtin_study
from corelab.tables.schemas import SCHEMAS
from tests.figures.trial import AS_OF, add_arrivals, at, cohort_tables, conform, keys, subject_row

STUDY = builtin_study()
CATALOG = figure_catalog()
LOOK = {"width": 1040, "height": 640, "scheme": "light", "catalog": CATALOG}


def _tables(populations=(), measurements=(), subjects=None):
    rows = {name: [] for name in SCHEMAS}
    rows["subjects"] = subjects or [subject_row("CL-001", "high")]
    rows["populations"] = list(populations)
    rows["measurements"] = list(measurements)
    return conform(rows)


def _tube(visit, day, panel, qc="pass", tube="full", file_id=""):
    return {
        **keys("CL-001", "high", visit, day), "file_id": file_id or f"{visit}{panel}{tube}", "panel": panel, "tube": tube,
        "population": "events", "status": "quantified", "qc": qc,
    }  # fmt: skip


def _measured(visit, day, assay, status="quantified", name="X"):
    return {
        **keys("CL-001", "high", visit, day), "assay": assay, "name": name, "metric": "result", "value": 1.0, "unit": "1",
        "status": status, "source_id": f"{assay}:{visit}",
    }  # fmt: skip


def _states(tables, as_of=AS_OF):
    overview = summarise_overview(tables, STUDY, as_of)
    return {(row["visit"], row["assay"]): row["state"] for row in overview.to_dict(orient="records")}


def test_summarise_overview__expects_what_the_schedule_expects():
    states = _states(_tables())
    assert ("SCR", "flow") in states
    assert ("SCR", "qpcr") not in states
    assert ("M6", "cytokine") not in states
    assert {visit for visit, _ in states} == {visit.code for visit in STUDY.visits} - {"UNS", "ET"}


def test_summarise_overview__closed_is_missing_open_or_ahead_is_not_due():
    states = _states(_tables(), dt.datetime.fromisoformat(at(14)))
    assert states["D10", "flow"] == "missing"
    assert states["D14", "flow"] == "not_due"
    assert states["M24", "laboratory"] == "not_due"
    assert states["SCR", "flow"] == "missing"


def test_summarise_overview__both_panels_are_needed_and_the_worse_counts():
    one = _tables([_tube("D14", 14, "cart")])
    assert _states(one)["D14", "flow"] == "missing"
    both = _tables([_tube("D14", 14, "cart"), _tube("D14", 14, "bcell")])
    assert _states(both)["D14", "flow"] == "done"
    failed = _tables([_tube("D14", 14, "cart", qc="fail"), _tube("D14", 14, "bcell")])
    assert _states(failed)["D14", "flow"] == "failed"


def test_summarise_overview__a_passing_repeat_heals_a_failed_tube_and_controls_do_not_count():
    repeat = _tables([_tube("D3", 3, "cart", qc="fail"), _tube("D3", 3, "cart", file_id="again")])
    assert _states(repeat)["D3", "flow"] == "done"
    control = _tables([_tube("D3", 3, "cart", tube="fmo_car")])
    assert _states(control)["D3", "flow"] == "missing"


def test_summarise_overview__failed_values_and_missing_rows_are_told_apart():
    states = _states(
        _tables(
            measurements=[_measured("D7", 7, "qpcr", "failed"), _measured("D7", 7, "cytokine", "missing")]
        )
    )
    assert states["D7", "qpcr"] == "failed"
    assert states["D7", "cytokine"] == "missing"
    assert _states(_tables(measurements=[_measured("D7", 7, "qpcr", "not_detected")]))["D7", "qpcr"] == "done"


def test_summarise_overview__before_infusion_nothing_is_missing():
    tables = _tables([_tube("SCR", -20, "bcell")], subjects=[subject_row("CL-001", "", "")])
    states = _states(tables)
    assert states["SCR", "flow"] == "done"
    assert "missing" not in states.values()


def test_summarise_overview__nothing_is_missing_after_the_end_of_follow_up():
    over = {**_measured("UNS", 40, "assessment", name="disposition:withdrawal"), "metric": "result"}
    states = _states(_tables(measurements=[over]))
    assert states["D28", "flow"] == "missing"
    assert states["M3", "flow"] == "not_due"


def test_count_overview__counts_children_and_states():
    subjects = [subject_row("CL-001", "high"), subject_row("CL-002", "", "")]
    overview = summarise_overview(
        _tables([_tube("D3", 3, "cart", qc="fail")], subjects=subjects),
        STUDY,
        dt.datetime.fromisoformat(at(4.5)),
    )
    counts = count_overview(overview)
    assert (counts.enrolled, counts.infused, counts.failed, counts.done) == (2, 1, 1, 0)
    assert counts.missing == sum(overview["state"] == "missing") == 18


@pytest.mark.parametrize(
    ("day", "visits", "stage"),
    [
        (math.nan, ["SCR"], ("screening", 0)),
        (math.nan, ["SCR", "LD"], ("lymphodepletion", 0)),
        (0, [], ("day", 0)),
        (44, [], ("day", 44)),
        (61, [], ("month", 2)),
        (731, [], ("month", 24)),
    ],
)
def test_name_stage__from_screening_to_months(day, visits, stage):
    assert name_stage(day, visits) == stage


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("children", [0, 1, 6, 50])
def test_overview_figure__is_valid_plotly(children, scheme):
    tables = add_arrivals(cohort_tables(children), STUDY) if children else _empty()
    figure = overview_figure(summarise_overview(tables, STUDY, AS_OF), **{**LOOK, "scheme": scheme})
    go.Figure(figure)
    json.dumps(figure, allow_nan=False)


def _empty():
    return {name: schema.empty() for name, schema in SCHEMAS.items()}


def test_overview_figure__draws_every_state_once_and_by_shape():
    overview = summarise_overview(add_arrivals(cohort_tables(6), STUDY), STUDY, AS_OF)
    figure = overview_figure(overview, **LOOK)
    pips = {t["name"]: t for t in figure["data"] if t.get("name") in ("done", "missing", "failed", "not_due")}
    assert sum(len(trace["x"]) for trace in pips.values()) == len(overview)
    assert len({trace["marker"]["symbol"] for trace in pips.values()}) == 4
    assert pips["missing"]["marker"]["color"] == LIGHT.body
    assert all(data[3] == "failed" for data in pips["failed"]["customdata"])


def test_overview_figure__claims_no_review():
    overview = summarise_overview(add_arrivals(cohort_tables(3), STUDY), STUDY, AS_OF)
    words = json.dumps(overview_figure(overview, **LOOK), ensure_ascii=False).lower()
    assert "received" in words
    assert "signed" not in words
    assert "review" not in words


def test_overview_figure__pips_of_a_visit_do_not_touch_those_of_the_next():
    overview = summarise_overview(add_arrivals(cohort_tables(2), STUDY), STUDY, AS_OF)
    figure = overview_figure(overview, **LOOK)
    places = {
        (d[1], d[2]): x
        for t in figure["data"]
        if t.get("name") in ("done", "missing", "not_due", "failed")
        for d, x in zip(t["customdata"], t["x"], strict=True)
    }
    assert places["D1", "qpcr"] - places["D1", "flow"] == pytest.approx(0.21)
    assert places["D3", "flow"] - places["D1", "laboratory"] > 0.3


@pytest.mark.parametrize(
    ("children", "available", "row"), [(50, 640, 11.56), (6, 640, 30.0), (200, 640, 11.0), (1, 640, 30.0)]
)
def test_overview_height__eleven_to_thirty_px_a_child(children, available, row):
    assert overview_height(children, available) == pytest.approx(62 + row * children, abs=1.0)


def test_summarise_overview__order_of_rows_does_not_matter():
    tables = add_arrivals(cohort_tables(5), STUDY)
    shuffled = {
        name: table if name == "subjects" else table.sample(frac=1, random_state=1)
        for name, table in tables.items()
    }
    pd.testing.assert_frame_equal(
        summarise_overview(tables, STUDY, AS_OF), summarise_overview(shuffled, STUDY, AS_OF)
    )


def test_overlay_reviews__tells_what_is_signed_from_what_is_not():
    overview = summarise_overview(add_arrivals(cohort_tables(3), STUDY), STUDY, AS_OF)
    came = overview["state"] == "done"
    first = overview[came].iloc[0]
    shown = overlay_reviews(overview, {(first["subject_id"], first["visit"]): "signed"})

    mine = (shown["subject_id"] == first["subject_id"]) & (shown["visit"] == first["visit"])
    assert set(shown.loc[came & mine, "state"]) == {"signed"}
    assert set(shown.loc[came & ~mine, "state"]) == {"review"}
    assert (shown.loc[~came, "state"] == overview.loc[~came, "state"]).all()
    words = json.dumps(overview_figure(shown, **LOOK), ensure_ascii=False).lower()
    assert "to review" in words
    assert "received" not in words
