"""The synthetic panels: which marker sits on which fluorochrome, and how instruments spell it."""

from types import MappingProxyType
from typing import Final

from corelab.vocabulary import Panel

CART_FLUOROCHROMES: Final = MappingProxyType({
    "viability": "BV510", "CD45": "BUV395", "CD3": "BUV737", "CD4": "BUV496", "CD8": "BV785",
    "CAR": "PE", "CD45RA": "BV605", "CCR7": "BV421", "CD95": "APC", "PD-1": "PE-Cy7",
    "TIM-3": "BV711", "LAG-3": "BV650", "HLA-DR": "APC-R700", "CD25": "PE-CF594",
    "CD14": "APC-Fire750", "CD19": "BB515",
})  # fmt: skip
BCELL_FLUOROCHROMES: Final = MappingProxyType({
    "viability": "BV510", "CD45": "BUV395", "CD3": "BUV737", "CD14": "APC-Fire750",
    "CD19": "PE-Cy7", "CD20": "BV785", "CD27": "BV421", "IgD": "BB515", "IgM": "BV605",
    "CD38": "PE", "CD24": "APC", "CD22": "BV711", "CD56": "APC-R700",
})  # fmt: skip
FLUOROCHROMES: Final = MappingProxyType({Panel.CART: CART_FLUOROCHROMES, Panel.BCELL: BCELL_FLUOROCHROMES})

LASER_ORDER: Final = (
    "BUV395", "BUV496", "BUV737", "BV421", "BV510", "BV605", "BV650", "BV711", "BV785", "BB515",
    "PE", "PE-CF594", "PE-Cy7", "APC", "APC-R700", "APC-Fire750",
)  # fmt: skip
"""Fluorochromes by laser and wavelength: neighbours spill into each other most."""

_CD_NUMBERS: Final = MappingProxyType({"CCR7": "CD197", "PD-1": "CD279", "TIM-3": "CD366", "LAG-3": "CD223"})
_PLAIN_ALTERNATIVES: Final = MappingProxyType({"viability": "Live/Dead", "PD-1": "PD1"})
SPELLINGS: Final = 4


def spell_label(marker: str, fluorochrome: str, spelling: int) -> str:
    """Write a ``$PnS`` as one of the ways in which laboratories write it.

    Examples
    --------
    >>> [spell_label("CCR7", "BV421", spelling) for spelling in range(SPELLINGS)]
    ['CCR7', 'CD197 (CCR7) BV421', 'CCR7 BV421', 'CD197']
    """
    name = "Viability" if marker == "viability" else marker
    number = _CD_NUMBERS.get(marker)
    if spelling == 0:
        return name
    if spelling == 1:
        return f"{number} ({name}) {fluorochrome}" if number else f"{name} {fluorochrome}"
    if spelling == 2:
        return f"{_PLAIN_ALTERNATIVES.get(marker, name)} {fluorochrome}"
    return number or _PLAIN_ALTERNATIVES.get(marker, name)
