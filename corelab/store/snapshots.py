"""Snapshots: every table at one moment, named by content, never changed."""

import datetime as dt
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from corelab.errors import HomeError, IntegrityError
from corelab.store import schema
from corelab.store.audit import AuditTrail, Entry, append_entries, format_moment
from corelab.store.database import reading, writing
from corelab.store.frames import format_parquet, parse_parquet
from corelab.store.objects import compute_sha256, sync_folder, write_durably

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MANIFEST: Final = "manifest.json"
_ID_DIGITS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One snapshot. ``manifest`` says what it was made of; ``created_at`` is kept in the registry."""

    id: str
    created_at: dt.datetime
    manifest: Mapping[str, Any]
    folder: str
    run_key: str = ""
    _files: "SnapshotFiles" = field(repr=False)

    @property
    def table_names(self) -> tuple[str, ...]:
        """Names of the tables, sorted."""
        return tuple(sorted(self.manifest["tables"]))

    def table(self, name: str) -> "pd.DataFrame":
        """Return one table.

        Raises
        ------
        HomeError
            If the snapshot has no such table.
        IntegrityError
            If its bytes are not those that the manifest names.
        """
        return parse_parquet(self.read_bytes(name))

    def read_bytes(self, name: str) -> bytes:
        """Return one table's Parquet bytes, checked against the manifest; raises as `table`."""
        tables = self.manifest["tables"]
        if name not in tables:
            raise HomeError(f"snapshot {self.id} has no table {name!r}", expected=" ".join(self.table_names))
        data = self._files.read(f"{self.id}/{name}.parquet")
        if compute_sha256(data) != tables[name]["sha256"]:
            raise IntegrityError(
                "the table's bytes have changed", place=f"snapshots/{self.id}/{name}.parquet"
            )
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFiles:
    """Files under the snapshots' root, a local folder or an fsspec URL."""

    root: str
    scratch: Path | None

    @property
    def is_local(self) -> bool:
        """Whether the root is a folder of this machine."""
        return self.scratch is not None

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises `IntegrityError` where it is not there."""
        try:
            if self.is_local:
                return Path(self.root, name).read_bytes()
            filesystem, root = self._filesystem()
            data: bytes = filesystem.cat_file(f"{root}/{name}")
        except FileNotFoundError as error:
            raise IntegrityError("the file is not there", place=f"snapshots/{name}") from error
        return data

    def write_folder(self, name: str, contents: Mapping[str, bytes]) -> None:
        """Write a folder of files so that it is there whole or not at all; one that is there stays."""
        if self.scratch is not None:
            _write_local(Path(self.root, name), contents, part=self.scratch / f"{name}.{os.getpid()}")
            return
        filesystem, root = self._filesystem()
        # No rename on object stores: the manifest goes last, and without it there is no snapshot.
        for file_name in sorted(contents, key=lambda file_name: file_name == MANIFEST):
            filesystem.makedirs(f"{root}/{name}", exist_ok=True)
            filesystem.pipe_file(f"{root}/{name}/{file_name}", contents[file_name])

    def _filesystem(self) -> tuple[Any, str]:
        import fsspec

        filesystem, root = fsspec.core.url_to_fs(self.root)
        return filesystem, str(root)


def _write_local(folder: Path, contents: Mapping[str, bytes], *, part: Path) -> None:
    if folder.exists():
        return
    shutil.rmtree(part, ignore_errors=True)
    for file_name, data in contents.items():
        write_durably(part / file_name, data, mode=0o444)
    try:
        part.rename(folder)
    except OSError:
        # Another process finished the same snapshot first: same name, same bytes.
        shutil.rmtree(part)
        if not folder.exists():
            raise
    sync_folder(folder.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotStore:
    """The snapshots of one home."""

    engine: sa.Engine
    audit: AuditTrail
    files: SnapshotFiles

    def current(self) -> Snapshot | None:
        """Return the newest snapshot, or None before the first run."""
        newest = sa.select(schema.snapshot).order_by(schema.snapshot.c.seq.desc()).limit(1)
        with reading(self.engine) as connection:
            row = connection.execute(newest).one_or_none()
        return None if row is None else self._open(row)

    def get(self, snapshot_id: str) -> Snapshot:
        """Return a snapshot by its id.

        Raises
        ------
        HomeError
            If there is none of that id.
        """
        query = sa.select(schema.snapshot).where(schema.snapshot.c.snapshot_id == snapshot_id)
        with reading(self.engine) as connection:
            row = connection.execute(query.order_by(schema.snapshot.c.seq.desc()).limit(1)).one_or_none()
        if row is None:
            raise HomeError(f"snapshot {snapshot_id!r} does not exist", remedy="see corelab status")
        return self._open(row)

    def all(self) -> list[tuple[str, str]]:
        """Return (id, time of creation) of every snapshot, newest first."""
        query = sa.select(schema.snapshot).order_by(schema.snapshot.c.seq.desc())
        with reading(self.engine) as connection:
            return [(row.snapshot_id, row.created_at) for row in connection.execute(query)]

    def write(
        self, tables: "Mapping[str, pd.DataFrame | pa.Table]", manifest: Mapping[str, Any], *, run_key: str,
        at: dt.datetime, actor: str = "corelab", position: Mapping[str, int] | None = None,
    ) -> Snapshot:  # fmt: skip
        """Write tables and manifest as a new snapshot and make it the current one.

        ``position`` is where the registry's logs of decisions ended when its rows were read; it is kept
        in the registry, not in the manifest, since it depends on the order of arrival.
        """
        contents = format_snapshot(tables, manifest, run_key=run_key)
        manifest_hash = compute_sha256(contents[MANIFEST])
        snapshot_id = manifest_hash[:_ID_DIGITS]
        self.files.write_folder(snapshot_id, contents)
        values = {
            "snapshot_id": snapshot_id, "run_key": run_key, "manifest_hash": manifest_hash,
            "created_at": format_moment(at), "position": json.dumps(dict(position)) if position else "",
        }  # fmt: skip
        entry = Entry(at=at, actor=actor, role="", action="snapshot", object=snapshot_id, new=manifest_hash)
        with writing(self.engine) as connection:
            connection.execute(sa.insert(schema.snapshot).values(values))
            head = append_entries(connection, [entry])
        self.audit.write_head(head)
        return self.get(snapshot_id)

    def positions(self) -> list[tuple[str, dict[str, int]]]:
        """Return (id, position) of every snapshot, oldest first; an empty position was not kept."""
        query = sa.select(schema.snapshot).order_by(schema.snapshot.c.seq)
        with reading(self.engine) as connection:
            rows = connection.execute(query).all()
        return [(row.snapshot_id, json.loads(row.position) if row.position else {}) for row in rows]

    def read_file(self, snapshot_id: str, name: str) -> bytes:
        """Return one file of a snapshot's folder as it lies there.

        Raises
        ------
        IntegrityError
            If it is not there.
        """
        return self.files.read(f"{snapshot_id}/{name}")

    def verify(self) -> list[str]:
        """Return what is wrong with the snapshots' files, each finding in words."""
        with reading(self.engine) as connection:
            rows = connection.execute(sa.select(schema.snapshot).order_by(schema.snapshot.c.seq)).all()
        findings = []
        for row in {row.snapshot_id: row for row in rows}.values():
            try:
                snapshot = self._open(row)
            except IntegrityError as error:
                findings.append(str(error))
                continue
            findings += _check_tables(snapshot)
        return findings

    def _open(self, row: Any) -> Snapshot:
        text = self.files.read(f"{row.snapshot_id}/{MANIFEST}")
        place = f"snapshots/{row.snapshot_id}/{MANIFEST}"
        if compute_sha256(text) != row.manifest_hash:
            raise IntegrityError("the manifest has changed", place=place)
        return Snapshot(
            id=row.snapshot_id, created_at=dt.datetime.fromisoformat(row.created_at),
            manifest=json.loads(text), folder=row.snapshot_id, run_key=row.run_key, _files=self.files,
        )  # fmt: skip


