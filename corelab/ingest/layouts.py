"""The delivered tables as data: their columns, what a value must be, and what names a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Rule = Literal[
    "subject", "subject_new", "visit", "moment", "date", "number", "whole", "measured", "unit", "panel",
    "tube", "arm", "sex", "yes_no", "word", "text", "file", "well", "sample_type",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of a delivered table.

    ``required`` means that the file must have the column; ``filled`` that no row may leave it empty.
    ``least`` and ``most`` bound a number. ``unit`` and ``example`` are for the template.
    """

    name: str
    rule: Rule
    example: str = ""
    unit: str = ""
    required: bool = True
    filled: bool = True
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One delivered table: the kind of its rows, its file's stem, its columns, and its key."""

    kind: str
    stem: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns in order."""
        return tuple(field.name for field in self.fields)


def _optional(name: str, rule: Rule, example: str = "", unit: str = "", **bounds: float) -> Field:
    return Field(
        name=name, rule=rule, example=example, unit=unit, required=False, filled=False,
        least=bounds.get("least"), most=bounds.get("most"),
    )  # fmt: skip


_SUBJECT = Field(name="subject_id", rule="subject", example="EXAMPLE-01")
_VISIT = Field(name="visit", rule="visit", example="D14", filled=False)
_COLLECTED = Field(name="collected_at", rule="moment", example="2025-03-17T08:30", unit="ISO 8601")

_RECEIVED = _optional("received_at", "moment", "", "ISO 8601")

_SUBJECTS = Layout(
    kind="subjects", stem="subjects", key=("subject_id",),
    fields=(
        Field(name="subject_id", rule="subject_new", example="EXAMPLE-01"),
        _optional("sex", "sex", "F", "F/M"),
        _optional("age_years", "number", "12", "a", least=0, most=130),
        _optional("birth_date", "date"),
        _optional("consent_date", "date", "2025-02-10", "ISO 8601"),
        _optional("arm", "arm", "low", "low/high"),
        _optional("height_cm", "number", "148", "cm", least=20, most=260),
        _optional("weight_kg", "number", "38.5", "kg", least=1, most=400),
        _optional("lymphodepletion_at", "moment", "2025-02-26T09:00", "ISO 8601"),
        _optional("infusion_at", "moment", "2025-03-03T10:00", "ISO 8601"),
        _optional("infusion_end_at", "moment", "2025-03-03T10:25", "ISO 8601"),
        _optional("infused_volume_ml", "number", "4.5", "mL", least=0),
        _optional("tnc_per_ml", "number", "1.2e7", "cells/mL", least=0),
        _optional("viability_pct", "number", "88", "%", least=0, most=100),
        _optional("cd3_pct", "number", "97", "%", least=0, most=100),
        _optional("car_pct", "number", "34", "%", least=0, most=100),
    ),
)  # fmt: skip

_MANIFEST = Layout(
    kind="acquisitions", stem="manifest", key=("file",),
    fields=(
        Field(name="file", rule="file", example="fcs/example_D14_cart.fcs"),
        Field(name="subject_id", rule="subject", example="EXAMPLE-01", filled=False),
        Field(name="visit", rule="visit", example="D14", filled=False),
        _COLLECTED,
        Field(name="panel", rule="panel", example="cart"),
        Field(name="tube", rule="tube", example="full"),
        _optional("beads_per_tube", "number", "51000", "beads", least=0),
        _optional("blood_volume_ul", "number", "100", "uL", least=0),
        _optional("predilution", "number", "1", "fold", least=0),
        _optional("batch", "text"), _optional("instrument", "text", "cytometer 1"), _optional("lot", "text"),
    ),
)  # fmt: skip

_LABS = Layout(
    kind="labs", stem="labs", key=("subject_id", "visit", "collected_at", "test"),
    fields=(
        _SUBJECT, _VISIT, _COLLECTED,
        Field(name="test", rule="word", example="ALC"),
        Field(name="value", rule="measured", example="1.35", filled=False),
        Field(name="unit", rule="unit", example="10^9/L", filled=False),
        _optional("ref_low", "number", "1.1"), _optional("ref_high", "number", "3.2"),
    ),
)  # fmt: skip

_CYTOKINES = Layout(
    kind="cytokines", stem="cytokines",
    key=("subject_id", "visit", "collected_at", "analyte", "platform"),
    fields=(
        _SUBJECT, _VISIT, _COLLECTED,
        Field(name="analyte", rule="word", example="IL-6"),
        Field(name="value", rule="measured", example="<2.4", filled=False),
        Field(name="unit", rule="unit", example="pg/mL"),
        _optional("lloq", "number", "2.4", "as unit", least=0),
        _optional("uloq", "number", "10000", "as unit", least=0),
        _optional("lod", "number", "0.8", "as unit", least=0),
        _optional("matrix", "text", "serum"), _optional("platform", "text", "Luminex"), _RECEIVED,
    ),
)  # fmt: skip

_QPCR = Layout(
    kind="qpcr", stem="qpcr", key=("subject_id", "visit", "collected_at"),
    fields=(
        _SUBJECT, _VISIT, _COLLECTED,
        Field(name="copies_per_ug", rule="measured", example="<50", unit="copies/ug gDNA", filled=False),
        _optional("lloq", "number", "50", "copies/ug", least=0),
        _optional("lod", "number", "15", "copies/ug", least=0),
        _optional("gdna_ng", "number", "200", "ng", least=0),
    ),
)  # fmt: skip

_ASSESSMENTS = Layout(
    kind="assessments", stem="assessments",
    key=("subject_id", "visit", "collected_at", "instrument", "item"),
    fields=(
        _SUBJECT, _VISIT, _COLLECTED,
        Field(name="instrument", rule="word", example="SLEDAI-2K"),
        Field(name="item", rule="word", example="arthritis"),
        Field(name="value", rule="text", example="1"),
        _optional("by", "text"), _optional("comment", "text"),
    ),
)  # fmt: skip

_MEDICATIONS = Layout(
    kind="medications", stem="medications", key=("subject_id", "drug", "start"),
    fields=(
        _SUBJECT, Field(name="drug", rule="word", example="prednisone"),
        Field(name="start", rule="moment", example="2025-02-01", unit="ISO 8601"),
        _optional("end", "moment", "2025-02-25", "ISO 8601"),
        _optional("dose", "number", "20", "as unit", least=0),
        _optional("unit", "text", "mg"), _optional("route", "text", "oral"), _optional("reason", "text"),
    ),
)  # fmt: skip

_ADVERSE_EVENTS = Layout(
    kind="adverse_events", stem="adverse_events", key=("subject_id", "term", "start"),
    fields=(
        _SUBJECT, Field(name="term", rule="word", example="Cytokine release syndrome"),
        Field(name="scale", rule="word", example="ASTCT 2019", unit="CTCAE v5.0 / ASTCT 2019"),
        Field(name="grade", rule="whole", example="1", least=0, most=5),
        Field(name="start", rule="moment", example="2025-03-06", unit="ISO 8601"),
        _optional("end", "moment", "2025-03-08", "ISO 8601"), _optional("serious", "yes_no", "no", "yes/no"),
        _optional("related", "yes_no", "yes", "yes/no"), _optional("category", "text"),
    ),
)  # fmt: skip

_PLATE_LAYOUT = Layout(
    kind="plate_layout", stem="plates/layout", key=("plate", "well"),
    fields=(
        Field(name="plate", rule="word", example="run_01"),
        Field(name="well", rule="well", example="A3"),
        Field(name="sample_type", rule="sample_type", example="unknown", unit="standard/qc/blank/unknown"),
        _optional("name", "word", "STD1"),
        _optional("nominal", "number", "", "as the results", least=0),
        _optional("dilution", "number", "4", "fold", least=1e-6),
        _optional("subject_id", "subject", "EXAMPLE-01"), _optional("visit", "visit", "D14"),
        _optional("collected_at", "moment", "2025-03-17T08:30", "ISO 8601"),
        _optional("kit_lot", "text"), _optional("matrix", "text", "serum"),
        _optional("run_at", "moment", "2025-03-20T14:00", "ISO 8601"), _RECEIVED,
    ),
)  # fmt: skip

_PLATE_STANDARDS = Layout(
    kind="plate_standards", stem="plates/standards", key=("plate", "level", "analyte"),
    fields=(
        Field(name="plate", rule="word", example="run_01"), Field(name="level", rule="word", example="STD1"),
        Field(name="analyte", rule="word", example="IL-6"),
        Field(name="nominal", rule="number", example="5850", unit="as unit", least=0),
        Field(name="unit", rule="unit", example="pg/mL"),
    ),
)  # fmt: skip

PLATES: Final = Layout(
    kind="plates", stem="", key=("plate",),
    fields=(
        Field(name="plate", rule="word"), Field(name="file_id", rule="word"), _optional("batch", "text"),
        _optional("format", "text"),
    ),
)  # fmt: skip
"""The export of a plate reader as one row: no delivered table, but recorded like the row of one."""

LAYOUTS: Final[Mapping[str, Layout]] = {
    layout.stem: layout
    for layout in (
        _SUBJECTS, _MANIFEST, _LABS, _CYTOKINES, _QPCR, _ASSESSMENTS, _MEDICATIONS, _ADVERSE_EVENTS,
        _PLATE_LAYOUT, _PLATE_STANDARDS,
    )
}  # fmt: skip
"""Layouts by the stem of the file, in the order in which they are admitted: a row's subject first."""

_SPILLOVERS = Layout(kind="spillovers", stem="", fields=(), key=("file_id",))
"""No table: ties an FCS file to the matrix delivered with it, under the rules for rows."""

BY_KIND: Final[Mapping[str, Layout]] = {
    layout.kind: layout for layout in (*LAYOUTS.values(), PLATES, _SPILLOVERS)
}
