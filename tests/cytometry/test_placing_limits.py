"""Where limits lie: other visits, few events, two groups, levels of one marker."""

import dataclasses

import numpy as np
import pytest

from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.groups import fit_two_groups
from corelab.cytometry.recipes import from_axis, to_axis
from corelab.cytometry.records import Prior
from corelab.cytometry.template import load_template
from corelab.cytometry.tube import prepare_tube
from corelab.vocabulary import Panel
from tests.cytometry.acquisitions import make_acquisition, make_t_cells
from tests.validation.gate_tubes import draw_tube

CART, BCELL = load_template("cart"), load_template("bcell")


def f1(found, true):
    return 2 * (found & true).sum() / (found.sum() + true.sum())


def cut(gated, name):
    return next(c for c in gated.cuts if c.gate == name)


def test_gate_acquisition__takes_the_limit_of_other_visits_before_the_template():
    acquisition, _ = make_t_cells({"cd4_em": 30, "b": 20}, seed=1)
    prior = Prior(units=7.0, linear=5000.0)
    gated = gate_acquisition(acquisition, template=CART, priors={"CAR": prior, "CD45RA": prior})
    tube = prepare_tube(acquisition, template=CART)
    car, cd45ra = cut(gated, "CAR"), cut(gated, "CD45RA")
    assert (car.source, cd45ra.source) == ("other_visit", "other_visit")
    assert car.cut == 7.0 * tube.scales[tube.column("CAR")]
    assert cd45ra.cut == 5000.0, "the noise of this channel is not known: 8 values below zero"
    assert "its noise is not known" in cd45ra.reason
    assert cut(gated, "PD-1").reason == "MARKER_MISSING"
    assert cut(gated, "CCR7").source == "template"


def test_gate_acquisition__averages_a_small_reference_with_other_visits():
    acquisition, _ = make_t_cells({"cd4_em": 900, "cd8_em": 400, "b": 300}, seed=1)
    alone = cut(gate_acquisition(acquisition, template=CART), "CAR")
    prior = Prior(units=9.0, linear=2000.0)
    both = cut(gate_acquisition(acquisition, template=CART, priors={"CAR": prior}), "CAR")
    assert both.units == pytest.approx(np.sqrt(alone.units * 9.0), rel=1e-9)
    assert both.source == "auto"


def test_gate_acquisition__averages_nothing_where_no_noise_carries_a_limit_over():
    tube = draw_tube(96079, Panel.CART, kind="few")
    alone = gate_acquisition(tube.acquisition, template=CART)
    own = cut(alone, "CD45RA")
    assert np.isnan(own.units), "hardly a value below zero: the noise is a default"
    for prior in (Prior(units=11.0, linear=2000.0), Prior(units=np.nan, linear=2000.0)):
        gated = gate_acquisition(tube.acquisition, template=CART, priors={"CD45RA": prior})
        assert cut(gated, "CD45RA") == dataclasses.replace(own, units=cut(gated, "CD45RA").units)


@pytest.mark.parametrize(("seed", "marker"), [(96010, "CCR7"), (96029, "CD45RA")])
def test_gate_acquisition__no_limit_lies_in_the_middle_of_one_of_two_groups(seed, marker):
    """The left half of 85 cells, or a peak that holds both groups, put it there; two normals know better."""
    tube = draw_tube(seed, Panel.CART, kind="few")
    placed = cut(gate_acquisition(tube.acquisition, template=CART), marker)
    assert (placed.recipe, placed.reason) == ("groups", "")
    prepared = prepare_tube(tube.acquisition, template=CART)
    x = prepared.values(prepared.column(marker) or 0)
    subsets = ("naive", "scm", "cm") if marker == "CCR7" else ("naive", "scm", "temra")
    truly = np.logical_or.reduce([tube.truth[f"{t}.{s}"] for t in ("cd4_t", "cd8_t") for s in subsets])
    among = tube.truth["cd4_t"] | tube.truth["cd8_t"]
    assert f1((x > placed.cut) & among, truly) > 0.94


def test_gate_acquisition__goes_midway_where_two_far_groups_have_another_shape():
    """Four spreads of the left half were half as far as the best limit: F1 of CD4 central memory was 0.93."""
    tube = draw_tube(88016, Panel.CART)
    gated = gate_acquisition(tube.acquisition, template=CART)
    assert "groups of another shape: midway" in cut(gated, "CD45RA").reason
    assert f1(gated.membership["cd4_t.cm"], tube.truth["cd4_t.cm"]) > 0.95


