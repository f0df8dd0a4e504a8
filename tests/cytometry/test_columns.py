"""Channels on demand and packed populations: the same answers in a part of the memory."""

import gc
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from corelab.cytometry.columns import Columns, GatedMasks, MaskList, PackedMasks
from corelab.cytometry.compensation import _MANY, compensate
from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.recipes import compute_scale
from corelab.cytometry.records import choose_fairly
from corelab.cytometry.template import load_template
from corelab.cytometry.timing import _MANY as _MANY_TIMED
from corelab.cytometry.timing import _choose_loops
from corelab.ingest.fcs import Acquisition, map_file, read_fcs, turn_acquisition
from corelab.ingest.fcs_layout import turn_events
from corelab.vocabulary import Panel
from tests.bench.measuring import write_tube
from tests.validation.gate_tubes import draw_tube


@pytest.fixture(scope="module")
def large_tube() -> Acquisition:
    tube = draw_tube(3, Panel.CART, n_events=_MANY, car=60.0, b=60.0).acquisition
    return replace(tube, events=tube.events.astype(np.float32))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 1.0])
def test_packed_masks__give_back_what_was_put_in(share):
    mask = np.random.default_rng(1).random(10_001) < share
    masks = PackedMasks()
    masks["a"], masks["none"] = mask, None
    np.testing.assert_array_equal(masks["a"], mask)
    assert masks["none"] is None
    assert masks.n_bytes <= 10_001 / 8 + 1
    gated = GatedMasks(masks)
    assert list(gated) == ["a"]
    np.testing.assert_array_equal(MaskList(gated, ["a"])[0], mask)
    assert list(masks.copy(without=["a"])) == ["none"]
    del masks["a"]
    assert "a" not in masks
    assert len(gated) == 1


def test_choose_fairly__takes_every_kth_of_some_events():
    mask = np.random.default_rng(2).random(900_000) < 0.7
    places = np.flatnonzero(mask)
    np.testing.assert_array_equal(choose_fairly(mask), places[:: -(-len(places) // 200_000)])


def test_values__have_the_same_bits_however_they_are_computed(large_tube):
    rows = large_tube
    columns = turn_acquisition(rows)
    plain, fast = compensate(rows), compensate(columns)
    part = np.arange(0, _MANY, 977)
    for column in range(3, 9):
        values = Columns(fast)(column)
        np.testing.assert_array_equal(values, plain.compute([column])[0])
        np.testing.assert_array_equal(values[part], fast.compute([column], part)[0])
        np.testing.assert_array_equal(values[5::7], fast.compute([column], slice(5, None, 7))[0])


def test_columns__keep_one_channel_of_many_events_and_all_of_few(large_tube):
    large = Columns(compensate(large_tube))
    assert large(4) is large(4)
    large(5)
    assert large.n_bytes == 8 * _MANY
    few = replace(large_tube, events=large_tube.events[:1000])
    small = Columns(compensate(few))
    assert small(4) is small(4)
    small(5)
    assert small.n_bytes == 2 * 8 * 1000


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_loops_over_time__are_those_of_numpy(kind):
    rng = np.random.default_rng(4)
    values = rng.normal(size=_MANY_TIMED).astype(kind)
    found = []
    for sort, add in (_choose_loops(_MANY_TIMED), _choose_loops(1)):
        level, counts = np.empty(_MANY_TIMED, np.int16), np.zeros(512, np.int64)
        sort(values, kind(-2.5), kind(0.01), level, counts)
        sums = add(np.array([np.arange(512.0), np.ones(512)]), level, np.arange(0, _MANY_TIMED, 250))
        found.append((level, counts, sums))
    for ours, plain in zip(*found, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-12)


def test_read_fcs__gives_the_same_events_by_column(tmp_path):
    path = write_tube(tmp_path / "a.fcs", n_events=30_000)
    plain = read_fcs(map_file(path), name="a")
    turned = read_fcs(map_file(path), name="a", by_column=30_000)
    assert turned.events.flags.f_contiguous
    np.testing.assert_array_equal(turned.events, plain.events)
    assert not read_fcs(map_file(path), name="a", by_column=29_999).events.flags.f_contiguous


def test_turn_events__copies_no_decoded_numbers():
    decoded = np.arange(12.0).reshape(3, 4).T
    assert turn_events(decoded, name="a", forget=lambda: None) is decoded
    rows = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(turn_events(rows, name="a", forget=lambda: None), rows)


def test_gating__takes_half_a_file_more_than_the_file(large_tube):
    """What does not grow with the file, about 12 MB for the check of its matrix, is in it."""
    events = np.asfortranarray(np.tile(large_tube.events, (4, 1)))
    events[:, -1] = np.linspace(0, 6000, len(events))
    many, template = replace(large_tube, events=events), load_template(Panel.CART)
    gate_acquisition(large_tube, template=template)
    gc.collect()
    tracemalloc.start()
    try:
        gate_acquisition(many, template=template)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * events.nbytes


def test_noise__of_negatives_alone_is_that_of_all_values():
    values = np.random.default_rng(5).normal(20, 100, 4000)
    assert compute_scale(values[values < 0]) == compute_scale(values)
