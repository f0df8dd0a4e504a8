"""One spelling for each test and analyte, so that two spellings of one measurement are one key."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

TESTS: Final = (
    "WBC", "ALC", "ANC", "HGB", "PLT", "ALT", "AST", "ALP", "GGT", "TBIL", "CREAT", "CK", "K", "NA", "INR",
    "PT", "APTT", "FIBRINOGEN", "ALB", "LDH", "CD4", "ANA", "HBSAG", "HBCAB", "HBVDNA", "HCVAB", "HCVRNA",
    "HIVAB", "SYPHILIS", "UPCR", "UACR", "PROT24H", "URBC", "UWBC", "UCAST", "C3", "C4", "CH50", "DSDNA",
    "IGG", "IGA", "IGM", "CRP", "PCT", "FERRITIN", "HEIGHT", "WEIGHT",
)  # fmt: skip
"""The contract's words for laboratory tests."""

_TEST_ALIASES: Final = {
    "leukocytes": "WBC", "leucocytes": "WBC", "whitebloodcells": "WBC", "wbccount": "WBC",
    "lymphocytes": "ALC", "lymphocytecount": "ALC", "absolutelymphocytecount": "ALC", "lym": "ALC",
    "lymph": "ALC", "neutrophils": "ANC", "neutrophilcount": "ANC", "absoluteneutrophilcount": "ANC",
    "neut": "ANC", "hb": "HGB", "hemoglobin": "HGB", "haemoglobin": "HGB", "platelets": "PLT",
    "plateletcount": "PLT", "alat": "ALT", "gpt": "ALT", "sgpt": "ALT", "asat": "AST", "got": "AST",
    "sgot": "AST", "alkalinephosphatase": "ALP", "ggtp": "GGT", "gammagt": "GGT", "bilirubin": "TBIL",
    "totalbilirubin": "TBIL", "tbili": "TBIL", "creatinine": "CREAT", "crea": "CREAT", "cr": "CREAT",
    "scr": "CREAT", "serumcreatinine": "CREAT", "cpk": "CK", "creatinekinase": "CK", "potassium": "K",
    "sodium": "NA", "prothrombintime": "PT", "ptt": "APTT", "fib": "FIBRINOGEN", "fbg": "FIBRINOGEN",
    "albumin": "ALB", "cd4count": "CD4", "cd4tcells": "CD4", "antinuclearantibody": "ANA",
    "antidsdna": "DSDNA", "dsdnaab": "DSDNA", "antihbc": "HBCAB", "hbcantibody": "HBCAB",
    "hbsantigen": "HBSAG", "antihcv": "HCVAB", "antihiv": "HIVAB", "hiv": "HIVAB", "tppa": "SYPHILIS",
    "rpr": "SYPHILIS", "proteincreatinineratio": "UPCR", "urineproteincreatinineratio": "UPCR",
    "pcr": "UPCR", "albumincreatinineratio": "UACR", "24hprotein": "PROT24H", "protein24h": "PROT24H",
    "urineprotein24h": "PROT24H", "complementc3": "C3", "complementc4": "C4", "creactiveprotein": "CRP",
    "procalcitonin": "PCT",
}  # fmt: skip
_BY_SPELLING: Final = {**{test.lower(): test for test in TESTS}, **_TEST_ALIASES}


def spell_test(text: str) -> str:
    """Return a laboratory test's word of the contract, or the text where it is unknown.

    Examples
    --------
    >>> spell_test("Hb"), spell_test("HBV-DNA"), spell_test("Troponin T")
    ('HGB', 'HBVDNA', 'Troponin T')
    """
    return _BY_SPELLING.get(fold_name(text), " ".join(text.split()))


def is_known_test(text: str) -> bool:
    """Tell whether a spelling names a test of the contract."""
    return fold_name(text) in _BY_SPELLING


def fold_name(text: str) -> str:
    """Reduce a name to its letters and digits, so that spellings of one name agree.

    Examples
    --------
    >>> fold_name("IFN-γ"), fold_name("IFN gamma"), fold_name("TNF-α")
    ('ifng', 'ifngamma', 'tnfa')
    """
    latin = text.translate({ord("γ"): "g", ord("α"): "a", ord("β"): "b"})
    plain = unicodedata.normalize("NFKC", latin).lower()
    return re.sub(r"[^\w]|_", "", plain)


ANALYTES: Final = (
    "IL-1b", "IL-2", "IL-4", "IL-5", "IL-6", "IL-7", "IL-8", "IL-10", "IL-12p70", "IL-13", "IL-15", "IL-17A",
    "IL-18", "IFN-g", "IFN-a", "TNF-a", "GM-CSF", "MCP-1", "IP-10", "sIL-2Ra", "BAFF", "granzyme B",
    "ferritin", "CRP", "PCT", "C3", "C4",
)  # fmt: skip
"""Soluble markers as they are named here."""

