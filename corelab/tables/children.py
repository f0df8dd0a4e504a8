"""The tables of children, each from its own rows and gates and from what the trial has in common."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pandas as pd

from corelab.cytometry.records import GateTables
from corelab.tables import (
    adverse_events,
    analysis,
    assessments,
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
    plate_results,
    populations,
    quality,
    recovery,
    responses,
    soluble,
    stability,
    subjects,
)
from corelab.tables.blanks import build_car_rules
from corelab.tables.clock import Clocks
from corelab.tables.evidence import Chart, build_charts
from corelab.tables.schema import TableSchema
from corelab.tables.schemas import QUALITY, SCHEMAS
from corelab.tables.trial import Trial

Tables = Mapping[str, pd.DataFrame]

_NAMES: Final = (
    "subjects", "populations", "expression", "cuts", "measurements", "cd19_status", "persistence",
    "phenotype", "kinetics", "b_cell_recovery", "eligibility", "lab_toxicity", "lab_shift", "responses",
    "adverse_events", "medications", "assessments", "pairing",
)  # fmt: skip
CHILD_SCHEMAS: Final[Mapping[str, TableSchema]] = {
    **{name: SCHEMAS[name] for name in _NAMES},
    # A finding is told once in the trial; of which child is only known beside the others.
    "quality": replace(QUALITY, key=("subject_id", *QUALITY.key)),
    **{schema.name: schema for schema in (analysis.VALUES, analysis.VISITS)},
}
"""What is derived of a child: tables that are sorted by the subject first, so that those of all children
under each other are the trial's. The last two become `analysis`."""


def derive_children(trial: Trial, gates: GateTables) -> dict[str, pd.DataFrame]:
    """Derive the tables of some children, of `CHILD_SCHEMAS`.

    Parameters
    ----------
    trial
        Of these children (`Trial.keep`): the rows of each are the same, whoever else is among them.
    gates
        Of their files.

    Raises
    ------
    InputError, ConfigError, ContractError
        As in `corelab.tables.derive.derive_tables`.
    """
    clocks, settings = trial.clocks, trial.study.settings
    results = laboratory.derive_laboratory(trial.inputs.labs)
    flow = _derive_flow(trial, gates, results)
    transgene = persistence.derive_transgene(trial.inputs.qpcr, clocks=clocks)
    persistent = persistence.derive_persistence(flow["decisions"], transgene, clocks=clocks)
    concentrations = _derive_concentrations(trial)
    reportable = _drop_reassays(concentrations)
    measured = measurements.derive_measurements(
        [
            flow["measurements"],
            flow["ratios"],
            measurements.derive_qpcr(transgene),
            concentrations,
            soluble.derive_folds(reportable, clocks=clocks),
            results,
            laboratory.derive_egfr(results, trial.inputs, clocks=clocks),
            assessments.derive_scores(trial.inputs.assessments),
        ],
        clocks=clocks,
    )
    people = subjects.derive_subjects(trial.inputs.subjects, results, clocks=clocks)
    charts = build_charts(trial.inputs, clocks=clocks)
    found = [
        soluble.find_conflicts(concentrations),
        stability.find_unstable(concentrations),
        concentration.find_disagreements(flow["counted"], tolerance_percent=_read_tolerance(trial)),
    ]
    tubes = trial.tubes.table
    derived = {
        **{name: flow[name] for name in ("populations", "expression", "cuts", "cd19_status", "phenotype")},
        **_judge_charts(charts, flow["cd19_status"], clocks),
        "subjects": people,
        "measurements": measured,
        "persistence": persistent,
        "kinetics": kinetics.derive_kinetics(persistent, reportable, transgene=transgene, clocks=clocks),
        "b_cell_recovery": recovery.derive_b_cell_recovery(flow["counted"], flow["phenotype"], clocks=clocks),
        "adverse_events": adverse_events.derive_adverse_events(trial.inputs.adverse_events, clocks=clocks),
        "medications": medications.derive_medications(trial.inputs.medications, clocks=clocks),
        "assessments": assessments.derive_assessments(trial.inputs.assessments, clocks=clocks),
        "pairing": pairing.derive_pairing(measured, tubes, clocks=clocks),
        "quality": quality.derive_quality(
            trial.inputs, tubes=trial.tubes, measurements=measured, subjects=people, clocks=clocks,
            further=found,
        ),
        analysis.VALUES.name: analysis.collect_values(
            _drop_reassays(measured), persistent,
            primary_files=frozenset(tubes.loc[tubes["is_primary"], "file_id"]), clocks=clocks,
        ),
        analysis.VISITS.name: analysis.collect_visits(
            clocks, rescued_on=responses.find_rescues(charts, clocks=clocks)
        ),
    }  # fmt: skip
    tables = {name: CHILD_SCHEMAS[name].settle(rows) for name, rows in derived.items()}
    shift = lab_shift.derive_lab_shift(tables["lab_toxicity"], settings["toxicity"]["phases"])
    return {**tables, "lab_shift": CHILD_SCHEMAS["lab_shift"].settle(shift)}


def _derive_flow(trial: Trial, gates: GateTables, results: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Derive what tubes say: their populations, and the decisions on CAR-T and B cells."""
    settings, judged, clocks = trial.study.settings, trial.tubes, trial.clocks
    blood = laboratory.match_lymphocytes(judged.table, results, clocks=clocks)
    counted = populations.derive_counts(gates.counts, judged, blood, tolerance_percent=_read_tolerance(trial))
    rules = build_car_rules(settings["rare_events"])
    decisions = persistence.derive_car_decisions(trial.car_counts, counted, blanks=trial.blanks, rules=rules)
    counted = phenotype.judge_car_populations(counted, decisions)
    return {
        "counted": counted,
        "decisions": decisions,
        "populations": populations.derive_populations(counted),
        "expression": populations.derive_expression(gates.expression, judged),
        "cuts": populations.derive_cuts(gates.cuts, judged),
        "measurements": flow_measurements.derive_flow(
            counted, gates.expression, decisions=decisions, tubes=judged
        ),
        "ratios": cd4_cd8.derive_ratios(counted, decisions, settings["phenotype"]),
        "cd19_status": cd19.derive_cd19_status(counted, gates.expression, clocks=clocks),
        "phenotype": phenotype.derive_phenotype(counted, decisions, settings["phenotype"]),
    }


def _read_tolerance(trial: Trial) -> float:
    return float(trial.study.settings["concentrations"]["route_tolerance_percent"])


def _derive_concentrations(trial: Trial) -> pd.DataFrame:
    inputs, clocks = trial.inputs, trial.clocks
    rows = soluble.derive_concentrations(inputs.cytokines, trial.plates.results, shared=trial.series)
    rows = stability.mark_unstable(rows, inputs, clocks=clocks)
    return interference.mark_interference(rows, inputs, clocks=clocks)


def _drop_reassays(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[plate_results.is_reportable(rows["reason"])]


def _judge_charts(
    charts: dict[str, Chart], cd19_status: pd.DataFrame, clocks: Clocks
) -> dict[str, pd.DataFrame]:
    return {
        "eligibility": eligibility.derive_eligibility(charts, cd19_status, clocks=clocks),
        "lab_toxicity": lab_toxicity.derive_lab_toxicity(charts, clocks=clocks),
        "responses": responses.derive_responses(charts, clocks=clocks),
    }
