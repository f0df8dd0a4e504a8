"""Every worked number of the flow and kinetics specification, through the tables of one trial."""

import numpy as np
import pytest
from scipy.stats import chi2

from tests.tables.trial import INFUSION, Tables, Trial, at, bcell, cart, one, pick

LOT = {"beads_per_tube": 49_800, "blood_volume_ul": 50}
COPIES = {0: "<50", 1: "120", 3: "900", 7: "15600", 10: "48200", 14: "31000", 21: "8400", 28: "2100",
          60: "310", 90: "<50", 180: "<50"}  # fmt: skip
PARTIAL = {0: "<50", 1: "120", 3: "900", 7: "15600", 10: "48200", 14: "31000", 21: "8400", 26.9: "2500",
           33.1: "1500"}  # fmt: skip
B_COURSE = {-5: 150, 7: 0.4, 14: 0, 28: 0, 60: 2, 90: 8, 120: 35, 150: 72, 180: 140}
SAME_HOUR = {"infusion_at": at(0), "infusion_end_at": at(0)}


@pytest.fixture(scope="module")
def tables() -> Tables:
    trial = Trial()
    trial.subject("A").tube("LD", -5, cart(3, 58_000))
    trial.tube("D14", 14, cart(14, 61_000)).tube("D21", 21, cart(14, 6_000)).tube("D28", 28, cart(0, 61_000))
    # Net of blank: 412 of 5,650 against 9 of 5,400.
    trial.subject("B").tube("LD", -5, cart(9, 5_400), subject_id="B")
    trial.tube("D14", 14, cart(412, 5_650), subject_id="B")
    # Beads: 412, 7 and 0 cells against 8,950 beads.
    trial.subject("C").tube("LD", -5, cart(0, 60_000), subject_id="C")
    for visit, day, car in (("D7", 7, 412), ("D10", 10, 7), ("D14", 14, 0)):
        trial.tube(visit, day, cart(car, 61_000, beads=8_950), subject_id="C", file_id=f"C-{visit}", **LOT)
    # Blood count: ALC 576/uL, CD3 65 % of lymphocytes, CAR 12 % of CD3; WBC 3.2 with 18 % lymphocytes.
    trial.subject("D").tube("D14", 14, cart(780, 6_500, lymphocytes=10_000), subject_id="D", file_id="D-D14")
    trial.draw("labs", "D14", 14, subject_id="D", test="ALC", value="0.576", unit="10^9/L")
    # Volume: 780 CAR-T cells in 60 uL of blood diluted ten times.
    trial.subject("E").tube(
        "D14", 14, cart(780, 6_500, lymphocytes=10_000), subject_id="E", file_id="E-D14", predilution=10,
        acquired_volume_ul=60,
    )  # fmt: skip
    # CD19 at screening.
    for name, positive, reference in (("F", 1_790, 1_842), ("G", 210, 1_842), ("H", 28, 30)):
        trial.subject(name, infusion_at="").tube(
            "SCR", -30, bcell(reference, reference=reference, positive=positive), panel="bcell",
            subject_id=name, control="fmo_cd19", file_id=f"{name}-SCR",
        )  # fmt: skip
    for population, median in (("b_reference", 8_420.0), ("t_cells", 310.0)):
        trial.gates.setdefault("expression", []).append(
            {"file_id": "F-SCR", "population": population, "marker": "CD19", "median_intensity": median,
             "robust_sd": 95.0, "n": 1_842}
        )  # fmt: skip
    # B cells and copies.
    trial.subject("K")
    for day, cells in B_COURSE.items():
        trial.tube("LD" if day < 0 else "UNS", day, bcell(round(cells * 10), beads=10_000), panel="bcell",
                   subject_id="K", beads_per_tube=50_000, blood_volume_ul=50)  # fmt: skip
    for name, profile in (("L", COPIES), ("M", PARTIAL)):
        trial.subject(name, **SAME_HOUR)
        for day, copies in profile.items():
            trial.draw("qpcr", "UNS", day, subject_id=name, copies_per_ug=copies, lod=50)
    # Dose.
    trial.subject("N", weight_kg=32.5, infused_volume_ml=4.5, tnc_per_ml=12.0e6, viability_pct=88, cd3_pct=97,
                  car_pct=34)  # fmt: skip
    for visit, day in (("D28", 28), ("M3", 92), ("M24", 730)):
        trial.draw("labs", visit, day, subject_id="N", test="CRP", value="1", unit="mg/L")
    return trial.derive()


