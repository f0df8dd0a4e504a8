"""Gate trees to Gating-ML 2.0; what the standard has no words for is refused gate by gate."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from corelab.cytometry.interchange.model import (
    EMBEDDED,
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
    Geometry,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    Matrix,
    Polygon,
    Ratio,
    Rectangle,
    Refusal,
    Scale,
    list_references,
    map_dimensions,
)
from corelab.cytometry.interchange.outline import outline_cells
from corelab.cytometry.interchange.scales import BIEX_TOP, invert_scale
from corelab.cytometry.interchange.xml import NAMESPACES, Element, format_xml, make
from corelab.errors import InputError

_TAGS: Final[Mapping[type, str]] = {
    Linear: "flin", Log: "flog", Asinh: "fasinh", Logicle: "logicle", Hyperlog: "hyperlog",
}  # fmt: skip


def write_gatingml(tree: GateTree, *, about: Mapping[str, str]) -> tuple[bytes, tuple[Refusal, ...]]:
    """Write a tree as a Gating-ML 2.0 document.

    Parameters
    ----------
    tree
        Gates whose parents and operands are in the tree.
    about
        What the gates are for (``file_id``, say); kept in the document's head.

    Returns
    -------
    tuple of bytes and tuple of Refusal
        The document, valid by the standard's schema (an id there has no spaces; the name of a gate
        stays as it is), and the gates that it cannot say: ellipsoids and straight lines on FlowJo's own
        scales, and what rests on them. A polygon that FlowJo judges by cells is written as their outline.

    Raises
    ------
    InputError
        If a name holds a character that XML cannot carry.
    """
    written: dict[str, Element] = {}
    refusals: list[Refusal] = []
    names = tuple(tree.gates)
    tree = _with_ids(tree)
    called = dict(zip(tree.gates, names, strict=True))
    for gate in tree.gates.values():
        try:
            missing = [name for name in list_references(gate) if name in {r.gate for r in refusals}]
            if missing:
                raise InputError(f"it rests on {called[missing[0]]!r}, which cannot be written")
            written[gate.name] = _format_gate(gate, tree)
        except InputError as error:
            refusals.append(Refusal(gate=gate.name, cause=str(error)))
    refusals = [replace(one, gate=called[one.gate]) for one in refusals]
    head = make("data-type:custom_info", inner=[make("acquisition", about)]) if about else None
    parts = [*([head] if head else []), *_format_definitions(tree), *written.values()]
    return format_xml(make("gating:Gating-ML", NAMESPACES, parts)), tuple(refusals)


def _with_ids(tree: GateTree) -> GateTree:
    """Call everything by an id that the schema allows and that nothing else in the document has."""
    taken: set[str] = {UNCOMPENSATED, EMBEDDED}
    gates, scales, ratios, matrices = (
        _choose_ids(names, taken) for names in (tree.gates, tree.scales, tree.ratios, tree.matrices)
    )

    def call(one: Dimension) -> Dimension:
        return replace(
            one, scale=scales.get(one.scale, one.scale),
            compensation=matrices.get(one.compensation, one.compensation),
            channel=ratios.get(one.channel, one.channel) if one.is_ratio else one.channel,
        )  # fmt: skip

    renamed = {
        gates[name]: replace(
            gate, name=gates[name], parent=gates.get(gate.parent, gate.parent),
            geometry=_refer(map_dimensions(gate.geometry, call), gates),
        )
        for name, gate in tree.gates.items()
    }  # fmt: skip
    return GateTree(
        gates=renamed, scales={scales[name]: one for name, one in tree.scales.items()},
        ratios={ratios[name]: one for name, one in tree.ratios.items()},
        matrices={matrices[name]: one for name, one in tree.matrices.items()},
    )  # fmt: skip


def _choose_ids(names: Iterable[str], taken: set[str]) -> dict[str, str]:
    ids = {}
    for name in names:
        bare = re.sub(r"[^\w.-]", "_", name) or "_"
        bare = bare if bare[0].isalpha() or bare[0] == "_" else f"_{bare}"
        free, n = bare, 1
        while free in taken:
            n += 1
            free = f"{bare}.{n}"
        taken.add(free)
        ids[name] = free
    return ids


def _refer(geometry: Geometry, gates: Mapping[str, str]) -> Geometry:
    if not isinstance(geometry, Boolean):
        return geometry
    operands = tuple(replace(one, gate=gates.get(one.gate, one.gate)) for one in geometry.operands)
    return replace(geometry, operands=operands)


def _format_definitions(tree: GateTree) -> list[Element]:
    parts = [_format_matrix(name, matrix) for name, matrix in tree.matrices.items()]
    parts += [_format_ratio(name, ratio) for name, ratio in tree.ratios.items()]
    parts += [_format_scale(name, scale) for name, scale in tree.scales.items() if type(scale) in _TAGS]
    return parts


def _format_scale(name: str, scale: Scale) -> Element:
    numbers = {f"transforms:{one.upper()}": repr(float(getattr(scale, one))) for one in type(scale).__slots__}
    inner = make(f"transforms:{_TAGS[type(scale)]}", numbers)
    return make("transforms:transformation", {"transforms:id": name}, [inner])


def _format_ratio(name: str, ratio: Ratio) -> Element:
    numbers = {f"transforms:{one}": repr(float(getattr(ratio, one.lower()))) for one in "ABC"}
    channels = [_channel(ratio.numerator), _channel(ratio.denominator)]
    inner = make("transforms:fratio", numbers, channels)
    return make("transforms:transformation", {"transforms:id": name}, [inner])


def _format_matrix(name: str, matrix: Matrix) -> Element:
    rows = [
        make("transforms:spectrum", inner=[_value("transforms:coefficient", "transforms", x) for x in row])
        for row in matrix.values
    ]
    fluorochromes = make("transforms:fluorochromes", inner=[_channel(one) for one in matrix.fluorochromes])
    detectors = make("transforms:detectors", inner=[_channel(one) for one in matrix.detectors])
    return make("transforms:spectrumMatrix", {"transforms:id": name}, [fluorochromes, detectors, *rows])


def _format_gate(gate: Gate, tree: GateTree) -> Element:
    if gate.complement:
        raise InputError("a gate of what lies outside", expected="a Boolean not of another gate")
    names = {"gating:id": gate.name}
    if gate.parent:
        names["gating:parent_id"] = gate.parent
    if gate.label != gate.name:
        names["gating:name"] = gate.label
    match gate.geometry:
        case Rectangle(bounds=bounds):
            linear = [_without_own_scale(bound, tree) for bound in bounds]
            return make("gating:RectangleGate", names, [_format_bound(bound) for bound in linear])
        case Boolean() as rule:
            return make("gating:BooleanGate", names, [_format_operation(rule)])
        case Polygon() as line:
            line = _without_own_cells(line, tree)
            _check_scales(line.dimensions, tree)
            corners = [_point("gating:vertex", vertex) for vertex in line.vertices]
            axes = [_format_dimension(dimension, {}) for dimension in line.dimensions]
            return make("gating:PolygonGate", names, [*axes, *corners])
        case Ellipsoid() as shape:
            _check_scales(shape.dimensions, tree)
            return make("gating:EllipsoidGate", names, _format_ellipsoid(shape))


def _format_ellipsoid(shape: Ellipsoid) -> list[Element]:
    rows = [
        make("gating:row", inner=[_value("gating:entry", "data-type", x) for x in row])
        for row in shape.covariance
    ]
    return [
        *(_format_dimension(dimension, {}) for dimension in shape.dimensions),
        _point("gating:mean", shape.mean),
        make("gating:covarianceMatrix", inner=rows),
        _value("gating:distanceSquare", "data-type", shape.distance_square),
    ]


def _format_operation(rule: Boolean) -> Element:
    references = [
        make(
            "gating:gateReference",
            {"gating:ref": one.gate} | ({"gating:use-as-complement": "true"} if one.complement else {}),
        )
        for one in rule.operands
    ]
    return make(f"gating:{rule.operation}", inner=references)


def _format_bound(bound: Bound) -> Element:
    limits = {"gating:min": bound.low, "gating:max": bound.high}
    return _format_dimension(
        bound.dimension, {name: repr(float(limit)) for name, limit in limits.items() if limit is not None}
    )


def _format_dimension(dimension: Dimension, limits: Mapping[str, str]) -> Element:
    named = {"gating:compensation-ref": dimension.compensation}
    if dimension.scale:
        named["gating:transformation-ref"] = dimension.scale
    inner = _channel(dimension.channel)
    if dimension.is_ratio:
        inner = make("data-type:new-dimension", {"data-type:transformation-ref": dimension.channel})
    return make("gating:dimension", named | dict(limits), [inner])


def _without_own_scale(bound: Bound, tree: GateTree) -> Bound:
    """Return the same interval in linear values where its scale is FlowJo's own.

    FlowJo moves what lies off such a scale to its ends, so a limit at an end is none.
    """
    scale = tree.scales.get(bound.dimension.scale)
    if not isinstance(scale, Biex | FloorLog):
        return bound
    top = BIEX_TOP if isinstance(scale, Biex) else np.inf
    low, high = bound.low, bound.high
    if high is not None and high > top:
        high = None
    if low is not None and low <= 0:
        low = None
    placed = [None if x is None else float(invert_scale(np.array([x]), scale)[0]) for x in (low, high)]
    if placed == [None, None]:
        raise InputError("an interval that holds everything", expected="a limit on the scale")
    return replace(bound, dimension=replace(bound.dimension, scale=""), low=placed[0], high=placed[1])


def _without_own_cells(line: Polygon, tree: GateTree) -> Polygon:
    """Return the outline of FlowJo's cells, which any program judges as FlowJo does."""
    first, second = (tree.scales.get(one.scale) for one in line.dimensions)
    return outline_cells(line, (first, second)) if line.grid and first and second else line


def _check_scales(dimensions: tuple[Dimension, ...], tree: GateTree) -> None:
    for dimension in dimensions:
        scale = tree.scales.get(dimension.scale)
        if dimension.scale and type(scale) not in _TAGS:
            kind = type(scale).__name__
            raise InputError(
                f"{kind} scale of {dimension.channel!r}", expected="a scale of Gating-ML 2.0",
                remedy="keep it as a workspace",
            )  # fmt: skip


def _channel(name: str) -> Element:
    return make("data-type:fcs-dimension", {"data-type:name": name})


def _value(tag: str, space: str, number: float) -> Element:
    return make(tag, {f"{space}:value": repr(float(number))})


def _point(tag: str, numbers: tuple[float, ...]) -> Element:
    return make(tag, inner=[_value("gating:coordinate", "data-type", x) for x in numbers])
