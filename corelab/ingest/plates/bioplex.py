"""Bio-Plex Manager workbooks and CSV: a sheet for each analyte or one table of all."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from corelab.errors import InputError, PlateReadError
from corelab.ingest.plates.bioplex_blocks import (
    Line,
    choose_lines,
    find_columns,
    read_tables,
    shorten_analytes,
)
from corelab.ingest.plates.cells import NAN, is_number, parse_number, parse_run_time
from corelab.ingest.plates.records import Nominal, PlateExport, Reading, SampleType, VendorCurve, Well
from corelab.ingest.plates.sheets import Sheets, name_plate
from corelab.units import parse_unit

FORMAT: Final = "Bio-Plex Manager"
_TYPE: Final = re.compile(r"(B|S|ES|C|X)\d*")
_TYPES: Final = {
    "B": SampleType.BLANK, "S": SampleType.STANDARD, "ES": SampleType.STANDARD, "C": SampleType.QC,
    "X": SampleType.UNKNOWN,
}  # fmt: skip
_OUTLIER: Final = "---"
_MALFUNCTION: Final = "***"
_N: Final = r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
_CURVE: Final = re.compile(
    rf"Std\. Curve:\s*FI = {_N} \+ \({_N} ([-+]) {_N}\) / \(+1 \+ \(Conc / {_N}\)\^{_N}\)+(?:\^{_N})?"
)
_PREAMBLE: Final = {
    "acquisition date": "run_at", "plate id": "batch", "software version": "software", "kit lot": "lot",
    "lot number": "lot",
}  # fmt: skip


def is_bioplex(sheets: Sheets) -> bool:
    """Tell whether any sheet has a heading of Bio-Plex Manager."""
    return any(find_columns(row) for sheet in sheets.sheets for row in sheet.rows[:60])


def read_bioplex(sheets: Sheets, *, name: str) -> PlateExport:
    """Read a Bio-Plex export. Where means and single wells are both printed, single wells are read.

    Raises
    ------
    PlateReadError
        If it holds two plates, a well twice, or no well.
    """
    facts = _read_facts(sheets, name)
    lines = choose_lines(read_tables(sheets, name=name))
    if not lines:
        raise PlateReadError("no well was read", place=name, expected="rows of Type, Well, FI")
    short = shorten_analytes(list(dict.fromkeys(line.analyte for line in lines)))
    wells = _describe_wells(lines, sheets)
    unit = _find_unit(sheets)
    return PlateExport(
        plate=name_plate(name), batch=facts["batch"], format=FORMAT, platform="Luminex",
        software=facts["software"], run_at=parse_run_time(facts["run_at"]), analytes=tuple(short.values()),
        wells=wells, readings=tuple(_read_line(line, short[line.analyte], sheets) for line in lines),
        nominals=_read_nominals(lines, short, sheets, unit),
        units=dict.fromkeys(short.values(), unit) if unit else {},
        vendor_curves=_read_curves(sheets, short), lot=facts["lot"],
    )  # fmt: skip


def _read_facts(sheets: Sheets, name: str) -> dict[str, str]:
    """Return what the lines above the tables say of the plate; two plate ids are two plates."""
    found: dict[str, list[str]] = {word: [] for word in ("run_at", "batch", "software", "lot")}
    for sheet in sheets.sheets:
        for row in sheet.rows[:60]:
            key, _, value = (row[0] if row else "").partition(":")
            word = _PREAMBLE.get(key.strip().lower())
            text = value.strip() or (row[1] if word and len(row) > 1 else "")
            if word and text and text not in found[word]:
                found[word].append(text)
    if len(found["batch"]) > 1:
        raise PlateReadError(
            f"plates {' and '.join(found['batch'])} in one file", place=name,
            remedy="export each plate by itself",
        )  # fmt: skip
    return {word: texts[0] if texts else "" for word, texts in found.items()}


def _find_unit(sheets: Sheets) -> str:
    """Return the one unit that the workbook states for its concentrations; empty where it states none."""
    units: set[str] = set()
    for sheet in sheets.sheets:
        for row in sheet.rows:
            words = [word for cell in row for word in _units_in(cell)]
            if words and any("conc" in cell.lower() or cell.lower().startswith("unit") for cell in row):
                units.update(words)
    return units.pop() if len(units) == 1 else ""


def _units_in(cell: str) -> Iterable[str]:
    for part in (cell, *re.findall(r"\(([^()]*)\)", cell)):
        if "/" in part and len(part) < 8:
            try:
                yield parse_unit(part)
            except InputError:
                continue


def _describe_wells(lines: Sequence[Line], sheets: Sheets) -> tuple[Well, ...]:
    """Return each well once; analytes that disagree on what it holds are a contradiction."""
    wells: dict[tuple[str, ...], Well] = {}
    for line in lines:
        code = line.texts["type"]
        match = _TYPE.fullmatch(code)
        well = Well(
            wells=line.wells, name=line.texts.get("description", ""), level=code,
            sample_type=_TYPES[match[1]] if match else SampleType.UNSTATED,
            dilution=parse_number(
                line.texts.get("dilution", ""), decimal_comma=sheets.decimal_comma, place=line.place
            ),
        )  # fmt: skip
        known = wells.setdefault(line.wells, well)
        if (known.level, known.sample_type) != (well.level, well.sample_type):
            raise PlateReadError(
                f"well {well.key} is {known.level} and {well.level}", place=line.place,
                expected="one type for all analytes",
            )  # fmt: skip
    return tuple(wells.values())


def _number(line: Line, word: str, sheets: Sheets) -> float:
    """Read a number; a vendor's mark in its place is none, and its flag says so."""
    text = line.texts.get(word, "")
    if text in (_OUTLIER, _MALFUNCTION):
        return NAN
    return parse_number(text, decimal_comma=sheets.decimal_comma, place=f"{line.place} {word}")


