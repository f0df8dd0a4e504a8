"""The gates of one acquisition for the browser: pictures, counts while a limit moves, and what was decided.

No event leaves the server: only pictures, and numbers that it counted itself.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response, abort, jsonify, request
from flask_login import current_user

from corelab.cytometry.bench import Bench, find_dependents
from corelab.cytometry.gate_view import GateView, describe_view, place_on
from corelab.cytometry.interchange.revision import Decision, Kind, Scope, Target, decide_cut, take_back
from corelab.errors import CorelabError
from corelab.figures.gate_plot import Canvas, Overlays, build_gate_plot
from corelab.figures.gate_svg import find_plot_box, write_gate_svg, write_small_svg
from corelab.figures.numbers import format_count
from corelab.vocabulary import GateSource, Role
from dashboards.access.roles import EVERY_ROLE, allow
from dashboards.components.gate_words import write_changes, write_count, write_percent
from dashboards.desk import Look
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.views.acquisition import (
    build_target,
    find_before,
    find_fmo,
    find_per_event,
    list_tubes,
    read_populations,
)
from dashboards.views.controls import count_controls

PREFIX: Final = "/api/v1/acquisitions"
FILE_ID: Final = re.compile(r"[0-9a-f]{64}")
LARGEST_PX: Final = 2400
SMALLEST_PX: Final = 40
LONGEST_REASON: Final = 2000
MOST_LIMITS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request is about: the snapshot's tables and the opened acquisition."""

    tables: SnapshotTables
    look: Look


def build_gates_api(site: Site) -> Blueprint:
    """Collect the routes; each says which roles may use it."""
    routes = Blueprint("gates", __name__, url_prefix=PREFIX)
    edit = (Role.SCIENTIST,)

    def add(
        path: str, name: str, answer: Callable[[Site, str], Response], *, roles: Any, method: str
    ) -> None:
        def view(file_id: str) -> Response:
            return answer(site, file_id)

        routes.add_url_rule(f"/<file_id>/{path}", name, allow(*roles)(view), methods=[method])

    add("plot.svg", "plot", answer_plot, roles=EVERY_ROLE, method="GET")
    add("small.svg", "small", answer_small, roles=EVERY_ROLE, method="GET")
    add("count", "count", answer_count, roles=edit, method="POST")
    add("preview", "preview", answer_preview, roles=edit, method="POST")
    add("decisions", "decide", answer_decisions, roles=edit, method="POST")
    return routes


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
    bench, population = _bench(asked.look), words.get("population", "")
    if population not in bench.population_names:
        abort(404)
    view = describe_view(bench, population, x=words.get("x", ""), y=words.get("y", ""))
    if view is None:
        abort(404)
    return view


def answer_plot(site: Site, file_id: str) -> Response:
    """Draw one gate large, with axes, curves and what lies over it."""
    asked = open_asked(site, file_id)
    words = request.args
    size, scheme = read_size(words), read_scheme_word(words.get("scheme"))
    with_limits = words.get("limits", "yes") != "no"
    key = ("plot", asked.look.key, site.figure_catalog.language, tuple(sorted(words.items())))

    def draw() -> str:
        view = find_view(asked, words)
        overlays = find_overlays(site, asked, view, words)
        box = find_plot_box(*size, has_margin=True)
        canvas = Canvas(width=int(box.width), height=int(box.height), has_margin=True)
        plot = build_gate_plot(_bench(asked.look), view, canvas=canvas, scheme=scheme, overlays=overlays)
        return write_gate_svg(
            plot, size=size, scheme=scheme, catalog=site.figure_catalog, with_limits=with_limits
        )

    return answer_svg(site.desk.picture(key, draw))


def answer_small(site: Site, file_id: str) -> Response:
    """Draw one gate small; on the axes of another acquisition (``like``), so that they compare."""
    asked = open_asked(site, file_id)
    words = request.args
    size, scheme = read_size(words), read_scheme_word(words.get("scheme"))
    like = words.get("like", "")
    other = open_asked(site, like).look if like and like != file_id else None
    key = ("small", asked.look.key, other.key if other else "", tuple(sorted(words.items())))

    def draw() -> str:
        view = find_view(asked, words)
        if other is not None:
            model = describe_view(_bench(other), view.population, x=view.x.channel, y=view.y.channel)
            view = view if model is None else place_on(view, x=model.x, y=model.y)
        back = words.get("back", "")
        known = back if back in _bench(asked.look).population_names else ""
        canvas = Canvas(width=size[0], height=size[1], bin_px=1)
        overlays = Overlays(back=known)
        plot = build_gate_plot(_bench(asked.look), view, canvas=canvas, scheme=scheme, overlays=overlays)
        return write_small_svg(plot, size=size, scheme=scheme)

    return answer_svg(site.desk.picture(key, draw))


