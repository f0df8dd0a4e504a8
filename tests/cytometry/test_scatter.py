import numpy as np

from corelab.cytometry.scatter import find_beads, find_margin, fit_singlets, keep_ratio

RNG = np.random.default_rng(42)


def find_singlets(area, height, among):
    return keep_ratio(among, area, height, limits=fit_singlets(area, height, among))


def test_find_singlets__loses_doublets_and_hardly_a_singlet():
    height = RNG.lognormal(11, 0.15, 20000)
    ratio = np.where(np.arange(20000) < 2000, 1.8, 1.2) * np.exp(RNG.normal(0, 0.03, 20000))
    doublet = np.arange(20000) < 2000
    singlets = find_singlets(height * ratio, height, np.ones(20000, dtype=bool))
    assert singlets[~doublet].mean() > 0.999
    assert singlets[doublet].mean() < 0.01


def test_find_singlets__takes_an_empty_tube():
    assert find_singlets(np.empty(0), np.empty(0), np.empty(0, dtype=bool)).sum() == 0


def test_find_margin__marks_piled_up_events_and_no_scatter():
    events = RNG.uniform(100, 200000, (1000, 3))
    events[:30, 1] = 262143
    events[30:40, 0] = 0
    margin = find_margin(events, np.full(3, 262144.0), [0])
    np.testing.assert_array_equal(np.flatnonzero(margin), np.arange(40))


def make_tube(n_beads, *, dead=500):
    cells = RNG.normal(2, 2, 10000)
    autofluorescent = RNG.lognormal(3, 0.6, dead)
    beads = 120 * np.exp(RNG.normal(0, 0.1, n_beads))
    brightness = np.concatenate([cells, autofluorescent, beads])
    n = len(brightness) - n_beads
    forward = np.concatenate([RNG.lognormal(11, 0.3, n), 9e4 * np.exp(RNG.normal(0, 0.02, n_beads))])
    side = np.concatenate([RNG.lognormal(10, 0.4, n), 2e5 * np.exp(RNG.normal(0, 0.02, n_beads))])
    is_bead = np.arange(len(brightness)) >= n
    return brightness, [forward, side], is_bead


def test_find_beads__finds_the_tight_bright_group():
    brightness, scatter, is_bead = make_tube(800)
    found = find_beads(brightness, scatter)
    assert found.mask[is_bead].mean() > 0.99
    assert not found.mask[~is_bead].any()


def test_find_beads__invents_none():
    assert find_beads(*make_tube(0)[:2]) is None
    assert find_beads(*make_tube(20)[:2]) is None


def test_find_beads__leaves_out_coincidences_with_cells():
    brightness, scatter, is_bead = make_tube(800)
    coincident = np.flatnonzero(is_bead)[:40]
    scatter[0][coincident] += 8e4
    found = find_beads(brightness, scatter)
    assert not found.mask[coincident].any()
