"""The registry: what was delivered, what waits, and the rows that take part in analysis."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from corelab.cytometry.interchange.revision import Decision
from corelab.ingest.matrices import KIND as SPILLOVERS
from corelab.store import schema
from corelab.store.audit import AuditTrail
from corelab.store.database import reading
from corelab.store.objects import compute_sha256
from corelab.store.users import Users
from corelab.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from corelab.store.acquisitions import AcquisitionFile
    from corelab.tables.inputs import Inputs

ACTIVE: Final = "active"
SUPERSEDED: Final = "superseded"
PENDING: Final = "pending_correction"
WITHDRAWN: Final = "withdrawn"
OPEN: Final = "open"
WAITING: Final = "waiting"
RESOLVED: Final = "resolved"
ACCEPTED: Final = "accepted"
REJECTED: Final = "rejected"
NEVER_TAKEN: Final = (ACCEPTED, REJECTED, WITHDRAWN)
"""Why a version that waited was set aside: its row was taken as a new version, refused, or withdrawn."""


Position = Mapping[str, int]
"""The id of the last row of each log of decisions, by the log's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRow:
    """One row that takes part in analysis, in its present version.

    ``stored`` are the values as they lie in the registry; empty where anything was added to them.
    """

    kind: str
    key: str
    subject_id: str
    values: Mapping[str, str]
    source: str
    stored: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialRows:
    """The active rows at one position, with what people decided about gates by file id."""

    rows: Sequence[ActiveRow]
    gates: Mapping[str, tuple[Decision, ...]]
    study: Study

    def hash_subjects(self) -> dict[str, str]:
        """Return `Registry.subject_hashes` of these rows."""
        return compute_subject_hashes(self.rows, self.gates)

    def place(self) -> "TrialRows":
        """Return the same with the visits of rows that were delivered without one."""
        from corelab.store.inputs import place_in_visits

        return replace(self, rows=place_in_visits(self.rows, study=self.study))

    def list_tubes(self) -> list[dict[str, str]]:
        """Return the texts of `corelab.tables.inputs.Inputs.acquisitions` of placed rows."""
        from corelab.tables.inputs import INPUT_COLUMNS

        names = [name for name, kind in INPUT_COLUMNS["acquisitions"].items() if kind == "text"]
        tubes = (row.values for row in self.rows if row.kind == "acquisitions")
        return [{name: values.get(name, "") for name in names} for values in tubes]

    def build_inputs(self) -> "Inputs":
        """Return the typed tables from which everything is derived."""
        from corelab.store.inputs import build_study_inputs

        return build_study_inputs(self.rows, study=self.study)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The registry of one home."""

    engine: sa.Engine
    study: Study
    users: Users
    audit: AuditTrail

    def active_rows(self, position: Position | None = None) -> list[ActiveRow]:
        """Return every active row, sorted by kind and key; ``source`` does not depend on arrival.

        With a position: those that were active when the logs of decisions ended there.
        """
        with reading(self.engine) as connection:
            return read_active_rows(connection, position)

    def position(self) -> Position:
        """Return where the logs of decisions end now."""
        with reading(self.engine) as connection:
            return read_position(connection)

    def inputs(self, position: Position | None = None) -> "Inputs":
        """Return the active rows as the typed tables from which everything is derived."""
        from corelab.store.inputs import build_study_inputs

        return build_study_inputs(self.active_rows(position), study=self.study)

    def subject_hashes(self, position: Position | None = None) -> dict[str, str]:
        """Return a hash of each subject's active rows and the gates that people set for its tubes.

        Run tubes, which have no subject, are under ``""``.
        """
        return self.read(position).hash_subjects()

    def gate_decisions(self, position: Position | None = None) -> Mapping[str, tuple[Decision, ...]]:
        """Return what people decided about gates, by file id, for the tubes that take part."""
        return self.read(position).gates

    def read(self, position: Position | None = None) -> "TrialRows":
        """Read the active rows once, with what people decided about the gates of their tubes."""
        from corelab.store.gates import pick_for_rows, read_revisions

        with reading(self.engine) as connection:
            rows, revisions = read_active_rows(connection, position), read_revisions(connection)
        if position is not None:
            revisions = [one for one in revisions if one.id <= position.get("gate_revision", 0)]
        gates = pick_for_rows(rows, revisions, study=self.study)
        return TrialRows(rows=rows, gates=gates, study=self.study)

    def acquisition_files(self) -> "list[AcquisitionFile]":
        """Return the delivered FCS files with where they belong."""
        from corelab.store.acquisitions import list_acquisitions

        return list_acquisitions(self)

    def acquisition_mark(self) -> tuple[int, int]:
        """Return numbers that change whenever `acquisition_files` or the decisions about gates may have."""
        from corelab.store.acquisitions import read_mark

        return read_mark(self)

    def object_ids(self) -> dict[str, str]:
        """Return the delivered name of every stored object, by object id."""
        table = schema.file.c
        query = sa.select(table.object_id, table.name).where(table.object_id != "").order_by(table.file_id)
        with reading(self.engine) as connection:
            return {str(row.object_id): str(row.name) for row in connection.execute(query)}

    def quarantine(self) -> "pd.DataFrame":
        """Return what waits for a person: path, reason, kind, file_id, row, recorded_at."""
        import pandas as pd

        columns = ["path", "reason", "kind", "file_id", "row", "recorded_at"]
        return pd.DataFrame(self.quarantine_rows(), columns=columns)

    def quarantine_rows(self) -> list[dict[str, Any]]:
        """Return the open quarantine as plain rows, sorted by path and row."""
        table = schema.quarantine.c
        query = sa.select(
            table.path, table.reason, table.kind, table.file_id, table.row, table.recorded_at
        ).where(table.state == OPEN)
        with reading(self.engine) as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return sorted(rows, key=lambda row: (row["path"].rpartition(":")[0], row["row"], row["path"]))

    def corrections(self) -> "pd.DataFrame":
        """Return pending corrections: id, kind, key, source, old and new values as JSON texts."""
        import pandas as pd

        pending = schema.record.alias()
        present = schema.record.alias()
        same = (present.c.kind == pending.c.kind) & (present.c.key == pending.c.key)
        joined = pending.join(present, same & (present.c.state == ACTIVE), isouter=True)
        query = (
            sa.select(
                pending.c.id, pending.c.kind, pending.c.key, pending.c.source,
                present.c["values"].label("old"), pending.c["values"].label("new"),
            )
            .select_from(joined)
            .where(pending.c.state == PENDING)
            .order_by(pending.c.id)
        )  # fmt: skip
        with reading(self.engine) as connection:
            result = connection.execute(query)
            return pd.DataFrame(result.fetchall(), columns=list(result.keys()))

    def subject_ids(self) -> set[str]:
        """Return the ids of all subjects that rows were ever admitted for."""
        with reading(self.engine) as connection:
            query = sa.select(schema.record.c.subject_id).where(schema.record.c.subject_id != "").distinct()
            return {str(row.subject_id) for row in connection.execute(query)}

    def status(self) -> dict[str, Any]:
        """Return ``states`` (state -> count of rows and files) and ``quarantine`` ({path, reason})."""
        query = sa.select(schema.record.c.state, sa.func.count()).group_by(schema.record.c.state)
        with reading(self.engine) as connection:
            counted = {str(state): int(count) for state, count in connection.execute(query)}
            files = connection.execute(sa.select(sa.func.count()).select_from(schema.file)).scalar_one()
        waiting = self.quarantine_rows()
        states = Counter({ACTIVE: 0, PENDING: 0, SUPERSEDED: 0, WITHDRAWN: 0, **counted})
        states["quarantined"] = len(waiting)
        states["files"] = int(files)
        return {
            "states": dict(sorted(states.items())),
            "quarantine": [{"path": row["path"], "reason": row["reason"]} for row in waiting],
        }

    def content_hash(self) -> str:
        """Hash everything that was delivered and decided, without times and order of arrival."""
        lines = [_canonical([row.kind, row.key, dict(row.values), row.source]) for row in self.active_rows()]
        record, delivered, waiting = schema.record.c, schema.file.c, schema.quarantine.c
        pending = sa.select(record.kind, record.key, record["values"], record.source)
        files = sa.select(delivered.file_id, delivered.object_id, delivered.kind)
        open_rows = sa.select(waiting.path, waiting.reason, waiting.file_id)
        with reading(self.engine) as connection:
            for query in (
                pending.where(record.state.in_([PENDING, WITHDRAWN])),
                files,
                open_rows.where(waiting.state == OPEN),
            ):
                lines += [_canonical(list(row)) for row in connection.execute(query)]
        return compute_sha256("\n".join(sorted(lines)).encode("utf-8", "surrogatepass"))


def read_active_rows(connection: sa.Connection, position: Position | None = None) -> list[ActiveRow]:
    """Read the active rows, now or at an earlier position; an acquisition carries its object's id."""
    record, seen = schema.record.c, schema.sighting.c
    same = (seen.kind == record.kind) & (seen.key == record.key) & (seen.base_version == record.base_version)
    taken = record.state == ACTIVE if position is None else record.id.in_(_select_taken(position))
    counts: list[sa.ColumnElement[bool]] = [seen.file_id.not_in(_select_withdrawn_files(position))]
    if position is not None:
        counts.append(seen.id <= position.get("sighting", 0))
    first_seen = sa.select(sa.func.min(seen.source)).where(same, *counts).scalar_subquery()
    query = sa.select(
        record.kind, record.key, record.subject_id, record["values"],
        sa.func.coalesce(first_seen, record.source).label("source"),
    ).where(taken)  # fmt: skip
    files = {row.file_id: row for row in connection.execute(sa.select(schema.file))}
    found = connection.execute(query).all()
    # All texts are read at once: a call for each costs more than what it reads.
    parsed = json.loads(f"[{','.join(row[3] for row in found)}]")
    rows = [
        ActiveRow(kind=kind, key=key, subject_id=subject_id, values=values, source=source, stored=stored)
        for (kind, key, subject_id, stored, source), values in zip(found, parsed, strict=True)
    ]
    matrices = {row.values["file_id"]: row.values["spillover_id"] for row in rows if row.kind == SPILLOVERS}
    known = [
        replace(row, values=_add_file_facts(row, files[row.values["file_id"]], matrices), stored="")
        if row.kind in {"acquisitions", "plates"}
        else row
        for row in rows
        if row.kind != SPILLOVERS
    ]
    return sorted(known, key=lambda row: (row.kind, row.key))


