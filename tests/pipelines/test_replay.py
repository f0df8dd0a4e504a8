"""A bundle gives the same numbers without its home; a changed one does not pass."""

import datetime as dt
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from corelab.errors import ConfigError, InputError, IntegrityError
from corelab.export.bundle import Bundle, format_bundle, parse_bundle
from corelab.store import Home, create_home
from corelab.store.frames import format_parquet, parse_parquet
from corelab.study import builtin_study
from pipelines.export import export
from pipelines.ingest import ingest
from pipelines.replay import make_bundle, replay, replay_bundle
from pipelines.run import run
from tests.deliveries import LAB, SUBJECT, write_delivery
from tests.pipelines.conftest import clean_environment, command

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
TABLES = ("subjects", "populations", "measurements", "analysis", "quality")


@pytest.fixture
def fresh(make_home: Callable[..., Home], tmp_path: Path) -> Home:
    """A home that a test may go on with."""
    return fill(make_home(), tmp_path)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that is only read."""
    folder = tmp_path_factory.mktemp("replay")
    home = fill(create_home(folder / "home", study_text=builtin_study().source), folder)
    yield home
    home.close()


def fill(home: Home, folder: Path) -> Home:
    ingest(home, [write_delivery(folder / "d")], at=NOW, actor="test")
    run(home, at=NOW)
    return home


@pytest.fixture(scope="module")
def data(ready: Home) -> bytes:
    current = ready.snapshots.current()
    assert current is not None
    return make_bundle(ready, current, TABLES)


def change_part(data: bytes, part: str, change: Callable[[bytes], bytes], *, rehash: bool) -> bytes:
    """Write a bundle whose part was changed, with or without telling its contents."""
    bundle = parse_bundle(data, name="b.zip")
    parts = {**bundle.parts, part: change(bundle.parts[part])}
    if rehash:
        return format_bundle({name: one for name, one in parts.items() if name != "replay.py"}, bundle.about)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, parts.get(name, old.read(name)))
    return buffer.getvalue()


def test_replay__gives_the_same_tables_without_the_home(data: bytes, ready: Home) -> None:
    report = replay_bundle(parse_bundle(data, name="b.zip"))
    current = ready.snapshots.current()
    assert current is not None
    assert report.same == {name: len(current.table(name)) for name in sorted(TABLES)}
    assert (report.findings, report.remarks) == ([], [])


def test_replay__knows_an_expected_number_that_is_another(data: bytes) -> None:
    def change(part: bytes) -> bytes:
        table = parse_parquet(part)
        table.loc[table["name"] == "ALC", "value"] += 1e-9
        return format_parquet(table)

    changed = change_part(data, "expected/measurements.parquet", change, rehash=True)
    report = replay_bundle(parse_bundle(changed, name="b.zip"))
    (finding,) = report.findings
    assert finding.startswith("measurements: 1 values of value differ")
    assert "measurements" not in report.same


def test_replay__follows_the_delivered_rows(data: bytes) -> None:
    """Another delivered value gives other numbers: the tables are computed, not copied."""

    def change(part: bytes) -> bytes:
        return format_parquet(parse_parquet(part).assign(value="2.7"))

    changed = change_part(data, "inputs/labs.parquet", change, rehash=True)
    report = replay_bundle(parse_bundle(changed, name="b.zip"))
    assert any(finding.startswith("measurements: ") for finding in report.findings)


def test_parse_bundle__finds_a_part_that_was_changed(data: bytes) -> None:
    changed = change_part(data, "study.yaml", lambda part: part + b"\n", rehash=False)
    with pytest.raises(IntegrityError, match=r"study\.yaml"):
        parse_bundle(changed, name="b.zip")


def test_replay__says_by_which_other_program_a_bundle_was_made(data: bytes) -> None:
    bundle = parse_bundle(data, name="b.zip")
    made_of = {**bundle.about["made_of"], "packages": {**bundle.about["made_of"]["packages"], "numpy": "1.0"}}
    report = replay_bundle(Bundle(about={**bundle.about, "made_of": made_of}, parts=bundle.parts))
    (remark,) = report.remarks
    assert "numpy 1.0" in remark
    assert report.findings == []


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 broken", b"subject_id,visit\n"])
def test_parse_bundle__refuses_what_is_none(data: bytes) -> None:
    with pytest.raises(InputError, match="no replay bundle"):
        parse_bundle(data, name="b.zip")


def test_replay__refuses_a_bundle_that_lacks_a_part(data: bytes) -> None:
    bundle = parse_bundle(data, name="b.zip")
    parts = {name: part for name, part in bundle.parts.items() if name != "gates/counts.parquet"}
    with pytest.raises(InputError, match="lacks a part"):
        replay_bundle(Bundle(about=bundle.about, parts=parts))


def test_bundle__is_the_same_bytes_and_names_no_place(data: bytes, ready: Home) -> None:
    current = ready.snapshots.current()
    assert current is not None
    assert make_bundle(ready, current, TABLES) == data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        about = json.loads(archive.read("bundle.json"))
        whole = b"".join(archive.read(name) for name in archive.namelist())
    assert about["snapshot"] == current.id
    assert about["made_of"]["subjects"] == current.manifest["subjects"]
    assert str(ready.path).encode() not in whole


def test_bundle__of_an_older_snapshot_is_made_of_what_was_there_then(fresh: Home, tmp_path: Path) -> None:
    first = fresh.snapshots.current()
    assert first is not None
    later = {"subjects": [SUBJECT], "labs": [{**LAB, "collected_at": "2025-03-18T08:30"}]}
    ingest(fresh, [write_delivery(tmp_path / "later", tables=later)], at=NOW, actor="test")
    assert run(fresh, at=NOW).is_new
    report = replay_bundle(parse_bundle(make_bundle(fresh, first, TABLES), name="b.zip"))
    assert report.findings == []
    assert set(report.same) == set(TABLES)


def test_make_bundle__refuses_a_snapshot_of_another_program(fresh: Home) -> None:
    current = fresh.snapshots.current()
    assert current is not None
    tables = {name: current.table(name) for name in current.table_names}
    manifest = {**current.manifest, "code": {"corelab": "0.0", "sha256": "0"}}
    other = fresh.snapshots.write(tables, manifest, run_key="other", at=NOW)
    with pytest.raises(ConfigError, match="another"):
        make_bundle(fresh, other, TABLES)


def test_command__replays_and_its_script_does_so_too(ready: Home, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = export(ready, out, at=NOW, actor="ann", tables=["subjects", "measurements"], with_replay=True)
    assert report.files[-1] == "replay.zip"
    assert replay(out / "replay.zip").same.keys() == {"subjects", "measurements"}
    with zipfile.ZipFile(out / "replay.zip") as archive:
        (tmp_path / "replay.py").write_bytes(archive.read("replay.py"))
    for words in (command("replay", out / "replay.zip"), [sys.executable, "replay.py", out / "replay.zip"]):
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert "subjects: 1 rows, the same" in done.stdout


def test_replay__needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        replay(tmp_path / "nothing.zip")


def test_compare__sees_rows_and_columns() -> None:
    from pipelines.replay import _compare

    left = pd.DataFrame({"a": [1.0, None], "b": ["x", ""]})
    assert _compare(left, left.copy()) == ""
    assert "no such table" in _compare(left, None)
    assert "1 rows instead of 2" in _compare(left, left.iloc[:1])
    assert "other columns: b" in _compare(left, left[["a"]])
    assert "row 2" in _compare(left, left.fillna({"a": 0.0}))
