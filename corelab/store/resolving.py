"""What waits, settled by a person: an unnamed file is given its tube, with a reason, in the audit."""

import csv
import datetime as dt
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from corelab.errors import ConfigError, InputError
from corelab.ingest.admission import admit_delivery
from corelab.ingest.arrival import Delivery, ReadTable
from corelab.ingest.book import Book, Happening, StoredFile
from corelab.ingest.layouts import LAYOUTS
from corelab.ingest.matching import names_file
from corelab.ingest.tables import format_delivered, parse_table
from corelab.store.database import reading, writing
from corelab.store.intake import read_book, write_changes
from corelab.store.objects import compute_sha256
from corelab.store.proposals import Proposal, propose_tube
from corelab.vocabulary import is_run_tube

if TYPE_CHECKING:
    from corelab.store.home import Home

PATH: Final = "assigned/manifest.csv"
_LAYOUT: Final = LAYOUTS["manifest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnamed:
    """A file that waits for its tube, with what is proposed."""

    file_id: str
    name: str
    reason: str
    proposal: Proposal


def list_unnamed(home: "Home") -> list[Unnamed]:
    """Return the FCS files that belong to no tube yet, by name."""
    with reading(home.registry.engine) as connection:
        book = read_book(connection)
    infusions = {
        present.subject_id: present.values.get("infusion_at", "")
        for (kind, _), present in book.present.items()
        if kind == "subjects"
    }
    found = []
    for held in book.held.values():
        stored = book.files.get(held.file_id)
        if held.kind != "fcs" or held.row or stored is None:
            continue
        manifest = _find_row(book, stored)
        proposal = propose_tube(
            stored.name, stored.facts, infusions=infusions, study=home.study, manifest=manifest
        )
        found.append(Unnamed(file_id=stored.file_id, name=stored.name, reason=held.reason, proposal=proposal))
    return sorted(found, key=lambda one: (one.name, one.file_id))


def _find_row(book: Book, stored: StoredFile) -> Mapping[str, str] | None:
    """Return a row of a manifest that names a file and waits for another reason."""
    for held in book.held.values():
        if held.kind == "acquisitions" and held.row and names_file(held.values.get("file", ""), stored):
            return held.values
    return None


def assign_files(
    home: "Home", rows: Sequence[Mapping[str, Any]], *, reason: str, at: dt.datetime, actor: str,
    role: str = "",
) -> int:  # fmt: skip
    """Give files their tubes, all of them or none; return how many.

    A small manifest is made of the rows and admitted like a delivered one, so the same checks hold and the
    same lines stand in the audit trail, with one more for each file that says who assigned it and why.

    Parameters
    ----------
    home
        The home.
    rows
        ``file_id`` and the columns of a manifest.
    reason
        Why; it must be said.
    at, actor, role
        When and by whom.

    Raises
    ------
    ConfigError
        If no reason is given.
    InputError
        If a file is not one that waits, or a row cannot be admitted.
    """
    if not reason.strip():
        raise ConfigError("no reason for the assignment", expected="how you know whose tube it is")
    waiting = {one.file_id: one for one in list_unnamed(home)}
    names = [_name_in_manifest(row, waiting) for row in rows]
    data = _format_manifest(rows, names)
    table = parse_table(data, _LAYOUT, path=PATH)
    stored = StoredFile(
        file_id=compute_sha256(data), object_id=home.objects.write(format_delivered(table)),
        kind=_LAYOUT.stem, name=PATH, facts={"rows": str(len(rows)), "assigned_by": actor},
    )  # fmt: skip
    with writing(home.registry.engine) as connection:
        book = read_book(connection)
        fcs = {name: book.files[str(row["file_id"])] for name, row in zip(names, rows, strict=True)}
        fcs = {f"{PurePosixPath(PATH).parent}/{name}": one for name, one in fcs.items()}
        delivery = Delivery(tables=[ReadTable(file=stored, table=table)], fcs=fcs, failed=())
        changes, report = admit_delivery(book, delivery, study=home.study)
        refused = [line.partition(": ")[2] for line in report.waiting if line.startswith(f"{PATH}:")]
        if refused or report.corrections:
            raise InputError((refused or report.corrections)[0], place="assignment")
        changes.happenings[:0] = [
            _tell(row, waiting[str(row["file_id"])], reason=reason.strip()) for row in rows
        ]
        head = write_changes(connection, changes, at=at, actor=actor, role=role)
    home.registry.audit.write_head(head)
    return len(rows)


def _name_in_manifest(row: Mapping[str, Any], waiting: Mapping[str, Unnamed]) -> str:
    file_id = str(row.get("file_id", ""))
    if file_id not in waiting:
        raise InputError("this file waits for no tube", place=file_id[:12], remedy="load the page again")
    return f"{file_id[:12]}/{PurePosixPath(waiting[file_id].name).name}"


def _format_manifest(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_LAYOUT.names)
    for row, name in zip(rows, names, strict=True):
        values = {column: str(row.get(column) or "") for column in _LAYOUT.names} | {"file": name}
        if is_run_tube(values["tube"]):
            values |= {"subject_id": "", "visit": ""}
        writer.writerow([values[column] for column in _LAYOUT.names])
    return buffer.getvalue().encode("utf-8")


def _tell(row: Mapping[str, Any], unnamed: Unnamed, *, reason: str) -> Happening:
    given = {column: str(row.get(column) or "") for column in unnamed.proposal.values}
    return Happening(
        action="assign", object=unnamed.file_id, reason=reason,
        old=json.dumps({"proposed": unnamed.proposal.values}, sort_keys=True, ensure_ascii=False),
        new=json.dumps(given, sort_keys=True, ensure_ascii=False),
    )  # fmt: skip
