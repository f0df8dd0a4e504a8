"""A database that goes away, a full disk, a clock that is wrong: nothing is lost, and work goes on."""

import datetime as dt
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corelab.store import Home, create_home
from corelab.study import builtin_study
from dashboards.app import create_app
from pipelines.cli import REFUSED, main
from pipelines.ingest import ingest
from pipelines.run import run
from pipelines.verify import verify
from tests.dashboards.trial import PASSWORD
from tests.deliveries import LAB, SUBJECT, TUBE, make_fcs, write_delivery
from tests.pipelines.conftest import clean_environment, command
from tests.postgres import Server, running_server

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    return write_delivery(tmp_path / "delivery")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as started:
        yield started


@pytest.mark.postgres
def test_database__goes_away_and_returns(
    server: Server, delivery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    home = create_home(tmp_path / "home", study_text=builtin_study().source, database_url=server.url)
    home.registry.users.add("chen", role="scientist", password=PASSWORD, at=NOW)
    client = create_app(home, secret_key="a key for tests and nothing else").server.test_client()
    client.post("/login", data={"username": "chen", "password": PASSWORD})
    assert client.get("/api/v1/tables/subjects").status_code == 404  # nothing was run yet
    monkeypatch.setenv("CORELAB_DATABASE_URL", server.url)

    server.stop()
    page = client.get("/samples")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "The database does not answer at the moment. Nothing was changed." in page.text
    assert client.get("/api/v1/tables/subjects").status_code == 503
    assert client.post("/login", data={"username": "chen", "password": PASSWORD}).status_code == 503
    assert client.get("/healthz").status_code == 200
    assert main(["ingest", str(home.path), str(delivery)]) == REFUSED
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "the database did not answer" in error

    server.start()
    assert client.get("/samples").status_code == 200
    assert main(["ingest", str(home.path), str(delivery)]) == 0
    assert len(home.registry.inputs().acquisitions) == 1
    assert home.registry.audit.verify() == []
    home.close()


@pytest.mark.parametrize(("kilobytes", "place"), [(100, "objects/"), (260, "registry.db")])
def test_disk__without_room_leaves_nothing_half_done(
    kilobytes: int, place: str, tmp_path: Path, make_home: Callable[..., Home]
) -> None:
    """A process that may write no more than so much into a file meets what a full disk is to it."""
    tubes = [TUBE | {"file": f"{n}.fcs", "collected_at": f"2025-03-{17 + n}T08:30"} for n in range(3)]
    files = {f"{n}.fcs": make_fcs(n, n_events=7_000 * (n + 1)) for n in range(3)}
    labs = [LAB | {"collected_at": f"2025-04-{n % 28 + 1:02}T{n // 28:02}:00"} for n in range(600)]
    delivery = write_delivery(
        tmp_path / "d", tables={"subjects": [SUBJECT], "manifest": tubes, "labs": labs}, files=files
    )
    calm, struck = make_home("calm"), make_home("struck")
    ingest(calm, [delivery], at=NOW, actor="test")
    empty = struck.registry.content_hash()

    done = limited(kilobytes, "ingest", struck.path, delivery)

    assert done.returncode == REFUSED, done.stderr
    assert done.stderr.count("\n") == 1
    assert place in done.stderr
    assert struck.registry.content_hash() == empty
    assert not list((struck.path / "objects").rglob("*.part"))
    assert verify(struck) == []
    ingest(struck, [delivery], at=NOW, actor="test")
    assert struck.registry.content_hash() == calm.registry.content_hash()
    assert struck.registry.audit.verify() == []


def limited(kilobytes: int, *words: object) -> "subprocess.CompletedProcess[str]":
    """Run a command that may write files of at most so many kilobytes."""
    most = kilobytes * 1024
    return subprocess.run(
        command(*words), cwd="/", env=clean_environment(PYTHONDONTWRITEBYTECODE="1"), capture_output=True,
        text=True, check=False, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )  # fmt: skip


def test_clock__that_is_set_back_changes_no_order(delivery: Path, make_home: Callable[..., Home]) -> None:
    home, other = make_home("set back"), make_home("right")
    later = delivery.parent / "later"
    write_delivery(later, tables={"labs": [LAB | {"value": "1.40"}, LAB | {"test": "WBC", "value": "4.1"}]})
    earlier = NOW - dt.timedelta(days=400)
    ingest(home, [delivery], at=NOW, actor="test")
    before = run(home, at=NOW).snapshot_id
    ingest(home, [later], at=earlier, actor="test", accept_reason="typed wrong")
    after = run(home, at=earlier).snapshot_id
    current = home.snapshots.current()
    assert current is not None
    assert (current.id, before != after) == (after, True)
    assert verify(home) == []
    ingest(other, [delivery], at=NOW, actor="test")
    ingest(other, [later], at=NOW + dt.timedelta(days=1), actor="test", accept_reason="typed wrong")
    assert home.registry.content_hash() == other.registry.content_hash()
