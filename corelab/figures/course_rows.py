"""One subject's rows of the contract's tables, and a row as a point on the clock."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from corelab.figures.course import (
    Point,
    SubjectClock,
    derive_missing_points,
    to_float,
)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One subject's rows of every table."""

    tables: Mapping[str, pd.DataFrame]
    subject_id: str

    def of(self, name: str, /, **equal: str) -> list[dict[str, Any]]:
        """Return the rows of one table whose columns equal the given words; none where it is absent."""
        table = self._mine(name)
        for column, word in equal.items():
            table = table[table[column] == word] if len(table) else table
        rows: list[dict[str, Any]] = table.to_dict(orient="records")
        return rows

    @cached_property
    def measured(self) -> list[dict[str, Any]]:
        """The rows of ``measurements`` other than flow, whose values have tables of their own."""
        table = self._mine("measurements")
        rows: list[dict[str, Any]] = (table[table["assay"] != "flow"] if len(table) else table).to_dict(
            orient="records"
        )
        return rows

    def list_draws(self) -> list[tuple[str, str, str]]:
        """Return visit, visit label and time of collection of every draw, each once, over all assays."""
        columns = ["visit", "visit_label", "collected_at"]
        tables = [self._mine(name) for name in ("persistence", "populations", "measurements")]
        found = [table[columns].drop_duplicates() for table in tables if len(table)]
        rows = pd.concat(found).drop_duplicates() if found else pd.DataFrame(columns=columns)
        return [(str(v), str(label or v), str(at)) for v, label, at in rows.itertuples(index=False) if at]

    def _mine(self, name: str) -> pd.DataFrame:
        table = self.tables.get(name)
        if table is None or table.empty:
            return pd.DataFrame()
        return table[table["subject_id"] == self.subject_id]


def complete_points(
    rows: Iterable[Mapping[str, Any]], clock: SubjectClock, expects: str
) -> tuple[Point, ...]:
    """Return the points of rows in the order of time, with those missing for closed visits."""
    points = [build_point(row, clock) for row in rows]
    return tuple(derive_missing_points([p for p in points if p is not None], clock, expects=expects))


def build_point(row: Mapping[str, Any], clock: SubjectClock) -> Point | None:
    """Return a row as a point; None for a row without a draw, which the schedule adds again."""
    collected = str(row["collected_at"])
    if not collected:
        return None
    low, high = _limits(row)
    return Point(
        day=clock.day(collected), visit=str(row["visit"]),
        visit_label=str(row.get("visit_label") or row["visit"]), collected_at=collected,
        status=str(row["status"]), value=to_float(row.get("value")), low=low, high=high,
        lloq=to_float(row.get("lloq")), uloq=to_float(row.get("uloq")),
        count=to_float(row.get("n_events")), total=to_float(row.get("n_reference")),
        relation=str(row.get("relation", "")), reason=str(row.get("reason", "")),
        unit=str(row.get("unit", "")), source_id=str(row.get("source_id", "")), lod=to_float(row.get("lod")),
    )  # fmt: skip


def _limits(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return the interval of a row, or the bounds of a censored value where it has none."""
    low, high = to_float(row.get("ci_low")), to_float(row.get("ci_high"))
    if math.isnan(low):
        low = to_float(row.get("low"))
    return low, to_float(row.get("high")) if math.isnan(high) else high
