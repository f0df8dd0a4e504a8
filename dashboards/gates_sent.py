"""What the browser sends about gates, read and refused where it is not what it should be."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import abort, request

from corelab.cytometry.bench import Bench
from corelab.cytometry.drawn import MOST_CORNERS, Drawn, build_tree, check_drawn
from corelab.cytometry.gate_view import GateView, describe_view
from corelab.cytometry.interchange.revision import (
    Decision,
    Kind,
    Scope,
    Target,
    decide_cut,
    decide_shape,
    take_back,
)
from corelab.vocabulary import GateSource
from dashboards.desk import Look
from dashboards.site import Site, SnapshotTables
from dashboards.views.acquisition import build_target

FILE_ID: Final = re.compile(r"[0-9a-f]{64}")
LARGEST_PX: Final = 2400
SMALLEST_PX: Final = 40
MOST_LIMITS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request is about: the snapshot's tables and the opened acquisition."""

    tables: SnapshotTables
    look: Look


def open_asked(site: Site, file_id: str) -> Asked:
    """Open the acquisition of a request; 404 where there is none or it has no gates to look at."""
    tables = site.cache.current()
    if tables is None or not FILE_ID.fullmatch(file_id):
        abort(404)
    look = site.desk.look(tables, file_id)
    if look is None or look.bench is None:
        abort(404)
    return Asked(tables=tables, look=look)


def find_view(asked: Asked, words: Mapping[str, str]) -> GateView:
    """Describe the plot that a request names; 404 for a population that the tube does not have."""
    bench, population = find_bench(asked.look), words.get("population", "")
    if population not in bench.population_names:
        abort(404)
    is_whole = words.get("whole", "") == "yes"
    view = describe_view(bench, population, x=words.get("x", ""), y=words.get("y", ""), is_whole=is_whole)
    if view is None:
        abort(404)
    return view


def read_decisions(sent: Mapping[str, Any], asked: Asked) -> list[Decision]:
    """Read the limits or the shape that were set, or the one that is taken back.

    Raises
    ------
    CorelabError
        If the shape is none.
    """
    gate = sent.get("take_back")
    if gate is not None:
        kind = Kind.SHAPE if sent.get("kind") == Kind.SHAPE else Kind.CUT
        known = find_bench(asked.look).cuts if kind is Kind.CUT else find_bench(asked.look).population_names
        if gate not in known:
            abort(400)
        standing = Decision(kind=kind, gate=gate, content="", source=GateSource.MANUAL)
        return [take_back(standing)]
    if "shape" in sent:
        return [decide_drawn(asked, sent)]
    return [decide_cut(name, limit) for name, limit in sorted(read_limits(sent, asked).items())]


def decide_drawn(asked: Asked, sent: Mapping[str, Any]) -> Decision:
    """Make the decision of a shape that was drawn on a plot.

    Raises
    ------
    CorelabError
        If it is no shape.
    """
    view, drawn = read_shape_sent(asked, sent)
    tree = build_tree(view.population, drawn, view.frame)
    return decide_shape(view.population, tree, view.population, source=GateSource.MANUAL)


def read_shape_sent(asked: Asked, sent: Mapping[str, Any]) -> tuple[GateView, Drawn]:
    """Read the plot and the shape of a request; 400 for what is no shape, 404 for a plot without parent.

    Raises
    ------
    CorelabError
        If the shape has no extent.
    """
    shape = sent["shape"]
    points = shape.get("points") if isinstance(shape, dict) else None
    is_shape = isinstance(points, list) and len(points) <= MOST_CORNERS
    if not is_shape or not all(isinstance(point, list) and len(point) == 2 for point in points or ()):
        abort(400)
    view = find_view(asked, sent)
    if not view.parent or find_bench(asked.look).select(view.parent) is None:
        abort(404)
    placed = [[read_number(place) for place in point] for point in points or ()]
    return view, check_drawn(str(shape.get("kind", "")), placed)


def read_target(sent: Mapping[str, Any], asked: Asked) -> Target:
    """Read for which tubes a decision holds; 400 for a scope that this tube does not have."""
    word = sent.get("scope")
    scope = next((scope for scope in Scope if scope.value == word), None)
    target = None if scope is None else build_target(asked.look.file, scope)
    if target is None:
        abort(400)
    return target


def read_limits(sent: Mapping[str, Any], asked: Asked) -> dict[str, float]:
    """Read limits by gate; 400 for anything that is no number or no limit of the tube."""
    given = sent.get("limits", {})
    if not isinstance(given, dict) or len(given) > MOST_LIMITS:
        abort(400)
    cuts = find_bench(asked.look).cuts
    if any(gate not in cuts or cuts[gate].reason == "MARKER_MISSING" for gate in given):
        abort(400)
    return {gate: read_number(limit) for gate, limit in given.items()}


def read_number(value: object) -> float:
    """Return a finite number, or answer 400."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        abort(400)
    return float(value)


def read_place(value: object) -> float:
    """Return a place on an axis, kept inside it."""
    return min(max(read_number(value), 0.0), 1.0)


def read_json() -> dict[str, Any]:
    """Return the object that was posted, or answer 400."""
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict):
        abort(400)
    words = ("population", "x", "y")
    if any(not isinstance(sent.get(word, ""), str) for word in words):
        abort(400)
    return sent


def read_size(words: Mapping[str, str]) -> tuple[int, int]:
    """Return width and height in px, kept within what can be drawn; 400 for what is no number."""
    try:
        width, height = (
            int(words.get(name, default)) for name, default in (("width", "680"), ("height", "520"))
        )
    except ValueError:
        abort(400)
    return tuple(min(max(px, SMALLEST_PX), LARGEST_PX) for px in (width, height))  # type: ignore[return-value]


def find_bench(look: Look) -> Bench:
    """Return the gates of an opened acquisition; `open_asked` lets none through without."""
    if look.bench is None:
        abort(404)
    return look.bench
