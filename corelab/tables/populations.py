"""`populations`, `expression`, `cuts`: every gated population with its exact interval, and its limits."""

from typing import Final

import numpy as np
import pandas as pd

from corelab.statistics.intervals import clopper_pearson
from corelab.tables.concentration import derive_concentration
from corelab.tables.tubes import Tubes
from corelab.vocabulary import Level, Status

TUBE_COLUMNS: Final = [
    "file_id", "subject_id", "arm", "visit", "visit_label", "study_day", "collected_at", "panel", "tube",
    "qc", "qc_reason", "is_primary", "is_before", "days", "instant", "beads_per_tube", "blood_volume_ul",
    "predilution", "acquired_volume_ul",
]  # fmt: skip

_UNCOUNTED: Final = (Status.MISSING.value, Status.NOT_CALCULATED.value)


def derive_counts(
    counts: pd.DataFrame, tubes: Tubes, lymphocytes_per_ul: pd.DataFrame, *, tolerance_percent: float
) -> pd.DataFrame:
    """Join counts with their tubes and add percentage, concentration and status.

    Parameters
    ----------
    counts
        Gated populations, one row per file and population.
    tubes
        Judged tubes; counts of a file that no tube names are left out.
    lymphocytes_per_ul
        Absolute lymphocytes of blood counts by draw: file_id, alc_per_ul.
    tolerance_percent
        How far two routes to a concentration may lie apart.

    Returns
    -------
    populations
        The columns of the table, and those of the tube that further derivations need, and
        ``per_event``: cells per uL that one event stands for.
    """
    rows = counts.merge(tubes.table[TUBE_COLUMNS], on="file_id", how="inner", validate="many_to_one")
    rows = rows.merge(lymphocytes_per_ul, on="file_id", how="left", validate="many_to_one")
    unknown = rows["status"].isin(_UNCOUNTED) & (rows["count"] == 0)
    rows["count"] = rows["count"].astype("float64").mask(unknown)
    rows["parent_count"] = rows["parent_count"].astype("float64").mask(unknown & (rows["parent_count"] == 0))
    judged = _derive_percentage(_derive_status(rows))
    return derive_concentration(judged, tolerance_percent=tolerance_percent)


def _derive_status(rows: pd.DataFrame) -> pd.DataFrame:
    """Say why a percentage does not stand: failed tube, empty parent, or no event at all."""
    is_quantified = rows["status"] == Status.QUANTIFIED.value
    is_failed = (rows["qc"] == Level.FAIL.value) & ~rows["status"].isin(_UNCOUNTED)
    is_empty = is_quantified & (rows["parent_count"] == 0) & (rows["parent"] != "")
    is_zero = is_quantified & (rows["count"] == 0)
    conditions = [is_failed, is_empty, is_zero]
    status = np.select(
        conditions,
        [Status.FAILED.value, Status.NOT_CALCULATED.value, Status.NOT_DETECTED.value],
        rows["status"].to_numpy(dtype=object),
    )
    given = rows["reason"].to_numpy(dtype=object)
    reasons = np.select(conditions, [rows["qc_reason"], "EMPTY_PARENT", "NO_EVENTS"], given)
    return rows.assign(status=status, reason=np.where(reasons == "", given, reasons))


def _derive_percentage(rows: pd.DataFrame) -> pd.DataFrame:
    low, high = clopper_pearson(rows["count"].fillna(0), rows["parent_count"].fillna(0))
    known = rows["count"].notna() & (rows["parent"] != "")
    percent = 100 * rows["count"] / rows["parent_count"].where(rows["parent_count"] > 0)
    measured = known & (rows["count"] > 0)
    return rows.assign(
        percent_of_parent=percent.where(measured),
        ci_low=(100 * pd.Series(low, index=rows.index)).where(known),
        ci_high=(100 * pd.Series(high, index=rows.index)).where(known),
    )


POPULATION_COLUMNS: Final = [
    "subject_id", "arm", "visit", "visit_label", "study_day", "collected_at", "file_id", "panel", "tube",
    "population", "parent", "count", "parent_count", "percent_of_parent", "ci_low", "ci_high",
    "cells_per_ul", "cells_per_ul_low", "cells_per_ul_high", "cells_per_ul_cv", "route", "status", "reason",
    "gate_source", "gate_version", "compensation", "qc",
]  # fmt: skip


def derive_populations(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the columns of the table."""
    return rows[POPULATION_COLUMNS]


def derive_expression(expression: pd.DataFrame, tubes: Tubes) -> pd.DataFrame:
    """Join intensities with the clock; those of a failed tube are left out."""
    columns = [name for name in POPULATION_COLUMNS if name in tubes.table.columns and name != "qc"]
    sound = tubes.table.loc[tubes.table["qc"] != Level.FAIL.value, columns]
    return expression.merge(sound, on="file_id", how="inner", validate="many_to_one")


CUT_COLUMNS: Final = (
    "gate", "marker", "cut", "score", "gate_source", "recipe", "control", "n_reference", "reason",
)  # fmt: skip


def derive_cuts(cuts: pd.DataFrame, tubes: Tubes) -> pd.DataFrame:
    """Join the limits of the gates with the clock, so that a page can draw what was counted with."""
    columns = [name for name in POPULATION_COLUMNS if name in tubes.table.columns and name != "qc"]
    rows = cuts[["file_id", *CUT_COLUMNS]]
    return rows.merge(tubes.table[columns], on="file_id", how="inner", validate="many_to_one")
