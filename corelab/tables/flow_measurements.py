"""Flow results as measurements: percentages, concentrations and intensities of the full tubes."""

from typing import Final

import numpy as np
import pandas as pd

from corelab.tables.rows import stack_rows
from corelab.tables.tubes import Tubes
from corelab.vocabulary import Analyte, Assay, Level, Status

CONCENTRATIONS: Final = (
    "lymphocytes", "t_cells", "cd4_t", "cd8_t", "car_t", "car_cd4", "car_cd8", "b_cells", "b_reference",
)  # fmt: skip
INTENSITIES: Final = (
    ("car_t", "CAR"), ("car_t", "PD-1"), ("car_t", "TIM-3"), ("car_t", "LAG-3"), ("car_t", "HLA-DR"),
    ("car_t", "CD25"), ("b_cells", "CD19"), ("b_cells", "CD20"), ("b_reference", "CD19"), ("t_cells", "CD3"),
)  # fmt: skip
"""Population and marker whose median intensity is followed over time."""
COLUMNS: Final = [
    "subject_id", "visit", "collected_at", "name", "metric", "value", "relation", "low", "high", "unit",
    "status", "reason", "lod", "lloq", "ci_low", "ci_high", "source_id", "assay",
]  # fmt: skip
_BELOW: Final = (Status.NOT_DETECTED.value, Status.DETECTED_BLQ.value)


def derive_flow(
    populations: pd.DataFrame, expression: pd.DataFrame, *, decisions: pd.DataFrame, tubes: Tubes
) -> pd.DataFrame:
    """Lay the full tubes of subjects out as measurements; ``source_id`` is the file.

    A percentage is of its parent; memory and checkpoint subsets are in `phenotype`.
    """
    full = populations[(populations["tube"] == "full") & (populations["subject_id"] != "")]
    whole = full[~full["population"].str.contains(".", regex=False) & (full["parent"] != "")]
    parts = [
        _derive_percentages(whole, decisions),
        _derive_concentrations(whole[whole["population"].isin(CONCENTRATIONS)], decisions),
        _derive_intensities(expression, tubes),
    ]
    return stack_rows(parts, COLUMNS).assign(assay=Assay.FLOW.value)


def _derive_percentages(rows: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    named = rows.assign(
        name=rows["population"],
        metric="percent",
        unit="%",
        estimate=rows["percent_of_parent"],
        source_id=rows["file_id"],
    )
    return _censor(_add_limits(named, decisions, Analyte.CAR_PCT_CD3))


def _derive_concentrations(rows: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    known = rows[rows["per_event"].notna()]
    named = known.assign(
        name=known["population"],
        metric="cells_per_ul",
        unit="cells/uL",
        estimate=known["cells_per_ul"],
        ci_low=known["cells_per_ul_low"],
        ci_high=known["cells_per_ul_high"],
        source_id=known["file_id"],
    )
    return _censor(_add_limits(named, decisions, Analyte.CAR_ABS))


def _add_limits(rows: pd.DataFrame, decisions: pd.DataFrame, analyte: Analyte) -> pd.DataFrame:
    of_car = decisions[decisions["analyte"] == analyte.value].set_index("file_id")
    is_car = rows["population"] == "car_t"
    return rows.assign(
        lod=rows["file_id"].map(of_car["lod"]).where(is_car).astype("float64"),
        lloq=rows["file_id"].map(of_car["lloq"]).where(is_car).astype("float64"),
    )


def _censor(rows: pd.DataFrame) -> pd.DataFrame:
    """Give a number its equality and a value below the limit its interval."""
    stands = rows["status"].isin((Status.QUANTIFIED.value, Status.FAILED.value)) & rows["estimate"].notna()
    below = rows["status"].isin(_BELOW)
    upper = rows["lloq"].fillna(rows["ci_high"])
    return rows.assign(
        value=rows["estimate"].where(stands),
        relation=np.select([stands, below], ["=", "<"], ""),
        low=rows["estimate"].where(stands).mask(below, 0.0),
        high=rows["estimate"].where(stands).mask(below, upper),
    )


def _derive_intensities(expression: pd.DataFrame, tubes: Tubes) -> pd.DataFrame:
    wanted = pd.DataFrame(list(INTENSITIES), columns=["population", "marker"])
    sound = tubes.table[
        (tubes.table["tube"] == "full")
        & (tubes.table["subject_id"] != "")
        & (tubes.table["qc"] != Level.FAIL.value)
    ]
    rows = expression.merge(wanted, on=["population", "marker"]).merge(
        sound[["file_id", "subject_id", "visit", "collected_at"]], on="file_id"
    )
    value = rows["median_intensity"]
    return rows.assign(
        name=rows["population"] + ":" + rows["marker"],
        metric="median_intensity",
        unit="1",
        value=value,
        relation="=",
        low=value,
        high=value,
        status=Status.QUANTIFIED.value,
        reason="",
        source_id=rows["file_id"],
    ).reindex(columns=[name for name in COLUMNS if name != "assay"])
