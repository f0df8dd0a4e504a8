"""What the children of a trial have in common: clocks, tubes judged by their runs, blanks, plates."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import pandas as pd

from corelab.cytometry.records import GateTables
from corelab.study.model import Study
from corelab.study.schedule import compute_window
from corelab.tables import bead_quality, blanks, plate_draws, run_quality, soluble, tubes
from corelab.tables.blanks import CAR_POPULATIONS, Blanks
from corelab.tables.clock import Clocks, SubjectClock, build_clocks, order_inputs
from corelab.tables.inputs import Inputs
from corelab.tables.plate_schemas import PLATE_FINDINGS
from corelab.tables.plate_tables import PlateTables
from corelab.tables.rows import stack_rows
from corelab.tables.soluble import SharedSeries
from corelab.tables.tubes import Tubes

_BEADS: Final = "beads"
_OF_NO_CHILD: Final = ("plates", "plate_standards")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """All delivered rows with what is known of each only beside those of others.

    ``car_counts`` are those of `corelab.tables.blanks`, ``findings`` those on draws and plates, which belong
    to no tube. From it and from its own gates alone the tables of a child are derived.
    """

    study: Study
    inputs: Inputs
    clocks: Clocks
    tubes: Tubes
    car_counts: pd.DataFrame
    blanks: Blanks
    plates: PlateTables
    series: SharedSeries
    bead_qc: pd.DataFrame
    findings: pd.DataFrame

    @property
    def children(self) -> list[str]:
        """Who has any row, sorted; the empty name is that of run tubes."""
        named = [getattr(self.inputs, one.name) for one in fields(Inputs) if one.name not in _OF_NO_CHILD]
        return sorted(set().union(*(table["subject_id"].unique() for table in named)))

    def keep(self, children: frozenset[str]) -> "Trial":
        """Return the trial with the rows of some children alone; what they have in common stays."""
        table = _keep(self.tubes.table, children)
        files = self.tubes.findings["file_id"].isin(table["file_id"])
        return replace(
            self,
            inputs=_keep_inputs(self.inputs, children),
            clocks=replace(
                self.clocks,
                subjects={key: clock for key, clock in self.clocks.subjects.items() if key in children},
                draws=_keep(self.clocks.draws, children),
            ),
            tubes=Tubes(table=table, findings=self.tubes.findings[files].reset_index(drop=True)),
            car_counts=_keep(self.car_counts, children),
            plates=replace(self.plates, results=_keep(self.plates.results, children)),
        )

    def describe(self) -> dict[str, str]:
        """Say of every child what its tables rest on besides its own rows and files.

        Equal words, equal tables, as long as its rows, its gates, the study and the program are the same.
        """
        by_file = dict(zip(self.tubes.table["file_id"], self.tubes.table["subject_id"], strict=True))
        findings = self.tubes.findings.assign(subject_id=self.tubes.findings["file_id"].map(by_file))
        told = [
            _group_rows(table) for table in (self.tubes.table, findings, self.car_counts, self.plates.results)
        ]
        analytes = _group_analytes(self.inputs.cytokines, self.plates.results)
        dispositions = _list_dispositions(self.inputs.assessments)
        described = {}
        for child in self.children:
            parts = [
                *(rows.get(child, []) for rows in told),
                blanks.describe_for(self.blanks, child),
                self.series.describe(analytes.get(child, frozenset())),
                _find_last_due(self.clocks, child, dispositions.get(child, [])),
            ]
            described[child] = repr(parts)
        return described


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedInputs:
    """Delivered rows in their own order, each draw on its clock; ``findings`` are those on draws."""

    inputs: Inputs
    clocks: Clocks
    findings: pd.DataFrame


def place_inputs(inputs: Inputs, *, study: Study, as_of: dt.datetime | None) -> PlacedInputs:
    """Put all rows on their clocks; this needs no gate.

    Parameters
    ----------
    inputs
        The rows that take part in analysis, in any order.
    study
        The trial.
    as_of
        The data cut-off; the newest draw where it is None.

    Raises
    ------
    InputError
        If a time is not ISO 8601.
    """
    ordered, findings = plate_draws.complete_draws(order_inputs(inputs, study))
    return PlacedInputs(
        inputs=ordered, clocks=build_clocks(ordered, study=study, as_of=as_of), findings=findings
    )


def survey_trial(
    placed: PlacedInputs, gates: GateTables, *, study: Study, judge_plates: Callable[[Inputs], PlateTables]
) -> Trial:
    """Judge what only stands beside others.

    Parameters
    ----------
    placed
        The rows on their clocks.
    gates
        The gated files, in any order; of ``counts`` the populations of `list_surveyed` are enough.
    study
        The trial.
    judge_plates
        Gives the tables of the plates of ordered inputs.

    Raises
    ------
    InputError, ConfigError, ContractError
        As in `corelab.tables.derive.derive_tables`.
    """
    inputs, clocks = placed.inputs, placed.clocks
    rules = blanks.build_car_rules(study.settings["rare_events"])
    judged = tubes.derive_tubes(inputs.acquisitions, gates.findings, clocks=clocks)
    of_runs = run_quality.derive_run_findings(inputs.acquisitions, gates.counts, study=study)
    judged = tubes.add_findings(judged, of_runs, clocks=clocks)
    beads = bead_quality.judge_beads(inputs.acquisitions, gates.bead_peaks, study=study)
    of_beads = bead_quality.derive_bead_findings(inputs.acquisitions, beads)
    judged = tubes.add_findings(judged, of_beads, clocks=clocks)
    found, of_blanks = blanks.find_blanks(blanks.collect_car_counts(gates.counts, judged), rules)
    judged = tubes.add_findings(judged, of_blanks, clocks=clocks)
    plates = judge_plates(inputs)
    return Trial(
        study=study,
        inputs=inputs,
        clocks=clocks,
        tubes=judged,
        car_counts=blanks.collect_car_counts(gates.counts, judged),
        blanks=found,
        plates=plates,
        series=soluble.find_shared_series(inputs.cytokines, plates.results),
        bead_qc=bead_quality.derive_bead_qc(gates.bead_peaks, beads, judged),
        findings=PLATE_FINDINGS.give_types(
            stack_rows([placed.findings, plates.findings], PLATE_FINDINGS.column_names)
        ),
    )


def list_surveyed(study: Study) -> frozenset[str]:
    """Return the populations whose counts tubes are compared by."""
    controls = study.settings["flow_quality"]["run_control"]["populations"].values()
    return frozenset({_BEADS, *CAR_POPULATIONS}).union(*controls)


def _keep(table: pd.DataFrame, children: frozenset[str]) -> pd.DataFrame:
    return table[table["subject_id"].isin(children)].reset_index(drop=True)


def _keep_inputs(inputs: Inputs, children: frozenset[str]) -> Inputs:
    tables = {one.name: getattr(inputs, one.name) for one in fields(Inputs)}
    return Inputs(
        **{
            name: table.iloc[:0] if name in _OF_NO_CHILD else _keep(table, children)
            for name, table in tables.items()
        }
    )


def _group_rows(table: pd.DataFrame) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of each child in their order, as plain values."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    rows = table.itertuples(index=False, name=None)
    for child, row in zip(table["subject_id"], rows, strict=True):
        found.setdefault(child, []).append(row)
    return found


def _group_analytes(*tables: pd.DataFrame) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for table in tables:
        pairs = table[["subject_id", "analyte"]].drop_duplicates()
        for child, analyte in pairs.itertuples(index=False, name=None):
            found.setdefault(child, set()).add(analyte)
    return {child: frozenset(names) for child, names in found.items()}


def _list_dispositions(assessments: pd.DataFrame) -> dict[str, list[str]]:
    """Return the dates of each child's dispositions, spelled in the study's zone."""
    rows = assessments[(assessments["instrument"] == "disposition") & (assessments["collected_at"] != "")]
    found: dict[str, list[str]] = {}
    for child, text in zip(rows["subject_id"], rows["collected_at"], strict=True):
        found.setdefault(child, []).append(text[:10])
    return found


def _find_last_due(clocks: Clocks, child: str, dispositions: Iterable[str]) -> str:
    """Return the last date up to the data cut-off on which anything became due or ended for a child.

    The cut-off enters a child's tables by these dates alone, so that it may move between two of them.
    """
    clock: SubjectClock | None = clocks.subjects.get(child)
    if clock is None or clock.infusion is None or clocks.as_of is None:
        return ""
    windows = [compute_window(visit, clock.infusion.date()) for visit in clocks.study.visits]
    dates = {window[1].isoformat() for window in windows if window} | set(dispositions)
    return max((date for date in dates if date <= clocks.as_of.date().isoformat()), default="")
