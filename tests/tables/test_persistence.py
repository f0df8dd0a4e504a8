"""The one rule for the four analytes, from gated counts and qPCR rows."""

import numpy as np
import pandas as pd
import pytest

from tests.tables.trial import INFUSION, Trial, cart, one, pick

BEADS = {"beads_per_tube": 49_800, "blood_volume_ul": 50}


def with_blank(trial: Trial | None = None) -> Trial:
    """Return a child whose pre-infusion tubes hold 3 of 58,000."""
    trial = trial or Trial().subject()
    return trial.tube("LD", -5, cart(1, 28_000)).tube("D0", 0, cart(2, 30_000))


def reasons(row: pd.Series) -> set[str]:
    return set(row["reason"].split(";")) - {""}


def test_derive_persistence__worked_trace() -> None:
    tables = with_blank().tube("D28", 28, cart(14, 61_000)).derive()
    row = one(tables["persistence"], visit="D28", analyte="CAR_PCT_CD3")
    assert (row["status"], reasons(row)) == ("not_detected", {"TRACE"})
    assert np.isnan(row["value"])
    assert (row["n_events"], row["n_reference"]) == (14, 61_000)
    assert (row["blank_events"], row["blank_reference"]) == (3, 58_000)
    assert round(row["p_value"], 4) == 0.0084
    assert (round(row["ci_low"], 5), round(row["ci_high"], 5)) == (0.01255, 0.03850)
    assert (round(row["lod"], 4), round(row["lloq"], 4)) == (0.0328, 0.0820)


@pytest.mark.parametrize(
    ("car", "cd3", "status", "words"),
    [
        (0, 61_000, "not_detected", {"NO_EVENTS"}),
        (0, 30_000, "not_detected", {"NO_EVENTS", "LIMITED_SENSITIVITY"}),
        (20, 61_000, "detected_blq", {"BELOW_LLOQ"}),
        (49, 61_000, "detected_blq", {"BELOW_LLOQ"}),
        (50, 61_000, "quantified", set()),
        (50, 6_000, "quantified", set()),
        (60, 1_200_000, "not_detected", {"NOT_ABOVE_BLANK"}),
    ],
)
def test_derive_persistence__states_after_infusion(car: int, cd3: int, status: str, words: set[str]) -> None:
    tables = with_blank().tube("D28", 28, cart(car, cd3)).derive()
    row = one(tables["persistence"], visit="D28", analyte="CAR_PCT_CD3")
    assert (row["status"], reasons(row)) == (status, words)
    assert np.isnan(row["value"]) == (status != "quantified")
    if status == "quantified":
        assert row["value"] == 100 * car / cd3


@pytest.mark.parametrize(
    ("car", "status"),
    [(0, "not_detected"), (19, "not_detected"), (49, "detected_blq"), (5_000, "detected_blq")],
)
def test_derive_persistence__before_infusion_never_quantified(car: int, status: str) -> None:
    tables = Trial().subject().tube("D0", 0, cart(car, 60_000)).derive()
    for analyte in ("CAR_PCT_CD3", "CAR_PCT_LYM"):
        row = one(tables["persistence"], visit="D0", analyte=analyte)
        assert row["status"] == status
        assert row["blank_events"] is pd.NA
    early = pick(tables["measurements"], visit="D0", name="car_t", metric="percent")
    assert early["status"].tolist() == [status]
    assert pick(tables["populations"], population="car_t")["status"].tolist() == [status]


def test_derive_persistence__without_any_blank_the_floors_decide() -> None:
    tables = Trial().subject().tube("D28", 28, cart(60, 61_000)).derive()
    row = one(tables["persistence"], visit="D28", analyte="CAR_PCT_CD3")
    assert (row["status"], reasons(row)) == ("quantified", {"NO_BLANK"})


def test_derive_persistence__the_study_s_blank_stands_in() -> None:
    trial = with_blank(Trial().subject("A").subject("B")).tube("D28", 28, cart(60, 61_000), subject_id="B")
    row = one(trial.derive()["persistence"], subject_id="B", visit="D28", analyte="CAR_PCT_CD3")
    assert (row["blank_events"], row["blank_reference"]) == (3, 58_000)
    assert reasons(row) == {"STUDY_BLANK"}


