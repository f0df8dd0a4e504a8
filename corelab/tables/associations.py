"""`associations`: whether expansion goes with response, cytokine release or dose, by exact tests."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.statistics.bootstrap import bound_spearman, estimate_geometric_ratio
from corelab.statistics.descriptive import adjust_holm
from corelab.statistics.permutation import (
    Comparison,
    compare_means,
    compare_ranks,
    compare_trend,
    correlate_kendall,
    correlate_spearman,
)
from corelab.study.model import Study
from corelab.tables.clock import Clocks
from corelab.tables.responses import SRI_DEFINITION
from corelab.vocabulary import Arm, Status

NAN: Final = float("nan")
NOT_INFORMATIVE: Final = "NOT_INFORMATIVE"
NO_CONTRAST: Final = "NO_CONTRAST"
COLUMNS: Final = [
    "analyte", "parameter", "outcome", "visit", "method", "n", "n_first", "n_second", "estimate",
    "ci_low", "ci_high", "ci_method", "p_value", "p_holm", "reason", "seed",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What is set against an exposure: a value by subject, at a visit where it has one.

    ``is_binary`` outcomes are 1 for the first group and 0 for the second; ``known_after`` is the day of the
    landmark: an exposure that was complete only later does not count.
    """

    name: str
    visit: str
    values: Mapping[str, float]
    is_binary: bool
    known_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """An exposure set against an outcome: the pairs of those who have both, in the order of subjects."""

    analyte: str
    parameter: str
    outcome: str
    visit: str
    is_binary: bool
    pairs: tuple[tuple[float, float], ...]


def collect_pairings(tables: Mapping[str, pd.DataFrame], *, clocks: Clocks) -> list[Pairing]:
    """Set every exposure of the study against response, cytokine release, change of disease and dose.

    Parameters
    ----------
    tables
        ``kinetics``, ``responses``, ``adverse_events`` and ``measurements``.

    Notes
    -----
    An exposure enters only where it lies before the landmark of the outcome, so that nobody has to live long
    enough to be exposed.
    """
    settings = clocks.study.settings["associations"]
    outcomes = [
        *_collect_responses(tables["responses"], clocks.study),
        *_collect_release(tables["adverse_events"], clocks),
        *_collect_changes(tables["measurements"], settings["response_visit"]),
        _collect_arms(clocks),
    ]
    found = []
    for analyte in settings["analytes"]:
        for parameter in settings["exposures"]:
            exposures = _collect_exposures(tables["kinetics"], analyte, parameter)
            found += [
                Pairing(
                    analyte=analyte, parameter=parameter, outcome=outcome.name, visit=outcome.visit,
                    is_binary=outcome.is_binary, pairs=tuple(_pair(exposures, outcome)),
                )
                for outcome in outcomes
            ]  # fmt: skip
    return [one for one in found if one.pairs]


def judge_pairings(pairings: Sequence[Pairing], study: Study) -> pd.DataFrame:
    """Test every exposure against its outcome; these are all on which the table depends.

    Notes
    -----
    Two-sided. Where the numbers could not reach the level at all, the row says ``NOT_INFORMATIVE``: that is
    not the absence of a difference. P-values are adjusted by Holm within the outcomes of one analyte and
    method.
    """
    settings = study.settings["associations"]
    rows = [
        {"analyte": one.analyte, "parameter": one.parameter, "outcome": one.outcome, **row}
        for one in pairings
        for row in _test(one, settings)
    ]
    return _adjust(pd.DataFrame(rows, columns=COLUMNS))


def _collect_exposures(
    kinetics: pd.DataFrame, analyte: str, parameter: str
) -> dict[str, tuple[float, float]]:
    """Return the exposure of each subject and the day on which it was complete."""
    rows = kinetics[kinetics["analyte"] == analyte]
    days = rows[rows["parameter"] == "TMAX"].set_index("subject_id")["value"]
    sound = rows[
        (rows["parameter"] == parameter) & (rows["status"] == Status.QUANTIFIED.value) & (rows["value"] > 0)
    ]
    fixed = {"AUC0_28D": 28.0, "AUC0_84D": 84.0}
    return {
        row.subject_id: (row.value, fixed.get(parameter, float(days.get(row.subject_id, NAN))))
        for row in sound.itertuples(index=False)
    }


def _collect_responses(responses: pd.DataFrame, study: Study) -> Iterator[_Outcome]:
    """Yield response as observed at the landmark visit, by the primary definition."""
    visit = study.settings["associations"]["response_visit"]
    definitions = (study.settings["responses"]["primary"], SRI_DEFINITION)
    numbers = {"responder": 1.0, "non_responder": 0.0}
    seen = responses[(responses["visit"] == visit) & responses["state"].isin(numbers)]
    for endpoint in ("CRR", "ORR", "SRI4"):
        rows = seen[(seen["endpoint"] == endpoint) & seen["definition"].isin(definitions)]
        first_day = rows["study_day"].min()
        yield _Outcome(
            name=endpoint,
            visit=visit,
            values={
                key: numbers[state] for key, state in zip(rows["subject_id"], rows["state"], strict=True)
            },
            is_binary=True,
            known_after=float(first_day) if pd.notna(first_day) else NAN,
        )


