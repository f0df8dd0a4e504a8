"""A home as one file, taken while others work in it, and a home made from such a file.

The registry is copied first. Whatever it names was on the disk before it was named and is never changed
or removed, so the files that are copied afterwards are at least those. The last member of the archive
lists the hash of every other one: a file that was cut short or changed is found before it is used.
"""

import datetime as dt
import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from corelab.errors import ConfigError, HomeError, IntegrityError
from corelab.store.database import connect_database, migrate, sqlite_url
from corelab.store.external_key import EXTERNAL_KEY
from corelab.store.home import (
    FORMAT,
    NAME_KEY,
    Home,
    check_empty,
    describe_places,
    open_home,
    open_stores,
)
from corelab.store.objects import compute_sha256, sync_folder, write_durably
from corelab.store.snapshots import MANIFEST
from corelab.store.transfer import check_registry, copy_registry, fill_registry, hash_registry

Progress = Callable[[int, int], None]
_INDEX: Final = "backup.json"
_REGISTRY: Final = "registry.db"
_PLAIN: Final = ("study.yaml", "audit.head")
_SECRETS: Final = (EXTERNAL_KEY, NAME_KEY)
"""Kept from all but their owner; there only once they were needed."""
_MEMBERS: Final = re.compile(
    r"study\.yaml|audit\.head|registry\.db|backup\.json|external\.key|names\.key|"
    r"(?:objects|vault)/[0-9a-f]{2}/[0-9a-f]{64}|snapshots/[0-9a-f]{16}/[A-Za-z0-9_]+\.(?:parquet|json)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What was copied, and what was found damaged on the way."""

    n_files: int
    n_bytes: int
    findings: tuple[str, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class _Archive:
    """An archive under way, its index and what was found."""

    tar: tarfile.TarFile
    members: dict[str, str] = field(default_factory=dict)
    n_bytes: int = 0

    def add(self, name: str, data: bytes) -> None:
        """Add one file; nothing of the moment or of this machine goes with it."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), 0o444
        self.tar.addfile(entry, io.BytesIO(data))
        self.members[name] = compute_sha256(data)
        self.n_bytes += len(data)


def write_backup(
    home: Home, target: Path, *, at: dt.datetime, actor: str, progress: Progress = lambda *_: None
) -> BackupReport:
    """Copy a home into one file that is there whole or not at all; it is read back before it counts.

    Parameters
    ----------
    home
        The home; others may write to it meanwhile.
    target
        A file that is not there yet.
    at, actor
        When and by whom, for the audit trail.
    progress
        Told the number of copied objects and snapshots and of all.

    Raises
    ------
    ConfigError
        If the file is there already.
    IntegrityError
        If what was written reads back otherwise.
    """
    if target.exists():
        raise ConfigError("there is something already", place=target.name, expected="a new file")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            archive, findings = _fill(home, stream, progress)
            stream.flush()
            os.fsync(stream.fileno())
        for _ in read_members(part):
            pass
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
    home.registry.audit.append(
        actor=actor, role="", action="backup", at=at, object=target.name,
        new=f"{len(archive.members)} files, {archive.n_bytes} bytes",
    )  # fmt: skip
    return BackupReport(n_files=len(archive.members), n_bytes=archive.n_bytes, findings=tuple(findings))


def _fill(home: Home, stream: "io.BufferedWriter", progress: Progress) -> tuple[_Archive, list[str]]:
    findings: list[str] = []
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        archive = _Archive(tar=tar)
        # The note of the chain's end goes before the chain: it may be behind it, never ahead.
        for name in _PLAIN:
            archive.add(name, (home.path / name).read_bytes())
        with tempfile.TemporaryDirectory(dir=_make_scratch(home.path)) as folder:
            copy = Path(folder, _REGISTRY)
            copy_registry(home.registry.engine, copy)
            archive.add(_REGISTRY, copy.read_bytes())
            registry_hash = _hash_file(copy)
        # After the registry: a key is there before anything that was made with it.
        for name in (one for one in _SECRETS if (home.path / one).exists()):
            archive.add(name, (home.path / name).read_bytes())
        parts = [*_list_vault(home), *_list_objects(home), *_list_snapshots(home)]
        for number, (name, read) in enumerate(parts, start=1):
            try:
                archive.add(name, read())
            except IntegrityError as error:
                findings.append(str(error))
            progress(number, len(parts))
        index = {"format": FORMAT, "registry": registry_hash, "members": dict(archive.members)}
        archive.add(_INDEX, json.dumps(index, sort_keys=True, indent=1).encode("ascii"))
    return archive, findings


def _make_scratch(home: Path) -> Path:
    scratch = home / "cache" / "unfinished"
    scratch.mkdir(parents=True, exist_ok=True)
    return scratch


def _hash_file(path: Path) -> str:
    engine = connect_database(sqlite_url(path))
    try:
        return hash_registry(engine)
    finally:
        engine.dispose()


Part = tuple[str, Callable[[], bytes]]


def _list_vault(home: Home) -> Iterator[Part]:
    for name in dict.fromkeys(one.sealed_id for one in home.vault.all()):
        yield f"vault/{name[:2]}/{name}", lambda name=name: home.sealed.read(name)  # type: ignore[misc]


def _list_objects(home: Home) -> Iterator[Part]:
    for name in home.objects.names():
        yield f"objects/{name[:2]}/{name}", lambda name=name: home.objects.read(name)  # type: ignore[misc]


def _list_snapshots(home: Home) -> Iterator[Part]:
    for snapshot_id in dict.fromkeys(one for one, _ in home.snapshots.all()):
        try:
            names = [f"{name}.parquet" for name in home.snapshots.get(snapshot_id).table_names]
        except IntegrityError:
            names = []
        for name in [*names, MANIFEST]:
            yield (
                f"snapshots/{snapshot_id}/{name}",
                lambda snapshot_id=snapshot_id, name=name: home.snapshots.read_file(snapshot_id, name),  # type: ignore[misc]
            )


def read_members(source: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of a backup, checked against its index; the index is not among them.

    Raises
    ------
    IntegrityError
        If the file is no backup, was cut short, or any byte of a member has changed.
    """
    try:
        with tarfile.open(source, mode="r:") as tar:
            index = _read_index(tar, place=source.name)
            for entry in tar:
                if entry.name == _INDEX:
                    continue
                data = _read_entry(tar, entry, place=source.name)
                if compute_sha256(data) != index.pop(entry.name, ""):
                    raise IntegrityError("has changed", place=f"{source.name} {entry.name}")
                yield entry.name, data
    except (tarfile.TarError, EOFError) as error:
        raise IntegrityError(f"is no whole backup ({error})", place=source.name) from error
    if index:
        raise IntegrityError(f"{min(index)} is missing", place=source.name)


def _read_index(tar: tarfile.TarFile, *, place: str) -> dict[str, str]:
    names = tar.getnames()
    odd = [name for name in names if not _MEMBERS.fullmatch(name)]
    if odd or len(set(names)) != len(names):
        raise IntegrityError("holds what no backup holds", place=place, expected="a file of corelab backup")
    if _INDEX not in names:
        raise IntegrityError("the backup is cut short", place=place, expected=f"{_INDEX} at its end")
    try:
        read = json.loads(_read_entry(tar, tar.getmember(_INDEX), place=place))
        return {str(name): str(digest) for name, digest in read["members"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{_INDEX} cannot be read", place=place) from error


def _read_entry(tar: tarfile.TarFile, entry: tarfile.TarInfo, *, place: str) -> bytes:
    stream = tar.extractfile(entry) if entry.isreg() else None
    if stream is None:
        raise IntegrityError("is no plain file", place=f"{place} {entry.name}")
    data = stream.read()
    if len(data) != entry.size:
        raise IntegrityError("is cut short", place=f"{place} {entry.name}")
    return data


def restore_backup(
    source: Path, path: Path, *, database_url: str | None = None, object_url: str | None = None,
    at: dt.datetime, actor: str,
) -> Home:  # fmt: skip
    """Make a home from a backup: its registry in the home or at a URL, whatever it was before.

    The whole file is checked before anything is written, and the restored registry is compared with the
    one that was copied. A registry of an older schema is brought to the present one afterwards.

    Raises
    ------
    HomeError
        If the folder or the database holds something already.
    IntegrityError
        If the backup is not what was written, or the restored home is not what was copied.
    """
    if not source.is_file():
        raise ConfigError("there is no such file", place=source.name, expected="a file of corelab backup")
    check_empty(path)
    for _ in read_members(source):
        pass
    try:
        path.mkdir(parents=True, exist_ok=True)
        _unpack(source, path, object_url=object_url)
    except OSError as error:
        raise HomeError(f"cannot be written ({error.strerror})", place=path.name) from error
    _restore_registry(path, database_url, expected=_read_registry_hash(source))
    # Written last, as when a home is made: a folder without it is no home.
    write_durably(path / "home.json", describe_places(database_url, object_url))
    home = open_home(path, database_url=database_url, object_url=object_url)
    home.registry.audit.append(actor=actor, role="", action="restore", at=at, object=source.name)
    return home


def _unpack(source: Path, path: Path, *, object_url: str | None) -> None:
    stores = open_stores(path, object_url)
    folders: dict[str, dict[str, bytes]] = {}
    for name, data in read_members(source):
        kind, _, rest = name.partition("/")
        if kind in ("objects", "vault"):
            kept = stores.objects if kind == "objects" else stores.sealed
            _check_object(kept.write(data), name)
        elif kind == "snapshots":
            folder, _, file_name = rest.partition("/")
            folders.setdefault(folder, {})[file_name] = data
            if file_name == MANIFEST:  # the last of its folder
                stores.write_snapshot(folder, folders.pop(folder))
        else:
            mode = 0o600 if kind in (_REGISTRY, *_SECRETS) else 0o644
            write_durably(path / name, data, mode=mode, scratch=_make_scratch(path))


def _check_object(object_id: str, name: str) -> None:
    if not name.endswith(object_id):
        raise IntegrityError("the object's bytes have changed", place=name)


def _read_registry_hash(source: Path) -> str:
    with tarfile.open(source, mode="r:") as tar:
        index: Mapping[str, str] = json.loads(_read_entry(tar, tar.getmember(_INDEX), place=source.name))
    return index["registry"]


def _restore_registry(path: Path, database_url: str | None, *, expected: str) -> None:
    copy = path / _REGISTRY
    check_registry(copy)
    engine = connect_database(database_url or sqlite_url(copy))
    try:
        if database_url:
            fill_registry(engine, copy)
            copy.unlink()
        if hash_registry(engine) != expected:
            raise IntegrityError(
                "the restored registry differs from the one that was copied", place=path.name
            )
        migrate(engine)
    finally:
        engine.dispose()
