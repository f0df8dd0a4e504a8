"""The children of the synthetic trial: who they are, what they received, how they will respond."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from corelab.study import Study
from corelab.synthetic.course import Course, draw_course
from corelab.synthetic.seeding import log_uniform, spawn_generator
from corelab.vocabulary import Arm

DATA_CUTOFF: Final = dt.date(2025, 10, 31)
"""The synthetic trial ends on this date for everyone, so that late visits are not yet due."""

_OFFSET: Final = "+08:00"  # of Asia/Shanghai, all year
_FOLLOW_UP_DAYS: Final = (401, 60, 383, 204, 138, 17)
_WEIGHT_BY_AGE: Final = (
    (6, 116, 21), (8, 128, 26), (10, 138, 32), (12, 151, 41), (14, 160, 49), (16, 164, 54),
    (18, 166, 57),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What was infused; together with the weight it gives the dose."""

    volume_ml: float
    tnc_per_ml: float
    viability_pct: float
    cd3_pct: float
    car_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One synthetic child.

    Parameters
    ----------
    index
        Place in the trial, from 0.
    trait
        ``typical``, ``cd19_negative`` (screening failure) or ``few_b_cells``.
    response
        ``complete``, ``partial`` or ``none``: how the nephritis will answer.
    infusion_at, infusion_end_at
        Local times; for a screening failure the dates it would have had.
    crs_grade
        Worst grade of cytokine release, 0 to 3.
    tocilizumab_days
        Days after infusion on which tocilizumab was given.
    prefers
        Unit by laboratory test where this child's hospital reports in other units.
    """

    index: int
    subject_id: str
    trait: str
    response: str
    sex: str
    age_years: int
    height_cm: float
    weight_kg: float
    arm: str
    consent_date: dt.date
    lymphodepletion_at: dt.datetime
    infusion_at: dt.datetime
    infusion_end_at: dt.datetime
    product: Product
    course: Course
    crs_grade: int
    tocilizumab_days: tuple[int, ...]
    false_car: float
    cd19_positive: float
    prefers: Mapping[str, str]

    @property
    def is_infused(self) -> bool:
        """Whether the child went past screening."""
        return self.course.is_infused

    def stamp(self, moment: dt.datetime) -> str:
        """Write a local time as this child's hospital does: with or without its offset."""
        offset = _OFFSET if self.index % 4 == 3 else ""
        return moment.isoformat(timespec="minutes") + offset

    def day_of(self, moment: dt.datetime) -> float:
        """Compute elapsed days from the end of infusion."""
        return (moment - self.infusion_end_at).total_seconds() / 86400.0


def draw_children(seed: int, *, subjects: int, study: Study) -> tuple[Child, ...]:
    """Draw the children of a trial.

    Parameters
    ----------
    seed
        Seed of the trial.
    subjects
        How many children.
    study
        Gives the planned dose of each arm.

    Returns
    -------
    tuple of Child
        The second is CD19-negative, the fourth nearly without B cells.
    """
    return tuple(_draw_child(seed, index, study=study) for index in range(subjects))


def _draw_child(seed: int, index: int, *, study: Study) -> Child:
    subject_id = f"LN-{index + 1:03d}"
    rng = spawn_generator(seed, "child", subject_id)
    trait = {1: "cd19_negative", 3: "few_b_cells"}.get(index, "typical")
    is_infused = trait != "cd19_negative"
    arm = (Arm.LOW, Arm.HIGH)[(index + index // 2) % 2].value if is_infused else ""
    follow_up = _FOLLOW_UP_DAYS[index] if index < 6 else int(rng.integers(10, 420))
    infusion_date = DATA_CUTOFF - dt.timedelta(days=follow_up)
    infusion_at = dt.datetime.combine(infusion_date, dt.time(13, int(rng.integers(0, 60))))
    age, height, weight = _draw_body(rng)
    course = draw_course(rng, arm=arm, few_b_cells=trait == "few_b_cells", is_infused=is_infused)
    if trait == "cd19_negative":
        course = replace(course, b_baseline=log_uniform(rng, 300.0, 500.0))
    crs_grade = int(rng.choice((1, 1, 2, 3))) if index not in {0, 2} else 2
    planned = study.planned_dose[arm or Arm.LOW.value]
    return Child(
        index=index,
        subject_id=subject_id,
        trait=trait,
        response=("complete", "none", "complete", "partial", "none", "complete")[index % 6],
        sex="M" if rng.random() < 0.25 else "F",
        age_years=age,
        height_cm=height,
        weight_kg=weight,
        arm=arm,
        consent_date=infusion_date - dt.timedelta(days=int(rng.integers(46, 52))),
        lymphodepletion_at=dt.datetime.combine(infusion_date - dt.timedelta(days=5), dt.time(14, 0)),
        infusion_at=infusion_at,
        infusion_end_at=infusion_at + dt.timedelta(minutes=int(rng.integers(8, 35))),
        product=_draw_product(rng, planned_per_kg=planned, weight=weight),
        course=course,
        crs_grade=crs_grade if is_infused else 0,
        tocilizumab_days={0: (6, 7), 2: (5,)}.get(index, ()),
        false_car=log_uniform(rng, 5e-5, 2e-4),
        cd19_positive=rng.uniform(0.04, 0.1) if trait == "cd19_negative" else rng.uniform(0.985, 0.998),
        prefers=_choose_units(index),
    )


def _choose_units(index: int) -> Mapping[str, str]:
    choices = {0: {}, 2: {"HGB": "g/dL", "CREAT": "mg/dL"}, 4: {"UPCR": "mg/mmol", "C3": "mg/dL"}}
    return MappingProxyType(choices.get(index % 6, {}))


def _draw_body(rng: np.random.Generator) -> tuple[int, float, float]:
    age = int(rng.integers(8, 18))
    ages, heights, weights = zip(*_WEIGHT_BY_AGE, strict=True)
    height = np.interp(age, ages, heights) * np.exp(0.035 * rng.standard_normal())
    weight = np.interp(age, ages, weights) * np.exp(0.11 * rng.standard_normal())
    return age, round(float(height), 1), round(float(weight), 1)


def _draw_product(rng: np.random.Generator, *, planned_per_kg: float, weight: float) -> Product:
    """Choose a volume that meets the planned dose of viable CAR+ cells within some percent."""
    tnc = round(log_uniform(rng, 6e6, 2.5e7), -5)
    viability, cd3, car = rng.uniform(82, 96), rng.uniform(92, 99.3), rng.uniform(22, 55)
    viability, cd3, car = round(viability, 1), round(cd3, 1), round(car, 1)
    viable_car_per_ml = tnc * viability / 100 * cd3 / 100 * car / 100
    wanted = planned_per_kg * weight * rng.uniform(0.92, 1.06) / viable_car_per_ml
    return Product(
        volume_ml=round(float(wanted), 2),
        tnc_per_ml=tnc,
        viability_pct=viability,
        cd3_pct=cd3,
        car_pct=car,
    )