_ANALYTE_ALIASES: Final = {
    "cxcl8": "IL-8", "ccl2": "MCP-1", "cxcl10": "IP-10", "tnf": "TNF-a", "scd25": "sIL-2Ra",
    "sil2r": "sIL-2Ra", "il17": "IL-17A", "il12": "IL-12p70", "csf2": "GM-CSF", "tnfsf13b": "BAFF",
    "procalcitonin": "PCT", "creactiveprotein": "CRP",
}  # fmt: skip
_ANALYTE_BY_SPELLING: Final = {**{fold_name(name): name for name in ANALYTES}, **_ANALYTE_ALIASES}
_ANALYTE_ENDINGS: Final = (("gamma", "g"), ("alpha", "a"), ("beta", "b"))


def spell_analyte(text: str) -> str:
    """Return a soluble marker's name as it is written here, or the text where it is unknown.

    Examples
    --------
    >>> spell_analyte("IL6"), spell_analyte("IFN-γ"), spell_analyte("TNF alpha"), spell_analyte("Eotaxin")
    ('IL-6', 'IFN-g', 'TNF-a', 'Eotaxin')
    """
    return _ANALYTE_BY_SPELLING.get(_fold_analyte(text), " ".join(text.split()))


def is_known_analyte(text: str) -> bool:
    """Tell whether a spelling names a soluble marker that is known here."""
    return _fold_analyte(text) in _ANALYTE_BY_SPELLING


def _fold_analyte(text: str) -> str:
    folded = fold_name(text)
    for ending, letter in _ANALYTE_ENDINGS:
        if folded.endswith(ending):
            return folded.removesuffix(ending) + letter
    return folded


ITEMS: Final[Mapping[str, tuple[str, ...]]] = {
    "SLEDAI-2K": (
        "seizure", "psychosis", "organic_brain_syndrome", "visual_disturbance", "cranial_nerve_disorder",
        "lupus_headache", "cva", "vasculitis", "arthritis", "myositis", "urinary_casts", "hematuria",
        "proteinuria", "pyuria", "rash", "alopecia", "mucosal_ulcers", "pleurisy", "pericarditis",
        "low_complement", "increased_dna_binding", "fever", "thrombocytopenia", "leukopenia", "total",
    ),
    "PGA": ("vas_0_3",),
    "ECOG": ("score",),
    "BILAG-2004": (
        "constitutional", "mucocutaneous", "neuropsychiatric", "musculoskeletal", "cardiorespiratory",
        "gastrointestinal", "ophthalmic", "renal", "haematological",
    ),
    "biopsy": ("class", "active"),
    "attestation": (
        "sle_2019_eular_acr", "refractory_ln", "venous_access", "informed_consent", "hemodynamic_stability",
        "gilbert", "inflammatory_myopathy", "renal_impairment_due_to_sle", "on_anticoagulant",
        *(f"E{number:02d}" for number in range(1, 12)),
    ),
    "medication": (),
    "history": ("csf_history_known",),
    "disposition": ("withdrawal", "death", "lost_to_followup", "second_infusion"),
}  # fmt: skip
"""The items of each instrument of assessments; those of ``medication`` are drugs of any name."""

_INSTRUMENTS: Final = {fold_name(name): name for name in ITEMS}
_ITEM_BY_SPELLING: Final = {
    **{fold_name(item): item for items in ITEMS.values() for item in items},
    "haematuria": "hematuria", "hematological": "haematological",
    "haemodynamicstability": "hemodynamic_stability",
}  # fmt: skip


def spell_instrument(text: str) -> str:
    """Return an assessment's instrument as the contract writes it, or the text where it is unknown.

    Examples
    --------
    >>> spell_instrument("sledai 2k"), spell_instrument("Attestation")
    ('SLEDAI-2K', 'attestation')
    """
    return _INSTRUMENTS.get(fold_name(text), text)


def spell_item(text: str) -> str:
    """Return an assessment's item as the contract writes it; an unknown one in lower case.

    Examples
    --------
    >>> spell_item("Arthritis"), spell_item("e06"), spell_item("Organic brain syndrome"), spell_item("G-CSF")
    ('arthritis', 'E06', 'organic_brain_syndrome', 'g-csf')
    """
    return _ITEM_BY_SPELLING.get(fold_name(text), text.lower())


def is_known_item(instrument: str, item: str) -> bool:
    """Tell whether an instrument has such an item, both as the contract writes them."""
    return instrument == "medication" or item in ITEMS.get(instrument, ())
