"""The line above a course that says what each mark means."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.figures.catalog import Catalog
from corelab.figures.level_row import build_markers
from corelab.figures.panel import Frame, Piece, Slot, font
from corelab.figures.text_width import measure_text
from corelab.figures.tokens import FONT_LABEL, Tokens

KEYS: Final = (
    "quantified",
    "detected_blq",
    "not_detected",
    "upper_limit",
    "lloq",
    "above_uloq",
    "failed",
    "missing",
)
RINGS: Final[Mapping[str, str]] = {"to_review": "circle-open", "stale": "square-open"}
_DRAWN_HERE: Final = ("upper_limit", "lloq", *RINGS)
MARK_PX: Final = 8.0
TEXT_PX: Final = 18.0
GAP_PX: Final = 16.0
KEY_CAP: Final = 0.8
KEY_FOOT: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """One mark and what it means; ``status`` is a status word, ``upper_limit`` or ``lloq``."""

    status: str
    text: str


def key_entries(catalog: Catalog, *, rings: Collection[str] = ()) -> tuple[KeyEntry, ...]:
    """Return the marks of a course in the order of the key line, with the rings of a review that it has."""
    shown = (*KEYS, *(key for key in RINGS if key in rings))
    return tuple(KeyEntry(status=key, text=catalog.text(f"key.{key}")) for key in shown)


def draw_key_line(entries: Sequence[KeyEntry], slot: Slot, frame: Frame, *, xaxis: str) -> list[Piece]:
    """Draw the entries from left to right on axes in px; those beyond the width are left out."""
    lefts = _place(entries, frame.span.width_px)
    shown = [(entry, left) for entry, left in zip(entries, lefts, strict=False)]
    statuses = [entry.status if entry.status not in _DRAWN_HERE else "quantified" for entry, _ in shown]
    markers = build_markers(statuses, frame.tokens.car_t, frame.tokens)
    for index, (entry, _) in enumerate(shown):
        if entry.status in RINGS:
            _draw_as_ring(markers, index, entry.status, frame)
        if entry.status in ("upper_limit", "lloq"):
            _draw_as_dash(markers, index, entry.status, frame)
    stems = [left + MARK_PX for entry, left in shown if entry.status == "upper_limit"]
    heights = [KEY_CAP if entry.status == "upper_limit" else 0.5 for entry, _ in shown]
    common = {"type": "scatter", "xaxis": xaxis, "yaxis": slot.axis, "hoverinfo": "skip", "showlegend": False}
    return [
        {
            **common, "mode": "markers", "x": [left + MARK_PX for _, left in shown], "y": heights,
            "marker": markers,
        },
        {
            **common, "mode": "lines", "x": [at for stem in stems for at in (stem, stem, None)],
            "y": [at for _ in stems for at in (KEY_FOOT, KEY_CAP, None)],
            "line": {"color": frame.tokens.car_t, "width": 1, "dash": "1px,2px"},
        },
        {
            **common, "mode": "text", "x": [left + TEXT_PX for _, left in shown], "y": [0.5] * len(shown),
            "text": [entry.text.replace("<", "&lt;") for entry, _ in shown], "textposition": "middle right",
            "textfont": font(FONT_LABEL, frame.tokens.ink_2),
        },
    ]  # fmt: skip


def _place(entries: Sequence[KeyEntry], width_px: float) -> list[float]:
    lefts = []
    left = 0.0
    for entry in entries:
        right = left + TEXT_PX + measure_text(entry.text, FONT_LABEL) + 4
        if right > width_px:
            break
        lefts.append(left)
        left = right + GAP_PX
    return lefts


def _draw_as_dash(markers: Piece, index: int, status: str, frame: Frame) -> None:
    """Turn one mark of the arrays made here into the dash of a limit."""
    colour = frame.tokens.muted if status == "lloq" else frame.tokens.car_t
    markers["symbol"][index] = "line-ew"
    markers["size"][index] = 7 if status == "lloq" else 4
    markers["color"][index] = colour
    markers["line"]["color"][index] = colour
    markers["line"]["width"][index] = 1.2


def _draw_as_ring(markers: Piece, index: int, status: str, frame: Frame) -> None:
    """Turn one mark of the arrays made here into a ring, or the square of what changed."""
    colour = frame.tokens.warn if status == "stale" else frame.tokens.ink_2
    markers["symbol"][index] = RINGS[status]
    markers["size"][index] = 12
    markers["color"][index] = colour
    markers["line"]["color"][index] = colour
    markers["line"]["width"][index] = 1.3


def draw_mark_key(
    marks: Sequence[tuple[Piece, str]], tokens: Tokens, *, axes: tuple[str, str]
) -> list[Piece]:
    """Draw the key of a matrix: each mark with its word, in one line on a hidden axis in pixels.

    Parameters
    ----------
    marks
        Look of the mark (a Plotly ``marker``) and its word.
    tokens
        Colours of the scheme.
    axes
        Names of the x and y axis that the key lies on.
    """
    left, places = 8.0, []
    for _, word in marks:
        places.append(left)
        left += 14.0 + measure_text(word, FONT_LABEL) + 16.0
    common: Piece = {
        "type": "scatter", "xaxis": axes[0], "yaxis": axes[1], "hoverinfo": "skip", "showlegend": False,
        "cliponaxis": False,
    }  # fmt: skip
    drawn = [
        {**common, "mode": "markers", "x": [at], "y": [0.5], "marker": look, "name": "key"}
        for (look, _), at in zip(marks, places, strict=True)
    ]
    words = {
        **common, "mode": "text", "x": [at + 8.0 for at in places], "y": [0.5] * len(places),
        "text": [word for _, word in marks], "textposition": "middle right",
        "textfont": font(FONT_LABEL, tokens.ink_2), "name": "key words",
    }  # fmt: skip
    return [*drawn, words]
