"""Scales, ratios and spillover matrices of a Gating-ML 2.0 document."""

from collections.abc import Callable
from typing import Final
from xml.etree import ElementTree as ET

from corelab.cytometry.interchange.model import (
    Asinh,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    Matrix,
    Ratio,
    Refusal,
    Scale,
)
from corelab.cytometry.interchange.scales import check_scale
from corelab.cytometry.interchange.xml import attribute, children, number, required, tag_of
from corelab.errors import InputError


def read_definitions(
    root: ET.Element, refusals: list[Refusal]
) -> tuple[dict[str, Scale], dict[str, Ratio], dict[str, Matrix]]:
    """Read everything that gates refer to; what cannot be read is added to the refusals."""
    scales: dict[str, Scale] = {}
    ratios: dict[str, Ratio] = {}
    matrices: dict[str, Matrix] = {}
    for element in root.iter():
        name = attribute(element, "id") or ""
        try:
            if tag_of(element) == "transformation":
                found = _parse_transformation(element)
                if isinstance(found, Ratio):
                    ratios[name] = found
                else:
                    scales[name] = found
            elif tag_of(element) == "spectrumMatrix":
                matrices[name] = _parse_matrix(element)
        except InputError as error:
            # Gates that use it are refused when they are applied; this says why.
            refusals.append(Refusal(gate=f"definition {name}", cause=str(error)))
    return scales, ratios, matrices


def _parse_transformation(element: ET.Element) -> Scale | Ratio:
    for inner in element:
        make = _SCALES.get(tag_of(inner))
        if make is not None:
            return check_scale(make(inner))
        if tag_of(inner) == "fratio":
            return _parse_ratio(inner)
    tags = ", ".join(tag_of(inner) for inner in element) or "nothing"
    raise InputError(f"a transformation of {tags}", expected=f"{', '.join(_SCALES)} or fratio")


_SCALES: Final[dict[str, Callable[[ET.Element], Scale]]] = {
    "flin": lambda e: Linear(t=number(e, "T"), a=number(e, "A")),
    "flog": lambda e: Log(t=number(e, "T"), m=number(e, "M")),
    "fasinh": lambda e: Asinh(t=number(e, "T"), m=number(e, "M"), a=number(e, "A")),
    "logicle": lambda e: Logicle(t=number(e, "T"), w=number(e, "W"), m=number(e, "M"), a=number(e, "A")),
    "hyperlog": lambda e: Hyperlog(t=number(e, "T"), w=number(e, "W"), m=number(e, "M"), a=number(e, "A")),
}


def _parse_ratio(element: ET.Element) -> Ratio:
    names = [attribute(one, "name") or "" for one in children(element, "fcs-dimension")]
    if len(names) != 2 or not all(names):
        raise InputError(f"a ratio of {len(names)} channels", expected="two")
    return Ratio(
        numerator=names[0], denominator=names[1],
        a=number(element, "A"), b=number(element, "B"), c=number(element, "C"),
    )  # fmt: skip


def _parse_matrix(element: ET.Element) -> Matrix:
    names = [
        tuple(attribute(one, "name") or "" for one in children(required(element, part), "fcs-dimension"))
        for part in ("fluorochromes", "detectors")
    ]
    rows = tuple(
        tuple(number(one, "value") for one in children(row, "coefficient"))
        for row in children(element, "spectrum")
    )
    if len(rows) != len(names[0]) or any(len(row) != len(names[1]) for row in rows):
        raise InputError(
            f"a matrix of {len(rows)} rows", expected=f"{len(names[0])} x {len(names[1])} numbers"
        )
    if len(names[0]) == len(names[1]):  # FlowKit writes fluorochromes that it does not know without a name
        names[0] = tuple(name or detector for name, detector in zip(*names, strict=True))
    return Matrix(fluorochromes=names[0], detectors=names[1], values=rows)
