"""The column beside the plot: what the gate holds, its limits, what a change would do, and its history."""

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from corelab.cytometry.decided import find_opposites
from corelab.cytometry.gate_view import describe_view
from corelab.cytometry.interchange.model import describe_geometry
from corelab.cytometry.interchange.revision import (
    Decision,
    GateRevision,
    Kind,
    Scope,
    read_limit,
    read_shape,
)
from corelab.figures.numbers import format_count, format_number
from corelab.vocabulary import Role
from dashboards.access.roles import may
from dashboards.components.gate_editor import may_draw
from dashboards.components.gate_words import write_count, write_difference, write_percent
from dashboards.shell import format_time
from dashboards.site import Site, SnapshotTables
from dashboards.views.acquisition import (
    find_per_event,
    list_history,
    list_tubes,
)
from dashboards.views.controls import Control, count_controls
from dashboards.views.opened import Opened, count_now


def build_panel(site: Site, opened: Opened) -> Any:
    """Build the column; what only a scientist may do is absent for others."""
    counted = count_now(opened)
    parts = [*build_lead(site, opened, counted), *build_compared(site, opened, counted)]
    lines = opened.view.lines if opened.view else ()
    if opened.view is not None and opened.view.parent:  # all events have no gate
        parts.append(build_limits(site))
        if may_draw(opened):
            parts += build_form(site, opened)
        parts += build_history(site, opened, [line.gate for line in lines])
    return html.Aside(parts, className="card panel", **{"aria-label": site.text("gate.panel")})


def build_lead(site: Site, opened: Opened, counted: tuple[int, int] | None) -> list[Any]:
    """Build the one big number with its share, interval and concentration."""
    name = html.Div(
        [
            html.H2(opened.population),
            html.Span(site.text("gate.live"), className="chip live", id="gate-live", hidden=True),
        ],
        className="name",
    )
    told = dict.fromkeys(("count", "parent", "percent", "interval", "cells"), "")
    if counted is not None:
        told = write_count(site, *counted, per_event=find_per_event(opened.rows, opened.population))
    untold = [] if counted else [html.P(site.text("gate.not_counted"), className="quiet")]
    return [
        name,
        *untold,
        html.P(
            [html.B(told["count"], id="gate-count"), html.Span(told["parent"], id="gate-parent")],
            className="lead",
        ),
        html.P([html.B(told["percent"], id="gate-percent"), html.Span(told["interval"], id="gate-interval")]),
        html.P(told["cells"], id="gate-cells"),
        html.Div(id="gate-said", className="unseen", **{"aria-live": "polite"}),
    ]


def build_compared(site: Site, opened: Opened, counted: tuple[int, int] | None) -> list[Any]:
    """Build the table of the same gate in the snapshot and, once they are read, in other tubes."""
    saved = opened.look.saved.count(opened.population) if opened.look.saved else None
    if counted is None or saved is None:
        return []
    moved = write_difference(saved[0], counted[0]) if saved != counted else ""
    name = site.text("gate.compared.saved", id=opened.tables.snapshot.id[:8])
    heads = [
        html.Th(html.Span(site.text("gate.compared.what"), className="unseen"), scope="col"),
        html.Th(site.text("gate.head.events"), scope="col", className="number"),
        html.Th(site.text("gate.head.of_parent"), scope="col", className="number"),
        html.Th(site.text("gate.compared.change"), scope="col", className="number"),
    ]
    bodies = [
        html.Tbody([build_compared_row(site, name, saved, moved=moved)]),
        html.Tbody(id="gate-controls"),
    ]
    table = html.Table([html.Thead(html.Tr(heads)), *bodies], className="plain", id="gate-compared")
    return [html.H2(site.text("gate.compared.title")), table]


def build_compared_row(
    site: Site, name: Any, counted: tuple[int, int], *, moved: str = "", kind: str = "saved"
) -> Any:
    """Build one tube of the comparison."""
    texts = (format_count(counted[0]), write_percent(site, *counted), moved)
    cells = [html.Td(text, className="number") for text in texts]
    return html.Tr([html.Th(name, scope="row"), *cells], **{"data-control": kind})


def build_controls(site: Site, tables: SnapshotTables, config: Mapping[str, Any]) -> list[Any]:
    """Count the gate's limits in the tubes that lie over its plot."""
    look = site.desk.look(tables, str(config.get("file_id", "")))
    if look is None or look.bench is None or config.get("population") not in look.bench.population_names:
        return []
    x, y = (str(config.get(name, "")) for name in ("x", "y"))
    view = describe_view(look.bench, config["population"], x=x, y=y)
    if view is None or not view.has_gate:
        return []
    return [build_control_row(site, control) for control in count_controls(site, tables, look, view)]


