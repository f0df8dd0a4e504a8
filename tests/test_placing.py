"""Draws delivered without a visit: one of a series has the visit, whatever came when."""

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from corelab.study import builtin_study
from corelab.study.placing import Draw, place_draws

STUDY = builtin_study()
INFUSION = dt.datetime(2025, 6, 10, 10, 0, tzinfo=STUDY.zone)


def draw(day: float, visit: str = "", series: str = "ALC") -> Draw:
    return Draw(series=series, collected=INFUSION + dt.timedelta(days=day), infusion=INFUSION, visit=visit)


def place(*draws: Draw) -> list[tuple[str, str]]:
    return [(one.visit, one.taken) for one in place_draws(draws, study=STUDY)]


def test_place_draws__nearest_has_the_visit_and_the_other_is_unscheduled() -> None:
    assert place(draw(26), draw(29)) == [("UNS", "D28"), ("D28", "")]


def test_place_draws__of_two_equally_near_the_earlier_has_it() -> None:
    assert place(draw(29), draw(27)) == [("UNS", "D28"), ("D28", "")]
    assert place(draw(28.3), draw(28.1)) == [("UNS", "D28"), ("D28", "")]  # two of one date


def test_place_draws__a_delivered_visit_goes_before_a_nearer_date() -> None:
    assert place(draw(26, "D28"), draw(28)) == [("D28", ""), ("UNS", "D28")]
    assert place(draw(40, "D28"), draw(28)) == [("D28", ""), ("UNS", "D28")]  # out of its window, but named


def test_place_draws__what_was_drawn_at_one_moment_stays_together() -> None:
    assert place(draw(29), draw(29), draw(26)) == [("D28", ""), ("D28", ""), ("UNS", "D28")]
    assert place(draw(26, "D28"), draw(26), draw(28)) == [("D28", ""), ("D28", ""), ("UNS", "D28")]


def test_place_draws__two_delivered_ones_keep_their_visit() -> None:
    assert place(draw(26, "D28"), draw(28, "D28"), draw(28, "UNS")) == [("D28", "")] * 2 + [("UNS", "")]


def test_place_draws__another_series_and_another_visit_are_no_matter() -> None:
    assert place(draw(26), draw(29, series="WBC"), draw(21)) == [("D28", ""), ("D28", ""), ("D21", "")]


def test_place_draws__without_an_infusion_or_a_time_there_is_no_window() -> None:
    unknown = Draw(series="ALC", collected=None, infusion=INFUSION, visit="")
    screened = Draw(series="ALC", collected=INFUSION, infusion=None, visit="")
    assert place(unknown, screened) == [("UNS", ""), ("UNS", "")]


DRAWS = st.lists(
    st.builds(
        draw,
        st.integers(-10, 400).map(lambda hours: 20 + hours / 12),
        st.sampled_from(["", "", "", "D28", "UNS"]),
        st.sampled_from(["ALC", "WBC"]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(DRAWS, st.randoms(use_true_random=False))
def test_place_draws__order_of_delivery_does_not_matter(draws: list[Draw], random: object) -> None:
    order = list(range(len(draws)))
    random.shuffle(order)  # type: ignore[attr-defined]
    placed, shuffled = place(*draws), place(*(draws[i] for i in order))
    assert [placed[i] for i in order] == shuffled


@settings(max_examples=60, deadline=None)
@given(DRAWS)
def test_place_draws__a_visit_that_nobody_named_is_that_of_one_moment(draws: list[Draw]) -> None:
    placed = place(*draws)
    holders: dict[tuple[object, str], set[object]] = {}
    for one, (visit, _) in zip(draws, placed, strict=True):
        if not one.visit and visit != "UNS":
            holders.setdefault((one.series, visit), set()).add(one.collected)
    for (series, code), moments in holders.items():
        stated = {one.collected for one in draws if one.series == series and one.visit == code}
        assert moments <= stated if stated else len(moments) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-24, 24), min_size=1, max_size=6), st.integers(1, 24), st.booleans())
def test_place_draws__a_farther_draw_changes_nothing(hours: list[int], more: int, late: bool) -> None:
    draws = [draw(28 + hour / 12) for hour in hours]
    nearest = min(abs((one.collected.date() - INFUSION.date()).days - 28) for one in draws if one.collected)
    newcomer = draw(28 + (nearest + 1 + more / 12) * (1 if late else -1))
    placed = place(*draws)
    assert place(*draws, newcomer)[:-1] == placed
    assert place(*draws, newcomer)[-1][0] != "D28"
