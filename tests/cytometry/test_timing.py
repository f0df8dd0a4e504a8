import numpy as np
import pytest

from corelab.cytometry.timing import compute_ranks, scan_time


def draw_run(seed, n=30000, channels=6):
    """Channels with two groups each, in order of time."""
    rng = np.random.default_rng(seed)
    positive = rng.random((n, channels)) < rng.uniform(0.1, 0.9, channels)
    return np.arange(n) * 0.01, rng.normal(0, 0.4, (n, channels)) + 3 * positive


@pytest.mark.parametrize("seed", range(8))
def test_scan_time__leaves_a_clean_run_alone(seed):
    time, y = draw_run(seed)
    assert scan_time(time, y.T).removed <= 0.02


@pytest.mark.parametrize("shift", [-0.5, 0.25])
@pytest.mark.parametrize("stretch", [slice(12000, 15000), slice(0, 7000), slice(24000, 30000)])
def test_scan_time__finds_a_stretch_that_departs(shift, stretch):
    time, y = draw_run(11)
    y[stretch] += shift
    result = scan_time(time, y.T)
    planted = np.zeros(len(y), dtype=bool)
    planted[stretch] = True
    assert (~result.kept)[planted].mean() > 0.95
    assert (~result.kept)[~planted].mean() < 0.03


def test_scan_time__finds_a_fault_of_one_channel_in_its_positives():
    time, y = draw_run(12)
    stretch = slice(20000, 23000)
    y[stretch, 2] = np.where(y[stretch, 2] > 1.5, y[stretch, 2] - 0.5, y[stretch, 2])
    result = scan_time(time, y.T)
    assert 0.08 < result.removed < 0.14


def test_scan_time__does_not_depend_on_the_order_of_the_rows():
    time, y = draw_run(13)
    y[5000:8000] -= 0.6
    order = np.random.default_rng(1).permutation(len(y))
    np.testing.assert_array_equal(scan_time(time[order], y[order].T).kept, scan_time(time, y.T).kept[order])


def test_scan_time__tells_a_trend_that_it_cannot_cut_out():
    time, y = draw_run(14)
    assert scan_time(time, y.T).trend < 0.03
    y += np.linspace(0, 0.4, len(y))[:, None]
    drifting = scan_time(time, y.T)
    assert drifting.trend > 0.08
    assert drifting.removed < 0.02


def test_scan_time__keeps_a_run_too_short_to_judge():
    time, y = draw_run(15, n=1500)
    assert scan_time(time, y.T).kept.all()


def test_compute_ranks__are_even():
    ranks = compute_ranks(np.random.default_rng(2).lognormal(0, 1, 20000))
    assert ranks.mean() == pytest.approx(0.5, abs=1e-9)
    assert ranks.std() == pytest.approx(1 / np.sqrt(12), rel=0.01)
