"""The domains of what was assessed: QS (scores), RS (classifications and responses), MI (biopsies)."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.export.cdisc.model import read_datasets, read_terms
from corelab.export.cdisc.people import BIOPSY, name_specimens
from corelab.export.cdisc.trial import (
    NAN,
    NOT_DONE,
    Trial,
    drop_unknown_times,
    find_free,
    finish,
    pick,
    read_terms_of,
    stack,
    write_results,
)
from corelab.tables.assessments import SLEDAI

RESPONSE_CRITERIA: Final = "PROTOCOL DEFINED RESPONSE CRITERIA"
RENAL: Final = ("CRR", "PRR", "ORR")
_ELSEWHERE: Final = ("attestation", "medication", "history", "disposition")
"""Instruments that are no findings of an instrument: they are told in IE, CM, MH and DS."""
_NUMBER: Final = r"-?\d{1,9}(?:\.\d{1,9})?"
_WORDS: Final = {"YES": "Y", "NO": "N"}


def derive_qs(trial: Trial) -> pd.DataFrame:
    """Derive the items and totals of instruments as they were given, and totals that can be added up."""
    answers, classified = trial.answers, (*read_terms_of("rs"), BIOPSY, *_ELSEWHERE)
    rows = answers[~answers["instrument"].isin(classified)]
    given = _write_answers(trial, rows, "QS").assign(QSCAT=rows["instrument"])
    table = stack([given, _derive_totals(trial, rows)])
    flag = trial.flag_last_before(table, "QS", ["QSCAT", "QSTESTCD"])
    return finish(drop_unknown_times(table.assign(QSLOBXFL=flag)), read_datasets()["QS"])


def _write_answers(trial: Trial, rows: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Write answers as they are; the standard result is in capitals, the number where it is one."""
    named = _name_items(rows, read_terms_of(prefix.lower()))
    plain = rows["value"].str.strip()
    numbers = pd.to_numeric(plain.where(plain.str.fullmatch(_NUMBER)), errors="coerce")
    return pd.DataFrame(
        {
            **trial.place(rows, prefix),
            f"{prefix}SPID": rows["source_id"],
            f"{prefix}TESTCD": pick(named, 0),
            f"{prefix}TEST": pick(named, 1),
            f"{prefix}ORRES": rows["value"],
            f"{prefix}STRESC": plain.str.upper(),
            f"{prefix}STRESN": numbers,
        },
        index=rows.index,
    )


def _name_items(rows: pd.DataFrame, known: Mapping[str, Mapping[str, list[str]]]) -> "pd.Series[Any]":
    """Return code and name of each item; one that is not listed is kept under a code of its own."""
    pairs = list(zip(rows["instrument"], rows["item"], strict=True))
    names = {(which, item): (one[0], one[1]) for which, items in known.items() for item, one in items.items()}
    for which, item in sorted(set(pairs) - set(names)):
        letters = "".join(one for one in item.upper() if one.isascii() and one.isalnum())
        code = letters if letters[:1].isalpha() else f"Q{letters}"
        text = f"{which}-{item}".encode("ascii", "replace").decode()[:40]
        names[which, item] = (find_free(code[:8], {taken for taken, _ in names.values()}), text)
    return pd.Series([names[pair] for pair in pairs], index=rows.index, dtype=object)


def _derive_totals(trial: Trial, answers: pd.DataFrame) -> pd.DataFrame:
    """Derive totals of SLEDAI-2K that were not delivered, from the items of the same draw."""
    delivered = answers[(answers["instrument"] == SLEDAI) & (answers["item"] == "total")]["source_id"]
    measured = trial.tables["measurements"]
    rows = measured[(measured["assay"] == "assessment") & (measured["name"] == SLEDAI)]
    rows = rows[~rows["source_id"].isin(delivered)] if trial.has("assessments") else rows.iloc[:0]
    code, name = read_terms_of("qs")[SLEDAI]["total"]
    found = {**trial.place(rows, "QS"), **write_results(rows, "QS")}
    table = pd.DataFrame(found, index=rows.index)
    return table.assign(
        QSSPID=rows["source_id"], QSTESTCD=code, QSTEST=name, QSCAT=SLEDAI, QSORRES="", QSDRVFL="Y"
    )


def derive_rs(trial: Trial) -> pd.DataFrame:
    """Derive clinical classifications as they were given, and responses as they were calculated."""
    rows = trial.answers[trial.answers["instrument"].isin(list(read_terms_of("rs")))]
    classified = _write_answers(trial, rows, "RS").assign(RSCAT=rows["instrument"])
    flag = trial.flag_last_before(classified, "RS", ["RSCAT", "RSTESTCD"])
    table = stack([classified.assign(RSLOBXFL=flag), _derive_responses(trial)])
    return finish(drop_unknown_times(table), read_datasets()["RS"])


def _derive_responses(trial: Trial) -> pd.DataFrame:
    responses, names = trial.tables["responses"], read_terms()["endpoints"]
    named = responses["endpoint"].map(lambda one: names.get(one, [one.replace("_", "")[:8], one]))
    is_open = responses["state"] == "not_evaluable"
    result = responses["state"].str.upper().where(~is_open, "")
    why = responses["reason"].where(responses["reason"] != "", "NOT_EVALUABLE")
    return pd.DataFrame(
        {
            **trial.place(responses, "RS"),
            "RSLNKGRP": name_groups(responses),
            "RSTESTCD": pick(named, 0),
            "RSTEST": pick(named, 1),
            "RSCAT": RESPONSE_CRITERIA,
            "RSSCAT": responses["definition"],
            "RSORRES": result,
            "RSSTRESC": result,
            "RSSTRESN": NAN,
            "RSSTAT": np.where(is_open, NOT_DONE, ""),
            "RSREASND": why.where(is_open, "").str[:200],
            "RSDRVFL": "Y",
        },
        index=responses.index,
    )


def name_groups(responses: pd.DataFrame) -> "pd.Series[str]":
    """Name the group of records on which a response rests: one for the kidney and one for the scores."""
    kind = np.where(responses["endpoint"].isin(RENAL), "-RENAL", "-SRI")
    return (responses["visit_label"] + kind).astype(object)


def derive_mi(trial: Trial) -> pd.DataFrame:
    """Derive what biopsies of the kidney showed, as it was reported."""
    rows = trial.answers[trial.answers["instrument"] == BIOPSY]
    table = _write_answers(trial, rows, "MI").assign(
        MIREFID=name_specimens(rows.assign(assay=BIOPSY)), MISPEC="TISSUE", MILOC="KIDNEY"
    )
    table = table.assign(MISTRESC=table["MISTRESC"].replace(_WORDS))
    flag = trial.flag_last_before(table, "MI", ["MITESTCD"])
    return finish(drop_unknown_times(table.assign(MILOBXFL=flag)), read_datasets()["MI"])
