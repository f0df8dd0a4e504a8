"""Rings around what a reviewer has still to see, squares around what changed after it was signed."""

from collections.abc import Mapping, Sequence
from typing import Final

from corelab.figures.panel import Piece
from corelab.figures.tokens import Tokens

RING_PX: Final = 14.0
LOOKS: Final[Mapping[str, str]] = {"review": "circle-open", "stale": "square-open"}


def ring_marks(traces: list[Piece], marks: Mapping[str, str], tokens: Tokens) -> list[Piece]:
    """Return the rings around the marks of a course.

    Parameters
    ----------
    traces
        Those of the rows; a mark's ``customdata`` is ``[subject_id, row, visit_label, collected_at]``.
    marks
        ``review`` or ``stale`` by visit; what is signed has none and stays quiet.
    tokens
        Colours.
    """
    colours = {"review": tokens.ink_2, "stale": tokens.warn}
    return [
        ring
        for trace in traces
        if trace.get("type") == "scatter" and "meta" in trace
        for state in LOOKS
        if (ring := _ring(trace, state, marks, colours[state]))["x"]
    ]


def _ring(trace: Piece, state: str, marks: Mapping[str, str], colour: str) -> Piece:
    keys = trace.get("customdata") or []
    at = [i for i, key in enumerate(keys) if _is_level(key) and marks.get(_name_visit(key[2])) == state]
    return {
        "type": "scatter", "mode": "markers", "xaxis": trace.get("xaxis", "x"), "yaxis": trace["yaxis"],
        "x": [trace["x"][i] for i in at], "y": [trace["y"][i] for i in at], "showlegend": False,
        "hoverinfo": "skip", "cliponaxis": False, "name": f"ring:{state}",
        "marker": {
            "symbol": LOOKS[state], "size": RING_PX, "color": colour, "opacity": 1,
            "line": {"color": colour, "width": 1.3},
        },
    }  # fmt: skip


def _is_level(key: Sequence[str] | None) -> bool:
    """Tell whether a mark is a value of a curve; rows of small squares and bars would drown in rings."""
    return bool(key) and key is not None and bool(key[3]) and ":" not in key[1] and key[1] != "phenotype"


def _name_visit(label: str) -> str:
    """Return the visit of a label: an unscheduled draw is numbered, its visit is not."""
    return label.partition(".")[0]
