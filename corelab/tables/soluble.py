"""Soluble markers as measurements: concentrations, and their ratio to baseline, as a bound where needed."""

from typing import Final

import numpy as np
import pandas as pd

from corelab.clinical.laboratory import choose_marker_unit
from corelab.kinetics.level import Level, compute_fold
from corelab.tables.baseline import choose_baselines
from corelab.tables.clock import Clocks
from corelab.tables.values import UNKNOWN_UNIT, convert_columns, parse_values, spell_units, tabulate_measured
from corelab.vocabulary import Assay, Status

LIMITS: Final = ("lod", "lloq", "uloq")
COLUMNS: Final = [
    "subject_id", "visit", "collected_at", "assay", "name", "metric", "value", "relation", "low", "high",
    "unit", "status", "reason", *LIMITS, "source_id",
]  # fmt: skip


def derive_concentrations(cytokines: pd.DataFrame) -> pd.DataFrame:
    """Parse concentrations against their limits and bring them into canonical units.

    The same analyte on two platforms is two series: the platform is then part of the name.
    """
    measured = parse_values(
        cytokines["value"], lods=cytokines["lod"], lloqs=cytokines["lloq"], uloqs=cytokines["uloq"]
    )
    parsed = cytokines.drop(columns="value").join(tabulate_measured(measured, cytokines.index))
    unit = spell_units(cytokines["unit"])
    target = [choose_marker_unit(a, u) for a, u in zip(cytokines["analyte"], unit, strict=True)]
    rows = parsed.assign(unit=unit, target=pd.Series(target, index=cytokines.index, dtype=object))
    rows = convert_columns(rows, ("value", "low", "high", *LIMITS), substance="analyte")
    unknown = rows["unit"] == ""
    return rows.assign(
        name=_name_series(cytokines),
        assay=Assay.CYTOKINE.value,
        metric="concentration",
        status=rows["status"].mask(unknown, Status.FAILED.value),
        reason=rows["reason"].mask(unknown, UNKNOWN_UNIT),
        unit=rows["target"].mask(unknown, cytokines["unit"]),
    )[COLUMNS]


def _name_series(cytokines: pd.DataFrame) -> "pd.Series[str]":
    platforms = cytokines.groupby("analyte")["platform"].transform("nunique")
    is_shared = (platforms > 1) & (cytokines["platform"] != "")
    return cytokines["analyte"].where(~is_shared, cytokines["analyte"] + " (" + cytokines["platform"] + ")")


def make_level(low: float, high: float, status: str) -> Level:
    """Make the interval of one measured value."""
    return Level(low=low, high=high, status=Status(status))


def derive_folds(concentrations: pd.DataFrame, *, clocks: Clocks) -> pd.DataFrame:
    """Relate every later concentration to the last one before lymphodepletion."""
    settings = clocks.study.settings["cytokine"]
    baselines = choose_baselines(concentrations, visits=settings["baseline_visits"], clocks=clocks)
    key = ["subject_id", "name", "unit"]
    pairs = clocks.place(concentrations).merge(
        baselines[[*key, "low", "high", "status", "instant"]], on=key, suffixes=("", "_base")
    )
    usable = pairs["status"].isin(
        (
            Status.QUANTIFIED.value,
            Status.DETECTED_BLQ.value,
            Status.NOT_DETECTED.value,
            Status.ABOVE_ULOQ.value,
        )
    )
    pairs = pairs[usable & (pairs["instant"] > pairs["instant_base"])]
    folds = [
        compute_fold(make_level(low, high, status), make_level(base_low, base_high, base_status))
        for low, high, status, base_low, base_high, base_status in pairs[
            ["low", "high", "status", "low_base", "high_base", "status_base"]
        ].itertuples(index=False, name=None)
    ]
    value = np.array([fold.value for fold in folds], dtype=float)
    low = np.array([fold.low for fold in folds], dtype=float)
    high = np.array([fold.high for fold in folds], dtype=float)
    is_number = np.isfinite(value)
    at_most, at_least = np.isfinite(high), np.isfinite(low) & (low > 0)
    return pairs.assign(
        metric="fold_change",
        unit="1",
        value=value,
        relation=np.select([is_number, at_most, at_least], ["=", "<=", ">="], "").astype(object),
        low=np.where(is_number, value, low),
        high=np.where(is_number, value, high),
        status=[fold.status.value for fold in folds],
        reason=[fold.reason for fold in folds],
        lod=np.nan,
        lloq=np.nan,
        uloq=np.nan,
    )[COLUMNS]