def build_control_row(site: Site, control: Control) -> Any:
    """Build the row of one other tube; the browser writes into it while a limit moves."""
    mark = html.Span(
        site.text(f"gate.compared.mark.{control.kind}"), className=control.kind, **{"aria-hidden": "true"}
    )
    name = [
        mark, " ",
        site.text(f"gate.compared.{control.kind}", tube=control.file.tube, visit=control.file.visit),
    ]  # fmt: skip
    return build_compared_row(site, name, (control.count, control.parent_count), kind=control.kind)


def build_limits(site: Site) -> Any:
    """Build the place in which the browser lists the limits of the plot."""
    return html.Div([html.H2(site.text("gate.limits")), html.Div(id="gate-limits")], className="limits")


def build_form(site: Site, opened: Opened) -> list[Any]:
    """Build what a scientist decides with: for which tubes, why, and what it changes."""
    tubes = list_tubes(opened.known, opened.look.file)
    scopes = [{"value": scope.value, "label": site.text(f"gate.scope.{scope}")} for scope in tubes]
    scope = dmc.SegmentedControl(
        id="gate-scope", data=scopes, value=Scope.ACQUISITION.value, className="segments",
        transitionDuration=0,
    )  # fmt: skip
    return [
        html.H2(site.text("gate.apply")),
        scope,
        html.P(site.text("gate.changes", count=1), id="gate-changes", className="warn"),
        html.Label(site.text("gate.reason"), htmlFor="gate-reason", className="h2"),
        html.Textarea(id="gate-reason", rows=2, maxLength=2000, className="reason"),
        html.Div([build_button(site, name) for name in ("save", "undo", "discard")], className="buttons"),
        html.P(id="gate-problem-said", role="alert", className="problem"),
        html.Div(id="gate-preview"),
    ]


def build_button(site: Site, name: str) -> Any:
    """Build a button of the form; the browser opens it when there is something to do."""
    kind = "button primary" if name == "save" else "button"
    return html.Button(site.text(f"gate.{name}"), id=f"gate-{name}", className=kind, disabled=True)


def build_history(site: Site, opened: Opened, gates: Sequence[str]) -> list[Any]:
    """Build the list of what was decided about these limits, with the fitted ones at its end."""
    history = list_history(opened.known, opened.look.file, gates, list_drawn(opened))
    if not history:
        return [html.H2(site.text("gate.history")), html.P(site.text("gate.no_history"), className="quiet")]
    standing = find_standing(history)
    rows = [build_revision(site, one, is_standing=one.id in standing) for one in history[:12]]
    return [
        html.H2(site.text("gate.history")),
        html.Table(html.Tbody(rows), className="plain", id="gate-history"),
    ]


def list_drawn(opened: Opened) -> list[str]:
    """List the populations whose shape decides the chosen one: itself, or its contrary."""
    template = opened.look.template
    if template is None:
        return [opened.population]
    names = [rule.name for rule in template.populations]
    contrary = [name for name in names if opened.population in find_opposites(template, [name])]
    return [opened.population, *contrary]


def find_standing(history: Sequence[GateRevision]) -> set[int]:
    """Return the ids of the newest decision of each scope and limit, unless it was taken back."""
    newest: dict[object, GateRevision] = {}
    for one in history:
        newest.setdefault((one.target, one.decision.kind, one.decision.gate), one)
    return {one.id for one in newest.values() if one.decision.content}


def build_revision(site: Site, one: GateRevision, *, is_standing: bool) -> Any:
    """Build one decision: when, by whom, what, for which tubes, and why."""
    limit = write_decided(site, one.decision)
    cells = [
        html.Td(
            [
                html.B(f"{one.decision.gate} {limit}"),
                html.Br(),
                html.Span(site.text(f"gate.scope.{one.target.scope}"), className="quiet"),
            ]
        ),
        html.Td(
            [site.text("gate.by", author=one.author, time=format_time(site, one.at)), html.Br(), one.reason]
        ),
    ]
    if may(Role.SCIENTIST):
        words = {
            "data-gate": one.decision.gate, "data-scope": one.target.scope.value,
            "data-kind": one.decision.kind.value,
        }  # fmt: skip
        label = site.text("gate.take_back", gate=one.decision.gate)
        button = html.Button(
            site.text("gate.take_back_short"), className="button small-button take-back", title=label, **words
        )
        cells.append(html.Td(button if is_standing else ""))
    return html.Tr(cells)


def write_decided(site: Site, decision: Decision) -> str:
    """Write a limit, or the kind of a shape."""
    if not decision.content:
        return site.text("gate.taken_back")
    if decision.kind is Kind.CUT:
        return format_number(read_limit(decision), digits=4)
    tree, gate = read_shape(decision)
    return site.text(f"gate.drawn.{describe_geometry(tree.gates[gate])}")
