"""SRI-4 by brute force over letters, by its worked case, and by what may never happen."""

import itertools
import random
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.clinical.bounds import UNBOUNDED, Bounds, point
from corelab.clinical.logic import Truth
from corelab.clinical.sri import DOMAINS, LETTERS, Activity, count_new_letters, judge_sri4, read_sri_rule

RULE = read_sri_rule("response-1")
ALL_E = dict.fromkeys(DOMAINS, "E")
COMPONENTS = ("SRI_SLEDAI", "SRI_PGA", "SRI_BILAG_A", "SRI_BILAG_B")
ORDER = {Truth.NO: 0, Truth.UNKNOWN: 1, Truth.YES: 2}


def activity(sledai: str, pga: str, **letters: str) -> Activity:
    return Activity(sledai=point(Fraction(sledai)), pga=point(Fraction(pga)), bilag={**ALL_E, **letters})


def judge(baseline: Activity, visit: Activity, *, is_rescued: bool = False) -> dict[str, Truth]:
    found = judge_sri4(baseline, visit, rule=RULE, is_rescued=is_rescued)
    return {key: finding.truth for key, finding in found.items()}


def new_letters_by_definition(before: dict[str, str], now: dict[str, str]) -> tuple[int, int]:
    """Count as the text has it: newly A, and newly B from C, D or E."""
    new_a = sum(now[d] == "A" and before[d] != "A" for d in DOMAINS)
    new_b = sum(now[d] == "B" and before[d] in "CDE" for d in DOMAINS)
    return new_a, new_b


def test_judge_sri4__worked_letters() -> None:
    before = activity("14", "2.0", renal="A", mucocutaneous="B", haematological="C")
    after = activity("10", "2.0", renal="B", mucocutaneous="B", haematological="B")
    assert [int(count.low) for count in count_new_letters(before.bilag, after.bilag)] == [0, 1]
    assert set(judge(before, after).values()) == {Truth.YES}


@pytest.mark.parametrize(("visit", "expected"), [("10", Truth.YES), ("11", Truth.NO), ("9", Truth.YES)])
def test_judge_sri4__a_fall_of_exactly_four_is_enough(visit: str, expected: Truth) -> None:
    assert judge(activity("14", "1"), activity(visit, "1"))["SRI_SLEDAI"] is expected


@pytest.mark.parametrize(
    ("before", "visit", "expected"),
    [
        ("2.0", "2.3", Truth.NO), ("2.0", "2.29", Truth.YES), ("2.0", "2.31", Truth.NO),
        ("0.7", "1.0", Truth.NO), ("1.1", "1.4", Truth.NO), ("3", "0", Truth.YES),
        ("2.0", "25", Truth.UNKNOWN), ("25", "2", Truth.UNKNOWN),
    ],
)  # fmt: skip
def test_judge_sri4__a_rise_of_exactly_three_tenths_fails(before: str, visit: str, expected: Truth) -> None:
    assert judge(activity("14", before), activity("10", visit))["SRI_PGA"] is expected


@pytest.mark.parametrize("pair", itertools.product(LETTERS, repeat=2), ids="".join)
@pytest.mark.parametrize("domain", ["renal", "ophthalmic"])
def test_judge_sri4__every_pair_of_letters_in_one_domain(pair: tuple[str, str], domain: str) -> None:
    before, now = pair
    found = judge(activity("14", "1", **{domain: before}), activity("10", "1", **{domain: now}))
    assert (found["SRI_BILAG_A"] is Truth.NO) == (now == "A" and before != "A")
    assert found["SRI_BILAG_B"] is Truth.YES  # one new B is allowed
    assert (found["SRI4"] is Truth.YES) == (found["SRI_BILAG_A"] is Truth.YES)


def test_judge_sri4__every_pair_of_letters_beside_one_new_b() -> None:
    for before, now in itertools.product(LETTERS, repeat=2):
        found = judge(
            activity("14", "1", renal=before, ophthalmic="C"), activity("10", "1", renal=now, ophthalmic="B")
        )
        assert (found["SRI_BILAG_B"] is Truth.NO) == (now == "B" and before in "CDE")


def test_judge_sri4__random_letters_over_nine_domains() -> None:
    rng = random.Random(20250610)
    for _ in range(5_000):
        before = {domain: rng.choice(LETTERS) for domain in DOMAINS}
        now = {domain: rng.choice("BCDE") if rng.random() < 0.9 else "A" for domain in DOMAINS}
        new_a, new_b = new_letters_by_definition(before, now)
        found = judge(activity("14", "1", **before), activity("10", "1", **now))
        assert (found["SRI_BILAG_A"] is Truth.YES) == (new_a == 0)
        assert (found["SRI_BILAG_B"] is Truth.YES) == (new_b <= 1)
        assert (found["SRI4"] is Truth.YES) == (new_a == 0 and new_b <= 1)


