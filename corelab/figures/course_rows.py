"""One subject's rows of the contract's tables, and a row as a point on the clock."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of one table, none where the snapshot lacks it."""
        table = self.tables.get(name)
        if table is None or table.empty:
            return []
        rows: list[dict[str, Any]] = table[table["subject_id"] == self.subject_id].to_dict(orient="records")
        return rows


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
