"""Shares of clusters: exact where every cell was seen, honest where some stand for others."""

import numpy as np
import pandas as pd
import pytest

from corelab.singlecell.abundance import derive_abundance, summarise_groups
from corelab.statistics.intervals import clopper_pearson

NAMES = ["T01", "T02", "T03"]


def make_cells(strata: dict[str, tuple[int, dict[str, int]]]) -> pd.DataFrame:
    """Cells of one file by stratum: how many it holds, and the chosen ones by cluster."""
    rows = []
    for population, (held, chosen) in strata.items():
        n = sum(chosen.values())
        rows += [
            {"population": population, "weight": held / n, "cluster": cluster}
            for cluster, count in chosen.items()
            for _ in range(count)
        ]
    return pd.DataFrame(rows).assign(file_id="f", panel="cart", compartment="car_t")


def test_derive_abundance__is_the_exact_interval_of_the_counts_where_every_cell_was_chosen() -> None:
    cells = make_cells({"x": (80, {"T01": 60, "T02": 20}), "y": (20, {"T02": 20})})
    found = derive_abundance(cells, {"cart": NAMES}).set_index("cluster")
    assert found["percent"].tolist() == pytest.approx([60.0, 40.0, 0.0])
    for name, count in (("T01", 60), ("T02", 40), ("T03", 0)):
        low, high = clopper_pearson(count, 100)
        assert found.loc[name, "ci_low"] == pytest.approx(100 * float(low))
        assert found.loc[name, "ci_high"] == pytest.approx(100 * float(high))


def test_derive_abundance__weighs_cells_by_what_they_stand_for_and_is_less_sure() -> None:
    whole = make_cells({"x": (10_000, {"T01": 5000, "T02": 5000}), "y": (100, {"T03": 100})})
    part = make_cells({"x": (10_000, {"T01": 50, "T02": 50}), "y": (100, {"T03": 100})})
    sure, unsure = (derive_abundance(one, {"cart": NAMES}).set_index("cluster") for one in (whole, part))
    np.testing.assert_allclose(sure["percent"], unsure["percent"], atol=0.5)
    width = {name: one["ci_high"] - one["ci_low"] for name, one in (("sure", sure), ("unsure", unsure))}
    assert width["unsure"]["T01"] > 5 * width["sure"]["T01"]
    # The rare cluster was counted whole: only what the large stratum may hide of it makes it less sure.
    assert unsure.loc["T03", "ci_low"] < 0.99 < unsure.loc["T03", "ci_high"]
    assert unsure.loc["T01", "cells_seen"] == 10_100
    assert unsure.loc["T01", "cells_chosen"] == 200


def test_derive_abundance__intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Tubes of blood with 4 % of a cluster, unevenly over two strata, one of them cut to a tenth."""
    rng = np.random.default_rng(3)
    share, hits = {"x": 0.03, "y": 0.13}, 0
    truth = 100 * (0.9 * share["x"] + 0.1 * share["y"])
    for _ in range(100):
        in_y = rng.binomial(5000, 0.1)
        held = {"x": 5000 - in_y, "y": in_y}
        strata = {}
        for name, total in held.items():
            n = min(total, 450)
            positive = rng.hypergeometric(k := rng.binomial(total, share[name]), total - k, n)
            strata[name] = (total, {"T01": int(positive), "T02": n - int(positive)})
        row = derive_abundance(make_cells(strata), {"cart": NAMES}).iloc[0]
        hits += bool(row["ci_low"] <= truth <= row["ci_high"])
    assert hits >= 91  # of 100; 300 gave 93 % and more


def test_derive_abundance__calculates_nothing_from_few_cells() -> None:
    found = derive_abundance(make_cells({"x": (20, {"T01": 20})}), {"cart": NAMES})
    assert set(found["status"]) == {"not_calculated"}
    assert set(found["reason"]) == {"FEW_CELLS"}
    assert found["percent"].isna().all()
    assert found["cells"].tolist() == [20.0, 0.0, 0.0]


def make_shares(percents: dict[str, list[float]], arm: str = "low") -> pd.DataFrame:
    rows = [
        {
            "subject_id": child, "arm": arm, "visit": "D14", "panel": "cart", "compartment": "car_t",
            "cluster": "T01", "cells_seen": 1000.0, "cells": 10 * percent, "status": "quantified",
        }
        for child, listed in percents.items()
        for percent in listed
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_summarise_groups__repeats_children_not_samples() -> None:
    """A child with ten samples counts once, and intervals need three children."""
    shares = make_shares({"A": [10.0] * 10, "B": [20.0], "C": [40.0]})
    found = summarise_groups(shares).set_index("arm")
    assert found.loc["low", "n_children"] == 3
    assert found.loc["low", "percent"] == pytest.approx(21.1, abs=0.5)
    assert found.loc["low", "ci_low"] < 10 < 40 < found.loc["low", "ci_high"]
    two = summarise_groups(make_shares({"A": [10.0], "B": [20.0]})).set_index("arm")
    assert two.loc["low", "reason"] == "FEW_CHILDREN"
    assert np.isnan(two.loc["low", "ci_low"])
    assert "high" not in two.index


def test_summarise_groups__stands_without_a_row() -> None:
    empty = make_shares({"A": [1.0]}).iloc[:0]
    assert summarise_groups(empty).empty
