# ruff: noqa: E501 - a row of a table, or of cases, reads best on one line
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.figures.numbers import (
    DASH,
    MINUS,
    THIN,
    count_decimals,
    escape_markup,
    format_count,
    format_exact,
    format_fraction,
    format_interval,
    format_number,
    format_p,
    format_power,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.2145, "0.214"), (0.21454, "0.215"), (12.345, "12.3"), (999.6, f"1{THIN}000"), (48200.0, f"48{THIN}200"),
        (438624.99, f"439{THIN}000"), (0.00605, "0.00605"), (0.0230, "0.0230"), (9.999, "10.0"), (0.0, "0"),
        (-3.25, f"{MINUS}3.25"), (0.000012, "1.20×10⁻⁵"), (2.5e9, "2.50×10⁹"), (math.nan, DASH), (math.inf, DASH),
    ],
)  # fmt: skip
def test_format_number__three_significant_digits(value, text):
    assert format_number(value) == text


def test_format_interval__has_the_decimals_of_its_estimate():
    assert format_interval(0.17765, 0.25691, estimate=0.21454) == "0.178–0.257"
    assert format_interval(0.01255, 0.03850, estimate=0.02295) == "0.0126–0.0385"
    assert format_interval(35704.2, 65069.9, estimate=48200.0) == f"35{THIN}704–65{THIN}070"
    assert format_interval(math.nan, 3.0, estimate=2.0) == "–" + "–3.00"


def test_format_count__is_exact():
    assert format_count(55000) == f"55{THIN}000"
    assert format_count(-1234567) == f"{MINUS}1{THIN}234{THIN}567"
    assert format_fraction(118, 55000) == f"118/55{THIN}000"


@pytest.mark.parametrize(
    ("p", "text"), [(0.0084, "0.0084"), (0.1, "0.10"), (0.00099, "< 0.001"), (0.001, "0.0010"), (1.0, "1.0")]
)
def test_format_p__two_digits_and_a_floor(p, text):
    assert format_p(p) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (50.0, "50"),
        (0.5, "0.5"),
        (0.082, "0.082"),
        (16.0, "16"),
        (0.0, "0"),
        (100.0, "100"),
        (-4.0, f"{MINUS}4"),
    ],
)
def test_format_exact__drops_trailing_zeros_only_after_the_point(value, text):
    assert format_exact(value) == text


def test_format_power__reads_as_the_axis_shows_it():
    assert [format_power(n) for n in range(-3, 6)] == [
        "10⁻³",
        "0.01",
        "0.1",
        "1",
        "10",
        "100",
        f"1{THIN}000",
        "10⁴",
        "10⁵",
    ]


def test_escape_markup__leaves_nothing_to_interpret():
    assert escape_markup("<LLOQ & more>") == "&lt;LLOQ &amp; more&gt;"


@given(st.floats(min_value=1e-4, max_value=1e8))
def test_format_number__is_within_half_a_unit_of_the_third_digit(value):
    read = float(format_number(value).replace(THIN, "").replace(MINUS, "-"))
    assert read == pytest.approx(value, rel=0.0051)


@given(st.floats(min_value=1e-4, max_value=1e8))
def test_count_decimals__agrees_with_the_written_number(value):
    written = format_number(value)
    assert count_decimals(value) == (len(written.split(".")[1]) if "." in written else 0)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_format_number__never_breaks_a_line_or_shows_a_hyphen(value):
    written = format_number(value)
    assert " " not in written
    assert "-" not in written
