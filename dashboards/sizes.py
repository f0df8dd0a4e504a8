"""The size of a browser's window, as it says itself, kept within what a chart can be drawn in."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PHONE_PX: Final = 860
"""Up to this width a drawer lies over the chart; no chart is narrower, but moved sideways in its frame."""
SMALLEST: Final = (PHONE_PX, 480)
STACKED_PX: Final = 1100
"""Up to this width columns stand below each other, as `assets/11-pages.css` says."""
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

    def beside(self, column: int, *, until: int = STACKED_PX) -> int:
        """Return the width that a column of so many px leaves: all, in windows ``until`` so many px.

        Examples
        --------
        >>> Viewport(width=1440, height=900).beside(372), Viewport(width=1024, height=768).beside(372)
        (1068, 1024)
        """
        return self.drawn[0] - (0 if self.width <= until else column)


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
