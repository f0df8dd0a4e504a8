"""The compiled engine against FlowKit and against NumPy, event by event."""

import hashlib
from dataclasses import replace
from pathlib import Path

import flowkit as fk
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.model import (
    UNCOMPENSATED,
    Boolean,
    Bound,
    Cells,
    Dimension,
    Ellipsoid,
    Gate,
    GateTree,
    Logicle,
    Polygon,
    Ratio,
    Rectangle,
    list_dimensions,
)
from corelab.cytometry.interchange.reference import Axes, evaluate_plainly
from corelab.cytometry.kernel import compiled, gates, loops, selection
from corelab.cytometry.kernel.gates import evaluate_compiled, gate_rows, make_plan, pack_masks
from corelab.errors import InputError
from tests.cytometry.acquisitions import make_acquisition
from tests.cytometry.kernel.flowkit_tree import gate_by_flowkit, make_strategy
from tests.cytometry.kernel.random_trees import CHANNELS, SCALES, TreeMaker, make_events

NEAR = 1e-12
"""How near to an edge (of its own size) FlowKit and we may differ: the last bits of solve and of inverse."""


def make_case(seed, n_gates, n_events, *, hits=True):
    maker = TreeMaker(np.random.default_rng(seed))
    tree = maker.make(n_gates)
    events = make_events(maker, n_events, hits=hits)
    return tree, make_acquisition(dict(zip(CHANNELS, events.T, strict=True)))


def measure_distance(gate, axes, i):
    """How far an event lies from the edge of a gate, in sizes of the gate."""
    match gate.geometry:
        case Rectangle(bounds=bounds):
            found = []
            for bound in bounds:
                value = axes.read(bound.dimension)[i]
                limits = [limit for limit in (bound.low, bound.high) if limit is not None]
                found += [abs(value - limit) / max(1.0, abs(limit)) for limit in limits]
            return min(found)
        case Polygon(dimensions=dimensions, vertices=vertices):
            point = np.array([axes.read(one)[i] for one in dimensions])
            corners = np.array(vertices)
            size = np.ptp(corners, axis=0)
            starts, steps = corners / size, (np.roll(corners, -1, axis=0) - corners) / size
            share = ((point / size - starts) * steps).sum(axis=1) / (steps**2).sum(axis=1)
            feet = starts + np.clip(share, 0, 1)[:, None] * steps
            return float(np.min(np.linalg.norm(point / size - feet, axis=1)))
        case Ellipsoid() as form:
            offset = np.array([axes.read(one)[i] for one in form.dimensions]) - np.array(form.mean)
            square = offset @ np.linalg.inv(np.array(form.covariance)) @ offset
            return abs(square - form.distance_square) / form.distance_square
    raise AssertionError("a Boolean gate has no edge of its own")


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_evaluate_compiled__holds_the_events_that_flowkit_holds(seed):
    """All kinds of gates on all scales, compensated or not; a third of the values lies on an edge.

    FlowKit solves where we multiply and leaves some edges of a polygon out (the standard's truth files hold
    them): only events on an edge may differ, and none of a box on recorded values.
    """
    tree, tube = make_case(seed, n_gates=10, n_events=1000)
    tube = replace(tube, events=tube.events.astype(np.float32).astype(float))  # as FlowKit keeps them
    found = evaluate_compiled(tree, tube)
    assert found.refusals == ()
    sample = fk.Sample(tube.events, sample_id="x", channel_labels=list(CHANNELS))
    expected = gate_by_flowkit(tree, sample, make_strategy(tree))
    axes = Axes(tree=tree, acquisition=tube)
    for name, gate in tree.gates.items():
        different = found.masks[name] != expected[name]
        own = [one.gate for one in gate.geometry.operands] if isinstance(gate.geometry, Boolean) else []
        for other in (*own, *([gate.parent] if gate.parent else ())):
            different &= found.masks[other] == expected[other]
        if isinstance(gate.geometry, Rectangle) and not any(
            bound.dimension.compensation != UNCOMPENSATED for bound in gate.geometry.bounds
        ):
            assert not different.any(), name
        for i in np.flatnonzero(different):
            assert measure_distance(gate, axes, i) <= NEAR, (name, tube.events[i])


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=4, deadline=None)
def test_evaluate_compiled__differs_from_flowkit_nowhere_beside_edges(seed):
    """The same trees on events none of which was put on an edge: every event of every gate."""
    tree, tube = make_case(seed, n_gates=10, n_events=4000, hits=False)
    tube = replace(tube, events=tube.events.astype(np.float32).astype(float))
    found = evaluate_compiled(tree, tube).masks
    sample = fk.Sample(tube.events, sample_id="x", channel_labels=list(CHANNELS))
    for name, expected in gate_by_flowkit(tree, sample, make_strategy(tree)).items():
        assert np.array_equal(found[name], expected), name


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_evaluate_compiled__holds_the_very_events_of_numpy(seed):
    """No event differs: on edges, NaN, infinite, huge, tiny and negative ones included."""
    tree, tube = make_case(seed, n_gates=12, n_events=700)
    events = tube.events.copy()
    rng = np.random.default_rng(seed)
    odd = np.array([np.nan, np.inf, -np.inf, 1e300, -1e300, 1e9, -1e9, 5e-324, -0.0, 3e38])
    events[:60] = np.where(rng.random((60, len(CHANNELS))) < 0.4, rng.choice(odd, (60, len(CHANNELS))), 1.0)
    tube = replace(tube, events=events)
    found, expected = evaluate_compiled(tree, tube), evaluate_plainly(tree, tube)
    for name in tree.gates:
        assert np.array_equal(found.masks[name], expected.masks[name]), name
    assert found.masks.keys() == expected.masks.keys()


