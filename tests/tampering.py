"""Changes what is stored as somebody with the disk and the database could, once at a time, at random."""

import datetime as dt
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from corelab.store import create_home, open_home
from corelab.store.results import ResultScope, ResultTarget
from corelab.store.review import ReviewState, Signature
from corelab.store.withdrawal import withdraw
from corelab.study import builtin_study
from pipelines.ingest import ingest
from pipelines.run import run
from pipelines.verify import verify
from tests.deliveries import LAB, SUBJECT, TUBE, make_fcs, write_delivery

NOW = dt.datetime(2025, 4, 1, 9, 0, tzinfo=dt.UTC)
PASSWORD = "correct horse battery"
TEXTS = ("at", "actor", "action", "object", "new", "hash", "previous_hash")
TRIGGERS = ("audit_no_update", "audit_no_delete", "review_no_update", "review_no_delete")


def make_sound_home(folder: Path) -> Path:
    """Make a home with objects, a snapshot, signatures and an audit trail."""
    home = create_home(folder / "home", study_text=builtin_study().source)
    files = {"fcs/a.fcs": make_fcs(), "fcs/b.fcs": make_fcs(2)}
    tables = {
        "subjects": [SUBJECT, SUBJECT | {"subject_id": "S-2"}],
        "manifest": [TUBE, TUBE | {"file": "fcs/b.fcs", "tube": "fmo_car"}],
        "labs": [LAB, LAB | {"test": "ANC"}],
    }
    ingest(home, [write_delivery(folder / "d", tables=tables, files=files)], at=NOW, actor="chen")
    home.registry.users.add("rita", role="reviewer", password=PASSWORD, at=NOW)
    withdraw(home, "S-2", reason="consent withdrawn", at=NOW, author="chen")
    made = run(home, at=NOW).snapshot_id
    target = ResultTarget(scope=ResultScope.VISIT, subject_id="S-1", visit="D14")
    signature = Signature(author="rita", password=PASSWORD, at=NOW, snapshot_id=made)
    home.reviews.sign([target], ReviewState.REVIEWED, signature)
    home.reviews.sign([target], ReviewState.LOCKED, signature)
    assert verify(home) == []
    home.close()
    with closing(sqlite3.connect(home.path / "registry.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return home.path


def count_found(home: Path, scratch: Path, *, times: int, seed: int) -> tuple[dict[str, int], list[str]]:
    """Tamper with a copy, each kind in turn; return how often of each kind, and what was missed."""
    chance = random.Random(seed)
    copy = scratch / "copy"
    counts: dict[str, int] = {}
    missed = []
    for number in range(times):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(home, copy)
        kind = list(KINDS)[number % len(KINDS)]
        what = KINDS[kind](copy, chance)
        counts[kind] = counts.get(kind, 0) + 1
        opened = open_home(copy)
        if not verify(opened):
            missed.append(f"{kind}: {what}")
        opened.close()
    return counts, missed


def _pick(home: Path, chance: random.Random, *parts: str) -> Path:
    files = [path for part in parts for path in (home / part).rglob("*") if path.is_file()]
    path = chance.choice(sorted(files))
    path.chmod(0o644)
    return path


def flip_bit(home: Path, chance: random.Random) -> str:
    """Change one bit of one byte of an object, a snapshot's file or the note of the chain's end."""
    path = chance.choice(
        [_pick(home, chance, "objects"), _pick(home, chance, "snapshots"), home / "audit.head"]
    )
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data))
    data[place] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(data))
    return f"{path.name} byte {place}"


def cut_file(home: Path, chance: random.Random) -> str:
    """Cut the end off a file."""
    path = _pick(home, chance, "objects", "snapshots")
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data))])
    return path.name


def remove_file(home: Path, chance: random.Random) -> str:
    """Remove a file, or give an object another's name."""
    path = _pick(home, chance, "objects", "snapshots")
    path.unlink()
    return path.name


def _write(home: Path, *statements: str) -> str:
    with closing(sqlite3.connect(home / "registry.db")) as connection:
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return "; ".join(statements)


def _rows(home: Path, table: str) -> list[int]:
    column = "seq" if table == "audit" else "id"
    with closing(sqlite3.connect(home / "registry.db")) as connection:
        return [row[0] for row in connection.execute(f"SELECT {column} FROM {table} ORDER BY {column}")]


def change_row(home: Path, chance: random.Random) -> str:
    """Change one letter of one field of one audit row."""
    seq, field = chance.choice(_rows(home, "audit")), chance.choice(TEXTS)
    return _write(home, f"UPDATE audit SET {field} = '~' || substr({field}, 2) WHERE seq = {seq}")


def remove_row(home: Path, chance: random.Random) -> str:
    """Remove an audit row, and let those after it move up or not."""
    seqs = _rows(home, "audit")
    seq = chance.choice(seqs)
    moved = [f"UPDATE audit SET seq = {one - 1} WHERE seq = {one}" for one in seqs if one > seq]
    return _write(home, f"DELETE FROM audit WHERE seq = {seq}", *(moved if chance.random() < 0.5 else []))


def swap_rows(home: Path, chance: random.Random) -> str:
    """Swap two audit rows."""
    one, other = chance.sample(_rows(home, "audit"), 2)
    return _write(
        home,
        f"UPDATE audit SET seq = -1 WHERE seq = {one}",
        f"UPDATE audit SET seq = {one} WHERE seq = {other}",
        f"UPDATE audit SET seq = {other} WHERE seq = -1",
    )


def cut_tail(home: Path, chance: random.Random) -> str:
    """Remove the last audit rows, with the head in the database set back or not."""
    keep = chance.choice(_rows(home, "audit")[:-1])
    back = f"UPDATE audit_head SET seq = {keep}, hash = (SELECT hash FROM audit WHERE seq = {keep})"
    return _write(home, f"DELETE FROM audit WHERE seq > {keep}", *([back] if chance.random() < 0.5 else []))


def change_signature(home: Path, chance: random.Random) -> str:
    """Change or remove a signature."""
    row = chance.choice(_rows(home, "review"))
    statement = chance.choice(
        [
            f"UPDATE review SET content_hash = '~' || substr(content_hash, 2) WHERE id = {row}",
            f"UPDATE review SET state = 'draft' WHERE id = {row}",
            f"UPDATE review SET visit = 'D7' WHERE id = {row}",
            f"UPDATE review SET snapshot_id = '0' WHERE id = {row}",
            f"DELETE FROM review WHERE id = {row}",
        ]
    )
    return _write(home, statement)


KINDS: dict[str, Callable[[Path, random.Random], str]] = {
    "a bit of a file": flip_bit, "the end of a file": cut_file, "a file removed": remove_file,
    "an audit row changed": change_row, "an audit row removed": remove_row, "audit rows swapped": swap_rows,
    "the audit's tail cut": cut_tail, "a signature changed": change_signature,
}  # fmt: skip
