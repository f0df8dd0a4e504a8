"""Percentages, exact intervals and concentrations of gated populations."""

import numpy as np
import pandas as pd
import pytest

from tests.tables.trial import Trial, at, bcell, cart, one, pick

BEADS = {"beads_per_tube": 49_800, "blood_volume_ul": 50}


def test_derive_populations__worked_beads() -> None:
    tube = cart(412, 61_000, beads=8_950)
    row = one(Trial().subject().tube("D14", 14, tube, **BEADS).derive()["populations"], population="car_t")
    assert round(row["cells_per_ul"], 4) == 45.8494
    assert (round(row["cells_per_ul_low"], 2), round(row["cells_per_ul_high"], 2)) == (41.44, 50.61)
    assert row["percent_of_parent"] == 100 * 412 / 61_000
    assert (row["status"], row["qc"], row["gate_source"]) == ("quantified", "pass", "auto")


@pytest.mark.parametrize(("predilution", "factor"), [(None, 1), (10, 10)])
def test_derive_populations__predilution_multiplies(predilution: float | None, factor: float) -> None:
    trial = (
        Trial().subject().tube("D14", 14, cart(412, 61_000, beads=8_950), **BEADS, predilution=predilution)
    )
    row = one(trial.derive()["populations"], population="t_cells")
    assert row["cells_per_ul"] == pytest.approx(61_000 / 8_950 * 49_800 / 50 * factor)


def test_derive_populations__no_event_is_a_bound_and_not_zero() -> None:
    trial = Trial().subject().tube("D14", 14, bcell(0, beads=8_950), panel="bcell", **BEADS)
    row = one(trial.derive()["populations"], population="b_cells")
    assert (row["status"], row["reason"], row["count"]) == ("not_detected", "NO_EVENTS", 0)
    assert np.isnan(row["percent_of_parent"])
    assert np.isnan(row["cells_per_ul"])
    assert (row["cells_per_ul_low"], round(row["cells_per_ul_high"], 4)) == (0.0, 0.4106)
    measured = one(trial.derive()["measurements"], name="b_cells", metric="cells_per_ul")
    assert (measured["relation"], measured["low"], round(measured["high"], 4)) == ("<", 0.0, 0.4106)


def test_derive_populations__an_empty_parent_has_no_percentage() -> None:
    row = one(Trial().subject().tube("D14", 14, cart(0, 0)).derive()["populations"], population="car_t")
    assert (row["status"], row["reason"]) == ("not_calculated", "EMPTY_PARENT")


def test_derive_populations__a_missing_gate_has_no_count() -> None:
    trial = Trial().subject().tube("D14", 14, cart(5, 61_000), file_id="f")
    row = next(row for row in trial.gates["counts"] if row["population"] == "car_t")
    row |= {"count": 0, "parent_count": 0, "status": "missing", "reason": "NO_CAR"}
    tables = trial.derive()
    found = one(tables["populations"], population="car_t")
    assert (found["status"], found["count"] is pd.NA) == ("missing", True)
    assert set(pick(tables["persistence"], visit="D14")["status"]) == {"missing"}


@pytest.mark.parametrize("level", ["warn", "fail"])
def test_derive_populations__cells_that_are_not_counted_among_quality_beads_stay_so(level: str) -> None:
    trial = Trial().subject()
    run_tube = {"subject_id": "", "file_id": "beads", "tube": "bead_qc"}
    trial.tube("", 1, {"events": ("", 900, 900), "lymphocytes": ("leukocytes", 0, 0)}, **run_tube)
    trial.gates["counts"][-1] |= {"count": np.nan, "parent_count": np.nan, "status": "not_calculated"}
    trial.gates["counts"][-1] |= {"reason": "NO_CELLS", "gate_source": ""}
    tables = trial.finding("beads", "TIME_DRIFT", level).derive()
    found = one(tables["populations"], population="lymphocytes")
    assert (found["status"], found["reason"], found["qc"]) == ("not_calculated", "NO_CELLS", level)
    assert found[["count", "parent_count", "percent_of_parent", "ci_low", "cells_per_ul_high"]].isna().all()
    events = one(tables["populations"], population="events")
    assert (events["count"], events["status"]) == (900, "failed" if level == "fail" else "quantified")


def test_derive_populations__a_passed_on_lymphocyte_gate_is_no_denominator() -> None:
    trial = Trial().subject().tube("D14", 14, cart(500, 61_000), file_id="f")
    trial.draw("labs", "D14", 14, test="ALC", value="1.0", unit="10^9/L")
    row = next(row for row in trial.gates["counts"] if row["population"] == "lymphocytes")
    row |= {"status": "missing", "reason": "NO_SCATTER"}
    tables = trial.derive()
    assert np.isnan(one(tables["populations"], population="car_t")["cells_per_ul"])
    assert one(tables["persistence"], visit="D14", analyte="CAR_PCT_LYM")["status"] == "missing"
    assert one(tables["persistence"], visit="D14", analyte="CAR_PCT_CD3")["status"] == "quantified"


