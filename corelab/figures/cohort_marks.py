"""What stands on one facet of the cohort: every child's curve, the median, what lies below, the counts."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from corelab.figures.clock import ClockSpan, clock_position
from corelab.figures.cohort_data import Curve, Sample, VisitSummary, nominal_day
from corelab.figures.log_gutter import LogGutter
from corelab.figures.numbers import escape_markup
from corelab.figures.panel import Piece, font, note
from corelab.figures.text_width import measure_text
from corelab.figures.tokens import (
    ARM_SYMBOLS,
    DASH_GAP,
    FONT_LABEL,
    FONT_TICK,
    LINE_CHOSEN,
    LINE_HALO,
    LINE_MEDIAN,
    Tokens,
    with_alpha,
)

LANE_PX: Final = (9.0, 22.0)
COUNT_ROW_PX: Final = (42.0, 56.0)
MANY: Final = 12
"""Children in a group above which symbols and end labels give way to counts in the gutter."""
END_LABEL_STEP_PX: Final = 13.0
END_GAP_PX: Final = 7.0
TRACE_STEP_PX: Final = 4.0
AMBIGUOUS: Final = 20
"""What a name weighs that stands nearer to another child: so many points of curves under it."""
END_PLACES: Final = ((1, 0), (1, 1), (1, -1), (-1, 0), (1, 2), (1, -2), (-1, 1), (-1, -1), (1, 3), (1, -3))
"""Where a name may stand, the first that hides least: right or left of the value, so many lines above it."""

Box = tuple[float, float, float, float]
"""Left, lower, right and upper edge in px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """One dose group with its place on the figure; ``shown`` are the visits whose labels have room."""

    arm: str
    curves: tuple[Curve, ...]
    visits: tuple[VisitSummary, ...]
    number: int
    axis: LogGutter
    span: ClockSpan
    shown: frozenset[str]
    analyte: str
    highlight: str

    @property
    def x(self) -> str:
        """Plotly's name of the x axis."""
        return "x" if self.number == 1 else f"x{self.number}"

    @property
    def y(self) -> str:
        """Plotly's name of the y axis."""
        return "y" if self.number == 1 else f"y{self.number}"

    @property
    def has_labels(self) -> bool:
        """Whether every child has symbols and a name."""
        return len(self.curves) <= MANY

    @property
    def limit(self) -> float:
        """The limit of quantification that all samples share, NaN where they differ."""
        limits = {sample.lloq for curve in self.curves for sample in curve.samples if sample.lloq > 0}
        return limits.pop() if len(limits) == 1 else math.nan


def arm_colour(arm: str, tokens: Tokens) -> str:
    """Return the colour of a dose group."""
    return tokens.low if arm == "low" else tokens.high


def draw_facet(facet: Facet, tokens: Tokens) -> list[Piece]:
    """Draw one group from back to front: children, median, the chosen child, what lies below, counts."""
    colour = arm_colour(facet.arm, tokens)
    others = [curve for curve in facet.curves if curve.subject_id != facet.highlight]
    chosen = [curve for curve in facet.curves if curve.subject_id == facet.highlight]
    alpha, line = (0.55, 1.5) if facet.has_labels else (0.30, 1.0)
    traces = [_draw_curve(c, facet, colour=colour, line=(with_alpha(colour, alpha), line)) for c in others]
    traces += _draw_median(facet, colour, tokens)
    traces += [_draw_curve(c, facet, colour=tokens.ink, line=(tokens.ink, LINE_CHOSEN)) for c in chosen]
    below = facet.curves if facet.has_labels else chosen
    traces += _draw_below(below, facet, tokens)
    return [*traces, *_draw_counts(facet, tokens, colour)]


def _draw_curve(curve: Curve, facet: Facet, *, colour: str, line: tuple[str, float]) -> Piece:
    """Draw one child's values; the line breaks where a value lies below LLOQ."""
    points = [sample for sample in curve.samples if sample.day >= -1]
    mode = "lines+markers" if facet.has_labels or line[1] == LINE_CHOSEN else "lines"
    heights = [
        None if sample.is_below or not sample.value > 0 else facet.axis.height(sample.value)
        for sample in points
    ]
    return {
        "type": "scatter", "mode": mode, "xaxis": facet.x, "yaxis": facet.y, "showlegend": False,
        "x": [clock_position(sample.day) for sample in points], "y": heights, "connectgaps": False,
        "line": {"color": line[0], "width": line[1]},
        "marker": {
            "symbol": ARM_SYMBOLS[facet.arm], "size": 6 if line[1] != LINE_CHOSEN else 8, "color": colour,
            "opacity": 1,
        },
        "customdata": [[curve.subject_id, facet.analyte, s.visit_label, s.collected_at] for s in points],
        "hoverinfo": "none", "name": curve.subject_id, "meta": {"subject": curve.subject_id},
    }  # fmt: skip