def format_snapshot(
    tables: "Mapping[str, pd.DataFrame | pa.Table]", manifest: Mapping[str, Any], *, run_key: str
) -> dict[str, bytes]:
    """Write tables as the files of a snapshot, its manifest among them; the same tables, the same bytes."""
    from concurrent.futures import ThreadPoolExecutor

    contents, described = {}, {}
    names = sorted(tables)
    with ThreadPoolExecutor() as pool:
        for name, data in zip(names, pool.map(format_parquet, map(tables.get, names)), strict=True):
            contents[f"{name}.parquet"] = data
            described[name] = {"sha256": compute_sha256(data), "rows": len(tables[name])}
    full = {**manifest, "run_key": run_key, "tables": described}
    text = json.dumps(full, sort_keys=True, indent=1, ensure_ascii=False)
    return {**contents, MANIFEST: text.encode("utf-8")}


def _check_tables(snapshot: Snapshot) -> list[str]:
    findings = []
    for name in snapshot.table_names:
        try:
            snapshot.read_bytes(name)
        except IntegrityError as error:
            findings.append(str(error))
    return findings


def open_snapshot_files(root: str | Path, *, scratch: Path | None) -> SnapshotFiles:
    """Return the files under a local folder (with its scratch folder) or an fsspec URL (without)."""
    if scratch is not None:
        Path(root).mkdir(parents=True, exist_ok=True)
        scratch.mkdir(parents=True, exist_ok=True)
    return SnapshotFiles(root=str(root).rstrip("/"), scratch=scratch)
