"""Kidney measures of a child at baseline and at a visit, in exact fractions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from corelab.clinical.bounds import UNBOUNDED, Bounds, divide
from corelab.clinical.evidence import Result
from corelab.clinical.filtration import Filtration, compute_filtration
from corelab.clinical.renal_response import RenalCourse
from corelab.tables.evidence import Chart

PROTEIN_UNITS: Final[Mapping[str, str]] = {"PROT24H": "g/24h", "UPCR": "g/g"}
"""Tests of proteinuria, the one that wins on the same date first."""
CREATININE: Final = "CREAT"
CREATININE_UNIT: Final = "mg/dL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kidney:
    """Proteinuria by test, filtration and albumin of one visit, with the rows they come from."""

    protein: Mapping[str, Result]
    creatinine: Result | None
    filtration: Filtration | None
    albumin: Result | None

    @property
    def sources(self) -> list[Result]:
        """The results that were used, for the time of the visit."""
        used = [*self.protein.values(), self.creatinine, self.albumin]
        return [result for result in used if result is not None]


def read_kidney(chart: Chart, belongs: Callable[[Result], bool], *, rule: Mapping[str, Any]) -> Kidney:
    """Take the last valid values among the results that belong to a visit, or to the time before.

    Of proteinuria those of the last date on which any test was done are taken; filtration is that of the last
    creatinine for which there is a height.
    """
    protein = {
        test: result
        for test, unit in PROTEIN_UNITS.items()
        if (result := _last_valid(chart, test, unit, belongs)) is not None
    }
    newest = max((result.date for result in protein.values()), default=None)
    creatinine, filtration = _last_filtration(chart, belongs, rule)
    return Kidney(
        protein={test: result for test, result in protein.items() if result.date == newest},
        creatinine=creatinine,
        filtration=filtration,
        albumin=_last_valid(chart, "UACR", "mg/mmol", belongs),
    )


def _list_valid(chart: Chart, test: str, unit: str, belongs: Callable[[Result], bool]) -> list[Result]:
    return [result for result in chart.results.get(test, ()) if belongs(result) and result.is_valid(unit)]


def _last_valid(chart: Chart, test: str, unit: str, belongs: Callable[[Result], bool]) -> Result | None:
    valid = _list_valid(chart, test, unit, belongs)
    return valid[-1] if valid else None


def _last_filtration(
    chart: Chart, belongs: Callable[[Result], bool], rule: Mapping[str, Any]
) -> tuple[Result | None, Filtration | None]:
    valid = _list_valid(chart, CREATININE, CREATININE_UNIT, belongs)
    for creatinine in reversed(valid):
        filtration = compute_filtration(creatinine, chart.heights, chart.person, rule=rule)
        if not filtration.reason:
            return creatinine, filtration
    if not valid:
        return None, None
    return valid[-1], compute_filtration(valid[-1], chart.heights, chart.person, rule=rule)


def read_baseline_protein(chart: Chart, belongs: Callable[[Result], bool]) -> dict[str, Result]:
    """Return the last valid result before treatment of each test of proteinuria."""
    return {
        test: result
        for test, unit in PROTEIN_UNITS.items()
        if (result := _last_valid(chart, test, unit, belongs)) is not None
    }


def build_course(
    visit: Kidney, baseline: Kidney, baseline_protein: Mapping[str, Result], *, code: str, is_rescued: bool
) -> RenalCourse:
    """Set a visit against its baseline; like is only compared with like.

    24 h protein wins over the spot ratio of the same date where its baseline was measured as well.
    """
    test = _choose_test(list(visit.protein), list(baseline_protein))
    unit = PROTEIN_UNITS[test]
    now = visit.protein[test].bounds_in(unit) if test in visit.protein else UNBOUNDED
    before = baseline_protein[test].bounds_in(unit) if test in baseline_protein else UNBOUNDED
    egfr, egfr_before = _filtration_bounds(visit), _filtration_bounds(baseline)
    return RenalCourse(
        proteinuria=now,
        baseline_proteinuria=before,
        proteinuria_ratio=_ratio(now, before),
        egfr=egfr,
        egfr_ratio=_ratio(egfr, egfr_before),
        uacr=visit.albumin.bounds_in("mg/mmol") if visit.albumin else UNBOUNDED,
        is_rescued=is_rescued,
        missing=_name_missing(visit, baseline, "" if test in baseline_protein else test, code),
    )


def name_substitutes(
    visit: Kidney,
    baseline: Kidney,
    baseline_protein: Mapping[str, Result],
    *,
    code: str,
    renal_visits: Sequence[str],
) -> tuple[str, ...]:
    """Name what was not measured where it is expected and what stands in for it.

    Parameters
    ----------
    code
        The visit that is judged.
    renal_visits
        Visits at which kidney measures are expected, that of the baseline first.
    """
    expected = renal_visits[0] if renal_visits else ""
    found = [
        *(_name_other_visit(result, expected) for result in baseline_protein.values()),
        _name_other_visit(baseline.creatinine, expected),
        _name_other_height(baseline, renal_visits),
        _name_other_height(visit, renal_visits),
    ]
    if visit.protein:
        # A test that one side has and the other lacks cannot be compared, and another takes its place.
        found += [f"MISSING labs.csv {code} {test}" for test in baseline_protein if test not in visit.protein]
        found += [f"MISSING labs.csv baseline {t}" for t in visit.protein if t not in baseline_protein]
    return tuple(dict.fromkeys(filter(None, found)))


def _name_other_visit(result: Result | None, expected: str) -> str:
    if result is None or not expected or result.visit == expected:
        return ""
    return f"MISSING labs.csv {expected} {result.test} (baseline of {result.visit})"


def _name_other_height(kidney: Kidney, renal_visits: Sequence[str]) -> str:
    if kidney.creatinine is None or kidney.filtration is None or kidney.filtration.height_date is None:
        return ""
    date, visit = kidney.filtration.height_date, kidney.creatinine.visit
    if date == kidney.creatinine.date or visit not in renal_visits:
        return ""
    return f"MISSING labs.csv {visit} HEIGHT (height of {date})"


def _choose_test(measured: Sequence[str], before: Sequence[str]) -> str:
    paired = [test for test in measured if test in before]
    return (paired or measured or before or ["UPCR"])[0]


def _filtration_bounds(kidney: Kidney) -> Bounds:
    return kidney.filtration.bounds if kidney.filtration else UNBOUNDED


def _ratio(now: Bounds, before: Bounds) -> Bounds:
    if UNBOUNDED in (now, before):
        return UNBOUNDED
    return divide(now, before)


def _name_missing(visit: Kidney, baseline: Kidney, lacking: str, code: str) -> dict[str, str]:
    """Name by measure what lacks, at baseline (the test of proteinuria) and at the visit."""
    reasons = {
        "baseline_proteinuria": f"MISSING labs.csv baseline {lacking}" if lacking else "",
        "proteinuria": "" if visit.protein else f"MISSING labs.csv {code} UPCR",
        "uacr": "" if visit.albumin else f"MISSING labs.csv {code} UACR",
        "egfr": _explain_filtration(visit, code),
    }
    ratios = {
        "proteinuria/baseline": (reasons["baseline_proteinuria"], reasons["proteinuria"]),
        "egfr/baseline": (_explain_filtration(baseline, "baseline"), reasons["egfr"]),
    }
    joined = {name: "; ".join(filter(None, parts)) for name, parts in ratios.items()}
    return {name: reason for name, reason in {**reasons, **joined}.items() if reason}


def _explain_filtration(kidney: Kidney, code: str) -> str:
    if kidney.filtration is None:
        return f"MISSING labs.csv {code} {CREATININE}"
    return kidney.filtration.reason.replace("SCR", code)
