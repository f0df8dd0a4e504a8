"""`kinetics`: every parameter of every subject and analyte with data, computable or not."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from corelab.kinetics.cytokine import (
    CYTOKINE_PARAMETERS,
    CytokineSettings,
    build_cytokine_course,
    build_cytokine_settings,
    compute_cytokine_parameters,
)
from corelab.kinetics.parameter import UNITS, KineticSettings, Outcome, build_settings, join_reasons
from corelab.kinetics.profile import PRE_INFUSION, build_course
from corelab.kinetics.registry import PARAMETERS, compute_parameters
from corelab.study.model import Study
from corelab.tables.baseline import choose_baselines
from corelab.tables.clock import Clocks
from corelab.tables.interference import POST_TOCILIZUMAB
from corelab.tables.persistence import choose_transgene
from corelab.tables.soluble import make_level
from corelab.vocabulary import Status

COLUMNS: Final = [
    "subject_id", "arm", "analyte", "parameter", "value", "low", "high", "unit", "status", "reason",
]  # fmt: skip
_OF_PEAK: Final = ("PEAK", "TPEAK", "FOLDPEAK")
_LEVELS: Final = tuple(
    status.value
    for status in (Status.QUANTIFIED, Status.DETECTED_BLQ, Status.NOT_DETECTED, Status.ABOVE_ULOQ)
)


def derive_kinetics(
    persistence: pd.DataFrame, concentrations: pd.DataFrame, *, transgene: pd.DataFrame, clocks: Clocks
) -> pd.DataFrame:
    """Compute the CAR-T parameters from `persistence` and those of soluble markers.

    Copies above their limit before infusion are no quantity of CAR-T cells in `persistence`, but the height
    from which the first area is drawn; ``transgene`` tells it.
    """
    known = _tell_start(persistence, transgene)
    rows = [*_derive_cellular(known, clocks), *_derive_soluble(concentrations, clocks)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _tell_start(persistence: pd.DataFrame, transgene: pd.DataFrame) -> pd.DataFrame:
    """Give the draws before infusion back the copies that were measured."""
    key = ["subject_id", "visit", "collected_at", "analyte"]
    capped = transgene[transgene["reason"].str.contains(PRE_INFUSION, regex=False)]
    measured = choose_transgene(capped).set_index(key)["low"]
    places = pd.MultiIndex.from_frame(persistence[key])
    start = pd.Series(measured.reindex(places).to_numpy(), index=persistence.index)
    is_start = persistence["reason"].str.contains(PRE_INFUSION, regex=False)
    return persistence.assign(value=persistence["value"].where(~is_start | start.isna(), start))


def read_kinetic_settings(study: Study) -> KineticSettings:
    """Read the settings; the late samples that a 28-day area needs begin with the window of D21."""
    settings = study.settings["kinetics"]
    visit = study.visits_by_code.get("D21")
    late = 28 - settings["auc28_extension_days"] if visit is None else (visit.day or 0) - visit.before
    return build_settings(settings, late_from_day=float(late))


def _derive_cellular(persistence: pd.DataFrame, clocks: Clocks) -> Iterator[dict[str, Any]]:
    settings = read_kinetic_settings(clocks.study)
    collected = persistence[persistence["status"] != Status.MISSING.value]
    placed = _exclude_second_infusion(
        clocks.place(collected.drop(columns=["arm", "visit_label", "study_day"])), clocks
    )
    for (subject, analyte, unit), group in placed.groupby(["subject_id", "analyte", "unit"], sort=True):
        course = build_course(
            group["days"].to_list(),
            group["value"].to_list(),
            group["status"].to_list(),
            limits=group["lloq"].to_list(),
            reasons=group["reason"].to_list(),
        )
        outcomes = compute_parameters(course, settings)
        kinds = {name: parameter.unit for name, parameter in PARAMETERS.items()}
        yield from _tabulate(subject, analyte, unit, outcomes, kinds, clocks)


def _exclude_second_infusion(placed: pd.DataFrame, clocks: Clocks) -> pd.DataFrame:
    limits = {
        key: clock.excluded_from.timestamp() for key, clock in clocks.subjects.items() if clock.excluded_from
    }
    until = placed["subject_id"].map(limits).astype("float64")
    return placed[until.isna() | (placed["instant"] < until)]


def _derive_soluble(concentrations: pd.DataFrame, clocks: Clocks) -> Iterator[dict[str, Any]]:
    raw = clocks.study.settings["cytokine"]
    settings = build_cytokine_settings(
        raw, extension_days=float(clocks.study.settings["kinetics"]["auc28_extension_days"])
    )
    baselines = choose_baselines(concentrations, visits=raw["baseline_visits"], clocks=clocks)
    levels = {
        key: make_level(low, high, status)
        for *key_parts, low, high, status in baselines[
            ["subject_id", "name", "unit", "low", "high", "status"]
        ].itertuples(index=False, name=None)
        for key in [tuple(key_parts)]
    }
    placed = _exclude_second_infusion(clocks.place(concentrations), clocks)
    sound = placed[placed["status"].isin(_LEVELS)].sort_values(["instant", "source_id"], kind="stable")
    sound = sound.drop_duplicates(["subject_id", "name", "unit", "instant"], keep="last")
    for key, group in sound.groupby(["subject_id", "name", "unit"], sort=True):
        subject, name, unit = key
        outcomes = _mark_outcomes(_compute_soluble(group, levels.get(key), settings), group)
        kinds = {name: parameter.unit for name, parameter in CYTOKINE_PARAMETERS.items()}
        yield from _tabulate(subject, name, unit, outcomes, kinds, clocks)


def _mark_outcomes(outcomes: Mapping[str, Outcome], group: pd.DataFrame) -> dict[str, Outcome]:
    """Say on every parameter after baseline that a drug changed some of what it rests on.

    A peak before the drug does not rest on what was drawn after it: whatever the drug raised stayed below.
    """
    marked = group.loc[group["reason"].str.contains(POST_TOCILIZUMAB, regex=False), "days"]
    if marked.empty:
        return dict(outcomes)
    is_earlier = outcomes["TPEAK"].value < marked.min()
    spared = {"BASE", *(_OF_PEAK if is_earlier else ())}
    return {
        name: one if name in spared else replace(one, reason=join_reasons((one.reason, POST_TOCILIZUMAB)))
        for name, one in outcomes.items()
    }


def _compute_soluble(group: pd.DataFrame, baseline: Any, settings: CytokineSettings) -> dict[str, Outcome]:
    timed = group[group["days"].notna()]
    levels = [
        make_level(low, high, status)
        for low, high, status in timed[["low", "high", "status"]].itertuples(index=False, name=None)
    ]
    course = build_cytokine_course(timed["days"].to_list(), levels, baseline=baseline)
    return compute_cytokine_parameters(course, settings)


def _tabulate(
    subject: str,
    analyte: str,
    unit: str,
    outcomes: Mapping[str, Outcome],
    kinds: Mapping[str, Any],
    clocks: Clocks,
) -> Iterable[dict[str, Any]]:
    arm = clocks.subjects[subject].arm if subject in clocks.subjects else ""
    for name, outcome in outcomes.items():
        yield {
            "subject_id": subject, "arm": arm, "analyte": analyte, "parameter": name, "value": outcome.value,
            "low": outcome.low, "high": outcome.high, "unit": UNITS[kinds[name]].format(unit=unit),
            "status": outcome.status.value, "reason": outcome.reason,
        }  # fmt: skip
