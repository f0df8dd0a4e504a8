"""Luminex INTELLIFLEX CSV: one row a well, a group of columns a bead region (``R20: RP1 MEDIAN``)."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from corelab.errors import PlateReadError
from corelab.ingest.plates.cells import NAN, cell_at, parse_number, parse_run_time, parse_well
from corelab.ingest.plates.records import PlateExport, Reading, SampleType, Well
from corelab.ingest.plates.sheets import Sheets, name_plate

FORMAT: Final = "INTELLIFLEX"
_COLUMN: Final = re.compile(r"(R\d+): (RP\d) (.+)")
_TYPES: Final = {"U": SampleType.UNKNOWN, "S": SampleType.STANDARD, "B": SampleType.BLANK, "C": SampleType.QC}
_Row = tuple[int, Sequence[str]]


def is_intelliflex(sheets: Sheets) -> bool:
    """Tell whether an export begins as an INTELLIFLEX one does."""
    return bool(sheets.first) and {"INSTRUMENT TYPE", "WELL LOCATION"} <= set(sheets.first[0])


def read_intelliflex(sheets: Sheets, *, name: str) -> PlateExport:
    """Read an INTELLIFLEX export; each reporter under which an analyte is named is one.

    Raises
    ------
    PlateReadError
        If a column is missing, a row is cut off, a well stands twice, or there are two plates.
    """
    header = sheets.first[0]
    body = [(number, row) for number, row in enumerate(sheets.first[1:], start=2) if any(row)]
    if not body:
        raise PlateReadError("no well was read", place=name, expected="a row for each well")
    at = {column: place for place, column in enumerate(header)}
    _check_rows(body, at, name)
    groups, remarks = _find_groups(header, body, name)
    wells = [_read_well(row, at, name=name) for row in body]
    _check_wells(wells, name)
    start = cell_at(body[0][1], at.get("PLATE START", -1))
    return PlateExport(
        plate=name_plate(name), batch=cell_at(body[0][1], at.get("PLATE NAME", -1)), format=FORMAT,
        platform="Luminex", software=cell_at(body[0][1], at.get("SOFTWARE VERSION", -1)),
        run_at=parse_run_time(start), analytes=tuple(groups), wells=tuple(wells), remarks=remarks,
        readings=tuple(
            _read_region(row, columns, well=well.key, analyte=analyte, sheets=sheets, name=name)
            for row, well in zip(body, wells, strict=True)
            for analyte, columns in groups.items()
        ),
    )  # fmt: skip


def _check_rows(body: Sequence[_Row], at: Mapping[str, int], name: str) -> None:
    plates = sorted({cell_at(row, at.get("PLATE NAME", -1)) for _, row in body})
    if len(plates) > 1:
        raise PlateReadError(
            f"plates {' and '.join(plates)} in one file", place=name, remedy="export each plate by itself"
        )
    width = 1 + max(place for column, place in at.items() if column)
    for number, row in body:
        if len(row) < width:
            raise PlateReadError(
                f"{len(row)} cells", place=f"{name}:{number}", expected=f"{width}",
                remedy="the file is cut off; export the plate again",
            )  # fmt: skip


def _find_groups(
    header: Sequence[str], body: Sequence[_Row], name: str
) -> tuple[dict[str, Mapping[str, int]], tuple[str, ...]]:
    """Return the columns of each analyte by their last words, and what is not read.

    The analyte's name stands in every row. Counts of a region without an analyte are diagnostics of the
    reader.
    """
    regions: dict[str, dict[str, int]] = {}
    for place, column in enumerate(header):
        if match := _COLUMN.fullmatch(column):
            regions.setdefault(f"{match[1]}: {match[2]}", {})[match[3]] = place
    named: list[tuple[str, str, Mapping[str, int]]] = []
    remarks = []
    for region, columns in regions.items():
        analyte = _read_analyte(body, columns.get("ANALYTE NAME", -1), region, name)
        if analyte and "MEDIAN" in columns:
            named.append((analyte, region, columns))
        elif analyte:
            remarks.append(f"analyte {analyte} has no column of medians and is not read")
    if not named:
        raise PlateReadError(
            "no analyte with a median", place=name, expected="columns as R20: RP1 ANALYTE NAME and MEDIAN"
        )
    names = [analyte for analyte, _, _ in named]
    groups = {
        f"{analyte} ({region})" if names.count(analyte) > 1 else analyte: columns
        for analyte, region, columns in named
    }
    return groups, tuple(remarks)


def _read_analyte(body: Sequence[_Row], column: int, region: str, name: str) -> str:
    names = sorted({cell_at(row, column) for _, row in body} - {""})
    if len(names) > 1:
        raise PlateReadError(
            f"region {region} is {' and '.join(names)}", place=name, expected="one analyte a region"
        )
    return names[0] if names else ""


def _read_well(row: _Row, at: Mapping[str, int], *, name: str) -> Well:
    number, cells = row
    code = cell_at(cells, at.get("WELL TYPE", -1))
    return Well(
        wells=(parse_well(cell_at(cells, at["WELL LOCATION"]), place=f"{name}:{number}"),),
        name=cell_at(cells, at.get("SAMPLE ID", -1)),
        sample_type=_TYPES.get(code[:1].upper(), SampleType.UNSTATED), level=code,
    )  # fmt: skip


def _check_wells(wells: Sequence[Well], name: str) -> None:
    keys = [well.key for well in wells]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise PlateReadError(f"well {twice[0]} stands twice", place=name, expected="each well once")


def _read_region(
    row: _Row, columns: Mapping[str, int], *, well: str, analyte: str, sheets: Sheets, name: str
) -> Reading:
    def number(column: str) -> float:
        if column not in columns:
            return NAN
        place = f"{name}:{row[0]}"
        return parse_number(cell_at(row[1], columns[column]), decimal_comma=sheets.decimal_comma, place=place)

    return Reading(
        well=well, analyte=analyte, signal=number("MEDIAN"), net_signal=number("NET MEDIAN"),
        bead_count=number("COUNT"),
    )  # fmt: skip
