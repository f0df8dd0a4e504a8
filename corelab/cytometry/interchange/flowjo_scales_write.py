"""The axes of a sample as a FlowJo workspace says them: one matrix, one scale for each channel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from corelab.cytometry.interchange.model import (
    EMBEDDED,
    UNCOMPENSATED,
    Asinh,
    Biex,
    Dimension,
    Ellipsoid,
    FloorLog,
    Gate,
    GateTree,
    Linear,
    Log,
    Logicle,
    Matrix,
    Polygon,
    Refusal,
    Scale,
    list_dimensions,
)
from corelab.cytometry.interchange.xml import Element, make
from corelab.errors import InputError

PREFIX: Final = "Comp-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The matrix with its name, and the scale of each axis by the name that FlowJo gives it."""

    matrix_name: str
    matrix: Matrix | None
    scales: Mapping[str, Scale]

    def is_compensated(self, dimension: Dimension) -> bool:
        """Tell whether an axis shows what the matrix gives."""
        return dimension.compensation not in (UNCOMPENSATED, EMBEDDED)

    def name(self, dimension: Dimension) -> str:
        """Return what FlowJo calls an axis."""
        return (PREFIX if self.is_compensated(dimension) else "") + dimension.channel


def check_axes(tree: GateTree) -> tuple[Axes, GateTree, tuple[Refusal, ...]]:
    """Find one matrix and one scale a channel, and refuse the gates that need another."""
    axes = Axes(matrix_name="", matrix=None, scales={})
    gates: dict[str, Gate] = {}
    refusals: list[Refusal] = []
    for gate in tree.gates.values():
        try:
            for dimension in list_dimensions(gate.geometry):
                axes = _take(axes, dimension, tree)
            gates[gate.name] = gate
        except InputError as error:
            refusals.append(Refusal(gate=gate.name, cause=str(error)))
    for gate in list(gates.values()):
        bent = _find_bent(gate, axes)
        if bent:
            del gates[gate.name]
            refusals.append(Refusal(gate=gate.name, cause=f"drawn on linear {bent}, which has a scale here"))
    return axes, replace(tree, gates=gates), tuple(refusals)


def _find_bent(gate: Gate, axes: Axes) -> str:
    """Name a linear axis of a polygon or ellipse that has a scale for other gates: FlowJo would bend it."""
    if not isinstance(gate.geometry, Polygon | Ellipsoid):
        return ""
    bare = [axes.name(one) for one in gate.geometry.dimensions if not one.scale]
    return next((name for name in bare if not isinstance(axes.scales.get(name), Linear | None)), "")


def _take(axes: Axes, dimension: Dimension, tree: GateTree) -> Axes:
    """Add one axis to those of the sample, if it agrees with them."""
    if dimension.is_ratio:
        raise InputError(f"ratio {dimension.channel!r}", expected="channels of the file")
    if dimension.compensation == EMBEDDED:
        raise InputError("the file's own matrix", expected="a matrix written out")
    axes = _take_matrix(axes, dimension, tree) if axes.is_compensated(dimension) else axes
    if not dimension.scale:
        return axes
    name = axes.name(dimension)
    scale = tree.scales.get(dimension.scale)
    if type(scale) not in _FORMATS or scale is None:
        raise InputError(
            f"{type(scale).__name__} scale of {dimension.channel!r}", expected="one that FlowJo knows"
        )
    if axes.scales.get(name, scale) != scale:
        raise InputError(f"a second scale for {dimension.channel!r}", expected="one a channel")
    return replace(axes, scales={**axes.scales, name: scale})


def _take_matrix(axes: Axes, dimension: Dimension, tree: GateTree) -> Axes:
    name = dimension.compensation
    matrix = tree.matrices.get(name)
    if matrix is None or matrix.fluorochromes != matrix.detectors:
        raise InputError(f"matrix {name!r}", expected="a square one of the file's own channels")
    if axes.matrix_name not in ("", name):
        raise InputError(f"a second matrix {name!r}", expected="one for all gates of a file")
    if dimension.channel not in matrix.fluorochromes:
        raise InputError(f"matrix {name!r} has no {dimension.channel!r}", expected="one of its channels")
    return replace(axes, matrix_name=name, matrix=matrix)


def format_matrix(axes: Axes) -> list[Element]:
    """Write the matrix, if there is one."""
    if axes.matrix is None:
        return []
    names = axes.matrix.fluorochromes
    parameters = [make("data-type:parameter", {"data-type:name": name}) for name in names]
    rows = [
        make("transforms:spillover", {"data-type:parameter": name}, _format_row(names, row))
        for name, row in zip(names, axes.matrix.values, strict=True)
    ]
    about = {"spectral": "0", "prefix": PREFIX, "name": axes.matrix_name, "suffix": ""}
    return [make("transforms:spilloverMatrix", about, [make("data-type:parameters", {}, parameters), *rows])]


def _format_row(names: tuple[str, ...], row: tuple[float, ...]) -> list[Element]:
    return [
        make("transforms:coefficient", {"data-type:parameter": name, "transforms:value": repr(float(value))})
        for name, value in zip(names, row, strict=True)
    ]


def format_transformations(axes: Axes) -> list[Element]:
    """Write the scale of each axis; a compensated one also stands under its detector."""
    named = dict(axes.scales)
    for name, scale in axes.scales.items():
        named.setdefault(name.removeprefix(PREFIX), scale)
    return [_format_scale(name, scale) for name, scale in sorted(named.items())]


def _format_scale(name: str, scale: Scale) -> Element:
    tag, numbers = _FORMATS[type(scale)](scale)
    texts = {f"transforms:{key}": repr(float(x)) for key, x in numbers.items()}
    if tag != "linear":
        texts = {"transforms:length": "256", **texts}
    return make(f"transforms:{tag}", texts, [make("data-type:parameter", {"data-type:name": name})])


_FORMATS: Final[Mapping[type, Callable[[Any], tuple[str, dict[str, float]]]]] = {
    Linear: lambda s: ("linear", {"minRange": -s.a, "maxRange": s.t}),
    FloorLog: lambda s: ("log", {"offset": s.offset, "decades": s.decades}),
    Log: lambda s: ("log", {"offset": s.t / 10**s.m, "decades": s.m}),
    Logicle: lambda s: ("logicle", {"T": s.t, "W": s.w, "M": s.m, "A": s.a}),
    Asinh: lambda s: ("fasinh", {"T": s.t, "M": s.m, "A": s.a}),
    Biex: lambda s: (
        "biex",
        {"maxRange": s.maximum, "neg": s.negative, "width": s.width, "pos": s.positive},
    ),
}
