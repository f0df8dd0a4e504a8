"""`b_cell_recovery`: loss and return of B cells of every infused child."""

from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.kinetics.b_cells import Aplasia, find_aplasia
from corelab.tables.baseline import choose_baselines
from corelab.tables.clock import Clocks
from corelab.tables.tubes import join_findings
from corelab.vocabulary import Level, Panel, Status

NAN: Final = float("nan")
RETURNING: Final = ("transitional", "naive_b", "switched_memory_b", "plasmablasts")
"""Subsets by which a return is told from what was never gone."""


def collect_b_cells(populations: pd.DataFrame, *, below: float) -> pd.DataFrame:
    """Return B cells per uL of every primary tube that stands.

    A tube without a B cell counts as 0 where even its upper limit lies below aplasia; else it says nothing.
    """
    rows = populations[
        populations["is_primary"].astype(bool)
        & (populations["panel"] == Panel.BCELL.value)
        & (populations["population"] == "b_cells")
        & (populations["qc"] != Level.FAIL.value)
        & populations["per_event"].notna()
    ]
    is_empty = (rows["count"] == 0) & (rows["cells_per_ul_high"] < below)
    return rows.assign(
        cells=rows["cells_per_ul"].mask(is_empty, 0.0),
        status=Status.QUANTIFIED.value,
        name="b_cells",
        unit="cells/uL",
        source_id=rows["file_id"],
    ).dropna(subset=["cells"])


def derive_b_cell_recovery(
    populations: pd.DataFrame, phenotype: pd.DataFrame, *, clocks: Clocks
) -> pd.DataFrame:
    """Find aplasia and return in study days, and what returns; unscheduled draws count."""
    settings = clocks.study.settings["b_cells"]
    samples = collect_b_cells(populations, below=float(settings["aplasia_below_per_ul"]))
    key = ["subject_id", "visit", "collected_at", "status", "name", "unit", "source_id", "cells"]
    baselines = choose_baselines(
        samples[key], visits=clocks.study.settings["cytokine"]["baseline_visits"], clocks=clocks
    ).set_index("subject_id")["cells"]
    rows = [
        _derive_row(subject_id, samples[samples["subject_id"] == subject_id], baselines, clocks)
        for subject_id, clock in clocks.subjects.items()
        if clock.infusion is not None
    ]
    if not rows:
        return pd.DataFrame(rows)
    return _add_return(pd.DataFrame(rows), phenotype)


def _add_return(rows: pd.DataFrame, phenotype: pd.DataFrame) -> pd.DataFrame:
    """Add the subsets of the sample in which B cells were first back at the lower level."""
    back = rows.reindex(columns=["subject_id", "recovery_10_high"]).dropna()
    back = back.assign(study_day=back["recovery_10_high"].astype("Int64"))
    subsets = phenotype[phenotype["compartment"] == "b_cells"].astype({"study_day": "Int64"})
    found = back.merge(subsets, on=["subject_id", "study_day"])
    found = found.drop_duplicates(["subject_id", "subset"])
    wide = {f"return_{name}": group.set_index("subject_id") for name, group in found.groupby("subset")}
    for subset in RETURNING:
        group = wide.get(f"return_{subset}")
        percent = group["percent"] if group is not None else {}
        rows[f"return_{subset}_pct"] = rows["subject_id"].map(percent).astype("float64")
    n = found.groupby("subject_id")["parent_count"].first()
    rows["return_b_events"] = rows["subject_id"].map(n).astype("Int64")
    few = found.groupby("subject_id")["status"].agg(lambda words: (words != Status.QUANTIFIED.value).all())
    is_few = rows["subject_id"].map(few).eq(other=True)
    is_absent = rows["subject_id"].isin(back["subject_id"]) & rows["return_b_events"].isna()
    words = pd.Series(np.select([is_few, is_absent], ["RETURN_FEW_EVENTS", "RETURN_NO_SUBSETS"], ""))
    return rows.assign(reason=join_findings(rows["reason"], words))


def _derive_row(
    subject_id: str, samples: pd.DataFrame, baselines: "pd.Series[float]", clocks: Clocks
) -> dict[str, Any]:
    settings = clocks.study.settings["b_cells"]
    below = float(settings["aplasia_below_per_ul"])
    is_before = samples["is_before"].astype(bool)
    before = samples[is_before].sort_values(["instant", "file_id"])["cells"]
    was_below = bool(len(before)) and bool(before.iloc[-1] < below)
    after = samples[~is_before]
    aplasia = find_aplasia(
        after["study_day"].astype(float).to_list(),
        after["cells"].to_list(),
        below=below,
        levels=[float(level) for level in settings["recovery_per_ul"]],
        confirming=int(settings["confirming_samples"]),
        was_below_before=was_below,
    )
    return {
        "subject_id": subject_id,
        "arm": clocks.subjects[subject_id].arm,
        "baseline_b_cells_per_ul": float(baselines.get(subject_id, NAN)),
        "baseline_below": ("yes" if was_below else "no") if len(before) else "",
        **_tabulate_aplasia(aplasia, settings["recovery_per_ul"]),
        "deep_depletion_day": _find_deep(after, int(settings["deep_lymphocytes"])),
        "reason": _explain(before, after, aplasia),
    }


def _find_deep(after: pd.DataFrame, fewest: int) -> float:
    """Return the first day without a B cell among enough lymphocytes."""
    deep = after[(after["count"] == 0) & (after["parent_count"] >= fewest)]
    return float(deep["study_day"].min()) if len(deep) else NAN


def _explain(before: "pd.Series[float]", after: pd.DataFrame, aplasia: Aplasia | None) -> str:
    """Say why days are empty."""
    reasons = [
        "" if len(before) else "NO_BASELINE",
        "" if len(after) else "NO_POST_INFUSION_SAMPLE",
        "NEVER_BELOW" if len(after) and aplasia is None else "",
    ]
    return ";".join(reason for reason in reasons if reason)


def _tabulate_aplasia(aplasia: Aplasia | None, levels: list[float]) -> dict[str, Any]:
    if aplasia is None:
        return {"aplasia_day": NAN}
    columns: dict[str, Any] = {
        "aplasia_day": aplasia.day, "onset_low": aplasia.onset_low, "onset_high": aplasia.onset_high,
    }  # fmt: skip
    # The columns of the contract are named by the default levels, early return and recovery.
    for name, _, recovery in zip(("10", "50"), levels, aplasia.recoveries, strict=True):
        columns[f"recovery_{name}_low"] = recovery.low
        columns[f"recovery_{name}_high"] = recovery.high
        columns[f"recovery_{name}_censored"] = "yes" if recovery.is_censored else "no"
    first = aplasia.recoveries[0]
    return {
        **columns,
        "aplasia_duration_low": first.low - aplasia.day,
        "aplasia_duration_high": first.high - aplasia.day,
        # The onset lies between two samples as well, so that the true duration may be longer.
        "aplasia_duration_longest": first.high - aplasia.onset_low,
    }
