"""Gate revisions: what people decided about gates, only ever added to, each with its line of the audit."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from corelab.cytometry.interchange.revision import (
    Decision,
    GateRevision,
    Kind,
    Scope,
    Target,
    TubeKey,
    check_target,
    pick_for_tubes,
)
from corelab.errors import ConfigError
from corelab.store import schema
from corelab.store.audit import AuditTrail, Entry, Head, append_entries, format_moment
from corelab.store.database import reading, writing
from corelab.store.inputs import place_in_visits
from corelab.study import Study
from corelab.vocabulary import GateSource

if TYPE_CHECKING:
    from corelab.store.home import Home
    from corelab.store.registry import ActiveRow


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRevisions:
    """The gate revisions of one registry. The clock is an argument of everything that needs it."""

    engine: sa.Engine
    audit: AuditTrail

    def add(
        self, decisions: Iterable[tuple[Target, Decision]], *, at: dt.datetime, author: str, role: str = "",
        reason: str, origin: str = "",
    ) -> list[GateRevision]:  # fmt: skip
        """Record decisions in one transaction; one that stands already is not recorded again.

        Parameters
        ----------
        decisions
            What was decided, and for which tubes.
        at, author, role
            When and by whom.
        reason
            Why; it must be said.
        origin
            Id of the file from which they came; empty: a person set them here.

        Returns
        -------
        list of GateRevision
            Those that are new.

        Raises
        ------
        ConfigError
            If no reason is given.
        InputError
            If a target names too little or too much for its scope.
        """
        if not reason.strip():
            raise ConfigError("no reason for the gates", expected="why they were set", remedy="use --reason")
        said = Said(at=at, author=author, role=role, reason=reason.strip(), origin=origin)
        with writing(self.engine) as connection:
            added, head = record_decisions(connection, decisions, said)
        self.audit.write_head(head)
        return added

    def all(self) -> list[GateRevision]:
        """Return every revision in the order in which they were recorded."""
        with reading(self.engine) as connection:
            return read_revisions(connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """When, by whom and why decisions were made, and from which file they came."""

    at: dt.datetime
    author: str
    role: str
    reason: str
    origin: str


def record_decisions(
    connection: sa.Connection, decisions: Iterable[tuple[Target, Decision]], said: Said
) -> tuple[list[GateRevision], Head | None]:
    """Record decisions inside a writing transaction, with their lines of the audit.

    Raises
    ------
    InputError
        If a target names too little or too much for its scope.
    """
    checked = [(check_target(target), decision) for target, decision in decisions]
    standing = {
        _key(one): one for one in read_revisions(connection, {target.file_id for target, _ in checked})
    }
    added, entries = [], []
    for target, decision in checked:
        before = standing.get((target, decision.kind, decision.gate))
        if _is_said_already(before, decision):
            continue
        revision = _insert(connection, _row(target, decision, before, said))
        standing[_key(revision)] = revision
        added.append(revision)
        entries.append(_entry(revision, before, said))
    return added, append_entries(connection, entries)


def read_origins(connection: sa.Connection) -> set[tuple[str, str]]:
    """Return which delivered files gave gates to which acquisitions: pairs of their ids."""
    table = schema.gate_revision.c
    query = sa.select(table.origin, table.file_id).where(table.origin != "").distinct()
    return {(str(row.origin), str(row.file_id)) for row in connection.execute(query)}


def open_revisions(home: "Home") -> GateRevisions:
    """Return the gate revisions of a home."""
    return GateRevisions(engine=home.registry.engine, audit=home.registry.audit)


def read_revisions(connection: sa.Connection, file_ids: set[str] | None = None) -> list[GateRevision]:
    """Read the revisions, or only those about some files (the empty id: those about groups)."""
    query = sa.select(schema.gate_revision).order_by(schema.gate_revision.c.id)
    if file_ids is not None:
        query = query.where(schema.gate_revision.c.file_id.in_(sorted(file_ids)))
    return [_revision(row) for row in connection.execute(query)]


def pick_for_rows(
    rows: "Sequence[ActiveRow]", revisions: Iterable[GateRevision], *, study: Study
) -> dict[str, tuple[Decision, ...]]:
    """Pick what counts for each acquisition among active rows, by file id; untouched ones are not there.

    Parameters
    ----------
    rows
        Every active row: the visit of a row without one follows from its subject's infusion and other draws.
    revisions
        All that were ever recorded.
    study
        Visits and windows.
    """
    needed = [row for row in rows if row.kind in {"acquisitions", "subjects"}]
    tubes = []
    for row in place_in_visits(needed, study=study):
        if row.kind == "acquisitions":
            names = {name: row.values.get(name, "") for name in ("file_id", "visit", "panel")}
            tubes.append(TubeKey(subject_id=row.subject_id, **names))
    return pick_for_tubes(revisions, tubes)


def _key(revision: GateRevision) -> tuple[Target, Kind, str]:
    return revision.target, revision.decision.kind, revision.decision.gate


def _is_said_already(before: GateRevision | None, decision: Decision) -> bool:
    if before is None:
        return not decision.content
    same = before.decision.content == decision.content
    return same and (not decision.content or before.decision.source == decision.source)


def _row(target: Target, decision: Decision, before: GateRevision | None, said: Said) -> dict[str, Any]:
    return {
        "scope": target.scope.value, "file_id": target.file_id, "subject_id": target.subject_id,
        "visit": target.visit, "panel": target.panel, "kind": decision.kind.value, "gate": decision.gate,
        "content": decision.content, "source": decision.source.value, "author": said.author,
        "recorded_at": format_moment(said.at), "reason": said.reason,
        "supersedes": before.id if before else None, "origin": said.origin,
    }  # fmt: skip


def _insert(connection: sa.Connection, row: dict[str, Any]) -> GateRevision:
    result = connection.execute(sa.insert(schema.gate_revision).values(row))
    key: Sequence[Any] = result.inserted_primary_key or (0,)
    return _revision(_Row(id=int(key[0]), **row))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row before it was read back."""

    id: int
    scope: str
    file_id: str
    subject_id: str
    visit: str
    panel: str
    kind: str
    gate: str
    content: str
    source: str
    author: str
    recorded_at: str
    reason: str
    supersedes: int | None
    origin: str


def _revision(row: Any) -> GateRevision:
    return GateRevision(
        id=row.id,
        target=Target(
            scope=Scope(row.scope), file_id=row.file_id, subject_id=row.subject_id, visit=row.visit,
            panel=row.panel,
        ),
        decision=Decision(
            kind=Kind(row.kind), gate=row.gate, content=row.content, source=GateSource(row.source)
        ),
        author=row.author, at=row.recorded_at, reason=row.reason, supersedes=row.supersedes,
        origin=row.origin,
    )  # fmt: skip


def _entry(revision: GateRevision, before: GateRevision | None, said: Said) -> Entry:
    """Say in the audit what changed; the shapes themselves stand in the revisions, here by their hash."""
    target, decision = revision.target, revision.decision
    where = "/".join(text for text in (target.file_id, target.subject_id, target.visit, target.panel) if text)
    what = decision.gate or decision.kind.value
    return Entry(
        at=said.at, actor=said.author, role=said.role,
        action="gate_edit" if decision.content else "gate_take_back",
        object=f"gate {target.scope} {where} {what}",
        old=_describe(before.decision) if before else "", new=_describe(decision), reason=revision.reason,
    )  # fmt: skip


def _describe(decision: Decision) -> str:
    if not decision.content:
        return ""
    said = decision.content if decision.kind is Kind.CUT else decision.version
    return f"{decision.source} {decision.kind} {said}"
