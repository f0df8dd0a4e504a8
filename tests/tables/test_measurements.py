"""Cytokines, laboratory results and scores as measurements."""

import numpy as np
import pytest

from tests.tables.trial import Trial, one, pick

IL6 = {"analyte": "IL-6", "unit": "pg/mL", "lloq": 2.4, "uloq": 10_000}


def cytokines(*values: tuple[str, float, str], **changes: object) -> Trial:
    trial = Trial().subject()
    for visit, day, value in values:
        trial.draw("cytokines", visit, day, value=value, **{**IL6, **changes})
    return trial


def test_derive_folds__worked_bound() -> None:
    rows = cytokines(("LD", -5, "<2.4"), ("D7", 7, "820")).derive()["measurements"]
    fold = one(rows, metric="fold_change")
    assert (fold["visit"], fold["relation"], round(fold["low"], 1)) == ("D7", ">=", 341.7)
    assert np.isnan(fold["value"])
    assert fold["status"] == "not_calculated"
    peak = one(rows, metric="concentration", visit="D7")
    assert (peak["value"], peak["relation"], peak["unit"]) == (820.0, "=", "pg/mL")


@pytest.mark.parametrize(
    ("baseline", "value", "relation", "low", "high"),
    [
        ("4.0", "820", "=", 205.0, 205.0),
        ("4.8", "<2.4", "<=", 0.0, 0.5),
        ("4.0", ">10000", ">=", 2500.0, None),
        ("<2.4", "OOR <", "", None, None),
    ],
)
def test_derive_folds__relations(
    baseline: str, value: str, relation: str, low: float | None, high: float | None
) -> None:
    fold = one(
        cytokines(("LD", -5, baseline), ("D7", 7, value)).derive()["measurements"], metric="fold_change"
    )
    assert fold["relation"] == relation
    for name, expected in (("low", low), ("high", high)):
        assert np.isnan(fold[name]) if expected is None else fold[name] == pytest.approx(expected)


def test_derive_folds__baseline_is_the_last_before_lymphodepletion_never_d0() -> None:
    trial = cytokines(("SCR", -30, "2.5"), ("LD", -5, "5"), ("D0", 0, "50"), ("D7", 7, "100"))
    folds = pick(trial.derive()["measurements"], metric="fold_change").set_index("visit")["value"]
    assert folds.to_dict() == {"D0": 10.0, "D7": 20.0}


def test_derive_folds__d0_is_no_baseline_even_where_lymphodepletion_is_dated_after_it() -> None:
    trial = Trial().subject(lymphodepletion_at="2025-06-11T12:00:00+08:00")
    for visit, day, value in (("LD", -5, "5"), ("D0", 0, "50"), ("D7", 7, "100")):
        trial.draw("cytokines", visit, day, value=value, **IL6)
    folds = pick(trial.derive()["measurements"], metric="fold_change", visit="D7")
    assert folds["value"].tolist() == [20.0]


def test_derive_folds__without_the_moment_of_lymphodepletion_visits_decide() -> None:
    trial = Trial().subject(lymphodepletion_at="")
    for visit, day, value in (("LD", -20, "5"), ("SCR", -10, "8"), ("D7", 7, "100")):
        trial.draw("cytokines", visit, day, value=value, **IL6)
    folds = pick(trial.derive()["measurements"], metric="fold_change", visit="D7")
    assert folds["value"].tolist() == [20.0]


def test_derive_concentrations__two_platforms_are_two_series() -> None:
    trial = cytokines(("LD", -5, "5"), ("D7", 7, "100"), platform="MSD")
    trial.draw("cytokines", "LD", -5, value="7", **IL6, platform="Luminex")
    tables = trial.derive()
    names = set(pick(tables["measurements"], metric="concentration")["name"])
    assert names == {"IL-6 (MSD)", "IL-6 (Luminex)"}
    assert set(tables["kinetics"]["analyte"]) == names
    assert {"il_6_msd_pg_ml", "il_6_luminex_pg_ml", "il_6_msd_fold"} <= set(tables["analysis"].columns)


