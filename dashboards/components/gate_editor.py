"""What the browser is told about the plot of a gate: where its limits are and what may be moved."""

import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from corelab.cytometry.drawn import Drawn
from corelab.cytometry.gate_view import choose_channels
from corelab.figures.gate_plot import choose_colour
from corelab.figures.gate_svg import BOTTOM, LEFT, MARGIN_GAP, MARGIN_WIDTH, RIGHT, TOP
from corelab.figures.numbers import format_count
from corelab.figures.tokens import SCHEMES
from corelab.vocabulary import Role
from dashboards.access.roles import may
from dashboards.components.gate_words import write_count
from dashboards.site import Site
from dashboards.views.acquisition import list_tubes
from dashboards.views.opened import Opened, count_now

API: Final = "/api/v1/acquisitions"
EDITOR_WORDS: Final = (
    "limit", "no_change", "failed", "handle", "dependents", "before_after", "corner", "whole", "place",
    "crossing", "quadrant", "closing", "shape_polygon", "shape_rectangle", "shape_ellipse",
    "shape_quadrant", "arm", "side",
)  # fmt: skip
MARGINS: Final[Mapping[str, int]] = {
    "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM, "gap": MARGIN_GAP, "beside": MARGIN_WIDTH,
}  # fmt: skip


def describe_editor(site: Site, opened: Opened) -> dict[str, Any]:
    """Describe for the browser what is drawn and what may be moved; it holds no event."""
    view, address, file = opened.view, opened.address, opened.look.file
    if view is None:
        return {"file_id": file.file_id}
    words = {
        "population": opened.population, "x": view.x.channel, "y": view.y.channel,
        "overlay": address.overlay, "back": address.back,
    }  # fmt: skip
    counted = count_now(opened)
    label = write_count(site, *counted, per_event=math.nan)["label"] if counted else ""
    tubes = list_tubes(opened.known, file)
    return {
        "api": f"{API}/{file.file_id}",
        "file_id": file.file_id,
        "plot": f"{API}/{file.file_id}/plot.svg?{urlencode({**words, 'limits': 'no'})}",
        "plot_whole": f"{API}/{file.file_id}/plot.svg?{urlencode({**words, 'whole': 'yes'})}",
        "shape": describe_shape(view.shape),
        "is_drawn": bool(opened.look.bench and opened.look.bench.is_drawn(opened.population)),
        "may_draw": may_draw(opened),
        "population": opened.population, "x": view.x.channel, "y": view.y.channel,
        "margins": MARGINS,
        "colours": {scheme: choose_colour(view.population, tokens) for scheme, tokens in SCHEMES.items()},
        "lines": [
            {
                "side": line.side, "gate": line.gate, "limit": line.limit, "place": line.place,
                "positive": line.is_positive, "alternative": line.is_alternative,
            }
            for line in view.lines
        ],
        "label": label, "may_edit": may(Role.SCIENTIST),
        "scopes": {
            scope.value: site.text("gate.changes", count=format_count(len(listed)))
            for scope, listed in tubes.items()
        },
        "words": {word: site.text(f"gate.editor.{word}") for word in EDITOR_WORDS},
        "address": address.href(x="", y="", back=""),
        "usual": list(find_usual(opened)),
    }  # fmt: skip


def describe_shape(shape: Drawn | None) -> dict[str, Any] | None:
    """Describe a shape by its kind and its points."""
    return None if shape is None else {"kind": shape.kind, "points": [list(point) for point in shape.points]}


def may_draw(opened: Opened) -> bool:
    """Tell whether the person may draw this gate: a scientist, where there is a parent to draw it in."""
    view, bench = opened.view, opened.look.bench
    if view is None or bench is None or not view.parent:
        return False
    return may(Role.SCIENTIST) and bench.select(view.parent) is not None


def find_usual(opened: Opened) -> tuple[str, str]:
    """Return the channels that the plot has when none are asked for."""
    bench = opened.look.bench
    return ("", "") if bench is None else choose_channels(bench, bench.rule(opened.population))