def _collect_release(events: pd.DataFrame, clocks: Clocks) -> Iterator[_Outcome]:
    """Yield cytokine release by its worst grade, 0 for an infused child without.

    It has no landmark: peak and release are of the same days, an association and no prediction.
    """
    names = {name.lower() for name in clocks.study.settings["summary"]["crs_terms"]}
    rows = events[events["term"].str.lower().isin(names) & (events["treatment_emergent"] == "yes")]
    worst = rows.groupby("subject_id")["worst_grade"].max()
    grades = {
        key: float(worst.get(key, 0)) for key, clock in clocks.subjects.items() if clock.infusion is not None
    }
    yield _Outcome(name="CRS_GRADE", visit="", values=grades, is_binary=False, known_after=NAN)
    any_grade = {key: float(grade > 0) for key, grade in grades.items()}
    yield _Outcome(name="CRS_ANY", visit="", values=any_grade, is_binary=True, known_after=NAN)


def _collect_changes(measurements: pd.DataFrame, visit: str) -> Iterator[_Outcome]:
    """Yield the change from the last value before infusion to the landmark visit."""
    for name, unit in (("UPCR", "g/g"), ("SLEDAI-2K", "1")):
        rows = measurements[
            (measurements["name"] == name)
            & (measurements["unit"] == unit)
            & (measurements["status"] == Status.QUANTIFIED.value)
        ].sort_values("collected_at", kind="stable")
        before = rows[rows["study_day"] < 0].drop_duplicates("subject_id", keep="last")
        after = rows[rows["visit"] == visit].drop_duplicates("subject_id", keep="last")
        joined = before.merge(after, on="subject_id", suffixes=("_before", "_after"))
        change = joined["value_after"] - joined["value_before"]
        first_day = after["study_day"].min()
        yield _Outcome(
            name=f"CHANGE_{name}",
            visit=visit,
            values=dict(zip(joined["subject_id"], change, strict=True)),
            is_binary=False,
            known_after=float(first_day) if pd.notna(first_day) else NAN,
        )


def _collect_arms(clocks: Clocks) -> _Outcome:
    numbers = {Arm.HIGH.value: 1.0, Arm.LOW.value: 0.0}
    values = {key: numbers[clock.arm] for key, clock in clocks.subjects.items() if clock.arm in numbers}
    return _Outcome(name="DOSE_HIGH", visit="", values=values, is_binary=True, known_after=NAN)


def _pair(exposures: Mapping[str, tuple[float, float]], outcome: _Outcome) -> Iterator[tuple[float, float]]:
    for key, (value, day) in sorted(exposures.items()):
        if key in outcome.values and not day > outcome.known_after:
            yield float(value), float(outcome.values[key])


def _test(one: Pairing, settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    common = {"visit": one.visit, "n": len(one.pairs), "seed": settings["seed"]}
    tests = _compare_groups(one.pairs, settings) if one.is_binary else _rank(one.pairs, one.outcome, settings)
    for row in tests:
        yield {**common, **row}


def _compare_groups(
    pairs: Sequence[tuple[float, float]], settings: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    first = [value for value, group in pairs if group]
    second = [value for value, group in pairs if not group]
    seed, resamples = int(settings["seed"]), int(settings["resamples"])
    ratio = estimate_geometric_ratio(first, second, seed=seed, resamples=resamples)
    counts = {"n_first": len(first), "n_second": len(second)}
    effect = {
        "estimate": ratio.ratio, "ci_low": ratio.ci_low, "ci_high": ratio.ci_high, "ci_method": ratio.method,
    }  # fmt: skip
    logs = [[math.log(value) for value in group] for group in (first, second)]
    by_mean = compare_means(logs[0], logs[1], seed=seed, resamples=resamples)
    yield {**counts, "method": "permutation", **effect, **_conclude(by_mean, settings)}
    yield {**counts, "method": "mann_whitney", **effect, **_conclude(compare_ranks(first, second), settings)}


def _rank(
    pairs: Sequence[tuple[float, float]], outcome: str, settings: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    exposures, values = [value for value, _ in pairs], [value for _, value in pairs]
    seed, resamples = int(settings["seed"]), int(settings["resamples"])
    if outcome.endswith("GRADE"):
        concordance = correlate_kendall(exposures, values, seed=seed, resamples=resamples)
        yield {
            "method": "kendall_tau_b", "estimate": concordance.statistic, **_conclude(concordance, settings),
        }  # fmt: skip
        trend = compare_trend(values, exposures, seed=seed, resamples=resamples)
        yield {"method": "jonckheere", "estimate": trend.statistic, **_conclude(trend, settings)}
        return
    found = correlate_spearman(exposures, values, seed=seed, resamples=resamples)
    low, high, method = bound_spearman(exposures, values, seed=seed, resamples=resamples)
    yield {
        "method": "spearman", "estimate": found.statistic, "ci_low": low, "ci_high": high,
        "ci_method": method, **_conclude(found, settings),
    }  # fmt: skip


def _conclude(test: Comparison, settings: Mapping[str, Any]) -> dict[str, Any]:
    if math.isnan(test.p_value):
        return {"p_value": NAN, "reason": NO_CONTRAST}
    informative = test.is_informative(level=float(settings["level"]))
    return {"p_value": test.p_value, "reason": "" if informative else NOT_INFORMATIVE}


def _adjust(table: pd.DataFrame) -> pd.DataFrame:
    """Adjust within a family: one analyte and method, all its exposures and outcomes."""
    adjusted = table["p_value"].astype("float64")
    for _, rows in table.groupby(["analyte", "method"]):
        adjusted.loc[rows.index] = adjust_holm(rows["p_value"].astype("float64").tolist())
    return table.assign(p_holm=adjusted)
