"""Every table of the contract from delivered rows and gated files, top to bottom."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from corelab.cytometry.records import GateTables
from corelab.ingest.plates.records import PlateExport
from corelab.study.model import Study
from corelab.tables import (
    adverse_events,
    analysis,
    assessments,
    associations,
    bead_quality,
    blanks,
    cd4_cd8,
    cd19,
    concentration,
    eligibility,
    flow_measurements,
    interference,
    kinetics,
    lab_shift,
    lab_toxicity,
    laboratory,
    measurements,
    medications,
    pairing,
    persistence,
    phenotype,
    plate_draws,
    plate_results,
    plate_tables,
    populations,
    quality,
    recovery,
    responses,
    run_quality,
    soluble,
    stability,
    subjects,
    summary,
    tubes,
)
from corelab.tables.clock import Clocks, build_clocks, order_inputs
from corelab.tables.evidence import build_charts
from corelab.tables.inputs import Inputs
from corelab.tables.schemas import SCHEMAS

if TYPE_CHECKING:
    from corelab.tables.schema import TableSchema

__all__ = ["derive_described_tables", "derive_tables"]


def derive_tables(
    inputs: Inputs,
    gates: GateTables,
    *,
    study: Study,
    as_of: dt.datetime | None,
    exports: Mapping[str, PlateExport] | None = None,
) -> dict[str, pd.DataFrame]:
    """Derive every table of the contract.

    Parameters
    ----------
    inputs
        The rows that take part in analysis, in any order.
    gates
        The gated files, in any order.
    study
        The trial, with the settings by which values are judged.
    as_of
        The data cut-off by which a visit is due; the newest draw where it is None.
    exports
        The exports of the plates that ``inputs`` names, by file.

    Returns
    -------
    tables
        One table for every schema and ``analysis``, checked and sorted by key. The same rows give the same
        tables, in whatever order they come.

    Raises
    ------
    InputError
        If a time is not ISO 8601.
    ConfigError
        If a setting of the study is unknown.
    ContractError
        If a derived table breaks its schema.
    """
    return derive_described_tables(inputs, gates, study=study, as_of=as_of, exports=exports)[0]


def derive_described_tables(
    inputs: Inputs,
    gates: GateTables,
    *,
    study: Study,
    as_of: dt.datetime | None,
    exports: Mapping[str, PlateExport] | None = None,
) -> "tuple[dict[str, pd.DataFrame], TableSchema]":
    """Derive every table, with the schema of ``analysis`` beside them.

    The variables of ``analysis`` depend on what was measured; see `derive_tables`.

    Raises
    ------
    InputError, ConfigError, ContractError
        As in `derive_tables`.
    """
    inputs, draw_findings = plate_draws.complete_draws(order_inputs(inputs, study))
    clocks = build_clocks(inputs, study=study, as_of=as_of)
    rules = blanks.build_car_rules(study.settings["rare_events"])

    judged = tubes.derive_tubes(inputs.acquisitions, gates.findings, clocks=clocks)
    of_runs = run_quality.derive_run_findings(inputs.acquisitions, gates.counts, study=study)
    judged = tubes.add_findings(judged, of_runs, clocks=clocks)
    beads = bead_quality.judge_beads(inputs.acquisitions, gates.bead_peaks, study=study)
    of_beads = bead_quality.derive_bead_findings(inputs.acquisitions, beads)
    judged = tubes.add_findings(judged, of_beads, clocks=clocks)
    found, blank_findings = blanks.find_blanks(blanks.collect_car_counts(gates.counts, judged), rules)
    judged = tubes.add_findings(judged, blank_findings, clocks=clocks)

    laboratory_rows = laboratory.derive_laboratory(inputs.labs)
    blood = laboratory.match_lymphocytes(judged.table, laboratory_rows, clocks=clocks)
    tolerance = float(study.settings["concentrations"]["route_tolerance_percent"])
    counted = populations.derive_counts(gates.counts, judged, blood, tolerance_percent=tolerance)
    decisions = persistence.derive_car_decisions(
        blanks.collect_car_counts(gates.counts, judged), counted, blanks=found, rules=rules
    )
    counted = phenotype.judge_car_populations(counted, decisions)
    transgene = persistence.derive_transgene(inputs.qpcr, clocks=clocks)
    persistent = persistence.derive_persistence(decisions, transgene, clocks=clocks)

    judged_plates = plate_tables.derive_plates(inputs, exports or {}, settings=study.settings["immunoassay"])
    concentrations = soluble.derive_concentrations(inputs.cytokines, judged_plates.results)
    concentrations = stability.mark_unstable(concentrations, inputs, clocks=clocks)
    concentrations = interference.mark_interference(concentrations, inputs, clocks=clocks)
    reportable = concentrations[plate_results.is_reportable(concentrations["reason"])]
    measured = measurements.derive_measurements(
        [
            flow_measurements.derive_flow(counted, gates.expression, decisions=decisions, tubes=judged),
            cd4_cd8.derive_ratios(counted, decisions, study.settings["phenotype"]),
            measurements.derive_qpcr(transgene),
            concentrations,
            soluble.derive_folds(reportable, clocks=clocks),
            laboratory_rows,
            laboratory.derive_egfr(laboratory_rows, inputs, clocks=clocks),
            assessments.derive_scores(inputs.assessments),
        ],
        clocks=clocks,
    )
    people = subjects.derive_subjects(inputs.subjects, laboratory_rows, clocks=clocks)
    primary = frozenset(judged.table.loc[judged.table["is_primary"], "file_id"])
    analysed = measured[plate_results.is_reportable(measured["reason"])]
    charts = build_charts(inputs, clocks=clocks)
    wide, wide_schema = analysis.derive_analysis(
        analysed,
        persistent,
        primary_files=primary,
        rescued_on=responses.find_rescues(charts, clocks=clocks),
        clocks=clocks,
    )
    cd19_status = cd19.derive_cd19_status(counted, gates.expression, clocks=clocks)
    subsets = phenotype.derive_phenotype(counted, decisions, study.settings["phenotype"])
    derived = {
        **judged_plates.tables,
        "subjects": people,
        "populations": populations.derive_populations(counted),
        "expression": populations.derive_expression(gates.expression, judged),
        "cuts": populations.derive_cuts(gates.cuts, judged),
        "bead_qc": bead_quality.derive_bead_qc(gates.bead_peaks, beads, judged),
        "measurements": measured,
        "cd19_status": cd19_status,
        "persistence": persistent,
        "phenotype": subsets,
        "kinetics": kinetics.derive_kinetics(persistent, reportable, clocks=clocks),
        "b_cell_recovery": recovery.derive_b_cell_recovery(counted, subsets, clocks=clocks),
        "eligibility": eligibility.derive_eligibility(charts, cd19_status, clocks=clocks),
        "lab_toxicity": lab_toxicity.derive_lab_toxicity(charts, clocks=clocks),
        "responses": responses.derive_responses(charts, clocks=clocks),
        "adverse_events": adverse_events.derive_adverse_events(inputs.adverse_events, clocks=clocks),
        "medications": medications.derive_medications(inputs.medications, clocks=clocks),
        "pairing": pairing.derive_pairing(measured, judged.table, clocks=clocks),
        "quality": quality.derive_quality(
            inputs,
            tubes=judged,
            measurements=measured,
            subjects=people,
            clocks=clocks,
            further=[
                draw_findings,
                *judged_plates.findings,
                soluble.find_conflicts(concentrations),
                stability.find_unstable(concentrations),
                concentration.find_disagreements(counted, tolerance_percent=tolerance),
            ],
        ),
    }
    tables = {name: _conform(name, rows) for name, rows in derived.items()}
    tables |= _derive_cohort(tables, clocks=clocks)
    ordered = {name: tables[name] for name in SCHEMAS}
    return {**ordered, "analysis": wide_schema.conform(wide)}, wide_schema


def _derive_cohort(tables: "Mapping[str, pd.DataFrame]", *, clocks: Clocks) -> dict[str, pd.DataFrame]:
    """Derive what stands on the tables of single children."""
    phases = clocks.study.settings["toxicity"]["phases"]
    derived = {
        "lab_shift": lab_shift.derive_lab_shift(tables["lab_toxicity"], phases),
        "summary": summary.derive_summary(tables, clocks=clocks),
        "associations": associations.derive_associations(tables, clocks=clocks),
    }
    return {name: _conform(name, rows) for name, rows in derived.items()}


def _conform(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    return SCHEMAS[name].conform(rows) if len(rows) else SCHEMAS[name].empty()
