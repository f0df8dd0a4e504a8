"""Complete, partial and overall renal response by named definitions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from types import MappingProxyType
from typing import Final

from corelab.clinical.bounds import UNBOUNDED, Bounds, compare, show, show_number
from corelab.clinical.finding import Finding
from corelab.clinical.logic import Truth, claim, join_all, join_any, negate
from corelab.clinical.ruleset import parse_limit, read_rule_file
from corelab.errors import ConfigError

MEASURES: Final = ("proteinuria", "proteinuria/baseline", "egfr", "egfr/baseline", "uacr")
_CONDITION: Final = re.compile(
    r"(?P<measure>[a-z]+(?:/baseline)?) (?P<relation>[<>]=?) (?P<limit>[\d.]+)(?:/(?P<divisor>[\d.]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One comparison of a measure with a limit."""

    measure: str
    relation: str
    limit: Fraction


Conjunction = tuple[tuple[Condition, ...], ...]
"""Conditions that must all hold, each a choice of alternatives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What counts as complete and as partial response, and the version of the rules that say so."""

    name: str
    version: str
    complete: Conjunction
    partial: Conjunction
    baseline: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class RenalCourse:
    """Kidney measures of a visit and of baseline; unbounded where not known.

    ``proteinuria`` and ``baseline_proteinuria`` are of one test (g/g, or g in 24 h). ``is_rescued`` tells
    whether rescue therapy or a second infusion came first; ``missing`` names what lacks, by measure.
    """

    proteinuria: Bounds = UNBOUNDED
    baseline_proteinuria: Bounds = UNBOUNDED
    proteinuria_ratio: Bounds = UNBOUNDED
    egfr: Bounds = UNBOUNDED
    egfr_ratio: Bounds = UNBOUNDED
    uacr: Bounds = UNBOUNDED
    is_rescued: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)

    def measure(self, name: str) -> Bounds:
        """Return a measure by its name in a definition."""
        return {
            "proteinuria": self.proteinuria,
            "proteinuria/baseline": self.proteinuria_ratio,
            "egfr": self.egfr,
            "egfr/baseline": self.egfr_ratio,
            "uacr": self.uacr,
        }[name]


@cache
def read_definitions(name: str) -> Mapping[str, Definition]:
    """Return the definitions of a rule file by their names.

    Raises
    ------
    ConfigError
        If there is no such file or a condition cannot be read.
    """
    raw = read_rule_file(name)
    baseline = parse_condition(f"proteinuria {raw['baseline_proteinuria']}", place=name)
    return MappingProxyType(
        {
            key: Definition(
                name=key,
                version=str(raw["version"]),
                complete=_parse_all(rule["complete"], key),
                partial=_parse_all(rule["partial"], key),
                baseline=baseline,
            )
            for key, rule in raw["definitions"].items()
        }
    )


def _parse_all(lines: list[str], place: str) -> Conjunction:
    return tuple(tuple(parse_condition(text, place=place) for text in line.split(" or ")) for line in lines)


def parse_condition(text: str, *, place: str) -> Condition:
    """Read one comparison.

    Raises
    ------
    ConfigError
        If it is not of the known form or names no measure.

    Examples
    --------
    >>> parse_condition("proteinuria < 50/113.12", place="SHARE_child").limit
    Fraction(625, 1414)
    """
    match = _CONDITION.fullmatch(text)
    if match is None or match["measure"] not in MEASURES:
        raise ConfigError(f"condition {text!r} cannot be read", place=place, expected="such as 'egfr >= 90'")
    limit = parse_limit(match["limit"], place=place) / parse_limit(match["divisor"] or 1, place=place)
    return Condition(measure=match["measure"], relation=match["relation"], limit=limit)


def judge_response(definition: Definition, course: RenalCourse) -> dict[str, Finding]:
    """Judge ``CRR``, ``PRR`` and ``ORR`` of one visit.

    Notes
    -----
    Partial response needs that the response is not complete; overall needs either, so that it may be known
    where it is open which of the two it is. A baseline that is not above the floor makes all three not
    evaluable; one that is not known leaves only failures.
    """
    baseline = _judge_baseline(definition, course)
    no_rescue = claim(not course.is_rescued)
    complete = join_all([_join(definition.complete, course), no_rescue])
    partly = join_all([_join(definition.partial, course), no_rescue])
    truths = {
        "CRR": complete,
        "PRR": join_all([negate(complete), partly]),
        "ORR": join_any([complete, partly]),
    }
    return {
        endpoint: replace(
            _conclude(join_all([truth, baseline]), truth, definition, course),
            value=describe_course(course),
            threshold=describe_endpoint(definition, endpoint),
        )
        for endpoint, truth in truths.items()
    }


def describe_course(course: RenalCourse) -> str:
    """Write the measures that are known, each by its name in a definition.

    Examples
    --------
    >>> describe_course(RenalCourse(proteinuria=Bounds(low=Fraction("0.9"), high=Fraction("0.9"))))
    'proteinuria 0.9'
    """
    known = {name: show(course.measure(name)) for name in MEASURES}
    return ", ".join(f"{name} {text}" for name, text in known.items() if text)


def describe_endpoint(definition: Definition, endpoint: str) -> str:
    """Write the conditions of an endpoint."""
    complete, partial = _describe(definition.complete), _describe(definition.partial)
    return {"CRR": complete, "PRR": f"{partial} and not CRR", "ORR": f"({complete}) or ({partial})"}[endpoint]


def _describe(conjunction: Conjunction) -> str:
    lines = [
        " or ".join(f"{c.measure} {c.relation} {show_number(c.limit)}" for c in line) for line in conjunction
    ]
    return " and ".join(f"({line})" if " or " in line else line for line in lines)


def _judge_baseline(definition: Definition, course: RenalCourse) -> Truth:
    condition = definition.baseline
    return compare(course.baseline_proteinuria, condition.relation, condition.limit)


def _conclude(joined: Truth, truth: Truth, definition: Definition, course: RenalCourse) -> Finding:
    if _judge_baseline(definition, course) is Truth.NO:
        return Finding(truth=Truth.UNKNOWN, reasons=("BASELINE_PROTEINURIA_LOW",))
    if course.is_rescued and joined is Truth.NO:
        return Finding(truth=joined, reasons=("RESCUE",))
    if joined is not Truth.UNKNOWN:
        return Finding(truth=joined)
    reasons = _name_open(definition, course) if truth is Truth.UNKNOWN else []
    if _judge_baseline(definition, course) is Truth.UNKNOWN:
        reasons.append(course.missing.get("baseline_proteinuria", "CENSORED_ACROSS_LIMIT"))
    return Finding(truth=joined, reasons=tuple(dict.fromkeys(reasons)))


def _name_open(definition: Definition, course: RenalCourse) -> list[str]:
    conditions = [c for line in (*definition.complete, *definition.partial) for c in line]
    return [
        course.missing.get(condition.measure, "CENSORED_ACROSS_LIMIT")
        for condition in conditions
        if _judge(condition, course) is Truth.UNKNOWN
    ]


def _join(conjunction: Conjunction, course: RenalCourse) -> Truth:
    return join_all(join_any(_judge(condition, course) for condition in line) for line in conjunction)


def _judge(condition: Condition, course: RenalCourse) -> Truth:
    return compare(course.measure(condition.measure), condition.relation, condition.limit)
