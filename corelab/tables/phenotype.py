"""`phenotype`: the subsets of T, CAR-T and B cells, as far as their parent's events allow."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.tables.clock import WHEN
from corelab.tables.tubes import join_findings
from corelab.vocabulary import B_SUBSETS, T_COMPARTMENTS, Analyte, Level, Panel, Status

COLUMNS: Final = [
    "subject_id", "visit", "collected_at", *WHEN, "compartment", "subset", "count", "parent_count", "percent",
    "ci_low", "ci_high", "status", "reason",
]  # fmt: skip
_CAR_COMPARTMENTS: Final = ("car_t", "car_cd4", "car_cd8")


def derive_phenotype(
    populations: pd.DataFrame, decisions: pd.DataFrame, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Judge every subset of the primary tubes that have not failed.

    Notes
    -----
    A percentage is ``quantified`` from 50 parent events, ``detected_blq`` from 20, ``failed`` below
    (defaults of the study file). Subsets of CAR-T cells that are not detected are noise and are not
    calculated; before infusion they are at most ``detected_blq``.
    """
    rows = _select_subsets(populations)
    status, reason = _judge_parents(rows, settings)
    car = rows["compartment"].isin(_CAR_COMPARTMENTS)
    detected = _find_detected(decisions)
    noise = car & ~rows["file_id"].isin(detected) & (status != Status.MISSING.value)
    noise &= status != Status.FAILED.value
    early = car & ~noise & rows["is_before"].astype(bool) & (status == Status.QUANTIFIED.value)
    status = status.mask(noise, Status.NOT_CALCULATED.value).mask(early, Status.DETECTED_BLQ.value)
    reason = reason.mask(noise, "CAR_NOT_DETECTED").mask(early, "PRE_INFUSION")
    percent = 100 * rows["count"] / rows["parent_count"].where(rows["parent_count"] > 0)
    return rows.assign(
        status=status,
        reason=reason,
        percent=percent.where(status == Status.QUANTIFIED.value),
    )[COLUMNS]


def _select_subsets(populations: pd.DataFrame) -> pd.DataFrame:
    sound = populations["is_primary"].astype(bool) & (populations["qc"] != Level.FAIL.value)
    population = populations["population"]
    dotted = population.str.contains(".", regex=False)
    compartment = population.where(~dotted, population.str.split(".", n=1).str[0])
    of_t = (populations["panel"] == Panel.CART.value) & dotted & compartment.isin(T_COMPARTMENTS)
    of_b = (populations["panel"] == Panel.BCELL.value) & population.isin(B_SUBSETS)
    rows = populations.assign(
        compartment=compartment.mask(of_b, "b_cells"),
        subset=population.where(~of_t, population.str.split(".", n=1).str[-1]),
    )
    return rows[sound & (of_t | of_b)]


def _judge_parents(
    rows: pd.DataFrame, settings: Mapping[str, Any]
) -> "tuple[pd.Series[str], pd.Series[str]]":
    parents = rows["parent_count"]
    conditions = [
        rows["status"] == Status.MISSING.value,
        parents >= settings["quantified_from"],
        parents >= settings["counted_from"],
    ]
    statuses = [Status.MISSING.value, Status.QUANTIFIED.value, Status.DETECTED_BLQ.value]
    given = rows["reason"].mask(rows["reason"] == "", "GATE_MISSING")
    status = np.select(conditions, statuses, Status.FAILED.value)
    reason = np.select(conditions, [given, "", "FEW_EVENTS"], "FEW_EVENTS")
    return (
        pd.Series(status, index=rows.index, dtype=object),
        pd.Series(reason, index=rows.index, dtype=object),
    )


def _find_detected(decisions: pd.DataFrame) -> "pd.Series[str]":
    detected = decisions["status"].isin((Status.QUANTIFIED.value, Status.DETECTED_BLQ.value))
    return decisions.loc[detected & (decisions["analyte"] == Analyte.CAR_PCT_CD3.value), "file_id"]


def judge_car_populations(populations: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """Carry the decision on CAR-T cells into the rows of ``car_t``, so that no table contradicts another.

    A CAR+ count of a tube without a decision (a control, a second tube) stays as it was counted; before
    infusion no CAR+ population is ``quantified``.
    """
    by_file = decisions[decisions["analyte"] == Analyte.CAR_PCT_CD3.value].set_index("file_id")
    is_car = (populations["population"] == "car_t") & populations["file_id"].isin(by_file.index)
    status = populations["status"].mask(is_car, populations["file_id"].map(by_file["status"]))
    reason = populations["reason"].mask(
        is_car, join_findings(populations["file_id"].map(by_file["reason"]).fillna(""), populations["reason"])
    )
    of_car = populations["population"].str.match(r"car_(t|cd4|cd8)(\.|$)")
    early = (
        of_car
        & (status == Status.QUANTIFIED.value)
        & populations["is_before"]
        & (populations["subject_id"] != "")
    )
    return populations.assign(
        status=status.mask(early, Status.DETECTED_BLQ.value), reason=reason.mask(early, "PRE_INFUSION")
    )
