"""The delivered rows as typed tables, between the registry and the derivations."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd

INPUT_COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "subjects": {
        "subject_id": "text", "sex": "text", "age_years": "number", "birth_date": "text", "consent_date": "text",
        "arm": "text", "height_cm": "number", "weight_kg": "number", "lymphodepletion_at": "text",
        "infusion_at": "text", "infusion_end_at": "text", "infused_volume_ml": "number", "tnc_per_ml": "number",
        "viability_pct": "number", "cd3_pct": "number", "car_pct": "number",
    },
    "acquisitions": {
        "file_id": "text", "object_id": "text", "subject_id": "text", "visit": "text", "collected_at": "text",
        "panel": "text", "tube": "text", "beads_per_tube": "number", "blood_volume_ul": "number",
        "predilution": "number", "batch": "text", "instrument": "text", "lot": "text",
        "acquired_volume_ul": "number", "acquired_at": "text", "spillover_id": "text", "visit_taken": "text",
    },
    "labs": {
        "subject_id": "text", "visit": "text", "collected_at": "text", "test": "text", "value": "text",
        "unit": "text", "ref_low": "number", "ref_high": "number", "visit_taken": "text",
    },
    "cytokines": {
        "subject_id": "text", "visit": "text", "collected_at": "text", "analyte": "text", "value": "text",
        "unit": "text", "lloq": "number", "uloq": "number", "lod": "number", "matrix": "text", "platform": "text",
        "received_at": "text", "visit_taken": "text",
    },
    "qpcr": {
        "subject_id": "text", "visit": "text", "collected_at": "text", "copies_per_ug": "text",
        "lloq": "number", "lod": "number", "gdna_ng": "number", "visit_taken": "text",
    },
    "assessments": {
        "subject_id": "text", "visit": "text", "collected_at": "text", "instrument": "text", "item": "text",
        "value": "text", "by": "text", "comment": "text", "visit_taken": "text",
    },
    "medications": {
        "subject_id": "text", "drug": "text", "start": "text", "end": "text", "dose": "number", "unit": "text",
        "route": "text", "reason": "text",
    },
    "adverse_events": {
        "subject_id": "text", "term": "text", "scale": "text", "grade": "number", "start": "text", "end": "text",
        "serious": "text", "related": "text", "category": "text",
    },
    "plates": {"plate": "text", "file_id": "text", "object_id": "text", "batch": "text", "format": "text"},
    "plate_layout": {
        "plate": "text", "well": "text", "sample_type": "text", "name": "text", "nominal": "number",
        "dilution": "number", "subject_id": "text", "visit": "text", "collected_at": "text", "kit_lot": "text",
        "matrix": "text", "run_at": "text", "received_at": "text", "visit_taken": "text",
    },
    "plate_standards": {"plate": "text", "level": "text", "analyte": "text", "nominal": "number", "unit": "text"},
}  # fmt: skip
"""Columns and types of every input table; each has ``source_id`` (``<file>:<row>``) besides. Text is
never NaN (empty string instead); numbers are float64. ``visit_taken`` is the visit in whose window a row
without one lies, but which a nearer draw of its series has: the row is unscheduled."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """All rows that take part in analysis, one table for each delivered file."""

    subjects: "pd.DataFrame"
    acquisitions: "pd.DataFrame"
    labs: "pd.DataFrame"
    cytokines: "pd.DataFrame"
    qpcr: "pd.DataFrame"
    assessments: "pd.DataFrame"
    medications: "pd.DataFrame"
    adverse_events: "pd.DataFrame"
    plates: "pd.DataFrame"
    plate_layout: "pd.DataFrame"
    plate_standards: "pd.DataFrame"


def build_inputs(tables: Mapping[str, "pd.DataFrame"]) -> Inputs:
    """Bring delivered rows into their columns and types; an absent table is empty."""
    import pandas as pd

    typed = {}
    for field in fields(Inputs):
        columns = {**INPUT_COLUMNS[field.name], "source_id": "text"}
        given = tables.get(field.name, pd.DataFrame(columns=list(columns)))
        typed[field.name] = pd.DataFrame(
            {name: _typed_column(given, name, kind) for name, kind in columns.items()}
        ).reset_index(drop=True)
    return Inputs(**typed)


def _typed_column(table: "pd.DataFrame", name: str, kind: str) -> "pd.Series[object]":
    import pandas as pd

    if kind == "number":
        values = table[name] if name in table.columns else pd.Series(float("nan"), index=table.index)
        return pd.to_numeric(values).astype("float64")
    values = table[name] if name in table.columns else pd.Series("", index=table.index, dtype=object)
    if pd.api.types.infer_dtype(values, skipna=False) == "string":
        return values.astype(object)
    return values.astype(object).where(values.notna(), "").map(str)
