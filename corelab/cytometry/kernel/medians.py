"""Medians and robust spreads of many channels in many populations, exact, in three looks at the events."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.interchange.model import Dimension, GateTree
from corelab.cytometry.kernel.gates import Rows, Words, pack_masks, pair_rows
from corelab.cytometry.kernel.layout import SlotTable
from corelab.cytometry.records import Mask, Values
from corelab.errors import InputError
from corelab.ingest.fcs import Acquisition

MAD_TO_SD: Final = 1.4826
CHUNK: Final = 1 << 21
"""Events whose bins are kept at once, two bytes a value."""

_MOST_SETS: Final = 256
_SAMPLE: Final = 4096
_BELOW_TYPICAL: Final = 16.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """The channels to measure: which recorded ones they need and how they are computed from them."""

    n_channels: int
    loads: tuple[npt.NDArray[np.int64], Values]
    table: npt.NDArray[np.int64]
    terms: tuple[npt.NDArray[np.int64], Values]
    wanted: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Middles:
    """Medians and robust spreads, ``(n_populations, n_columns)``; NaN where a population has no event.

    ``robust_sd`` is 1.4826 times the median distance from the median, NaN where it was not asked for.
    """

    median: Values
    robust_sd: Values


def plan_columns(
    acquisition: Acquisition, dimensions: Sequence[Dimension], *, tree: GateTree | None = None
) -> Columns:
    """Say how channels are computed from events as recorded.

    Parameters
    ----------
    acquisition
        For the places of its channels, its step of time and its matrix.
    dimensions
        Channels with their compensation; scales are not looked at, and ratios not known.
    tree
        For matrices that the compensations name; by default only that of the file is there.
    """
    head = replace(acquisition, events=np.empty((0, len(acquisition.detectors))))
    slots = SlotTable(acquisition=head, tree=tree or GateTree())
    found = [slots.find(dimension) for dimension in dimensions]
    table, terms, _, _ = slots.pack(1.0)
    return Columns(
        n_channels=len(head.detectors), loads=slots.list_loads(), table=table, terms=terms,
        wanted=np.array([slots.resolve(slot) for slot in found], dtype=np.int64),
    )  # fmt: skip


def take_columns(n_channels: int, wanted: Sequence[int]) -> Columns:
    """Take columns of events as they are, those of compensated events say."""
    n = len(wanted)
    return Columns(
        n_channels=n_channels,
        loads=(np.array(wanted, dtype=np.int64), np.ones(n)),
        table=np.column_stack([np.zeros(n), np.arange(n), np.zeros(n), np.zeros(n)]).astype(np.int64),
        terms=(np.zeros(0, dtype=np.int64), np.zeros(0)),
        wanted=np.arange(n),
    )


def prepare_measure(masks: Sequence[Mask]) -> Callable[[Values], tuple[list[float], list[float]]]:
    """Prepare to measure channels one after the other in some populations, ``(n_events,)`` each.

    Returns
    -------
    callable
        Takes the values of a channel, ``(n_events,)`` float64, and gives medians and robust spreads.
    """
    words, n = pack_masks(masks), len(masks)
    loops = _load_loops()
    ids, known = np.empty(len(words), dtype=np.uint16), np.zeros((_MOST_SETS, words.shape[1]), np.uint64)
    n_sets = -1 if loops is None else loops.find_patterns(words, ids, known)

    if n_sets < 0:
        return partial(_measure_by_words, words, n)
    return partial(_measure_by_sets, ids, _list_members(known[:n_sets], n))


def _measure_by_words(words: Words, n_populations: int, values: Values) -> tuple[list[float], list[float]]:
    rows = values.reshape(-1, 1)
    return _list_middles(_measure_plainly(take_columns(1, [0]), rows, words, n_populations, spread=True))


def _measure_by_sets(
    ids: npt.NDArray[np.uint16], members: npt.NDArray[np.uint8], values: Values
) -> tuple[list[float], list[float]]:
    return _list_middles(
        _Pass(take_columns(1, [0]), values.reshape(-1, 1), ids, members).measure(spread=True)
    )


def _list_middles(found: Middles) -> tuple[list[float], list[float]]:
    return found.median[:, 0].tolist(), found.robust_sd[:, 0].tolist()


def measure_rows(
    columns: Columns, rows: Rows, *, words: Words, n_populations: int, spread: bool = True
) -> Middles:
    """Measure medians and robust spreads.

    Parameters
    ----------
    columns
        What to measure (`plan_columns`).
    rows
        ``(n_events, n_channels)`` float32 or float64, as for `corelab.cytometry.kernel.gates.gate_rows`.
    words
        ``(n_events, n_words)``: population ``p`` is bit ``p % 64`` of column ``p // 64``.
    n_populations
        How many bits mean something.
    spread
        Whether the robust spread is wanted as well.

    Returns
    -------
    Middles
        The same doubles as by `numpy.median`.

    Raises
    ------
    InputError
        If the rows do not have the channels of the columns.
    """
    if rows.ndim != 2 or rows.shape[1] != columns.n_channels or len(words) != len(rows):
        raise InputError(f"events of shape {rows.shape}", expected=f"{columns.n_channels} channels")
    usable = np.ascontiguousarray(rows)
    loops = _load_loops()
    ids = np.empty(len(rows), dtype=np.uint16)
    known = np.zeros((_MOST_SETS, words.shape[1]), dtype=np.uint64)
    n_sets = -1 if loops is None else loops.find_patterns(words, ids, known)
    if n_sets < 0:
        return _measure_plainly(columns, usable, words, n_populations, spread=spread)
    pass_over = _Pass(columns, usable, ids, _list_members(known[:n_sets], n_populations))
    return pass_over.measure(spread=spread)


def _list_members(known: Words, n_populations: int) -> npt.NDArray[np.uint8]:
    bits = [
        (known[:, p // 64] >> np.uint64(p % 64)) & np.uint64(1) for p in range(n_populations)
    ]  # fmt: skip
    return np.ascontiguousarray(np.array(bits, dtype=np.uint8).reshape(n_populations, -1).T)


class _Pass:
    """The looks at the events: counts of bins, values near the medians, distances near the spreads."""

    def __init__(
        self, columns: Columns, rows: Any, ids: npt.NDArray[np.uint16], members: npt.NDArray[np.uint8]
    ) -> None:
        self.loops = _load_loops()
        self.columns, self.rows, self.ids, self.members = columns, rows, ids, members
        self.n_columns, self.n_populations = len(columns.wanted), members.shape[1]
        order = np.argsort(members == 0, axis=1, kind="stable")
        self.lists = np.where(np.take_along_axis(members, order, axis=1) != 0, order, -1)
        self.offsets = _choose_offsets(columns, rows)
        self.kept: npt.NDArray[np.uint16] | None = None

    def measure(self, *, spread: bool) -> Middles:
        """Return the medians, and the spreads if they are wanted."""
        shape = (self.n_columns, self.n_populations)
        medians, spreads = np.full(shape, np.nan), np.full(shape, np.nan)
        counts = self._count()
        ranges = np.zeros((*shape, 4), dtype=np.int64)
        ranks = np.zeros((*shape, 3), dtype=np.int64)
        for m in range(self.n_columns):
            self.loops.aim_at_medians(counts[m], ranges[m], ranks[m])
        self._pick(ranges, ranks, None, medians)
        if spread:
            for m in range(self.n_columns):
                edges = _find_edges(self.offsets[m])
                self.loops.aim_at_spreads(counts[m], edges, medians[m], ranges[m], ranks[m])
            self._pick(ranges, ranks, medians, spreads)
        return Middles(median=medians.T.copy(), robust_sd=MAD_TO_SD * spreads.T)

    def _chunks(self) -> Iterator[tuple[Any, Any, npt.NDArray[np.uint16]]]:
        """Give events with their sets of populations and bins, a part at a time."""
        for start in range(0, len(self.rows), CHUNK):
            rows = self.rows[start : start + CHUNK]
            yield rows, self.ids[start : start + CHUNK], self._bin(rows)

    def _bin(self, rows: Any) -> npt.NDArray[np.uint16]:
        if self.kept is not None and len(self.rows) <= CHUNK:
            return self.kept
        if self.kept is None:
            self.kept = np.empty((self.n_columns, min(len(self.rows), CHUNK)), dtype=np.uint16)
        bins, columns = self.kept[:, : len(rows)], self.columns
        self.loops.bin_rows(
            pair_rows(rows), columns.loads, columns.table, columns.terms, columns.wanted, self.offsets, bins
        )
        return bins

    def _count(self) -> npt.NDArray[np.int64]:
        n_sets = len(self.members)
        by_set = np.zeros((self.n_columns, n_sets, self.loops.N_BINS), dtype=np.int32)
        for _, ids, bins in self._chunks():
            for m in range(self.n_columns):
                self.loops.count_bins(bins[m], ids, by_set[m])
        counts = np.zeros((self.n_columns, self.n_populations, self.loops.N_BINS), dtype=np.int64)
        for m in range(self.n_columns):
            self.loops.sum_sets(by_set[m], self.members, n_sets, counts[m])
        return counts

    def _pick(self, ranges: Any, ranks: Any, centres: Values | None, out: Values) -> None:
        """Collect the values that the ranks are about and take the middle ones."""
        n_sets, columns = len(self.members), self.columns
        sizes = ranks[:, :, 2]
        starts = np.cumsum(sizes, axis=1) - sizes
        values = [np.empty(int(size)) for size in sizes.sum(axis=1)]
        needed = np.zeros((self.n_columns, n_sets, self.loops.N_BINS), dtype=np.uint8)
        for m in range(self.n_columns):
            self.loops.mark_needed(ranges[m], self.members, n_sets, needed[m])
        for rows, ids, bins in self._chunks():
            pair = pair_rows(rows)
            for m, slot in enumerate(columns.wanted.tolist()):
                centre = np.zeros(0) if centres is None else centres[m]
                self.loops.collect_values(
                    pair, columns.loads, columns.table, columns.terms, slot, bins[m], ids, needed[m],
                    self.lists, ranges[m], centre, starts[m], values[m],
                )  # fmt: skip
        for m in range(self.n_columns):
            self.loops.pick_middles(values[m], ranks[m], out[m])


def _choose_offsets(columns: Columns, rows: Any) -> Values:
    """Choose for each column below which magnitude bins stop getting finer, by a part of the events."""
    step = max(1, len(rows) // _SAMPLE)
    sample = _compute(columns, rows[::step])
    offsets = np.ones(len(columns.wanted))
    for m, values in enumerate(sample):
        sizes = np.abs(values[np.isfinite(values) & (values != 0)])
        if len(sizes):
            typical = float(np.median(sizes)) / _BELOW_TYPICAL
            offsets[m] = 2.0 ** np.floor(np.log2(max(typical, 1e-200)))
    return offsets


def _find_edges(offset: float) -> Values:
    """Return the ends of the bins, the outermost infinite."""
    octaves = 2.0 ** np.arange(_load_loops().OCTAVES)
    knots = offset * np.outer(octaves, 1 + np.arange(64) / 64).ravel() - offset
    return np.concatenate([[-np.inf], -knots[:0:-1], knots, [np.inf]])


def _compute(columns: Columns, rows: Any) -> list[Values]:
    """Compute columns by NumPy, in the order of arithmetic of the loops."""
    channels, factors = columns.loads
    recorded = [np.asarray(rows[:, c], dtype=float) * f for c, f in zip(channels, factors, strict=True)]
    found = []
    for slot in columns.wanted.tolist():
        kind, start, stop, _ = columns.table[slot].tolist()
        if kind == 0:
            found.append(recorded[slot])
            continue
        total = np.zeros(len(rows))
        for load, number in zip(columns.terms[0][start:stop], columns.terms[1][start:stop], strict=True):
            total += recorded[load] * number
        found.append(total)
    return found


def _measure_plainly(
    columns: Columns, rows: Any, words: Words, n_populations: int, *, spread: bool
) -> Middles:
    """Measure by NumPy, one population after the other."""
    values = _compute(columns, rows)
    shape = (n_populations, len(values))
    medians, spreads = np.full(shape, np.nan), np.full(shape, np.nan)
    for p in range(n_populations):
        mask: Mask = (words[:, p // 64] >> np.uint64(p % 64)) & np.uint64(1) != 0
        for m, column in enumerate(values):
            own = column[mask]
            if len(own):
                medians[p, m] = np.median(own)
                if spread:
                    spreads[p, m] = np.median(np.abs(own - medians[p, m]))
    return Middles(median=medians, robust_sd=MAD_TO_SD * spreads)


@cache
def _load_loops() -> Any:
    try:
        from corelab.cytometry.kernel import selection
    except ImportError:
        return None
    return selection
