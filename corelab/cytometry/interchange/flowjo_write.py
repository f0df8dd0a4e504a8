"""Gate trees to a FlowJo 10 workspace; what FlowJo has no words for is refused gate by gate.

FlowJo draws in at most two dimensions and nests populations by name, so a box of more dimensions
becomes a chain of boxes (``CD3+ CD14- ~1``), and every population is written at the path of its
parents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from corelab.cytometry.interchange.flowjo_gates import DISPLAY
from corelab.cytometry.interchange.flowjo_scales_write import (
    Axes,
    check_axes,
    format_matrix,
    format_transformations,
)
from corelab.cytometry.interchange.model import (
    Biex,
    Boolean,
    Bound,
    Cells,
    Dimension,
    Ellipsoid,
    Gate,
    GateTree,
    Polygon,
    Rectangle,
    Refusal,
    list_references,
)
from corelab.cytometry.interchange.reference import find_cells
from corelab.cytometry.interchange.scales import BIEX_TOP, apply_scale, invert_scale
from corelab.cytometry.interchange.xml import NAMESPACES, Element, format_xml, make
from corelab.errors import InputError

_VERSION: Final = "10.7.1"
_DRAWN: Final = 2
_GROUP: Final = "All Samples"
_NODES: Final = {"and": "AndNode", "or": "OrNode", "not": "NotNode"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleToWrite:
    """What a workspace says of one file: its name, FCS keywords, number of events, gates and counts.

    ``counts`` is by gate name; a gate without count is written as not counted.
    """

    name: str
    keywords: Mapping[str, str]
    n_events: int
    tree: GateTree
    counts: Mapping[str, int]


def write_flowjo(samples: Sequence[SampleToWrite]) -> tuple[bytes, dict[str, tuple[Refusal, ...]]]:
    """Write samples as one workspace.

    Parameters
    ----------
    samples
        Each with its own gates; two must not have the same name.

    Returns
    -------
    tuple of bytes and dict
        The workspace, and for each sample the gates that it cannot say: ratios, scales that FlowJo
        does not know, ellipsoids of other than two axes with scales, two scales or matrices for one channel,
        and what rests on them.

    Raises
    ------
    InputError
        If a name holds a character that XML cannot carry.
    """
    written, refusals = [], {}
    for number, sample in enumerate(samples, start=1):
        element, refused = _format_sample(sample, str(number))
        written.append(element)
        refusals[sample.name] = refused
    references = [make("SampleRef", {"sampleID": str(i)}) for i in range(1, len(samples) + 1)]
    group = make("Group", {"name": _GROUP}, [make("Criteria"), make("SampleRefs", {}, references)])
    root = make(
        "Workspace",
        {"version": "20.0", "flowJoVersion": _VERSION, **NAMESPACES},
        [
            make("Matrices"),
            make(
                "Groups",
                {},
                [make("GroupNode", {"name": "All Samples", "owningGroup": "All Samples"}, [group])],
            ),
            make("SampleList", {}, written),
        ],
    )
    return format_xml(root), refusals


def _format_sample(sample: SampleToWrite, number: str) -> tuple[Element, tuple[Refusal, ...]]:
    axes, tree, refusals = check_axes(_flatten(sample.tree))
    nodes, unwritten = _format_gates(tree, axes, sample.counts)
    keywords = [
        make("Keyword", {"name": name, "value": value}) for name, value in sorted(sample.keywords.items())
    ]
    node = make(
        "SampleNode",
        {"name": sample.name, "owningGroup": "", "count": str(sample.n_events), "sampleID": number},
        nodes,
    )
    parts = [
        make("DataSet", {"uri": f"file:{sample.name}", "sampleID": number}),
        *format_matrix(axes),
        make("Transformations", {}, format_transformations(axes)),
        make("Keywords", {}, keywords),
        node,
    ]
    return make("Sample", {}, parts), (*refusals, *unwritten)


def _flatten(tree: GateTree) -> GateTree:
    """Replace boxes of more than two dimensions by chains of boxes that FlowJo can draw."""
    gates: dict[str, Gate] = {}
    for gate in tree.gates.values():
        for part in _split(gate):
            gates[part.name] = part
    return replace(tree, gates=gates)


def _split(gate: Gate) -> list[Gate]:
    geometry = gate.geometry
    if not isinstance(geometry, Rectangle) or len(geometry.bounds) <= _DRAWN or gate.complement:
        return [gate]
    pairs = [geometry.bounds[i : i + _DRAWN] for i in range(0, len(geometry.bounds), _DRAWN)]
    parts, parent = [], gate.parent
    for i, pair in enumerate(pairs, start=1):
        is_last = i == len(pairs)
        tail = "" if is_last else f" ~{i}"
        part = replace(
            gate, name=gate.name + tail, label=gate.label + tail, parent=parent,
            geometry=Rectangle(bounds=tuple(pair)),
            stored_count=gate.stored_count if is_last else None,
        )  # fmt: skip
        parts.append(part)
        parent = part.name
    return parts


def _format_gates(
    tree: GateTree, axes: Axes, counts: Mapping[str, int]
) -> tuple[list[Element], tuple[Refusal, ...]]:
    """Nest the populations; a gate that cannot be written takes what rests on it along."""
    refusals: list[Refusal] = []
    drawn: dict[str, Element] = {}
    for gate in tree.gates.values():
        try:
            missing = [name for name in list_references(gate) if name not in drawn]
            if missing:
                raise InputError(f"it rests on {missing[0]!r}, which cannot be written before it")
            drawn[gate.name] = _format_shape(gate, tree, axes)
        except InputError as error:
            refusals.append(Refusal(gate=gate.name, cause=str(error)))
    return _nest("", [tree.gates[name] for name in drawn], drawn, counts), tuple(refusals)


def _nest(
    parent: str, gates: Sequence[Gate], drawn: Mapping[str, Element], counts: Mapping[str, int]
) -> list[Element]:
    nodes = []
    for gate in gates:
        if gate.parent == parent:
            count = counts.get(gate.name, -1)
            named = {"name": gate.label, "annotation": "", "owningGroup": "", "count": str(count)}
            tag = _NODES[gate.geometry.operation] if isinstance(gate.geometry, Boolean) else "Population"
            nodes.append(make(tag, named, [drawn[gate.name], *_nest(gate.name, gates, drawn, counts)]))
    return [make("Subpopulations", {}, nodes)] if nodes else []


def _path(name: str, tree: GateTree) -> str:
    """Return the path of labels by which FlowJo names a population."""
    labels = []
    while name:
        labels.append(tree.gates[name].label)
        name = tree.gates[name].parent
    return "/".join(reversed(labels))


def _format_shape(gate: Gate, tree: GateTree, axes: Axes) -> Element:
    if "/" in gate.label:
        raise InputError(f"name {gate.label!r}", expected="a name without a slash")
    if isinstance(gate.geometry, Boolean):
        return _format_dependents(gate.geometry, tree)
    inside = {"eventsInside": "0" if gate.complement else "1"}
    match gate.geometry:
        case Rectangle(bounds=bounds):
            drawn = make(
                "gating:RectangleGate", inside, [_format_bound(bound, tree, axes) for bound in bounds]
            )
        case Polygon() as line:
            cells = _format_resolution(line, tree)
            drawn = make("gating:PolygonGate", inside | cells, _format_polygon(line, tree, axes))
        case Ellipsoid() as shape:
            drawn = make("gating:EllipsoidGate", *_format_ellipse(shape, inside, tree, axes))
    return make("Gate", {"gating:id": f"ID{_number(gate.name, tree)}"}, [drawn])


def _number(name: str, tree: GateTree) -> int:
    return list(tree.gates).index(name) + 1


def _format_dependents(rule: Boolean, tree: GateTree) -> Element:
    if any(operand.complement for operand in rule.operands):
        raise InputError("a complement inside a Boolean gate", expected="a gate of its own for it")
    names = [make("Dependent", {"name": _path(operand.gate, tree)}) for operand in rule.operands]
    return make("Dependents", {}, names)


def _format_bound(bound: Bound, tree: GateTree, axes: Axes) -> Element:
    limits = {
        name: repr(_to_linear([limit], bound.dimension, tree)[0])
        for name, limit in (("gating:min", bound.low), ("gating:max", bound.high))
        if limit is not None
    }
    return _format_dimension(bound.dimension, axes, limits)


def _format_polygon(line: Polygon, tree: GateTree, axes: Axes) -> list[Element]:
    columns = [
        _place_corners(
            [vertex[i] for vertex in line.vertices], dimension, line.grid[i] if line.grid else None, tree
        )
        for i, dimension in enumerate(line.dimensions)
    ]
    corners = [_format_vertex(corner) for corner in zip(*columns, strict=True)]
    return [*(_format_dimension(dimension, axes, {}) for dimension in line.dimensions), *corners]


def _place_corners(
    places: Sequence[float], dimension: Dimension, cells: Cells | None, tree: GateTree
) -> list[float]:
    """Return corners in linear values; one that would be read into another cell goes to its cell's middle."""
    linear = _to_linear(places, dimension, tree)
    if cells is None:
        return linear
    wanted = find_cells(np.array(places, dtype=float), cells)
    read = find_cells(apply_scale(np.array(linear), tree.scales[dimension.scale]), cells)
    middle = _to_linear(((wanted + 0.5 - cells.shift) * cells.width).tolist(), dimension, tree)
    return [x if same else m for x, m, same in zip(linear, middle, wanted == read, strict=True)]


