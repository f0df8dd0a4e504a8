"""The words around a course: names of rows and zones, read-outs, stamp."""

from collections.abc import Iterable
from typing import Final

from corelab.figures.clock import clock_position, list_zones
from corelab.figures.course import PatientCourse
from corelab.figures.numbers import escape_markup
from corelab.figures.panel import HEAD_PX, LEFT_PX, Frame, Piece, Slot, font, note, row_label
from corelab.figures.patient_ground import is_seen
from corelab.figures.patient_rows import APLASIA_BELOW, row_colour
from corelab.figures.phenotype_row import subset_colours
from corelab.figures.readout import Line, ReadOut, write_markup
from corelab.figures.text_width import measure_text
from corelab.figures.tokens import FONT_LABEL, FONT_TICK

ZONE_AT_PX: Final = 21.0


def label_aplasia(course: PatientCourse, slots: Iterable[Slot], frame: Frame) -> list[Piece]:
    """Name the band of aplasia."""
    slot = next(slot for slot in slots if slot.key == "b_cells")
    if course.aplasia is None or not is_seen(clock_position(course.aplasia.start), frame):
        return []
    text = frame.catalog.text("patient.aplasia", limit=f"{APLASIA_BELOW:g}")
    left = clock_position(course.aplasia.start)
    room = (frame.span.right - left) * frame.span.px_per_unit
    fits = measure_text(text, FONT_TICK) + 10 < room
    return [
        note(
            escape_markup(text), xref="x", yref=f"{slot.axis} domain", at=(left, 1.0), yshift=-3,
            xshift=6 if fits else -6, xanchor="left" if fits else "right",
            font=font(FONT_TICK, frame.tokens.b_cells),
        )
    ]  # fmt: skip


def draw_row_labels(slots: Iterable[Slot], frame: Frame) -> list[Piece]:
    """Write the name of each row."""
    words = frame.catalog
    return [
        row_label(
            [words.text(f"patient.row.{slot.key}"), words.text(f"patient.row.{slot.key}_unit")], slot, frame,
            colour=row_colour(slot.key, frame.tokens),
            ramp=frame.tokens.fold if slot.key == "tracks" else (),
        )
        for slot in slots
    ]  # fmt: skip


def draw_zone_labels(frame: Frame) -> list[Piece]:
    """Write over each zone of the clock how wide its day is."""
    pieces = []
    for name, left, right in list_zones(frame.span):
        room = (right - left) * frame.span.px_per_unit - 4
        texts = [frame.catalog.text(f"zone.{name}"), frame.catalog.text(f"zone.{name}_short")]
        fitting = [text for text in texts if measure_text(text, FONT_TICK) <= room]
        if fitting:
            at = (max(left, 0.0) if name == "days" else left, frame.paper(ZONE_AT_PX))
            look = font(FONT_TICK, frame.tokens.muted)
            pieces.append(note(fitting[0], xref="x", yref="paper", at=at, xshift=4, font=look))
    return pieces


def draw_today_label(course: PatientCourse, frame: Frame) -> list[Piece]:
    """Name the line of the cut-off."""
    position = clock_position(course.today)
    if not is_seen(position, frame):
        return []
    text = frame.catalog.text("patient.today")
    fits = measure_text(text, FONT_TICK) < (frame.span.right - position) * frame.span.px_per_unit
    return [
        note(
            text, xref="x", yref="paper", at=(position, frame.paper(HEAD_PX)), yshift=-3,
            xshift=3 if fits else -3, xanchor="left" if fits else "right",
            font=font(FONT_TICK, frame.tokens.muted),
        )
    ]  # fmt: skip


def draw_readout(
    course: PatientCourse, lines: ReadOut, *, slots: Iterable[Slot], frame: Frame
) -> list[Piece]:
    """Write the read-out beside each row; without one the phenotype shows its colours."""
    pieces = []
    for slot in slots:
        found = lines.get(slot.key, ())
        if slot.key == "tracks":
            pieces += _draw_track_readout(found, slot, frame)
        elif slot.key == "phenotype" and not found and course.phenotype:
            pieces.append(_draw_subset_key(course, slot, frame))
        elif found:
            accent = row_colour(slot.key, frame.tokens)
            pieces.append(_readout_note(write_markup(found, frame.tokens, accent=accent), slot, frame))
    return pieces


def _readout_note(markup: str, slot: Slot, frame: Frame) -> Piece:
    return note(
        markup, xref="paper", yref="paper", at=(1.0, frame.paper(slot.top_px)), xshift=8, yshift=1,
        font=font(FONT_LABEL, frame.tokens.ink_2), name=f"readout:{slot.key}",
    )  # fmt: skip


def _draw_track_readout(lines: tuple[Line, ...], slot: Slot, frame: Frame) -> list[Piece]:
    return [
        note(
            write_markup([line], frame.tokens, accent=frame.tokens.ink), xref="paper", yref=slot.axis,
            at=(1.0, float(index)), xshift=8, yanchor="middle", font=font(FONT_TICK, frame.tokens.ink_2),
            name=f"readout:{slot.key}:{index}",
        )
        for index, line in enumerate(lines)
        if line
    ]  # fmt: skip


def _draw_subset_key(course: PatientCourse, slot: Slot, frame: Frame) -> Piece:
    colours = subset_colours(frame.tokens)
    present = [name for name in colours if any(name in bar.percents for bar in course.phenotype)]
    words = {name: frame.catalog.text(f"subset.{name}") for name in present}
    parts = [f'<span style="color:{colours[name]}">■</span> {words[name]}' for name in present]
    rows = ["  ".join(parts[start : start + 2]) for start in range(0, len(parts), 2)]
    return _readout_note("<br>".join(rows), slot, frame)


def draw_stamp(stamp: str, frame: Frame) -> list[Piece]:
    """Write under the figure from what it was made."""
    if not stamp:
        return []
    return [
        note(
            escape_markup(stamp), xref="paper", yref="paper", at=(0.0, 0.0), xshift=4 - LEFT_PX, yshift=2,
            yanchor="bottom", font=font(FONT_LABEL, frame.tokens.muted), name="stamp",
        )
    ]  # fmt: skip
