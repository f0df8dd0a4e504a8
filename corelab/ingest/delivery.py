"""What a delivery holds: each file recognised by its name, none guessed."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final

from corelab.errors import InputError
from corelab.ingest.layouts import LAYOUTS
from corelab.ingest.matrices import SUFFIX


class FileKind(StrEnum):
    """What a file's name says it is."""

    TABLE = "table"
    FCS = "fcs"
    SPILLOVER = "spillover"
    GATES = "gates"
    PLATE = "plate"
    UNKNOWN = "unknown"


TRUTH: Final = "truth"
_TABLE_SUFFIXES: Final = (".csv", ".xlsx")
_GATE_SUFFIXES: Final = (".wsp", ".gml")
PLATE_FOLDER: Final = "plates"
_PLATE_SUFFIXES: Final = (".csv", ".txt", ".tsv", ".xlsx", ".xls")
_LARGEST_FILE: Final = 4 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredFile:
    """One file of a delivery: its path inside it, where it lies, and its kind."""

    path: str
    location: Path
    kind: FileKind


def recognise(path: str) -> FileKind:
    """Say what a file is by its path inside the delivery.

    Examples
    --------
    >>> [recognise(path).value for path in ("labs.csv", "fcs/a.FCS", "a.wsp", "a.spill.csv", "x.csv")]
    ['table', 'fcs', 'gates', 'spillover', 'unknown']
    >>> [recognise(path).value for path in ("plates/p1.csv", "plates/layout.csv", "layout.csv")]
    ['plate', 'table', 'unknown']
    """
    name = PurePosixPath(path).name.lower()
    if _is_in_plates(path) and name.endswith(_PLATE_SUFFIXES):
        is_table = name.endswith(_TABLE_SUFFIXES) and table_stem(path) in LAYOUTS
        return FileKind.TABLE if is_table else FileKind.PLATE
    if name.endswith(SUFFIX):
        return FileKind.SPILLOVER
    if name.endswith(".fcs"):
        return FileKind.FCS
    if name.endswith(_GATE_SUFFIXES):
        return FileKind.GATES
    if name.endswith(_TABLE_SUFFIXES) and table_stem(path) in LAYOUTS:
        return FileKind.TABLE
    return FileKind.UNKNOWN


def table_stem(path: str) -> str:
    """Return the lower-case stem by which a table is recognised, with the folder of plates before it."""
    stem = PurePosixPath(path).stem.lower()
    return f"{PLATE_FOLDER}/{stem}" if _is_in_plates(path) else stem


def _is_in_plates(path: str) -> bool:
    return PLATE_FOLDER in (part.lower() for part in PurePosixPath(path).parts[:-1])


def list_delivery(location: Path) -> list[DeliveredFile]:
    """List the files of a delivery folder, or a single file, in the order of their paths.

    Folders named ``truth`` and hidden files are left out; a link that leads out of the folder is not
    followed.

    Raises
    ------
    InputError
        If there is nothing at that place.
    """
    if location.is_file():
        return [_describe(_name_inside(location), location)]
    if not location.is_dir():
        raise InputError(
            "there is no such file or folder", place=location.name, expected="a delivery",
            remedy="check the path",
        )  # fmt: skip
    # The folder of plates may be delivered by itself; its files are known by where they lie.
    base = location.parent if location.resolve().name.lower() == PLATE_FOLDER else location
    found = (_describe(path.relative_to(base).as_posix(), path) for path in _files_under(location))
    return sorted(found, key=lambda delivered: delivered.path)


def _name_inside(location: Path) -> str:
    """Return a single file's path inside its delivery: with the folder of plates it lies in."""
    folder = location.resolve().parent.name
    return f"{PLATE_FOLDER}/{location.name}" if folder.lower() == PLATE_FOLDER else location.name


def _files_under(folder: Path) -> Iterator[Path]:
    base = folder.resolve()
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if TRUTH in parts[:-1] or any(part.startswith(".") for part in parts) or not path.is_file():
            continue
        if path.resolve().is_relative_to(base):
            yield path


def _describe(path: str, location: Path) -> DeliveredFile:
    # A name that is no UTF-8 on the disk gets a replacement mark, so that it can be stored and shown.
    readable = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return DeliveredFile(
        path=unicodedata.normalize("NFC", readable), location=location, kind=recognise(readable)
    )


def read_delivered(delivered: DeliveredFile) -> bytes:
    """Return a delivered file's bytes.

    Raises
    ------
    InputError
        If it cannot be read or is larger than 4 GiB.
    """
    try:
        size = delivered.location.stat().st_size
        if size > _LARGEST_FILE:
            raise InputError(f"{size} bytes", place=delivered.path, expected="at most 4 GiB")
        return delivered.location.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", place=delivered.path) from error
