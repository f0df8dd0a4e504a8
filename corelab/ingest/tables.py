"""Delivered tables, CSV or workbook, to rows of texts with the row each stands in."""

import csv
import datetime as dt
import io
import struct
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from corelab.errors import TableReadError
from corelab.ingest.layouts import Layout
from corelab.ingest.template import REMARK

_LARGEST_SHEET: Final = 64 * 2**20
_LARGEST_CSV: Final = 64 * 2**20
_MOST_ROWS: Final = 250_000
_MOST_CELLS: Final = 20_000_000
_LAST_ROW: Final = 1_048_576
"""Of a sheet: a row may say that it is any other."""
WORKBOOK_ERRORS: Final = (
    zipfile.BadZipFile, zlib.error, LookupError, ValueError, TypeError, AttributeError, OSError, EOFError,
    SyntaxError, ArithmeticError, RuntimeError, AssertionError, struct.error,
)  # fmt: skip
"""What openpyxl, zipfile and the XML parser end with on a damaged workbook; they promise nothing."""
_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_MOST_COLUMNS: Final = 1_000
_LONGEST_CELL: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredRow:
    """One row: its number (the header is row 1, as a spreadsheet counts) and its texts by column.

    ``problem`` says why the cells cannot be told apart, and is empty otherwise.
    """

    number: int
    values: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredTable:
    """One delivered table.

    ``remarks`` are for the person who delivered it: another encoding, columns that are not read.
    """

    path: str
    layout: Layout
    rows: tuple[DeliveredRow, ...]
    remarks: tuple[str, ...]


def parse_table(data: bytes, layout: Layout, *, path: str) -> DeliveredTable:
    """Read a delivered table.

    Parameters
    ----------
    data
        The whole file: CSV in UTF-8 (with or without BOM) or GB18030, or an ``.xlsx`` workbook whose
        first sheet is read.
    layout
        The columns to look for.
    path
        What to call the file.

    Raises
    ------
    TableReadError
        If the file cannot be decoded, has no header, names a column twice, or lacks a required column.
    """
    is_workbook = path.lower().endswith(".xlsx")
    remarks: list[str] = []
    if is_workbook:
        cells = _read_workbook(data, path)
    else:
        text, remark = decode_text(data, path=path)
        remarks += [remark] if remark else []
        cells = _read_csv(text, path)
    numbered = [(number, row) for number, row in enumerate(cells, start=1) if _is_data(row)]
    if not numbered:
        raise TableReadError("the table is empty", place=path, expected=f"a header {', '.join(layout.names)}")
    (header_row, header), *body = numbered
    columns = _check_header(header, layout, place=f"{path}:{header_row}")
    unknown = [name for name in columns if name and name not in layout.names]
    if unknown:
        remarks.append(f"{path}: columns not read: {', '.join(unknown)}")
    rows = tuple(_pick(number, row, columns, layout) for number, row in body)
    return DeliveredTable(path=path, layout=layout, rows=rows, remarks=tuple(remarks))


def _is_data(row: Sequence[str]) -> bool:
    return any(map(str.strip, row)) and not row[0].lstrip().startswith(REMARK)


def decode_text(data: bytes, *, path: str) -> tuple[str, str]:
    """Decode UTF-8, tolerating a BOM, else GB18030; say so where it was the latter.

    Raises
    ------
    TableReadError
        If it is neither.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise TableReadError("UTF-16 text", place=path, expected="UTF-8", remedy="save as CSV UTF-8")
    if b"\0" in data:
        raise TableReadError("bytes that are no text", place=path, expected="a CSV table in UTF-8")
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("gb18030"), f"{path}: read as GB18030; save as UTF-8 to be sure"
    except UnicodeDecodeError as error:
        raise TableReadError(
            "text in an unknown encoding", place=path, expected="UTF-8 or GB18030", remedy="save as CSV UTF-8"
        ) from error


def _read_csv(text: str, path: str) -> list[list[str]]:
    if len(text) > _LARGEST_CSV:
        raise TableReadError("more than 64 MiB", place=path, expected="the rows of one trial")
    try:
        return list(check_amount(csv.reader(io.StringIO(text, newline=""), strict=True), path=path))
    except csv.Error as error:
        raise TableReadError(f"not readable as CSV ({error})", place=path) from error


def _read_workbook(data: bytes, path: str) -> list[list[str]]:
    """Read the first sheet; sizes are checked before anything is unpacked."""
    check_unpacked_size(data, path)
    try:
        return _load_first_sheet(data, path)
    except WORKBOOK_ERRORS as error:
        raise _unreadable_workbook(path) from error


def check_unpacked_size(data: bytes, path: str) -> None:
    """Refuse a workbook that unpacks to more than 64 MiB.

    Raises
    ------
    TableReadError
        If it does, or is no workbook.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except WORKBOOK_ERRORS as error:
        raise _unreadable_workbook(path) from error
    if size > _LARGEST_SHEET:
        raise TableReadError("unpacks to more than 64 MiB", place=path, expected="a smaller workbook")


