"""A home: the folder in which one trial's laboratory lives."""

import json
import os
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corelab.errors import ConfigError, HomeError
from corelab.store.audit import GENESIS, AuditTrail
from corelab.store.database import check_revision, connect_database, migrate, sqlite_url
from corelab.store.gates import GateRevisions
from corelab.store.objects import ObjectStore, open_objects, sync_folder, write_durably
from corelab.store.registry import Registry
from corelab.store.snapshots import SnapshotFiles, SnapshotStore, open_snapshot_files
from corelab.store.users import Users
from corelab.study import Study, parse_study

if TYPE_CHECKING:
    from corelab.store.cell_maps import CellMaps
    from corelab.store.cell_models import CellModels
    from corelab.store.jobs import Jobs
    from corelab.store.plate_locks import PlateLocks
    from corelab.store.review import Reviews
    from corelab.store.uploads import Uploads
    from corelab.store.vault import Vault

FORMAT: Final = 1
NAME_KEY: Final = "names.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """An open home. ``path`` is where it lies now; nothing inside it holds that path."""

    path: Path
    study: Study
    registry: Registry
    objects: ObjectStore
    snapshots: SnapshotStore
    sealed: ObjectStore

    @property
    def cache(self) -> Path:
        """A folder that may be deleted at any time."""
        return self.path / "cache"

    @property
    def gates(self) -> GateRevisions:
        """What people decided about gates."""
        return GateRevisions(engine=self.registry.engine, audit=self.registry.audit)

    def stale_subjects(self) -> list[str]:
        """Return the subjects whose rows differ from those of the current snapshot; run tubes are ``""``."""
        now = self.registry.subject_hashes()
        current = self.snapshots.current()
        then = current.manifest.get("subjects", {}) if current else {}
        return sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))

    @property
    def reviews(self) -> "Reviews":
        """What was signed, and where results stand."""
        from corelab.store.review import Reviews

        return Reviews(home=self)

    @property
    def plate_locks(self) -> "PlateLocks":
        """Which plates are locked."""
        from corelab.store.plate_locks import PlateLocks

        return PlateLocks(home=self)

    @property
    def uploads(self) -> "Uploads":
        """Files on their way in from a browser."""
        from corelab.store.uploads import Uploads

        return Uploads(engine=self.registry.engine, audit=self.registry.audit, folder=self.path / "uploads")

    @property
    def vault(self) -> "Vault":
        """Sealed originals, where the study keeps them."""
        from corelab.store.vault import Vault

        audit, recipient = self.registry.audit, self.study.vault_recipient
        return Vault(engine=self.registry.engine, audit=audit, sealed=self.sealed, recipient=recipient)

    @property
    def cell_models(self) -> "CellModels":
        """Frozen models of single cells."""
        from corelab.store.cell_models import CellModels

        return CellModels(engine=self.registry.engine, audit=self.registry.audit, objects=self.objects)

    @property
    def cell_maps(self) -> "CellMaps":
        """Single cells of snapshots by the frozen model."""
        from corelab.store.cell_maps import CellMaps

        return CellMaps(folder=self.cache / "phenotype")

    @property
    def jobs(self) -> "Jobs":
        """Work that the dashboard asked for."""
        from corelab.store.jobs import Jobs

        return Jobs(engine=self.registry.engine)

    def name_key(self) -> bytes:
        """Return the key of the codes of names taken from files; made on first use.

        It goes into backups: without it a restored home would find no file by a code that waits for it.
        """
        path = self.path / NAME_KEY
        if not path.exists():
            made = self.cache / "unfinished" / f"{NAME_KEY}.{secrets.token_hex(8)}"
            write_durably(made, secrets.token_hex(32).encode("ascii"), mode=0o600)
            try:
                os.link(made, path)  # of several that make one at once the first counts
            except FileExistsError:
                pass
            finally:
                made.unlink()
        return path.read_bytes().strip()

    def status(self) -> dict[str, Any]:
        """Return the contract's status: ``snapshot``, ``states``, ``quarantine``, ``stale``.

        Stale is counted in children, those with data newer than the snapshot and those with signed results
        that are no longer what was signed, and in locked plates that are no longer what was locked.
        ``reviews`` counts the signed results.
        """
        current = self.snapshots.current()
        standings = self.reviews.standings().values()
        changed = self.reviews.stale()
        waiting = {subject for subject in self.stale_subjects() if subject}
        waiting |= {standing.target.subject_id or standing.target.file_id for standing in changed}
        return {
            "snapshot": current.id if current else None,
            **self.registry.status(),
            "stale": len(waiting),
            "reviews": {**Counter(standing.state.value for standing in standings), "stale": len(changed)},
        }

    def close(self) -> None:
        """Let go of the database."""
        self.registry.engine.dispose()


def create_home(
    path: Path, *, study_text: str, database_url: str | None = None, object_url: str | None = None
) -> Home:
    """Make a home in a new or empty folder.

    Raises
    ------
    ConfigError
        If the study text is no study, or a URL cannot be used.
    HomeError
        If the folder holds something already, cannot be written, or the database does not answer.
    """
    parse_study(study_text, place="study.yaml")
    check_empty(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_durably(path / "study.yaml", study_text.encode("utf-8"))
    except OSError as error:
        raise HomeError(f"cannot be written ({error.strerror})", place=path.name) from error
    engine = connect_database(database_url or sqlite_url(path / "registry.db"))
    try:
        migrate(engine)
    finally:
        engine.dispose()
    write_durably(path / "audit.head", json.dumps({"seq": 0, "hash": GENESIS}).encode("ascii"))
    # Written last: a folder without it is no home, so a half-made one is never opened.
    write_durably(path / "home.json", describe_places(database_url, object_url))
    return open_home(path, database_url=database_url, object_url=object_url)


def open_home(
    path: Path | str, *, database_url: str | None = None, object_url: str | None = None,
    check_schema: bool = True,
) -> Home:  # fmt: skip
    """Open a home.

    Raises
    ------
    HomeError
        If there is no home, its schema is not this version's, or the database does not answer.
    ConfigError
        If its registry or objects are elsewhere and the URL is not given, or the study file is wrong.
    """
    home = Path(path).absolute()  # a worker elsewhere reads its objects by this path
    kept = _read_kept(home)
    _check_where(kept, "database", database_url)
    _check_where(kept, "objects", object_url)
    study = parse_study(_read_text(home / "study.yaml"), place="study.yaml")
    engine = connect_database(database_url or sqlite_url(home / "registry.db"))
    if check_schema:
        check_revision(engine, place=home.name)
    audit = AuditTrail(engine=engine, head_path=home / "audit.head")
    users = Users(engine=engine, audit=audit)
    stores = open_stores(home, object_url)
    return Home(
        path=home,
        study=study,
        registry=Registry(engine=engine, study=study, users=users, audit=audit),
        objects=stores.objects,
        sealed=stores.sealed,
        snapshots=SnapshotStore(engine=engine, audit=audit, files=stores.snapshot_files),
    )


def check_empty(path: Path) -> None:
    """Check that a home can be made at a place.

    Raises
    ------
    HomeError
        If the place holds something already.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise HomeError("there is something already", place=path.name, expected="a new or empty folder")


