"""The one rule of detection, on both sides of each of its limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from corelab.statistics.rare_events import (
    EventFloors,
    compute_fisher_greater,
    compute_limit_of_blank,
    compute_limit_of_detection,
    compute_lod_events,
    decide,
)

FLOORS = EventFloors(lod_events=20, lloq_events=50, alpha=0.05)
BLANKS = [1.2, 0.8, 2.1, 1.5, 0.9, 1.7, 1.1, 1.4, 2.0, 1.3]


def test_compute_limit_of_blank__worked_blanks() -> None:
    assert np.mean(BLANKS) == pytest.approx(1.40)
    assert round(float(np.std(BLANKS, ddof=1)), 4) == 0.4346
    limit = compute_limit_of_blank(BLANKS)
    assert round(limit, 4) == 2.1149
    assert round(compute_limit_of_detection(limit, 0.7700), 4) == 3.3816


def test_compute_limit_of_blank__needs_a_spread() -> None:
    with pytest.raises(ValueError, match="two blanks"):
        compute_limit_of_blank([1.0])


def test_compute_fisher_greater__worked_sample() -> None:
    assert round(float(compute_fisher_greater(14, 61_000, blank_count=3, blank_total=58_000)), 4) == 0.0084


@given(st.integers(0, 60), st.integers(60, 900), st.integers(0, 60), st.integers(60, 900))
def test_compute_fisher_greater__equals_scipy(count: int, total: int, blank: int, blank_total: int) -> None:
    table = [[count, total - count], [blank, blank_total - blank]]
    expected = fisher_exact(table, alternative="greater").pvalue
    assert float(
        compute_fisher_greater(count, total, blank_count=blank, blank_total=blank_total)
    ) == pytest.approx(expected, rel=1e-8)


def test_compute_fisher_greater__is_unknown_without_a_blank() -> None:
    values = compute_fisher_greater(
        [5, 5, np.nan], [100, 0, 100], blank_count=[np.nan, 1, 1], blank_total=[100, 100, 100]
    )
    assert np.isnan(values).all()


@pytest.mark.parametrize(
    ("total", "limit", "expected"),
    [
        (61_000, float("nan"), 20),
        (61_000, 0.02, 20),
        (200_000, 0.02, 40),
        (200_001, 0.02, 41),
        (1_000, 2.1, 21),
    ],
)
def test_compute_lod_events__floor_or_limit_of_blank(total: int, limit: float, expected: int) -> None:
    assert compute_lod_events(total, floors=FLOORS, limit_of_blank_percent=limit) == expected


@pytest.mark.parametrize(
    ("count", "p_value", "floor", "status", "reason"),
    [
        (0, 1.0, 20, "not_detected", "NO_EVENTS"),
        (14, 0.0084, 20, "not_detected", "TRACE"),
        (19, 0.001, 20, "not_detected", "TRACE"),
        (20, 0.001, 20, "detected_blq", "BELOW_LLOQ"),
        (20, 0.05, 20, "not_detected", "NOT_ABOVE_BLANK"),
        (20, 0.0499, 20, "detected_blq", "BELOW_LLOQ"),
        (49, 0.001, 20, "detected_blq", "BELOW_LLOQ"),
        (50, 0.001, 20, "quantified", ""),
        (500, 0.06, 20, "not_detected", "NOT_ABOVE_BLANK"),
        (59, 0.001, 60, "not_detected", "TRACE"),
        (60, 0.001, 60, "quantified", ""),
        (50, float("nan"), 20, "quantified", ""),
        (19, float("nan"), 20, "not_detected", "TRACE"),
    ],
)
def test_decide__one_rule_at_its_limits(
    count: int, p_value: float, floor: int, status: str, reason: str
) -> None:
    decisions = decide(count, p_value, floor, floors=FLOORS)
    assert (str(decisions.status), str(decisions.reason)) == (status, reason)


@given(st.integers(0, 400), st.floats(0, 1), st.integers(20, 100))
def test_decide__more_events_never_mean_less(count: int, p_value: float, floor: int) -> None:
    order = ["not_detected", "detected_blq", "quantified"]
    pair = decide([count, count + 1], p_value, floor, floors=FLOORS).status
    assert order.index(pair[0]) <= order.index(pair[1])