def percent(tables: Tables, subject: str, visit: str) -> "dict[str, object]":
    return one(tables["persistence"], subject_id=subject, visit=visit, analyte="CAR_PCT_CD3").to_dict()


def test_rare_events__fourteen_of_sixty_one_thousand(tables: Tables) -> None:
    row = percent(tables, "A", "D14")
    assert (row["status"], row["n_events"], row["n_reference"], row["denominator"]) == (
        "not_detected", 14, 61_000, "t_cells",
    )  # fmt: skip
    assert (round(row["ci_low"], 5), round(row["ci_high"], 5)) == (0.01255, 0.03850)
    assert (round(row["lod"], 5), round(row["lloq"], 5)) == (0.03279, 0.08197)
    assert round(row["p_value"], 4) == 0.0084
    assert "TRACE" in row["reason"]
    assert round(percent(tables, "A", "D21")["lloq"], 3) == 0.833


def test_rare_events__no_event_still_allows_some(tables: Tables) -> None:
    row = percent(tables, "A", "D28")
    assert (row["status"], row["ci_low"], round(row["ci_high"], 5)) == ("not_detected", 0, 0.00605)
    assert np.isnan(row["value"])


def test_net_of_blank__newcombe(tables: Tables) -> None:
    row = percent(tables, "B", "D14")
    assert round(row["value"], 3) == 7.292
    assert (round(row["net_of_blank"], 3), round(row["net_low"], 3), round(row["net_high"], 3)) == (
        7.125, 6.459, 7.837,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("visit", "value", "low", "high", "digits"),
    [("D7", 45.8494, 41.44, 50.61, 2), ("D10", 0.7790, 0.3131, 1.6057, 4), ("D14", None, 0, 0.4106, 4)],
)
def test_cells_per_ul__by_beads(
    tables: Tables, visit: str, value: float | None, low: float, high: float, digits: int
) -> None:
    row = one(tables["populations"], file_id=f"C-{visit}", population="car_t")
    assert (round(row["cells_per_ul_low"], digits), round(row["cells_per_ul_high"], digits)) == (low, high)
    assert row["route"] == "beads"
    if value is None:
        assert np.isnan(row["cells_per_ul"])
    else:
        assert round(row["cells_per_ul"], 4) == value
    if visit == "D7":
        assert round(row["cells_per_ul_cv"], 2) == 5.04


def test_cells_per_ul__by_blood_count_chains_denominators(tables: Tables) -> None:
    row = one(tables["persistence"], subject_id="D", visit="D14", analyte="CAR_ABS")
    assert (round(row["value"], 3), row["route"]) == (44.928, "blood_count")  # not 576 x 0.12 = 69.12
    share = percent(tables, "D", "D14")
    assert row["ci_low"] < 44.928 < row["ci_high"]
    assert share["value"] == pytest.approx(12)


def test_cells_per_ul__by_volume_where_the_dilution_is_told(tables: Tables) -> None:
    row = one(tables["populations"], file_id="E-D14", population="car_t")
    assert (row["cells_per_ul"], row["route"]) == (780 / 60 * 10, "volume")
    assert row["cells_per_ul_cv"] == pytest.approx(100 / np.sqrt(780))
    assert row["cells_per_ul_low"] == pytest.approx(chi2.ppf(0.025, 2 * 780) / 2 / 6)
    assert row["cells_per_ul_high"] == pytest.approx(chi2.ppf(0.975, 2 * 781) / 2 / 6)


