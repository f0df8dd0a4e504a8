"""The delivered FCS files with where they belong, for lists and single looks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from corelab.cytometry.run_tubes import Stains, find_stains
from corelab.ingest.matrices import KIND as SPILLOVERS
from corelab.store import schema
from corelab.store.database import reading
from corelab.store.inputs import place_in_visits, place_withdrawn
from corelab.store.registry import ACTIVE, WITHDRAWN, ActiveRow, Registry

_KINDS: Final = ("acquisitions", "subjects", SPILLOVERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionFile:
    """One delivered FCS file with its row.

    ``acquired_at`` is the cytometer's local time without a zone, empty where the file does not tell it;
    ``received_at`` is when it came; ``state`` that of its row (``active`` or ``withdrawn``).
    ``spillover_id`` is the object of the matrix delivered with it, ``stains`` the single stains of its run.
    """

    file_id: str
    object_id: str
    name: str
    subject_id: str
    visit: str
    collected_at: str
    panel: str
    tube: str
    acquired_at: str
    received_at: str
    state: str
    instrument: str = ""
    spillover_id: str = ""
    stains: Stains = ()


def list_acquisitions(registry: Registry) -> list[AcquisitionFile]:
    """Return every acquisition that is active or withdrawn, by subject, time of collection and file."""
    record, file = schema.record.c, schema.file.c
    rows = sa.select(record.kind, record.key, record.subject_id, record["values"], record.state).where(
        record.kind.in_(_KINDS), record.state.in_([ACTIVE, WITHDRAWN])
    )
    files = sa.select(file.file_id, file.object_id, file.name, file.facts, file.received_at).where(
        file.kind == "fcs"
    )
    with reading(registry.engine) as connection:
        found = [_read_row(row) for row in connection.execute(rows)]
        stored = {row.file_id: row for row in connection.execute(files)}
    active = [row for row, state in found if state == ACTIVE]
    given = _find_given(active, stored)
    study = registry.study
    placed = [(row, ACTIVE) for row in place_in_visits(active, study=study)]
    placed += [(place_withdrawn(row, active, study=study), state) for row, state in found if state != ACTIVE]
    listed = [
        replace(_join(row, state, stored[row.values["file_id"]]), **given.get(row.values["file_id"], {}))
        for row, state in placed
        if row.kind == "acquisitions" and row.values["file_id"] in stored
    ]
    return sorted(
        listed, key=lambda one: (one.subject_id, one.collected_at, one.panel, one.tube, one.file_id)
    )


def _find_given(active: Sequence[ActiveRow], stored: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Find what compensates each file: its matrix, else the single stains of its run."""
    tubes = [
        {**row.values, "object_id": stored[row.values["file_id"]].object_id}
        for row in active
        if row.kind == "acquisitions" and row.values["file_id"] in stored
    ]
    stains: dict[str, dict[str, Any]] = {
        file_id: {"stains": found} for file_id, found in find_stains(tubes).items()
    }
    matrices = {
        row.values["file_id"]: {"spillover_id": row.values["spillover_id"]}
        for row in active
        if row.kind == SPILLOVERS
    }
    return stains | matrices


def _read_row(row: Any) -> tuple[ActiveRow, str]:
    values = json.loads(row.values)
    read = ActiveRow(kind=row.kind, key=row.key, subject_id=row.subject_id, values=values, source="")
    return read, str(row.state)


def _join(row: ActiveRow, state: str, file: Any) -> AcquisitionFile:
    facts = json.loads(file.facts)
    names: dict[str, Any] = {
        n: row.values.get(n, "") for n in ("visit", "collected_at", "panel", "tube", "instrument")
    }
    return AcquisitionFile(
        file_id=file.file_id, object_id=file.object_id, name=file.name, subject_id=row.subject_id,
        acquired_at=facts.get("acquired_at", ""), received_at=file.received_at, state=state, **names,
    )  # fmt: skip


def read_mark(registry: Registry) -> tuple[int, int]:
    """Return numbers that grow with every delivered row and every decision about gates."""
    newest = [sa.select(sa.func.max(table.c.id)) for table in (schema.record, schema.gate_revision)]
    states = sa.select(sa.func.count()).where(schema.record.c.state == WITHDRAWN)
    with reading(registry.engine) as connection:
        rows, revisions = (int(connection.execute(query).scalar() or 0) for query in newest)
        return rows + int(connection.execute(states).scalar_one()), revisions
