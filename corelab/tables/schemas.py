"""Every table that leaves the house, as data; the contract's section 5 column by column."""

from collections.abc import Mapping
from typing import Final

from corelab.tables.columns import (
    ANY_SUBJECT,
    ARM,
    ARMS,
    CI,
    COLLECTED,
    EVIDENCE,
    EXACT,
    FILE_ID,
    REASON,
    RELATIONS,
    ROW_UNIT,
    RULES,
    SOURCE,
    STATUS,
    STUDY_DAY,
    SUBJECT,
    VISIT,
    WHEN,
    YES_NO,
    count_events,
    count_subjects,
    gate_band,
    number,
)
from corelab.tables.delivered_schemas import ASSESSMENTS, MEDICATIONS
from corelab.tables.plate_schemas import (
    PAIRING,
    PLATE_CONTROLS,
    PLATE_CURVE_POINTS,
    PLATE_CURVES,
    PLATE_WELLS,
    PLATES,
)
from corelab.tables.schema import Column, TableSchema
from corelab.vocabulary import VISITS, Analyte, Assay, GateSource, Level, Panel

SUBJECTS = TableSchema(
    name="subjects", row="subject", key=("subject_id",),
    columns=(
        SUBJECT, ARM, Column(name="sex", label="Sex", codes=("F", "M"), origin="delivered"),
        number("age_years", "Age", "a", derivation="completed years at consent, or as delivered"),
        Column(name="infusion_at", label="Start of infusion", unit="ISO 8601", origin="delivered"),
        number("planned_dose_per_kg", "Planned dose", "viable CAR+ cells/kg", derivation="dose group of the study file"),
        number(
            "actual_dose_per_kg", "Actual dose", "viable CAR+ cells/kg",
            derivation="nucleated cells/mL x viability x CD3 x CAR x volume / weight",
        ),
        number("pct_of_planned", "Actual of planned dose", "%"), REASON,
        Column(name="consent_date", label="Informed consent", unit="ISO 8601", origin="delivered"),
        Column(name="lymphodepletion_at", label="Start of lymphodepletion", unit="ISO 8601", origin="delivered"),
        Column(name="infusion_end_at", label="End of infusion", unit="ISO 8601", origin="delivered"),
    ),
)  # fmt: skip

POPULATIONS = TableSchema(
    name="populations", row="FCS file x population", key=("subject_id", "visit", "collected_at", "panel", "tube", "file_id", "population"),
    columns=(
        ANY_SUBJECT, ARM, *WHEN, FILE_ID,
        Column(name="panel", label="Panel", codes=tuple(Panel), origin="delivered"),
        Column(name="tube", label="Tube", origin="delivered"),
        Column(name="population", label="Population", required=True),
        Column(name="parent", label="Parent population"),
        count_events("count", "Events in the population"), count_events("parent_count", "Events in the parent"),
        number("percent_of_parent", "Of parent", "%"), *CI,
        number("cells_per_ul", "Concentration in blood", "cells/uL", derivation="by beads: events / beads x beads per tube / blood volume x predilution; by volume: events / acquired volume x predilution; by blood count: lymphocytes per uL x events / lymphocyte events"),
        number("cells_per_ul_low", "Lower 95 % limit", "cells/uL"), number("cells_per_ul_high", "Upper 95 % limit", "cells/uL"),
        number("cells_per_ul_cv", "Relative error of counting", "%", derivation="Poisson, of the counts that the route uses"),
        Column(name="route", label="By what the concentration was computed", codes=("beads", "volume", "blood_count", "none")),
        STATUS, REASON,
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
        ANY_SUBJECT, ARM, *WHEN, FILE_ID,
        Column(name="panel", label="Panel", codes=tuple(Panel), origin="delivered"),
        Column(name="tube", label="Tube", origin="delivered"),
        Column(name="population", label="Population", required=True),
        Column(name="marker", label="Marker", required=True),
        number("median_intensity", "Median intensity", "linear, compensated"),
        number("robust_sd", "Robust spread", "linear, compensated", derivation="1.4826 x median absolute deviation"),
        count_events("n", "Events"),
    ),
)  # fmt: skip

CUTS = TableSchema(
    name="cuts", row="FCS file x limit",
    key=("subject_id", "visit", "collected_at", "panel", "tube", "file_id", "gate"),
    columns=(
        ANY_SUBJECT, ARM, *WHEN, FILE_ID,
        Column(name="panel", label="Panel", codes=tuple(Panel), origin="delivered"),
        Column(name="tube", label="Tube", origin="delivered"),
        Column(name="gate", label="Limit of the template", required=True),
        Column(name="marker", label="Marker or scatter channel that it divides", required=True),
        number("cut", "Limit; empty where none could be placed", "linear, compensated"),
        number("score", "How sure the limit is, 0 to 1", "1"),
        Column(name="gate_source", label="Origin of the limit", codes=tuple(GateSource)),
        Column(name="recipe", label="How the limit was placed"),
        Column(name="control", label="Tube or population that placed it"),
        count_events("n_reference", "Events behind the limit"), REASON,
    ),
)  # fmt: skip

