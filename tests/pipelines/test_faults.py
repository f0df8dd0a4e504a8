"""Killed or doubled at any moment, a command leaves nothing half done, and the next one finishes."""

import datetime as dt
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from corelab.store import Home, create_home, open_home
from corelab.store.backup import read_members, restore_backup
from corelab.store.objects import compute_sha256
from corelab.study import builtin_study
from pipelines.ingest import ingest
from tests.deliveries import LAB, SUBJECT, TUBE, make_fcs, write_delivery
from tests.pipelines.conftest import clean_environment, command

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
KILLS = 4
FILES = 40


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tubes = [
        TUBE
        | {"file": f"fcs/{n}.fcs", "visit": "UNS", "collected_at": f"2025-04-{n % 28 + 1:02}T0{n % 9}:00"}
        for n in range(FILES)
    ]
    labs = [LAB | {"collected_at": f"2025-04-{n % 28 + 1:02}T{n // 28 % 24:02}:00"} for n in range(600)]
    return write_delivery(
        tmp_path_factory.mktemp("kill") / "d",
        tables={"subjects": [SUBJECT], "manifest": tubes, "labs": labs},
        files={f"fcs/{n}.fcs": make_fcs(n, n_events=20_000) for n in range(FILES)},
    )


def start(*words: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command(*words),
        cwd="/",
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_after(seconds: float, *words: object) -> bool:
    """Start a command and kill it; tell whether it was still at work."""
    process = start(*words)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def duration(*words: object) -> float:
    begin = time.perf_counter()
    process = start(*words)
    assert process.wait() in (0, 1)
    return time.perf_counter() - begin


def check_objects(home: Home) -> None:
    for path in (home.path / "objects").rglob("*"):
        assert path.is_dir() or compute_sha256(path.read_bytes()) == path.name


def test_ingest__killed_at_any_moment_is_finished_by_the_next(
    delivery: Path, make_home: Callable[..., Home]
) -> None:
    calm, struck = make_home("calm"), make_home("struck")
    window = duration("ingest", calm.path, delivery)
    expected, empty = calm.registry.content_hash(), struck.registry.content_hash()
    moments = random.Random(5)
    killed = 0
    for n in range(KILLS):
        if kill_after(moments.uniform(0.15, 1.0) * window, "ingest", struck.path, delivery):
            killed += 1
        elif not killed:  # it was quicker than the first: strike an empty home, and sooner
            window /= 2
            struck = make_home(f"struck{n}")
        assert struck.registry.content_hash() in (empty, expected)
        check_objects(struck)
        assert struck.registry.audit.verify() == []
    assert killed
    assert duration("ingest", struck.path, delivery) > 0
    assert struck.registry.content_hash() == expected
    assert len(struck.registry.inputs().acquisitions) == FILES
    assert struck.registry.audit.verify() == []


def test_run__killed_at_any_moment_is_finished_by_the_next(
    tiny_trial: Path, make_home: Callable[..., Home]
) -> None:
    calm, struck = make_home("calm"), make_home("struck")
    for home in (calm, struck):
        ingest(home, [tiny_trial], at=NOW, actor="test")
    whole = duration("run", calm.path, "--workers", "1")
    moments = random.Random(6)
    for _ in range(2):
        kill_after(moments.uniform(0.2, 0.9) * whole, "run", struck.path, "--workers", "1")
        current = struck.snapshots.current()
        if current is not None:
            assert struck.snapshots.verify() == []
    duration("run", struck.path, "--workers", "1")
    expected, current = calm.snapshots.current(), struck.snapshots.current()
    assert expected is not None
    assert current is not None
    assert current.id == expected.id
    folders = [path.name for path in (struck.path / "snapshots").iterdir()]
    assert folders == [expected.id]


def test_open_home__works_beside_a_writer(delivery: Path, make_home: Callable[..., Home]) -> None:
    home = make_home()
    process = start("ingest", home.path, delivery)
    reads = 0
    while process.poll() is None:
        other = open_home(home.path)
        other.status()
        other.close()
        reads += 1
    assert process.returncode == 0
    assert reads


def test_backup__killed_at_any_moment_leaves_no_half_file(
    delivery: Path, make_home: Callable[..., Home], tmp_path: Path
) -> None:
    home = make_home()
    ingest(home, [delivery], at=NOW, actor="test")
    whole = duration("backup", home.path, tmp_path / "calm.tar")
    moments = random.Random(8)
    for number in range(KILLS):
        target = tmp_path / f"{number}.tar"
        if kill_after(moments.uniform(0.4, 1.0) * whole, "backup", home.path, target) and target.exists():
            assert list(read_members(target))  # it was renamed just before: then it is whole
        assert home.registry.audit.verify() == []
    assert duration("backup", home.path, tmp_path / "last.tar") > 0
    restored = restore_backup(tmp_path / "last.tar", tmp_path / "new", at=NOW, actor="test")
    assert restored.registry.content_hash() == home.registry.content_hash()
    restored.close()


def test_migrate__killed_at_any_moment_leaves_the_old_or_the_new_schema(tmp_path: Path) -> None:
    """The copy is there before anything changes, and the change is one transaction."""
    from corelab.store import schema
    from corelab.store.database import connect_database, migrate, read_revision, sqlite_url

    home = create_home(tmp_path / "home", study_text=builtin_study().source)
    home.close()
    moments = random.Random(9)
    for _ in range(3):
        for path in home.path.glob("registry.db*"):
            path.unlink()
        engine = connect_database(sqlite_url(home.path / "registry.db"))
        migrate(engine, revision="0001")
        engine.dispose()
        kill_after(moments.uniform(0.3, 1.5), "migrate", home.path)
        found = read_revision(engine)
        assert found in ("0001", schema.REVISION)
        engine.dispose()
        if found == schema.REVISION:
            assert (home.path / "backups" / "registry-0001.db").is_file()
        duration("migrate", home.path)
        assert read_revision(engine) == schema.REVISION
        engine.dispose()
