"""Which delivered rows become part of the trial: new ones, fills, corrections, and what waits.

Everything here is a function of the registry's present state (`Book`) and the delivery; it reads and
writes nothing. Rows are taken in one order whatever the order of arrival: subjects first, then by file and
row.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from corelab.errors import InputError, ReviewError
from corelab.ingest.arrival import (
    Candidate,
    Delivery,
    Report,
    in_order,
    list_candidates,
    list_waiting,
    make_plate_candidate,
    make_version,
)
from corelab.ingest.book import (
    Book,
    Changes,
    Happening,
    Held,
    PendingCorrection,
    Present,
    StoredFile,
    acquisition_key,
)
from corelab.ingest.guards import check_lock, check_subject, check_withdrawn
from corelab.ingest.layouts import BY_KIND
from corelab.ingest.matching import as_file, is_answered_by, match_file, names_file, why_unnamed
from corelab.ingest.matrices import describe_binding, make_held_matrix, match_matrices
from corelab.ingest.merging import describe_correction, merge_rows
from corelab.ingest.rows import CheckedRow, check_row
from corelab.study import Study

ACTIVE: Final = "active"
PENDING: Final = "pending_correction"


def admit_delivery(
    book: Book, delivery: Delivery, *, study: Study, accept_reason: str = ""
) -> tuple[Changes, Report]:
    """Decide on every row and file of a delivery, and again on those that waited.

    Parameters
    ----------
    book
        The registry's present state; brought forward in place.
    delivery
        What arrived.
    study
        Visits, time zone and the pattern of subject ids.
    accept_reason
        Why changed values are right; empty: corrections wait.

    Returns
    -------
    tuple of Changes and Report
        What to write, and what to tell.
    """
    intake = _Intake(book=book, delivery=delivery, study=study, accept_reason=accept_reason)
    intake.run()
    return intake.changes, intake.report


def decide_pending(
    book: Book, chosen: Iterable[PendingCorrection], *, study: Study, reason: str, accept: bool
) -> Changes:
    """Accept corrections that wait, or set them aside, and say so for the audit trail.

    Raises
    ------
    ReviewError
        If one would change a locked plate.
    """
    nothing = Delivery(tables=(), fcs={}, failed=())
    intake = _Intake(book=book, delivery=nothing, study=study, accept_reason=reason)
    for pending in chosen:
        if accept and book.is_locked(pending.values):
            raise ReviewError(f"plate {pending.values['plate']} is locked", remedy="unlock it first")
        if accept:
            intake.accept_pending(pending)
        else:
            intake.refuse_pending(pending)
    return intake.changes


@dataclass(slots=True, kw_only=True, eq=False)
class _Intake:
    """One admission under way."""

    book: Book
    delivery: Delivery
    study: Study
    accept_reason: str
    changes: Changes = field(default_factory=Changes)
    report: Report = field(default_factory=Report)
    delivered: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        self.delivered = {path: stored.file_id for path, stored in self.delivery.fcs.items()}
        self.delivered |= self.delivery.aliases
        again = self._known_files()
        fresh = self._new_files()
        waited = list_waiting(self.book, without={candidate.identity for candidate in fresh})
        for candidate in (*in_order(fresh), *in_order(waited)):
            self._take(candidate)
        for held in self.delivery.failed:
            self._hold(held)
        self._bind_matrices(again)
        self._settle_unnamed_files()
        self._tell(again)

    def _known_files(self) -> set[str]:
        """Return the ids of delivered files that were taken before; accept their corrections if asked."""
        known = {file_id for file_id in self.delivery.file_ids if file_id in self.book.files}
        if self.accept_reason:
            for pending in [pending for pending in self.book.pending if pending.file_id in known]:
                if not self.book.is_locked(pending.values):
                    self.accept_pending(pending)
        self.report.counts["files_known"] += len(known)
        return known

    def _new_files(self) -> list[Candidate]:
        fresh: list[Candidate] = []
        for read in self.delivery.tables:
            self.report.remarks.update(read.table.remarks)
            if self._add_file(read.file):
                fresh += list_candidates(read)
        for path in sorted(self.delivery.fcs):
            self._add_file(self.delivery.fcs[path])
        for path in sorted(self.delivery.matrices):
            self._add_file(self.delivery.matrices[path])
        for stored in self.delivery.others:
            self._add_file(stored)
        for path in sorted(self.delivery.plates):
            if self._add_file(self.delivery.plates[path]):
                fresh.append(make_plate_candidate(self.delivery.plates[path]))
        return fresh

    def _add_file(self, stored: StoredFile) -> bool:
        if stored.file_id in self.book.files:
            return False
        self.book.files[stored.file_id] = stored
        self.changes.files.append(stored)
        self.report.counts["files_new"] += 1
        self._note("import", stored.name, new=stored.file_id)
        for held in [held for held in self.book.held.values() if is_answered_by(held, stored)]:
            self._release(held.identity)
        return True

    def _take(self, candidate: Candidate) -> None:
        """Admit one row or hold it with the reason."""
        try:
            if candidate.problem:
                raise InputError(candidate.problem, place=candidate.place)
            checked = check_row(candidate.values, candidate.layout, study=self.study, place=candidate.place)
            check_subject(self.book, checked, place=candidate.place)
            if candidate.layout.kind == "acquisitions":
                checked = self._bind_file(checked, candidate)
            check_withdrawn(self.book, checked, place=candidate.place)
            check_lock(self.book, checked, place=candidate.place)
        except _WaitsForFileError as waits:
            self._hold(self._held(candidate, str(waits), waiting=True))
            return
        except InputError as error:
            self._hold(self._held(candidate, _without_place(error, candidate.place)))
            return
        self._admit(checked, candidate)
        if candidate.identity in self.book.held:
            self._release(candidate.identity)
        if not candidate.waited:
            self.report.remarks.update(candidate.drop_row(remark) for remark in checked.remarks)

    def _bind_file(self, checked: CheckedRow, candidate: Candidate) -> CheckedRow:
        name = checked.values["file"]
        match = match_file(
            name,
            manifest_path=candidate.path,
            delivered=self.delivered,
            book=self.book,
            fresh=not candidate.waited,
        )
        if not match.file_id:
            if any(names_file(name, as_file(held)) for held in self._unreadable()):
                raise _WaitsForFileError(match.reason)
            raise InputError(match.reason, place=candidate.place)
        values = {key: text for key, text in checked.values.items() if key != "file"}
        return replace(
            checked, key=acquisition_key(match.file_id), values={**values, "file_id": match.file_id}
        )

    def _bind_matrices(self, again: set[str]) -> None:
        """Tie the matrices of this delivery to its FCS files; what was tied before stays as it is."""
        matrices = self.delivery.matrices
        bindings, reasons = match_matrices(self.delivery.fcs, matrices)
        for binding in bindings:
            if not {binding.file_id, matrices[binding.matrix].file_id} <= again:
                self._admit(*describe_binding(binding, matrices[binding.matrix]))
        for path, matrix in matrices.items():
            held = make_held_matrix(path, matrix, reasons.get(path, ""))
            if held.reason:
                self._hold(held)
            elif held.identity in self.book.held:
                self._release(held.identity)

    def _unreadable(self) -> list[Held]:
        stored = [held for held in self.book.held.values() if held.row == 0 and not held.values]
        return [*self.delivery.failed, *stored]

    def _admit(self, checked: CheckedRow, candidate: Candidate) -> None:
        present = self.book.present.get((checked.kind, checked.key))
        if present is None:
            gone = self.book.gone.pop((checked.kind, checked.key), None)
            version = gone.last_version + 1 if gone else 1
            self._add_version(checked, candidate, version=version, base_version=version)
            self.report.counts["rows_new"] += 1
            return
        conflicts, merged = merge_rows(present.values, checked.values)
        if conflicts:
            self._correct(checked, candidate, present)
        elif merged != present.values:
            self._replace(replace(checked, values=merged), candidate, present, base=present.base_version)
            self.report.counts["rows_filled"] += 1
            self._note("fill", checked.key, old=_json(present.values), new=_json(merged))
        else:
            self._see(checked.kind, checked.key, present.base_version, candidate)
            self.report.counts["rows_known"] += 1

    def _correct(self, checked: CheckedRow, candidate: Candidate, present: Present) -> None:
        if self.accept_reason:
            self._accept(checked, candidate, present)
            return
        waits = any(
            pending.key == checked.key and pending.kind == checked.kind and pending.values == checked.values
            for pending in self.book.pending
        )
        pending = PendingCorrection(
            record_id=None, kind=checked.kind, key=checked.key, subject_id=checked.subject_id,
            values=checked.values, source=candidate.place, file_id=candidate.file_id,
        )  # fmt: skip
        self.report.corrections.append(describe_correction(pending, present))
        if waits:
            return
        self.book.pending.append(pending)
        version = present.last_version + 1
        self.book.present[checked.kind, checked.key] = replace(present, last_version=version)
        self.changes.versions.append(
            make_version(
                checked, candidate, version=version, base_version=present.base_version, state=PENDING
            )
        )
        self._note("propose_correction", checked.key, old=_json(present.values), new=_json(checked.values))

    def accept_pending(self, pending: PendingCorrection) -> None:
        present = self.book.present[pending.kind, pending.key]
        layout = BY_KIND[pending.kind]
        path, _, row = pending.source.rpartition(":")
        candidate = Candidate(
            layout=layout, values=pending.values, path=path, row=int(row), file_id=pending.file_id
        )
        checked = CheckedRow(
            kind=pending.kind, key=pending.key, subject_id=pending.subject_id, values=pending.values
        )
        self._accept(checked, candidate, present)
        self.book.pending.remove(pending)
        self.changes.settled_pending.append(pending)

    def refuse_pending(self, pending: PendingCorrection) -> None:
        present = self.book.present[pending.kind, pending.key]
        self.book.pending.remove(pending)
        self.changes.settled_pending.append(pending)
        self._note(
            "refuse_correction", pending.key, old=_json(present.values), new=_json(pending.values),
            reason=self.accept_reason,
        )  # fmt: skip

    def _accept(self, checked: CheckedRow, candidate: Candidate, present: Present) -> None:
        _, merged = merge_rows(present.values, checked.values)
        version = present.last_version + 1
        self._replace(replace(checked, values=merged), candidate, present, base=version)
        self.report.counts["rows_corrected"] += 1
        self._note(
            "correct", checked.key, old=_json(present.values), new=_json(merged), reason=self.accept_reason
        )

    def _replace(self, checked: CheckedRow, candidate: Candidate, present: Present, *, base: int) -> None:
        self.changes.superseded.append((checked.kind, checked.key, present.version))
        self._add_version(checked, candidate, version=present.last_version + 1, base_version=base)

    def _add_version(
        self, checked: CheckedRow, candidate: Candidate, *, version: int, base_version: int
    ) -> None:
        self.book.present[checked.kind, checked.key] = Present(
            record_id=None, version=version, base_version=base_version, last_version=version,
            subject_id=checked.subject_id, values=checked.values,
        )  # fmt: skip
        self.changes.versions.append(
            make_version(checked, candidate, version=version, base_version=base_version, state=ACTIVE)
        )
        self._see(checked.kind, checked.key, base_version, candidate)

    def _see(self, kind: str, key: str, base_version: int, candidate: Candidate) -> None:
        self.changes.sightings.append((kind, key, base_version, candidate.place, candidate.file_id))

    def _held(self, candidate: Candidate, reason: str, *, waiting: bool = False) -> Held:
        return Held(
            file_id=candidate.file_id, row=candidate.row, path=candidate.place, kind=candidate.layout.kind,
            values=candidate.values, reason=reason, waiting=waiting,
        )  # fmt: skip

    def _hold(self, held: Held) -> None:
        known = self.book.held.get(held.identity)
        if known is not None and (known.reason, known.waiting) == (held.reason, held.waiting):
            return
        self.book.held[held.identity] = held
        self.changes.held[held.identity] = held
        if known is None:
            self._note("quarantine", held.path, reason=held.reason)

    def _release(self, identity: tuple[str, int, str]) -> None:
        held = self.book.held.pop(identity)
        self.changes.held.pop(identity, None)
        self.changes.released.append(identity)
        self._note("release", held.path, old=held.reason)

    def _settle_unnamed_files(self) -> None:
        """Hold each FCS file that no manifest names; release those that one names now."""
        rows = [held for held in self.book.held.values() if held.kind == "acquisitions" and held.row]
        for stored in sorted(self.book.files.values(), key=lambda stored: stored.name):
            if stored.kind != "fcs" or self.book.is_withdrawn_file(stored.file_id):
                continue
            held = Held(
                file_id=stored.file_id, row=0, path=stored.name, kind="fcs", values={"file": stored.name},
                reason=why_unnamed(stored, rows),
            )  # fmt: skip
            if not self.book.is_assigned(stored.file_id):
                self._hold(held)
            elif held.identity in self.book.held:
                self._release(held.identity)

    def _tell(self, again: set[str]) -> None:
        """Name everything that waits from the files of this delivery, known or new."""
        delivered = self.delivery.file_ids | {held.file_id for held in self.delivery.failed}
        waiting = [h for h in self.book.held.values() if h.file_id in delivered and not h.waiting]
        self.report.waiting += [
            f"{held.path}: {held.reason}" for held in sorted(waiting, key=lambda h: (h.kind, h.path, h.row))
        ]
        for pending in self.book.pending:
            if pending.file_id in again:
                present = self.book.present[pending.kind, pending.key]
                self.report.corrections.append(describe_correction(pending, present))

    def _note(self, action: str, what: str, *, old: str = "", new: str = "", reason: str = "") -> None:
        happening = Happening(action=action, object=what, old=old, new=new, reason=reason)
        self.changes.happenings.append(happening)


class _WaitsForFileError(Exception):
    """A manifest's row whose file is in quarantine itself: the file is shown, the row is not."""


def _without_place(error: InputError, place: str) -> str:
    return str(error).removeprefix(f"{place}: ").removeprefix(f"{place} ")


def _json(values: Mapping[str, str]) -> str:
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False)
