"""The row of soluble analytes: one line each, a mark a draw, filled by the fold over baseline."""

import bisect
import math
from collections.abc import Sequence
from typing import Final

from corelab.figures.clock import clock_position
from corelab.figures.course import Point, Track
from corelab.figures.panel import Drawing, Frame, Piece, Slot, linear_axis
from corelab.figures.tokens import FOLD_STEPS, MARKS, Tokens

SQUARE_PX: Final = 9.0
_SYMBOLS: Final = {"quantified": "square", "above_uloq": "triangle-up", "failed": "x-thin-open"}


def fold_bound(track: Track, point: Point) -> float:
    """Return the fold over baseline, or the bound on it where baseline or value is censored."""
    fold = track.folds.get(point.collected_at)
    if fold is None:
        return math.nan
    if math.isfinite(fold.value):
        return fold.value
    return fold.low if math.isfinite(fold.low) and fold.low > 0 else fold.high


def fold_colour(fold: float, tokens: Tokens) -> str:
    """Return the fill of a fold: the step it reached, body colour below the first step or without one."""
    step = 0 if math.isnan(fold) else bisect.bisect_right(FOLD_STEPS, fold)
    return tokens.body if step == 0 else tokens.fold[step - 1]


def draw_track_row(tracks: Sequence[Track], slot: Slot, frame: Frame) -> Drawing:
    """Draw the analytes from top to bottom."""
    count = max(len(tracks), 1)
    names = [track.name for track in tracks]
    axis = linear_axis(count - 0.4, -0.6, ticks=list(range(len(names))), labels=names, tokens=frame.tokens)
    axis["showgrid"] = False
    pixel = min(SQUARE_PX, slot.height_px / count - 1.5)
    cells = [(index, track, point) for index, track in enumerate(tracks) for point in track.points]
    return Drawing(axis=axis, traces=[_draw_cells(cells, pixel, slot, frame)] if cells else [])


def _draw_cells(cells: Sequence[tuple[int, Track, Point]], pixel: float, slot: Slot, frame: Frame) -> Piece:
    statuses = [point.status for _, _, point in cells]
    fills = [_fill(track, point, frame.tokens) for _, track, point in cells]
    edges = [_edge(status, frame.tokens) for status in statuses]
    return {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": slot.axis, "showlegend": False,
        "x": [clock_position(point.day) for _, _, point in cells], "y": [index for index, _, _ in cells],
        "marker": {
            "symbol": [_SYMBOLS.get(status, MARKS[status].symbol) for status in statuses],
            "size": [_size(status, pixel) for status in statuses], "color": fills, "opacity": 1,
            "line": {"color": edges, "width": [_edge_width(status) for status in statuses]},
        },
        "customdata": [
            [frame.subject_id, f"{slot.key}:{track.name}", point.visit_label, point.collected_at]
            for _, track, point in cells
        ],
        "hoverinfo": "none", "cliponaxis": True, "name": slot.key, "meta": {"row": slot.key},
    }  # fmt: skip


def _fill(track: Track, point: Point, tokens: Tokens) -> str:
    if point.status in ("quantified", "above_uloq"):
        return fold_colour(fold_bound(track, point), tokens)
    return tokens.fail if point.status == "failed" else tokens.body


def _edge(status: str, tokens: Tokens) -> str:
    return tokens.fail if status == "failed" else tokens.signed


def _edge_width(status: str) -> float:
    return 1.6 if status == "failed" else 1.0


def _size(status: str, pixel: float) -> float:
    return {"quantified": pixel, "above_uloq": pixel, "failed": pixel * 0.6, "missing": pixel * 0.55}.get(
        status, pixel * 0.7
    )
