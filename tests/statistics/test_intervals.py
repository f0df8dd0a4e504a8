"""Intervals against the worked numbers of the specification and their own laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from corelab.statistics.intervals import clopper_pearson, count_ratio, newcombe, wilson

COUNTS = st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def percent(interval: tuple[np.ndarray, np.ndarray]) -> list[float]:
    return [100 * float(limit) for limit in interval]


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        (14, 61_000, 0.01255, 0.03850),
        (0, 61_000, 0.0, 0.00605),
        (1_790, 1_842, 96.31, 97.88),
        (210, 1_842, 9.98, 12.94),
        (28, 30, 77.93, 99.18),
    ],
)
def test_clopper_pearson__gives_the_worked_limits(count: int, total: int, low: float, high: float) -> None:
    digits = 5 if total == 61_000 else 2
    assert [round(limit, digits) for limit in percent(clopper_pearson(count, total))] == [low, high]


def test_clopper_pearson__one_sided_upper_limit_of_no_event() -> None:
    _, high = clopper_pearson(0, 61_000, level=0.90)
    assert 100 * float(high) == pytest.approx(0.00491, abs=5e-6)


@given(COUNTS)
def test_clopper_pearson__equals_the_beta_quantiles_and_contains_the_estimate(pair: tuple[int, int]) -> None:
    count, total = pair
    low, high = (float(limit) for limit in clopper_pearson(count, total))
    assert low <= count / total <= high
    expected_low = beta.ppf(0.025, count, total - count + 1) if count else 0.0
    expected_high = beta.ppf(0.975, count + 1, total - count) if count < total else 1.0
    assert low == pytest.approx(expected_low, rel=1e-9)
    assert high == pytest.approx(expected_high, rel=1e-9)


@given(st.integers(1, 5_000), st.data())
def test_clopper_pearson__rises_with_the_count(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total - 1))
    low, high = clopper_pearson([count, count + 1], total)
    assert low[1] > low[0] or low[1] == low[0] == 0.0
    assert high[1] > high[0]


@given(COUNTS, st.floats(0.5, 0.98))
def test_clopper_pearson__widens_with_the_level(pair: tuple[int, int], level: float) -> None:
    narrow = clopper_pearson(*pair, level=level)
    wide = clopper_pearson(*pair, level=level + 0.01)
    assert float(wide[0]) <= float(narrow[0])
    assert float(wide[1]) >= float(narrow[1])


def test_clopper_pearson__a_total_of_zero_has_no_limits() -> None:
    low, high = clopper_pearson([0, 5], [0, 10])
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()


@pytest.mark.parametrize(("count", "total"), [(-1, 10), (11, 10)])
def test_clopper_pearson__refuses_impossible_counts(count: int, total: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        clopper_pearson(count, total)


def test_wilson__gives_the_worked_limits() -> None:
    assert [round(limit, 5) for limit in percent(wilson(14, 61_000))] == [0.01367, 0.03852]


@given(COUNTS)
def test_wilson__equals_scipy(pair: tuple[int, int]) -> None:
    expected = binomtest(*pair).proportion_ci(method="wilson")
    low, high = wilson(*pair)
    assert float(low) == pytest.approx(expected.low, abs=1e-12)
    assert float(high) == pytest.approx(expected.high, abs=1e-12)


def test_newcombe__gives_the_worked_net_percentage() -> None:
    low, high = percent(newcombe(412, 5_650, control_count=9, control_total=5_400))
    assert (round(low, 3), round(high, 3)) == (6.459, 7.837)
    assert round(100 * (412 / 5_650 - 9 / 5_400), 3) == 7.125


@given(COUNTS, COUNTS)
def test_newcombe__contains_the_difference_and_mirrors(
    sample: tuple[int, int], control: tuple[int, int]
) -> None:
    low, high = (
        float(limit) for limit in newcombe(*sample, control_count=control[0], control_total=control[1])
    )
    difference = sample[0] / sample[1] - control[0] / control[1]
    assert low - 1e-12 <= difference <= high + 1e-12
    mirrored = [
        float(limit) for limit in newcombe(*control, control_count=sample[0], control_total=sample[1])
    ]
    assert mirrored == pytest.approx([-high, -low], abs=1e-12)


@pytest.mark.parametrize(
    ("count", "low", "high", "digits"), [(412, 41.44, 50.61, 2), (0, 0.0, 0.4106, 4), (7, 0.3131, 1.6057, 4)]
)
def test_count_ratio__gives_the_worked_cells_per_ul(count: int, low: float, high: float, digits: int) -> None:
    limits = [round(float(limit) * 49_800 / 50, digits) for limit in count_ratio(count, 8_950)]
    assert limits == [low, high]


def test_count_ratio__without_a_reference_is_open_above() -> None:
    _, high = count_ratio(3, 0)
    assert float(high) == np.inf


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_count_ratio__contains_the_ratio(count: int, reference: int) -> None:
    low, high = (float(limit) for limit in count_ratio(count, reference))
    assert low <= count / reference <= high