def test_random_trees__hold_every_kind_of_gate_on_every_scale():
    """What the comparison with FlowKit is about: with and without a matrix, and what has one limit only."""
    seen, thresholds = set(), 0
    for seed in range(40):
        tree = TreeMaker(np.random.default_rng(seed)).make(10)
        for gate in tree.gates.values():
            kind = "Quadrant" if gate.quadrant_of else type(gate.geometry).__name__
            seen |= {(kind, one.scale, one.compensation) for one in list_dimensions(gate.geometry)}
            if isinstance(gate.geometry, Boolean):
                seen.add((kind, gate.geometry.operation, ""))
            elif isinstance(gate.geometry, Rectangle):
                thresholds += any(None in (one.low, one.high) for one in gate.geometry.bounds)
    kinds = ("Rectangle", "Quadrant", "Polygon", "Ellipsoid")
    wanted = {
        (kind, scale, matrix) for kind in kinds for scale in SCALES for matrix in (UNCOMPENSATED, "comp")
    }
    # What has no logarithm lies in no quadrant by Gating-ML, and in the lower ones by FlowKit.
    assert {one for one in wanted if one[:2] != ("Quadrant", "log")} <= seen
    assert {("Boolean", operation, "") for operation in ("and", "or", "not")} <= seen
    assert thresholds > 40


def make_grid_tree():
    axes = tuple(Dimension(channel=one, scale="logicle") for one in ("B1-A", "R1-A"))
    low = Gate(
        name="low", label="low", parent="",
        geometry=Polygon(
            dimensions=axes, vertices=((0.2, 0.2), (0.9, 0.25), (0.8, 0.9), (0.1, 0.5)),
            grid=(Cells(width=1 / 256, shift=0.5), Cells(width=1 / 256, shift=0.0)),
        ),
    )  # fmt: skip
    share = Dimension(channel="share", is_ratio=True)
    ratio = Gate(
        name="share", label="", parent="low", complement=True,
        geometry=Rectangle(bounds=(Bound(dimension=share, low=0.5, high=2.0),)),
    )  # fmt: skip
    return GateTree(
        gates={"low": low, "share": ratio}, scales={"logicle": SCALES["logicle"]},
        ratios={"share": Ratio(numerator="FSC-A", denominator="SSC-A", a=1.5, b=10.0, c=100.0)},
    )  # fmt: skip


def test_evaluate_compiled__knows_cells_and_ratios():
    _, tube = make_case(5, n_gates=1, n_events=30_000)
    events = tube.events.copy()
    events[:50, 1] = 100.0  # no ratio there
    tube = replace(tube, events=events)
    tree = make_grid_tree()
    assert make_plan(tree, tube).tables is not None
    found, expected = evaluate(tree, tube), evaluate_plainly(tree, tube)
    for name, mask in expected.masks.items():
        assert 100 < mask.sum() < 29_900
        assert np.array_equal(found.masks[name], mask), name


