"""A scale as a table of straight pieces, with the largest error of each piece."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from corelab.cytometry.interchange.model import Biex, FloorLog, Scale
from corelab.cytometry.interchange.scales import apply_scale
from corelab.cytometry.kernel.cuts import measure_reach
from corelab.cytometry.records import Values

SHIFT: Final = 44
"""The bits of a double below a piece: 256 pieces an octave."""

_OCTAVES_BELOW_TOP: Final = 20
_MOST_OCTAVES: Final = 32
_SAFETY: Final = 2.0
_ROUNDING: Final = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lookup:
    """A scale in pieces.

    A value belongs to the piece with the number ``bits(|x| + offset) >> SHIFT``, counted from that of
    zero; negative values count downwards from ``zero`` - 1. ``place`` and ``slope`` are ``(n_pieces,)``:
    where a piece begins (at the end nearer to zero) and its rise over ``|x|``; ``error`` bounds the
    distance from the scale. Beyond ``reach`` it says nothing.
    """

    offset: float
    zero: int
    place: Values
    slope: Values
    error: Values
    reach: float

    def find_piece(self, value: float) -> int:
        """Return the number of the piece of a value, the last one for those beyond."""
        shifted = np.array([abs(value) + self.offset, self.offset]).view(np.int64) >> SHIFT
        number = int(shifted[0] - shifted[1])
        piece = self.zero + number if value >= 0 else self.zero - 1 - number
        return min(max(piece, 0), len(self.place) - 1)

    def bound_error(self, low: float, high: float) -> float:
        """Return the largest error between two values."""
        return float(np.max(self.error[self.find_piece(low) : self.find_piece(high) + 1]))


@lru_cache(maxsize=64)
def make_lookup(scale: Scale) -> Lookup:
    """Lay a scale out as a table.

    The error of a straight piece is taken at three places within it and doubled.
    """
    top = _find_top(scale)
    offset = float(2.0 ** np.floor(np.log2(top) - _OCTAVES_BELOW_TOP))
    reach = min(measure_reach(scale), offset * 2.0**_MOST_OCTAVES)
    first = int(np.array([offset]).view(np.int64)[0]) >> SHIFT
    last = int(np.array([reach + offset]).view(np.int64)[0]) >> SHIFT
    knots = (np.arange(first, last + 2, dtype=np.int64) << SHIFT).view(np.float64) - offset
    halves = [_fit(scale, sign * knots) for sign in (-1.0, 1.0)]
    place, slope, error = (
        np.concatenate([low[::-1], high]) for low, high in zip(halves[0], halves[1], strict=True)
    )
    return Lookup(offset=offset, zero=len(knots) - 1, place=place, slope=slope, error=error, reach=reach)


def _find_top(scale: Scale) -> float:
    match scale:
        case Biex(maximum=maximum):
            return maximum
        case FloorLog(offset=offset, decades=decades):
            return float(offset * 10.0 ** min(decades, 15.0))
    return float(scale.t)


def _fit(scale: Scale, knots: Values) -> tuple[Values, Values, Values]:
    places = apply_scale(knots, scale)
    width = np.diff(np.abs(knots))
    slope = np.diff(places) / width
    error = np.zeros(len(width))
    for share in (0.25, 0.5, 0.75):
        inner = knots[:-1] + share * np.diff(knots)
        straight = places[:-1] + slope * (share * width)
        error = np.maximum(error, np.abs(apply_scale(inner, scale) - straight))
    rounding = _ROUNDING * np.maximum(1.0, np.abs(places[:-1]))
    return places[:-1], slope, np.where(np.isnan(error), np.inf, _SAFETY * error + rounding)
