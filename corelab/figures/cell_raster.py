"""Cells on a map as a picture: every cell a dot, the ones that were not asked for in grey beneath."""

import colorsys
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.figures.png import encode_png
from corelab.figures.tokens import SCHEMES, Scheme

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_BODY, _FAINT, _FIRST = 0, 1, 2
_DISC: Final = ((0, 0), (0, 1), (1, 0), (1, 1))
_FULL_DISC: Final = (
    *((y, x) for y in range(3) for x in range(3) if (y, x) not in ((0, 0), (0, 2), (2, 0), (2, 2))),
)
_FEW_PER_PX: Final = 0.02
"""Cells of a pixel below which dots are drawn larger."""
_SEED: Final = 7
RAMP_FROM: Final = 1
"""The first colour of the density ramp is that of the ground."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dots:
    """Cells to draw: places, a colour of the palette for each, and whether it was asked for."""

    x: Floats
    y: Floats
    codes: Codes
    is_asked: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The part of a map that is drawn, in its own units."""

    x0: float
    x1: float
    y0: float
    y1: float


def find_window(x: Floats, y: Floats) -> Window:
    """Return the window that holds all places with a margin of 3 %; a unit square for none."""
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return Window(x0=0.0, x1=1.0, y0=0.0, y1=1.0)
    ends = [(float(one[known].min()), float(one[known].max())) for one in (x, y)]
    (x0, x1), (y0, y1) = [
        (low - margin, high + margin) for low, high in ends for margin in [max(0.03 * (high - low), 0.5)]
    ]
    return Window(x0=x0, x1=x1, y0=y0, y1=y1)


def draw_dots(
    dots: Dots, window: Window, *, size: tuple[int, int], palette: list[str], scheme: Scheme
) -> bytes:
    """Draw cells as a PNG.

    Parameters
    ----------
    dots
        The cells; which of two on one pixel is seen is drawn by lot, the same one each time, so that no
        colour is always on top.
    window
        What is drawn.
    size
        Width and height in px.
    palette
        Colours of the codes, at most 250.
    scheme
        For the ground and the cells that were not asked for.
    """
    width, height = size
    grid = np.zeros((height, width), dtype=np.uint8)
    order = np.random.default_rng(_SEED).permutation(len(dots.x))
    order = order[np.isfinite(dots.x[order]) & np.isfinite(dots.y[order])]
    asked = dots.is_asked[order]
    shape = _FULL_DISC if asked.sum() < _FEW_PER_PX * width * height else _DISC
    _paint(grid, order[~asked], dots, window, np.full(int((~asked).sum()), _FAINT), _DISC)
    _paint(grid, order[asked], dots, window, _FIRST + dots.codes[order[asked]], shape)
    tokens = SCHEMES[scheme]
    return encode_png(grid, [tokens.body, tokens.border, *palette])


def _paint(
    grid: npt.NDArray[np.uint8], rows: Codes, dots: Dots, window: Window, codes: Codes,
    shape: tuple[tuple[int, int], ...],
) -> None:  # fmt: skip
    height, width = grid.shape
    across = ((dots.x[rows] - window.x0) / (window.x1 - window.x0) * (width - 3)).astype(np.int64)
    down = ((window.y1 - dots.y[rows]) / (window.y1 - window.y0) * (height - 3)).astype(np.int64)
    inside = (across >= 0) & (across <= width - 3) & (down >= 0) & (down <= height - 3)
    for dy, dx in shape:
        grid[down[inside] + dy, across[inside] + dx] = codes[inside]


def list_cluster_colours(count: int, scheme: Scheme) -> list[str]:
    """Return colours for clusters: hues by the golden angle, so that neighbours in number differ.

    More than about ten cannot be told apart by colour: their names stand on the map.
    """
    lightness = (0.40, 0.52) if scheme == "light" else (0.62, 0.74)
    colours = []
    for number in range(count):
        hue = (0.58 + number * 0.381966) % 1.0
        red, green, blue = colorsys.hls_to_rgb(hue, lightness[number % 2], 0.55 if number % 3 else 0.75)
        colours.append(f"#{round(255 * red):02X}{round(255 * green):02X}{round(255 * blue):02X}")
    return colours


def scale_codes(values: Floats, steps: int) -> tuple[Codes, tuple[float, float]]:
    """Return the step of a ramp of each value, from the 1st to the 99th percentile; NaN is the first."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.zeros(len(values), dtype=np.int64), (0.0, 0.0)
    low, high = (float(end) for end in np.percentile(known, [1, 99]))
    share = (np.nan_to_num(values, nan=low) - low) / max(high - low, 1e-9)
    return (np.clip(share, 0, 0.999999) * steps).astype(np.int64), (low, high)
