"""`b_cell_recovery`: loss and return of B cells of every infused child."""

from typing import Any, Final

import pandas as pd

from corelab.kinetics.b_cells import Aplasia, find_aplasia
from corelab.tables.baseline import choose_baselines
from corelab.tables.clock import Clocks
from corelab.vocabulary import Level, Panel, Status

NAN: Final = float("nan")


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


def derive_b_cell_recovery(populations: pd.DataFrame, *, clocks: Clocks) -> pd.DataFrame:
    """Find aplasia and return in study days; unscheduled draws count."""
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
    return pd.DataFrame(rows)


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
    }


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
    return columns
