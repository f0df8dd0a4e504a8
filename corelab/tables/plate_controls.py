"""`plate_controls`: controls over plates and kit lots, on their Levey-Jennings charts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.immunoassay.acceptance import Bridge, compute_bridge
from corelab.immunoassay.control_chart import WARNING, ChartPoint, ControlPoint, chart_controls
from corelab.immunoassay.run import AnalyteRun
from corelab.ingest.plates.records import SampleType
from corelab.tables.plates import FINDING_COLUMNS, NAN, RecordedPlate
from corelab.vocabulary import Status

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
    for before, after, bridge in _bridge_changes(group):
        told = bridge.reason or f"ratio {bridge.ratio:.3f} of {bridge.n} controls"
        yield {
            "object": after.plate, "check": "LOT_CHANGE", "level": "warn", "value": bridge.ratio,
            "reason": f"{group['analyte'].iloc[0]}: kit lot {before.kit_lot} to {after.kit_lot}, {told}",
        }  # fmt: skip


def _bridge_changes(group: pd.DataFrame) -> Iterator[tuple[Any, Any, Bridge]]:
    """Return the plates before and after each change of lot of one analyte, with what bridges them."""
    plates = _order_plates(group)
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
        yield (
            before,
            after,
            compute_bridge(values[after.plate][common].tolist(), values[before.plate][common].tolist()),
        )


def _order_plates(group: pd.DataFrame) -> pd.DataFrame:
    """Return the plates of an analyte with their lots, in the order of their runs."""
    when = group["run_at"].replace("", "9999")
    ordered = group.assign(when=when).sort_values(["when", "plate"], kind="stable")
    return ordered.drop_duplicates("plate")[["plate", "kit_lot"]]


def bridge_results(results: pd.DataFrame, controls: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Add each result on the scale of the first kit lot of its platform and analyte.

    The original stays. A lot counts only where the change to it, and every one before, is bridged by enough
    controls within the limits, and where every control of both plates passed; else ``bridged`` is empty.
    """
    factors = {
        (plate, analyte): factor
        for (_, analyte), group in (controls.groupby(["platform", "analyte"]) if len(controls) else ())
        for plate, factor in _chain_lots(group, curves).items()
    }
    known = zip(results["plate"], results["analyte"], strict=True)
    factor = pd.Series([factors.get(key, NAN) for key in known], index=results.index, dtype="float64")
    is_number = results["status"] == Status.QUANTIFIED.value
    return results.assign(bridged=(results["value"].astype("float64") / factor).where(is_number))


def _chain_lots(group: pd.DataFrame, curves: pd.DataFrame) -> dict[str, float]:
    """Return by which factor each plate of an analyte lies above the first lot, NaN where unknown."""
    analyte = group["analyte"].iloc[0]
    own = curves[curves["analyte"] == analyte].set_index("plate")
    passed = (own["n_qc"] > 0) & (own["n_qc"] == own["n_qc_accepted"])
    steps = {
        after.plate: bridge.ratio
        if not bridge.reason and passed.get(before.plate, False) and passed.get(after.plate, False)
        else NAN
        for before, after, bridge in _bridge_changes(group)
    }
    factors, factor = {}, 1.0
    for plate, lot in _order_plates(group).itertuples(index=False):
        factor *= steps.get(plate, 1.0)
        factors[str(plate)] = factor if lot else NAN
    return factors
