"""The gates of one acquisition for the browser: pictures, counts while a limit moves, and what was decided.

No event leaves the server: only pictures, and numbers that it counted itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from flask import Blueprint, Response, abort, jsonify, request
from flask_login import current_user

from corelab.cytometry.bench import Bench, find_dependents
from corelab.cytometry.decided import find_opposites
from corelab.cytometry.drawn import Drawn, build_tree
from corelab.cytometry.gate_view import GateView, describe_view, place_on
from corelab.cytometry.interchange.revision import Decision
from corelab.errors import CorelabError
from corelab.figures.gate_plot import Canvas, Overlays, build_gate_plot
from corelab.figures.gate_svg import find_plot_box, write_gate_svg, write_small_svg
from corelab.figures.numbers import format_count
from corelab.vocabulary import BEAD_QC, Role
from dashboards.access.roles import EVERY_ROLE, allow
from dashboards.components.gate_words import write_changes, write_count, write_percent
from dashboards.gates_sent import (
    Asked,
    decide_drawn,
    find_bench,
    find_view,
    open_asked,
    read_decisions,
    read_json,
    read_limits,
    read_number,
    read_place,
    read_shape_sent,
    read_size,
    read_target,
)
from dashboards.site import Site, read_scheme_word
from dashboards.views.acquisition import (
    find_before,
    find_fmo,
    find_per_event,
    list_siblings,
    list_tubes,
    read_populations,
    stretch_view,
)
from dashboards.views.controls import count_controls

PREFIX: Final = "/api/v1/acquisitions"
LONGEST_REASON: Final = 2000
LONGEST_STAMP: Final = 400


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
        plot = build_gate_plot(find_bench(asked.look), view, canvas=canvas, scheme=scheme, overlays=overlays)
        return write_gate_svg(
            plot, size=size, scheme=scheme, catalog=site.figure_catalog, with_limits=with_limits,
            stamp=words.get("stamp", "")[:LONGEST_STAMP],
        )  # fmt: skip

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
            model = describe_view(find_bench(other), view.population, x=view.x.channel, y=view.y.channel)
            view = view if model is None else place_on(view, x=model.x, y=model.y)
        if like and asked.look.file.tube == BEAD_QC:
            siblings = list_siblings(site.desk.known(), asked.look.file, site.home.study)
            view = stretch_view(asked.tables, siblings, view)
        back = words.get("back", "")
        known = back if back in find_bench(asked.look).population_names else ""
        canvas = Canvas(width=size[0], height=size[1], bin_px=1)
        overlays = Overlays(back=known)
        plot = build_gate_plot(find_bench(asked.look), view, canvas=canvas, scheme=scheme, overlays=overlays)
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
    names = find_bench(asked.look).population_names
    return Overlays(fmo=benches[0], before=benches[1], back=back if back in names else "")


def answer_count(site: Site, file_id: str) -> Response:
    """Count a population with one limit at a place of its axis and others where they were moved."""
    asked = open_asked(site, file_id)
    sent = read_json()
    if "shape" in sent:
        return answer_shape(site, asked, sent)
    view, gate = find_view(asked, sent), str(sent.get("gate", ""))
    line = next((line for line in view.lines if line.gate == gate), None)
    if line is None:
        abort(404)
    axis = view.x if line.side == "x" else view.y
    limit = read_number(sent["limit"]) if "limit" in sent else axis.value(read_place(sent.get("place")))
    others = {name: value for name, value in read_limits(sent, asked).items() if name != gate}
    bench = site.desk.try_decided(asked.look, others)
    count = None if bench is None else bench.count_at(view.population, gate, limit)
    parent = None if bench is None or not view.parent else bench.count(view.parent)
    if count is None or parent is None:
        abort(404)
    rows = read_populations(asked.tables, file_id)
    told = write_count(site, count, parent[0], per_event=find_per_event(rows, view.population))
    return jsonify({"gate": gate, "limit": limit, "place": axis.place(limit), **told})


def answer_shape(site: Site, asked: Asked, sent: Mapping[str, Any]) -> Response:
    """Count a population by a shape on the plot; of a quadrant, all four."""
    try:
        view, drawn = read_shape_sent(asked, sent)
        counts = count_drawn(find_bench(asked.look), view, drawn)
    except CorelabError as error:
        return refuse(site.say(str(error)))
    parent = find_bench(asked.look).count(view.parent)
    count = counts[drawn.points[1] if drawn.kind == "quadrant" else None]
    if count is None or parent is None:
        abort(404)
    rows = read_populations(asked.tables, asked.look.file.file_id)
    told = write_count(site, count, parent[0], per_event=find_per_event(rows, view.population))
    parts = (
        {f"{x:.0f}{y:.0f}": format_count(n or 0) for (x, y), n in counts.items() if n is not None}
        if drawn.kind == "quadrant"
        else {}
    )
    return jsonify({"quadrants": parts, **told})


def answer_preview(site: Site, file_id: str) -> Response:
    """Count every population before and after limits are moved, and name what a run fits anew."""
    asked = open_asked(site, file_id)
    sent = read_json()
    limits: Mapping[str, float] = read_limits(sent, asked)
    shapes: dict[str, Decision] = {}
    try:
        if "shape" in sent:
            decision = decide_drawn(asked, sent)
            limits, shapes = {}, {decision.gate: decision}
        saved, tried = asked.look.saved, site.desk.try_decided(asked.look, limits, shapes)
    except CorelabError as error:
        return refuse(site.say(str(error)))
    if saved is None or tried is None:
        abort(404)
    drawn = {*shapes, *(name for name, of in find_opposites(saved.template, shapes).items() if of in shapes)}
    moved = find_dependents(saved.template, limits, drawn) if limits or drawn else ()
    return jsonify(
        {
            "changes": write_changes(site, saved, tried),
            "dependents": list(moved),
            "controls": count_others(site, asked, tried, sent),
        }
    )


def count_others(site: Site, asked: Asked, bench: Bench, sent: Mapping[str, Any]) -> dict[str, list[str]]:
    """Count the moved limits in the control and before infusion, where a population is named."""
    if sent.get("population") not in bench.population_names:
        return {}
    view = describe_view(bench, sent["population"], x=sent.get("x", ""), y=sent.get("y", ""))
    if view is None or not view.has_gate:
        return {}
    return {
        one.kind: [format_count(one.count), write_percent(site, one.count, one.parent_count)]
        for one in count_controls(site, asked.tables, asked.look, view, own=bench)
    }


def answer_decisions(site: Site, file_id: str) -> Response:
    """Record limits or a shape, or take them back, for the tubes of a scope, with a reason."""
    asked = open_asked(site, file_id)
    sent = read_json()
    target = read_target(sent, asked)
    reason = str(sent.get("reason", "")).strip()[:LONGEST_REASON]
    try:
        decisions = read_decisions(sent, asked)
    except CorelabError as error:
        return refuse(site.say(str(error)))
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


def count_drawn(bench: Bench, view: GateView, drawn: Drawn) -> dict[Any, int | None]:
    """Count a shape; of a quadrant each of the four, by which it is.

    Raises
    ------
    CorelabError
        If it would hold every event.
    """
    parts: list[tuple[Any, Drawn]] = [(None, drawn)]
    if drawn.kind == "quadrant":
        sides = [(x, y) for x in (0.0, 1.0) for y in (0.0, 1.0)]
        parts = [(side, replace(drawn, points=(drawn.points[0], side))) for side in sides]
    name = view.population
    return {side: bench.count_shape(name, build_tree(name, part, view.frame), name) for side, part in parts}


def refuse(sentence: str) -> Response:
    """Answer 400 with a sentence for the person."""
    response = jsonify({"error": sentence})
    response.status_code = 400
    return response


def answer_svg(text: str) -> Response:
    """Answer a drawing."""
    return Response(text, content_type="image/svg+xml; charset=utf-8")
