"""The published CTCAE table read as it stands: its own conditions, evaluated case by case.

The table writes each grade as an R expression (``signif(AVAL, signif_dig) > signif(3*ANRHI, signif_dig)``).
They are few in form, and are read here without any code of ours, in exact fractions: a missing value makes a
comparison NA, ``FALSE & NA`` is false, and a condition that is NA does not hold.
"""

import json
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

Values = Mapping[str, Fraction | None]
HIGH = "HIGH"
_RELATIONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
_OUTCOME = re.compile(r'(.+?)~\s*("(\d)"|NA_character_)\s*,?\s*')


@dataclass(frozen=True)
class PublishedTerm:
    """One row of the table."""

    term: str
    direction: str
    raw: Mapping[str, str]

    @cached_property
    def cases(self) -> list[tuple[list[str], int | None]]:
        """Conditions in the order in which they are tried, each a list of conjuncts, with their grade."""
        found = []
        for key in ("GRADE_NA_CODE", "GRADE_4_CODE", "GRADE_3_CODE", "GRADE_2_CODE", "GRADE_1_CODE"):
            for condition, _, grade in _OUTCOME.findall(self.raw.get(key, "")):
                number = int(grade) if grade else None
                found += [(alternative.split("&"), number) for alternative in condition.split("|")]
        return found

    @property
    def numbers(self) -> set[Fraction]:
        """Every number in the conditions: limits, or factors of a reference."""
        texts = " ".join(" ".join(conjuncts) for conjuncts, _ in self.cases)
        return {Fraction(text) for text in re.findall(r"(?<![A-Za-z_\d.])\d+(?:\.\d+)?", texts)}

    def grade(self, values: Values, *, baseline: str) -> int | None:
        """Return the grade, 0 where no condition holds, None where it is NA."""
        for conjuncts, grade in self.cases:
            if all(_holds(text.strip(), values, baseline) for text in conjuncts):
                return grade
        return 0


def read_published(path: Path) -> dict[tuple[str, str], PublishedTerm]:
    """Read the table by term and direction."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    directions = {"L": "low", "H": "high"}
    terms = [PublishedTerm(row["TERM"], directions[row["DIRECTION"]], row) for row in rows]
    return {(term.term, term.direction): term for term in terms}


def _holds(text: str, values: Values, baseline: str) -> bool:
    if text.startswith("!"):
        inner = text[1:].strip()
        return not _holds(inner[1:-1] if inner.startswith("(") else inner, values, baseline)
    if match := re.fullmatch(r"is\.na\((\w+)\)", text):
        return values[match[1]] is None
    if text == "BNRIND %in% high_indicator":
        return baseline == HIGH
    left, relation, right = re.split(r"(<=|>=|<|>)", text)
    pair = _compute(left, values), _compute(right, values)
    return None not in pair and bool(_RELATIONS[relation](*pair))


def _compute(text: str, values: Values) -> Any:
    """Evaluate ``signif(1.5*ANRHI, signif_dig)``, a sum inside it, a name or a number."""
    inner = text.strip().removeprefix("signif(").removesuffix(", signif_dig)")
    total = Fraction(0)
    for summand in inner.split(" + "):
        product = Fraction(1)
        for factor in summand.split("*"):
            value = values[factor.strip()] if factor.strip() in values else Fraction(factor.strip())
            if value is None:
                return None
            product *= value
        total += product
    return total
