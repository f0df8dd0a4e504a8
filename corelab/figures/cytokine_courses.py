"""Soluble analytes over time: a panel an analyte, a line a child, what lies below a limit in the gutter."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.clock import (
    clock_position,
)
from corelab.figures.cohort_data import nominal_day
from corelab.figures.course import SECONDS_PER_DAY, to_float
from corelab.figures.course_grid import GridPlace, GridSizes, draw_axes, draw_ground, fit_grid, lay_out
from corelab.figures.forest import draw_words
from corelab.figures.level_row import build_markers
from corelab.figures.log_gutter import LogGutter, build_log_gutter, compute_ticks
from corelab.figures.numbers import escape_markup, format_number
from corelab.figures.panel import Piece, font, linear_axis, note
from corelab.figures.screening_cell import write_unit
from corelab.figures.tokens import ARM_SYMBOLS, FONT_TABLE, FONT_TICK, SCHEMES, Scheme, Tokens, with_alpha

BELOW: Final = ("detected_blq", "not_detected")
ABSENT: Final = ("failed", "missing", "not_calculated")
SIZES: Final = GridSizes(
    left_px=52.0, gap_px=16.0, title_px=36.0, foot_px=10.0, panel_px=176.0, column_least_px=300.0
)
MANY: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One result of a child on its clock; ``value`` is the limit where only a bound is known."""

    subject_id: str
    arm: str
    day: float
    visit_label: str
    collected_at: str
    status: str
    value: float
    lloq: float
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyteCourse:
    """All results of one analyte, by child and in the order of time."""

    analyte: str
    unit: str
    draws: tuple[Draw, ...]


def build_courses(tables: Mapping[str, pd.DataFrame]) -> list[AnalyteCourse]:
    """Return the concentrations of every soluble analyte of the infused children, those measured most first.

    Reads ``subjects`` and ``measurements``. Results of a rejected run keep their place with status failed.
    """
    people = {
        str(row["subject_id"]): (str(row["arm"]), str(row["infusion_at"]))
        for row in tables["subjects"].to_dict(orient="records")
        if row["infusion_at"]
    }
    measured = tables["measurements"]
    rows = measured[
        (measured["assay"] == "cytokine")
        & (measured["metric"] == "concentration")
        & (measured["collected_at"] != "")
        & measured["subject_id"].isin(people)
    ].to_dict(orient="records")
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(str(row["name"]), []).append(row)
    names = sorted(found, key=lambda name: (-len(found[name]), name.lower()))
    return [_build_course(name, found[name], people) for name in names]


def _build_course(
    name: str, rows: Sequence[Mapping[str, Any]], people: Mapping[str, tuple[str, str]]
) -> AnalyteCourse:
    units = [str(row["unit"]) for row in rows if row["unit"]]
    unit = max(units, key=units.count) if units else ""
    draws = [_build_draw(row, *people[str(row["subject_id"])]) for row in rows if row["unit"] in ("", unit)]
    ordered = sorted(draws, key=lambda draw: (draw.subject_id, draw.day, draw.platform))
    return AnalyteCourse(analyte=name, unit=unit, draws=tuple(ordered))


def _build_draw(row: Mapping[str, Any], arm: str, infusion_at: str) -> Draw:
    collected = str(row["collected_at"])
    elapsed = dt.datetime.fromisoformat(collected) - dt.datetime.fromisoformat(infusion_at)
    limits = [to_float(row[name]) for name in ("value", "uloq", "low")]
    value = next((limit for limit in limits if limit > 0), math.nan)
    return Draw(
        subject_id=str(row["subject_id"]), arm=arm, day=elapsed.total_seconds() / SECONDS_PER_DAY,
        visit_label=str(row["visit_label"] or row["visit"]), collected_at=collected,
        status=str(row["status"]),
        value=to_float(row["value"]) if row["status"] != "above_uloq" else value, lloq=to_float(row["lloq"]),
        platform=str(row.get("source_id", "")),
    )  # fmt: skip


