"""Criteria that compare one laboratory result with a limit, and what the investigator attests."""

import datetime as dt
from dataclasses import replace
from fractions import Fraction

from corelab.clinical.bounds import Bounds, compare, show, show_number
from corelab.clinical.evidence import Answer, Evidence, Result, given_within
from corelab.clinical.finding import Finding, missing, remark, require_all, unknown
from corelab.clinical.laboratory import TEST_UNITS
from corelab.clinical.logic import Truth
from corelab.clinical.ruleset import Rule, parse_limit

_REFERENCE_NAMES = {"ref_high": "ULN", "ref_low": "LLN"}
UNSIGNED = "attester not stated"


def judge_laboratory(evidence: Evidence, rule: Rule) -> Finding:
    """Judge the latest valid screening result of a test against the rule's limit and exception."""
    result = _find_result(evidence, rule)
    limit = parse_limit(rule["limit"], place=rule["id"])
    if result is None:
        reason = missing("labs.csv", "SCR", rule["test"])
        unusable = evidence.find_unusable(rule["test"])
        return unknown(reason, unusable, threshold=_describe(rule, limit, None))
    finding = _compare_result(result, rule, limit)
    if "washout" in rule:
        finding = require_all(finding, [_judge_washout(evidence, rule, result)])
    return use_exception(finding, evidence, rule)


def _find_result(evidence: Evidence, rule: Rule) -> Result | None:
    """Return the result to judge: a unit that cannot be the test's own is not valid."""
    return evidence.latest(rule["test"], rule.get("unit", TEST_UNITS.get(rule["test"], "")))


def _compare_result(result: Result, rule: Rule, limit: Fraction) -> Finding:
    """Compare in the rule's unit, or as a multiple of that laboratory's reference limit."""
    of = rule.get("of", "")
    reference = getattr(result, of) if of else Fraction(1)
    bounds = result.bounds_in(rule.get("unit", ""))
    shown = Finding(
        truth=Truth.UNKNOWN,
        value=show(bounds) or result.reading.word,
        unit=rule.get("unit", "") or result.unit,
        threshold=_describe(rule, limit, reference if of else None),
        sources=(result.source_id,),
    )
    if reference is None:
        return remark(shown, missing("labs.csv", "SCR", f"{rule['test']} {of}"))
    judged = judge_against(bounds, rule["relation"], limit * reference)
    return replace(shown, truth=judged.truth, reasons=judged.reasons)


def judge_against(bounds: Bounds, relation: str, limit: Fraction) -> Finding:
    """Compare an interval with a limit; one that lies on both sides of it decides nothing."""
    truth = compare(bounds, relation, limit)
    if truth is not Truth.UNKNOWN:
        return Finding(truth=truth)
    is_open = bounds.low is None and bounds.high is None
    return unknown("NO_NUMBER" if is_open else "CENSORED_ACROSS_LIMIT")


def _judge_washout(evidence: Evidence, rule: Rule, result: Result) -> Finding:
    """Tell whether a drug that lifts the value was absent before the draw; never a failure by itself."""
    washout = rule["washout"]
    first = result.date - dt.timedelta(days=int(washout["days"]))
    if given_within(evidence.exposures, washout["drugs"], (first, result.date)):
        return unknown("CSF_WITHIN_14_DAYS" if washout["days"] == 14 else "DRUG_WITHIN_WASHOUT")
    history = evidence.answers.get(("history", washout["history"]))
    if history is None:
        return unknown(missing("assessments.csv", "SCR", f"history {washout['history']}"))
    if history.truth is not Truth.YES:
        return unknown("CSF_HISTORY_UNKNOWN")
    return Finding(truth=Truth.YES, sources=(history.source_id,))


def use_exception(finding: Finding, evidence: Evidence, rule: Rule) -> Finding:
    """Apply the attested exception of a rule to a limit that is not met; it lifts or widens the limit."""
    exception = rule.get("exception")
    if exception is None or finding.truth is Truth.YES:
        return finding
    answer = evidence.attested(exception["item"])
    if answer is None:
        return remark(finding, missing("assessments.csv", "SCR", f"attestation {exception['item']}"))
    if answer.truth is not Truth.YES:
        return finding
    used = replace(
        finding,
        exception_used=f"{exception['item']}, {describe_attester(answer)}",
        sources=(*finding.sources, answer.source_id),
    )
    if "limit" not in exception:
        return replace(used, truth=Truth.YES)
    result = _find_result(evidence, rule)
    limit = parse_limit(exception["limit"], place=rule["id"])
    if result is None:
        return finding
    widened = _compare_result(result, rule, limit)
    return replace(used, truth=widened.truth, threshold=widened.threshold, reasons=widened.reasons)


def judge_attested(evidence: Evidence, rule: Rule) -> Finding:
    """Judge a criterion by the investigator's own yes or no."""
    answer = evidence.attested(rule["item"])
    if answer is None:
        reason = missing("assessments.csv", "SCR", f"attestation {rule['item']}")
        return unknown(reason, threshold="attested yes")
    finding = Finding(
        truth=answer.truth,
        value=answer.text.strip().lower(),
        threshold="attested yes",
        sources=(answer.source_id,),
        exception_used="" if answer.by.strip() else UNSIGNED,
    )
    return remark(finding, "UNREADABLE") if answer.truth is Truth.UNKNOWN else finding


def describe_attester(answer: Answer) -> str:
    """Say who attested something, when and with which comment."""
    who = f"attested by {answer.by.strip()}" if answer.by.strip() else UNSIGNED
    comment = f": {answer.comment.strip()}" if answer.comment.strip() else ""
    return f"{who}, {answer.date.isoformat()}{comment}"


def describe_limit(relation: str, limit: Fraction) -> str:
    """Write a limit as people read it."""
    return f"{relation}{show_number(limit)}"


def _describe(rule: Rule, limit: Fraction, reference: Fraction | None) -> str:
    of = rule.get("of", "")
    if not of:
        return describe_limit(rule["relation"], limit)
    text = f"{rule['relation']}{show_number(limit)} x {_REFERENCE_NAMES[of]}"
    return text if reference is None else f"{text} ({show_number(limit * reference)})"
