"""Dose, eGFR, SLEDAI-2K and units by their worked numbers."""

import datetime as dt
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.clinical.dose import Product, compute_dose_per_kg
from corelab.clinical.egfr import Height, choose_height, compute_bedside_schwartz
from corelab.clinical.laboratory import (
    TEST_UNITS,
    choose_marker_unit,
    choose_test_unit,
    convert_reported,
)
from corelab.clinical.sledai import WEIGHTS, compute_total
from tests.ingest.real_data import find_real_data

PRODUCT = {"tnc_per_ml": 12.0e6, "viability_pct": 88.0, "cd3_pct": 97.0, "car_pct": 34.0}


def test_compute_dose_per_kg__worked_dose() -> None:
    dose = compute_dose_per_kg(Product(**PRODUCT, volume_ml=4.5, weight_kg=32.5))
    assert dose == pytest.approx(4.8222e5, abs=5)
    assert 100 * dose / 5e5 == pytest.approx(96.44, abs=0.005)


@pytest.mark.parametrize("weight", [float("nan"), 0.0])
def test_compute_dose_per_kg__unknown_without_a_weight(weight: float) -> None:
    assert math.isnan(compute_dose_per_kg(Product(**PRODUCT, volume_ml=4.5, weight_kg=weight)))


@pytest.mark.parametrize(
    ("height", "creatinine", "expected", "digits"), [(130, 159, 29.850, 3), (140, 88.4, 57.82, 2)]
)
def test_compute_bedside_schwartz__worked_values(
    height: float, creatinine: float, expected: float, digits: int
) -> None:
    assert round(compute_bedside_schwartz(height, creatinine), digits) == expected


HEIGHTS = [Height(date=dt.date(2025, 1, 31), cm=130), Height(date=dt.date(2025, 6, 1), cm=133)]


@pytest.mark.parametrize(
    ("on", "months", "cm", "reason"),
    [
        (dt.date(2025, 3, 1), 3, 130, ""),
        (dt.date(2025, 5, 1), 3, 133, ""),
        (dt.date(2025, 9, 1), 3, 133, ""),
        (dt.date(2025, 9, 2), 3, None, "HEIGHT_TOO_OLD"),
        (dt.date(2025, 9, 2), 6, 133, ""),
        (dt.date(2024, 10, 31), 3, 130, ""),
        (dt.date(2024, 10, 30), 3, None, "HEIGHT_TOO_OLD"),
    ],
)
def test_choose_height__nearest_within_calendar_months(
    on: dt.date, months: int, cm: float | None, reason: str
) -> None:
    height, found = choose_height(HEIGHTS, on, months=months)
    assert (height.cm if height else None, found) == (cm, reason)


def test_choose_height__none_was_taken() -> None:
    assert choose_height([], dt.date(2025, 1, 1), months=3) == (None, "NO_HEIGHT")


def test_weights__equal_the_published_ones() -> None:
    published = json.loads((find_real_data("") / "sledai2k_weights.json").read_text(encoding="utf-8"))
    assert dict(WEIGHTS) == published["weights"]


def test_weights__add_up_to_the_highest_score() -> None:
    assert len(WEIGHTS) == 24
    assert sum(WEIGHTS.values()) == 105


ALL_ABSENT = dict.fromkeys(WEIGHTS, False)


@pytest.mark.parametrize(
    ("items", "delivered", "value", "low", "high", "reason"),
    [
        (ALL_ABSENT, None, 0, 0, 0, ""),
        (ALL_ABSENT | {"proteinuria": True, "rash": True}, 6, 6, 6, 6, ""),
        (ALL_ABSENT | {"proteinuria": True}, 6, None, 4, 4, "SUM_MISMATCH"),
        ({"proteinuria": True, "rash": False}, None, None, 4, 103, "ITEMS_MISSING"),
        ({"proteinuria": True}, 12, 12, 12, 12, "ITEMS_MISSING"),
        ({"proteinuria": True}, 3, None, 4, 105, "SUM_MISMATCH"),
        ({}, 12, 12, 12, 12, "ITEMS_MISSING"),
        ({}, 106, None, 0, 105, "SUM_MISMATCH"),
        ({}, 7.5, None, 0, 105, "SUM_MISMATCH"),
    ],
)
def test_compute_total__items_against_the_delivered_total(
    items: dict[str, bool],
    delivered: float | None,
    value: int | None,
    low: int,
    high: int,
    reason: str,
) -> None:
    total = compute_total(items, delivered)
    assert (total.value, total.low, total.high, total.reason) == (value, low, high, reason)


@given(st.dictionaries(st.sampled_from(sorted(WEIGHTS)), st.booleans()))
def test_compute_total__one_more_item_never_leaves_the_interval(items: dict[str, bool]) -> None:
    before = compute_total(items)
    for name in WEIGHTS.keys() - items.keys():
        after = compute_total({**items, name: True})
        assert before.low <= after.low <= after.high <= before.high


@pytest.mark.parametrize(
    ("value", "unit", "test", "expected"),
    [
        (6.1, "g/dL", "HGB", 61.0),
        (52.0, "mg/mmol", "UPCR", 0.45968882602545966),
        (1.7, "mg/dL", "CREAT", 150.28),
        (5.6, "10^3/uL", "WBC", 5.6),
        (576.0, "/uL", "ALC", 0.576),
        (95.0, "mg/dL", "C3", 0.95),
        (1.2, "mg/dL", "CRP", 12.0),
        (320.0, "1", "ANA", 320.0),
    ],
)
def test_convert_reported__digit_for_digit(value: float, unit: str, test: str, expected: float) -> None:
    target = choose_test_unit(test, unit)
    assert target == TEST_UNITS[test]
    assert convert_reported(value, unit, target, substance=test) == expected


def test_choose_unit__what_cannot_convert_keeps_its_own() -> None:
    assert choose_test_unit("HGB", "mmol/L") == "g/L"
    assert choose_test_unit("ALB", "mmol/L") == "mmol/L"
    assert choose_test_unit("NOVEL", "ng/mL") == "ng/mL"
    assert choose_marker_unit("IL-6", "ng/mL") == "pg/mL"
    assert choose_marker_unit("sIL-2Ra", "U/mL") == "U/mL"
    assert choose_marker_unit("Ferritin", "ng/mL") == "ug/L"
