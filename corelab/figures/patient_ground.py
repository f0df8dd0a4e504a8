"""What lies behind the marks of a course: zones, gutters, aplasia, seams, infusion and today."""

from collections.abc import Sequence

from corelab.figures.clock import BEFORE_SEAM, MONTH_SEAM, clock_position
from corelab.figures.course import PatientCourse, Point
from corelab.figures.panel import SEAM_PX, Drawing, Frame, Piece, Slot, box
from corelab.figures.tokens import Tokens, with_alpha


def is_seen(position: float, frame: Frame) -> bool:
    """Tell whether a position lies on the drawn part of the clock."""
    return frame.span.left < position < frame.span.right


def draw_ground(course: PatientCourse, drawings: dict[Slot, Drawing], frame: Frame) -> list[Piece]:
    """Return shapes in the order in which they cover each other."""
    shapes = [_draw_zone(slot, frame.tokens) for slot in drawings]
    for slot, drawing in drawings.items():
        gutters = [shape for shape in drawing.shapes if shape["type"] == "rect"]
        bands = _draw_aplasia(course, slot, drawing, frame) if slot.key == "b_cells" else []
        shapes += [*gutters, *bands, *(shape for shape in drawing.shapes if shape["type"] != "rect")]
    return [*shapes, *_draw_seams(drawings, frame), *_draw_uprights(course, drawings, frame)]


def _draw_zone(slot: Slot, tokens: Tokens) -> Piece:
    return box(f"{slot.axis} domain", (0, 1), (0, 1), xref="x domain", fillcolor=tokens.zone, layer="below")


def _draw_seams(drawings: dict[Slot, Drawing], frame: Frame) -> list[Piece]:
    """Draw a gap in body colour wherever the clock changes its scale."""
    half = SEAM_PX / 2
    return [
        box(
            slot.axis, (-half, half), _ends(drawing), fillcolor=frame.tokens.body, xsizemode="pixel",
            xanchor=position,
        )
        for slot, drawing in drawings.items()
        for position in (BEFORE_SEAM, MONTH_SEAM)
        if is_seen(position, frame)
    ]  # fmt: skip


def _ends(drawing: Drawing) -> tuple[float, float]:
    low, high = drawing.axis["range"]
    return float(low), float(high)


def _draw_uprights(course: PatientCourse, drawings: dict[Slot, Drawing], frame: Frame) -> list[Piece]:
    """Draw infusion and today through all rows.

    Plotly draws ``between`` only inside a subplot, so each line is a piece per row and one below all of
    them that shows in the gaps.
    """
    tokens, slots = frame.tokens, list(drawings)
    lines = {0.0: {"color": tokens.ink, "width": 1.5}}
    lines[clock_position(course.today)] = {"color": tokens.muted, "width": 1, "dash": "1px,3px"}
    whole = (frame.paper(slots[-1].top_px + slots[-1].height_px), frame.paper(slots[0].top_px))
    pieces: list[Piece] = []
    for position, line in lines.items():
        if is_seen(position, frame):
            look = {"type": "line", "line": line}
            if position == 0.0:
                pieces.append(box("paper", (position, position), whole, layer="below", **look))
            pieces += [box(slot.axis, (position, position), _ends(d), **look) for slot, d in drawings.items()]
    return pieces


def _draw_aplasia(course: PatientCourse, slot: Slot, drawing: Drawing, frame: Frame) -> list[Piece]:
    """Draw the band of aplasia, its uncertain end paler inside a dotted outline."""
    aplasia = course.aplasia
    if aplasia is None:
        return []
    tokens, ends, draws = frame.tokens, _ends(drawing), course.series["b_cells"]
    start, low, high = (
        clock_position(snap_to_draw(day, draws)) for day in (aplasia.start, aplasia.end_low, aplasia.end_high)
    )
    sure = with_alpha(tokens.b_cells, tokens.aplasia_sure)
    bands = [box(slot.axis, (start, low), ends, fillcolor=sure)]
    if high > low:
        pale = with_alpha(tokens.b_cells, tokens.aplasia_unsure)
        outline = {"color": tokens.b_cells, "width": 1, "dash": "dot"}
        bands.append(box(slot.axis, (low, high), ends, fillcolor=pale, line=outline))
    return bands


def snap_to_draw(day: float, draws: Sequence[Point]) -> float:
    """Return the elapsed time of the draw that a whole day of a table means, the day itself without one.

    Tables of recovery count dates, the clock counts hours: without this a band would begin beside its mark.
    """
    near = [point.day for point in draws if point.collected_at and abs(point.day - day) < 1.0]
    return min(near, key=lambda found: abs(found - day), default=day)
