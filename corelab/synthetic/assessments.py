"""Rows of ``assessments.csv``: disease scores, biopsy and what the investigator attests."""

import datetime as dt
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from corelab.synthetic.children import Child
from corelab.synthetic.disease import Disease, activity_on
from corelab.synthetic.laboratory import Row
from corelab.synthetic.schedule import Draw

SLEDAI_WEIGHTS: Final[Mapping[str, int]] = MappingProxyType({
    "seizure": 8, "psychosis": 8, "organic_brain_syndrome": 8, "visual_disturbance": 8,
    "cranial_nerve_disorder": 8, "lupus_headache": 8, "cva": 8, "vasculitis": 8, "arthritis": 4,
    "myositis": 4, "urinary_casts": 4, "hematuria": 4, "proteinuria": 4, "pyuria": 4, "rash": 2,
    "alopecia": 2, "mucosal_ulcers": 2, "pleurisy": 2, "pericarditis": 2, "low_complement": 2,
    "increased_dna_binding": 2, "fever": 1, "thrombocytopenia": 1, "leukopenia": 1,
})  # fmt: skip
"""Weight by item of SLEDAI-2K (Gladman, J Rheumatol 2002;29:288)."""

_ATTESTED_YES: Final = (
    "sle_2019_eular_acr", "refractory_ln", "venous_access", "informed_consent",
    "hemodynamic_stability",
)  # fmt: skip
_ATTESTED_NO: Final = (
    "gilbert", "inflammatory_myopathy", "renal_impairment_due_to_sle", "on_anticoagulant",
    *(f"E{number:02d}" for number in range(1, 12) if number != 6),
)  # fmt: skip
_INVESTIGATOR: Final = "INV-01"


def sledai_items(disease: Disease, activity: float, labs: Mapping[str, float]) -> dict[str, int]:
    """Score the items of SLEDAI-2K.

    Parameters
    ----------
    disease
        Which signs the child has.
    activity
        Disease activity on that day, 0 to 1.
    labs
        True ``UPCR``, ``URBC``, ``UWBC``, ``C3``, ``DSDNA`` of that day in the units of the report.

    Returns
    -------
    dict
        Item to 1 or 0 for all 24 items.

    Notes
    -----
    Cytopenia after lymphodepletion and fever of cytokine release are not attributed to lupus.
    """
    present = {
        "urinary_casts": activity > 0.6,
        "hematuria": labs["URBC"] > 5,
        "proteinuria": labs["UPCR"] > 0.5,
        "pyuria": labs["UWBC"] > 5,
        "low_complement": labs["C3"] < 0.8,
        "increased_dna_binding": labs["DSDNA"] > 100,
        "rash": disease.has_rash and activity > 0.4,
        "arthritis": disease.has_arthritis and activity > 0.5,
        "alopecia": disease.has_alopecia and activity > 0.3,
    }
    return {item: int(present.get(item, False)) for item in SLEDAI_WEIGHTS}


def bilag_grades(disease: Disease, activity: float) -> dict[str, str]:
    """Grade the nine BILAG-2004 domains from A (severe) to E (never)."""
    renal = next((g for g, least in (("A", 0.6), ("B", 0.25), ("C", 0.1)) if activity > least), "D")
    milder = next((g for g, least in (("B", 0.6), ("C", 0.25)) if activity > least), "D")
    return {
        "constitutional": "C" if activity > 0.5 else "D",
        "mucocutaneous": milder if disease.has_rash or disease.has_alopecia else "E",
        "neuropsychiatric": "E",
        "musculoskeletal": milder if disease.has_arthritis else "E",
        "cardiorespiratory": "E",
        "gastrointestinal": "E",
        "ophthalmic": "E",
        "renal": renal,
        "haematological": "C" if activity > 0.4 else "D",
    }


def score_rows(draw: Draw, disease: Disease, labs: Mapping[str, float]) -> Iterator[Row]:
    """Write SLEDAI-2K, PGA, ECOG and BILAG-2004 of one visit."""
    activity = activity_on(draw.child, draw.day)
    items = sledai_items(disease, activity, labs)
    total = sum(SLEDAI_WEIGHTS[item] * present for item, present in items.items())
    scores: dict[tuple[str, str], str] = {
        ("SLEDAI-2K", item): str(present) for item, present in items.items()
    }
    scores[("SLEDAI-2K", "total")] = str(total)
    scores[("PGA", "vas_0_3")] = f"{0.1 + 2.2 * activity:.1f}"
    scores[("ECOG", "score")] = "1" if activity > 0.3 else "0"
    for domain, grade in bilag_grades(disease, activity).items():
        scores[("BILAG-2004", domain)] = grade
    for (instrument, item), value in scores.items():
        yield _row(draw.child, draw.visit, draw.collected_at, (instrument, item, value))


def screening_rows(draw: Draw, disease: Disease) -> Iterator[Row]:
    """Write the biopsy before screening and what the investigator attests."""
    child = draw.child
    biopsy_at = draw.collected_at - dt.timedelta(days=30 + 7 * (child.index % 8))
    for item, value in (("class", disease.biopsy_class), ("active", "yes")):
        yield _row(child, "SCR", biopsy_at, ("biopsy", item, value))
    answers = dict.fromkeys(_ATTESTED_YES, "yes") | dict.fromkeys(_ATTESTED_NO, "no")
    for item, value in answers.items():
        yield _row(child, "SCR", draw.collected_at, ("attestation", item, value))
    yield _row(child, "SCR", draw.collected_at, ("history", "csf_history_known", "yes"))


def _row(child: Child, visit: str, moment: dt.datetime, score: tuple[str, str, str]) -> Row:
    instrument, item, value = score
    return {
        "subject_id": child.subject_id,
        "visit": visit,
        "collected_at": child.stamp(moment),
        "instrument": instrument,
        "item": item,
        "value": value,
        "by": _INVESTIGATOR,
        "comment": "",
    }
