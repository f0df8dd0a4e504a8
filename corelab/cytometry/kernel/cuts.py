"""Limits on a scale moved to linear values, exactly: the first double that reaches the limit.

Every scale rises, so ``scale(x) >= limit`` is ``x >= first``. A scale that is computed by iteration or by a
library rises only to its rounding: close to the limit neighbouring doubles may come out in the wrong order.
Where a look at the neighbours shows one clean step, ``first`` is exact; elsewhere it comes with a band of
doubles that only the scale itself can judge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.interchange.model import Biex, Cells, FloorLog, Hyperlog, Linear, Logicle, Scale
from corelab.cytometry.interchange.reference import find_cells
from corelab.cytometry.interchange.scales import apply_scale, invert_scale
from corelab.cytometry.records import Mask, Values

WIDEST: Final = 1e15
"""Values beyond this are left to the scale itself."""

_FAN: Final = 33
_NEIGHBOURS: Final = 1024
_NOISE: Final = 4e-15
_BAND: Final = 1e-12
_OCTAVES_ABOVE_TOP: Final = 10
_MANTISSA: Final = 0x7FFF_FFFF_FFFF_FFFF

Predicate = Callable[[Values], Mask]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Where a rising rule becomes true: from ``first`` on.

    Between ``unsure_low`` and ``unsure_high`` (both included) only the rule itself can say; there is no
    such place where ``unsure_low`` is the greater.
    """

    first: float
    unsure_low: float = np.inf
    unsure_high: float = -np.inf

    @property
    def last_before(self) -> float:
        """The last double for which the rule is not yet true."""
        return float(np.nextafter(self.first, -np.inf))


def order_doubles(values: Values) -> npt.NDArray[np.int64]:
    """Give doubles numbers so that the next number is the next double.

    Examples
    --------
    >>> order_doubles(np.array([-5e-324, 0.0, 5e-324])).tolist()
    [-1, 0, 1]
    """
    bits = np.ascontiguousarray(values, dtype=float).view(np.int64)
    return np.where(bits < 0, -(bits & _MANTISSA), bits)


def restore_doubles(numbers: npt.NDArray[np.int64]) -> Values:
    """Return the doubles with these numbers (`order_doubles`)."""
    magnitudes = np.abs(numbers).view(np.float64)
    return np.where(numbers < 0, -magnitudes, magnitudes)


def find_first(holds: Predicate, low: float, high: float) -> float:
    """Find the first double from ``low`` to ``high`` for which a rising rule holds.

    Returns
    -------
    float
        ``-inf`` where it holds from the start, ``inf`` where it never does.

    Examples
    --------
    >>> find_first(lambda x: x * 3 >= 1, 0.0, 1.0)
    0.3333333333333333
    """
    first, last = (int(number) for number in order_doubles(np.array([low, high])))
    at_ends = holds(restore_doubles(np.array([first, last])))
    if at_ends[0]:
        return -np.inf
    if not at_ends[1]:
        return np.inf
    while last - first > 1:  # false at first, true at last
        numbers = sorted({first + (last - first) * i // _FAN for i in range(_FAN + 1)})
        held = holds(restore_doubles(np.array(numbers, dtype=np.int64)))
        at = next(i for i in range(1, len(numbers)) if held[i] or numbers[i] == last)
        first, last = numbers[at - 1], numbers[at]
    return float(restore_doubles(np.array([last]))[0])


def measure_reach(scale: Scale | None) -> float:
    """Return the largest magnitude up to which a scale is known to rise."""
    if not isinstance(scale, Logicle | Hyperlog):
        return WIDEST
    for octaves in range(_OCTAVES_ABOVE_TOP, -1, -1):
        tops = scale.t * 2.0 ** np.arange(-20, octaves + 1)
        places = apply_scale(np.concatenate([-tops[::-1], tops]), scale)
        if np.all(np.diff(places) > 0):
            return float(tops[-1])
    return 0.0


@lru_cache(maxsize=4096)
def find_edge(scale: Scale | None, limit: float, *, above: bool = False) -> Edge:
    """Find where values on a scale reach a limit, or rise ``above`` it.

    Parameters
    ----------
    scale
        None for linear values.
    limit
        On the scale.
    above
        Whether the limit itself does not count yet.

    Returns
    -------
    Edge
        Right for every value within `measure_reach`.
    """
    holds = _holds(scale, limit, above=above)
    reach = measure_reach(scale)
    first = find_first(holds, -reach, reach)
    if scale is None or isinstance(scale, Linear) or not np.isfinite(limit):
        return Edge(first=first)
    return _add_band(scale, limit, first, holds)


def find_domain(scale: Scale | None) -> float:
    """Return the first value that a scale knows, ``-inf`` where it knows every one."""
    reach = measure_reach(scale)
    return find_first(lambda x: ~np.isnan(_place(scale, x)), -reach, reach)


def find_cell_edge(scale: Scale | None, cells: Cells, number: float) -> float:
    """Find about where values reach a cell of an axis; right to the rounding of the scale."""
    reach = measure_reach(scale)
    return find_first(lambda x: find_cells(_place(scale, x), cells) >= number, -reach, reach)


def _place(scale: Scale | None, values: Values) -> Values:
    return values if scale is None else apply_scale(values, scale)


def _holds(scale: Scale | None, limit: float, *, above: bool) -> Predicate:
    if above:
        return lambda values: _place(scale, values) > limit
    return lambda values: _place(scale, values) >= limit


def _add_band(scale: Scale, limit: float, first: float, holds: Predicate) -> Edge:
    if np.isfinite(first) and _is_clean(scale, first, holds):
        return Edge(first=first)
    reach = measure_reach(scale)
    margin = _BAND * max(1.0, abs(limit))
    low = find_first(_holds(scale, limit - margin, above=False), -reach, reach)
    high = find_first(_holds(scale, limit + margin, above=True), -reach, reach)
    flat_low, flat_high = _find_flats(scale)
    low, high = max(low, float(np.nextafter(flat_low, np.inf))), min(high, flat_high)
    return Edge(first=first, unsure_low=low, unsure_high=high) if low <= high else Edge(first=first)


def _is_clean(scale: Scale, first: float, holds: Predicate) -> bool:
    """Tell whether the doubles around a step show it once, and differ by more than rounding."""
    centre = int(order_doubles(np.array([first]))[0])
    around = restore_doubles(np.arange(centre - _NEIGHBOURS, centre + _NEIGHBOURS, dtype=np.int64))
    places = apply_scale(around, scale)
    size = max(1.0, float(np.max(np.abs(places))))
    low, high = places[_NEIGHBOURS] - places[0], places[-1] - places[_NEIGHBOURS]
    expected = np.arange(2 * _NEIGHBOURS) >= _NEIGHBOURS
    return bool(min(low, high) > _NOISE * size and np.array_equal(holds(around), expected))


def _find_flats(scale: Scale) -> tuple[float, float]:
    """Return the ends of a scale outside which every value has the very same place."""
    match scale:
        case FloorLog(offset=offset):
            return offset, np.inf
        case Biex():
            ends = invert_scale(np.array([0.0, 4096.0]), scale)
            return float(ends[0]), float(ends[1])
    return -np.inf, np.inf
