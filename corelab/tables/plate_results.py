"""Results of plates as concentrations: one of each specimen, analyte and run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from corelab.immunoassay.quantitation import Quantity
from corelab.immunoassay.run import AnalyteRun, Specimen
from corelab.kinetics.parameter import join_reasons
from corelab.tables.plates import FINDING_COLUMNS, RecordedPlate
from corelab.vocabulary import Status

NAN: Final = float("nan")
REASSAY: Final = "REASSAY"
COLUMNS: Final = [
    "plate", "subject_id", "visit", "collected_at", "analyte", "platform", "matrix", "value", "relation",
    "low", "high", "unit", "status", "reason", "lod", "lloq", "uloq", "ci_low", "ci_high", "source_id",
]  # fmt: skip


def tabulate_results(recorded: Sequence[RecordedPlate]) -> pd.DataFrame:
    """Return one row for each specimen, analyte and run.

    Of several accepted runs of one specimen the first is reported; a later one is kept, and its reason says
    that it is a reassay.
    """
    rows: list[dict[str, Any]] = []
    reported: set[tuple[str, ...]] = set()
    for one in recorded:
        platform = one.judged.mapped.export.platform
        for run in one.judged.runs:
            for specimen, quantity in run.results.items():
                row = _result_row(one, run, specimen, quantity)
                key = (*specimen, run.analyte, platform)
                if run.is_accepted and quantity.status is not Status.FAILED:
                    if key in reported:
                        row["reason"] = join_reasons((REASSAY, row["reason"]))
                    reported.add(key)
                rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _result_row(
    one: RecordedPlate, run: AnalyteRun, specimen: Specimen, quantity: Quantity
) -> dict[str, Any]:
    dilution = quantity.dilution
    calibration = run.calibration
    limits = {
        name: getattr(calibration, name) * dilution if calibration is not None else NAN
        for name in ("lod", "lloq", "uloq")
    }
    # A failed result keeps the number that was read; elsewhere a value is one in range alone.
    value = quantity.calculated if quantity.status is Status.FAILED else quantity.value
    return {
        "plate": one.plate, "subject_id": specimen[0], "visit": specimen[1], "collected_at": specimen[2],
        "analyte": run.analyte, "matrix": specimen[3], "platform": one.judged.mapped.export.platform,
        "value": value, "relation": quantity.relation,
        "low": quantity.low, "high": quantity.high, "unit": run.unit, "status": quantity.status.value,
        "reason": quantity.reason, **limits, "ci_low": quantity.ci_low, "ci_high": quantity.ci_high,
        "source_id": one.source_id,
    }  # fmt: skip


def is_reportable(reasons: "pd.Series[str]") -> "pd.Series[bool]":
    """Tell which results are not a later run of a specimen that had been accepted before."""
    return ~reasons.map(lambda text: REASSAY in text.split(";")).astype(bool)


def find_mixed_batches(recorded: Iterable[RecordedPlate]) -> pd.DataFrame:
    """Name subjects whose visits were measured on several plates of one platform."""
    plates: dict[tuple[str, str], dict[str, None]] = {}
    for one in recorded:
        for well in one.judged.mapped.wells.values():
            if well.specimen is not None:
                key = (well.specimen[0], one.judged.mapped.export.platform)
                plates.setdefault(key, {})[one.plate] = None
    rows = [_mixed_row(subject, platform, list(found)) for (subject, platform), found in plates.items()]
    return pd.DataFrame([row for row in rows if row], columns=FINDING_COLUMNS)


def _mixed_row(subject: str, platform: str, plates: Sequence[str]) -> Mapping[str, Any] | None:
    if len(plates) < 2:
        return None
    return {
        "object": plates[0], "check": "BATCH_MIXED", "level": "warn", "value": float(len(plates)),
        "subject_id": subject,
        "reason": f"visits of {subject} are on {len(plates)} {platform} plates: {', '.join(plates)}",
    }  # fmt: skip
