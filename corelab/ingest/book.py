"""What the registry knows when a delivery arrives, and what the delivery changes in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The row that stands under a key now.

    ``base_version`` is the version of the last accepted correction (else 1); ``last_version`` counts the
    versions that wait as well.
    """

    record_id: int | None
    version: int
    base_version: int
    last_version: int
    subject_id: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCorrection:
    """A row that would change a filled field and waits for a reason."""

    record_id: int | None
    kind: str
    key: str
    subject_id: str
    values: Mapping[str, str]
    source: str
    file_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A row or a file that waits. ``row`` 0 is the file itself; ``waiting`` is not shown to people."""

    file_id: str
    row: int
    path: str
    kind: str
    values: Mapping[str, str]
    reason: str
    waiting: bool = False

    @property
    def identity(self) -> tuple[str, int, str]:
        """What names it: the same row of the same bytes is held once."""
        return self.file_id, self.row, self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One delivered file whose de-identified bytes are kept (``object_id`` empty: none kept)."""

    file_id: str
    object_id: str
    kind: str
    name: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version to be added: ``state`` active or pending_correction; ``base_version`` as in `Present`."""

    kind: str
    key: str
    version: int
    base_version: int
    subject_id: str
    values: Mapping[str, str]
    source: str
    file_id: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line for the audit trail."""

    action: str
    object: str
    old: str = ""
    new: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A key under which no row stands any more: how many versions it had, and whose it was."""

    last_version: int
    subject_id: str


@dataclass(slots=True, kw_only=True, eq=False)
class Book:
    """The registry in memory, read at the start of an admission and brought forward by it.

    ``withdrawn`` gives the reason by scope (child, file, row) and object: a subject's id, a file's id, or
    the kind and key of a row. ``locked_plates`` are the names and batches of plates that a reviewer
    locked, in lower case.
    """

    present: dict[tuple[str, str], Present] = field(default_factory=dict)
    pending: list[PendingCorrection] = field(default_factory=list)
    held: dict[tuple[str, int, str], Held] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    gone: dict[tuple[str, str], Gone] = field(default_factory=dict)
    withdrawn: Mapping[tuple[str, str], str] = field(default_factory=dict)
    locked_plates: frozenset[str] = frozenset()

    def knows_subject(self, subject_id: str) -> bool:
        """Tell whether a subject has been admitted."""
        return ("subjects", _subject_key(subject_id)) in self.present

    def subject(self, subject_id: str) -> Mapping[str, str]:
        """Return a subject's row; empty where there is none."""
        found = self.present.get(("subjects", _subject_key(subject_id)))
        return found.values if found else {}

    def is_locked(self, values: Mapping[str, str]) -> bool:
        """Tell whether a row is one of a locked plate."""
        return values.get("plate", "").casefold() in self.locked_plates if values.get("plate") else False

    def is_assigned(self, file_id: str) -> bool:
        """Tell whether a manifest has named a file."""
        return ("acquisitions", acquisition_key(file_id)) in self.present

    def is_withdrawn_file(self, file_id: str) -> bool:
        """Tell whether a file, or the child whose it was, has been taken out of analysis."""
        last = self.gone.get(("acquisitions", acquisition_key(file_id)))
        whose = ("child", last.subject_id) if last else ("", "")
        return ("file", file_id) in self.withdrawn or whose in self.withdrawn


@dataclass(slots=True, kw_only=True, eq=False)
class Changes:
    """What an admission adds to the registry, in order."""

    files: list[StoredFile] = field(default_factory=list)
    versions: list[NewVersion] = field(default_factory=list)
    superseded: list[tuple[str, str, int]] = field(default_factory=list)
    settled_pending: list[PendingCorrection] = field(default_factory=list)
    sightings: list[tuple[str, str, int, str, str]] = field(default_factory=list)
    held: dict[tuple[str, int, str], Held] = field(default_factory=dict)
    released: list[tuple[str, int, str]] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)


def _subject_key(subject_id: str) -> str:
    return f'["subjects","{subject_id}"]'


def row_object(kind: str, key: str) -> str:
    """Return the object by which the withdrawal of a single row is kept."""
    return f"{kind} {key}"


def acquisition_key(file_id: str) -> str:
    """Return the key of an acquisition: a tube is named by the content of its file."""
    return f'["acquisitions","{file_id}"]'
