"""Events as a picture: density where they are many, single events as dots where they are few."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.figures.png import Pixels, encode_png
from corelab.figures.tokens import SCHEMES, Scheme

Grid = npt.NDArray[np.float64]

RAMP: Final = 96
_FIRST_COLOUR: Final = 1
_BODY, _DOT, _BACK, _CROSS, _FAINT = 0, RAMP + 1, RAMP + 2, RAMP + 3, RAMP + 4
_SPARSE: Final = 0.45
"""Smoothed events in a bin below which single events are drawn instead of a colour."""
_PALEST: Final = 0.2
"""Where the ramp begins: its very first colours are lighter than the dots around the cloud."""
_SPREAD: Final = 1.3
_CONTOUR_SPREAD: Final = 2.0
_SHORTEST: Final = 12
"""Points of a contour below which it goes around a single event."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layers:
    """Counts on one grid ``(up, across)``, the lowest row first; what is None is not drawn.

    ``density`` is the cloud; ``faint`` other events of the parent, ``back`` those of a population that is
    looked for, ``crosses`` events of another tube, each drawn one by one.
    """

    density: npt.NDArray[np.int64]
    faint: npt.NDArray[np.int64] | None = None
    back: npt.NDArray[np.int64] | None = None
    crosses: npt.NDArray[np.int64] | None = None


def draw_events(layers: Layers, *, scheme: Scheme, back_colour: str, bin_px: int) -> bytes:
    """Draw the layers as a PNG, each bin ``bin_px`` pixels wide."""
    grid = np.full(layers.density.shape, _BODY, dtype=np.uint8)
    _paint_dots(grid, layers.faint, _FAINT)
    density = smooth_grid(layers.density, _SPREAD)
    dense = density >= _SPARSE
    grid[dense] = _FIRST_COLOUR + find_levels(density[dense], float(density.max()))
    _paint_dots(grid, np.where(dense, 0, layers.density), _DOT)
    _paint_dots(grid, layers.back, _BACK)
    pixels = np.repeat(np.repeat(grid, bin_px, axis=0), bin_px, axis=1)
    if layers.crosses is not None:
        _paint_crosses(pixels, np.argwhere(layers.crosses > 0) * bin_px, arm=2 * bin_px)
    tokens = SCHEMES[scheme]
    palette = [tokens.body, *build_ramp(tokens.density), tokens.density[3], back_colour, tokens.fail]
    return encode_png(pixels[::-1], [*palette, tokens.context])


def find_levels(density: Grid, top: float) -> npt.NDArray[np.uint8]:
    """Return the step of the ramp of each density, evenly on a logarithm from the sparsest to the top."""
    if top <= _SPARSE:
        return np.zeros(density.shape, dtype=np.uint8)
    share = _PALEST + (1 - _PALEST) * np.log(density / _SPARSE) / np.log(top / _SPARSE)
    return np.asarray(np.minimum(np.clip(share, 0.0, 1.0) * RAMP, RAMP - 1), dtype=np.uint8)


@cache
def build_ramp(stops: tuple[str, ...]) -> tuple[str, ...]:
    """Return the colours of the density, evenly between the stops; the first stop is the empty ground."""
    channels = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops[1:]], dtype=float)
    at = np.linspace(0, len(channels) - 1, RAMP)
    mixed = [np.interp(at, np.arange(len(channels)), channels[:, channel]) for channel in range(3)]
    return tuple(
        "#" + "".join(f"{round(value):02X}" for value in colour) for colour in zip(*mixed, strict=True)
    )


def smooth_grid(counts: npt.NDArray[np.int64], spread: float) -> Grid:
    """Convolve counts with a Gaussian of ``spread`` bins; what would leave the grid stays at its edge."""
    up, across = (_build_kernel(size, spread) for size in counts.shape)
    return np.asarray(up @ counts.astype(np.float64) @ across.T)


@cache
def _build_kernel(size: int, spread: float) -> Grid:
    offsets = np.arange(size)[:, None] - np.arange(size)[None, :]
    weights = np.exp(-0.5 * (offsets / spread) ** 2)
    return np.asarray(weights / weights.sum(axis=0))


def trace_contour(counts: npt.NDArray[np.int64], share: float) -> list[Grid]:
    """Trace the line around the densest bins that hold a share of the events.

    Parameters
    ----------
    counts
        Events on a grid, ``(up, across)``.
    share
        Of all events, between 0 and 1.

    Returns
    -------
    list of (n, 2) arrays
        Lines in places between 0 and 1, across first; empty for fewer than 50 events.
    """
    if counts.sum() < 50:
        return []
    import contourpy

    density = smooth_grid(counts, _CONTOUR_SPREAD)
    ordered = np.sort(density, axis=None)[::-1]
    level = float(ordered[np.searchsorted(np.cumsum(ordered), share * ordered.sum())])
    up, across = counts.shape
    padded = np.pad(density, 1)
    traced = [np.asarray(line) for line in contourpy.contour_generator(z=padded).lines(level)]
    size = np.array([across, up], dtype=float)
    return [np.clip((line - 0.5) / size, 0.0, 1.0) for line in traced if len(line) > _SHORTEST]


def _paint_dots(grid: Pixels, counts: npt.NDArray[np.int64] | None, colour: int) -> None:
    """Paint every bin with an event two bins wide, so that a single one is seen."""
    if counts is None:
        return
    hit = counts > 0
    hit[1:] |= counts[:-1] > 0
    wide = hit.copy()
    wide[:, 1:] |= hit[:, :-1]
    grid[wide] = colour


def _paint_crosses(pixels: Pixels, centres: npt.NDArray[np.int64], *, arm: int) -> None:
    """Paint crosses, each on a clear ground, at rows and columns."""
    for width, colour in ((2, _BODY), (1, _CROSS)):
        for row, column in centres.tolist():
            for step in range(-arm, arm + 1):
                for line in (step, -step):
                    low, left = max(row + line - width, 0), max(column + step - width, 0)
                    pixels[low : max(row + line + width, 0), left : max(column + step + width, 0)] = colour
