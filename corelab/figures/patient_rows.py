"""Which rows a patient figure has, how high each is, and who draws it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from corelab.figures.clock import VisitTick
from corelab.figures.course import PatientCourse
from corelab.figures.episode_row import draw_episode_row
from corelab.figures.level_row import LevelStyle, draw_level_row
from corelab.figures.outcome_row import OutcomeStyle, draw_outcome_row
from corelab.figures.panel import ROW_GAP_PX, Drawing, Frame, Slot, note
from corelab.figures.panel import font as plotly_font
from corelab.figures.phenotype_row import draw_phenotype_row
from corelab.figures.tokens import FONT_LABEL, Tokens
from corelab.figures.track_row import draw_track_row

APLASIA_BELOW: Final = 10.0

CAR_LEAST: Final[Mapping[str, tuple[float, float]]] = {
    "car_abs": (0.2, 300.0), "car_vcn": (50.0, 50_000.0), "car_pct": (0.15, 50.0),
}  # fmt: skip

SHARES: Final[Mapping[str, float]] = {
    "car_abs": 2.45, "car_vcn": 1.75, "car_pct": 1.3, "b_cells": 1.85, "phenotype": 1.1, "tracks": 2.25,
    "sledai": 0.72, "upcr": 0.82, "egfr": 0.72, "events": 1.05, "drugs": 1.05,
}  # fmt: skip
"""Share of each row in the height, top to bottom."""

OUTCOMES: Final[Mapping[str, OutcomeStyle]] = {
    "sledai": OutcomeStyle(least=(0.0, 10.0), ticks=(0.0, 10.0, 20.0, 30.0)),
    "upcr": OutcomeStyle(least=(0.3, 3.0), ticks=(0.5, 3.0, 10.0, 0.1), threshold=0.5, is_log=True),
    "egfr": OutcomeStyle(least=(60.0, 90.0), ticks=(90.0, 60.0, 120.0, 30.0, 150.0)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPlan:
    """The rows of one figure in px from its top."""

    slots: tuple[Slot, ...]

    @property
    def bottom_px(self) -> float:
        """Where the last row ends."""
        last = self.slots[-1]
        return last.top_px + last.height_px


def list_rows(course: PatientCourse) -> list[str]:
    """Return the rows that a course has: all, without drugs where no table of them was given."""
    return [row for row in SHARES if row != "drugs" or course.drugs is not None]


def plan_rows(rows: list[str], *, top_px: float, bottom_px: float) -> RowPlan:
    """Share the height between ``top_px`` and ``bottom_px`` among rows, with a gap between them."""
    free = bottom_px - top_px - ROW_GAP_PX * (len(rows) - 1)
    unit = free / sum(SHARES[row] for row in rows)
    slots = []
    top = top_px
    for number, row in enumerate(rows, start=1):
        slots.append(Slot(key=row, number=number, top_px=top, height_px=SHARES[row] * unit))
        top += SHARES[row] * unit + ROW_GAP_PX
    return RowPlan(slots=tuple(slots))


def row_colour(row: str, tokens: Tokens) -> str:
    """Return the colour of a row's name and read-out: its lineage, else ink."""
    if row.startswith("car_"):
        return tokens.car_t
    return tokens.b_cells if row == "b_cells" else tokens.ink


def draw_row(course: PatientCourse, slot: Slot, frame: Frame) -> Drawing:
    """Draw one row, with words instead of marks where it has none."""
    drawing = _draw(course, slot, frame)
    if not is_empty(course, slot.key):
        return drawing
    words = note(
        _empty_words(course, slot.key, frame), xref="x domain", yref=f"{slot.axis} domain", at=(0.5, 0.5),
        xanchor="center", yanchor="middle", font=plotly_font(FONT_LABEL, frame.tokens.muted),
    )  # fmt: skip
    return Drawing(
        axis=drawing.axis, traces=drawing.traces, shapes=drawing.shapes,
        annotations=[*drawing.annotations, words],
    )  # fmt: skip


def is_empty(course: PatientCourse, row: str) -> bool:
    """Tell whether a row has nothing to show, not even that something is missing."""
    if row in ("phenotype", "tracks", "events"):
        return not {"phenotype": course.phenotype, "tracks": course.tracks, "events": course.events}[row]
    if row == "drugs":
        return not course.drugs
    return not course.series.get(row)


def _draw(course: PatientCourse, slot: Slot, frame: Frame) -> Drawing:
    row, tokens = slot.key, frame.tokens
    points = course.series.get(row, ())
    if row in OUTCOMES:
        return draw_outcome_row(points, slot, frame, style=OUTCOMES[row])
    if row == "phenotype":
        return draw_phenotype_row(course.phenotype, slot, frame)
    if row == "tracks":
        return draw_track_row(course.tracks, slot, frame)
    if row in ("events", "drugs"):
        episodes = course.events if row == "events" else course.drugs or ()
        return draw_episode_row(episodes, slot, frame, today=course.today, is_graded=row == "events")
    return draw_level_row(points, slot, frame, style=_level_style(row, tokens))


def _level_style(row: str, tokens: Tokens) -> LevelStyle:
    if row == "b_cells":
        return LevelStyle(colour=tokens.b_cells, least=(1.0, 500.0), threshold=APLASIA_BELOW)
    return LevelStyle(colour=tokens.car_t, least=CAR_LEAST[row])


def _empty_words(course: PatientCourse, row: str, frame: Frame) -> str:
    catalog = frame.catalog
    if row.startswith("car_"):
        coming = _next_visit(course)
        if coming is not None:
            return catalog.text("patient.empty.car_next", visit=coming.label)
        return catalog.text("patient.empty.car")
    return catalog.text(f"patient.empty.{'outcome' if row in OUTCOMES else row}")


def _next_visit(course: PatientCourse) -> VisitTick | None:
    ahead = [tick for tick in course.ticks if tick.day > course.today and math.isfinite(tick.day)]
    return min(ahead, key=lambda tick: tick.day, default=None)
