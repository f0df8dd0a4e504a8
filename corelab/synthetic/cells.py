"""What the synthetic blood is made of: cell classes, their markers and their scatter.

A level is a fraction of the marker's brightest population; what a class does not name it does not
carry. The numbers are what a cytometrist expects on a plot, not a measurement.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from corelab.vocabulary import B_SUBSETS, T_MEMORY_SUBSETS


@dataclass(frozen=True, slots=True, kw_only=True)
class CellClass:
    """One kind of particle.

    Parameters
    ----------
    name
        Word by which truth files call it.
    lineage
        ``debris``, ``bead``, ``granulocyte``, ``monocyte``, ``nk``, ``t`` or ``b``.
    levels
        Marker to fraction of the brightest population of that marker.
    fsc, ssc
        Median forward and side scatter before the instrument's gain, in channel units.
    scatter_cv
        Relative spread of forward and side scatter.
    autofluorescence
        Factor on a resting lymphocyte's own light.
    """

    name: str
    lineage: str
    levels: MappingProxyType[str, float]
    fsc: float
    ssc: float
    scatter_cv: tuple[float, float]
    autofluorescence: float = 1.0


FLAGS: Final = (
    "car", "pd1", "tim3", "lag3", "hla_dr", "cd25", "cd19", "false_car", "dead", "doublet", "drift",
)  # fmt: skip
"""Properties of single events, in the order of their bits."""

FLAG_BIT: Final = MappingProxyType({name: 1 << place for place, name in enumerate(FLAGS)})
CHECKPOINTS: Final = MappingProxyType(
    {"pd1": "PD-1", "tim3": "TIM-3", "lag3": "LAG-3", "hla_dr": "HLA-DR", "cd25": "CD25"}
)
"""Flag to marker, for markers that vary inside a class of T cells."""

_T: Final = {"CD45": 1.0, "CD3": 1.0, "CD38": 0.05}
_LINEAGE: Final = {"cd4": {"CD4": 1.0}, "cd8": {"CD8": 1.0}}
_MEMORY: Final = {
    "naive": {"CD45RA": 1.0, "CCR7": 1.0, "CD27": 0.3},
    "scm": {"CD45RA": 0.9, "CCR7": 1.0, "CD95": 0.6, "CD27": 0.3},
    "cm": {"CD45RA": 0.035, "CCR7": 0.8, "CD95": 0.9, "CD27": 0.3},
    "em": {"CD45RA": 0.05, "CCR7": 0.06, "CD95": 1.0, "CD27": 0.1},
    "temra": {"CD45RA": 0.6, "CCR7": 0.04, "CD95": 0.9, "CD27": 0.02},
}
_B: Final = {"CD45": 0.85, "CD20": 1.0, "CD22": 1.0, "CD45RA": 0.9, "HLA-DR": 1.0}
_B_SUBSET: Final = {
    "transitional": {"CD27": 0.0, "IgD": 0.7, "IgM": 1.0, "CD38": 0.5, "CD24": 1.0},
    "naive_b": {"CD27": 0.0, "IgD": 1.0, "IgM": 0.45, "CD38": 0.09, "CD24": 0.22},
    "unswitched_memory_b": {"CD27": 0.35, "IgD": 0.6, "IgM": 0.9, "CD38": 0.06, "CD24": 0.35},
    "switched_memory_b": {"CD27": 0.4, "IgD": 0.0, "IgM": 0.0, "CD38": 0.05, "CD24": 0.33},
    "double_negative_b": {"CD27": 0.0, "IgD": 0.0, "IgM": 0.02, "CD38": 0.04, "CD24": 0.15},
    "plasmablasts": {"CD27": 1.4, "IgD": 0.0, "IgM": 0.02, "CD38": 1.2, "CD24": 0.0,
                     "CD20": 0.0, "CD22": 0.0, "CD45": 0.6},
}  # fmt: skip
_LYMPH_CV: Final = (0.085, 0.15)


def _class(  # noqa: PLR0913, PLR0917 - one argument per field of the record
    name: str,
    lineage: str,
    levels: dict[str, float],
    fsc: float,
    ssc: float,
    cv: tuple[float, float] = _LYMPH_CV,
    autofluorescence: float = 1.0,
) -> CellClass:
    return CellClass(
        name=name,
        lineage=lineage,
        levels=MappingProxyType(levels),
        fsc=fsc,
        ssc=ssc,
        scatter_cv=cv,
        autofluorescence=autofluorescence,
    )


def _t_classes() -> tuple[CellClass, ...]:
    resting = tuple(
        _class(f"{lineage}.{subset}", "t", _T | markers | _MEMORY[subset], 70e3, 22e3)
        for lineage, markers in _LINEAGE.items()
        for subset in T_MEMORY_SUBSETS
    )
    # CAR-T cells of the first weeks are blasts: larger, CD3 slightly dim.
    car = tuple(
        _class(
            f"car_{cell.name}",
            "t",
            dict(cell.levels) | {"CAR": 1.0, "CD3": 0.65, "CD38": 0.2},
            84e3,
            26e3,
            (0.12, 0.17),
            1.2,
        )
        for cell in resting
    )
    other = _class("other_t", "t", _T | {"CD45RA": 0.4, "CD95": 0.7, "CD27": 0.2}, 70e3, 22e3)
    return (*resting, *car, other)


def _b_classes() -> tuple[CellClass, ...]:
    return tuple(
        _class(subset, "b", _B | _B_SUBSET[subset], 90e3 if subset == "plasmablasts" else 68e3, 21e3)
        for subset in B_SUBSETS
    )


_NK: Final = {
    "CD45": 0.95, "CD56": 1.0, "CD8": 0.02, "CD45RA": 0.8, "CD38": 0.12, "CD95": 0.4,
}  # fmt: skip
_MONOCYTE: Final = {
    "CD45": 0.65, "CD14": 1.0, "CD4": 0.1, "HLA-DR": 0.8, "CD38": 0.12, "CD95": 0.6,
}  # fmt: skip
_GRANULOCYTE: Final = {"CD45": 0.3, "CD24": 0.8, "CD95": 0.4, "CD14": 0.02}

CLASSES: Final[tuple[CellClass, ...]] = (
    _class("debris", "debris", {}, 20e3, 10e3, (0.45, 0.6), 0.6),
    _class("bead", "bead", {}, 88e3, 190e3, (0.02, 0.025)),
    _class("granulocyte", "granulocyte", _GRANULOCYTE, 118e3, 118e3, (0.1, 0.14), 2.0),
    _class("monocyte", "monocyte", _MONOCYTE, 112e3, 58e3, (0.1, 0.14), 2.2),
    _class("nk", "nk", _NK, 72e3, 24e3),
    *_t_classes(),
    *_b_classes(),
)
"""Every class; its place in this tuple is its code in the truth files."""

CLASS_CODE: Final = MappingProxyType({cell.name: code for code, cell in enumerate(CLASSES)})
