"""Run: the same inputs give the same bytes, and what has not changed is not computed."""

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

import pipelines.gating
from corelab.store import Home
from corelab.store.withdrawal import withdraw
from pipelines.executor import Place
from pipelines.ingest import ingest
from pipelines.run import compute_code_hash, compute_run_key, describe_inputs, run
from pipelines.verify import rebuild_snapshots
from tests.deliveries import LAB, SUBJECT, write_delivery, write_table

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)


@pytest.fixture
def ready(make_home: Callable[..., Home], tmp_path: Path) -> Home:
    home = make_home()
    ingest(home, [write_delivery(tmp_path / "d")], at=NOW, actor="test")
    return home


def test_run__computes_nothing_the_second_time(ready: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(ready, at=NOW)
    folder = ready.path / "snapshots" / first.snapshot_id
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("gated again")

    monkeypatch.setattr(pipelines.gating, "gate_jobs", refuse)
    second = run(ready, at=NOW + dt.timedelta(days=1))
    assert (first.is_new, second.is_new) == (True, False)
    assert first.snapshot_id == second.snapshot_id
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert len(ready.snapshots.all()) == 1


def test_run__makes_a_new_snapshot_of_new_rows_and_keeps_the_old(ready: Home, tmp_path: Path) -> None:
    first = run(ready, at=NOW)
    path = write_table(tmp_path / "more" / "labs.csv", [LAB | {"test": "PLT", "value": "210"}])
    ingest(ready, [path], at=NOW, actor="test")
    assert ready.status()["stale"] == 1
    second = run(ready, at=NOW)
    assert first.snapshot_id != second.snapshot_id
    assert ready.status()["stale"] == 0
    names = set(ready.snapshots.get(second.snapshot_id).table("measurements")["name"])
    assert "PLT" in names
    assert "PLT" not in set(ready.snapshots.get(first.snapshot_id).table("measurements")["name"])


def test_run__gives_the_same_bytes_in_another_home_on_another_day_with_more_workers(
    tiny_trial: Path, make_home: Callable[..., Home]
) -> None:
    ids = []
    for name, day, workers in (("a", 1, 1), ("b", 20, 2)):
        home = make_home(name)
        at = NOW + dt.timedelta(days=day)
        ingest(home, [tiny_trial], at=at, actor=name)
        ids.append(run(home, at=at, place=Place(workers=workers), actor=name).snapshot_id)
    assert ids[0] == ids[1]


def test_run__gives_with_what_it_kept_what_it_gives_without(
    tiny_trial: Path, make_home: Callable[..., Home], tmp_path: Path
) -> None:
    """Some tubes are delivered after the others were gated: the cache never shows in a snapshot."""
    home = make_home()
    early = tmp_path / "early"
    shutil.copytree(tiny_trial, early)
    for path in sorted(early.rglob("*.fcs"))[1::3]:
        path.unlink()
    ingest(home, [early], at=NOW, actor="test")
    run(home, at=NOW)
    ingest(home, [tiny_trial], at=NOW, actor="test")
    kept = run(home, at=NOW).snapshot_id
    shutil.rmtree(home.cache)
    shutil.rmtree(home.path / "snapshots" / kept)
    assert run(home, at=NOW).snapshot_id == kept


def test_run__makes_a_lost_snapshot_again_with_the_same_id(ready: Home) -> None:
    first = run(ready, at=NOW)
    shutil.rmtree(ready.path / "snapshots" / first.snapshot_id)
    again = run(ready, at=NOW)
    assert (again.is_new, again.snapshot_id) == (True, first.snapshot_id)
    assert ready.snapshots.verify() == []


def test_run__makes_empty_tables_of_an_empty_home(make_home: Callable[..., Home]) -> None:
    home = make_home()
    report = run(home, at=NOW)
    snapshot = home.snapshots.get(report.snapshot_id)
    assert all(snapshot.table(name).empty for name in snapshot.table_names)


def test_compute_run_key__follows_the_cut_off_the_study_and_the_rows(ready: Home) -> None:
    made_of = describe_inputs(ready, as_of=None)
    key = compute_run_key(made_of)
    assert compute_run_key(describe_inputs(ready, as_of=None)) == key
    assert compute_run_key(describe_inputs(ready, as_of=NOW)) != key
    for name in ("subjects", "study_sha256", "code", "packages"):
        assert compute_run_key({**made_of, name: "other"}) != key


def test_compute_code_hash__sees_the_deriving_code() -> None:
    assert len(compute_code_hash()) == 64


def test_rebuild__makes_each_snapshot_again_from_the_rows_of_its_time(ready: Home, tmp_path: Path) -> None:
    first = run(ready, at=NOW).snapshot_id
    more = {"subjects": [SUBJECT | {"subject_id": "S-2"}], "labs": [LAB | {"value": "0.123"}]}
    delivery = write_delivery(tmp_path / "more", tables=more)
    ingest(ready, [delivery], at=NOW, actor="test", accept_reason="typo")
    second = run(ready, at=NOW).snapshot_id
    withdraw(ready, "S-1", reason="consent", at=NOW, author="test")
    third = run(ready, at=NOW).snapshot_id
    assert len({first, second, third}) == 3
    rebuilt = rebuild_snapshots(ready)
    assert rebuilt.same == (first, second, third)
    assert rebuilt.findings == rebuilt.left == ()


def test_rebuild__names_rows_that_were_changed_and_snapshots_of_other_versions(ready: Home) -> None:
    made = run(ready, at=NOW).snapshot_id
    foreign = ready.snapshots.write({}, {"code": "of long ago"}, run_key="k", at=NOW, position={"record": 1})
    old = ready.snapshots.write({}, {"code": "older still"}, run_key="k", at=NOW)
    with ready.registry.engine.begin() as connection:
        connection.execute(sa.text("UPDATE record SET \"values\" = replace(\"values\", '1.35', '1.36')"))
    rebuilt = rebuild_snapshots(ready)
    assert [made in finding and "rows are not those" in finding for finding in rebuilt.findings] == [True]
    assert [one.split(":")[0] for one in rebuilt.left] == [f"snapshots/{foreign.id}", f"snapshots/{old.id}"]