def _add_file_facts(row: ActiveRow, stored: Any, matrices: Mapping[str, str]) -> dict[str, str]:
    """Give a file's row what is known of the file: object, time and volume of acquisition, matrix."""
    values = {**row.values, "object_id": stored.object_id}
    if row.kind == "acquisitions":
        facts = json.loads(stored.facts)
        values |= {name: facts.get(name, "") for name in ("acquired_at", "acquired_volume_ul")}
        values["spillover_id"] = matrices.get(values["file_id"], "")
    return values


def read_position(connection: sa.Connection) -> Position:
    """Return the last row of each log of decisions; there is one writer at a time, so ids are in order."""
    logs = (schema.record, schema.sighting, schema.withdrawal, schema.gate_revision)
    return {
        log.name: int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(log.c.id), 0))).scalar_one())
        for log in logs
    }


def _select_taken(position: Position) -> "sa.Select[tuple[int]]":
    """Select the versions that were active at a position: the last one taken of each key, if it stood."""
    version, later = schema.record.alias(), schema.record.alias()
    limit = position.get("record", 0)

    def was_taken(one: sa.FromClause) -> sa.ColumnElement[bool]:
        aside = (one.c.state == SUPERSEDED) & one.c.reason.in_(NEVER_TAKEN)
        return (one.c.id <= limit) & (one.c.state != PENDING) & ~aside

    same = (later.c.kind == version.c.kind) & (later.c.key == version.c.key)
    newer = sa.exists().where(same, later.c.version > version.c.version, was_taken(later))
    return sa.select(version.c.id).where(was_taken(version), version.c.state != WITHDRAWN, ~newer)


def _select_withdrawn_files(position: Position | None) -> "sa.Select[tuple[str]]":
    gone = schema.withdrawal.c
    query = sa.select(gone.object).where(gone.scope == "file")
    return query if position is None else query.where(gone.id <= position.get("withdrawal", 0))


def compute_subject_hashes(
    rows: Iterable[ActiveRow], gates: Mapping[str, tuple[Decision, ...]]
) -> dict[str, str]:
    """Hash the rows of each subject, those of a tube with what people decided about its gates."""
    listed: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: (row.kind, row.key)):
        decided = gates.get(row.values.get("file_id", ""), ()) if row.kind == "acquisitions" else ()
        # Registered values are spelled in one way, so that their text need not be made again.
        text = row.stored or json.dumps(dict(row.values), sort_keys=True, ensure_ascii=False)
        parts = (row.kind, row.key, text, row.source, *(str(one.version) for one in decided))
        listed.setdefault(row.subject_id, []).extend([f"{len(part)}:{part}" for part in parts])
    return {
        subject: compute_sha256("".join(own).encode("utf-8", "surrogatepass"))
        for subject, own in sorted(listed.items())
    }


_canonical: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
