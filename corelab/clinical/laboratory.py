"""The canonical unit of every laboratory test and soluble marker."""

import math
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from corelab.errors import InputError
from corelab.units import conversion_factor, convert

_BY_UNIT: Final = {
    "10^9/L": "WBC ALC ANC PLT CD4",
    "g/L": "HGB FIBRINOGEN ALB C3 C4 IGG IGA IGM",
    "U/L": "ALT AST ALP GGT CK LDH",
    "umol/L": "TBIL CREAT",
    "mmol/L": "K NA",
    "s": "PT APTT",
    "g/g": "UPCR",
    "mg/mmol": "UACR",
    "g/24h": "PROT24H",
    "U/mL": "CH50",
    "IU/mL": "DSDNA HBVDNA HCVRNA",
    "mg/L": "CRP",
    "ng/mL": "PCT",
    "ug/L": "FERRITIN",
    "cm": "HEIGHT",
    "kg": "WEIGHT",
    "titre": "ANA",
    "1": "INR HBSAG HBCAB HCVAB HIVAB SYPHILIS",
}
TEST_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {test: unit for unit, tests in _BY_UNIT.items() for test in tests.split()}
)
"""Canonical unit by test; a test that is not here keeps the unit in which it was delivered."""

MARKER_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {"FERRITIN": "ug/L", "CRP": "mg/L", "PCT": "ng/mL", "C3": "g/L", "C4": "g/L"}
)
"""Soluble markers that are not reported in pg/mL."""


def choose_test_unit(test: str, delivered: str) -> str:
    """Return the unit in which a laboratory result is kept: the canonical one where it converts."""
    return _reachable(delivered, TEST_UNITS.get(test, delivered), test)


def choose_marker_unit(analyte: str, delivered: str) -> str:
    """Return the unit in which a soluble marker is kept: pg/mL unless it has its own or cannot convert."""
    return _reachable(delivered, MARKER_UNITS.get(analyte.upper(), "pg/mL"), analyte)


def _reachable(delivered: str, target: str, substance: str) -> str:
    if delivered == "1":
        return target if target == "titre" else delivered
    try:
        conversion_factor(delivered, target, substance=substance)
    except InputError:
        return delivered
    return target


def convert_reported(value: float, unit: str, target: str, *, substance: str) -> float:
    """Convert a number as it was reported: by its decimal digits, so that 6.1 g/dL is exactly 61 g/L.

    NaN stays NaN.

    Examples
    --------
    >>> convert_reported(6.1, "g/dL", "g/L", substance="HGB")
    61.0
    """
    if math.isnan(value) or unit == target or {unit, target} == {"1", "titre"}:
        return value
    return convert(Decimal(repr(float(value))), unit, target, substance=substance)
