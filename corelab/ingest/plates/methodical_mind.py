"""MSD Methodical Mind text: the signals of one plate as a matrix, a line for each spot of a row of wells.

The file names no sample; what is in a well comes from the layout. Its spots are named by the assays where the
reader was told them, else ``Spot 1``, ``Spot 2`` ...
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from corelab.errors import PlateReadError
from corelab.ingest.plates.cells import cell_at, is_number, parse_number, parse_run_time
from corelab.ingest.plates.records import PlateExport, Reading, Well
from corelab.ingest.plates.sheets import Sheets, name_plate

FORMAT: Final = "MSD Methodical Mind"
_SECTION: Final = re.compile(r"=+\s*([A-Za-z][A-Za-z ./]*?)\s*=+")
_KEY: Final = re.compile(r"([A-Za-z][A-Za-z0-9 .]*?)\s*#?\s*:")
_LETTERS: Final = "ABCDEFGHIJKLMNOP"
_ROWS: Final = {12: 8, 24: 16}
_IDENTITY: Final = ("stack id", "plate", "barcode1")
Line = tuple[int, Sequence[str]]


@dataclass(slots=True, kw_only=True)
class _Block:
    """One table of signals with the facts above it; ``lines`` are those under the heading of Data."""

    place: str
    facts: dict[str, str]
    lines: list[Line] = field(default_factory=list)
    is_complete: bool = False

    @property
    def identity(self) -> tuple[str, ...]:
        return tuple(self.facts.get(name, "") for name in _IDENTITY)


def is_methodical_mind(sheets: Sheets) -> bool:
    """Tell whether an export has the sections and the barcode of a Methodical Mind file."""
    firsts = [cell_at(row, 0) for row in sheets.first]
    sections = {match[1] for text in firsts if (match := _SECTION.fullmatch(text))}
    return "Data" in sections and any(text.startswith("Barcode1") for text in firsts)


def read_methodical_mind(sheets: Sheets, *, name: str) -> PlateExport:
    """Read the signals of a plate.

    Raises
    ------
    PlateReadError
        If it holds two plates, a spot twice or no signal, a row is missing or cut off, or it ends early.
    """
    blocks = _split_blocks(sheets.first, name)
    first = blocks[0]
    for block in blocks:
        if block.identity != first.identity:
            found = f"plates {' '.join(first.identity)} and {' '.join(block.identity)} in one file"
            raise PlateReadError(found, place=block.place, remedy="export each plate by itself")
        if not block.is_complete:
            raise PlateReadError(
                "the file ends early", place=block.place, expected="a section after the data"
            )
    readings: dict[tuple[str, str], Reading] = {}
    for block in blocks:
        for reading in _read_block(block, sheets, name):
            key = (reading.well, reading.analyte)
            if key in readings:
                told = f"well {reading.well} of {reading.analyte or 'the spot'} stands twice"
                raise PlateReadError(told, place=block.place, expected="each spot once")
            readings[key] = reading
    if not readings:
        raise PlateReadError("no well was read", place=first.place, expected="a number in some well")
    wells = dict.fromkeys(reading.well for reading in readings.values())
    columns = max(int(well[1:]) for well in wells)
    absent = [
        letter for letter in _LETTERS[: _ROWS.get(columns, 0)] if not any(w[0] == letter for w in wells)
    ]
    remark = f"rows {' '.join(absent)} of the plate are not in the export" if absent else ""
    return PlateExport(
        plate=name_plate(name), batch=first.facts.get("barcode1", ""), format=FORMAT, platform="MSD",
        software=first.facts.get("version", ""), run_at=parse_run_time(first.facts.get("read time", "")),
        analytes=tuple(dict.fromkeys(reading.analyte for reading in readings.values())),
        wells=tuple(Well(wells=(well,), name="") for well in wells), readings=tuple(readings.values()),
        remarks=(remark,) if remark else (),
    )  # fmt: skip


def _split_blocks(rows: Sequence[Sequence[str]], name: str) -> list[_Block]:
    """Return each table with the facts that stand above it."""
    facts: dict[str, str] = {}
    blocks: list[_Block] = []
    section = ""
    for number, row in enumerate(rows, start=1):
        first = cell_at(row, 0)
        if match := _SECTION.fullmatch(first):
            section = match[1]
            if section == "Data":
                blocks.append(_Block(place=f"{name}:{number}", facts=facts))
                facts = {}
            elif blocks:
                blocks[-1].is_complete = True
        elif section == "Data":
            blocks[-1].lines.append((number, row))
        elif key := _KEY.match(first):
            facts.setdefault(key[1].lower(), _read_fact(row))
    return blocks


def _read_fact(row: Sequence[str]) -> str:
    """Return what stands after a key: a barcode without its marks, a time without its zone."""
    own = cell_at(row, 0).partition(":")[2].replace(r"\t", "").strip()
    text = " ".join(cell for cell in (own, *row[1:]) if cell)
    text = re.sub(r"(\d:\d\d) [A-Z]{2,5}$", r"\1", text)
    return re.sub(r"^<\*?(.*?)\*?>$", r"\1", text)


def _read_block(block: _Block, sheets: Sheets, name: str) -> Iterator[Reading]:
    lines = [(number, row) for number, row in block.lines if len(row) > 1]
    heading = [cell for cell in lines[0][1] if cell] if lines else []
    columns = len(heading)
    told = block.facts.get("wells per row", "")
    fits = columns == int(told) if told.isdecimal() else columns in _ROWS
    if not columns or heading != [str(column) for column in range(1, columns + 1)] or not fits:
        expected = f"columns 1 to {told or '12 or 24'}"
        raise PlateReadError("the heading is not known", place=block.place, expected=expected)
    by_letter = _split_letters(lines[1:], block)
    spots = _name_spots(block.facts, len(next(iter(by_letter.values()))))
    for letter, body in by_letter.items():
        for spot, (number, row) in zip(spots, body, strict=True):
            place = f"{name}:{number}"
            if len(row) <= columns:
                raise PlateReadError(f"{len(row)} cells", place=place, expected=f"{columns + 1}")
            for column in range(1, columns + 1):
                signal = parse_number(row[column], decimal_comma=sheets.decimal_comma, place=place)
                if is_number(signal):
                    yield Reading(well=f"{letter}{column}", analyte=spot, signal=signal)


def _split_letters(lines: Sequence[Line], block: _Block) -> Mapping[str, list[Line]]:
    """Give the lines of each row of wells, one a spot, all rows with as many."""
    found: dict[str, list[Line]] = {}
    for number, row in lines:
        letter = cell_at(row, 0).upper()
        if letter:
            found.setdefault(letter, [])
        if not found or (letter and len(found) > 1 and letter != list(found)[-1]):
            raise PlateReadError("a line of no row of wells", place=block.place, expected="a row's letter")
        found[list(found)[-1]].append((number, row))
    if not found or list(found) != [letter for letter in _LETTERS if letter in found]:
        told = f"rows {' '.join(found) or 'none'}"
        raise PlateReadError(told, place=block.place, expected="A to H or P, in their order")
    counts = {len(body) for body in found.values()}
    if len(counts) > 1:
        told = f"{' or '.join(map(str, sorted(counts)))} lines a row of wells"
        raise PlateReadError(told, place=block.place, expected="one for each spot")
    return found


def _name_spots(facts: Mapping[str, str], count: int) -> list[str]:
    """Name the spots in the order of their lines: by assay, else by number; a single one has no name."""
    assays = [text.strip() for text in facts.get("assays", "").split(",")]
    if len(assays) == count and all(assays):
        return assays
    shown = facts.get("spotid", "") if count == 1 else facts.get("visible spots", "")
    numbers = [text.strip() for text in shown.split(",")]
    if len(numbers) == count and all(text.isdecimal() for text in numbers):
        return [f"Spot {number}" for number in numbers]
    return [""] if count == 1 else [f"Spot {number}" for number in range(1, count + 1)]
