"""The single cells of the current snapshot, each table read once and shared by every request."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from corelab.store.cell_maps import CellMap
from dashboards.site import SnapshotTables

if TYPE_CHECKING:
    import pandas as pd

    from dashboards.site import Site


class CellTables:
    """The tables of one map."""

    def __init__(self, found: CellMap) -> None:
        self.map = found
        self._lock = threading.Lock()
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> "pd.DataFrame":
        with self._lock:
            if name not in self._read:
                self._read[name] = self.map.table(name)
            return self._read[name]

    @property
    def panels(self) -> tuple[str, ...]:
        """The panels that have a map, T cells first."""
        return tuple(sorted(self.map.manifest["markers"], reverse=True))

    def of_panel(self, name: str, panel: str) -> "pd.DataFrame":
        """Return the rows of one panel."""
        table = self[name]
        return table[table["panel"] == panel].reset_index(drop=True)

    def cells(self, panel: str) -> "pd.DataFrame":
        """Return the cells of a panel that are shown."""
        return self[f"cells_{panel}"]


def find_cells(site: "Site", tables: SnapshotTables) -> CellTables | None:
    """Return the map of a snapshot's cells; None before it was made, or after its cache was cleared."""
    found = site.home.cell_maps.read(tables.snapshot.id)
    if found is None or not found.manifest.get("markers"):
        return None
    make: Callable[[], Any] = lambda: CellTables(found)  # noqa: E731 - what is remembered under the map's key
    cells: CellTables = tables.remember(("cells", found.key), make)
    return cells