def test_cd19__worked_calls(tables: Tables) -> None:
    rows = tables["cd19_status"].set_index("subject_id")
    assert rows.loc[["F", "G", "H"], "call"].tolist() == ["positive", "negative", "not_evaluable"]
    assert rows.loc[["F", "G", "H"], "percent_cd19"].round(2).tolist() == [97.18, 11.40, 93.33]
    limits = rows.loc[["F", "G", "H"], ["ci_low", "ci_high"]].round(2).to_numpy().tolist()
    assert limits == [[96.31, 97.88], [9.98, 12.94], [77.93, 99.18]]
    assert rows.loc[["F", "G"], ["n_cd19_positive", "n_b_reference"]].to_numpy().tolist() == [
        [1_790, 1_842], [210, 1_842],
    ]  # fmt: skip
    assert rows.loc["H", "reason"] == "FEW_EVENTS"
    assert rows.loc[["F", "G"], "alert"].tolist() == ["no", "yes"]


def test_cd19__density_and_stain_index(tables: Tables) -> None:
    row = one(tables["cd19_status"], subject_id="F")
    assert (round(row["density_ratio"], 2), round(row["stain_index"], 2)) == (27.16, 42.68)
    assert np.isnan(one(tables["cd19_status"], subject_id="G")["density_ratio"])


def test_limit_of_blank__worked_blanks() -> None:
    trial = Trial()
    for name, level in zip("ABCDEFGHIJ", (1.2, 0.8, 2.1, 1.5, 0.9, 1.7, 1.1, 1.4, 2.0, 1.3), strict=True):
        trial.subject(name).tube("D0", 0, cart(round(level * 1_000), 100_000), subject_id=name)
    trial.tube("D14", 14, cart(2_200, 100_000)).tube("D21", 21, cart(2_114, 100_000))
    rows = pick(trial.derive()["persistence"], subject_id="A", analyte="CAR_PCT_CD3").set_index("visit")
    assert round(rows.loc["D14", "lob"], 4) == 2.1149
    assert (rows.loc["D14", "status"], rows.loc["D21", "status"]) == ("quantified", "not_detected")
    assert "LOB_PROVISIONAL" in rows.loc["D14", "reason"]


def test_aplasia__worked_course(tables: Tables) -> None:
    row = one(tables["b_cell_recovery"], subject_id="K")
    assert (row["aplasia_day"], row["onset_low"], row["onset_high"]) == (7, 0, 7)
    assert (row["recovery_10_low"], row["recovery_10_high"]) == (90, 120)
    assert (row["recovery_50_low"], row["recovery_50_high"]) == (120, 150)
    assert (row["aplasia_duration_low"], row["aplasia_duration_high"], row["aplasia_duration_longest"]) == (
        83, 113, 120,
    )  # fmt: skip
    assert (row["deep_depletion_day"], row["reason"]) == (14, "RETURN_NO_SUBSETS")


@pytest.mark.parametrize(
    ("parameter", "value", "digits"),
    [
        ("CMAX", 48_200, 0), ("TMAX", 10, 0), ("CLST", 310, 0), ("TLST", 60, 0), ("AUC0_28D", 438_624.99, 2),
        ("AUCLST", 468_565.60, 2), ("AUC0_84D", 468_565.60, 2), ("LAMZ", 0.076947, 6),
        ("LAMZHL", 9.0081, 4), ("R2ADJ", 0.86529, 5), ("LAMZSPN", 4.33, 2), ("LAMZNPT", 3, 0),
        ("AUCIFO", 472_594.34, 2), ("AUCPEO", 0.852, 3), ("PERSIST", 60, 0),
        ("EXPRATE", np.log(48_200 / 120) / 9, 9), ("EXPDT", 9 / np.log2(48_200 / 120), 9),
    ],
)  # fmt: skip
def test_kinetics__worked_profile(tables: Tables, parameter: str, value: float, digits: int) -> None:
    row = one(tables["kinetics"], subject_id="L", analyte="CAR_VCN_UG", parameter=parameter)
    assert row["status"] == "quantified"
    assert row["value"] == pytest.approx(value, abs=0.5 * 10**-digits)


