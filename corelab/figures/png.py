"""Small pictures of few colours as PNG bytes."""

import struct
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_LEVEL: Final = 6


def encode_png(pixels: Pixels, palette: Sequence[str]) -> bytes:
    r"""Write an indexed picture.

    Parameters
    ----------
    pixels
        ``(height, width)``, the top row first: places in the palette.
    palette
        At most 256 hexadecimal colours.

    References
    ----------
    Portable Network Graphics, W3C Recommendation, third edition.

    Examples
    --------
    >>> encode_png(np.zeros((1, 1), dtype=np.uint8), ["#FFFFFF"])[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colours = b"".join(bytes.fromhex(colour.removeprefix("#")) for colour in palette)
    # Each row begins with the number of its filter; none serves flat colours best.
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = pixels
    body = zlib.compress(rows.tobytes(), _LEVEL)
    parts = (_chunk(b"IHDR", header), _chunk(b"PLTE", colours), _chunk(b"IDAT", body), _chunk(b"IEND", b""))
    return _SIGNATURE + b"".join(parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
