"""The domains of the subjects themselves: DM, EX, SV, AE with its supplement, BE."""

import datetime as dt
from typing import Final

import numpy as np
import pandas as pd

from corelab.export.cdisc.course import find_dispositions, find_ends
from corelab.export.cdisc.model import read_datasets
from corelab.export.cdisc.trial import (
    Trial,
    count_days,
    drop_unknown_times,
    finish,
    read_terms_of,
    stack,
)

BIOPSY: Final = "biopsy"
SPECIMENS: Final = {
    "flow": "BLOOD", "qpcr": "BLOOD", "cytokine": "SERUM", "laboratory": "BLOOD", BIOPSY: "TISSUE",
}  # fmt: skip
"""Specimen by assay; other assessments take none."""
_YES_NO: Final = {"yes": "Y", "no": "N"}
_DRAW: Final = ["subject_id", "visit_label", "study_day", "collected_at"]


def derive_dm(trial: Trial) -> pd.DataFrame:
    """Derive demographics: one record per subject, whether infused or not."""
    people, terms = trial.tables["subjects"], read_terms_of("subject")
    arms = terms["arms"]
    last = collect_draws(trial).groupby("subject_id")["collected_at"].max()
    code = people["arm"].map(lambda arm: arms[arm][0] if arm in arms else "")
    label = people["arm"].map(lambda arm: arms[arm][1] if arm in arms else "")
    infused = people["infusion_at"] != ""
    left = find_dispositions(trial)
    died = left[left["item"] == "death"].drop_duplicates("subject_id").set_index("subject_id")
    table = pd.DataFrame(
        {
            "STUDYID": trial.study.id,
            "DOMAIN": "DM",
            "USUBJID": people["subject_id"].map(trial.name_subject),
            "SUBJID": people["subject_id"],
            "RFSTDTC": people["infusion_at"],
            "RFENDTC": people["subject_id"].map(last),
            "RFXSTDTC": people["infusion_at"],
            "RFXENDTC": people["infusion_at"],
            "RFICDTC": people["subject_id"].map(trial.read_subjects("consent_date")),
            "RFPENDTC": people["subject_id"].map(find_ends(trial)),
            "DTHDTC": people["subject_id"].map(died["collected_at"]),
            "DTHFL": np.where(people["subject_id"].isin(died.index), "Y", ""),
            "SITEID": terms["site"],
            "AGE": people["age_years"],
            "AGEU": np.where(people["age_years"].notna(), "YEARS", ""),
            "SEX": people["sex"].where(people["sex"] != "", "U"),
            "ARMCD": code,
            "ARM": label,
            "ACTARMCD": code.where(infused, ""),
            "ACTARM": label.where(infused, ""),
            "ARMNRS": np.select([code == "", ~infused], ["NOT ASSIGNED", "ASSIGNED, NOT TREATED"], ""),
            "COUNTRY": terms["country"].get(trial.study.timezone, ""),
        },
        index=people.index,
    )
    return finish(drop_unknown_times(table), read_datasets()["DM"])


def derive_ex(trial: Trial) -> pd.DataFrame:
    """Derive exposure: the infusion of each subject who got one."""
    people = trial.tables["subjects"]
    given = people[people["infusion_at"] != ""]
    table = pd.DataFrame(
        {
            "STUDYID": trial.study.id,
            "DOMAIN": "EX",
            "USUBJID": given["subject_id"].map(trial.name_subject),
            "EXTRT": read_terms_of("subject")["treatment"],
            "EXDOSE": given["actual_dose_per_kg"],
            "EXDOSU": "cells/kg",
            "EXDOSFRM": "SUSPENSION",
            "EXDOSFRQ": "ONCE",
            "EXROUTE": "INTRAVENOUS",
            "EXSTDTC": given["infusion_at"],
            "EXENDTC": given["subject_id"].map(trial.read_subjects("infusion_end_at")),
            "EXSTDY": 1.0,
        },
        index=given.index,
    )
    return finish(drop_unknown_times(table), read_datasets()["EX"])


def collect_draws(trial: Trial) -> pd.DataFrame:
    """Collect each draw of a subject once for each kind of assay."""
    measured = trial.tables["measurements"]
    tubes = trial.tables["populations"]
    tubes = tubes[(tubes["subject_id"] != "") & (tubes["tube"] == "full")].assign(assay="flow")
    draws = pd.concat([measured[[*_DRAW, "assay"]], tubes[[*_DRAW, "assay"]]], ignore_index=True)
    return draws[draws["collected_at"] != ""].drop_duplicates(ignore_index=True)


