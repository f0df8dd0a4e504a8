"""Files of gates as they are kept: gates, scales, matrices and names of markers; nobody and no place.

Only elements and attributes of an allow-list survive, so operator, computer, paths, groups, layouts,
statistics, annotations and remarks are gone. Of a sample's keywords those stay that stay in an FCS file.
"""

from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree import ElementTree as ET

from corelab.cytometry.interchange.flowjo import list_file_names, read_keywords
from corelab.cytometry.interchange.xml import (
    DATA_TYPE,
    GATING,
    NAMESPACES,
    TRANSFORMS,
    Element,
    attribute,
    children,
    format_xml,
    make,
    parse_xml,
    tag_of,
)
from corelab.ingest.deidentify import select_keywords

_PREFIXES: Final = {GATING: "gating:", TRANSFORMS: "transforms:", DATA_TYPE: "data-type:"}
_ELEMENTS: Final = frozenset({
    # FlowJo's own
    "Workspace", "SampleList", "Sample", "DataSet", "Transformations", "Keywords", "Keyword", "SampleNode",
    "Subpopulations", "Population", "AndNode", "OrNode", "NotNode", "Gate", "Dependents", "Dependent",
    "spilloverMatrix", "parameters", "parameter", "spillover", "coefficient", "foci", "edge", "linear",
    "log", "biex",
    # Gating-ML
    "Gating-ML", "RectangleGate", "PolygonGate", "EllipsoidGate", "QuadrantGate", "BooleanGate",
    "CurlyQuad", "dimension", "fcs-dimension", "new-dimension", "vertex", "coordinate", "mean",
    "covarianceMatrix", "row", "entry", "distanceSquare", "divider", "value", "Quadrant", "position",
    "and", "or", "not", "gateReference", "transformation", "flin", "flog", "fasinh", "logicle",
    "hyperlog", "miltenyi", "fratio", "spectrumMatrix", "fluorochromes", "detectors", "spectrum",
    "custom_info", "acquisition",
})  # fmt: skip
_ATTRIBUTES: Final = frozenset({
    "version", "flowJoVersion", "sampleID", "count", "name", "id", "parent_id", "value", "min", "max",
    "eventsInside", "gateResolution", "parameter", "prefix", "suffix", "spectral",
    "weightOptAlgorithmType", "T", "W", "M", "A", "B", "C", "neg", "width", "pos", "maxRange", "minRange",
    "length", "offset", "decades", "gain", "compensation-ref", "transformation-ref", "divider_ref",
    "location", "ref", "use-as-complement", "transformation-matrix-id", "file_id",
})  # fmt: skip
_WITH_TEXT: Final = ("value",)


def strip_gates(data: bytes, *, name: str, known: Mapping[str, str]) -> bytes:
    """Rewrite a workspace or Gating-ML document with what gating needs and nothing else.

    Parameters
    ----------
    data
        The document.
    name
        What to call it in an error.
    known
        File name to id, for the FCS files that came with it; a sample is called by the id of its file,
        another by its number, for a file's name may be a person's.

    Raises
    ------
    InputError
        If it is not XML or declares entities.
    """
    root = parse_xml(data, name=name, expected="a FlowJo workspace or Gating-ML")
    samples = {
        id(sample): _call_sample(sample, number, known)
        for holder in children(root, "SampleList")
        for number, sample in enumerate(children(holder, "Sample"), start=1)
    }
    return format_xml(_strip(root, "", samples, is_root=True))


def _call_sample(sample: ET.Element, number: int, known: Mapping[str, str]) -> str:
    node = next(children(sample, "SampleNode"), None)
    shown = (attribute(node, "name") or "") if node is not None else ""
    names = list_file_names(sample, read_keywords(sample), shown)
    return next((known[one] for one in names if one in known), f"sample {number}")


def _strip(element: ET.Element, called: str, samples: Mapping[int, str], *, is_root: bool = False) -> Element:
    """Keep what is allowed; ``called`` is the name of the sample to which the element belongs."""
    called = samples.get(id(element), called)
    tag = tag_of(element)
    if tag == "Keywords":
        return make(tag, {}, list(_keep_keywords(element)))
    kept = {
        _prefixed(key): text for key, text in element.attrib.items() if key.rpartition("}")[2] in _ATTRIBUTES
    }
    if tag == "SampleNode":
        kept["name"] = called
    if tag == "DataSet":
        kept["uri"] = f"file:{called}"
    inner = tuple(_strip(child, called, samples) for child in _list_allowed(element))
    text = (element.text or "").strip() if tag in _WITH_TEXT else ""
    return Element(
        tag=_prefixed(element.tag), attributes={**(NAMESPACES if is_root else {}), **kept}, children=inner,
        text=text,
    )  # fmt: skip


def _list_allowed(element: ET.Element) -> Iterator[ET.Element]:
    """Iterate over allowed children; in Gating-ML gates count wherever they stand, so they are lifted out."""
    lifts = tag_of(element) == "Gating-ML"
    for child in element:
        if tag_of(child) in _ELEMENTS:
            yield child
        elif lifts:
            yield from (inner for inner in child.iter() if tag_of(inner).endswith("Gate"))


def _keep_keywords(element: ET.Element) -> Iterator[Element]:
    given = {(one.get("name") or "").upper(): one.get("value") or "" for one in children(element, "Keyword")}
    for name, value in sorted(select_keywords(given).items()):
        yield make("Keyword", {"name": name, "value": value})


def _prefixed(tag: str) -> str:
    """Return a name with the usual prefix of its namespace."""
    space, _, bare = tag.rpartition("}")
    return _PREFIXES.get(space[1:], "") + bare
