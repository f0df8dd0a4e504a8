"""How one child's blood changes with time: CAR-T rise and fall, cytopenia, B-cell aplasia and return.

Defaults follow the published anchors of the trial's kinetic specification (section 7): peak near
day 10, biphasic decline with half-lives of 3-5 and 20-40 days, lymphocyte nadir of 0.05-0.2 × 10⁹/L,
B cells below 10/µL from the second week and back at a median of 105 days.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from corelab.synthetic.seeding import log_uniform

COPIES_PER_UG_OF_CELLS: Final = 151_515.0
"""Diploid genomes in one microgram of genomic DNA at 6.6 pg each."""

_NODES: Final = (-60.0, -5.0, 0.0, 2.0, 7.0, 12.0, 28.0, 60.0, 180.0, 365.0)
_SHAPE: Final = {
    "t": (1.0, 1.0, 0.09, 0.06, 0.16, 0.30, 0.50, 0.75, 1.0, 1.05),
    "nk": (1.0, 1.0, 0.10, 0.10, 0.30, 0.60, 0.80, 1.0, 1.0, 1.0),
    "granulocyte": (1.0, 1.1, 0.55, 0.40, 0.14, 0.36, 0.55, 0.70, 0.80, 0.9),
    "monocyte": (1.0, 1.0, 0.30, 0.10, 0.20, 0.50, 0.80, 1.0, 1.0, 1.0),
    "platelets": (1.0, 1.0, 0.75, 0.60, 0.32, 0.30, 0.60, 0.9, 1.0, 1.0),
    "haemoglobin": (1.0, 1.0, 0.90, 0.86, 0.78, 0.76, 0.88, 0.98, 1.1, 1.15),
}
_CAR_START_DAY: Final = 0.4
_B_FLOOR: Final = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The parameters of one child's course; concentrations per microlitre of blood."""

    cmax: float
    tmax: float
    half_life_fast: float
    half_life_slow: float
    slow_share: float
    copies_per_cell: float
    t_baseline: float
    nk_baseline: float
    b_baseline: float
    granulocyte_baseline: float
    monocyte_baseline: float
    platelet_baseline: float
    haemoglobin_baseline: float
    b_at_nadir: float
    b_return_10_day: float
    b_return_50_day: float
    b_plateau: float
    is_infused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodState:
    """Concentrations on one day: cells and platelets per microlitre, haemoglobin in g/L."""

    day: float
    car: float
    t: float
    b: float
    nk: float
    granulocyte: float
    monocyte: float
    platelets: float
    haemoglobin: float

    @property
    def cd3(self) -> float:
        """T cells, CAR-T included."""
        return self.t + self.car

    @property
    def lymphocytes(self) -> float:
        """T, B and NK cells."""
        return self.cd3 + self.b + self.nk

    @property
    def leukocytes(self) -> float:
        """All nucleated blood cells."""
        return self.lymphocytes + self.granulocyte + self.monocyte


def draw_course(rng: np.random.Generator, *, arm: str, few_b_cells: bool, is_infused: bool) -> Course:
    """Draw a child's course.

    Parameters
    ----------
    rng
        The child's random stream.
    arm
        Dose group; the higher dose peaks 1.3 times higher.
    few_b_cells
        Whether earlier B-cell depletion left fewer than 3 B cells per microlitre.
    is_infused
        Whether the child received CAR-T cells at all.

    Returns
    -------
    Course
    """
    sigma = np.sqrt(np.log1p(1.1**2))
    cmax = 120.0 * (1.3 if arm == "high" else 1.0) * np.exp(sigma * rng.standard_normal())
    return_10 = 105.0 * np.exp(0.33 * rng.standard_normal())
    b_baseline = rng.uniform(0.6, 2.5) if few_b_cells else log_uniform(rng, 70.0, 400.0)
    return Course(
        cmax=float(np.clip(cmax, 15.0, 450.0)),
        tmax=float(np.clip(10.0 * np.exp(0.18 * rng.standard_normal()), 7.0, 14.0)),
        half_life_fast=rng.uniform(3.0, 5.0),
        half_life_slow=rng.uniform(20.0, 40.0),
        slow_share=log_uniform(rng, 0.03, 0.12),
        copies_per_cell=log_uniform(rng, 1.0, 4.0),
        t_baseline=log_uniform(rng, 1100.0, 1700.0),
        nk_baseline=log_uniform(rng, 80.0, 250.0),
        b_baseline=b_baseline,
        granulocyte_baseline=log_uniform(rng, 2800.0, 6000.0),
        monocyte_baseline=log_uniform(rng, 250.0, 600.0),
        platelet_baseline=rng.uniform(160e3, 330e3),
        haemoglobin_baseline=rng.uniform(92.0, 124.0),
        b_at_nadir=log_uniform(rng, 0.03, 0.4),
        b_return_10_day=float(np.clip(return_10, 55.0, 200.0)),
        b_return_50_day=float(np.clip(return_10, 55.0, 200.0)) + rng.uniform(30.0, 60.0),
        b_plateau=log_uniform(rng, 120.0, 300.0),
        is_infused=is_infused,
    )


