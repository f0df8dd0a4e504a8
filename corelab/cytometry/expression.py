"""Medians and robust spreads of every marker in the populations that a template names."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.columns import GatedMasks, MaskList
from corelab.cytometry.engine import Engine
from corelab.cytometry.records import Expression, Mask, Values
from corelab.cytometry.tube import Tube

MAD_TO_SD: Final = 1.4826
_MANY_EVENTS: Final = 100_000
"""Below, NumPy has measured all medians before the compiled loops are loaded."""

_SHIFT: Final = 42
_PER_OCTAVE: Final = 1 << (52 - _SHIFT)
_OCTAVES: Final = 24
_HALF: Final = _PER_OCTAVE * _OCTAVES
RELATIVE_ERROR: Final = 1.0 / _PER_OCTAVE
"""How far a median of bins may be from that of the values, as part of it and of a quarter of the noise."""

Middles = tuple[Sequence[float], Sequence[float]]
"""Medians and robust spreads of some populations."""


def measure_expression(engine: Engine) -> list[Expression]:
    """Measure every marker in the populations that the template names, compiled where it pays."""
    tube = engine.tube
    counts = {name: engine.count(name) for name in engine.template.expression}
    sizes = {name: n for name, n in counts.items() if n}
    if not sizes or not tube.markers.columns:
        return []
    masks = MaskList(GatedMasks(engine.masks), list(sizes))
    columns = sorted(set(tube.markers.columns.values()))
    if tube.acquisition.n_events < _MANY_EVENTS:
        return _lay_out(
            tube, sizes, _measure_plainly([tube.values(column) for column in columns], columns, masks)
        )
    from corelab.cytometry.kernel.medians import prepare_measure

    measure = prepare_measure(masks)
    return _lay_out(tube, sizes, {column: measure(tube.values(column)) for column in columns})


def _lay_out(tube: Tube, sizes: Mapping[str, int], middles: Mapping[int, Middles]) -> list[Expression]:
    return [
        Expression(
            population=population, marker=marker, n=n,
            median_intensity=middles[column][0][row], robust_sd=middles[column][1][row],
        )
        for row, (population, n) in enumerate(sizes.items())
        for marker, column in tube.markers.columns.items()
    ]  # fmt: skip


def _measure_plainly(
    channels: Sequence[Values], columns: Sequence[int], masks: Sequence[Mask]
) -> dict[int, Middles]:
    """Measure all channels of a population at once; the same doubles as the compiled loops."""
    pairs = []
    for mask in masks:
        own = np.array([values[mask] for values in channels])
        medians = np.median(own, axis=1)
        spreads = np.median(np.abs(own - medians[:, None]), axis=1)
        pairs.append((medians.tolist(), [MAD_TO_SD * spread for spread in spreads.tolist()]))
    return {
        column: ([medians[row] for medians, _ in pairs], [spreads[row] for _, spreads in pairs])
        for row, column in enumerate(columns)
    }


class BinnedExpression:
    """Counts values in fine bins, a part of a file after the other.

    A bin is a 1024th of a doubling wide, or, within a quarter of the channel's noise around zero, a 1024th of
    that; so medians and spreads are right to `RELATIVE_ERROR` of the values there.
    """

    def __init__(self, tube: Tube, populations: Sequence[str]) -> None:
        self._tube = tube
        self._columns = sorted(set(tube.markers.columns.values()))
        self._offsets = {c: float(2.0 ** np.floor(np.log2(tube.scales[c] / 4))) for c in self._columns}
        self._counts = {
            name: {c: np.zeros(2 * _HALF, dtype=np.int32) for c in self._columns} for name in populations
        }

    def add(self, engine: Engine) -> None:
        """Count the events of a gated part."""
        masks = {name: engine.select(name) for name in self._counts}
        for column in self._columns:
            bins = _find_bins(engine.tube.values(column), self._offsets[column])
            for name, mask in masks.items():
                if mask is not None and mask.any():
                    counts = self._counts[name][column]
                    counts += np.bincount(bins[mask], minlength=2 * _HALF).astype(np.int32)

    def measure(self) -> list[Expression]:
        """Return medians and spreads of all parts together."""
        first = {name: next(iter(by.values()), np.zeros(1)) for name, by in self._counts.items()}
        sizes = {name: n for name, counts in first.items() if (n := int(counts.sum()))}
        middles = {}
        for column in self._columns:
            centres = _find_centres(self._offsets[column])
            pairs = [_find_middle(self._counts[name][column], centres) for name in sizes]
            middles[column] = ([one for one, _ in pairs], [MAD_TO_SD * spread for _, spread in pairs])
        return _lay_out(self._tube, sizes, middles)


def _find_bins(values: Values, offset: float) -> npt.NDArray[np.int32]:
    """Sort values into bins that rise with them, by the bits of how far they are from zero."""
    size = np.abs(values)
    size += offset
    number = size.view(np.int64) >> _SHIFT
    number -= int(np.array([offset]).view(np.int64)[0]) >> _SHIFT
    number = np.minimum(number, _HALF - 1)
    return np.asarray(np.where(values >= 0, _HALF + number, _HALF - 1 - number), dtype=np.int32)


def _find_centres(offset: float) -> Values:
    """Return the middles of the bins."""
    inside = (np.arange(_PER_OCTAVE) + 0.5) / _PER_OCTAVE
    sizes = np.outer(2.0 ** np.arange(_OCTAVES), 1 + inside).ravel() * offset - offset
    return np.concatenate([-sizes[::-1], sizes])


def _find_middle(counts: npt.NDArray[np.int32], centres: Values) -> tuple[float, float]:
    """Return the median, and the median distance from it, of values that lie in the middles of their bins."""
    used = np.flatnonzero(counts)
    own, places = counts[used], centres[used]
    median = _weigh_middle(own, places)
    distances = np.abs(places - median)
    order = np.argsort(distances, kind="stable")
    return median, _weigh_middle(own[order], distances[order])


def _weigh_middle(counts: npt.NDArray[np.int32], places: Values) -> float:
    """Return the mean of the two middle values, each place held by some."""
    reached = np.cumsum(counts, dtype=np.int64)
    total = int(reached[-1])
    low, high = np.searchsorted(reached, [(total - 1) // 2, total // 2], side="right")
    return float(places[low] + places[high]) / 2