def _load_first_sheet(data: bytes, path: str) -> list[list[str]]:
    import openpyxl

    with warnings.catch_warnings():
        # openpyxl remarks on styles and extensions, which are not read here.
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        try:
            rows = iterate_sheet(book.worksheets[0], path=path)
            return [[format_cell(value) for value in row] for row in rows]
        finally:
            book.close()


def _unreadable_workbook(path: str) -> TableReadError:
    return TableReadError(
        "not readable as an .xlsx workbook", place=path, remedy="save it again or as CSV UTF-8"
    )


def iterate_sheet(sheet: Any, *, path: str) -> Iterator[Any]:
    """Yield the rows of a workbook's sheet, all that are there and not those that it says there are.

    Raises
    ------
    TableReadError
        As `check_amount`.
    """
    sheet.reset_dimensions()
    return check_amount(sheet.iter_rows(values_only=True), path=path)


def check_amount(rows: Iterable[Any], *, path: str) -> Iterator[Any]:
    """Pass rows on until they are more than a table has; of an empty one only its place is kept.

    Raises
    ------
    TableReadError
        If there are too many rows or cells, or one lies where no sheet ends.
    """
    kept = cells = 0
    for number, row in enumerate(rows, start=1):
        is_empty = not any(value not in (None, "") for value in row)
        kept, cells = kept + (not is_empty), cells + len(row)
        if kept > _MOST_ROWS or cells > _MOST_CELLS or number > _LAST_ROW:
            found = f"more than {_MOST_ROWS} rows or {_MOST_CELLS} cells"
            raise TableReadError(found, place=path, expected="the rows of one trial")
        yield () if is_empty else row


def format_cell(value: object) -> str:
    """Write a workbook's cell as a CSV would hold it.

    Examples
    --------
    >>> format_cell(38.0), format_cell(1.25), format_cell(dt.datetime(2025, 3, 1, 8, 30)), format_cell(None)
    ('38', '1.25', '2025-03-01T08:30:00', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _check_header(header: Sequence[str], layout: Layout, *, place: str) -> list[str]:
    if len(header) > _MOST_COLUMNS:
        raise TableReadError(f"{len(header)} columns", place=place, expected=f"at most {_MOST_COLUMNS}")
    columns = [unicodedata.normalize("NFKC", name).strip().lower() for name in header]
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise TableReadError(f"column {twice[0]!r} stands twice", place=place, expected="each column once")
    needed = [field.name for field in layout.fields if field.required]
    if layout.stem == "subjects":
        needed += [] if "birth_date" in columns else ["age_years"]
    missing = [name for name in needed if name not in columns]
    if missing:
        check_separator(columns, place=place)
        raise TableReadError(
            f"no column {', '.join(missing)}", place=place, expected=", ".join(needed),
            remedy="see corelab template",
        )  # fmt: skip
    return columns


def check_separator(columns: Sequence[str], *, place: str) -> None:
    """Name another separator than the comma, as some spreadsheet programs write it.

    Raises
    ------
    TableReadError
        If a header of one cell holds one.
    """
    found = [word for mark, word in _SEPARATORS.items() if len(columns) == 1 and mark in columns[0]]
    if found:
        raise TableReadError(
            f"columns are separated by {found[0]}", place=place, expected="commas, and points in numbers",
            remedy="save as CSV UTF-8 with commas, or as .xlsx",
        )  # fmt: skip


def _pick(number: int, row: Sequence[str], columns: Sequence[str], layout: Layout) -> DeliveredRow:
    problem = ""
    if any(map(str.strip, row[len(columns) :])):
        problem = f"{len(row)} cells under {len(columns)} columns"
    if any(len(text) > _LONGEST_CELL for text in row):
        problem = f"a cell of more than {_LONGEST_CELL} characters"
    given = dict(zip(columns, row, strict=False))
    values = {name: given.get(name, "").strip()[:_LONGEST_CELL] for name in layout.names}
    return DeliveredRow(number=number, values=values, problem=problem)


def format_delivered(table: DeliveredTable) -> bytes:
    """Write the columns that are read, and no other, as CSV: what is kept of a delivered table."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["row", *table.layout.names])
    for row in table.rows:
        writer.writerow([row.number, *(row.values[name] for name in table.layout.names)])
    return buffer.getvalue().encode("utf-8", "surrogatepass")
