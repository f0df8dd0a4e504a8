"""Which points lie inside a polygon or an ellipsoid, in plain numpy."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from corelab.cytometry.records import Mask, Values

_PIECE: Final = 16_384
_SLACK: Final = 1.001


def points_in_polygon(x: Values, y: Values, vertices: Sequence[tuple[float, float]]) -> Mask:
    """Mark the points inside a polygon or on its edge; parity decides where it crosses itself.

    Parameters
    ----------
    x, y
        ``(n,)``; a point with a NaN lies outside.
    vertices
        At least three corners; the last is joined to the first.

    Notes
    -----
    A point is inside if a ray from it to the right meets the line an odd number of times. An edge
    counts where exactly one of its ends lies above the point.

    Examples
    --------
    >>> square = [(0, 0), (2, 0), (2, 2), (0, 2)]
    >>> points_in_polygon(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 1.0]), square).tolist()
    [True, True, False]
    """
    corners = np.asarray(vertices, dtype=float)
    low, high = corners.min(axis=0), corners.max(axis=0)
    inside = np.zeros(len(x), dtype=bool)
    # Most events of a tube lie outside the box of a gate: only the others are worth the edges.
    near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    inside[near] = _count_crossings(x[near], y[near], corners)
    return inside


def _count_crossings(x: Values, y: Values, corners: Values) -> Mask:
    """Judge the points in pieces that stay in the processor's cache."""
    inside = np.empty(len(x), dtype=bool)
    for start in range(0, len(x), _PIECE):
        piece = slice(start, start + _PIECE)
        inside[piece] = _judge_piece(x[piece], y[piece], corners)
    return inside


def _judge_piece(x: Values, y: Values, corners: Values) -> Mask:
    odd = np.zeros(len(x), dtype=bool)
    on_edge = np.zeros(len(x), dtype=bool)
    above = [height <= y for height in corners[:, 1]]
    for i, ((x1, y1), (x2, y2)) in enumerate(zip(corners, np.roll(corners, -1, axis=0), strict=True)):
        # Left of the directed edge where positive, on its line where zero.
        with np.errstate(over="ignore", invalid="ignore"):
            side = (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1)
        line = np.flatnonzero(side == 0)
        if len(line):
            within = (x[line] >= min(x1, x2)) & (x[line] <= max(x1, x2))
            on_edge[line] |= within & (y[line] >= min(y1, y2)) & (y[line] <= max(y1, y2))
        odd ^= (above[i] != above[(i + 1) % len(above)]) & ((side > 0) == (y2 > y1))
    return odd | on_edge


def points_in_ellipsoid(
    points: Values, *, mean: Sequence[float], covariance: Sequence[Sequence[float]], distance_square: float
) -> Mask:
    """Mark the points whose squared Mahalanobis distance from the mean is at most a limit.

    Parameters
    ----------
    points
        ``(n, n_dimensions)``.
    mean, covariance, distance_square
        The ellipsoid, as in Gating-ML 2.0.
    """
    matrix = np.asarray(covariance, dtype=float)
    inverse = np.linalg.inv(matrix)
    inside = np.zeros(len(points), dtype=bool)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.ones(len(points), dtype=bool)
        # What lies outside the box around an ellipsoid needs no distance.
        if np.array_equal(matrix, matrix.T) and np.all(np.linalg.eigvalsh(matrix) > 0):
            reach = np.sqrt(np.diag(matrix) * distance_square) * _SLACK
            for i, middle in enumerate(mean):
                near &= ~(np.abs(points[:, i] - middle) > reach[i])
        at = np.flatnonzero(near)
        offsets = [points[at, i] - middle for i, middle in enumerate(mean)]
        total = np.zeros(len(at))
        # In a fixed order of arithmetic: a library's product rounds by the number of points.
        for a, offset in enumerate(offsets):
            turned = np.zeros(len(at))
            for b, other in enumerate(offsets):
                turned += other * inverse[b, a]
            total += turned * offset
        inside[at] = total <= distance_square
    return inside
