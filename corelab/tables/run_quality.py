"""Quality that a tube shows only beside others: age of the sample, beads and controls of its run."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.statistics.westgard import WestgardRules, judge_runs
from corelab.study.model import Study
from corelab.tables.clock import parse_moment
from corelab.vocabulary import Level, Status, is_run_tube

COLUMNS: Final = ["file_id", "check", "level", "value", "limit", "reason"]
_RUN_CONTROL: Final = "run_control"
_COUNTED: Final = (Status.QUANTIFIED.value, Status.NOT_DETECTED.value)
_SMALLEST_RUN: Final = 3


def derive_run_findings(acquisitions: pd.DataFrame, counts: pd.DataFrame, *, study: Study) -> pd.DataFrame:
    """Judge every tube by the age of its sample and by its run.

    Parameters
    ----------
    acquisitions
        As delivered (`corelab.tables.inputs.Inputs.acquisitions`).
    counts
        Gated populations.
    study
        Whose settings ``flow_quality`` set the limits.

    Returns
    -------
    findings
        file_id, check, level, value, limit, reason.
    """
    raw = study.settings["flow_quality"]
    tubes = acquisitions.assign(run=name_sessions(acquisitions) + " " + acquisitions["panel"])
    rows = [
        *_find_old(tubes, raw["sample_age_hours"], study),
        *_find_bead_losses(tubes, counts, float(raw["bead_recovery"])),
        *_find_rejected_runs(tubes, counts, raw["run_control"]),
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def name_sessions(tubes: pd.DataFrame) -> "pd.Series[str]":
    """Name what a tube was run in: its batch, else its date and instrument; of two panels it is two runs."""
    by_batch, dates = tubes["batch"], tubes["collected_at"].str[:10]
    named = ("batch " + by_batch).where(by_batch != "", "date " + dates + " " + tubes["instrument"])
    return pd.Series(named, index=tubes.index, dtype=object)


def _find_old(
    tubes: pd.DataFrame, limits: Mapping[str, tuple[float, float]], study: Study
) -> Iterable[dict[str, Any]]:
    """Name samples that waited too long; a date without a time counts from the end of its day."""
    for row in tubes.itertuples(index=False):
        if is_run_tube(row.tube) or not row.acquired_at or not row.collected_at or row.panel not in limits:
            continue
        collected = parse_moment(row.collected_at, study)
        acquired = parse_moment(row.acquired_at, study)
        if collected is None or acquired is None:
            continue
        hours = (acquired - collected).total_seconds() / 3600
        hours -= 24 * (collected.hour == collected.minute == 0)
        warn, fail = (float(limit) for limit in limits[row.panel])
        if hours > warn:
            level, limit = (Level.FAIL, fail) if hours > fail else (Level.WARN, warn)
            reason = "hours from collection to acquisition"
            yield make_finding(row.file_id, "SAMPLE_AGE", level=level, numbers=(hours, limit), reason=reason)
        elif hours < 0 and (collected.hour or collected.minute):
            reason = "hours from collection to acquisition: acquired before it was collected"
            yield make_finding(
                row.file_id, "SAMPLE_AGE", level=Level.WARN, numbers=(hours, 0.0), reason=reason
            )


def _find_bead_losses(
    tubes: pd.DataFrame, counts: pd.DataFrame, tolerance: float
) -> Iterable[dict[str, Any]]:
    """Compare the beads of every tube with the median of its run."""
    beads = counts[(counts["population"] == "beads") & (counts["status"] != Status.MISSING.value)]
    samples = tubes[~tubes["tube"].map(is_run_tube).astype(bool)]
    rows = samples.merge(beads[["file_id", "count"]], on="file_id")
    rows = rows[rows["count"] > 0]
    for _, run in rows.groupby("run"):
        if len(run) < _SMALLEST_RUN:
            continue
        median = float(run["count"].median())
        for file_id, beads_seen in zip(run["file_id"], run["count"], strict=True):
            recovery = float(beads_seen) / median
            if abs(recovery - 1) > tolerance:
                limit = 1 + tolerance if recovery > 1 else 1 - tolerance
                reason = "beads acquired, as part of the median of the run"
                yield make_finding(
                    file_id, "BEADS", level=Level.WARN, numbers=(recovery, limit), reason=reason
                )


def _find_rejected_runs(
    tubes: pd.DataFrame, counts: pd.DataFrame, raw: Mapping[str, Any]
) -> Iterable[dict[str, Any]]:
    """Judge the controls of every lot over their runs; what a rejected run holds is rejected."""
    rules, least = read_rules(raw), float(raw["minimum_events"])
    for panel, populations in raw["populations"].items():
        for population in populations:
            known = counts[(counts["population"] == population) & counts["status"].isin(_COUNTED)]
            yield from _judge_control(tubes[tubes["panel"] == panel], known, rules, least=least)


def read_rules(raw: Mapping[str, Any]) -> WestgardRules:
    """Read the rules of a section of the study file."""
    return WestgardRules(
        warn_sd=float(raw["warn_sd"]), reject_sd=float(raw["reject_sd"]),
        provisional_from=int(raw["provisional_from"]), minimum_runs=int(raw["minimum_runs"]),
    )  # fmt: skip


def _judge_control(
    tubes: pd.DataFrame, known: pd.DataFrame, rules: WestgardRules, *, least: float
) -> Iterable[dict[str, Any]]:
    """Judge one population; one that the controls of a lot hardly hold is not looked at."""
    known = known[known["parent_count"] > 0]
    controls = tubes[tubes["tube"] == _RUN_CONTROL].merge(known, on="file_id")
    for _, series in controls.groupby(["lot", "instrument"]):
        if series["count"].median() < least:
            continue
        population = series["population"].iloc[0]
        ordered = series.sort_values(["collected_at", "file_id"])
        share = (ordered["count"] / ordered["parent_count"]).to_numpy(dtype=float)
        error = 100 * np.sqrt(share * (1 - share) / ordered["parent_count"].to_numpy(dtype=float))
        verdicts = judge_runs(100 * share, error, rules)
        for row, verdict in zip(ordered.itertuples(index=False), verdicts, strict=True):
            if not verdict.rule:
                continue
            level = Level.FAIL if verdict.is_rejected else Level.WARN
            runs = "" if verdict.is_firm else f"; provisional, {verdict.n_runs} runs behind"
            reason = f"{verdict.rule}: {population} of the run control, in SD of its earlier runs{runs}"
            limit = rules.reject_sd if verdict.rule == "1-3s" else rules.warn_sd
            for file_id in tubes.loc[tubes["run"] == row.run, "file_id"]:
                yield make_finding(
                    file_id, "RUN_CONTROL", level=level, numbers=(verdict.z, limit), reason=reason
                )


def make_finding(
    file_id: str, check: str, *, level: Level, numbers: tuple[float, float], reason: str
) -> dict[str, Any]:
    """Make a row of findings; the numbers are the value and its limit."""
    value, limit = numbers
    return {
        "file_id": file_id, "check": check, "level": level.value, "value": round(value, 6), "limit": limit,
        "reason": reason,
    }  # fmt: skip
