"""Active rows to the typed tables of `corelab.tables.inputs`."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from corelab.ingest.visits import is_open, name_platforms, place_rows
from corelab.study import Study

if TYPE_CHECKING:
    from corelab.store.registry import ActiveRow
    from corelab.tables.inputs import Inputs


def build_study_inputs(rows: "Iterable[ActiveRow]", *, study: Study) -> "Inputs":
    """Lay active rows out as tables; a row delivered without a visit gets the one its date lies in."""
    import pandas as pd

    from corelab.tables.inputs import INPUT_COLUMNS, build_inputs

    grouped: dict[str, list[ActiveRow]] = {kind: [] for kind in INPUT_COLUMNS}
    for row in place_in_visits(list(rows), study=study):
        grouped[row.kind].append(row)
    return build_inputs(
        {kind: pd.DataFrame(_list_columns(kind, listed)) for kind, listed in grouped.items() if listed}
    )


def place_in_visits(rows: "Sequence[ActiveRow]", *, study: Study) -> "list[ActiveRow]":
    """Name the visits of rows that were delivered without one; a delivered visit is kept as it is.

    The rows are judged against each other, so they must be all of their subjects, with those of the plates.
    """
    if not any(is_open(row.kind, row.values) for row in rows):
        return list(rows)
    placed = place_rows(
        [(row.kind, row.values) for row in rows],
        infusions=read_infusions(rows),
        platforms=name_platforms([row.values for row in rows if row.kind == "plates"]),
        study=study,
    )
    return [
        replace(row, values={**row.values, "visit": found.visit, "visit_taken": found.taken}, stored="")
        if found.visit != row.values.get("visit", "")
        else row
        for row, found in zip(rows, placed, strict=True)
    ]


def place_withdrawn(row: "ActiveRow", active: "Sequence[ActiveRow]", *, study: Study) -> "ActiveRow":
    """Name the visit that a withdrawn row would have if it still counted; it moves no other row."""
    if row.values.get("visit"):
        return row
    return place_in_visits([*active, row], study=study)[-1]


def read_infusions(rows: "Iterable[ActiveRow]") -> dict[str, dt.datetime]:
    """Return the moment of infusion of each subject that has one."""
    return {
        row.subject_id: dt.datetime.fromisoformat(row.values["infusion_at"])
        for row in rows
        if row.kind == "subjects" and row.values.get("infusion_at")
    }


def _list_columns(kind: str, rows: "Sequence[ActiveRow]") -> dict[str, list[object]]:
    """Lay rows out by column; Python's own reading of numbers rounds right, whatever the digits."""
    from corelab.tables.inputs import INPUT_COLUMNS

    columns: dict[str, list[object]] = {"source_id": [row.source for row in rows]}
    for name, column in INPUT_COLUMNS[kind].items():
        texts = [row.values.get(name, "") for row in rows]
        columns[name] = [float(text or "nan") for text in texts] if column == "number" else [*texts]
    return columns
