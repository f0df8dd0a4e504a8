"""Active rows to the typed tables of `corelab.tables.inputs`."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from corelab.study import Study
from corelab.study.schedule import assign_visit

if TYPE_CHECKING:
    from corelab.store.registry import ActiveRow
    from corelab.tables.inputs import Inputs


def build_study_inputs(rows: "Iterable[ActiveRow]", *, study: Study) -> "Inputs":
    """Lay active rows out as tables; a row delivered without a visit gets the one its date lies in."""
    import pandas as pd

    from corelab.tables.inputs import INPUT_COLUMNS, build_inputs

    grouped: dict[str, list[dict[str, object]]] = {kind: [] for kind in INPUT_COLUMNS}
    ordered = list(rows)
    infusions = read_infusions(ordered)
    for row in ordered:
        values = place_in_visit(row.values, infusions.get(row.subject_id), study=study)
        grouped[row.kind].append({**_typed(row.kind, values), "source_id": row.source})
    return build_inputs({kind: pd.DataFrame(listed) for kind, listed in grouped.items() if listed})


def place_in_visit(
    values: Mapping[str, str], infusion: dt.datetime | None, *, study: Study
) -> Mapping[str, str]:
    """Name the visit of a row that was delivered without one; a delivered visit is kept as it is."""
    if not values.get("subject_id") or values.get("visit") or not values.get("collected_at"):
        return values
    if infusion is None:
        return {**values, "visit": "UNS"}
    collected = study.localise(dt.datetime.fromisoformat(values["collected_at"])).date()
    return {
        **values,
        "visit": assign_visit(collected, study.localise(infusion).date(), study.visits),
    }


def read_infusions(rows: "Iterable[ActiveRow]") -> dict[str, dt.datetime]:
    """Return the moment of infusion of each subject that has one."""
    return {
        row.subject_id: dt.datetime.fromisoformat(row.values["infusion_at"])
        for row in rows
        if row.kind == "subjects" and row.values.get("infusion_at")
    }


def _typed(kind: str, values: Mapping[str, str]) -> dict[str, object]:
    """Turn the numeric columns into floats; Python's own reading rounds right, whatever the digits."""
    from corelab.tables.inputs import INPUT_COLUMNS

    columns = INPUT_COLUMNS[kind]
    return {
        name: (float(text) if text else float("nan")) if columns.get(name) == "number" else text
        for name, text in values.items()
    }
