"""SRI-4: the SLE responder index with its components.

References
----------
Furie RA. Arthritis Rheum 2009;61:1143. Luijten KM. Autoimmun Rev 2012;11:326. Yee CS. Rheumatology
2010;49:1665 (BILAG-2004).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from types import MappingProxyType
from typing import Final

from corelab.clinical.bounds import UNBOUNDED, Bounds, compare, show, show_number, subtract
from corelab.clinical.finding import Finding, remark
from corelab.clinical.logic import Truth, claim, join_all
from corelab.clinical.ruleset import parse_limit, read_rule_file

DOMAINS: Final = (
    "constitutional", "mucocutaneous", "neuropsychiatric", "musculoskeletal", "cardiorespiratory",
    "gastrointestinal", "ophthalmic", "renal", "haematological",
)  # fmt: skip
LETTERS: Final = "ABCDE"
NOTHING_MISSING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Disease activity on one date; a score that is not known is unbounded, a letter absent."""

    sledai: Bounds = UNBOUNDED
    pga: Bounds = UNBOUNDED
    bilag: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SriRule:
    """The limits of SRI-4, each a relation and a number, with the version of the rules."""

    version: str
    sledai_fall: tuple[str, Fraction]
    pga_rise: tuple[str, Fraction]
    pga_highest: Fraction
    new_a: tuple[str, Fraction]
    new_b: tuple[str, Fraction]


@cache
def read_sri_rule(name: str) -> SriRule:
    """Return the limits of a rule file.

    Raises
    ------
    ConfigError
        If there is no such file or a limit cannot be read.
    """
    file = read_rule_file(name)
    raw = file["sri4"]
    limits = {}
    for key in ("sledai_fall", "pga_rise", "new_a", "new_b"):
        relation, number = raw[key].split(" ")
        limits[key] = (relation, parse_limit(number, place=key))
    return SriRule(
        version=str(file["version"]),
        pga_highest=parse_limit(raw["pga_highest"], place="pga_highest"),
        **limits,
    )


def judge_sri4(
    baseline: Activity,
    visit: Activity,
    *,
    rule: SriRule,
    is_rescued: bool = False,
    missing: Mapping[str, str] = NOTHING_MISSING,
    earlier: Mapping[str, str] = NOTHING_MISSING,
) -> dict[str, Finding]:
    """Judge SRI-4 and its components.

    Parameters
    ----------
    missing
        What lacks, by component, named for the reason.
    earlier
        By domain the last letter A to D of any assessment before the visit: after it E is a query.

    Returns
    -------
    findings
        ``SRI_SLEDAI``, ``SRI_PGA``, ``SRI_BILAG_A``, ``SRI_BILAG_B`` and ``SRI4``. One failed component
        decides SRI4 even where another is not known; rescue therapy fails SRI4, not its components.
    """
    new_a, new_b = count_new_letters(baseline.bilag, visit.bilag)
    findings = {
        "SRI_SLEDAI": _judge(subtract(baseline.sledai, visit.sledai), rule.sledai_fall),
        "SRI_PGA": _judge_pga(baseline.pga, visit.pga, rule),
        "SRI_BILAG_A": _judge(new_a, rule.new_a),
        "SRI_BILAG_B": _judge(new_b, rule.new_b),
    }
    findings = {key: _explain(key, finding, missing) for key, finding in findings.items()}
    queries = find_impossible_letters({**baseline.bilag, **earlier}, visit.bilag)
    for key in ("SRI_BILAG_A", "SRI_BILAG_B"):
        findings[key] = remark(findings[key], *queries)
    return {**findings, "SRI4": _join(findings, is_rescued=is_rescued)}


def _judge(value: Bounds, limit: tuple[str, Fraction]) -> Finding:
    relation, number = limit
    return Finding(
        truth=compare(value, relation, number),
        value=show(value),
        threshold=f"{relation}{show_number(number)}",
    )


def _judge_pga(baseline: Bounds, visit: Bounds, rule: SriRule) -> Finding:
    """Judge the rise on the scale from 0 to 3; another scale must be brought to it before entry."""
    if any(compare(score, ">", rule.pga_highest) is Truth.YES for score in (baseline, visit)):
        return Finding(truth=Truth.UNKNOWN, reasons=("OUT_OF_SCALE",))
    return _judge(subtract(visit, baseline), rule.pga_rise)


def _explain(key: str, finding: Finding, missing: Mapping[str, str]) -> Finding:
    if finding.truth is not Truth.UNKNOWN or finding.reasons:
        return finding
    return replace(finding, reasons=(missing.get(key, "CENSORED_ACROSS_LIMIT"),))


def _join(findings: Mapping[str, Finding], *, is_rescued: bool) -> Finding:
    truth = join_all([*(finding.truth for finding in findings.values()), claim(not is_rescued)])
    deciding = [key for key, finding in findings.items() if finding.truth is truth]
    if truth is Truth.YES:
        return Finding(truth=truth)
    if truth is Truth.NO:
        return Finding(truth=truth, reasons=(*deciding, *(("RESCUE",) if is_rescued else ())))
    open_reasons = [reason for key in deciding for reason in findings[key].reasons]
    return Finding(truth=truth, reasons=tuple(dict.fromkeys(open_reasons)))


def count_new_letters(baseline: Mapping[str, str], visit: Mapping[str, str]) -> tuple[Bounds, Bounds]:
    """Count domains that are newly A and newly B, each as the interval that missing letters leave.

    Notes
    -----
    New A: A at the visit and not A before. New B: B at the visit and C, D or E before; from A to B is an
    improvement.

    Examples
    --------
    >>> before = {"renal": "A", "mucocutaneous": "B", "haematological": "C"} | dict.fromkeys(
    ...     ("constitutional", "neuropsychiatric", "musculoskeletal", "cardiorespiratory",
    ...      "gastrointestinal", "ophthalmic"), "E")
    >>> after = before | {"renal": "B", "haematological": "B"}
    >>> [int(count.low) for count in count_new_letters(before, after)]
    [0, 1]
    """
    new_a = [_is_new("A", "BCDE", baseline.get(domain), visit.get(domain)) for domain in DOMAINS]
    new_b = [_is_new("B", "CDE", baseline.get(domain), visit.get(domain)) for domain in DOMAINS]
    return _count(new_a), _count(new_b)


def _is_new(letter: str, better: str, before: str | None, now: str | None) -> Truth:
    at_visit = Truth.UNKNOWN if now is None else claim(now == letter)
    was_better = Truth.UNKNOWN if before is None else claim(before in better)
    return join_all([at_visit, was_better])


def _count(truths: list[Truth]) -> Bounds:
    certain = truths.count(Truth.YES)
    return Bounds(low=Fraction(certain), high=Fraction(certain + truths.count(Truth.UNKNOWN)))


def find_impossible_letters(baseline: Mapping[str, str], visit: Mapping[str, str]) -> tuple[str, ...]:
    """Return a query for each domain that is E, never affected, after it was graded A to D."""
    return tuple(
        f"QUERY {domain} E after {baseline[domain]}"
        for domain in DOMAINS
        if visit.get(domain) == "E" and baseline.get(domain, "E") in "ABCD"
    )
