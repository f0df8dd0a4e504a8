"""The tubes of a trial: on the clock, with their quality, and which of them speaks for a visit."""

from dataclasses import dataclass

import pandas as pd

from corelab.tables.clock import Clocks
from corelab.tables.rows import stack_rows
from corelab.vocabulary import Level


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tubes:
    """Acquisitions on the clock with ``qc``, ``qc_reason`` and ``is_primary``, and all findings on them."""

    table: pd.DataFrame
    findings: pd.DataFrame


def derive_tubes(acquisitions: pd.DataFrame, findings: pd.DataFrame, *, clocks: Clocks) -> Tubes:
    """Judge every tube by its worst finding and choose one full tube per draw as primary.

    Of several ``full`` tubes of one panel for one visit the latest that has not failed is primary, or the
    latest of all where each has failed. Unscheduled draws are each a visit of their own.
    """
    placed = clocks.place(acquisitions)
    judged = placed.merge(_summarise_quality(findings), on="file_id", how="left")
    judged["qc"] = judged["qc"].fillna(Level.PASS.value)
    judged["qc_reason"] = judged["qc_reason"].fillna("")
    judged["arm"] = judged["arm"].fillna("")
    judged["is_before"] = judged["is_before"].eq(other=True)
    judged["visit_label"] = judged["visit_label"].fillna(judged["visit"])
    return Tubes(table=judged.assign(is_primary=_choose_primary(judged)), findings=findings)


def add_findings(tubes: Tubes, findings: pd.DataFrame, *, clocks: Clocks) -> Tubes:
    """Return the tubes judged again with further findings."""
    if findings.empty:
        return tubes
    derived = [
        "arm",
        "visit_label",
        "study_day",
        "days",
        "is_before",
        "instant",
        "qc",
        "qc_reason",
        "is_primary",
    ]
    known = stack_rows([tubes.findings, findings], list(findings.columns))
    return derive_tubes(tubes.table.drop(columns=derived), known, clocks=clocks)


def _summarise_quality(findings: pd.DataFrame) -> pd.DataFrame:
    """Return the worst level of each file with the checks that gave it.

    Too few beads spoil the concentrations of a tube, not its percentages: they do not fail it.
    """
    spared = (findings["check"] == "BEADS") & (findings["level"] == Level.FAIL.value)
    findings = findings.assign(level=findings["level"].mask(spared, Level.WARN.value))
    failed = findings["level"] == Level.FAIL.value
    worst = findings[failed | ~findings["file_id"].isin(findings.loc[failed, "file_id"])]
    grouped = worst.groupby("file_id")
    reasons = grouped["check"].agg(lambda checks: ";".join(sorted(set(checks))))
    return pd.DataFrame({"qc": grouped["level"].first(), "qc_reason": reasons}).reset_index()


def _choose_primary(tubes: pd.DataFrame) -> "pd.Series[bool]":
    full = tubes[(tubes["tube"] == "full") & (tubes["subject_id"] != "")]
    ordered = full.assign(has_passed=full["qc"] != Level.FAIL.value).sort_values(
        ["has_passed", "instant", "file_id"], kind="stable"
    )
    chosen = ordered.groupby(["subject_id", "panel", "visit_label"])["file_id"].last()
    return tubes["file_id"].isin(chosen) & (tubes["tube"] == "full") & (tubes["subject_id"] != "")


def join_findings(*texts: "pd.Series[str]") -> "pd.Series[str]":
    """Join columns of reasons, each reason once, leaving out the empty ones."""
    rows = zip(*texts, strict=True)
    joined = [";".join(dict.fromkeys(one for text in row for one in text.split(";") if one)) for row in rows]
    return pd.Series(joined, index=texts[0].index, dtype=object)
