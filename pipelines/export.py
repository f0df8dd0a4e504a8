"""Writes a snapshot's tables to a folder, and the audit trail's line about it."""

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corelab.errors import ConfigError, HomeError
from corelab.export import check_format, find_schemas, format_companions, format_export

if TYPE_CHECKING:
    from corelab.store import Home, Snapshot


def export(  # noqa: PLR0913 - the options of the command
    home: "Home",
    out: Path,
    *,
    at: dt.datetime,
    actor: str,
    format_name: str = "csv",
    tables: Sequence[str] = (),
    snapshot_id: str | None = None,
) -> list[str]:
    """Write tables, dictionary, code lists and provenance; return the names of the files.

    Raises
    ------
    HomeError
        If there is no snapshot yet, or none of that id.
    ConfigError
        If a table or the format is unknown, or the folder cannot be written.
    """
    check_format(format_name)
    snapshot = find_snapshot(home, snapshot_id)
    names = _check_names(tables, snapshot)
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, data in _files(home, snapshot, names, format_name):
            (out / name).write_bytes(data)
            written.append(name)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", place=out.name) from error
    home.registry.audit.append(
        actor=actor, role="", action="export", object=snapshot.id, new=f"{format_name}: {', '.join(names)}",
        at=at,
    )  # fmt: skip
    return written


def find_snapshot(home: "Home", snapshot_id: str | None) -> "Snapshot":
    """Return the snapshot of an id, or the current one.

    Raises
    ------
    HomeError
        If there is none.
    """
    snapshot = home.snapshots.get(snapshot_id) if snapshot_id else home.snapshots.current()
    if snapshot is None:
        raise HomeError("there is no snapshot yet", place=home.path.name, remedy="make one with corelab run")
    return snapshot


def _files(
    home: "Home", snapshot: "Snapshot", names: tuple[str, ...], format_name: str
) -> Iterator[tuple[str, bytes]]:
    yield from format_export(
        names, format_name=format_name, read_table=snapshot.table, read_parquet=snapshot.read_bytes
    )
    yield from format_companions(find_schemas(names, snapshot.manifest), describe_provenance(home, snapshot))


def describe_provenance(home: "Home", snapshot: "Snapshot") -> dict[str, Any]:
    """Say which snapshot an export shows and what that was made of; nothing of the moment of export."""
    made_of = {name: value for name, value in snapshot.manifest.items() if name != "analysis_columns"}
    return {"snapshot": snapshot.id, "study_title": home.study.title, **made_of}


def _check_names(tables: Sequence[str], snapshot: "Snapshot") -> tuple[str, ...]:
    unknown = [name for name in tables if name not in snapshot.table_names]
    if unknown:
        raise ConfigError(f"table {unknown[0]!r} is unknown", expected=", ".join(snapshot.table_names))
    return tuple(dict.fromkeys(tables)) or snapshot.table_names
