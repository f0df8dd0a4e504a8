"""A gate tree of ours as FlowKit's gating strategy: the judge of our engine."""

from collections.abc import Mapping

import flowkit as fk
import numpy as np
from flowkit import gates as fk_gates
from flowkit import transforms as fk_transforms

from corelab.cytometry.interchange.model import (
    UNCOMPENSATED,
    Asinh,
    Biex,
    Boolean,
    Bound,
    Dimension,
    Ellipsoid,
    FloorLog,
    Gate,
    GateTree,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    Polygon,
    Rectangle,
    Scale,
)


def make_strategy(tree: GateTree) -> fk.GatingStrategy:
    """The same gates, scales and matrices for FlowKit; a quadrant gate for each group of quadrants."""
    strategy = fk.GatingStrategy()
    for name, matrix in tree.matrices.items():
        values = np.array(matrix.values)
        strategy.add_comp_matrix(name, fk.Matrix(values, list(matrix.detectors), list(matrix.fluorochromes)))
    for name, scale in tree.scales.items():
        strategy.add_transform(name, make_transform(scale))
    done = set()
    for gate in tree.gates.values():
        key = gate.quadrant_of or gate.name
        if key not in done:
            done.add(key)
            made = _make_quadrants(tree, gate) if gate.quadrant_of else _make_gate(tree, gate)
            strategy.add_gate(made, gate_path=find_path(tree, gate.parent))
    return strategy


def find_path(tree: GateTree, name: str) -> tuple[str, ...]:
    """The path of a gate in FlowKit's words, itself included; ``("root",)`` for no gate."""
    if not name:
        return ("root",)
    gate = tree.gates[name]
    above = find_path(tree, gate.parent)
    return (*above, gate.quadrant_of, name) if gate.quadrant_of else (*above, name)


def gate_by_flowkit(
    tree: GateTree, sample: fk.Sample, strategy: fk.GatingStrategy
) -> Mapping[str, np.ndarray]:
    """Every gate's events as FlowKit finds them."""
    with np.errstate(all="ignore"):  # FlowKit takes logarithms of negative values
        results = strategy.gate_sample(sample)
    return {
        name: results.get_gate_membership(name, gate_path=find_path(tree, name)[:-1]) for name in tree.gates
    }


def make_transform(scale: Scale) -> object:
    match scale:
        case Linear(t=t, a=a):
            return fk_transforms.LinearTransform(t, a)
        case Log(t=t, m=m):
            return fk_transforms.LogTransform(t, m)
        case Asinh(t=t, m=m, a=a):
            return fk_transforms.AsinhTransform(t, m, a)
        case Logicle(t=t, w=w, m=m, a=a):
            return fk_transforms.LogicleTransform(t, w, m, a)
        case Hyperlog(t=t, w=w, m=m, a=a):
            return fk_transforms.HyperlogTransform(t, w, m, a)
        case Biex(negative=negative, width=width, positive=positive, maximum=maximum):
            return fk_transforms.WSPBiexTransform(negative, width, positive, maximum)
        case FloorLog(offset=offset, decades=decades):
            return fk_transforms.WSPLogTransform(offset, decades)
    raise TypeError(scale)


def _make_dimension(axis: Dimension, bound: Bound | None = None) -> fk.Dimension:
    return fk.Dimension(
        axis.channel, compensation_ref=_reference(axis), transformation_ref=axis.scale or None,
        range_min=bound.low if bound else None, range_max=bound.high if bound else None,
    )  # fmt: skip


def _reference(axis: Dimension) -> str:
    return "uncompensated" if axis.compensation == UNCOMPENSATED else axis.compensation


def _make_gate(tree: GateTree, gate: Gate) -> object:
    match gate.geometry:
        case Rectangle(bounds=bounds):
            axes = [_make_dimension(one.dimension, one) for one in bounds]
            return fk_gates.RectangleGate(gate.name, axes, use_complement=gate.complement)
        case Polygon(dimensions=dimensions, vertices=vertices):
            axes = [_make_dimension(one) for one in dimensions]
            return fk_gates.PolygonGate(gate.name, axes, list(vertices), use_complement=gate.complement)
        case Ellipsoid() as form:
            axes = [_make_dimension(one) for one in form.dimensions]
            covariance = np.array(form.covariance)
            return fk_gates.EllipsoidGate(gate.name, axes, form.mean, covariance, form.distance_square)
        case Boolean(operation=operation, operands=operands):
            references = [
                {"ref": one.gate, "path": find_path(tree, one.gate)[:-1], "complement": one.complement}
                for one in operands
            ]
            return fk_gates.BooleanGate(gate.name, operation, references)
    raise TypeError(gate)


def _make_quadrants(tree: GateTree, first: Gate) -> object:
    parts = [gate for gate in tree.gates.values() if gate.quadrant_of == first.quadrant_of]
    dividers: dict[Dimension, set[float]] = {}
    for gate in parts:
        for bound in gate.geometry.bounds:
            cuts = dividers.setdefault(bound.dimension, set())
            cuts |= {limit for limit in (bound.low, bound.high) if limit is not None}
    names = {axis: f"{first.quadrant_of} {i}" for i, axis in enumerate(dividers)}
    made = [
        fk.QuadrantDivider(
            names[axis], axis.channel, _reference(axis), sorted(cuts), transformation_ref=axis.scale or None
        )
        for axis, cuts in dividers.items()
    ]
    quadrants = [
        fk_gates.Quadrant(
            gate.name,
            divider_refs=[names[bound.dimension] for bound in gate.geometry.bounds],
            divider_ranges=[(bound.low, bound.high) for bound in gate.geometry.bounds],
        )
        for gate in parts
    ]
    return fk_gates.QuadrantGate(first.quadrant_of, made, quadrants)
