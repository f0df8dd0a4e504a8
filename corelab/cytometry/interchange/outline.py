"""A polygon that is judged by cells of a display as a polygon in plain values that holds the same events.

FlowJo's own scales have no name in Gating-ML. What a cell holds is an interval of values, so the outline of
the cells inside a polygon is a polygon of right angles in linear values. Several pieces are joined by
lines that are walked there and back, which hold nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from corelab.cytometry.interchange.geometry import points_in_polygon
from corelab.cytometry.interchange.model import Biex, Cells, FloorLog, Polygon, Scale
from corelab.cytometry.interchange.reference import find_cells
from corelab.cytometry.interchange.scales import BIEX_TOP, apply_scale, invert_scale
from corelab.cytometry.records import Mask
from corelab.errors import InputError

_FAR: Final = 1e30
_LARGEST: Final = 4096
_STEPS: Final[tuple[tuple[int, int], ...]] = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Right, up, left, down: the inside lies to the left of each step."""


def outline_cells(line: Polygon, scales: tuple[Scale, Scale]) -> Polygon:
    """Return the outline of the cells that a polygon holds, on linear axes.

    Raises
    ------
    InputError
        If it is not judged by cells or holds none.
    """
    grid = line.grid
    if grid is None:
        raise InputError("a polygon that is not judged by cells", expected="FlowJo's cells")
    corners = np.array(line.vertices)
    in_cells = np.column_stack([find_cells(corners[:, i], cells) for i, cells in enumerate(grid)])
    low = in_cells.min(axis=0)
    size = in_cells.max(axis=0) - low + 1
    if not size.max() <= _LARGEST:
        raise InputError(f"a polygon of {size.max():.0f} cells across", expected=f"{_LARGEST} or fewer")
    x, y = (axis.ravel() for axis in np.meshgrid(*(np.arange(n, dtype=float) for n in size), indexing="ij"))
    shifted = [(float(i), float(j)) for i, j in (in_cells - low).tolist()]
    inside = points_in_polygon(x, y, shifted).reshape(tuple(size.astype(int)))
    low_x, low_y = low.astype(int).tolist()

    def place(column: int, row: int, step_x: int, step_y: int) -> tuple[float, float]:
        return (
            _place((step_x, column), low_x, grid[0], scales[0]),
            _place((step_y, row), low_y, grid[1], scales[1]),
        )

    loops = [[place(*corner) for corner in _find_corners(walk)] for walk in _trace(inside)]
    dimensions = tuple(replace(one, scale="") for one in line.dimensions)
    return Polygon(dimensions=(dimensions[0], dimensions[1]), vertices=tuple(_bridge(loops)))


def _trace(inside: Mask) -> list[list[tuple[int, int, int]]]:
    """Walk around the cells, each piece and hole once: steps and the corners from which they start.

    Where two cells touch at a corner only, the walk turns left and so stays with its own cell.
    """
    starts = _list_sides(inside)
    if not starts:
        raise InputError("a polygon that holds no cell", expected="a cell inside")
    walks = []
    while any(starts.values()):
        corner = first = min(corner for corner, steps in starts.items() if steps)
        step = starts[corner][0]
        walk = []
        while True:
            walk.append((step, *corner))
            starts[corner].remove(step)
            corner = (corner[0] + _STEPS[step][0], corner[1] + _STEPS[step][1])
            if corner == first and not starts[corner]:
                break
            step = next(turn % 4 for turn in (step + 1, step, step + 3) if turn % 4 in starts[corner])
        walks.append(walk)
    return walks


def _list_sides(inside: Mask) -> dict[tuple[int, int], list[int]]:
    """List the sides between full and empty cells as steps by the corner from which they start."""
    padded = np.pad(inside, 1)
    starts: dict[tuple[int, int], list[int]] = {}
    for step, (di, dj) in enumerate(_STEPS):
        # A full cell whose neighbour to the right of the step is empty has a side that runs along it.
        empty = ~padded[1 + dj : padded.shape[0] - 1 + dj, 1 - di : padded.shape[1] - 1 - di]
        for i, j in np.argwhere(inside & empty).tolist():
            corner = (i + (1 if step in (1, 2) else 0), j + (1 if step in (2, 3) else 0))
            starts.setdefault(corner, []).append(step)
    return starts


def _find_corners(walk: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Return where a walk turns: column, row, and the steps along its vertical and its horizontal side."""
    corners = []
    for (before, _, _), (after, i, j) in zip([walk[-1], *walk[:-1]], walk, strict=True):
        if before != after:
            vertical, horizontal = (before, after) if before % 2 else (after, before)
            corners.append((i, j, vertical, horizontal))
    return corners


def _bridge(loops: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """Join loops at their corners nearest to zero; each bridge is walked in both directions."""
    turned = []
    for loop in loops:
        nearest = min(range(len(loop)), key=lambda k: (abs(loop[k][0]) + abs(loop[k][1]), k))
        turned.append([*loop[nearest:], *loop[:nearest]])
    joined = [*turned[0]]
    for loop in turned[1:]:
        joined += [turned[0][0], *loop, loop[0]]
    return joined if len(turned) == 1 else [*joined, turned[0][0]]


def _place(run: tuple[int, int], low: int, cells: Cells, scale: Scale) -> float:
    """Return the linear value of a side; a cell holds its lower end and not its upper one."""
    step, index = run
    is_upper = step in (1, 2)
    place = (low + index - cells.shift) * cells.width
    if isinstance(scale, Biex | FloorLog) and place <= 0:
        return -_FAR
    if isinstance(scale, Biex) and place > BIEX_TOP:
        return _FAR
    value = float(invert_scale(np.array([place]), scale)[0])
    value = _settle(value, place, scale)
    return float(np.nextafter(value, -np.inf)) if is_upper else value


def _settle(value: float, place: float, scale: Scale) -> float:
    """Return the smallest value that does not lie below a place, where the inverse was rounded."""
    for _ in range(8):
        if apply_scale(np.array([value]), scale)[0] >= place:
            break
        value = float(np.nextafter(value, np.inf))
    return value
