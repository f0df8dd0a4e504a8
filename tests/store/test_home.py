"""A home: made once, opened by any process, moved anywhere."""

import datetime as dt
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from corelab.errors import ConfigError, HomeError
from corelab.store import Home, create_home, migrate_home, open_home, schema
from corelab.store.database import connect_database, migrate, read_revision, sqlite_url
from corelab.store.schema import metadata
from corelab.store.transfer import hash_registry
from corelab.study import builtin_study
from pipelines.cli import main

NOW = dt.datetime(2025, 3, 3, 9, 0, tzinfo=dt.UTC)
STUDY = builtin_study().source


def test_migrations__make_exactly_the_schema_that_the_code_expects(home: Home) -> None:
    with home.registry.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences = [one for one in compare_metadata(context, metadata) if "comment" not in str(one)]
    assert differences == []


def test_create_home__leaves_a_folder_with_something_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(HomeError, match="something already"):
        create_home(tmp_path, study_text=STUDY)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_create_home__checks_the_study_before_it_writes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        create_home(tmp_path / "home", study_text="id: [")
    assert not (tmp_path / "home").exists()


def test_open_home__names_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="no home here"):
        open_home(tmp_path)


def test_open_home__refuses_a_half_made_home(make_home: Callable[..., Home]) -> None:
    home = make_home()
    (home.path / "home.json").unlink()
    with pytest.raises(HomeError, match="no home here"):
        open_home(home.path)


@pytest.mark.parametrize(
    ("found", "match"), [("0000", "corelab migrate"), ("9999", "newer than this program")]
)
def test_open_home__refuses_another_schema(make_home: Callable[..., Home], found: str, match: str) -> None:
    home = make_home()
    with sqlite3.connect(home.path / "registry.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [found])
    connection.close()
    with pytest.raises(HomeError, match=match):
        open_home(home.path)


def test_open_home__needs_the_url_of_a_registry_that_is_elsewhere(
    make_home: Callable[..., Home], postgres_url: str
) -> None:
    home = make_home(database_url=postgres_url)
    with pytest.raises(ConfigError, match="CORELAB_DATABASE_URL"):
        open_home(home.path)
    assert not (home.path / "registry.db").exists()


def test_open_home__refuses_a_url_for_a_home_that_keeps_its_own_registry(
    make_home: Callable[..., Home], postgres_url: str
) -> None:
    home = make_home()
    with pytest.raises(ConfigError, match="unset CORELAB_DATABASE_URL"):
        open_home(home.path, database_url=postgres_url)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("nonsense", ConfigError),
        ("mysql://h/d", ConfigError),
        ("postgresql://u:secret@127.0.0.1:1/none?connect_timeout=2", HomeError),
    ],
)
def test_create_home__names_a_database_that_cannot_be_used(
    tmp_path: Path, url: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        create_home(tmp_path / "home", study_text=STUDY, database_url=url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_migrate_home__has_nothing_to_do_on_a_new_home(home: Home, database_url: str | None) -> None:
    assert migrate_home(home.path, database_url=database_url) is None


def test_home__can_be_copied_and_holds_no_path(make_home: Callable[..., Home], tmp_path: Path) -> None:
    home = make_home()
    home.objects.write(b"bytes")
    home.registry.users.add("ann", role="admin", password="long enough", at=NOW)
    home.close()
    copied = shutil.copytree(home.path, tmp_path / "elsewhere" / "copy")
    shutil.rmtree(home.path)
    again = open_home(copied)
    assert [user.name for user in again.registry.users.all()] == ["ann"]
    assert again.registry.audit.verify() == []
    again.close()
    stored = b"".join(path.read_bytes() for path in copied.rglob("*") if path.is_file())
    assert str(tmp_path).encode() not in stored


def test_home__keeps_objects_and_snapshots_at_a_url(tmp_path: Path) -> None:
    url = f"memory://{tmp_path.name}"
    home = create_home(tmp_path / "home", study_text=STUDY, object_url=url)
    object_id = home.objects.write(b"bytes")
    snapshot = home.snapshots.write({}, {"study": "x"}, run_key="k", at=NOW)
    assert home.objects.read(object_id) == b"bytes"
    assert home.snapshots.get(snapshot.id).manifest["study"] == "x"
    assert not (tmp_path / "home" / "objects").exists()
    home.close()


def test_writers__on_one_registry_lose_nothing(home: Home, database_url: str | None) -> None:
    other = open_home(home.path, database_url=database_url)
    for number in range(5):
        home.registry.audit.append(actor="a", role="", action="x", new=str(number), at=NOW)
        other.registry.audit.append(actor="b", role="", action="x", new=str(number), at=NOW)
    other.close()
    assert len(home.registry.audit.rows()) == 10
    assert home.registry.audit.verify() == []


def test_reading__answers_in_one_line_when_the_database_is_gone(make_home: Callable[..., Home]) -> None:
    home = make_home()
    home.close()
    (home.path / "registry.db").unlink()
    (home.path / "registry.db").mkdir()
    with pytest.raises(HomeError) as caught:
        home.registry.quarantine_rows()
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, sa.exc.OperationalError)


def test_open_home__answers_in_one_line_when_the_database_is_spoilt(make_home: Callable[..., Home]) -> None:
    home = make_home()
    home.close()
    for path in home.path.glob("registry.db*"):
        path.write_bytes(b"this is not a database " * 500)
    with pytest.raises(HomeError, match="not a database"):
        open_home(home.path)


@pytest.mark.parametrize("found", [f"{number:04}" for number in range(1, int(schema.REVISION))])
def test_migrate_home__brings_every_earlier_schema_to_the_present_one(
    make_home: Callable[..., Home], tmp_path: Path, found: str
) -> None:
    """The rows of the old registry are there afterwards, and a copy of it lies beside."""
    home = make_home()
    home.close()
    for path in home.path.glob("registry.db*"):
        path.unlink()
    engine = connect_database(sqlite_url(home.path / "registry.db"))
    migrate(engine, revision=found)
    assert read_revision(engine) == found
    with engine.begin() as connection:
        columns = "name, role, password_hash, session_version, disabled, created_at"
        connection.exec_driver_sql(f"INSERT INTO account ({columns}) VALUES ('ann', 'admin', 'x', 1, 0, '')")
        columns = "snapshot_id, run_key, manifest_hash, created_at"
        connection.exec_driver_sql(f"INSERT INTO snapshot ({columns}) VALUES ('0', '0', '0', '2025-01-01')")
    before = hash_registry(engine)
    engine.dispose()
    with pytest.raises(HomeError, match="corelab migrate"):
        open_home(home.path)
    copy = migrate_home(home.path)
    assert copy is not None
    kept = connect_database(sqlite_url(copy))
    assert (read_revision(kept), hash_registry(kept)) == (found, before)
    kept.dispose()
    again = open_home(home.path)
    assert [user.name for user in again.registry.users.all()] == ["ann"]
    assert again.snapshots.positions() == [("0", {})]
    again.registry.audit.append(actor="a", role="", action="x", at=NOW)
    assert again.registry.audit.verify() == []
    again.close()


def test_migrate__is_in_the_audit_trail(make_home: Callable[..., Home]) -> None:
    home = make_home()
    for path in home.path.glob("registry.db*"):
        path.unlink()
    engine = connect_database(sqlite_url(home.path / "registry.db"))
    migrate(engine, revision="0004")
    engine.dispose()
    assert main(["migrate", str(home.path)]) == 0
    line = open_home(home.path).registry.audit.rows(limit=1).iloc[0]
    assert (line["action"], line["old"], line["new"]) == ("migrate", "0004", schema.REVISION)
