"""Coverage of the intervals over expected counts from 0.5 to 1,000; larger grids in `make validate`."""

from tests.validation.coverage import cover_concentrations, cover_fractions, list_expected


def test_clopper_pearson__holds_the_truth_at_least_as_often_as_it_says() -> None:
    coverage = cover_fractions(list_expected(120))
    assert coverage["clopper_pearson"].min() >= 0.95


def test_wilson__holds_the_truth_as_often_as_it_says_on_average() -> None:
    coverage = cover_fractions(list_expected(120))["wilson"]
    assert 0.94 <= coverage.mean() <= 0.96
    # It is for display: with a few expected events it holds less often than it says.
    assert 0.88 <= coverage.min() <= 0.92


def test_count_ratio__holds_the_concentration_and_is_not_wide() -> None:
    coverage = cover_concentrations(list_expected(14), draws=40, seed=11)
    assert coverage["cells_per_ul"].min() >= 0.95
    assert coverage.loc[coverage["expected"] >= 10, "cells_per_ul"].max() <= 0.98
