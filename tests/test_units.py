"""Units: spellings, exact factors, refusals."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.errors import InputError
from corelab.units import _FACTORS, conversion_factor, convert, parse_unit


def test_parse_unit__tells_counts_from_mass_by_case() -> None:
    assert parse_unit("G/L") == "10^9/L"
    assert parse_unit("g/L") == "g/L"


@pytest.mark.parametrize("spelling", ["µmol/L", "μmol/L", "umol/L", "UMOL/L"])
def test_parse_unit__reads_every_micro_sign(spelling: str) -> None:
    assert parse_unit(spelling) == "umol/L"


def test_parse_unit__refuses_an_unknown_unit_with_its_place() -> None:
    with pytest.raises(InputError, match=r"labs\.csv:3: unit 'furlong' is unknown; expected"):
        parse_unit("furlong", place="labs.csv:3")


def test_convert__upcr_worked_number() -> None:
    """52 mg/mmol lies below 0.5 g/g, though above the rounded 50 mg/mmol (error 3 of the spec)."""
    assert convert(52, "mg/mmol", "g/g") == pytest.approx(0.45969, abs=5e-6)


def test_convert__creatinine_needs_its_substance() -> None:
    assert convert(159, "umol/L", "mg/dL", substance="CREAT") == pytest.approx(1.7986, abs=5e-5)
    with pytest.raises(InputError, match="no conversion from umol/L to mg/dL"):
        convert(159, "umol/L", "mg/dL", substance="ALT")


@given(st.sampled_from(sorted(_FACTORS)))
def test_conversion_factor__has_an_exact_inverse(pair: tuple[str, str]) -> None:
    unit, target = pair
    assert conversion_factor(unit, target) * conversion_factor(target, unit) == Fraction(1)
