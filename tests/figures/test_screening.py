"""The screening matrix: what passes is quiet, what does not is told by shape and word."""

import itertools
import json

import pandas as pd
import pytest

from corelab.figures.catalog import figure_catalog
from corelab.figures.cd19 import cd19_figure
from corelab.figures.forest import ForestLine, ForestRow, place_lines
from corelab.figures.screening import screening_figure
from corelab.figures.screening_data import (
    build_screening,
    count_verdicts,
    name_mark,
    select_screening,
    share_threshold,
)
from tests.dashboards.trial import make_tables

CATALOG = figure_catalog()
ORDER = ["I01", "I02", "I04", "I06", "I09a1", "I09b1", "I09b3", "I10", "E01", "E06a"]
LOOK = {"width": 980, "height": 700, "scheme": "light", "catalog": CATALOG}


@pytest.fixture(scope="module")
def screening():
    return build_screening(make_tables()["eligibility"], ORDER)


def cells_of(figure):
    cells = next(trace for trace in figure["data"] if trace["name"] == "cells")
    return {(words[0], words[1]): words[2] for row in cells["customdata"] for words in row if words}


def marks_of(figure, mark):
    return next(trace for trace in figure["data"] if trace["name"] == mark)


def test_build_screening__keeps_the_order_of_the_protocol_and_reads_the_verdicts(screening):
    assert list(screening.criteria) == ORDER
    assert [child.verdict for child in screening.candidates] == ["eligible", "eligible", "ineligible"]
    assert screening.candidates[2].deciding == ("E06a",)
    assert count_verdicts(screening) == {"eligible": 2, "pending": 0, "ineligible": 1}


@pytest.mark.parametrize(
    ("criterion", "state", "exception", "mark"),
    [
        ("I06", "met", "", "passes"),
        ("I06", "not_met", "", "fails"),
        ("E01", "met", "", "fails"),
        ("E01", "not_met", "", "passes"),
        ("I09b3", "met", "gilbert", "by_exception"),
        ("E06a", "not_evaluable", "", "open"),
    ],
)
def test_name_mark__an_exclusion_passes_where_it_does_not_apply(criterion, state, exception, mark):
    assert name_mark(criterion, state, exception) == mark


def test_select_screening__keeps_one_verdict_and_what_is_unresolved(screening):
    kept = select_screening(screening, verdict="ineligible", only_open=True)

    assert [child.subject_id for child in kept.candidates] == ["CL-003"]
    assert list(kept.criteria) == ["I06", "I10", "E06a"]


def test_share_threshold__leaves_out_the_limit_of_one_laboratory(screening):
    assert share_threshold(screening.row("I09b1")) == "≤3 × ULN (120)"
    assert share_threshold(screening.row("I09b3")) == ""
    assert share_threshold(screening.row("I10")) == "≥1:80"


def test_screening_figure__every_cell_says_whose_which_and_what(screening):
    figure = screening_figure(screening, {"I10": "Antinuclear antibody"}, **LOOK)

    said = cells_of(figure)
    assert len(said) == 30
    assert said["I10", "CL-003"] == (
        "CL-003 · I10 Antinuclear antibody · not evaluable · MISSING labs.csv SCR ANA"
    )
    assert said["I09a1", "CL-001"] == "CL-001 · I09a1 · passes · 1.833 10^9/L"
    json.dumps(figure, allow_nan=False)


def test_screening_figure__tells_marks_apart_by_shape(screening):
    figure = screening_figure(screening, {}, **LOOK)

    assert len(marks_of(figure, "fails")["x"]) == 1
    assert len(marks_of(figure, "open")["x"]) == 2
    assert len(marks_of(figure, "by_exception")["x"]) == 1
    shapes = [marks_of(figure, mark)["marker"] for mark in ("passes", "by_exception", "fails", "open")]
    assert len({(look["symbol"], look["line"]["width"] > 0) for look in shapes}) == 4


def test_screening_figure__writes_words_only_where_they_have_room(screening):
    wide = screening_figure(screening, {}, **LOOK)
    narrow = screening_figure(screening, {}, **{**LOOK, "width": 380})

    assert "negative" in marks_of(wide, "values")["text"]
    assert not [trace for trace in narrow["data"] if trace["name"] == "values"]
    assert any("eligible" in note["text"] for note in wide["layout"]["annotations"])
    assert {note.get("textangle") for note in narrow["layout"]["annotations"]} == {None, -90}


def test_screening_figure__says_when_nobody_matches(screening):
    figure = screening_figure(select_screening(screening, verdict="pending"), {}, **LOOK)

    assert figure["data"] == []
    assert "No child matches" in figure["layout"]["annotations"][0]["text"]


def test_cd19_figure__draws_interval_count_and_control():
    rows = pd.DataFrame([
        {"subject_id": "CL-001", "call": "negative", "percent_cd19": 11.4, "ci_low": 9.98, "ci_high": 12.94,
         "n_b_reference": 1842, "threshold_source": "fmo"},
        {"subject_id": "CL-002", "call": "not_evaluable", "percent_cd19": float("nan"),
         "ci_low": float("nan"), "ci_high": float("nan"), "n_b_reference": None, "threshold_source": ""},
    ])  # fmt: skip
    figure = cd19_figure(rows, cutoff=20.0, criterion="I06", size=(350, 200), scheme="dark", catalog=CATALOG)

    assert marks_of(figure, "interval")["x"] == [9.98, 12.94, None]
    assert marks_of(figure, "numbers")["text"] == ["1\u202f842 · FMO", "no tube · no control"]
    share = marks_of(figure, "share")
    assert share["marker"]["symbol"] == ["x-thin-open"]
    assert share["customdata"][0][:2] == ["I06", "CL-001"]
    assert "(95 % CI 10.0–12.9) of 1\u202f842 reference B cells" in share["customdata"][0][2]
    assert any(shape.get("x0") == 20.0 for shape in figure["layout"]["shapes"])
    json.dumps(figure, allow_nan=False)


def test_place_lines__keeps_lines_readable_however_many_there_are():
    line = ForestLine(share=50, low=1, high=99, colour="low", text="")
    places, extent = place_lines([ForestRow(label="a", lines=(line,))] * 80, available=100)

    assert all(after - before > 10.99 for before, after in itertools.pairwise(places))
    assert places[-1] < extent
