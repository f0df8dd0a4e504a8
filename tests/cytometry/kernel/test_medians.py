"""Medians and robust spreads of the loops against numpy.median."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corelab.cytometry.interchange.model import EMBEDDED, Dimension
from corelab.cytometry.kernel import medians
from corelab.cytometry.kernel.gates import pack_masks
from corelab.cytometry.kernel.medians import MAD_TO_SD, measure_rows, plan_columns, take_columns
from corelab.errors import InputError
from corelab.ingest.fcs import Spillover
from tests.cytometry.acquisitions import make_acquisition


def measure_plainly(events, masks):
    """Medians and robust spreads one after the other, NaN for nobody."""
    median = np.full((len(masks), events.shape[1]), np.nan)
    spread = median.copy()
    for p, mask in enumerate(masks):
        for m in range(events.shape[1]):
            own = events[mask, m]
            if len(own):
                median[p, m] = np.median(own)
                with np.errstate(invalid="ignore"):
                    spread[p, m] = MAD_TO_SD * np.median(np.abs(own - median[p, m]))
    return median, spread


def check(events, masks):
    columns = take_columns(events.shape[1], range(events.shape[1]))
    found = measure_rows(columns, events, words=pack_masks(masks), n_populations=len(masks))
    median, spread = measure_plainly(events.astype(float), masks)
    np.testing.assert_array_equal(found.median, median)
    np.testing.assert_array_equal(found.robust_sd, spread)


def make_values(rng, n_events):
    """Columns of very different kinds, with ties, signs, piles of zeros and far values."""
    light = np.exp(rng.normal(7, 1.5, n_events))
    return np.column_stack([
        light, light - 800, np.round(rng.normal(0, 3, n_events)), rng.normal(0, 1e-6, n_events),
        np.where(rng.random(n_events) < 0.7, 0.0, light), rng.standard_cauchy(n_events) * 1e6,
        np.full(n_events, -2.5),
    ])  # fmt: skip


@given(seed=st.integers(0, 2**32 - 1), n_events=st.integers(0, 400), as_recorded=st.booleans())
@settings(max_examples=25, deadline=None)
def test_measure_rows__gives_the_doubles_of_numpy(seed, n_events, as_recorded):
    """Even, odd, one, none; nested and crossing populations; more than a word of them."""
    rng = np.random.default_rng(seed)
    events = make_values(rng, n_events)
    if as_recorded:
        events = events.astype(np.float32)
    inside = np.ones(n_events, dtype=bool)
    masks = [inside]
    for _ in range(70):
        inside = masks[int(rng.integers(len(masks)))]
        masks.append(inside & (rng.random(n_events) < rng.choice([0.0, 0.3, 0.8, 1.0])))
    check(events, [*masks, np.arange(n_events) == 3, np.arange(n_events) < 2])


def test_measure_rows__says_nothing_where_an_event_is_no_number():
    events = np.array([[1.0, 5.0], [np.nan, 6.0], [3.0, np.inf], [4.0, 7.0], [-np.inf, 8.0]])
    masks = [np.array(one, dtype=bool) for one in ([1, 1, 1, 1, 1], [1, 0, 1, 1, 0], [0, 0, 1, 0, 0])]
    check(events, masks)


def test_measure_rows__compensates_what_it_measures():
    rng = np.random.default_rng(3)
    spillover = Spillover(detectors=("B", "A"), matrix=np.array([[1.0, 0.2], [0.05, 1.0]]))
    events = rng.normal(500, 300, (3001, 3)).astype(np.float32)
    tube = make_acquisition(dict(zip(("A", "B", "Time"), events.T, strict=True)), spillover=spillover)
    axes = [Dimension(channel="A", compensation=EMBEDDED), Dimension(channel="Time")]
    words = np.ones((len(events), 1), dtype=np.uint64)
    found = measure_rows(plan_columns(tube, axes), events, words=words, n_populations=1)
    true = np.linalg.solve(spillover.matrix.T, events[:, [1, 0]].astype(float).T)[1]
    assert found.median[0, 0] == pytest.approx(np.median(true), rel=1e-12)
    assert found.median[0, 1] == np.median(events[:, 2].astype(float) * tube.time_step)


def test_measure_rows__looks_at_files_in_parts(monkeypatch):
    rng = np.random.default_rng(4)
    events = make_values(rng, 5000)
    monkeypatch.setattr(medians, "CHUNK", 1024)
    check(events, [rng.random(5000) < 0.6, rng.random(5000) < 0.01])


def test_measure_rows__takes_numpy_where_populations_cross_too_often(monkeypatch):
    rng = np.random.default_rng(5)
    events = make_values(rng, 3000)
    masks = [rng.random(3000) < 0.5 for _ in range(12)]
    check(events, masks)
    monkeypatch.setattr(medians, "_load_loops", lambda: None)
    check(events, masks[:2])


def test_measure_rows__refuses_other_channels():
    with pytest.raises(InputError, match="expected 2 channels"):
        measure_rows(take_columns(2, [0]), np.ones((3, 3)), words=np.ones((3, 1), np.uint64), n_populations=1)
