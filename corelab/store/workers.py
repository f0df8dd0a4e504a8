"""Whose work results are: who delivered or assigned what they were made of, and who set their gates."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

import sqlalchemy as sa

from corelab.ingest.book import row_object
from corelab.store import schema
from corelab.store.inputs import place_in_visits, place_withdrawn
from corelab.store.registry import ACTIVE, WITHDRAWN, ActiveRow
from corelab.store.results import ResultScope, ResultTarget
from corelab.study import Study

_AT_A_TERMINAL: Final = "cli:"


def find_workers(connection: sa.Connection, target: ResultTarget, *, study: Study) -> dict[str, str]:
    """Return the people behind some results, each with what they did.

    Those are who delivered a file from which a row of the results came, who accepted a correction of one or
    took one out, and who set a gate that holds for one of its tubes. A name at a terminal is that of the
    same account.
    """
    is_plate = target.scope is ResultScope.PLATE
    rows = _find_plate_rows(connection, target) if is_plate else _find_rows(connection, target, study=study)
    keys = {row.key for row in rows}
    tubes = {row.values["file_id"] for row in rows if row.kind == "acquisitions"}
    files = _find_files(connection, keys) | tubes
    found = {_account(actor): "set a gate" for actor in _find_gate_authors(connection, target, rows)}
    taken_out = {row_object(row.kind, row.key) for row in rows} | files | {target.subject_id}
    found |= {_account(actor): "took something out" for actor in _find_removers(connection, taken_out)}
    found |= {_account(actor): "accepted a correction" for actor in _find_actors(connection, keys, "correct")}
    return found | {_account(actor): "delivered a file" for actor in _find_importers(connection, files)}


def _account(actor: str) -> str:
    return actor.removeprefix(_AT_A_TERMINAL)


def _find_plate_rows(connection: sa.Connection, target: ResultTarget) -> list[ActiveRow]:
    """Find the rows of a plate: its export, its layout and its standards."""
    record = schema.record.c
    query = sa.select(record.kind, record.key, record.subject_id, record["values"]).where(
        record.kind.in_(["plates", "plate_layout", "plate_standards"]), record.state.in_([ACTIVE, WITHDRAWN])
    )
    rows = [
        ActiveRow(kind=kind, key=key, subject_id=subject_id, values=json.loads(values), source="")
        for kind, key, subject_id, values in connection.execute(query)
    ]
    calls = {
        row.values.get(name, "").casefold()
        for row in rows
        if row.kind == "plates" and row.values["file_id"] == target.file_id
        for name in ("plate", "batch")
    } - {""}
    return [row for row in rows if row.values.get("plate", "").casefold() in calls]


def _find_rows(connection: sa.Connection, target: ResultTarget, *, study: Study) -> list[ActiveRow]:
    """Find the rows of the results, those withdrawn as well, each in its visit."""
    record = schema.record.c
    query = sa.select(record.kind, record.key, record.subject_id, record["values"], record.state).where(
        (record.subject_id == target.subject_id) | (record.kind == "plates"),
        record.state.in_([ACTIVE, WITHDRAWN]),
    )
    found = [
        (ActiveRow(kind=kind, key=key, subject_id=subject_id, values=json.loads(values), source=""), state)
        for kind, key, subject_id, values, state in connection.execute(query)
    ]
    active = [row for row, state in found if state == ACTIVE]
    placed = place_in_visits(active, study=study)
    placed += [place_withdrawn(row, active, study=study) for row, state in found if state != ACTIVE]
    return [row for row in placed if row.subject_id == target.subject_id and _belongs(row.values, target)]


def _belongs(values: Mapping[str, str], target: ResultTarget) -> bool:
    if target.scope is ResultScope.ACQUISITION:
        return values.get("file_id") == target.file_id
    return values.get("visit") == target.visit


def _find_files(connection: sa.Connection, keys: Iterable[str]) -> set[str]:
    """Return the delivered files from which any version of the rows came, or that repeated one."""
    wanted = list(keys)
    found: set[str] = set()
    for table in (schema.record, schema.sighting):
        query = sa.select(table.c.file_id).where(table.c.key.in_(wanted)).distinct()
        found |= {row.file_id for row in connection.execute(query)}
    return found


def _find_importers(connection: sa.Connection, files: Iterable[str]) -> set[str]:
    entry = schema.audit.c
    query = sa.select(entry.actor).where(entry.action == "import", entry.new.in_(list(files))).distinct()
    return {row.actor for row in connection.execute(query)}


def _find_actors(connection: sa.Connection, keys: Iterable[str], action: str) -> set[str]:
    entry = schema.audit.c
    query = sa.select(entry.actor).where(entry.action == action, entry.object.in_(list(keys))).distinct()
    return {row.actor for row in connection.execute(query)}


def _find_removers(connection: sa.Connection, objects: Iterable[str]) -> set[str]:
    gone = schema.withdrawal.c
    query = sa.select(gone.author).where(gone.object.in_([one for one in objects if one])).distinct()
    return {row.author for row in connection.execute(query)}


def _find_gate_authors(
    connection: sa.Connection, target: ResultTarget, rows: Iterable[ActiveRow]
) -> set[str]:
    tubes = [row.values for row in rows if row.kind == "acquisitions"]
    files, panels = {tube["file_id"] for tube in tubes}, {tube["panel"] for tube in tubes}
    authors = set()
    for one in connection.execute(sa.select(schema.gate_revision)):
        of_child = one.subject_id == target.subject_id and one.visit in ("", target.visit)
        of_all = not one.file_id and not one.subject_id and one.panel in panels
        if one.file_id in files or ((of_child or of_all) and (not one.panel or one.panel in panels)):
            authors.add(str(one.author))
    return authors
