"""The whole derivation: the other tables, order of arrival, and its speed."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from corelab.cytometry.records import GateTables
from corelab.tables import derive_tables
from corelab.tables.derive import derive_described_tables
from corelab.tables.inputs import Inputs
from corelab.tables.schemas import SCHEMAS
from tests.tables.trial import INFUSION, STUDY, Tables, Trial, at, bcell, cart, one, pick

BEADS = {"beads_per_tube": 50_000, "blood_volume_ul": 50}


def b_course(course: dict[int, float], trial: Trial | None = None) -> Trial:
    """Return a child with B cells per uL by study day, counted against 10,000 beads."""
    trial = trial or Trial().subject()
    for day, cells in course.items():
        visit = "LD" if day == -5 else "UNS"
        trial.tube(visit, day, bcell(round(cells * 10), beads=10_000), panel="bcell", **BEADS)
    return trial


WORKED_B = {7: 0.4, 14: 0, 28: 0, 60: 2, 90: 8, 120: 35, 150: 72, 180: 140}


def test_derive_b_cell_recovery__worked_course() -> None:
    row = one(b_course({-5: 150, **WORKED_B}).derive()["b_cell_recovery"], subject_id="A")
    assert (row["baseline_b_cells_per_ul"], row["baseline_below"]) == (150, "no")
    assert (row["aplasia_day"], row["onset_low"], row["onset_high"]) == (7, 0, 7)
    assert (row["recovery_10_low"], row["recovery_10_high"], row["recovery_10_censored"]) == (90, 120, "no")
    assert (row["recovery_50_low"], row["recovery_50_high"], row["recovery_50_censored"]) == (120, 150, "no")


def test_derive_b_cell_recovery__below_before_and_not_yet_back() -> None:
    row = one(b_course({-5: 4, 7: 1, 60: 2, 90: 30}).derive()["b_cell_recovery"], subject_id="A")
    assert (row["baseline_below"], row["aplasia_day"]) == ("yes", 7)
    assert np.isnan([row["onset_low"], row["onset_high"], row["recovery_10_high"]]).all()
    assert (row["recovery_10_low"], row["recovery_10_censored"]) == (60, "yes")


def test_derive_b_cell_recovery__a_tube_that_says_too_little_is_left_out() -> None:
    trial = b_course({-5: 150, 7: 0.4})
    # No B cell, but so few beads that 10 per uL cannot be excluded.
    trial.tube("UNS", 14, bcell(0, beads=20), panel="bcell", beads_per_tube=50_000, blood_volume_ul=50)
    trial.tube("UNS", 3, bcell(0, beads=20), panel="bcell", beads_per_tube=50_000, blood_volume_ul=50)
    assert one(trial.derive()["b_cell_recovery"], subject_id="A")["aplasia_day"] == 7


def test_derive_subjects__worked_dose_and_age_in_completed_years() -> None:
    trial = Trial().subject(
        birth_date="2012-06-02", consent_date="2025-06-01", age_years=None, weight_kg=32.5,
        infused_volume_ml=4.5, tnc_per_ml=12.0e6, viability_pct=88, cd3_pct=97, car_pct=34,
    )  # fmt: skip
    row = one(trial.subject("B", age_years=9, arm="").derive()["subjects"], subject_id="A")
    assert row["age_years"] == 12
    assert row["planned_dose_per_kg"] == 5e5
    assert row["actual_dose_per_kg"] == pytest.approx(4.8222e5, abs=5)
    assert row["pct_of_planned"] == pytest.approx(96.44, abs=0.005)
    other = one(trial.derive()["subjects"], subject_id="B")
    assert (other["age_years"], other["arm"]) == (9, "")
    assert np.isnan(other["actual_dose_per_kg"])


def test_derive_subjects__a_dose_off_its_plan_is_found() -> None:
    trial = Trial().subject(
        arm="high", weight_kg=32.5, infused_volume_ml=4.5, tnc_per_ml=12.0e6, viability_pct=88,
        cd3_pct=97, car_pct=34,
    )  # fmt: skip
    finding = one(trial.derive()["quality"], check="DOSE")
    assert (finding["object"], finding["limit"]) == ("subjects.csv:2", 80.0)
    assert finding["value"] == pytest.approx(48.22, abs=0.005)


def test_derive_quality__a_date_outside_its_window_is_a_finding_and_keeps_its_visit() -> None:
    trial = Trial().subject()
    for visit, day in (("D7", 8), ("D14", 16), ("D28", 25), ("M3", 92), ("M6", 210), ("D1", -1)):
        trial.draw("qpcr", visit, day, copies_per_ug="900")
    trial.tube("D10", 20, cart(500, 61_000), file_id="late")
    tables = trial.derive()
    late = pick(tables["quality"], check="VISIT_WINDOW").set_index("object")
    assert late[["visit", "value", "limit"]].T.to_dict("list") == {
        "qpcr.csv:3": ["D14", 16.0, 15.0],
        "qpcr.csv:4": ["D28", 25.0, 26.0],
        "qpcr.csv:6": ["M6", 210.0, 197.0],
        "qpcr.csv:7": ["D1", -1.0, 1.0],
        "late": ["D10", 20.0, 11.0],
    }
    assert set(late["level"]) == {"warn"}
    assert one(tables["persistence"], visit="D14", analyte="CAR_VCN_UG")["status"] == "quantified"


def test_derive_quality__a_draw_of_d0_after_the_infusion_is_a_finding() -> None:
    """It is no blank, and says so; where only the date of infusion is known nobody can tell."""
    trial = Trial()
    for subject_id, hour, infusion in (("A", 12, {}), ("B", 9, {}), ("C", 12, {"infusion_at": "2025-06-10"})):
        trial.subject(subject_id, **infusion)
        row = {"subject_id": subject_id, "visit": "D0", "collected_at": at(0, hour=hour)}
        trial.add("qpcr", **row, copies_per_ug="<50")
    found = pick(trial.derive()["quality"], check="VISIT_WINDOW")
    assert found[["subject_id", "reason"]].to_numpy().tolist() == [
        ["A", "drawn after the infusion; visit D0 is before it"]
    ]


def test_derive_quality__screening_apheresis_and_lymphodepletion_have_their_windows() -> None:
    """Screening at most 56 days before infusion, apheresis before it, LD around its own first day."""
    trial = Trial().subject(lymphodepletion_at="2025-06-07T09:00:00+08:00")  # three days before
    days = {"SCR": (-56, -57, 0), "APH": (-70, 0), "LD": (-4, -3, -5, -2)}
    for visit, day in ((visit, day) for visit, some in days.items() for day in some):
        trial.draw("labs", visit, day, test="WBC", value="4", unit="10^9/L")
    trial.draw("assessments", "SCR", -100, instrument="biopsy", item="class", value="IV")
    late = pick(trial.derive()["quality"], check="VISIT_WINDOW")
    assert sorted(late[["visit", "value", "limit"]].itertuples(index=False, name=None)) == [
        ("APH", 0.0, -1.0), ("LD", -5.0, -4.0), ("LD", -2.0, -3.0), ("SCR", -57.0, -56.0), ("SCR", 0.0, -1.0),
    ]  # fmt: skip


def test_derive_tables__months_are_calendar_months_and_rows_without_a_visit_get_one() -> None:
    trial = Trial().subject().draw("qpcr", "", 92, copies_per_ug="900")
    trial.draw("qpcr", "", 50, copies_per_ug="800").draw("qpcr", "", 27, copies_per_ug="700")
    rows = pick(trial.derive()["measurements"], assay="qpcr").set_index("visit_label")
    assert rows["study_day"].to_dict() == {"M3": 92, "UNS.1": 50, "D28": 27}


def test_derive_tables__of_two_draws_in_a_window_the_nearest_has_the_visit_in_every_table() -> None:
    trial = Trial().subject()
    trial.draw("qpcr", "", 29, copies_per_ug="900").draw("qpcr", "", 26, copies_per_ug="800")
    trial.draw("labs", "", 26, test="ALC", value="1.0", unit="10^9/L")
    trial.draw("labs", "", 28, test="ALC", value="2.0", unit="10^9/L")
    trial.draw("labs", "", 26, test="PLT", value="99", unit="10^9/L")  # the only one: it has the visit
    trial.tube("", 29, cart(400, 60_000), file_id="far").tube("", 28, cart(500, 60_000), file_id="near")
    tables = trial.derive()
    rows = pick(tables["persistence"], analyte="CAR_VCN_UG").set_index("visit_label")["value"]
    assert rows.dropna().to_dict() == {"D28": 900, "UNS.1": 800}
    labs = pick(tables["measurements"], assay="laboratory").set_index(["name", "visit"])["value"]
    assert labs.to_dict() == {("ALC", "D28"): 2.0, ("ALC", "UNS"): 1.0, ("PLT", "D28"): 99.0}
    flow = tables["populations"].groupby("file_id")["visit"].agg(set).to_dict()
    assert flow == {"near": {"D28"}, "far": {"UNS"}}
    wide = one(tables["analysis"], visit="D28")
    assert (wide["alc_10_9_l"], wide["plt_10_9_l"], wide["car_copies_per_ug"]) == (2.0, 99.0, 900.0)
    found = pick(tables["quality"], check="VISIT_TAKEN").set_index("object")["reason"]
    assert sorted(found.index) == ["far", "labs.csv:2", "qpcr.csv:3"]
    assert found["qpcr.csv:3"] == (
        "without a visit, drawn 2025-07-06; visit D28 belongs to a nearer or named draw"
    )


def test_derive_tables__study_day_is_a_difference_of_local_dates() -> None:
    trial = Trial().subject(infusion_at="2025-06-10T23:30:00+08:00")
    trial.add("qpcr", subject_id="A", visit="D1", collected_at="2025-06-10T16:10:00+00:00", copies_per_ug="9")
    row = one(trial.derive()["measurements"], assay="qpcr")
    assert (row["study_day"], row["collected_at"]) == (1, "2025-06-11T00:10:00+08:00")


def test_derive_tables__d0_on_an_infusion_known_by_date_is_before_it() -> None:
    trial = Trial().subject(infusion_at="2025-06-10T00:00:00+08:00").tube("D0", 0, cart(300, 61_000))
    row = one(trial.derive()["persistence"], visit="D0", analyte="CAR_PCT_CD3")
    assert (row["status"], row["reason"]) == ("detected_blq", "PRE_INFUSION")


def test_derive_kinetics__worked_profile_through_the_tables() -> None:
    trial = Trial().subject(infusion_end_at=INFUSION.replace(hour=8).isoformat(), infusion_at=at(0, hour=8))
    profile = {0: "<50", 1: "120", 3: "900", 7: "15600", 10: "48200", 14: "31000", 21: "8400", 28: "2100"}
    for day, copies in {**profile, 60: "310", 90: "<50", 180: "<50"}.items():
        trial.draw("qpcr", "UNS", day, copies_per_ug=copies)
    kinetics = trial.derive()["kinetics"].set_index("parameter")
    assert kinetics.loc["AUC0_28D", "value"] == pytest.approx(438_624.99, abs=0.005)
    assert kinetics.loc["LAMZHL", "value"] == pytest.approx(9.0081, abs=5e-5)
    assert kinetics.loc["AUC0_84D", ["unit", "status", "reason"]].tolist() == [
        "copies/ug*d", "quantified", "AUC_TRUNC_BLQ",
    ]  # fmt: skip
    assert kinetics.loc["LOSS", ["low", "high"]].tolist() == [60, 90]
    assert kinetics.loc["LAMZ", "unit"] == "1/d"


def test_derive_adverse_events__episodes_of_a_term() -> None:
    trial = Trial().subject()
    for term, grade, start, end, related in (
        ("Anemia", 2, "2025-06-01", "2025-06-03", "no"), ("Anemia", 3, "2025-06-12", "2025-06-14", "yes"),
        ("anemia", 1, "2025-06-14", "2025-06-20", "no"), ("Nausea", 2, "2025-06-01", "2025-06-02", "no"),
        ("Nausea", 2, "2025-06-12", "", "no"), ("ICANS", 1, "2025-06-15", "2025-06-16", "yes"),
        ("Lung infection", 3, "2025-07-01", "2025-07-02", "no"),
        ("Skin infection", 2, "2025-07-01", "2025-07-02", "no"),
    ):  # fmt: skip
        trial.add(
            "adverse_events", subject_id="A", term=term, scale="CTCAE v5.0", grade=grade, start=start,
            end=end, related=related, serious="",
        )  # fmt: skip
    rows = trial.derive()["adverse_events"].set_index("term")
    columns = [
        "worst_grade",
        "onset_day",
        "duration_days",
        "related",
        "ongoing",
        "treatment_emergent",
        "aesi",
    ]
    assert rows.loc["Anemia", columns].tolist() == [3, -9, 12, "yes", "no", "yes", "no"]
    assert rows.loc["Nausea", ["worst_grade", "ongoing", "treatment_emergent"]].tolist() == [2, "yes", "no"]
    assert np.isnan(rows.loc["Nausea", "duration_days"])
    assert rows["aesi"].to_dict() == {
        "Anemia": "no", "ICANS": "yes", "Lung infection": "yes", "Nausea": "no", "Skin infection": "no",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("start", "emergent"),
    [
        ("2025-06-10T08:59:00+08:00", "no"), ("2025-06-10T10:30:00+08:00", "yes"),
        ("2025-06-10T00:00:00+08:00", "yes"), ("2025-06-09T23:00:00+08:00", "no"),
    ],
)  # fmt: skip
def test_derive_adverse_events__a_time_before_the_infusion_is_before_it(start: str, emergent: str) -> None:
    """A date alone (midnight) cannot say on which side of the infusion of that day it lies."""
    trial = Trial().subject(infusion_at="2025-06-10T10:00:00+08:00")
    trial.add(
        "adverse_events", subject_id="A", term="Fever", scale="CTCAE v5.0", grade=1, start=start, end=""
    )
    assert one(trial.derive()["adverse_events"], term="Fever")["treatment_emergent"] == emergent


def rich_trial() -> Trial:
    """Return a trial with every kind of row, two children and ties."""
    trial = Trial().subject("A", weight_kg=30).subject("B", arm="high")
    for name in ("A", "B"):
        for visit, day in (("LD", -5), ("D0", 0), ("D7", 7), ("D14", 14), ("UNS", 17), ("D28", 28)):
            car = 4 if day <= 0 else 900 - 20 * day
            trial.tube(visit, day, cart(car, 61_000, beads=9_000), subject_id=name, **BEADS)
            trial.tube(
                visit, day, bcell(300 - 10 * day, beads=9_000), subject_id=name, panel="bcell", **BEADS
            )
            trial.draw(
                "qpcr",
                visit,
                day,
                subject_id=name,
                copies_per_ug="<50" if day <= 0 else str(9000 - 300 * day),
            )
            for analyte in ("IL-6", "IFN-g"):
                value = "<2.4" if day <= 0 else str(100 + day)
                trial.draw(
                    "cytokines",
                    visit,
                    day,
                    subject_id=name,
                    analyte=analyte,
                    value=value,
                    unit="pg/mL",
                    lloq=2.4,
                )
            trial.draw("labs", visit, day, subject_id=name, test="UPCR", value=str(200 - day), unit="mg/mmol")
            trial.draw("labs", visit, day, subject_id=name, test="CRP", value="<0.5", unit="mg/L")
            trial.draw(
                "assessments", visit, day, subject_id=name, instrument="SLEDAI-2K", item="total", value="12"
            )
    trial.tube("D28", 28, cart(10, 50_000), file_id="again").finding("again", "BEADS", "warn")
    trial.draw("qpcr", "D28", 28, copies_per_ug="77").draw(
        "labs", "D28", 28, test="UPCR", value="9", unit="g/g"
    )
    trial.add("adverse_events", subject_id="A", term="CRS", grade=2, start="2025-06-15", end="2025-06-18")
    return trial


def derive_shuffled(seed: int) -> Tables:
    trial, rng = rich_trial(), np.random.default_rng(seed)

    def shuffle(table: pd.DataFrame) -> pd.DataFrame:
        return table.iloc[rng.permutation(len(table))].reset_index(drop=True)

    inputs = trial.inputs()
    inputs = replace(inputs, **{item.name: shuffle(getattr(inputs, item.name)) for item in fields(Inputs)})
    gates = trial.gate_tables()
    gates = replace(gates, **{item.name: shuffle(getattr(gates, item.name)) for item in fields(GateTables)})
    return derive_tables(inputs, gates, study=STUDY, as_of=None)


@pytest.mark.parametrize("seed", range(4))
def test_derive_tables__order_of_arrival_leaves_no_trace(seed: int) -> None:
    expected = rich_trial().derive()
    for name, table in derive_shuffled(seed).items():
        pd.testing.assert_frame_equal(table, expected[name], check_exact=True, obj=name)


def test_derive_tables__changes_no_input() -> None:
    trial = rich_trial()
    inputs, gates = trial.inputs(), trial.gate_tables()
    before = {item.name: getattr(inputs, item.name).copy() for item in fields(Inputs)}
    counts = gates.counts.copy()
    derive_tables(inputs, gates, study=STUDY, as_of=None)
    pd.testing.assert_frame_equal(gates.counts, counts)
    for name, table in before.items():
        pd.testing.assert_frame_equal(getattr(inputs, name), table)


def test_derive_analysis__every_assay_side_by_side() -> None:
    trial = rich_trial()
    tables, schema = derive_described_tables(trial.inputs(), trial.gate_tables(), study=STUDY, as_of=None)
    wide = tables["analysis"]
    assert wide.columns.tolist() == schema.column_names
    row = one(wide, subject_id="B", visit="D7")
    assert row["car_pct_cd3"] == pytest.approx(100 * 760 / 61_000)
    assert row["car_per_ul"] == pytest.approx(760 / 9_000 * 1_000)
    assert row["b_per_ul"] == pytest.approx(230 / 9_000 * 1_000)
    assert (row["car_copies_per_ug"], row["car_copies_per_ug_rel"]) == (6_900, "=")
    assert (row["il_6_pg_ml"], row["il_6_fold_rel"]) == (107, ">=")
    assert row["il_6_fold_bound"] == pytest.approx(107 / 2.4)
    assert np.isnan(row["il_6_fold"])
    assert row["upcr_g_g"] == pytest.approx(193 / 113.12)
    assert (row["sledai_2k"], row["crp_mg_l_rel"], row["crp_mg_l_bound"]) == (12, "<", 0.5)
    before = one(wide, subject_id="B", visit="D0")
    assert (before["car_pct_cd3_rel"], before["car_copies_per_ug_rel"]) == ("<", "<")
    assert np.isnan(before["car_pct_cd3"])
    assert "sledai_2k_rel" not in wide.columns
    units = {column.name: column.unit for column in schema.columns}
    assert (units["il_6_pg_ml"], units["car_per_ul"], units["upcr_g_g"]) == ("pg/mL", "cells/uL", "g/g")
    assert len(pick(wide, subject_id="A", visit="UNS")) == 1


def test_derive_tables__every_table_obeys_its_schema() -> None:
    tables = rich_trial().derive()
    assert set(tables) == {*SCHEMAS, "analysis"}
    for name, schema in SCHEMAS.items():
        assert tables[name].columns.tolist() == schema.column_names
        pd.testing.assert_frame_equal(schema.conform(tables[name]), tables[name], obj=name)


def test_medications__lie_on_the_childs_clock_and_an_open_end_stays_open() -> None:
    trial = Trial().subject("S1")
    trial.add("medications", subject_id="S1", drug="tocilizumab", start=at(7)[:10], end=at(8)[:10], dose=8.0)
    trial.add("medications", subject_id="S1", drug="prednisone", start=at(-30)[:10], end="", unit="mg")
    table = trial.derive()["medications"]
    toci, pred = one(table, drug="tocilizumab"), one(table, drug="prednisone")
    assert (toci["start_day"], toci["end_day"], toci["dose"]) == (7, 8, 8.0)
    assert pred["start_day"] == -30
    assert pd.isna(pred["end_day"])
