"""How active a child's lupus is, and how loud its cytokine release: the hidden states behind values."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from corelab.synthetic.children import Child
from corelab.synthetic.seeding import spawn_generator

_RESIDUAL: Final = {"complete": 0.03, "partial": 0.27, "none": 0.75}
_ONSET_DAY: Final = 7.0
_DECAY_DAYS: Final = 38.0
_CRS_PEAK: Final = {0: 2.0, 1: 8.0, 2: 18.0, 3: 40.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disease:
    """What a child brings along: its own size of each sign of disease."""

    upcr_g_g: float
    creatinine_umol_l: float
    dsdna_iu_ml: float
    c3_g_l: float
    c4_g_l: float
    red_cells_hpf: float
    white_cells_hpf: float
    igg_g_l: float
    ana_titre: int
    has_rash: bool
    has_arthritis: bool
    has_alopecia: bool
    biopsy_class: str
    crs_peak_day: float


def draw_disease(seed: int, child: Child) -> Disease:
    """Draw a child's disease at screening; every child is eligible but for the CD19 call."""
    rng = spawn_generator(seed, "disease", child.subject_id)
    normal_creatinine = 36.5 * child.height_cm / rng.uniform(95.0, 125.0)
    impaired = 1.25 if child.response != "complete" else 1.05
    return Disease(
        upcr_g_g=rng.uniform(1.6, 4.8),
        creatinine_umol_l=normal_creatinine * impaired,
        dsdna_iu_ml=rng.uniform(120.0, 480.0),
        c3_g_l=rng.uniform(0.35, 0.7),
        c4_g_l=rng.uniform(0.03, 0.09),
        red_cells_hpf=rng.uniform(12.0, 60.0),
        white_cells_hpf=rng.uniform(7.0, 25.0),
        igg_g_l=rng.uniform(9.0, 17.0),
        ana_titre=int(rng.choice((160, 320, 640, 1280))),
        has_rash=bool(rng.random() < 0.6),
        has_arthritis=bool(rng.random() < 0.5),
        has_alopecia=bool(rng.random() < 0.4),
        biopsy_class=str(rng.choice(("III", "IV", "III+V", "IV+V"))),
        crs_peak_day=rng.uniform(5.0, 8.0),
    )


def activity_on(child: Child, day: float) -> float:
    """Compute disease activity: 1 before treatment, then an exponential fall to what remains.

    Examples
    --------
    >>> from corelab.study import builtin_study
    >>> from corelab.synthetic.children import draw_children
    >>> child = draw_children(1, subjects=1, study=builtin_study())[0]
    >>> activity_on(child, -30.0)
    1.0
    """
    if not child.is_infused or day <= _ONSET_DAY:
        return 1.0
    residual = _RESIDUAL[child.response]
    return float(residual + (1.0 - residual) * np.exp(-(day - _ONSET_DAY) / _DECAY_DAYS))


def inflammation_on(child: Child, disease: Disease, day: float) -> float:
    """Compute how loud the cytokine release is: 0 at rest, 1 at the peak of a grade 1."""
    if not child.is_infused or day <= 0.0:
        return 0.0
    width = 2.0 if day < disease.crs_peak_day else 4.5
    height = _CRS_PEAK[child.crs_grade] / _CRS_PEAK[1]
    return float(height * np.exp(-0.5 * ((day - disease.crs_peak_day) / width) ** 2))


def immunoglobulin_on(child: Child, disease: Disease, day: float) -> float:
    """Compute IgG in g/L: it fades with a half-life of three weeks while B cells are away."""
    if not child.is_infused or day <= 0.0:
        return disease.igg_g_l
    returned = child.course.b_return_50_day + 20.0
    faded = disease.igg_g_l * (0.35 + 0.65 * 2.0 ** (-min(day, returned) / 24.0))
    if day <= returned:
        return float(faded)
    target = 9.0
    return float(target + (faded - target) * np.exp(-(day - returned) / 90.0))
