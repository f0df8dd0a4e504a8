"""An amended protocol is a new version: who consented before it keeps the verdicts of the earlier one."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from corelab.clinical.ruleset import build_versions, choose_version
from corelab.errors import ConfigError
from corelab.study import parse_study
from corelab.tables import derive_tables
from tests.clinical.cases import Case, Child, make_child
from tests.tables.trial import STUDY, Trial, one

AMENDMENT = """
  eligibility:
    amendments:
      - version: NCT06904729/2
        effective_from: 2025-06-01
        criteria:
          I09a4: {limit: "80"}
          I09c:
            equation: original Schwartz 1976
            factors: [{sex: M, from_age: 13, factor: "0.70"}, {factor: "0.55"}]
"""


def child(name: str, consent: str, *changes: str) -> Child:
    made = make_child(
        Case(number=1, criterion="", change="; ".join(changes or ["nothing"]), state="", remark="")
    )
    return replace(made, subject_id=name, consent=consent)  # type: ignore[type-var]


def amended_study() -> Any:
    head, settings = STUDY.source.split("\nsettings:\n")
    start = settings.index("  eligibility:")
    end = settings.index("  toxicity:")
    text = f"{head}\nsettings:\n{settings[:start]}{AMENDMENT.strip(chr(10))}\n{settings[end:]}"
    return parse_study(text, place="study.yaml")


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the verdicts before and after the amendment."""
    trial = Trial()
    poor = ("HGB 70 g/L", "height 130 2025-06-02", "CREAT 159 umol/L")
    child("EARLY", "2025-05-31", *poor).deliver(trial)
    child("LATE", "2025-06-01", *poor).deliver(trial)
    child("UNDATED", "", *poor).deliver(trial)
    return tuple(  # type: ignore[return-value]
        derive_tables(trial.inputs(), trial.gate_tables(), study=study, as_of=None)["eligibility"]
        for study in (STUDY, amended_study())
    )


def test_derive_eligibility__old_verdicts_stay(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    before, after = (table[table["subject_id"] == "EARLY"].reset_index(drop=True) for table in tables)
    pd.testing.assert_frame_equal(before, after)


def test_derive_eligibility__who_consents_later_is_judged_anew(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    _, after = tables
    early = one(after, subject_id="EARLY", criterion="I09a4")
    late = one(after, subject_id="LATE", criterion="I09a4")
    assert (early["state"], early["threshold"], early["rule_version"]) == ("met", ">=60", "NCT06904729/1")
    assert (late["state"], late["threshold"], late["rule_version"]) == ("not_met", ">=80", "NCT06904729/2")
    untouched = one(after, subject_id="LATE", criterion="I09a2")
    assert (untouched["threshold"], untouched["rule_version"]) == (">=3", "NCT06904729/2")
    # Without consent the date of screening decides.
    assert one(after, subject_id="UNDATED", criterion="I09a4")["rule_version"] == "NCT06904729/2"


def test_derive_eligibility__worked_schwartz_by_both_equations(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """130 cm and 159 umol/L: 29.850 bedside, 39.752 by the original equation."""
    _, after = tables
    bedside = one(after, subject_id="EARLY", criterion="I09c")
    original = one(after, subject_id="LATE", criterion="I09c")
    assert (bedside["state"], round(float(bedside["value"]), 3)) == ("not_met", 29.850)
    assert (original["state"], round(float(original["value"]), 3)) == ("met", 39.752)
    assert "k 0.55, height 130 cm" in original["evidence"]


@pytest.mark.parametrize(
    ("amendment", "message"),
    [
        ({"version": "2", "criteria": {}}, "effective_from"),
        ({"version": "2", "effective_from": "soon", "criteria": {}}, "soon"),
        ({"version": "2", "effective_from": dt.date(2026, 1, 1), "criteria": {"I99": {}}}, "I99"),
        (
            {"version": "NCT06904729/1", "effective_from": dt.date(2026, 1, 1), "criteria": {}},
            "share a version",
        ),
    ],
)
def test_build_versions__refuses_what_is_no_amendment(amendment: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_versions(["eligibility-1"], [amendment])


def test_choose_version__the_last_that_held() -> None:
    versions = build_versions(
        ["eligibility-1"],
        [
            {"version": "3", "effective_from": dt.date(2026, 6, 1), "criteria": {"I04": {"limit": "6"}}},
            {
                "version": "2",
                "effective_from": dt.date(2026, 1, 1),
                "criteria": {"I04": {"limit": "10"}, "I09a4": {"limit": "70"}},
            },
        ],
    )
    assert [choose_version(versions, dt.date(2026, m, 1)).version for m in (1, 5, 6)] == ["2", "2", "3"]
    assert versions[-1].rules["I04"]["limit"] == "6"
    assert versions[-1].rules["I09a4"]["limit"] == "70"  # stands on the version before it in time
    assert choose_version(versions, None).version == "NCT06904729/1"
