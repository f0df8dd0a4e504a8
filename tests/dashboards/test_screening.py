"""Screening: evidence behind each cell, what is missing, and a view that an address shows again."""

from corelab.figures.catalog import figure_catalog
from corelab.study import builtin_study
from dashboards.components.address import read_choice, read_option
from dashboards.components.pick import read_words
from dashboards.pages.screening import write_reason
from dashboards.views.screening import find_cd19_criterion, list_lacks, read_criteria, read_screening
from tests.dashboards.conftest import call, log_in


def test_read_criteria__are_those_of_the_study_in_words():
    criteria = read_criteria(builtin_study())

    assert len(criteria) == 35
    assert next(iter(criteria)) == "I01"
    assert criteria["I09a1"].title == "Lymphocytes"
    assert find_cd19_criterion(criteria) == "I06"


def test_list_lacks__names_what_stands_against_before_what_is_open(app, home):
    from dashboards.app import build_site

    site = build_site(home, clock=lambda: None)
    lacks = list_lacks(read_screening(site.cache.current(), home.study))

    assert [(lack.subject_id, lack.criterion, lack.mark) for lack in lacks] == [
        ("CL-003", "E06a", "fails"),
        ("CL-003", "I06", "open"),
        ("CL-003", "I10", "open"),
    ]
    assert write_reason(site, lacks[2].reason) == "missing: labs.csv SCR ANA"
    assert write_reason(site, "SOMETHING_ELSE; NO_SCREENING_TUBE") == (
        "SOMETHING_ELSE; no B-cell tube of screening"
    )


def test_drawer__shows_value_limit_reason_exception_and_version(app, client):
    log_in(client, "ortiz")

    shown = str(call(client, app, "screening-drawer.children", ["I09b3", "CL-002", ""]).json)

    for part in (
        "31.0",
        "µmol/L",
        "≤3.0 × ULN (61.5)",
        "gilbert by li.wei",
        "NCT06904729/1",
        "Total bilirubin",
    ):
        assert part in shown
    assert '"hidden": False' in shown.replace("'", '"')


def test_drawer__shows_the_cd19_call_with_interval_counts_and_control(app, client):
    log_in(client, "chen")

    shown = str(call(client, app, "screening-drawer.children", ["I06", "CL-001", ""]).json)

    assert "95 % CI 96.3–97.9 % of 2" in shown
    assert "own FMO tube" in shown


def test_drawer__stays_shut_for_what_is_not_there(app, client):
    log_in(client, "ortiz")

    for sent in (None, [], ["I99", "CL-001", ""], "I06", [1, 2, 3], ["x" * 500, "y", ""]):
        answer = call(client, app, "screening-drawer.children", sent).json["response"]
        assert answer["screening-drawer"]["hidden"] is True
        assert answer["screening-aside"]["hidden"] is False


def test_charts__follow_the_filters(app, client):
    log_in(client, "ortiz")
    viewport = {"width": 1440, "height": 900}

    answer = call(client, app, "screening-matrix.figure", "ineligible", "unresolved", viewport, "dark").json
    figure = answer["response"]["screening-matrix"]["figure"]

    cells = next(trace for trace in figure["data"] if trace["name"] == "cells")
    assert {words[1] for row in cells["customdata"] for words in row if words} == {"CL-003"}
    assert len(cells["customdata"]) == 4  # three criteria and the space before the exclusions


def test_address__gives_back_choice_and_options():
    assert read_choice({"open": "I06~CL-001"}) == ["I06", "CL-001", ""]
    assert read_choice({}) is None
    assert read_option({"verdict": "pending"}, "verdict", ("all", "pending")) == "pending"
    assert read_option({"verdict": "nonsense"}, "verdict", ("all", "pending")) == "all"
    assert read_words(["a", "b", "said"], 2) == ("a", "b")
    assert read_words("ab", 2) is None


def test_words__marks_are_the_same_in_page_and_figure():
    from corelab.figures.catalog import read_catalog
    from dashboards.app import WORDS

    page, figure = read_catalog(WORDS["en"]), figure_catalog()
    for mark in ("passes", "by_exception", "fails", "open"):
        assert page.text(f"screening.mark.{mark}") == figure.text(f"screening.mark.{mark}")


def test_patient__before_infusion_shows_what_screening_found(app, client, home):
    log_in(client, "ortiz")
    tables = home.snapshots.current()
    subjects = tables.table("subjects")
    (child,) = subjects.loc[subjects["infusion_at"] == "", "subject_id"].head(1)
    page = str(call(client, app, "page.children", f"/patients/{child}", "").json)

    judged = tables.table("eligibility").query("subject_id == @child")
    verdict = judged.loc[judged["criterion"] == "OVERALL", "state"].item()
    assert verdict in page
    assert "patient-graph" not in page
    against = judged.query("criterion != 'OVERALL'")
    open_ones = set(against.loc[against["state"] == "not_evaluable", "criterion"])
    assert open_ones
    assert {name for name in open_ones if f"/screening?open={name}~{child}" not in page} == set()
    measured = tables.table("measurements").query("subject_id == @child and name == 'UPCR'")
    assert measured.empty or "UPCR" in page
