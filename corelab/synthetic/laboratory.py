"""Rows of ``labs.csv`` and ``qpcr.csv`` as a hospital would deliver them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from corelab.synthetic.course import BloodState, copies_per_ug
from corelab.synthetic.disease import (
    Disease,
    activity_on,
    immunoglobulin_on,
    inflammation_on,
)
from corelab.synthetic.schedule import Draw
from corelab.synthetic.seeding import spawn_generator

Row = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that a laboratory value follows from."""

    blood: BloodState
    disease: Disease
    activity: float
    inflammation: float
    igg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabTest:
    """One quantitative test: its unit, range, printed decimals, assay scatter and true value."""

    name: str
    unit: str
    low: float | None
    high: float | None
    decimals: int
    cv: float
    value: Callable[[State], float]


def _test(
    name: str,
    unit: str,
    limits: tuple[float | None, float | None],
    decimals: int,
    cv: float,
    value: Callable[[State], float],
) -> LabTest:
    return LabTest(name=name, unit=unit, low=limits[0], high=limits[1], decimals=decimals, cv=cv, value=value)


_GIGA: Final = "10^9/L"
ROUTINE: Final = (
    _test("WBC", _GIGA, (4.0, 10.0), 2, 0.02, lambda s: s.blood.leukocytes / 1000 * 1.03),
    _test("ALC", _GIGA, (1.0, 4.0), 3, 0.03, lambda s: s.blood.lymphocytes / 1000),
    _test("ANC", _GIGA, (1.5, 7.5), 2, 0.03, lambda s: s.blood.granulocyte / 1000),
    _test("HGB", "g/L", (115, 150), 0, 0.01, lambda s: s.blood.haemoglobin),
    _test("PLT", _GIGA, (100, 400), 0, 0.03, lambda s: s.blood.platelets / 1000),
    _test("ALT", "U/L", (7, 40), 0, 0.08, lambda s: 22 + 14 * s.inflammation),
    _test("AST", "U/L", (13, 40), 0, 0.08, lambda s: 25 + 16 * s.inflammation),
    _test("ALP", "U/L", (50, 380), 0, 0.06, lambda _: 160),
    _test("GGT", "U/L", (5, 45), 0, 0.08, lambda s: 18 + 5 * s.inflammation),
    _test("TBIL", "umol/L", (3, 20.5), 1, 0.08, lambda s: 8 + 1.5 * s.inflammation),
    _test("CREAT", "umol/L", (27, 88), 0, 0.03,
          lambda s: s.disease.creatinine_umol_l * (0.84 + 0.16 * s.activity)),
    _test("K", "mmol/L", (3.5, 5.3), 2, 0.02, lambda s: 4.2 - 0.12 * s.inflammation),
    _test("NA", "mmol/L", (135, 145), 0, 0.007, lambda s: 139.5 - 0.8 * s.inflammation),
    _test("ALB", "g/L", (38, 54), 1, 0.02, lambda s: 41 - 12 * s.activity - s.inflammation),
    _test("LDH", "U/L", (120, 300), 0, 0.05, lambda s: 225 + 70 * s.inflammation),
    _test("CK", "U/L", (30, 170), 0, 0.15, lambda _: 65),
    _test("INR", "1", (0.8, 1.2), 2, 0.02, lambda s: 1.01 + 0.03 * s.inflammation),
    _test("PT", "s", (10, 14), 1, 0.02, lambda s: 11.8 + 0.35 * s.inflammation),
    _test("APTT", "s", (24, 38), 1, 0.03, lambda s: 30 + 0.8 * s.inflammation),
    _test("FIBRINOGEN", "g/L", (2.0, 4.0), 2, 0.04, lambda s: 3.2 - 0.25 * s.inflammation),
    _test("CRP", "mg/L", (None, 8), 1, 0.08, lambda s: 1.6 + 22 * s.inflammation),
    _test("PCT", "ng/mL", (None, 0.5), 2, 0.1, lambda s: 0.06 + 0.15 * s.inflammation),
    _test("FERRITIN", "ug/L", (12, 200), 0, 0.05, lambda s: 140 + 620 * s.inflammation),
)  # fmt: skip
"""Blood count, chemistry, coagulation and acute phase: at nearly every visit."""

RENAL: Final = (
    _test("UPCR", "g/g", (None, 0.2), 2, 0.05,
          lambda s: 0.08 + s.disease.upcr_g_g * s.activity),
    _test("UACR", "mg/mmol", (None, 3), 1, 0.06,
          lambda s: 1.2 + 70 * s.disease.upcr_g_g * s.activity),
    _test("URBC", "/hpf", (0, 3), 0, 0.1, lambda s: 1 + s.disease.red_cells_hpf * s.activity),
    _test("UWBC", "/hpf", (0, 5), 0, 0.1, lambda s: 1 + s.disease.white_cells_hpf * s.activity),
    _test("C3", "g/L", (0.8, 1.6), 2, 0.03,
          lambda s: s.disease.c3_g_l + 0.62 * (1 - s.activity)),
    _test("C4", "g/L", (0.1, 0.4), 3, 0.03, lambda s: s.disease.c4_g_l + 0.15 * (1 - s.activity)),
    _test("CH50", "U/mL", (30, 75), 0, 0.04, lambda s: 52 - 28 * s.activity),
    _test("DSDNA", "IU/mL", (None, 100), 0, 0.05,
          lambda s: 12 + s.disease.dsdna_iu_ml * s.activity**1.3),
    _test("IGG", "g/L", (6.1, 15.7), 2, 0.02, lambda s: s.igg),
    _test("IGA", "g/L", (0.6, 3.8), 2, 0.02, lambda s: 0.16 * s.igg),
    _test("IGM", "g/L", (0.5, 3.1), 2, 0.02, lambda s: 0.09 * s.igg),
    _test("CD4", "/uL", (500, 1500), 0, 0.03, lambda s: 0.56 * s.blood.t),
)  # fmt: skip
"""Renal and serological tests, at the visits that score the disease."""

