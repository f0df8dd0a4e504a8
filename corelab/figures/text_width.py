"""How wide a text will be, near enough to keep labels apart without a browser."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Final

_NARROW: Final = "il.,:;|'!jtfr()[]/ \u00a0·I"
_WIDE: Final = "mwMW%@—"
_EM: Final[Mapping[str, float]] = {
    **dict.fromkeys(_NARROW, 0.30),
    **dict.fromkeys(_WIDE, 0.84),
    "\u202f": 0.2,
}
_UPPER: Final = 0.68
_USUAL: Final = 0.556


def measure_text(text: str, size_px: float) -> float:
    """Return the width of a text in px, from the widths of a grotesque such as Arial.

    Examples
    --------
    >>> round(measure_text("1000", 10), 2)
    22.24
    """
    return sum(_em(sign) for sign in text) * size_px


def shorten(text: str, size_px: float, width_px: float) -> str:
    """Return the text, cut with an ellipsis where it is wider than ``width_px``."""
    if measure_text(text, size_px) <= width_px:
        return text
    ends = accumulate(_em(sign) * size_px for sign in text)
    kept = sum(end + size_px * 0.9 <= width_px for end in ends)
    return text[:kept].rstrip() + "…"


def _em(sign: str) -> float:
    if ord(sign) > 0x2E80:  # CJK and other full-width signs
        return 1.0
    return _EM.get(sign, _UPPER if sign.isupper() else _USUAL)
