"""Tables of the plates: what was read, the curves, their range and their controls."""

from corelab.tables.columns import (
    ANY_SUBJECT,
    ARM,
    COLLECTED,
    REASON,
    RELATIONS,
    SOURCE,
    STATUS,
    SUBJECT,
    VISIT,
    WHEN,
    YES_NO,
    number,
)
from corelab.tables.schema import Column, TableSchema
from corelab.vocabulary import Panel

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
        _PLATE, Column(name="file_id", label="SHA-256 of the export as delivered", origin="delivered"),
        Column(name="batch", label="Batch name in the export", origin="delivered"),
        Column(name="platform", label="Platform", origin="delivered", derivation="Luminex, MSD or ELISA"),
        Column(name="format", label="Format of the export"), Column(name="software", label="Version of the reader's software", origin="delivered"),
        _KIT_LOT, Column(name="matrix", label="Matrix", origin="delivered"), _RUN_AT,
        Column(name="n_wells", label="Wells read", type="integer", unit="wells"), Column(name="n_specimens", label="Specimens named by the layout", type="integer", unit="specimens"),
        Column(name="n_analytes", label="Analytes", type="integer", unit="analytes"), Column(name="n_accepted", label="Analytes accepted", type="integer", unit="analytes"),
        Column(name="tier", label="Tier of the limits", type="integer", unit="1", derivation="1 ICH M10; 2 exploratory, wider limits stated beforehand"),
        Column(name="state", label="State", codes=_PLATE_STATES, required=True), REASON, SOURCE,
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
        number("a", "Response at concentration 0", "signal"), number("b", "Slope factor", "1"), number("c", "Midpoint", "as unit"),
        number("d", "Response at saturation", "signal"), number("g", "Asymmetry; 1 for 4PL", "1"),
        number("residual_cv", "Proportional spread of the responses", "%", derivation="of what lies above the blank, by maximum likelihood"),
        Column(name="n_levels", label="Standard levels above 0", type="integer", unit="levels"), Column(name="n_accepted_levels", label="Accepted standard levels", type="integer", unit="levels"),
        number("lod", "Limit of detection", "as unit", derivation="mean + 3 SD of three blanks or more, from the curve; before dilution"),
        number("lloq", "Lower limit of quantification", "as unit", derivation="lowest accepted standard; before dilution"),
        number("uloq", "Upper limit of quantification", "as unit", derivation="highest accepted standard; before dilution"),
        number("blank_mean", "Mean response of the blanks", "signal"),
        Column(name="n_qc", label="Controls judged", type="integer", unit="wells"), Column(name="n_qc_accepted", label="Controls within the limit", type="integer", unit="wells"),
        number("vendor_a", "Vendor's curve: response at concentration 0", "signal"), number("vendor_b", "Vendor's curve: slope factor", "1"),
        number("vendor_c", "Vendor's curve: midpoint", "as unit"), number("vendor_d", "Vendor's curve: response at saturation", "signal"), number("vendor_g", "Vendor's curve: asymmetry", "1"),
        number("median_difference_percent", "Median difference to the vendor's results in range", "%"),
    ),
)  # fmt: skip

PLATE_CURVE_POINTS = TableSchema(
    name="plate_curve_points", row="plate x analyte x concentration", key=("plate", "analyte", "concentration"),
    columns=(
        _PLATE, _PLATE_ANALYTE, number("concentration", "Concentration before dilution", "as unit"),
        number("response", "Response of the fitted curve", "signal"),
        number("response_low", "Lower 95 % limit of the curve", "signal"), number("response_high", "Upper 95 % limit of the curve", "signal"),
        Column(name="in_range", label="Between LLOQ and ULOQ", codes=YES_NO),
    ),
)  # fmt: skip

