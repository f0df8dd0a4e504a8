"""Shapes that a person draws on the plot of a gate, and the gates of the interchange model that they are.

A corner of a plot is a pair of places, 0 to 1 across and up. Rectangles and quadrants are kept in linear
values, polygons and ellipses on the scales of the axes on which they were drawn, since their lines are
straight there. Channels are named by marker, so that a shape also holds for tubes with other detectors.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from corelab.cytometry.axes import Axis
from corelab.cytometry.interchange.model import (
    OWN,
    Bound,
    Dimension,
    Ellipsoid,
    Gate,
    GateTree,
    Linear,
    Polygon,
    Rectangle,
    Scale,
)
from corelab.cytometry.interchange.scales import apply_scale, invert_scale
from corelab.errors import InputError

Point = tuple[float, float]
ShapeKind = Literal["polygon", "rectangle", "ellipse", "quadrant"]

KINDS: Final[tuple[ShapeKind, ...]] = ("rectangle", "polygon", "ellipse", "quadrant")
MOST_CORNERS: Final = 64
_DIGITS: Final = 4
"""Digits of a place: finer than a pixel of any plot."""
_FAR: Final = 1e9
_TINY: Final = 1e-6
_SMALLEST: Final = 1e-6
_RIM: Final = 1e-3
_ROUND: Final = 72
_ALONG: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A shape on a plot.

    ``points`` are the corners of a polygon; two opposite corners of a rectangle; the middle of an ellipse and
    the ends of two half-axes; the crossing of a quadrant and which of the four it is, (0 or 1, 0 or 1).
    """

    kind: ShapeKind
    points: tuple[Point, ...]


def check_drawn(kind: str, points: Iterable[Sequence[float]]) -> Drawn:
    """Return a shape with its corners inside the plot and rounded.

    Raises
    ------
    InputError
        If it is no shape, or one without extent.
    """
    found = next((one for one in KINDS if one == kind), None)
    if found is None:
        raise InputError(f"a shape {kind!r}", expected=", ".join(KINDS))
    rounded = tuple((round(float(x), _DIGITS), round(float(y), _DIGITS)) for x, y in points)
    if not all(math.isfinite(place) for point in rounded for place in point):
        raise InputError(f"a {kind} with a corner nowhere", expected="finite places")
    if found != "ellipse":
        rounded = tuple((_clamp(x), _clamp(y)) for x, y in rounded)
    if found == "quadrant":
        # Beside the rim: on it one side would be open and the other nothing.
        rounded = (*((_clamp(x, _RIM), _clamp(y, _RIM)) for x, y in rounded[:1]), *rounded[1:])
    count = {"rectangle": (2, 2), "polygon": (3, MOST_CORNERS), "ellipse": (3, 3), "quadrant": (2, 2)}[found]
    if not count[0] <= len(rounded) <= count[1] or _measure(found, rounded) < _SMALLEST:
        raise InputError(f"a {kind} of {len(rounded)} points without extent", expected="corners apart")
    return Drawn(kind=found, points=_order(rounded) if found == "rectangle" else rounded)


def _clamp(place: float, rim: float = 0.0) -> float:
    return min(max(place, rim), 1.0 - rim)


def _measure(kind: ShapeKind, points: tuple[Point, ...]) -> float:
    """Return about how much of the plot a shape takes."""
    if kind == "quadrant":
        return 1.0
    if kind == "ellipse" and len(points) == 3:
        (x, y), (ax, ay), (bx, by) = points
        return float(abs((ax - x) * (by - y) - (ay - y) * (bx - x)))
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (max(xs) - min(xs)) * (max(ys) - min(ys)) if points else 0.0


