"""Units and the only conversions between them, as exact fractions.

Sources of the factors: contract section 4; creatinine 88.4 and 113.12 g/mol, bilirubin 584.66 g/mol and
the SI prefixes as in the trial's laboratory specification.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final

from corelab.errors import InputError

ALIASES: Final = {
    "umol/l": "umol/L", "µmol/l": "umol/L", "μmol/l": "umol/L",
    "/ul": "/uL", "/µl": "/uL", "/μl": "/uL", "/mm3": "/uL", "/mm³": "/uL", "cells/ul": "/uL",
    "10^9/l": "10^9/L", "10*9/l": "10^9/L", "g/l_count": "10^9/L",
    "10^3/ul": "10^3/uL", "10*3/ul": "10^3/uL", "10^6/l": "10^6/L", "10*6/l": "10^6/L",
    "g/l": "g/L", "g/dl": "g/dL", "mg/dl": "mg/dL", "mg/l": "mg/L",
    "ug/l": "ug/L", "µg/l": "ug/L", "μg/l": "ug/L", "ng/ml": "ng/mL", "pg/ml": "pg/mL", "fg/ml": "fg/mL",
    "u/l": "U/L", "iu/l": "U/L", "iu/ml": "IU/mL", "mmol/l": "mmol/L", "s": "s", "sec": "s",
    "g/g": "g/g", "mg/mg": "g/g", "mg/mmol": "mg/mmol", "g/24h": "g/24h", "g/24 h": "g/24h",
    "cm": "cm", "kg": "kg", "%": "%", "1": "1", "ratio": "1", "": "1", "titre": "titre", "titer": "titre",
    "copies/ug": "copies/ug", "copies/µg": "copies/ug", "score": "score", "/hpf": "/hpf", "u/ml": "U/mL",
}  # fmt: skip
"""Canonical spelling by lower-case spelling. ``G/L`` is a count, ``g/L`` a mass: told apart by case."""

_FACTORS: Final[dict[tuple[str, ...], Fraction]] = {
    ("g/dL", "g/L"): Fraction(10),
    ("mg/dL", "g/L"): Fraction(1, 100),
    ("mg/L", "g/L"): Fraction(1, 1000),
    ("mg/dL", "mg/L"): Fraction(10),
    ("ng/mL", "ug/L"): Fraction(1),
    ("ng/mL", "pg/mL"): Fraction(1000),
    ("ug/L", "pg/mL"): Fraction(1000),
    ("fg/mL", "pg/mL"): Fraction(1, 1000),
    ("mg/L", "ug/L"): Fraction(1000),
    ("mg/L", "ng/mL"): Fraction(1000),
    ("/uL", "10^9/L"): Fraction(1, 1000),
    ("10^3/uL", "10^9/L"): Fraction(1),
    ("10^6/L", "10^9/L"): Fraction(1, 1000),
    ("10^3/uL", "/uL"): Fraction(1000),
    ("10^6/L", "/uL"): Fraction(1),
    ("mg/mmol", "g/g"): Fraction(100, 11312),
}
_SUBSTANCE: Final[dict[tuple[str, ...], Fraction]] = {
    ("CREAT", "mg/dL", "umol/L"): Fraction(884, 10),
    ("TBIL", "mg/dL", "umol/L"): Fraction(17104, 1000),
    ("HGB", "mmol/L", "g/L"): Fraction(16114, 1000),
}


def parse_unit(text: str, *, place: str = "") -> str:
    """Return a unit's canonical spelling.

    Raises
    ------
    InputError
        If the unit is not one of the contract's.

    Examples
    --------
    >>> parse_unit("G/L"), parse_unit("g/l"), parse_unit("µmol/L")
    ('10^9/L', 'g/L', 'umol/L')
    """
    spelling = text.strip()
    if spelling == "G/L":
        return "10^9/L"
    try:
        return ALIASES[spelling.lower()]
    except KeyError:
        raise InputError(
            f"unit {text!r} is unknown", place=place, expected="a unit of the contract",
            remedy="correct it or leave the row out",
        ) from None  # fmt: skip


def conversion_factor(unit: str, target: str, *, substance: str = "") -> Fraction:
    """Return the exact factor from one canonical unit to another.

    Raises
    ------
    InputError
        If no conversion between the two exists for the substance.
    """
    if unit == target:
        return Fraction(1)
    for table, forward, backward in (
        (_SUBSTANCE, (substance, unit, target), (substance, target, unit)),
        (_FACTORS, (unit, target), (target, unit)),
    ):
        if forward in table:
            return table[forward]
        if backward in table:
            return 1 / table[backward]
    raise InputError(f"no conversion from {unit} to {target} for {substance or 'any substance'}")


def convert(value: Decimal | float, unit: str, target: str, *, substance: str = "") -> float:
    """Convert a number between units by the exact factor, rounding once at the end.

    Examples
    --------
    >>> convert(6.0, "g/dL", "g/L"), round(convert(52, "mg/mmol", "g/g"), 5)
    (60.0, 0.45969)
    """
    return float(Fraction(value) * conversion_factor(unit, target, substance=substance))
