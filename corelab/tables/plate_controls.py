"""`plate_controls`: controls over plates and kit lots, on their Levey-Jennings charts."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.immunoassay.acceptance import compute_bridge
from corelab.immunoassay.control_chart import WARNING, ChartPoint, ControlPoint, chart_controls
from corelab.immunoassay.run import AnalyteRun
from corelab.ingest.plates.records import SampleType
from corelab.tables.plates import FINDING_COLUMNS, RecordedPlate

_SERIES: Final = ["platform", "analyte", "level"]


def tabulate_controls(recorded: Sequence[RecordedPlate]) -> pd.DataFrame:
    """Return each control of each plate on its chart, plates in the order of their runs."""
    means = pd.DataFrame([row for one in recorded for row in _control_rows(one)])
    if means.empty:
        return means
    parts = [_chart(group) for _, group in means.groupby(_SERIES, sort=True)]
    return pd.concat(parts, ignore_index=True)


def _control_rows(one: RecordedPlate) -> Iterable[dict[str, Any]]:
    for run in one.judged.runs:
        for level, (nominal, value) in _average_controls(run).items():
            mapped = one.judged.mapped
            yield {
                "plate": one.plate, "analyte": run.analyte, "platform": mapped.export.platform,
                "level": level, "kit_lot": mapped.kit_lot, "run_at": mapped.run_at, "nominal": nominal,
                "value": value, "recovery_percent": value / nominal * 100 if nominal > 0 else float("nan"),
                "unit": run.unit,
            }  # fmt: skip


def _average_controls(run: AnalyteRun) -> dict[str, tuple[float, float]]:
    """Return nominal and mean concentration by control; one that could not be read is NaN."""
    found: dict[str, list[float]] = {}
    nominal: dict[str, float] = {}
    for one in run.wells:
        if one.well.role is SampleType.QC and one.quantity is not None and one.is_usable:
            found.setdefault(one.well.level, []).append(one.quantity.calculated)
            nominal[one.well.level] = one.nominal
    return {level: (nominal[level], float(np.mean(values))) for level, values in found.items()}


def _chart(group: pd.DataFrame) -> pd.DataFrame:
    points = chart_controls(
        [
            ControlPoint(plate=plate, lot=lot, value=value)
            for plate, lot, value in group[["plate", "kit_lot", "value"]].itertuples(index=False, name=None)
        ]
    )
    return group.assign(
        centre=[point.centre for point in points], sd=[point.sd for point in points],
        z=[point.z for point in points], rules=[" ".join(point.rules) for point in points],
        verdict=[_judge(point) for point in points],
    )  # fmt: skip


def _judge(point: ChartPoint) -> str:
    if not np.isfinite(point.z):
        return "not_evaluable"
    if point.is_rejected:
        return "out_of_control"
    return "warning" if WARNING in point.rules else "in_control"


def find_control_findings(controls: pd.DataFrame) -> pd.DataFrame:
    """Name controls that break a Westgard rule, and plates on which a new kit lot begins."""
    if controls.empty:
        return pd.DataFrame(columns=FINDING_COLUMNS)
    odd = controls[controls["verdict"].isin(("warning", "out_of_control"))]
    rows = [
        {
            "object": row.plate, "check": "WESTGARD", "value": row.z, "limit": 2.0,
            "level": "fail" if row.verdict == "out_of_control" else "warn",
            "reason": f"{row.analyte} {row.level}: {row.rules}",
        }
        for row in odd.itertuples(index=False)
    ]  # fmt: skip
    changes = [
        row
        for _, group in controls.groupby(["platform", "analyte"], sort=True)
        for row in _find_lot_changes(group)
    ]
    return pd.DataFrame([*rows, *changes], columns=FINDING_COLUMNS)


def _find_lot_changes(group: pd.DataFrame) -> Iterable[dict[str, Any]]:
    """Compare a lot's first plate with the last one of the lot before it, by their common controls."""
    plates = group.drop_duplicates("plate")[["plate", "kit_lot"]]
    known = plates[plates["kit_lot"] != ""]
    for before, after in zip(
        known.itertuples(index=False), known.iloc[1:].itertuples(index=False), strict=False
    ):
        if before.kit_lot == after.kit_lot:
            continue
        values = {
            plate: group[(group["plate"] == plate) & group["value"].gt(0)].set_index("level")["value"]
            for plate in (before.plate, after.plate)
        }
        common = values[before.plate].index.intersection(values[after.plate].index)
        bridge = compute_bridge(values[after.plate][common].tolist(), values[before.plate][common].tolist())
        told = bridge.reason or f"ratio {bridge.ratio:.3f} of {bridge.n} controls"
        yield {
            "object": after.plate, "check": "LOT_CHANGE", "level": "warn", "value": bridge.ratio,
            "reason": f"{group['analyte'].iloc[0]}: kit lot {before.kit_lot} to {after.kit_lot}, {told}",
        }  # fmt: skip
