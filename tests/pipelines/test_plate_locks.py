"""A locked plate: signed by a reviewer, shut against another export, layout or setting until it is opened."""

import datetime as dt
import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from corelab.errors import ConfigError, ReviewError
from corelab.store import Home, create_home, open_home
from corelab.store.results import ResultScope, ResultTarget
from corelab.store.review import ReviewState, Signature
from corelab.store.withdrawal import withdraw
from corelab.study import builtin_study, parse_study
from pipelines.cli import main
from pipelines.ingest import IngestReport, ingest
from pipelines.run import hash_plate_rules, run
from pipelines.verify import verify
from tests.deliveries import SUBJECT, write_delivery
from tests.plate_exports import fill_plate, layout_rows, read_signals, standard_rows, write_xponent

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
PASSWORD = "correct horse battery"
PLATE = fill_plate({"S1": 20.0, "S2": 800.0})
SIGNALS = {"IL6": read_signals(PLATE, cv=0.02)}
DRAWS = {"S1": {"subject_id": "S-1", "visit": "D3", "collected_at": "2025-03-06T08:00"}}
LAYOUT = layout_rows(PLATE, DRAWS)
EXPORT = write_xponent(PLATE, SIGNALS)
OTHER_EXPORT = write_xponent(PLATE, {"IL6": read_signals(PLATE, cv=0.02, seed=5)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one accepted plate and two people, to be copied."""
    folder = tmp_path_factory.mktemp("locks")
    home = create_home(folder / "home", study_text=builtin_study().source)
    for name, role in (("rita", "reviewer"), ("chen", "scientist")):
        home.registry.users.add(name, role=role, password=PASSWORD, at=NOW)
    tables = {"subjects": [SUBJECT], "plates/layout": LAYOUT, "plates/standards": standard_rows(["IL-6"])}
    deliver(home, folder / "d", {"plates/p1.csv": EXPORT}, **tables)
    run(home, at=NOW)
    home.close()
    return folder / "home"


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Iterator[Home]:
    home = open_home(shutil.copytree(made, tmp_path / "home"))
    yield home
    home.close()


def deliver(
    home: Home, folder: Path, files: dict[str, bytes] | None = None, *, accept: str = "", actor: str = "chen",
    **tables: list[dict[str, str]],
) -> IngestReport:  # fmt: skip
    write_delivery(folder, tables=tables, files=files or {})
    return ingest(home, [folder], at=NOW, actor=actor, accept_reason=accept)


def signature(home: Home, author: str = "rita", reason: str = "") -> Signature:
    snapshot = home.snapshots.current()
    return Signature(
        author=author, password=PASSWORD, at=NOW, snapshot_id=snapshot.id if snapshot else "", reason=reason
    )


def lock(home: Home) -> None:
    home.plate_locks.lock(["p1"], signature(home))


def state(home: Home) -> tuple[str, bool]:
    standing = home.plate_locks.standings()["p1"]
    return standing.state.value, standing.is_stale


def test_lock__is_signed_and_audited(home: Home) -> None:
    assert state(home) == ("draft", False)
    lock(home)
    assert state(home) == ("locked", False)
    line = home.registry.audit.rows(limit=1).loc[0]
    file_id = home.snapshots.current().table("plates")["file_id"][0]
    assert (line["actor"], line["role"], line["action"]) == ("rita", "reviewer", "sign")
    assert line["object"] == f"results plate {file_id}"
    assert not verify(home)
    run(home, at=NOW)
    assert state(home) == ("locked", False)


def test_lock__is_refused_to_others_for_what_is_not_there_or_twice(home: Home) -> None:
    with pytest.raises(ReviewError, match="a scientist signs nothing"):
        home.plate_locks.lock(["p1"], signature(home, "chen"))
    with pytest.raises(ReviewError, match="there is no plate 'p9'"):
        home.plate_locks.lock(["p1", "p9"], signature(home))
    file_id = home.snapshots.current().table("plates")["file_id"][0]
    target = ResultTarget(scope=ResultScope.PLATE, subject_id="", visit="", file_id=file_id)
    with pytest.raises(ReviewError, match="not signed like results"):
        home.reviews.sign([target], ReviewState.REVIEWED, signature(home))
    lock(home)
    with pytest.raises(ReviewError, match="locked already"):
        lock(home)
    with pytest.raises(ReviewError, match="no reason"):
        home.plate_locks.unlock(["p1"], signature(home, reason=" "))


def test_lock__waits_for_a_judged_plate_and_is_never_of_own_work(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    write_delivery(tmp_path / "x", tables={}, files={"plates/p2.csv": OTHER_EXPORT})
    monkeypatch.setenv("LOGNAME", "rita")
    assert main(["ingest", str(home.path), str(tmp_path / "x")]) == 0
    run(home, at=NOW)
    with pytest.raises(ReviewError, match="plate p2 is parsed"):  # no layout: it waits
        home.plate_locks.lock(["p2"], signature(home))
    again = [row | {"plate": "p2"} for row in LAYOUT]
    standards = [row | {"plate": "p2"} for row in standard_rows(["IL-6"])]
    deliver(home, tmp_path / "y", **{"plates/layout": again, "plates/standards": standards})
    run(home, at=NOW)
    with pytest.raises(ReviewError, match="nobody approves their own work"):
        home.plate_locks.lock(["p2"], signature(home))

    def lock_both(name: str) -> tuple[int, str]:
        capsys.readouterr()
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        code = main(["plates", "lock", str(home.path), "p1", "p2", "--as", name, "--password-stdin"])
        return code, capsys.readouterr().err

    code, told = lock_both("rita")  # all or none, whose terminal it is
    assert (code, told.count("\n")) == (2, 1)
    assert "nobody approves their own work (rita delivered a file)" in told
    assert state(home) == ("draft", False)
    home.registry.users.add("omar", role="reviewer", password=PASSWORD, at=NOW)
    assert lock_both("omar") == (0, "")
    assert state(home) == ("locked", False)


def test_locked__refuses_another_export_another_layout_and_a_withdrawal(home: Home, tmp_path: Path) -> None:
    lock(home)
    file_id = home.snapshots.current().table("plates")["file_id"][0]
    export = deliver(home, tmp_path / "a", {"plates/p1.csv": OTHER_EXPORT}, accept="read again")
    rows = [LAYOUT[-1] | {"well": "H12"}, LAYOUT[0] | {"sample_type": "unknown", "name": "S7"}]
    layout = deliver(home, tmp_path / "b", accept="a slip", **{"plates/layout": rows})
    for report, count in ((export, 1), (layout, 2)):
        assert [line.partition(": ")[2] for line in report.waiting] == [
            "plate p1 is locked; a reviewer unlocks it, then deliver the row again"
        ] * count
    with pytest.raises(ReviewError, match="plate p1 is locked"):
        withdraw(home, file_id, reason="wrong kit", at=NOW, author="chen")
    assert deliver(home, tmp_path / "c", **{"plates/layout": LAYOUT}).is_clean  # known already
    run(home, at=NOW)
    assert state(home) == ("locked", False)
    home.plate_locks.unlock(["p1"], signature(home, reason="the reader was wrong"))
    assert state(home) == ("draft", False)
    report = deliver(home, tmp_path / "e", {"plates/p1.csv": OTHER_EXPORT + b"\n"}, accept="read again")
    assert report.counts["rows_corrected"] >= 1


def test_locked__refuses_a_correction_that_waited_before(home: Home, tmp_path: Path) -> None:
    changed = [LAYOUT[-1] | {"name": "S9"}]
    assert deliver(home, tmp_path / "a", **{"plates/layout": changed}).corrections
    lock(home)
    report = deliver(home, tmp_path / "a", accept="a slip", **{"plates/layout": changed})
    assert report.corrections
    assert report.counts["rows_corrected"] == 0
    run(home, at=NOW)
    assert state(home) == ("locked", False)


def test_locked__refuses_other_settings(home: Home) -> None:
    lock(home)
    text = home.study.source.replace("immunoassay:", "immunoassay:\n    qc_off: 19.0", 1)
    other = parse_study(text, place="study")
    assert other.settings["immunoassay"] != home.study.settings["immunoassay"]
    before = hash_plate_rules(home)
    changed = replace(home, study=other)
    assert hash_plate_rules(changed) != before
    with pytest.raises(ConfigError, match="settings of plates changed while plates are locked"):
        run(changed, at=NOW)


def test_plates__at_the_terminal(home: Home, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def call(*words: str, password: str = PASSWORD) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        code = main(["plates", words[0], str(home.path), *words[1:]])
        told = capsys.readouterr()
        return code, (told.out + told.err).strip()

    signed = ("p1", "--as", "rita", "--password-stdin")
    assert call("list") == (0, "p1\taccepted\topen")
    assert call("lock", *signed, password="wrong horse battery")[0] == 2
    assert call("lock", *signed) == (0, "locked p1")
    assert call("list") == (0, "p1\taccepted\tlocked by rita")
    assert call("unlock", *signed)[0] == 2
    assert call("unlock", *signed, "--reason", "a slip") == (0, "unlocked p1")
