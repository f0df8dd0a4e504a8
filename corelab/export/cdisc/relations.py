"""RELREC: which records rest on which others, between whole data sets and of single children."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pandas as pd

from corelab.export.cdisc.answers import name_groups
from corelab.export.cdisc.model import read_datasets
from corelab.export.cdisc.trial import Trial, finish

Domains = Mapping[str, pd.DataFrame]
_BETWEEN: Final = (
    ("PCPP", "PC", "PCGRPID", "MANY"), ("PCPP", "PP", "PPGRPID", "MANY"),
    ("CPBE", "CP", "CPREFID", "MANY"), ("CPBE", "BE", "BEREFID", "ONE"),
    ("LBBE", "LB", "LBREFID", "MANY"), ("LBBE", "BE", "BEREFID", "ONE"),
    ("PCBE", "PC", "PCREFID", "MANY"), ("PCBE", "BE", "BEREFID", "ONE"),
    ("MIBE", "MI", "MIREFID", "MANY"), ("MIBE", "BE", "BEREFID", "ONE"),
)  # fmt: skip
"""Relation, data set, variable by which it is related, and how many records share a value."""
_SOURCES: Final = ("LB", "VS", "QS")


def derive_relrec(trial: Trial, domains: Domains) -> pd.DataFrame:
    """Derive relations: parameters to concentrations, results to specimens, responses to their sources."""
    sides: list[dict[str, Any]] = [
        {"RELID": relation, "RDOMAIN": domain, "IDVAR": variable, "RELTYPE": kind}
        for relation, domain, variable, kind in _BETWEEN
    ]
    rows = pd.DataFrame([*sides, *_relate_responses(trial, domains)]).assign(STUDYID=trial.study.id)
    return finish(rows, read_datasets()["RELREC"])


def _relate_responses(trial: Trial, domains: Domains) -> Iterator[dict[str, Any]]:
    """Relate each group of responses to the records of LB, VS and QS on which it rests."""
    responses = trial.tables["responses"]
    groups = responses.assign(group=name_groups(responses)).drop_duplicates(["subject_id", "group"])
    records = _collect_sources(domains)
    for subject, group, evidence in groups[["subject_id", "group", "evidence"]].itertuples(index=False):
        name = trial.name_subject(subject)
        found = [one for part in evidence.split("; ") for one in records.get((name, part), ())]
        sides = [("RS", "RSLNKGRP", group), *dict.fromkeys(found)] if found else []
        for domain, variable, value in sides:
            yield {
                "USUBJID": name, "RELID": group, "RDOMAIN": domain, "IDVAR": variable, "IDVARVAL": value,
            }  # fmt: skip


def _collect_sources(domains: Domains) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
    """Collect the records by subject and delivered row; an item of a score stands for all of its draw."""
    found: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for domain in _SOURCES:
        table = domains[domain]
        keys = zip(table["USUBJID"], table[f"{domain}SPID"], table[f"{domain}SEQ"], strict=True)
        for subject, source, number in keys:
            found.setdefault((subject, source), []).append((domain, f"{domain}SEQ", str(int(number))))
    scores = domains["QS"]
    for _, draw in scores.groupby(["USUBJID", "QSCAT", "QSDTC", "VISITNUM"], sort=False, dropna=False):
        subject = draw["USUBJID"].iloc[0]
        whole = [("QS", "QSSEQ", str(int(number))) for number in draw["QSSEQ"]]
        found |= dict.fromkeys(((subject, source) for source in draw["QSSPID"]), whole)
    return found