def _format_resolution(line: Polygon, tree: GateTree) -> dict[str, str]:
    """Say into how many cells FlowJo divides the axes of a polygon that is judged by cells."""
    if line.grid is None:
        return {}
    scales = [tree.scales.get(dimension.scale) for dimension in line.dimensions]
    spans = [BIEX_TOP if isinstance(scale, Biex) else 1.0 for scale in scales]
    counts = {round(span / cells.width) for span, cells in zip(spans, line.grid, strict=True)}
    if None in scales or len(counts) != 1:
        raise InputError("a polygon judged by cells that are not FlowJo's", expected="as many on both axes")
    return {"gateResolution": str(counts.pop())}


def _format_ellipse(
    shape: Ellipsoid, inside: Mapping[str, str], tree: GateTree, axes: Axes
) -> tuple[dict[str, str], list[Element]]:
    """Write two foci and the ends of both axes, in FlowJo's cells of the display."""
    scales = [tree.scales.get(dimension.scale) for dimension in shape.dimensions]
    if len(scales) != _DRAWN or None in scales:
        raise InputError("an ellipsoid", expected="one of two axes, each with a scale")
    units = np.array([(BIEX_TOP if isinstance(scale, Biex) else 1.0) / DISPLAY for scale in scales])
    centre = np.array(shape.mean) / units
    spread = np.array(shape.covariance) * shape.distance_square / np.outer(units, units)
    (short, long), directions = np.linalg.eigh(spread)
    half_axes = [np.sqrt(long) * directions[:, 1], np.sqrt(short) * directions[:, 0]]
    focal = np.sqrt(long - short) * directions[:, 1]
    points = {
        "gating:foci": [centre - focal, centre + focal],
        "gating:edge": [centre + side * half for half in half_axes for side in (1, -1)],
    }
    held = [make(tag, {}, [_format_vertex(point.tolist()) for point in ends]) for tag, ends in points.items()]
    about = {**inside, "gating:distance": repr(float(2 * np.sqrt(long)))}
    return about, [*(_format_dimension(dimension, axes, {}) for dimension in shape.dimensions), *held]


def _format_vertex(corner: Sequence[float]) -> Element:
    return make(
        "gating:vertex", {}, [make("gating:coordinate", {"data-type:value": repr(float(x))}) for x in corner]
    )


def _to_linear(places: Sequence[float], dimension: Dimension, tree: GateTree) -> list[float]:
    if not dimension.scale:
        return [float(place) for place in places]
    return [float(x) for x in invert_scale(np.array(places, dtype=float), tree.scales[dimension.scale])]


def _format_dimension(dimension: Dimension, axes: Axes, limits: Mapping[str, str]) -> Element:
    named = {"data-type:name": axes.name(dimension)}
    return make("gating:dimension", limits, [make("data-type:fcs-dimension", named)])
