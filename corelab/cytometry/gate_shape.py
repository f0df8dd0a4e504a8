"""The shape that a person drew for a population of a tube: on which channels, where, and what it holds."""

from dataclasses import replace

from corelab.cytometry.axes import Axis
from corelab.cytometry.bench import Bench
from corelab.cytometry.drawn import Drawn, Frame, locate_gate
from corelab.cytometry.interchange.model import (
    OWN,
    Boolean,
    Dimension,
    Gate,
    GateTree,
    Linear,
    list_dimensions,
)
from corelab.cytometry.interchange.reference import apply_shape
from corelab.cytometry.interchange.revision import read_shape
from corelab.cytometry.interchange.scales import apply_scale
from corelab.cytometry.records import Mask, Values


def draw_as_then(bench: Bench, population: str, axis: Axis) -> Axis:
    """Return an axis with the scale that it had when a shape was drawn on it here."""
    found = _read(bench, population)
    if found is None:
        return axis
    tree, gate = found
    own = [one for one in list_dimensions(gate.geometry) if one.compensation == OWN and one.scale]
    scale = next((tree.scales[one.scale] for one in own if one.channel == axis.channel), axis.scale)
    step = bench.tube.acquisition.time_step
    if axis.channel == "time" and step is not None and isinstance(scale, Linear) and scale != axis.scale:
        scale = Linear(t=scale.t / step, a=scale.a / step)
    return replace(axis, scale=scale)


def list_shape_channels(bench: Bench, population: str) -> list[str]:
    """Return the marker or scatter channels of a population's shape; none where nobody drew one."""
    found = _read(bench, population)
    return [] if found is None else [_name_channel(bench, one) for one in list_dimensions(found[1].geometry)]


def find_drawn(bench: Bench, population: str, frame: Frame) -> Drawn | None:
    """Return where a population's shape lies on two axes; None where it is on others or there is none."""
    found = _read(bench, population)
    if found is None:
        return None
    tree, gate = found
    known = {frame.x.channel: 0, frame.y.channel: 1}
    names = [_name_channel(bench, one) for one in list_dimensions(gate.geometry)]
    sides = tuple(known[name] for name in names if name in known)
    if not sides or len(sides) < len(names) or len(set(sides)) < len(sides):
        return None
    return locate_gate(tree, gate, sides=sides, frame=frame)


def select_in_shape(bench: Bench, own: Bench, population: str) -> Mask | None:
    """Return the events of another tube, inside the parent, that the shape of a tube would let in."""
    found, rule = _read(own, population), own.rule(population)
    parent = bench.select(rule.parent) if rule.parent else None
    if found is None or parent is None:
        return None
    tree, geometry = found[0], found[1].geometry
    if isinstance(geometry, Boolean):
        return None
    columns: dict[Dimension, Values] = {}
    for dimension in list_dimensions(geometry):
        values = bench.tube.read(_name_channel(own, dimension))
        if values is None:
            return None
        scale = tree.scales.get(dimension.scale)
        columns[dimension] = values if scale is None else apply_scale(values, scale)
    return parent & apply_shape(geometry, columns.__getitem__, bench.tube.acquisition.n_events)


def _read(bench: Bench, population: str) -> tuple[GateTree, Gate] | None:
    decision = bench.find_shape(population)
    if decision is None:
        return None
    tree, name = read_shape(decision)
    return tree, tree.gates[name]


def _name_channel(bench: Bench, dimension: Dimension) -> str:
    """Return the marker or scatter channel that an axis of a gate is; empty for none."""
    if dimension.compensation == OWN:
        return dimension.channel
    detectors = bench.tube.acquisition.detectors
    if dimension.channel not in detectors:
        return ""
    column = detectors.index(dimension.channel)
    places = {**bench.markers.scatter, **bench.markers.columns}
    return next((name for name, place in places.items() if place == column), "")
