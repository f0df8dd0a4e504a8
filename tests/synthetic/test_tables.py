"""The delivered tables follow from one hidden state and speak the contract's words."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corelab.study import Study
from corelab.synthetic.assessments import SLEDAI_WEIGHTS
from corelab.synthetic.children import draw_children
from corelab.synthetic.disease import activity_on, draw_disease, inflammation_on
from corelab.synthetic.plan import TrialPlan
from corelab.synthetic.render import blood_of
from corelab.synthetic.safety import CYTOPENIAS, grade_value
from corelab.synthetic.soluble import CYTOKINES
from corelab.synthetic.tables import COLUMNS, format_csv
from corelab.units import parse_unit

SCREENING_TESTS = {
    "WBC", "ALC", "ANC", "HGB", "PLT", "ALT", "AST", "TBIL", "CREAT", "INR", "PT", "ANA", "HBSAG", "HBCAB",
    "HCVAB", "HIVAB", "SYPHILIS", "UPCR", "HEIGHT", "WEIGHT",
}  # fmt: skip


def table(delivery: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(delivery / name, dtype=str, keep_default_na=False)


def test_format_csv__leaves_what_a_row_lacks_empty() -> None:
    text = format_csv("qpcr.csv", [{"subject_id": "A", "copies_per_ug": "<50"}]).decode()
    assert text == "subject_id,visit,collected_at,copies_per_ug,lloq,lod,gdna_ng\nA,,,<50,,,\n"


@pytest.mark.parametrize("name", list(COLUMNS))
def test_tables__have_the_columns_of_their_kind_and_rows(delivery: Path, name: str) -> None:
    found = table(delivery, name)
    assert tuple(found.columns) == COLUMNS[name]
    assert len(found) > 0


def test_labs__screening_has_every_test_that_eligibility_needs(delivery: Path) -> None:
    labs = table(delivery, "labs.csv")
    for _, rows in labs[labs["visit"] == "SCR"].groupby("subject_id"):
        assert set(rows["test"]) >= SCREENING_TESTS


def test_labs__units_are_known_and_one_child_reports_in_others(delivery: Path) -> None:
    labs = table(delivery, "labs.csv")
    for unit in set(labs["unit"]):
        parse_unit(unit)
    assert set(labs[labs["test"] == "HGB"]["unit"]) == {"g/L", "g/dL"}
    grams = labs[labs["test"] == "HGB"].assign(value=lambda t: t["value"].astype(float))
    in_g_l = grams["value"].where(grams["unit"] == "g/L", grams["value"] * 10)
    assert in_g_l.between(60, 160).all()
    creatinine = labs[labs["test"] == "CREAT"]
    umol = (
        creatinine["value"]
        .astype(float)
        .where(creatinine["unit"] == "umol/L", creatinine["value"].astype(float) * 88.4)
    )
    assert umol.between(25, 130).all()
    upper = (
        creatinine["ref_high"]
        .astype(float)
        .where(creatinine["unit"] == "umol/L", creatinine["ref_high"].astype(float) * 88.4)
    )
    assert np.allclose(upper, 88, rtol=0.01)


def test_labs__lymphocytes_are_those_of_the_same_blood_as_the_tube(plan: TrialPlan, delivery: Path) -> None:
    labs = table(delivery, "labs.csv").query("test == 'ALC'")
    measured = labs.set_index(["subject_id", "visit"])["value"].astype(float)
    for draw in plan.draws:
        if "laboratory" in draw.expects:
            blood = blood_of(plan.seed, draw)
            key = (draw.child.subject_id, draw.visit)
            assert measured[key] == pytest.approx(blood.lymphocytes / 1000, rel=0.13, abs=0.001)


def test_qpcr__is_below_its_limit_before_infusion_and_high_at_the_peak(delivery: Path) -> None:
    qpcr = table(delivery, "qpcr.csv")
    assert set(qpcr[qpcr["visit"].isin(["LD", "D0"])]["copies_per_ug"]) == {"<50"}
    peak = qpcr[qpcr["visit"].isin(["D10"])]["copies_per_ug"].astype(float)
    assert (peak > 1000).all()


def test_cytokines__carry_their_limits_and_words(delivery: Path) -> None:
    rows = table(delivery, "cytokines.csv")
    assert set(rows["analyte"]) == {cytokine.name for cytokine in CYTOKINES}
    words = rows[~rows["value"].str.fullmatch(r"[0-9.]+")]
    assert {"OOR <", "<1.6"} <= set(words["value"])
    numbers = rows.drop(words.index)
    value = numbers["value"].astype(float)
    assert (value >= numbers["lloq"].astype(float) - 0.005).all()
    assert (value <= numbers["uloq"].astype(float)).all()


def test_cytokines__some_value_exceeds_the_range_in_some_trial(study: Study) -> None:
    from corelab.synthetic.schedule import draw_schedule
    from corelab.synthetic.soluble import cytokine_rows

    found = set()
    for seed in range(12):
        for child in draw_children(seed, subjects=4, study=study):
            disease = draw_disease(seed, child)
            for draw in draw_schedule(seed, child, study=study, missed=()):
                found |= {row["value"] for row in cytokine_rows(seed, draw, disease)}
    assert ">10000" in found


def test_cytokines__il6_peaks_in_the_second_week_five_to_a_few_hundred_fold(delivery: Path) -> None:
    rows = table(delivery, "cytokines.csv").query("analyte == 'IL-6'")
    value = pd.to_numeric(rows["value"], errors="coerce").fillna(2.4)
    for _, one in rows.assign(value=value).groupby("subject_id"):
        base = one[one["visit"] == "LD"]["value"].iloc[0]
        assert one["value"].max() / base > 5
        assert one.loc[one["value"].idxmax(), "visit"] in {"UNS", "D7", "D10"}


def test_assessments__total_is_the_sum_of_its_items(delivery: Path) -> None:
    rows = table(delivery, "assessments.csv").query("instrument == 'SLEDAI-2K'")
    for _, visit in rows.groupby(["subject_id", "visit"]):
        items = visit.set_index("item")["value"].astype(int)
        assert set(items.index) == {*SLEDAI_WEIGHTS, "total"}
        assert items["total"] == sum(SLEDAI_WEIGHTS[item] * items[item] for item in SLEDAI_WEIGHTS)
    screening = rows[(rows["visit"] == "SCR") & (rows["item"] == "total")]["value"].astype(int)
    assert (screening >= 8).all()
    assert sum(SLEDAI_WEIGHTS.values()) == 105


def test_assessments__bilag_has_nine_domains_and_no_never_after_a_grade(delivery: Path) -> None:
    rows = table(delivery, "assessments.csv").query("instrument == 'BILAG-2004'")
    for _, domain in rows.groupby(["subject_id", "item"]):
        assert set(domain["value"]) <= set("ABCDE")
        assert set(domain["value"]) == {"E"} or "E" not in set(domain["value"])
    assert rows["item"].nunique() == 9


def test_activity_on__responders_fall_and_others_do_not(study: Study) -> None:
    late = {}
    for child in draw_children(4, subjects=6, study=study):
        if child.is_infused:
            late.setdefault(child.response, activity_on(child, 180.0))
    assert late["complete"] < 0.1 < late["partial"] < 0.4 < late["none"]


def test_inflammation_on__peaks_on_its_day_and_rests_before_infusion(study: Study) -> None:
    child = draw_children(2, subjects=1, study=study)[0]
    disease = draw_disease(2, child)
    days = np.arange(0.0, 28.0, 0.1)
    loud = [inflammation_on(child, disease, float(day)) for day in days]
    assert days[int(np.argmax(loud))] == pytest.approx(disease.crs_peak_day, abs=0.1)
    assert inflammation_on(child, disease, -1.0) == 0.0


def test_grade_value__uses_strict_limits() -> None:
    """CTCAE v5.0: 0.5 × 10⁹/L neutrophils is grade 3, just below it grade 4."""
    neutrophils = CYTOPENIAS[0]
    assert [grade_value(neutrophils, value) for value in (1.5, 1.49, 1.0, 0.99, 0.5, 0.49)] == [
        0, 2, 2, 3, 3, 4,
    ]  # fmt: skip


def test_adverse_events__are_graded_by_the_right_scale(delivery: Path) -> None:
    events = table(delivery, "adverse_events.csv")
    crs = events[events["term"] == "Cytokine release syndrome"]
    assert set(crs["scale"]) == {"ASTCT 2019"}
    assert set(events[~events["term"].str.contains("syndrome")]["scale"]) == {"CTCAE v5.0"}
    neutropenia = events[events["term"] == "Neutrophil count decreased"]["grade"].astype(int)
    assert len(neutropenia) == 5
    assert (neutropenia >= 3).all()


def test_medications__lymphodepletion_for_the_infused_and_two_tocilizumab_courses(delivery: Path) -> None:
    drugs = table(delivery, "medications.csv")
    infused = set(table(delivery, "subjects.csv").query("infusion_at != ''")["subject_id"])
    assert set(drugs[drugs["drug"] == "fludarabine"]["subject_id"]) == infused
    assert drugs[drugs["drug"] == "tocilizumab"]["subject_id"].nunique() == 2


def test_truth__subjects_know_their_peaks_and_returns(plan: TrialPlan, delivery: Path) -> None:
    truth = table(delivery, "truth/subjects.csv").set_index("subject_id")
    for child in plan.children:
        row = truth.loc[child.subject_id]
        if not child.is_infused:
            assert (row["cd19"], row["CAR_ABS_CMAX"]) == ("negative", "")
            continue
        assert float(row["CAR_ABS_CMAX"]) == pytest.approx(child.course.cmax, rel=0.06)
        assert float(row["CAR_ABS_TMAX"]) == pytest.approx(child.course.tmax, abs=0.25)
        if row["recovery_10_day"]:
            assert float(row["recovery_10_day"]) == pytest.approx(child.course.b_return_10_day, abs=3)
