"""Every table that leaves the house, as data; the contract's section 5 column by column."""

from collections.abc import Mapping
from typing import Final

from corelab.tables.schema import Column, TableSchema
from corelab.vocabulary import VISITS, Analyte, Arm, Assay, GateSource, Level, Panel, Status

_ARMS = tuple(Arm)
_STATUS = tuple(Status)
_YES_NO = ("yes", "no")
_RELATIONS = ("=", "<", ">", "<=", ">=")

_SUBJECT = Column(name="subject_id", label="Subject", required=True, origin="delivered")
_ANY_SUBJECT = Column(name="subject_id", label="Subject; empty for run tubes", origin="delivered")
_ARM = Column(name="arm", label="Dose group", codes=_ARMS, origin="delivered")
_VISIT = Column(name="visit", label="Visit", codes=VISITS, origin="delivered")
_VISIT_LABEL = Column(
    name="visit_label", label="Visit with the number of an unscheduled draw",
    derivation="visit, and for UNS its number in the order of time (UNS.1, UNS.2)",
)  # fmt: skip
_STUDY_DAY = Column(
    name="study_day", label="Study day", type="integer", unit="d",
    derivation="difference of local dates from infusion; infusion is day 0",
)  # fmt: skip
_COLLECTED = Column(name="collected_at", label="Time of collection", unit="ISO 8601", origin="delivered")
_WHEN = (_VISIT, _VISIT_LABEL, _STUDY_DAY, _COLLECTED)
_STATUS_COLUMN = Column(name="status", label="Status of the value", codes=_STATUS, required=True)
_REASON = Column(name="reason", label="Why a value is not quantified, or a remark on one that is")
_FILE_ID = Column(
    name="file_id", label="SHA-256 of the FCS file as delivered", required=True, origin="delivered"
)
_SOURCE = Column(name="source_id", label="Where the value was delivered", origin="delivered")


def _number(name: str, label: str, unit: str = "", derivation: str = "") -> Column:
    return Column(name=name, label=label, type="number", unit=unit, derivation=derivation)


def _count(name: str, label: str) -> Column:
    return Column(name=name, label=label, type="integer", unit="events")


_EXACT = "Clopper-Pearson, 95 %"
_CI = (
    _number("ci_low", "Lower 95 % limit", derivation=_EXACT),
    _number("ci_high", "Upper 95 % limit", derivation=_EXACT),
)

_SHIFT = "the value with the deciding limit moved {}; sensitivity to the gate, no confidence interval"


def _band(up: str, down: str, unit: str = "") -> tuple[Column, Column]:
    """Describe the value under a shifted gate: what it owes to the place of the limit."""
    return (
        _number("gate_low", "With the gate moved up", unit, _SHIFT.format(up)),
        _number("gate_high", "With the gate moved down", unit, _SHIFT.format(down)),
    )


SUBJECTS = TableSchema(
    name="subjects", row="subject", key=("subject_id",),
    columns=(
        _SUBJECT, _ARM, Column(name="sex", label="Sex", codes=("F", "M"), origin="delivered"),
        _number("age_years", "Age", "a", "completed years at consent, or as delivered"),
        Column(name="infusion_at", label="Start of infusion", unit="ISO 8601", origin="delivered"),
        _number("planned_dose_per_kg", "Planned dose", "viable CAR+ cells/kg", "dose group of the study file"),
        _number(
            "actual_dose_per_kg", "Actual dose", "viable CAR+ cells/kg",
            "nucleated cells/mL x viability x CD3 x CAR x volume / weight",
        ),
        _number("pct_of_planned", "Actual of planned dose", "%"),
    ),
)  # fmt: skip

