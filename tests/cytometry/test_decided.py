"""What people decided comes first: limits, shapes, whole trees, and what cannot be used."""

import json

import numpy as np
import pytest

from corelab.cytometry.gating import gate_acquisition, gate_bytes
from corelab.cytometry.interchange.model import (
    Bound,
    Dimension,
    Gate,
    GateTree,
    Linear,
    Polygon,
    Rectangle,
)
from corelab.cytometry.interchange.revision import (
    Decision,
    Kind,
    decide_cut,
    decide_labels,
    decide_shape,
    note_refusal,
    take_back,
)
from corelab.cytometry.records import Prior
from corelab.cytometry.template import load_template
from corelab.errors import InputError
from corelab.vocabulary import GateSource
from tests.cytometry.acquisitions import MARKERS, make_acquisition, make_t_cells
from tests.ingest.fcs_files import build_float_fcs

KINDS = {"cd4_naive": 900, "cd4_em": 700, "cd8_temra": 800, "car_cd8_em": 300, "b": 400, "debris": 300}
CHANNEL = {marker: f"D{i}-A" for i, marker in enumerate(MARKERS)}
CART = load_template("cart")


@pytest.fixture(scope="module")
def tube():
    return make_t_cells(KINDS, seed=1)[0]


@pytest.fixture(scope="module")
def fitted(tube):
    return gate_acquisition(tube, template=CART)


def box(name, *, parent="", stored=None, **limits):
    """A gate above a limit in each named marker."""
    bounds = tuple(
        Bound(dimension=Dimension(channel=CHANNEL[marker]), low=low, high=None)
        for marker, low in limits.items()
    )
    geometry = Rectangle(bounds=bounds)
    return Gate(name=name, label=name, parent=parent, geometry=geometry, stored_count=stored)


def tree(*gates):
    return GateTree(gates={gate.name: gate for gate in gates})


def row(gated, population):
    return next(one for one in gated.counts if one.population == population)


def column(tube, marker):
    return tube.events[:, tube.detectors.index(CHANNEL[marker])]


def is_nested(gated):
    """Whether every population lies inside its parent."""
    return all(
        not (gated.membership[one.population] & ~gated.membership[one.parent]).any()
        for one in gated.counts
        if one.parent in gated.membership and one.population in gated.membership
    )


def test_gate_acquisition__takes_a_persons_limit_and_says_so(tube, fitted):
    decision = decide_cut("CAR", 2500.0)
    gated = gate_acquisition(tube, template=CART, decisions=[decision])
    inside = fitted.membership["t_cells"]
    expected = int((column(tube, "CAR")[inside] > 2500.0).sum())
    car = row(gated, "car_t")
    assert (car.count, car.gate_source, car.status) == (expected, "manual", "quantified")
    assert car.gate_version == f"cart/1+1#{decision.version}"
    cut = next(one for one in gated.cuts if one.gate == "CAR")
    assert (cut.cut, cut.source, cut.score, cut.recipe) == (2500.0, "manual", 1.0, "decided")
    assert row(gated, "t_cells") == row(fitted, "t_cells")
    assert row(gated, "car_neg_t").gate_source == "manual"


def test_gate_acquisition__takes_a_drawn_shape_inside_its_parent(tube, fitted):
    shape = decide_shape("car_t", tree(box("mine", CAR=1500.0)), "mine", source=GateSource.MANUAL)
    gated = gate_acquisition(tube, template=CART, decisions=[shape])
    expected = fitted.membership["t_cells"] & (column(tube, "CAR") >= 1500.0)
    assert np.array_equal(gated.membership["car_t"], expected)
    assert row(gated, "car_t").gate_source == "manual"
    assert row(gated, "car_t").parent_count == row(fitted, "t_cells").count
    assert is_nested(gated)


def test_gate_acquisition__gives_a_whole_tree_its_own_counts(tube, fitted):
    """A workspace that gates T cells straight from all events is not cut by fitted gates above."""
    drawn = tree(box("T", CD3=-100.0), box("T/CD8", parent="T", CD8=4000.0))
    decisions = [
        decide_shape(p, drawn, g, source=GateSource.FLOWJO) for p, g in (("t_cells", "T"), ("cd8_t", "T/CD8"))
    ]
    gated = gate_acquisition(tube, template=CART, decisions=decisions)
    t = column(tube, "CD3") >= -100.0
    assert (t & ~fitted.membership["lymphocytes"]).any()
    assert np.array_equal(gated.membership["t_cells"], t)
    assert np.array_equal(gated.membership["cd8_t"], t & (column(tube, "CD8") >= 4000.0))
    assert [row(gated, name).gate_source for name in ("t_cells", "cd8_t", "cd4_t")] == [
        "flowjo",
        "flowjo",
        "auto",
    ]
    assert is_nested(gated)


def test_gate_acquisition__keeps_a_whole_tree_inside_what_was_decided_above(tube):
    drawn = tree(box("T", CD3=3000.0), box("T/CD8", parent="T", CD8=4000.0))
    decisions = [
        decide_cut("CD3", 12_000.0),
        decide_shape("cd8_t", drawn, "T/CD8", source=GateSource.GATINGML),
    ]
    gated = gate_acquisition(tube, template=CART, decisions=decisions)
    assert not (column(tube, "CD3")[gated.membership["cd8_t"]] <= 12_000.0).any()
    assert row(gated, "t_cells").gate_source == "manual"
    assert is_nested(gated)


