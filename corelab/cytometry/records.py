"""What gating says: cuts, counts, expression, findings, and the tables that hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One remark on the quality of an acquisition; ``level`` is ``warn`` or ``fail``."""

    check: str
    level: str
    value: float
    limit: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One fitted limit.

    ``cut`` is in linear compensated units (of the ratio or logarithm named by ``marker`` where
    it is not a marker); ``units`` is the same in the tube's own noise of that channel, by which it
    can be carried to another tube; ``score`` is 0 to 1; ``source`` says where it came from;
    ``control`` names the tube or population that placed it; ``n_reference`` counts the events
    behind it. A cut that could not be placed has a NaN and a reason.
    """

    gate: str
    marker: str
    cut: float
    units: float
    score: float
    source: str
    control: str
    n_reference: int
    reason: str

    @property
    def is_placed(self) -> bool:
        """Whether there is a limit."""
        return bool(np.isfinite(self.cut))


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationCount:
    """Events in one population and where its deciding limit came from."""

    population: str
    parent: str
    count: int
    parent_count: int
    status: str
    reason: str
    gate_source: str
    gate_version: str
    control: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """Median and robust spread of one marker in one population, linear compensated units."""

    population: str
    marker: str
    median_intensity: float
    robust_sd: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLimit:
    """What a control tube says of one cut.

    ``linear`` is the quantile in channel units, ``spreads`` the same as distance from the control's
    own negative cells in their spreads, ``n`` the events behind it.
    """

    linear: float
    spreads: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GatedAcquisition:
    """Everything that gating one acquisition gives.

    ``membership`` maps a population to a boolean ``(n_events,)``; a population whose marker is
    not there has none. ``limits`` is what the tube says as a control, by cut.
    ``spillover_sha256`` is the hash of the matrix that was applied, empty where none was.
    """

    name: str
    tube: str
    template: str
    n_events: int
    counts: tuple[PopulationCount, ...]
    cuts: tuple[Cut, ...]
    expression: tuple[Expression, ...]
    findings: tuple[Finding, ...]
    membership: Mapping[str, Mask]
    limits: Mapping[str, ControlLimit]
    spillover_sha256: str

    def count(self, population: str) -> int:
        """Return the events of one population.

        Raises
        ------
        KeyError
            If the template has no such population.
        """
        return next(row.count for row in self.counts if row.population == population)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GateTables:
    """The gated acquisitions of a trial as four tables, each keyed by ``file_id``."""

    counts: "pd.DataFrame"
    expression: "pd.DataFrame"
    findings: "pd.DataFrame"
    cuts: "pd.DataFrame"


TABLE_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "counts": (
        "file_id", "population", "parent", "count", "parent_count", "status", "reason",
        "gate_source", "gate_version", "control",
    ),
    "expression": ("file_id", "population", "marker", "median_intensity", "robust_sd", "n"),
    "findings": ("file_id", "check", "level", "value", "limit", "reason"),
    "cuts": (
        "file_id", "gate", "marker", "cut", "score", "gate_source", "reason", "units", "control",
        "n_reference", "spillover_sha256",
    ),
}  # fmt: skip
_WHOLE: Final = ("count", "parent_count", "n", "n_reference")
_NUMBERS: Final = ("median_intensity", "robust_sd", "value", "limit", "cut", "score", "units")


def tabulate_gates(gated: Mapping[str, GatedAcquisition]) -> GateTables:
    """Lay gated acquisitions out as tables, in the order of their file ids."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLE_COLUMNS}
    for file_id in sorted(gated):
        result = gated[file_id]
        for name, records in (
            ("counts", result.counts), ("expression", result.expression),
            ("findings", result.findings), ("cuts", result.cuts),
        ):  # fmt: skip
            rows[name] += _rows(file_id, records, result.spillover_sha256)
    return GateTables(**{name: make_frame(name, rows[name]) for name in TABLE_COLUMNS})


def _rows(file_id: str, records: Sequence[Any], sha256: str) -> list[dict[str, Any]]:
    rows = []
    for record in records:
        row = {field.name: getattr(record, field.name) for field in fields(record)}
        if isinstance(record, Cut):
            row |= {"gate_source": row["source"], "spillover_sha256": sha256}
        rows.append({"file_id": file_id} | row)
    return rows


def make_frame(name: str, rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """Make one of the four tables with its columns and types, also when there is no row."""
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=list(TABLE_COLUMNS[name]))
    kinds = {
        column: "int64" if column in _WHOLE else "float64" if column in _NUMBERS else "str"
        for column in frame.columns
    }
    return frame.astype({c: (object if kind == "str" else kind) for c, kind in kinds.items()})