@pytest.mark.parametrize(
    ("labs", "expected"),
    [
        ([("D14", 14.0, "0.576", "10^9/L")], 44.928),
        ([("D14", 14.0, "576", "/mm3")], 44.928),
        ([("D14", 14.0, "0.576", "G/L"), ("D14", 14.3, "9.9", "G/L")], 44.928),
        ([("D14", 15.0, "0.576", "G/L")], None),  # another day is another draw
        ([("D10", 14.0, "0.576", "G/L")], None),  # so is another visit
        ([("D14", 14.0, "<0.1", "G/L")], None),  # a limit is no count
        ([("D14", 14.0, "0.576", "furlongs")], None),
    ],
)
def test_derive_populations__blood_count_of_the_same_draw(
    labs: list[tuple[str, float, str, str]], expected: float | None
) -> None:
    trial = Trial().subject().tube("D14", 14, cart(780, 6_500, lymphocytes=10_000))
    for visit, day, value, unit in labs:
        trial.draw("labs", visit, day, test="ALC", value=value, unit=unit)
    row = one(trial.derive()["populations"], population="car_t")
    if expected is None:
        assert np.isnan(row["cells_per_ul"])
    else:
        assert round(row["cells_per_ul"], 3) == expected
        assert row["reason"] == "NO_BLANK;DUAL_PLATFORM"
        low, high = row["cells_per_ul_low"], row["cells_per_ul_high"]
        assert low < expected < high


def test_derive_populations__run_tubes_have_no_subject_and_enter_nothing_else() -> None:
    trial = Trial().subject()
    trial.tube("", 0, cart(500, 61_000), subject_id="", file_id="run", tube="run_control", collected_at=at(0))
    tables = trial.derive()
    assert set(tables["populations"]["subject_id"]) == {""}
    assert not len(tables["persistence"])
    assert not len(tables["measurements"])


def test_derive_expression__leaves_out_a_failed_tube() -> None:
    trial = Trial().subject().tube("D7", 7, cart(500, 61_000), file_id="good")
    trial.tube("D14", 14, cart(500, 61_000), file_id="bad").finding("bad", "MARGIN", "fail")
    trial.gates["expression"] = [
        {"file_id": name, "population": "car_t", "marker": "CAR", "median_intensity": 900.0,
         "robust_sd": 90.0, "n": 500}
        for name in ("good", "bad")
    ]  # fmt: skip
    tables = trial.derive()
    assert tables["expression"]["file_id"].tolist() == ["good"]
    row = one(tables["measurements"], metric="median_intensity")
    assert (row["name"], row["value"], row["visit"]) == ("car_t:CAR", 900.0, "D7")


def subsets(parent: int, count: int, compartment: str = "cd4_t") -> dict[str, tuple[str, int, int]]:
    return {
        compartment: ("t_cells", parent, 61_000),
        f"{compartment}.naive": (compartment, count, parent),
        f"{compartment}.em": (compartment, parent - count, parent),
    }


@pytest.mark.parametrize(
    ("parent", "count", "status", "reason", "percent"),
    [
        (50, 10, "quantified", "", 20.0),
        (50, 0, "quantified", "", 0.0),
        (49, 10, "detected_blq", "FEW_EVENTS", None),
        (20, 10, "detected_blq", "FEW_EVENTS", None),
        (19, 10, "failed", "FEW_EVENTS", None),
    ],
)
def test_derive_phenotype__by_the_events_of_the_compartment(
    parent: int, count: int, status: str, reason: str, percent: float | None
) -> None:
    counts = cart(500, 61_000) | subsets(parent, count)
    row = one(
        Trial().subject().tube("D14", 14, counts).derive()["phenotype"], compartment="cd4_t", subset="naive"
    )
    assert (row["status"], row["reason"]) == (status, reason)
    assert row["percent"] == percent if percent is not None else np.isnan(row["percent"])
    assert (row["count"], row["parent_count"]) == (count, parent)
    assert row["ci_low"] <= 100 * count / parent <= row["ci_high"]


def test_derive_phenotype__car_subsets_need_detected_car_cells() -> None:
    def status(car: int, visit: str, day: float) -> str:
        counts = cart(car, 61_000) | {"car_t.em": ("car_t", car // 2, car)}
        tables = Trial().subject().tube(visit, day, counts).derive()
        return str(one(tables["phenotype"], compartment="car_t")["reason"] or "quantified")

    assert status(200, "D14", 14) == "quantified"
    assert status(200, "D0", 0) == "PRE_INFUSION"
    trial = Trial().subject().tube("D0", 0, cart(300, 61_000))
    trial.tube("D14", 14, cart(200, 61_000) | {"car_t.em": ("car_t", 100, 200)})
    row = one(trial.derive()["phenotype"], compartment="car_t")
    assert (row["status"], row["reason"]) == ("not_calculated", "CAR_NOT_DETECTED")


def test_derive_phenotype__b_subsets_and_no_failed_tube() -> None:
    counts = bcell(600) | {"naive_b": ("b_cells", 400, 600), "transitional": ("b_cells", 200, 600)}
    trial = Trial().subject().tube("D28", 28, counts, panel="bcell", file_id="good")
    trial.tube("M2", 61, counts, panel="bcell", file_id="bad").finding("bad", "VIABILITY", "fail")
    rows = trial.derive()["phenotype"]
    assert rows[["visit", "compartment", "subset"]].to_numpy().tolist() == [
        ["D28", "b_cells", "naive_b"], ["D28", "b_cells", "transitional"],
    ]  # fmt: skip
    assert rows["percent"].tolist() == pytest.approx([200 / 3, 100 / 3])
