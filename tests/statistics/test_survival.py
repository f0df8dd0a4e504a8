"""Times that lie between two samples, against lifelines and against what makes an estimate the best one."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corelab.statistics.survival import estimate_kaplan_meier, estimate_turnbull, read_survival

NAN = float("nan")
VISITS = (0.0, 7.0, 14.0, 28.0, 60.0, 90.0, 120.0, 180.0)


def sample(seed: int, n: int = 24) -> tuple[list[float], list[float]]:
    """Draw the intervals of children seen at the same visits, some still without the event at the last."""
    rng = np.random.default_rng(seed)
    ends = np.searchsorted(VISITS, rng.exponential(70, n))
    low = [VISITS[end - 1] for end in ends]
    return low, [VISITS[end] if end < len(VISITS) else NAN for end in ends]


@pytest.mark.parametrize("seed", range(4))
def test_estimate_kaplan_meier__equals_lifelines(seed: int) -> None:
    from lifelines import KaplanMeierFitter

    low, high = (np.array(ends) for ends in sample(seed))
    is_event = ~np.isnan(high)
    times = np.where(is_event, (low + np.nan_to_num(high)) / 2, low)
    fitted = KaplanMeierFitter().fit(times, is_event)
    for day in (5, 11, 30, 91, 140):
        ours = estimate_kaplan_meier(low.tolist(), high.tolist(), day)
        assert ours.share == pytest.approx(fitted.predict(day), abs=1e-12)
        interval = fitted.confidence_interval_.loc[:day].iloc[-1]
        if 0 < ours.share < 1:
            assert [ours.ci_low, ours.ci_high] == pytest.approx(interval.tolist(), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_estimate_turnbull__equals_lifelines_once_its_intervals_are_open_on_the_left(seed: int) -> None:
    from lifelines.fitters.npmle import npmle

    low, high = sample(seed)
    ours = estimate_turnbull(low, high)
    ends = np.where(np.isnan(high), np.inf, high)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lifelines takes the logarithm of zero on its way
        masses, intervals = npmle(np.array(low) + 1e-9, ends, tol=1e-10)
    assert [one.right for one in intervals] == ours.highs.tolist()
    assert ours.masses == pytest.approx(masses, abs=1e-6)


def test_estimate_turnbull__why_it_is_our_own_and_not_that_of_lifelines() -> None:
    """A loss after day 30 and by day 60 is none after day 60: lifelines takes both ends in (0.30.3)."""
    from lifelines.fitters.npmle import npmle

    low, high = [30.0, 60.0], [60.0, 90.0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        masses, intervals = npmle(low, high)
    assert [(one.left, one.right) for one in intervals] == [(60.0, 60.0)]
    assert masses == pytest.approx([1.0])
    ours = estimate_turnbull(low, high)
    assert list(zip(ours.lows, ours.highs, ours.masses, strict=True)) == [(30, 60, 0.5), (60, 90, 0.5)]
    assert read_survival(ours, 60) == (0.5, 0.5)


INTERVALS = st.lists(
    st.tuples(st.integers(0, 20), st.one_of(st.none(), st.integers(1, 15))), min_size=1, max_size=20
)


@settings(max_examples=60, deadline=None)
@given(INTERVALS)
def test_estimate_turnbull__no_other_masses_are_likelier(found: list[tuple[int, int | None]]) -> None:
    """The directional derivatives are at most 1, and 1 where there is mass (Gentleman and Geyer 1994)."""
    low = np.array([float(start) for start, _ in found])
    high = np.array([NAN if width is None else start + width for start, width in found], dtype=float)
    estimate = estimate_turnbull(low.tolist(), high.tolist())
    assert estimate.masses.sum() == pytest.approx(1)
    ends = np.where(np.isnan(high), np.inf, high)
    covers = (estimate.lows[None, :] >= low[:, None]) & (estimate.highs[None, :] <= ends[:, None])
    gain = (covers / (covers @ estimate.masses)[:, None]).mean(axis=0)
    assert gain.max() <= 1 + 1e-3
    assert gain[estimate.masses > 1e-3] == pytest.approx(1, abs=1e-3)


def test_estimates__order_of_children_does_not_matter() -> None:
    low, high = sample(1)
    there, back = estimate_turnbull(low, high), estimate_turnbull(low[::-1], high[::-1])
    assert there.masses == pytest.approx(back.masses, abs=1e-12)
    assert estimate_kaplan_meier(low, high, 60) == estimate_kaplan_meier(low[::-1], high[::-1], 60)
