"""FCS bytes to an acquisition: read right, or refused by name."""

import hashlib
import mmap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.errors import FcsReadError
from corelab.ingest.fcs_events import (
    Events,
    locate_data,
    parse_byte_order,
    parse_channels,
    parse_events,
)
from corelab.ingest.fcs_layout import check_finite, settle_events, turn_events
from corelab.ingest.fcs_segments import FcsBytes, FcsSegments, Span, parse_fcs_segments

__all__ = [
    "Acquisition",
    "FcsBytes",
    "FcsSegments",
    "Span",
    "Spillover",
    "compute_fcs_sha256",
    "forget_events",
    "map_file",
    "parse_fcs_segments",
    "parse_spillover",
    "read_fcs",
    "turn_acquisition",
]

_PIECE: Final = 1 << 23
SPILLOVER_KEYWORDS: Final = ("$SPILLOVER", "SPILLOVER", "$SPILL", "SPILL", "$COMP", "COMP")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spillover:
    """A spillover matrix: row = fluorochrome, column = detector.

    ``detectors`` names both; ``matrix`` is ``(n, n)`` float64, read-only.
    """

    detectors: tuple[str, ...]
    matrix: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        self.matrix.setflags(write=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Acquisition:
    """One data set of one FCS file.

    ``events`` is ``(n_events, n_channels)`` on a linear scale, read-only: float64, or float32 where the
    file holds that and nothing else (`column` gives float64 to calculate with); ``detectors`` and
    ``labels`` are ``$PnN`` and ``$PnS``; ``ranges`` is ``(n_channels,)``, the upper end of each
    channel on the scale of the events; ``time_step`` is in seconds a unit of the time channel;
    ``keywords`` are by upper-case name.
    """

    name: str
    version: str
    events: Events
    detectors: tuple[str, ...]
    labels: tuple[str, ...]
    ranges: npt.NDArray[np.float64]
    time_step: float | None
    keywords: Mapping[str, str]
    spillover: Spillover | None

    def __post_init__(self) -> None:
        self.events.setflags(write=False)
        self.ranges.setflags(write=False)

    @property
    def n_events(self) -> int:
        """Number of events."""
        return int(self.events.shape[0])

    def column(self, index: int) -> npt.NDArray[np.float64]:
        """Return the values of one channel as float64 ``(n_events,)``."""
        return np.asarray(self.events[:, index], dtype=np.float64)

    @property
    def acquired_volume_ul(self) -> float | None:
        """Volume that ran through the instrument, None where the file does not state it.

        ``$VOL`` is in nanolitres (FCS 3.1).
        """
        try:
            volume = float(self.keywords.get("$VOL", ""))
        except ValueError:
            return None
        return volume / 1000 if 0 < volume < float("inf") else None


def map_file(path: Path) -> FcsBytes:
    """Map a file into memory, so that only what is looked at is read, and only once.

    The file must not be changed while the bytes are in use.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file cannot be mapped
            return b""


def forget_pages(data: FcsBytes) -> None:
    """Give back the memory of a mapped file; what is looked at again comes from the disk or its cache."""
    if isinstance(data, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        data.madvise(mmap.MADV_DONTNEED)


def compute_fcs_sha256(data: FcsBytes) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, a part of a mapped one in memory at a time."""
    digest, view = hashlib.sha256(), memoryview(data)
    for begin in range(0, len(data), _PIECE):
        digest.update(view[begin : begin + _PIECE])
        forget_pages(data)
    return digest.hexdigest()


def read_fcs(data: FcsBytes, *, name: str, by_column: int = 0) -> Acquisition:
    """Read one FCS file of one data set.

    FCS 2.0 to 3.2, list mode, floating point or integers of any width in either byte order.

    Parameters
    ----------
    data
        The whole file, read or mapped (`map_file`).
    name
        What to call the file in an error.
    by_column
        Up to so many events are copied so that each channel lies in one piece, as fits want it; the memory
        of the mapped file is given back meanwhile. More events stay where they lie, whatever their order of
        bytes. The values are the same.

    Returns
    -------
    Acquisition
        Events on a linear scale (gain divided, log amplification expanded), as recorded: not
        compensated here.

    Raises
    ------
    FcsReadError
        If the file is not FCS, is cut short, contradicts itself, holds more than one data set,
        or is stored in a way that is not read here (ASCII, histograms, mixed byte order).
    """
    segments = parse_fcs_segments(data, name=name)
    table = segments.lookup()
    mode = table.get("$MODE", "L").strip().upper() or "L"
    if mode != "L":
        raise FcsReadError(f"$MODE {mode!r}", place=f"{name} TEXT", expected="list mode (L)")
    channels = parse_channels(segments)
    span, n_events = locate_data(segments, channels, n_bytes=len(data))
    order = parse_byte_order(table["$BYTEORD"], f"{name} TEXT")
    raw = memoryview(data)[span.begin : span.end]
    # Lists, as what a generator fills is cut to size, and Python keeps 2,000 cut ones: many files would show.
    detectors = tuple([channel.name for channel in channels])
    decoded = parse_events(raw, channels, n_events=n_events, order=order, name=name)
    return Acquisition(
        name=name,
        version=segments.version,
        events=_choose_layout(n_events, by_column)(decoded, name=name, forget=lambda: forget_pages(data)),
        detectors=detectors,
        labels=tuple([channel.label for channel in channels]),
        ranges=np.array([channel.linear_upper for channel in channels]),
        time_step=_parse_time_step(table.get("$TIMESTEP", "")),
        keywords=MappingProxyType(table),
        spillover=_find_spillover(table, detectors, name),
    )


def _choose_layout(n_events: int, by_column: int) -> Callable[..., Events]:
    if n_events <= by_column:
        return turn_events
    return check_finite if by_column else settle_events


def turn_acquisition(acquisition: Acquisition) -> Acquisition:
    """Return the same events so that each channel lies in one piece; a mapped file's memory is given back."""
    events = acquisition.events
    if events.flags.f_contiguous:
        return acquisition
    turned = turn_events(events, name=acquisition.name, forget=lambda: forget_events(events))
    forget_events(events)
    return replace(acquisition, events=turned)


def forget_events(events: Events) -> None:
    """Give back the memory of events that lie in a mapped file."""
    under: object = events
    while isinstance(under, np.ndarray):
        under = under.base
    owner = under.obj if isinstance(under, memoryview) else under
    if isinstance(owner, mmap.mmap):
        forget_pages(owner)


def _parse_time_step(text: str) -> float | None:
    """Read ``$TIMESTEP``; a word that is no number says nothing about the events."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None


def _find_spillover(table: Mapping[str, str], detectors: Sequence[str], name: str) -> Spillover | None:
    for key in SPILLOVER_KEYWORDS:
        if table.get(key, "").strip(" ,0"):
            return parse_spillover(table[key], detectors=detectors, place=f"{name} {key}")
    return None


def parse_spillover(text: str, *, detectors: Sequence[str], place: str) -> Spillover:
    """Parse ``n,name...,n x n numbers row by row``.

    Parameters
    ----------
    text
        The keyword's value.
    detectors
        ``$PnN`` of the file; a name that is a bare number stands for the channel of this number.
    place
        File and keyword, for an error.

    Raises
    ------
    FcsReadError
        If the count, the names or the numbers are not those of a square matrix.

    Examples
    --------
    >>> parse_spillover("2,A,B,1,.2,.05,1", detectors=("A", "B"), place="x.fcs").matrix[0, 1]
    np.float64(0.2)
    """
    words = [word.strip() for word in text.split(",")]
    count = int(words[0]) if words[0].isascii() and words[0].isdigit() else 0
    if not 1 <= count <= len(words) or len(words) != 1 + count + count * count:
        raise FcsReadError(
            f"{len(words)} words, first {words[0]!r}", place=place,
            expected="n, n names and n x n numbers",
        )  # fmt: skip
    try:
        numbers = np.array([float(word) for word in words[1 + count :]])
    except ValueError:
        raise FcsReadError("a word that is no number", place=place, expected="numbers") from None
    names = tuple([_resolve_name(word, detectors) for word in words[1 : 1 + count]])
    if not np.all(np.isfinite(numbers)):
        raise FcsReadError("a number that is not finite", place=place, expected="numbers")
    return Spillover(detectors=names, matrix=numbers.reshape(count, count))


def _resolve_name(word: str, detectors: Sequence[str]) -> str:
    if word in detectors or not (word.isascii() and word.isdigit()):
        return word
    number = int(word)
    return detectors[number - 1] if 1 <= number <= len(detectors) else word
