"""Eligibility as a matrix: which criterion lets which child pass, and what is still open."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

OVERALL: Final = "OVERALL"
PASSES: Final = "passes"
BY_EXCEPTION: Final = "by_exception"
FAILS: Final = "fails"
OPEN: Final = "open"
VERDICTS: Final = ("eligible", "pending", "ineligible")
_RELATIONS: Final = (("<=", "≤"), (">=", "≥"), (" x ", " × "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One criterion of one child as the table tells it, with what it means for the verdict in ``mark``."""

    subject_id: str
    criterion: str
    mark: str
    state: str
    value: str
    unit: str
    threshold: str
    reason: str
    exception_used: str
    rule_version: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One child with its verdict and the criteria that stand against it or are open."""

    subject_id: str
    arm: str
    verdict: str
    deciding: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """All judgements, by criterion and child, in the order of the protocol and of the children."""

    criteria: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    judgements: Mapping[tuple[str, str], Judgement]

    def row(self, criterion: str) -> tuple[Judgement, ...]:
        """Return the judgements of one criterion over the children that have one."""
        found = (self.judgements.get((criterion, child.subject_id)) for child in self.candidates)
        return tuple(judgement for judgement in found if judgement is not None)


def build_screening(eligibility: pd.DataFrame, order: Sequence[str]) -> Screening:
    """Read the table of eligibility.

    Parameters
    ----------
    eligibility
        One row per child and criterion, and one ``OVERALL``.
    order
        Ids of the criteria as the protocol lists them; others come after these.
    """
    rows = eligibility.to_dict(orient="records")
    judgements = {
        (str(row["criterion"]), str(row["subject_id"])): _read_judgement(row)
        for row in rows
        if row["criterion"] != OVERALL
    }
    known = {criterion for criterion, _ in judgements}
    criteria = [*(name for name in order if name in known), *sorted(known - set(order))]
    candidates = [_read_candidate(row) for row in rows if row["criterion"] == OVERALL]
    return Screening(criteria=tuple(criteria), candidates=tuple(candidates), judgements=judgements)


def select_screening(screening: Screening, *, verdict: str = "", only_open: bool = False) -> Screening:
    """Keep the children of one verdict, and only the criteria that do not let all of them pass."""
    children = tuple(child for child in screening.candidates if verdict in ("", child.verdict))
    kept = Screening(criteria=screening.criteria, candidates=children, judgements=screening.judgements)
    if not only_open:
        return kept
    criteria = tuple(
        name for name in kept.criteria if any(found.mark in (FAILS, OPEN) for found in kept.row(name))
    )
    return Screening(criteria=criteria, candidates=children, judgements=screening.judgements)


def count_verdicts(screening: Screening) -> dict[str, int]:
    """Return how many children have each verdict."""
    found = [child.verdict for child in screening.candidates]
    return {verdict: found.count(verdict) for verdict in VERDICTS}


def is_exclusion(criterion: str) -> bool:
    """Tell whether a criterion excludes where it applies."""
    return criterion.startswith("E")


def name_mark(criterion: str, state: str, exception_used: str) -> str:
    """Return what a state means for the verdict; an exclusion passes where it does not apply.

    Examples
    --------
    >>> name_mark("I06", "met", ""), name_mark("E06a", "met", ""), name_mark("I09b3", "met", "gilbert")
    ('passes', 'fails', 'by_exception')
    """
    if state not in ("met", "not_met"):
        return OPEN
    if (state == "met") is is_exclusion(criterion):
        return FAILS
    return BY_EXCEPTION if exception_used and not is_exclusion(criterion) else PASSES


def write_threshold(text: str) -> str:
    """Write a limit as people read it.

    Examples
    --------
    >>> write_threshold("<=3 x ULN (120)"), write_threshold(">=1:80"), write_threshold("CREAT >ref_high")
    ('≤3 × ULN (120)', '≥1:80', 'CREAT >ULN')
    """
    for old, new in _RELATIONS:
        text = text.replace(old, new)
    return text.replace("ref_high", "ULN")


def share_threshold(judgements: Sequence[Judgement]) -> str:
    """Return the limit that holds for all children, without the laboratory's own number if that differs."""
    texts = {judgement.threshold for judgement in judgements}
    if len(texts) > 1:
        texts = {re.sub(r"\s*\([^)]*\)$", "", text) for text in texts}
    return write_threshold(texts.pop()) if len(texts) == 1 else ""


def _read_judgement(row: Mapping[str, Any]) -> Judgement:
    criterion, state = str(row["criterion"]), str(row["state"])
    return Judgement(
        subject_id=str(row["subject_id"]), criterion=criterion, state=state,
        mark=name_mark(criterion, state, str(row["exception_used"])), value=str(row["value"]),
        unit=str(row["unit"]), threshold=str(row["threshold"]), reason=str(row["reason"]),
        exception_used=str(row["exception_used"]), rule_version=str(row["rule_version"]),
        evidence=str(row.get("evidence", "")),
    )  # fmt: skip


def _read_candidate(row: Mapping[str, Any]) -> Candidate:
    deciding = [name.strip() for name in str(row["reason"]).split(",") if name.strip()]
    return Candidate(
        subject_id=str(row["subject_id"]), arm=str(row["arm"]), verdict=str(row["state"]),
        deciding=tuple(deciding),
    )  # fmt: skip
