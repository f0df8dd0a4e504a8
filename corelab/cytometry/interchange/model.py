"""Gates as records: what a person drew, on which axes, under which parent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeVar

_T = TypeVar("_T")

UNCOMPENSATED: Final = "uncompensated"
EMBEDDED: Final = "FCS"
"""The matrix inside the FCS file; where it holds none, its channels are taken as they are."""
OWN: Final = "own"
"""The channel as the trial gates it: named by its marker (or scatter), with the tube's own matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """``(x + a) / (t + a)``."""

    t: float
    a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """``log10(x / t) / m + 1``; undefined at and below zero."""

    t: float
    m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asinh:
    """``(asinh(x sinh(m ln 10) / t) + a ln 10) / ((m + a) ln 10)``."""

    t: float
    m: float
    a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Logicle:
    """The inverse of a biexponential with top ``t``, linear width ``w``, decades ``m``, negative ``a``."""

    t: float
    w: float
    m: float
    a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperlog:
    """The inverse of ``a exp(b y) + c y - f`` with the same four parameters as logicle."""

    t: float
    w: float
    m: float
    a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorLog:
    """FlowJo's logarithm: values below ``offset`` lie on it, ``decades`` make the unit interval."""

    offset: float
    decades: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Biex:
    """FlowJo's biexponential: a table of 4,097 channels; what lies outside sits at its ends."""

    negative: float
    width: float
    positive: float
    maximum: float


Scale = Linear | Log | Asinh | Logicle | Hyperlog | FloorLog | Biex


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """``a (x - b) / (y - c)`` of two channels."""

    numerator: str
    denominator: str
    a: float
    b: float
    c: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A spillover matrix: one row of ``values`` for a fluorochrome, one column for a detector."""

    fluorochromes: tuple[str, ...]
    detectors: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One axis of a gate.

    ``channel`` is a detector, a fluorochrome of the matrix that ``compensation`` names, or the name
    of a ratio where ``is_ratio``; ``scale`` names a scale of the tree, empty for linear values.
    """

    channel: str
    compensation: str = UNCOMPENSATED
    scale: str = ""
    is_ratio: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """An interval on one axis, on its scale: ``low <= x < high``, open where None."""

    dimension: Dimension
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """A box in any number of dimensions: a range, a rectangle, or one quadrant."""

    bounds: tuple[Bound, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Cells into which a program divides an axis: a value lies in cell ``floor(x / width + shift)``."""

    width: float
    shift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygon:
    """A closed line on two axes; its edge belongs to it, and where it crosses itself parity counts.

    ``grid`` is there where the program that drew the line judges by cells, as FlowJo does: corners
    and events then stand for their cells.
    """

    dimensions: tuple[Dimension, Dimension]
    vertices: tuple[tuple[float, float], ...]
    grid: tuple[Cells, Cells] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipsoid:
    """Points within a Mahalanobis distance of a mean; ``distance_square`` is its square."""

    dimensions: tuple[Dimension, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    distance_square: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A gate that takes part in a Boolean one, or its complement."""

    gate: str
    complement: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Boolean:
    """A combination of other gates; ``not`` has one operand."""

    operation: Literal["and", "or", "not"]
    operands: tuple[Operand, ...]


Geometry = Rectangle | Polygon | Ellipsoid | Boolean


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate.

    ``name`` is unique in its tree (in a workspace the path of names); ``label`` what a person
    calls it; ``parent`` the name of another gate or empty; ``complement`` takes what lies outside
    the geometry (inside the parent); ``quadrant_of`` the divider gate of which it is a part;
    ``stored_count`` what the program that drew it counted, None where it says nothing.
    """

    name: str
    label: str
    parent: str
    geometry: Geometry
    complement: bool = False
    quadrant_of: str = ""
    stored_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A gate that cannot be used and why."""

    gate: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTree:
    """Gates by name in the order of the document, with the scales, ratios and matrices they name."""

    gates: Mapping[str, Gate] = field(default_factory=dict)
    scales: Mapping[str, Scale] = field(default_factory=dict)
    ratios: Mapping[str, Ratio] = field(default_factory=dict)
    matrices: Mapping[str, Matrix] = field(default_factory=dict)


def describe_geometry(gate: Gate) -> str:
    """Name the kind of a gate: range, rectangle, polygon, ellipsoid, quadrant or boolean."""
    if gate.quadrant_of:
        return "quadrant"
    if isinstance(gate.geometry, Rectangle) and len(gate.geometry.bounds) == 1:
        return "range"
    return type(gate.geometry).__name__.lower()


def list_dimensions(geometry: Geometry) -> tuple[Dimension, ...]:
    """List the axes of a geometry; a Boolean gate has none."""
    if isinstance(geometry, Rectangle):
        return tuple(bound.dimension for bound in geometry.bounds)
    return () if isinstance(geometry, Boolean) else geometry.dimensions


def map_dimensions(geometry: Geometry, call: Callable[[Dimension], Dimension]) -> Geometry:
    """Return a geometry with every axis changed by a function."""
    match geometry:
        case Rectangle(bounds=bounds):
            return Rectangle(bounds=tuple(replace(one, dimension=call(one.dimension)) for one in bounds))
        case Polygon(dimensions=(x, y)):
            return replace(geometry, dimensions=(call(x), call(y)))
        case Ellipsoid(dimensions=dimensions):
            return replace(geometry, dimensions=tuple(call(one) for one in dimensions))
    return geometry


def list_references(gate: Gate) -> tuple[str, ...]:
    """List the gates that must be known before a gate: its parent and its operands."""
    operands = gate.geometry.operands if isinstance(gate.geometry, Boolean) else ()
    return tuple(dict.fromkeys(name for name in (gate.parent, *(o.gate for o in operands)) if name))


def select_subtree(tree: GateTree, name: str) -> GateTree:
    """Return a gate with everything that it rests on, and nothing else.

    Raises
    ------
    KeyError
        If the tree has no such gate.
    """
    wanted, found = [name], set[str]()
    while wanted:
        current = wanted.pop()
        if current not in found:
            found.add(current)
            wanted += [other for other in list_references(tree.gates[current]) if other in tree.gates]
    gates = {key: gate for key, gate in tree.gates.items() if key in found}
    used = [dimension for gate in gates.values() for dimension in list_dimensions(gate.geometry)]
    return GateTree(
        gates=gates,
        scales=_named(tree.scales, {dimension.scale for dimension in used}),
        ratios=_named(tree.ratios, {dimension.channel for dimension in used if dimension.is_ratio}),
        matrices=_named(tree.matrices, {dimension.compensation for dimension in used}),
    )


def _named(records: Mapping[str, _T], names: set[str]) -> dict[str, _T]:
    return {name: record for name, record in records.items() if name in names}
