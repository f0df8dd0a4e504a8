"""Shapes that a person draws: counted at once, kept as gates, counted by a run, taken to other programs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.cytometry.axes import build_axis
from corelab.cytometry.bench import find_dependents, open_bench
from corelab.cytometry.drawn import (
    Drawn,
    Frame,
    _find_far,
    _open_rims,
    build_tree,
    check_drawn,
    locate_gate,
    outline_drawn,
)
from corelab.cytometry.gate_view import describe_view, outline_view, place_on, select_in_gate
from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.flowjo import read_flowjo
from corelab.cytometry.interchange.gatingml import read_gatingml
from corelab.cytometry.interchange.gatingml_write import write_gatingml
from corelab.cytometry.interchange.geometry import points_in_polygon
from corelab.cytometry.interchange.revision import decide_shape
from corelab.cytometry.interchange.trial import describe_trial_gates
from corelab.cytometry.template import load_template
from corelab.cytometry.tube import prepare_tube
from corelab.errors import InputError
from corelab.ingest.fcs import Spillover
from corelab.vocabulary import GateSource
from tests.cytometry.acquisitions import MARKERS, make_acquisition, make_t_cells
from tests.cytometry.interchange.test_round_trip import write_workspace
from tests.cytometry.test_bench import KINDS

CART = load_template("cart")
SHAPES = {
    "polygon": ((0.3, 0.55), (0.9, 0.5), (1.0, 0.9), (0.6, 1.0), (0.2, 0.8)),
    "rectangle": ((0.2, 0.55), (1.0, 0.95)),
    "ellipse": ((0.5, 0.7), (0.8, 0.8), (0.45, 0.85)),
    "quadrant": ((0.5, 0.55), (0.0, 1.0)),
}


def spill(acquisition, *, seed: int = 0):
    """The same cells with light of each colour in the others, and the matrix that says so."""
    n = len(acquisition.detectors)
    matrix = np.eye(n) + 0.02 * np.random.default_rng(seed).random((n, n)) * (1 - np.eye(n))
    columns = dict(zip(acquisition.detectors, (acquisition.events @ matrix).T, strict=True))
    labels = dict(zip(acquisition.detectors, acquisition.labels, strict=True))
    return make_acquisition(
        columns, labels=labels, spillover=Spillover(detectors=acquisition.detectors, matrix=matrix)
    )


@pytest.fixture(scope="module")
def acquisition():
    return spill(make_t_cells(KINDS, seed=1)[0])


@pytest.fixture(scope="module")
def bench(acquisition):
    gated = gate_acquisition(acquisition, template=CART)
    return open_bench(prepare_tube(acquisition, template=CART), template=CART, name="full", cuts=gated.cuts)


def frame_of(bench, x: str = "CD4", y: str = "CAR") -> Frame:
    return Frame(x=build_axis(bench.tube, x), y=build_axis(bench.tube, y), time_step=0.01)


def decide(bench, kind: str, population: str = "car_t"):
    tree = build_tree(population, check_drawn(kind, SHAPES[kind]), frame_of(bench))
    return tree, decide_shape(population, tree, population, source=GateSource.MANUAL)


@pytest.mark.parametrize("kind", list(SHAPES))
def test_shape__counts_the_same_while_it_is_drawn_when_it_is_tried_and_in_a_run(acquisition, bench, kind):
    tree, decision = decide(bench, kind)
    run = gate_acquisition(acquisition, template=CART, decisions=[decision])
    tried = bench.try_decided({}, {"car_t": decision})

    counted = bench.count_shape("car_t", tree, "car_t")
    assert 0 < counted < run.count("t_cells")
    assert counted == tried.count("car_t")[0] == run.count("car_t")
    moved = {"car_t", "car_cd8", "car_neg_t", "car_neg_cd4"}
    for population in moved | {"cd4_t", "car_t.em"}:
        assert np.array_equal(tried.select(population), run.membership[population]), population
    assert run.count("car_t") + run.count("car_neg_t") == run.count("t_cells")
    rows = {row.population: row for row in run.counts}
    assert rows["car_neg_t"].gate_source == "manual"
    assert rows["car_neg_t"].gate_version == rows["car_t"].gate_version == f"cart/1+1#{decision.version}"
    back = tried.try_decided({}, {"car_t": None})
    assert back.count("car_t") == bench.count("car_t")
    assert find_dependents(CART, (), ("t_cells",)) == find_dependents(CART, ("CD3",))


@pytest.mark.parametrize("kind", list(SHAPES))
def test_shape__is_found_again_where_it_was_drawn(bench, kind):
    decision = decide(bench, kind)[1]
    view = describe_view(bench.try_decided({}, {"car_t": decision}), "car_t")

    assert (view.x.channel, view.y.channel, view.shape.kind) == ("CD4", "CAR", kind)
    drawn = outline_drawn(check_drawn(kind, SHAPES[kind]))
    found = np.array(outline_view(view)[0])
    if kind == "ellipse":
        assert np.allclose([found.min(axis=0), found.max(axis=0)],
                           [np.min(drawn, axis=0), np.max(drawn, axis=0)], atol=2e-3)  # fmt: skip
    else:
        assert np.allclose(found, drawn, atol=2e-3)
    elsewhere = describe_view(bench.try_decided({}, {"car_t": decision}), "car_t", x="CD8", y="CD3")
    assert (elsewhere.shape, elsewhere.is_divided) == (None, False)


@pytest.mark.parametrize("kind", list(SHAPES))
def test_shape__goes_to_gatingml_and_flowjo_with_the_same_events(acquisition, bench, kind):
    decision = decide(bench, kind)[1]
    gated = gate_acquisition(acquisition, template=CART, decisions=[decision])
    tree, refusals = describe_trial_gates(gated, acquisition, template=CART, decisions=[decision])

    assert refusals == ()
    again = read_gatingml(write_gatingml(tree, about={})[0], name="g").tree
    masks = evaluate(again, acquisition).masks
    assert np.array_equal(masks["car_t"], gated.membership["car_t"])
    data, refused = write_workspace(tree, acquisition)
    assert [one.gate for one in refused] == []
    flowjo = read_flowjo(data, name="w")[0].tree
    found = {gate.label: name for name, gate in flowjo.gates.items()}
    replay = evaluate(flowjo, acquisition).masks
    for population in ("car_t", "car_cd8", "car_neg_t"):
        assert np.array_equal(replay[found[population]], gated.membership[population]), population


def test_shape__counts_in_other_tubes_by_their_own_matrix_and_noise(bench):
    decision = decide(bench, "polygon")[1]
    own = bench.try_decided({}, {"car_t": decision})
    other = spill(make_t_cells(KINDS, seed=5)[0], seed=9)
    gated = gate_acquisition(other, template=CART)
    theirs = open_bench(prepare_tube(other, template=CART), template=CART, name="full", cuts=gated.cuts)

    view = describe_view(own, "car_t")
    inside = select_in_gate(theirs, own, view)
    run = gate_acquisition(other, template=CART, decisions=[decision])
    assert int(inside.sum()) == run.count("car_t")
    assert outline_view(place_on(view, x=view.x, y=view.y)) == outline_view(view)


def test_shape__is_refused_where_a_tube_lacks_the_channel(acquisition, bench):
    decision = decide(bench, "polygon")[1]
    labels = {f"D{i}-A": m for i, m in enumerate(MARKERS) if m != "CD4"}
    without = make_acquisition(
        dict(zip(acquisition.detectors, acquisition.events.T, strict=True)), labels=labels
    )
    gated = gate_acquisition(without, template=CART, decisions=[decision])

    refused = [one.reason for one in gated.findings if one.check == "GATE_REFUSED"]
    assert len(refused) == 1
    assert "no channel of 'CD4'" in refused[0]


def test_check_drawn__refuses_what_is_no_shape():
    bad = (
        ("circle", ((0, 0), (1, 1))), ("polygon", ((0, 0), (1, 1))), ("rectangle", ((0.2, 0.2), (0.2, 0.9))),
        ("polygon", ((0, 0),) * 65), ("ellipse", ((0.5, 0.5), (0.6, 0.6), (0.7, 0.7))),
        ("quadrant", ((0.5, float("nan")), (1, 1))), ("polygon", ()),
    )  # fmt: skip
    for kind, points in bad:
        with pytest.raises(InputError):
            check_drawn(kind, points)
    assert check_drawn("rectangle", ((0.9, -3), (0.1, 0.5))).points == ((0.1, 0.0), (0.9, 0.5))


def test_build_tree__holds_no_shape_that_holds_everything(bench):
    with pytest.raises(InputError, match="holds every event"):
        build_tree("car_t", check_drawn("rectangle", ((0, 0), (1, 1))), frame_of(bench))


ends = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), min_size=2, max_size=2, unique=True).map(sorted)


@given(across=ends, up=ends, x=st.floats(-3, 4), y=st.floats(-3, 4), first=st.integers(0, 3))
def test_open_rims__takes_what_lies_beyond_a_rim_as_if_it_lay_on_it(across, up, x, y, first):
    box = [(across[0], up[0]), (across[1], up[0]), (across[1], up[1]), (across[0], up[1])]
    corners = box[first:] + box[:first]
    opened = _open_rims(corners, [(-9.0, 9.0), (-9.0, 9.0)])

    pressed = [np.array([min(max(place, 0.0), 1.0)]) for place in (x, y)]
    is_open = points_in_polygon(np.array([x]), np.array([y]), opened)[0]
    assert is_open == points_in_polygon(*pressed, corners)[0]


def test_open_rims__leaves_a_corner_that_only_touches_the_rim():
    corners = ((0.2, 0.5), (1.0, 0.4), (0.6, 0.9))
    assert _open_rims(corners, [(-9.0, 9.0), (-9.0, 9.0)]) == corners


def test_locate_gate__draws_a_shape_of_another_scale_where_it_lies(bench):
    frame = frame_of(bench)
    low, high = _find_far(frame.scale(0))
    assert low < -1 < 1.5 < high
    other = Frame(x=frame.x, y=build_axis(bench.tube, "CD8"), time_step=0.01)
    tree = build_tree("car_t", Drawn(kind="polygon", points=((0.2, 0.4), (0.8, 0.4), (0.5, 0.9))), other)
    found = locate_gate(tree, tree.gates["car_t"], sides=(0, 1), frame=frame)
    assert found.kind == "polygon"
    assert all(0 <= place <= 1 for point in found.points for place in point)