LETTER_MAPS = st.fixed_dictionaries({domain: st.sampled_from(LETTERS) for domain in DOMAINS})
SCORES = st.integers(0, 105)
TENTHS = st.integers(0, 30).map(lambda n: Fraction(n, 10))
ACTIVITIES = st.builds(
    Activity,
    sledai=st.one_of(SCORES.map(point), st.just(UNBOUNDED)),
    pga=st.one_of(TENTHS.map(point), st.just(UNBOUNDED)),
    bilag=st.dictionaries(st.sampled_from(DOMAINS), st.sampled_from(LETTERS)),
)
WHOLE = st.builds(Activity, sledai=SCORES.map(point), pga=TENTHS.map(point), bilag=LETTER_MAPS)


@given(WHOLE, WHOLE, st.sampled_from(["sledai", "pga", *DOMAINS]))
def test_judge_sri4__improving_one_input_never_loses_a_response(
    before: Activity, visit: Activity, what: str
) -> None:
    """Every improvement of the visit, down to none: lower scores, letters further down the alphabet."""
    first = judge(before, visit)
    for better in list_improvements(visit, what):
        after = judge(before, better)
        for key in (*COMPONENTS, "SRI4"):
            if what in DOMAINS and key == "SRI_BILAG_B" and visit.bilag[what] == "A":
                continue  # a new A that turns into a new B leaves one count and enters the other
            assert ORDER[after[key]] >= ORDER[first[key]], (key, what)
        if first["SRI4"] is Truth.YES:
            assert after["SRI4"] is Truth.YES


def list_improvements(visit: Activity, what: str) -> list[Activity]:
    if what == "sledai":
        top = visit.sledai.exact or Fraction(0)
        return [replace(visit, sledai=point(Fraction(x))) for x in range(int(top))]
    if what == "pga":
        top = visit.pga.exact or Fraction(0)
        return [replace(visit, pga=point(Fraction(x, 10))) for x in range(int(top * 10))]
    later = LETTERS[LETTERS.index(visit.bilag[what]) + 1 :]
    return [replace(visit, bilag={**visit.bilag, what: letter}) for letter in later]


@given(ACTIVITIES, ACTIVITIES, WHOLE, WHOLE)
def test_judge_sri4__what_is_missing_is_never_guessed(
    before: Activity, visit: Activity, full_before: Activity, full_visit: Activity
) -> None:
    """Whatever the missing parts turn out to be, a verdict that was given stands."""
    partial = judge(before, visit)
    whole = judge(complete(before, full_before), complete(visit, full_visit))
    for key, truth in partial.items():
        assert truth in (Truth.UNKNOWN, whole[key])


def complete(known: Activity, rest: Activity) -> Activity:
    return Activity(
        sledai=rest.sledai if known.sledai == UNBOUNDED else known.sledai,
        pga=rest.pga if known.pga == UNBOUNDED else known.pga,
        bilag={**rest.bilag, **known.bilag},
    )


def test_judge_sri4__one_failed_component_decides_and_rescue_fails_the_whole() -> None:
    missing = Activity(sledai=point(12), pga=UNBOUNDED, bilag={})
    found = judge_sri4(activity("14", "1"), missing, rule=RULE, missing={"SRI_PGA": "MISSING PGA"})
    assert found["SRI4"].truth is Truth.NO
    assert found["SRI4"].reasons == ("SRI_SLEDAI",)
    assert found["SRI_PGA"].reasons == ("MISSING PGA",)
    rescued = judge_sri4(activity("14", "1"), activity("4", "1"), rule=RULE, is_rescued=True)
    assert (rescued["SRI4"].truth, rescued["SRI4"].reasons) == (Truth.NO, ("RESCUE",))
    assert rescued["SRI_SLEDAI"].truth is Truth.YES


def test_judge_sri4__never_affected_after_affected_is_a_query() -> None:
    found = judge_sri4(activity("14", "1", renal="A"), activity("4", "1"), rule=RULE)
    assert found["SRI_BILAG_A"].reasons == ("QUERY renal E after A",)
    assert found["SRI_BILAG_A"].truth is Truth.YES


def test_judge_sri4__a_score_known_as_an_interval_decides_where_all_of_it_does() -> None:
    before = Activity(sledai=Bounds(low=Fraction(14), high=Fraction(20)), pga=point(1), bilag=ALL_E)
    for visit, expected in (("10", Truth.YES), ("17", Truth.NO), ("12", Truth.UNKNOWN)):
        assert judge(before, activity(visit, "1"))["SRI_SLEDAI"] is expected