def test_gate_rows__counts_more_than_64_populations_in_float32_as_it_lies_in_memory():
    maker = TreeMaker(np.random.default_rng(8))
    tree = maker.make(150)
    events = make_events(maker, 5000).astype(np.float32)
    raw = b"x" + events.tobytes() + b"rest"
    rows = np.frombuffer(raw, np.float32, events.size, offset=1).reshape(events.shape)
    tube = make_acquisition(dict(zip(CHANNELS, events.T.astype(float), strict=True)))
    plan = make_plan(tree, tube)
    found = gate_rows(plan, rows)
    expected = evaluate_plainly(tree, tube).masks
    assert found.words.shape == (5000, 3)
    assert np.array_equal(found.words, pack_masks([expected[name] for name in found.names]))
    assert found.counts.tolist() == [int(expected[name].sum()) for name in found.names]
    big_endian = gate_rows(plan, events.astype(">f4"))
    assert np.array_equal(big_endian.words, found.words)


def test_gate_rows__gives_some_events_the_answers_they_have_among_all():
    tree, tube = make_case(21, n_gates=15, n_events=4000)
    plan = make_plan(tree, tube)
    whole = gate_rows(plan, tube.events).words
    for part in (slice(0, 1), slice(3, 260), slice(100, 4000), slice(0, 0)):
        assert np.array_equal(gate_rows(plan, tube.events[part]).words, whole[part])


def test_gate_rows__refuses_other_channels():
    tree, tube = make_case(2, n_gates=3, n_events=10)
    with pytest.raises(InputError, match="expected 6 channels"):
        gate_rows(make_plan(tree, tube), tube.events[:, :4])


def test_make_plan__refuses_what_numpy_refuses_and_goes_on():
    tree, tube = make_case(3, n_gates=4, n_events=100)
    bad = Rectangle(bounds=(Bound(dimension=Dimension(channel="nowhere"), low=0.0, high=None),))
    more = {
        "bad": Gate(name="bad", label="", parent="", geometry=bad),
        "below": Gate(
            name="below", label="", parent="bad", geometry=next(iter(tree.gates.values())).geometry
        ),
    }
    tree = replace(tree, gates={**tree.gates, **more})
    found, expected = evaluate_compiled(tree, tube), evaluate_plainly(tree, tube)
    assert found.refusals == expected.refusals
    assert {one.gate for one in found.refusals} == {"bad", "below"}
    assert found.masks.keys() == expected.masks.keys()


def test_evaluate__does_without_numba(monkeypatch):
    tree, tube = make_case(4, n_gates=4, n_events=300)
    monkeypatch.setattr(gates, "load_loops", lambda: None)
    plan = make_plan(tree, tube)
    assert (plan.tables, plan.cause) == (None, "Numba is not there")
    found = gate_rows(plan, tube.events)
    for name, mask in evaluate_plainly(tree, tube).masks.items():
        assert np.array_equal(found.mask(name), mask)


def test_evaluate__lets_numpy_judge_events_beyond_a_scale():
    """Where a logicle has no root no gate holds an event, however far out."""
    axis = Dimension(channel="B1-A", scale="s")
    gate = Gate(
        name="g", label="", parent="", geometry=Rectangle(bounds=(Bound(dimension=axis, low=0.1, high=None),))
    )
    tree = GateTree(gates={"g": gate}, scales={"s": Logicle(t=1000.0, w=1.0, m=4.0, a=0.0)})
    tube = make_acquisition({"B1-A": np.array([-1e7, 0.0, 500.0, 1e6, 1e7, np.inf, np.nan])})
    found = gate_rows(make_plan(tree, tube), tube.events)
    assert found.n_judged >= 4
    assert np.array_equal(found.mask("g"), evaluate_plainly(tree, tube).masks["g"])


@pytest.mark.parametrize("module", [compiled, selection])
def test_loops__are_compiled_again_when_they_change(module):
    """Numba looks at the time of the file of the function that it calls, not at those that it uses."""
    source = Path(loops.__file__).read_bytes()
    assert hashlib.sha256(source).hexdigest() == module.LOOPS, "write the new hash into the module"
