"""Luminex xPONENT CSV, 3.1 and 4.x."""

from collections.abc import Mapping, Sequence
from typing import Final

from corelab.errors import PlateReadError
from corelab.ingest.plates.cells import NAN, cell_at, is_number, parse_run_time
from corelab.ingest.plates.records import Nominal, PlateExport, Reading, SampleType, VendorCurve, Well
from corelab.ingest.plates.sheets import Sheets, name_plate
from corelab.ingest.plates.xponent_blocks import (
    Blocks,
    Row,
    read_header,
    read_least_beads,
    read_wells,
    split_blocks,
)

_Rows = Mapping[str, Row]
FORMAT: Final = "xPONENT"
_EXPECTED: Final = {
    "Standard Expected Concentration": SampleType.STANDARD,
    "Control Expected Concentration": SampleType.QC,
}


def is_xponent(sheets: Sheets) -> bool:
    """Tell whether an export begins as an xPONENT one does."""
    return any(cell_at(row, 0) == "Program" for row in sheets.first[:3])


def read_xponent(sheets: Sheets, *, name: str) -> PlateExport:
    """Read an xPONENT export.

    Raises
    ------
    PlateReadError
        If the file ends early, holds two plates, names a well or an analyte's column twice, or a block does
        not hold the wells of the medians.
    """
    blocks = split_blocks(sheets.first, name=name, decimal_comma=sheets.decimal_comma)
    headed = read_header(blocks, "Median")
    medians = read_wells(blocks, "Median", headed)
    if not medians:
        raise PlateReadError("no well was read", place=name, expected="rows under DataType: Median")
    analytes = _tell_apart(blocks, headed)
    parts = {kind: read_wells(blocks, kind, headed) for kind in ("Count", "Net MFI", "Result")}
    _check_same_wells(blocks, medians, parts)
    nominals, types = _read_nominals(blocks, analytes)
    return PlateExport(
        plate=name_plate(name),
        batch=blocks.setting("Batch"),
        format=FORMAT,
        platform="Luminex",
        software=blocks.setting("Build"),
        run_at=parse_run_time(blocks.setting("BatchStartTime")),
        analytes=tuple(analytes),
        wells=_describe_wells(blocks, medians, types),
        readings=_join_readings(blocks, analytes, medians, parts),
        nominals=nominals,
        units=_read_units(blocks, analytes),
        vendor_curves=_read_curves(blocks, analytes),
        fewest_beads=read_least_beads(blocks),
        lot=blocks.lot,
    )


def _tell_apart(blocks: Blocks, headed: Sequence[str]) -> list[str]:
    """Return analyte names; two of one name are told apart by their bead region."""
    found = blocks.labelled("Units", "BeadID:") or blocks.labelled("Per Bead Count", "BeadID:")
    regions = found[1][1:] if found else ()
    names = [
        f"{analyte} ({cell_at(regions, place)})" if headed.count(analyte) > 1 else analyte
        for place, analyte in enumerate(headed)
    ]
    twice = sorted({analyte for analyte in names if names.count(analyte) > 1})
    if twice:
        raise PlateReadError(
            f"analyte {twice[0]} stands twice", place=blocks.name,
            expected="a bead region that tells them apart",
        )  # fmt: skip
    return names


def _check_same_wells(
    blocks: Blocks, medians: Mapping[str, object], parts: Mapping[str, Mapping[str, object]]
) -> None:
    """Check that beads were counted in every well, and that no block knows a well without a median."""
    for kind, block in parts.items():
        odd = set(block) - set(medians)
        if kind == "Count" and block:
            odd |= set(medians) - set(block)
        if odd:
            raise PlateReadError(
                f"block {kind} and the medians differ in well {min(odd)}", place=blocks.name,
                expected="the same wells in every block", remedy="export the plate again",
            )  # fmt: skip


