"""An export as sheets of cells: opened from CSV or a workbook, cleared of people and places, packed again."""

import io
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Final

from corelab.errors import PlateReadError, TableReadError
from corelab.ingest.plates.cells import decode_export, split_cells
from corelab.ingest.tables import WORKBOOK_ERRORS, check_unpacked_size, format_cell, iterate_sheet

_ZIPPED: Final = b"PK\x03\x04"
_COMPOUND: Final = b"\xd0\xcf\x11\xe0"
_MOST_CELLS: Final = 5_000_000
_PERSONAL: Final = (
    "operator", "computername", "computer name", "computer", "signed by", "user", "userid", "user id",
    "user name", "username", "file name", "file path", "filename", "path", "analyst", "technician",
    "performed by", "read by", "created by", "approved by", "acquired by", "last modified by", "owner",
    "experiment path", "protocol path", "file",
)  # fmt: skip
_COLUMN_NAMES: Final = (
    "well",
    "well location",
    "sample",
    "location",
    "type",
    "assay",
    "fi",
    "signal",
    "message",
)
_KEYED: Final = re.compile(r"([A-Za-z][A-Za-z ]*?)\s*[:=]\s*(.*)", re.DOTALL)
_PATH: Final = re.compile(
    r"(?:\b[A-Za-z]:[\\/]|\\\\[^\\\s]+\\|file://|/(?:Users|home|mnt|Volumes)/)\S.*", re.DOTALL
)
_LOG_BLOCKS: Final = ("audit logs",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sheet: its title (empty for CSV) and rows of stripped cells."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheets:
    """A whole export. ``encoding`` names what a CSV was written in, if not UTF-8."""

    sheets: tuple[Sheet, ...]
    decimal_comma: bool
    encoding: str = ""

    @property
    def first(self) -> tuple[tuple[str, ...], ...]:
        """Rows of the first sheet."""
        return self.sheets[0].rows


def open_export(data: bytes, *, name: str) -> Sheets:
    """Read the bytes of an export into cells: CSV or text, ``.xlsx``, ``.xls``, told by their first bytes.

    Raises
    ------
    PlateReadError
        If it is none of them, is damaged, or holds no cell.
    """
    if data.startswith(_ZIPPED):
        sheets = _open_xlsx(data, name)
    elif data.startswith(_COMPOUND):
        sheets = _open_xls(data, name)
    else:
        text, encoding = decode_export(data, name=name)
        rows, decimal_comma = split_cells(text, name=name)
        only = Sheet(title="", rows=tuple(tuple(row) for row in rows))
        return Sheets(sheets=(only,), decimal_comma=decimal_comma, encoding=encoding)
    filled = tuple(sheet for sheet in sheets if any(any(row) for row in sheet.rows))
    if not filled:
        raise PlateReadError("the workbook is empty", place=name, expected="the export of a plate reader")
    if sum(len(row) for sheet in filled for row in sheet.rows) > _MOST_CELLS:
        raise PlateReadError("more than 5 million cells", place=name, expected="the export of one plate")
    return Sheets(sheets=filled, decimal_comma=False)


def _open_xlsx(data: bytes, name: str) -> list[Sheet]:
    import openpyxl

    try:
        check_unpacked_size(data, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            try:
                return [_take_sheet(str(one.title), iterate_sheet(one, path=name)) for one in book.worksheets]
            finally:
                book.close()
    except TableReadError as error:
        raise _unreadable(name, ".xlsx") from error
    except WORKBOOK_ERRORS as error:
        raise _unreadable(name, ".xlsx") from error


def _open_xls(data: bytes, name: str) -> list[Sheet]:
    import xlrd

    try:
        book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO())
        return [
            _take_sheet(
                sheet.name, [[_read_old_cell(cell, book) for cell in row] for row in sheet.get_rows()]
            )
            for sheet in book.sheets()
        ]
    except (xlrd.XLRDError, xlrd.compdoc.CompDocError, *WORKBOOK_ERRORS) as error:
        raise _unreadable(name, ".xls") from error


def _read_old_cell(cell: Any, book: Any) -> object:
    """Return the value of a cell of the old binary format; a date as one, an error as nothing."""
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        return xlrd.xldate.xldate_as_datetime(cell.value, book.datemode)
    return None if cell.ctype == xlrd.XL_CELL_ERROR else cell.value


def _take_sheet(title: str, rows: object) -> Sheet:
    cells = [tuple(format_cell(value).strip() for value in row) for row in rows]  # type: ignore[attr-defined]
    while cells and not any(cells[-1]):
        cells.pop()
    return Sheet(title=title.strip(), rows=tuple(cells))


def _unreadable(name: str, kind: str) -> PlateReadError:
    return PlateReadError(f"not readable as an {kind} workbook", place=name, remedy="export the plate again")


def blank_people(sheets: Sheets) -> Sheets:
    r"""Return an export without operators, computers and paths; rows and columns stay where they were.

    Blanked are the cells after such a key (``Operator,mw``), the text after it in one cell
    (``File Name: C:\...``), columns under such a heading, whatever looks like a path on a disk, and the
    entries of audit logs.
    """
    return replace(
        sheets, sheets=tuple(replace(one, rows=tuple(_blank_rows(one.rows))) for one in sheets.sheets)
    )


def _blank_rows(rows: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    columns: frozenset[int] = frozenset()
    in_log = False
    for row in rows:
        if not any(row):
            columns = frozenset()
        first = row[0].casefold() if row else ""
        if first.startswith("datatype"):
            in_log = len(row) > 1 and row[1].casefold() in _LOG_BLOCKS
            columns = frozenset()
        in_log = in_log and not first.startswith("--")
        if in_log and not first.startswith(("datatype", "userid")):
            yield tuple("" for _ in row)
            continue
        yield _blank_row(row, columns)
        named = frozenset(place for place, cell in enumerate(row) if _is_personal(cell))
        if named and _is_heading(row):
            columns = named


def _is_heading(row: Sequence[str]) -> bool:
    """Tell a row of column names from a key with its values."""
    return any(cell.casefold() in _COLUMN_NAMES for cell in row)


def _is_personal(cell: str) -> bool:
    return " ".join(cell.casefold().strip(":").split()) in _PERSONAL


def _blank_row(row: tuple[str, ...], columns: frozenset[int]) -> tuple[str, ...]:
    after_key = bool(row) and _is_personal(row[0]) and not _is_heading(row)
    return tuple(
        "" if place in columns or (after_key and place > 0) else _blank_cell(cell)
        for place, cell in enumerate(row)
    )


def _blank_cell(cell: str) -> str:
    keyed = _KEYED.fullmatch(cell)
    if keyed and keyed[2] and _is_personal(keyed[1]):
        return f"{keyed[1]}:"
    return _PATH.sub("", cell).strip()


def pack_sheets(sheets: Sheets) -> bytes:
    """Write an export's cells as they are kept: JSON in UTF-8, the same cells always the same bytes."""
    content = {
        "decimal_comma": sheets.decimal_comma,
        "encoding": sheets.encoding,
        "sheets": [{"title": one.title, "rows": one.rows} for one in sheets.sheets],
    }
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def unpack_sheets(data: bytes) -> Sheets:
    """Read what `pack_sheets` wrote."""
    content = json.loads(data.decode("utf-8", "surrogatepass"))
    return Sheets(
        sheets=tuple(
            Sheet(title=one["title"], rows=tuple(tuple(row) for row in one["rows"]))
            for one in content["sheets"]
        ),
        decimal_comma=content["decimal_comma"],
        encoding=content["encoding"],
    )


def name_plate(path: str) -> str:
    """Return a plate's name: the stem of its file.

    Examples
    --------
    >>> name_plate("plates/run 1.v2.csv")
    'run 1.v2'
    """
    return PurePosixPath(path).stem