_IN_SD = "in SD of the earlier accepted runs of the instrument with this lot and panel; empty while too few"

BEADS = TableSchema(
    name="bead_qc", row="FCS file of quality beads x detector", key=("collected_at", "file_id", "detector"),
    columns=(
        FILE_ID, COLLECTED, Column(name="panel", label="Panel", codes=tuple(Panel), origin="delivered"),
        Column(name="instrument", label="Instrument", origin="delivered"),
        Column(name="lot", label="Lot of the beads", origin="delivered"),
        Column(name="batch", label="Run", origin="delivered"),
        Column(name="detector", label="Detector", required=True),
        number("median", "Median of the brightest peak", "linear, as recorded"),
        number("robust_cv_percent", "Robust CV of the peak", "%", derivation="1.4826 x median absolute deviation / median"),
        count_events("n", "Beads in the peak"),
        number("z_median", "Distance of the median", "SD", derivation=_IN_SD),
        Column(name="rule_median", label="Westgard rule that the median breaks"),
        Column(name="level_median", label="Verdict on the median", codes=tuple(Level)),
        number("z_robust_cv", "Distance of the robust CV", "SD", derivation=_IN_SD),
        Column(name="rule_robust_cv", label="Westgard rule that the robust CV breaks"),
        Column(name="level_robust_cv", label="Verdict on the robust CV", codes=tuple(Level)),
    ),
)  # fmt: skip

MEASUREMENTS = TableSchema(
    name="measurements", row="measured value",
    key=("subject_id", "visit", "collected_at", "assay", "name", "metric", "source_id"),
    columns=(
        SUBJECT, ARM, *WHEN,
        Column(name="assay", label="Assay", codes=tuple(Assay), required=True),
        Column(name="name", label="What was measured", required=True),
        Column(name="metric", label="Metric", required=True),
        number("value", "Value; empty when censored", ROW_UNIT),
        Column(name="relation", label="Relation of the true value to the limit", codes=RELATIONS),
        number("low", "Lower bound of the value", ROW_UNIT), number("high", "Upper bound of the value", ROW_UNIT),
        Column(name="unit", label="Unit of the row"), STATUS, REASON,
        number("lod", "Limit of detection", ROW_UNIT), number("lloq", "Lower limit of quantification", ROW_UNIT),
        number("uloq", "Upper limit of quantification", ROW_UNIT),
        number("ci_low", "Lower 95 % limit", ROW_UNIT, derivation=EXACT), number("ci_high", "Upper 95 % limit", ROW_UNIT, derivation=EXACT),
        number("bridged", "Value on the scale of the first kit lot", ROW_UNIT, derivation="value / geometric mean ratio of the controls over each change of lot; only where three or more agree within 0.8 to 1.25 and every control passed"), SOURCE,
    ),
)  # fmt: skip

CD19_STATUS = TableSchema(
    name="cd19_status", row="subject", key=("subject_id",),
    columns=(
        SUBJECT, ARM,
        Column(name="call", label="CD19 on B cells at screening", codes=("positive", "negative", "not_evaluable"), required=True),
        number("percent_cd19", "CD19+ of reference B cells", "%"), *CI,
        *gate_band("up by half a spread of the negatives", "down by half a spread of the negatives", "%"),
        count_events("n_b_reference", "Reference B cells (CD19 not used)"),
        number("b_cells_per_ul", "B cells", "cells/uL"),
        Column(name="threshold_source", label="Control that placed the CD19 limit, or whose gate it is", codes=("fmo", "t_cells", "manual", "flowjo", "gatingml")),
        Column(name="alert", label="Below the alert percentage", codes=YES_NO), REASON,
        count_events("n_cd19_positive", "CD19+ reference B cells"),
        number("cd19_b_reference", "Median CD19 of reference B cells", "linear, compensated"),
        number("cd19_t_cells", "Median CD19 of T cells of the same tube", "linear, compensated"),
        number("density_ratio", "Antigen density ratio", "1", derivation="median of reference B cells / median of T cells; empty where that is not above zero"),
        number("stain_index", "Stain index", "1", derivation="difference of the medians / (2 x robust spread of T cells)"),
    ),
)  # fmt: skip

