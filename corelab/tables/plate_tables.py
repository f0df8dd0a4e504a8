"""Every table of the plates, from their exports and the delivered rows about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from corelab.immunoassay.settings import build_rules
from corelab.ingest.plates.records import PlateExport
from corelab.tables import plate_controls, plate_results, plates
from corelab.tables.inputs import Inputs
from corelab.tables.plate_schemas import PLATE_FINDINGS, PLATE_RESULTS
from corelab.tables.rows import stack_rows
from corelab.tables.schemas import SCHEMAS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlateTables:
    """Tables by name, one result of each specimen, analyte and run, and findings for `quality`.

    All of them have the types of their schemas, so that they can be kept.
    """

    tables: Mapping[str, pd.DataFrame]
    results: pd.DataFrame
    findings: pd.DataFrame


def derive_plates(
    inputs: Inputs, exports: Mapping[str, PlateExport], *, settings: Mapping[str, Any]
) -> PlateTables:
    """Judge every plate and lay it out.

    Parameters
    ----------
    inputs
        Delivered rows.
    exports
        The exports of the plates by file.
    settings
        The study's section ``immunoassay``.

    Raises
    ------
    ConfigError
        If a setting is unknown.
    """
    rules = build_rules(settings)
    recorded, unknown = plates.judge_plates(inputs, exports, rules)
    controls = plate_controls.tabulate_controls(recorded)
    curves = plates.tabulate_curves(recorded)
    results = plate_results.tabulate_results(recorded)
    tables = {
        "plates": plates.tabulate_plates(recorded, rules),
        "plate_curves": curves,
        "plate_curve_points": plates.tabulate_points(recorded),
        "plate_wells": plates.tabulate_wells(recorded),
        "plate_controls": controls,
    }
    findings = [
        plates.tabulate_findings(recorded),
        unknown,
        plate_results.find_mixed_batches(recorded),
        plate_controls.find_control_findings(controls),
    ]
    return PlateTables(
        tables={name: SCHEMAS[name].settle(rows) for name, rows in tables.items()},
        results=PLATE_RESULTS.give_types(plate_controls.bridge_results(results, controls, curves)),
        findings=PLATE_FINDINGS.give_types(stack_rows(findings, PLATE_FINDINGS.column_names)),
    )
