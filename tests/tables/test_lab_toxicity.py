"""`lab_toxicity` and `lab_shift` from delivered rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from corelab.tables import derive_tables
from tests.tables.trial import STUDY, Tables, Trial, one, pick


def lab(
    trial: Trial, test: str, value: str, unit: str, *, visit: str = "D7", day: float = 7, **row: object
) -> Trial:
    return trial.draw("labs", visit, day, test=test, value=value, unit=unit, **row)


@pytest.fixture(scope="module")
def tables() -> Tables:
    trial = Trial().subject()
    for value, visit, day in (("30", "SCR", -40), ("90", "LD", -6), ("200", "D0", 0), ("300", "D7", 7)):
        lab(trial, "ALT", value, "U/L", visit=visit, day=day, ref_low=7, ref_high=40)
    for value, visit, day in (("4.1", "LD", -6), ("3.0", "D7", 7), ("2.99", "D10", 10), ("0.9", "D14", 14),
                              ("4.2", "M3", 92)):  # fmt: skip
        lab(trial, "WBC", value, "10^9/L", visit=visit, day=day, ref_low=4.0, ref_high=10)
    lab(trial, "HGB", "7.9", "g/dL", ref_low=11.5, ref_high=15)
    lab(trial, "PLT", "<10", "10^9/L", ref_low=100)
    lab(trial, "ANC", "<1.2", "10^9/L", ref_low=1.5)
    lab(trial, "ALC", "0.3", "10^9/L")
    lab(trial, "AST", "400", "U/L")
    lab(trial, "CREAT", "1.7", "mg/dL", ref_high=1.0)
    lab(trial, "K", "***", "mmol/L", ref_low=3.5, ref_high=5.3)
    lab(trial, "CK", "900", "furlong", ref_high=170)
    lab(trial, "INR", "1.3", "1", ref_high=1.2).draw(
        "assessments", "D7", 7, instrument="attestation", item="on_anticoagulant", value="yes"
    )
    return trial.derive()


def grade(tables: Tables, **conditions: object) -> tuple[object, str]:
    row = one(tables["lab_toxicity"], **{"direction": "low", **conditions})
    return row["grade"], row["reason"]


def test_derive_lab_toxicity__worked_alt_counts_from_its_abnormal_baseline(tables: Tables) -> None:
    row = one(tables["lab_toxicity"], test="ALT", visit="D7")
    assert (row["grade"], row["baseline"], row["baseline_grade"], row["shift"]) == (2, 90, 1, 1)
    assert (row["value"], row["unit"], row["ref_high"], row["rule_version"]) == (300, "U/L", 40, "CTCAE5/1")
    # The baseline itself and what came before are graded from ULN; D0 is after lymphodepletion.
    by_visit = pick(tables["lab_toxicity"], test="ALT").set_index("visit")["grade"]
    assert by_visit[["SCR", "LD", "D0"]].tolist() == [0, 1, 1]


def test_derive_lab_toxicity__one_unit_a_test_whatever_units_a_laboratory_writes() -> None:
    """Bilirubin 4.1 mg/dL is twice a baseline of 34.208 umol/L, and the higher of the two."""
    trial = Trial().subject()
    lab(trial, "TBIL", "34.208", "umol/L", visit="LD", day=-6, ref_low=3, ref_high=20.5)
    lab(trial, "TBIL", "4.1", "mg/dL", day=7, ref_high=1.2)
    lab(trial, "TBIL", "30", "umol/L", visit="D10", day=10, ref_high=20.5)
    tables = trial.derive()
    row = one(tables["lab_toxicity"], test="TBIL", visit="D7")
    assert (row["grade"], row["value"], row["unit"], row["baseline"]) == (2, 70.1264, "umol/L", 34.208)
    assert row["ref_high"] == pytest.approx(20.5248)
    worst = one(tables["lab_shift"], test="TBIL", phase="expansion")
    assert (worst["value"], worst["study_day"]) == (70.1264, 7)


def test_derive_lab_toxicity__worked_white_cells(tables: Tables) -> None:
    by_visit = pick(tables["lab_toxicity"], test="WBC", direction="low").set_index("visit")["grade"]
    assert by_visit[["LD", "D7", "D10", "D14", "M3"]].tolist() == [0, 1, 2, 4, 0]


def test_derive_lab_toxicity__units_are_brought_to_those_of_the_term(tables: Tables) -> None:
    row = one(tables["lab_toxicity"], test="HGB", direction="low")
    assert (row["grade"], row["value"], row["unit"], row["ref_low"]) == (3, 79, "g/L", 115)
    creatinine = one(tables["lab_toxicity"], test="CREAT")
    assert (creatinine["grade"], creatinine["unit"], creatinine["reason"]) == (
        2,
        "umol/L",
        "BASELINE_MISSING",
    )


@pytest.mark.parametrize(
    ("test", "direction", "expected"),
    [
        ("PLT", "low", (4, "")),
        ("ANC", "low", (pd.NA, "CENSORED_ACROSS_LIMIT; GRADE_2_TO_4")),
        ("ALC", "low", (3, "")),
        ("AST", "high", (pd.NA, "ULN_MISSING")),
        ("K", "low", (pd.NA, "VALUE_FAILED")),
        ("CK", "high", (pd.NA, "UNKNOWN_UNIT")),
        ("INR", "high", (pd.NA, "BASE_MISSING")),
    ],
)
def test_derive_lab_toxicity__no_grade_without_what_it_needs(
    tables: Tables, test: str, direction: str, expected: tuple[object, str]
) -> None:
    found = grade(tables, test=test, direction=direction)
    assert found[0] is expected[0] if expected[0] is pd.NA else found[0] == expected[0]
    assert found[1] == expected[1]


def test_derive_lab_toxicity__the_published_profile_is_a_setting() -> None:
    trial = Trial().subject()
    lab(trial, "K", "3.4", "mmol/L", ref_low=3.5)
    published = replace(
        STUDY, settings={**STUDY.settings, "toxicity": {**STUDY.settings["toxicity"], "profile": "admiral"}}
    )
    for study, expected in ((STUDY, 1), (published, 2)):
        tables = derive_tables(trial.inputs(), trial.gate_tables(), study=study, as_of=None)
        row = one(tables["lab_toxicity"], test="K", direction="low")
        assert row["grade"] == expected
    assert row["rule_version"] == "ADMIRAL-CTCAE5/1"


def test_derive_lab_shift__nadir_and_worst_grade_by_phase(tables: Tables) -> None:
    white = pick(tables["lab_shift"], test="WBC", direction="low").set_index("phase")
    assert white["worst_grade"].to_dict() == {"lymphodepletion": 0, "expansion": 4, "late": 0}
    assert (white.loc["expansion", "value"], white.loc["expansion", "study_day"]) == (0.9, 14)
    assert (white.loc["expansion", "shift"], white.loc["expansion", "n"]) == (4, 3)
    liver = one(tables["lab_shift"], test="ALT", phase="expansion")
    assert (liver["value"], liver["worst_grade"], liver["baseline_grade"], liver["shift"]) == (300, 2, 1, 1)


def test_derive_lab_shift__what_has_no_grade_is_counted(tables: Tables) -> None:
    row = one(tables["lab_shift"], test="AST", phase="expansion")
    assert row["worst_grade"] is pd.NA
    assert (row["n"], row["n_not_graded"], row["value"]) == (0, 1, 400)
    censored = one(tables["lab_shift"], test="ANC", phase="expansion")
    assert np.isnan(censored["value"])
