"""Aplasia and return, against the worked course and its traps."""

import math

import pytest

from corelab.kinetics.b_cells import Aplasia, find_aplasia

WORKED = {7: 0.4, 14: 0, 28: 0, 60: 2, 90: 8, 120: 35, 150: 72, 180: 140}


def find(course: dict[int, float], *, was_below_before: bool = False) -> Aplasia | None:
    return find_aplasia(
        list(course), list(course.values()), below=10, levels=[10, 50], was_below_before=was_below_before
    )


def test_find_aplasia__worked_course() -> None:
    found = find(WORKED)
    assert found is not None
    assert (found.day, found.onset_low, found.onset_high) == (7, 0, 7)
    assert [(r.low, r.high, r.is_censored) for r in found.recoveries] == [(90, 120, False), (120, 150, False)]


def test_find_aplasia__order_of_samples_is_irrelevant() -> None:
    assert find(dict(reversed(WORKED.items()))) == find(WORKED)


def test_find_aplasia__below_before_infusion_is_not_credited() -> None:
    found = find(WORKED, was_below_before=True)
    assert found is not None
    assert math.isnan(found.onset_low)
    assert math.isnan(found.onset_high)


def test_find_aplasia__onset_between_two_samples() -> None:
    found = find({3: 80, 7: 20, 10: 3, 28: 1})
    assert found is not None
    assert (found.onset_low, found.onset_high) == (7, 10)


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ({7: 1, 60: 2, 90: 30}, (60, None)),  # reached at the last sample only: unconfirmed
        ({7: 1, 60: 12, 75: 5, 90: 20, 120: 30}, (75, 90)),  # fell back: not the first of two in a row
        ({7: 1, 60: 2, 90: 8}, (90, None)),
        ({7: 1, 60: 10, 90: 10}, (7, 60)),  # at the level is reached
        ({7: 1, 60: 9.99, 90: 10, 120: 9}, (120, None)),
    ],
)
def test_find_aplasia__return_needs_two_in_a_row(
    course: dict[int, float], expected: tuple[float, float | None]
) -> None:
    found = find(course)
    assert found is not None
    first = found.recoveries[0]
    assert (first.low, None if first.is_censored else first.high) == expected


def test_find_aplasia__none_without_a_sample_below() -> None:
    assert find({7: 80, 14: 10}) is None
    assert find({}) is None
