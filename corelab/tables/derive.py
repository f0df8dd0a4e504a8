"""Every table of the contract from delivered rows and gated files, top to bottom."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from corelab.cytometry.records import GateTables
from corelab.ingest.plates.records import PlateExport
from corelab.study.model import Study
from corelab.tables import analysis, associations, quality, summary, summary_times
from corelab.tables.children import Tables, derive_children
from corelab.tables.inputs import Inputs
from corelab.tables.plate_tables import PlateTables, derive_plates
from corelab.tables.schemas import SCHEMAS
from corelab.tables.trial import Trial, place_inputs, survey_trial

if TYPE_CHECKING:
    from corelab.tables.schema import TableSchema

Begin = Callable[..., Callable[[], Any]]
Associate = Callable[[Sequence[associations.Pairing], Study], Callable[[], pd.DataFrame]]

__all__ = ["derive_described_tables", "derive_tables", "derive_whole"]


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

    def judge_plates(ordered: Inputs) -> PlateTables:
        return derive_plates(ordered, exports or {}, settings=study.settings["immunoassay"])

    placed = place_inputs(inputs, study=study, as_of=as_of)
    trial = survey_trial(placed, gates, study=study, judge_plates=judge_plates)
    children = derive_children(trial, gates)
    whole, wide = derive_whole(trial, children)
    tables = {**children, **whole}
    return {name: tables[name] for name in (*SCHEMAS, wide.name)}, wide


def derive_whole(
    trial: Trial, children: Tables, *, begin: Begin = partial, associate: Associate | None = None
) -> "tuple[dict[str, pd.DataFrame], TableSchema]":
    """Derive what stands on the tables of all children, with the schema of ``analysis`` beside it.

    Parameters
    ----------
    trial
        The whole one.
    children
        Tables of all children, of `corelab.tables.children.CHILD_SCHEMAS`, each in the order of its key.
    begin
        Begins a call and returns what waits for its result: another process may make it meanwhile.
    associate
        Begins what `corelab.tables.associations.judge_pairings` does and returns what waits for its table:
        whoever kept it need not count anew. By default it is that.

    Returns
    -------
    tables
        Those that are not the children's: plates, beads, summaries, ``quality`` and ``analysis``.
    schema
        That of ``analysis``.

    Raises
    ------
    ContractError
        If a derived table breaks its schema.
    """
    times = begin(summary_times.list_times, summary_times.choose_times(children), trial.clocks)
    pairings = associations.collect_pairings(children, clocks=trial.clocks)
    associated = (associate or partial(begin, associations.judge_pairings))(pairings, trial.study)
    found = quality.tell_once(pd.concat([children["quality"], trial.findings], ignore_index=True))
    derived = {
        "bead_qc": trial.bead_qc,
        "quality": found,
        "summary": summary.derive_summary(children, clocks=trial.clocks, times=times),
    }
    wide, schema = analysis.derive_analysis(children[analysis.VALUES.name], children[analysis.VISITS.name])
    derived["associations"] = associated()
    tables = {name: SCHEMAS[name].settle(rows) for name, rows in derived.items()}
    return {**trial.plates.tables, **tables, schema.name: wide}, schema
