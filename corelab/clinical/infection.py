"""Exclusion by infection: serology, confirmed where the protocol asks for it by nucleic acid."""

from collections.abc import Mapping

from corelab.clinical.bounds import is_above, show
from corelab.clinical.evidence import Evidence, Result, given_within
from corelab.clinical.finding import Finding, missing, remark
from corelab.clinical.logic import Truth, join_all, join_any
from corelab.clinical.ruleset import Rule
from corelab.study.schedule import add_months


def judge_infection(evidence: Evidence, rule: Rule) -> Finding:
    """Judge whether any serology is positive and, where asked, the nucleic acid is above its reference.

    Notes
    -----
    Negative serology alone decides; positive serology without a nucleic acid result does not.
    """
    serology = {test: evidence.latest(test) for test in rule["any_of"]}
    positives = {test: _is_positive(result) for test, result in serology.items()}
    any_positive = join_any(positives.values())
    parts, reasons = [any_positive], _name_missing(serology, positives, evidence)
    judged = dict(serology)
    if "confirmed_by" in rule:
        test = rule["confirmed_by"]
        judged[test] = evidence.latest(test)
        parts.append(_is_positive(judged[test]))
        if any_positive is not Truth.NO:
            reasons += _name_missing({test: judged[test]}, {test: parts[-1]}, evidence)
    found = [result for result in judged.values() if result is not None]
    finding = Finding(
        truth=join_all(parts),
        value=", ".join(f"{result.test} {_show_result(result)}" for result in found),
        threshold=_describe(rule),
        reasons=tuple(reasons),
        sources=tuple(result.source_id for result in found),
    )
    return remark(finding, _warn_of_immunoglobulin(evidence, rule, serology, positives))


def _is_positive(result: Result | None) -> Truth:
    """Tell whether a finding is positive: by its word, else above its laboratory's reference limit."""
    if result is None:
        return Truth.UNKNOWN
    if result.reading.word:
        return Truth.YES if result.reading.word == "positive" else Truth.NO
    return Truth.UNKNOWN if result.ref_high is None else is_above(result.reading.bounds, result.ref_high)


def _name_missing(
    results: Mapping[str, Result | None], truths: Mapping[str, Truth], evidence: Evidence
) -> list[str]:
    reasons = []
    for test, result in results.items():
        if result is None:
            reasons += [missing("labs.csv", "SCR", test), evidence.find_unusable(test)]
        elif truths[test] is Truth.UNKNOWN:
            is_open = result.ref_high is None
            reasons.append(
                missing("labs.csv", "SCR", f"{test} ref_high") if is_open else "CENSORED_ACROSS_LIMIT"
            )
    return [reason for reason in reasons if reason]


def _show_result(result: Result) -> str:
    return result.reading.word or f"{show(result.reading.bounds)} {result.unit}"


def _describe(rule: Rule) -> str:
    text = " or ".join(rule["any_of"]) + " positive"
    return f"{text} and {rule['confirmed_by']} >ref_high" if "confirmed_by" in rule else text


def _warn_of_immunoglobulin(
    evidence: Evidence, rule: Rule, serology: Mapping[str, Result | None], positives: Mapping[str, Truth]
) -> str:
    """Warn where given immunoglobulin may have brought the antibody along."""
    months = int(rule.get("warn_ivig_months", 0))
    for test, result in serology.items():
        if result is not None and positives[test] is Truth.YES:
            span = (add_months(result.date, -months), result.date)
            if months and given_within(evidence.exposures, ["ivig"], span):
                return f"IVIG_WITHIN_{months}_MONTHS"
    return ""
