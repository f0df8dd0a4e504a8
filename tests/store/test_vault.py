"""The vault: originals sealed by a key that the home does not have, each reading on record."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from corelab.errors import ConfigError, IntegrityError
from corelab.store import Home, create_home, open_home
from corelab.store.backup import restore_backup, write_backup
from corelab.store.objects import compute_sha256
from corelab.study import builtin_study, parse_study
from pipelines.cli import main
from pipelines.ingest import ingest
from pipelines.vault import read_identity
from pipelines.verify import verify
from tests.deliveries import PLANTED, SUBJECT, TUBE, make_fcs, write_delivery
from tests.traces import find_traces

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
NAMED = "fcs/Invented Person.fcs"
FCS = make_fcs()


@pytest.fixture
def key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "study.key"
    assert main(["vault", "keygen", str(path)]) == 0
    assert "AGE-SECRET-KEY" not in capsys.readouterr().out
    assert path.stat().st_mode & 0o777 == 0o600
    return path


@pytest.fixture
def home(tmp_path: Path, key: Path) -> Home:
    text = f"{builtin_study().source}\nvault:\n  recipient: {read_identity(key).to_public()}\n"
    home = create_home(tmp_path / "home", study_text=text)
    tables = {"subjects": [SUBJECT], "manifest": [TUBE | {"file": NAMED}]}
    files = {NAMED: FCS, "Invented Person cut.fcs": FCS[:900]}
    delivery = write_delivery(tmp_path / "d", tables=tables, files=files)
    for _ in range(2):
        ingest(home, [delivery], at=NOW, actor="chen")
    return home


def test_vault__is_empty_where_the_study_keeps_none(make_home: Callable[..., Home], tmp_path: Path) -> None:
    home = make_home()
    ingest(home, [write_delivery(tmp_path / "d")], at=NOW, actor="chen")
    assert home.vault.all() == []
    assert not (home.path / "vault").exists()


def test_vault__keeps_every_delivered_file_once_and_no_word_of_it(home: Home, key: Path) -> None:
    kept = home.vault.all()
    assert len(kept) == 4  # two tables, the tube, and the one that is cut
    assert {compute_sha256(FCS), compute_sha256(FCS[:900])} < {one.file_id for one in kept}
    assert len(list(home.sealed.names())) == 4
    home.registry.engine.dispose()
    private = str(read_identity(key))
    assert find_traces([PLANTED["$SRC"], PLANTED["PATIENT ID"], private], home.path) == []
    assert verify(home) == []


def test_read__gives_the_original_and_says_so_in_the_audit(home: Home, key: Path, tmp_path: Path) -> None:
    words = [
        "vault",
        "read",
        str(home.path),
        compute_sha256(FCS),
        "--key",
        str(key),
        "--reason",
        "inspection",
    ]
    assert main([*words, "--out", str(tmp_path / "original.fcs")]) == 0
    assert (tmp_path / "original.fcs").read_bytes() == FCS
    line = home.registry.audit.rows(limit=1).iloc[0]
    assert (line["action"], line["object"], line["reason"]) == (
        "vault_read", compute_sha256(FCS), "inspection",
    )  # fmt: skip
    assert main([*words, "--out", str(tmp_path / "original.fcs")]) == 2  # nothing is overwritten
    identity = read_identity(key)
    original = home.vault.open(compute_sha256(FCS), identity, at=NOW, actor="rita", reason="inspection")
    assert original.path == NAMED


def test_read__is_refused_without_the_key_the_reason_or_the_file(
    home: Home, key: Path, tmp_path: Path
) -> None:
    assert main(["vault", "keygen", str(tmp_path / "other.key")]) == 0
    assert main(["vault", "keygen", str(home.path / "in.key")]) == 2
    other, own = read_identity(tmp_path / "other.key"), read_identity(key)
    file_id = compute_sha256(FCS)
    for identity, wanted, reason in ((other, file_id, "why"), (own, file_id, " "), (own, "0" * 64, "why")):
        with pytest.raises(ConfigError):
            home.vault.open(wanted, identity, at=NOW, actor="rita", reason=reason)
    lines = home.registry.audit.rows()
    assert list(lines["action"]).count("vault_read_failed") == 1
    assert "vault_read" not in set(lines["action"])


def test_verify__finds_a_changed_or_lost_original(home: Home, key: Path) -> None:
    changed, lost = (home.path / "vault" / one.sealed_id[:2] / one.sealed_id for one in home.vault.all()[:2])
    changed.chmod(0o600)
    changed.write_bytes(changed.read_bytes()[:-1])
    lost.unlink()
    assert [line.split("/")[0] for line in verify(home)] == ["vault", "vault"]
    with pytest.raises(IntegrityError):
        home.vault.open(home.vault.all()[0].file_id, read_identity(key), at=NOW, actor="rita", reason="x")


def test_backup__takes_the_vault_along(home: Home, key: Path, tmp_path: Path) -> None:
    write_backup(home, tmp_path / "b.tar", at=NOW, actor="chen")
    restored = restore_backup(tmp_path / "b.tar", tmp_path / "new", at=NOW, actor="chen")
    file_id = compute_sha256(FCS)
    assert restored.vault.open(file_id, read_identity(key), at=NOW, actor="r", reason="x").data == FCS
    restored.close()
    assert verify(open_home(tmp_path / "new")) == []


@pytest.mark.parametrize("vault", ["{recipient: AGE-SECRET-KEY-1}", "{recipient: age1x}", "{key: age1x}"])
def test_study__names_a_public_key_or_none(vault: str) -> None:
    with pytest.raises(ConfigError, match="vault"):
        parse_study(f"{builtin_study().source}\nvault: {vault}\n", place="study.yaml")
