"""Bytes of an export to rows of cells: encoding, delimiter, decimal sign."""

import csv
import datetime as dt
import io
import math
import re
from collections.abc import Sequence
from typing import Final

from corelab.errors import PlateReadError

NAN: Final = float("nan")
_WELL: Final = re.compile(r"([A-Pa-p])0?([1-9]|1[0-9]|2[0-4])")
_POINT: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_COMMA: Final = re.compile(r"[+-]?(?:\d+(?:,\d*)?|,\d+)(?:[eE][+-]?\d{1,3})?")
_NOTHING: Final = ("", "nan", "n/a", "na", "-nan", "null", "<none>")
_HIGH_RUN: Final = re.compile(rb"[\x80-\xff]+")
_TIME: Final = r"(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AaPp][Mm])?)?"
_SLASHED: Final = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})" + _TIME)
_NAMED: Final = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*[- ](\d{4})" + _TIME)
_ISO: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})" + _TIME)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SNIFFED_ROWS: Final = 40
_LONGEST: Final = 64 * 2**20


def decode_export(data: bytes, *, name: str) -> tuple[str, str]:
    """Decode an export; return its text and, where it is not UTF-8, which encoding it was.

    UTF-8 and UTF-16 are told by their marks and rules; otherwise bytes that come in pairs are GB18030, single
    ones are Windows-1252 (``µ``, ``°``).

    Raises
    ------
    PlateReadError
        If it is none of them, holds no text, or is larger than 64 MiB.
    """
    if not data.strip():
        raise PlateReadError("the file is empty", place=name, expected="the export of a plate reader")
    if len(data) > _LONGEST:
        raise PlateReadError(f"{len(data)} bytes", place=name, expected="at most 64 MiB")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _decode(data, "utf-16", name), "utf-16"
    if b"\0" in data:
        raise PlateReadError(
            "bytes that are no text", place=name, expected="CSV or .xlsx", remedy="export the plate again"
        )
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        runs = _HIGH_RUN.findall(data)
        paired = sum(len(run) % 2 == 0 for run in runs) * 2 > len(runs)
    encoding = "gb18030" if paired else "cp1252"
    return _decode(data, encoding, name), encoding


def _decode(data: bytes, encoding: str, name: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise PlateReadError(
            f"text that is no {encoding}", place=name, expected="UTF-8, UTF-16, Windows-1252 or GB18030",
            remedy="export the plate again as UTF-8",
        ) from error  # fmt: skip
    if any(ord(mark) < 32 and mark not in "\t\r\n\f" for mark in text):
        raise PlateReadError("control characters", place=name, expected="plain text")
    return text


def find_delimiter(text: str) -> str:
    """Return the sign that separates the cells: the one of comma, semicolon and tab that most rows hold."""
    head = text.splitlines()[:_SNIFFED_ROWS]
    return max(
        ",;\t", key=lambda mark: (sum(mark in line for line in head), sum(line.count(mark) for line in head))
    )


def split_cells(text: str, *, name: str) -> tuple[list[list[str]], bool]:
    """Split a text into rows of stripped cells; say whether numbers may have a decimal comma.

    Raises
    ------
    PlateReadError
        If a quotation does not end.
    """
    delimiter = find_delimiter(text)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows = [[cell.strip() for cell in row] for row in reader]
    except csv.Error as error:
        raise PlateReadError(
            f"not readable as a table ({error})", place=name, remedy="export the plate again"
        ) from error
    return rows, delimiter != ","


def parse_number(text: str, *, decimal_comma: bool, place: str) -> float:
    """Read a number; a blank, ``NaN`` or ``N/A`` is NaN.

    Raises
    ------
    PlateReadError
        If it is anything else, so that no mark of a vendor is taken for a missing number.

    Examples
    --------
    >>> parse_number("12,5", decimal_comma=True, place=""), parse_number("NaN", decimal_comma=False, place="")
    (12.5, nan)
    """
    if text.lower() in _NOTHING:
        return NAN
    if _POINT.fullmatch(text):
        return float(text)
    if decimal_comma and _COMMA.fullmatch(text):
        return float(text.replace(",", "."))
    remedy = "write a decimal point without thousands separators" if "," in text else ""
    raise PlateReadError(
        f"{text[:40]!r} is no number", place=place, expected="a number or NaN", remedy=remedy
    )


def parse_well(text: str, *, place: str) -> str:
    """Return a well as ``A1`` to ``P24``.

    Raises
    ------
    PlateReadError
        If it names no well of a 96- or 384-well plate.

    Examples
    --------
    >>> parse_well("a01", place="")
    'A1'
    """
    match = _WELL.fullmatch(text.strip())
    if match is None:
        raise PlateReadError(f"{text[:40]!r} is no well", place=place, expected="A1 to P24")
    return f"{match[1].upper()}{match[2]}"


def parse_run_time(text: str) -> str:
    """Return a reader's date and time as ISO 8601; empty where it can be read in two ways or not at all.

    A day above 12 or a time of 12 hours (``PM``, as US settings write it) tells the month from the day.

    Examples
    --------
    >>> parse_run_time("28/02/2014 21:44:35"), parse_run_time("5/12/2022 6:17:40 PM")
    ('2014-02-28T21:44:35', '2022-05-12T18:17:40')
    >>> parse_run_time("02-Mar-2007, 01:03 PM"), parse_run_time("05/12/2022")
    ('2007-03-02T13:03:00', '')
    """
    spelled = text.strip()
    if match := _ISO.fullmatch(spelled):
        return _moment(match[1], match[2], match[3], match.groups()[3:])
    if match := _NAMED.fullmatch(spelled):
        month = match[2].lower()
        number = str(_MONTHS.index(month) + 1) if month in _MONTHS else ""
        return _moment(match[3], number, match[1], match.groups()[3:])
    if match := _SLASHED.fullmatch(spelled):
        first, second = int(match[1]), int(match[2])
        if first > 12:
            return _moment(match[3], match[2], match[1], match.groups()[3:])
        if second > 12 or match[7] or first == second:
            return _moment(match[3], match[1], match[2], match.groups()[3:])
    return ""


def _moment(year: str, month: str, day: str, time: Sequence[str | None]) -> str:
    hour, minute, second = (int(part or 0) for part in time[:3])
    if time[3]:
        hour = hour % 12 + (12 if time[3].lower() == "pm" else 0)
    try:
        return dt.datetime(int(year), int(month or 0), int(day), hour, minute, second).isoformat()
    except ValueError:
        return ""


def is_number(value: float) -> bool:
    """Tell whether a value was given.

    Examples
    --------
    >>> is_number(0.0), is_number(NAN)
    (True, False)
    """
    return not math.isnan(value)


def cell_at(row: Sequence[str], column: int) -> str:
    """Return a cell; the empty text beyond the end of a row."""
    return row[column] if 0 <= column < len(row) else ""
