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
_RULES = Column(name="rule_version", label="Version of the rules")
_EVIDENCE = Column(name="evidence", label="Delivered rows on which the verdict rests", origin="delivered")
_FILE_ID = Column(
    name="file_id", label="SHA-256 of the FCS file as delivered", required=True, origin="delivered"
)
_SOURCE = Column(name="source_id", label="Where the value was delivered", origin="delivered")


def _number(name: str, label: str, unit: str = "", derivation: str = "") -> Column:
    return Column(name=name, label=label, type="number", unit=unit, derivation=derivation)


def _count(name: str, label: str) -> Column:
    return Column(name=name, label=label, type="integer", unit="events")


def _people(name: str, label: str) -> Column:
    return Column(name=name, label=label, type="integer", unit="subjects")


_ROW = "unit of the row"
_EXACT = "Clopper-Pearson, 95 %"
_CI = (
    _number("ci_low", "Lower 95 % limit", "%", _EXACT),
    _number("ci_high", "Upper 95 % limit", "%", _EXACT),
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
        _number("pct_of_planned", "Actual of planned dose", "%"), _REASON,
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
        _number("cells_per_ul", "Concentration in blood", "cells/uL", "by beads: events / beads x beads per tube / blood volume x predilution; by volume: events / acquired volume x predilution; by blood count: lymphocytes per uL x events / lymphocyte events"),
        _number("cells_per_ul_low", "Lower 95 % limit", "cells/uL"), _number("cells_per_ul_high", "Upper 95 % limit", "cells/uL"),
        _number("cells_per_ul_cv", "Relative error of counting", "%", "Poisson, of the counts that the route uses"),
        Column(name="route", label="By what the concentration was computed", codes=("beads", "volume", "blood_count", "none")),
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

CUTS = TableSchema(
    name="cuts", row="FCS file x limit",
    key=("subject_id", "visit", "collected_at", "panel", "tube", "file_id", "gate"),
    columns=(
        _ANY_SUBJECT, _ARM, *_WHEN, _FILE_ID,
        Column(name="panel", label="Panel", codes=tuple(Panel), origin="delivered"),
        Column(name="tube", label="Tube", origin="delivered"),
        Column(name="gate", label="Limit of the template", required=True),
        Column(name="marker", label="Marker or scatter channel that it divides", required=True),
        _number("cut", "Limit; empty where none could be placed", "linear, compensated"),
        _number("score", "How sure the limit is, 0 to 1", "1"),
        Column(name="gate_source", label="Origin of the limit", codes=tuple(GateSource)),
        Column(name="recipe", label="How the limit was placed"),
        Column(name="control", label="Tube or population that placed it"),
        _count("n_reference", "Events behind the limit"), _REASON,
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
        _number("value", "Value; empty when censored", _ROW),
        Column(name="relation", label="Relation of the true value to the limit", codes=_RELATIONS),
        _number("low", "Lower bound of the value", _ROW), _number("high", "Upper bound of the value", _ROW),
        Column(name="unit", label="Unit of the row"), _STATUS_COLUMN, _REASON,
        _number("lod", "Limit of detection", _ROW), _number("lloq", "Lower limit of quantification", _ROW),
        _number("uloq", "Upper limit of quantification", _ROW),
        _number("ci_low", "Lower 95 % limit", _ROW, _EXACT), _number("ci_high", "Upper 95 % limit", _ROW, _EXACT), _SOURCE,
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
        Column(name="threshold_source", label="Control that placed the CD19 limit, or whose gate it is", codes=("fmo", "t_cells", "manual", "flowjo", "gatingml")),
        Column(name="alert", label="Below the alert percentage", codes=_YES_NO), _REASON,
        _count("n_cd19_positive", "CD19+ reference B cells"),
        _number("cd19_b_reference", "Median CD19 of reference B cells", "linear, compensated"),
        _number("cd19_t_cells", "Median CD19 of T cells of the same tube", "linear, compensated"),
        _number("density_ratio", "Antigen density ratio", "1", "median of reference B cells / median of T cells; empty where that is not above zero"),
        _number("stain_index", "Stain index", "1", "difference of the medians / (2 x robust spread of T cells)"),
    ),
)  # fmt: skip

PERSISTENCE = TableSchema(
    name="persistence", row="subject x visit x analyte", key=("subject_id", "analyte", "collected_at", "visit"),
    columns=(
        _SUBJECT, _ARM, *_WHEN,
        Column(name="analyte", label="CAR-T analyte", codes=tuple(Analyte), required=True),
        _number("value", "Value; empty unless quantified", _ROW), Column(name="unit", label="Unit of the row", required=True),
        _count("n_events", "CAR+ events"),
        Column(name="n_reference", label="Events of the denominator", type="integer", unit="events", derivation="CD3+ events; lymphocytes for CAR_PCT_LYM"),
        _count("blank_events", "CAR+ events of the blank"),
        Column(name="blank_reference", label="Events of the blank's denominator", type="integer", unit="events", derivation="pre-infusion tubes of the subject pooled, else of the study; empty before infusion"),
        _number("p_value", "One-sided Fisher p against the blank", "1"),
        _number("ci_low", "Lower 95 % limit", _ROW, "Clopper-Pearson, 95 %; for CAR_ABS of the ratio to beads"),
        _number("ci_high", "Upper 95 % limit", _ROW, "Clopper-Pearson, 95 %; for CAR_ABS of the ratio to beads"),
        *_band("up by a spread of the CAR-negative T cells", "down by half a spread of the CAR-negative T cells", _ROW),
        _number("lod", "Limit of detection", _ROW, "20 events, or the limit of blank where it is higher, in the unit of the row"),
        _number("lloq", "Lower limit of quantification", _ROW, "50 events, or the limit of detection where it is higher; qPCR: LLOQ x nominal / actual DNA"),
        _STATUS_COLUMN, _REASON,
        Column(name="denominator", label="Population of the denominator", codes=("t_cells", "lymphocytes")),
        _number("lob", "Limit of blank", _ROW, derivation="mean + 1.645 SD of pre-infusion tubes, in the unit of the row; empty with too few"),
        _number("net_of_blank", "Percentage above the blank", "%", "difference of the percentages; may be negative"),
        _number("net_low", "Lower 95 % limit", "%", "Newcombe"), _number("net_high", "Upper 95 % limit", "%", "Newcombe"),
        _count("fmo_events", "CAR+ events of the FMO of the draw"), _count("fmo_reference", "Events of the FMO's denominator"),
        _number("fmo_p_value", "One-sided Fisher p against the FMO", "1", derivation="a remark: it decides nothing"),
        _count("run_blank_events", "CAR+ events of the blanks of the run"), _count("run_blank_reference", "Events of their denominator"),
        Column(name="route", label="By what the concentration was computed", codes=("beads", "volume", "blood_count", "none")),
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
        _number("value", "Value", _ROW), _number("low", "Lower bound", _ROW), _number("high", "Upper bound; empty when right-censored", _ROW),
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
        _number("aplasia_duration_low", "Aplasia lasted longer than", "d", "recovery_10_low - aplasia_day"),
        _number("aplasia_duration_high", "Aplasia lasted at most", "d", "recovery_10_high - aplasia_day"),
        _number("aplasia_duration_longest", "Aplasia lasted less than, whenever it began", "d", "recovery_10_high - onset_low"),
        _number("deep_depletion_day", "First sample without a B cell among enough lymphocytes", "d"),
        _number("return_transitional_pct", "Transitional of B cells at return", "%", "sample of recovery_10_high; empty below the event floor"),
        _number("return_naive_b_pct", "Naive of B cells at return", "%", "as above"),
        _number("return_switched_memory_b_pct", "Switched memory of B cells at return", "%", "as above"),
        _number("return_plasmablasts_pct", "Plasmablasts of B cells at return", "%", "as above"),
        _count("return_b_events", "B cells counted at return"), _REASON,
    ),
)  # fmt: skip

ELIGIBILITY = TableSchema(
    name="eligibility", row="subject x criterion", key=("subject_id", "criterion"),
    columns=(
        _SUBJECT, _ARM, Column(name="criterion", label="Criterion", required=True),
        Column(name="state", label="State", required=True, codes=("met", "not_met", "not_evaluable", "eligible", "ineligible", "pending")),
        Column(name="value", label="Value judged"), Column(name="unit", label="Unit"), Column(name="threshold", label="Threshold"),
        _REASON, Column(name="exception_used", label="Exception used"), _RULES,
        _EVIDENCE,
    ),
)  # fmt: skip

ADVERSE_EVENTS = TableSchema(
    name="adverse_events", row="subject x term", key=("subject_id", "term"),
    columns=(
        _SUBJECT, _ARM, Column(name="term", label="Term", required=True, origin="delivered"),
        Column(name="worst_grade", label="Worst grade", type="integer", unit="1"), Column(name="scale", label="Grading scale", origin="delivered"),
        _number("onset_day", "First onset", "d"), _number("duration_days", "Duration", "d"),
        Column(name="related", label="Related", codes=_YES_NO), Column(name="serious", label="Serious", codes=_YES_NO),
        Column(name="ongoing", label="Ongoing", codes=_YES_NO),
        Column(name="treatment_emergent", label="Treatment-emergent", codes=_YES_NO), Column(name="aesi", label="Of special interest", codes=_YES_NO),
        Column(name="worst_related_grade", label="Worst grade of a related episode", type="integer", unit="1"),
    ),
)  # fmt: skip

MEDICATIONS = TableSchema(
    name="medications", row="delivered medication", key=("subject_id", "start", "drug", "source_id"),
    columns=(
        _SUBJECT, _ARM, Column(name="drug", label="Drug", required=True, origin="delivered"),
        Column(name="start", label="Begin", unit="ISO 8601", origin="delivered"),
        Column(name="end", label="End; empty while ongoing or unknown", unit="ISO 8601", origin="delivered"),
        Column(name="start_day", label="Study day of the begin", type="integer", unit="d"),
        Column(name="end_day", label="Study day of the end", type="integer", unit="d"),
        _number("dose", "Dose", "unit of the row"), Column(name="unit", label="Unit of the dose", origin="delivered"),
        Column(name="route", label="Route", origin="delivered"), Column(name="reason", label="Why it was given", origin="delivered"), _SOURCE,
    ),
)  # fmt: skip

LAB_TOXICITY = TableSchema(
    name="lab_toxicity", row="subject x visit x test x direction",
    key=("subject_id", "visit", "collected_at", "test", "direction"),
    columns=(
        _SUBJECT, _ARM, *_WHEN, Column(name="test", label="Test", required=True), Column(name="term", label="CTCAE term"),
        Column(name="direction", label="Direction", codes=("high", "low"), required=True),
        Column(name="grade", label="Grade", type="integer", unit="1"), _number("value", "Value", _ROW), Column(name="unit", label="Unit of the row"),
        _number("baseline", "Baseline", _ROW, derivation="last sound value before lymphodepletion"), _REASON,
        Column(name="baseline_grade", label="Grade at baseline", type="integer", unit="1"),
        Column(name="shift", label="Change of grade from baseline", type="integer", unit="1", derivation="grade - baseline_grade"),
        Column(name="ref_low", label="Lower reference limit", type="number", unit=_ROW),
        Column(name="ref_high", label="Upper reference limit", type="number", unit=_ROW), _RULES,
    ),
)  # fmt: skip

LAB_SHIFT = TableSchema(
    name="lab_shift", row="subject x test x direction x phase", key=("subject_id", "test", "direction", "phase"),
    columns=(
        _SUBJECT, _ARM, Column(name="test", label="Test", required=True), Column(name="term", label="CTCAE term"),
        Column(name="direction", label="Direction", codes=("high", "low"), required=True),
        Column(name="phase", label="Phase, by study day", required=True),
        Column(name="baseline_grade", label="Grade at baseline", type="integer", unit="1"),
        Column(name="worst_grade", label="Worst grade of the phase", type="integer", unit="1"),
        Column(name="shift", label="Change of grade from baseline", type="integer", unit="1", derivation="worst_grade - baseline_grade"),
        _number("value", "Nadir or peak of the phase", _ROW, derivation="lowest or highest value, by direction"),
        Column(name="unit", label="Unit of the row"), _STUDY_DAY, _COLLECTED,
        Column(name="n", label="Graded results of the phase", type="integer", unit="results"),
        Column(name="n_not_graded", label="Results of the phase without a grade", type="integer", unit="results"), _RULES,
    ),
)  # fmt: skip

RESPONSES = TableSchema(
    name="responses", row="subject x visit x endpoint x definition",
    key=("subject_id", "visit", "collected_at", "endpoint", "definition"),
    columns=(
        _SUBJECT, _ARM, *_WHEN, Column(name="endpoint", label="Endpoint", required=True), Column(name="definition", label="Definition", required=True),
        Column(name="state", label="State as observed", codes=("responder", "non_responder", "not_evaluable"), required=True), _REASON,
        Column(name="value", label="Measures judged"), Column(name="threshold", label="Conditions"), _RULES,
        _EVIDENCE,
    ),
)  # fmt: skip

SUMMARY = TableSchema(
    name="summary", row="arm x endpoint x visit x method", key=("arm", "endpoint", "visit", "method"),
    columns=(
        Column(name="arm", label="Dose group", codes=(*_ARMS, "all"), required=True), Column(name="endpoint", label="Endpoint", required=True),
        Column(name="visit", label="Visit", codes=VISITS), _people("n", "With the endpoint"), _people("n_total", "Judged"),
        _number("estimate", "Estimate", _ROW),
        _number("ci_low", "Lower 95 % limit", _ROW, "fractions Clopper-Pearson, km log-log, geometric means Student's t of logarithms"),
        _number("ci_high", "Upper 95 % limit", _ROW, "fractions Clopper-Pearson, km log-log, geometric means Student's t of logarithms"),
        Column(name="method", label="Method", required=True), Column(name="unit", label="Unit of the row"), _REASON,
    ),
)  # fmt: skip

ASSOCIATIONS = TableSchema(
    name="associations", row="exposure x outcome x method, exploratory", key=("analyte", "parameter", "outcome", "visit", "method"),
    columns=(
        Column(name="analyte", label="Analyte of the exposure", required=True),
        Column(name="parameter", label="Kinetic parameter of the exposure", required=True),
        Column(name="outcome", label="What it is set against", required=True),
        Column(name="visit", label="Landmark visit", codes=VISITS), Column(name="method", label="Test", required=True),
        _people("n", "With both"), _people("n_first", "With the outcome"), _people("n_second", "Without it"),
        _number("estimate", "Ratio of geometric means, rank correlation, or statistic of the trend", "1"),
        _number("ci_low", "Lower 95 % limit", "1", "bootstrap of ratio or correlation"),
        _number("ci_high", "Upper 95 % limit", "1", "bootstrap of ratio or correlation"),
        Column(name="ci_method", label="Kind of bootstrap interval", codes=("BCa", "percentile")),
        _number("p_value", "Two-sided p", "1"),
        _number("p_holm", "Two-sided p, adjusted by Holm", "1", "within one analyte and method"),
        Column(name="reason", label="NOT_INFORMATIVE where these numbers could not reach the level, NO_CONTRAST without two groups"),
        Column(name="seed", label="Seed of what is resampled", type="integer", unit="1"),
    ),
)  # fmt: skip

QUALITY = TableSchema(
    name="quality", row="finding", key=("object", "check", "reason"),
    columns=(
        _ANY_SUBJECT, _VISIT, Column(name="object", label="File, row or plate", required=True), Column(name="check", label="Check", required=True),
        Column(name="level", label="Weight", codes=("warn", "fail"), required=True),
        _number("value", "Value", "unit of the check"), _number("limit", "Limit", "unit of the check"), _REASON,
    ),
)  # fmt: skip

_PLATE = Column(
    name="plate",
    label="Plate",
    required=True,
    origin="delivered",
    derivation="stem of the export's file name",
)
_PLATE_ANALYTE = Column(
    name="analyte",
    label="Analyte",
    required=True,
    origin="delivered",
    derivation="as the export names it, in the house spelling",
)
_KIT_LOT = Column(name="kit_lot", label="Kit lot", origin="delivered")
_RUN_AT = Column(name="run_at", label="When the plate was read", unit="ISO 8601", origin="delivered")
_PLATE_STATES = ("parsed", "qc_evaluated", "accepted", "rejected", "locked")
_ROLES = ("standard", "qc", "blank", "unknown", "unstated")

PLATES = TableSchema(
    name="plates", row="plate", key=("plate",),
    columns=(
        _PLATE, Column(name="batch", label="Batch name in the export", origin="delivered"),
        Column(name="platform", label="Platform", origin="delivered", derivation="Luminex, MSD or ELISA"),
        Column(name="format", label="Format of the export"), Column(name="software", label="Version of the reader's software", origin="delivered"),
        _KIT_LOT, Column(name="matrix", label="Matrix", origin="delivered"), _RUN_AT,
        Column(name="n_wells", label="Wells read", type="integer", unit="wells"), Column(name="n_specimens", label="Specimens named by the layout", type="integer", unit="specimens"),
        Column(name="n_analytes", label="Analytes", type="integer", unit="analytes"), Column(name="n_accepted", label="Analytes accepted", type="integer", unit="analytes"),
        Column(name="tier", label="Tier of the limits", type="integer", unit="1", derivation="1 ICH M10; 2 exploratory, wider limits stated beforehand"),
        Column(name="state", label="State", codes=_PLATE_STATES, required=True), _REASON, _SOURCE,
    ),
)  # fmt: skip

PLATE_CURVES = TableSchema(
    name="plate_curves", row="plate x analyte", key=("plate", "analyte"),
    columns=(
        _PLATE, _PLATE_ANALYTE, Column(name="platform", label="Platform", origin="delivered"), _KIT_LOT, _RUN_AT,
        Column(name="unit", label="Unit of concentrations", origin="delivered"),
        Column(name="state", label="State of the run", codes=_PLATE_STATES, required=True),
        Column(name="reason", label="Why the run is rejected or waits"), Column(name="remark", label="What was found and does not reject it"),
        Column(name="model", label="Curve", codes=("4PL", "5PL"), derivation="y = d + (a - d) / (1 + (x / c)^b)^g; 5PL if it lowers AICc by more than 2"),
        _number("a", "Response at concentration 0", "signal"), _number("b", "Slope factor", "1"), _number("c", "Midpoint", "as unit"),
        _number("d", "Response at saturation", "signal"), _number("g", "Asymmetry; 1 for 4PL", "1"),
        _number("residual_cv", "Proportional spread of the responses", "%", "of what lies above the blank, by maximum likelihood"),
        Column(name="n_levels", label="Standard levels above 0", type="integer", unit="levels"), Column(name="n_accepted_levels", label="Accepted standard levels", type="integer", unit="levels"),
        _number("lod", "Limit of detection", "as unit", "mean + 3 SD of three blanks or more, from the curve; before dilution"),
        _number("lloq", "Lower limit of quantification", "as unit", "lowest accepted standard; before dilution"),
        _number("uloq", "Upper limit of quantification", "as unit", "highest accepted standard; before dilution"),
        _number("blank_mean", "Mean response of the blanks", "signal"),
        Column(name="n_qc", label="Controls judged", type="integer", unit="wells"), Column(name="n_qc_accepted", label="Controls within the limit", type="integer", unit="wells"),
        _number("vendor_a", "Vendor's curve: response at concentration 0", "signal"), _number("vendor_b", "Vendor's curve: slope factor", "1"),
        _number("vendor_c", "Vendor's curve: midpoint", "as unit"), _number("vendor_d", "Vendor's curve: response at saturation", "signal"), _number("vendor_g", "Vendor's curve: asymmetry", "1"),
        _number("median_difference_percent", "Median difference to the vendor's results in range", "%"),
    ),
)  # fmt: skip

PLATE_CURVE_POINTS = TableSchema(
    name="plate_curve_points", row="plate x analyte x concentration", key=("plate", "analyte", "concentration"),
    columns=(
        _PLATE, _PLATE_ANALYTE, _number("concentration", "Concentration before dilution", "as unit"),
        _number("response", "Response of the fitted curve", "signal"),
        _number("response_low", "Lower 95 % limit of the curve", "signal"), _number("response_high", "Upper 95 % limit of the curve", "signal"),
        Column(name="in_range", label="Between LLOQ and ULOQ", codes=_YES_NO),
    ),
)  # fmt: skip

PLATE_WELLS = TableSchema(
    name="plate_wells", row="plate x well x analyte", key=("plate", "analyte", "well"),
    columns=(
        _PLATE, _PLATE_ANALYTE,
        Column(name="well", label="Well, or the wells of which the export gives the mean", required=True, origin="delivered"),
        Column(name="role", label="What is in the well", codes=_ROLES, required=True, derivation="layout.csv, else the export's own types"),
        Column(name="name", label="Standard, control or sample by name", origin="delivered"),
        _ANY_SUBJECT, _VISIT, _COLLECTED,
        _number("dilution", "Dilution of the specimen", "fold"), _number("nominal", "Nominal concentration of a standard or control", "as unit"),
        _number("signal", "Response", "signal"), _number("net_signal", "Response less the blank, as exported", "signal"),
        _number("bead_count", "Beads", "beads"), _number("signal_cv", "CV of the exported mean of wells", "%"),
        _number("calculated", "What the curve gives, in range or not, dilution applied", "as unit"),
        _number("recovery_percent", "Calculated of nominal", "%"),
        _number("value", "Value; empty unless in range", "as unit"), Column(name="relation", label="Relation of the true value to the limit", codes=_RELATIONS),
        _number("low", "Lower bound of the value", "as unit"), _number("high", "Upper bound of the value", "as unit"),
        _number("ci_low", "Lower 95 % limit", "as unit", "curve and well, delta method"), _number("ci_high", "Upper 95 % limit", "as unit", "curve and well, delta method"),
        Column(name="unit", label="Unit of concentrations", origin="delivered"),
        _STATUS_COLUMN, _REASON,
        Column(name="vendor_result", label="The vendor's result as written", origin="delivered"),
        _number("vendor_value", "The vendor's result where it is a number", "as unit"),
        Column(name="vendor_remark", label="The vendor's remark as written", origin="delivered"),
        _number("difference_percent", "Ours less the vendor's", "%"),
        Column(name="flags", label="Flags", derivation="LOW_BEAD OUTLIER MALFUNCTION CONTRADICTED NOT_FITTED ANCHOR FAILS, with spaces between them"),
    ),
)  # fmt: skip

PLATE_CONTROLS = TableSchema(
    name="plate_controls", row="plate x analyte x control", key=("platform", "analyte", "level", "plate"),
    columns=(
        _PLATE, _PLATE_ANALYTE, Column(name="platform", label="Platform", origin="delivered"),
        Column(name="level", label="Control", required=True, origin="delivered"), _KIT_LOT, _RUN_AT,
        _number("nominal", "Nominal concentration", "as unit"), _number("value", "Mean of the control's wells", "as unit"),
        _number("recovery_percent", "Of nominal", "%"), Column(name="unit", label="Unit of concentrations", origin="delivered"),
        _number("centre", "Centre of the lot's chart", "as unit"), _number("sd", "Spread of the lot's chart", "as unit"), _number("z", "Deviations off the centre", "1"),
        Column(name="rules", label="Westgard rules broken", derivation="1_2s is a warning; 1_3s 2_2s R_4s 4_1s 10_x reject"),
        Column(name="verdict", label="Verdict of the chart", codes=("in_control", "warning", "out_of_control", "not_evaluable")),
    ),
)  # fmt: skip

ANALYSIS_KEYS = (_SUBJECT, _ARM, *_WHEN)

SCHEMAS: Final[Mapping[str, TableSchema]] = {
    schema.name: schema
    for schema in (
        SUBJECTS,
        POPULATIONS,
        EXPRESSION,
        CUTS,
        MEASUREMENTS,
        CD19_STATUS,
        PERSISTENCE,
        PHENOTYPE,
        KINETICS,
        B_CELL_RECOVERY,
        ELIGIBILITY,
        ADVERSE_EVENTS,
        MEDICATIONS,
        LAB_TOXICITY,
        RESPONSES,
        SUMMARY,
        QUALITY,
        LAB_SHIFT,
        ASSOCIATIONS,
        PLATES,
        PLATE_CURVES,
        PLATE_CURVE_POINTS,
        PLATE_WELLS,
        PLATE_CONTROLS,
    )
}
"""Schemas by table name. ``analysis`` is wide: its schema depends on its variables and is made by
`corelab.tables.analysis`."""
