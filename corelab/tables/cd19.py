"""`cd19_status`: whether a child's B cells carry CD19, judged on cells that were found without it."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.statistics.intervals import clopper_pearson
from corelab.tables.clock import Clocks
from corelab.tables.tubes import join_findings
from corelab.vocabulary import GateSource, Level, Panel

PEOPLE: Final = (GateSource.MANUAL.value, GateSource.FLOWJO.value, GateSource.GATINGML.value)
SOURCES: Final = {"fmo_cd19": "fmo", "t_cells": "t_cells"}
NO_CONTROL: Final = "NO_CONTROL"
NO_TUBE: Final = "NO_SCREENING_TUBE;MISSING manifest.csv SCR bcell full tube"


def derive_cd19_status(
    populations: pd.DataFrame, expression: pd.DataFrame, *, clocks: Clocks
) -> pd.DataFrame:
    """Call CD19 for every subject from the primary screening tube of the B-cell panel.

    Notes
    -----
    Positive: at least the minimum of reference B cells and the lower limit of the exact interval at or above
    the cut-off; negative: the upper limit below it. Too few cells, a failed tube, no control to place the
    limit, or an interval across the cut-off: not evaluable. Few B cells are not CD19-negative B cells.
    The density of CD19 is the median of the reference B cells over that of the T cells of the same tube, the
    stain index their difference in two spreads of the T cells.
    """
    settings = clocks.study.settings["cd19"]
    tubes = _collect_tubes(populations)
    subjects = pd.DataFrame({"subject_id": sorted(clocks.subjects)}, dtype=object)
    rows = subjects.merge(tubes, on="subject_id", how="left")
    rows["arm"] = rows["subject_id"].map({key: clock.arm for key, clock in clocks.subjects.items()})
    return _call(rows, settings).merge(_measure_density(rows, expression), on="subject_id", how="left")


def _measure_density(rows: pd.DataFrame, expression: pd.DataFrame) -> pd.DataFrame:
    """Set the intensity of CD19 on reference B cells against that of T cells, which have none."""
    of_cd19 = expression[expression["marker"] == "CD19"]
    b_cells = of_cd19[of_cd19["population"] == "b_reference"].set_index("file_id")["median_intensity"]
    t_cells = of_cd19[of_cd19["population"] == "t_cells"].set_index("file_id")
    stands = rows["qc"] != Level.FAIL.value
    bright = rows["file_id"].map(b_cells).astype("float64").where(stands)
    dark = rows["file_id"].map(t_cells["median_intensity"]).astype("float64").where(stands)
    spread = rows["file_id"].map(t_cells["robust_sd"]).astype("float64")
    return pd.DataFrame(
        {
            "subject_id": rows["subject_id"],
            "cd19_b_reference": bright,
            "cd19_t_cells": dark,
            # Compensated medians lie around zero; a ratio to nothing says nothing.
            "density_ratio": bright / dark.where(dark > 0),
            "stain_index": (bright - dark) / (2 * spread.where(spread > 0)),
        }
    )


def _collect_tubes(populations: pd.DataFrame) -> pd.DataFrame:
    screening = populations[
        populations["is_primary"].astype(bool)
        & (populations["panel"] == Panel.BCELL.value)
        & (populations["visit"] == "SCR")
    ]
    positive = screening[screening["population"] == "cd19_positive"]
    b_cells = screening.loc[screening["population"] == "b_cells", ["file_id", "cells_per_ul"]]
    tubes = positive[["file_id", "subject_id", "qc", "qc_reason", "count", "parent_count", "control",
                      "band_low", "band_high"]]  # fmt: skip
    tubes = tubes.assign(
        decided=positive["gate_source"].where(positive["gate_source"].isin(PEOPLE), ""),
        unplaced=positive["reason"],
    )
    return tubes.merge(b_cells.rename(columns={"cells_per_ul": "b_cells_per_ul"}), on="file_id", how="left")


def _call(rows: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
    n, total = rows["count"], rows["parent_count"]
    known = n.notna() & (total > 0)
    low, high = clopper_pearson(n.where(known, 0), total.where(known, 0))
    percent = (100 * n / total.where(total > 0)).where(known)
    # A person's limit stands for itself; a fitted one needs the control that placed it.
    source = rows["control"].map(SOURCES).fillna("")
    source = source.where(source != "", rows["decided"].fillna(""))
    # The order is that of importance: the first cause that holds is the reason.
    # Where nothing could place the limit, nothing was counted either.
    uncontrolled = (rows["unplaced"] == NO_CONTROL) | (n.notna() & (source == ""))
    obstacles = [
        rows["file_id"].isna(), rows["qc"] == Level.FAIL.value, total.isna(),
        total < settings["minimum_b_reference"], uncontrolled, n.isna(),
    ]  # fmt: skip
    failed = [NO_TUBE, rows["qc_reason"].fillna(""), "GATE_MISSING", "FEW_EVENTS", NO_CONTROL, "GATE_MISSING"]
    cutoff = settings["cutoff_percent"]
    is_open = ~np.logical_or.reduce(obstacles)
    call = np.select(
        [is_open & (100 * low >= cutoff), is_open & (100 * high < cutoff)],
        ["positive", "negative"],
        "not_evaluable",
    )
    reason = np.select(obstacles, failed, "")
    spans = is_open & (call == "not_evaluable")
    by_t_cells = pd.Series(np.where(is_open & (source == "t_cells"), "NO_FMO", ""), index=rows.index)
    return pd.DataFrame(
        {
            "subject_id": rows["subject_id"],
            "arm": rows["arm"],
            "call": call,
            "percent_cd19": percent,
            "ci_low": 100 * low,
            "ci_high": 100 * high,
            "gate_low": (100 * rows["band_low"] / total.where(total > 0)).where(known),
            "gate_high": (100 * rows["band_high"] / total.where(total > 0)).where(known),
            "n_b_reference": total,
            "n_cd19_positive": n,
            "b_cells_per_ul": rows["b_cells_per_ul"],
            "threshold_source": source,
            "alert": np.select(
                [~known | (source == ""), percent < settings["alert_below_percent"]], ["", "yes"], "no"
            ),
            "reason": join_findings(
                pd.Series(np.where(spans, "CI_SPANS_CUTOFF", reason), index=rows.index, dtype=object),
                by_t_cells,
            ),
        }
    )
