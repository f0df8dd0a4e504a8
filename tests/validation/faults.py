"""Writers at once, and uploads, backups and migrations killed at random moments, against undisturbed ones."""

import datetime as dt
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from corelab.store import Home, create_home, open_home
from corelab.store.backup import read_members, restore_backup
from corelab.store.jobs import LEASE
from corelab.store.uploads import RECEIVING
from corelab.study import builtin_study
from pipelines.ingest import ingest
from pipelines.run import run
from pipelines.runner import work_off
from pipelines.verify import verify
from tests.deliveries import LAB, SUBJECT, TUBE, make_fcs, write_delivery
from tests.pipelines.conftest import clean_environment, command
from tests.pipelines.test_faults import duration, kill_after
from tests.postgres import running_postgres
from tests.validation.kills import Struck

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
WRITERS = 4
PIECE = 2**16
_STRIKES = 3


@contextmanager
def open_databases(*, postgres: bool) -> Iterator[Iterator[str | None]]:
    """Give the URL of an empty database for each home: None for SQLite in the home."""

    def repeat_none() -> Iterator[str | None]:
        while True:
            yield None

    def create(server: str) -> Iterator[str | None]:
        url = sa.make_url(server).set(drivername="postgresql+psycopg")
        number = 0
        while True:
            number += 1
            engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
            with engine.connect() as connection:
                connection.execute(sa.text(f"CREATE DATABASE round_{number}"))
            named = url.set(drivername="postgresql", database=f"round_{number}")
            yield named.render_as_string(hide_password=False)

    if not postgres:
        yield repeat_none()
        return
    with running_postgres() as server:
        yield create(server)


def write_together(folder: Path, urls: Iterator[str | None], *, rounds: int, n_events: int = 400) -> Struck:
    """Ingest deliveries by four processes at once while a fifth runs, then compare with one after another."""
    deliveries = [_write_part(folder / f"d{n}", n, n_events=n_events) for n in range(WRITERS - 1)]
    calm = _make_home(folder / "calm", None)
    for delivery in deliveries:
        ingest(calm, [delivery], at=NOW, actor="test")
    expected = _finish(calm)
    differing = 0
    for number in range(rounds):
        url = next(urls)
        home = _make_home(folder / f"together-{number}", url)
        environment = clean_environment(**({"CORELAB_DATABASE_URL": url} if url else {}))
        words = [("ingest", home.path, one) for one in (*deliveries, deliveries[0])]  # one of them twice
        processes = [
            subprocess.Popen(command(*one), cwd="/", env=environment, stdout=subprocess.DEVNULL)
            for one in (*words, ("run", home.path, "--workers", "1"))
        ]
        codes = [process.wait(timeout=240) for process in processes]
        differing += codes[:WRITERS] != [0] * WRITERS or _finish(home) != expected
    return Struck(kills=0, rounds=rounds, differing=differing)


def strike_uploads(folder: Path, *, kills: int, seed: int) -> Struck:
    """Kill senders of pieces and takers of deliveries; each goes on where the disk has it."""
    delivery = _write_part(folder / "d", 0, n_events=60_000)
    calm = _make_home(folder / "calm", None)
    _hand_over(calm, delivery)
    expected = _finish(calm)
    chance = random.Random(seed)
    done = rounds = differing = 0
    while done < kills:
        home = _make_home(folder / f"struck-{rounds}", None)
        window = 0.5
        for _ in range(_STRIKES):
            hit = _strike_sender(home, delivery, seconds=chance.uniform(0.2, 1.0) * window)
            done += hit
            window *= 1.3 if hit else 0.7
        done += _hand_over(home, delivery, strike=chance.uniform(0.5, 3.0))
        differing += _finish(home) != expected
        rounds += 1
    return Struck(kills=done, rounds=rounds, differing=differing)


def strike_backups(folder: Path, *, kills: int, seed: int) -> Struck:
    """Kill backups; what is there under a backup's name is whole and restores to the same registry."""
    home = _make_home(folder / "home", None)
    ingest(home, [_write_part(folder / "d", 0, n_events=60_000)], at=NOW, actor="test")
    whole = duration("backup", home.path, folder / "calm.tar")
    chance = random.Random(seed)
    done = rounds = differing = 0
    while done < kills:
        target = folder / f"{rounds}.tar"
        done += kill_after(chance.uniform(0.3, 1.0) * whole, "backup", home.path, target)
        if target.exists():
            differing += not list(read_members(target))
        rounds += 1
        differing += home.registry.audit.verify() != []
    duration("backup", home.path, folder / "last.tar")
    restored = restore_backup(folder / "last.tar", folder / "new", at=NOW, actor="test")
    differing += restored.registry.content_hash() != home.registry.content_hash() or verify(restored) != []
    return Struck(kills=done, rounds=rounds, differing=differing)


