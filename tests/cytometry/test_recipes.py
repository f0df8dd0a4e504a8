import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corelab.cytometry.density import compute_histogram, find_landscape
from corelab.cytometry.recipes import (
    balance_counts,
    balance_groups,
    compute_floored_scale,
    compute_scale,
    compute_swing,
    fit_negative,
    fit_valley,
    from_axis,
    to_axis,
)


def draw(seed, *groups):
    """Groups of (n, mean, sd), as one sample."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(mean, sd, n) for n, mean, sd in groups])


def test_compute_scale__is_the_spread_of_a_centred_negative():
    assert compute_scale(draw(1, (20000, 0, 340), (5000, 9000, 1500))) == pytest.approx(340, rel=0.03)


def test_compute_scale__is_unknown_without_negatives():
    assert np.isnan(compute_scale(np.abs(draw(2, (5000, 900, 100)))))


def test_compute_scale__is_known_from_ten_values_below_zero():
    noise = np.random.default_rng(3).normal(0, 800, 22)
    few = np.concatenate([noise, np.full(500, 5000.0)])
    assert 400 < compute_scale(few) < 1400
    assert np.isnan(compute_scale(np.concatenate([-np.ones(9), few[few > 0]])))


@pytest.mark.parametrize("positives", [0, 4000, 90_000])
def test_compute_floored_scale__measures_the_half_that_was_recorded(positives):
    """Instruments that record no value below zero put half of the negatives on zero."""
    x = np.maximum(draw(5, (10_000, 0, 200), (positives, 9000, 900)), 0)
    assert compute_floored_scale(x) == pytest.approx(200, rel=0.05)


def test_compute_floored_scale__is_unknown_where_nothing_was_floored():
    negatives = draw(6, (10_000, 0, 200))
    for x in (negatives, np.abs(negatives), np.maximum(negatives + 700, 0), np.zeros(0)):
        assert np.isnan(compute_floored_scale(x))


def test_balance_groups__is_fair_to_a_dim_group_and_knows_a_smear():
    """Of a group at 6 spreads as many fall short of the limit as a wider-tailed negative exceeds it."""
    rng = np.random.default_rng(7)
    negative = rng.normal(0, 1, 4000)
    limit = balance_groups(np.concatenate([negative, 6 * np.exp(rng.normal(0, 0.5, 4000))]), 4.0)
    assert limit == pytest.approx(2.35, abs=0.15)
    assert balance_groups(np.concatenate([negative, 6 * np.exp(rng.normal(0, 1.0, 4000))]), 4.0) is None
    assert balance_groups(negative, 4.0) is None


@pytest.mark.parametrize(("n", "middle"), [(1500, 8.0), (4000, 8.0), (4000, 10.0)])
def test_balance_counts__makes_the_count_of_a_dim_group_right(n, middle):
    """A fixed limit of 4 loses what lies below it; negatives wider to the right than these leave a third."""
    rng = np.random.default_rng(11)
    positive = middle * np.exp(rng.normal(0, 0.45, n)) + rng.normal(0, 1, n)
    z = np.concatenate([rng.normal(0, 1, 8000), positive])
    limit = balance_counts(z, 4.0, 2.5)
    assert limit is not None
    assert 2.5 <= limit < 4.0
    lost_at_four = 1 - (z > 4).sum() / n
    assert abs((z > limit).sum() / n - 1) < 0.7 * lost_at_four


def test_balance_counts__says_nothing_of_few_of_a_smear_and_of_background():
    rng = np.random.default_rng(12)
    negative = rng.normal(0, 1, 50_000)
    assert balance_counts(negative, 4.0, 2.5) is None
    few = 8 * np.exp(rng.normal(0, 0.4, 280))
    assert balance_counts(np.concatenate([negative, few]), 4.0, 2.5) is None
    for background in (rng.exponential(4, 50_000), np.exp(rng.normal(1, 0.8, 50_000))):
        z = negative + np.where(rng.random(50_000) < 0.03, background, 0)
        assert (z > 4).sum() > 300
        assert balance_counts(z, 4.0, 2.5) is None
    assert balance_counts(rng.standard_t(3, 50_000), 4.0, 2.5) is None


def test_balance_counts__keeps_the_fixed_limit_below_a_bright_group():
    rng = np.random.default_rng(13)
    z = np.concatenate([rng.normal(0, 1, 8000), 30 * np.exp(rng.normal(0, 0.4, 600))])
    assert balance_counts(z, 4.0, 2.5) == 4.0


@pytest.mark.parametrize("spread", [100, 300, 600, 1000, 2000])
def test_fit_valley__never_splits_one_population_whatever_its_noise(spread):
    for seed in range(20):
        x = draw(seed, (20000, 0, spread))
        assert fit_valley(to_axis(x, compute_scale(x)), which="deepest") is None


@pytest.mark.parametrize("n", [50, 100, 300, 1000, 5000])
def test_fit_valley__abstains_on_one_population_of_any_size(n):
    invented = sum(fit_valley(draw(seed, (n, 0, 1)), which="deepest") is not None for seed in range(60))
    assert invented == 0


def test_fit_valley__lies_between_two_groups():
    y = draw(3, (3000, 0, 0.4), (800, 3, 0.4))
    fit = fit_valley(y, which="deepest")
    assert 1.2 < fit.position < 2.0
    assert fit.score > 0.5
    truth = np.repeat([False, True], [3000, 800])
    assert np.mean((y > fit.position) == truth) > 0.999


def test_fit_valley__takes_the_valley_it_is_asked_for():
    y = draw(4, (3000, 0, 0.3), (3000, 3, 0.3), (3000, 7, 0.3))
    assert fit_valley(y, which="first").position == pytest.approx(1.5, abs=0.5)
    assert fit_valley(y, which="last").position == pytest.approx(5, abs=0.8)
    assert fit_valley(y, which="first", at_least=2.5).position > 3


def test_fit_valley__abstains_where_a_group_is_too_small():
    assert fit_valley(draw(5, (5000, 0, 0.3), (20, 4, 0.3)), which="deepest") is None
    assert fit_valley(np.empty(0), which="first") is None


def test_find_landscape__drops_the_weaker_of_neighbouring_bumps():
    counts = compute_histogram(draw(6, (4000, 0, 0.3), (4000, 3, 0.3)), margin=1.5)
    landscape = find_landscape(counts, 0.18)
    assert len(landscape.peaks) == 2
    assert landscape.peaks == pytest.approx((0, 3), abs=0.15)
    assert landscape.valleys[0].depth > 0.9


def test_fit_negative__ignores_positives_however_many_or_dim():
    for positives in [(0, 0, 1), (9000, 1500, 500), (30000, 8000, 3000)]:
        x = draw(7, (6000, 120, 250), positives)
        negative = fit_negative(x, scale=250)
        assert negative.mode == pytest.approx(120, abs=60)
        assert negative.spread == pytest.approx(250, rel=0.15)


@pytest.mark.parametrize("whole", [0, 6000])
def test_fit_negative__knows_a_group_whose_left_half_was_recorded_as_zero(whole):
    """Compensation moves the zeros a little apart, and lifts some cells clear of the floor."""
    floored = np.maximum(draw(9, (6000, 0, 200)), 0) - np.abs(draw(10, (6000, 0, 12)))
    x = np.concatenate([floored, draw(11, (whole, 0, 200), (900, 8000, 1500))])
    negative = fit_negative(x, scale=200)
    assert negative.mode == pytest.approx(0, abs=20)
    assert negative.spread == pytest.approx(200, rel=0.2)  # left alone, 20 to 60


def test_fit_negative__needs_events():
    assert fit_negative(draw(8, (49, 0, 1)), scale=1.0) is None


def test_compute_swing__counts_the_events_around_a_cut():
    assert compute_swing(np.arange(100.0), 50, 10) == pytest.approx(10)
    assert compute_swing(np.empty(0), 0, 1) == 100


@given(st.floats(-1e6, 1e6), st.floats(1, 1e4))
def test_from_axis__is_the_inverse_of_to_axis(x, scale):
    assert from_axis(float(to_axis(np.array([x]), scale)[0]), scale) == pytest.approx(x, rel=1e-9, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(gain=st.floats(0.2, 20), seed=st.integers(0, 20))
def test_recipes__do_not_depend_on_the_gain(gain, seed):
    x = draw(seed, (4000, 0, 150), (900, 5000, 1200))
    scale = compute_scale(x)
    cuts = [fit_negative(x, scale=scale).mode + 4 * fit_negative(x, scale=scale).spread]
    cuts.append(from_axis(fit_valley(to_axis(x, scale), which="deepest").position, scale))
    again = compute_scale(gain * x)
    negative = fit_negative(gain * x, scale=again)
    valley = fit_valley(to_axis(gain * x, again), which="deepest")
    assert negative.mode + 4 * negative.spread == pytest.approx(gain * cuts[0], rel=1e-6)
    assert from_axis(valley.position, again) == pytest.approx(gain * cuts[1], rel=1e-6)
