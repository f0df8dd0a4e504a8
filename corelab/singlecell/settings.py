"""How single cells are chosen, clustered and mapped: the study's section ``single_cells``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from corelab.errors import ConfigError

METHODS: Final = ("gaussian", "leiden")
"""Ways in which the first clusters are found; ``leiden`` asks for the extra of that name."""

_WHOLE: Final = ("seed", "fewest", "per_file", "model", "mapped", "shown", "nodes", "neighbours")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSettings:
    """Numbers of a model of single cells.

    ``markers`` are, by panel, those that divide cells into clusters; all others are only shown.
    ``fewest`` cells of a panel are needed for a model. ``per_file`` is the most cells of one compartment of
    a file, ``model`` the most that clusters are found in, ``mapped`` the most that a map is made of, and
    ``shown`` the most that find their place on it. ``nodes`` are the small groups that are joined into
    clusters while they lie closer than ``merge`` times the distance that noise alone puts between two cells.
    """

    seed: int
    fewest: int
    per_file: int
    model: int
    mapped: int
    shown: int
    nodes: int
    merge: float
    neighbours: int
    shift: float
    markers: Mapping[str, tuple[str, ...]]


def build_cell_settings(raw: Mapping[str, Any]) -> CellSettings:
    """Read the study's section.

    Raises
    ------
    ConfigError
        If a number is missing or none.
    """
    try:
        whole = {name: int(raw[name]) for name in _WHOLE}
        real = {name: float(raw[name]) for name in ("merge", "shift")}
        markers = {str(panel): tuple(map(str, names)) for panel, names in raw["markers"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"single_cells: {error}", place="study.yaml") from error
    if min(whole[name] for name in whole if name != "seed") < 1:
        raise ConfigError("single_cells: a number below 1", place="study.yaml", expected="1 or more")
    return CellSettings(merge=real["merge"], shift=real["shift"], markers=markers, **whole)
