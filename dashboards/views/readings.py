"""What each visit of a course brought, as plain words for the column beside the cursor."""

from typing import Any

from corelab.figures.catalog import Catalog
from corelab.figures.clock import clock_position
from corelab.figures.course import PatientCourse
from corelab.figures.patient import readout_at
from corelab.figures.patient_rows import list_rows
from corelab.figures.readout import Line


def build_readings(course: PatientCourse, catalog: Catalog) -> dict[str, Any]:
    """Return the rows of the figure in order and, by visit, its place on the clock and its lines.

    A line is a list of pieces ``[text, tone]``.
    """
    if not course.is_infused:
        return {}
    visits = {}
    for tick in course.ticks:
        read = readout_at(course, tick.label, catalog)
        rows = {row: [write_line(line) for line in lines] for row, lines in read.items()}
        visits[tick.label] = {"x": clock_position(tick.day), "rows": rows}
    return {"rows": list_rows(course), "visits": visits}


def write_line(line: Line) -> list[list[str]]:
    """Return a line as pieces of text with their tone."""
    return [[piece.text, piece.tone] for piece in line]
