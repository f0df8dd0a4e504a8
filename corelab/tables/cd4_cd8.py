"""CD4 to CD8 of T cells, CAR-T cells and CAR-negative T cells, as measurements of the full tubes."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.statistics.intervals import count_ratio
from corelab.vocabulary import Assay, Level, Panel, Status

RATIOS: Final = {
    "t_cells": ("cd4_t", "cd8_t"), "car_t": ("car_cd4", "car_cd8"),
    "car_neg_t": ("car_neg_cd4", "car_neg_cd8"),
}  # fmt: skip
"""Helper and cytotoxic population by the population whose ratio it is."""
NAME: Final = "{}:CD4/CD8"
_DETECTED: Final = (Status.QUANTIFIED.value, Status.DETECTED_BLQ.value)


def derive_ratios(
    populations: pd.DataFrame, decisions: pd.DataFrame, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Compute the ratio of every primary CAR-T tube that has not failed.

    Notes
    -----
    The interval is the exact one of a ratio of counts. The event rule is that of a subset: both counts
    together are the parent. CAR-T cells that are not detected have no ratio; without a CD8 cell the ratio has
    only its lower limit.
    """
    tubes = populations[
        populations["is_primary"].astype(bool)
        & (populations["panel"] == Panel.CART.value)
        & (populations["qc"] != Level.FAIL.value)
        & (populations["status"] != Status.MISSING.value)
    ]
    seen = decisions.loc[decisions["status"].isin(_DETECTED), "file_id"]
    parts = [_derive(tubes, name, pair, seen, settings) for name, pair in RATIOS.items()]
    return pd.concat(parts, ignore_index=True)


def _derive(
    tubes: pd.DataFrame,
    name: str,
    pair: tuple[str, str],
    seen: "pd.Series[str]",
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    helper, cytotoxic = (tubes[tubes["population"] == population] for population in pair)
    rows = helper.merge(cytotoxic[["file_id", "count"]], on="file_id", suffixes=("", "_cd8"))
    both = rows["count"] + rows["count_cd8"]
    is_noise = (name == "car_t") & ~rows["file_id"].isin(seen)
    conditions = [is_noise, both < settings["counted_from"], both < settings["quantified_from"],
                  rows["count_cd8"] == 0]  # fmt: skip
    failed, below, unknown = Status.FAILED.value, Status.DETECTED_BLQ.value, Status.NOT_CALCULATED.value
    status = np.select(conditions, [unknown, failed, below, unknown], Status.QUANTIFIED.value)
    reason = np.select(conditions, ["CAR_NOT_DETECTED", "FEW_EVENTS", "FEW_EVENTS", "NO_CD8"], "")
    low, high = count_ratio(rows["count"], rows["count_cd8"])
    stands = status == Status.QUANTIFIED.value
    value = (rows["count"] / rows["count_cd8"].where(rows["count_cd8"] > 0)).where(stands)
    bounded = stands | (reason == "NO_CD8")
    return rows.assign(
        assay=Assay.FLOW.value,
        name=NAME.format(name),
        metric="result",
        unit="1",
        value=value,
        relation=np.select([stands, reason == "NO_CD8"], ["=", ">="], ""),
        low=value.fillna(pd.Series(low, index=rows.index).where(bounded)),
        high=value,
        ci_low=low,
        ci_high=pd.Series(high, index=rows.index).where(np.isfinite(high)),
        status=status,
        reason=reason,
        source_id=rows["file_id"],
        lod=np.nan,
        lloq=np.nan,
    )
