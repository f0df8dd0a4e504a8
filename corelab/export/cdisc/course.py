"""The domains of a child's course: DS (disposition), SE (elements), CM (drugs), MH (history), IE."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.export.cdisc.model import read_datasets
from corelab.export.cdisc.trial import (
    Trial,
    count_days,
    drop_unknown_times,
    finish,
    pick,
    read_terms_of,
    stack,
)
from corelab.tables.eligibility import read_versions

CONSENT: Final = "INFORMED CONSENT OBTAINED"
LEAVING: Final = ("withdrawal", "death", "lost_to_followup")
_YES_NO: Final = {"yes": "Y", "no": "N"}
_NOT_MET: Final = {"I": "not_met", "E": "met"}
"""What is an exception of an inclusion criterion, and of an exclusion criterion."""


def derive_ds(trial: Trial) -> pd.DataFrame:
    """Derive informed consent, death, withdrawal, loss to follow-up and a second infusion."""
    table = stack([_list_consents(trial), _list_dispositions(trial)])
    return finish(drop_unknown_times(table), read_datasets()["DS"])


def _list_consents(trial: Trial) -> pd.DataFrame:
    dates = trial.read_subjects("consent_date")
    dates = dates[dates != ""]
    subjects = pd.Series(dates.index, index=dates.index, dtype=object)
    return pd.DataFrame(
        {
            "STUDYID": trial.study.id,
            "DOMAIN": "DS",
            "USUBJID": subjects.map(trial.name_subject),
            "DSTERM": CONSENT,
            "DSDECOD": CONSENT,
            "DSCAT": "PROTOCOL MILESTONE",
            "DSSTDTC": dates,
            "DSSTDY": trial.count_from_infusion(subjects, dates),
        },
        index=dates.index,
    )


def _list_dispositions(trial: Trial) -> pd.DataFrame:
    terms, rows = read_terms_of("ds"), find_dispositions(trial)
    rows = rows[rows["item"].isin(list(terms))]
    named = rows["item"].map(terms)
    return pd.DataFrame(
        {
            "STUDYID": trial.study.id,
            "DOMAIN": "DS",
            "USUBJID": rows["subject_id"].map(trial.name_subject),
            "DSSPID": rows["source_id"],
            "DSTERM": pick(named, 0),
            "DSDECOD": pick(named, 1),
            "DSCAT": pick(named, 2),
            "DSSCAT": pick(named, 3),
            "DSSTDTC": rows["collected_at"],
            "DSSTDY": count_days(rows["study_day"]),
        },
        index=rows.index,
    )


def find_dispositions(trial: Trial) -> pd.DataFrame:
    """Return the answers that say how and when a child left the trial, in the order of time."""
    answers = trial.answers
    said = (answers["instrument"] == "disposition") & (answers["value"].str.strip().str.lower() == "yes")
    return answers[said].sort_values("collected_at", kind="stable")


def find_ends(trial: Trial) -> "pd.Series[str]":
    """Return by subject the day on which a child left the trial."""
    left = find_dispositions(trial)
    ended = left[left["item"].isin(LEAVING)].drop_duplicates("subject_id")
    return ended.set_index("subject_id")["collected_at"]


def derive_se(trial: Trial) -> pd.DataFrame:
    """Derive the elements that began for each child; each ends where the next begins or the child leaves."""
    ends = find_ends(trial)
    starts = {name: trial.read_subjects(name) for name in read_terms_of("se")}
    rows = []
    for subject in trial.tables["subjects"]["subject_id"]:
        begun = [(name, dates[subject]) for name, dates in starts.items() if dates[subject]]
        following = [*(date for _, date in begun[1:]), ends.get(subject, "")]
        rows += [
            (subject, *read_terms_of("se")[name], start, end)
            for (name, start), end in zip(begun, following, strict=False)
        ]
    table = pd.DataFrame(rows, columns=["_subject", "ETCD", "ELEMENT", "SESTDTC", "SEENDTC"], dtype=object)
    table = table.assign(
        STUDYID=trial.study.id,
        DOMAIN="SE",
        USUBJID=table["_subject"].map(trial.name_subject),
        SESTDY=trial.count_from_infusion(table["_subject"], table["SESTDTC"]),
        SEENDY=trial.count_from_infusion(table["_subject"], table["SEENDTC"]),
    )
    return finish(drop_unknown_times(table), read_datasets()["SE"])


def derive_cm(trial: Trial) -> pd.DataFrame:
    """Derive drugs: those of the list of medications, and answers to drugs that were asked for by name."""
    table = stack([_list_medications(trial), _list_asked(trial)])
    return finish(drop_unknown_times(table), read_datasets()["CM"])


def _list_medications(trial: Trial) -> pd.DataFrame:
    rows = trial.read("medications")
    return pd.DataFrame(
        {
            "STUDYID": trial.study.id,
            "DOMAIN": "CM",
            "USUBJID": rows["subject_id"].map(trial.name_subject),
            "CMSPID": rows["source_id"],
            "CMTRT": rows["drug"],
            "CMINDC": rows["reason"],
            "CMDOSE": rows["dose"],
            "CMDOSU": rows["unit"],
            "CMROUTE": rows["route"].str.upper().replace(dict(read_terms_of("routes"))),
            "CMSTDTC": rows["start"],
            "CMENDTC": rows["end"],
            "CMSTDY": count_days(rows["start_day"]),
            "CMENDY": count_days(rows["end_day"]),
        },
        index=rows.index,
    )


def _list_asked(trial: Trial) -> pd.DataFrame:
    """List drugs of which an assessment says whether they were given on its date."""
    terms, rows = read_terms_of("cm"), _find_answered(trial, "medication")
    is_given, days = rows["value"] == "Y", count_days(rows["study_day"])
    date, day = rows["collected_at"].where(is_given, ""), days.where(is_given)
    return pd.DataFrame(
        {
            "STUDYID": trial.study.id,
            "DOMAIN": "CM",
            "USUBJID": rows["subject_id"].map(trial.name_subject),
            "CMSPID": rows["source_id"],
            "CMTRT": rows["item"].map(lambda item: terms.get(item, item)),
            "CMPRESP": "Y",
            "CMOCCUR": rows["value"],
            "CMDTC": rows["collected_at"],
            "CMSTDTC": date,
            "CMENDTC": date,
            "CMDY": days,
            "CMSTDY": day,
            "CMENDY": day,
        },
        index=rows.index,
    )


def _find_answered(trial: Trial, instrument: str) -> pd.DataFrame:
    """Return the answers of an instrument that say yes or no, as Y or N."""
    rows = trial.answers[trial.answers["instrument"] == instrument]
    said = rows["value"].str.strip().str.lower().map(_YES_NO)
    return rows.assign(value=said)[said.notna()]


def derive_mh(trial: Trial) -> pd.DataFrame:
    """Derive the conditions that the investigator attested or denied."""
    terms, rows = read_terms_of("mh"), _find_answered(trial, "attestation")
    rows = rows[rows["item"].isin(list(terms))]
    table = pd.DataFrame(
        {
            **trial.place(rows, "MH"),
            "MHSPID": rows["source_id"],
            "MHTERM": rows["item"].map(terms),
            "MHPRESP": "Y",
            "MHOCCUR": rows["value"],
        },
        index=rows.index,
    )
    return finish(drop_unknown_times(table), read_datasets()["MH"])


def derive_ie(trial: Trial) -> pd.DataFrame:
    """Derive the criteria that were judged and not met; those that are met or open are no records."""
    judged = trial.tables["eligibility"]
    kind = judged["criterion"].str[:1]
    rows = judged[(judged["state"] == kind.map(_NOT_MET)) & (judged["criterion"] != "OVERALL")]
    titles = _read_titles(trial)
    is_inclusion = rows["criterion"].str[:1] == "I"
    named = [titles.get(pair, pair[1]) for pair in zip(rows["rule_version"], rows["criterion"], strict=True)]
    result = np.where(is_inclusion, "N", "Y")
    table = pd.DataFrame(
        {
            **trial.place(rows.assign(**_date_verdicts(trial, rows)), "IE"),
            "IETESTCD": rows["criterion"].str.upper(),
            "IETEST": named,
            "IECAT": np.where(is_inclusion, "INCLUSION", "EXCLUSION"),
            "IEORRES": result,
            "IESTRESC": result,
        },
        index=rows.index,
    )
    return finish(drop_unknown_times(table), read_datasets()["IE"])


def _read_titles(trial: Trial) -> dict[tuple[str, str], str]:
    """Return the text of each criterion by version of the rules and id."""
    return {
        (version.version, name): str(rule.get("title", name))
        for version in read_versions(trial.study)
        for name, rule in version.rules.items()
    }


def _date_verdicts(trial: Trial, rows: pd.DataFrame) -> Mapping[str, Any]:
    """Return when and at which visit the newest row was collected on which each verdict rests."""
    cited = rows[["subject_id", "evidence"]].assign(
        source_id=rows["evidence"].str.split("; "), row=rows.index
    )
    columns = ["source_id", "visit_label", "study_day", "collected_at"]
    parts = [trial.tables["measurements"][columns], trial.answers[columns]]
    found = cited.explode("source_id").merge(stack(parts).drop_duplicates("source_id"), on="source_id")
    newest = found.sort_values("collected_at", kind="stable").drop_duplicates("row", keep="last")
    placed = newest.set_index("row").reindex(rows.index)
    texts = {name: placed[name].astype(object).fillna("") for name in ("visit_label", "collected_at")}
    return {**texts, "study_day": placed["study_day"]}
