"""Where the segments of an FCS file lie and what its TEXT says; no event is touched here."""

import mmap
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.errors import FcsReadError

FcsBytes = bytes | mmap.mmap
"""A whole file, read or mapped."""

VERSIONS: Final = ("FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2")
_HEADER_LENGTH: Final = 58
_REQUIRED: Final = ("$PAR", "$DATATYPE", "$BYTEORD")
_NEXT_HEADER: Final = re.compile(rb"FCS[23]\.\d {4}[ \d]{48}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Bytes ``[begin, end)`` of a file.

    Both are counted from the first byte of the file; ``end`` is one past the last byte, unlike the
    inclusive ends that FCS writes.
    """

    begin: int
    end: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True, kw_only=True)
class FcsSegments:
    """Header offsets and TEXT keywords of one FCS file.

    ``text``, ``supplemental``, ``analysis`` are the segments that are there; ``data_header`` and
    ``data_text`` are the two claims of where DATA lies (either may be missing or wrong, see
    ``corelab.ingest.fcs_events.locate_data``). ``keywords`` holds name and value in the order and
    spelling of the primary TEXT, ``supplemental_keywords`` those of the supplemental one (none where
    the bytes there are not TEXT at all).
    """

    name: str
    version: str
    delimiter: str
    text: Span
    supplemental: Span | None
    analysis: Span | None
    data_header: Span | None
    data_text: Span | None
    keywords: tuple[tuple[str, str], ...]
    supplemental_keywords: tuple[tuple[str, str], ...]

    def lookup(self) -> dict[str, str]:
        """Return the keywords by upper-case name; of a repeated name the first counts."""
        found: dict[str, str] = {}
        for key, value in (*self.keywords, *self.supplemental_keywords):
            found.setdefault(key.upper(), value)
        return found


def parse_fcs_segments(data: FcsBytes, *, name: str) -> FcsSegments:
    """Parse the HEADER and the TEXT segments of an FCS file.

    Parameters
    ----------
    data
        The whole file.
    name
        What to call the file in an error.

    Returns
    -------
    FcsSegments
        Offsets as claimed and keywords in order.

    Raises
    ------
    FcsReadError
        If the file is not FCS 2.0 to 3.2, if TEXT cannot be found or split into pairs, if a
        required keyword is missing or contradicts itself, or if more data sets follow.
    """
    version = _check_version(data, name)
    text = _check_span(_header_span(data, 10, name), data, f"{name} HEADER", "TEXT")
    delimiter, keywords = parse_text(data[text.begin : text.end], place=f"{name} TEXT")
    table = _first_values(keywords)
    supplemental = _supplemental_span(table, text, data, name)
    extra: tuple[tuple[str, str], ...] = ()
    if supplemental is not None:
        raw = data[supplemental.begin : supplemental.end]
        extra = _parse_supplemental(raw, delimiter, f"{name} supplemental TEXT")
    segments = FcsSegments(
        name=name,
        version=version,
        delimiter=delimiter,
        text=text,
        supplemental=supplemental,
        analysis=_analysis_span(data, table, name),
        data_header=_header_span(data, 26, name),
        data_text=_keyword_span(table, "$BEGINDATA", "$ENDDATA"),
        keywords=keywords,
        supplemental_keywords=extra,
    )
    _check_required(segments)
    _check_single_dataset(segments, data)
    return segments


def parse_text(raw: bytes, *, place: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    r"""Split a TEXT segment into its delimiter and its keyword pairs, in order.

    A doubled delimiter stands for one inside a word. Where that reading would put a delimiter
    into a keyword's name, the file has written empty values instead, and it is split at every
    delimiter.

    Raises
    ------
    FcsReadError
        If the words do not form pairs in either reading.

    Examples
    --------
    >>> parse_text(b"/$TOT/5/$SRC/a//b/", place="x.fcs")
    ('/', (('$TOT', '5'), ('$SRC', 'a/b')))
    >>> parse_text(b"|$SMNO||$TOT|5|", place="x.fcs")
    ('|', (('$SMNO', ''), ('$TOT', '5')))
    """
    text = _decode(raw)
    if not text:
        raise FcsReadError("empty TEXT", place=place, expected="keywords")
    delimiter = text[0]
    body = text[1:].rstrip("\0 \r\n\t" if delimiter not in "\0 \r\n\t" else "")
    body = body.removesuffix(delimiter)
    for words in (_split_escaped(body, delimiter), body.split(delimiter)):
        pairs = _pair(words)
        if pairs is not None and not any(delimiter in key for key, _ in pairs):
            return delimiter, pairs
    raise FcsReadError(
        "keywords and values do not form pairs",
        place=place,
        expected=f"an even number of words between {delimiter!r}",
        remedy="export the file again",
    )


def _decode(raw: bytes) -> str:
    """Decode as UTF-8, else as Latin-1, which older instruments write."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _split_escaped(body: str, delimiter: str) -> list[str]:
    """Split at single delimiters; a doubled one belongs to the word."""
    placeholder = "\ue000"  # private use: cannot be decoded from Latin-1, refused by no reader
    words = body.replace(delimiter * 2, placeholder).split(delimiter)
    return [word.replace(placeholder, delimiter) for word in words]


def _pair(words: Sequence[str]) -> tuple[tuple[str, str], ...] | None:
    """Pair names with values; None where the count is odd or a name is empty."""
    if len(words) % 2:
        return None
    names = [word.strip() for word in words[::2]]
    if not all(names):
        return None
    return tuple(zip(names, words[1::2], strict=True))


def _parse_supplemental(raw: bytes, delimiter: str, place: str) -> tuple[tuple[str, str], ...]:
    """Parse a supplemental TEXT; what does not begin like one (a ZIP archive, say) is not TEXT."""
    if not _decode(raw[:1]).startswith(delimiter):
        return ()
    return parse_text(raw, place=place)[1]


def _first_values(keywords: Sequence[tuple[str, str]]) -> dict[str, str]:
    table: dict[str, str] = {}
    for key, value in keywords:
        table.setdefault(key.upper(), value)
    return table


def _check_version(data: FcsBytes, name: str) -> str:
    version = data[:6].decode("latin-1")
    if version not in VERSIONS:
        found = f"begins with {version!r}" if version.strip() else "no FCS header"
        raise FcsReadError(found, place=name, expected=" or ".join(VERSIONS), remedy="deliver an FCS file")
    if len(data) < _HEADER_LENGTH:
        raise FcsReadError(f"{len(data)} bytes", place=name, expected="a header of 58 bytes")
    return version


def _header_span(data: FcsBytes, at: int, name: str) -> Span | None:
    """Read two 8-byte offsets of the header; blank or zero means absent (or too large for it)."""
    fields = [data[at : at + 8].strip(b" \0"), data[at + 8 : at + 16].strip(b" \0")]
    if not all(field.isdigit() for field in fields if field):
        raise FcsReadError(
            f"offsets {fields[0]!r} {fields[1]!r}", place=f"{name} HEADER byte {at}",
            expected="numbers",
        )  # fmt: skip
    begin, last = (int(field or b"0") for field in fields)
    return Span(begin=begin, end=last + 1) if begin > 0 and last > 0 else None


def _keyword_span(table: Mapping[str, str], begin: str, end: str) -> Span | None:
    words = (table.get(begin, "").strip(), table.get(end, "").strip())
    if not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
        return None
    first, last = (int(word) for word in words)
    return Span(begin=first, end=last + 1) if first > 0 and last > 0 else None


def _check_span(span: Span | None, data: FcsBytes, place: str, what: str) -> Span:
    if span is None:
        raise FcsReadError(f"no offsets of {what}", place=place, expected="two numbers")
    if not _HEADER_LENGTH <= span.begin < span.end <= len(data):
        raise FcsReadError(
            f"{what} at {span.begin}-{span.end - 1} of {len(data)} bytes", place=place,
            expected="a segment inside the file", remedy="the file is cut short or damaged",
        )  # fmt: skip
    return span


def _supplemental_span(table: Mapping[str, str], text: Span, data: FcsBytes, name: str) -> Span | None:
    """Find the supplemental TEXT; some writers repeat the offsets of the primary one."""
    span = _keyword_span(table, "$BEGINSTEXT", "$ENDSTEXT")
    if span is None or span.length <= 1 or (text.begin <= span.begin < text.end):
        return None
    return _check_span(span, data, name, "supplemental TEXT")


def _analysis_span(data: FcsBytes, table: Mapping[str, str], name: str) -> Span | None:
    span = _header_span(data, 42, name) or _keyword_span(table, "$BEGINANALYSIS", "$ENDANALYSIS")
    return span if span and span.begin < span.end <= len(data) else None


def _check_required(segments: FcsSegments) -> None:
    table = segments.lookup()
    missing = [key for key in _REQUIRED if key not in table]
    if missing:
        raise FcsReadError(
            f"no {', '.join(missing)}", place=f"{segments.name} TEXT",
            expected="every required keyword", remedy="export the file again",
        )  # fmt: skip
    for key, value in (*segments.keywords, *segments.supplemental_keywords):
        upper = key.upper()
        if upper in (*_REQUIRED, "$TOT", "$MODE") and value.strip() != table[upper].strip():
            raise FcsReadError(
                f"{upper} is both {table[upper]!r} and {value!r}", place=f"{segments.name} TEXT"
            )


def _check_single_dataset(segments: FcsSegments, data: FcsBytes) -> None:
    """Refuse a file whose next data set is really there; an offset to nothing is ignored."""
    word = segments.lookup().get("$NEXTDATA", "0").strip()
    begin = int(word) if word.isascii() and word.isdigit() and len(word) < 19 else 0
    claimed = begin > 0 and data[begin : begin + 3] == b"FCS"
    spans = [segments.text, segments.supplemental, segments.data_header, segments.data_text]
    last = max(span.end for span in spans if span is not None)
    following = _NEXT_HEADER.search(data, last) if last < len(data) else None
    if claimed or following:
        place = begin if claimed else following.start() if following else 0
        raise FcsReadError(
            f"a second data set begins at byte {place}", place=segments.name,
            expected="one data set a file", remedy="export each data set to a file of its own",
        )  # fmt: skip
