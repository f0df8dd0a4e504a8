"""`analysis`: one wide row per subject and visit, each variable with its unit in its name."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from corelab.tables.clock import Clocks
from corelab.tables.rows import stack_rows
from corelab.tables.schema import Column, TableSchema
from corelab.tables.schemas import ANALYSIS_KEYS
from corelab.vocabulary import Analyte, Assay, Status

CAR_VARIABLES: Final = {
    Analyte.CAR_PCT_CD3: "car_pct_cd3", Analyte.CAR_PCT_LYM: "car_pct_lym", Analyte.CAR_ABS: "car_per_ul",
    Analyte.CAR_VCN_UG: "car_copies_per_ug",
}  # fmt: skip
FLOW_VARIABLES: Final = {
    "b_cells": "b_per_ul", "t_cells": "t_per_ul", "cd4_t": "cd4_t_per_ul", "cd8_t": "cd8_t_per_ul",
    "lymphocytes": "lymphocytes_per_ul",
}  # fmt: skip
"""Variable by population whose concentration is followed."""
RATIO_VARIABLES: Final = {"t_cells:CD4/CD8": "cd4_cd8_t", "car_t:CD4/CD8": "cd4_cd8_car_t"}
POST_RESCUE: Final = Column(
    name="post_rescue", label="On or after rescue therapy or a second infusion", codes=("yes",),
    derivation="medications rescue, disposition second_infusion",
)  # fmt: skip
_STANDING: Final = tuple(
    status.value
    for status in (Status.QUANTIFIED, Status.DETECTED_BLQ, Status.NOT_DETECTED, Status.ABOVE_ULOQ)
)
_PERSISTENCE: Final = "persistence"
"""Stands for the assay of what `persistence` decided."""
_TEXT: Final = (
    "subject_id",
    "visit",
    "collected_at",
    "visit_label",
    "assay",
    "name",
    "metric",
    "unit",
    "relation",
)
VALUES: Final = TableSchema(
    name="analysis_values", row="value that may stand in a visit",
    key=("subject_id", "visit", "collected_at", "assay", "name", "metric", "unit", "source_id"),
    columns=(
        *(Column(name=name, label=name) for name in (*_TEXT, "source_id")),
        *(Column(name=name, label=name, type="number") for name in ("instant", "value", "bound")),
    ),
)  # fmt: skip
"""What a child gives to `analysis`."""
VISITS: Final = TableSchema(
    name="analysis_visits", row="subject x visit", key=("subject_id", "visit_label"),
    columns=(*ANALYSIS_KEYS, POST_RESCUE),
)  # fmt: skip
"""The visits of a child, each with its first draw."""


def collect_values(
    measurements: pd.DataFrame, persistence: pd.DataFrame, *, primary_files: frozenset[str], clocks: Clocks
) -> pd.DataFrame:
    """Return the values that may stand in a visit, of every assay, as `VALUES`."""
    parts = [_of_persistence(persistence, clocks), _of_measurements(measurements, primary_files, clocks)]
    return stack_rows(parts, VALUES.column_names)


def collect_visits(clocks: Clocks, *, rescued_on: Mapping[str, dt.date]) -> pd.DataFrame:
    """Return the visits, an unscheduled draw as one of its own, as `VISITS`.

    ``collected_at`` is the first draw of the visit. ``post_rescue`` marks what was drawn on or after the
    first rescue therapy or a second infusion (``rescued_on``, by subject): the visit stands, but not for the
    first infusion alone.
    """
    ordered = clocks.draws.sort_values(["subject_id", "visit_label", "instant"], kind="stable")
    first = ordered.drop_duplicates(["subject_id", "visit_label"])
    limit = first["subject_id"].map({key: date.isoformat() for key, date in rescued_on.items()})
    is_later = limit.notna() & (first["collected_at"].str[:10] >= limit.fillna("9999"))
    marked = first.assign(post_rescue=np.where(is_later, "yes", "").astype(object))
    return marked[VISITS.column_names]


def derive_analysis(values: pd.DataFrame, visits: pd.DataFrame) -> tuple[pd.DataFrame, TableSchema]:
    """Bring every assay side by side, with the schema that the variables make.

    Of several values of one visit the last that stands is taken. A censored value is empty; its relation and
    limit stand beside it.

    Parameters
    ----------
    values
        Those of all children, as `VALUES`.
    visits
        Those of all children, as `VISITS`.
    """
    long = _describe_values(values)
    long = long.sort_values(["subject_id", "visit_label", "variable", "instant", "source_id"], kind="stable")
    last = long.drop_duplicates(["subject_id", "visit_label", "variable"], keep="last")
    schema = _build_schema(last)
    return schema.conform(_widen(last, visits)), schema


def _of_persistence(persistence: pd.DataFrame, clocks: Clocks) -> pd.DataFrame:
    rows = persistence[persistence["status"].isin(_STANDING)]
    rows = clocks.place(rows.drop(columns=["arm", "visit_label", "study_day"]))
    quantified = rows["status"] == Status.QUANTIFIED.value
    return rows.assign(
        assay=_PERSISTENCE,
        name=rows["analyte"],
        metric="",
        source_id="",
        relation=np.where(quantified, "=", "<").astype(object),
        bound=rows["lloq"].mask(quantified, rows["value"]),
    )


def _of_measurements(
    measurements: pd.DataFrame, primary_files: frozenset[str], clocks: Clocks
) -> pd.DataFrame:
    is_flow = measurements["assay"] == Assay.FLOW.value
    is_concentration = (measurements["metric"] == "cells_per_ul") & measurements["name"].isin(FLOW_VARIABLES)
    is_ratio = (measurements["metric"] == "result") & measurements["name"].isin(RATIO_VARIABLES)
    followed = is_flow & (is_concentration | is_ratio) & measurements["source_id"].isin(primary_files)
    others = measurements["assay"].isin(
        (Assay.CYTOKINE.value, Assay.LABORATORY.value, Assay.ASSESSMENT.value)
    )
    stands = measurements["status"].isin(_STANDING) | measurements["relation"].isin(("<=", ">="))
    rows = measurements[(followed | others) & stands & (measurements["status"] != Status.FAILED.value)]
    rows = clocks.place(rows.drop(columns=["arm", "visit_label", "study_day"], errors="ignore"))
    upper = rows["relation"].isin(("<", "<="))
    return rows.assign(bound=rows["high"].where(upper, rows["low"]))


def _describe_values(values: pd.DataFrame) -> pd.DataFrame:
    """Add the variable of each value, its label and derivation, and whether it can be censored."""
    series = ["assay", "name", "metric", "unit"]
    known = values[series].drop_duplicates()
    keys = list(known.itertuples(index=False, name=None))
    names = _name_variables([key for key in keys if key[0] != _PERSISTENCE])
    names |= {key: CAR_VARIABLES[Analyte(key[1])] for key in keys if key[0] == _PERSISTENCE}
    described = known.assign(
        variable=pd.Series([names[key] for key in keys], index=known.index, dtype=object),
        label=known["name"],
        can_be_censored=known["assay"] != Assay.ASSESSMENT.value,
        derivation=pd.Series([_tell_origin(*key[:3]) for key in keys], index=known.index, dtype=object),
    )
    return values.merge(described, on=series, how="left", validate="many_to_one")


def _tell_origin(assay: str, name: str, metric: str) -> str:
    return f"persistence, {name}" if assay == _PERSISTENCE else f"measurements, {assay} {name} {metric}"


def _name_variables(keys: list[tuple[str, str, str, str]]) -> dict[tuple[str, str, str, str], str]:
    """Name every series; of two that would share a name the laboratory's keeps it.

    The same analyte from two assays is two series and is never pooled.
    """
    names: dict[tuple[str, str, str, str], str] = {}
    for key in sorted(keys, key=lambda key: (key[0] != Assay.LABORATORY.value, key)):
        name = _name_variable(*key)
        while name in names.values():
            name = f"{name}_{key[0]}"
        names[key] = name
    return names


def _name_variable(assay: str, name: str, metric: str, unit: str) -> str:
    if assay == Assay.FLOW.value:
        return RATIO_VARIABLES[name] if metric == "result" else FLOW_VARIABLES[name]
    if metric == "fold_change":
        return f"{_slug(name)}_fold"
    return _slug(name) if unit in ("1", "") else f"{_slug(name)}_{_slug(unit)}"


def _slug(text: str) -> str:
    """Write a name in lower case with underscores.

    Examples
    --------
    >>> _slug("IL-6") + "_" + _slug("pg/mL"), _slug("UPCR") + "_" + _slug("g/g"), _slug("10^9/L")
    ('il_6_pg_ml', 'upcr_g_g', '10_9_l')
    """
    spelled = text.replace("%", " pct ").replace("γ", "g").replace("α", "a").replace("β", "b")
    return re.sub(r"[^a-z0-9]+", "_", spelled.lower()).strip("_")


def _build_schema(variables: pd.DataFrame) -> TableSchema:
    columns: list[Column] = [*ANALYSIS_KEYS, POST_RESCUE]
    known = variables[["variable", "label", "unit", "can_be_censored", "derivation"]].drop_duplicates()
    known = known.sort_values(["variable", "label", "unit"]).drop_duplicates("variable")
    for row in known.itertuples(index=False):
        origin = f"{row.derivation}; the last of the visit that stands"
        columns.append(
            Column(name=row.variable, label=row.label, type="number", unit=row.unit, derivation=origin)
        )
        if row.can_be_censored:
            columns += [
                Column(name=f"{row.variable}_rel", label=f"Relation of {row.label} to its limit"),
                Column(
                    name=f"{row.variable}_bound", label=f"Limit of {row.label}", type="number", unit=row.unit
                ),
            ]
    return TableSchema(
        name="analysis", row="subject x visit", columns=tuple(columns),
        key=("subject_id", "visit", "collected_at"),
    )  # fmt: skip


def _widen(last: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    key = ["subject_id", "visit_label"]
    if last.empty:
        return visits.iloc[:0]
    wide = [
        last[taken].pivot(index=key, columns="variable", values=column).add_suffix(suffix)
        for column, suffix, taken in (
            ("value", "", last["variable"].notna()),
            ("relation", "_rel", last["can_be_censored"]),
            ("bound", "_bound", last["can_be_censored"]),
        )
    ]
    return visits.merge(pd.concat(wide, axis=1).reset_index(), on=key, how="inner")