def car_per_ul(course: Course, day: float) -> float:
    """Compute CAR-T cells per microlitre ``day`` days after infusion; 0 before it."""
    if not course.is_infused or day <= _CAR_START_DAY:
        return 0.0
    if day < course.tmax:
        dip = 2.5  # the cells leave the blood at first, then double every day or so
        start = max(course.cmax / 600.0, 0.05)
        if day <= dip:
            return start
        share = (day - dip) / (course.tmax - dip)
        return float(start * (course.cmax / start) ** share)
    past = day - course.tmax
    fast = (1.0 - course.slow_share) * 2.0 ** (-past / course.half_life_fast)
    slow = course.slow_share * 2.0 ** (-past / course.half_life_slow)
    return float(course.cmax * (fast + slow))


def b_per_ul(course: Course, day: float) -> float:
    """Compute B cells per microlitre: baseline, loss by the second week, logistic return."""
    if not course.is_infused or day <= -5.0:
        return course.b_baseline
    low = min(course.b_baseline, 3.0)
    days = (-5.0, 0.0, 3.0, 8.0, 14.0)
    values = (
        course.b_baseline,
        0.3 * course.b_baseline,
        0.08 * course.b_baseline,
        0.4 * low,
        course.b_at_nadir,
    )
    if day < days[-1]:
        return float(np.exp(np.interp(day, days, np.log(values))))
    rate = np.log(5.0) / (course.b_return_50_day - course.b_return_10_day)
    growing = 10.0 * np.exp(rate * (day - course.b_return_10_day))
    returned = growing / (1.0 + growing / course.b_plateau) * (1.0 + 10.0 / course.b_plateau)
    return float(max(course.b_at_nadir * 2.0 ** (-(day - 14.0) / 20.0), _B_FLOOR) + returned)


def _follow(kind: str, baseline: float, day: float, *, is_infused: bool) -> float:
    if not is_infused:
        return baseline
    return float(baseline * np.exp(np.interp(day, _NODES, np.log(_SHAPE[kind]))))


def blood_on(course: Course, day: float) -> BloodState:
    """Compute the blood of a child on one day of the infusion clock.

    Parameters
    ----------
    course
        The child's parameters.
    day
        Elapsed days from the end of infusion; negative before it.

    Returns
    -------
    BloodState
    """

    def level(kind: str, baseline: float) -> float:
        return _follow(kind, baseline, day, is_infused=course.is_infused)

    return BloodState(
        day=day,
        car=car_per_ul(course, day),
        t=level("t", course.t_baseline),
        b=b_per_ul(course, day),
        nk=level("nk", course.nk_baseline),
        granulocyte=level("granulocyte", course.granulocyte_baseline),
        monocyte=level("monocyte", course.monocyte_baseline),
        platelets=level("platelets", course.platelet_baseline),
        haemoglobin=level("haemoglobin", course.haemoglobin_baseline),
    )


def copies_per_ug(course: Course, blood: BloodState) -> float:
    """Compute transgene copies per microgram of DNA from CAR-T cells among all nucleated cells."""
    return course.copies_per_cell * blood.car / blood.leukocytes * COPIES_PER_UG_OF_CELLS
