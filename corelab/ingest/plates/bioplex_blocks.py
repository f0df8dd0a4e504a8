"""The tables of a Bio-Plex export: where they stand in its sheets, and which wells each row speaks of."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.errors import PlateReadError
from corelab.ingest.plates.cells import cell_at, parse_well
from corelab.ingest.plates.sheets import Sheet, Sheets

_NAMED: Final = re.compile(r"Analyte\s*:\s*(.+)", re.IGNORECASE)
_REGION: Final = re.compile(r"\s*\((\d+)\)$")
_Key = tuple[str, str]
COLUMNS: Final = {
    "analyte": "analyte", "type": "type", "well": "well", "outlier": "outlier", "description": "description",
    "fi": "fi", "fi - bkgd": "net", "std dev": "sd", "%cv": "cv", "obs conc": "result",
    "exp conc": "expected", "conc in range": "in_range", "dilution": "dilution", "bead count": "beads",
    "sampling errors": "errors",
}  # fmt: skip
"""Our word for a column by the vendor's, in lower case and without a unit in brackets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a table: its analyte, wells and texts by our words for the columns."""

    place: str
    analyte: str
    wells: tuple[str, ...]
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of a sheet; the vendor may print means of wells and single wells, each in its own."""

    lines: tuple[Line, ...]

    @property
    def is_of_single_wells(self) -> bool:
        """Whether no row is a mean of wells."""
        return all(len(line.wells) == 1 for line in self.lines)


def find_columns(row: Sequence[str]) -> dict[str, int]:
    """Return the places of the known columns of a heading; empty if a row is none.

    Examples
    --------
    >>> find_columns(("Type", "Well", "FI", "Obs Conc (pg/mL)"))
    {'type': 0, 'well': 1, 'fi': 2, 'result': 3}
    """
    at: dict[str, int] = {}
    for place, cell in enumerate(row):
        word = COLUMNS.get(re.sub(r"\s*\([^)]*[a-z]/[a-z][^)]*\)", "", " ".join(cell.lower().split())))
        if word and word not in at:
            at[word] = place
    return at if {"type", "well", "fi"} <= set(at) else {}


def read_tables(sheets: Sheets, *, name: str) -> list[Table]:
    """Return every table of every sheet.

    Raises
    ------
    PlateReadError
        If a row names no analyte, or a well stands twice in one table.
    """
    return [table for sheet in sheets.sheets for table in _read_sheet(sheet, name)]


def _read_sheet(sheet: Sheet, name: str) -> Iterator[Table]:
    named = ""
    at: dict[str, int] = {}
    lines: list[Line] = []
    for number, row in enumerate(sheet.rows, start=1):
        place = f"{name}:{f'{sheet.title}!' if sheet.title else ''}{number}"
        found = find_columns(row)
        if lines and (found or not _is_data(row, at)):
            yield _close(lines)
            lines = []
        if found:
            at = found
        elif at and _is_data(row, at):
            lines.append(_read_line(row, at, named or sheet.title, place))
        elif match := _NAMED.fullmatch(cell_at(row, 0)):
            named = match[1].strip()
    if lines:
        yield _close(lines)


def _is_data(row: Sequence[str], at: Mapping[str, int]) -> bool:
    return bool(at) and bool(cell_at(row, at["type"])) and bool(cell_at(row, at["well"]))


def _read_line(row: Sequence[str], at: Mapping[str, int], named: str, place: str) -> Line:
    texts = {word: cell_at(row, column) for word, column in at.items()}
    analyte = texts.get("analyte", "") or named
    if not analyte:
        raise PlateReadError("a row without an analyte", place=place, expected="a column or line Analyte")
    wells = tuple(parse_well(part, place=place) for part in texts["well"].split(","))
    return Line(place=place, analyte=analyte, wells=wells, texts=texts)


def _close(lines: Sequence[Line]) -> Table:
    seen: set[tuple[str, str]] = set()
    for line in lines:
        for well in line.wells:
            if (line.analyte, well) in seen:
                raise PlateReadError(
                    f"well {well} of {line.analyte} stands twice", place=line.place, expected="each well once"
                )
            seen.add((line.analyte, well))
    return Table(lines=tuple(lines))


def choose_lines(tables: Sequence[Table]) -> list[Line]:
    """Return each well's row once: single wells where the export has them, else the mean of its wells.

    Raises
    ------
    PlateReadError
        If one analyte stands in two tables of one kind, which are two plates.
    """
    kept: dict[tuple[str, str], Line] = {}
    of_means = [table for table in tables if not table.is_of_single_wells]
    of_singles = [table for table in tables if table.is_of_single_wells]
    for group in (of_singles, of_means):
        new: dict[tuple[str, str], Line] = {}
        for table in group:
            cells = {(line.analyte, well): line for line in table.lines for well in line.wells}
            twice = sorted(set(cells) & set(new))
            if twice and not _is_repeat(cells, new, twice):
                raise PlateReadError(
                    f"two plates in one file: well {twice[0][1]} of {twice[0][0]} stands in two tables",
                    place=cells[twice[0]].place, remedy="export each plate by itself",
                )  # fmt: skip
            new |= cells
        kept |= {key: line for key, line in new.items() if key not in kept}
    chosen = list({id(line): line for line in kept.values()}.values())
    for line in chosen:
        if any(kept[line.analyte, well] is not line for well in line.wells):
            raise PlateReadError(
                f"wells {', '.join(line.wells)} of {line.analyte} are only partly printed singly",
                place=line.place, expected="all single wells of a mean, or none",
            )  # fmt: skip
    return chosen


def _is_repeat(
    cells: Mapping[_Key, Line], known: Mapping[_Key, Line], keys: Sequence[_Key]
) -> bool:  # fmt: skip
    """Tell whether two tables print the same responses: a plate without replicates, printed twice."""
    return all(cells[key].texts["fi"] == known[key].texts["fi"] for key in keys)


def shorten_analytes(names: Sequence[str]) -> dict[str, str]:
    """Return names without their bead region where they stay apart without it.

    Examples
    --------
    >>> shorten_analytes(["IL-6 (12)", "Hu IL-8 (20)", "X (1)", "X (2)"])
    {'IL-6 (12)': 'IL-6', 'Hu IL-8 (20)': 'IL-8', 'X (1)': 'X (1)', 'X (2)': 'X (2)'}
    """
    short = {name: re.sub(r"^(?:Hu|Human)[ -]", "", _REGION.sub("", name)) for name in names}
    counts = list(short.values())
    return {name: one if counts.count(one) == 1 else name for name, one in short.items()}