def test_gate_acquisition__fits_what_a_shape_cannot_say_here(tube, fitted):
    lost = Gate(
        name="T", label="T", parent="",
        geometry=Rectangle(bounds=(Bound(dimension=Dimension(channel="V1-A"), low=1.0, high=None),)),
    )  # fmt: skip
    decisions = [
        decide_shape("t_cells", tree(lost), "T", source=GateSource.GATINGML),
        decide_cut("CD99", 10.0),
        note_refusal("T/odd", "a spider", GateSource.FLOWJO),
    ]
    gated = gate_acquisition(tube, template=CART, decisions=decisions)
    assert gated.counts == fitted.counts
    reasons = [one.reason for one in gated.findings if one.check == "GATE_REFUSED"]
    assert len(reasons) == 3
    assert any("'V1-A' is not in the file" in reason for reason in reasons)
    assert "T/odd: a spider" in reasons
    assert "CD99: the template has no such cut" in reasons


def test_gate_acquisition__finds_counts_that_are_not_those_of_the_drawing(tube):
    def findings(stored):
        drawn = tree(box("T", stored=stored, CD3=3000.0))
        decision = decide_shape("t_cells", drawn, "T", source=GateSource.FLOWJO)
        gated = gate_acquisition(tube, template=CART, decisions=[decision])
        return [(one.value, one.limit) for one in gated.findings if one.check == "GATE_PARITY"]

    count = int((column(tube, "CD3") >= 3000.0).sum())
    assert findings(count) == []
    assert findings(count + 100) == [(count, count + 100)]


def test_gate_acquisition__fits_nothing_where_only_given_gates_count(tube):
    drawn = tree(box("T", CD3=3000.0), box("T/CD4", parent="T", CD4=3000.0))
    decision = decide_shape("cd4_t", drawn, "T/CD4", source=GateSource.GATINGML)
    gated = gate_acquisition(tube, template=CART, decisions=[decision], only_decided=True)
    expected = (column(tube, "CD3") >= 3000.0) & (column(tube, "CD4") >= 3000.0)
    cd4 = row(gated, "cd4_t")
    assert (cd4.count, cd4.parent_count, cd4.gate_source) == (int(expected.sum()), None, "gatingml")
    assert {one.count for one in gated.counts if one.gate_source == ""} == {None, tube.n_events}
    assert {one.reason for one in gated.counts if one.population not in ("events", "cd4_t")} == {"NOT_GIVEN"}
    assert gated.cuts == ()


def test_gate_acquisition__names_markers_from_decided_labels():
    acquisition, _ = make_t_cells(KINDS, seed=1)
    bare = make_acquisition({d: acquisition.events[:, i] for i, d in enumerate(acquisition.detectors)})
    named = gate_acquisition(bare, template=CART, decisions=[
        decide_labels({channel: marker for marker, channel in CHANNEL.items()}, GateSource.FLOWJO)
    ])  # fmt: skip
    assert row(gate_acquisition(bare, template=CART), "t_cells").status == "missing"
    assert row(named, "t_cells") == row(gate_acquisition(acquisition, template=CART), "t_cells")


def test_gate_acquisition__takes_a_polygon_on_scales():
    tube, _ = make_t_cells(KINDS, seed=1)
    scale = Linear(t=10_000.0, a=0.0)
    dimensions = tuple(Dimension(channel=CHANNEL[m], scale="lin") for m in ("CD4", "CD8"))
    line = Polygon(dimensions=dimensions, vertices=((0.3, -1.0), (9.0, -1.0), (9.0, 0.4), (0.3, 0.4)))
    gate = Gate(name="P", label="P", parent="", geometry=line)
    drawn = GateTree(gates={"P": gate}, scales={"lin": scale})
    decision = decide_shape("cd4_t", drawn, "P", source=GateSource.MANUAL)
    gated = gate_acquisition(tube, template=CART, decisions=[decision])
    x, y = (column(tube, m) / 10_000.0 for m in ("CD4", "CD8"))
    inside = (x >= 0.3) & (x <= 9.0) & (y >= -1.0) & (y <= 0.4) & gated.membership["t_cells"]
    assert np.array_equal(gated.membership["cd4_t"], inside)


def test_gate_acquisition__survives_refitting_with_other_evidence(tube):
    """Priors and controls move fitted limits, never a person's."""
    decision = decide_cut("CAR", 2500.0)
    for priors in ({}, {"CAR": Prior(units=3.0, linear=600.0)}, {"CAR": Prior(units=30.0, linear=6000.0)}):
        gated = gate_acquisition(tube, template=CART, decisions=[decision], priors=priors)
        assert (
            row(gated, "car_t").count
            == row(gate_acquisition(tube, template=CART, decisions=[decision]), "car_t").count
        )


@pytest.mark.parametrize("content", ["[]", '"x"', "{", "null"])
def test_gate_acquisition__refuses_a_stored_limit_that_is_none(tube, content):
    decision = Decision(kind=Kind.CUT, gate="CAR", content=content, source=GateSource.MANUAL)
    with pytest.raises(InputError, match="expected a number"):
        gate_acquisition(tube, template=CART, decisions=[decision])
    assert json.loads(decide_cut("CAR", 1.0).content) == 1.0


def test_gate_bytes__tries_a_decision_and_takes_it_back(tube, fitted):
    keywords = {f"$P{i}S": label for i, label in enumerate(tube.labels, start=1)}
    data = build_float_fcs(tube.events, names=tube.detectors, keywords=keywords)
    standing, tried = decide_cut("CAR", 2500.0), decide_cut("CAR", 1500.0)
    gated = gate_bytes(data, name="a.fcs", template=CART, decisions=[standing, tried])
    assert next(one.cut for one in gated.cuts if one.gate == "CAR") == 1500.0
    plain = gate_bytes(data, name="a.fcs", template=CART, decisions=[standing, take_back(standing)])
    assert row(plain, "car_t").gate_source == "auto"