def courses_figure(
    courses: Sequence[AnalyteCourse],
    *,
    highlight: str,
    size: tuple[int, int],
    scheme: Scheme,
    catalog: Catalog,
) -> dict[str, Any]:
    """Return the panels in as many columns as have room; the figure is as high as its panels need.

    Parameters
    ----------
    courses
        Analytes in their order.
    highlight
        Child drawn in ink, or empty.
    size
        Outer width in px, and the height to fill at least.

    Notes
    -----
    Marks have ``customdata`` ``[draw, subject_id, analyte, collected_at, sentence]``.
    """
    tokens = SCHEMES[scheme]
    if not courses:
        return draw_words(catalog.text("courses.empty"), width=size[0], height=160, tokens=tokens)
    days = [draw.day for course in courses for draw in course.draws]
    grid = fit_grid(len(courses), days, size=size, sizes=SIZES)
    layout: Piece = lay_out(grid, tokens=tokens, revision="courses")
    data: list[Piece] = []
    shapes: list[Piece] = []
    notes: list[Piece] = []
    for number, course in enumerate(courses):
        axis = _build_axis(course, grid.panel_px)
        panel = _Panel(course=course, number=number, grid=grid, axis=axis, highlight=highlight)
        layout |= _axes(panel, tokens, catalog)
        data += _draw_panel(panel, tokens, catalog)
        shapes += draw_ground(panel, (axis.bottom, axis.floor, axis.top), tokens=tokens)
        notes.append(_draw_title(panel, tokens))
    return {"data": data, "layout": {**layout, "shapes": shapes, "annotations": notes}}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel(GridPlace):
    course: AnalyteCourse
    axis: LogGutter
    highlight: str


def _build_axis(course: AnalyteCourse, panel_px: float) -> LogGutter:
    values = [draw.value for draw in course.draws if draw.status not in (*BELOW, *ABSENT)]
    limits = [draw.lloq for draw in course.draws]
    known = [value for value in (*values, *limits) if value > 0]
    least = (min(known, default=1.0), max(known, default=10.0))
    return build_log_gutter(known, height_px=panel_px - SIZES.title_px - SIZES.foot_px, least=least)


def _axes(panel: _Panel, tokens: Tokens, catalog: Catalog) -> Piece:
    heights, labels = compute_ticks(panel.axis)
    lanes = [panel.axis.lane(1), panel.axis.lane(2)]
    words = [catalog.text("patient.lane.below"), catalog.text("patient.lane.no_result")]
    y_axis = linear_axis(
        panel.axis.bottom, panel.axis.top, ticks=[*heights, *lanes], labels=[*labels, *words], tokens=tokens
    )
    visits = (draw.visit_label for draw in panel.course.draws)
    return draw_axes(panel, visits, y_axis=y_axis, tokens=tokens)


def _draw_title(panel: _Panel, tokens: Tokens) -> Piece:
    unit = write_unit(panel.course.unit)
    text = f"<b>{escape_markup(panel.course.analyte)}</b>  {escape_markup(unit)}"
    return note(
        text, xref=f"{panel.x} domain", yref="paper", at=(0.0, panel.domain_y[1]), yanchor="bottom",
        yshift=15, font=font(FONT_TABLE, tokens.ink),
    )  # fmt: skip


def _draw_panel(panel: _Panel, tokens: Tokens, catalog: Catalog) -> list[Piece]:
    """Draw the children's lines, then their marks; the chosen child in ink on top."""
    highlight = panel.highlight
    is_many = len({draw.subject_id for draw in panel.course.draws}) > MANY
    traces = []
    for arm in ("low", "high", ""):
        draws = [d for d in panel.course.draws if d.arm == arm and d.subject_id != highlight]
        if draws:
            colour = {"low": tokens.low, "high": tokens.high}.get(arm, tokens.muted)
            line = {"color": with_alpha(colour, 0.3 if is_many else 0.55), "width": 1 if is_many else 1.5}
            traces.append(_draw_lines(draws, panel, line))
            if not is_many:
                traces.append(_draw_marks(draws, panel, colour, (tokens, catalog)))
    if is_many:
        traces += _draw_counts(panel, tokens)
    chosen = [d for d in panel.course.draws if d.subject_id == highlight and highlight]
    if chosen:
        traces.append(_draw_lines(chosen, panel, {"color": tokens.ink, "width": 2.5}))
        traces.append(_draw_marks(chosen, panel, tokens.ink, (tokens, catalog)))
    return traces


