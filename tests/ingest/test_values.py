"""Values as analysers and people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.errors import InputError
from corelab.ingest.values import Measured, parse_measured
from corelab.vocabulary import Status

NAN = float("nan")


def facts(measured: Measured) -> tuple[object, ...]:
    def plain(number: float) -> float | None:
        return None if math.isnan(number) else number

    return (
        plain(measured.value), measured.relation, plain(measured.low), plain(measured.high),
        measured.status.value, measured.reason,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("820", (820.0, "=", 820.0, 820.0, "quantified", "")),
        (" 12.50 ", (12.5, "=", 12.5, 12.5, "quantified", "")),
        ("1.2e3", (1200.0, "=", 1200.0, 1200.0, "quantified", "")),
        ("8", (8.0, "=", 8.0, 8.0, "quantified", "")),
        ("<2.4", (None, "<", 0.0, 2.4, "not_detected", "BELOW_LOD")),
        ("<8", (None, "<", 0.0, 8.0, "detected_blq", "DETECTION_UNKNOWN")),
        ("≤ 5", (None, "<=", 0.0, 5.0, "detected_blq", "DETECTION_UNKNOWN")),
        ("5", (None, "<", 2.4, 8.0, "detected_blq", "BELOW_LLOQ")),
        ("2.4", (None, "<", 2.4, 8.0, "detected_blq", "BELOW_LLOQ")),
        ("2.39", (None, "<", 0.0, 2.4, "not_detected", "BELOW_LOD")),
        ("0", (None, "<", 0.0, 2.4, "not_detected", "BELOW_LOD")),
        (">10000", (None, ">", 10000.0, None, "above_uloq", "ABOVE_ULOQ")),
        (">=10000", (None, ">=", 10000.0, None, "above_uloq", "ABOVE_ULOQ")),
        ("12000", (None, ">", 10000.0, None, "above_uloq", "ABOVE_ULOQ")),
        ("10000", (10000.0, "=", 10000.0, 10000.0, "quantified", "")),
        ("OOR <", (None, "<", 0.0, 8.0, "not_detected", "BELOW_RANGE")),
        ("oor<", (None, "<", 0.0, 8.0, "not_detected", "BELOW_RANGE")),
        ("Below Fit Curve Range", (None, "<", 0.0, 8.0, "not_detected", "BELOW_RANGE")),
        ("ND", (None, "<", 0.0, 8.0, "not_detected", "BELOW_RANGE")),
        ("<LOD", (None, "<", 0.0, 2.4, "not_detected", "BELOW_LOD")),
        ("< LLOQ", (None, "<", 0.0, 8.0, "detected_blq", "DETECTION_UNKNOWN")),
        ("OOR >", (None, ">", 10000.0, None, "above_uloq", "ABOVE_RANGE")),
        ("Above Fit Curve Range", (None, ">", 10000.0, None, "above_uloq", "ABOVE_RANGE")),
        ("*5.3", (None, "<", 0.0, 8.0, "detected_blq", "EXTRAPOLATED")),
        ("*12345", (None, ">", 10000.0, None, "above_uloq", "EXTRAPOLATED")),
        ("---", (None, "", None, None, "failed", "OUTLIER")),
        ("***", (None, "", None, None, "failed", "MALFUNCTION")),
        ("NaN", (None, "", None, None, "failed", "NOT_A_NUMBER")),
        ("", (None, "", None, None, "missing", "NO_VALUE")),
        ("  ", (None, "", None, None, "missing", "NO_VALUE")),
    ],
)  # fmt: skip
def test_parse_measured__against_the_limits_of_its_assay(text: str, expected: tuple[object, ...]) -> None:
    assert facts(parse_measured(text, lod=2.4, lloq=8.0, uloq=10000.0)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1:320", (320.0, "=", 320.0, 320.0, "quantified", "")),
        ("<1:100", (None, "<", 0.0, 100.0, "detected_blq", "DETECTION_UNKNOWN")),
        ("≥1:100", (None, ">=", 100.0, None, "above_uloq", "ABOVE_ULOQ")),
        ("<1.0", (None, "<", 0.0, 1.0, "detected_blq", "DETECTION_UNKNOWN")),
        ("0", (0.0, "=", 0.0, 0.0, "quantified", "")),
        ("positive", (1.0, "", 1.0, 1.0, "quantified", "POSITIVE")),
        ("阴性", (None, "", None, None, "not_detected", "NEGATIVE")),
        ("Negative", (None, "", None, None, "not_detected", "NEGATIVE")),
        ("*12.3", (None, "", None, None, "not_calculated", "EXTRAPOLATED")),
        ("OOR <", (None, "<", 0.0, None, "not_detected", "BELOW_RANGE")),
        ("＜２．５", (None, "<", 0.0, 2.5, "detected_blq", "DETECTION_UNKNOWN")),
    ],
)
def test_parse_measured__without_known_limits(text: str, expected: tuple[object, ...]) -> None:
    assert facts(parse_measured(text)) == expected


def test_parse_measured__a_limit_of_the_assay_with_nothing_else_known() -> None:
    measured = parse_measured("<50", lloq=50.0)
    assert (measured.status, measured.reason) == (Status.DETECTED_BLQ, "DETECTION_UNKNOWN")


def test_parse_measured__zero_copies_are_not_a_measured_zero() -> None:
    assert parse_measured("0", lloq=50.0).status is Status.NOT_DETECTED


@pytest.mark.parametrize("text", ["12,5", "<2,4", "1,234", "1.234,5"])
def test_parse_measured__refuses_a_decimal_comma_and_says_how_to_mend_it(text: str) -> None:
    with pytest.raises(InputError, match="comma") as caught:
        parse_measured(text, place="cytokines.csv:12")
    assert "cytokines.csv:12" in str(caught.value)
    assert "12.5" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["abc", "1e999", "-3", "12 34", "<", "1:", "<>4", "0x10", "1_000", "inf", "12.3.4"]
)
def test_parse_measured__refuses_what_it_cannot_read(text: str) -> None:
    with pytest.raises(InputError):
        parse_measured(text)


@given(st.text(max_size=12))
def test_parse_measured__gives_a_status_or_a_clear_error(text: str) -> None:
    try:
        measured = parse_measured(text, lod=1.0, lloq=2.0, uloq=9.0)
    except InputError:
        return
    assert measured.status is Status.QUANTIFIED or math.isnan(measured.value)


@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(0, 100), st.floats(1e3, 1e5))
def test_parse_measured__the_interval_holds_the_number(
    number: float, lod: float, width: float, uloq: float
) -> None:
    measured = parse_measured(repr(number), lod=lod, lloq=lod + width, uloq=uloq)
    high = math.inf if math.isnan(measured.high) else measured.high
    assert measured.low <= number <= high
    if measured.status is Status.QUANTIFIED:
        assert measured.value == number
