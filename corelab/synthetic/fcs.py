"""An FCS 3.1 file from an array, in one pass: float32, little-endian, list mode."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

RANGE: Final = 262144
"""Upper range ``$PnR`` of every channel but ``Time``."""

_HEADER_BYTES: Final = 256
_DELIMITER: Final = "|"
_OFFSET_WIDTH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One column of an FCS file: its ``$PnN``, ``$PnS`` and ``$PnR``."""

    name: str
    label: str = ""
    upper: int = RANGE


def _text(keywords: Mapping[str, str]) -> bytes:
    parts = [
        f"{key}{_DELIMITER}{value.replace(_DELIMITER, _DELIMITER * 2)}" for key, value in keywords.items()
    ]
    return f"{_DELIMITER}{_DELIMITER.join(parts)}{_DELIMITER}".encode()


def _channel_keywords(channels: Sequence[Channel]) -> dict[str, str]:
    keywords: dict[str, str] = {}
    for number, channel in enumerate(channels, start=1):
        keywords[f"$P{number}N"] = channel.name
        if channel.label:
            keywords[f"$P{number}S"] = channel.label
        keywords |= {
            f"$P{number}B": "32",
            f"$P{number}E": "0,0",
            f"$P{number}R": str(channel.upper),
        }
    return keywords


def format_spillover(detectors: Sequence[str], matrix: npt.NDArray[np.float64]) -> str:
    """Write a spillover matrix as the value of ``$SPILLOVER``: n, names, rows.

    Parameters
    ----------
    detectors
        ``$PnN`` of the fluorescence channels.
    matrix
        ``(n, n)``; a row is a fluorochrome, a column a detector.

    Returns
    -------
    str
        Comma-separated, row by row.

    References
    ----------
    FCS 3.1, Spidlen et al., Cytometry A 2010;77:97, section 3.2.

    Examples
    --------
    >>> format_spillover(["A", "B"], np.array([[1, 0.25], [0, 1]]))
    '2,A,B,1,0.25,0,1'
    """
    numbers = (f"{value:.6g}" for value in matrix.ravel())
    return ",".join((str(len(detectors)), *detectors, *numbers))


def encode_fcs(
    events: npt.NDArray[np.float32],
    channels: Sequence[Channel],
    keywords: Mapping[str, str],
) -> bytes:
    """Give the bytes of an FCS 3.1 file.

    Parameters
    ----------
    events
        ``(n_events, n_channels)`` linear values.
    channels
        One description per column.
    keywords
        Further TEXT keywords in the order in which they are written; a value is never empty.

    Returns
    -------
    bytes
        HEADER, TEXT and DATA; no ANALYSIS, no supplemental TEXT.
    """
    data = np.ascontiguousarray(events, dtype="<f4").tobytes()
    return encode_head(len(events), channels, keywords) + data


def encode_head(n_events: int, channels: Sequence[Channel], keywords: Mapping[str, str]) -> bytes:
    """Give HEADER and TEXT of a file whose DATA, as for `encode_fcs`, follows at once."""
    n_bytes = 4 * n_events * len(channels)
    offsets = dict.fromkeys(("$BEGINDATA", "$ENDDATA"), "0" * _OFFSET_WIDTH)
    fixed = {
        "$BEGINANALYSIS": "0",
        "$ENDANALYSIS": "0",
        "$BEGINSTEXT": "0",
        "$ENDSTEXT": "0",
        "$BYTEORD": "1,2,3,4",
        "$DATATYPE": "F",
        "$MODE": "L",
        "$NEXTDATA": "0",
        "$PAR": str(len(channels)),
        "$TOT": str(n_events),
    }
    rest = fixed | _channel_keywords(channels) | dict(keywords)
    begin = _HEADER_BYTES + len(_text(offsets | rest))
    end = begin + n_bytes - 1
    offsets = {
        "$BEGINDATA": f"{begin:0{_OFFSET_WIDTH}d}",
        "$ENDDATA": f"{end:0{_OFFSET_WIDTH}d}",
    }
    numbers = (_HEADER_BYTES, begin - 1, *((begin, end) if end < 10**8 else (0, 0)), 0, 0)
    header = "FCS3.1    " + "".join(f"{number:8d}" for number in numbers)
    return header.ljust(_HEADER_BYTES).encode() + _text(offsets | rest)