PERSISTENCE = TableSchema(
    name="persistence", row="subject x visit x analyte", key=("subject_id", "analyte", "collected_at", "visit"),
    columns=(
        SUBJECT, ARM, *WHEN,
        Column(name="analyte", label="CAR-T analyte", codes=tuple(Analyte), required=True),
        number("value", "Value; empty unless quantified", ROW_UNIT), Column(name="unit", label="Unit of the row", required=True),
        count_events("n_events", "CAR+ events"),
        Column(name="n_reference", label="Events of the denominator", type="integer", unit="events", derivation="CD3+ events; lymphocytes for CAR_PCT_LYM"),
        count_events("blank_events", "CAR+ events of the blank"),
        Column(name="blank_reference", label="Events of the blank's denominator", type="integer", unit="events", derivation="pre-infusion tubes of the subject pooled, else of the study; empty before infusion"),
        number("p_value", "One-sided Fisher p against the blank", "1"),
        number("ci_low", "Lower 95 % limit", ROW_UNIT, derivation="Clopper-Pearson, 95 %; for CAR_ABS of the ratio to beads"),
        number("ci_high", "Upper 95 % limit", ROW_UNIT, derivation="Clopper-Pearson, 95 %; for CAR_ABS of the ratio to beads"),
        *gate_band("up by a spread of the CAR-negative T cells", "down by half a spread of the CAR-negative T cells", ROW_UNIT),
        number("lod", "Limit of detection", ROW_UNIT, derivation="20 events, or the limit of blank where it is higher, in the unit of the row"),
        number("lloq", "Lower limit of quantification", ROW_UNIT, derivation="50 events, or the limit of detection where it is higher; qPCR: LLOQ x nominal / actual DNA"),
        STATUS, REASON,
        Column(name="denominator", label="Population of the denominator", codes=("t_cells", "lymphocytes")),
        number("lob", "Limit of blank", ROW_UNIT, derivation="mean + 1.645 SD of pre-infusion tubes, in the unit of the row; empty with too few"),
        number("net_of_blank", "Percentage above the blank", "%", derivation="difference of the percentages; may be negative"),
        number("net_low", "Lower 95 % limit", "%", derivation="Newcombe"), number("net_high", "Upper 95 % limit", "%", derivation="Newcombe"),
        count_events("fmo_events", "CAR+ events of the FMO of the draw"), count_events("fmo_reference", "Events of the FMO's denominator"),
        number("fmo_p_value", "One-sided Fisher p against the FMO", "1", derivation="a remark: it decides nothing"),
        count_events("run_blank_events", "CAR+ events of the blanks of the run"), count_events("run_blank_reference", "Events of their denominator"),
        Column(name="route", label="By what the concentration was computed", codes=("beads", "volume", "blood_count", "none")),
    ),
)  # fmt: skip

PHENOTYPE = TableSchema(
    name="phenotype", row="subject x visit x compartment x subset",
    key=("subject_id", "visit", "collected_at", "compartment", "subset"),
    columns=(
        SUBJECT, ARM, *WHEN,
        Column(name="compartment", label="Compartment", required=True), Column(name="subset", label="Subset", required=True),
        count_events("count", "Events of the subset"), count_events("parent_count", "Events of the compartment"),
        number("percent", "Of compartment", "%"), *CI, STATUS, REASON,
    ),
)  # fmt: skip

KINETICS = TableSchema(
    name="kinetics", row="subject x analyte x parameter", key=("subject_id", "analyte", "parameter"),
    columns=(
        SUBJECT, ARM, Column(name="analyte", label="Analyte", required=True),
        Column(name="parameter", label="Parameter", required=True),
        number("value", "Value", ROW_UNIT), number("low", "Lower bound", ROW_UNIT), number("high", "Upper bound; empty when right-censored", ROW_UNIT),
        Column(name="unit", label="Unit of the row"), STATUS, REASON,
    ),
)  # fmt: skip