PLATE_WELLS = TableSchema(
    name="plate_wells", row="plate x well x analyte", key=("plate", "analyte", "well"),
    columns=(
        _PLATE, _PLATE_ANALYTE,
        Column(name="well", label="Well, or the wells of which the export gives the mean", required=True, origin="delivered"),
        Column(name="role", label="What is in the well", codes=_ROLES, required=True, derivation="layout.csv, else the export's own types"),
        Column(name="name", label="Standard, control or sample by name", origin="delivered"),
        ANY_SUBJECT, VISIT, COLLECTED,
        number("dilution", "Dilution of the specimen", "fold"), number("nominal", "Nominal concentration of a standard or control", "as unit"),
        number("signal", "Response", "signal"), number("net_signal", "Response less the blank, as exported", "signal"),
        number("bead_count", "Beads", "beads"), number("signal_cv", "CV of the exported mean of wells", "%"),
        number("calculated", "What the curve gives, in range or not, dilution applied", "as unit"),
        number("recovery_percent", "Calculated of nominal", "%"),
        number("value", "Value; empty unless in range", "as unit"), Column(name="relation", label="Relation of the true value to the limit", codes=RELATIONS),
        number("low", "Lower bound of the value", "as unit"), number("high", "Upper bound of the value", "as unit"),
        number("ci_low", "Lower 95 % limit", "as unit", derivation="curve and well, delta method"), number("ci_high", "Upper 95 % limit", "as unit", derivation="curve and well, delta method"),
        Column(name="unit", label="Unit of concentrations", origin="delivered"),
        STATUS, REASON,
        Column(name="vendor_result", label="The vendor's result as written", origin="delivered"),
        number("vendor_value", "The vendor's result where it is a number", "as unit"),
        Column(name="vendor_remark", label="The vendor's remark as written", origin="delivered"),
        number("difference_percent", "Ours less the vendor's", "%"),
        Column(name="flags", label="Flags", derivation="LOW_BEAD OUTLIER MALFUNCTION CONTRADICTED NOT_FITTED ANCHOR FAILS, with spaces between them"),
    ),
)  # fmt: skip

PLATE_CONTROLS = TableSchema(
    name="plate_controls", row="plate x analyte x control", key=("platform", "analyte", "level", "plate"),
    columns=(
        _PLATE, _PLATE_ANALYTE, Column(name="platform", label="Platform", origin="delivered"),
        Column(name="level", label="Control", required=True, origin="delivered"), _KIT_LOT, _RUN_AT,
        number("nominal", "Nominal concentration", "as unit"), number("value", "Mean of the control's wells", "as unit"),
        number("recovery_percent", "Of nominal", "%"), Column(name="unit", label="Unit of concentrations", origin="delivered"),
        number("centre", "Centre of the lot's chart", "as unit"), number("sd", "Spread of the lot's chart", "as unit"), number("z", "Deviations off the centre", "1"),
        Column(name="rules", label="Westgard rules broken", derivation="1_2s is a warning; 1_3s 2_2s R_4s 4_1s 10_x reject"),
        Column(name="verdict", label="Verdict of the chart", codes=("in_control", "warning", "out_of_control", "not_evaluable")),
    ),
)  # fmt: skip

PAIRING = TableSchema(
    name="pairing", row="draw of cytokines x panel of flow", key=("subject_id", "visit", "collected_at", "panel"),
    columns=(
        SUBJECT, ARM, *WHEN, Column(name="panel", label="Panel of the tube", codes=tuple(Panel), required=True),
        Column(name="file_id", label="Primary tube of the same draw; empty: none", derivation="the nearest within the tolerance, of two the earlier"),
        Column(name="flow_visit", label="Visit of the tube"), Column(name="flow_collected_at", label="When the tube was drawn", unit="ISO 8601"),
        number("hours", "Tube drawn after the cytokines", "h"), number("tolerance_hours", "Tolerance", "h", derivation="study file, cytokine: pair_hours, after pair_until_day pair_hours_late"),
        Column(name="state", label="Whether they are one draw", codes=("paired", "unpaired"), required=True), REASON,
        Column(name="discarded", label="Other tubes within the tolerance, by their file", derivation="farther, or later of two equally near ones"),
    ),
)  # fmt: skip

PLATE_TABLES = ("plates", "plate_curves", "plate_curve_points", "plate_wells", "plate_controls")

PLATE_RESULTS = TableSchema(
    name="plate_results", row="specimen x analyte x run", key=(),
    columns=(
        *(Column(name=name, label=name) for name in (
            "plate", "subject_id", "visit", "collected_at", "analyte", "platform", "matrix",
        )),
        number("value", "value"), Column(name="relation", label="relation"), number("low", "low"), number("high", "high"),
        *(Column(name=name, label=name) for name in ("unit", "status", "reason")),
        *(number(name, name) for name in ("lod", "lloq", "uloq", "ci_low", "ci_high")),
        Column(name="source_id", label="source_id"), number("bridged", "bridged"),
    ),
)  # fmt: skip
"""What plates give to `measurements`; no table of its own."""

PLATE_FINDINGS = TableSchema(
    name="plate_findings", row="finding on a plate", key=(),
    columns=(
        *(Column(name=name, label=name) for name in ("object", "check", "level")),
        number("value", "value"), number("limit", "limit"),
        *(Column(name=name, label=name) for name in ("reason", "subject_id", "visit")),
    ),
)  # fmt: skip
"""What plates give to `quality`."""
