"""The command line: exit codes, one line for each error, and the road from init to export."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from corelab.store import open_home
from corelab.tables.schemas import SCHEMAS
from pipelines.arguments import UsageError, parse_arguments
from pipelines.cli import DONE, FOUND, OUR_FAILURE, REFUSED, main
from tests.deliveries import LAB, SUBJECT, make_fcs, write_delivery

Corelab = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CORELAB_HOME", "CORELAB_DATABASE_URL", "CORELAB_OBJECT_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert main(["init", str(tmp_path / "home")]) == DONE
    return tmp_path / "home"


def test_help__answers_in_half_a_second(corelab: Corelab) -> None:
    took = []
    for _ in range(3):
        start = time.perf_counter()
        result = corelab("--help")
        took.append(time.perf_counter() - start)
        assert result.returncode == DONE
        assert "ingest" in result.stdout
    assert min(took) < 0.5, took


def test_road__from_init_to_export(
    tiny_trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    assert main(["init", str(home)]) == DONE
    assert main(["ingest", str(home), str(tiny_trial)]) == FOUND  # one file that no manifest names
    assert main(["run", str(home), "--workers", "1"]) == DONE
    capsys.readouterr()
    assert main(["status", str(home), "--json"]) == DONE
    status = json.loads(capsys.readouterr().out)
    assert status["stale"] == 0
    assert len(status["quarantine"]) == 1
    assert set(status["quarantine"][0]) == {"path", "reason"}
    assert main(["run", str(home), "--workers", "1"]) == DONE
    assert f"snapshot {status['snapshot']} is up to date; nothing was computed" in capsys.readouterr().out
    assert main(["export", str(home), str(out)]) == DONE
    tables = [f"{name}.csv" for name in (*SCHEMAS, "analysis")]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*tables, "dictionary.csv", "codelists.csv", "provenance.json"]
    )
    assert main(["verify", str(home)]) == DONE


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["ingest"],
        ["run", "HOME", "--workers", "none"],
        ["run", "HOME", "--scheduler", "nonsense"],
        ["run", "HOME", "--scheduler", "http://localhost:8786"],
        ["run", "HOME", "--as-of", "soon"],
        ["ingest", "HOME", "/nowhere/at/all"],
        ["export", "HOME", "OUT"],
        ["export", "HOME", "OUT", "--format", "xpt"],
        ["export", "HOME", "OUT", "--snapshot", "0123"],
        ["status", "/nowhere"],
        ["init", "HOME"],
        ["init", "NEW", "--study", "/nowhere.yaml"],
        ["user", "disable", "HOME", "nobody"],
        ["user", "add", "HOME", "x", "--role", "owner"],
        ["serve", "HOME", "--port", "99999"],
    ],
)
def test_command__refuses_in_one_line_and_changes_nothing(
    words: list[str], home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"HOME": str(home), "OUT": str(tmp_path / "out"), "NEW": str(tmp_path / "new")}
    before = open_home(home).registry.content_hash()
    capsys.readouterr()
    assert main([places.get(word, word) for word in words]) == REFUSED
    output = capsys.readouterr()
    assert len(output.err.strip().splitlines()) == 1, output.err
    assert "Traceback" not in output.err
    assert open_home(home).registry.content_hash() == before
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "new").exists()


def test_ingest__ends_with_one_and_names_what_waits(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery = write_delivery(
        tmp_path / "d", tables={"subjects": [SUBJECT], "labs": [LAB, LAB | {"subject_id": "S-9"}]},
        files={"x.fcs": b"no fcs"},
    )  # fmt: skip
    for _ in range(2):
        capsys.readouterr()
        assert main(["ingest", str(home), str(delivery)]) == FOUND
        lines = capsys.readouterr().err.strip().splitlines()
        assert sorted(line.split(": ")[0] for line in lines) == ["labs.csv:3", "x.fcs"]


def test_ingest__ends_with_nought_for_a_clean_delivery(home: Path, tmp_path: Path) -> None:
    assert main(["ingest", str(home), str(write_delivery(tmp_path / "d"))]) == DONE


def test_ingest__waits_with_a_correction_until_it_has_a_reason(home: Path, tmp_path: Path) -> None:
    first = write_delivery(tmp_path / "d1", tables={"subjects": [SUBJECT], "labs": [LAB]})
    second = write_delivery(tmp_path / "d2", tables={"labs": [LAB | {"value": "9"}]})
    assert main(["ingest", str(home), str(first)]) == DONE
    assert main(["ingest", str(home), str(second)]) == FOUND
    assert main(["ingest", str(home), str(second), "--accept-corrections", "typo"]) == DONE
    assert main(["ingest", str(home), str(second)]) == DONE


def test_verify__ends_with_one_and_names_a_changed_object(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["ingest", str(home), str(write_delivery(tmp_path / "d"))])
    assert main(["verify", str(home)]) == DONE
    path = next(path for path in (home / "objects").rglob("*") if path.is_file())
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\xff\xfe")
    capsys.readouterr()
    assert main(["verify", str(home)]) == FOUND
    assert path.name in capsys.readouterr().err


def test_verify__names_a_removed_object(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["ingest", str(home), str(write_delivery(tmp_path / "d"))])
    path = next(path for path in (home / "objects").rglob("*") if path.is_file())
    path.unlink()
    assert main(["verify", str(home)]) == FOUND
    assert path.name in capsys.readouterr().err


def test_user__made_here_can_log_in_at_once(corelab: Corelab, tmp_path: Path) -> None:
    import datetime as dt

    home = tmp_path / "home"
    assert corelab("init", home).returncode == DONE
    made = corelab("user", "add", home, "ann", "--role", "reviewer", "--password-stdin", stdin="a good one\n")
    assert made.returncode == DONE, made.stderr
    assert "a good one" not in made.stdout + made.stderr
    users = open_home(home).registry.users
    now = dt.datetime(2025, 3, 3, tzinfo=dt.UTC)
    assert users.verify("ann", "a good one", at=now) is not None
    assert (
        corelab("user", "passwd", home, "ann", "--password-stdin", stdin="a better one\n").returncode == DONE
    )
    assert users.verify("ann", "a better one", at=now) is not None
    assert corelab("user", "disable", home, "ann", "--reason", "left").returncode == DONE
    assert users.verify("ann", "a better one", at=now) is None
    assert corelab("user", "list", home).stdout == "ann\treviewer\tdisabled\n"


def test_home__may_come_from_the_environment(corelab: Corelab, home: Path, tmp_path: Path) -> None:
    delivery = write_delivery(tmp_path / "d")
    assert corelab("ingest", delivery, CORELAB_HOME=str(home)).returncode == DONE
    assert "files: 4" in corelab("status", CORELAB_HOME=str(home)).stdout
    other = tmp_path / "other"
    assert corelab("init", other, CORELAB_HOME=str(home)).returncode == DONE
    assert "files: 0" in corelab("status", other, CORELAB_HOME=str(home)).stdout
    assert corelab("status").returncode == REFUSED


def test_database_and_objects__may_be_elsewhere(corelab: Corelab, tmp_path: Path, postgres_url: str) -> None:
    home = tmp_path / "home"
    elsewhere = {
        "CORELAB_DATABASE_URL": postgres_url, "CORELAB_OBJECT_URL": (tmp_path / "objects").as_uri(),
    }  # fmt: skip
    assert corelab("init", home, **elsewhere).returncode == DONE
    assert corelab("ingest", home, write_delivery(tmp_path / "d"), **elsewhere).returncode == DONE
    assert corelab("verify", home, **elsewhere).returncode == DONE
    assert sorted(path.name for path in home.iterdir()) == [
        "audit.head", "cache", "home.json", "names.key", "study.yaml",
    ]  # fmt: skip
    alone = corelab("status", home)
    assert alone.returncode == REFUSED
    assert "CORELAB_DATABASE_URL" in alone.stderr


def test_template__gives_files_that_ingest_takes_without_data(home: Path, tmp_path: Path) -> None:
    assert main(["template", str(tmp_path / "t")]) == DONE
    assert main(["ingest", str(home), str(tmp_path / "t")]) == DONE
    assert open_home(home).registry.status()["states"]["active"] == 0
    assert main(["template", str(tmp_path / "t")]) == REFUSED


def test_main__shows_our_own_failures_with_their_trace(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setitem(__import__("pipelines.commands").commands.COMMANDS, "status", fail)
    assert main(["status", str(home)]) == OUR_FAILURE
    assert "Traceback" in capsys.readouterr().err


def test_main__answers_a_full_disk_in_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(__import__("pipelines.commands").commands.COMMANDS, "status", fail)
    capsys.readouterr()
    assert main(["status", str(home)]) == REFUSED
    assert capsys.readouterr().err == "corelab: [Errno 28] No space left on device\n"


def test_run__takes_a_cut_off(home: Path, tmp_path: Path) -> None:
    main(["ingest", str(home), str(write_delivery(tmp_path / "d", files={"fcs/a.fcs": make_fcs()}))])
    assert main(["run", str(home), "--workers", "1", "--as-of", "2025-03-31"]) == DONE
    current = open_home(home).snapshots.current()
    assert current is not None
    assert current.manifest["cutoff"] == "2025-03-31T23:59:59+08:00"


@pytest.mark.parametrize("word", ["replay", "gates"])
def test_parse_arguments__offers_no_command_that_is_not_there(word: str) -> None:
    with pytest.raises(UsageError):
        parse_arguments([word, "x", "y"], home="")
