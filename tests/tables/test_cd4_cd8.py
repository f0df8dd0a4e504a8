"""CD4 to CD8 in three compartments, and what returns after aplasia."""

import numpy as np
import pytest

from tests.tables.trial import Tables, Trial, bcell, cart, one, pick

BEADS = {"beads_per_tube": 50_000, "blood_volume_ul": 50}


def with_helpers(car: tuple[int, int], rest: tuple[int, int]) -> dict[str, tuple[str, int, int]]:
    """Return a tube with CD4 and CD8 of CAR-T cells and of the others."""
    n_car, n_rest = sum(car), sum(rest)
    total = n_car + n_rest
    return {
        **cart(n_car, total),
        "cd4_t": ("t_cells", car[0] + rest[0], total), "cd8_t": ("t_cells", car[1] + rest[1], total),
        "car_cd4": ("car_t", car[0], n_car), "car_cd8": ("car_t", car[1], n_car),
        "car_neg_t": ("t_cells", n_rest, total), "car_neg_cd4": ("car_neg_t", rest[0], n_rest),
        "car_neg_cd8": ("car_neg_t", rest[1], n_rest),
    }  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> Tables:
    trial = Trial().subject().tube("LD", -5, cart(1, 60_000))
    trial.tube("D7", 7, with_helpers((200, 400), (30_000, 20_000)))
    trial.tube("D10", 10, with_helpers((60, 0), (300, 200)))
    trial.tube("D14", 14, with_helpers((20, 10), (30_000, 20_000)))
    trial.tube("D21", 21, with_helpers((2, 3), (30_000, 20_000)))
    return trial.derive()


def ratio(tables: Tables, visit: str, compartment: str) -> "dict[str, object]":
    return one(tables["measurements"], visit=visit, name=f"{compartment}:CD4/CD8").to_dict()


def test_derive_ratios__a_ratio_with_its_exact_interval(tables: Tables) -> None:
    car = ratio(tables, "D7", "car_t")
    assert (car["value"], car["relation"], car["status"]) == (0.5, "=", "quantified")
    assert car["ci_low"] < 0.5 < car["ci_high"]
    assert ratio(tables, "D7", "car_neg_t")["value"] == 1.5
    assert ratio(tables, "D7", "t_cells")["value"] == 30_200 / 20_400
    wide = one(tables["analysis"], visit="D7")
    assert (wide["cd4_cd8_car_t"], wide["cd4_cd8_t"]) == (0.5, 30_200 / 20_400)


@pytest.mark.parametrize(
    ("visit", "status", "reason"),
    [
        ("D10", "not_calculated", "NO_CD8"), ("D14", "detected_blq", "FEW_EVENTS"),
        ("D21", "not_calculated", "CAR_NOT_DETECTED"),
    ],
)  # fmt: skip
def test_derive_ratios__none_without_enough_cells(
    tables: Tables, visit: str, status: str, reason: str
) -> None:
    row = ratio(tables, visit, "car_t")
    assert (row["status"], row["reason"]) == (status, reason)
    assert np.isnan(row["value"])
    if reason == "NO_CD8":
        assert row["relation"] == ">="
        assert row["low"] == row["ci_low"] > 10


def test_derive_b_cell_recovery__what_returns() -> None:
    trial = Trial().subject().tube("LD", -5, bcell(1_500, beads=10_000), panel="bcell", **BEADS)
    trial.tube("D14", 14, bcell(0, beads=10_000), panel="bcell", **BEADS)
    returned = {
        **bcell(200, beads=10_000), "transitional": ("b_cells", 120, 200), "naive_b": ("b_cells", 60, 200),
        "switched_memory_b": ("b_cells", 2, 200),
    }  # fmt: skip
    trial.tube("M4", 122, returned, panel="bcell", **BEADS)
    trial.tube("M5", 153, bcell(700, beads=10_000), panel="bcell", **BEADS)
    tables = trial.derive()
    row = one(tables["b_cell_recovery"], subject_id="A")
    assert (row["recovery_10_low"], row["recovery_10_high"], row["return_b_events"]) == (14, 122, 200)
    assert (row["return_transitional_pct"], row["return_naive_b_pct"]) == (60, 30)
    assert row["return_switched_memory_b_pct"] == 1
    assert np.isnan(row["return_plasmablasts_pct"])
    assert len(pick(tables["phenotype"], compartment="b_cells", visit="M4")) == 3
