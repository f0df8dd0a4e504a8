"""Damaged inputs of every kind (5,000 of them in ``make validate``)."""

from pathlib import Path

from tests.validation.input_fuzz import LONGEST_SECONDS, fuzz_deliveries

INPUTS = 60


def test_deliveries__that_are_damaged_are_refused_in_words_and_the_rest_goes_on(tmp_path: Path) -> None:
    outcome = fuzz_deliveries(tmp_path, inputs=INPUTS, seed=11)
    assert outcome.wrong == []
    assert outcome.counts.total() >= INPUTS
    assert {"csv", "fcs", "wsp", "gml"} <= set(outcome.counts)
    assert outcome.slowest_s < LONGEST_SECONDS
    assert outcome.snapshot
