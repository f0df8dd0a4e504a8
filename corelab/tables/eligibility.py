"""`eligibility`: every criterion of every child, and the verdict that they give."""

from collections.abc import Iterator
from typing import Any, Final

import pandas as pd

from corelab.clinical.bounds import read_number
from corelab.clinical.eligibility import OVERALL, join_overall, judge_all
from corelab.clinical.evidence import Cd19Call, Evidence
from corelab.clinical.finding import Finding
from corelab.clinical.logic import Truth
from corelab.clinical.ruleset import RuleSet, build_versions, choose_version
from corelab.study.model import Study
from corelab.tables.clock import Clocks
from corelab.tables.evidence import SCREENING, Chart, group_by_draw, list_biopsies

STATES: Final = {Truth.YES: "met", Truth.NO: "not_met", Truth.UNKNOWN: "not_evaluable"}
OVERALL_STATES: Final = {Truth.YES: "eligible", Truth.NO: "ineligible", Truth.UNKNOWN: "pending"}
COLUMNS: Final = [
    "subject_id", "arm", "criterion", "state", "value", "unit", "threshold", "reason", "exception_used",
    "rule_version", "evidence",
]  # fmt: skip


def read_versions(study: Study) -> tuple[RuleSet, ...]:
    """Return the versions of the criteria that the study names.

    Raises
    ------
    ConfigError
        If a version cannot be built.
    """
    settings = study.settings["eligibility"]
    return build_versions(settings["rules"], settings["amendments"])


def derive_eligibility(
    charts: dict[str, Chart], cd19_status: pd.DataFrame, *, clocks: Clocks
) -> pd.DataFrame:
    """Judge every child by the version of the criteria that held at its consent.

    Values of visit SCR are used, of several the latest valid one; later visits do not flip a verdict.

    Raises
    ------
    ConfigError
        If the rules that the study names cannot be read.
    """
    versions = read_versions(clocks.study)
    rule = _describe_cd19(clocks.study)
    calls = {row.subject_id: _build_call(row, rule) for row in cd19_status.itertuples(index=False)}
    rows: list[dict[str, Any]] = []
    for subject, chart in sorted(charts.items()):
        clock = clocks.subjects.get(subject)
        common = {"subject_id": subject, "arm": clock.arm if clock else ""}
        rules = choose_version(versions, chart.person.anchor)
        rows += [{**common, **row} for row in _judge(build_evidence(chart, calls.get(subject)), rules)]
    return pd.DataFrame(rows, columns=COLUMNS)


def build_evidence(chart: Chart, cd19: Cd19Call | None) -> Evidence:
    """Take from a chart what belongs to screening."""
    results = {
        test: tuple(result for result in found if result.visit == SCREENING)
        for test, found in chart.results.items()
    }
    answers = {
        key: screening[-1]
        for key, found in chart.answers.items()
        if (screening := [answer for answer in found if answer.visit == SCREENING])
    }
    sledai = [
        draw for draw in group_by_draw(chart, "SLEDAI-2K") if next(iter(draw.values())).visit == SCREENING
    ]
    return Evidence(
        person=chart.person,
        results=results,
        answers=answers,
        sledai=sledai,
        biopsies=list_biopsies(chart),
        exposures=chart.exposures,
        heights=chart.heights,
        cd19=cd19,
    )


def _describe_cd19(study: Study) -> str:
    settings = study.settings["cd19"]
    cutoff, fewest = settings["cutoff_percent"], settings["minimum_b_reference"]
    return f"95 % interval >={cutoff:g} of at least {fewest} B cells"


def _build_call(row: Any, rule: str) -> Cd19Call:
    return Cd19Call(call=row.call, percent=read_number(row.percent_cd19), reason=row.reason, rule=rule)


def _judge(evidence: Evidence, rules: RuleSet) -> Iterator[dict[str, str]]:
    findings = judge_all(evidence, rules)
    for criterion, finding in findings.items():
        yield _tabulate(criterion, finding, STATES[finding.truth], rules.version)
    overall = join_overall(findings)
    yield _tabulate(OVERALL, overall, OVERALL_STATES[overall.truth], rules.version)


def _tabulate(criterion: str, finding: Finding, state: str, version: str) -> dict[str, str]:
    return {
        "criterion": criterion, "state": state, "value": finding.value, "unit": finding.unit,
        "threshold": finding.threshold, "reason": "; ".join(filter(None, finding.reasons)),
        "exception_used": finding.exception_used, "rule_version": version,
        "evidence": "; ".join(finding.sources),
    }  # fmt: skip