def test_derive_persistence__concentration_by_beads_with_its_interval() -> None:
    tables = with_blank().tube("D14", 14, cart(412, 61_000, beads=8_950), **BEADS).derive()
    row = one(tables["persistence"], visit="D14", analyte="CAR_ABS")
    assert round(row["value"], 4) == 45.8494
    assert (round(row["ci_low"], 2), round(row["ci_high"], 2)) == (41.44, 50.61)
    assert row["unit"] == "cells/uL"
    assert row["lloq"] == pytest.approx(50 * 49_800 / 8_950 / 50)


def test_derive_persistence__concentration_by_the_blood_count_chains_denominators() -> None:
    trial = with_blank().tube("D14", 14, cart(780, 6_500, lymphocytes=10_000))
    trial.draw("labs", "D14", 14.1, test="ALC", value="576", unit="/uL")
    row = one(trial.derive()["persistence"], visit="D14", analyte="CAR_ABS")
    assert round(row["value"], 3) == 44.928
    assert reasons(row) == {"DUAL_PLATFORM"}


def test_derive_persistence__without_beads_or_blood_count_there_is_no_concentration() -> None:
    row = one(
        with_blank().tube("D14", 14, cart(780, 61_000)).derive()["persistence"],
        visit="D14",
        analyte="CAR_ABS",
    )
    assert (row["status"], reasons(row)) == ("not_calculated", {"NO_BEADS_NO_BLOOD_COUNT"})


def test_derive_persistence__too_few_beads_fall_back_and_fail_no_percentage() -> None:
    trial = with_blank().tube("D14", 14, cart(780, 61_000, beads=90), **BEADS, file_id="few")
    trial.finding("few", "BEADS", "fail")
    beads = next(
        row for row in trial.gates["counts"] if row["file_id"] == "few" and row["population"] == "beads"
    )
    beads |= {"status": "failed", "reason": "BEADS"}
    tables = trial.derive()
    assert one(tables["persistence"], visit="D14", analyte="CAR_PCT_CD3")["status"] == "quantified"
    assert one(tables["persistence"], visit="D14", analyte="CAR_ABS")["status"] == "not_calculated"
    assert one(tables["populations"], file_id="few", population="t_cells")["qc"] == "warn"


def test_derive_persistence__a_failed_tube_keeps_its_counts_and_gives_no_value() -> None:
    trial = with_blank().tube("D14", 14, cart(780, 61_000, beads=8_950), **BEADS, file_id="bad")
    tables = trial.finding("bad", "VIABILITY", "fail").derive()
    for analyte in ("CAR_PCT_CD3", "CAR_PCT_LYM", "CAR_ABS"):
        row = one(tables["persistence"], visit="D14", analyte=analyte)
        assert (row["status"], row["reason"], row["n_events"]) == ("failed", "VIABILITY", 780)
        assert np.isnan(row["value"])
    population = one(tables["populations"], file_id="bad", population="car_t")
    assert (population["status"], population["reason"], population["qc"]) == ("failed", "VIABILITY", "fail")
    assert population["percent_of_parent"] == pytest.approx(100 * 780 / 61_000)
    assert population["cells_per_ul"] == pytest.approx(780 / 8_950 * 49_800 / 50)
    kinetics = pick(tables["kinetics"], analyte="CAR_PCT_CD3", parameter="CMAX")
    assert kinetics["reason"].tolist() == ["NO_POST_INFUSION_SAMPLE"]
    assert one(tables["measurements"], visit="D14", name="car_t", metric="percent")["status"] == "failed"


def test_derive_persistence__the_latest_tube_that_passes_is_primary() -> None:
    trial = with_blank().tube("D14", 14, cart(100, 61_000), file_id="first")
    trial.tube("D14", 14.2, cart(200, 61_000), file_id="second").tube(
        "D14", 14.3, cart(300, 61_000), file_id="third"
    )
    tables = trial.finding("third", "TIME_DRIFT", "fail").finding("second", "DOUBLETS", "warn").derive()
    assert one(tables["persistence"], visit="D14", analyte="CAR_PCT_CD3")["n_events"] == 200
    assert set(pick(tables["populations"], visit="D14")["file_id"]) == {"first", "second", "third"}


def test_derive_persistence__unscheduled_draws_are_each_kept_and_numbered() -> None:
    trial = with_blank().tube("UNS", 5, cart(100, 61_000)).tube("UNS", 9, cart(200, 61_000))
    trial.draw("qpcr", "UNS", 9, copies_per_ug="900").draw("qpcr", "UNS", 8, copies_per_ug="800")
    rows = pick(trial.derive()["persistence"], visit="UNS")
    labels = rows.set_index(["analyte", "visit_label"])["n_events"]
    assert labels["CAR_PCT_CD3", "UNS.1"] == 100
    assert labels["CAR_PCT_CD3", "UNS.3"] == 200
    assert pick(rows, analyte="CAR_VCN_UG").set_index("visit_label")["value"].to_dict() == {
        "UNS.2": 800.0, "UNS.3": 900.0,
    }  # fmt: skip