def describe_places(database_url: str | None, object_url: str | None) -> bytes:
    """Write ``home.json``: the format, and whether registry and objects are in the folder or elsewhere."""
    kept = {"format": FORMAT, "database": _where(database_url), "objects": _where(object_url)}
    return json.dumps(kept, indent=1).encode("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where a home's objects, snapshots and sealed originals lie."""

    objects: ObjectStore
    sealed: ObjectStore
    snapshot_files: SnapshotFiles

    def write_snapshot(self, snapshot_id: str, contents: Mapping[str, bytes]) -> None:
        """Write a snapshot's folder whole; the registry has to know of it."""
        self.snapshot_files.write_folder(snapshot_id, contents)


def open_stores(path: Path, object_url: str | None) -> Stores:
    """Return the stores under a home's folder, or under a URL."""
    scratch = None if object_url else path / "cache" / "unfinished"
    root = object_url.rstrip("/") if object_url else str(path)
    return Stores(
        objects=open_objects(f"{root}/objects", scratch=scratch),
        sealed=open_objects(f"{root}/vault", scratch=scratch, label="vault", make=False),
        snapshot_files=open_snapshot_files(f"{root}/snapshots", scratch=scratch),
    )


def migrate_home(path: Path | str, *, database_url: str | None = None) -> Path | None:
    """Bring a home's registry to this version's schema, after a copy of it was put beside it.

    Only the registry changes: objects and snapshots are never touched, so the copy is all that is needed
    to go back.

    Returns
    -------
    Path or None
        The copy, or None where there was nothing to do.

    Raises
    ------
    HomeError
        If there is no home, its registry is newer than this program, or the database does not answer.
    """
    from corelab.store import schema
    from corelab.store.database import read_revision
    from corelab.store.transfer import check_registry, copy_registry

    home = Path(path)
    _check_where(_read_kept(home), "database", database_url)
    engine = connect_database(database_url or sqlite_url(home / "registry.db"))
    try:
        found = read_revision(engine)
        if found is None or found > schema.REVISION:
            check_revision(engine, place=home.name)
        if found == schema.REVISION:
            return None
        copy = home / "backups" / f"registry-{found}.db"
        unfinished = home / "cache" / "unfinished" / copy.name
        for folder in (copy.parent, unfinished.parent):
            folder.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        copy_registry(engine, unfinished)
        check_registry(unfinished)
        unfinished.replace(copy)
        sync_folder(copy.parent)
        migrate(engine)
    finally:
        engine.dispose()
    return copy


def _where(url: str | None) -> str:
    # Only whether it is elsewhere: a URL holds passwords and paths.
    return "elsewhere" if url else "here"


def _check_where(kept: dict[str, Any], part: str, url: str | None) -> None:
    variable = {"database": "CORELAB_DATABASE_URL", "objects": "CORELAB_OBJECT_URL"}[part]
    if kept.get(part, "here") == "elsewhere" and not url:
        raise ConfigError(f"the home's {part} are kept elsewhere", place=variable, remedy=f"set {variable}")
    if kept.get(part, "here") == "here" and url:
        raise ConfigError(
            f"the home keeps its {part} in its own folder", place=variable, remedy=f"unset {variable}"
        )


def _read_kept(home: Path) -> dict[str, Any]:
    if not (home / "home.json").is_file():
        raise HomeError("there is no home here", place=home.name, remedy="make one with corelab init")
    try:
        kept = json.loads(_read_text(home / "home.json"))
    except ValueError as error:
        raise HomeError("home.json cannot be read", place=home.name) from error
    if not isinstance(kept, dict) or kept.get("format") != FORMAT:
        raise HomeError(
            "the home has a format of another version", place=home.name, expected=f"format {FORMAT}"
        )
    return kept


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(f"{path.name} cannot be read", place=path.parent.name) from error
