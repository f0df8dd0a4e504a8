"""One subject's course on the infusion clock: every assay, its doubt, its gaps, on one time axis."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from corelab.figures.build_course import build_course
from corelab.figures.catalog import Catalog
from corelab.figures.clock import (
    ClockSpan,
    Until,
    clock_position,
    compute_right_day,
    compute_span,
    select_labels,
)
from corelab.figures.course import PatientCourse, Point
from corelab.figures.key_line import draw_key_line, key_entries
from corelab.figures.numbers import escape_markup
from corelab.figures.panel import HEAD_PX, LEFT_PX, Drawing, Frame, Piece, Slot, font, note
from corelab.figures.patient_ground import draw_ground
from corelab.figures.patient_notes import (
    draw_readout,
    draw_row_labels,
    draw_stamp,
    draw_today_label,
    draw_zone_labels,
    label_aplasia,
)
from corelab.figures.patient_rows import draw_row, list_rows, plan_rows
from corelab.figures.readout import (
    ReadOut,
    find_visit,
    readout_at,
    summarise_readout,
)
from corelab.figures.review_marks import ring_marks
from corelab.figures.tokens import FONT_LABEL, SCHEMES, Scheme, Tokens

__all__ = [
    "PatientCourse", "build_course", "find_visit", "key_entries", "patient_figure", "readout_at",
    "summarise_readout", "tick_layout",
]  # fmt: skip

RIGHT_PX: Final = 164.0
BARE_RIGHT_PX: Final = 12.0
STAMP_PX: Final = 22.0
KEY_PX: Final = 18.0
LEAST_HEIGHT_PX: Final = 776


def patient_figure(  # noqa: PLR0913 - the page's own choices, all of them by keyword
    course: PatientCourse,
    *,
    width: int,
    height: int,
    scheme: Scheme,
    catalog: Catalog,
    until: Until = "today",
    stamp: str = "",
    readout: ReadOut | None = None,
    with_readout: bool = True,
    marks: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the figure of one course.

    Parameters
    ----------
    course
        Made by `build_course`.
    width, height
        Outer size in px; under 776 px of height the figure keeps 776 and the page scrolls.
    scheme, catalog
        Colours and words.
    until
        Right end: M3, the next due visit, or M24.
    stamp
        Line under the figure that says from what it was made.
    readout
        Lines beside the rows; by default peak and last. Give `readout_at` for the cursor's visit.
    with_readout
        False leaves the read-out's column out, for a page that shows it beside the figure.
    marks
        ``review`` or ``stale`` by visit, drawn as rings and squares around its marks.

    Notes
    -----
    Every mark has ``customdata`` ``[subject_id, row, visit_label, collected_at]``; a row is a key of
    `PatientCourse.series`, ``phenotype``, ``tracks:<analyte>``, ``events:<term>`` or ``drugs:<drug>``.
    A missing visit has an empty ``collected_at``. Read-out texts are annotations named
    ``readout:<row>`` (``readout:tracks:<number>`` for each analyte).
    """
    tokens = SCHEMES[scheme]
    tall = max(height, LEAST_HEIGHT_PX)
    if not course.is_infused:
        return _draw_waiting(course, width=width, height=tall, tokens=tokens, catalog=catalog)
    right_px = RIGHT_PX if with_readout else BARE_RIGHT_PX
    frame = Frame(
        subject_id=course.subject_id, span=_compute_span(course, until, width - LEFT_PX - right_px),
        tokens=tokens, catalog=catalog, height_px=tall,
    )  # fmt: skip
    plan = plan_rows(list_rows(course), top_px=HEAD_PX, bottom_px=tall - STAMP_PX)
    drawings = {slot: draw_row(course, slot, frame) for slot in plan.slots}
    lines = readout if readout is not None else summarise_readout(course, catalog)
    traces = [trace for drawing in drawings.values() for trace in drawing.traces]
    return {
        "data": [
            *_draw_keys(len(plan.slots) + 1, frame, set((marks or {}).values())),
            *traces,
            *ring_marks(traces, marks or {}, tokens),
        ],
        "layout": {
            **_layout(width, tall, frame, right_px),
            **_axes(drawings, course, frame),
            "shapes": draw_ground(course, drawings, frame),
            "annotations": [
                *draw_row_labels(plan.slots, frame),
                *draw_zone_labels(frame),
                *draw_today_label(course, frame),
                *label_aplasia(course, plan.slots, frame),
                *(piece for drawing in drawings.values() for piece in drawing.annotations),
                *(draw_readout(course, lines, slots=plan.slots, frame=frame) if with_readout else []),
                *draw_stamp(stamp, frame),
            ],
        },
    }


