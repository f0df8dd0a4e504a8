"""A sketch keeps what is rare and says what each cell stands for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.statistics.sampling import choose_fairly, find_level

SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=6)


def make_labels(sizes: list[int]) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    labels = np.repeat([f"p{number}" for number in range(len(sizes))], sizes).astype(object)
    return np.random.default_rng(0).permutation(labels)


@given(SIZES, st.integers(10, 600))
def test_choose_fairly__cuts_only_the_largest_and_weighs_back(sizes: list[int], limit: int) -> None:
    labels = make_labels(sizes)
    chosen, weights = choose_fairly(labels, limit=limit, rng=np.random.default_rng(1))
    assert (np.diff(chosen) > 0).all()
    assert len(chosen) <= max(limit, len(sizes))
    taken = {name: int((labels[chosen] == name).sum()) for name in set(labels)}
    level = max(taken.values())
    for number, size in enumerate(sizes):
        assert taken[f"p{number}"] == min(size, level)
        assert weights[labels[chosen] == f"p{number}"].sum() == pytest.approx(size)
    if sum(sizes) <= limit:
        assert len(chosen) == sum(sizes)
    assert weights.sum() == pytest.approx(len(labels))


def test_choose_fairly__is_the_same_for_the_same_seed_and_none_for_none() -> None:
    labels = make_labels([5, 900])
    first, _ = choose_fairly(labels, limit=100, rng=np.random.default_rng(7))
    again, _ = choose_fairly(labels, limit=100, rng=np.random.default_rng(7))
    other, _ = choose_fairly(labels, limit=100, rng=np.random.default_rng(8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(choose_fairly(labels[:0], limit=100, rng=np.random.default_rng(7))[0]) == 0


def test_find_level__never_drops_a_population_whole() -> None:
    assert find_level(np.array([50, 50, 50]), 2) == 1
