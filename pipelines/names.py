"""Takes persons out of the names of a delivery's files before anything is said or stored of them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from corelab.errors import InputError
from corelab.ingest.book import StoredFile
from corelab.ingest.delivery import DeliveredFile, FileKind, read_delivered, table_stem
from corelab.ingest.file_names import (
    NAME_COLUMNS,
    NameMask,
    build_mask,
    clean_paths,
    compute_name_code,
    encode_path,
    guess_personal_words,
    is_plain_name,
    read_personal_values,
)
from corelab.ingest.layouts import LAYOUTS
from corelab.ingest.tables import DeliveredTable, parse_table

if TYPE_CHECKING:
    from corelab.store import Home

CODE: Final = "name_code"
"""The fact by which a stored file is found under the name that was taken from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The files of a delivery under names that may be stored, and their names as they were delivered."""

    files: tuple[DeliveredFile, ...]
    mask: NameMask
    originals: Mapping[str, str] = field(default_factory=dict)
    """Delivered path by clean path, of files whose name was changed."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Stored name by code, of files that lost their name in an earlier delivery."""
    key: bytes = b""
    seen: frozenset[str] = frozenset()
    """Names of FCS files that are in this delivery or came before, without their folders."""
    subject_ids: frozenset[str] = frozenset()

    def restore(self, path: str) -> str:
        """Return a file's path as it was delivered: for finding, never for keeping."""
        return self.originals.get(path, path)

    def clean_stored(self, stored: StoredFile) -> StoredFile:
        """Give a file that lost its name the code by which a later manifest finds it."""
        if stored.name not in self.originals or CODE in stored.facts:
            return stored
        code = compute_name_code(self.originals[stored.name], key=self.key)
        return replace(stored, facts={**stored.facts, CODE: code})

    def clean_table(self, table: DeliveredTable) -> DeliveredTable:
        """Return a table whose names of files hold no person."""
        cleaners = {"file": self._clean_file, "plate": self.mask.clean_path}
        columns = [name for name in NAME_COLUMNS if name in table.layout.names]
        if not columns:
            return table
        rows = tuple(
            replace(row, values={**row.values, **{one: cleaners[one](row.values[one]) for one in columns}})
            for row in table.rows
        )
        return replace(table, rows=rows)

    def _clean_file(self, name: str) -> str:
        """Return a name by which a file is found; of one that nobody has seen a code, unless it is plain."""
        found = self.known.get(compute_name_code(name, key=self.key), "")
        if found or not name:
            return found
        is_seen = _base(name) in self.seen or is_plain_name(name, subject_ids=self.subject_ids)
        return self.mask.clean_path(name) if is_seen else self.encode(name)

    def encode(self, path: str) -> str:
        """Return the code of a path, by which a row finds the file that comes after it."""
        return encode_path(path, key=self.key)


def name_files(home: "Home", files: Sequence[DeliveredFile], known: Iterable[StoredFile]) -> Naming:
    """Read whom the FCS files of a delivery name, and give every file a name without them."""
    known = list(known)
    lost = {one.facts[CODE]: one.name for one in known if CODE in one.facts}
    values = [value for one in files if one.kind is FileKind.FCS for value in _read_values(one)]
    values += [word for one in files if one.kind is FileKind.FCS for word in guess_personal_words(one.path)]
    subject_ids = frozenset(home.registry.subject_ids() | _list_subjects(files))
    mask = _build(files, values, subject_ids) if values else NameMask()
    cleaned = {one.path: one.path for one in files}
    if mask.pattern is not None:
        cleaned = clean_paths(mask, cleaned)
    return Naming(
        files=tuple(replace(one, path=cleaned[one.path]) for one in files),
        mask=mask, known=lost, key=home.name_key(), subject_ids=subject_ids,
        originals={clean: path for path, clean in cleaned.items() if clean != path},
        seen=frozenset(_list_seen(home, files, known)),
    )  # fmt: skip


def _build(files: Sequence[DeliveredFile], values: Iterable[str], subject_ids: Collection[str]) -> NameMask:
    readers: dict[str, Callable[[], bytes]] = {one.path: lambda one=one: _read(one) for one in files}  # type: ignore[misc]
    return build_mask(values, readers, subject_ids=subject_ids)


def _list_seen(home: "Home", files: Iterable[DeliveredFile], known: Iterable[StoredFile]) -> Iterator[str]:
    yield from (_base(one.path) for one in files if one.kind is FileKind.FCS)
    yield from (_base(one.name) for one in known if one.kind == "fcs")
    yield from (_base(row["path"]) for row in home.registry.quarantine_rows() if not row["row"])


def _base(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _read_values(delivered: DeliveredFile) -> list[str]:
    from corelab.ingest.fcs import map_file

    try:
        return read_personal_values(map_file(delivered.location))
    except OSError:
        return []


def _read(delivered: DeliveredFile) -> bytes:
    try:
        return read_delivered(delivered)
    except InputError:
        return delivered.path.encode("utf-8", "surrogatepass")


def _list_subjects(files: Sequence[DeliveredFile]) -> set[str]:
    """List the pseudonyms that the delivery's own table of subjects admits."""
    found: set[str] = set()
    for one in files:
        if one.kind is not FileKind.TABLE or table_stem(one.path) != "subjects":
            continue
        try:
            table = parse_table(read_delivered(one), LAYOUTS[table_stem(one.path)], path=one.path)
        except InputError:
            continue
        found |= {row.values["subject_id"] for row in table.rows if row.values["subject_id"]}
    return found
