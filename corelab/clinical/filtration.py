"""Glomerular filtration in exact fractions, for comparison with a limit.

References
----------
Schwartz GJ. J Am Soc Nephrol 2009;20:629 (bedside equation); Schwartz GJ. Pediatrics 1976;58:259 (the
original equation, for creatinine by Jaffe).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from corelab.clinical.age import count_years
from corelab.clinical.bounds import UNBOUNDED, Bounds, invert, read_number, scale
from corelab.clinical.egfr import Height, choose_height
from corelab.clinical.evidence import Person, Result
from corelab.clinical.ruleset import parse_limit

OLDER_FROM: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Filtration:
    """An estimated filtration in mL/min/1.73 m2, what it was computed from, or why there is none.

    ``height_date`` is the date of the height that was used.
    """

    bounds: Bounds
    height_date: dt.date | None
    derivation: str
    reason: str


def compute_filtration(
    creatinine: Result, heights: Sequence[Height], person: Person, *, rule: Mapping[str, Any]
) -> Filtration:
    """Compute factor x height / creatinine with the height nearest in time.

    Parameters
    ----------
    creatinine
        A result that converts to mg/dL.
    rule
        ``factors`` (each with ``factor`` and the ``sex`` and ``from_age`` for which it holds; the first that
        fits is taken), ``height_months`` and ``height_months_from_16``.

    Raises
    ------
    ConfigError
        If a factor is no exact number.
    """
    age = find_age(person, creatinine.date)
    is_older = age is not None and age >= OLDER_FROM
    months = int(rule["height_months_from_16"] if is_older else rule["height_months"])
    height, reason = choose_height(heights, creatinine.date, months=months)
    centimetres = read_number(height.cm) if height else None
    if height is None or centimetres is None:
        return _undefined(*([] if reason == "NO_HEIGHT" else [reason]), "MISSING labs.csv SCR HEIGHT")
    factor = choose_factor(rule["factors"], sex=person.sex, age=age)
    if factor is None:
        return _undefined("MISSING subjects.csv sex or age")
    bounds = scale(invert(creatinine.bounds_in("mg/dL")), factor * centimetres)
    derivation = f"k {float(factor):g}, height {height.cm:g} cm of {height.date}"
    return Filtration(bounds=bounds, height_date=height.date, derivation=derivation, reason="")


def _undefined(*reasons: str) -> Filtration:
    return Filtration(bounds=UNBOUNDED, height_date=None, derivation="", reason="; ".join(reasons))


def find_age(person: Person, on: dt.date) -> Fraction | None:
    """Return completed years on a date from the birth date, else the age as delivered."""
    if person.birth_date is not None:
        return Fraction(count_years(person.birth_date, on))
    return person.age_years


def choose_factor(factors: Sequence[Mapping[str, Any]], *, sex: str, age: Fraction | None) -> Fraction | None:
    """Return the first factor that fits; None where sex or age would decide and is not known.

    Examples
    --------
    >>> original = [{"sex": "M", "from_age": 13, "factor": "0.70"}, {"factor": "0.55"}]
    >>> float(choose_factor(original, sex="M", age=Fraction(14))), choose_factor(original, sex="", age=None)
    (0.7, None)
    """
    for entry in factors:
        fits = [True]
        if "sex" in entry:
            if not sex:
                return None
            fits.append(sex == entry["sex"])
        if "from_age" in entry and all(fits):
            if age is None:
                return None
            fits.append(age >= int(entry["from_age"]))
        if all(fits):
            return parse_limit(entry["factor"], place="eGFR factor")
    return None
