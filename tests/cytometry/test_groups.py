import numpy as np
import pytest
from scipy.stats import norm

from corelab.cytometry.groups import TwoGroups, fit_two_groups
from corelab.cytometry.recipes import from_axis, to_axis


def draw(seed, *groups):
    """Groups of (n, mean, sd), as one sample."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(mean, sd, n) for n, mean, sd in groups])


def test_fit_two_groups__finds_what_was_drawn():
    fit = fit_two_groups(draw(1, (6000, 0.4, 0.5), (4000, 2.6, 0.4)))
    assert fit is not None
    assert (fit.share, fit.low, fit.low_sd) == pytest.approx((0.6, 0.4, 0.5), abs=0.03)
    assert (fit.high, fit.high_sd) == pytest.approx((2.6, 0.4), abs=0.03)
    assert fit.separation == pytest.approx(2.2 / 0.9, rel=0.05)


def test_place_limit__errs_least():
    """Equal groups meet half-way; of a small group more is given up than of a large one."""
    equal = fit_two_groups(draw(2, (20000, 0.0, 0.4), (20000, 2.0, 0.4)))
    small = fit_two_groups(draw(2, (20000, 0.0, 0.4), (1000, 2.0, 0.4)))
    assert equal is not None and small is not None  # noqa: PT018 - both are there
    position, wrong = equal.place_limit()
    assert position == pytest.approx(1.0, abs=0.02)
    assert wrong == pytest.approx(float(norm.sf(2.5)), rel=0.2)
    # where the two densities are equal: half-way and the logarithm of 20 times variance / distance
    assert small.place_limit()[0] == pytest.approx(1.0 + 0.16 / 2.0 * np.log(20), abs=0.04)


@pytest.mark.parametrize("n", [60, 100, 300, 2000, 20000])
def test_fit_two_groups__never_splits_one_group(n):
    assert not any(fit_two_groups(draw(seed, (n, 0.3, 0.4))) for seed in range(40))


def test_fit_two_groups__says_nothing_of_what_two_normals_do_not_describe():
    assert fit_two_groups(draw(3, (3000, 0, 0.4), (3000, 2, 0.4), (3000, 4, 0.4))) is None
    assert fit_two_groups(np.random.default_rng(3).uniform(0, 5, 5000)) is None
    assert fit_two_groups(draw(3, (3000, 0.5, 0.7), (3000, 1.8, 0.6))) is None  # they make one peak
    assert fit_two_groups(draw(3, (3000, 0, 0.4), (10, 3.0, 0.3))) is None  # ten are no group
    assert fit_two_groups(np.zeros(0)) is None


def test_fit_two_groups__refuses_one_in_a_hundred_of_what_is_two_normals():
    """Lilliefors' own bound is for two numbers from the same events and refuses none; here they are five."""
    pairs = [((180, 0.5, 0.6), (120, 3.6, 0.5)), ((240, 0.4, 0.5), (60, 2.5, 0.45))]
    found = [fit_two_groups(draw(seed, *pair)) is not None for pair in pairs for seed in range(60)]
    assert 116 <= sum(found) <= 119


def test_fit_two_groups__takes_no_group_over_two_levels_where_few_events_judge_it():
    """Negative, dim and bright: two normals describe 300 of them by spreading one over two levels."""
    draws = [draw(seed, (150, 0.3, 0.45), (60, 2.0, 0.5), (100, 4.0, 0.5)) for seed in range(40)]
    assert sum(fit_two_groups(y) is not None for y in draws) <= 4
    wide = fit_two_groups(draw(8, (9000, 0.3, 0.5), (9000, 4.5, 0.9)))
    assert wide is not None  # so many events say themselves that two normals describe them
    assert fit_two_groups(draw(8, (150, 0.3, 0.5), (150, 4.5, 0.95))) is None


def test_fit_two_groups__half_believes_groups_of_another_shape_far_apart():
    rng = np.random.default_rng(9)
    bent = np.concatenate([rng.normal(0, 0.35, 6000) + rng.exponential(0.35, 6000), rng.normal(3, 0.5, 6000)])
    fit = fit_two_groups(bent)
    assert fit is not None
    assert not fit.is_sure
    assert fit.separation > 1.75
    for place in (1.4, 1.6, 1.8):
        near = fit_two_groups(np.concatenate([bent[:6000], rng.normal(place, 0.5, 6000)]))
        assert near is None or near.is_sure
    far = np.concatenate([bent[:6000], bent[:6000] + 6, rng.normal(3, 0.5, 6000)])
    assert fit_two_groups(far) is None, "three groups are not two of another shape"
    sure = fit_two_groups(draw(9, (6000, 0.0, 0.5), (6000, 3.0, 0.5)))
    assert sure is not None
    assert sure.is_sure


def test_holds_between__is_where_neither_group_loses_its_middle():
    fit = TwoGroups(share=0.5, low=0.4, low_sd=0.6, high=2.0, high_sd=0.5, n=400)
    assert [fit.holds_between(place) for place in (0.99, 1.01, 1.49, 1.51)] == [False, True, True, False]


def test_fit_two_groups__does_not_depend_on_the_gain():
    x = np.concatenate([draw(5, (300, 40, 150)), 2500 * np.exp(draw(6, (200, 0, 0.5)))])
    limits = []
    for gain in (0.5, 1.0, 2.0):
        fit = fit_two_groups(to_axis(gain * x, gain * 150))
        assert fit is not None
        limits.append(from_axis(fit.place_limit()[0], gain * 150) / gain)
    np.testing.assert_allclose(limits, limits[0], rtol=1e-9)
