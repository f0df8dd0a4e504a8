"""The axes of a sample in a FlowJo workspace: its spillover matrix and the scale of each channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from corelab.cytometry.interchange.model import (
    UNCOMPENSATED,
    Asinh,
    Biex,
    Dimension,
    FloorLog,
    Linear,
    Logicle,
    Matrix,
    Refusal,
    Scale,
)
from corelab.cytometry.interchange.scales import check_scale
from corelab.cytometry.interchange.xml import attribute, children, first, tag_of
from corelab.errors import InputError

_BIEX_LENGTH: Final = "256"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleAxes:
    """Scales by channel name, the matrix if there is one, and why a channel has no readable scale.

    ``prefix`` and ``suffix`` mark the names of compensated channels.
    """

    scales: Mapping[str, Scale]
    unreadable: Mapping[str, str]
    matrices: Mapping[str, Matrix]
    prefix: str
    suffix: str
    broken_matrix: str

    def resolve(self, name: str) -> Dimension:
        """Return the axis that FlowJo calls by a name.

        Raises
        ------
        InputError
            If the name is one of a compensated channel and the matrix could not be read.
        """
        bare = self._bare(name)
        for matrix_name, matrix in self.matrices.items():
            if bare is not None and bare in matrix.fluorochromes:
                scale = next((one for one in (name, bare) if one in self.scales), "")
                return Dimension(channel=bare, compensation=matrix_name, scale=scale)
        if bare is not None and self.broken_matrix:
            raise InputError(self.broken_matrix)
        return Dimension(channel=name, compensation=UNCOMPENSATED, scale=name if name in self.scales else "")

    def why_unreadable(self, name: str) -> str:
        """Say why a channel's scale could not be read; empty where it could or there is none."""
        bare = self._bare(name)
        return self.unreadable.get(name) or (self.unreadable.get(bare, "") if bare else "")

    def _bare(self, name: str) -> str | None:
        """Return the detector of a compensated channel's name, None for any other name."""
        if name.startswith(self.prefix) and name.endswith(self.suffix):
            return name[len(self.prefix) : len(name) - len(self.suffix)]
        return None


def read_axes(sample: ET.Element) -> tuple[SampleAxes, list[Refusal]]:
    """Read matrix and scales of a sample; what cannot be read is refused and named again by its gates."""
    scales: dict[str, Scale] = {}
    unreadable: dict[str, str] = {}
    holder = first(sample, "Transformations")
    for element in holder if holder is not None else ():
        parameter = first(element, "parameter")
        name = (attribute(parameter, "name") or "") if parameter is not None else ""
        try:
            scales[name] = check_scale(_parse_scale(element))
        except InputError as error:
            unreadable[name] = str(error)
    matrices, prefix, suffix, broken = _read_matrix(sample)
    axes = SampleAxes(
        scales=scales, unreadable=unreadable, matrices=matrices, prefix=prefix, suffix=suffix,
        broken_matrix=broken,
    )  # fmt: skip
    refusals = [Refusal(gate=f"scale of {name}", cause=cause) for name, cause in unreadable.items()]
    if broken:
        refusals.append(Refusal(gate="spillover matrix", cause=broken))
    return axes, refusals


def _parse_scale(element: ET.Element) -> Scale:
    """Read one scale.

    FlowJo's ``fasinh`` and ``logicle`` have the meaning of Gating-ML; ``linear`` maps its range to
    the unit interval.
    """
    match tag_of(element):
        case "linear":
            return Linear(t=_number(element, "maxRange"), a=-_number(element, "minRange"))
        case "log":
            return FloorLog(offset=_number(element, "offset"), decades=_number(element, "decades"))
        case "logicle":
            t, w, m, a = (_number(element, name) for name in ("T", "W", "M", "A"))
            return Logicle(t=t, w=w, m=m, a=a)
        case "fasinh":
            return Asinh(t=_number(element, "T"), m=_number(element, "M"), a=_number(element, "A"))
        case "biex":
            if attribute(element, "length") not in (None, _BIEX_LENGTH):
                raise InputError(f"biex of length {attribute(element, 'length')}", expected=_BIEX_LENGTH)
            return Biex(
                negative=_number(element, "neg"), width=_number(element, "width"),
                positive=_number(element, "pos"), maximum=_number(element, "maxRange"),
            )  # fmt: skip
        case other:
            raise InputError(
                f"scale {other!r}", expected="linear, log, logicle, fasinh or biex",
                remedy="choose one of them for the channel in FlowJo and save the workspace",
            )  # fmt: skip


def _read_matrix(sample: ET.Element) -> tuple[dict[str, Matrix], str, str, str]:
    """Return the matrix by name, prefix and suffix of compensated names, and why there is none."""
    found = list(children(sample, "spilloverMatrix"))
    if not found:
        return {}, "Comp-", "", ""
    prefix, suffix = attribute(found[0], "prefix") or "", attribute(found[0], "suffix") or ""
    try:
        if len(found) > 1:
            raise InputError(f"{len(found)} spillover matrices for one sample", expected="one")
        name = attribute(found[0], "name") or "matrix"
        return {name: _parse_matrix(found[0])}, prefix, suffix, ""
    except InputError as error:
        return {}, prefix, suffix, str(error)


def _parse_matrix(element: ET.Element) -> Matrix:
    if attribute(element, "spectral") == "1" and attribute(element, "weightOptAlgorithmType") != "OLS":
        found = attribute(element, "weightOptAlgorithmType")
        raise InputError(f"a spectral matrix by {found!r}", expected="ordinary least squares (OLS)")
    holder = first(element, "parameters")
    names = [] if holder is None else [attribute(one, "name") or "" for one in children(holder, "parameter")]
    rows = {
        attribute(row, "parameter") or "": {
            attribute(one, "parameter") or "": _number(one, "value") for one in children(row, "coefficient")
        }
        for row in children(element, "spillover")
    }
    fluorochromes = tuple(name for name in names if name in rows)
    detectors = tuple(rows[fluorochromes[0]]) if fluorochromes else ()
    if not fluorochromes or any(set(row) != set(detectors) for row in rows.values()):
        raise InputError("a spillover matrix with gaps", expected="a coefficient for every pair")
    values = tuple(tuple(rows[name][detector] for detector in detectors) for name in fluorochromes)
    return Matrix(fluorochromes=fluorochromes, detectors=detectors, values=values)


def _number(element: ET.Element, name: str) -> float:
    text = attribute(element, name)
    try:
        return float(text or "")
    except ValueError:
        raise InputError(f"{tag_of(element)} with {name} {text!r}", expected="a number") from None