POPULATIONS = TableSchema(
    name="populations", row="FCS file x population", key=("subject_id", "visit", "collected_at", "panel", "tube", "file_id", "population"),
    columns=(
        _ANY_SUBJECT, _ARM, *_WHEN, _FILE_ID,
        Column(name="panel", label="Panel", codes=tuple(Panel), origin="delivered"),
        Column(name="tube", label="Tube", origin="delivered"),
        Column(name="population", label="Population", required=True),
        Column(name="parent", label="Parent population"),
        _count("count", "Events in the population"), _count("parent_count", "Events in the parent"),
        _number("percent_of_parent", "Of parent", "%"), *_CI,
        _number("cells_per_ul", "Concentration in blood", "cells/uL", "events / beads x beads per tube / blood volume x predilution"),
        _number("cells_per_ul_low", "Lower 95 % limit", "cells/uL"), _number("cells_per_ul_high", "Upper 95 % limit", "cells/uL"),
        _STATUS_COLUMN, _REASON,
        Column(name="gate_source", label="Origin of the deciding limit", codes=tuple(GateSource)),
        Column(name="gate_version", label="Version of template and gating code"),
        Column(name="compensation", label="Applied spillover matrix", derivation="SHA-256 of the names and numbers of the matrix; empty where none was applied"),
        Column(name="qc", label="Quality of the tube", codes=tuple(Level)),
    ),
)  # fmt: skip

EXPRESSION = TableSchema(
    name="expression", row="FCS file x population x marker",
    key=("subject_id", "visit", "collected_at", "panel", "tube", "file_id", "population", "marker"),
    columns=(
        _ANY_SUBJECT, _ARM, *_WHEN, _FILE_ID,
        Column(name="panel", label="Panel", codes=tuple(Panel), origin="delivered"),
        Column(name="tube", label="Tube", origin="delivered"),
        Column(name="population", label="Population", required=True),
        Column(name="marker", label="Marker", required=True),
        _number("median_intensity", "Median intensity", "linear, compensated"),
        _number("robust_sd", "Robust spread", "linear, compensated", "1.4826 x median absolute deviation"),
        _count("n", "Events"),
    ),
)  # fmt: skip

MEASUREMENTS = TableSchema(
    name="measurements", row="measured value",
    key=("subject_id", "visit", "collected_at", "assay", "name", "metric", "source_id"),
    columns=(
        _SUBJECT, _ARM, *_WHEN,
        Column(name="assay", label="Assay", codes=tuple(Assay), required=True),
        Column(name="name", label="What was measured", required=True),
        Column(name="metric", label="Metric", required=True),
        _number("value", "Value; empty when censored"),
        Column(name="relation", label="Relation of the true value to the limit", codes=_RELATIONS),
        _number("low", "Lower bound of the value"), _number("high", "Upper bound of the value"),
        Column(name="unit", label="Unit of the row"), _STATUS_COLUMN, _REASON,
        _number("lod", "Limit of detection"), _number("lloq", "Lower limit of quantification"),
        _number("uloq", "Upper limit of quantification"), *_CI, _SOURCE,
    ),
)  # fmt: skip

CD19_STATUS = TableSchema(
    name="cd19_status", row="subject", key=("subject_id",),
    columns=(
        _SUBJECT, _ARM,
        Column(name="call", label="CD19 on B cells at screening", codes=("positive", "negative", "not_evaluable"), required=True),
        _number("percent_cd19", "CD19+ of reference B cells", "%"), *_CI,
        *_band("up by half a spread of the negatives", "down by half a spread of the negatives", "%"),
        _count("n_b_reference", "Reference B cells (CD19 not used)"),
        _number("b_cells_per_ul", "B cells", "cells/uL"),
        Column(name="threshold_source", label="Control that placed the CD19 limit", codes=("fmo", "t_cells")),
        Column(name="alert", label="Below the alert percentage", codes=_YES_NO), _REASON,
    ),
)  # fmt: skip

