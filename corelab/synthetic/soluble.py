"""Rows of ``cytokines.csv``: soluble markers with their limits, as a multiplex report words them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from corelab.synthetic.disease import Disease, activity_on, inflammation_on
from corelab.synthetic.laboratory import Row
from corelab.synthetic.schedule import Draw
from corelab.synthetic.seeding import spawn_generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Cytokine:
    """One analyte in pg/mL: resting level, gain per unit of inflammation, range of the assay."""

    name: str
    resting: float
    gain: float
    lloq: float
    uloq: float


CYTOKINES: Final = (
    Cytokine(name="IL-6", resting=3.2, gain=48.0, lloq=2.4, uloq=10_000),
    Cytokine(name="IFN-g", resting=3.0, gain=110.0, lloq=2.0, uloq=10_000),
    Cytokine(name="IL-10", resting=2.6, gain=21.0, lloq=1.8, uloq=8_000),
    Cytokine(name="IL-2", resting=1.1, gain=3.0, lloq=1.6, uloq=8_000),
    Cytokine(name="IL-8", resting=9.0, gain=14.0, lloq=2.4, uloq=10_000),
    Cytokine(name="IL-15", resting=4.0, gain=6.0, lloq=1.5, uloq=5_000),
    Cytokine(name="TNF-a", resting=7.0, gain=9.0, lloq=2.4, uloq=10_000),
    Cytokine(name="GM-CSF", resting=1.3, gain=5.0, lloq=2.0, uloq=8_000),
    Cytokine(name="MCP-1", resting=180.0, gain=520.0, lloq=5.0, uloq=10_000),
    Cytokine(name="sIL-2Ra", resting=900.0, gain=3400.0, lloq=30.0, uloq=10_000),
    Cytokine(name="BAFF", resting=950.0, gain=0.0, lloq=20.0, uloq=10_000),
)
_OUT_OF_RANGE_WORD: Final = 0.35
"""Share of values below the range for which the report says ``OOR <`` instead of the limit."""


def true_concentration(draw: Draw, disease: Disease, cytokine: Cytokine) -> float:
    """Compute what an assay without error would read, pg/mL."""
    loud = inflammation_on(draw.child, disease, draw.day)
    value = cytokine.resting * (0.7 + 0.3 * activity_on(draw.child, draw.day))
    value += cytokine.gain * loud
    if cytokine.name == "IL-15":  # lymphodepletion frees IL-15
        value += 35.0 * np.exp(-0.5 * ((draw.day - 1.0) / 4.0) ** 2) * draw.child.is_infused
    if cytokine.name == "BAFF":  # no B cell takes it up
        value *= 1.0 + 3.0 * (draw.child.is_infused and 5 < draw.day < draw.child.course.b_return_10_day)
    if cytokine.name == "IL-6":  # a blocked receptor clears no IL-6
        value *= 1.0 + sum(6.0 * (0 < draw.day - given < 14) for given in draw.child.tocilizumab_days)
    return float(value)


def cytokine_rows(seed: int, draw: Draw, disease: Disease) -> Iterator[Row]:
    """Write the soluble markers of one draw.

    Parameters
    ----------
    seed
        Seed of the trial.
    draw
        Which draw.
    disease
        The child's disease; it times the cytokine release.

    Yields
    ------
    dict
        Rows of ``cytokines.csv``; a value outside the assay's range is words, not a number.
    """
    rng = spawn_generator(seed, "cytokines", draw.child.subject_id, draw.visit)
    for cytokine in CYTOKINES:
        value = true_concentration(draw, disease, cytokine)
        value *= float(np.exp(0.1 * rng.standard_normal()))
        chance = float(rng.random())
        yield {
            "subject_id": draw.child.subject_id,
            "visit": draw.visit,
            "collected_at": draw.child.stamp(draw.collected_at),
            "analyte": cytokine.name,
            "value": _word(value, cytokine, chance),
            "unit": "pg/mL",
            "lloq": f"{cytokine.lloq:g}",
            "uloq": f"{cytokine.uloq:g}",
            "lod": f"{cytokine.lloq / 3:.2g}",
            "matrix": "serum",
            "platform": "multiplex",
        }


def _word(value: float, cytokine: Cytokine, chance: float) -> str:
    if value > cytokine.uloq:
        return f">{cytokine.uloq:g}"
    if value < cytokine.lloq:
        return "OOR <" if chance < _OUT_OF_RANGE_WORD else f"<{cytokine.lloq:g}"
    return f"{value:.2f}" if value < 100 else f"{value:.1f}"