def _describe_wells(
    blocks: Blocks, medians: Mapping[str, Row], types: Mapping[str, SampleType]
) -> tuple[Well, ...]:
    dilutions = _read_dilutions(blocks)
    return tuple(
        Well(
            wells=(well,), name=cells[1], level=cells[1] if cells[1] in types else "",
            sample_type=types.get(cells[1], SampleType.UNSTATED), dilution=dilutions.get(cells[0], NAN),
        )
        for well, (_, cells) in medians.items()
    )  # fmt: skip


def _read_dilutions(blocks: Blocks) -> dict[str, float]:
    header = next(iter(blocks.rows.get("Dilution Factor", ())), (0, ()))[1]
    if "Dilution Factor" not in header:
        return {}
    column = list(header).index("Dilution Factor")
    return {row[1][0]: blocks.number(row, column) for row in blocks.below_header("Dilution Factor")}


def _join_readings(
    blocks: Blocks, analytes: Sequence[str], medians: _Rows, parts: Mapping[str, _Rows]
) -> tuple[Reading, ...]:  # fmt: skip
    def number_at(kind: str, well: str, column: int) -> float:
        return blocks.number(parts[kind][well], column) if well in parts[kind] else NAN

    remarks = {
        cell_at(row[1], 0): row[1] for row in blocks.below_header("Comments") if cell_at(row[1], 0)
    }  # fmt: skip
    results = parts["Result"]
    return tuple(
        Reading(
            well=well, analyte=analyte, signal=blocks.number(row, column),
            net_signal=number_at("Net MFI", well, column), bead_count=number_at("Count", well, column),
            vendor_result=cell_at(results[well][1], column) if well in results else "",
            vendor_remark=cell_at(remarks.get(row[1][0], ()), column),
        )
        for well, row in medians.items()
        for column, analyte in enumerate(analytes, start=2)
    )  # fmt: skip


def _read_nominals(
    blocks: Blocks, analytes: Sequence[str]
) -> tuple[tuple[Nominal, ...], dict[str, SampleType]]:
    """Return expected concentrations, and what these tables say the samples of their names are."""
    units = _read_units(blocks, analytes)
    nominals: list[Nominal] = []
    types: dict[str, SampleType] = {}
    for kind, sample_type in _EXPECTED.items():
        for row in blocks.below_header(kind):
            level = cell_at(row[1], 0)
            values = [blocks.number(row, column) for column in range(1, len(analytes) + 1)]
            given = [
                Nominal(level=level, analyte=analyte, concentration=value, unit=units.get(analyte, ""))
                for analyte, value in zip(analytes, values, strict=True)
                if is_number(value)
            ]
            if level and given:
                types[level] = sample_type
                nominals += given
    return tuple(nominals), types


def _read_units(blocks: Blocks, analytes: Sequence[str]) -> dict[str, str]:
    found = blocks.labelled("Units", "Units:")
    cells = found[1] if found else ()
    return {
        analyte: unit for place, analyte in enumerate(analytes, start=1) if (unit := cell_at(cells, place))
    }


def _read_curves(blocks: Blocks, analytes: Sequence[str]) -> tuple[VendorCurve, ...]:
    """Return the vendor's logistic curves, ``net = A + B / (1 + (x / C)**D)**F``, of the net response."""
    letters = {
        cell_at(row[1], 0).removeprefix("Coefficient "): row
        for row in blocks.below_header("Analysis Coefficients")
    }
    kinds = blocks.labelled("Analysis Types", "AnalysisType") or (0, ())
    if not set("ABCD") <= set(letters):
        return ()
    curves = []
    for column, analyte in enumerate(analytes, start=1):
        low, span, midpoint, slope = (blocks.number(letters[letter], column) for letter in "ABCD")
        asymmetry = blocks.number(letters["F"], column) if "F" in letters else 1.0
        is_logistic = cell_at(kinds[1], column).casefold().startswith("logistic")
        if is_logistic and all(is_number(value) for value in (low, span, midpoint, slope, asymmetry)):
            curves.append(
                VendorCurve(
                    analyte=analyte, a=low + span, b=slope, c=midpoint, d=low, g=asymmetry, is_net=True
                )
            )
    return tuple(curves)
