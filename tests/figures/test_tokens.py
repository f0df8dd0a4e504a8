"""Every meaning stands out from what it is drawn on, in both schemes."""

import itertools
from dataclasses import fields

import pytest

from corelab.figures.tokens import (
    DARK,
    FOLD_STEPS,
    LIGHT,
    MARKS,
    SCHEMES,
    TEXT_AND_SERIES,
    compute_contrast,
    ink_on,
    with_alpha,
)
from corelab.vocabulary import Status

GROUNDS = ("body", "panel", "gutter", "zone")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("role", "ground"), itertools.product(TEXT_AND_SERIES, GROUNDS))
def test_tokens__text_and_series_reach_wcag_aa(scheme, role, ground):
    tokens = SCHEMES[scheme]
    assert compute_contrast(getattr(tokens, role), getattr(tokens, ground)) >= 4.5


@pytest.mark.parametrize(("scheme", "least"), [("light", 4.66), ("dark", 5.83)])
def test_tokens__contrast_holds_the_measured_floor(scheme, least):
    tokens = SCHEMES[scheme]
    found = min(
        compute_contrast(getattr(tokens, role), getattr(tokens, ground))
        for role in TEXT_AND_SERIES
        for ground in ("body", "panel", "gutter")
    )
    assert found >= least - 0.01


def test_tokens__a_context_line_carries_nothing_alone():
    assert compute_contrast(LIGHT.context, LIGHT.body) < 3 > compute_contrast(DARK.context, DARK.body)


def test_compute_contrast__black_on_white_and_a_known_grey():
    assert compute_contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert compute_contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)
    assert compute_contrast("#767676", "#FFFFFF") == compute_contrast("#FFFFFF", "#767676")


def test_tokens__schemes_have_the_same_roles_and_no_colour_in_common_for_ink():
    assert [field.name for field in fields(LIGHT)] == [field.name for field in fields(DARK)]
    assert LIGHT.ink != DARK.ink


def test_tokens__ramps_have_a_colour_per_step():
    for tokens in SCHEMES.values():
        assert len(tokens.fold) == len(FOLD_STEPS)
        assert (len(tokens.t_subsets), len(tokens.b_subsets), len(tokens.grades)) == (5, 6, 5)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_ink_on__grades_are_legible(scheme):
    for fill in (*SCHEMES[scheme].grades, SCHEMES[scheme].drug):
        assert compute_contrast(ink_on(fill), fill) >= 4.0


def test_marks__every_status_of_the_contract_has_its_own_shape_or_lane():
    assert set(MARKS) == {status.value for status in Status}
    looks = {
        (mark.symbol, mark.hollow, mark.lane) for status, mark in MARKS.items() if status != "not_calculated"
    }
    assert len(looks) == len(MARKS) - 1


def test_with_alpha__keeps_the_channels():
    assert with_alpha("#FF8B4D", 0.2) == "rgba(255,139,77,0.2)"
