"""Rows of bars over time: adverse events by grade, drugs with their dose."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from corelab.figures.catalog import Catalog
from corelab.figures.clock import clock_position
from corelab.figures.course import Episode
from corelab.figures.panel import Drawing, Frame, Piece, Slot, linear_axis, note
from corelab.figures.panel import font as plotly_font
from corelab.figures.text_width import measure_text, shorten
from corelab.figures.tokens import FONT_TICK, ink_on

LANE_LEAST_PX: Final = 10.5
LEAST_BAR_PX: Final = 3.0
LABEL_PX: Final = 74.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Episodes by lane, from top to bottom, and how many names found no lane."""

    names: tuple[str, ...]
    episodes: tuple[tuple[int, Episode], ...]
    hidden: int


def name_term(name: str, catalog: Catalog) -> str:
    """Return the short form of a term that has one, else the term in words of the language."""
    key = f"term.{re.sub('[^a-z0-9]+', '_', name.lower())}"
    return catalog.text(key) if catalog.has(key) else catalog.say(name)


def arrange_lanes(episodes: Sequence[Episode], *, at_most: int) -> Lanes:
    """Give each name a lane in the order of the episodes; those beyond ``at_most`` are counted."""
    names = list(dict.fromkeys(episode.name for episode in episodes))
    shown = names[:at_most]
    placed = tuple((shown.index(e.name), e) for e in episodes if e.name in shown)
    return Lanes(names=tuple(shown), episodes=placed, hidden=len(names) - len(shown))


def draw_episode_row(
    episodes: Sequence[Episode], slot: Slot, frame: Frame, *, today: float, is_graded: bool
) -> Drawing:
    """Draw bars from start to end; one that goes on ends at today with an arrow."""
    lanes = arrange_lanes(episodes, at_most=max(1, int(slot.height_px // LANE_LEAST_PX)))
    count = max(len(lanes.names), 4)
    names = [shorten(name_term(name, frame.catalog), FONT_TICK, LABEL_PX) for name in lanes.names]
    axis = linear_axis(count - 0.4, -0.6, ticks=list(range(len(names))), labels=names, tokens=frame.tokens)
    axis["showgrid"] = False
    bars = [_Bar.of(lane, episode, frame, today=today) for lane, episode in lanes.episodes]
    traces = [_draw_bars(bars, slot, frame, is_graded=is_graded)] if bars else []
    return Drawing(axis=axis, traces=traces, annotations=_draw_hidden(lanes.hidden, slot, frame))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    lane: int
    episode: Episode
    left: float
    width: float
    width_px: float

    @classmethod
    def of(cls, lane: int, episode: Episode, frame: Frame, *, today: float) -> "_Bar":
        end = episode.end if math.isfinite(episode.end) else max(today, episode.start)
        left, right = clock_position(episode.start), clock_position(end)
        seen = max(left, frame.span.left)
        width = max(right - left, frame.span.units(LEAST_BAR_PX))
        return cls(
            lane=lane, episode=episode, left=left, width=width,
            width_px=(left + width - seen) * frame.span.px_per_unit,
        )  # fmt: skip

    @property
    def words(self) -> str:
        grade = f"G{self.episode.grade}" if self.episode.grade else ""
        arrow = "" if math.isfinite(self.episode.end) else "▸"
        return " ".join(part for part in (grade, self.episode.text, arrow) if part)

    @property
    def holds_words(self) -> bool:
        return measure_text(self.words, FONT_TICK - 1) + 4 <= self.width_px


def _draw_bars(bars: Sequence[_Bar], slot: Slot, frame: Frame, *, is_graded: bool) -> Piece:
    tokens = frame.tokens
    fills = [tokens.grades[max(bar.episode.grade, 1) - 1] if is_graded else tokens.drug for bar in bars]
    inks = [ink_on(fill) if bar.holds_words else tokens.ink_2 for bar, fill in zip(bars, fills, strict=True)]
    return {
        "type": "bar", "orientation": "h", "xaxis": "x", "yaxis": slot.axis, "showlegend": False,
        "base": [bar.left for bar in bars], "x": [bar.width for bar in bars], "y": [bar.lane for bar in bars],
        "width": 0.74, "text": [bar.words for bar in bars],
        "textposition": ["inside" if bar.holds_words else "outside" for bar in bars],
        "insidetextanchor": "start", "textangle": 0, "constraintext": "none", "cliponaxis": True,
        "textfont": {**plotly_font(FONT_TICK - 1, tokens.ink), "color": inks},
        "marker": {"color": fills, "line": {"color": tokens.ink_2, "width": 0.75}},
        "customdata": [[frame.subject_id, f"{slot.key}:{bar.episode.name}", "", ""] for bar in bars],
        "hoverinfo": "none", "name": slot.key, "meta": {"row": slot.key},
    }  # fmt: skip


def _draw_hidden(hidden: int, slot: Slot, frame: Frame) -> list[Piece]:
    if not hidden:
        return []
    text = frame.catalog.text("patient.more_lanes", n=hidden)
    return [
        note(
            text, xref="x domain", yref=f"{slot.axis} domain", at=(1.0, 0.0), xanchor="right",
            yanchor="bottom", xshift=-3, font=plotly_font(FONT_TICK, frame.tokens.muted),
        )
    ]  # fmt: skip