def _draw_median(facet: Facet, colour: str, tokens: Tokens) -> list[Piece]:
    shown = [visit for visit in facet.visits if visit.has_median and visit.day > 0]
    band = _draw_band([v for v in shown if not math.isnan(v.upper)], facet, colour)
    known = [visit for visit in shown if not visit.median_is_below]
    if len(known) < 2:
        return band
    x = [clock_position(visit.day) for visit in known]
    y = [facet.axis.height(visit.median) for visit in known]
    common = {
        "type": "scatter", "mode": "lines", "xaxis": facet.x, "yaxis": facet.y, "hoverinfo": "skip",
        "showlegend": False,
    }  # fmt: skip
    lines: list[Piece] = [
        {**common, "x": x, "y": y, "line": {"color": tokens.body, "width": LINE_HALO}},
        {**common, "x": x, "y": y, "line": {"color": colour, "width": LINE_MEDIAN}},
    ]
    return [
        *band,
        *lines,
        *_draw_fall(
            known[-1], shown, facet, {**common, "line": {"color": colour, "width": 2, "dash": DASH_GAP}}
        ),
    ]


def _draw_fall(last: VisitSummary, shown: Sequence[VisitSummary], facet: Facet, look: Piece) -> list[Piece]:
    """Draw the median dotted into the gutter where it first falls below LLOQ."""
    after = [visit for visit in shown if visit.median_is_below and visit.day > last.day]
    if not after:
        return []
    ends = [clock_position(last.day), clock_position(after[0].day)]
    return [{**look, "x": ends, "y": [facet.axis.height(last.median), facet.axis.below(LANE_PX[0])]}]


def _draw_band(visits: Sequence[VisitSummary], facet: Facet, colour: str) -> list[Piece]:
    """Draw the quartiles; a lower quartile below LLOQ reaches the floor."""
    if len(visits) < 2:
        return []
    x = [clock_position(visit.day) for visit in visits]
    upper = [facet.axis.height(visit.upper) for visit in visits]
    lower = [facet.axis.floor if math.isnan(v.lower) else facet.axis.height(v.lower) for v in visits]
    return [
        {
            "type": "scatter", "mode": "lines", "xaxis": facet.x, "yaxis": facet.y, "x": [*x, *x[::-1]],
            "y": [*upper, *lower[::-1]], "fill": "toself", "fillcolor": with_alpha(colour, 0.15),
            "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False,
        }
    ]  # fmt: skip


def _draw_below(curves: Sequence[Curve], facet: Facet, tokens: Tokens) -> list[Piece]:
    found: list[tuple[Curve, Sample]] = [
        (curve, sample)
        for curve in curves
        for sample in curve.samples
        if sample.is_below and sample.day >= -1
    ]
    if not found:
        return []
    colour = arm_colour(facet.arm, tokens)
    edges = [tokens.ink if curve.subject_id == facet.highlight else colour for curve, _ in found]
    symbols = ["triangle-down" if sample.status == "detected_blq" else "circle" for _, sample in found]
    return [
        {
            "type": "scatter", "mode": "markers", "xaxis": facet.x, "yaxis": facet.y, "showlegend": False,
            "x": [clock_position(sample.day) for _, sample in found],
            "y": [facet.axis.below(LANE_PX[0])] * len(found),
            "marker": {
                "symbol": symbols, "size": 7, "color": tokens.gutter, "opacity": 1,
                "line": {"color": edges, "width": 1.5},
            },
            "customdata": [[c.subject_id, facet.analyte, s.visit_label, s.collected_at] for c, s in found],
            "hoverinfo": "none", "name": "below",
        }
    ]  # fmt: skip


def _draw_counts(facet: Facet, tokens: Tokens, colour: str) -> list[Piece]:
    """Write at each visit how many are quantified of how many; below LLOQ as a number when many."""
    visits = [visit for visit in facet.visits if visit.visit in facet.shown]
    x = [clock_position(nominal_day(visit.visit)) for visit in visits]
    rows = [
        ([str(visit.n_above) for visit in visits], COUNT_ROW_PX[0], tokens.ink_2),
        ([str(visit.n) for visit in visits], COUNT_ROW_PX[1], tokens.ink_2),
    ]
    if not facet.has_labels:
        below = ["" if visit.n == visit.n_above else str(visit.n - visit.n_above) for visit in visits]
        rows.append((below, LANE_PX[1], colour))
    return [
        {
            "type": "scatter", "mode": "text", "xaxis": facet.x, "yaxis": facet.y, "x": x,
            "y": [facet.axis.below(px)] * len(x), "text": texts, "hoverinfo": "skip", "showlegend": False,
            "textfont": font(FONT_TICK, ink), "name": "counts",
        }
        for texts, px, ink in rows
    ]  # fmt: skip


