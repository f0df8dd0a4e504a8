"""A backup is a home in one file: consistent while others write, and the same home when restored."""

import datetime as dt
import json
import random
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from corelab.errors import ConfigError, CorelabError, HomeError, IntegrityError
from corelab.store import Home, open_home
from corelab.store.backup import read_members, restore_backup, write_backup
from corelab.store.transfer import hash_registry
from pipelines.ingest import ingest
from pipelines.verify import verify
from tests.deliveries import LAB, write_delivery
from tests.store.test_snapshots import make_tables

NOW = dt.datetime(2025, 4, 1, 9, 0, tzinfo=dt.UTC)


def stock(home: Home, tmp_path: Path) -> Home:
    ingest(home, [write_delivery(tmp_path / "d")], at=NOW, actor="ann")
    home.registry.users.add("ann", role="reviewer", password="long enough", at=NOW)
    home.snapshots.write(make_tables(), {"study": "x"}, run_key="k", at=NOW, position={"record": 3})
    return home


@pytest.fixture
def stocked(home: Home, tmp_path: Path) -> Home:
    return stock(home, tmp_path)


def hash_files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for part in ("objects", "snapshots")
        for path in (folder / part).rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("sqlite", "sqlite"),
        pytest.param("sqlite", "postgresql", marks=pytest.mark.postgres),
        pytest.param("postgresql", "sqlite", marks=pytest.mark.postgres),
    ],
)
def test_restore__gives_the_same_home_on_either_database(
    make_home: Callable[..., Home], tmp_path: Path, request: pytest.FixtureRequest, source: str, target: str
) -> None:
    there = request.getfixturevalue("postgres_url") if "postgresql" in (source, target) else None
    stocked = stock(make_home(database_url=there if source == "postgresql" else None), tmp_path)
    url = there if target == "postgresql" else None
    before = hash_registry(stocked.registry.engine)
    report = write_backup(stocked, tmp_path / "b.tar", at=NOW, actor="ann")
    assert report.findings == ()
    restored = restore_backup(tmp_path / "b.tar", tmp_path / "new", database_url=url, at=NOW, actor="ann")
    assert hash_files(restored.path) == hash_files(stocked.path)
    assert verify(restored) == []
    # All that the restored registry has more is the line that says so.
    trail = restored.registry.audit.rows()
    assert list(trail["action"].head(1)) == ["restore"]
    assert len(trail) == len(stocked.registry.audit.rows())
    assert restored.registry.content_hash() == stocked.registry.content_hash()
    assert restored.registry.users.verify("ann", "long enough", at=NOW) is not None
    ingest(
        restored,
        [write_delivery(tmp_path / "e", tables={"labs": [LAB | {"test": "PLT"}]})],
        at=NOW,
        actor="b",
    )
    assert len(restored.registry.inputs().labs) == 2
    assert before != hash_registry(stocked.registry.engine)  # the backup's own line
    restored.close()


@pytest.mark.postgres
def test_restore__from_postgresql_into_an_emptied_postgresql(
    make_home: Callable[..., Home], tmp_path: Path, postgres_url: str
) -> None:
    home = make_home(database_url=postgres_url)
    ingest(home, [write_delivery(tmp_path / "d")], at=NOW, actor="ann")
    write_backup(home, tmp_path / "b.tar", at=NOW, actor="ann")
    content = home.registry.content_hash()
    with pytest.raises(HomeError, match="holds a registry already"):
        restore_backup(tmp_path / "b.tar", tmp_path / "n", database_url=postgres_url, at=NOW, actor="ann")
    with home.registry.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    restored = restore_backup(
        tmp_path / "b.tar", tmp_path / "new", database_url=postgres_url, at=NOW, actor="ann"
    )
    assert restored.registry.content_hash() == content
    assert verify(restored) == []
    restored.close()


def test_write_backup__is_consistent_while_others_write(
    stocked: Home, database_url: str | None, tmp_path: Path
) -> None:
    stop = threading.Event()

    def write() -> None:
        other = open_home(stocked.path, database_url=database_url)
        number = 0
        while not stop.is_set():
            other.objects.write(f"object {number}".encode())
            folder = tmp_path / "busy" / str(number)
            rows = [LAB | {"collected_at": f"2025-03-17T09:{number % 60:02}:{number // 60 % 60:02}"}]
            ingest(other, [write_delivery(folder, tables={"labs": rows})], at=NOW, actor="bob")
            number += 1
        other.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(3):
            write_backup(stocked, tmp_path / f"{number}.tar", at=NOW, actor="ann")
    finally:
        stop.set()
        thread.join()
    for number in range(3):
        restored = restore_backup(tmp_path / f"{number}.tar", tmp_path / f"r{number}", at=NOW, actor="ann")
        assert verify(restored) == []
        restored.close()


