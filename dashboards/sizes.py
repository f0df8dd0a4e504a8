"""The size of a browser's window, as it says itself, kept within what a chart can be drawn in."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SMALLEST: Final = (640, 480)
LARGEST: Final = (5120, 2880)
WALL_PX: Final = 1800
WALL_SCALE: Final = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """Inner width and height of the window in px."""

    width: int
    height: int

    @property
    def scale(self) -> float:
        """How much larger everything is drawn on a wall screen."""
        return WALL_SCALE if self.width >= WALL_PX else 1.0

    @property
    def drawn(self) -> tuple[int, int]:
        """Width and height in the px of the drawing, before it is enlarged."""
        return math.floor(self.width / self.scale), math.floor(self.height / self.scale)


def read_viewport(sent: Mapping[str, Any] | None) -> Viewport | None:
    """Read what the browser sent; None when it has not told yet or tells nonsense.

    Examples
    --------
    >>> read_viewport({"width": 1440, "height": 900})
    Viewport(width=1440, height=900)
    >>> read_viewport({"width": "wide"}) is None
    True
    """
    if not isinstance(sent, Mapping):
        return None
    width, height = _read_px(sent.get("width")), _read_px(sent.get("height"))
    if width is None or height is None:
        return None
    return Viewport(
        width=min(max(width, SMALLEST[0]), LARGEST[0]), height=min(max(height, SMALLEST[1]), LARGEST[1])
    )


def _read_px(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value)
