"""True dates and the house's own names, replaced by ones that only the home's secret could turn back."""

import datetime as dt
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from corelab.tables.schema import TableSchema

if TYPE_CHECKING:
    import pandas as pd

NO_DATE: Final = "[date]"
ISO: Final = "ISO 8601"
_DATE: Final = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_WHOLE: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-][\d:]+)?)?")
_MONTHS: Final = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_OTHER_DATE: Final = re.compile(
    rf"(?<![\d.])(?:(?:19|20)\d{{2}}[./](?:0?[1-9]|1[0-2])[./][0-3]?\d|(?:19|20)\d{{2}}(?:0[1-9]|1[0-2])[0-3]\d"
    rf"|[0-3]?\d[-. ](?:{_MONTHS})[-. ]\d{{4}})(?!\d)",
    re.IGNORECASE,
)
"""Dates in a spelling of their own, which no table of ours writes: they are taken out, not shifted."""
_HASH: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_FILE: Final = re.compile(r"(?P<path>.*\.[A-Za-z][A-Za-z0-9]{1,4})(?P<row>:.*)?", re.DOTALL)
_KNOWN_FILE: Final = re.compile(
    r"(?:subjects|manifest|labs|cytokines|qpcr|assessments|medications|adverse_events|plates/layout"
    r"|plates/standards)\.(?:csv|xlsx)"
)
_NAMES: Final = ("plate", "batch")
_SOURCES: Final = ("source_id", "evidence", "object")
"""Columns that say where something was delivered, by file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disguise:
    """What turns true dates and names into others, always the same ones for one secret.

    Parameters
    ----------
    secret
        The home's own; whoever has it can turn everything back.
    weeks
        Fewest and most weeks that a subject's dates are moved by.
    """

    secret: bytes
    weeks: tuple[int, int]

    def count_days(self, subject_id: str) -> int:
        """Return by how many days all dates of a subject are moved: whole weeks, so a Monday stays one."""
        low, high = self.weeks
        number = int.from_bytes(self._digest(f"shift:{subject_id}")[:8], "big")
        return 7 * (low + number % (high - low + 1))

    def name(self, kind: str, name: str) -> str:
        """Return another name for a name of the house; the same one in every table."""
        return f"{kind}-{self._digest(f'{kind}:{name}').hex()[:12]}" if name else ""

    def hash(self, digest: str) -> str:
        """Return another SHA-256 for that of a file: who has the file cannot find it in the copy."""
        return self._digest(f"hash:{digest}").hex()

    def write(self, text: str, subject_id: str) -> str:
        """Write a text with its dates moved and its hashes replaced; dates of nobody are taken out."""
        days = self.count_days(subject_id) if subject_id else None
        moved = _DATE.sub(lambda found: _move(found[0], days), text)
        plain = moved if days is not None and _WHOLE.fullmatch(moved) else _OTHER_DATE.sub(NO_DATE, moved)
        return _HASH.sub(lambda found: self.hash(found[0]), plain)

    def write_source(self, text: str) -> str:
        """Write where something was delivered, with the names that the house gave its files replaced."""
        return "; ".join(self._write_file(part) for part in text.split("; "))

    def _write_file(self, part: str) -> str:
        found = _FILE.fullmatch(part)
        if found is None or _KNOWN_FILE.fullmatch(found["path"]):
            return part
        folder, _, name = found["path"].rpartition("/")
        stem, _, extension = name.rpartition(".")
        kind = "plate" if folder == "plates" else "file"
        written = f"{self.name(kind, stem)}.{extension}{found['row'] or ''}"
        return f"plates/{written}" if kind == "plate" else written

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self.secret, text.encode("utf-8"), "sha256")


def _move(text: str, days: int | None) -> str:
    if days is None:
        return NO_DATE
    try:
        return (dt.date.fromisoformat(text) + dt.timedelta(days=days)).isoformat()
    except (ValueError, OverflowError):
        return NO_DATE


def disguise_table(
    table: "pd.DataFrame", schema: TableSchema, disguise: Disguise, *, plates: frozenset[str] = frozenset()
) -> "pd.DataFrame":
    """Return a table with every text of it disguised, in the order of its key.

    Parameters
    ----------
    plates
        Names of plates, for findings that name one.

    Notes
    -----
    A time that is no whole date (``2025-06``) cannot be moved by days and is left empty; so is a time of a
    row that belongs to no subject, such as when a plate was read.
    """
    subjects = table["subject_id"] if "subject_id" in table.columns else [""] * len(table)
    times = {column.name for column in schema.columns if column.unit == ISO}
    written = {}
    for name in table.columns:
        if table[name].dtype == object and name not in ("subject_id", "arm"):
            cells = list(zip(table[name], subjects, strict=True))
            known = {
                cell: _write_cell(disguise, str(name), cell, is_time=name in times, plates=plates)
                for cell in set(cells)
            }
            written[str(name)] = [known[cell] for cell in cells]
    return schema.conform(table.assign(**written))


def _write_cell(
    disguise: Disguise, column: str, cell: tuple[str, str], *, is_time: bool, plates: frozenset[str]
) -> str:
    text, subject = cell
    if not text:
        return text
    if column in _NAMES or (column == "object" and text in plates):
        return disguise.name("plate", text)
    if is_time:
        return disguise.write(text, subject) if subject and _WHOLE.fullmatch(text) else ""
    return disguise.write(disguise.write_source(text) if column in _SOURCES else text, subject)


def describe_disguised(schema: TableSchema) -> dict[str, str]:
    """Say of each column of a table how its texts were disguised, by name; the others as they were."""
    said: dict[str, str] = {}
    for column in schema.columns:
        if column.unit == ISO:
            said[column.name] = "moved by whole weeks, the same for all dates of a subject"
        elif column.name in _NAMES:
            said[column.name] = "replaced by another name"
        elif column.name in _SOURCES:
            said[column.name] = "names of files replaced by others"
        elif column.name == "file_id":
            said[column.name] = "replaced by another, which no file has"
    return said


def forget(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column of texts without any."""
    return values.map(lambda _: "")
