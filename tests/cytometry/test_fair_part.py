"""What is made faster gives what the plain way gives."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.cytometry import expression, gating
from corelab.cytometry.compensation import compensate, compute_compensated
from corelab.cytometry.decided import Decided
from corelab.cytometry.engine import Engine
from corelab.cytometry.recipes import approximate_axis, fit_negative, to_axis
from corelab.cytometry.records import FAIR_PART, fair_rows
from corelab.cytometry.scatter import find_margin
from corelab.cytometry.template import load_template
from corelab.cytometry.timing import scan_time
from corelab.cytometry.tube import prepare_tube
from corelab.ingest.fcs import Spillover
from tests.cytometry.acquisitions import make_acquisition, make_t_cells

BLOOD = {"cd4_naive": 900, "cd4_em": 700, "cd8_naive": 500, "b": 400, "nk": 300, "debris": 200}


@given(st.integers(0, 400), st.integers(1, 50))
def test_fair_rows__takes_evenly_and_never_more(n_events, most):
    taken = np.arange(n_events)[fair_rows(n_events, most=most)]
    assert len(taken) <= most
    assert len(set(np.diff(taken))) <= 1
    assert len(taken) == min(n_events, -(-n_events // -(-n_events // most)) if n_events else 0)


def test_fair_rows__takes_all_of_an_ordinary_file():
    assert fair_rows(FAIR_PART).step == 1


def test_approximate_axis__is_the_axis_within_a_millionth():
    x = np.concatenate([[0.0, -1e-9, 1e-300], np.random.default_rng(1).normal(0, 1, 40_000) ** 5 * 300])
    np.testing.assert_allclose(approximate_axis(x, 170.0), to_axis(x, 170.0), rtol=1e-5, atol=1e-6)


def test_compute__gives_any_channels_of_any_events_as_the_product_with_the_inverse():
    rng = np.random.default_rng(2)
    matrix = np.eye(3) + 0.1 * rng.random((3, 3)) * (1 - np.eye(3))
    observed = rng.normal(500, 400, (40_000, 3)).astype(np.float32)
    names = ("B", "A", "C")
    columns = {"FSC-A": np.arange(40_000.0), **dict(zip(names, observed.T, strict=True))}
    tube = compensate(make_acquisition(columns, spillover=Spillover(detectors=names, matrix=matrix)))
    expected = np.column_stack([columns["FSC-A"], compute_compensated(observed, matrix)])
    np.testing.assert_allclose(tube.events, expected, rtol=1e-12, atol=1e-9)
    rows = np.array([3, 39_999, 17_000])
    np.testing.assert_allclose(tube.compute([2, 0], rows), expected[rows][:, [2, 0]].T, rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(tube.compute([0], rows)[0], expected[rows, 0])
    assert tube.compute([]).shape == (0, 40_000)


def test_find_margin__sees_the_top_of_every_channel_whatever_the_number_of_events():
    rng = np.random.default_rng(3)
    for n_events in (0, 1, 63, 64, 65, 1000):
        observed = rng.uniform(0, 100, (n_events, 3)).astype(np.float32)
        top = observed.max(axis=0, initial=0.0)
        expected = (observed >= top * np.float32(1 - 1e-4)).any(axis=1)
        np.testing.assert_array_equal(find_margin(observed, np.zeros(3), []), expected)


def test_fit_negative__of_a_large_group_is_that_of_its_fair_part():
    x = np.random.default_rng(4).normal(30, 200, 2 * FAIR_PART)
    whole, part = fit_negative(x, scale=200.0), fit_negative(x[::2], scale=200.0)
    assert (whole.mode, whole.spread) == (part.mode, part.spread)
    assert whole.n == np.count_nonzero(np.abs(x - whole.mode) <= 3 * whole.spread)


@pytest.mark.parametrize("is_shuffled", [False, True])
def test_check_time__keeps_every_event_of_a_bin_together(is_shuffled):
    rng = np.random.default_rng(5)
    y = rng.normal(0, 0.4, (10_001, 2))
    y[4000:5000] += 2.0
    order = rng.permutation(10_001) if is_shuffled else np.arange(10_001)
    kept = np.empty(10_001, dtype=bool)
    kept[order] = scan_time(np.arange(10_001.0)[order], y[order].T).kept
    starts = -(-np.arange(40) * 10_001 // 40)
    by_bin = np.split(kept, starts[1:])
    assert all(part.all() or not part.any() for part in by_bin)
    assert not kept[4001:4999].any()


def test_engine__lets_go_of_a_tube_without_the_help_of_the_collector():
    tube = prepare_tube(make_t_cells(BLOOD, seed=1)[0], template=load_template("cart"))
    gc.disable()
    try:
        engine = Engine(tube, load_template("cart"), "full", controls={}, priors={}, decided=Decided())
        assert engine.select("cd4_t") is not None
        gone = weakref.ref(engine)
        del engine
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("has_matrix", [False, True])
def test_gate_acquisition__measures_the_same_medians_by_compiled_loops(monkeypatch, has_matrix):
    tube = make_t_cells(BLOOD, seed=2)[0]
    if has_matrix:
        matrix = np.eye(8) + 0.05 * np.random.default_rng(3).random((8, 8)) * (1 - np.eye(8))
        spillover = Spillover(detectors=tube.detectors, matrix=matrix)
        tube = replace(tube, events=tube.events @ matrix, spillover=spillover)
    plain = gating.gate_acquisition(tube, template=load_template("cart")).expression
    monkeypatch.setattr(expression, "_MANY_EVENTS", 0)
    compiled = gating.gate_acquisition(tube, template=load_template("cart")).expression
    assert [(one.population, one.marker, one.n) for one in plain] == [
        (one.population, one.marker, one.n) for one in compiled
    ]
    for name in ("median_intensity", "robust_sd"):
        ours, theirs = ([getattr(one, name) for one in rows] for rows in (compiled, plain))
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-9)