def tick_layout(course: PatientCourse, span: ClockSpan, tokens: Tokens) -> Piece:
    """Return the clock's ticks for a span: all visits, labels where they have room (also after a zoom)."""
    shown = select_labels(course.ticks, span)
    labels = [
        _tick_label(tick.label, tick.is_due, tokens) if tick.label in shown else "" for tick in course.ticks
    ]
    return {
        "tickmode": "array", "tickvals": [clock_position(tick.day) for tick in course.ticks],
        "ticktext": labels,
    }  # fmt: skip


def _tick_label(label: str, is_due: bool, tokens: Tokens) -> str:  # noqa: FBT001 - a column of the tick
    return label if is_due else f'<span style="color:{tokens.muted}">{label}</span>'


def _compute_span(course: PatientCourse, until: Until, width_px: float) -> ClockSpan:
    right = compute_right_day(course.ticks, today=course.today, until=until)
    return compute_span(_drawn_days(course), right_day=right, width_px=width_px)


def _drawn_days(course: PatientCourse) -> Iterable[float]:
    points: list[Point] = [point for series in course.series.values() for point in series]
    points += [point for track in course.tracks for point in track.points]
    return [point.day for point in points] + [bar.day for bar in course.phenotype]


def _layout(width: int, height: float, frame: Frame, right_px: float) -> Piece:
    tokens = frame.tokens
    return {
        "template": None, "width": width, "height": height, "autosize": False,
        "margin": {"l": LEFT_PX, "r": right_px, "t": 0, "b": 0, "pad": 0},
        "paper_bgcolor": tokens.body, "plot_bgcolor": "rgba(0,0,0,0)", "font": font(FONT_LABEL, tokens.ink_2),
        "showlegend": False, "hovermode": "x", "hoversubplots": "axis", "hoverdistance": 24,
        "barmode": "stack", "bargap": 0, "dragmode": "zoom", "uirevision": frame.subject_id,
    }  # fmt: skip


def _axes(drawings: dict[Slot, Drawing], course: PatientCourse, frame: Frame) -> Piece:
    span, tokens = frame.span, frame.tokens
    last = len(drawings) + 1
    axes: Piece = {
        "xaxis": {
            "domain": [0, 1], "range": [span.left, span.right], "minallowed": span.left,
            "maxallowed": span.right, "anchor": "y", "side": "top", "showgrid": True,
            "gridcolor": tokens.grid, "gridwidth": 1, "zeroline": False, "showline": False,
            "ticks": "outside", "ticklen": 4, "tickcolor": tokens.border, "automargin": False,
            "tickangle": 0, "tickfont": font(FONT_LABEL, tokens.ink), **tick_layout(course, span, tokens),
        },
        "xaxis2": {
            "domain": [0, 1], "range": [0, span.width_px], "visible": False, "fixedrange": True,
            "anchor": f"y{last}",
        },
        f"yaxis{last}": {
            "domain": [frame.paper(KEY_PX), 1], "range": [0, 1], "visible": False, "fixedrange": True,
            "anchor": "x2",
        },
    }  # fmt: skip
    for slot, drawing in drawings.items():
        domain = [frame.paper(slot.top_px + slot.height_px), frame.paper(slot.top_px)]
        axes[slot.layout_key] = {**drawing.axis, "domain": domain, "anchor": "x"}
    return axes


def _draw_keys(number: int, frame: Frame, marks: Collection[str]) -> list[Piece]:
    slot = Slot(key="key", number=number, top_px=0, height_px=KEY_PX)
    rings = {"to_review" if mark == "review" else mark for mark in marks}
    return draw_key_line(key_entries(frame.catalog, rings=rings), slot, frame, xaxis="x2")


def _draw_waiting(
    course: PatientCourse, *, width: int, height: int, tokens: Tokens, catalog: Catalog
) -> dict[str, Any]:
    """Return the words that stand instead of a course before infusion."""
    text = catalog.text("patient.empty.not_infused", subject=course.subject_id)
    words = note(
        escape_markup(text), xref="paper", yref="paper", at=(0.5, 0.6), xanchor="center",
        font=font(FONT_LABEL + 2, tokens.ink_2),
    )  # fmt: skip
    hidden = {"visible": False, "fixedrange": True}
    return {
        "data": [],
        "layout": {
            "template": None, "width": width, "height": height, "autosize": False,
            "paper_bgcolor": tokens.body, "plot_bgcolor": tokens.body, "xaxis": hidden, "yaxis": hidden,
            "annotations": [words], "margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "dragmode": False,
        },
    }  # fmt: skip
