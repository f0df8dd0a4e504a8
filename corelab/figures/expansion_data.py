"""Exposure and outcome of every child, as they were set against each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.course import to_float
from corelab.figures.safety import list_infused, read_grade
from corelab.figures.swimmer import RELEASE

OUTCOMES: Final = ("CRR", "ORR", "SRI4", "CRS_GRADE", "DOSE_HIGH", "CHANGE_UPCR", "CHANGE_SLEDAI-2K")
CHANGES: Final[Mapping[str, tuple[str, str]]] = {
    "CHANGE_UPCR": ("UPCR", "g/g"), "CHANGE_SLEDAI-2K": ("SLEDAI-2K", "1"),
}  # fmt: skip
DEFINITIONS: Final[Mapping[str, str]] = {"SRI4": "SRI-4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One child's exposure and outcome."""

    subject_id: str
    arm: str
    exposure: float
    outcome: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One outcome with the children who have both, and the rows of its tests."""

    outcome: str
    visit: str
    pairs: tuple[Pair, ...]
    tests: tuple[Mapping[str, Any], ...]


def build_panels(
    tables: Mapping[str, pd.DataFrame], *, analyte: str, parameter: str, primary: str
) -> list[Panel]:
    """Return a panel for each outcome that was tested against an exposure.

    Parameters
    ----------
    tables
        ``subjects``, ``kinetics``, ``responses``, ``adverse_events``, ``measurements``, ``associations``.
    primary
        The definition of renal response that was tested.
    """
    tests = tables["associations"]
    tests = tests[(tests["analyte"] == analyte) & (tests["parameter"] == parameter)]
    exposures = _read_exposures(tables["kinetics"], analyte, parameter)
    children = list_infused(tables["subjects"])
    panels = []
    for outcome in OUTCOMES:
        rows = tests[tests["outcome"] == outcome].to_dict(orient="records")
        if not rows:
            continue
        visit = str(rows[0]["visit"])
        values = _read_outcome(tables, outcome, visit, primary)
        pairs = tuple(
            Pair(subject_id=child, arm=arm, exposure=exposures[child], outcome=values[child])
            for child, arm in children
            if child in exposures and child in values
        )
        panels.append(Panel(outcome=outcome, visit=visit, pairs=pairs, tests=tuple(rows)))
    return panels


def _read_exposures(kinetics: pd.DataFrame, analyte: str, parameter: str) -> dict[str, float]:
    rows = kinetics[
        (kinetics["analyte"] == analyte)
        & (kinetics["parameter"] == parameter)
        & (kinetics["status"] == "quantified")
        & (kinetics["value"] > 0)
    ]
    return {str(row["subject_id"]): to_float(row["value"]) for row in rows.to_dict(orient="records")}


def _read_outcome(
    tables: Mapping[str, pd.DataFrame], outcome: str, visit: str, primary: str
) -> dict[str, float]:
    if outcome == "DOSE_HIGH":
        return {child: float(arm == "high") for child, arm in list_infused(tables["subjects"]) if arm}
    if outcome == "CRS_GRADE":
        return _read_release(tables)
    if outcome in CHANGES:
        return _read_change(tables["measurements"], *CHANGES[outcome], visit)
    responses = tables["responses"]
    rows = responses[
        (responses["endpoint"] == outcome)
        & (responses["visit"] == visit)
        & (responses["definition"] == DEFINITIONS.get(outcome, primary))
        & (responses["state"] != "not_evaluable")
    ]
    return {
        str(s): float(state == "responder")
        for s, state in zip(rows["subject_id"], rows["state"], strict=True)
    }


def _read_release(tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    events = tables["adverse_events"]
    rows = events[events["term"].str.lower().isin(RELEASE)].to_dict(orient="records")
    grades = {str(row["subject_id"]): read_grade(row["worst_grade"]) for row in rows}
    return {child: float(grades.get(child, 0)) for child, _ in list_infused(tables["subjects"])}


def _read_change(measurements: pd.DataFrame, name: str, unit: str, visit: str) -> dict[str, float]:
    """Return the landmark's value less the last one before infusion, as the association was tested."""
    rows = measurements[
        (measurements["name"] == name)
        & (measurements["unit"] == unit)
        & (measurements["status"] == "quantified")
    ].sort_values("collected_at", kind="stable")
    before = rows[rows["study_day"] < 0].groupby("subject_id")["value"].last()
    after = rows[rows["visit"] == visit].groupby("subject_id")["value"].last()
    return {str(child): float(change) for child, change in (after - before).dropna().items()}
