"""A file in blocks has the counts of the file as a whole; what is fitted to a part is near to it."""

from dataclasses import replace

import numpy as np
import pytest

from corelab.cytometry import gating, in_parts
from corelab.cytometry.expression import RELATIVE_ERROR, _find_bins, _find_centres
from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.interchange.revision import decide_cut
from corelab.cytometry.template import load_template
from corelab.cytometry.timing import TimeCheck, keep_time, scan_time
from corelab.ingest.fcs import read_fcs, turn_acquisition
from corelab.vocabulary import Panel
from tests.ingest.fcs_files import build_fcs
from tests.validation.gate_tubes import draw_tube

N_EVENTS = 24_000
CART = load_template(Panel.CART)


@pytest.fixture(scope="module")
def acquisition():
    tube = draw_tube(5, Panel.CART, n_events=N_EVENTS, car=60.0, b=60.0, drift=(0.3, 0.5, 0.9)).acquisition
    events = tube.events[np.argsort(tube.events[:, -1], kind="stable")].astype(np.float32)
    events[:, -1] = np.arange(N_EVENTS)  # a border of a stretch may lie between two events of one time
    return replace(tube, events=events)


@pytest.fixture
def by_all(monkeypatch):
    """Fits see all events, so that nothing but the blocks differs."""
    monkeypatch.setattr(gating, "take_part", lambda acquisition, most: turn_acquisition(acquisition))
    monkeypatch.setattr(in_parts, "BLOCK", 5_000)


def test_blocks__count_what_the_whole_counts(acquisition, by_all):
    whole = gate_acquisition(acquisition, template=CART)
    parts = gate_acquisition(acquisition, template=CART, at_once=N_EVENTS - 1)
    assert parts.counts == whole.counts
    assert repr(parts.cuts) == repr(whole.cuts)
    assert repr(parts.findings) == repr(whole.findings)
    assert any(finding.check == "TIME_DRIFT" for finding in whole.findings)
    assert len(parts.membership) == 0


def test_blocks__measure_medians_and_spreads_to_the_width_of_a_bin(acquisition, by_all):
    whole = gate_acquisition(acquisition, template=CART)
    parts = gate_acquisition(acquisition, template=CART, at_once=N_EVENTS - 1)
    noise = 400.0  # of the noisiest channel, at least
    for one, other in zip(whole.expression, parts.expression, strict=True):
        assert (one.population, one.marker, one.n) == (other.population, other.marker, other.n)
        reach = abs(one.median_intensity) + one.robust_sd + noise
        assert other.median_intensity == pytest.approx(one.median_intensity, abs=RELATIVE_ERROR * reach)
        assert other.robust_sd == pytest.approx(one.robust_sd, abs=3 * RELATIVE_ERROR * reach)


def test_blocks__take_what_people_decided(acquisition, by_all):
    decisions = [decide_cut("CD3", 2_000.0)]
    whole = gate_acquisition(acquisition, template=CART, decisions=decisions)
    parts = gate_acquisition(acquisition, template=CART, decisions=decisions, at_once=N_EVENTS - 1)
    assert parts.counts == whole.counts


def test_part__is_every_kth_event(acquisition, monkeypatch):
    monkeypatch.setattr(in_parts, "BLOCK", 1_000)
    part = in_parts.take_part(acquisition, most=9_000)
    np.testing.assert_array_equal(part.events, acquisition.events[::3])
    assert part.events.flags.f_contiguous


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("shift", [0, 1])
def test_part_and_blocks__read_either_order_of_bytes_across_words(monkeypatch, order, shift):
    """A large file stays where it lies, whatever its offset and order of bytes."""
    monkeypatch.setattr(in_parts, "BLOCK", 7)
    events = np.arange(60, dtype=np.float32).reshape(20, 3)
    swapped = "4,3,2,1" if order == ">" else "1,2,3,4"
    data = build_fcs(
        events.astype(f"{order}f4").tobytes(), names=["A", "B", "C"], n_events=20,
        keywords={"$BYTEORD": swapped, "PAD": "x" * (1 + shift)},
    )  # fmt: skip
    acquisition = read_fcs(data, name="a", by_column=10)
    part = in_parts.take_part(acquisition, most=10)
    np.testing.assert_array_equal(part.events, events[::2])
    blocks = [block.events for block in in_parts._list_blocks(acquisition)]
    np.testing.assert_array_equal(np.concatenate(blocks), events)
    assert part.events.dtype.isnative
    assert all(block.dtype.isnative for block in blocks)


def test_part__gives_limits_near_to_those_of_all(acquisition, monkeypatch):
    monkeypatch.setattr(in_parts, "BLOCK", 5_000)
    whole = gate_acquisition(acquisition, template=CART)
    parts = gate_acquisition(acquisition, template=CART, at_once=N_EVENTS - 1)
    for name in ("singlets", "live", "lymphocytes", "t_cells"):
        assert parts.count(name) == pytest.approx(whole.count(name), rel=0.03)
    assert parts.n_events == N_EVENTS


def test_keep_time__leaves_out_the_same_stretch_of_other_events():
    time = np.arange(20_000.0)
    y = np.random.default_rng(1).normal(size=20_000)
    y[6_000:9_000] += 2
    check = scan_time(time, [y])
    assert len(check.spans) == 1
    np.testing.assert_array_equal(keep_time(check, time).kept, check.kept)
    shuffled = np.random.default_rng(2).permutation(20_000)
    np.testing.assert_array_equal(keep_time(check, time[shuffled]).kept, check.kept[shuffled])


def test_keep_time__keeps_everything_where_nothing_was_left_out():
    check = TimeCheck(kept=np.ones(3, dtype=bool), removed=0.0, trend=0.0)
    assert keep_time(check, np.arange(7.0)).kept.all()


def test_bins__rise_with_the_values_and_lie_around_them():
    rng = np.random.default_rng(3)
    values = np.sort(np.concatenate([rng.normal(0, 1e5, 4000), rng.normal(0, 3, 4000), [0.0, -0.0]]))
    bins = _find_bins(values, 32.0)
    assert (np.diff(bins) >= 0).all()
    errors = np.abs(_find_centres(32.0)[bins] - values)
    assert (errors <= RELATIVE_ERROR * (np.abs(values) + 32.0)).all()