def draw_end_labels(facet: Facet, tokens: Tokens) -> list[Piece]:
    """Name the children at their last quantified value, where a name hides least."""
    wanted = [c for c in facet.curves if facet.has_labels or c.subject_id == facet.highlight]
    ends = [(curve, sample) for curve in wanted if (sample := _last_known(curve)) is not None]
    drawn = list(_trace_curves(facet)) if facet.has_labels else []
    taken: list[Box] = []
    notes = []
    for curve, sample in sorted(ends, key=_falling):
        at, end = (clock_position(sample.day), facet.axis.height(sample.value)), _place(sample, facet)
        width = measure_text(curve.subject_id, FONT_LABEL)
        others = [_place(s, facet) for c, s in ends if c is not curve]
        boxes = {place: _frame_name(end, width, *place) for place in END_PLACES}
        side, step = min(
            END_PLACES,
            key=lambda place: (
                _count_hidden(boxes[place], drawn, taken, facet)
                + AMBIGUOUS * _is_nearer(others, end, boxes[place])
            ),
        )
        taken.append(boxes[side, step])
        is_chosen = curve.subject_id == facet.highlight
        ink = tokens.ink if is_chosen else arm_colour(facet.arm, tokens)
        text = f"<b>{escape_markup(curve.subject_id)}</b>" if is_chosen else escape_markup(curve.subject_id)
        notes.append(
            note(
                text, xref=facet.x, yref=facet.y, at=at,
                xanchor="left" if side > 0 else "right", yanchor="middle", font=font(FONT_LABEL, ink),
                **_set_off(side, step, ink),
            )
        )  # fmt: skip
    return notes


def _set_off(side: int, step: int, ink: str) -> Piece:
    """Move a name from its value; one that is not beside it is led to it by a thin line."""
    if not step:
        return {"xshift": side * END_GAP_PX}
    return {
        "showarrow": True, "arrowhead": 0, "arrowwidth": 0.7, "arrowcolor": ink, "standoff": 4,
        "ax": side * END_GAP_PX, "ay": -step * END_LABEL_STEP_PX,
    }  # fmt: skip


def _is_nearer(others: Sequence[tuple[float, float]], end: tuple[float, float], box: Box) -> bool:
    """Tell whether a name stands nearer to the end of another child than to its own."""
    return any(_measure_gap(other, box) <= _measure_gap(end, box) for other in others)


def _measure_gap(point: tuple[float, float], box: Box) -> float:
    left, low, right, high = box
    return math.hypot(max(left - point[0], 0.0, point[0] - right), max(low - point[1], 0.0, point[1] - high))


def _place(sample: Sample, facet: Facet) -> tuple[float, float]:
    """Return where a value lies, in px from the left and upwards."""
    height = facet.axis.height(sample.value) / facet.axis.units_per_px
    return facet.span.pixel(clock_position(sample.day)), height


def _trace_curves(facet: Facet) -> Iterator[tuple[float, float]]:
    """Yield the marks of all children, and points along the lines between them."""
    for curve in facet.curves:
        known = [s for s in curve.samples if s.day >= -1]
        places = [None if s.is_below or not s.value > 0 else _place(s, facet) for s in known]
        yield from (place for place in places if place is not None)
        for one, other in pairwise(places):
            if one is not None and other is not None:
                steps = math.ceil(math.dist(one, other) / TRACE_STEP_PX)
                for step in range(1, steps):
                    share = step / steps
                    yield one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1])


def _frame_name(end: tuple[float, float], width: float, side: int, step: int) -> Box:
    left = end[0] + (END_GAP_PX if side > 0 else -END_GAP_PX - width)
    middle = end[1] + step * END_LABEL_STEP_PX
    return left, middle - END_LABEL_STEP_PX / 2, left + width, middle + END_LABEL_STEP_PX / 2


def _count_hidden(
    box: Box, drawn: Sequence[tuple[float, float]], taken: Sequence[Box], facet: Facet
) -> float:
    """Count what a name would stand on: points of curves, other names, the edge of the facet."""
    left, low, right, high = box
    hidden = sum(left <= x <= right and low <= y <= high for x, y in drawn)
    names = sum(left < b[2] and b[0] < right and low < b[3] and b[1] < high for b in taken)
    outside = left < 0 or right > facet.span.width_px or low * facet.axis.units_per_px < facet.axis.floor
    return hidden + 100 * names + 1000 * outside


def _falling(end: tuple[Curve, Sample]) -> float:
    return -end[1].value


def _last_known(curve: Curve) -> Sample | None:
    known = [sample for sample in curve.samples if not sample.is_below and sample.value > 0]
    return known[-1] if known else None
