"""The cells of a snapshot by the frozen model, as tables in the cache: made again whenever they are lost."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corelab.store.frames import format_parquet, parse_parquet
from corelab.store.objects import write_durably

if TYPE_CHECKING:
    import pandas as pd

_MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellMap:
    """One map. ``key`` is a hash of all that it was made of; ``manifest`` says what that was."""

    snapshot_id: str
    manifest: Mapping[str, Any]
    folder: Path

    @property
    def key(self) -> str:
        """Hash of all that the map was made of."""
        return str(self.manifest["key"])

    def table(self, name: str) -> "pd.DataFrame":
        """Return one table; raises OSError where it is gone, and KeyError where the map has none such."""
        if name not in self.manifest["tables"]:
            raise KeyError(name)
        return parse_parquet((self.folder / f"{name}.parquet").read_bytes())

    @property
    def table_names(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(self.manifest["tables"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CellMaps:
    """The maps of one home, one for a snapshot."""

    folder: Path

    def read(self, snapshot_id: str) -> CellMap | None:
        """Return the map of a snapshot, or None where it was not made or has been deleted."""
        folder = self.folder / snapshot_id
        try:
            manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return CellMap(snapshot_id=snapshot_id, manifest=manifest, folder=folder / manifest["key"])

    def write(
        self, snapshot_id: str, tables: "Mapping[str, pd.DataFrame]", manifest: Mapping[str, Any], *, key: str
    ) -> CellMap:
        """Keep the tables of a map and make it the snapshot's; an older one of it goes."""
        folder = self.folder / snapshot_id
        for name, table in sorted(tables.items()):
            write_durably(folder / key / f"{name}.parquet", format_parquet(table))
        whole = {**manifest, "key": key, "tables": sorted(tables)}
        # Written last: who reads meanwhile still finds the older map.
        text = json.dumps(whole, sort_keys=True, indent=1, ensure_ascii=False)
        write_durably(folder / _MANIFEST, text.encode("utf-8"))
        for other in folder.iterdir():
            if other.is_dir() and other.name != key:
                shutil.rmtree(other, ignore_errors=True)
        return CellMap(snapshot_id=snapshot_id, manifest=whole, folder=folder / key)