def test_derive_persistence__a_failed_blank_fails_alone_and_warns_the_child() -> None:
    trial = Trial()
    for name in "ABCDEF":
        trial.subject(name)
        for visit, day in (("LD", -5), ("D0", 0)):
            car = 600 if (name, visit) == ("A", "LD") else 3
            trial.tube(visit, day, cart(car, 60_000), subject_id=name)
        trial.tube("D14", 14, cart(400, 60_000), subject_id=name)
    tables = trial.derive()
    blank = one(tables["quality"], check="BLANK")
    assert (blank["subject_id"], blank["visit"], blank["level"]) == ("A", "LD", "fail")
    persistence = tables["persistence"]
    assert one(persistence, subject_id="A", visit="LD", analyte="CAR_PCT_CD3")["status"] == "failed"
    later = one(persistence, subject_id="A", visit="D14", analyte="CAR_PCT_CD3")
    assert (later["status"], later["blank_events"]) == ("quantified", 3)
    assert "BLANK" in reasons(later)
    other = one(persistence, subject_id="B", visit="D14", analyte="CAR_PCT_CD3")
    assert reasons(other) == {"LOB_PROVISIONAL"}
    assert one(persistence, subject_id="B", visit="LD", analyte="CAR_PCT_CD3")["status"] == "not_detected"


def test_derive_persistence__a_high_background_lifts_the_floor() -> None:
    trial = Trial()
    for index, name in enumerate("ABCDEFGHIJ"):
        trial.subject(name).tube("D0", 0, cart(100 + index, 100_000), subject_id=name)
    trial.tube("D28", 28, cart(90, 61_000))
    row = one(trial.derive()["persistence"], subject_id="A", visit="D28", analyte="CAR_PCT_CD3")
    limit = 0.1045 + 1.645 * np.std(np.arange(10) / 1000, ddof=1)
    assert row["lod"] == pytest.approx(100 * np.ceil(limit * 610) / 61_000)
    assert row["lod"] == row["lloq"]


@pytest.mark.parametrize(
    ("row", "status", "reason", "lloq"),
    [
        ({"copies_per_ug": "48200"}, "quantified", "", 50.0),
        ({"copies_per_ug": "<50"}, "detected_blq", "DETECTION_UNKNOWN", 50.0),
        ({"copies_per_ug": "<50", "lod": 50}, "not_detected", "BELOW_LOD", 50.0),
        ({"copies_per_ug": "60", "gdna_ng": 100}, "detected_blq", "BELOW_LLOQ;LOW_GDNA", 100.0),
        ({"copies_per_ug": "120", "gdna_ng": 100}, "quantified", "LOW_GDNA", 100.0),
        ({"copies_per_ug": "60", "gdna_ng": 400}, "quantified", "", 50.0),
        ({"copies_per_ug": "80", "lloq": 100}, "detected_blq", "BELOW_LLOQ", 100.0),
        ({"copies_per_ug": "0"}, "not_detected", "BELOW_LOD", 50.0),
        ({"copies_per_ug": "12,5"}, "failed", "UNREADABLE", 50.0),
    ],
)
def test_derive_transgene__against_the_effective_limit(
    row: dict[str, object], status: str, reason: str, lloq: float
) -> None:
    tables = Trial().subject().draw("qpcr", "D14", 14, **row).derive()
    found = one(tables["persistence"], visit="D14", analyte="CAR_VCN_UG")
    assert (found["status"], found["reason"], found["lloq"]) == (status, reason, lloq)
    assert np.isnan(found["value"]) == (status != "quantified")


def test_derive_transgene__before_infusion_never_quantified() -> None:
    tables = Trial().subject().draw("qpcr", "D0", 0, copies_per_ug="60").derive()
    for row in (
        one(tables["persistence"], visit="D0", analyte="CAR_VCN_UG"),
        one(tables["measurements"], visit="D0", assay="qpcr"),
    ):
        assert (row["status"], row["reason"]) == ("detected_blq", "PRE_INFUSION")
        assert np.isnan(row["value"])