def _draw_counts(panel: _Panel, tokens: Tokens) -> list[Piece]:
    """Count what lies below a limit or gave no result at each visit, but not under the chosen child."""
    traces = []
    for lane, statuses, colour in ((1, BELOW, tokens.ink_2), (2, ABSENT, tokens.fail)):
        there = [draw for draw in panel.course.draws if draw.status in statuses]
        marked = {draw.visit_label for draw in there if draw.subject_id == panel.highlight}
        labels = [draw.visit_label for draw in there if draw.visit_label not in marked]
        counted = {
            visit: labels.count(visit) for visit in dict.fromkeys(labels) if math.isfinite(nominal_day(visit))
        }
        traces.append(
            {
                "type": "scatter", "mode": "text", "xaxis": panel.x, "yaxis": panel.y, "showlegend": False,
                "x": [clock_position(nominal_day(visit)) for visit in counted], "hoverinfo": "skip",
                "y": [panel.axis.lane(lane)] * len(counted), "text": [str(n) for n in counted.values()],
                "textfont": font(FONT_TICK - 1, colour), "name": "counts",
            }
        )  # fmt: skip
    return traces


def _height(draw: Draw, axis: LogGutter) -> float:
    if draw.status in BELOW:
        return axis.lane(1)
    if draw.status in ABSENT:
        return axis.lane(2)
    return axis.height(draw.value) if draw.value > 0 else axis.lane(1)


def _draw_lines(draws: Sequence[Draw], panel: _Panel, line: Piece) -> Piece:
    """Draw the lines; they break where a value is censored or lacking and between children."""
    x: list[float | None] = []
    y: list[float | None] = []
    before = ""
    for draw in draws:
        if draw.subject_id != before:
            x.append(None)
            y.append(None)
            before = draw.subject_id
        is_known = draw.status == "quantified" and draw.value > 0
        x.append(clock_position(draw.day))
        y.append(panel.axis.height(draw.value) if is_known else None)
    return {
        "type": "scatter", "mode": "lines", "xaxis": panel.x, "yaxis": panel.y, "x": x, "y": y, "line": line,
        "hoverinfo": "skip", "showlegend": False, "connectgaps": False, "name": "lines",
    }  # fmt: skip


def _draw_marks(draws: Sequence[Draw], panel: _Panel, colour: str, look: tuple[Tokens, Catalog]) -> Piece:
    tokens, catalog = look
    marker = build_markers([draw.status for draw in draws], colour, tokens)
    symbols = [
        ARM_SYMBOLS.get(draw.arm, symbol) if draw.status == "quantified" else symbol
        for draw, symbol in zip(draws, marker["symbol"], strict=True)
    ]
    return {
        "type": "scatter", "mode": "markers", "xaxis": panel.x, "yaxis": panel.y, "showlegend": False,
        "x": [clock_position(draw.day) for draw in draws], "y": [_height(draw, panel.axis) for draw in draws],
        "marker": {**marker, "symbol": symbols, "size": [min(size, 6.5) for size in marker["size"]]},
        "customdata": [
            [
                "draw", draw.subject_id, panel.course.analyte, draw.collected_at,
                _say(draw, panel.course, catalog),
            ]
            for draw in draws
        ],
        "hoverinfo": "none", "cliponaxis": False, "name": panel.course.analyte,
    }  # fmt: skip


def _say(draw: Draw, course: AnalyteCourse, catalog: Catalog) -> str:
    status = catalog.text(f"status.{draw.status}")
    is_number = draw.status in ("quantified", "above_uloq") and draw.value > 0
    value = f"{format_number(draw.value)} {write_unit(course.unit)}" if is_number else status
    shown = value if draw.status == "quantified" else f"{status} {value if is_number else ''}".strip()
    return f"{draw.subject_id} · {course.analyte} · {draw.visit_label} · {shown}"