B_CELL_RECOVERY = TableSchema(
    name="b_cell_recovery", row="subject", key=("subject_id",),
    columns=(
        SUBJECT, ARM, number("baseline_b_cells_per_ul", "B cells before lymphodepletion", "cells/uL"),
        Column(name="baseline_below", label="Below the aplasia limit before infusion", codes=YES_NO),
        number("aplasia_day", "First sample in aplasia", "d"),
        number("onset_low", "Onset after", "d"), number("onset_high", "Onset at or before", "d"),
        number("recovery_10_low", "10/uL reached after", "d"), number("recovery_10_high", "10/uL reached at or before", "d"),
        number("recovery_50_low", "50/uL reached after", "d"), number("recovery_50_high", "50/uL reached at or before", "d"),
        Column(name="recovery_10_censored", label="10/uL not yet reached", codes=YES_NO),
        Column(name="recovery_50_censored", label="50/uL not yet reached", codes=YES_NO),
        number("aplasia_duration_low", "Aplasia lasted longer than", "d", derivation="recovery_10_low - aplasia_day"),
        number("aplasia_duration_high", "Aplasia lasted at most", "d", derivation="recovery_10_high - aplasia_day"),
        number("aplasia_duration_longest", "Aplasia lasted less than, whenever it began", "d", derivation="recovery_10_high - onset_low"),
        number("deep_depletion_day", "First sample without a B cell among enough lymphocytes", "d"),
        number("return_transitional_pct", "Transitional of B cells at return", "%", derivation="sample of recovery_10_high; empty below the event floor"),
        number("return_naive_b_pct", "Naive of B cells at return", "%", derivation="as above"),
        number("return_switched_memory_b_pct", "Switched memory of B cells at return", "%", derivation="as above"),
        number("return_plasmablasts_pct", "Plasmablasts of B cells at return", "%", derivation="as above"),
        count_events("return_b_events", "B cells counted at return"), REASON,
    ),
)  # fmt: skip

ELIGIBILITY = TableSchema(
    name="eligibility", row="subject x criterion", key=("subject_id", "criterion"),
    columns=(
        SUBJECT, ARM, Column(name="criterion", label="Criterion", required=True),
        Column(name="state", label="State", required=True, codes=("met", "not_met", "not_evaluable", "eligible", "ineligible", "pending")),
        Column(name="value", label="Value judged"), Column(name="unit", label="Unit"), Column(name="threshold", label="Threshold"),
        REASON, Column(name="exception_used", label="Exception used"), RULES,
        EVIDENCE,
    ),
)  # fmt: skip

ADVERSE_EVENTS = TableSchema(
    name="adverse_events", row="subject x term", key=("subject_id", "term"),
    columns=(
        SUBJECT, ARM, Column(name="term", label="Term", required=True, origin="delivered"),
        Column(name="worst_grade", label="Worst grade", type="integer", unit="1"), Column(name="scale", label="Grading scale", origin="delivered"),
        number("onset_day", "First onset", "d"), number("duration_days", "Duration", "d"),
        Column(name="related", label="Related", codes=YES_NO), Column(name="serious", label="Serious", codes=YES_NO),
        Column(name="ongoing", label="Ongoing", codes=YES_NO),
        Column(name="treatment_emergent", label="Treatment-emergent", codes=YES_NO), Column(name="aesi", label="Of special interest", codes=YES_NO),
        Column(name="worst_related_grade", label="Worst grade of a related episode", type="integer", unit="1"),
    ),
)  # fmt: skip

LAB_TOXICITY = TableSchema(
    name="lab_toxicity", row="subject x visit x test x direction",
    key=("subject_id", "visit", "collected_at", "test", "direction"),
    columns=(
        SUBJECT, ARM, *WHEN, Column(name="test", label="Test", required=True), Column(name="term", label="CTCAE term"),
        Column(name="direction", label="Direction", codes=("high", "low"), required=True),
        Column(name="grade", label="Grade", type="integer", unit="1"), number("value", "Value", ROW_UNIT), Column(name="unit", label="Unit of the row"),
        number("baseline", "Baseline", ROW_UNIT, derivation="last sound value before lymphodepletion"), REASON,
        Column(name="baseline_grade", label="Grade at baseline", type="integer", unit="1"),
        Column(name="shift", label="Change of grade from baseline", type="integer", unit="1", derivation="grade - baseline_grade"),
        Column(name="ref_low", label="Lower reference limit", type="number", unit=ROW_UNIT),
        Column(name="ref_high", label="Upper reference limit", type="number", unit=ROW_UNIT), RULES,
    ),
)  # fmt: skip

LAB_SHIFT = TableSchema(
    name="lab_shift", row="subject x test x direction x phase", key=("subject_id", "test", "direction", "phase"),
    columns=(
        SUBJECT, ARM, Column(name="test", label="Test", required=True), Column(name="term", label="CTCAE term"),
        Column(name="direction", label="Direction", codes=("high", "low"), required=True),
        Column(name="phase", label="Phase, by study day", required=True),
        Column(name="baseline_grade", label="Grade at baseline", type="integer", unit="1"),
        Column(name="worst_grade", label="Worst grade of the phase", type="integer", unit="1"),
        Column(name="shift", label="Change of grade from baseline", type="integer", unit="1", derivation="worst_grade - baseline_grade"),
        number("value", "Nadir or peak of the phase", ROW_UNIT, derivation="lowest or highest value, by direction"),
        Column(name="unit", label="Unit of the row"), STUDY_DAY, COLLECTED,
        Column(name="n", label="Graded results of the phase", type="integer", unit="results"),
        Column(name="n_not_graded", label="Results of the phase without a grade", type="integer", unit="results"), RULES,
    ),
)  # fmt: skip