def strike_migrations(folder: Path, *, kills: int, seed: int) -> Struck:
    """Kill migrations from the first schema; there is the old or the new one, and the next ends it."""
    from corelab.store import schema
    from corelab.store.database import connect_database, migrate, read_revision, sqlite_url

    home = _make_home(folder / "home", None)
    home.close()
    engine = connect_database(sqlite_url(home.path / "registry.db"))
    chance = random.Random(seed)
    done = rounds = differing = 0
    whole = 1.5
    while done < kills:
        for path in home.path.glob("registry.db*"):
            path.unlink()
        migrate(engine, revision="0001")
        engine.dispose()
        hit = kill_after(chance.uniform(0.4, 1.0) * whole, "migrate", home.path)
        done += hit
        whole *= 1.1 if hit else 0.9
        differing += read_revision(engine) not in ("0001", schema.REVISION)
        engine.dispose()
        duration("migrate", home.path)
        differing += read_revision(engine) != schema.REVISION
        engine.dispose()
        rounds += 1
    return Struck(kills=done, rounds=rounds, differing=differing)


def _make_home(path: Path, url: str | None) -> Home:
    return create_home(path, study_text=builtin_study().source, database_url=url)


def _finish(home: Home) -> tuple[str, str, list[str], int]:
    """Bring the tables up to date and describe what is there."""
    snapshot = run(home, at=NOW).snapshot_id
    described = (home.registry.content_hash(), snapshot, verify(home), len(list(home.objects.names())))
    home.close()
    return described


def _write_part(folder: Path, number: int, *, n_events: int) -> Path:
    """A delivery of two tubes and a hundred laboratory values of its own."""
    day = f"2025-04-{number + 1:02}"
    tubes = [
        TUBE | {"file": f"{number}-{n}.fcs", "visit": "UNS", "collected_at": f"{day}T0{n}:00"}
        for n in range(2)
    ]
    labs = [LAB | {"collected_at": f"2025-05-{number + 1:02}T{n // 60:02}:{n % 60:02}"} for n in range(100)]
    files = {one["file"]: make_fcs(10 * number + n, n_events=n_events) for n, one in enumerate(tubes)}
    tables = {"subjects": [SUBJECT], "manifest": tubes, "labs": labs}
    return write_delivery(folder, tables=tables, files=files)


def _strike_sender(home: Home, delivery: Path, *, seconds: float) -> bool:
    """Send in another process, killed so many seconds after it began to send; tell whether it was at work."""
    words = [sys.executable, "-m", "tests.validation.faults", str(home.path), str(delivery)]
    environment = clean_environment()
    process = subprocess.Popen(words, cwd="/", env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # it says when it begins
    time.sleep(seconds)
    at_work = process.poll() is None
    process.kill()
    process.wait()
    process.stdout.close()
    return at_work


def send(home: Home, delivery: Path) -> None:
    """Send what is not here yet of each file, in small pieces, as a browser does that was opened again."""
    for path in sorted(delivery.iterdir()):
        data = path.read_bytes()
        upload = home.uploads.create(account="chen", name=path.name, size=len(data), changed="1", at=NOW)
        with path.open("rb") as stream:
            while upload.state == RECEIVING:
                stream.seek(upload.received)
                size = min(PIECE, len(data) - upload.received)
                upload = home.uploads.append(
                    upload.id, stream, account="chen", offset=upload.received, size=size, at=NOW
                )


def _hand_over(home: Home, delivery: Path, *, strike: float = 0.0) -> bool:
    """Send the rest, hand it over, and let a runner take it; tell whether the first one was killed."""
    send(home, delivery)
    home.uploads.hand_over(account="chen", role="scientist", at=NOW)
    killed = False
    if strike:
        code = "import sys; from pathlib import Path; from pipelines.runner import HomePlace, work_at; "
        code += "work_at(HomePlace(path=Path(sys.argv[1])))"
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(home.path)], cwd="/", env=clean_environment()
        )
        try:
            process.wait(timeout=strike)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed = True
    later = dt.datetime.now(dt.UTC) + LEASE + dt.timedelta(minutes=1)
    work_off(home, clock=lambda: later)
    return killed


if __name__ == "__main__":
    opened = open_home(sys.argv[1])
    print("begun", flush=True)  # noqa: T201
    send(opened, Path(sys.argv[2]))