def test_derive_concentrations__one_platform_keeps_the_plain_name() -> None:
    rows = cytokines(("D7", 7, "0.82"), platform="MSD", unit="ng/mL", lloq=0.0024, uloq=10).derive()[
        "measurements"
    ]
    row = one(rows, metric="concentration")
    assert (row["name"], row["unit"], row["value"], row["lloq"]) == ("IL-6", "pg/mL", 820.0, 2.4)


def lab(test: str, value: str, unit: str, day: float = -20, visit: str = "SCR") -> Trial:
    return Trial().subject().draw("labs", visit, day, test=test, value=value, unit=unit)


@pytest.mark.parametrize(
    ("test", "value", "unit", "expected", "target"),
    [
        ("HGB", "6.1", "g/dL", 61.0, "g/L"),
        ("WBC", "3200", "/mm3", 3.2, "10^9/L"),
        ("CREAT", "1.7", "mg/dL", 150.28, "umol/L"),
        ("ANA", "1:320", "", 320.0, "titre"),
        ("INR", "1.725", "ratio", 1.725, "1"),
        ("NOVEL", "5", "ng/mL", 5.0, "ng/mL"),
    ],
)
def test_derive_laboratory__canonical_units(
    test: str, value: str, unit: str, expected: float, target: str
) -> None:
    row = one(lab(test, value, unit).derive()["measurements"], name=test)
    assert (row["value"], row["unit"], row["metric"], row["relation"]) == (expected, target, "result", "=")
    assert (row["status"], row["source_id"]) == ("quantified", "labs.csv:2")


def test_derive_laboratory__a_limit_converts_with_its_value() -> None:
    row = one(lab("CRP", "<0.5", "mg/dL").derive()["measurements"], name="CRP")
    assert (row["relation"], row["high"], row["unit"]) == ("<", 5.0, "mg/L")


@pytest.mark.parametrize(
    ("value", "unit", "check"), [("12,5", "g/L", "UNREADABLE"), ("125", "firkins", "UNKNOWN_UNIT")]
)
def test_derive_laboratory__what_cannot_be_read_is_failed_and_found(
    value: str, unit: str, check: str
) -> None:
    tables = lab("HGB", value, unit).derive()
    row = one(tables["measurements"], name="HGB")
    assert (row["status"], row["reason"]) == ("failed", check)
    finding = one(tables["quality"], check=check)
    assert (finding["object"], finding["level"]) == ("labs.csv:2", "fail")


@pytest.mark.parametrize(
    ("test", "value", "unit", "expected"),
    [
        ("UPCR", "positive", "g/g", (None, "not_calculated", "POSITIVE")),
        ("HBSAG", "positive", "", (1.0, "quantified", "POSITIVE")),
        ("HBVDNA", "negative", "IU/mL", (None, "not_detected", "NEGATIVE")),
        ("WBC", "1:320", "10^9/L", (None, "failed", "UNREADABLE")),
        ("DSDNA", "1:10", "titre", (10.0, "quantified", "")),
        ("ALC", "18", "%", (18.0, "failed", "UNKNOWN_UNIT")),
        ("WBC", "3.5", "", (3.5, "failed", "UNKNOWN_UNIT")),
    ],
)
def test_derive_laboratory__no_number_stands_for_what_is_no_amount_of_the_test(
    test: str, value: str, unit: str, expected: tuple[float | None, str, str]
) -> None:
    row = one(lab(test, value, unit).derive()["measurements"], name=test)
    number = None if np.isnan(row["value"]) else row["value"]
    assert (number, row["status"], row["reason"]) == expected


def egfr(trial: Trial) -> tuple[float | None, str]:
    row = one(trial.derive()["measurements"], name="EGFR")
    assert row["unit"] == "mL/min/1.73m2"
    return (None if np.isnan(row["value"]) else round(row["value"], 2), row["reason"])


def test_derive_egfr__worked_value_with_the_height_nearest_in_time() -> None:
    trial = lab("CREAT", "159", "umol/L")
    trial.draw("labs", "SCR", -21, test="HEIGHT", value="130", unit="cm")
    trial.draw("labs", "M6", 180, test="HEIGHT", value="160", unit="cm")
    assert egfr(trial) == (29.85, "")