PERSISTENCE = TableSchema(
    name="persistence", row="subject x visit x analyte", key=("subject_id", "analyte", "collected_at", "visit"),
    columns=(
        _SUBJECT, _ARM, *_WHEN,
        Column(name="analyte", label="CAR-T analyte", codes=tuple(Analyte), required=True),
        _number("value", "Value; empty unless quantified"), Column(name="unit", label="Unit of the row", required=True),
        _count("n_events", "CAR+ events"),
        Column(name="n_reference", label="Events of the denominator", type="integer", unit="events", derivation="CD3+ events; lymphocytes for CAR_PCT_LYM"),
        _count("blank_events", "CAR+ events of the blank"),
        Column(name="blank_reference", label="Events of the blank's denominator", type="integer", unit="events", derivation="pre-infusion tubes of the subject pooled, else of the study; empty before infusion"),
        _number("p_value", "One-sided Fisher p against the blank"),
        _number("ci_low", "Lower 95 % limit", derivation="Clopper-Pearson, 95 %; for CAR_ABS of the ratio to beads"),
        _number("ci_high", "Upper 95 % limit", derivation="Clopper-Pearson, 95 %; for CAR_ABS of the ratio to beads"),
        *_band("up by a spread of the CAR-negative T cells", "down by half a spread of the CAR-negative T cells"),
        _number("lod", "Limit of detection", derivation="20 events, or the limit of blank where it is higher, in the unit of the row"),
        _number("lloq", "Lower limit of quantification", derivation="50 events, or the limit of detection where it is higher; qPCR: LLOQ x nominal / actual DNA"),
        _STATUS_COLUMN, _REASON,
    ),
)  # fmt: skip

PHENOTYPE = TableSchema(
    name="phenotype", row="subject x visit x compartment x subset",
    key=("subject_id", "visit", "collected_at", "compartment", "subset"),
    columns=(
        _SUBJECT, _ARM, *_WHEN,
        Column(name="compartment", label="Compartment", required=True), Column(name="subset", label="Subset", required=True),
        _count("count", "Events of the subset"), _count("parent_count", "Events of the compartment"),
        _number("percent", "Of compartment", "%"), *_CI, _STATUS_COLUMN, _REASON,
    ),
)  # fmt: skip

KINETICS = TableSchema(
    name="kinetics", row="subject x analyte x parameter", key=("subject_id", "analyte", "parameter"),
    columns=(
        _SUBJECT, _ARM, Column(name="analyte", label="Analyte", required=True),
        Column(name="parameter", label="Parameter", required=True),
        _number("value", "Value"), _number("low", "Lower bound"), _number("high", "Upper bound; empty when right-censored"),
        Column(name="unit", label="Unit of the row"), _STATUS_COLUMN, _REASON,
    ),
)  # fmt: skip

B_CELL_RECOVERY = TableSchema(
    name="b_cell_recovery", row="subject", key=("subject_id",),
    columns=(
        _SUBJECT, _ARM, _number("baseline_b_cells_per_ul", "B cells before lymphodepletion", "cells/uL"),
        Column(name="baseline_below", label="Below the aplasia limit before infusion", codes=_YES_NO),
        _number("aplasia_day", "First sample in aplasia", "d"),
        _number("onset_low", "Onset after", "d"), _number("onset_high", "Onset at or before", "d"),
        _number("recovery_10_low", "10/uL reached after", "d"), _number("recovery_10_high", "10/uL reached at or before", "d"),
        _number("recovery_50_low", "50/uL reached after", "d"), _number("recovery_50_high", "50/uL reached at or before", "d"),
        Column(name="recovery_10_censored", label="10/uL not yet reached", codes=_YES_NO),
        Column(name="recovery_50_censored", label="50/uL not yet reached", codes=_YES_NO),
    ),
)  # fmt: skip

ELIGIBILITY = TableSchema(
    name="eligibility", row="subject x criterion", key=("subject_id", "criterion"),
    columns=(
        _SUBJECT, _ARM, Column(name="criterion", label="Criterion", required=True),
        Column(name="state", label="State", required=True, codes=("met", "not_met", "not_evaluable", "eligible", "ineligible", "pending")),
        Column(name="value", label="Value judged"), Column(name="unit", label="Unit"), Column(name="threshold", label="Threshold"),
        _REASON, Column(name="exception_used", label="Exception used"), Column(name="rule_version", label="Version of the rules"),
    ),
)  # fmt: skip

