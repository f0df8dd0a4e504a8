"""`populations` and `expression`: every gated population with its exact interval and concentration."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from corelab.statistics.intervals import clopper_pearson, count_ratio
from corelab.tables.tubes import Tubes, join_findings
from corelab.vocabulary import Level, Status

TUBE_COLUMNS: Final = [
    "file_id", "subject_id", "arm", "visit", "visit_label", "study_day", "collected_at", "panel", "tube",
    "qc", "qc_reason", "is_primary", "is_before", "days", "instant", "beads_per_tube", "blood_volume_ul",
    "predilution",
]  # fmt: skip
WITHOUT_CONCENTRATION: Final = ("events", "time_ok", "beads", "singlets")
DUAL_PLATFORM: Final = "DUAL_PLATFORM"


def derive_counts(counts: pd.DataFrame, tubes: Tubes, lymphocytes_per_ul: pd.DataFrame) -> pd.DataFrame:
    """Join counts with their tubes and add percentage, concentration and status.

    Parameters
    ----------
    counts
        Gated populations, one row per file and population.
    tubes
        Judged tubes; counts of a file that no tube names are left out.
    lymphocytes_per_ul
        Absolute lymphocytes of blood counts by draw: file_id, alc_per_ul.

    Returns
    -------
    populations
        The columns of the table, and those of the tube that further derivations need, and
        ``per_event``: cells per uL that one event stands for.
    """
    rows = counts.merge(tubes.table[TUBE_COLUMNS], on="file_id", how="inner", validate="many_to_one")
    rows = rows.merge(lymphocytes_per_ul, on="file_id", how="left", validate="many_to_one")
    unknown = (rows["status"] == Status.MISSING.value) & (rows["count"] == 0)
    rows["count"] = rows["count"].astype("float64").mask(unknown)
    rows["parent_count"] = rows["parent_count"].astype("float64").mask(unknown & (rows["parent_count"] == 0))
    return _derive_concentration(_derive_percentage(_derive_status(rows)))


def _derive_status(rows: pd.DataFrame) -> pd.DataFrame:
    """Say why a percentage does not stand: failed tube, empty parent, or no event at all."""
    is_quantified = rows["status"] == Status.QUANTIFIED.value
    is_failed = (rows["qc"] == Level.FAIL.value) & (rows["status"] != Status.MISSING.value)
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


def _derive_concentration(rows: pd.DataFrame) -> pd.DataFrame:
    """Add cells per uL: by the beads of the tube, else by the blood count of the draw.

    Notes
    -----
    Beads: events / beads x beads per tube / blood volume x predilution, interval of a ratio of counts.
    Blood count: lymphocytes per uL x events / lymphocyte events, interval of a fraction.
    """
    beads = _events_of(rows, "beads")
    lymphocytes = _events_of(rows, "lymphocytes")
    scale = rows["beads_per_tube"] / rows["blood_volume_ul"] * rows["predilution"].fillna(1.0)
    by_beads = (beads > 0) & (scale > 0) & np.isfinite(scale)
    is_cell = ~rows["population"].isin(WITHOUT_CONCENTRATION) & rows["count"].notna()
    in_lymphocytes = rows["population"].isin(_find_descendants(rows, "lymphocytes"))
    by_blood = ~by_beads & (lymphocytes > 0) & in_lymphocytes & rows["alc_per_ul"].notna()
    per_event = (scale / beads).where(by_beads, rows["alc_per_ul"] / lymphocytes.where(lymphocytes > 0))
    per_event = per_event.where(is_cell & (by_beads | by_blood))
    low, high = _bound_concentration(rows, beads.where(by_beads), lymphocytes.where(by_blood), scale)
    remark = pd.Series(np.where(by_blood & per_event.notna(), DUAL_PLATFORM, ""), index=rows.index)
    return rows.assign(
        per_event=per_event,
        by_blood=by_blood & per_event.notna(),
        cells_per_ul=(rows["count"] * per_event).where(rows["count"] > 0),
        cells_per_ul_low=low.where(per_event.notna()),
        cells_per_ul_high=high.where(per_event.notna()),
        reason=join_findings(rows["reason"], remark),
    )


def _bound_concentration(
    rows: pd.DataFrame,
    beads: "pd.Series[float]",
    lymphocytes: "pd.Series[float]",
    scale: "pd.Series[float]",
) -> "tuple[pd.Series[float], pd.Series[float]]":
    count = rows["count"].fillna(0)
    ratio = count_ratio(count, beads.fillna(1))
    inside = count.where(count <= lymphocytes, 0)
    share = clopper_pearson(inside, lymphocytes.fillna(0))
    alc = rows["alc_per_ul"]
    low, high = (
        (pd.Series(of_beads, index=rows.index) * scale.where(beads.notna())).fillna(
            pd.Series(of_blood, index=rows.index) * alc
        )
        for of_beads, of_blood in zip(ratio, share, strict=True)
    )
    return low, high


def _events_of(rows: pd.DataFrame, population: str) -> "pd.Series[float]":
    """Return, on every row, the usable events of one population of the same file; NaN without."""
    # The counts of a failed tube keep their numbers; too few beads are no denominator at all.
    counted = rows["status"].isin((Status.QUANTIFIED.value, Status.FAILED.value)) & (
        rows["reason"] != "BEADS"
    )
    usable = rows[(rows["population"] == population) & counted]
    return rows["file_id"].map(usable.set_index("file_id")["count"]).astype("float64")


def _find_descendants(rows: pd.DataFrame, ancestor: str) -> frozenset[str]:
    parents: Mapping[str, str] = dict(
        rows[["population", "parent"]].drop_duplicates().itertuples(index=False, name=None)
    )
    found = set()
    for population in parents:
        current = population
        while current and current != ancestor:
            current = parents.get(current, "")
        if current == ancestor:
            found.add(population)
    return frozenset(found)


POPULATION_COLUMNS: Final = [
    "subject_id", "arm", "visit", "visit_label", "study_day", "collected_at", "file_id", "panel", "tube",
    "population", "parent", "count", "parent_count", "percent_of_parent", "ci_low", "ci_high",
    "cells_per_ul", "cells_per_ul_low", "cells_per_ul_high", "status", "reason", "gate_source",
    "gate_version", "compensation", "qc",
]  # fmt: skip


def derive_populations(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the columns of the table."""
    return rows[POPULATION_COLUMNS]


def derive_expression(expression: pd.DataFrame, tubes: Tubes) -> pd.DataFrame:
    """Join intensities with the clock; those of a failed tube are left out."""
    columns = [name for name in POPULATION_COLUMNS if name in tubes.table.columns and name != "qc"]
    sound = tubes.table.loc[tubes.table["qc"] != Level.FAIL.value, columns]
    return expression.merge(sound, on="file_id", how="inner", validate="many_to_one")
