"""Marker names out of a FlowJo 10 workspace, for files whose ``$PnS`` is empty."""

import re
from typing import Final
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from corelab.errors import InputError

_NAME: Final = re.compile(r"^\$P(\d+)([NS])$", re.IGNORECASE)
_LARGEST: Final = 200_000_000


def read_workspace_markers(data: bytes, *, name: str, file: str = "") -> dict[str, str]:
    """Read ``$PnN`` to ``$PnS`` from the keywords that a workspace keeps for its samples.

    Parameters
    ----------
    data
        The ``.wsp`` file.
    name
        What to call it in an error.
    file
        File name of an FCS file. If the workspace holds a sample of this name, its labels are
        returned; otherwise those on which all samples agree.

    Returns
    -------
    dict
        Detector to label.

    Raises
    ------
    InputError
        If the bytes are not an XML workspace or declare entities of their own.
    """
    samples = [sample for sample in _parse_root(data, name).iter() if _tag(sample) == "Sample"]
    own = [sample for sample in samples if file and file in _file_names(sample)]
    labels: dict[str, set[str]] = {}
    for sample in own[:1] or samples:
        for detector, label in _read_labels(sample).items():
            labels.setdefault(detector, set()).add(label)
    return {detector: found.pop() for detector, found in labels.items() if len(found) == 1}


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _file_names(sample: ET.Element) -> set[str]:
    """Names by which a workspace knows a sample's file."""
    names = set()
    for element in sample.iter():
        if _tag(element) == "DataSet":
            names.add(unquote(element.get("uri", "")).rpartition("/")[2])
        elif element.get("name", "").upper() == "$FIL":
            names.add(element.get("value", ""))
    return names


def _read_labels(sample: ET.Element) -> dict[str, str]:
    numbered: dict[tuple[str, str], str] = {}
    for keyword in sample.iter("Keyword"):
        match = _NAME.match(keyword.get("name", ""))
        if match:
            numbered[match[1], match[2].upper()] = keyword.get("value", "").strip()
    pairs = {
        value: numbered.get((number, "S"), "") for (number, kind), value in numbered.items() if kind == "N"
    }
    return {detector: label for detector, label in pairs.items() if detector and label}


def _parse_root(data: bytes, name: str) -> ET.Element:
    """Parse XML that declares no entity: an entity can grow to any size."""
    if len(data) > _LARGEST or b"<!ENTITY" in data:
        raise InputError("entities or too large", place=name, expected="a plain FlowJo workspace")
    try:
        root = ET.fromstring(data)
    except ET.ParseError as error:
        raise InputError(f"not XML ({error})", place=name, expected="a FlowJo workspace") from error
    if root.tag.rpartition("}")[2] != "Workspace":
        raise InputError(f"root element {root.tag!r}", place=name, expected="Workspace")
    return root