ADVERSE_EVENTS = TableSchema(
    name="adverse_events", row="subject x term", key=("subject_id", "term"),
    columns=(
        _SUBJECT, _ARM, Column(name="term", label="Term", required=True, origin="delivered"),
        Column(name="worst_grade", label="Worst grade", type="integer"), Column(name="scale", label="Grading scale", origin="delivered"),
        _number("onset_day", "First onset", "d"), _number("duration_days", "Duration", "d"),
        Column(name="related", label="Related", codes=_YES_NO), Column(name="serious", label="Serious", codes=_YES_NO),
        Column(name="ongoing", label="Ongoing", codes=_YES_NO),
        Column(name="treatment_emergent", label="Treatment-emergent", codes=_YES_NO), Column(name="aesi", label="Of special interest", codes=_YES_NO),
    ),
)  # fmt: skip

LAB_TOXICITY = TableSchema(
    name="lab_toxicity", row="subject x visit x test x direction",
    key=("subject_id", "visit", "collected_at", "test", "direction"),
    columns=(
        _SUBJECT, _ARM, *_WHEN, Column(name="test", label="Test", required=True), Column(name="term", label="CTCAE term"),
        Column(name="direction", label="Direction", codes=("high", "low"), required=True),
        Column(name="grade", label="Grade", type="integer"), _number("value", "Value"), Column(name="unit", label="Unit of the row"),
        _number("baseline", "Baseline"), _REASON,
    ),
)  # fmt: skip

RESPONSES = TableSchema(
    name="responses", row="subject x visit x endpoint x definition",
    key=("subject_id", "visit", "collected_at", "endpoint", "definition"),
    columns=(
        _SUBJECT, _ARM, *_WHEN, Column(name="endpoint", label="Endpoint", required=True), Column(name="definition", label="Definition", required=True),
        Column(name="state", label="State as observed", codes=("responder", "non_responder", "not_evaluable"), required=True), _REASON,
    ),
)  # fmt: skip

SUMMARY = TableSchema(
    name="summary", row="arm x endpoint x visit x method", key=("arm", "endpoint", "visit", "method"),
    columns=(
        Column(name="arm", label="Dose group", codes=(*_ARMS, "all"), required=True), Column(name="endpoint", label="Endpoint", required=True),
        Column(name="visit", label="Visit", codes=VISITS), _count("n", "With the endpoint"), _count("n_total", "Judged"),
        _number("estimate", "Estimate", "%"), *_CI, Column(name="method", label="Method", required=True),
    ),
)  # fmt: skip

QUALITY = TableSchema(
    name="quality", row="finding", key=("object", "check", "reason"),
    columns=(
        _ANY_SUBJECT, _VISIT, Column(name="object", label="File, row or plate", required=True), Column(name="check", label="Check", required=True),
        Column(name="level", label="Weight", codes=("warn", "fail"), required=True),
        _number("value", "Value"), _number("limit", "Limit"), _REASON,
    ),
)  # fmt: skip

ANALYSIS_KEYS = (_SUBJECT, _ARM, *_WHEN)

SCHEMAS: Final[Mapping[str, TableSchema]] = {
    schema.name: schema
    for schema in (
        SUBJECTS, POPULATIONS, EXPRESSION, MEASUREMENTS, CD19_STATUS, PERSISTENCE, PHENOTYPE, KINETICS,
        B_CELL_RECOVERY, ELIGIBILITY, ADVERSE_EVENTS, LAB_TOXICITY, RESPONSES, SUMMARY, QUALITY,
    )
}  # fmt: skip
"""Schemas by table name. ``analysis`` is wide: its schema depends on its variables and is made by
`corelab.tables.analysis`."""
