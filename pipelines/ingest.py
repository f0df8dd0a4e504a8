"""Takes deliveries: read, check, de-identify and store each file, then admit everything at once.

The files are read and stored first, outside any transaction: an object is named by its content, so one
that a killed run left behind is only found again. The registry changes in one transaction at the end.
"""

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from corelab.errors import FcsReadError, InputError, TableReadError
from corelab.ingest.arrival import Delivery, ReadTable, Report
from corelab.ingest.book import Held, StoredFile
from corelab.ingest.delivery import DeliveredFile, FileKind, list_delivery, read_delivered, table_stem
from corelab.ingest.layouts import LAYOUTS
from corelab.ingest.matrices import DETECTORS
from corelab.ingest.tables import format_delivered, parse_table
from corelab.store.objects import compute_sha256
from pipelines.names import Naming, name_files

if TYPE_CHECKING:
    import sqlalchemy as sa

    from corelab.ingest.fcs import Acquisition
    from corelab.store import Home
    from corelab.store.audit import Head
    from corelab.store.vault import Sealed
    from pipelines.gate_files import TakenGates

Progress = Callable[[str, int, int], None]
_LISTED: Final = {
    FileKind.UNKNOWN: "not a file of a delivery; left alone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What an ingest did: lines for a person, and whether anything was kept out."""

    waiting: tuple[str, ...]
    corrections: tuple[str, ...]
    remarks: tuple[str, ...]
    counts: Counter[str]
    troubles: tuple[str, ...] = ()
    """Gates that are refused, or that count otherwise than the program which drew them."""
    files: tuple[str, ...] = ()
    """What was delivered, under the names that are kept."""

    @property
    def is_clean(self) -> bool:
        """Whether everything that was delivered takes part."""
        return not self.waiting and not self.corrections and not self.troubles


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A delivery after its files were read and stored."""

    delivery: Delivery
    listed: tuple[str, ...]
    files: tuple[str, ...]
    sealed: "tuple[Sealed, ...]"
    gates: "tuple[TakenGates, ...]" = ()


def ingest(
    home: "Home",
    paths: Sequence[Path],
    *,
    at: dt.datetime,
    actor: str,
    accept_reason: str = "",
    progress: Progress = lambda *_: None,
) -> IngestReport:
    """Take delivery folders and single files.

    Parameters
    ----------
    home
        Where they go.
    paths
        Folders, each a delivery; single files together are one delivery.
    at, actor
        The present moment and who delivers, for the audit trail.
    accept_reason
        Why changed values are right; empty: corrections wait.
    progress
        Called with a file's path, its number and the number of files.

    Raises
    ------
    InputError
        If one of the paths is not there; nothing is changed then.
    """
    return ingest_files(
        home, _group(paths), at=at, actor=actor, accept_reason=accept_reason, progress=progress
    )


def ingest_files(  # noqa: PLR0913 - as `ingest`, with the role of a person at the dashboard
    home: "Home",
    deliveries: Sequence[Sequence[DeliveredFile]],
    *,
    at: dt.datetime,
    actor: str,
    role: str = "",
    accept_reason: str = "",
    progress: Progress = lambda *_: None,
) -> IngestReport:
    """Take deliveries whose files are listed already, wherever they lie; otherwise as `ingest`."""
    from corelab.store.intake import admit

    reports: list[Report] = []
    listed: list[str] = []
    troubles: list[str] = []
    paths: list[str] = []
    for files in deliveries:
        reading = read_delivery(home, files, progress=progress)
        listed += [*reading.listed, *(line for taken in reading.gates for line in taken.remarks)]
        troubles += [line for taken in reading.gates for line in taken.troubles]
        paths += reading.files
        record = partial(_record_others, reading=reading, at=at, actor=actor, role=role)
        reports.append(
            admit(
                home, reading.delivery, at=at, actor=actor, role=role, accept_reason=accept_reason,
                then=record,
            )
        )  # fmt: skip
    return replace(_summarise(home, reports, listed, troubles), files=tuple(paths))


def read_delivery(home: "Home", files: Sequence[DeliveredFile], *, progress: Progress) -> _Reading:
    """Read, check and store every file of a delivery; one bad file stops nothing."""
    known = _known_files(home)
    naming = name_files(home, files, known.values())
    files = naming.files
    tables: list[ReadTable] = []
    fcs: dict[str, StoredFile] = {}
    matrices: dict[str, StoredFile] = {}
    gates: list[TakenGates] = []
    plates: dict[str, StoredFile] = {}
    failed: list[Held] = []
    sealing = home.vault.begin()
    # Gates come last: they are judged on the files that came with them.
    for number, delivered in enumerate(sorted(files, key=lambda one: one.kind is FileKind.GATES), start=1):
        if delivered.kind in _LISTED:
            continue
        progress(delivered.path, number, len(files))
        data = b""
        try:
            data = read_delivered(delivered)
            sealing.keep(data, path=naming.restore(delivered.path))
            if delivered.kind is FileKind.TABLE:
                tables.append(_read_table(home, delivered, data, naming))
            elif delivered.kind is FileKind.SPILLOVER:
                matrices[delivered.path] = _read_matrix(home, delivered, data)
            elif delivered.kind is FileKind.PLATE:
                plates[delivered.path] = _read_plate(home, delivered, data)
            elif delivered.kind is FileKind.FCS:
                fcs[delivered.path] = _read_acquisition(home, delivered, data, known)
            else:
                gates.append(_read_gates(home, delivered, data, fcs, naming))
        except (TableReadError, FcsReadError, InputError) as error:
            failed.append(_fail(delivered, data, naming.mask.clean_text(str(error))))
    listed = tuple(f"{one.path}: {_LISTED[one.kind]}" for one in files if one.kind in _LISTED)
    others = [taken.file for taken in gates]
    fcs = {path: naming.clean_stored(stored) for path, stored in fcs.items()}
    aliases = {naming.restore(path): stored.file_id for path, stored in fcs.items()}
    aliases |= {naming.encode(path): file_id for path, file_id in list(aliases.items())}
    delivery = Delivery(
        tables=tables, fcs=fcs, failed=failed, matrices=matrices, plates=plates, others=others,
        aliases=aliases,
    )  # fmt: skip
    return _Reading(
        delivery=delivery,
        listed=listed,
        files=tuple(one.path for one in files),
        gates=tuple(gates),
        sealed=tuple(sealing.sealed),
    )


def _read_gates(
    home: "Home", delivered: DeliveredFile, data: bytes, fcs: Mapping[str, StoredFile], naming: Naming
) -> "TakenGates":
    """Judge gates by the names that their program knew; what is told and kept has the clean ones."""
    from pipelines.gate_files import Among, take_gates

    by_id = {stored.file_id: (path, stored) for path, stored in fcs.items()}

    def read(file_id: str) -> "Acquisition":
        from corelab.ingest.fcs import read_fcs

        path, stored = by_id[file_id]
        return read_fcs(home.objects.read(stored.object_id), name=PurePosixPath(path).name)

    files = {naming.restore(path): stored.file_id for path, stored in fcs.items()}
    taken = take_gates(home, data, name=naming.restore(delivered.path), among=Among(files=files, read=read))
    return replace(
        taken,
        file=replace(taken.file, name=delivered.path),
        troubles=tuple(map(naming.mask.clean_text, taken.troubles)),
        remarks=tuple(map(naming.mask.clean_text, taken.remarks)),
    )


def _group(paths: Sequence[Path]) -> list[list[DeliveredFile]]:
    singles: list[DeliveredFile] = []
    folders: list[list[DeliveredFile]] = []
    for path in paths:
        found = list_delivery(path)
        if path.is_dir():
            folders.append(found)
        else:
            singles += found
    return [*folders, *([sorted(singles, key=lambda one: one.path)] if singles else [])]


def _known_files(home: "Home") -> dict[str, StoredFile]:
    from corelab.store.database import reading
    from corelab.store.intake import read_files

    with reading(home.registry.engine) as connection:
        return read_files(connection)


def _read_table(home: "Home", delivered: DeliveredFile, data: bytes, naming: Naming) -> ReadTable:
    table = naming.clean_table(parse_table(data, LAYOUTS[table_stem(delivered.path)], path=delivered.path))
    stored = StoredFile(
        file_id=compute_sha256(data),
        object_id=home.objects.write(format_delivered(table)),
        kind=table.layout.stem,
        name=delivered.path,
        facts={"rows": str(len(table.rows))},
    )
    return ReadTable(file=stored, table=table)


def _read_acquisition(
    home: "Home", delivered: DeliveredFile, data: bytes, known: dict[str, StoredFile]
) -> StoredFile:
    from corelab.ingest.deidentify import deidentify_fcs
    from corelab.ingest.fcs import read_fcs

    file_id = compute_sha256(data)
    if (stored := known.get(file_id)) and DETECTORS in stored.facts and home.objects.exists(stored.object_id):
        return stored
    acquisition = read_fcs(data, name=delivered.path)
    clean = deidentify_fcs(data, name=delivered.path)
    volume = acquisition.acquired_volume_ul
    facts = {
        "acquired_at": clean.acquired_at, "n_events": str(clean.n_events), "data_sha256": clean.data_sha256,
        "labels": " | ".join(label for label in clean.labels if label),
        DETECTORS: json.dumps(acquisition.detectors, ensure_ascii=False),
        **({} if volume is None else {"acquired_volume_ul": repr(volume)}),
    }  # fmt: skip
    return StoredFile(
        file_id=file_id,
        object_id=home.objects.write(clean.data),
        kind="fcs",
        name=delivered.path,
        facts=facts,
    )


def _read_matrix(home: "Home", delivered: DeliveredFile, data: bytes) -> StoredFile:
    from corelab.ingest.spillover import format_spillover_csv, parse_spillover_csv

    spillover = parse_spillover_csv(data, name=delivered.path)
    return StoredFile(
        file_id=compute_sha256(data),
        object_id=home.objects.write(format_spillover_csv(spillover)),
        kind="spillover",
        name=delivered.path,
        facts={DETECTORS: json.dumps(spillover.detectors, ensure_ascii=False)},
    )


def _read_plate(home: "Home", delivered: DeliveredFile, data: bytes) -> StoredFile:
    """Read an export; what is kept are its cells without operators, computers and paths."""
    from corelab.ingest.plates.reader import read_plate
    from corelab.ingest.plates.sheets import blank_people, open_export, pack_sheets

    sheets = blank_people(open_export(data, name=delivered.path))
    export = read_plate(sheets, name=delivered.path)
    return StoredFile(
        file_id=compute_sha256(data),
        object_id=home.objects.write(pack_sheets(sheets)),
        kind="plate",
        name=delivered.path,
        facts={"plate": export.plate, "batch": export.batch, "format": export.format},
    )


def _fail(delivered: DeliveredFile, data: bytes, said: str) -> Held:
    reason = said.removeprefix(f"{delivered.path}: ").removeprefix(f"{delivered.path} ")
    is_table = delivered.kind is FileKind.TABLE
    kind = table_stem(delivered.path) if is_table else delivered.kind.value
    return Held(file_id=compute_sha256(data), row=0, path=delivered.path, kind=kind, values={}, reason=reason)


def _record_others(
    connection: "sa.Connection", *, reading: _Reading, at: dt.datetime, actor: str, role: str
) -> "Head | None":
    """Record what came with the rows: gates, and originals in the vault."""
    from corelab.store.vault import record_sealed

    head = _record_gates(connection, taken=reading.gates, at=at, actor=actor)
    return record_sealed(connection, reading.sealed, at=at, actor=actor, role=role) or head


def _record_gates(
    connection: "sa.Connection", *, taken: "Iterable[TakenGates]", at: dt.datetime, actor: str
) -> "Head | None":
    """Record the gates of new files; those of a file that gave its gates before are left as they stand."""
    from corelab.store.gates import Said, read_origins, record_decisions

    head = None
    known = read_origins(connection)
    for one in taken:
        origin = one.file.file_id
        fresh = [pair for pair in one.decisions if (origin, pair[0].file_id) not in known]
        said = Said(at=at, author=actor, role="", reason=f"delivered in {one.file.name}", origin=origin)
        head = record_decisions(connection, fresh, said)[1] or head
    return head


def _summarise(
    home: "Home", reports: Iterable[Report], listed: Iterable[str], troubles: Iterable[str]
) -> IngestReport:
    """Join the deliveries' reports; what a later one released is no longer named."""
    still = {f"{row['path']}: {row['reason']}" for row in home.registry.quarantine_rows()}
    waiting: list[str] = []
    corrections: list[str] = []
    remarks: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for report in reports:
        waiting += [line for line in report.waiting if line in still]
        corrections += report.corrections
        remarks.update(report.remarks)
        counts.update(report.counts)
    told = [text if times == 1 else f"{text} ({times} rows)" for text, times in sorted(remarks.items())]
    return IngestReport(
        waiting=tuple(dict.fromkeys(waiting)), corrections=tuple(dict.fromkeys(corrections)),
        remarks=(*told, *listed), counts=counts, troubles=tuple(dict.fromkeys(troubles)),
    )  # fmt: skip
