"""`responses`: renal response and SRI-4 at every efficacy visit that is due, as observed."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.clinical.evidence import Answer, Result
from corelab.clinical.finding import Finding, remark
from corelab.clinical.logic import Truth
from corelab.clinical.renal_response import Definition, judge_response, read_definitions
from corelab.clinical.sri import judge_sri4, read_sri_rule
from corelab.errors import ConfigError
from corelab.study.model import Study
from corelab.study.schedule import compute_study_day
from corelab.tables.clock import Clocks, SubjectClock, parse_moment
from corelab.tables.efficacy_visits import (
    Departure,
    DueVisit,
    find_departure,
    find_second_infusion,
    list_due_efficacy_visits,
)
from corelab.tables.evidence import Chart
from corelab.tables.kidney import Kidney, build_course, read_baseline_protein, read_kidney
from corelab.tables.kidney import name_substitutes as kidney_substitutes
from corelab.tables.lupus_activity import Assessed, list_affected, name_missing, read_activity
from corelab.tables.lupus_activity import name_substitutes as activity_substitutes

STATES: Final = {Truth.YES: "responder", Truth.NO: "non_responder", Truth.UNKNOWN: "not_evaluable"}
SRI_DEFINITION: Final = "SRI-4"
RESCUE: Final = "rescue"
COLUMNS: Final = [
    "subject_id", "arm", "visit", "visit_label", "study_day", "collected_at", "endpoint", "definition",
    "state", "reason", "value", "threshold", "rule_version", "evidence",
    "evidence_at",
]  # fmt: skip
Row = Result | Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Child:
    """A child with its baseline and what ended its observation."""

    chart: Chart
    clock: SubjectClock
    kidney: Kidney
    protein: Mapping[str, Result]
    activity: Assessed
    departure: Departure | None
    rescued_on: dt.date | None


def derive_responses(charts: Mapping[str, Chart], *, clocks: Clocks) -> pd.DataFrame:
    """Judge every infused child at its due efficacy visits by every definition of the study.

    Notes
    -----
    Baseline is the last sound value before lymphodepletion, never of D0. States are as observed: what was
    not observed, because it is missing or the child had left, is not evaluable; imputation is the summary's.

    Raises
    ------
    ConfigError
        If a definition of the study is unknown.
    """
    definitions = choose_definitions(clocks.study)
    rows: list[dict[str, Any]] = []
    for subject, chart in sorted(charts.items()):
        clock = clocks.subjects.get(subject)
        if clock is None or clock.infusion is None:
            continue
        child = _read_child(chart, clock, clocks.study)
        for due in list_due_efficacy_visits(clock.infusion.date(), child.departure, clocks=clocks):
            common = {"subject_id": subject, "arm": clock.arm, "visit": due.code, "visit_label": due.code}
            rows += [{**common, **row} for row in _judge_visit(child, due, definitions, clocks.study)]
    return pd.DataFrame(rows, columns=COLUMNS)


def choose_definitions(study: Study) -> list[Definition]:
    """Return the study's definitions, the primary one first.

    Raises
    ------
    ConfigError
        If one is not in the rule file.
    """
    settings = study.settings["responses"]
    known = read_definitions(settings["definitions"])
    names = [settings["primary"], *settings["sensitivity"]]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f"response definition {', '.join(unknown)} is unknown", expected=f"one of {', '.join(known)}"
        )
    return [known[name] for name in names]


def _read_child(chart: Chart, clock: SubjectClock, study: Study) -> _Child:
    belongs = _before_treatment(clock, study.settings["responses"]["baseline_visits"])
    return _Child(
        chart=chart,
        clock=clock,
        kidney=read_kidney(chart, belongs, rule=_filtration_rule(study)),
        protein=read_baseline_protein(chart, belongs),
        activity=read_activity(chart, belongs),
        departure=find_departure(chart.answers),
        rescued_on=find_rescue(chart, clock),
    )


def find_rescue(chart: Chart, clock: SubjectClock) -> dt.date | None:
    """Return the date of the first rescue therapy or second infusion after the infusion."""
    rescues = [exposure.start for exposure in chart.exposures if exposure.drug == RESCUE]
    infusion = clock.infusion.date() if clock.infusion else dt.date.max
    second = find_second_infusion(chart.answers)
    ends = [date for date in (*rescues, second) if date is not None and date >= infusion]
    return min(ends, default=None)


def find_rescues(charts: Mapping[str, Chart], *, clocks: Clocks) -> dict[str, dt.date]:
    """Return that date for every child that has one."""
    found = {
        subject: find_rescue(chart, clocks.subjects[subject])
        for subject, chart in charts.items()
        if subject in clocks.subjects
    }
    return {subject: date for subject, date in found.items() if date is not None}


def _filtration_rule(study: Study) -> dict[str, Any]:
    settings = study.settings["egfr"]
    return {**settings, "factors": [{"factor": str(settings["factor"])}]}


def _before_treatment(clock: SubjectClock, visits: Sequence[str]) -> Callable[[Row], bool]:
    """Return whether a row can be a baseline: before lymphodepletion, never of D0.

    A row of visit LD on the very date of lymphodepletion counts as before it. Without that date the rows of
    the named visits are taken, so that the last of them stands.
    """

    def belongs(row: Row) -> bool:
        if row.visit == "D0":
            return False
        start = clock.lymphodepletion
        if start is None:
            return row.visit in visits
        moment = dt.datetime.fromisoformat(row.collected_at)
        return moment < start or (row.visit == "LD" and row.date == start.date())

    return belongs


def _judge_visit(
    child: _Child, due: DueVisit, definitions: Sequence[Definition], study: Study
) -> Iterator[dict[str, Any]]:
    kidney = read_kidney(child.chart, lambda row: row.visit == due.code, rule=_filtration_rule(study))
    activity = read_activity(child.chart, lambda row: row.visit == due.code)
    seen: list[Row] = [*kidney.sources, *activity.sources]
    last = max(seen, key=lambda row: (row.date, row.collected_at), default=None)
    is_rescued = _is_rescued(child, last.date if last else due.closes)
    when = _place(last.collected_at if last else "", child.clock, study)
    gone = _explain_absence(child.departure, due) if last is None else ""
    course = build_course(kidney, child.kidney, child.protein, code=due.code, is_rescued=is_rescued)
    renal = _cite(child.kidney.sources, kidney.sources)
    remarks = kidney_substitutes(
        kidney, child.kidney, child.protein, code=due.code, renal_visits=_list_expected(study, "renal")
    )
    for definition in definitions:
        place = {**when, "definition": definition.name, "rule_version": definition.version, **renal}
        for endpoint, finding in judge_response(definition, course).items():
            yield {**place, "endpoint": endpoint, **_tabulate(remark(finding, *remarks), gone)}
    rule = read_sri_rule(study.settings["responses"]["definitions"])
    findings = judge_sri4(
        child.activity.activity,
        activity.activity,
        rule=rule,
        is_rescued=is_rescued,
        missing=name_missing(activity, child.activity, due.code),
        earlier=list_affected(child.chart, last.date) if last else {},
    )
    scores = _cite(child.activity.leading, activity.leading)
    place = {**when, "definition": SRI_DEFINITION, "rule_version": rule.version, **scores}
    replaced = activity_substitutes(child.activity, next(iter(_list_expected(study, "scores")), ""))
    for endpoint, finding in findings.items():
        named = replaced.values() if endpoint == "SRI4" else [replaced.get(endpoint, "")]
        yield {**place, "endpoint": endpoint, **_tabulate(remark(finding, *dict.fromkeys(named)), gone)}


def _list_expected(study: Study, what: str) -> list[str]:
    """Return the visits at which something is expected, that of the baseline first; none without it there."""
    first = study.settings["responses"]["baseline_visits"][0]
    expected = [visit.code for visit in study.visits if what in visit.expects]
    return sorted(expected, key=lambda code: code != first) if first in expected else []


def _cite(*parts: Sequence[Row]) -> dict[str, str]:
    """Name the rows and their times: two deliveries may each have a file and row of one name."""
    rows = [row for part in parts for row in part]
    return {
        "evidence": "; ".join(dict.fromkeys(row.source_id for row in rows)),
        "evidence_at": "; ".join(sorted({row.collected_at for row in rows})),
    }


def _is_rescued(child: _Child, on: dt.date | None) -> bool:
    return child.rescued_on is not None and (on is None or child.rescued_on <= on)


def _explain_absence(departure: Departure | None, due: DueVisit) -> str:
    """Say that a child had left before a visit of which nothing was seen."""
    if departure is None:
        return ""
    had_left = due.closes is None or departure.date <= due.closes
    return departure.reason if had_left else ""


def _place(collected_at: str, clock: SubjectClock, study: Study) -> dict[str, Any]:
    moment = parse_moment(collected_at, study)
    day = compute_study_day(moment, clock.infusion, study=study) if moment and clock.infusion else None
    return {"collected_at": collected_at, "study_day": day}


def _tabulate(finding: Finding, gone: str) -> dict[str, str]:
    is_open = finding.truth is Truth.UNKNOWN
    reasons = [gone] if is_open and gone else list(finding.reasons)
    return {
        "state": STATES[finding.truth],
        "reason": "; ".join(reason for reason in reasons if reason),
        "value": finding.value,
        "threshold": finding.threshold,
    }
