"""Quality beads over the runs of an instrument, by Levey and Jennings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from corelab.cytometry.bead_peaks import BEAD_QC
from corelab.statistics.westgard import Verdict, WestgardRules, judge_runs
from corelab.study.model import Study
from corelab.tables.run_quality import COLUMNS, make_finding, name_sessions, read_rules
from corelab.vocabulary import Level

_WORDS: Final = {"median": "median", "robust_cv": "robust CV"}
_MEDIAN_ERROR: Final = 1.2533
"""Standard error of a median in spreads, times the root of n; that of a robust spread is near it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """One detector of one tube of beads that broke a rule."""

    file_id: str
    detector: str
    metric: str
    verdict: Verdict
    limit: float


def derive_bead_findings(
    acquisitions: pd.DataFrame, bead_peaks: pd.DataFrame, *, study: Study
) -> pd.DataFrame:
    """Judge every tube by the quality beads of its run.

    A series is one detector of one instrument with one lot of beads under the settings of one panel; its
    median may depart to either side, its spread only upwards. What a rejected run holds is rejected. A
    tube has the beads of its session and panel, else those that its session ran for another panel.

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
    findings
        file_id, check, level, value, limit, reason.
    """
    raw = study.settings["flow_quality"]["bead_qc"]
    tubes = acquisitions.assign(session=name_sessions(acquisitions))
    beads = tubes[tubes["tube"] == BEAD_QC]
    faults = list(_find_faults(beads, bead_peaks[bead_peaks["median"].notna()], raw))
    rows = [
        make_finding(file_id, "BEAD_QC", level=level, numbers=numbers, reason=reason)
        for bead_file, level, numbers, reason in _tell(faults)
        for file_id in _list_tubes(tubes, beads, bead_file)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


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


def _find_faults(beads: pd.DataFrame, peaks: pd.DataFrame, raw: Mapping[str, Any]) -> Iterator[_Fault]:
    measured = beads.merge(peaks, on="file_id").sort_values(["collected_at", "file_id"], kind="stable")
    for _, part in measured.groupby(["instrument", "lot", "panel"]):
        rules = widen_rules(read_rules(raw), len(_WORDS) * part["detector"].nunique())
        for detector, series in part.groupby("detector"):
            for metric in _WORDS:
                least = float(raw["least_cv"][metric])
                for file_id, verdict in _judge_series(series, metric, least, rules):
                    limit = rules.reject_sd if verdict.rule == "1-3s" else rules.warn_sd
                    yield _Fault(
                        file_id=file_id, detector=str(detector), metric=metric, verdict=verdict, limit=limit
                    )  # fmt: skip


def _judge_series(
    series: pd.DataFrame, metric: str, least: float, rules: WestgardRules
) -> Iterator[tuple[str, Verdict]]:
    """Judge one detector; its spread over the runs is never taken for less than an instrument can hold."""
    values, spread = series[metric].to_numpy(dtype=float), series["robust_cv"].to_numpy(dtype=float)
    counting = _MEDIAN_ERROR / np.sqrt(series["n"].to_numpy(dtype=float))
    relative = counting * spread if metric == "median" else counting
    for file_id, verdict in zip(
        series["file_id"], judge_runs(values, values * np.maximum(relative, least), rules), strict=True
    ):
        if verdict.rule and (metric == "median" or verdict.z > 0):
            yield str(file_id), verdict


def _tell(faults: Iterable[_Fault]) -> Iterator[tuple[str, Level, tuple[float, float], str]]:
    """Say each rule once for a tube of beads, with its detectors, the farthest first."""
    groups: dict[tuple[str, str, str, bool], list[_Fault]] = {}
    for fault in faults:
        key = (fault.file_id, fault.verdict.rule, fault.metric, fault.verdict.is_firm)
        groups.setdefault(key, []).append(fault)
    for (file_id, rule, metric, is_firm), found in sorted(groups.items()):
        found.sort(key=lambda fault: -abs(fault.verdict.z))
        worst = found[0].verdict
        runs = "" if is_firm else f"; provisional, {worst.n_runs} runs behind"
        names = ", ".join(fault.detector for fault in found)
        reason = f"{rule}: {_WORDS[metric]} of the beads in {names}"
        reason += f"; in SD of the instrument's earlier runs{runs}"
        level = Level.FAIL if worst.is_rejected else Level.WARN
        yield file_id, level, (worst.z, found[0].limit), reason


def _list_tubes(tubes: pd.DataFrame, beads: pd.DataFrame, bead_file: str) -> Iterator[str]:
    """List the tubes that a tube of beads speaks for, itself among them."""
    own = beads[beads["file_id"] == bead_file].iloc[0]
    session = tubes[tubes["session"] == own["session"]]
    others = set(beads.loc[beads["session"] == own["session"], "panel"]) - {own["panel"]}
    same = session[~session["panel"].isin(others) & _same_instrument(session, own["instrument"])]
    yield from same["file_id"]


def _same_instrument(tubes: pd.DataFrame, instrument: str) -> "pd.Series[bool]":
    return tubes["instrument"].isin([instrument, ""]) | (instrument == "")
