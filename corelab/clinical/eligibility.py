"""Eligibility: every criterion of the protocol judged by its rule.

A criterion's rule is data; its ``kind`` says which of the functions here judges it. Nothing is inferred:
what is not delivered is not evaluable, and an exception counts only where an investigator attested it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from corelab.clinical import infection
from corelab.clinical.bounds import compare, show, show_number
from corelab.clinical.disease_criteria import judge_biopsy, judge_cd19, judge_sledai
from corelab.clinical.evidence import Evidence, Result
from corelab.clinical.filtration import compute_filtration, find_age
from corelab.clinical.finding import Finding, missing, remark, require_all, unknown
from corelab.clinical.laboratory_criteria import (
    describe_limit,
    judge_against,
    judge_attested,
    judge_laboratory,
    use_exception,
)
from corelab.clinical.logic import Truth, claim, join_all
from corelab.clinical.reading import read_value
from corelab.clinical.ruleset import Rule, RuleSet, parse_limit

OVERALL: Final = "OVERALL"
UNTITRED: Final = "NOT_A_TITRE"
SMALLEST_TITRE: Final = 10
"""A plain number below this is an index of an immunoassay and no reciprocal titre."""


def judge_all(evidence: Evidence, rules: RuleSet) -> dict[str, Finding]:
    """Judge every criterion, in the order of the rules.

    Raises
    ------
    ConfigError
        If a limit of a rule is no exact number.
    """
    return {key: JUDGES[rule["kind"]](evidence, rule) for key, rule in rules.rules.items()}


def join_overall(findings: Mapping[str, Finding]) -> Finding:
    """Join the criteria: eligible if every inclusion is met and no exclusion applies.

    The truth is ``yes`` for eligible, ``no`` for ineligible, ``unknown`` for pending.
    """
    passes = {key: claim_passed(key, finding.truth) for key, finding in findings.items()}
    overall = join_all(passes.values())
    deciding = tuple(key for key, truth in passes.items() if truth is overall and overall is not Truth.YES)
    return Finding(truth=overall, reasons=(", ".join(deciding),) if deciding else ())


def claim_passed(criterion: str, truth: Truth) -> Truth:
    """Return whether a criterion lets the child pass: an exclusion does where it does not apply."""
    if not criterion.startswith("E"):
        return truth
    return {Truth.YES: Truth.NO, Truth.NO: Truth.YES, Truth.UNKNOWN: Truth.UNKNOWN}[truth]


def _judge_age(evidence: Evidence, rule: Rule) -> Finding:
    lowest, highest = (parse_limit(rule[key], place=rule["id"]) for key in ("lowest", "highest"))
    threshold = f"{show_number(lowest)} to {show_number(highest)}"
    person = evidence.person
    if person.birth_date is not None and person.anchor is None and person.age_years is None:
        return unknown(missing("subjects.csv", "", "consent_date"), threshold=threshold)
    age = find_age(person, person.anchor) if person.anchor else person.age_years
    if age is None:
        return unknown(missing("subjects.csv", "", "birth_date or age_years"), threshold=threshold)
    if age < 0:
        return unknown("BIRTH_AFTER_CONSENT", threshold=threshold)
    years = Fraction(age.numerator // age.denominator)
    return Finding(
        truth=claim(lowest <= years <= highest),
        value=show_number(years),
        unit="a",
        threshold=threshold,
        sources=(person.source_id,) if person.source_id else (),
    )


def _judge_egfr(evidence: Evidence, rule: Rule) -> Finding:
    limit = parse_limit(rule["limit"], place=rule["id"])
    threshold = describe_limit(rule["relation"], limit)
    creatinine = evidence.latest("CREAT", "mg/dL")
    if creatinine is None:
        reason = missing("labs.csv", "SCR", "CREAT")
        return unknown(reason, evidence.find_unusable("CREAT"), threshold=threshold)
    filtration = compute_filtration(creatinine, evidence.heights, evidence.person, rule=rule)
    finding = replace(
        judge_against(filtration.bounds, rule["relation"], limit),
        value=show(filtration.bounds),
        unit="mL/min/1.73m2",
        threshold=threshold,
        sources=tuple(s for s in (creatinine.source_id, filtration.derivation) if s),
    )
    finding = replace(finding, reasons=(filtration.reason,)) if filtration.reason else finding
    return use_exception(finding, evidence, rule)


def _judge_titre(evidence: Evidence, rule: Rule) -> Finding:
    limit = parse_limit(rule["limit"], place=rule["id"])
    threshold = f"{rule['relation']}1:{show_number(limit)}"
    result = evidence.latest(rule["test"])
    if result is None:
        reason = missing("labs.csv", "SCR", rule["test"])
        return unknown(reason, evidence.find_unusable(rule["test"]), threshold=threshold)
    if not _is_titre(result):
        return replace(unknown(UNTITRED, threshold=threshold), sources=(result.source_id,))
    finding = judge_against(result.reading.bounds, rule["relation"], limit)
    shown = _show_titre(show(result.reading.bounds))
    return replace(finding, value=shown, unit="titre", threshold=threshold, sources=(result.source_id,))


def _is_titre(result: Result) -> bool:
    if result.reading.is_titre:
        return True
    ends = [end for end in (result.reading.bounds.low, result.reading.bounds.high) if end]
    is_whole = bool(ends) and all(end.denominator == 1 and end >= SMALLEST_TITRE for end in ends)
    return is_whole and result.unit in ("titre", "1")


def _show_titre(text: str) -> str:
    digits = text.lstrip("<>=")
    return f"{text[: len(text) - len(digits)]}1:{digits}"


def _judge_score(evidence: Evidence, rule: Rule) -> Finding:
    limit, highest = (parse_limit(rule[key], place=rule["id"]) for key in ("limit", "highest"))
    threshold = describe_limit(rule["relation"], limit)
    answer = evidence.answers.get((rule["instrument"], rule["item"]))
    if answer is None:
        return unknown(missing("assessments.csv", "SCR", rule["instrument"]), threshold=threshold)
    score = read_value(answer.text).bounds.exact
    if score is None or score.denominator != 1 or score > highest:
        return replace(unknown("UNREADABLE", threshold=threshold), sources=(answer.source_id,))
    truth = compare(read_value(answer.text).bounds, rule["relation"], limit)
    return Finding(
        truth=truth, value=show_number(score), unit="score", threshold=threshold, sources=(answer.source_id,)
    )


def _judge_infection(evidence: Evidence, rule: Rule) -> Finding:
    finding = infection.judge_infection(evidence, rule)
    return remark(finding, "ATTESTED_E06_IGNORED" if evidence.attested("E06") else "")


def _judge_laboratory_with_attestation(evidence: Evidence, rule: Rule) -> Finding:
    finding = judge_laboratory(evidence, rule)
    if "attested" not in rule:
        return finding
    return require_all(finding, [replace(judge_attested(evidence, {"item": rule["attested"]}), value="")])


JUDGES: Final[Mapping[str, Callable[[Evidence, Rule], Finding]]] = MappingProxyType(
    {
        "age": _judge_age,
        "attested": judge_attested,
        "biopsy": judge_biopsy,
        "sledai": judge_sledai,
        "laboratory": _judge_laboratory_with_attestation,
        "cd19": judge_cd19,
        "egfr": _judge_egfr,
        "titre": _judge_titre,
        "score": _judge_score,
        "infection": _judge_infection,
    }
)
"""How a criterion is judged, by the kind that its rule names."""
