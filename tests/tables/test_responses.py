"""`responses` from delivered rows: baseline, due visits, leaving, rescue, and the worked cases."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from corelab.clinical.sri import DOMAINS
from tests.tables.trial import INFUSION, Trial, at, one, pick

LETTERS = dict.fromkeys(DOMAINS, "E")
LATE = INFUSION.replace(year=2027, month=12)


def see(trial: Trial, visit: str, day: float, *, subject_id: str = "A", **changes: Any) -> Trial:
    """Add a whole visit: kidney and scores, with what is given instead or left out (None)."""
    seen: dict[str, Any] = {
        "upcr": "2.4 g/g", "creat": "0.657 mg/dL", "height": "140 cm", "sledai": "14", "pga": "2.0",
        "bilag": LETTERS, **changes,
    }  # fmt: skip
    key = {"visit": visit, "day": day, "subject_id": subject_id}
    for test in ("upcr", "creat", "height"):
        if seen[test]:
            value, unit = seen[test].split()
            trial.draw("labs", test=test.upper(), value=value, unit=unit, **key)
    for instrument, item, value in (
        ("SLEDAI-2K", "total", seen["sledai"]), ("PGA", "vas_0_3", seen["pga"]),
        *(("BILAG-2004", domain, letter) for domain, letter in (seen["bilag"] or {}).items()),
    ):  # fmt: skip
        if value:
            trial.draw("assessments", instrument=instrument, item=item, value=value, **key)
    return trial


def leave(trial: Trial, how: str, day: float, subject_id: str = "A") -> Trial:
    return trial.draw(
        "assessments", "ET", day, subject_id=subject_id, instrument="disposition", item=how, value="yes"
    )


def states(rows: pd.DataFrame, **conditions: Any) -> dict[str, str]:
    chosen = rows[rows["definition"].isin(("CORELAB_DEFAULT", "SRI-4"))]
    return pick(chosen, **conditions).set_index("endpoint")["state"].to_dict()


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    trial = Trial()
    partial = {"upcr": "0.9 g/g", "creat": "0.688 mg/dL"}
    for name in "ABCDEFGHIJKL":
        trial.subject(name)
        see(trial, "LD", -6, subject_id=name)
    see(trial, "M6", 183, subject_id="A", **partial, sledai="10", pga="2.3")
    see(trial, "M6", 183, subject_id="B", upcr="52 mg/mmol", pga="2.29", sledai="10")
    see(trial, "M6", 183, subject_id="C", upcr=None, bilag=None)
    see(trial, "M6", 183, subject_id="D", height=None)
    see(trial, "M3", 92, subject_id="E", upcr="0.4 g/g", sledai="4")
    leave(trial, "withdrawal", 120, "E")
    see(trial, "ET", 120, subject_id="E", upcr="0.3 g/g", sledai="4")
    leave(trial, "death", 40, "F")
    see(trial, "M6", 183, subject_id="G", upcr="0.1 g/g", sledai="0")
    trial.add("medications", subject_id="G", drug="rescue", start="2025-09-01", end="2025-09-02")
    see(trial, "M6", 183, subject_id="H", upcr="0.1 g/g", sledai="0")
    trial.draw("assessments", "UNS", 100, subject_id="H", instrument="disposition", item="second_infusion",
               value="yes")  # fmt: skip
    # A worse day before treatment and a better one on D0: neither is the baseline.
    see(trial, "SCR", -40, subject_id="I", upcr="6.0 g/g", sledai="40")
    see(trial, "D0", 0, subject_id="I", upcr="0.6 g/g", sledai="2")
    see(trial, "M6", 183, subject_id="I", upcr="1.3 g/g", sledai="10")
    see(trial, "M6", 183, subject_id="J", upcr="0.4 g/g")
    trial.draw("labs", "M6", 183, subject_id="J", test="PROT24H", value="1.3", unit="g/24h")
    trial.draw("labs", "LD", -6, subject_id="J", test="PROT24H", value="2.0", unit="g/24h")
    see(trial, "M6", 183, subject_id="K", sledai=None)
    trial.draw("assessments", "M6", 183, subject_id="K", instrument="SLEDAI-2K", item="rash", value="1")
    see(trial, "M6", 183, subject_id="L", upcr="0.1 g/g", sledai="0")
    see(trial, "M3", 92, subject_id="B", bilag={**LETTERS, "ophthalmic": "B"})
    trial.add("medications", subject_id="L", drug="rescue", start="2025-12-11", end="2025-12-12")
    return trial.derive(as_of=LATE)["responses"]


def test_derive_responses__worked_partial_response(rows: pd.DataFrame) -> None:
    found = states(rows, subject_id="A", visit="M6")
    assert (found["CRR"], found["PRR"], found["ORR"]) == ("non_responder", "responder", "responder")
    row = one(rows, subject_id="A", visit="M6", endpoint="PRR", definition="CORELAB_DEFAULT")
    assert row["value"].startswith("proteinuria 0.9, proteinuria/baseline 0.375, egfr 84.0")
    assert (row["study_day"], row["rule_version"]) == (183, "RESPONSE/1")
    assert row["evidence"].count("labs.csv") == 4


def test_derive_responses__worked_scores(rows: pd.DataFrame) -> None:
    """SLEDAI 14 to 10 meets; PGA 2.0 to 2.3 is no rise below 0.30."""
    found = states(rows, subject_id="A", visit="M6")
    assert (found["SRI_SLEDAI"], found["SRI_PGA"], found["SRI4"]) == (
        "responder", "non_responder", "non_responder",
    )  # fmt: skip
    assert states(rows, subject_id="B", visit="M6")["SRI4"] == "responder"
    assert one(rows, subject_id="A", visit="M6", endpoint="SRI4")["reason"] == "SRI_PGA"


def test_derive_responses__never_affected_after_any_earlier_letter_is_a_query(rows: pd.DataFrame) -> None:
    """Ophthalmic was E at baseline, B at M3 and cannot be E at M6."""
    before, after = (
        one(rows, subject_id="B", visit=visit, endpoint="SRI_BILAG_B")["reason"] for visit in ("M3", "M6")
    )
    assert "QUERY" not in before
    assert "QUERY ophthalmic E after B" in after


def test_derive_responses__grams_per_gram_govern(rows: pd.DataFrame) -> None:
    """52 mg/mmol is 0.45969 g/g: complete, though above the rounded 50 mg/mmol."""
    row = one(rows, subject_id="B", visit="M6", endpoint="CRR", definition="CORELAB_DEFAULT")
    assert (row["state"], row["value"].split(",")[0]) == ("responder", "proteinuria 0.459689")
    assert (
        one(rows, subject_id="B", visit="M6", endpoint="CRR", definition="SHARE_child")["state"]
        != "responder"
    )


def test_derive_responses__what_lacks_is_named(rows: pd.DataFrame) -> None:
    protein = one(rows, subject_id="C", visit="M6", endpoint="CRR", definition="CORELAB_DEFAULT")
    assert (protein["state"], protein["reason"]) == ("not_evaluable", "MISSING labs.csv M6 UPCR")
    letters = one(rows, subject_id="C", visit="M6", endpoint="SRI_BILAG_A")
    assert (letters["state"], letters["reason"]) == (
        "not_evaluable", "MISSING assessments.csv M6 BILAG-2004",
    )  # fmt: skip
    # The height of LD is more than three months old at M6.
    height = one(rows, subject_id="D", visit="M6", endpoint="CRR", definition="KDIGO2024")
    assert height["state"] == "non_responder"  # 2.4 g/g is too much whatever the function
    items = one(rows, subject_id="K", visit="M6", endpoint="SRI_SLEDAI")
    assert items["reason"] == "MISSING assessments.csv M6 SLEDAI-2K (ITEMS_MISSING)"


def test_derive_responses__a_visit_without_a_row_is_due_and_open(rows: pd.DataFrame) -> None:
    due = pick(rows, subject_id="A", endpoint="CRR", definition="CORELAB_DEFAULT").set_index("visit")
    assert due["state"].to_dict() == {
        "M3": "not_evaluable", "M6": "non_responder", "M12": "not_evaluable", "M24": "not_evaluable",
    }  # fmt: skip
    assert (due.loc["M3", "collected_at"], due.loc["M3", "reason"]) == (
        "", "MISSING labs.csv M3 UPCR; MISSING labs.csv M3 CREAT",
    )  # fmt: skip


def test_derive_responses__leaving_makes_every_visit_due_and_gives_a_last_one(rows: pd.DataFrame) -> None:
    gone = pick(rows, subject_id="E", endpoint="CRR", definition="CORELAB_DEFAULT").set_index("visit")
    assert gone["state"].to_dict() == {
        "M3": "responder", "M6": "not_evaluable", "M12": "not_evaluable", "M24": "not_evaluable",
        "ET": "responder",
    }  # fmt: skip
    assert set(gone.loc[["M6", "M12", "M24"], "reason"]) == {"WITHDRAWAL"}
    dead = pick(rows, subject_id="F", endpoint="SRI4").set_index("visit")
    assert set(dead["reason"]) == {"DEATH"}
    assert set(dead["state"]) == {"not_evaluable"}


def test_derive_responses__rescue_and_a_second_infusion_fail_later_visits(rows: pd.DataFrame) -> None:
    for subject in "GH":
        found = states(rows, subject_id=subject, visit="M6")
        assert (found["CRR"], found["ORR"], found["SRI4"]) == ("non_responder",) * 3
        assert found["SRI_SLEDAI"] == "responder"
        assert one(rows, subject_id=subject, visit="M6", endpoint="SRI4")["reason"] == "RESCUE"
    assert states(rows, subject_id="L", visit="M6")["CRR"] == "responder"  # the rescue came a day later


def test_derive_responses__baseline_is_the_last_before_lymphodepletion(rows: pd.DataFrame) -> None:
    found = states(rows, subject_id="I", visit="M6")
    assert found["ORR"] == "non_responder"  # 1.3 of 2.4, not of 6.0
    assert found["SRI_SLEDAI"] == "responder"  # 14 to 10, not from 2


def test_derive_responses__a_day_s_collection_wins_over_a_spot(rows: pd.DataFrame) -> None:
    row = one(rows, subject_id="J", visit="M6", endpoint="CRR", definition="CORELAB_DEFAULT")
    assert (row["state"], row["value"].split(", egfr")[0]) == (
        "non_responder", "proteinuria 1.3, proteinuria/baseline 0.65",
    )  # fmt: skip


@pytest.mark.parametrize(("day", "is_due"), [(196, False), (197, True)])
def test_derive_responses__due_when_the_window_has_closed(day: int, *, is_due: bool) -> None:
    """M6 of 10 June is 10 December, its window closes on 24 December: study day 197."""
    trial = see(Trial().subject(), "LD", -6)
    cut_off = dt.datetime.fromisoformat(at(day))
    found = trial.derive(as_of=cut_off)["responses"]
    assert ("M6" in set(found["visit"])) == is_due
    assert "M12" not in set(found["visit"])


def test_derive_responses__nobody_without_an_infusion() -> None:
    trial = see(Trial().subject(infusion_at=""), "SCR", -40)
    assert trial.derive(as_of=LATE)["responses"].empty


def test_derive_analysis__what_was_drawn_after_rescue_is_marked() -> None:
    trial = see(see(Trial().subject(), "M3", 92), "M6", 183)
    trial.add("medications", subject_id="A", drug="rescue", start="2025-10-01")
    wide = trial.derive()["analysis"].set_index("visit")
    assert wide["post_rescue"].to_dict() == {"M3": "", "M6": "yes"}


def test_derive_quality__one_test_on_two_dates_of_a_visit_is_a_conflict() -> None:
    trial = Trial().subject()
    for day in (90, 92):
        trial.draw("labs", "M3", day, test="UPCR", value="1.0", unit="g/g")
        trial.draw("labs", "UNS", day, test="UPCR", value="1.0", unit="g/g")
    found = one(trial.derive()["quality"], check="VISIT_CONFLICT")
    assert (found["object"], found["visit"]) == ("labs.csv:4", "M3")
    assert found["reason"] == "UPCR of visit M3 measured on 2025-09-08 and 2025-09-10"


def test_derive_quality__a_censored_value_on_two_dates_of_a_visit_is_a_finding_like_any() -> None:
    trial = Trial().subject()
    for day in (90, 92):
        trial.draw("cytokines", "M3", day, analyte="IL-6", value="<2.4", unit="pg/mL", lloq=2.4)
    found = one(trial.derive()["quality"], check="VISIT_CONFLICT")
    assert found["object"] == "cytokines.csv:3"
    assert found["value"] != found["value"]  # what was measured is no value of the check
