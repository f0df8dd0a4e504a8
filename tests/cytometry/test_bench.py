"""Limits that a person tries: the same events as gating gives, one look at the events, no fitting."""

import statistics
import time

import numpy as np
import pytest

from corelab.cytometry.bench import find_dependents, find_touched, open_bench
from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.interchange.model import Bound, Dimension, Gate, GateTree, Rectangle
from corelab.cytometry.interchange.revision import decide_cut, decide_shape
from corelab.cytometry.records import Cut
from corelab.cytometry.template import load_template
from corelab.cytometry.tube import prepare_tube
from corelab.vocabulary import GateSource
from tests.cytometry.acquisitions import make_acquisition, make_t_cells

KINDS = {"cd4_naive": 900, "cd4_em": 700, "cd8_temra": 800, "car_cd8_em": 300, "b": 400, "debris": 300}
CART, BCELL = load_template("cart"), load_template("bcell")


@pytest.fixture(scope="module")
def acquisition():
    return make_t_cells(KINDS, seed=1)[0]


@pytest.fixture(scope="module")
def gated(acquisition):
    return gate_acquisition(acquisition, template=CART)


@pytest.fixture(scope="module")
def bench(acquisition, gated):
    return open_bench(prepare_tube(acquisition, template=CART), template=CART, name="full", cuts=gated.cuts)


def make_b_cells(n: int = 4000, seed: int = 3):
    """A B-cell tube of random light, where any of three markers is enough."""
    rng = np.random.default_rng(seed)
    markers = ("CD45", "CD3", "CD14", "CD19", "CD20", "CD22", "CD27", "IgD", "CD38", "CD24")
    columns = {f"D{i}-A": rng.normal(0, 200, n) + rng.integers(0, 2, n) * 6000 for i in range(len(markers))}
    return make_acquisition(columns, labels={f"D{i}-A": marker for i, marker in enumerate(markers)})


def make_cut(gate: str, marker: str, limit: float) -> Cut:
    return Cut(
        gate=gate, marker=marker, cut=limit, units=1.0, score=1.0, recipe="", source="auto", control="",
        n_reference=1, reason="",
    )  # fmt: skip


@pytest.fixture(scope="module")
def b_bench():
    tube = prepare_tube(make_b_cells(), template=BCELL)
    cuts = [
        make_cut(name, rule.marker, 3000.0 if tube.column(rule.marker) is not None else float("nan"))
        for name, rule in BCELL.cuts.items()
    ]
    return open_bench(tube, template=BCELL, name="full", cuts=cuts)


def test_open_bench__gives_the_events_of_the_run(bench, gated):
    for population, mask in gated.membership.items():
        assert np.array_equal(bench.select(population), mask), population
    absent = {row.population for row in gated.counts if row.count is None}
    assert absent
    assert all(bench.count(population) is None for population in absent)


def test_try_limits__gives_what_a_run_with_that_decision_gives(acquisition, bench):
    limit = 5000.0
    tried = bench.try_limits({"CAR": limit})
    run = gate_acquisition(acquisition, template=CART, decisions=[decide_cut("CAR", limit)])

    for population, mask in run.membership.items():
        assert np.array_equal(tried.select(population), mask), population
    assert bench.cuts["CAR"].source != GateSource.MANUAL
    assert tried.cuts["CAR"].source == GateSource.MANUAL
    assert tried.count("car_t")[0] < bench.count("car_t")[0]


@pytest.mark.parametrize("factor", [0.2, 0.8, 1.0, 1.3, 4.0])
def test_count_at__agrees_with_gating_anew_for_every_population_and_limit(bench, b_bench, factor):
    looked = 0
    for one in (bench, b_bench):
        for gate, cut in one.cuts.items():
            for population in sorted(one.population_names):
                limit = cut.cut * factor if cut.is_placed else 100.0
                counted = one.count_at(population, gate, limit)
                if counted is not None:
                    assert counted == one.try_limits({gate: limit}).count(population)[0], (population, gate)
                    looked += 1
    assert looked > 100


def test_count_at__knows_no_limit_that_is_not_its_own(bench):
    assert bench.count_at("car_t", "CD4", 100.0) is None
    assert bench.count_at("cd4_t.cd25", "CD25", 100.0) is None


def test_bench__takes_a_drawn_shape_instead_of_limits(acquisition, gated):
    channel = acquisition.detectors[4]
    shape = Rectangle(bounds=(Bound(dimension=Dimension(channel=channel), low=9000.0, high=None),))
    tree = GateTree(gates={"g": Gate(name="g", label="g", parent="", geometry=shape)})
    decision = decide_shape("car_t", tree, "g", source=GateSource.MANUAL)
    run = gate_acquisition(acquisition, template=CART, decisions=[decision])
    tube = prepare_tube(acquisition, template=CART)
    bench = open_bench(tube, template=CART, name="full", cuts=run.cuts, decisions=[decision])

    assert bench.is_drawn("car_t")
    assert bench.find_term("car_t", "CAR") is None
    for population, mask in run.membership.items():
        assert np.array_equal(bench.select(population), mask), population
    moved = bench.cuts["CD4"].cut * 2
    assert bench.count_at("cd4_t", "CD4", moved) == bench.try_limits({"CD4": moved}).count("cd4_t")[0]


def test_find_touched__names_what_hangs_on_a_limit():
    touched = find_touched(CART, ["CAR"])

    assert {"car_t", "car_cd4", "car_neg_t", "car_t.em"} <= touched
    assert not touched & {"t_cells", "cd4_t", "cd4_t.em"}
    assert "double_negative_b" in find_touched(BCELL, ["CD38_plasmablast"])


def test_find_dependents__names_the_limits_that_a_run_fits_anew():
    assert find_dependents(CART, ["CAR"]) == ()
    assert {"CD4", "CAR", "PD-1"} <= set(find_dependents(CART, ["CD3"]))
    assert set(find_dependents(CART, ["CD45RA"])) == {"CCR7", "CD95"}


def test_count_at__counts_a_million_events_while_a_limit_moves():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 200, (1_000_000, 3)) + rng.integers(0, 2, (1_000_000, 3)) * 5000
    markers = ("CD45", "CD3", "CAR")
    acquisition = make_acquisition(
        {f"D{i}-A": values[:, i] for i in range(3)}, labels={f"D{i}-A": m for i, m in enumerate(markers)}
    )
    cuts = [make_cut(marker, marker, 2500.0) for marker in markers]
    bench = open_bench(prepare_tube(acquisition, template=CART), template=CART, name="full", cuts=cuts)
    spans = []
    for limit in np.linspace(1000, 4000, 41):
        begun = time.perf_counter()
        counted = bench.count_at("car_t", "CAR", float(limit))
        spans.append(time.perf_counter() - begun)
    inside = (values[:, 0] > 2500) & (values[:, 1] > 2500) & (values[:, 2] > limit)
    assert counted == int(inside.sum())
    assert statistics.median(spans) < 0.1
