"""MSD Discovery Workbench CSV and workbooks: one row a spot, headed by Sample, Assay, Well, Signal."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.errors import InputError, PlateReadError
from corelab.ingest.plates.cells import cell_at, is_number, parse_number, parse_run_time, parse_well
from corelab.ingest.plates.records import Nominal, PlateExport, Reading, SampleType, Well
from corelab.ingest.plates.sheets import Sheets, name_plate
from corelab.units import parse_unit

FORMAT: Final = "MSD Discovery Workbench"
_CODE: Final = re.compile(r"([SUCB])(\d{1,4})", re.IGNORECASE)
_CODES: Final = {
    "S": SampleType.STANDARD, "U": SampleType.UNKNOWN, "C": SampleType.QC, "B": SampleType.BLANK,
}  # fmt: skip
_GROUPS: Final = {
    "standard": SampleType.STANDARD, "standards": SampleType.STANDARD, "calibrator": SampleType.STANDARD,
    "calibrators": SampleType.STANDARD, "unknown": SampleType.UNKNOWN, "unknowns": SampleType.UNKNOWN,
    "control": SampleType.QC, "controls": SampleType.QC, "qc": SampleType.QC, "blank": SampleType.BLANK,
    "blanks": SampleType.BLANK,
}  # fmt: skip
_TITLE: Final = re.compile(r"(unknowns?|standards?|calibrators?|controls?|blanks?)\s*:\s*(.+)", re.IGNORECASE)
_PLATE_LINE: Final = re.compile(r"plate[_ ]?(?:barcode|name|id)?\s*[:_ ]\s*(\S.*)", re.IGNORECASE)
_IN_RANGE: Final = "in detection range"
_NAMES: Final = {
    "sample": "sample", "sample group": "group", "sample name": "name", "sample id": "name",
    "sample description": "name", "assay": "assay", "analyte": "assay", "well": "well", "spot": "spot",
    "plate": "plate", "plate name": "plate", "plate barcode": "plate", "barcode": "plate",
    "dilution": "dilution", "dilution factor": "dilution", "concentration": "nominal", "signal": "signal",
    "adjusted signal": "net", "calc. concentration": "result", "calc concentration": "result",
    "calculated concentration": "result", "detection range": "range", "excluded": "excluded",
    "units": "unit", "unit": "unit", "concentration units": "unit", "kit lot": "lot", "lot": "lot",
    "read time": "run_at",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spot:
    """One row: texts by our words for the columns, and what the section above it says."""

    place: str
    texts: Mapping[str, str]

    def text(self, word: str) -> str:
        return self.texts.get(word, "")


def _find_columns(row: Sequence[str]) -> dict[str, int]:
    at: dict[str, int] = {}
    for place, cell in enumerate(row):
        spelled = re.sub(r"\s*\([^)]*/[^)]*\)", "", " ".join(cell.lower().split()))
        if spelled in _NAMES and _NAMES[spelled] not in at:
            at[_NAMES[spelled]] = place
    return at if {"sample", "well", "signal"} <= set(at) else {}


def is_msd(sheets: Sheets) -> bool:
    """Tell whether an export has a heading of Discovery Workbench."""
    return any(_find_columns(row) for sheet in sheets.sheets for row in sheet.rows[:60])


def read_msd(sheets: Sheets, *, name: str) -> PlateExport:
    """Read a Discovery Workbench export.

    Raises
    ------
    PlateReadError
        If it holds two plates, a spot twice, or no spot, or an assay is not named.
    """
    spots, plates = _read_spots(sheets, name)
    if not spots:
        raise PlateReadError(
            "no well was read", place=name, expected="rows under Sample, Assay, Well, Signal"
        )
    if len(plates) > 1:
        raise PlateReadError(
            f"plates {' and '.join(plates[:3])} in one file", place=name, remedy="export each plate by itself"
        )
    analytes = list(dict.fromkeys(spot.text("assay") for spot in spots))
    units = {
        spot.text("assay"): spot.text("unit") for spot in spots if spot.text("unit")
    }  # fmt: skip
    return PlateExport(
        plate=name_plate(name), batch=plates[0] if plates else "", format=FORMAT, platform="MSD", software="",
        run_at=parse_run_time(spots[0].text("run_at")), analytes=tuple(analytes),
        wells=_describe_wells(spots, sheets), readings=_read_signals(spots, sheets),
        nominals=_read_nominals(spots, sheets, units), units=units, lot=spots[0].text("lot"),
    )  # fmt: skip


def _read_spots(sheets: Sheets, name: str) -> tuple[list[_Spot], list[str]]:
    spots: list[_Spot] = []
    plates: list[str] = []
    for sheet in sheets.sheets:
        at: dict[str, int] = {}
        section: dict[str, str] = {}
        for number, row in enumerate(sheet.rows, start=1):
            place = f"{name}:{f'{sheet.title}!' if sheet.title else ''}{number}"
            if found := _find_columns(row):
                at = found
                section["unit"] = _find_unit(row)
            elif at and cell_at(row, at["well"]):
                spots.append(_read_spot(row, at, section, place))
            else:
                _read_title(row, section, plates)
    plates += [spot.text("plate") for spot in spots if spot.text("plate")]
    return spots, list(dict.fromkeys(plates))


def _read_title(row: Sequence[str], section: dict[str, str], plates: list[str]) -> None:
    first = cell_at(row, 0)
    if match := _TITLE.fullmatch(first):
        section |= {"group": match[1], "assay": match[2].strip()}
    elif (match := _PLATE_LINE.fullmatch(first)) and not any(row[1:]):
        plates.append(match[1].strip())
    elif first.lower().rstrip(":") in ("plate", "plate barcode", "plate name", "barcode") and cell_at(row, 1):
        plates.append(row[1])


def _find_unit(header: Sequence[str]) -> str:
    """Return a unit that stands in brackets behind the heading of the concentrations."""
    for cell in header:
        match = re.fullmatch(r".*conc.*\(([^)]*/[^)]*)\)", cell, re.IGNORECASE)
        if match:
            try:
                return parse_unit(match[1])
            except InputError:
                return ""
    return ""


def _read_spot(row: Sequence[str], at: Mapping[str, int], section: Mapping[str, str], place: str) -> _Spot:
    texts = dict(section)
    texts |= {word: cell_at(row, column) for word, column in at.items() if cell_at(row, column)}
    if not texts.get("assay"):
        raise PlateReadError("a spot without an assay", place=place, expected="a column or title with it")
    texts["well"] = parse_well(texts["well"], place=place)
    if len(row) <= max(at["well"], at["signal"]):
        raise PlateReadError(
            f"{len(row)} cells", place=place, expected=f"{1 + max(at.values())}", remedy="export again"
        )
    return _Spot(place=place, texts=texts)


def _read_type(spot: _Spot, sheets: Sheets) -> SampleType:
    """Return what the export says a sample is; a standard of concentration 0 is a blank."""
    match = _CODE.fullmatch(spot.text("sample"))
    kind = _GROUPS.get(spot.text("group").lower())
    if kind is None:
        kind = _CODES[match[1].upper()] if match else SampleType.UNSTATED
    return SampleType.BLANK if kind is SampleType.STANDARD and _number(spot, "nominal", sheets) == 0 else kind


def _number(spot: _Spot, word: str, sheets: Sheets) -> float:
    return parse_number(spot.text(word), decimal_comma=sheets.decimal_comma, place=f"{spot.place} {word}")


def _describe_wells(spots: Sequence[_Spot], sheets: Sheets) -> tuple[Well, ...]:
    wells: dict[str, Well] = {}
    for spot in spots:
        well = Well(
            wells=(spot.text("well"),), name=spot.text("name") or spot.text("sample"),
            level=spot.text("sample"), sample_type=_read_type(spot, sheets),
            dilution=_number(spot, "dilution", sheets),
        )  # fmt: skip
        known = wells.setdefault(well.key, well)
        if known.level != well.level:
            raise PlateReadError(
                f"well {well.key} is {known.level} and {well.level}", place=spot.place,
                expected="one sample a well; two plates are two files",
            )  # fmt: skip
    return tuple(wells.values())


def _read_signals(spots: Sequence[_Spot], sheets: Sheets) -> tuple[Reading, ...]:
    readings: dict[tuple[str, str], Reading] = {}
    for spot in spots:
        key = (spot.text("well"), spot.text("assay"))
        if key in readings:
            raise PlateReadError(
                f"well {key[0]} of {key[1]} stands twice", place=spot.place, expected="each spot once"
            )
        result, remark = spot.text("result"), spot.text("range")
        outside = remark.lower() != _IN_RANGE
        is_excluded = spot.text("excluded").lower() in ("true", "yes", "1", "x", "excluded")
        readings[key] = Reading(
            well=key[0], analyte=key[1], signal=_number(spot, "signal", sheets),
            vendor_result=remark if outside and result.lower() in ("", "nan") else result,
            vendor_remark=remark, flags=("OUTLIER",) if is_excluded else (),
        )  # fmt: skip
    return tuple(readings.values())


def _read_nominals(
    spots: Sequence[_Spot], sheets: Sheets, units: Mapping[str, str]
) -> tuple[Nominal, ...]:  # fmt: skip
    nominals: dict[tuple[str, str], Nominal] = {}
    for spot in spots:
        value = _number(spot, "nominal", sheets)
        kind = _read_type(spot, sheets)
        if kind not in (SampleType.STANDARD, SampleType.QC) or not is_number(value) or value <= 0:
            continue
        level, analyte = spot.text("sample"), spot.text("assay")
        known = nominals.setdefault(
            (level, analyte),
            Nominal(level=level, analyte=analyte, concentration=value, unit=units.get(analyte, "")),
        )
        if known.concentration != value:
            raise PlateReadError(
                f"{level} of {analyte} is {known.concentration:g} and {value:g}", place=spot.place,
                expected="one concentration a standard",
            )  # fmt: skip
    return tuple(nominals.values())