def test_derive_egfr__height_of_the_subject_file_belongs_to_screening() -> None:
    trial = Trial().subject(height_cm=130, consent_date="2025-05-20")
    assert egfr(trial.draw("labs", "D14", 14, test="CREAT", value="159", unit="umol/L")) == (29.85, "")
    late = Trial().subject(height_cm=130, consent_date="2025-05-20")
    assert egfr(late.draw("labs", "M6", 180, test="CREAT", value="159", unit="umol/L")) == (
        None, "HEIGHT_TOO_OLD",
    )  # fmt: skip


def test_derive_egfr__from_sixteen_a_height_serves_six_months() -> None:
    trial = Trial().subject(height_cm=130, consent_date="2025-05-20", age_years=16)
    trial.draw("labs", "M5", 150, test="CREAT", value="159", unit="umol/L")
    assert egfr(trial) == (29.85, "")


def test_derive_egfr__nothing_to_compute_from() -> None:
    assert egfr(lab("CREAT", "159", "umol/L")) == (None, "NO_HEIGHT")
    assert egfr(lab("CREAT", "***", "umol/L")) == (None, "NO_CREATININE")


def test_derive_scores__total_from_items_and_mismatch_found() -> None:
    from corelab.clinical.sledai import WEIGHTS

    trial = Trial().subject()
    for name in WEIGHTS:
        for visit, day in (("LD", -5), ("M3", 92)):
            value = "1" if name in ("proteinuria", "rash") else "0"
            trial.draw("assessments", visit, day, instrument="SLEDAI-2K", item=name, value=value)
    trial.draw("assessments", "M3", 92, instrument="SLEDAI-2K", item="total", value="10")
    trial.draw("assessments", "M6", 180, instrument="SLEDAI-2K", item="total", value="4")
    tables = trial.derive()
    rows = pick(tables["measurements"], name="SLEDAI-2K").set_index("visit")
    assert rows.loc["LD", ["value", "status", "reason"]].tolist() == [6.0, "quantified", ""]
    assert rows.loc["M3", ["status", "reason", "low", "high"]].tolist() == [
        "not_calculated", "SUM_MISMATCH", 6.0, 6.0,
    ]  # fmt: skip
    assert rows.loc["M6", ["value", "reason"]].tolist() == [4.0, "ITEMS_MISSING"]
    finding = one(tables["quality"], check="SUM")
    assert finding["object"] == rows.loc["M3", "source_id"]


def test_derive_scores__pga_ecog_bilag() -> None:
    trial = Trial().subject()
    for instrument, item, value in (
        ("PGA", "vas_0_3", "2.3"), ("ECOG", "score", "1"), ("BILAG-2004", "renal", "A"),
        ("BILAG-2004", "ophthalmic", "E"), ("PGA", "vas_0_3", "much"), ("attestation", "E01", "no"),
    ):  # fmt: skip
        trial.draw("assessments", "LD", -5, instrument=instrument, item=item, value=value)
    rows = pick(trial.derive()["measurements"], assay="assessment")
    found = rows[["name", "value", "status", "reason"]].to_numpy().tolist()
    assert ["PGA", 2.3, "quantified", ""] in found
    assert ["ECOG", 1.0, "quantified", ""] in found
    assert ["BILAG-2004 renal", 12.0, "quantified", "A"] in found
    assert ["BILAG-2004 ophthalmic", 0.0, "quantified", "E"] in found
    assert [row[0] for row in found if row[3] == "UNREADABLE"] == ["PGA"]
    assert len(found) == 5


def test_derive_analysis__the_same_analyte_of_two_assays_is_never_pooled() -> None:
    trial = Trial().subject().draw("labs", "D7", 7, test="CRP", value="40", unit="mg/L")
    trial.draw("cytokines", "D7", 7, analyte="CRP", value="55", unit="mg/L")
    row = one(trial.derive()["analysis"], visit="D7")
    assert (row["crp_mg_l"], row["crp_mg_l_cytokine"]) == (40, 55)
