"""`summary` and `associations`: worked numbers through the tables, and what counts in which denominator."""

import numpy as np
import pandas as pd
import pytest

from corelab.statistics.intervals import clopper_pearson
from tests.tables.test_responses import leave, see
from tests.tables.trial import INFUSION, Tables, Trial, one, pick

LATE = INFUSION.replace(year=2025, month=12, day=31)  # M6 has closed, M12 has not
RESPONDING = {"A": 48_200, "B": 96_000, "C": 27_400, "D": 61_000, "E": 55_300}
OTHERS = {"F": 3_100, "G": 12_500, "H": 9_800}


def course(trial: Trial, subject_id: str, peak: float, *, lost: int | None = None) -> Trial:
    """Add copies: below the limit before, the peak on D10, falling, and lost from some day on."""
    days = [(0, "D0"), (3, "D3"), (7, "D7"), (10, "D10"), (14, "D14"), (21, "D21"), (28, "D28"), (61, "M2"),
            (92, "M3"), (122, "M4"), (153, "M5"), (183, "M6")]  # fmt: skip
    for day, visit in days:
        copies = f"{peak * np.exp(-abs(day - 10) / 60):.0f}"
        if day == 0 or (lost is not None and day >= lost) or peak < 50:
            copies = "<50"
        trial.draw("qpcr", visit, day, subject_id=subject_id, copies_per_ug=copies, lod=50)
    return trial


@pytest.fixture(scope="module")
def tables() -> Tables:
    trial = Trial()
    for number, (name, peak) in enumerate({**RESPONDING, **OTHERS}.items()):
        trial.subject(name, arm="low" if number % 2 else "high")
        see(trial, "LD", -6, subject_id=name)
        upcr = "0.3 g/g" if name in RESPONDING else "2.2 g/g"
        see(trial, "M3", 92, subject_id=name, upcr=upcr, sledai="4")
        course(trial, name, peak, lost={"F": 61, "G": 122}.get(name))
    trial.subject("J", arm="low")  # infused, nothing seen since
    see(trial, "LD", -6, subject_id="J")
    leave(trial, "withdrawal", 20, "J")
    trial.subject("K", arm="low", infusion_at="")  # never infused
    see(trial, "SCR", -40, subject_id="K")
    for subject, term, grade, related, start in (
        ("A", "Cytokine release syndrome", 3, "yes", "2025-06-13"), ("B", "CRS", 1, "yes", "2025-06-13"),
        ("C", "nausea", 2, "no", "2025-06-13"), ("D", "Nausea", 3, "no", "2025-06-13"),
        ("D", "Nausea", 1, "yes", "2025-06-20"), ("E", "Neutrophil count decreased", 3, "yes", "2025-07-01"),
        ("K", "Nausea", 3, "yes", "2025-06-13"),
    ):  # fmt: skip
        scale = "ASTCT 2019" if term.startswith("C") else "CTCAE v5.0"
        end = "2025-07-20" if term.startswith("Neu") else "2025-06-22"
        trial.add("adverse_events", subject_id=subject, term=term, grade=grade, related=related, start=start,
                  end=end, scale=scale, serious="no")  # fmt: skip
    return trial.derive(as_of=LATE)


def count(
    tables: Tables, endpoint: str, *, arm: str = "all", method: str = "observed", visit: str = ""
) -> tuple[int, int]:
    row = one(tables["summary"], arm=arm, endpoint=endpoint, method=method, visit=visit)
    low, high = clopper_pearson(row["n"], row["n_total"])
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((100 * float(low), 100 * float(high)))
    assert row["estimate"] == pytest.approx(100 * row["n"] / row["n_total"])
    return row["n"], row["n_total"]


