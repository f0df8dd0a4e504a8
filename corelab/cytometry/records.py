"""What gating says: cuts, counts, expression, findings, and the tables that hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from corelab.ingest.fcs import Spillover

if TYPE_CHECKING:
    import pandas as pd

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]

FAIR_PART: Final = 200_000
"""Events that are enough to measure what is common: noise, the place of a large group, a matrix."""

MOST_AT_ONCE: Final = 2_000_000
"""Events of a file that is gated as a whole; of larger ones a part is fitted, and all are gated in blocks."""


def fair_rows(n_events: int, *, most: int = FAIR_PART) -> slice:
    """Choose every k-th of the events, so that no more than ``most`` are left: by place, never by chance.

    Examples
    --------
    >>> list(range(10)[fair_rows(10, most=4)])
    [0, 3, 6, 9]
    """
    return slice(None, None, max(1, -(-n_events // most)))


def choose_fairly(among: Mask) -> npt.NDArray[np.int64]:
    """Choose every k-th of some events, so that no more than `FAIR_PART` are left; their places."""
    step = max(1, -(-int(np.count_nonzero(among)) // FAIR_PART))
    seen, found = 0, []
    for begin in range(0, len(among), FAIR_PART):
        places = np.flatnonzero(among[begin : begin + FAIR_PART])
        found.append(begin + places[-seen % step :: step])
        seen += len(places)
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


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

    ``cut`` is in linear compensated units (of the ratio or logarithm named by ``marker`` where it is
    not a marker); ``units`` is the same in the tube's own noise of that channel, by which it can be
    carried to another tube, NaN where fewer than 50 values below zero tell the noise; ``score`` is 0 to
    1; ``recipe`` says how it was placed (valley, between, groups, negative, quantile, prior, default) and
    ``source`` where it came from; ``control`` names the tube or population that placed it;
    ``n_reference`` counts the events behind it; ``spread`` is that of the negative cells, in the units of
    ``cut``, NaN where it was not asked for. A cut that could not be placed has a NaN and a reason.
    """

    gate: str
    marker: str
    cut: float
    units: float
    score: float
    recipe: str
    source: str
    control: str
    n_reference: int
    reason: str
    spread: float = float("nan")

    @property
    def is_placed(self) -> bool:
        """Whether there is a limit."""
        return bool(np.isfinite(self.cut))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """A limit at the child's other visits: in units of noise (NaN where none knows it), and as it stands."""

    units: float
    linear: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationCount:
    """Events in one population and where its deciding limit came from.

    A population that could not be gated has no count: zero is only what was counted as zero. Where
    the template asks for it, ``band_low`` and ``band_high`` are the counts with the deciding limit
    moved up and down a little: sensitivity to the gate, not a confidence interval.
    """

    population: str
    parent: str
    count: int | None
    parent_count: int | None
    status: str
    reason: str
    gate_source: str
    gate_version: str
    control: str
    band_low: int | None = None
    band_high: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """Median and robust spread of one marker in one population, linear compensated units."""

    population: str
    marker: str
    median_intensity: float
    robust_sd: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BeadPeak:
    """The brightest peak of quality beads in one detector, as recorded.

    ``robust_cv`` is 1.4826 × the median deviation over the median, ``n`` the beads in the peak. Without a
    peak median and spread are NaN and ``n`` counts the beads that were seen.
    """

    detector: str
    median: float
    robust_cv: float
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
    ``spillover`` is the matrix that was applied, wherever it came from, and ``spillover_sha256`` its hash,
    None and empty where none was. ``bead_peaks`` are those of a tube ``bead_qc``.
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
    spillover: Spillover | None = None
    bead_peaks: tuple[BeadPeak, ...] = ()

    def count(self, population: str) -> int | None:
        """Return the events of one population, None where it could not be gated.

        Raises
        ------
        KeyError
            If the template has no such population.
        """
        for row in self.counts:
            if row.population == population:
                return row.count
        raise KeyError(population)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GateTables:
    """The gated acquisitions of a trial as five tables, each keyed by ``file_id``."""

    counts: "pd.DataFrame"
    expression: "pd.DataFrame"
    findings: "pd.DataFrame"
    cuts: "pd.DataFrame"
    bead_peaks: "pd.DataFrame"


TABLE_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "counts": (
        "file_id", "population", "parent", "count", "parent_count", "status", "reason",
        "gate_source", "gate_version", "control", "compensation",
        "band_low", "band_high",
    ),
    "expression": ("file_id", "population", "marker", "median_intensity", "robust_sd", "n"),
    "findings": ("file_id", "check", "level", "value", "limit", "reason"),
    "cuts": (
        "file_id", "gate", "marker", "cut", "score", "gate_source", "reason", "units", "control",
        "recipe", "n_reference", "spillover_sha256",
    ),
    "bead_peaks": ("file_id", "detector", "median", "robust_cv", "n"),
}  # fmt: skip
WHOLE_COLUMNS: Final = ("n", "n_reference")
NUMBER_COLUMNS: Final = (
    "count", "parent_count", "band_low", "band_high", "median_intensity", "robust_sd", "value", "limit",
    "cut", "score", "units", "median", "robust_cv",
)  # fmt: skip
"""``count`` is a float because it is NaN where nothing was counted."""


_FIELDS: Final[Mapping[type, tuple[str, ...]]] = {
    record: tuple(field.name for field in fields(record))
    for record in (PopulationCount, Expression, Finding, Cut, BeadPeak)
}


def tabulate_gates(gated: Mapping[str, GatedAcquisition]) -> GateTables:
    """Lay gated acquisitions out as tables, in the order of their file ids."""
    rows = [row for file_id in sorted(gated) for row in list_rows(file_id, gated[file_id])]
    return frame_rows(rows)


def list_rows(file_id: str, result: GatedAcquisition) -> list[dict[str, Any]]:
    """List the rows of all five tables for one acquisition; ``table`` says to which each belongs."""
    rows = []
    for name, records in (
        ("counts", result.counts), ("expression", result.expression),
        ("findings", result.findings), ("cuts", result.cuts), ("bead_peaks", result.bead_peaks),
    ):  # fmt: skip
        for record in records:
            row = {field: getattr(record, field) for field in _FIELDS[type(record)]}
            if isinstance(record, Cut):
                row |= {"gate_source": row.pop("source")}
                row |= {"spillover_sha256": result.spillover_sha256}
            if isinstance(record, PopulationCount):
                row |= {"compensation": result.spillover_sha256}
            rows.append({"table": name, "file_id": file_id} | row)
    return rows


def frame_rows(rows: "Sequence[Mapping[str, Any]] | pd.DataFrame") -> GateTables:
    """Split rows of `list_rows` into the five tables, each with its columns and types."""
    import pandas as pd

    stacked = pd.DataFrame(rows) if len(rows) else pd.DataFrame(columns=["table"])
    return GateTables(**{name: _frame(name, stacked) for name in TABLE_COLUMNS})


def _frame(name: str, stacked: "pd.DataFrame") -> "pd.DataFrame":
    part = stacked[stacked["table"] == name].reindex(columns=list(TABLE_COLUMNS[name]))
    typed = {}
    for column in part.columns:
        if column in WHOLE_COLUMNS:
            typed[column] = part[column].astype("int64")
        elif column in NUMBER_COLUMNS:
            typed[column] = part[column].astype("float64")
        else:
            typed[column] = part[column].astype(object).fillna("").map(str)
    return part.assign(**typed).reset_index(drop=True)