def test_derive_kinetics__copies_before_infusion_are_the_height_at_time_0() -> None:
    """From 70 copies to 900 after 22 hours: the first trapezoid has their mean."""
    trial = Trial().subject().draw("qpcr", "D0", -0.1, copies_per_ug="70", lloq=50)
    for visit, day, copies in (("D1", 1, "900"), ("D3", 3, "4000")):
        trial.draw("qpcr", visit, day, copies_per_ug=copies, lloq=50)
    area = one(trial.derive()["kinetics"], analyte="CAR_VCN_UG", parameter="AUCLST")
    assert area["value"] == pytest.approx(22 / 24 * (70 + 900) / 2 + 2 * (900 + 4000) / 2)
    assert "C0_NOT_BLQ" in area["reason"]


def test_derive_transgene__two_results_of_one_draw_are_both_measured_and_one_stands() -> None:
    trial = Trial().subject()
    trial.draw("qpcr", "D14", 14, copies_per_ug="900").draw("qpcr", "D14", 14, copies_per_ug="700")
    tables = trial.draw("qpcr", "D14", 14, copies_per_ug="***").derive()
    row = one(tables["persistence"], visit="D14", analyte="CAR_VCN_UG")
    assert (row["value"], row["reason"]) == (700.0, "DUP_CONFLICT")
    assert len(pick(tables["measurements"], assay="qpcr")) == 3


def test_derive_persistence__a_closed_window_without_a_sample_is_missing() -> None:
    trial = with_blank().tube("D14", 14, cart(100, 61_000))
    rows = trial.derive(as_of=INFUSION.replace(day=25))["persistence"]  # study day 15: D14 just closed
    missing = pick(rows, status="missing")
    assert set(missing["reason"]) == {"NOT_COLLECTED"}
    assert set(missing["collected_at"]) == {""}
    assert set(pick(missing, analyte="CAR_ABS")["visit"]) == {"D1", "D3", "D7", "D10"}
    assert set(pick(missing, analyte="CAR_VCN_UG")["visit"]) == {"LD", "D0", "D1", "D3", "D7", "D10", "D14"}


@pytest.mark.parametrize(("day", "is_due"), [(14, False), (15, True)])
def test_derive_persistence__an_open_window_is_not_yet_missed(day: int, *, is_due: bool) -> None:
    rows = with_blank().derive(as_of=INFUSION.replace(day=10 + day))["persistence"]
    assert ("D14" in set(pick(rows, status="missing")["visit"])) == is_due


@pytest.mark.parametrize(
    ("car", "level"), [(19, None), (22, None), (23, "warn"), (26, "warn"), (27, "fail"), (40, "fail")]
)
def test_find_blanks__judged_against_the_limits_of_the_other_children(car: int, level: str | None) -> None:
    trial = Trial().subject("A").tube("D0", 0, cart(car, 100_000))
    counts = [16, 16, 18, 18, 20, 20, 20, 20, 22, 22]
    for name, count in zip("BCDEFGHIJK", counts, strict=True):
        trial.subject(name).tube("D0", 0, cart(count, 100_000), subject_id=name)
    limit = np.mean(counts) + 1.645 * np.std(counts, ddof=1)
    lod = limit + 1.645 * np.std(counts, ddof=1)
    assert (round(limit, 2), round(lod, 2)) == (22.74, 26.27)
    found = pick(trial.derive()["quality"], check="BLANK", subject_id="A")
    assert found["level"].tolist() == ([] if level is None else [level])
    if level == "fail":
        assert found["limit"].tolist() == [pytest.approx(lod / 1000)]


def test_derive_persistence__nothing_is_due_after_leaving_or_without_infusion() -> None:
    trial = Trial().subject().subject("B", infusion_at="")
    trial.draw("assessments", "ET", 9, instrument="disposition", item="withdrawal", value="yes")
    rows = trial.derive(as_of=INFUSION.replace(month=12))["persistence"]
    assert set(rows["subject_id"]) == {"A"}
    assert set(rows["visit"]) == {"LD", "D0", "D1", "D3", "D7"}


def test_derive_persistence__samples_after_a_second_infusion_enter_no_kinetics() -> None:
    trial = Trial().subject()
    for visit, day, copies in (("D7", 7, "900"), ("D14", 14, "500"), ("M2", 61, "90000")):
        trial.draw("qpcr", visit, day, copies_per_ug=copies)
    trial.draw("assessments", "UNS", 50, instrument="disposition", item="second_infusion", value="yes")
    kinetics = trial.derive()["kinetics"]
    assert one(kinetics, parameter="CMAX")["value"] == 900
    assert one(kinetics, parameter="TLST")["value"] == pytest.approx(14 - 2 / 24)
