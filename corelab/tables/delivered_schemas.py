"""Tables of delivered rows that are only placed on their subject's clock: drugs and assessments."""

from corelab.tables.columns import ARM, SOURCE, SUBJECT, WHEN, number
from corelab.tables.schema import Column, TableSchema

MEDICATIONS = TableSchema(
    name="medications", row="delivered medication", key=("subject_id", "start", "drug", "source_id"),
    columns=(
        SUBJECT, ARM, Column(name="drug", label="Drug", required=True, origin="delivered"),
        Column(name="start", label="Begin", unit="ISO 8601", origin="delivered"),
        Column(name="end", label="End; empty while ongoing or unknown", unit="ISO 8601", origin="delivered"),
        Column(name="start_day", label="Study day of the begin", type="integer", unit="d"),
        Column(name="end_day", label="Study day of the end", type="integer", unit="d"),
        number("dose", "Dose", "unit of the row"), Column(name="unit", label="Unit of the dose", origin="delivered"),
        Column(name="route", label="Route", origin="delivered"), Column(name="reason", label="Why it was given", origin="delivered"), SOURCE,
    ),
)  # fmt: skip

ASSESSMENTS = TableSchema(
    name="assessments", row="delivered item of an assessment",
    key=("subject_id", "visit", "collected_at", "instrument", "item", "source_id"),
    columns=(
        SUBJECT, ARM, *WHEN,
        Column(name="instrument", label="Instrument", required=True, origin="delivered"),
        Column(name="item", label="Item of the instrument", required=True, origin="delivered"),
        Column(name="value", label="Answer as delivered", origin="delivered"), SOURCE,
    ),
)  # fmt: skip
