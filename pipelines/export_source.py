"""What an export shows: a snapshot as it is, or the external copy of it."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from corelab.export import find_schemas

if TYPE_CHECKING:
    import pandas as pd

    from corelab.cytometry.sketch import CellSketch
    from corelab.export.external import ExternalCopy
    from corelab.store import Home, Snapshot
    from corelab.study import Study
    from corelab.tables.schema import TableSchema

NO_MOMENT: Final = dt.datetime(1980, 1, 1, tzinfo=dt.UTC)
"""Stands in an external copy for the day on which its snapshot was made."""
_TOLD: Final = ("code", "format", "packages", "study", "study_sha256")
"""What the provenance of an external copy keeps: nothing that was made of a person's rows or on a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSource:
    """The tables that an export shows. ``external`` is the copy where it is one."""

    snapshot: "Snapshot"
    schemas: "Mapping[str, TableSchema]"
    read_table: "Callable[[str], pd.DataFrame]"
    read_parquet: Callable[[str], bytes]
    external: "ExternalCopy | None" = None

    @property
    def mark(self) -> str:
        """What an external copy says of itself in every file that has a place for it; else nothing."""
        from corelab.export.external import MARK

        return MARK if self.external else ""

    @property
    def moment(self) -> dt.datetime:
        """When the tables were made; an external copy does not say."""
        return NO_MOMENT if self.external else self.snapshot.created_at

    def move(self, text: str, subject_id: str) -> str:
        """Return what a date is for a subject of this export."""
        return self.external.disguise.write(text, subject_id) if self.external else text

    def rename_files(self, sketches: "Sequence[CellSketch]") -> "list[CellSketch]":
        """Return chosen cells under the names that their files have in this export."""
        if self.external is None:
            return list(sketches)
        hide = self.external.disguise.hash
        renamed = [dataclasses.replace(one, file_id=hide(one.file_id)) for one in sketches]
        return sorted(renamed, key=lambda one: one.file_id)

    def mark_study(self, study: "Study") -> "Study":
        """Return the study under the title that this export has."""
        return dataclasses.replace(study, title=f"{study.title} ({self.mark})") if self.external else study

    def describe_provenance(self, provenance: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is said of the export's origin."""
        if self.external is None:
            return dict(provenance)
        kept = {name: provenance[name] for name in ("snapshot", "study_title", *_TOLD) if name in provenance}
        return {**kept, "external": self.external.describe()}

    def list_notes(self) -> Iterator[tuple[str, bytes]]:
        """Yield the note that lies beside the files of an external copy."""
        if self.external:
            yield "EXTERNAL.txt", _write_note(self.external.describe(), self.snapshot.id)


def _write_note(described: Mapping[str, Any], snapshot_id: str) -> bytes:
    said = [f"{name.replace('_', ' ')}: {_say(value)}" for name, value in described.items() if name != "mark"]
    return "\n".join([described["mark"], f"snapshot: {snapshot_id}", *said, ""]).encode("utf-8")


def _say(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_say(one)}" for name, one in value.items()) or "nothing"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def find_source(
    home: "Home", snapshot: "Snapshot", names: Iterable[str], *, is_external: bool
) -> ExportSource:
    """Return what an export of some tables shows.

    Raises
    ------
    ConfigError
        If the study's settings are none that an external copy can be made with.
    """
    if not is_external:
        schemas = find_schemas(names, snapshot.manifest)
        return ExportSource(
            snapshot=snapshot, schemas=schemas, read_table=snapshot.table, read_parquet=snapshot.read_bytes
        )
    from corelab.export.external import MARK, make_external_copy
    from corelab.store.external_key import read_external_key
    from corelab.store.frames import format_parquet

    made = make_external_copy(
        snapshot.table, find_schemas(names, snapshot.manifest), secret=read_external_key(home.path),
        settings=home.study.settings["external"],
        plates=frozenset(snapshot.table("plates")["plate"] if "plates" in snapshot.table_names else ()),
    )  # fmt: skip
    return ExportSource(
        snapshot=snapshot, schemas=made.schemas, read_table=made.tables.__getitem__,
        read_parquet=lambda name: format_parquet(made.tables[name], mark=MARK), external=made,
    )  # fmt: skip