_FACTOR: Final = {"g/dL": 0.1, ("CREAT", "mg/dL"): 1 / 88.4, "mg/mmol": 113.12, ("C3", "mg/dL"): 100.0}
_SEROLOGY: Final = ("HBSAG", "HBCAB", "HCVAB", "HIVAB", "SYPHILIS")


def state_of(draw: Draw, blood: BloodState, disease: Disease) -> State:
    """Gather what the values of one draw follow from."""
    return State(
        blood=blood,
        disease=disease,
        activity=activity_on(draw.child, draw.day),
        inflammation=inflammation_on(draw.child, disease, draw.day),
        igg=immunoglobulin_on(draw.child, disease, draw.day),
    )


def _heading(draw: Draw) -> Row:
    return {
        "subject_id": draw.child.subject_id,
        "visit": draw.visit,
        "collected_at": draw.child.stamp(draw.collected_at),
    }


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def _row(draw: Draw, test: LabTest, value: float, prefers: Mapping[str, str]) -> Row:
    """Write a value in the unit that the child's hospital uses."""
    unit = prefers.get(test.name, test.unit)
    factor = 1.0
    decimals = test.decimals
    if unit != test.unit:
        factor = _FACTOR.get((test.name, unit), _FACTOR.get(unit, 1.0))
        decimals += 2 if factor < 1 else 0
    low, high = (None if x is None else x * factor for x in (test.low, test.high))
    return _heading(draw) | {
        "test": test.name,
        "value": _number(value * factor, decimals),
        "unit": unit,
        "ref_low": _number(low, decimals),
        "ref_high": _number(high, decimals),
    }


def lab_rows(seed: int, draw: Draw, *, blood: BloodState, disease: Disease) -> Iterator[Row]:
    """Write the laboratory rows of one draw.

    Parameters
    ----------
    seed
        Seed of the trial.
    draw
        Which draw; what it expects decides which tests were done.
    blood, disease
        The child's blood on that day and its disease.

    Yields
    ------
    dict
        Rows of ``labs.csv``.
    """
    rng = spawn_generator(seed, "labs", draw.child.subject_id, draw.visit)
    state = state_of(draw, blood, disease)
    tests = (*(ROUTINE if "laboratory" in draw.expects else ()),
             *(RENAL if "renal" in draw.expects else ()))  # fmt: skip
    for test in tests:
        value = test.value(state) * float(np.exp(test.cv * rng.standard_normal()))
        yield _row(draw, test, value, draw.child.prefers)
    if "renal" in draw.expects:
        casts = "positive" if state.activity > 0.6 else "negative"
        yield _heading(draw) | {"test": "UCAST", "value": casts, "unit": "1"}
    if draw.visit == "SCR":
        yield from _screening_rows(draw, disease)


def _screening_rows(draw: Draw, disease: Disease) -> Iterator[Row]:
    child = draw.child
    yield _heading(draw) | {"test": "ANA", "value": f"1:{disease.ana_titre}", "unit": "titre"}
    for test in _SEROLOGY:
        yield _heading(draw) | {"test": test, "value": "negative", "unit": "1"}
    for test, value, unit in (("HEIGHT", child.height_cm, "cm"), ("WEIGHT", child.weight_kg, "kg")):
        yield _heading(draw) | {"test": test, "value": f"{value:.1f}", "unit": unit}


def growth_rows(draw: Draw) -> Iterator[Row]:
    """Write height and weight of the visits that score the disease; children grow."""
    child = draw.child
    grown = child.height_cm + max(draw.day, 0.0) / 365.0 * (4.0 if child.age_years < 15 else 0.5)
    yield _heading(draw) | {"test": "HEIGHT", "value": f"{grown:.1f}", "unit": "cm"}


QPCR_LLOQ: Final = 50.0
QPCR_LOD: Final = 20.0


def qpcr_row(seed: int, draw: Draw, blood: BloodState) -> Row:
    """Write the transgene copies of one draw, ``<50`` below the limit of quantification."""
    rng = spawn_generator(seed, "qpcr", draw.child.subject_id, draw.visit)
    copies = copies_per_ug(draw.child.course, blood) * float(np.exp(0.12 * rng.standard_normal()))
    gdna = rng.uniform(200, 260)
    text = f"{copies:.0f}" if copies >= QPCR_LLOQ else f"<{QPCR_LLOQ:.0f}"
    return _heading(draw) | {
        "copies_per_ug": text,
        "lloq": f"{QPCR_LLOQ:.0f}",
        "lod": f"{QPCR_LOD:.0f}",
        "gdna_ng": f"{gdna:.0f}",
    }
