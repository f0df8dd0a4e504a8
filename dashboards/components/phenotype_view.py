"""What the page of single cells asks of each of its views."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dash_mantine_components as dmc

from dashboards.site import Site, SnapshotTables

STORE: Final = "phenotype-choice"
AROUND_PX: Final = 40 + 44 + 18 + 18 + 34
SIDES_PX: Final = 2 * 12 + 22
DRAWER_PX: Final = 372 + 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PhenotypeView:
    """One view: its parameters in the address, its parts, and whether it needs the map of cells."""

    parameters: tuple[str, ...]
    shape: str
    needs_cells: bool
    build_switches: Callable[[Site, SnapshotTables, Mapping[str, str]], list[Any]]
    build_main: Callable[[Site, Sequence[str] | None], list[Any]]
    build_aside: Callable[[Site, Sequence[str] | None], list[Any]]
    register: Callable[[Any, Site], None]


def build_filter(site: Site, name: str, options: Mapping[str, str], value: str, *, key: str) -> Any:
    """Build a choice of one of some words, or of none of them."""
    label = site.text(f"phenotype.filter.{key}")
    return dmc.Select(
        id=name,
        data=[{"value": word, "label": text} for word, text in options.items()],
        value=value if value in options else None,
        placeholder=label,
        clearable=True,
        searchable=True,
        nothingFoundMessage=site.text("phenotype.nothing_found"),
        className="select narrow",
        **{"aria-label": label},
    )


def list_children(tables: SnapshotTables) -> dict[str, str]:
    """Return the children of a snapshot, by themselves."""
    return {str(name): str(name) for name in tables["subjects"]["subject_id"]}