def test_derive_summary__adverse_events_of_all_infused(tables: Tables) -> None:
    assert count(tables, "AE_ANY") == (5, 9)
    assert count(tables, "AE_ANY_RELATED") == (4, 9)
    assert count(tables, "AE_G3") == (3, 9)
    assert count(tables, "AE_G3_RELATED") == (2, 9)  # the related episode of D is of grade 1
    assert count(tables, "CRS") == (2, 9)
    assert count(tables, "ICANS") == (0, 9)
    assert count(tables, "AESI") == (3, 9)  # two CRS, and a neutropenia that lasts beyond D28
    assert count(tables, "CRS", arm="high") == (1, 4)
    assert count(tables, "AE:Nausea") == (2, 9)
    assert count(tables, "AE_G3:Nausea") == (1, 9)


def test_derive_summary__a_scale_stays_with_its_term(tables: Tables) -> None:
    events = tables["adverse_events"].set_index(["subject_id", "term"])
    assert events.loc[("B", "CRS"), "scale"] == "ASTCT 2019"
    assert events.loc[("D", "Nausea"), ["worst_grade", "related", "worst_related_grade"]].tolist() == [
        3,
        "yes",
        1,
    ]


def test_derive_summary__responses_imputed_and_as_observed(tables: Tables) -> None:
    assert count(tables, "CRR", method="nri", visit="M3") == (5, 9)
    assert count(tables, "CRR", method="evaluable_only", visit="M3") == (5, 8)
    assert count(tables, "SRI4", method="nri", visit="M3") == (8, 9)
    assert count(tables, "CRR", method="nri:KDIGO2024", visit="M3") == (5, 9)
    assert count(tables, "CRR", method="nri", visit="M6") == (0, 9)
    nobody = one(tables["summary"], endpoint="CRR", visit="M12", method="evaluable_only", arm="high")
    assert (nobody["n_total"], nobody["reason"]) == (0, "NO_SUBJECT")
    # Only the child that left has its twelfth month due.
    assert count(tables, "CRR", method="nri", visit="M12") == (0, 1)


def test_derive_summary__persistence_of_those_with_a_valid_assay(tables: Tables) -> None:
    assert count(tables, "PERSIST_PCT", method="evaluable_only", visit="M2") == (7, 8)
    assert count(tables, "PERSIST_PCT", method="evaluable_only", visit="M6") == (6, 8)
    assert count(tables, "PERSIST_PCT", method="detected", visit="M6") == (6, 8)
    # The loss of F lies between D28 and D61, that of G between M3 and M4.
    for visit, share in (("M2", 100 * 7 / 8), ("M3", 100 * 7 / 8), ("M6", 75)):
        for method in ("km", "turnbull"):
            row = one(tables["summary"], endpoint="PERSIST_PCT", arm="all", visit=visit, method=method)
            assert row["estimate"] == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    ("fifth", "n", "mean", "cv"), [("27400", 5, 21_790.55, 217.83), ("<50", 4, 20_577.73, None)]
)
def test_derive_summary__worked_geometric_mean(fifth: str, n: int, mean: float, cv: float | None) -> None:
    trial = Trial()
    for name, copies in zip("ABCDE", ("48200", "12500", "96000", "3100", fifth), strict=True):
        trial.subject(name).draw("qpcr", "D7", 7, subject_id=name, copies_per_ug=copies)
    rows = pick(trial.derive()["summary"], endpoint="CMAX:CAR_VCN_UG", arm="all").set_index("method")
    found = rows.loc["geometric_mean"]
    assert (found["n"], found["n_total"], found["unit"]) == (n, 5, "copies/ug")
    assert round(found["estimate"], 2) == mean
    if cv is not None:
        assert round(rows.loc["geometric_cv", "estimate"], 2) == cv


def test_derive_summary__two_values_are_listed(tables: Tables) -> None:
    trial = Trial()
    for name, copies in (("A", "900"), ("B", "700")):
        trial.subject(name).draw("qpcr", "D7", 7, subject_id=name, copies_per_ug=copies)
    row = one(trial.derive()["summary"], endpoint="CMAX:CAR_VCN_UG", arm="all")
    assert (row["method"], row["n"], row["reason"]) == ("listed", 2, "FEW_VALUES: 700, 900")
    assert np.isnan(row["estimate"])
    times = pick(tables["summary"], endpoint="TMAX:CAR_VCN_UG", arm="all")
    assert set(times["method"]) == {"median", "q1", "q3", "minimum", "maximum"}


