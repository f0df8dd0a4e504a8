"""Plates judged: `plates`, `plate_curves`, `plate_curve_points`, `plate_wells`, and what was found."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.errors import InputError
from corelab.immunoassay.acceptance import PlateState
from corelab.immunoassay.curve import compute_response
from corelab.immunoassay.nominal import StandardRow
from corelab.immunoassay.plate_map import LayoutRow, map_plate
from corelab.immunoassay.quantitation import compute_band
from corelab.immunoassay.run import AnalyteRun, JudgedPlate, WellResult, compare_with_vendor, judge_plate
from corelab.immunoassay.settings import RunRules
from corelab.ingest.plates.records import PlateExport, SampleType
from corelab.ingest.values import parse_measured
from corelab.tables.inputs import Inputs
from corelab.vocabulary import Status

NAN: Final = float("nan")
Row = dict[str, Any]
_POINTS: Final = 41
FINDING_COLUMNS: Final = ["object", "check", "level", "value", "limit", "reason", "subject_id", "visit"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedPlate:
    """A judged plate with its name, and the file it came in."""

    plate: str
    file_id: str
    source_id: str
    judged: JudgedPlate

    @property
    def order(self) -> tuple[str, str]:
        """By what plates are put in the order of their runs: time of reading, then name."""
        return self.judged.mapped.run_at or "9999", self.plate


def judge_plates(
    inputs: Inputs, exports: Mapping[str, PlateExport], rules: RunRules
) -> tuple[list[RecordedPlate], pd.DataFrame]:
    """Judge every plate of the delivered files, in the order of their runs.

    Parameters
    ----------
    inputs
        Delivered rows; those of the layout and the standards name a plate by its file or its batch.
    exports
        The exports by file.
    rules
        Limits of the runs.

    Returns
    -------
    tuple of list of RecordedPlate and DataFrame
        The plates, and findings about rows that name none of them.
    """
    recorded = []
    named: set[str] = set()
    names = _name_plates(inputs.plates)
    for row in inputs.plates.itertuples(index=False):
        calls = names[row.plate]
        named |= calls
        mapped = map_plate(
            exports[row.file_id],
            _layout_rows(_select(inputs.plate_layout, calls)),
            _standard_rows(_select(inputs.plate_standards, calls)),
            series_off=rules.series_off,
        )
        source = str(row.source_id).rpartition(":")[0]
        recorded.append(
            RecordedPlate(
                plate=row.plate, file_id=row.file_id, source_id=source, judged=judge_plate(mapped, rules)
            )
        )
    return sorted(recorded, key=lambda one: one.order), _find_unknown_plates(inputs, named)


def _name_plates(plates: pd.DataFrame) -> dict[str, set[str]]:
    """Return what each plate may be called, in lower case; a batch that two plates share names neither."""
    batches = [text.casefold() for text in plates["batch"]]
    stems = {text.casefold() for text in plates["plate"]}
    names = {}
    for plate, batch in zip(plates["plate"], batches, strict=True):
        own = {plate.casefold()}
        if batch and batches.count(batch) == 1 and batch not in stems:
            own.add(batch)
        names[plate] = own
    return names


def _select(rows: pd.DataFrame, calls: set[str]) -> pd.DataFrame:
    return rows[rows["plate"].str.casefold().isin(calls)]


def _layout_rows(rows: pd.DataFrame) -> list[LayoutRow]:
    return [
        LayoutRow(
            well=row.well, sample_type=SampleType(row.sample_type), name=row.name, nominal=row.nominal,
            dilution=row.dilution, subject_id=row.subject_id, visit=row.visit,
            collected_at=row.collected_at, kit_lot=row.kit_lot, matrix=row.matrix, run_at=row.run_at,
        )
        for row in rows.itertuples(index=False)
    ]  # fmt: skip


def _standard_rows(rows: pd.DataFrame) -> list[StandardRow]:
    return [
        StandardRow(level=row.level, analyte=row.analyte, nominal=row.nominal, unit=row.unit)
        for row in rows.itertuples(index=False)
    ]


def _find_unknown_plates(inputs: Inputs, named: set[str]) -> pd.DataFrame:
    """Name plates of the layout and the standards whose export is not here: their rows wait."""
    found: list[Row] = []
    for name, table in (("layout", inputs.plate_layout), ("standards", inputs.plate_standards)):
        for plate in sorted(set(table["plate"])):
            if plate.casefold() not in named:
                reason = f"plates/{name}.csv names this plate, whose export has not been delivered"
                found.append({"object": plate, "check": "PLATE_MISSING", "level": "warn", "reason": reason})
    return pd.DataFrame(found, columns=FINDING_COLUMNS)


def tabulate_plates(recorded: Sequence[RecordedPlate], rules: RunRules) -> pd.DataFrame:
    """Return one row for each plate."""
    return pd.DataFrame([_plate_row(one, rules) for one in recorded])


def _plate_row(one: RecordedPlate, rules: RunRules) -> Row:
    mapped, export = one.judged.mapped, one.judged.mapped.export
    specimens = {well.specimen for well in mapped.wells.values() if well.specimen}
    return {
        "plate": one.plate, "file_id": one.file_id, "batch": export.batch, "platform": export.platform,
        "format": export.format, "software": export.software, "kit_lot": mapped.kit_lot,
        "matrix": mapped.matrix, "run_at": mapped.run_at,
        "n_wells": sum(len(well.wells) for well in export.wells), "n_specimens": len(specimens),
        "n_analytes": len(one.judged.runs), "n_accepted": sum(run.is_accepted for run in one.judged.runs),
        "tier": rules.tier, "state": one.judged.state.value, "reason": one.judged.reason,
        "source_id": one.source_id,
    }  # fmt: skip


def tabulate_curves(recorded: Iterable[RecordedPlate]) -> pd.DataFrame:
    """Return one row for each plate and analyte, with the curve, its range and its verdict."""
    return pd.DataFrame([_curve_row(one, run) for one in recorded for run in one.judged.runs])


def _curve_row(one: RecordedPlate, run: AnalyteRun) -> Row:
    mapped = one.judged.mapped
    row: Row = {
        "plate": one.plate, "analyte": run.analyte, "platform": mapped.export.platform,
        "kit_lot": mapped.kit_lot, "run_at": mapped.run_at, "unit": run.unit, "state": run.state.value,
        "reason": "; ".join(run.reasons), "remark": "; ".join(run.remarks),
        "median_difference_percent": compare_with_vendor(run, _vendor_values(run)),
    }  # fmt: skip
    if run.vendor_curve is not None:
        row |= {f"vendor_{letter}": getattr(run.vendor_curve, letter) for letter in "abcdg"}
    if run.controls is not None:
        row |= {"n_qc": run.controls.n, "n_qc_accepted": run.controls.n_accepted}
    if run.calibration is not None:
        row |= _calibration_columns(run)
    return row


def _calibration_columns(run: AnalyteRun) -> Row:
    if run.calibration is None:
        return {}
    calibration = run.calibration
    row: Row = {
        "n_levels": len(calibration.levels),
        "n_accepted_levels": sum(level.is_accepted for level in calibration.levels),
        "lod": calibration.lod, "lloq": calibration.lloq, "uloq": calibration.uloq,
        "blank_mean": calibration.blank_mean,
    }  # fmt: skip
    if calibration.fit is not None:
        curve = calibration.fit.curve
        row |= {letter: getattr(curve, letter) for letter in "abcdg"}
        row |= {"model": calibration.fit.kind, "residual_cv": calibration.fit.proportional * 100}
    return row


def tabulate_points(recorded: Iterable[RecordedPlate]) -> pd.DataFrame:
    """Return points of every curve with its band, evenly on a logarithmic scale, for drawing."""
    parts = [_make_points(one.plate, run) for one in recorded for run in one.judged.runs]
    return pd.DataFrame([row for part in parts for row in part])


def _make_points(plate: str, run: AnalyteRun) -> Iterator[Row]:
    calibration = run.calibration
    if calibration is None or calibration.fit is None:
        return
    nominal = [level.nominal for level in calibration.levels]
    grid = np.geomspace(min(nominal) / 2, max(nominal) * 2, _POINTS)
    response = compute_response(calibration.fit.curve, grid)
    low, high = compute_band(calibration.fit, grid.tolist())
    for x, y, lower, upper in zip(grid.tolist(), response.tolist(), low, high, strict=True):
        yield {
            "plate": plate, "analyte": run.analyte, "concentration": x, "response": y, "response_low": lower,
            "response_high": upper,
            "in_range": "yes" if calibration.lloq <= x <= calibration.uloq else "no",
        }  # fmt: skip


def tabulate_wells(recorded: Iterable[RecordedPlate]) -> pd.DataFrame:
    """Return one row for each well and analyte: what was read, what we and the vendor make of it."""
    return pd.DataFrame(
        [
            _well_row(one.plate, run, result)
            for one in recorded
            for run in one.judged.runs
            for result in run.wells
        ]
    )


def _well_row(plate: str, run: AnalyteRun, result: WellResult) -> Row:
    well, reading = result.well, result.reading
    subject, visit, collected, _ = well.specimen or ("", "", "", "")
    row: Row = {
        "plate": plate, "analyte": run.analyte, "well": well.key, "role": well.role.value, "name": well.name,
        "subject_id": subject, "visit": visit, "collected_at": collected, "dilution": well.dilution,
        "nominal": result.nominal, "signal": reading.signal, "net_signal": reading.net_signal,
        "bead_count": reading.bead_count, "signal_cv": reading.signal_cv, "unit": run.unit,
        "status": Status.NOT_CALCULATED.value, "reason": "" if run.calibration else "PLATE_WAITS",
        "vendor_result": reading.vendor_result, "vendor_remark": reading.vendor_remark,
        "vendor_value": _read_vendor(reading.vendor_result), "flags": " ".join(result.flags),
    }  # fmt: skip
    if result.quantity is None:
        return row
    quantity = result.quantity
    row |= {
        "calculated": quantity.calculated, "recovery_percent": result.recovery_percent,
        "value": quantity.value, "relation": quantity.relation, "low": quantity.low, "high": quantity.high,
        "ci_low": quantity.ci_low, "ci_high": quantity.ci_high, "status": quantity.status.value,
        "reason": quantity.reason,
    }  # fmt: skip
    if run.state is PlateState.REJECTED or (result.flags and not result.is_usable):
        row["status"] = Status.FAILED.value
        row["reason"] = run.reasons[0] if run.reasons else " ".join(result.flags)
    vendor = row["vendor_value"]
    if vendor > 0:
        row["difference_percent"] = (quantity.calculated / vendor - 1) * 100
    return row


def _read_vendor(text: str) -> float:
    """Return a vendor's result where it is a plain number; its marks and limits are none."""
    try:
        return parse_measured(text).value
    except InputError:
        return NAN


def _vendor_values(run: AnalyteRun) -> dict[str, float]:
    values = {one.well.key: _read_vendor(one.reading.vendor_result) for one in run.wells}
    return {key: value for key, value in values.items() if math.isfinite(value)}


def tabulate_findings(recorded: Iterable[RecordedPlate]) -> pd.DataFrame:
    """Return what was found on the plates, for `quality`."""
    rows = [
        {
            "object": one.plate, "check": finding.check, "level": finding.level, "value": finding.value,
            "limit": finding.limit, "reason": finding.reason,
        }
        for one in recorded
        for finding in one.judged.findings
    ]  # fmt: skip
    waiting = [
        {"object": one.plate, "check": "PLATE_WAITS", "level": "warn", "reason": one.judged.reason}
        for one in recorded
        if one.judged.state is PlateState.PARSED
    ]
    unitless = [
        {
            "object": one.plate,
            "check": "UNIT_MISSING",
            "level": "warn",
            "reason": f"{run.analyte}: no unit is known",
        }
        for one in recorded
        for run in one.judged.runs
        if not run.unit and one.judged.state is not PlateState.PARSED
    ]
    return pd.DataFrame([*rows, *waiting, *unitless], columns=FINDING_COLUMNS)
