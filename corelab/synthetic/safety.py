"""Rows of ``medications.csv`` and ``adverse_events.csv``: what was given and what it did."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from corelab.synthetic.children import DATA_CUTOFF, Child
from corelab.synthetic.course import BloodState, blood_on
from corelab.synthetic.disease import Disease, immunoglobulin_on
from corelab.synthetic.laboratory import Row
from corelab.synthetic.seeding import spawn_generator

_CTCAE: Final = "CTCAE v5.0"
_ASTCT: Final = "ASTCT 2019"
_LOW_IGG: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cytopenia:
    """A laboratory term and the limits below which it is grade 1, 2, 3 and 4."""

    term: str
    limits: tuple[float, float, float, float]


CYTOPENIAS: Final = (
    Cytopenia(term="Neutrophil count decreased", limits=(1.5, 1.5, 1.0, 0.5)),
    Cytopenia(term="Lymphocyte count decreased", limits=(1.0, 0.8, 0.5, 0.2)),
    Cytopenia(term="Platelet count decreased", limits=(100.0, 75.0, 50.0, 25.0)),
    Cytopenia(term="Anemia", limits=(115.0, 100.0, 80.0, 0.0)),
)
"""CTCAE v5.0 in 10⁹/L, haemoglobin in g/L; grade 4 anaemia is a clinical judgement."""


def _value(cytopenia: Cytopenia, blood: BloodState) -> float:
    values = {
        "Neutrophil count decreased": blood.granulocyte / 1000,
        "Lymphocyte count decreased": blood.lymphocytes / 1000,
        "Platelet count decreased": blood.platelets / 1000,
        "Anemia": blood.haemoglobin,
    }
    return values[cytopenia.term]


def grade_value(cytopenia: Cytopenia, value: float) -> int:
    """Grade a value by CTCAE v5.0; 0 where it is normal.

    Examples
    --------
    >>> [grade_value(CYTOPENIAS[0], anc) for anc in (2.0, 1.2, 0.7, 0.3)]
    [0, 2, 3, 4]
    """
    return max((grade for grade, limit in enumerate(cytopenia.limits, 1) if value < limit), default=0)


def _until_cutoff(child: Child) -> int:
    return (DATA_CUTOFF - child.infusion_at.date()).days


def adverse_event_rows(seed: int, child: Child, disease: Disease) -> Iterator[Row]:
    """Write a child's adverse events from infusion to the data cut-off.

    Parameters
    ----------
    seed
        Seed of the trial.
    child
        Whose events; a screening failure has none.
    disease
        Times the cytokine release.

    Yields
    ------
    dict
        Rows of ``adverse_events.csv``; an event that lasts has no end.
    """
    if not child.is_infused:
        return
    rng = spawn_generator(seed, "adverse events", child.subject_id)
    if child.crs_grade:
        start = max(int(disease.crs_peak_day) - 3, 1)
        span = (start, start + 4 + child.crs_grade)
        yield _event(child, "Cytokine release syndrome", _ASTCT, child.crs_grade, span)
    if child.crs_grade >= 3 or rng.random() < 0.15:
        span = (int(disease.crs_peak_day) + 1, int(disease.crs_peak_day) + 3)
        yield _event(child, "Immune effector cell-associated neurotoxicity syndrome", _ASTCT, 1, span)
    yield from _cytopenia_rows(child)
    yield from _late_rows(child, disease, day=int(rng.integers(35, 110)))


def _cytopenia_rows(child: Child) -> Iterator[Row]:
    days = range(1, min(_until_cutoff(child), 120) + 1)
    before = blood_on(child.course, -20.0)
    for cytopenia in CYTOPENIAS:
        baseline = grade_value(cytopenia, _value(cytopenia, before))
        grades = {d: grade_value(cytopenia, _value(cytopenia, blood_on(child.course, d))) for d in days}
        worse = [day for day, grade in grades.items() if grade > baseline]
        if worse:
            worst = max(grades[day] for day in worse)
            yield _event(child, cytopenia.term, _CTCAE, worst, (worse[0], worse[-1] + 1))


def _late_rows(child: Child, disease: Disease, *, day: int) -> Iterator[Row]:
    last = _until_cutoff(child)
    low = [d for d in range(7, last) if immunoglobulin_on(child, disease, d) < _LOW_IGG]
    if low:
        yield _event(child, "Hypogammaglobulinaemia", _CTCAE, 2, (low[0], low[-1] + 1))
    if day < last:
        span = (day, day + 8)
        yield _event(child, "Upper respiratory infection", _CTCAE, 2, span, related="no")


def _event(
    child: Child,
    term: str,
    scale: str,
    grade: int,
    span: tuple[int, int],
    *,
    related: str = "yes",
) -> Row:
    infused = child.infusion_at.date()
    end = infused + dt.timedelta(days=span[1])
    return {
        "subject_id": child.subject_id,
        "term": term,
        "scale": scale,
        "grade": str(grade),
        "start": (infused + dt.timedelta(days=span[0])).isoformat(),
        "end": end.isoformat() if end <= DATA_CUTOFF else "",
        "serious": "yes" if scale == _ASTCT and grade >= 3 else "no",
        "related": related,
        "category": "AESI" if scale == _ASTCT or term.startswith("Hypogamma") else "AE",
    }


def medication_rows(child: Child, disease: Disease) -> Iterator[Row]:
    """Write what a child was given: before, for and after the infusion."""
    last = _until_cutoff(child)
    yield _drug(child, "mycophenolate mofetil", (-400, -20), "850 mg", "lupus nephritis")
    yield _drug(child, "cyclophosphamide", (-330, -190), "700 mg", "lupus nephritis")
    yield _drug(child, "hydroxychloroquine", (-700, None), "200 mg", "lupus")
    if not child.is_infused:
        yield _drug(child, "prednisone", (-200, None), "20 mg", "lupus nephritis")
        return
    yield _drug(child, "prednisone", (-200, -8), "20 mg", "lupus nephritis")
    yield _drug(child, "prednisone", (-8, min(28, last)), "5 mg", "taper")
    yield _drug(child, "fludarabine", (-5, -3), "42 mg", "lymphodepletion")
    yield _drug(child, "cyclophosphamide", (-5, -3), "420 mg", "lymphodepletion")
    for day in child.tocilizumab_days:
        yield _drug(child, "tocilizumab", (day, day), "320 mg", "cytokine release syndrome")
    low = [d for d in range(7, last) if immunoglobulin_on(child, disease, d) < _LOW_IGG]
    for day in low[::30]:
        yield _drug(child, "ivig", (day, day), "16000 mg", "hypogammaglobulinaemia")


def _drug(child: Child, drug: str, span: tuple[int, int | None], dose: str, reason: str) -> Row:
    infused = child.infusion_at.date()
    amount, unit = dose.split(" ")
    end = "" if span[1] is None else (infused + dt.timedelta(days=span[1])).isoformat()
    by_mouth = {"mycophenolate mofetil", "hydroxychloroquine", "prednisone"}
    return {
        "subject_id": child.subject_id,
        "drug": drug,
        "start": (infused + dt.timedelta(days=span[0])).isoformat(),
        "end": end,
        "dose": amount,
        "unit": unit,
        "route": "oral" if drug in by_mouth else "intravenous",
        "reason": reason,
    }
