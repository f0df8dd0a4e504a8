"""A delivery after its files were read, and its rows in the one order in which they are taken."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from corelab.ingest.book import Book, Held, NewVersion, StoredFile
from corelab.ingest.layouts import BY_KIND, PLATES, Layout
from corelab.ingest.rows import CheckedRow
from corelab.ingest.tables import DeliveredTable

_ORDER: Final = {kind: place for place, kind in enumerate(BY_KIND)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTable:
    """A delivered table that could be read, with the ids of its bytes."""

    file: StoredFile
    table: DeliveredTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery after its files were read.

    ``fcs``, ``matrices`` (of spillover) and ``plates`` are stored files by path; ``others`` are kept but
    hold no rows: workspaces and Gating-ML; ``failed`` is what could not be read. ``aliases`` are further
    paths of FCS files, as they were delivered and as their codes: to file ids, for finding them only.
    """

    tables: Sequence[ReadTable]
    fcs: Mapping[str, StoredFile]
    failed: Sequence[Held]
    matrices: Mapping[str, StoredFile] = field(default_factory=dict)
    plates: Mapping[str, StoredFile] = field(default_factory=dict)
    others: Sequence[StoredFile] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def file_ids(self) -> set[str]:
        """Ids of the files that could be read."""
        tables = [read.file for read in self.tables]
        named = (*self.fcs.values(), *self.matrices.values(), *self.plates.values())
        return {one.file_id for one in (*tables, *named, *self.others)}


@dataclass(slots=True, kw_only=True, eq=False)
class Report:
    """What a person is told: lines that name what waits, remarks, and counts."""

    waiting: list[str] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A row on its way in: new in this delivery, or one that waited."""

    layout: Layout
    values: Mapping[str, str]
    path: str
    row: int
    file_id: str
    problem: str = ""
    waited: bool = False

    @property
    def place(self) -> str:
        """``<file>:<row>``."""
        return f"{self.path}:{self.row}"

    def drop_row(self, remark: str) -> str:
        """Return a remark about the row as one about its file, so that equal ones are counted together."""
        return remark.replace(self.place, self.path, 1)

    @property
    def identity(self) -> tuple[str, int, str]:
        """What names the row: the same row of the same bytes is one."""
        return self.file_id, self.row, self.place


def list_candidates(read: ReadTable) -> list[Candidate]:
    """Return the rows of a delivered table."""
    return [
        Candidate(
            layout=read.table.layout, values=row.values, path=read.table.path, row=row.number,
            file_id=read.file.file_id, problem=row.problem,
        )
        for row in read.table.rows
    ]  # fmt: skip


def make_plate_candidate(stored: StoredFile) -> Candidate:
    """Return the one row by which a plate's export is recorded."""
    values = {name: stored.facts.get(name, "") for name in PLATES.names} | {"file_id": stored.file_id}
    return Candidate(layout=PLATES, values=values, path=stored.name, row=1, file_id=stored.file_id)


def list_waiting(book: Book, *, without: set[tuple[str, int, str]]) -> list[Candidate]:
    """Return the rows that wait in the registry, but for those given."""
    return [
        Candidate(
            layout=BY_KIND[held.kind], values=held.values, path=held.path.rpartition(":")[0], row=held.row,
            file_id=held.file_id, waited=True,
        )
        for held in book.held.values()
        if held.row and held.kind in BY_KIND and held.identity not in without
    ]  # fmt: skip


def in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Sort rows: subjects before what is theirs, then by file and row."""
    return sorted(candidates, key=lambda one: (_ORDER[one.layout.kind], one.path, one.row, one.file_id))


def make_version(
    checked: CheckedRow, candidate: Candidate, *, version: int, base_version: int, state: str
) -> NewVersion:
    """Make a version of a row as it was checked, from where it came."""
    return NewVersion(
        kind=checked.kind, key=checked.key, version=version, base_version=base_version,
        subject_id=checked.subject_id, values=checked.values, source=candidate.place,
        file_id=candidate.file_id, state=state,
    )  # fmt: skip
