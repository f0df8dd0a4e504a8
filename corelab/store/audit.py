"""The audit trail: rows that are only ever added, each holding the hash of the one before it."""

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from corelab.store import schema
from corelab.store.database import reading, writing
from corelab.store.objects import compute_sha256, write_durably

if TYPE_CHECKING:
    import pandas as pd

FIELDS: Final = ("seq", "at", "actor", "role", "action", "object", "old", "new", "reason", "previous_hash")
GENESIS: Final = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What happened: who did what to what, why, and what changed."""

    at: dt.datetime
    actor: str
    role: str
    action: str
    object: str = ""
    old: str = ""
    new: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain as it was written last."""

    seq: int
    hash: str


def format_moment(moment: dt.datetime) -> str:
    """Write a moment as UTC, to the microsecond.

    Raises
    ------
    ValueError
        If the moment has no zone: then it is no moment.
    """
    if moment.tzinfo is None:
        message = "a moment needs a time zone"
        raise ValueError(message)
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")


def compute_entry_hash(row: dict[str, object]) -> str:
    """Hash a row together with the hash of the one before it, as canonical JSON of `FIELDS`."""
    text = json.dumps([row[name] for name in FIELDS], ensure_ascii=False, separators=(",", ":"))
    return compute_sha256(text.encode("utf-8", "surrogatepass"))


def append_entries(connection: sa.Connection, entries: Iterable[Entry]) -> Head | None:
    """Add entries inside a writing transaction, so that a change and its record are one."""
    head = connection.execute(sa.select(schema.audit_head.c.seq, schema.audit_head.c.hash)).one()
    seq, previous = head.seq, head.hash
    rows = []
    for entry in entries:
        seq += 1
        row: dict[str, object] = {
            "seq": seq, "at": format_moment(entry.at), "actor": entry.actor, "role": entry.role,
            "action": entry.action, "object": entry.object, "old": entry.old, "new": entry.new,
            "reason": entry.reason, "previous_hash": previous,
        }  # fmt: skip
        previous = compute_entry_hash(row)
        rows.append({**row, "hash": previous})
    if not rows:
        return None
    connection.execute(sa.insert(schema.audit), rows)
    connection.execute(sa.update(schema.audit_head).values(seq=seq, hash=previous))
    return Head(seq=seq, hash=previous)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTrail:
    """The audit trail of one registry. ``head_path`` keeps the chain's end outside the database."""

    engine: sa.Engine
    head_path: Path

    def append(  # noqa: PLR0913 - the fields of the contract's audit table
        self, *, actor: str, role: str, action: str, at: dt.datetime, object: str = "",
        old: str = "", new: str = "", reason: str = "",
    ) -> None:  # fmt: skip
        """Record that something happened, in a transaction of its own."""
        entry = Entry(
            at=at, actor=actor, role=role, action=action, object=object, old=old, new=new, reason=reason
        )
        self.append_all([entry])

    def append_all(self, entries: Iterable[Entry]) -> None:
        """Record several happenings in one transaction."""
        with writing(self.engine) as connection:
            head = append_entries(connection, entries)
        self.write_head(head)

    def write_head(self, head: Head | None) -> None:
        """Note the chain's end beside the database, after its transaction was committed.

        A note that is behind is harmless: the chain must still contain it. One that is ahead of the
        table shows that the table was cut.
        """
        if head is None:
            return
        noted = self.read_head()
        if noted is None or head.seq > noted.seq:
            text = json.dumps({"seq": head.seq, "hash": head.hash})
            write_durably(
                self.head_path, text.encode(), scratch=self.head_path.parent / "cache" / "unfinished"
            )

    def read_head(self) -> Head | None:
        """Return the noted end of the chain, or None where none was noted or the note is not readable."""
        try:
            raw = json.loads(self.head_path.read_text(encoding="utf-8"))
            return Head(seq=int(raw["seq"]), hash=str(raw["hash"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return Head(seq=-1, hash="")

    def rows(self, *, limit: int | None = None) -> "pd.DataFrame":
        """Return the trail, newest first."""
        import pandas as pd

        query = sa.select(schema.audit).order_by(schema.audit.c.seq.desc()).limit(limit)
        with reading(self.engine) as connection:
            result = connection.execute(query)
            return pd.DataFrame(result.fetchall(), columns=list(result.keys()))

    def verify(self) -> list[str]:
        """Return what is wrong with the chain, each finding in words; an empty list is a sound chain."""
        with reading(self.engine) as connection:
            rows = connection.execute(sa.select(schema.audit).order_by(schema.audit.c.seq)).mappings().all()
            stored = connection.execute(sa.select(schema.audit_head.c.seq, schema.audit_head.c.hash)).all()
        findings = check_chain([dict(row) for row in rows])
        hashes = {row["seq"]: row["hash"] for row in rows}
        heads = [("the registry", Head(seq=row.seq, hash=row.hash)) for row in stored]
        if not heads:
            findings.append("audit: the chain's head is missing from the registry")
        noted = self.read_head()
        if noted is None:
            findings.append("audit: the note of the chain's head is missing")
        heads += [("the home", noted)] if noted else []
        for where, head in heads:
            findings += _check_head(head, hashes, where=where, complete=where == "the registry")
        return findings


def check_chain(rows: list[dict[str, object]]) -> list[str]:
    """Check order, links and hashes of audit rows sorted by ``seq``."""
    findings, previous = [], GENESIS
    for position, row in enumerate(rows, start=1):
        if row["seq"] != position:
            findings.append(f"audit: row {position} is missing or was moved (found row {row['seq']})")
            return findings
        if row["previous_hash"] != previous:
            findings.append(f"audit: row {position} does not follow the row before it")
        if row["hash"] != compute_entry_hash(row):
            findings.append(f"audit: row {position} was changed")
        previous = str(row["hash"])
    return findings


def _check_head(head: Head, hashes: dict[int, str], *, where: str, complete: bool) -> list[str]:
    last = max(hashes, default=0)
    if head.seq < 0:
        return [f"audit: the chain's head kept in {where} cannot be read"]
    if head.seq > last:
        return [f"audit: rows {last + 1} to {head.seq} are missing (head kept in {where})"]
    if complete and head.seq < last:
        return [f"audit: row {head.seq + 1} was added past the chain's head kept in {where}"]
    if head.seq and hashes.get(head.seq) != head.hash:
        return [f"audit: row {head.seq} differs from the chain's head kept in {where}"]
    return []
