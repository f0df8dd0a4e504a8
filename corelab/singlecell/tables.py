"""The tables of a map of single cells: clusters, abundance, dose groups, heat map, batches, and the cells."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from corelab.singlecell.abundance import ABUNDANCE, GROUPS, derive_abundance, summarise_groups
from corelab.singlecell.cells import FILE, list_markers, thin_fairly
from corelab.singlecell.model import CellModel, PanelModel
from corelab.singlecell.profiles import BATCHES, HEAT, check_batches, derive_heat
from corelab.singlecell.settings import CellSettings

if TYPE_CHECKING:
    import pandas as pd

CLUSTERS: Final = ("panel", "cluster", "description", "cells", "percent", "files", "children")
SHOWN: Final = (
    "file_id", "subject_id", "arm", "visit", "visit_label", "study_day", "compartment", "population",
    "cluster", "weight", "x", "y",
)  # fmt: skip
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "clusters": CLUSTERS, "abundance": (*FILE[1:7], *ABUNDANCE), "groups": GROUPS, "heat": HEAT,
    "batches": BATCHES,
}  # fmt: skip
"""By table its columns; beside them ``cells_<panel>`` for each panel of the model, with its markers."""
_NUMBERS: Final = frozenset({
    "study_day", "cells", "percent", "files", "children", "cells_seen", "cells_chosen", "ci_low", "ci_high",
    "n_children", "median", "scaled", "shift",
})  # fmt: skip


def derive_cell_tables(
    model: CellModel, cells: "Mapping[str, pd.DataFrame]", settings: CellSettings
) -> "tuple[dict[str, pd.DataFrame], list[str]]":
    """Derive the tables of a map.

    Parameters
    ----------
    model
        The frozen model.
    cells
        By panel, as `corelab.singlecell.cells.gather_cells` gives them.
    settings
        How many cells are shown, and from which shift on a batch is named.

    Returns
    -------
    tables
        `COLUMNS` and the shown cells of each panel.
    findings
        Files that lack a marker of the model, by name.
    """
    import pandas as pd

    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in COLUMNS}
    tables, findings = {}, []
    for panel, one in sorted(model.panels.items()):
        labelled, left_out = assign_cells(one, cells[panel])
        findings += [f"{name}: lacks a marker that divides cells; it is on no map" for name in left_out]
        for name, table in _derive_panel(one, labelled, settings).items():
            parts[name].append(table)
        tables[f"cells_{panel}"] = show_cells(one, labelled, settings)
    for name, columns in COLUMNS.items():
        found = [part for part in parts[name] if len(part)]
        whole = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(columns))
        tables[name] = _type_columns(whole[list(columns)])
    return tables, findings


def assign_cells(model: PanelModel, cells: "pd.DataFrame") -> "tuple[pd.DataFrame, list[str]]":
    """Return the cells with their cluster, and the files that lack a marker of the model."""
    have = cells.reindex(columns=list(model.markers)).notna().all(axis=1).to_numpy()
    left_out = sorted(set(cells.loc[~have, "file_id"]))
    whole = cells[have].reset_index(drop=True)
    labels = model.assign(whole.reindex(columns=list(model.markers)).to_numpy(dtype=np.float64))
    return whole.assign(cluster=np.array(model.names, dtype=object)[labels]), left_out


def _derive_panel(
    model: PanelModel, cells: "pd.DataFrame", settings: CellSettings
) -> "dict[str, pd.DataFrame]":
    abundance = derive_abundance(cells, {model.panel: list(model.names)})
    files = cells.drop_duplicates("file_id")[list(FILE[:7])]
    placed = files.merge(abundance, on="file_id", how="inner") if len(abundance) else files.iloc[:0]
    known = placed.reindex(columns=list(COLUMNS["abundance"]))
    # What is left of the dye for dead cells says nothing of living ones.
    markers = [marker for marker in list_markers(cells) if marker != "viability"]
    return {
        "clusters": _list_clusters(model, cells),
        "abundance": known.sort_values(
            ["subject_id", "study_day", "collected_at", "file_id", "compartment", "cluster"],
            ignore_index=True,
        ),
        "groups": summarise_groups(known),
        "heat": derive_heat(cells, markers, panel=model.panel, divides=model.markers),
        "batches": check_batches(cells, model.markers, panel=model.panel, limit=settings.shift),
    }


def _list_clusters(model: PanelModel, cells: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    groups = cells.groupby("cluster", observed=True)
    held = groups["weight"].sum().reindex(list(model.names), fill_value=0.0).to_numpy(float)
    return pd.DataFrame({
        "panel": model.panel, "cluster": list(model.names), "description": list(model.descriptions),
        "cells": held, "percent": 100 * held / max(held.sum(), 1.0),
        "files": groups["file_id"].nunique().reindex(list(model.names), fill_value=0).to_numpy(float),
        "children": groups["subject_id"].nunique().reindex(list(model.names), fill_value=0).to_numpy(float),
    })  # fmt: skip


def show_cells(model: PanelModel, cells: "pd.DataFrame", settings: CellSettings) -> "pd.DataFrame":
    """Return the cells that a page shows, each with its place on the map and its markers."""
    shown = thin_fairly(cells, settings.shown).reset_index(drop=True)
    labels = np.array([model.names.index(name) for name in shown["cluster"]], dtype=np.int64)
    places = model.find_places(shown[list(model.markers)].to_numpy(dtype=np.float64), labels)
    placed = shown.assign(x=places[:, 0], y=places[:, 1])
    return _type_columns(placed[[*SHOWN, *list_markers(cells)]], also=frozenset(list_markers(cells)))


def _type_columns(table: "pd.DataFrame", also: frozenset[str] = frozenset()) -> "pd.DataFrame":
    """Give each column one of the two types of a stored table: text or float64."""
    import pandas as pd

    numbers = _NUMBERS | also | {"weight", "x", "y"}
    typed = {
        name: pd.to_numeric(table[name]).to_numpy(dtype="float64", na_value=np.nan)
        if name in numbers
        else table[name].astype(object).map(str)
        for name in table.columns
    }
    return table.assign(**typed)
