"""SDTM of what was told of a child: scores, responses, criteria, disposition, drugs, biopsies; with gaps."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyreadstat
import pytest

from corelab.clinical.sledai import WEIGHTS
from corelab.export.cdisc import Submission, build_submission, format_submission
from corelab.export.cdisc.model import read_datasets
from tests.tables.test_responses import LATE, see
from tests.tables.trial import STUDY, Tables, Trial, at

ITEMS = ("arthritis", "proteinuria", "rash", "fever")
Record = dict[str, Any]


def answer(trial: Trial, visit: str, day: float, instrument: str, **items: str) -> None:
    for item, value in items.items():
        trial.draw("assessments", visit, day, instrument=instrument, item=item, value=value)


@pytest.fixture(scope="module")
def tables() -> Tables:
    """A: nearly all is told, with gaps. B: infused, and nothing was assessed. C: never infused."""
    trial = Trial().subject("A", consent_date="2025-04-20", infusion_end_at=at(0, hour=11))
    trial.subject("B").subject("C", infusion_at="", lymphodepletion_at="", arm="")
    see(trial, "LD", -6)
    see(trial, "M6", 183, upcr="0.1 g/g", sledai=None)
    answer(trial, "M6", 183, "SLEDAI-2K", **dict.fromkeys(ITEMS, "0"), seizure="1")
    answer(trial, "M3", 92, "SLEDAI-2K", **{**dict.fromkeys(WEIGHTS, "0"), "rash": "1", "seizure": "1"})
    answer(trial, "SCR", -40, "ECOG", score="1")
    answer(trial, "SCR", -40, "PedsQL", **{"pain today": "2.5", "1. hurts": "never"})
    answer(trial, "SCR", -70, "biopsy", **{"class": "iv+V", "active": "yes"})
    answer(trial, "SCR", -40, "attestation", gilbert="no", venous_access="no", E07="yes", E08="no")
    answer(trial, "D7", 7, "medication", ivig="yes", g_csf="no")
    answer(trial, "UNS", 400.5, "disposition", withdrawal="yes", lost_to_followup="no")
    drug = {"subject_id": "A", "unit": "mg", "route": "p.o."}
    trial.add("medications", **drug, drug="prednisone", start="2025-01-03", end="", dose=5.0, reason="lupus")
    trial.add("medications", **drug, drug="mycophenolate mofetil", start="2025-02-01", end="2025-06-09")
    derived = trial.derive(as_of=LATE)
    # A part of a date is not taken in; a table that holds one is written as it is.
    given = derived["medications"]
    is_old = given["drug"] == "mycophenolate mofetil"
    given = given.assign(
        start=given["start"].mask(is_old, "2025-02"), start_day=given["start_day"].mask(is_old)
    )
    return {**derived, "medications": given}


@pytest.fixture(scope="module")
def submission(tables: Tables) -> Submission:
    return build_submission(tables, study=STUDY, cutoff="2027-12-10")


def list_records(submission: Submission, name: str, *columns: str) -> list[tuple[Any, ...]]:
    table = submission.domains[name].replace({np.nan: None})
    return list(table[list(columns)].itertuples(index=False, name=None))


def test_submission__of_a_trial_with_gaps_obeys_every_rule(submission: Submission) -> None:
    assert submission.breaches.to_dict(orient="records") == []


def test_cm__leaves_open_what_was_not_delivered(submission: Submission) -> None:
    columns = ("CMTRT", "CMOCCUR", "CMSTDTC", "CMENDTC", "CMSTDY", "CMENDY", "CMDOSE", "CMDOSU", "CMROUTE")
    on = at(7)
    assert list_records(submission, "CM", *columns) == [
        ("G-CSF", "N", "", "", None, None, None, "", ""),
        ("Intravenous immunoglobulin", "Y", on, on, 8.0, 8.0, None, "", ""),
        ("mycophenolate mofetil", "", "2025-02", "2025-06-09", None, -1.0, None, "mg", "ORAL"),
        ("prednisone", "", "2025-01-03", "", -158.0, None, 5.0, "mg", "ORAL"),
    ]


def test_ds_and_dm__say_consent_and_how_a_child_left(submission: Submission) -> None:
    left = at(400.5)
    assert list_records(submission, "DS", "USUBJID", "DSTERM", "DSDECOD", "DSCAT", "DSSTDTC", "DSSTDY") == [
        ("NCT06904729-A", "INFORMED CONSENT OBTAINED", "INFORMED CONSENT OBTAINED", "PROTOCOL MILESTONE",
         "2025-04-20", -51.0),
        ("NCT06904729-A", "WITHDRAWAL", "OTHER", "DISPOSITION EVENT", left, 401.0),
    ]  # fmt: skip
    assert list_records(submission, "DM", "SUBJID", "RFICDTC", "RFPENDTC", "DTHFL") == [
        ("A", "2025-04-20", left, ""), ("B", "", "", ""), ("C", "", "", ""),
    ]  # fmt: skip
    assert list_records(submission, "EX", "EXENDTC")[0] == (at(0, hour=11),)


def test_se__begins_with_what_has_a_date_and_ends_with_the_next(submission: Submission) -> None:
    infused, left = at(0, hour=10), at(400.5)
    assert list_records(submission, "SE", "USUBJID", "ETCD", "SESTDTC", "SEENDTC", "SESTDY", "SEENDY") == [
        ("NCT06904729-A", "SCRN", "2025-04-20", at(-5, hour=12), -51.0, -5.0),
        ("NCT06904729-A", "LD", at(-5, hour=12), infused, -5.0, 1.0),
        ("NCT06904729-A", "CART", infused, left, 1.0, 401.0),
        ("NCT06904729-B", "LD", at(-5, hour=12), infused, -5.0, 1.0),
        ("NCT06904729-B", "CART", infused, "", 1.0, None),
    ]


def test_ie__holds_only_criteria_that_are_not_met(submission: Submission, tables: Tables) -> None:
    rows = list_records(submission, "IE", "USUBJID", "IETESTCD", "IECAT", "IEORRES", "IEDTC", "IEDY")
    assert ("NCT06904729-A", "E07", "EXCLUSION", "Y", at(-40), -40.0) in rows
    assert ("NCT06904729-A", "I07", "INCLUSION", "N", at(-40), -40.0) in rows
    judged = tables["eligibility"]
    failed = {("I", "not_met"), ("E", "met")}
    expected = {
        (f"NCT06904729-{row.subject_id}", row.criterion.upper())
        for row in judged.itertuples()
        if (row.criterion[0], row.state) in failed
    }
    assert {row[:2] for row in rows} == expected


def test_mh_and_mi__say_what_was_attested_and_seen(submission: Submission) -> None:
    assert list_records(submission, "MH", "MHTERM", "MHOCCUR", "MHDY") == [("Gilbert syndrome", "N", -40.0)]
    assert list_records(submission, "MI", "MITESTCD", "MIORRES", "MISTRESC", "MILOBXFL", "MIDY") == [
        ("ISNRPSCL", "iv+V", "IV+V", "Y", -70.0), ("LNACTIVE", "yes", "Y", "Y", -70.0),
    ]  # fmt: skip
    be = submission.domains["BE"]
    specimen = submission.domains["MI"]["MIREFID"].iloc[0]
    assert be.loc[be["BEREFID"] == specimen, "BESPEC"].tolist() == ["TISSUE"]
    assert at(-70) not in submission.domains["SV"]["SVSTDTC"].tolist()


def test_qs__keeps_answers_as_given_and_adds_up_only_what_can_be(submission: Submission) -> None:
    """The delivered total is no derived record; M3 has all items, rash 2 and seizure 8; M6 lacks 19 of 24."""
    qs = submission.domains["QS"]
    totals = qs[qs["QSTESTCD"] == "SLEDKTOT"]
    columns = ["VISIT", "QSORRES", "QSSTRESC", "QSDRVFL", "QSSTAT", "QSLOBXFL"]
    assert totals[columns].to_numpy().tolist() == [
        ["LD", "14", "14", "", "", "Y"], ["M3", "", "10", "Y", "", ""], ["M6", "", "", "Y", "NOT DONE", ""],
    ]  # fmt: skip
    assert totals["QSSTRESN"].tolist() == pytest.approx([14.0, 10.0, np.nan], nan_ok=True)
    assert totals["QSREASND"].iloc[2].startswith("NOT_CALCULATED")
    other = qs[qs["QSCAT"] == "PedsQL"]
    assert other[["QSTESTCD", "QSTEST", "QSORRES", "QSSTRESC"]].to_numpy().tolist() == [
        ["PAINTODA", "PedsQL-pain today", "2.5", "2.5"], ["Q1HURTS", "PedsQL-1. hurts", "never", "NEVER"],
    ]  # fmt: skip
    assert other["QSSTRESN"].tolist() == pytest.approx([2.5, np.nan], nan_ok=True)
    assert set(qs["USUBJID"]) == {"NCT06904729-A"}


def test_rs__has_classifications_and_calculated_responses_apart(
    submission: Submission, tables: Tables
) -> None:
    rs = submission.domains["RS"]
    given, calculated = rs[rs["RSDRVFL"] == ""], rs[rs["RSDRVFL"] == "Y"]
    assert given[["RSTESTCD", "RSCAT", "RSORRES", "RSSTRESN", "RSLOBXFL"]].to_numpy().tolist() == [
        ["ECOG101", "ECOG", "1", 1.0, "Y"]
    ]
    assert len(calculated) == len(tables["responses"]) == len(submission.domains["ADEFF"])
    never_seen = calculated[calculated["USUBJID"] == "NCT06904729-B"]
    assert set(never_seen["RSSTAT"]) == {"NOT DONE"}
    assert set(never_seen["RSDTC"]) == {""}
    assert not (never_seen["RSREASND"] == "").any()


def read_back(submission: Submission, folder: Path) -> dict[str, list[Record]]:
    """Write the transport files and read them with another program."""
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for name, data in format_submission(submission, study=STUDY, moment=moment):
        if name.endswith(".xpt"):
            (folder / name).write_bytes(data)
    return {
        name: pyreadstat.read_xport(str(folder / f"{name.lower()}.xpt"), disable_datetime_conversion=True)[
            0
        ].to_dict(orient="records")
        for name in read_datasets()
    }


def test_pointers__read_back_name_records_that_say_the_same(submission: Submission, tmp_path: Path) -> None:
    """Every value of ADEFF, and what it rests on, followed in the files alone."""
    read = read_back(submission, tmp_path)
    responses = {(row["USUBJID"], row["RSSEQ"]): row for row in read["RS"]}
    words = {"RESPONDER": 1.0, "NON_RESPONDER": 0.0}
    for row in read["ADEFF"]:
        assert (row["SRCDOM"], row["SRCVAR"]) == ("RS", "RSSTRESC")
        source = responses[row["USUBJID"], row["SRCSEQ"]]
        shown = (source["RSTESTCD"], source["RSSCAT"], source["VISIT"], source["RSREASND"])
        assert shown == (row["PARAMCD"], row["PARCAT1"], row["AVISIT"], row["AREASND"])
        assert words.get(source["RSSTRESC"]) == (None if np.isnan(row["AVAL"]) else row["AVAL"])
    group = [row for row in read["RELREC"] if row["RELID"] == "M6-RENAL"]
    laboratory = {(row["USUBJID"], row["LBSEQ"]): row for row in read["LB"]}
    used = {
        (laboratory[row["USUBJID"], float(row["IDVARVAL"])]["LBTESTCD"], row["USUBJID"])
        for row in group
        if row["RDOMAIN"] == "LB"
    }
    assert used == {(code, "NCT06904729-A") for code in ("PROTCRT", "CREAT", "GFRE")}
    named = {(row["RDOMAIN"], row["IDVAR"], row["IDVARVAL"]) for row in group}
    assert ("RS", "RSLNKGRP", "M6-RENAL") in named
    scores = {row["QSSEQ"]: row for row in read["QS"]}
    cited = [
        scores[float(row["IDVARVAL"])]
        for row in read["RELREC"]
        if row["RELID"] == "M6-SRI" and row["RDOMAIN"] == "QS"
    ]
    assert {(row["QSCAT"], row["VISIT"]) for row in cited} == {
        (which, visit) for which in ("SLEDAI-2K", "PGA", "BILAG-2004") for visit in ("LD", "M6")
    }


def test_submission__of_an_older_snapshot_has_these_data_sets_without_a_row(tables: Tables) -> None:
    """A snapshot made before the table of assessments and the dates of a child were kept."""
    kept = {name: table for name, table in tables.items() if name != "assessments"}
    dates = ["consent_date", "lymphodepletion_at", "infusion_end_at"]
    older = {**kept, "subjects": tables["subjects"].drop(columns=dates)}
    submission = build_submission(older, study=STUDY, cutoff="2027-12-10")
    assert submission.breaches.empty
    assert [name for name in ("DS", "MH", "MI", "QS") if len(submission.domains[name])] == []
    assert len(submission.domains["ADEFF"]) == len(tables["responses"])
