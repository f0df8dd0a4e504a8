"""Small trials built from literals: inputs and gated files, without a file of either."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from corelab.cytometry.records import TABLE_COLUMNS, GateTables
from corelab.study import Study, builtin_study
from corelab.tables import derive_tables
from corelab.tables.inputs import Inputs, build_inputs

STUDY: Study = builtin_study()
INFUSION = dt.datetime(2025, 6, 10, 10, 0, tzinfo=STUDY.zone)
Tables = dict[str, pd.DataFrame]


def at(day: float, *, hour: int = 8) -> str:
    """Return the time of a draw on a study day."""
    whole = int(np.floor(day))
    moment = INFUSION.replace(hour=hour, minute=0) + dt.timedelta(days=whole)
    return (moment + dt.timedelta(days=day - whole)).isoformat()


@dataclass
class Trial:
    """Rows that are collected and then derived."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    gates: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: str, **row: Any) -> "Trial":
        rows = self.rows.setdefault(table, [])
        rows.append({"source_id": f"{table}.csv:{len(rows) + 2}", **row})
        return self

    def subject(self, subject_id: str = "A", **changes: Any) -> "Trial":
        row = {
            "subject_id": subject_id, "sex": "F", "age_years": 12, "arm": "low",
            "infusion_at": INFUSION.isoformat(), "lymphodepletion_at": at(-5, hour=12), **changes,
        }  # fmt: skip
        return self.add("subjects", **row)

    def draw(self, table: str, visit: str, day: float, *, subject_id: str = "A", **row: Any) -> "Trial":
        return self.add(table, **{"subject_id": subject_id, "visit": visit, "collected_at": at(day), **row})

    def tube(
        self,
        visit: str,
        day: float,
        counts: Mapping[str, tuple[str, int, int]],
        *,
        panel: str = "cart",
        subject_id: str = "A",
        file_id: str = "",
        control: str = "",
        **changes: Any,
    ) -> "Trial":
        """Add a gated tube; ``counts`` maps a population to its parent, count and parent's count."""
        name = file_id or f"{subject_id}-{panel}-{visit}-{day}"
        acquisition = {
            "file_id": name, "object_id": name, "subject_id": subject_id, "visit": visit,
            "collected_at": at(day), "panel": panel, "tube": "full", **changes,
        }  # fmt: skip
        self.add("acquisitions", **acquisition)
        for population, (parent, count, parent_count) in counts.items():
            self.gates.setdefault("counts", []).append(
                {
                    "file_id": name, "population": population, "parent": parent, "count": count,
                    "parent_count": parent_count, "status": "quantified", "reason": "",
                    "gate_source": "auto", "gate_version": "1", "control": control,
                }
            )  # fmt: skip
        return self

    def finding(self, file_id: str, check: str, level: str) -> "Trial":
        row = {
            "file_id": file_id,
            "check": check,
            "level": level,
            "value": 1.0,
            "limit": 2.0,
            "reason": check,
        }
        self.gates.setdefault("findings", []).append(row)
        return self

    def gate_tables(self) -> GateTables:
        return GateTables(
            **{
                item.name: pd.DataFrame(self.gates.get(item.name, []), columns=list(TABLE_COLUMNS[item.name]))
                for item in fields(GateTables)
            }
        )

    def inputs(self) -> Inputs:
        return build_inputs({name: pd.DataFrame(rows) for name, rows in self.rows.items()})

    def derive(self, *, as_of: dt.datetime | None = None) -> Tables:
        return derive_tables(self.inputs(), self.gate_tables(), study=STUDY, as_of=as_of)


def cart(car: int, cd3: int, *, lymphocytes: int = 0, beads: int = 0) -> dict[str, tuple[str, int, int]]:
    """Return the counts of a CAR-T tube."""
    lymphocytes = lymphocytes or cd3 + 10_000
    events = lymphocytes + beads + 1_000
    return {
        "events": ("", events, events),
        "time_ok": ("events", events, events),
        "beads": ("time_ok", beads, events),
        "lymphocytes": ("time_ok", lymphocytes, events),
        "t_cells": ("lymphocytes", cd3, lymphocytes),
        "car_t": ("t_cells", car, cd3),
    }


def bcell(
    b_cells: int, *, lymphocytes: int = 60_000, beads: int = 0, reference: int = 0, positive: int = 0
) -> dict[str, tuple[str, int, int]]:
    """Return the counts of a B-cell tube."""
    events = lymphocytes + beads + 1_000
    return {
        "events": ("", events, events),
        "time_ok": ("events", events, events),
        "beads": ("time_ok", beads, events),
        "lymphocytes": ("time_ok", lymphocytes, events),
        "b_cells": ("lymphocytes", b_cells, lymphocytes),
        "b_reference": ("lymphocytes", reference, lymphocytes),
        "cd19_positive": ("b_reference", positive, reference),
    }


def pick(table: pd.DataFrame, **conditions: Any) -> pd.DataFrame:
    """Return the rows that meet every condition."""
    for name, value in conditions.items():
        table = table[table[name] == value]
    return table


def one(table: pd.DataFrame, **conditions: Any) -> Any:
    """Return the only row that meets every condition."""
    rows = pick(table, **conditions)
    if len(rows) != 1:
        message = f"{len(rows)} rows for {conditions}"
        raise LookupError(message)
    return rows.iloc[0]
