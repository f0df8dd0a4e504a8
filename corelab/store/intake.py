"""The registry's side of an admission: its present state as a `Book`, and a delivery's changes written."""

import datetime as dt
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from corelab.errors import ConfigError
from corelab.ingest.admission import admit_delivery, decide_pending
from corelab.ingest.arrival import Delivery, Report
from corelab.ingest.book import (
    Book,
    Changes,
    Gone,
    Held,
    NewVersion,
    PendingCorrection,
    Present,
    StoredFile,
)
from corelab.store import schema
from corelab.store.audit import Entry, Head, append_entries, format_moment
from corelab.store.database import writing
from corelab.store.plate_locks import read_locked_plates
from corelab.store.registry import (
    ACCEPTED,
    ACTIVE,
    OPEN,
    PENDING,
    REJECTED,
    RESOLVED,
    SUPERSEDED,
    WAITING,
    WITHDRAWN,
)

if TYPE_CHECKING:
    from corelab.store.home import Home

_BATCH: Final = 5_000


def read_book(connection: sa.Connection) -> Book:
    """Read what an admission needs to know."""
    record, held = schema.record.c, schema.quarantine.c
    last = {
        (row.kind, row.key): int(row.last)
        for row in connection.execute(
            sa.select(record.kind, record.key, sa.func.max(record.version).label("last")).group_by(
                record.kind, record.key
            )
        )
    }
    active = connection.execute(sa.select(schema.record).where(record.state == ACTIVE))
    pending = connection.execute(
        sa.select(schema.record).where(record.state == PENDING).order_by(record.id)
    ).all()
    waiting = connection.execute(sa.select(schema.quarantine).where(held.state.in_([OPEN, WAITING])))
    present = {(row.kind, row.key): _present(row, last[row.kind, row.key]) for row in active}
    return Book(
        present=present,
        pending=[_pending(row) for row in pending],
        held={one.identity: one for one in map(_held, waiting)},
        files=read_files(connection),
        gone={key: gone for key, gone in _read_gone(connection, last).items() if key not in present},
        withdrawn={
            (row.scope, row.object): row.reason for row in connection.execute(sa.select(schema.withdrawal))
        },
        locked_plates=read_locked_plates(connection),
    )


def _read_gone(connection: sa.Connection, last: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], Gone]:
    record = schema.record.c
    query = sa.select(record.kind, record.key, record.subject_id).where(record.state == WITHDRAWN)
    return {
        (row.kind, row.key): Gone(last_version=last[row.kind, row.key], subject_id=row.subject_id)
        for row in connection.execute(query.order_by(record.id))
    }


def admit(  # noqa: PLR0913 - what is delivered, and who does it when and why
    home: "Home", delivery: Delivery, *, at: dt.datetime, actor: str, role: str = "", accept_reason: str = "",
    then: Callable[[sa.Connection], Head | None] = lambda _: None,
) -> Report:  # fmt: skip
    """Admit a delivery in one transaction: its rows, what waits, and the lines of the audit trail.

    ``then`` records what else came with it, in the same transaction.
    """
    with writing(home.registry.engine) as connection:
        changes, report = admit_delivery(
            read_book(connection), delivery, study=home.study, accept_reason=accept_reason
        )
        head = write_changes(connection, changes, at=at, actor=actor, role=role)
        head = then(connection) or head
    home.registry.audit.write_head(head)
    return report


def decide_corrections(  # noqa: PLR0913 - which, how and why, and who does it when
    home: "Home", record_ids: Collection[int], *, accept: bool, reason: str, at: dt.datetime, actor: str,
    role: str = "",
) -> int:  # fmt: skip
    """Accept corrections that wait, or refuse them, for a reason; return how many were decided.

    Raises
    ------
    ConfigError
        If no reason is given.
    """
    if not reason.strip():
        raise ConfigError("no reason for the decision", expected="why the values are right or wrong")
    with writing(home.registry.engine) as connection:
        book = read_book(connection)
        chosen = [pending for pending in book.pending if pending.record_id in record_ids]
        changes = decide_pending(book, chosen, study=home.study, reason=reason.strip(), accept=accept)
        head = write_changes(
            connection, changes, at=at, actor=actor, role=role, settled=ACCEPTED if accept else REJECTED
        )
    home.registry.audit.write_head(head)
    return len(chosen)


def read_files(connection: sa.Connection) -> dict[str, StoredFile]:
    """Read every delivered file that was taken, by its id."""
    return {row.file_id: _stored(row) for row in connection.execute(sa.select(schema.file))}