RESPONSES = TableSchema(
    name="responses", row="subject x visit x endpoint x definition",
    key=("subject_id", "visit", "collected_at", "endpoint", "definition"),
    columns=(
        SUBJECT, ARM, *WHEN, Column(name="endpoint", label="Endpoint", required=True), Column(name="definition", label="Definition", required=True),
        Column(name="state", label="State as observed", codes=("responder", "non_responder", "not_evaluable"), required=True), REASON,
        Column(name="value", label="Measures judged"), Column(name="threshold", label="Conditions"), RULES,
        EVIDENCE,
    ),
)  # fmt: skip

SUMMARY = TableSchema(
    name="summary", row="arm x endpoint x visit x method", key=("arm", "endpoint", "visit", "method"),
    columns=(
        Column(name="arm", label="Dose group", codes=(*ARMS, "all"), required=True), Column(name="endpoint", label="Endpoint", required=True),
        Column(name="visit", label="Visit", codes=VISITS), count_subjects("n", "With the endpoint"), count_subjects("n_total", "Judged"),
        number("estimate", "Estimate", ROW_UNIT),
        number("ci_low", "Lower 95 % limit", ROW_UNIT, derivation="fractions Clopper-Pearson, km log-log, geometric means Student's t of logarithms"),
        number("ci_high", "Upper 95 % limit", ROW_UNIT, derivation="fractions Clopper-Pearson, km log-log, geometric means Student's t of logarithms"),
        Column(name="method", label="Method", required=True), Column(name="unit", label="Unit of the row"), REASON,
    ),
)  # fmt: skip

ASSOCIATIONS = TableSchema(
    name="associations", row="exposure x outcome x method, exploratory", key=("analyte", "parameter", "outcome", "visit", "method"),
    columns=(
        Column(name="analyte", label="Analyte of the exposure", required=True),
        Column(name="parameter", label="Kinetic parameter of the exposure", required=True),
        Column(name="outcome", label="What it is set against", required=True),
        Column(name="visit", label="Landmark visit", codes=VISITS), Column(name="method", label="Test", required=True),
        count_subjects("n", "With both"), count_subjects("n_first", "With the outcome"), count_subjects("n_second", "Without it"),
        number("estimate", "Ratio of geometric means, rank correlation, or statistic of the trend", "1"),
        number("ci_low", "Lower 95 % limit", "1", derivation="bootstrap of ratio or correlation"),
        number("ci_high", "Upper 95 % limit", "1", derivation="bootstrap of ratio or correlation"),
        Column(name="ci_method", label="Kind of bootstrap interval", codes=("BCa", "percentile")),
        number("p_value", "Two-sided p", "1"),
        number("p_holm", "Two-sided p, adjusted by Holm", "1", derivation="within one analyte and method"),
        Column(name="reason", label="NOT_INFORMATIVE where these numbers could not reach the level, NO_CONTRAST without two groups"),
        Column(name="seed", label="Seed of what is resampled", type="integer", unit="1"),
    ),
)  # fmt: skip

QUALITY = TableSchema(
    name="quality", row="finding", key=("object", "check", "reason"),
    columns=(
        ANY_SUBJECT, VISIT, Column(name="object", label="File, row or plate", required=True), Column(name="check", label="Check", required=True),
        Column(name="level", label="Weight", codes=("warn", "fail"), required=True),
        number("value", "Value", "unit of the check"), number("limit", "Limit", "unit of the check"), REASON,
    ),
)  # fmt: skip

ANALYSIS_KEYS = (SUBJECT, ARM, *WHEN)

SCHEMAS: Final[Mapping[str, TableSchema]] = {
    schema.name: schema
    for schema in (
        SUBJECTS,
        POPULATIONS,
        EXPRESSION,
        CUTS,
        BEADS,
        MEASUREMENTS,
        CD19_STATUS,
        PERSISTENCE,
        PHENOTYPE,
        KINETICS,
        B_CELL_RECOVERY,
        ELIGIBILITY,
        ADVERSE_EVENTS,
        MEDICATIONS,
        ASSESSMENTS,
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
        PAIRING,
    )
}
"""Schemas by table name. ``analysis`` is wide: its schema depends on its variables and is made by
`corelab.tables.analysis`."""
