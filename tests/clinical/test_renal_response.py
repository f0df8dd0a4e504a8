"""Renal response by its definitions: the worked case, every limit, and what may never happen."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.clinical.bounds import UNBOUNDED, Bounds, divide, point
from corelab.clinical.logic import Truth
from corelab.clinical.renal_response import MEASURES, RenalCourse, judge_response, read_definitions
from corelab.errors import ConfigError

DEFINITIONS = read_definitions("response-1")
DEFAULT = DEFINITIONS["CORELAB_DEFAULT"]
WORDS = {Truth.YES: "yes", Truth.NO: "no", Truth.UNKNOWN: "?"}


def course(
    baseline: str | None, visit: str | None, egfr: tuple[str | None, str | None], *, is_rescued: bool = False
) -> RenalCourse:
    before, now = (UNBOUNDED if text is None else point(Fraction(text)) for text in (baseline, visit))
    filtration = [UNBOUNDED if text is None else point(Fraction(text)) for text in egfr]
    return RenalCourse(
        proteinuria=now, baseline_proteinuria=before, proteinuria_ratio=ratio(now, before),
        egfr=filtration[1], egfr_ratio=ratio(filtration[1], filtration[0]), is_rescued=is_rescued,
        missing={name: f"MISSING {name}" for name in (*MEASURES, "baseline_proteinuria")},
    )  # fmt: skip


def ratio(now: Bounds, before: Bounds) -> Bounds:
    return UNBOUNDED if UNBOUNDED in (now, before) else divide(now, before)


def judge(given: RenalCourse, definition: str = "CORELAB_DEFAULT") -> str:
    """Return the three verdicts as a word, such as ``no/yes/yes``."""
    found = judge_response(DEFINITIONS[definition], given)
    return "/".join(WORDS[found[endpoint].truth] for endpoint in ("CRR", "PRR", "ORR"))


def test_judge_response__worked_partial_response() -> None:
    assert judge(course("2.4", "0.9", ("88", "84"))) == "no/yes/yes"
    found = judge_response(DEFAULT, course("2.4", "0.9", ("88", "84")))["PRR"]
    assert found.value == "proteinuria 0.9, proteinuria/baseline 0.375, egfr 84, egfr/baseline 0.954545"
    assert found.threshold == (
        "proteinuria/baseline <= 0.5 and proteinuria < 3 and (egfr >= 90 or egfr/baseline >= 0.85)"
        " and not CRR"
    )


@pytest.mark.parametrize(
    ("baseline", "visit", "egfr", "expected"),
    [
        ("2.4", "0.5", ("100", "100"), "no/yes/yes"),  # 0.5 is not below 0.5
        ("2.4", "0.49", ("100", "100"), "yes/no/yes"),
        ("2.4", "0.49", ("100", "85"), "yes/no/yes"),  # 85 % of baseline is enough
        ("2.4", "0.49", ("100", "84.9"), "no/no/no"),
        ("2.4", "0.49", ("110", "90"), "yes/no/yes"),  # 90 is enough whatever the baseline
        ("2.4", "0.49", ("110", "89.9"), "no/no/no"),
        ("2.4", "1.2", ("100", "100"), "no/yes/yes"),  # exactly half
        ("2.4", "1.21", ("100", "100"), "no/no/no"),
        ("8.0", "3.0", ("100", "100"), "no/no/no"),  # not below 3 g/g
        ("8.0", "2.99", ("100", "100"), "no/yes/yes"),
        ("0.5", "0.3", ("100", "100"), "yes/no/yes"),
        ("0.49", "0.1", ("100", "100"), "?/?/?"),  # in remission before: a query, no response
        (None, "0.1", ("100", "100"), "?/no/?"),
        ("2.4", None, ("100", "100"), "?/?/?"),
        ("2.4", "0.4", (None, "95"), "yes/no/yes"),
        ("2.4", "0.4", (None, "80"), "?/?/?"),
        ("2.4", "0.4", ("100", None), "?/?/?"),
        ("2.4", "1.3", ("100", None), "no/no/no"),  # too much protein whatever the function
    ],
)
def test_judge_response__limits_of_the_default(
    baseline: str | None, visit: str | None, egfr: tuple[str | None, str | None], expected: str
) -> None:
    assert judge(course(baseline, visit, egfr)) == expected


@pytest.mark.parametrize(
    ("definition", "visit", "egfr", "expected"),
    [
        ("KDIGO2024", "0.49", ("100", "85"), "yes/no/yes"),
        ("KDIGO2024", "0.49", ("110", "92"), "no/no/no"),  # stable function is asked for, not 90
        ("KDIGO2024", "3.0", ("100", "100"), "no/no/no"),
        ("EULAR2019/23", "0.69", ("100", "90"), "yes/no/yes"),
        ("EULAR2019/23", "0.7", ("100", "90"), "no/yes/yes"),
        ("EULAR2019/23", "4.0", ("100", "50"), "no/yes/yes"),
        ("ACR2024", "0.49", ("100", "80"), "yes/no/yes"),
        ("ACR2024", "0.49", ("100", "79.9"), "no/yes/yes"),
        ("SHARE_child", "0.441", ("100", "90.1"), "yes/no/yes"),  # below 50 mg/mmol
        ("SHARE_child", "0.443", ("100", "95"), "?/?/yes"),  # UACR below 35 would do as well
        ("SHARE_child", "0.441", ("100", "90"), "no/yes/yes"),
    ],
)
def test_judge_response__definitions_of_the_guidelines(
    definition: str, visit: str, egfr: tuple[str, str], expected: str
) -> None:
    assert judge(course("9.0", visit, egfr), definition) == expected


def test_judge_response__rescue_fails_and_says_so() -> None:
    rescued = course("2.4", "0.1", ("100", "100"), is_rescued=True)
    assert judge(rescued) == "no/no/no"
    assert judge_response(DEFAULT, rescued)["CRR"].reasons == ("RESCUE",)


def test_judge_response__what_lacks_is_named() -> None:
    found = judge_response(DEFAULT, course("2.4", None, ("100", None)))
    assert set(found["CRR"].reasons) == {
        "MISSING proteinuria", "MISSING proteinuria/baseline", "MISSING egfr", "MISSING egfr/baseline",
    }  # fmt: skip


def test_read_definitions__refuses_an_unknown_file() -> None:
    with pytest.raises(ConfigError, match="unknown"):
        read_definitions("response-99")


AMOUNTS = st.integers(1, 900).map(lambda n: str(Fraction(n, 100)))
RATES = st.integers(10, 160).map(str)


@given(AMOUNTS, AMOUNTS, RATES, RATES, st.sampled_from(sorted(DEFINITIONS)))
def test_judge_response__improving_one_input_never_loses_a_response(
    baseline: str, visit: str, before: str, now: str, definition: str
) -> None:
    worse = judge(course(baseline, visit, (before, now)), definition).split("/")
    less_protein = judge(course(baseline, str(Fraction(visit) / 2), (before, now)), definition).split("/")
    more_function = judge(course(baseline, visit, (before, str(Fraction(now) + 7))), definition).split("/")
    for better in (less_protein, more_function):
        for endpoint in (0, 2):  # a partial response may become complete
            assert worse[endpoint] != "yes" or better[endpoint] == "yes"


@given(AMOUNTS, AMOUNTS, RATES, RATES, st.sets(st.sampled_from(range(4))))
def test_judge_response__what_is_missing_is_never_guessed(
    baseline: str, visit: str, before: str, now: str, gone: set[int]
) -> None:
    parts = [None if i in gone else text for i, text in enumerate((baseline, visit, before, now))]
    partial = judge(course(parts[0], parts[1], (parts[2], parts[3]))).split("/")
    whole = judge(course(baseline, visit, (before, now))).split("/")
    if Fraction(baseline) >= Fraction(1, 2):
        assert all(p in ("?", w) for p, w in zip(partial, whole, strict=True))