def write_changes(
    connection: sa.Connection, changes: Changes, *, at: dt.datetime, actor: str, role: str = "",
    settled: str = ACCEPTED,
) -> Head | None:  # fmt: skip
    """Write an admission inside its transaction, with its lines of the audit trail."""
    now = format_moment(at)
    _write_files(connection, changes.files, now)
    record = schema.record.c
    for kind, key, version in changes.superseded:
        # A version that was added and replaced within the same admission is not in the table yet.
        connection.execute(
            sa.update(schema.record)
            .where(record.kind == kind, record.key == key, record.version == version)
            .values(state=SUPERSEDED)
        )
    replaced = set(changes.superseded)
    _insert(
        connection, schema.record, [_version_row(one, now, replaced=replaced) for one in changes.versions]
    )
    for pending in changes.settled_pending:
        connection.execute(
            sa.update(schema.record)
            .where(record.id == pending.record_id)
            .values(state=SUPERSEDED, reason=settled)
        )
    _write_sightings(connection, changes.sightings)
    _write_held(connection, changes, now)
    entries = [
        Entry(
            at=at, actor=actor, role=role, action=one.action, object=one.object, old=one.old, new=one.new,
            reason=one.reason,
        )
        for one in changes.happenings
    ]  # fmt: skip
    return append_entries(connection, entries)


def _write_files(connection: sa.Connection, files: Sequence[StoredFile], now: str) -> None:
    rows = [
        {
            "file_id": one.file_id, "object_id": one.object_id, "kind": one.kind, "name": one.name,
            "facts": _json(one.facts), "received_at": now,
        }
        for one in files
    ]  # fmt: skip
    _insert(connection, schema.file, rows)


def _version_row(one: NewVersion, now: str, *, replaced: set[tuple[str, str, int]]) -> dict[str, Any]:
    gone = (one.kind, one.key, one.version) in replaced
    return {
        "kind": one.kind, "key": one.key, "version": one.version, "base_version": one.base_version,
        "subject_id": one.subject_id, "values": _json(one.values), "source": one.source,
        "file_id": one.file_id, "state": SUPERSEDED if gone else one.state, "reason": one.reason,
        "recorded_at": now,
    }  # fmt: skip


def _write_sightings(connection: sa.Connection, sightings: Sequence[tuple[str, str, int, str, str]]) -> None:
    names = ("kind", "key", "base_version", "source", "file_id")
    rows = [dict(zip(names, one, strict=True)) for one in dict.fromkeys(sightings)]
    _insert(connection, schema.sighting, rows)


def _write_held(connection: sa.Connection, changes: Changes, now: str) -> None:
    table = schema.quarantine.c
    for file_id, row, path in [*changes.released, *changes.held]:
        # What was held before and is held again with another reason is one row, brought up to date.
        connection.execute(
            sa.update(schema.quarantine)
            .where(table.file_id == file_id, table.row == row, table.path == path)
            .values(state=RESOLVED)
        )
    known = set()
    if changes.held:
        query = sa.select(table.file_id, table.row, table.path)
        known = {(row.file_id, row.row, row.path) for row in connection.execute(query)}
    _insert(
        connection, schema.quarantine,
        [_held_row(one, now) for one in changes.held.values() if one.identity not in known],
    )  # fmt: skip
    for one in changes.held.values():
        if one.identity in known:
            connection.execute(
                sa.update(schema.quarantine)
                .where(table.file_id == one.file_id, table.row == one.row, table.path == one.path)
                .values(state=WAITING if one.waiting else OPEN, reason=one.reason, values=_json(one.values))
            )


def _held_row(one: Held, now: str) -> dict[str, Any]:
    return {
        "file_id": one.file_id, "row": one.row, "path": one.path, "kind": one.kind,
        "values": _json(one.values), "reason": one.reason, "state": WAITING if one.waiting else OPEN,
        "recorded_at": now,
    }  # fmt: skip


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(rows), _BATCH):
        connection.execute(sa.insert(table), [dict(row) for row in rows[start : start + _BATCH]])


def _present(row: Any, last: int) -> Present:
    return Present(
        record_id=row.id, version=row.version, base_version=row.base_version, last_version=last,
        subject_id=row.subject_id, values=json.loads(row.values),
    )  # fmt: skip


def _pending(row: Any) -> PendingCorrection:
    return PendingCorrection(
        record_id=row.id, kind=row.kind, key=row.key, subject_id=row.subject_id,
        values=json.loads(row.values), source=row.source, file_id=row.file_id,
    )  # fmt: skip


def _held(row: Any) -> Held:
    return Held(
        file_id=row.file_id, row=row.row, path=row.path, kind=row.kind, values=json.loads(row.values),
        reason=row.reason, waiting=row.state == WAITING,
    )  # fmt: skip


def _stored(row: Any) -> StoredFile:
    return StoredFile(
        file_id=row.file_id, object_id=row.object_id, kind=row.kind, name=row.name,
        facts=json.loads(row.facts),
    )  # fmt: skip


def _json(values: Mapping[str, str]) -> str:
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False)
