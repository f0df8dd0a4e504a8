"""The shapes of a FlowJo workspace: drawn in linear values, judged on the scale of their axes."""

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np

from corelab.cytometry.interchange.flowjo_scales import SampleAxes
from corelab.cytometry.interchange.gatingml import parse_coordinates, parse_polygon, parse_rectangle
from corelab.cytometry.interchange.model import (
    Biex,
    Bound,
    Cells,
    Dimension,
    Ellipsoid,
    Geometry,
    Linear,
    Polygon,
    Rectangle,
)
from corelab.cytometry.interchange.scales import BIEX_TOP, apply_scale
from corelab.cytometry.interchange.xml import attribute, children, first, tag_of
from corelab.cytometry.records import Values
from corelab.errors import InputError

DISPLAY: Final = 256.0
"""FlowJo keeps ellipses in the channels of its display, not in values."""


def parse_gate(element: ET.Element, axes: SampleAxes) -> tuple[Geometry, bool]:
    """Read one shape and whether it takes what lies outside.

    Parameters
    ----------
    element
        RectangleGate, PolygonGate or EllipsoidGate.
    axes
        Matrix and scales of the sample.

    Raises
    ------
    InputError
        If the shape is of another kind, incomplete, or lies on a scale that cannot be read.
    """
    complement = attribute(element, "eventsInside") == "0"
    match tag_of(element):
        case "RectangleGate":
            return _place_rectangle(parse_rectangle(element), axes), complement
        case "PolygonGate":
            return _place_polygon(parse_polygon(element), _resolution(element), axes), complement
        case "EllipsoidGate":
            return _parse_ellipse(element, axes), complement
        case other:
            raise InputError(f"a {other}", expected="a rectangle, polygon or ellipse")


def _place_rectangle(drawn: Rectangle, axes: SampleAxes) -> Rectangle:
    bounds = []
    for bound in drawn.bounds:
        # A box is the same on any scale that rises, so one whose scale is unreadable is not lost.
        dimension = axes.resolve(bound.dimension.channel)
        low, high = (_place(limit, dimension, axes) for limit in (bound.low, bound.high))
        bounds.append(Bound(dimension=dimension, low=low, high=high))
    return Rectangle(bounds=tuple(bounds))


def _place(limit: float | None, dimension: Dimension, axes: SampleAxes) -> float | None:
    if limit is None or not dimension.scale:
        return limit
    return _check_place(apply_scale(np.array([limit]), axes.scales[dimension.scale]))[0]


def _resolution(element: ET.Element) -> int | None:
    """Read into how many cells FlowJo divides each axis of a polygon."""
    text = (attribute(element, "gateResolution") or "").strip()
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _place_polygon(drawn: Polygon, resolution: int | None, axes: SampleAxes) -> Polygon:
    """Put the corners on the scales of their axes.

    FlowJo judges polygons by the cells of its display. It does not say how; the rule of `_divide` was
    found by comparison: with it all 133 populations of the FlowAtlas (10.7) and FlowSOM (10.5)
    workspaces have FlowJo's own counts, without it 59.
    """
    first_axis, second_axis = (_resolve_scaled(one.channel, axes) for one in drawn.dimensions)
    corners = np.array(drawn.vertices)
    columns = [
        _check_place(apply_scale(corners[:, i], axes.scales[axis.scale]))
        if axis.scale
        else corners[:, i].tolist()
        for i, axis in enumerate((first_axis, second_axis))
    ]
    grid = None
    if resolution and first_axis.scale and second_axis.scale:
        grid = (_divide(first_axis, resolution, axes), _divide(second_axis, resolution, axes))
    vertices = tuple(zip(*columns, strict=True))
    return Polygon(dimensions=(first_axis, second_axis), vertices=vertices, grid=grid)


def _divide(axis: Dimension, resolution: int, axes: SampleAxes) -> Cells:
    """Return FlowJo's cells: on a linear axis the nearest boundary counts, on another the one below."""
    shift = 0.5 if isinstance(axes.scales[axis.scale], Linear) else 0.0
    return Cells(width=_span(axis, axes) / resolution, shift=shift)


def _check_place(places: Values) -> list[float]:
    if not np.all(np.isfinite(places)):
        raise InputError("a corner that is not on the scale of its axis", expected="values of the scale")
    return [float(place) for place in places]


def _resolve_scaled(name: str, axes: SampleAxes) -> Dimension:
    why = axes.why_unreadable(name)
    if why:
        raise InputError(f"axis {name!r}: {why}")
    return axes.resolve(name)


def _parse_ellipse(element: ET.Element, axes: SampleAxes) -> Ellipsoid:
    """Read two foci and four points of the edge, the ends of the axes.

    The end of the short axis is stored less exactly, so the long axis and the foci decide.
    """
    names = [one.channel for one in _dimensions(element)]
    foci, edge = _points(element, "foci"), _points(element, "edge")
    if len(names) != 2 or len(foci) != 2 or len(edge) != 4:
        raise InputError(
            f"an ellipse of {len(names)} axes, {len(foci)} foci, {len(edge)} edge points",
            expected="2, 2 and 4",
        )
    dimensions = tuple(_resolve_scaled(name, axes) for name in names)
    centre = foci.mean(axis=0)
    half_long = float(np.linalg.norm(edge - centre, axis=1).max())
    along = foci[1] - foci[0]
    half_focal = float(np.linalg.norm(along)) / 2
    if not 0 <= half_focal < half_long:
        raise InputError("an ellipse whose foci lie outside", expected="foci within the long axis")
    units = np.array([_unit(dimension, axes) for dimension in dimensions])
    direction = along / (2 * half_focal) if half_focal else np.array([1.0, 0.0])
    covariance = _compute_covariance(direction, half_long**2, half_long**2 - half_focal**2)
    return Ellipsoid(
        dimensions=dimensions,
        mean=tuple((centre * units).tolist()),
        covariance=tuple(tuple(row) for row in (covariance * np.outer(units, units)).tolist()),
        distance_square=1.0,
    )


def _compute_covariance(direction: Values, long_square: float, short_square: float) -> Values:
    """Return the matrix of an ellipse whose long axis has a direction of length one."""
    projection = np.outer(direction, direction)
    return np.asarray(long_square * projection + short_square * (np.eye(2) - projection))


def _unit(dimension: Dimension, axes: SampleAxes) -> float:
    """Return how much of an axis one channel of the display is."""
    if not dimension.scale:
        raise InputError(f"an ellipse on {dimension.channel!r}, which has no scale", expected="a scale")
    return _span(dimension, axes) / DISPLAY


def _span(dimension: Dimension, axes: SampleAxes) -> float:
    """Return the length of an axis on its scale."""
    return BIEX_TOP if isinstance(axes.scales[dimension.scale], Biex) else 1.0


def _dimensions(element: ET.Element) -> Sequence[Dimension]:
    names = [first(one, "fcs-dimension") for one in children(element, "dimension")]
    return [Dimension(channel=attribute(one, "name") or "") for one in names if one is not None]


def _points(element: ET.Element, tag: str) -> Values:
    holder = first(element, tag)
    points = [] if holder is None else [parse_coordinates(one) for one in children(holder, "vertex")]
    if any(len(point) != 2 for point in points):
        raise InputError(f"a point of {tag} without two coordinates", expected="two")
    return np.array(points, dtype=float).reshape(-1, 2)