def _read_line(line: Line, analyte: str, sheets: Sheets) -> Reading:
    fi, result = line.texts["fi"], line.texts.get("result", "")
    flags = []
    if _OUTLIER in (fi, result) or (len(line.wells) == 1 and line.texts.get("outlier", "") == "1"):
        flags.append("OUTLIER")
    if fi == _MALFUNCTION:
        flags.append("MALFUNCTION")
    return Reading(
        well=",".join(line.wells), analyte=analyte, signal=_number(line, "fi", sheets),
        net_signal=_number(line, "net", sheets), bead_count=_number(line, "beads", sheets),
        signal_cv=_number(line, "cv", sheets) if len(line.wells) > 1 else NAN, vendor_result=result,
        vendor_remark=_describe_errors(line.texts.get("errors", "")), flags=tuple(flags),
    )  # fmt: skip


def _describe_errors(codes: str) -> str:
    return f"sampling errors {codes}" if codes and codes != "0" else ""


def _read_nominals(
    lines: Sequence[Line], short: dict[str, str], sheets: Sheets, unit: str
) -> tuple[Nominal, ...]:
    """Return expected concentrations of standards and controls; a control's 0 says that none is known."""
    nominals: dict[tuple[str, str], Nominal] = {}
    for line in lines:
        match = _TYPE.fullmatch(line.texts["type"])
        kind = _TYPES[match[1]] if match else SampleType.UNSTATED
        value = _number(line, "expected", sheets)
        if kind in (SampleType.STANDARD, SampleType.QC) and is_number(value) and value > 0:
            analyte = short[line.analyte]
            nominals[line.texts["type"], analyte] = Nominal(
                level=line.texts["type"], analyte=analyte, concentration=value, unit=unit
            )
    return tuple(nominals.values())


def _read_curves(sheets: Sheets, short: dict[str, str]) -> tuple[VendorCurve, ...]:
    """Return the printed curves, ``FI = d + (a - d) / (1 + (Conc / c)^b)^g``, of the net response."""
    curves: dict[str, VendorCurve] = {}
    for sheet in sheets.sheets:
        analyte = ""
        for row in sheet.rows:
            cell = row[0] if row else ""
            if cell.lower().startswith("analyte:"):
                analyte = cell.partition(":")[2].strip()
            match = _CURVE.fullmatch(cell)
            if match and (analyte or sheet.title) in short:
                name = short[analyte or sheet.title]
                curves[name] = VendorCurve(
                    analyte=name, d=float(match[1]), a=float(match[2]), c=float(match[5]), b=float(match[6]),
                    g=float(match[7] or 1), is_net=True,
                )  # fmt: skip
    return tuple(curves.values())