def test_write_backup__leaves_a_file_that_is_there_alone(stocked: Home, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_text("mine")
    with pytest.raises(ConfigError, match="something already"):
        write_backup(stocked, tmp_path / "b.tar", at=NOW, actor="ann")
    assert (tmp_path / "b.tar").read_text() == "mine"


def test_write_backup__names_what_is_damaged_and_copies_the_rest(stocked: Home, tmp_path: Path) -> None:
    path = next(path for path in (stocked.path / "objects").rglob("*") if path.is_file())
    path.chmod(0o644)
    path.write_bytes(b"spoilt")
    report = write_backup(stocked, tmp_path / "b.tar", at=NOW, actor="ann")
    assert [path.name in finding for finding in report.findings] == [True]
    restored = restore_backup(tmp_path / "b.tar", tmp_path / "new", at=NOW, actor="ann")
    assert [path.name in finding for finding in verify(restored)] == [True]
    restored.close()


def test_write_backup__keeps_the_proof_of_a_cut_trail(make_home: Callable[..., Home], tmp_path: Path) -> None:
    home = make_home()
    for _ in range(3):
        home.registry.audit.append(actor="a", role="", action="x", at=NOW)
    with home.registry.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_no_delete")
        connection.exec_driver_sql("DELETE FROM audit WHERE seq > 1")
    write_backup(home, tmp_path / "b.tar", at=NOW, actor="ann")
    restored = restore_backup(tmp_path / "b.tar", tmp_path / "new", at=NOW, actor="ann")
    assert verify(restored)
    restored.close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from corelab.store import create_home
    from corelab.study import builtin_study

    folder = tmp_path_factory.mktemp("archive")
    home = create_home(folder / "home", study_text=builtin_study().source)
    ingest(home, [write_delivery(folder / "d")], at=NOW, actor="ann")
    write_backup(home, folder / "b.tar", at=NOW, actor="ann")
    home.close()
    return folder / "b.tar"


def test_restore__finds_any_changed_byte_of_a_member(archive: Path, tmp_path: Path) -> None:
    data = np.frombuffer(archive.read_bytes(), dtype=np.uint8)
    with tarfile.open(archive) as tar:
        spans = [(entry.offset_data, entry.size) for entry in tar if entry.name != "backup.json"]
    chance = random.Random(3)
    for number in range(40):
        start, size = chance.choice(spans)
        spoilt = data.copy()
        spoilt[start + chance.randrange(size)] ^= 1 << chance.randrange(8)
        (tmp_path / "spoilt.tar").write_bytes(spoilt.tobytes())
        with pytest.raises(IntegrityError, match="has changed"):
            restore_backup(tmp_path / "spoilt.tar", tmp_path / str(number), at=NOW, actor="ann")
        assert not (tmp_path / str(number)).exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_restore__refuses_a_file_that_was_cut_short(archive: Path, tmp_path: Path, share: float) -> None:
    data = archive.read_bytes()
    with tarfile.open(archive) as tar:
        end = tar.getmember("backup.json").offset_data
    (tmp_path / "cut.tar").write_bytes(data[: int(end * share)])
    with pytest.raises(IntegrityError):
        restore_backup(tmp_path / "cut.tar", tmp_path / "new", at=NOW, actor="ann")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["../out", "/etc/cron.d/x", "objects/../../x", "home.json", "cache/x"])
def test_restore__writes_nothing_that_no_backup_holds(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "odd.tar", "w") as tar:
        index = json.dumps({"members": {name: "0"}}).encode()
        for member, data in ((name, b"x"), ("backup.json", index)):
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            (tmp_path / "data").write_bytes(data)
            with (tmp_path / "data").open("rb") as stream:
                tar.addfile(entry, stream)
    with pytest.raises(IntegrityError, match="no backup holds"):
        list(read_members(tmp_path / "odd.tar"))


@pytest.mark.parametrize("text", [b"", b"no backup at all", b"\x1f\x8b\x08\x00"])
def test_restore__names_a_file_that_is_no_backup(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "x").write_bytes(text)
    with pytest.raises(CorelabError) as caught:
        restore_backup(tmp_path / "x", tmp_path / "new", at=NOW, actor="ann")
    assert "\n" not in str(caught.value)


def test_restore__leaves_a_home_that_is_there_alone(archive: Path, make_home: Callable[..., Home]) -> None:
    home = make_home()
    before = home.registry.content_hash()
    with pytest.raises(HomeError, match="something already"):
        restore_backup(archive, home.path, at=NOW, actor="ann")
    assert home.registry.content_hash() == before
