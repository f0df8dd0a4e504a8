"""Taking a child, a file or a row out of analysis: it is kept, it is in the audit, and it stays out."""

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from corelab.errors import ConfigError
from corelab.ingest.book import acquisition_key, row_object
from corelab.store import schema
from corelab.store.audit import Entry, append_entries, format_moment
from corelab.store.database import writing
from corelab.store.plate_locks import check_plates_open
from corelab.store.registry import ACTIVE, OPEN, PENDING, SUPERSEDED, WAITING, WITHDRAWN

if TYPE_CHECKING:
    from corelab.store.home import Home

Rows = Sequence["sa.Row[Any]"]
_FILE_ID: Final = re.compile(r"[0-9a-f]{8,64}")


class Scope(StrEnum):
    """How much a withdrawal takes."""

    CHILD = "child"
    FILE = "file"
    ROW = "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is withdrawn: its scope, the words that name it for good, and how a person called it.

    ``file_id`` is a file that holds it, by which it can be told from what is called the same.
    """

    scope: Scope
    object: str
    name: str
    file_id: str = field(default="", compare=False)

    @property
    def unique_name(self) -> str:
        """A short name that only it has: the beginning of its file's id, and its row."""
        row = self.name.rpartition(":")[2] if self.scope is Scope.ROW else ""
        return f"{self.file_id[:12]}:{row}" if row else self.object[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What a withdrawal took: rows of analysis, and what waited for a person."""

    target: Target
    n_rows: int
    n_held: int


def withdraw(
    home: "Home", what: str, *, reason: str, at: dt.datetime, author: str, role: str = ""
) -> Withdrawal:
    """Take a child, a file or a row out of analysis; nothing of it is removed.

    Parameters
    ----------
    home
        The home.
    what
        A subject's id; a file's id (eight digits or more) or its name; ``<file>:<row>``.
    reason
        Why; it must be said.
    at, author, role
        When and by whom.

    Raises
    ------
    ConfigError
        If no reason is given, nothing or more than one thing is called so, or it is withdrawn already.
    """
    if not reason.strip():
        raise ConfigError("no reason for the withdrawal", expected="why", remedy="use --reason")
    with writing(home.registry.engine) as connection:
        target = find_target(connection, what.strip())
        _check_new(connection, target)
        rows = _find_rows(connection, target)
        if target.scope is not Scope.CHILD:  # a child may leave at any time
            check_plates_open(connection, rows)
        values = {"scope": target.scope.value, "object": target.object, "author": author}
        values |= {"recorded_at": format_moment(at), "reason": reason.strip()}
        connection.execute(sa.insert(schema.withdrawal).values(values))
        _take_out(connection, rows, reason=reason.strip(), now=format_moment(at))
        n_held = _let_go(connection, target)
        taken = ", ".join(f"{kind} {count}" for kind, count in sorted(Counter(r.kind for r in rows).items()))
        entry = Entry(
            at=at, actor=author, role=role, action="withdraw", object=f"{target.scope} {target.name}",
            old=taken or "in no analysis", new=WITHDRAWN, reason=reason.strip(),
        )  # fmt: skip
        head = append_entries(connection, [entry])
    home.registry.audit.write_head(head)
    return Withdrawal(target=target, n_rows=len(rows), n_held=n_held)


def find_target(connection: sa.Connection, what: str) -> Target:
    """Return what is called so: a child, a file by id or name, or a row.

    Raises
    ------
    ConfigError
        If nothing is, or more than one thing.
    """
    found = (
        _find_child(connection, what)
        or _find_files(connection, what)
        or _find_named(connection, what)
        or _find_in_folders(connection, what)
    )
    unique = list(dict.fromkeys(found))
    if not unique:
        raise ConfigError(
            f"nothing is called {what[:120]!r}", expected="a subject id, a file id or name, or <file>:<row>"
        )
    if len(unique) > 1:
        ids = ", ".join(sorted(target.unique_name for target in unique))
        raise ConfigError(
            f"{len(unique)} things are called {what[:120]!r}", expected="one",
            remedy=f"name it by its file's id ({ids})",
        )  # fmt: skip
    return unique[0]


def _find_child(connection: sa.Connection, what: str) -> list[Target]:
    record = schema.record.c
    query = sa.select(record.id).where(record.kind == "subjects", record.subject_id == what).limit(1)
    found = connection.execute(query).first()
    return [Target(scope=Scope.CHILD, object=what, name=what)] if found else []


def _find_files(connection: sa.Connection, what: str) -> list[Target]:
    """Find files by id or by name, taken or in quarantine."""
    file, held = schema.file.c, schema.quarantine.c
    by_id = _FILE_ID.fullmatch(what) is not None
    taken = sa.select(file.file_id, file.name).where(
        file.file_id.startswith(what, autoescape=True) if by_id else file.name == what
    )
    waits = sa.select(held.file_id, held.path.label("name")).where(
        held.row == 0,
        held.state.in_([OPEN, WAITING]),
        held.file_id.startswith(what, autoescape=True) if by_id else held.path == what,
    )
    rows = [*connection.execute(taken), *connection.execute(waits)]
    return [Target(scope=Scope.FILE, object=row.file_id, name=row.name) for row in rows]


def _find_in_folders(connection: sa.Connection, what: str) -> list[Target]:
    """Find files by their name without the folders that it was delivered in."""
    if not what or "/" in what:
        return []
    file, held = schema.file.c, schema.quarantine.c
    taken = sa.select(file.file_id, file.name).where(file.name.endswith(f"/{what}", autoescape=True))
    waits = sa.select(held.file_id, held.path.label("name")).where(
        held.row == 0, held.state.in_([OPEN, WAITING]), held.path.endswith(f"/{what}", autoescape=True)
    )
    rows = [*connection.execute(taken), *connection.execute(waits)]
    return [Target(scope=Scope.FILE, object=row.file_id, name=row.name) for row in rows]


def _find_named(connection: sa.Connection, what: str) -> list[Target]:
    """Find rows by ``<file>:<row>``, where the file is a name or the beginning of an id."""
    name, _, number = what.rpartition(":")
    if not name or not number.isdecimal():
        return []
    return [*_find_active_rows(connection, name, number), *_find_held_rows(connection, name, number)]


def _find_active_rows(connection: sa.Connection, name: str, number: str) -> list[Target]:
    record, seen = schema.record.c, schema.sighting.c
    same = (seen.kind == record.kind) & (seen.key == record.key) & (seen.base_version == record.base_version)
    query = (
        sa.select(record.kind, record.key, record["values"], seen.source, seen.file_id)
        .select_from(schema.record.join(schema.sighting, same))
        .where(record.state == ACTIVE, seen.source.endswith(f":{number}", autoescape=True))
    )
    targets = []
    for row in connection.execute(query):
        if not _is_called(name, row.source, row.file_id):
            continue
        if row.kind == "acquisitions":  # the row is the tube: it leaves as a file and comes back as none
            file_id = json.loads(row.values)["file_id"]
            targets.append(Target(scope=Scope.FILE, object=file_id, name=row.source))
        else:
            place = row_object(row.kind, row.key)
            targets.append(Target(scope=Scope.ROW, object=place, name=row.source, file_id=row.file_id))
    return targets


def _find_held_rows(connection: sa.Connection, name: str, number: str) -> list[Target]:
    held = schema.quarantine.c
    query = sa.select(held.file_id, held.path).where(
        held.row == int(number), held.row > 0, held.state.in_([OPEN, WAITING])
    )
    return [
        Target(scope=Scope.ROW, object=f"{row.file_id}:{number}", name=row.path, file_id=row.file_id)
        for row in connection.execute(query)
        if _is_called(name, row.path, row.file_id)
    ]


def _is_called(name: str, source: str, file_id: str) -> bool:
    by_id = _FILE_ID.fullmatch(name) is not None and file_id.startswith(name)
    return by_id or source.rpartition(":")[0] == name


def _check_new(connection: sa.Connection, target: Target) -> None:
    gone = schema.withdrawal.c
    query = sa.select(gone.reason).where(gone.scope == target.scope.value, gone.object == target.object)
    found = connection.execute(query).first()
    if found:
        raise ConfigError(f"{target.name} is withdrawn already ({found.reason})")


def _find_rows(connection: sa.Connection, target: Target) -> Rows:
    record = schema.record.c
    active = sa.select(schema.record).where(record.state == ACTIVE).order_by(record.id)
    if target.scope is Scope.CHILD:
        return connection.execute(active.where(record.subject_id == target.object)).all()
    if target.scope is Scope.ROW:
        kind, _, key = target.object.partition(" ")
        return connection.execute(active.where(record.kind == kind, record.key == key)).all()
    return _find_rows_of_file(connection, target.object)


def _find_rows_of_file(connection: sa.Connection, file_id: str) -> Rows:
    """Find the tube itself, and the rows that only this file delivered or that it filled."""
    record, seen, gone = schema.record.c, schema.sighting.c, schema.withdrawal.c
    same = (seen.kind == record.kind) & (seen.key == record.key) & (seen.base_version == record.base_version)
    of_file = sa.exists().where(same, seen.file_id == file_id)
    withdrawn = sa.select(gone.object).where(gone.scope == Scope.FILE.value)
    elsewhere = sa.exists().where(same, seen.file_id != file_id, seen.file_id.not_in(withdrawn))
    filled = (record.file_id == file_id) & (record.version > record.base_version)
    is_tube = (record.kind == "acquisitions") & (record.key == acquisition_key(file_id))
    query = sa.select(schema.record).where(
        record.state == ACTIVE, is_tube | (of_file & (~elsewhere | filled))
    )
    return connection.execute(query.order_by(record.id)).all()


def _take_out(connection: sa.Connection, rows: Rows, *, reason: str, now: str) -> None:
    """Add to each row a last version that is withdrawn; what waited to change it is set aside."""
    record = schema.record.c
    for row in rows:
        same = (record.kind == row.kind) & (record.key == row.key)
        last = connection.execute(sa.select(sa.func.max(record.version)).where(same)).scalar_one()
        aside = sa.update(schema.record).where(same, record.state == PENDING)
        connection.execute(aside.values(state=SUPERSEDED, reason=WITHDRAWN))
        before = sa.update(schema.record).where(record.id == row.id)
        connection.execute(before.values(state=SUPERSEDED))
        values = {name: value for name, value in row._mapping.items() if name != "id"}
        values |= {"version": int(last) + 1, "state": WITHDRAWN, "reason": reason, "recorded_at": now}
        connection.execute(sa.insert(schema.record).values(values))


def _let_go(connection: sa.Connection, target: Target) -> int:
    """Take what waited of the target out of the quarantine; return how much it was."""
    held = schema.quarantine.c
    rows = connection.execute(sa.select(schema.quarantine).where(held.state.in_([OPEN, WAITING]))).all()
    ids = [row.id for row in rows if _belongs(row, target)]
    for one in ids:
        connection.execute(sa.update(schema.quarantine).where(held.id == one).values(state=WITHDRAWN))
    return len(ids)


def _belongs(row: Any, target: Target) -> bool:
    if target.scope is Scope.CHILD:
        return bool(json.loads(row.values).get("subject_id") == target.object)
    if target.scope is Scope.FILE:
        return bool(row.file_id == target.object)
    return f"{row.file_id}:{row.row}" == target.object
