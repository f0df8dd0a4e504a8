"""A trial with half of it missing: every table builds, and a verdict that changed says what is missing."""

import numpy as np
import pytest

from corelab.tables.schemas import SCHEMAS
from tests.validation.thinning import (
    MODES,
    Delivery,
    Tables,
    count_changes,
    find_unexplained,
    find_untrue,
    make_delivery,
    thin,
)


@pytest.fixture(scope="module")
def delivery() -> Delivery:
    return make_delivery(subjects=5, seed=41)


@pytest.fixture(scope="module")
def whole(delivery: Delivery) -> Tables:
    return delivery.derive()


def test_make_delivery__gives_verdicts_worth_changing(whole: Tables) -> None:
    states = set(whole["eligibility"]["state"]) | set(whole["responses"]["state"])
    assert {"met", "not_met", "eligible", "responder", "non_responder"} <= states


@pytest.mark.parametrize("mode", MODES)
def test_derive_tables__half_a_trial_says_what_is_missing(
    delivery: Delivery, whole: Tables, mode: str
) -> None:
    thinned, log = thin(delivery, np.random.default_rng(7), mode)
    tables = thinned.derive()
    for name, schema in SCHEMAS.items():
        assert tables[name].columns.tolist() == schema.column_names
    assert find_unexplained(whole, tables, log) == []
    assert find_untrue(tables, thinned.inputs) == []
    assert count_changes(whole, tables) > 50
