"""RELREC: which records rest on which others, between whole data sets and of single children."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pandas as pd

from corelab.export.cdisc.answers import name_groups
from corelab.export.cdisc.model import read_datasets
from corelab.export.cdisc.trial import Trial, cut_midnight, finish, read_terms_of

Domains = Mapping[str, pd.DataFrame]
_BETWEEN: Final = (
    ("PCPP", "PC", "PCGRPID", "MANY"), ("PCPP", "PP", "PPGRPID", "MANY"),
    ("CPBE", "CP", "CPREFID", "MANY"), ("CPBE", "BE", "BEREFID", "ONE"),
    ("LBBE", "LB", "LBREFID", "MANY"), ("LBBE", "BE", "BEREFID", "ONE"),
    ("PCBE", "PC", "PCREFID", "MANY"), ("PCBE", "BE", "BEREFID", "ONE"),
    ("MIBE", "MI", "MIREFID", "MANY"), ("MIBE", "BE", "BEREFID", "ONE"),
)  # fmt: skip
"""Relation, data set, variable by which it is related, and how many records share a value."""
_TESTS: Final = ("CREAT", "UPCR", "PROT24H", "UACR", "EGFR")
"""Laboratory tests on which a renal response rests."""
Key = tuple[str, str, str]
"""Subject, delivered file and row, time: two deliveries may each have a file and row of one name."""
Side = tuple[str, str, str]
"""Data set, variable and value that name a record."""


def derive_relrec(trial: Trial, domains: Domains) -> pd.DataFrame:
    """Derive relations: parameters to concentrations, results to specimens, responses to their sources."""
    sides: list[dict[str, Any]] = [
        {"RELID": relation, "RDOMAIN": domain, "IDVAR": variable, "RELTYPE": kind}
        for relation, domain, variable, kind in _BETWEEN
    ]
    rows = pd.DataFrame([*sides, *_relate_responses(trial, domains)]).assign(STUDYID=trial.study.id)
    return finish(rows, read_datasets()["RELREC"])


def _relate_responses(trial: Trial, domains: Domains) -> Iterator[dict[str, Any]]:
    """Relate each group of responses to the records of LB and QS on which it rests."""
    responses = trial.tables["responses"]
    if "evidence_at" not in responses.columns:  # a snapshot of before that column
        return
    groups = responses.assign(group=name_groups(responses)).drop_duplicates(["subject_id", "group"])
    records = {**_collect_results(domains["LB"]), **_collect_scores(domains["QS"])}
    columns = ["subject_id", "group", "evidence", "evidence_at"]
    for subject, group, evidence, times in groups[columns].itertuples(index=False):
        name = trial.name_subject(subject)
        cited = [(name, row, cut_midnight(at)) for row in evidence.split("; ") for at in times.split("; ")]
        found = [side for key in cited for side in records.get(key, ())]
        sides = [("RS", "RSLNKGRP", group), *dict.fromkeys(found)] if found else []
        for domain, variable, value in sides:
            yield {
                "USUBJID": name, "RELID": group, "RDOMAIN": domain, "IDVAR": variable, "IDVARVAL": value,
            }  # fmt: skip


def _collect_results(results: pd.DataFrame) -> dict[Key, list[Side]]:
    """Collect the results of the kidney; the filtration stands beside the creatinine of its row."""
    codes = {read_terms_of("lb")[test][0] for test in _TESTS}
    found: dict[Key, list[Side]] = {}
    rows = results[results["LBTESTCD"].isin(codes)]
    for subject, source, at, number in zip(
        rows["USUBJID"], rows["LBSPID"], rows["LBDTC"], rows["LBSEQ"], strict=True
    ):
        found.setdefault((subject, source, cut_midnight(at)), []).append(("LB", "LBSEQ", str(int(number))))
    return found


def _collect_scores(scores: pd.DataFrame) -> dict[Key, list[Side]]:
    """Collect scores; an item stands for all of its instrument and draw."""
    found: dict[Key, list[Side]] = {}
    for _, draw in scores.groupby(["USUBJID", "QSCAT", "QSDTC", "VISITNUM"], sort=False, dropna=False):
        whole = [("QS", "QSSEQ", str(int(number))) for number in draw["QSSEQ"]]
        keys = zip(draw["USUBJID"], draw["QSSPID"], draw["QSDTC"], strict=True)
        found |= dict.fromkeys(keys, whole)
    return found
