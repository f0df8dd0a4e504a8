"""`lab_toxicity`: the CTCAE grade of every laboratory value, with the shift from baseline."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import pandas as pd

from corelab.clinical.evidence import Result
from corelab.clinical.laboratory import TEST_UNITS
from corelab.clinical.toxicity import Grade, GradedValue, Term, grade_value, read_terms
from corelab.tables.baseline import choose_baselines
from corelab.tables.clock import Clocks
from corelab.tables.evidence import Chart
from corelab.vocabulary import Status

NAN: Final = float("nan")
ANTICOAGULANT: Final = ("attestation", "on_anticoagulant")
COLUMNS: Final = [
    "subject_id", "visit", "collected_at", "test", "term", "direction", "grade", "value", "unit", "baseline",
    "baseline_grade", "shift", "ref_low", "ref_high", "reason", "rule_version",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """All results of one test of one child, with the one that is its baseline."""

    results: tuple[Result, ...]
    baseline: Result | None


def derive_lab_toxicity(charts: Mapping[str, Chart], *, clocks: Clocks) -> pd.DataFrame:
    """Grade every result that a term of the study's profile covers.

    Notes
    -----
    The baseline is the last sound value before lymphodepletion. It and what came before it are graded from
    the reference limits, later values from the baseline where that was abnormal.

    Raises
    ------
    ConfigError
        If the profile is unknown.
    """
    settings = clocks.study.settings["toxicity"]
    terms = read_terms(settings["profile"])
    baselines = _choose_baselines(charts, terms, settings["baseline_visits"], clocks)
    first = clocks.study.visits_by_code.get(settings["baseline_visits"][0])
    expected = first.code if first is not None and "laboratory" in first.expects else ""
    rows: list[dict[str, Any]] = []
    for subject, chart in charts.items():
        for test, results in chart.results.items():
            for term in terms.get(test, ()):
                series = _Series(results=tuple(results), baseline=baselines.get((subject, test)))
                rows += [
                    {"subject_id": subject, **row}
                    for row in _grade_series(series, term, chart, expected=expected)
                ]
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"grade": "Int64", "baseline_grade": "Int64"})
    table["shift"] = table["grade"] - table["baseline_grade"]
    key = ["subject_id", "visit", "collected_at", "test", "direction"]
    placed = clocks.place(table.drop_duplicates(key, keep="last"))
    return placed[[*COLUMNS, "arm", "visit_label", "study_day"]]


def _choose_baselines(
    charts: Mapping[str, Chart], terms: Mapping[str, Any], visits: list[str], clocks: Clocks
) -> dict[tuple[str, str], Result]:
    by_source = {
        (subject, result.test, result.source_id): result
        for subject, chart in charts.items()
        for test, results in chart.results.items()
        if test in terms
        for result in results
        if result.is_valid()
    }
    rows = [
        {
            "subject_id": subject, "visit": result.visit, "collected_at": result.collected_at, "name": test,
            "unit": "", "status": result.reading.status.value, "source_id": result.source_id,
        }
        for (subject, test, _), result in by_source.items()
    ]  # fmt: skip
    if not rows:
        return {}
    chosen = choose_baselines(pd.DataFrame(rows, dtype=object), visits=visits, clocks=clocks)
    keys = chosen[["subject_id", "name", "source_id"]].itertuples(index=False, name=None)
    return {(subject, test): by_source[subject, test, source] for subject, test, source in keys}


def _grade_series(series: _Series, term: Term, chart: Chart, *, expected: str) -> Iterator[dict[str, Any]]:
    at_baseline = None
    if series.baseline is not None:
        at_baseline = _grade(series.baseline, term, None, chart).grade
    start = len(series.results) if series.baseline is None else series.results.index(series.baseline)
    for place, result in enumerate(series.results):
        base = series.baseline if place > start else None
        graded = _grade(result, term, base, chart)
        is_start = base is None and series.baseline is not None
        unit = _choose_unit(term, result)
        yield {
            "visit": result.visit,
            "collected_at": result.collected_at,
            "test": term.test,
            "term": term.term,
            "direction": term.direction,
            "grade": graded.grade,
            "value": _to_float(result.bounds_in(unit).exact),
            "unit": unit,
            "baseline": _to_float(series.baseline.bounds_in(unit).exact) if series.baseline else NAN,
            "baseline_grade": at_baseline,
            "ref_low": _to_float(_scaled(result.ref_low, result.factor_to(unit) or Fraction(1))),
            "ref_high": _to_float(_scaled(result.ref_high, result.factor_to(unit) or Fraction(1))),
            "rule_version": term.version,
            # What is graded without a baseline because it is the baseline lacks nothing.
            "reason": "; ".join(
                [
                    *(r for r in graded.reasons if not (is_start and r == "BASELINE_MISSING")),
                    *_name_other_visit(base, term, expected),
                ]
            ),
        }


def _choose_unit(term: Term, result: Result) -> str:
    """Return the unit in which all values of a test stand: that of the limits, else the canonical one."""
    wanted = (term.unit, TEST_UNITS.get(term.test, ""))
    return next((unit for unit in wanted if unit and result.factor_to(unit)), result.unit)


def _name_other_visit(base: Result | None, term: Term, expected: str) -> list[str]:
    """Say that a baseline on which the grade depends is not of the visit of which it is expected."""
    if base is None or not term.uses_baseline or not expected or base.visit == expected:
        return []
    return [f"MISSING labs.csv {expected} {term.test} (baseline of {base.visit})"]


def _to_float(value: Fraction | None) -> float:
    return NAN if value is None else float(value)


def _grade(result: Result, term: Term, base: Result | None, chart: Chart) -> Grade:
    if not result.reading.is_valid:
        return Grade(grade=None, reasons=(_name_status(result.reading.status),))
    unit = term.unit or result.unit
    factor = result.factor_to(unit)
    if factor is None or not result.unit:
        return Grade(grade=None, reasons=("UNKNOWN_UNIT",))
    return grade_value(
        term,
        GradedValue(
            value=result.bounds_in(unit),
            lln=_scaled(result.ref_low, factor),
            uln=_scaled(result.ref_high, factor),
            base=base.bounds_in(unit).exact if base else None,
            is_baseline_high=base is not None and _is_high(base, result),
            is_on_anticoagulant=_is_on_anticoagulant(chart, result),
        ),
    )


def _name_status(status: Status) -> str:
    return "NO_VALUE" if status is Status.MISSING else f"VALUE_{status.value.upper()}"


def _scaled(limit: Fraction | None, factor: Fraction) -> Fraction | None:
    return None if limit is None else limit * factor


def _is_high(base: Result, result: Result) -> bool:
    """Tell whether a baseline was above its own upper limit, else above that of the later result."""
    if base.ref_high is not None:
        value, limit = base.bounds_in(base.unit).exact, base.ref_high
    elif result.ref_high is not None:
        value, limit = base.bounds_in(result.unit).exact, result.ref_high
    else:
        return False
    return value is not None and value > limit


def _is_on_anticoagulant(chart: Chart, result: Result) -> bool:
    """Tell whether anticoagulation was attested on or before the draw; it is never assumed."""
    attested = [a for a in chart.answers.get(ANTICOAGULANT, ()) if a.date <= result.date]
    return bool(attested) and attested[-1].truth.value == "yes"
