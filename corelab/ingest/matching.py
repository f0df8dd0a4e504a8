"""Which FCS file a row of a manifest names."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from corelab.ingest.book import Book, Held, StoredFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The file that a manifest names, or why there is none."""

    file_id: str = ""
    reason: str = ""


def normalise_name(name: str) -> str:
    r"""Return a delivered name with forward slashes and without ``./``.

    Examples
    --------
    >>> normalise_name(".\\fcs\\a.fcs")
    'fcs/a.fcs'
    """
    return PurePosixPath(name.replace("\\", "/")).as_posix().removeprefix("./")


def match_file(
    name: str, *, manifest_path: str, delivered: Mapping[str, str], book: Book, fresh: bool
) -> Match:
    """Find the file that a manifest's ``file`` names.

    Parameters
    ----------
    name
        The text of the column.
    manifest_path
        Path of the manifest; a name is first read beside it.
    delivered
        File id by path, of this delivery.
    book
        The registry; its files without an owner are tried after those of the delivery, then those with
        one (a manifest delivered again).
    fresh
        Whether the row belongs to this delivery. One that waited takes no file that has an owner.

    Returns
    -------
    Match
        One file, or a reason: not delivered, or several of that name.
    """
    wanted = normalise_name(name)
    folder = PurePosixPath(manifest_path).parent

    def is_free(file_id: str) -> bool:
        return fresh or not book.is_assigned(file_id)

    # Each is tried only where the one before finds none: in a large delivery the first finds nearly all.
    finders: tuple[Callable[[], set[str]], ...] = (
        lambda: {delivered[path] for path in (str(folder / wanted), wanted) if path in delivered},
        lambda: _by_basename(delivered.items(), wanted),
        lambda: _by_name(_named(book, assigned=False), wanted),
        lambda: _by_name(_named(book, assigned=True), wanted) if fresh else set(),
    )
    for find in finders:
        found = {file_id for file_id in find() if is_free(file_id)}
        if len(found) == 1:
            return Match(file_id=found.pop())
        if found:
            return Match(
                reason=f"{name} names {len(found)} files; expected one; give the path in the delivery"
            )
    return Match(reason=f"{name} was not delivered; deliver the file")


def _named(book: Book, *, assigned: bool) -> list[tuple[str, str]]:
    return [
        (stored.name, stored.file_id)
        for stored in book.files.values()
        if stored.kind == "fcs" and book.is_assigned(stored.file_id) is assigned
    ]


def _by_basename(files: Iterable[tuple[str, str]], wanted: str) -> set[str]:
    base = _base(wanted)
    return {file_id for path, file_id in files if _base(path) == base}


def _base(path: str) -> str:
    """Return the last part of a path with forward slashes."""
    return path.rpartition("/")[2]


def _by_name(files: Iterable[tuple[str, str]], wanted: str) -> set[str]:
    listed = list(files)
    return {file_id for path, file_id in listed if path == wanted} or _by_basename(listed, wanted)


def names_file(wanted: str, stored: StoredFile) -> bool:
    """Tell whether a manifest's text could mean a stored file."""
    return _base(normalise_name(wanted)) == _base(stored.name)


def is_answered_by(held: Held, stored: StoredFile) -> bool:
    """Tell whether a file that could not be read has been delivered again, whole this time."""
    return held.row == 0 and not held.values and (held.path == stored.name or held.file_id == stored.file_id)


def as_file(held: Held) -> StoredFile:
    """Describe a file that could not be read as if it were stored."""
    return StoredFile(file_id=held.file_id, object_id="", kind=held.kind, name=held.path, facts={})


def why_unnamed(stored: StoredFile, rows: Iterable[Held]) -> str:
    """Say why an FCS file has no tube: a row that names it waits, or none does."""
    for held in rows:
        if names_file(held.values.get("file", ""), stored):
            return f"its row {held.path} waits: {held.reason}"
    return "no manifest names this file; expected a row in manifest.csv"