def test_kinetics__loss_and_a_partial_end(tables: Tables) -> None:
    loss = one(tables["kinetics"], subject_id="L", parameter="LOSS")
    assert (loss["low"], loss["high"]) == (60, 90)
    area = one(tables["kinetics"], subject_id="M", parameter="AUC0_28D")
    assert area["value"] == pytest.approx(438_165.14, abs=0.005)
    level = one(tables["kinetics"], subject_id="M", parameter="C28D")
    assert level["value"] == pytest.approx(2_283.39, abs=0.005)


def test_dose__worked_product(tables: Tables) -> None:
    row = one(tables["subjects"], subject_id="N")
    assert row["actual_dose_per_kg"] == pytest.approx(4.8222e5, abs=5)
    assert (round(row["pct_of_planned"], 2), row["reason"]) == (96.44, "")
    assert one(tables["subjects"], subject_id="A")["reason"].startswith("MISSING subjects.csv tnc_per_ml")


def test_clock__months_are_calendar_months(tables: Tables) -> None:
    """Infusion on 2025-06-10: D28 is 8 July, M3 is 10 September (day 92), M24 is 10 June 2027 (day 730)."""
    rows = pick(tables["measurements"], subject_id="N", name="CRP").set_index("visit")
    assert rows["collected_at"].str[:10].to_dict() == {
        "D28": "2025-07-08", "M3": "2025-09-10", "M24": "2027-06-10",
    }  # fmt: skip
    assert rows["study_day"].to_dict() == {"D28": 28, "M3": 92, "M24": 730}
    assert pick(tables["quality"], subject_id="N", check="VISIT_WINDOW").empty
    assert INFUSION.date().isoformat() == "2025-06-10"


def test_controls__fmo_and_run_blanks_stand_beside_the_sample() -> None:
    trial = Trial().subject().tube("LD", -5, cart(1, 60_000))
    trial.tube("D14", 14, cart(400, 60_000), batch="B1").tube(
        "D14", 14, cart(380, 58_000), tube="fmo_car", file_id="fmo", batch="B1"
    )
    for name, car, batch in (("donor", 5, "B1"), ("other", 50, "B2")):
        trial.tube("", 14, cart(car, 50_000), subject_id="", tube="assay_blank", file_id=name, batch=batch)
    row = percent(trial.derive(), "A", "D14")
    assert (row["fmo_events"], row["fmo_reference"], row["run_blank_events"]) == (380, 58_000, 5)
    assert (row["status"], row["run_blank_reference"]) == ("quantified", 50_000)
    assert "NOT_ABOVE_FMO" in row["reason"]


def test_routes__two_that_disagree_are_flagged() -> None:
    trial = Trial().subject()
    for visit, day, alc in (("D14", 14, "0.9"), ("D21", 21, "3.0")):
        trial.tube(visit, day, cart(500, 20_000, lymphocytes=30_000, beads=30_000), file_id=visit,
                   beads_per_tube=50_000, blood_volume_ul=50)  # fmt: skip
        trial.draw("labs", visit, day, test="ALC", value=alc, unit="10^9/L")
    tables = trial.derive()
    rows = pick(tables["populations"], population="t_cells").set_index("file_id")
    assert "ROUTES_DISAGREE" not in rows.loc["D14", "reason"]
    assert "ROUTES_DISAGREE" in rows.loc["D21", "reason"]
    found = one(tables["quality"], check="ROUTES")
    assert (found["object"], found["level"], found["limit"]) == ("D21", "warn", 1.4)
    assert found["value"] == pytest.approx(3.0)
