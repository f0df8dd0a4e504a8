"""Drugs by the word of the contract, whatever the spelling under which they were recorded."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from corelab.clinical.ruleset import read_rule_file
from corelab.ingest.names import fold_name

RULES: Final = "drugs-1"
RESCUE: Final = "rescue"


@cache
def _words() -> Mapping[str, str]:
    drugs = read_rule_file(RULES)["drugs"]
    return MappingProxyType({fold_name(name): word for word, names in drugs.items() for name in names})


def spell_drug(text: str, *, reason: str = "") -> str:
    """Return the contract's word for a drug, its own name in lower case where it has none.

    A drug given as rescue is rescue by its reason, whatever it is.

    Examples
    --------
    >>> spell_drug("PEG-rhG-CSF"), spell_drug("Prednisone"), spell_drug("cyclophosphamide", reason="rescue")
    ('g_csf', 'prednisone', 'rescue')
    """
    if RESCUE in reason.lower().replace("-", " ").split():
        return RESCUE
    return _words().get(fold_name(text), text.strip().lower())
