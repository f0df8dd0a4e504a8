import re

import pytest
import yaml

from corelab.cytometry.template import list_meanings, load_template, parse_template
from corelab.errors import ConfigError
from corelab.vocabulary import (
    B_SUBSETS,
    COMMON_POPULATIONS,
    T_COMPARTMENTS,
    T_MARKER_SUBSETS,
    T_MEMORY_SUBSETS,
    Panel,
)

PARENTS = {
    "events": "", "time_ok": "events", "beads": "time_ok", "singlets": "time_ok", "live": "singlets",
    "leukocytes": "live", "lymphocytes": "leukocytes", "t_cells": "lymphocytes", "cd4_t": "t_cells",
    "cd8_t": "t_cells", "car_t": "t_cells", "car_cd4": "car_t", "car_cd8": "car_t", "car_neg_t": "t_cells",
    "car_neg_cd4": "car_neg_t", "car_neg_cd8": "car_neg_t", "b_cells": "lymphocytes",
    "b_reference": "lymphocytes", "cd19_positive": "b_reference",
}  # fmt: skip


def visible(panel):
    return {rule.name: rule.parent for rule in load_template(panel).populations if not rule.hidden}


def test_load_template__names_every_population_of_the_cart_panel():
    subsets = {
        f"{x}.{s}": x for x in T_COMPARTMENTS for s in (*T_MEMORY_SUBSETS, "naive_or_scm", *T_MARKER_SUBSETS)
    }
    tree = ("cd4_t", "cd8_t", "car_t", "car_cd4", "car_cd8", "car_neg_t", "car_neg_cd4", "car_neg_cd8")
    expected = {name: PARENTS[name] for name in (*COMMON_POPULATIONS, *tree)} | subsets
    assert visible("cart") == expected


def test_load_template__names_every_population_of_the_b_cell_panel():
    names = (*COMMON_POPULATIONS, "b_cells", "b_reference", "cd19_positive")
    own = {name: PARENTS[name] for name in names} | dict.fromkeys(B_SUBSETS, "b_cells")
    assert visible("bcell") == own | {"nk_cells": "lymphocytes"}


@pytest.mark.parametrize("panel", ["cart", "bcell"])
def test_load_template__defines_every_population_in_words(panel):
    for rule in load_template(panel).populations:
        assert rule.definition
        assert rule.cell_ontology == "" or re.fullmatch(r"CL:\d{7}", rule.cell_ontology)


def test_load_template__reads_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(minimal())
    assert load_template(path).version == "7"


@pytest.mark.parametrize("panel", ["tcell", "/nowhere/x.yaml"])
def test_load_template__refuses_an_unknown_panel(panel):
    with pytest.raises(ConfigError, match="no panel"):
        load_template(panel)


def minimal(**changes):
    data = {
        "panel": "cart", "version": 7,
        "markers": {"required": ["CD3"]},
        "limits": {"minimum": {"population": "t_cells", "warn": 2, "fail": 1}},
        "cuts": {"CD3": {"marker": "CD3", "valley": "deepest", "within": "events", "default": 5}},
        "populations": [
            {"name": "events", "definition": "all"},
            {"name": "t_cells", "parent": "events", "all": ["CD3+"], "definition": "T"},
        ],
    }  # fmt: skip
    return yaml.safe_dump(data | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "no YAML"),
        ("- 1", "no mapping"),
        ("panel: cart", "the key 'cuts' is missing"),
        (minimal(panel="tcell"), "panels"),
        (minimal(markers={"required": ["CD3", "CD4"]}, cuts={"X": {"marker": "CD99"}}), "no alias"),
        (minimal(markers={"required": []}), "outside the panel"),
        (minimal(cuts={"CD3": {"marker": "CD3", "stand_in": "CD4"}}), "outside the panel"),
        (minimal(populations=[{"name": "t_cells", "parent": "events", "definition": "T"}]), "too early"),
        (minimal(populations=[{"name": "events", "definition": "", "all": ["CD4+"]}]), "cuts of events"),
        (minimal(populations=[{"name": "events", "definition": "", "all": ["CD4"]}]), "no term"),
        (minimal(populations=[{"name": "events", "definition": "", "gate": "magic"}]), "gates of"),
        (minimal(expression=["b_cells"]), "populations: b_cells"),
    ],
)
def test_parse_template__refuses_what_contradicts_itself(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_template(text, place="mine.yaml")


def test_list_meanings__explains_every_reported_population_once_in_plain_words():
    meanings = {one.name: one for one in list_meanings()}
    reported = {name for panel in Panel for name in visible(panel)}
    assert set(meanings) == reported
    assert len(meanings) == len(list_meanings())
    for one in meanings.values():
        assert len(one.definition) >= 15, one.name
        assert not one.cell_ontology or re.fullmatch(r"CL:\d{7}", one.cell_ontology)
    assert meanings["cd8_t.em"].cell_ontology == "CL:0000913"
    assert meanings["car_t"].cell_ontology == ""
