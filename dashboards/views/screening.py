"""Screening as the page needs it: the criteria in words, the matrix, what is missing, one cell's evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corelab.figures.screening_data import FAILS, OPEN, Judgement, Screening, build_screening
from corelab.study.model import Study
from corelab.tables.eligibility import read_versions
from dashboards.site import SnapshotTables

if TYPE_CHECKING:
    import pandas as pd

CD19_KIND = "cd19"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One criterion of the protocol: what it asks, how it is judged, and a remark where there is one."""

    name: str
    title: str
    kind: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """One criterion that stands against a child or is not decided."""

    subject_id: str
    criterion: str
    mark: str
    reason: str
    value: str


def read_criteria(study: Study) -> dict[str, Criterion]:
    """Return the criteria of the study's latest version by id, in the order of the protocol.

    Raises
    ------
    ConfigError
        If the rules that the study names cannot be read.
    """
    rules = read_versions(study)[-1].rules
    return {
        name: Criterion(
            name=name, title=str(rule["title"]), kind=str(rule["kind"]), note=str(rule.get("note", ""))
        )
        for name, rule in rules.items()
    }


def find_cd19_criterion(criteria: Mapping[str, Criterion]) -> str:
    """Return the id of the criterion that rests on the CD19 call, empty where none does."""
    return next((name for name, criterion in criteria.items() if criterion.kind == CD19_KIND), "")


def read_screening(tables: SnapshotTables, study: Study) -> Screening:
    """Read the matrix of a snapshot, once."""
    return tables.remember(
        "screening", lambda: build_screening(tables["eligibility"], list(read_criteria(study)))
    )


def list_lacks(screening: Screening) -> list[Lack]:
    """Return what does not let a child pass or is not decided, child by child, failures first."""
    found = [
        Lack(
            subject_id=child.subject_id,
            criterion=judgement.criterion,
            mark=judgement.mark,
            reason=judgement.reason,
            value=" ".join(part for part in (judgement.value, judgement.unit) if part),
        )
        for child in screening.candidates
        for criterion in screening.criteria
        if (judgement := screening.judgements.get((criterion, child.subject_id))) is not None
        and judgement.mark in (FAILS, OPEN)
    ]
    order = {child.subject_id: place for place, child in enumerate(screening.candidates)}
    return sorted(found, key=lambda lack: (order[lack.subject_id], lack.mark != FAILS))


def find_judgement(screening: Screening, criterion: str, subject_id: str) -> Judgement | None:
    """Return one cell, or None where the snapshot has no such cell."""
    return screening.judgements.get((criterion, subject_id))


def find_cd19(cd19_status: "pd.DataFrame", subject_id: str) -> dict[str, Any] | None:
    """Return a child's CD19 call, or None without one."""
    rows = cd19_status[cd19_status["subject_id"] == subject_id].to_dict(orient="records")
    return rows[0] if rows else None