def _order(points: tuple[Point, ...]) -> tuple[Point, ...]:
    (x1, y1), (x2, y2) = points
    return (min(x1, x2), min(y1, y2)), (max(x1, x2), max(y1, y2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The two axes of a plot, and seconds of one unit of its time."""

    x: Axis
    y: Axis
    time_step: float | None = None

    def scale(self, side: int) -> Scale:
        """Return the scale of an axis (0 across, 1 up) in the units in which gates are kept."""
        return _in_seconds(self.x if side == 0 else self.y, self.time_step)


def build_tree(population: str, drawn: Drawn, frame: Frame) -> GateTree:
    """Write a shape as the gate of a population, named like it.

    Parameters
    ----------
    population, drawn
        Whose gate, and its shape.
    frame
        The axes on which it was drawn.

    Raises
    ------
    InputError
        If it would hold every event.

    Notes
    -----
    A side on the rim of the plot is open: what lies beyond the axis is drawn in its last row of dots
    and belongs to a gate that reaches the rim.
    """
    kept: dict[str, Scale] = {}
    if drawn.kind in ("rectangle", "quadrant"):
        geometry: Rectangle | Polygon | Ellipsoid = _build_rectangle(drawn, frame)
    else:
        kept = {frame.x.channel: frame.scale(0), frame.y.channel: frame.scale(1)}
        across, up = (Dimension(channel=name, compensation=OWN, scale=name) for name in kept)
        if drawn.kind == "polygon":
            corners = _open_rims(drawn.points, [_find_far(scale) for scale in kept.values()])
            geometry = Polygon(dimensions=(across, up), vertices=corners)
        else:
            geometry = _build_ellipse(drawn, (across, up))
    gate = Gate(
        name=population, label=population, parent="", geometry=geometry,
        quadrant_of=f"{population} quadrants" if drawn.kind == "quadrant" else "",
    )  # fmt: skip
    return GateTree(gates={population: gate}, scales=kept)


def _in_seconds(axis: Axis, time_step: float | None) -> Scale:
    if axis.channel == "time" and time_step is not None and isinstance(axis.scale, Linear):
        return Linear(t=axis.scale.t * time_step, a=axis.scale.a * time_step)
    return axis.scale


def _build_rectangle(drawn: Drawn, frame: Frame) -> Rectangle:
    bounds = []
    for i, axis in enumerate((frame.x, frame.y)):
        step = (frame.time_step or 1.0) if axis.channel == "time" else 1.0
        low, high = drawn.points[0][i], drawn.points[1][i]
        if drawn.kind == "quadrant":
            low, high = (low, 1.0) if high >= 0.5 else (0.0, low)
        limits = [None if place in (0.0, 1.0) else axis.value(place) * step for place in (low, high)]
        if limits != [None, None]:
            dimension = Dimension(channel=axis.channel, compensation=OWN)
            bounds.append(Bound(dimension=dimension, low=limits[0], high=limits[1]))
    if not bounds:
        raise InputError("a shape that holds every event", expected="a side inside the plot")
    return Rectangle(bounds=tuple(bounds))


def _build_ellipse(drawn: Drawn, dimensions: tuple[Dimension, Dimension]) -> Ellipsoid:
    middle, *ends = drawn.points
    arms = np.array(ends) - np.array(middle)
    covariance = tuple(tuple(row) for row in (arms.T @ arms).tolist())
    return Ellipsoid(dimensions=dimensions, mean=middle, covariance=covariance, distance_square=1.0)


def _find_far(scale: Scale) -> Point:
    """Return places beyond whatever a detector can give, at either end of a scale."""
    low, high = apply_scale(np.array([-_FAR, _FAR]), scale).tolist()
    if math.isnan(low):
        low = float(apply_scale(np.array([_TINY]), scale)[0])
    return low, high


def _open_rims(corners: Sequence[Point], far: Sequence[Point]) -> tuple[Point, ...]:
    """Push the sides of a polygon that lie on the rim of the plot out to where no event is."""
    n = len(corners)
    rims = [_find_rims(corners[i], corners[(i + 1) % n]) for i in range(n)]
    opened: list[Point] = []
    for i, corner in enumerate(corners):
        before, after = rims[i - 1], rims[i]
        if before and after:
            opened.append(_push(corner, {**before, **after}, far))
        elif before:
            opened += [_push(corner, before, far), corner]
        elif after:
            opened += [corner, _push(corner, after, far)]
        else:
            opened.append(corner)
    return tuple(opened)


def _find_rims(one: Point, other: Point) -> dict[int, int]:
    """Return the rim on which a side lies: its axis, and 0 or 1 for the lower or the upper end."""
    for i in (0, 1):
        if one[i] == other[i] and one[i] in (0.0, 1.0):
            return {i: int(one[i])}
    return {}


def _push(corner: Point, rims: dict[int, int], far: Sequence[Point]) -> Point:
    x, y = (far[i][rims[i]] if i in rims else corner[i] for i in (0, 1))
    return x, y


def locate_gate(tree: GateTree, gate: Gate, *, sides: tuple[int, ...], frame: Frame) -> Drawn | None:
    """Return where a gate lies on the axes of a plot.

    Parameters
    ----------
    tree, gate
        A gate and the tree that holds its scales.
    sides
        For each dimension of the gate, on which axis it is: 0 across, 1 up.
    frame
        The plot.

    Returns
    -------
    Drawn or None
        None for a gate that is no shape on two axes. A line that is not straight on these axes becomes a
        polygon of many corners.
    """
    match gate.geometry:
        case Rectangle(bounds=bounds):
            return _locate_rectangle(tree, gate, bounds, sides, frame)
        case Polygon(dimensions=dimensions, vertices=vertices, grid=None):
            return _locate_line(tree, dimensions, list(vertices), sides, frame)
        case Polygon(dimensions=dimensions, vertices=vertices):
            return _locate_line(tree, dimensions, _divide(list(vertices)), sides, frame)
        case Ellipsoid(dimensions=dimensions) as shape if len(dimensions) == 2:
            return _locate_ellipse(tree, shape, sides, frame)
    return None


def _locate_rectangle(
    tree: GateTree, gate: Gate, bounds: tuple[Bound, ...], sides: tuple[int, ...], frame: Frame
) -> Drawn | None:
    if len(bounds) > 2 or gate.complement:
        return None
    low, high = [0.0, 0.0], [1.0, 1.0]
    for bound, side in zip(bounds, sides, strict=True):
        for limit, ends in ((bound.low, low), (bound.high, high)):
            if limit is not None:
                ends[side] = _clamp(_place(tree, bound.dimension, [limit], frame.scale(side))[0])
    if gate.quadrant_of and len(bounds) == 2:
        which = tuple(1.0 if bound.low is not None else 0.0 for bound in bounds)
        crossing = [low[i] if low[i] > 0 else high[i] for i in (0, 1)]
        ordered = dict(zip(sides, which, strict=True))
        return Drawn(kind="quadrant", points=((crossing[0], crossing[1]), (ordered[0], ordered[1])))
    return Drawn(kind="rectangle", points=((low[0], low[1]), (high[0], high[1])))


def _locate_line(
    tree: GateTree, dimensions: Sequence[Dimension], corners: list[Point], sides: Sequence[int], frame: Frame
) -> Drawn:
    is_straight = all(
        tree.scales.get(dimension.scale) == frame.scale(side)
        for dimension, side in zip(dimensions, sides, strict=True)
    )
    points = corners if is_straight else _divide(corners)
    columns: dict[int, list[float]] = {}
    for i, (dimension, side) in enumerate(zip(dimensions, sides, strict=True)):
        columns[side] = _place(tree, dimension, [point[i] for point in points], frame.scale(side))
    placed = [
        (round(_clamp(x), _DIGITS), round(_clamp(y), _DIGITS))
        for x, y in zip(columns[0], columns[1], strict=True)
    ]
    kept = [point for i, point in enumerate(placed) if point != placed[i - 1]]
    return Drawn(kind="polygon", points=tuple(kept or placed[:1]))


def _divide(corners: list[Point]) -> list[Point]:
    """Put points along each side, since it may be bent on other axes."""
    divided: list[Point] = []
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        divided += [(x1 + (x2 - x1) * k / _ALONG, y1 + (y2 - y1) * k / _ALONG) for k in range(_ALONG)]
    return divided


def _locate_ellipse(tree: GateTree, shape: Ellipsoid, sides: tuple[int, ...], frame: Frame) -> Drawn:
    spread, directions = np.linalg.eigh(np.array(shape.covariance) * shape.distance_square)
    arms = (directions * np.sqrt(np.maximum(spread, 0.0))).T
    middle = np.array(shape.mean)
    scales = [tree.scales.get(dimension.scale) for dimension in shape.dimensions]
    if all(scale == frame.scale(side) for scale, side in zip(scales, sides, strict=True)):
        points = [tuple(point[list(np.argsort(sides))].tolist()) for point in (middle, *(middle + arms))]
        return Drawn(kind="ellipse", points=tuple((x, y) for x, y in points))
    angles = np.linspace(0, 2 * np.pi, _ROUND, endpoint=False)
    around = middle + np.cos(angles)[:, None] * arms[0] + np.sin(angles)[:, None] * arms[1]
    return _locate_line(tree, shape.dimensions, [(x, y) for x, y in around.tolist()], sides, frame)


def _place(tree: GateTree, dimension: Dimension, values: list[float], onto: Scale) -> list[float]:
    """Return where values on a gate's axis lie on another scale; far below a logarithm is its lower end."""
    scale = tree.scales.get(dimension.scale)
    if scale == onto:
        return values
    linear = np.array(values, dtype=float)
    if scale is not None:
        linear = np.array([_invert(value, scale) for value in values])
    places = apply_scale(linear, onto)
    return [float(place) for place in np.where(np.isnan(places), 0.0, places)]


def _invert(place: float, scale: Scale) -> float:
    try:
        return float(invert_scale(np.array([place]), scale)[0])
    except InputError:
        return math.copysign(_FAR, place)


def outline_drawn(drawn: Drawn) -> list[Point]:
    """Return the closed line around a shape.

    Examples
    --------
    >>> outline_drawn(Drawn(kind="quadrant", points=((0.25, 0.5), (1.0, 0.0))))
    [(0.25, 0.0), (1.0, 0.0), (1.0, 0.5), (0.25, 0.5)]
    """
    if drawn.kind == "polygon":
        return list(drawn.points)
    if drawn.kind == "ellipse":
        middle, *ends = (np.array(point) for point in drawn.points)
        angles = np.linspace(0, 2 * np.pi, _ROUND, endpoint=False)[:, None]
        around = middle + np.cos(angles) * (ends[0] - middle) + np.sin(angles) * (ends[1] - middle)
        return [(x, y) for x, y in around.tolist()]
    (x1, y1), (x2, y2) = drawn.points
    if drawn.kind == "quadrant":
        x1, x2 = (x1, 1.0) if x2 >= 0.5 else (0.0, x1)
        y1, y2 = (y1, 1.0) if y2 >= 0.5 else (0.0, y1)
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]


def move_drawn(drawn: Drawn, frame: Frame, other: Frame) -> Drawn:
    """Return a shape of one plot on the axes of another, as near as its kind allows."""
    if all(frame.scale(side) == other.scale(side) for side in (0, 1)):
        return drawn
    which = drawn.points[1:] if drawn.kind == "quadrant" else ()
    points = drawn.points[:1] if drawn.kind == "quadrant" else drawn.points
    moved = [
        tuple(_move(place, frame.scale(side), other.scale(side)) for side, place in enumerate(point))
        for point in points
    ]
    return replace(drawn, points=(*((x, y) for x, y in moved), *which))


def _move(place: float, scale: Scale, onto: Scale) -> float:
    if place in (0.0, 1.0) or scale == onto:
        return place
    moved = float(apply_scale(np.array([_invert(place, scale)]), onto)[0])
    return 0.0 if math.isnan(moved) else moved
