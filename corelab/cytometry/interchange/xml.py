"""XML in without entities, XML out with the prefixes that cytometry programs expect."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from corelab.errors import InputError

GATING: Final = "http://www.isac-net.org/std/Gating-ML/v2.0/gating"
TRANSFORMS: Final = "http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
DATA_TYPE: Final = "http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"
NAMESPACES: Final[Mapping[str, str]] = {
    "xmlns:gating": GATING,
    "xmlns:transforms": TRANSFORMS,
    "xmlns:data-type": DATA_TYPE,
}
_LARGEST: Final = 500_000_000
_DEEPEST: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """An element to be written: prefixed tag, attributes in their order, children, text."""

    tag: str
    attributes: Mapping[str, str]
    children: tuple["Element", ...] = ()
    text: str = ""


def parse_xml(data: bytes, *, name: str, expected: str) -> ET.Element:
    """Parse XML that declares no document type, and so no entity: an entity can grow to any size.

    Parameters
    ----------
    data
        The document, in any encoding that XML knows.
    name
        What to call it in an error.
    expected
        What it should have been, in words.

    Raises
    ------
    InputError
        If the bytes are not XML, declare a document type, are nested too deep or too many.
    """
    if len(data) > _LARGEST:
        raise InputError(f"{len(data)} bytes", place=name, expected=f"{expected} below 500 MB")
    _check_structure(data, name, expected)
    try:
        return ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise InputError(f"not XML ({error})", place=name, expected=expected) from error


def _check_structure(data: bytes, name: str, expected: str) -> None:
    """Read the document once without building anything, to refuse what must not be built."""
    depth = 0

    def refuse_doctype(*_: object) -> None:
        raise InputError("a document type with entities", place=name, expected=expected)

    def descend(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise InputError(f"elements nested deeper than {_DEEPEST}", place=name, expected=expected)

    def ascend(*_: object) -> None:
        nonlocal depth
        depth -= 1

    try:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = refuse_doctype
        parser.StartElementHandler = descend
        parser.EndElementHandler = ascend
        parser.Parse(data, True)  # noqa: FBT003 - the parser's own signature
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise InputError(f"not XML ({error})", place=name, expected=expected) from error


def tag_of(element: ET.Element) -> str:
    """Return the tag without its namespace."""
    return element.tag.rpartition("}")[2]


def attribute(element: ET.Element, name: str) -> str | None:
    """Return an attribute whatever its namespace, None where it is not there."""
    plain = element.get(name)
    if plain is not None:
        return plain
    return next((text for key, text in element.attrib.items() if key.endswith("}" + name)), None)


def children(element: ET.Element, *tags: str) -> Iterator[ET.Element]:
    """Iterate over the children of given tags, whatever their namespace."""
    return (child for child in element if tag_of(child) in tags)


def first(element: ET.Element, tag: str) -> ET.Element | None:
    """Return the first child of a tag, whatever its namespace."""
    return next(children(element, tag), None)


def required(element: ET.Element, tag: str) -> ET.Element:
    """Return the first child of a tag.

    Raises
    ------
    InputError
        If there is none.
    """
    found = first(element, tag)
    if found is None:
        raise InputError(f"{tag_of(element)} without {tag}", expected=tag)
    return found


def number(element: ET.Element, name: str) -> float:
    """Return an attribute as a number.

    Raises
    ------
    InputError
        If it is not there or no finite number.
    """
    text = attribute(element, name)
    if text is None:
        raise InputError(f"{tag_of(element)} without {name}", expected="a number")
    return parse_number(text)


def parse_number(text: str) -> float:
    """Return a text as a finite number.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{text.strip()[:40]!r} is no number", expected="a number") from None
    if not math.isfinite(value):
        raise InputError(f"{text.strip()!r} is not finite", expected="a number")
    return value


def format_xml(root: Element) -> bytes:
    """Write a document in UTF-8; the same tree is the same bytes.

    Raises
    ------
    InputError
        If a name holds a character that XML cannot carry.
    """
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', *_format(root, "")]
    text = "\n".join(lines) + "\n"
    unfit = next((c for c in text if (ord(c) < 32 and c not in "\t\n\r") or ord(c) in (0xFFFE, 0xFFFF)), "")
    if unfit or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise InputError(f"a name with the character {unfit!r}", expected="text that XML can carry")
    return text.encode("utf-8")


def _format(element: Element, indent: str) -> list[str]:
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in element.attributes.items())
    opening = f"{indent}<{element.tag}{attributes}"
    if element.text:
        return [f"{opening}>{escape(element.text)}</{element.tag}>"]
    if not element.children:
        return [f"{opening}/>"]
    inner = [line for child in element.children for line in _format(child, indent + " ")]
    return [f"{opening}>", *inner, f"{indent}</{element.tag}>"]


def make(tag: str, attributes: Mapping[str, str] | None = None, inner: Sequence[Element] = ()) -> Element:
    """Make an element to be written."""
    return Element(tag=tag, attributes=attributes or {}, children=tuple(inner))
