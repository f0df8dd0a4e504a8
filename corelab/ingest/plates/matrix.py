"""A plain matrix of optical densities: letters down, numbers across; what is where tells the layout."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.errors import PlateReadError
from corelab.ingest.plates.cells import NAN, cell_at, is_number, parse_number, parse_run_time
from corelab.ingest.plates.records import PlateExport, Reading, Well
from corelab.ingest.plates.sheets import Sheets, name_plate

FORMAT: Final = "plate matrix"
_LETTER: Final = re.compile(r"[A-Pa-p]")
_WAVELENGTH: Final = re.compile(r"(?<!\d)([3-7]\d\d)(?!\d)")
_REFERENCE_FROM: Final = 530
_FEWEST_COLUMNS: Final = 3
_KEYS: Final = {
    "analyte": "analyte", "assay": "analyte", "unit": "unit", "units": "unit", "plate": "batch",
    "plate id": "batch", "barcode": "batch", "lot": "lot", "kit lot": "lot", "date": "run_at",
    "read time": "run_at", "software": "software", "software version": "software",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matrix:
    """One matrix: its place, the lines between it and what stands above, and signals by well."""

    place: str
    titles: tuple[str, ...]
    signals: dict[str, float]

    @property
    def wavelengths(self) -> list[int]:
        """Wavelengths that its own title names."""
        return [int(text) for title in self.titles for text in _WAVELENGTH.findall(title)]


def _column_start(row: Sequence[str]) -> int:
    """Return where 1, 2, 3 ... stand in a row; -1 if they do not."""
    cells = [cell.removesuffix(".0") for cell in row]
    for start in (0, 1, 2):
        numbers = [cell for cell in cells[start:] if cell]
        if len(numbers) >= _FEWEST_COLUMNS and cells[start : start + len(numbers)] == [
            str(place) for place in range(1, len(numbers) + 1)
        ]:
            return start
    return -1


def is_matrix(sheets: Sheets) -> bool:
    """Tell whether a sheet holds a row 1, 2, 3 ... above a row that begins with A."""
    return any(
        _column_start(row) > 0 and cell_at(below, _column_start(row) - 1).upper() == "A"
        for sheet in sheets.sheets
        for row, below in zip(sheet.rows, sheet.rows[1:], strict=False)
    )


def read_matrix(sheets: Sheets, *, name: str) -> PlateExport:
    """Read one plate of a single analyte; a second matrix may be its reference wavelength.

    The analyte is named by a line ``Analyte``, else by the standards of the delivery.

    Raises
    ------
    PlateReadError
        If there are two plates, a row of the matrix is missing or cut off, or a cell is no number.
    """
    matrices = [
        matrix for place in range(len(sheets.sheets)) for matrix in _find_matrices(sheets, place, name)
    ]
    signals = _subtract_reference(matrices, name)
    facts = _read_facts(sheets)
    analyte = facts.get("analyte", "")
    wells = [well for well, signal in signals.items() if is_number(signal)]
    if not wells:
        raise PlateReadError("no well was read", place=name, expected="a number in some well")
    return PlateExport(
        plate=name_plate(name), batch=facts.get("batch", ""), format=FORMAT, platform="ELISA",
        software=facts.get("software", ""), run_at=parse_run_time(facts.get("run_at", "")),
        analytes=(analyte,), wells=tuple(Well(wells=(well,), name="") for well in wells),
        readings=tuple(Reading(well=well, analyte=analyte, signal=signals[well]) for well in wells),
        units={analyte: facts["unit"]} if facts.get("unit") else {}, lot=facts.get("lot", ""),
    )  # fmt: skip


def _find_matrices(sheets: Sheets, place: int, name: str) -> Iterator[_Matrix]:
    sheet = sheets.sheets[place]
    rows = sheet.rows
    last = 0
    for number, row in enumerate(rows):
        start = _column_start(row)
        below = rows[number + 1] if number + 1 < len(rows) else ()
        if start < 1 or cell_at(below, start - 1).upper() != "A":
            continue
        body = []
        for below in rows[number + 1 :]:
            if not _LETTER.fullmatch(cell_at(below, start - 1)):
                break
            body.append(below)
        at = f"{name}:{f'{sheet.title}!' if sheet.title else ''}{number + 1}"
        titles = (sheet.title, *(cell for above in rows[last:number] for cell in above if cell), *row[:start])
        width = sum(bool(cell) for cell in row[start:])
        yield _Matrix(place=at, titles=titles, signals=_read_body(body, start, width, at, sheets))
        last = number + 1 + len(body)


def _read_body(
    body: Sequence[Sequence[str]], start: int, width: int, place: str, sheets: Sheets
) -> dict[str, float]:  # fmt: skip
    signals: dict[str, float] = {}
    for expected, row in zip("ABCDEFGHIJKLMNOP", body, strict=False):
        letter = cell_at(row, start - 1).upper()
        if letter != expected:
            raise PlateReadError(
                f"row {letter} where {expected} was expected", place=place, expected="each row once, in order"
            )
        for column in range(width):
            text = cell_at(row, start + column)
            at = f"{place} {letter}{column + 1}"
            over = text.upper() in ("OVER", "OVRFLW", "OVERFLOW", "*****")
            signals[f"{letter}{column + 1}"] = (
                NAN if over else parse_number(text, decimal_comma=sheets.decimal_comma, place=at)
            )
    if len(body) not in (2, 4, 8, 16):
        raise PlateReadError(
            f"{len(body)} rows", place=place, expected="8 rows of a 96-well plate, or 16 of 384",
            remedy="export the plate again",
        )  # fmt: skip
    return signals


def _subtract_reference(matrices: Sequence[_Matrix], name: str) -> dict[str, float]:
    """Return the signals; of two matrices whose titles name wavelengths the longer one is a reference."""
    if len(matrices) == 1:
        return matrices[0].signals
    waves = [matrix.wavelengths for matrix in matrices]
    if len(matrices) == 2 and all(len(set(wave)) == 1 for wave in waves):
        (first,), (second,) = (set(wave) for wave in waves)
        if first < second and second >= _REFERENCE_FROM:
            reading, reference = matrices
            return {well: value - reference.signals.get(well, NAN) for well, value in reading.signals.items()}
    raise PlateReadError(
        f"{len(matrices)} plates in one file", place=name,
        expected="one matrix, or two headed by their wavelengths as 450 and 620",
        remedy="export each plate by itself",
    )  # fmt: skip


def _read_facts(sheets: Sheets) -> dict[str, str]:
    facts: dict[str, str] = {}
    for sheet in sheets.sheets:
        for row in sheet.rows:
            key, _, inside = cell_at(row, 0).partition(":")
            word = _KEYS.get(key.strip().lower())
            text = inside.strip() or cell_at(row, 1)
            if word and text:
                facts.setdefault(word, text)
    return facts
