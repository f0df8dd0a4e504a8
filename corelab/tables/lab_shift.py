"""`lab_shift`: the worst laboratory grade of each phase of the trial against that of baseline."""

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

COLUMNS: Final = [
    "subject_id", "arm", "test", "term", "direction", "phase", "baseline_grade", "worst_grade", "shift",
    "value", "unit", "study_day", "collected_at", "n", "n_not_graded", "rule_version",
]  # fmt: skip
Phases = Mapping[str, Sequence[int | None]]


def derive_lab_shift(lab_toxicity: pd.DataFrame, phases: Phases) -> pd.DataFrame:
    """Take the worst grade, and the nadir or peak, of every term in every phase that has a result.

    Parameters
    ----------
    lab_toxicity
        Graded results.
    phases
        First and last study day by name; None is open. A child without an infusion is in no phase.

    Notes
    -----
    The value is the lowest or highest of the phase by direction, with its own day: where the limits of a term
    differ between laboratories it need not be that of the worst grade.
    """
    timed = lab_toxicity[lab_toxicity["study_day"].notna()]
    parts = [_summarise(timed[_lies_in(timed["study_day"], span)], phase) for phase, span in phases.items()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def _lies_in(days: "pd.Series[int]", span: Sequence[int | None]) -> "pd.Series[bool]":
    first, last = span
    inside = pd.Series(data=True, index=days.index)
    if first is not None:
        inside &= days >= first
    return inside if last is None else inside & (days <= last)


def _summarise(results: pd.DataFrame, phase: str) -> pd.DataFrame:
    series = ["subject_id", "test", "direction"]
    towards = results["value"].where(results["direction"] == "low", -results["value"])
    ordered = results.assign(towards=towards).sort_values(["towards", "collected_at"], kind="stable")
    extreme = ordered.drop_duplicates(series).set_index(series)
    grades = results.groupby(series)["grade"]
    n = grades.count()
    worst = grades.max()
    summarised = extreme.assign(
        phase=phase, worst_grade=worst, shift=worst - extreme["baseline_grade"], n=n,
        n_not_graded=grades.size() - n,
    )  # fmt: skip
    return summarised.reset_index()[COLUMNS]
