"""`bead_qc`: quality beads over the runs of an instrument, by Levey and Jennings."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from corelab.statistics.westgard import WestgardRules, judge_runs
from corelab.study.model import Study
from corelab.tables.run_quality import COLUMNS, make_finding, name_sessions, read_rules
from corelab.tables.tubes import Tubes
from corelab.vocabulary import BEAD_QC, Level

_WORDS: Final = {"median": "median", "robust_cv": "robust CV"}
_VERDICTS: Final = ["file_id", "detector", "metric", "z", "rule", "level", "limit", "n_runs"]
_MEDIAN_ERROR: Final = 1.2533
"""Standard error of a median in spreads, times the root of n; that of a robust spread is near it."""


def judge_beads(acquisitions: pd.DataFrame, bead_peaks: pd.DataFrame, *, study: Study) -> pd.DataFrame:
    """Judge median and robust CV of every detector of every tube of quality beads.

    A series is one detector of one instrument with one lot of beads under the settings of one panel; its
    median may depart to either side, its spread only upwards.

    Parameters
    ----------
    acquisitions
        As delivered (`corelab.tables.inputs.Inputs.acquisitions`).
    bead_peaks
        As gated (`corelab.cytometry.records.GateTables.bead_peaks`).
    study
        Whose settings ``flow_quality.bead_qc`` set the limits.

    Returns
    -------
    verdicts
        file_id, detector, metric, z, rule, level (empty where too few runs stand behind it), limit, n_runs.
    """
    raw = study.settings["flow_quality"]["bead_qc"]
    beads = acquisitions[acquisitions["tube"] == BEAD_QC]
    rows = list(_judge_all(beads, bead_peaks[bead_peaks["median"].notna()], raw))
    return pd.DataFrame(rows, columns=_VERDICTS)


def derive_bead_findings(acquisitions: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Say of every tube what the quality beads of its run say: what a rejected run holds is rejected.

    A tube has the beads of its session and panel, else those that its session ran for another panel.

    Parameters
    ----------
    acquisitions
        As delivered.
    verdicts
        Of `judge_beads`.

    Returns
    -------
    findings
        file_id, check, level, value, limit, reason.
    """
    tubes = acquisitions.assign(session=name_sessions(acquisitions))
    beads = tubes[tubes["tube"] == BEAD_QC]
    faults = verdicts[verdicts["level"].isin([Level.WARN.value, Level.FAIL.value])]
    rows = [
        make_finding(file_id, BEAD_QC.upper(), level=level, numbers=numbers, reason=reason)
        for bead_file, level, numbers, reason in _tell(faults)
        for file_id in _list_tubes(tubes, beads, bead_file)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def derive_bead_qc(bead_peaks: pd.DataFrame, verdicts: pd.DataFrame, tubes: Tubes) -> pd.DataFrame:
    """Lay the beads out by detector, each with its distance from the instrument's earlier runs."""
    placed = tubes.table[["file_id", "panel", "instrument", "lot", "batch", "collected_at"]]
    rows = placed.merge(bead_peaks, on="file_id", validate="one_to_many")
    for metric in _WORDS:
        part = verdicts[verdicts["metric"] == metric].set_index(["file_id", "detector"])
        part = part[["z", "rule", "level"]].add_suffix(f"_{metric}")
        rows = rows.merge(part, left_on=["file_id", "detector"], right_index=True, how="left")
    return rows.assign(robust_cv=100 * rows["robust_cv"]).rename(columns={"robust_cv": "robust_cv_percent"})


def widen_rules(rules: WestgardRules, n_series: int) -> WestgardRules:
    """Widen the limits for so many series at once, so that a run in control is rejected as rarely as by one.

    Examples
    --------
    >>> rules = WestgardRules(warn_sd=2, reject_sd=3, provisional_from=5, minimum_runs=10)
    >>> wide = widen_rules(rules, 15)
    >>> round(wide.warn_sd, 2), round(wide.reject_sd, 2)
    (2.96, 3.75)
    """
    warn, reject = (float(-ndtri(ndtr(-sd) / n_series)) for sd in (rules.warn_sd, rules.reject_sd))
    return replace(rules, warn_sd=warn, reject_sd=reject)


def _judge_all(beads: pd.DataFrame, peaks: pd.DataFrame, raw: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    measured = beads.merge(peaks, on="file_id").sort_values(["collected_at", "file_id"], kind="stable")
    for _, part in measured.groupby(["instrument", "lot", "panel"]):
        rules = widen_rules(read_rules(raw), len(_WORDS) * part["detector"].nunique())
        for _, series in part.groupby("detector"):
            for metric in _WORDS:
                yield from _judge_series(series, metric, float(raw["least_cv"][metric]), rules)


def _judge_series(
    series: pd.DataFrame, metric: str, least: float, rules: WestgardRules
) -> Iterator[dict[str, Any]]:
    """Judge one detector; its spread over the runs is never taken for less than an instrument can hold."""
    values, spread = series[metric].to_numpy(dtype=float), series["robust_cv"].to_numpy(dtype=float)
    counting = _MEDIAN_ERROR / np.sqrt(series["n"].to_numpy(dtype=float))
    relative = counting * spread if metric == "median" else counting
    verdicts = judge_runs(values, values * np.maximum(relative, least), rules)
    for row, verdict in zip(series.itertuples(index=False), verdicts, strict=True):
        broken = bool(verdict.rule) and (metric == "median" or verdict.z > 0)
        judged = Level.PASS if not broken else Level.FAIL if verdict.is_rejected else Level.WARN
        yield {
            "file_id": row.file_id, "detector": row.detector, "metric": metric, "z": verdict.z,
            "rule": verdict.rule if broken else "", "level": judged.value if np.isfinite(verdict.z) else "",
            "limit": rules.reject_sd if verdict.rule == "1-3s" else rules.warn_sd,
            "n_runs": 0 if verdict.is_firm else verdict.n_runs,
        }  # fmt: skip


def _tell(faults: pd.DataFrame) -> Iterator[tuple[str, Level, tuple[float, float], str]]:
    """Say each rule once for a tube of beads, with its detectors, the farthest first."""
    for (file_id, rule, metric, level, n_runs), found in faults.groupby(
        ["file_id", "rule", "metric", "level", "n_runs"]
    ):
        ordered = found.sort_values("z", key=lambda z: -z.abs(), kind="stable")
        reason = f"{rule}: {_WORDS[metric]} of the beads in {', '.join(ordered['detector'])}"
        reason += "; in SD of the instrument's earlier runs"
        reason += f"; provisional, {n_runs} runs behind" if n_runs else ""
        worst = ordered.iloc[0]
        yield str(file_id), Level(level), (float(worst["z"]), float(worst["limit"])), reason


def _list_tubes(tubes: pd.DataFrame, beads: pd.DataFrame, bead_file: str) -> Iterator[str]:
    """List the tubes that a tube of beads speaks for, itself among them."""
    own = beads[beads["file_id"] == bead_file].iloc[0]
    session = tubes[tubes["session"] == own["session"]]
    others = set(beads.loc[beads["session"] == own["session"], "panel"]) - {own["panel"]}
    same = session[~session["panel"].isin(others) & _same_instrument(session, own["instrument"])]
    yield from same["file_id"]


def _same_instrument(tubes: pd.DataFrame, instrument: str) -> "pd.Series[bool]":
    return tubes["instrument"].isin([instrument, ""]) | (instrument == "")