def derive_sv(trial: Trial) -> pd.DataFrame:
    """Derive subject visits: those with anything collected."""
    draws = collect_draws(trial).sort_values("collected_at", kind="stable")
    grouped = draws.groupby(["subject_id", "visit_label"], sort=True)
    ends = grouped.agg(
        start=("collected_at", "first"), end=("collected_at", "last"), first=("study_day", "first"),
        last=("study_day", "last"),
    ).reset_index()  # fmt: skip
    scheduled = ~ends["visit_label"].str.startswith("UNS")
    table = pd.DataFrame(
        {
            "STUDYID": trial.study.id,
            "DOMAIN": "SV",
            "USUBJID": ends["subject_id"].map(trial.name_subject),
            "VISITNUM": ends["visit_label"].map(trial.number_visit),
            "VISIT": ends["visit_label"],
            "SVPRESP": np.where(scheduled, "Y", ""),
            "SVOCCUR": np.where(scheduled, "Y", ""),
            "SVSTDTC": ends["start"],
            "SVENDTC": ends["end"],
            "SVSTDY": count_days(ends["first"]),
            "SVENDY": count_days(ends["last"]),
        },
        index=ends.index,
    )
    return finish(table, read_datasets()["SV"])


def name_specimens(rows: pd.DataFrame) -> "pd.Series[str]":
    """Return the id of the specimen behind each row: subject, visit, local time and assay."""
    time = rows["collected_at"].str[:16].str.replace(":", "", regex=False)
    return rows["subject_id"] + "_" + rows["visit_label"] + "_" + time + "_" + rows["assay"].str.upper()


def derive_be(trial: Trial) -> pd.DataFrame:
    """Derive biospecimen events: the collection of each specimen."""
    draws = collect_draws(trial)
    biopsies = trial.answers[trial.answers["instrument"] == BIOPSY].assign(assay=BIOPSY)
    parts = [
        _list_collections(trial, draws[draws["assay"].isin(SPECIMENS)]),
        drop_unknown_times(_list_collections(trial, biopsies[biopsies["collected_at"] != ""])),
    ]
    # Two spellings of one moment would be one specimen, so the id decides.
    return finish(stack(parts).drop_duplicates("BEREFID"), read_datasets()["BE"])


def _list_collections(trial: Trial, draws: pd.DataFrame) -> pd.DataFrame:
    place = trial.place(draws, "BE")
    return pd.DataFrame(
        {
            **place,
            "BEREFID": name_specimens(draws),
            "BETERM": "Collecting",
            "BECAT": "COLLECTION",
            "BESPEC": draws["assay"].map(SPECIMENS),
            "BESTDTC": draws["collected_at"],
            "BESTDY": place["BEDY"],
        },
        index=draws.index,
    )


def derive_ae(trial: Trial) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Derive adverse events and their supplemental qualifiers."""
    events = trial.tables["adverse_events"]
    starts = [
        _add_days(trial.infusions.get(s, ""), d)
        for s, d in zip(events["subject_id"], events["onset_day"], strict=True)
    ]
    ongoing = events["ongoing"] == "yes"
    grade = events["worst_grade"].map(lambda value: "" if pd.isna(value) else str(int(value)))
    table = pd.DataFrame(
        {
            "STUDYID": trial.study.id,
            "DOMAIN": "AE",
            "USUBJID": events["subject_id"].map(trial.name_subject),
            "AETERM": events["term"],
            "AEDECOD": events["term"],
            "AECAT": np.where(events["aesi"] == "yes", "ADVERSE EVENT OF SPECIAL INTEREST", ""),
            "AESER": events["serious"].map(_YES_NO),
            "AEREL": events["related"].map({"yes": "RELATED", "no": "NOT RELATED"}),
            "AETOXGR": grade,
            "AESTDTC": starts,
            "AESTDY": count_days(events["onset_day"]),
            "AEENRTPT": np.where(ongoing, "ONGOING", ""),
            "AEENTPT": events["subject_id"].map(trial.cutoff).where(ongoing, ""),
            "_emergent": events["treatment_emergent"].map(_YES_NO),
            "_scale": events["scale"],
            "_days": events["duration_days"].map(lambda value: "" if pd.isna(value) else str(int(value))),
        },
        index=events.index,
    )
    dataset = read_datasets()["AE"]
    finished = finish(table, dataset)
    keys = ["USUBJID", "AETERM"]
    return finished, _supplement(finished.merge(table[[*keys, "_emergent", "_scale", "_days"]], on=keys))


def _supplement(events: pd.DataFrame) -> pd.DataFrame:
    qualifiers = (
        ("AETRTEM", "Treatment Emergent Flag", "_emergent", "Derived"),
        ("AESCALE", "Grading Scale", "_scale", "Collected"),
        ("AEDAYS", "Days with the Event", "_days", "Derived"),
    )
    parts = [
        pd.DataFrame(
            {
                "STUDYID": events["STUDYID"], "RDOMAIN": "AE", "USUBJID": events["USUBJID"], "IDVAR": "AESEQ",
                "IDVARVAL": events["AESEQ"].map(lambda value: str(int(value))), "QNAM": name, "QLABEL": label,
                "QVAL": events[column], "QORIG": origin,
            }
        )
        for name, label, column, origin in qualifiers
    ]  # fmt: skip
    stacked = pd.concat(parts, ignore_index=True)
    return finish(stacked[stacked["QVAL"].fillna("") != ""], read_datasets()["SUPPAE"])


def _add_days(infusion: str, days: float) -> str:
    if not infusion or pd.isna(days):
        return ""
    return (dt.date.fromisoformat(infusion[:10]) + dt.timedelta(days=int(days))).isoformat()
