"""Soluble markers in the tables: series apart, late specimens, lots bridged, the draw of a flow tube."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from corelab.tables import derive_tables
from corelab.tables.plate_controls import bridge_results
from tests.tables.trial import STUDY, Tables, Trial, at, cart, one, pick

IL6 = {"analyte": "IL-6", "unit": "pg/mL", "lloq": 2.4}


def derive_with(trial: Trial, **settings: object) -> Tables:
    study = dataclasses.replace(
        STUDY, settings={**STUDY.settings, "cytokine": {**STUDY.settings["cytokine"], **settings}}
    )
    return derive_tables(trial.inputs(), trial.gate_tables(), study=study, as_of=None)


def test_concentrations__serum_and_plasma_are_two_series() -> None:
    trial = Trial().subject()
    for visit, day, matrix, value in (
        ("LD", -5, "serum", "<2.4"), ("D7", 7, "Serum", "820"), ("LD", -6, "plasma", "4"),
        ("D7", 7.1, "EDTA plasma", "40"), ("D7", 7.2, "plasma", "400"),
    ):  # fmt: skip
        trial.draw("cytokines", visit, day, value=value, matrix=matrix, **IL6)
    tables = trial.derive()
    assert set(pick(tables["measurements"], metric="concentration")["name"]) == {
        "IL-6 (serum)", "IL-6 (plasma)", "IL-6 (edta plasma)",
    }  # fmt: skip
    folds = pick(tables["measurements"], metric="fold_change").set_index("name")
    assert folds["relation"].to_dict() == {"IL-6 (serum)": ">=", "IL-6 (plasma)": "="}
    assert folds.loc["IL-6 (serum)", "low"] == pytest.approx(341.6667, abs=5e-5)
    assert folds.loc["IL-6 (plasma)", "value"] == 100
    wide = one(tables["analysis"], visit="D7")
    assert (wide["il_6_serum_pg_ml"], wide["il_6_plasma_pg_ml"]) == (820, 400)


def test_concentrations__one_matrix_or_none_told_is_one_series_and_platforms_stay_apart() -> None:
    trial = Trial().subject()
    trial.draw("cytokines", "D3", 3, value="5", matrix="serum", platform="MSD", **IL6)
    trial.draw("cytokines", "D7", 7, value="6", matrix="", platform="MSD", **IL6)
    assert set(trial.derive()["measurements"]["name"]) == {"IL-6"}
    trial.draw("cytokines", "D10", 10, value="7", matrix="plasma", platform="Luminex", **IL6)
    assert set(pick(trial.derive()["measurements"], metric="concentration")["name"]) == {
        "IL-6 (MSD)", "IL-6 (MSD, serum)", "IL-6 (Luminex, plasma)",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "failed"),
    [({}, []), ({"any": 4.0}, ["D10", "D7"]), ({"serum": 4.0}, ["D7"]), ({"serum": 6.0, "any": 4}, ["D10"])],
)
def test_stability__a_late_specimen_keeps_its_number_and_is_not_analysed(
    limits: dict[str, float], failed: list[str]
) -> None:
    trial = Trial().subject()
    trial.draw("cytokines", "D3", 3, value="5", matrix="serum", received_at=at(3, hour=12), **IL6)
    trial.draw("cytokines", "D7", 7, value="820", matrix="serum", received_at=at(7, hour=13), **IL6)
    trial.draw("cytokines", "D10", 10, value="9", matrix="", received_at=at(10, hour=13), **IL6)
    trial.draw("cytokines", "D14", 14, value="9", matrix="serum", **IL6)  # nobody told when it came
    tables = derive_with(trial, stability_hours=limits)
    rows = pick(tables["measurements"], status="failed")
    assert sorted(rows["visit"]) == failed
    assert set(rows["reason"]) == ({"STAB_FAIL"} if failed else set())
    assert not rows["value"].isna().any()
    assert sorted(pick(tables["quality"], check="STAB_FAIL")["visit"]) == failed
    row = one(tables["kinetics"], analyte="IL-6", parameter="PEAK")
    if len(failed) < 2:  # with two of four left there is no peak
        assert row["value"] == (9 if "D7" in failed else 820)


@pytest.mark.parametrize(("given", "spared"), [(8, True), (6, False)])
def test_kinetics__a_peak_before_tocilizumab_rests_on_nothing_that_it_raised(
    given: int, spared: bool
) -> None:
    trial = Trial().subject()
    for visit, day, value in (
        ("LD", -5, "4"),
        ("D0", 0, "5"),
        ("D3", 3, "60"),
        ("D7", 7, "900"),
        ("D10", 10, "700"),
    ):
        trial.draw("cytokines", visit, day, value=value, **IL6)
    trial.add("medications", subject_id="A", drug="tocilizumab", start=at(given))
    reasons = pick(trial.derive()["kinetics"], analyte="IL-6").set_index("parameter")["reason"]
    marked = set(reasons.index[reasons.str.contains("POST_TOCILIZUMAB")])
    assert "BASE" not in marked
    assert "AUC0_14D" in marked
    assert marked.isdisjoint({"PEAK", "TPEAK", "FOLDPEAK"}) == spared


def _bridge(values: dict[str, list[float]], passed: dict[str, int]) -> dict[str, float]:
    """Bridge results of 100 on plates of the lots A, B and C, by their controls."""
    lots = dict(zip(values, "ABC", strict=False))
    controls = pd.DataFrame(
        [
            {"plate": plate, "analyte": "IL-6", "platform": "MSD", "level": f"QC{n}", "kit_lot": lots[plate],
             "run_at": plate, "value": value}
            for plate, found in values.items() for n, value in enumerate(found)
        ]
    )  # fmt: skip
    curves = pd.DataFrame(
        [
            {"plate": plate, "analyte": "IL-6", "n_qc": 6, "n_qc_accepted": passed.get(plate, 6)}
            for plate in values
        ]
    )
    results = pd.DataFrame(
        [{"plate": plate, "analyte": "IL-6", "value": 100.0, "status": "quantified"} for plate in values]
    )
    found = bridge_results(results, controls, curves)
    assert found["value"].tolist() == [100.0] * len(values)
    return found.set_index("plate")["bridged"].to_dict()


def test_bridge__brings_a_lot_to_the_first_where_every_control_passed() -> None:
    plates = {"p1": [10.0, 100.0, 1000.0], "p2": [11.0, 110.0, 1100.0], "p3": [9.9, 99.0, 990.0]}
    assert _bridge(plates, {}) == pytest.approx({"p1": 100, "p2": 100 / 1.1, "p3": 100 / 0.99})
    later = _bridge(plates, {"p2": 5})
    assert later["p1"] == 100
    assert np.isnan([later["p2"], later["p3"]]).all()  # p3 has no bridge but over p2


def test_bridge__not_with_two_controls_or_beyond_the_limits() -> None:
    assert np.isnan(_bridge({"p1": [10.0, 100.0], "p2": [11.0, 110.0]}, {})["p2"])
    assert np.isnan(_bridge({"p1": [10.0, 100.0, 1e3], "p2": [13.0, 130.0, 1300.0]}, {})["p2"])


def test_pairing__nearest_tube_within_a_tolerance_that_widens_later() -> None:
    trial = Trial().subject()
    for visit, day in (("D7", 7.0), ("D10", 10.0), ("M2", 61.0), ("UNS", 5.0)):
        trial.draw("cytokines", visit, day, value="9", **IL6)
    for name, visit, day in (
        ("near", "D7", 7 + 1 / 24), ("later", "UNS", 7 + 5 / 24), ("far", "D10", 10 + 7 / 24),
        ("wide", "M2", 61 + 20 / 24), ("before", "UNS", 5 - 2 / 24), ("after", "UNS", 5 + 2 / 24),
    ):  # fmt: skip
        trial.tube(visit, day, cart(400, 60_000), file_id=name)
    table = trial.derive()["pairing"].set_index("visit")
    assert table["file_id"].to_dict() == {"D7": "near", "D10": "", "M2": "wide", "UNS": "before"}
    assert table["state"].to_dict()["D10"] == "unpaired"
    assert table.loc["D10", "reason"] == "NO_TUBE_WITHIN_TOLERANCE"
    assert table["tolerance_hours"].to_dict() == {"D7": 6, "D10": 6, "M2": 24, "UNS": 6}
    assert table["discarded"].to_dict() == {"D7": "later", "D10": "", "M2": "", "UNS": "after"}
    assert table.loc["D7", "hours"] == pytest.approx(1)
    assert table.loc["UNS", "hours"] == pytest.approx(-2)


def test_pairing__a_tube_belongs_to_one_draw_and_times_decide_not_names() -> None:
    trial = Trial().subject()
    trial.draw("cytokines", "D7", 7.0, value="9", **IL6).draw(
        "cytokines", "UNS", 7 + 2 / 24, value="9", **IL6
    )
    trial.tube("D7", 7 + 2 / 24, cart(400, 60_000), file_id="one")
    table = trial.derive()["pairing"].set_index("visit")
    assert table["file_id"].to_dict() == {"D7": "", "UNS": "one"}
    assert table.loc["UNS", "reason"] == "VISIT_DIFFERS"


def test_pairing__dates_without_a_time_pair_within_their_visit() -> None:
    trial = Trial().subject()
    trial.add("cytokines", subject_id="A", visit="D7", collected_at="2025-06-17", value="9", **IL6)
    trial.tube("D7", 7.0, cart(400, 60_000), file_id="tube")
    row = one(trial.derive()["pairing"], visit="D7")
    assert (row["file_id"], row["reason"]) == ("tube", "TIME_UNKNOWN")
