"""SLEDAI-2K: the weights of its items and the total that they give.

References
----------
Gladman DD, Ibanez D, Urowitz MB. J Rheumatol 2002;29:288.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

WEIGHTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "seizure": 8, "psychosis": 8, "organic_brain_syndrome": 8, "visual_disturbance": 8,
        "cranial_nerve_disorder": 8, "lupus_headache": 8, "cva": 8, "vasculitis": 8,
        "arthritis": 4, "myositis": 4, "urinary_casts": 4, "hematuria": 4, "proteinuria": 4, "pyuria": 4,
        "rash": 2, "alopecia": 2, "mucosal_ulcers": 2, "pleurisy": 2, "pericarditis": 2,
        "low_complement": 2, "increased_dna_binding": 2,
        "fever": 1, "thrombocytopenia": 1, "leukopenia": 1,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A total: its number or None, the interval in which it lies, and what is remarkable about it."""

    value: int | None
    low: int
    high: int
    reason: str


def compute_total(items: Mapping[str, bool], delivered: float | None = None) -> Total:
    """Add up the items that are present and hold the result against a delivered total.

    Parameters
    ----------
    items
        Presence of each item that was scored.
    delivered
        The total as delivered, None where there is none.

    Returns
    -------
    total
        Without a value where items are missing and no total is delivered (``ITEMS_MISSING``), or where
        the delivered total cannot be the sum (``SUM_MISMATCH``).

    Examples
    --------
    >>> compute_total({"rash": True, "fever": False}).low, compute_total({}, delivered=12).value
    (2, 12)
    """
    present = sum(WEIGHTS[name] for name, is_present in items.items() if is_present)
    highest = present + sum(weight for name, weight in WEIGHTS.items() if name not in items)
    if delivered is not None and not (present <= delivered <= highest and delivered == int(delivered)):
        return Total(value=None, low=present, high=highest, reason="SUM_MISMATCH")
    if present == highest:
        return Total(value=present, low=present, high=present, reason="")
    if delivered is None:
        return Total(value=None, low=present, high=highest, reason="ITEMS_MISSING")
    value = int(delivered)
    return Total(value=value, low=value, high=value, reason="ITEMS_MISSING")
