"""FlowJo 10 workspaces to gate trees, one for each sample; what cannot be read is refused gate by gate."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from corelab.cytometry.interchange.flowjo_gates import parse_gate
from corelab.cytometry.interchange.flowjo_scales import SampleAxes, read_axes
from corelab.cytometry.interchange.model import Boolean, Gate, GateTree, Operand, Refusal
from corelab.cytometry.interchange.xml import attribute, children, first, parse_xml, tag_of
from corelab.errors import InputError

_EXPECTED: Final = "a FlowJo 10 workspace"
_NODES: Final = ("Population", "AndNode", "OrNode", "NotNode")
_LABEL: Final = re.compile(r"^\$P(\d+)([NS])$", re.IGNORECASE)
_OPERATIONS: Final[Mapping[str, Literal["and", "or", "not"]]] = {
    "AndNode": "and", "OrNode": "or", "NotNode": "not",
}  # fmt: skip
SEPARATOR: Final = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSample:
    """What a workspace says of one FCS file.

    ``name`` is what FlowJo shows; ``file_names`` every name by which the file may be known, the
    one of its location first; ``labels`` detector to ``$PnS``; ``n_events`` what FlowJo counted.
    Gates are named by their path from the root.
    """

    name: str
    file_names: tuple[str, ...]
    labels: Mapping[str, str]
    n_events: int | None
    tree: GateTree
    refusals: tuple[Refusal, ...]


def read_flowjo(data: bytes, *, name: str) -> tuple[WorkspaceSample, ...]:
    """Read every sample of a workspace.

    Parameters
    ----------
    data
        The ``.wsp`` file.
    name
        What to call it in an error.

    Raises
    ------
    InputError
        If it is not XML, declares entities, or is no workspace of FlowJo 10.
    """
    return tuple(_read_sample(sample) for sample in _list_samples(data, name))


def read_labels_of_samples(data: bytes, *, name: str) -> list[tuple[tuple[str, ...], dict[str, str]]]:
    """Read of every sample only its file names and its labels by detector, without its gates.

    Raises
    ------
    InputError
        If it is not XML, declares entities, or is no workspace of FlowJo 10.
    """
    read = [(sample, read_keywords(sample)) for sample in _list_samples(data, name)]
    return [
        (tuple(list_file_names(sample, keywords, _read_shown_name(sample))), _read_labels(keywords))
        for sample, keywords in read
    ]


def _list_samples(data: bytes, name: str) -> list[ET.Element]:
    root = parse_xml(data, name=name, expected=_EXPECTED)
    if tag_of(root) != "Workspace":
        raise InputError(f"root element {tag_of(root)!r}", place=name, expected=_EXPECTED)
    samples = first(root, "SampleList")
    if samples is None:
        raise InputError("no SampleList", place=name, expected=_EXPECTED, remedy="save it with FlowJo 10")
    return list(children(samples, "Sample"))


def _read_shown_name(sample: ET.Element) -> str:
    node = first(sample, "SampleNode")
    return (attribute(node, "name") or "") if node is not None else ""


def _read_sample(sample: ET.Element) -> WorkspaceSample:
    node = first(sample, "SampleNode")
    keywords = read_keywords(sample)
    axes, refusals = read_axes(sample)
    gates: dict[str, Gate] = {}
    if node is not None:
        _read_populations(node, axes, gates, refusals)
    shown = _read_shown_name(sample)
    return WorkspaceSample(
        name=shown,
        file_names=tuple(list_file_names(sample, keywords, shown)),
        labels=_read_labels(keywords),
        n_events=_count(node) if node is not None else None,
        tree=GateTree(gates=gates, scales=axes.scales, matrices=axes.matrices),
        refusals=tuple(refusals),
    )


def read_keywords(sample: ET.Element) -> dict[str, str]:
    """Read the FCS keywords that a workspace keeps for a sample, by upper-case name."""
    element = first(sample, "Keywords")
    found = children(element, "Keyword") if element is not None else ()
    return {(one.get("name") or "").upper(): one.get("value") or "" for one in found}


def list_file_names(sample: ET.Element, keywords: Mapping[str, str], shown: str) -> Iterator[str]:
    """Iterate over the names by which a workspace knows a sample's file, that of its location first."""
    dataset = first(sample, "DataSet")
    uri = unquote(attribute(dataset, "uri") or "") if dataset is not None else ""
    names = (re.split(r"[/\\]", uri)[-1], shown, keywords.get("$FIL", "").strip())
    yield from dict.fromkeys(name for name in names if name)


def _read_labels(keywords: Mapping[str, str]) -> dict[str, str]:
    numbered = {
        (match[1], match[2].upper()): value.strip()
        for name, value in keywords.items()
        if (match := _LABEL.match(name))
    }
    pairs = {value: numbered.get((n, "S"), "") for (n, kind), value in numbered.items() if kind == "N"}
    return {detector: label for detector, label in pairs.items() if detector and label}


def _read_populations(
    root: ET.Element, axes: SampleAxes, gates: dict[str, Gate], refusals: list[Refusal]
) -> None:
    """Walk the nested populations in the order in which FlowJo lists them."""
    waiting = [(child, "") for child in reversed(list(_sub_nodes(root)))]
    while waiting:
        node, parent = waiting.pop()
        label = attribute(node, "name") or ""
        path = f"{parent}{SEPARATOR}{label}" if parent else label
        try:
            if not label or path in gates:
                raise InputError(
                    "a population without name" if not label else "a population of this path twice"
                )
            gates[path] = _parse_node(node, path, label, parent, axes)
        except InputError as error:
            refusals.append(Refusal(gate=path, cause=str(error)))
        waiting += [(child, path) for child in reversed(list(_sub_nodes(node)))]


def _sub_nodes(node: ET.Element) -> Iterator[ET.Element]:
    for inner in children(node, "Subpopulations"):
        yield from children(inner, *_NODES)


def _parse_node(node: ET.Element, path: str, label: str, parent: str, axes: SampleAxes) -> Gate:
    if tag_of(node) in _OPERATIONS:
        geometry, complement = _parse_boolean(node), False
        return Gate(name=path, label=label, parent=parent, geometry=geometry, stored_count=_count(node))
    holder = first(node, "Gate")
    shapes = [] if holder is None else list(holder)
    if len(shapes) != 1:
        raise InputError(f"{len(shapes)} shapes in a gate", expected="one")
    shape, complement = parse_gate(shapes[0], axes)
    return Gate(
        name=path, label=label, parent=parent, geometry=shape, complement=complement,
        stored_count=_count(node),
    )  # fmt: skip


def _parse_boolean(node: ET.Element) -> Boolean:
    holder = first(node, "Dependents")
    names = [] if holder is None else [attribute(one, "name") or "" for one in children(holder, "Dependent")]
    operation = _OPERATIONS[tag_of(node)]
    if not names or not all(names) or (operation == "not" and len(names) != 1):
        raise InputError(
            f"{operation!r} of {len(names)} populations", expected="their paths, exactly one for not"
        )
    return Boolean(operation=operation, operands=tuple(Operand(gate=name) for name in names))


def _count(node: ET.Element) -> int | None:
    """Read a stored count; -1 is what FlowJo writes where it has not counted."""
    text = (attribute(node, "count") or "").strip()
    return int(text) if text.isdecimal() else None
