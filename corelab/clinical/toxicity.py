"""Laboratory toxicity grades by CTCAE v5.0: the grade of a value, never an adverse event.

A grade's conditions are written as text, ``> 3 x ULN when baseline normal``, and read here. Any one of them
gives the grade; the highest grade that holds is taken.

References
----------
National Cancer Institute. Common Terminology Criteria for Adverse Events v5.0. 2017.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from types import MappingProxyType
from typing import Final

from corelab.clinical.bounds import Bounds, compare, is_above, is_at_least
from corelab.clinical.logic import Truth, claim, join_all, negate
from corelab.clinical.ruleset import parse_limit, read_rule_file
from corelab.errors import ConfigError

BASELINE_MISSING: Final = "BASELINE_MISSING"
WITHIN_RANGE: Final = "WITHIN_RANGE"
_CONDITIONS: Final = (
    "baseline normal", "baseline high", "below LLN", "on anticoagulant", "no anticoagulant",
)  # fmt: skip
_CLAUSE: Final = re.compile(
    r"(?P<relation>[<>]=?) (?P<number>[\d.]+)(?: x (?P<of>ULN|LLN|BASE))?(?: \+ (?P<plus>[\d.]+))?"
    rf"(?: when (?P<when>{'|'.join(_CONDITIONS)}))?(?P<strict> else unknown)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One condition: value ``relation`` ``times`` x ``of`` + ``plus``, under ``when``.

    A baseline that is missing makes the condition fail, unless it ``is_strict``: then it is unknown.
    """

    relation: str
    times: Fraction
    of: str
    plus: Fraction
    when: str
    is_strict: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term in one direction, with the conditions of each grade; ``unit`` empty for ratios alone.

    ``version`` is that of the profile.
    """

    version: str
    test: str
    term: str
    direction: str
    unit: str
    needs: tuple[str, ...]
    grades: Mapping[int, tuple[Clause, ...]]

    @property
    def uses_baseline(self) -> bool:
        """Whether any grade depends on the baseline."""
        clauses = [clause for grade in self.grades.values() for clause in grade]
        return any(clause.of == "BASE" or clause.when.startswith("baseline") for clause in clauses)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedValue:
    """A value with its references, all in one unit; None where not known.

    ``is_baseline_high`` tells whether the baseline was above its own upper limit.
    """

    value: Bounds
    lln: Fraction | None = None
    uln: Fraction | None = None
    base: Fraction | None = None
    is_baseline_high: bool = False
    is_on_anticoagulant: bool = False

    def reference(self, name: str) -> Fraction | None:
        """Return a reference by its name in a rule; 1 for an absolute limit."""
        return {"": Fraction(1), "LLN": self.lln, "ULN": self.uln, "BASE": self.base}[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """A grade from 0 to 4, None where it cannot be told, and why or what is remarkable."""

    grade: int | None
    reasons: tuple[str, ...] = ()


def parse_clause(text: str, *, place: str) -> Clause:
    """Read a condition of a grade.

    Raises
    ------
    ConfigError
        If it is not of the known form.

    Examples
    --------
    >>> clause = parse_clause("> 3 x ULN when baseline normal", place="ALT")
    >>> clause.relation, int(clause.times), clause.of, clause.when
    ('>', 3, 'ULN', 'baseline normal')
    """
    match = _CLAUSE.fullmatch(text)
    if match is None:
        raise ConfigError(f"condition {text!r} cannot be read", place=place, expected="such as '> 3 x ULN'")
    return Clause(
        relation=match["relation"],
        times=parse_limit(match["number"], place=place),
        of=match["of"] or "",
        plus=parse_limit(match["plus"] or 0, place=place),
        when=match["when"] or "",
        is_strict=match["strict"] is not None,
    )


@cache
def read_terms(profile: str) -> Mapping[str, tuple[Term, ...]]:
    """Return the terms of a grading profile by test.

    Raises
    ------
    ConfigError
        If there is no such profile or a condition cannot be read.
    """
    terms: dict[str, tuple[Term, ...]] = {}
    file = read_rule_file(f"toxicity-{profile}")
    for raw in file["terms"]:
        grades = {
            int(grade): tuple(parse_clause(text, place=raw["term"]) for text in clauses)
            for grade, clauses in raw["grades"].items()
        }
        term = Term(
            version=str(file["version"]),
            test=raw["test"],
            term=raw["term"],
            direction=raw["direction"],
            unit=raw.get("unit", ""),
            needs=tuple(raw.get("needs", ())),
            grades=MappingProxyType(dict(sorted(grades.items(), reverse=True))),
        )
        terms[term.test] = (*terms.get(term.test, ()), term)
    return MappingProxyType(terms)


def grade_value(term: Term, graded: GradedValue) -> Grade:
    """Grade a value by a term.

    Notes
    -----
    A missing reference makes the grades that need it unknown; the others still stand. A censored value whose
    interval reaches over the limit of a higher grade has no grade.

    Examples
    --------
    >>> from corelab.clinical.bounds import point
    >>> alt = read_terms("ctcae5")["ALT"][0]
    >>> liver = GradedValue(value=point(300), uln=Fraction(40), base=Fraction(90), is_baseline_high=True)
    >>> grade_value(alt, liver).grade
    2
    """
    absent = [name for name in term.needs if graded.reference(name) is None]
    if absent:
        return Grade(grade=None, reasons=tuple(f"{name}_MISSING" for name in absent))
    open_grades: list[int] = []
    for grade, clauses in term.grades.items():
        truth = _join_clauses(clauses, graded)
        if truth is Truth.YES:
            return _conclude(term, graded, grade, open_grades)
        if truth is Truth.UNKNOWN:
            open_grades.append(grade)
    return _conclude(term, graded, 0, open_grades)


def _conclude(term: Term, graded: GradedValue, grade: int, open_grades: Sequence[int]) -> Grade:
    if open_grades and graded.value.exact is None:
        return Grade(grade=None, reasons=("CENSORED_ACROSS_LIMIT", f"GRADE_{grade}_TO_{open_grades[0]}"))
    if open_grades and grade == 0:
        return Grade(grade=None, reasons=tuple(_name_missing(term, graded)))
    flags = [BASELINE_MISSING] if term.uses_baseline and graded.base is None else []
    if grade and _is_within_range(term, graded):
        flags.append(WITHIN_RANGE)
    return Grade(grade=grade, reasons=tuple(flags))


def _name_missing(term: Term, graded: GradedValue) -> list[str]:
    clauses = [clause for grade in term.grades.values() for clause in grade]
    used = {clause.of for clause in clauses} | {"LLN" for clause in clauses if clause.when == "below LLN"}
    return [
        f"{name}_MISSING" for name in ("LLN", "ULN", "BASE") if name in used and not graded.reference(name)
    ]


def _is_within_range(term: Term, graded: GradedValue) -> bool:
    if term.direction == "low":
        return graded.lln is not None and is_at_least(graded.value, graded.lln) is Truth.YES
    return graded.uln is not None and is_above(graded.value, graded.uln) is Truth.NO


def _join_clauses(clauses: Sequence[Clause], graded: GradedValue) -> Truth:
    truths = [_judge_clause(clause, graded) for clause in clauses]
    if Truth.YES in truths:
        return Truth.YES
    return Truth.UNKNOWN if Truth.UNKNOWN in truths else Truth.NO


def _judge_clause(clause: Clause, graded: GradedValue) -> Truth:
    reference = graded.reference(clause.of)
    if reference is None:
        is_open = clause.of != "BASE" or clause.is_strict
        compared = Truth.UNKNOWN if is_open else Truth.NO
    else:
        compared = compare(graded.value, clause.relation, clause.times * reference + clause.plus)
    return join_all([compared, _judge_condition(clause.when, graded)])


def _judge_condition(when: str, graded: GradedValue) -> Truth:
    if when == "below LLN":
        is_open = graded.lln is None
        return Truth.UNKNOWN if is_open else negate(is_at_least(graded.value, graded.lln or Fraction(0)))
    stands = {
        "": True,
        "baseline high": graded.is_baseline_high,
        "baseline normal": not graded.is_baseline_high,
        "on anticoagulant": graded.is_on_anticoagulant,
        "no anticoagulant": not graded.is_on_anticoagulant,
    }
    return claim(stands[when])
