"""Laboratory grades: the worked values, the published table on a grid, and what a missing limit does."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.clinical.bounds import Bounds, point
from corelab.clinical.toxicity import GradedValue, Term, grade_value, parse_clause, read_terms
from corelab.errors import ConfigError
from tests.clinical.published_grades import HIGH, PublishedTerm, read_published
from tests.ingest.real_data import find_real_data

TERMS = {(term.term, term.direction): term for terms in read_terms("ctcae5").values() for term in terms}
ADMIRAL = {(term.term, term.direction): term for terms in read_terms("admiral").values() for term in terms}
DIFFERENT = {
    ("INR increased", "high"): "anticoagulation is not assumed, so INR is not graded against its baseline",
    ("Hypokalemia", "low"): "symptoms are not assumed, so a value below LLN is grade 1",
    ("Hyponatremia", "low"): "symptoms are not assumed, so 125 to 129 mmol/L is grade 2",
    ("GGT increased", "high"): "2 x BASE itself is grade 1, as the text of CTCAE and ALP have it",
}
"""Terms on which the default profile differs from the published table, with the reason (docs/rules.md)."""
HIGH_90: dict[str, str | bool] = {"uln": "40", "base": "90", "is_baseline_high": True}
ALT, WBC = TERMS["Alanine aminotransferase increased", "high"], TERMS["White blood cell decreased", "low"]


def grade(term: Term, value: str, **references: str | bool) -> int | None:
    given = {key: Fraction(x) if isinstance(x, str) else x for key, x in references.items()}
    return grade_value(term, GradedValue(value=point(Fraction(value)), **given)).grade  # type: ignore[arg-type]


def test_grade_value__worked_alt_counts_from_an_abnormal_baseline() -> None:
    assert grade(ALT, "300", uln="40", base="90", is_baseline_high=True) == 2
    assert grade(ALT, "300", uln="40", base="30") == 3
    assert grade(ALT, "300", uln="40") == 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [("4.0", 0), ("3.99", 1), ("3.0", 1), ("2.99", 2), ("2.0", 2), ("1.99", 3), ("1.0", 3), ("0.99", 4)],
)
def test_grade_value__worked_white_cells(value: str, expected: int) -> None:
    assert grade(WBC, value, lln="4.0") == expected


@pytest.mark.parametrize(
    ("term", "direction", "value", "references", "expected"),
    [
        ("Anemia", "low", "100", {"lln": "115"}, 1),
        ("Anemia", "low", "99.9", {"lln": "115"}, 2),
        ("Anemia", "low", "80", {"lln": "115"}, 2),
        ("Anemia", "low", "79", {"lln": "115"}, 3),
        ("Lymphocyte count increased", "high", "4", {}, 0),
        ("Lymphocyte count increased", "high", "4.01", {}, 2),
        ("Lymphocyte count increased", "high", "20.1", {}, 3),
        ("Alanine aminotransferase increased", "high", "135", HIGH_90, 1),
        ("Alanine aminotransferase increased", "high", "134", HIGH_90, 0),
        ("GGT increased", "high", "200", {"uln": "40", "base": "100", "is_baseline_high": True}, 1),
        ("Blood bilirubin increased", "high", "30.75", {"uln": "20.5"}, 1),
        ("Blood bilirubin increased", "high", "30.76", {"uln": "20.5"}, 2),
        ("Creatinine increased", "high", "76", {"uln": "88", "base": "50"}, 2),
        ("Creatinine increased", "high", "75", {"uln": "88", "base": "50"}, 0),
        ("Creatinine increased", "high", "151", {"uln": "88", "base": "50"}, 3),
        ("Fibrinogen decreased", "low", "1.49", {"lln": "2", "base": "2.2"}, 2),
        ("Fibrinogen decreased", "low", "1.5", {"lln": "2", "base": "2"}, 2),
        ("Fibrinogen decreased", "low", "1.51", {"lln": "2", "base": "2"}, 1),
        ("Fibrinogen decreased", "low", "2.0", {"lln": "2", "base": "4"}, 0),
        ("Fibrinogen decreased", "low", "0.49", {}, 4),
        ("INR increased", "high", "1.2", {"base": "1.0"}, 0),
        ("INR increased", "high", "1.21", {"base": "1.0"}, 1),
        ("INR increased", "high", "1.51", {}, 2),
        ("INR increased", "high", "2.51", {}, 3),
        ("INR increased", "high", "2.8", {"base": "2.5", "is_on_anticoagulant": True}, 1),
        ("Hypokalemia", "low", "3.4", {"lln": "3.5"}, 1),
        ("Hypokalemia", "low", "2.9", {"lln": "3.5"}, 3),
        ("Hyperkalemia", "high", "5.5", {"uln": "5.3"}, 1),
        ("Hyperkalemia", "high", "7.01", {"uln": "5.3"}, 4),
        ("Hypoalbuminemia", "low", "30", {"lln": "38"}, 1),
        ("Hypoalbuminemia", "low", "19.9", {"lln": "38"}, 3),
    ],
)  # fmt: skip
def test_grade_value__limits_of_the_default_profile(
    term: str, direction: str, value: str, references: dict[str, str | bool], expected: int
) -> None:
    assert grade(TERMS[term, direction], value, **references) == expected


def test_grade_value__what_is_missing_is_named_and_absolute_grades_stand() -> None:
    assert grade_value(ALT, GradedValue(value=point(300))).reasons == ("ULN_MISSING",)
    assert grade(WBC, "2.5") == 2
    assert grade_value(WBC, GradedValue(value=point(Fraction("3.5")))).reasons == ("LLN_MISSING",)
    assert "BASELINE_MISSING" in grade_value(ALT, GradedValue(value=point(300), uln=Fraction(40))).reasons
    within = grade_value(WBC, GradedValue(value=point(Fraction("2.5")), lln=Fraction(2)))
    assert (within.grade, within.reasons) == (2, ("WITHIN_RANGE",))


@pytest.mark.parametrize(
    ("low", "high", "expected"), [("0", "0.9", 4), ("0", "1.5", None), ("3.2", "3.5", 1), ("5", None, 0)]
)
def test_grade_value__a_censored_value_has_a_grade_where_its_whole_interval_has(
    low: str, high: str | None, expected: int | None
) -> None:
    bounds = Bounds(low=Fraction(low), high=None if high is None else Fraction(high), is_high_strict=True)
    assert grade_value(WBC, GradedValue(value=bounds, lln=Fraction(4))).grade == expected


def test_parse_clause__refuses_what_it_does_not_know() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        parse_clause("> 3 times ULN", place="ALT")


ORDERED = sorted(TERMS)


@given(st.sampled_from(ORDERED), st.decimals(0, 400, places=2), st.decimals(0, 50, places=2))
def test_grade_value__further_from_normal_never_means_a_lower_grade(
    key: tuple[str, str], value: object, step: object
) -> None:
    term = TERMS[key]
    references = {"lln": Fraction(10), "uln": Fraction(40), "base": Fraction(30)}
    sign = -1 if term.direction == "low" else 1
    near = Fraction(str(value))
    far = max(Fraction(0), near + sign * Fraction(str(step)))
    grades = [
        grade_value(term, GradedValue(value=point(x), **references)).grade  # type: ignore[arg-type]
        for x in (near, far)
    ]
    assert grades[0] is not None
    assert grades[1] is not None
    assert grades[0] <= grades[1]


REFERENCES = [
    {"ANRLO": low, "ANRHI": high, "BASE": base}
    for low, high in [("4", "10"), ("1.1", "1.2"), ("35", "41"), (None, "40"), ("20", None), (None, None)]
    for base in ("0.9", "4", "33.3", "90", None)
]
FACTORS = [Fraction(number, 4) for number in (1, 2, 3, 4, 6, 8, 10, 12, 20, 24, 40, 80)]


def list_values(published: PublishedTerm, references: dict[str, Fraction | None]) -> set[Fraction]:
    """Return every limit that these references make, and one unit of the last digit on either side."""
    limits = set(published.numbers)
    for name, factor in product(("ANRLO", "ANRHI", "BASE"), FACTORS):
        if (reference := references[name]) is not None:
            limits.add(reference * factor)
    limits |= {references["ANRHI"] + plus for plus in (20, 40) if references["ANRHI"] is not None}
    digit = Fraction(1, 1000)
    return {x for limit in limits for x in (limit - digit, limit, limit + digit) if x >= 0}


def list_cases(published: PublishedTerm) -> Iterator[tuple[dict[str, Fraction | None], bool]]:
    checked = published.raw["VAR_CHECK"].replace("PCHG", "BASE, PCHG")
    seen = set()
    for texts in REFERENCES:
        references = {
            name: Fraction(text) if text is not None and name in checked else None
            for name, text in texts.items()
        }  # fmt: skip
        if tuple(references.values()) in seen:
            continue
        seen.add(tuple(references.values()))
        base, high = references["BASE"], references["ANRHI"]
        is_high = base is not None and high is not None and base > high
        for value in sorted(list_values(published, references)):
            change = None if not base else 100 * (value - base) / base
            yield {**references, "AVAL": value, "PCHG": change}, is_high


def compare_grades(profile: dict[tuple[str, str], Term]) -> tuple[int, Counter[tuple[str, str]]]:
    """Return the number of cases and the differences from the published table by term."""
    table = read_published(find_real_data("ctcae_admiral") / "ncictcaev5.json")
    n, different = 0, Counter[tuple[str, str]]()
    for key, published in table.items():
        if key not in profile:
            continue
        for values, is_high in list_cases(published):
            expected = published.grade(values, baseline=HIGH if is_high else "NORMAL")
            found = grade_value(
                profile[key],
                GradedValue(
                    value=point(values["AVAL"] or Fraction(0)), lln=values["ANRLO"], uln=values["ANRHI"],
                    base=values["BASE"], is_baseline_high=is_high,
                ),
            ).grade  # fmt: skip
            n += 1
            different[key] += found != expected
    return n, +different


@pytest.mark.real_data
def test_admiral_profile__equals_the_published_table_on_a_grid() -> None:
    table = read_published(find_real_data("ctcae_admiral") / "ncictcaev5.json")
    assert set(ADMIRAL) == set(table)
    n, different = compare_grades(ADMIRAL)
    assert different == Counter()
    assert n >= 5_000


@pytest.mark.real_data
def test_ctcae5_profile__differs_only_where_it_is_said() -> None:
    _, different = compare_grades(TERMS)
    assert set(different) == set(DIFFERENT)