def find_overlays(site: Site, asked: Asked, view: GateView, words: Mapping[str, str]) -> Overlays:
    """Open the tubes that lie over a plot, as far as they exist."""
    known, file = site.desk.known(), asked.look.file
    wanted = words.get("overlay", "both")
    fmo = find_fmo(known, file, (view.y.channel, view.x.channel)) if wanted in ("fmo", "both") else None
    before = find_before(asked.tables, known, file) if wanted in ("before", "both") else None
    benches = []
    for tube in (fmo, before):
        look = site.desk.look(asked.tables, tube.file_id) if tube is not None else None
        benches.append(look.bench if look is not None else None)
    back = words.get("back", "")
    names = _bench(asked.look).population_names
    return Overlays(fmo=benches[0], before=benches[1], back=back if back in names else "")


def answer_count(site: Site, file_id: str) -> Response:
    """Count a population with one limit at a place of its axis and others where they were moved."""
    asked = open_asked(site, file_id)
    sent = read_json()
    view, gate = find_view(asked, sent), str(sent.get("gate", ""))
    line = next((line for line in view.lines if line.gate == gate), None)
    if line is None:
        abort(404)
    axis = view.x if line.side == "x" else view.y
    limit = read_number(sent["limit"]) if "limit" in sent else axis.value(read_place(sent.get("place")))
    others = {name: value for name, value in read_limits(sent, asked).items() if name != gate}
    bench = site.desk.try_limits(asked.look, others)
    count = None if bench is None else bench.count_at(view.population, gate, limit)
    parent = None if bench is None or not view.parent else bench.count(view.parent)
    if count is None or parent is None:
        abort(404)
    rows = read_populations(asked.tables, file_id)
    told = write_count(site, count, parent[0], per_event=find_per_event(rows, view.population))
    return jsonify({"gate": gate, "limit": limit, "place": axis.place(limit), **told})


def answer_preview(site: Site, file_id: str) -> Response:
    """Count every population before and after limits are moved, and name what a run fits anew."""
    asked = open_asked(site, file_id)
    sent = read_json()
    limits = read_limits(sent, asked)
    saved, tried = asked.look.saved, site.desk.try_limits(asked.look, limits)
    if saved is None or tried is None:
        abort(404)
    return jsonify(
        {
            "changes": write_changes(site, saved, tried),
            "dependents": list(find_dependents(saved.template, limits)) if limits else [],
            "controls": count_others(site, asked, tried, sent),
        }
    )


def count_others(site: Site, asked: Asked, bench: Bench, sent: Mapping[str, Any]) -> dict[str, list[str]]:
    """Count the moved limits in the control and before infusion, where a population is named."""
    if sent.get("population") not in bench.population_names:
        return {}
    view = describe_view(bench, sent["population"], x=sent.get("x", ""), y=sent.get("y", ""))
    if view is None or not view.has_lines:
        return {}
    return {
        one.kind: [format_count(one.count), write_percent(site, one.count, one.parent_count)]
        for one in count_controls(site, asked.tables, asked.look.file, view)
    }


def answer_decisions(site: Site, file_id: str) -> Response:
    """Record limits, or take them back, for the tubes of a scope, with a reason."""
    asked = open_asked(site, file_id)
    sent = read_json()
    target = read_target(sent, asked)
    reason = str(sent.get("reason", "")).strip()[:LONGEST_REASON]
    decisions = read_decisions(sent, asked)
    if not decisions:
        return refuse(site.text("gate.nothing_moved"))
    if not reason:
        return refuse(site.text("gate.no_reason"))
    try:
        site.home.reviews.check_unlocked(list_tubes(site.desk.known(), asked.look.file)[target.scope])
        added = site.home.gates.add(
            [(target, decision) for decision in decisions], at=site.clock(), author=current_user.name,
            role=current_user.role, reason=reason,
        )  # fmt: skip
    except CorelabError as error:
        return refuse(site.say(str(error)))
    return jsonify({"recorded": [revision.id for revision in added]})


def read_decisions(sent: Mapping[str, Any], asked: Asked) -> list[Decision]:
    """Read the limits that were set, or the one that is taken back."""
    gate = sent.get("take_back")
    if gate is not None:
        if gate not in _bench(asked.look).cuts:
            abort(400)
        standing = Decision(kind=Kind.CUT, gate=gate, content="", source=GateSource.MANUAL)
        return [take_back(standing)]
    return [decide_cut(name, limit) for name, limit in sorted(read_limits(sent, asked).items())]


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
    cuts = _bench(asked.look).cuts
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


def refuse(sentence: str) -> Response:
    """Answer 400 with a sentence for the person."""
    response = jsonify({"error": sentence})
    response.status_code = 400
    return response


def answer_svg(text: str) -> Response:
    """Answer a drawing."""
    return Response(text, content_type="image/svg+xml; charset=utf-8")


def _bench(look: Look) -> Bench:
    """Return the gates of an opened acquisition; `open_asked` lets none through without."""
    if look.bench is None:
        abort(404)
    return look.bench
