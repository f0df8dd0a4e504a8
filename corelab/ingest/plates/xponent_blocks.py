"""The skeleton of an xPONENT CSV: settings, then blocks that begin with ``DataType:``, then a checksum."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.errors import PlateReadError
from corelab.ingest.plates.cells import NAN, cell_at, parse_number, parse_well

Row = tuple[int, Sequence[str]]
"""A row of cells with its number in the file."""

_LOCATION: Final = re.compile(r"\d+\s*\((\d+),\s*([A-P]\d{1,2})\)")
_SPLIT_LOCATION: Final = (re.compile(r"\d+\s*\(\d+"), re.compile(r"[A-P]\d{1,2}\)"))
_END: Final = re.compile(r"CRC\d*:\s*[0-9A-Fa-f]+")
_NO_ANALYTES: Final = ("", "Total Events", "Notes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """The parts of a file: settings by their first cell, and rows by data type."""

    name: str
    decimal_comma: bool
    settings: Mapping[str, Sequence[str]]
    rows: Mapping[str, Sequence[Row]]
    lot: str

    def place(self, number: int) -> str:
        """Return ``<file>:<row>``."""
        return f"{self.name}:{number}"

    def number(self, row: Row, column: int) -> float:
        """Read a cell as a number."""
        return parse_number(
            cell_at(row[1], column), decimal_comma=self.decimal_comma, place=self.place(row[0])
        )

    def setting(self, key: str) -> str:
        """Return what stands beside a key of the header."""
        return cell_at(self.settings.get(key, ()), 1)

    def labelled(self, kind: str, label: str) -> Row | None:
        """Return the row of a block that begins with a label."""
        return next((row for row in self.rows.get(kind, ()) if cell_at(row[1], 0) == label), None)

    def below_header(self, kind: str) -> Iterator[Row]:
        """Yield the rows of a block after its header."""
        yield from self.rows.get(kind, ())[1:]


def split_blocks(rows: Sequence[Sequence[str]], *, name: str, decimal_comma: bool) -> Blocks:
    """Split a file into its blocks.

    Raises
    ------
    PlateReadError
        If it is none of xPONENT, ends early, holds two plates, or a block stands twice.
    """
    programs = [number for number, row in enumerate(rows, start=1) if cell_at(row, 0) == "Program"]
    if len(programs) > 1:
        raise PlateReadError("two plates in one file", place=name, remedy="export each plate by itself")
    program = cell_at(rows[programs[0] - 1], 1)
    if not program.casefold().startswith("xponent"):
        raise PlateReadError(
            f"Program is {program!r}", place=f"{name}:{programs[0]}", expected="xPONENT beside Program",
            remedy="columns were shifted; export the plate again",
        )  # fmt: skip
    settings: dict[str, Sequence[str]] = {}
    blocks: dict[str, list[Row]] = {}
    block: list[Row] | None = None
    for number, row in enumerate(rows, start=1):
        first = cell_at(row, 0)
        if first == "DataType:":
            block = _open_block(blocks, cell_at(row, 1), place=f"{name}:{number}")
        elif first == "-- CRC --":
            block = None
        elif block is not None and any(row):
            block.append((number, _join_location(row)))
        elif block is None and first:
            settings.setdefault(first, row)
    _check_complete(settings, blocks, name)
    return Blocks(name=name, decimal_comma=decimal_comma, settings=settings, rows=blocks, lot=_find_lot(rows))


def _open_block(blocks: dict[str, list[Row]], kind: str, *, place: str) -> list[Row]:
    if not kind:
        raise PlateReadError("a block without a name", place=place, expected="DataType: and its name")
    if kind in blocks:
        raise PlateReadError(f"block {kind} stands twice", place=place, remedy="export each plate by itself")
    return blocks.setdefault(kind, [])


def _join_location(row: Sequence[str]) -> Sequence[str]:
    """Put ``1(1`` and ``A1)`` together again, which an unquoted comma took apart."""
    first, second = cell_at(row, 0), cell_at(row, 1)
    if _SPLIT_LOCATION[0].fullmatch(first) and _SPLIT_LOCATION[1].fullmatch(second):
        return (f"{first},{second}", *row[2:])
    return row


def _check_complete(settings: Mapping[str, object], blocks: Mapping[str, object], name: str) -> None:
    if not any(_END.fullmatch(first) for first in settings):
        raise PlateReadError(
            "the file ends early", place=name, expected="a line CRC at its end",
            remedy="export the plate again",
        )  # fmt: skip
    if "Results" not in settings or "Median" not in blocks:
        raise PlateReadError("no block of medians", place=name, expected="DataType: Median after Results")


def _find_lot(rows: Sequence[Sequence[str]]) -> str:
    """Return the lot number of the kit, which stands under its heading in the header."""
    for heading, row in itertools.pairwise(rows):
        if cell_at(heading, 0) == "KitName" and cell_at(heading, 1) == "LotNumber":
            return cell_at(row, 1) if cell_at(row, 0) else ""
        if cell_at(heading, 0) == "DataType:":
            break
    return ""


def read_header(blocks: Blocks, kind: str) -> list[str]:
    """Return the analytes that head a per-well block.

    Raises
    ------
    PlateReadError
        If it has no such header, or an analyte has no name.
    """
    number, header = blocks.rows[kind][0] if blocks.rows[kind] else (0, ())
    if cell_at(header, 0) != "Location" or cell_at(header, 1) != "Sample":
        raise PlateReadError(
            f"block {kind} has no header", place=blocks.place(number), expected="Location, Sample, analytes"
        )
    names = list(header[2:])
    while names and names[-1] in _NO_ANALYTES:
        names.pop()
    if not names or "" in names:
        raise PlateReadError(f"block {kind} has an analyte without a name", place=blocks.place(number))
    return names


def read_wells(blocks: Blocks, kind: str, analytes: Sequence[str]) -> dict[str, Row]:
    """Return the rows of a per-well block by well; empty if there is no such block.

    Raises
    ------
    PlateReadError
        If its analytes are others, a row is cut off, a well stands twice, or there are two plates.
    """
    if kind not in blocks.rows:
        return {}
    if read_header(blocks, kind) != list(analytes):
        number = blocks.rows[kind][0][0] if blocks.rows[kind] else 0
        raise PlateReadError(
            f"the analytes of block {kind} are not those of the medians", place=blocks.place(number),
            expected=", ".join(analytes)[:200], remedy="export the plate again",
        )  # fmt: skip
    found: dict[str, Row] = {}
    plates: dict[str, None] = {}
    for row in blocks.below_header(kind):
        plate, well = _read_location(blocks, row, width=2 + len(analytes))
        plates[plate] = None
        if well in found and len(plates) == 1:
            raise PlateReadError(f"well {well} stands twice in block {kind}", place=blocks.place(row[0]))
        found[well] = row
    if len(plates) > 1:
        raise PlateReadError(
            f"plates {' and '.join(plates)} in one file", place=blocks.name,
            remedy="export each plate by itself",
        )  # fmt: skip
    return found


def _read_location(blocks: Blocks, row: Row, *, width: int) -> tuple[str, str]:
    number, cells = row
    match = _LOCATION.fullmatch(cells[0])
    if match is None:
        raise PlateReadError(f"location {cells[0][:40]!r}", place=blocks.place(number), expected="as 1(1,A1)")
    if len(cells) < width:
        raise PlateReadError(
            f"{len(cells)} cells", place=blocks.place(number), expected=f"{width}",
            remedy="the row is cut off; export the plate again",
        )  # fmt: skip
    return match[1], parse_well(match[2], place=blocks.place(number))


def read_least_beads(blocks: Blocks) -> float:
    """Return the number of beads per region that the run asked for."""
    row = list(blocks.settings.get("Samples", ()))
    text = row[row.index("Min Events") + 1] if "Min Events" in row[:-1] else ""
    return float(text) if text.isdigit() else NAN
