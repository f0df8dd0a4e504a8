"""Gating-ML 2.0 documents to gate trees; what cannot be read is refused gate by gate.

References
----------
Spidlen, Moore, Brinkman 2015, ISAC's Gating-ML 2.0 data exchange standard, Cytometry A 87:683.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal
from xml.etree import ElementTree as ET

from corelab.cytometry.interchange.gatingml_scales import read_definitions
from corelab.cytometry.interchange.model import (
    UNCOMPENSATED,
    Boolean,
    Bound,
    Dimension,
    Ellipsoid,
    Gate,
    GateTree,
    Geometry,
    Operand,
    Polygon,
    Rectangle,
    Refusal,
)
from corelab.cytometry.interchange.xml import (
    GATING,
    attribute,
    children,
    first,
    number,
    parse_number,
    parse_xml,
    required,
    tag_of,
)
from corelab.errors import InputError

_EXPECTED: Final = "a Gating-ML 2.0 document"
_TRUE: Final = ("true", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatesRead:
    """A tree and the gates that could not be read; ``about`` is what the document says of itself."""

    tree: GateTree
    refusals: tuple[Refusal, ...]
    about: dict[str, str]


def read_gatingml(data: bytes, *, name: str) -> GatesRead:
    """Read a Gating-ML 2.0 document.

    Parameters
    ----------
    data
        The whole document.
    name
        What to call it in an error.

    Raises
    ------
    InputError
        If it is not XML, declares entities, or is no Gating-ML 2.0 document.
    """
    root = parse_xml(data, name=name, expected=_EXPECTED)
    if tag_of(root) != "Gating-ML" or not root.tag.startswith(f"{{{GATING}}}"):
        raise InputError(f"root element {root.tag!r}", place=name, expected=_EXPECTED)
    gates: dict[str, Gate] = {}
    refusals: list[Refusal] = []
    for element in root.iter():
        if tag_of(element).endswith("Gate") and element.tag.startswith("{"):
            _read_gate(element, gates, refusals)
    scales, ratios, matrices = read_definitions(root, refusals)
    tree = GateTree(gates=gates, scales=scales, ratios=ratios, matrices=matrices)
    return GatesRead(tree=tree, refusals=tuple(refusals), about=_read_about(root))


def _read_gate(element: ET.Element, gates: dict[str, Gate], refusals: list[Refusal]) -> None:
    name = attribute(element, "id") or ""
    try:
        if not name:
            raise InputError("a gate without id", expected="gating:id")
        for gate in _parse_gates(element, name):
            if gate.name in gates:
                raise InputError("the id is there twice", expected="each id once")
            gates[gate.name] = gate
    except InputError as error:
        refusals.append(Refusal(gate=name or tag_of(element), cause=str(error)))


def _parse_gates(element: ET.Element, name: str) -> Iterator[Gate]:
    parent = attribute(element, "parent_id") or ""
    label = attribute(element, "name") or name
    if tag_of(element) == "QuadrantGate":
        yield from _parse_quadrants(element, name, parent)
        return
    parse = _GEOMETRIES.get(tag_of(element))
    if parse is None:
        raise InputError(f"{tag_of(element)} is no gate of Gating-ML 2.0", expected=", ".join(_GEOMETRIES))
    yield Gate(name=name, label=label, parent=parent, geometry=parse(element))


def parse_rectangle(element: ET.Element) -> Rectangle:
    """Read a RectangleGate.

    Raises
    ------
    InputError
        If it has no dimension or one without limit.
    """
    bounds = tuple(
        Bound(dimension=parse_dimension(one), low=_optional(one, "min"), high=_optional(one, "max"))
        for one in children(element, "dimension")
    )
    if not bounds or any(bound.low is None and bound.high is None for bound in bounds):
        raise InputError("a rectangle without limits", expected="min or max on each dimension")
    return Rectangle(bounds=bounds)


def parse_polygon(element: ET.Element) -> Polygon:
    """Read a PolygonGate.

    Raises
    ------
    InputError
        If it has not two dimensions or fewer than three corners.
    """
    dimensions = [parse_dimension(one) for one in children(element, "dimension")]
    vertices = [parse_coordinates(one) for one in children(element, "vertex")]
    if len(dimensions) != 2 or len(vertices) < 3 or any(len(vertex) != 2 for vertex in vertices):
        raise InputError(
            f"a polygon of {len(dimensions)} dimensions and {len(vertices)} corners",
            expected="2, and 3 or more",
        )
    return Polygon(
        dimensions=(dimensions[0], dimensions[1]),
        vertices=tuple((vertex[0], vertex[1]) for vertex in vertices),
    )


def _parse_ellipsoid(element: ET.Element) -> Ellipsoid:
    dimensions = tuple(parse_dimension(one) for one in children(element, "dimension"))
    mean = tuple(parse_coordinates(required(element, "mean")))
    rows = tuple(
        tuple(number(entry, "value") for entry in children(row, "entry"))
        for row in children(required(element, "covarianceMatrix"), "row")
    )
    size = len(dimensions)
    if size < 2 or len(mean) != size or len(rows) != size or any(len(row) != size for row in rows):
        raise InputError(
            f"an ellipsoid of {size} dimensions", expected="mean and covariance of as many, 2 or more"
        )
    return Ellipsoid(
        dimensions=dimensions, mean=mean, covariance=rows,
        distance_square=number(required(element, "distanceSquare"), "value"),
    )  # fmt: skip


def _parse_boolean(element: ET.Element) -> Boolean:
    kinds: tuple[Literal["and", "or", "not"], ...] = ("and", "or", "not")
    for kind in kinds:
        inner = first(element, kind)
        if inner is not None:
            return Boolean(operation=kind, operands=_parse_operands(inner, kind))
    raise InputError("a Boolean gate without and, or, not", expected="one of them")


def _parse_operands(element: ET.Element, kind: str) -> tuple[Operand, ...]:
    operands = tuple(
        Operand(gate=attribute(one, "ref") or "", complement=_is_true(attribute(one, "use-as-complement")))
        for one in children(element, "gateReference")
    )
    if (
        not operands
        or (kind == "not" and len(operands) != 1)
        or any(not operand.gate for operand in operands)
    ):
        raise InputError(f"{kind!r} of {len(operands)} gates", expected="references, exactly one for not")
    return operands


_GEOMETRIES: Final[dict[str, Callable[[ET.Element], Geometry]]] = {
    "RectangleGate": parse_rectangle,
    "PolygonGate": parse_polygon,
    "EllipsoidGate": _parse_ellipsoid,
    "BooleanGate": _parse_boolean,
}


def _parse_quadrants(element: ET.Element, name: str, parent: str) -> Iterator[Gate]:
    """Read the parts of a divided plane, each a box between the dividers beside its position."""
    dividers: dict[str, tuple[Dimension, list[float]]] = {}
    for divider in children(element, "divider"):
        values = sorted(parse_number(value.text or "") for value in children(divider, "value"))
        dividers[attribute(divider, "id") or ""] = (parse_dimension(divider), values)
    for quadrant in children(element, "Quadrant"):
        quadrant_name = attribute(quadrant, "id") or ""
        bounds = [_parse_position(one, dividers) for one in children(quadrant, "position")]
        if not quadrant_name or not bounds:
            raise InputError("a quadrant without id or position", expected="both")
        yield Gate(
            name=quadrant_name, label=quadrant_name, parent=parent, quadrant_of=name,
            geometry=Rectangle(bounds=tuple(bounds)),
        )  # fmt: skip


def _parse_position(element: ET.Element, dividers: dict[str, tuple[Dimension, list[float]]]) -> Bound:
    reference = attribute(element, "divider_ref") or ""
    if reference not in dividers:
        raise InputError(f"divider {reference!r} is not there", expected="one of the gate's own")
    dimension, values = dividers[reference]
    location = number(element, "location")
    below = [value for value in values if value <= location]
    above = [value for value in values if value > location]
    return Bound(dimension=dimension, low=max(below, default=None), high=min(above, default=None))


def parse_dimension(element: ET.Element) -> Dimension:
    """Read a dimension or divider.

    Raises
    ------
    InputError
        If it names no channel.
    """
    compensation = attribute(element, "compensation-ref") or UNCOMPENSATED
    scale = attribute(element, "transformation-ref") or ""
    channel, ratio = first(element, "fcs-dimension"), first(element, "new-dimension")
    name = attribute(channel, "name") if channel is not None else None
    if ratio is not None:
        name = attribute(ratio, "transformation-ref")
    if not name:
        raise InputError(
            "a dimension without channel", expected="fcs-dimension or new-dimension with its name"
        )
    return Dimension(channel=name, compensation=compensation, scale=scale, is_ratio=ratio is not None)


def parse_coordinates(element: ET.Element) -> list[float]:
    """Read the numbers of a vertex or a mean.

    Raises
    ------
    InputError
        If one is no number.
    """
    return [number(one, "value") for one in children(element, "coordinate")]


def _read_about(root: ET.Element) -> dict[str, str]:
    """Read the file ids that our own export leaves in the document's head."""
    info = first(root, "custom_info")
    inner = first(info, "acquisition") if info is not None else None
    return dict(inner.attrib) if inner is not None else {}


def _optional(element: ET.Element, name: str) -> float | None:
    return None if attribute(element, name) is None else number(element, name)


def _is_true(text: str | None) -> bool:
    return (text or "").strip().lower() in _TRUE
