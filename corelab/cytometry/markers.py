"""Which channel carries which marker: by alias, never by the order of columns."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final
from unicodedata import normalize

from corelab.cytometry.records import Finding
from corelab.ingest.fcs import Acquisition
from corelab.study.yaml_text import parse_yaml

_COMPENSATED: Final = re.compile(r"^(FJComp|Comp|cComp)[-_:]", re.IGNORECASE)
_AREA: Final = re.compile(r"[-_. ](A|Area)$", re.IGNORECASE)
_OTHER_ANTIGEN: Final = re.compile(r"(?<![A-Za-z0-9])CD\d", re.IGNORECASE)
_HEIGHT_OR_WIDTH: Final = re.compile(r"[-_. ](H|W|Height|Width)$", re.IGNORECASE)
_SCATTER_SUBSTITUTES: Final = MappingProxyType({
    "FSC-A": ("FSC-A", "FSC", "FSC-H"),
    "SSC-A": ("SSC-A", "SSC", "SSC-H", "SSC-B"),
    "FSC-H": ("FSC-H",),
    "time": ("time",),
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """Compiled names of markers, of dyes and of scatter channels, longest first."""

    markers: tuple[tuple[str, re.Pattern[str]], ...]
    dyes: tuple[tuple[str, re.Pattern[str]], ...]
    scatter: tuple[tuple[str, re.Pattern[str]], ...]
    known: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerMap:
    """Columns by meaning.

    ``columns`` maps a marker to its column, ``scatter`` maps ``FSC-A``, ``FSC-H``, ``SSC-A`` and
    ``time``; ``fluorescence`` lists every column that is neither scatter nor time; ``shared`` maps
    a marker to the others whose name stands on the same channel.
    """

    columns: Mapping[str, int]
    scatter: Mapping[str, int]
    fluorescence: tuple[int, ...]
    shared: Mapping[str, tuple[str, ...]]
    findings: tuple[Finding, ...]


@cache
def load_aliases() -> Aliases:
    """Load the table of names that ships with the package."""
    text = files("corelab.cytometry").joinpath("markers.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = parse_yaml(text)
    dyes = table["dyes"]
    beside = _compile({dyes["marker"]: dyes["beside"]})
    return Aliases(
        markers=_compile(table["markers"]),
        dyes=(*beside, *_compile({dyes["marker"]: dyes["alone"]}, whole=True)),
        scatter=_compile(table["scatter"], whole=True),
        known=frozenset(table["markers"]),
    )


def _compile(
    table: Mapping[str, Sequence[str]], *, whole: bool = False
) -> tuple[tuple[str, re.Pattern[str]], ...]:
    pairs = [(marker, alias) for marker, aliases in table.items() for alias in aliases]
    pairs.sort(key=lambda pair: (-len(re.sub(r"\W", "", pair[1])), pair[1]))
    return tuple((marker, _pattern(alias, whole=whole)) for marker, alias in pairs)


def _pattern(alias: str, *, whole: bool) -> re.Pattern[str]:
    """Compile one name; signs between runs of letters and of digits may be there or not."""
    parts = re.findall(r"[A-Za-z]+|\d+|[\u4e00-\u9fff]+", alias)
    body = (r"[-_ ./()]{0,2}" if whole else r"[-_ ./]?").join(map(re.escape, parts))
    edge = (r"^", r"$") if whole else (r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])")
    return re.compile(edge[0] + body + edge[1], re.IGNORECASE)


def find_antigens(label: str) -> tuple[str, ...]:
    """Return every marker that a label names, in the order in which they stand there.

    Examples
    --------
    >>> find_antigens("CD197 (CCR7) BV421"), find_antigens("CD3-IgD"), find_antigens("FITC-A")
    (('CCR7',), ('CD3', 'IgD'), ())
    >>> find_antigens("CD3 APC-eFluor 780"), find_antigens("eFluor 780"), find_antigens("CD127 7-AAD")
    (('CD3',), ('viability',), ())
    """
    return _find_names(label) or _find_dye(label)


def _find_names(label: str) -> tuple[str, ...]:
    rest = normalize("NFKC", label)
    places: dict[str, int] = {}
    for marker, pattern in load_aliases().markers:
        for match in pattern.finditer(rest):
            places.setdefault(marker, match.start())
        rest = pattern.sub(lambda match: "\0" * len(match.group()), rest)
    return tuple(sorted(places, key=lambda marker: places[marker]))


def _find_dye(label: str) -> tuple[str, ...]:
    """Find a dye of dead cells in a name that names no known marker; another antigen makes it a colour."""
    text = _AREA.sub("", _COMPENSATED.sub("", normalize("NFKC", label).strip()))
    if _OTHER_ANTIGEN.search(text):
        return ()
    return next(((marker,) for marker, pattern in load_aliases().dyes if pattern.search(text)), ())


def find_scatter(detector: str) -> str | None:
    """Return which scatter or time channel a detector is, if it is one.

    Examples
    --------
    >>> find_scatter("FS"), find_scatter("Comp-BV421-A"), find_scatter("FSC.H")
    ('FSC', None, 'FSC-H')
    """
    name = detector.strip()
    return next((key for key, pattern in load_aliases().scatter if pattern.match(name)), None)


def is_compensated_name(detector: str) -> bool:
    """Tell whether a name says that its channel is compensated already.

    Examples
    --------
    >>> is_compensated_name("FJComp-BV421-A :: CCR7"), is_compensated_name("BV421-A")
    (True, False)
    """
    return bool(_COMPENSATED.match(detector))


def match_markers(
    acquisition: Acquisition,
    *,
    required: Iterable[str],
    marker_labels: Mapping[str, str] | None = None,
) -> MarkerMap:
    """Match channels to markers by alias: from ``$PnS``, then ``$PnN``, then the given labels.

    Parameters
    ----------
    acquisition
        Whose channels.
    required
        Markers whose absence is a finding.
    marker_labels
        Detector to label, from a markers file or a workspace.

    Returns
    -------
    MarkerMap
        With findings ``MARKER_MISSING``, ``MARKER_AMBIGUOUS`` (on two channels: none is taken) and
        ``MARKER_SHARED`` (one channel, two antigens: it serves both).
    """
    given = {_bare(key): value for key, value in (marker_labels or {}).items()}
    kinds = [find_scatter(name) for name in acquisition.detectors]
    named = [
        () if kind else _antigens_of(detector, label, given)
        for detector, label, kind in zip(acquisition.detectors, acquisition.labels, kinds, strict=True)
    ]
    columns, ambiguous = _settle(named, acquisition.detectors)
    shared = {
        marker: tuple(other for other in named[column] if other != marker)
        for marker, column in columns.items()
        if len(named[column]) > 1
    }
    missing = [marker for marker in required if marker not in columns]
    return MarkerMap(
        columns=MappingProxyType(columns),
        scatter=MappingProxyType(_match_scatter(kinds)),
        fluorescence=tuple([i for i, kind in enumerate(kinds) if kind is None]),
        shared=MappingProxyType(shared),
        findings=_name_findings(missing, ambiguous, shared),
    )


def _bare(detector: str) -> str:
    return _COMPENSATED.sub("", detector.strip()).casefold()


def _antigens_of(detector: str, label: str, given: Mapping[str, str]) -> tuple[str, ...]:
    told = given.get(_bare(detector), "")
    found = next((names for text in (label, detector, told) if (names := _find_names(text))), ())
    return found or _find_dye(label.strip() or told.strip() or detector)


def _settle(
    named: Sequence[tuple[str, ...]], detectors: Sequence[str]
) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Give each marker one column; of area, height and width of one detector the area."""
    columns: dict[str, int] = {}
    ambiguous: dict[str, list[str]] = {}
    for marker in dict.fromkeys(antigen for antigens in named for antigen in antigens):
        places = [i for i, antigens in enumerate(named) if marker in antigens]
        areas = [i for i in places if not _HEIGHT_OR_WIDTH.search(detectors[i])] or places
        alone = [i for i in areas if len(named[i]) == 1] or areas
        if len(alone) == 1:
            columns[marker] = alone[0]
        else:
            ambiguous[marker] = [detectors[i] for i in alone]
    return columns, ambiguous


def _match_scatter(kinds: Sequence[str | None]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, substitutes in _SCATTER_SUBSTITUTES.items():
        column = next((kinds.index(kind) for kind in substitutes if kind in kinds), None)
        if column is not None:
            found[name] = column
    return found


def _name_findings(
    missing: Iterable[str],
    ambiguous: Mapping[str, Sequence[str]],
    shared: Mapping[str, tuple[str, ...]],
) -> tuple[Finding, ...]:
    findings = [
        _finding(
            "MARKER_AMBIGUOUS",
            f"{marker} stands on {' and '.join(names)}; none is taken; its gates are missing",
        )
        for marker, names in ambiguous.items()
    ]
    findings += [
        _finding("MARKER_MISSING", f"no channel is named {marker}; its gates are missing")
        for marker in missing
        if marker not in ambiguous
    ]
    pairs = {tuple(sorted((marker, *others))) for marker, others in shared.items()}
    findings += [
        _finding("MARKER_SHARED", f"one channel serves {' and '.join(pair)}") for pair in sorted(pairs)
    ]
    return tuple(findings)


def _finding(check: str, reason: str) -> Finding:
    return Finding(check=check, level="warn", value=float("nan"), limit=float("nan"), reason=reason)
