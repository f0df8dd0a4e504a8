"""A home: the folder in which one trial's laboratory lives."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from corelab.errors import ConfigError, HomeError
from corelab.store.audit import GENESIS, AuditTrail
from corelab.store.database import check_revision, connect_database, migrate, sqlite_url
from corelab.store.gates import GateRevisions
from corelab.store.objects import ObjectStore, open_objects, write_durably
from corelab.store.registry import Registry
from corelab.store.snapshots import SnapshotStore, open_snapshots
from corelab.store.users import Users
from corelab.study import Study, parse_study

FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """An open home. ``path`` is where it lies now; nothing inside it holds that path."""

    path: Path
    study: Study
    registry: Registry
    objects: ObjectStore
    snapshots: SnapshotStore

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

    def status(self) -> dict[str, Any]:
        """Return the contract's status: ``snapshot``, ``states``, ``quarantine``, ``stale``."""
        current = self.snapshots.current()
        stale = [subject for subject in self.stale_subjects() if subject]
        return {
            "snapshot": current.id if current else None,
            **self.registry.status(),
            "stale": len(stale),
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
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise HomeError("there is something already", place=path.name, expected="a new or empty folder")
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
    kept = {"format": FORMAT, "database": _where(database_url), "objects": _where(object_url)}
    write_durably(path / "audit.head", json.dumps({"seq": 0, "hash": GENESIS}).encode("ascii"))
    # Written last: a folder without it is no home, so a half-made one is never opened.
    write_durably(path / "home.json", json.dumps(kept, indent=1).encode("utf-8"))
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
    home = Path(path)
    kept = _read_kept(home)
    _check_where(kept, "database", database_url)
    _check_where(kept, "objects", object_url)
    study = parse_study(_read_text(home / "study.yaml"), place="study.yaml")
    engine = connect_database(database_url or sqlite_url(home / "registry.db"))
    if check_schema:
        check_revision(engine, place=home.name)
    audit = AuditTrail(engine=engine, head_path=home / "audit.head")
    users = Users(engine=engine, audit=audit)
    scratch = None if object_url else home / "cache" / "unfinished"
    root = object_url.rstrip("/") if object_url else str(home)
    return Home(
        path=home,
        study=study,
        registry=Registry(engine=engine, study=study, users=users, audit=audit),
        objects=open_objects(f"{root}/objects", scratch=scratch),
        snapshots=open_snapshots(f"{root}/snapshots", scratch=scratch, engine=engine, audit=audit),
    )


def migrate_home(path: Path | str, *, database_url: str | None = None) -> bool:
    """Bring a home's registry to this version's schema; tell whether there was anything to do.

    Raises
    ------
    HomeError
        If there is no home or its registry is newer than this program.
    """
    from corelab.store import schema
    from corelab.store.database import read_revision

    home = Path(path)
    _check_where(_read_kept(home), "database", database_url)
    engine = connect_database(database_url or sqlite_url(home / "registry.db"))
    try:
        found = read_revision(engine)
        if found is None or found > schema.REVISION:
            check_revision(engine, place=home.name)
        if found == schema.REVISION:
            return False
        migrate(engine)
    finally:
        engine.dispose()
    return True


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