def test_derive_summary__an_arm_without_a_child_says_so() -> None:
    summary = Trial().subject("A", arm="low").derive()["summary"]
    row = one(summary, arm="high", endpoint="AE_ANY")
    assert (row["n_total"], row["reason"]) == (0, "NO_SUBJECT")
    assert np.isnan(row["estimate"])


def association(tables: Tables, **conditions: object) -> pd.Series:
    return one(tables["associations"], analyte="CAR_VCN_UG", parameter="CMAX", **conditions)


def test_derive_associations__worked_permutation_of_peaks(tables: Tables) -> None:
    """One of 56 splits is as extreme: p = 1/56; Mann-Whitney 2/56."""
    row = association(tables, outcome="CRR", method="permutation")
    assert (row["n_first"], row["n_second"], row["visit"]) == (5, 3, "M3")
    assert round(row["estimate"], 3) == 7.352
    assert round(row["p_value"], 6) == 0.017857
    assert row["ci_low"] < 7.352 < row["ci_high"]
    assert (row["ci_method"], row["reason"]) == ("percentile", "")
    assert round(association(tables, outcome="CRR", method="mann_whitney")["p_value"], 6) == 0.035714


def test_derive_associations__nothing_to_compare_is_no_absence_of_a_difference(tables: Tables) -> None:
    assert association(tables, outcome="SRI4", method="permutation")["reason"] == "NO_CONTRAST"
    few = Trial()
    for name, copies in zip("ABCDEF", (1, 2, 3, 4, 5, 6), strict=True):
        few.subject(name, arm="low" if name in "ABC" else "high")
        few.draw("qpcr", "D7", 7, subject_id=name, copies_per_ug=str(1000 * copies))
    row = association(few.derive(), outcome="DOSE_HIGH", method="permutation")
    assert (round(row["p_value"], 6), row["reason"]) == (0.1, "NOT_INFORMATIVE")


def test_derive_associations__grades_by_concordance_and_trend(tables: Tables) -> None:
    kendall = association(tables, outcome="CRS_GRADE", method="kendall_tau_b")
    trend = association(tables, outcome="CRS_GRADE", method="jonckheere")
    assert kendall["p_value"] == trend["p_value"]
    change = association(tables, outcome="CHANGE_UPCR", method="spearman")
    assert change["estimate"] < 0
    assert change["ci_low"] <= change["estimate"] <= change["ci_high"]


def test_derive_associations__p_values_of_a_family_are_adjusted(tables: Tables) -> None:
    rows = pick(tables["associations"], analyte="CAR_VCN_UG", method="permutation").dropna(subset="p_value")
    assert (rows["p_holm"] >= rows["p_value"]).all()
    smallest = rows.loc[rows["p_value"].idxmin()]
    assert smallest["p_holm"] == pytest.approx(min(1.0, smallest["p_value"] * len(rows)))


def test_derive_associations__a_peak_after_the_landmark_does_not_count() -> None:
    """No child has to live longer to be exposed: what was complete later than the landmark is out."""
    trial = Trial()
    for name, day in (("A", 10), ("B", 10), ("C", 80)):
        trial.subject(name)
        see(trial, "LD", -6, subject_id=name)
        see(trial, "M3", 78, subject_id=name, upcr="0.3 g/g" if name != "B" else "2.2 g/g")
        trial.draw("qpcr", "UNS", day, subject_id=name, copies_per_ug="9000")
    row = association(trial.derive(as_of=LATE), outcome="CRR", method="permutation")
    assert (row["n"], row["n_first"], row["n_second"]) == (2, 1, 1)
