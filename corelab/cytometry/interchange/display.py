"""Scales for gates that were set in linear values, so that another program can show them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from corelab.cytometry.interchange.model import (
    UNCOMPENSATED,
    Bound,
    Dimension,
    Ellipsoid,
    Gate,
    GateTree,
    Geometry,
    Linear,
    Logicle,
    Polygon,
    Rectangle,
    Scale,
    list_dimensions,
)
from corelab.cytometry.interchange.scales import apply_scale
from corelab.cytometry.markers import find_scatter
from corelab.ingest.fcs import Acquisition

_TOP: Final = 262_144.0
_DECADES: Final = 4.5
_WIDTH: Final = 1.0


def with_display_scales(tree: GateTree, acquisition: Acquisition) -> GateTree:
    """Put the linear axes of boxes and polygons on scales on which they are usually shown.

    Scatter and time stay linear over their range; light goes on a logicle scale (top 262,144 or the
    channel's range, 4.5 decades, width 1), or on the one that another gate of the tree has for it. The
    events inside are the same: both rise everywhere. An axis of a polygon that is straight only in
    linear values stays linear for all gates.

    Parameters
    ----------
    tree
        Gates; an axis that has a scale keeps it.
    acquisition
        Whose ranges.
    """
    used = {d for gate in tree.gates.values() for d in list_dimensions(gate.geometry)}
    known = {(d.channel, d.compensation): d.scale for d in sorted(used, key=repr) if d.scale in tree.scales}
    bare = {d: _choose(d, acquisition) for d in used if not d.scale and not d.is_ratio}
    kept = _find_straight(tree, bare)
    names: dict[Dimension, str] = {}
    scales: dict[str, Scale] = {}
    for dimension, scale in sorted(bare.items(), key=lambda pair: repr(pair[0])):
        if dimension not in kept:
            own = known.get((dimension.channel, dimension.compensation))
            names[dimension] = own or _name(dimension, scale)
            scales[names[dimension]] = tree.scales[own] if own else scale
    gates = {name: _place(gate, names, scales) for name, gate in tree.gates.items()}
    return replace(tree, gates=gates, scales={**tree.scales, **scales})


def _find_straight(tree: GateTree, bare: Mapping[Dimension, Scale]) -> set[Dimension]:
    """Find the linear axes of polygons and ellipsoids whose edges a bent scale would bend."""
    return {
        dimension
        for gate in tree.gates.values()
        if isinstance(gate.geometry, Polygon | Ellipsoid)
        and not all(isinstance(bare.get(one), Linear) for one in gate.geometry.dimensions)
        for dimension in gate.geometry.dimensions
    }


def _choose(dimension: Dimension, acquisition: Acquisition) -> Scale:
    names = acquisition.detectors
    top = float(acquisition.ranges[names.index(dimension.channel)]) if dimension.channel in names else _TOP
    kind = find_scatter(dimension.channel)
    if kind == "time":
        return Linear(t=top * (acquisition.time_step or 1.0) or 1.0, a=0.0)
    if kind and dimension.compensation == UNCOMPENSATED:
        return Linear(t=max(top, 1.0), a=0.0)
    return Logicle(t=max(top, _TOP), w=_WIDTH, m=_DECADES, a=0.0)


def _name(dimension: Dimension, scale: Scale) -> str:
    return f"{type(scale).__name__} {dimension.channel} {dimension.compensation}"


def _place(gate: Gate, names: Mapping[Dimension, str], scales: Mapping[str, Scale]) -> Gate:
    return replace(gate, geometry=_place_geometry(gate.geometry, names, scales))


def _place_geometry(
    geometry: Geometry, names: Mapping[Dimension, str], scales: Mapping[str, Scale]
) -> Geometry:
    match geometry:
        case Rectangle(bounds=bounds):
            return Rectangle(bounds=tuple(_place_bound(bound, names, scales) for bound in bounds))
        case Polygon(dimensions=dimensions, vertices=vertices) if all(
            isinstance(scales.get(names.get(one, "")), Linear) for one in dimensions
        ):
            # The edges of a polygon stay straight only on linear axes.
            columns = [
                apply_scale(np.array([vertex[i] for vertex in vertices]), scales[names[one]]).tolist()
                for i, one in enumerate(dimensions)
            ]
            placed = tuple(replace(one, scale=names[one]) for one in dimensions)
            return Polygon(
                dimensions=(placed[0], placed[1]),
                vertices=tuple(zip(*columns, strict=True)),
                grid=geometry.grid,
            )
    return geometry


def _place_bound(bound: Bound, names: Mapping[Dimension, str], scales: Mapping[str, Scale]) -> Bound:
    name = names.get(bound.dimension)
    if name is None:
        return bound
    low, high = (
        None if limit is None else float(apply_scale(np.array([limit]), scales[name])[0])
        for limit in (bound.low, bound.high)
    )
    return Bound(dimension=replace(bound.dimension, scale=name), low=low, high=high)