@pytest.mark.parametrize("kept", ["transitional", "naive_b"])
def test_gate_acquisition__b_cells_of_one_level_are_named_by_its_height(kept):
    """B cells that return are nearly all transitional: no valley, and no group at rest to lie above."""
    tube = draw_tube(96023, Panel.BCELL, b=1500.0)
    left = ~tube.truth["b_cells"] | tube.truth[kept]
    acquisition = dataclasses.replace(tube.acquisition, events=np.asarray(tube.acquisition.events)[left])
    gated = gate_acquisition(acquisition, template=BCELL)
    assert f1(gated.membership[kept], tube.truth[kept][left]) > 0.97
    limit = cut(gated, "CD38_transitional")
    assert (limit.source, limit.recipe == "default") == (
        ("template", True) if kept == "transitional" else ("auto", False)
    )


def test_gate_acquisition__a_limit_between_levels_comes_from_other_visits_before_a_lone_group():
    tube = draw_tube(96023, Panel.BCELL, b=1500.0)
    left = ~tube.truth["b_cells"] | tube.truth["naive_b"]
    acquisition = dataclasses.replace(tube.acquisition, events=np.asarray(tube.acquisition.events)[left])
    prior = {"CD38_transitional": Prior(units=33.0, linear=9000.0)}
    placed = cut(gate_acquisition(acquisition, template=BCELL, priors=prior), "CD38_transitional")
    assert (placed.source, placed.units) == ("other_visit", 33.0)


def test_gate_acquisition__places_no_limit_below_zero():
    rng = np.random.default_rng(1)
    low = np.where(rng.random(4000) < 0.3, -6000, 0) + rng.normal(0, 200, 4000)
    columns = {"D0-A": low, "D1-A": rng.normal(0, 200, 4000)}
    gated = gate_acquisition(
        make_acquisition(columns, labels={"D0-A": "viability", "D1-A": "CD3"}), template=CART
    )
    assert cut(gated, "viability").cut > 0


def test_gate_acquisition__takes_two_groups_for_no_negative_one():
    """With few events a smear joins CCR7- and CCR7+ to one peak; its middle is no mode of negatives."""
    tube = draw_tube(5003, Panel.CART, n_events=1500)
    placed = cut(gate_acquisition(tube.acquisition, template=CART), "CCR7")
    assert 2 < placed.units < 12


def test_gate_acquisition__takes_the_gap_where_two_groups_stand_apart():
    """Negatives with a tail of dim light reach beyond four spreads; nothing lies between 9 and 14 of them."""
    rng = np.random.default_rng(11)
    light = np.concatenate([1.6 * np.exp(rng.normal(0, 0.7, 1500)), 40 * np.exp(rng.normal(0, 0.35, 1500))])
    values = 200 * (light + rng.normal(0, 1, 3000))
    columns = {"D0-A": 200 * rng.normal(60, 3, 3000), "D1-A": 200 * rng.normal(60, 3, 3000), "D2-A": values}
    columns |= {"D3-A": rng.normal(0, 200, 3000), "D4-A": 200 * rng.normal(60, 3, 3000)}
    labels = {"D0-A": "CD45", "D1-A": "CD3", "D2-A": "CD45RA", "D3-A": "CD8", "D4-A": "CD4"}
    debris = {name: np.concatenate([x, rng.normal(0, 200, 600)]) for name, x in columns.items()}
    placed = cut(gate_acquisition(make_acquisition(debris, labels=labels), template=CART), "CD45RA")
    truly = light > 15
    assert placed.recipe == "valley"
    assert f1(values > placed.cut, truly) > 0.99


def test_gate_acquisition__of_few_events_takes_no_side_between_two_descriptions():
    """The limit is midway, by logarithms, between that of two normals and that above the negatives alone."""
    tube = draw_tube(96_005, Panel.CART, n_events=1500).acquisition
    rules = {name: dataclasses.replace(rule, groups="") for name, rule in CART.cuts.items()}
    above = cut(gate_acquisition(tube, template=dataclasses.replace(CART, cuts=rules)), "CD45RA")
    gated = gate_acquisition(tube, template=CART)
    placed, scale = cut(gated, "CD45RA"), above.cut / above.units
    prepared = prepare_tube(tube, template=CART)
    x = prepared.values(prepared.column("CD45RA") or 0)[gated.membership["t_cells"]]
    two = fit_two_groups(to_axis(x, scale))
    assert two is not None
    assert (above.recipe, placed.recipe) == ("negative", "groups")
    assert "midway" in placed.reason
    assert placed.cut == pytest.approx(np.sqrt(from_axis(two.place_limit()[0], scale) * above.cut), rel=1e-3)
