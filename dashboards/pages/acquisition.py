"""One acquisition: its gating tree, the plot of one gate, its limits, and the same gate elsewhere."""

from collections.abc import Mapping
from typing import Any, Final

import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from corelab.cytometry.drawn import KINDS
from corelab.cytometry.gate_view import list_channels
from corelab.figures.numbers import format_count
from corelab.store.acquisitions import AcquisitionFile
from dashboards.access.roles import EVERY_ROLE, allow
from dashboards.components.chips import build_chip
from dashboards.components.drawer import FILE_ID_SHOWN, LEVEL_GLYPHS, write_finding
from dashboards.components.empty import build_empty, build_unknown_page
from dashboards.components.gate_editor import describe_editor, may_draw
from dashboards.components.gate_panel import build_controls, build_panel
from dashboards.components.gate_strip import build_gate_strip
from dashboards.components.gate_tree import build_tree_table, build_tubes
from dashboards.components.run_now import build_run
from dashboards.components.stamp import build_stamp
from dashboards.desk import is_waiting
from dashboards.shell import format_time
from dashboards.site import Site, SnapshotTables
from dashboards.views.acquisition import (
    build_tree,
    find_before,
    find_fmo,
    list_siblings,
    name_occasion,
    read_populations,
)
from dashboards.views.address import OVERLAYS, parse_gate_address
from dashboards.views.opened import Opened, open_page

LEVEL_KINDS: Final[Mapping[str, str]] = {"pass": "ok", "warn": "warn", "fail": "fail"}
MOST_CHIPS: Final = 3
LARGE: Final = 200_000
"""Events of a file that takes longer than a moment to open."""


def layout(site: Site, file_id: str, query: Mapping[str, str]) -> Any:
    """Build the page of one acquisition; of a large file that is not open yet first what is being done."""
    tables = site.cache.current()
    if tables is None:
        return build_empty(site, "samples.empty")
    count = count_events(tables, file_id)
    if count > LARGE and not site.desk.is_open(tables, file_id):
        return html.Div(build_opening(site, file_id, query, count=count), id="gate-page")
    return build_page(site, tables, file_id, query)


def count_events(tables: SnapshotTables, file_id: str) -> int:
    """Return the events of a file as the snapshot counted them."""
    rows = read_populations(tables, file_id)
    found = next((row["count"] for row in rows if row["population"] == "events"), 0)
    return int(found) if found == found and found is not None else 0  # noqa: PLR0124 - NaN is not itself


def build_opening(site: Site, file_id: str, query: Mapping[str, str], *, count: int) -> list[Any]:
    """Say that a large file is being read; the page follows when it is."""
    file = site.desk.known().files.get(file_id)
    words = (file.subject_id, file.visit, file.panel, file.tube) if file else (file_id[:FILE_ID_SHOWN],)
    told = site.text("gate.opening", count=format_count(count))
    return [
        html.Div(html.H1(" · ".join(word for word in words if word)), className="strip"),
        html.Div([html.P(told, role="status"), html.Progress()], className="card opening"),
        dcc.Store(id="gate-opening", data={"file_id": file_id, "query": dict(query)}),
    ]


def build_page(site: Site, tables: SnapshotTables, file_id: str, query: Mapping[str, str]) -> Any:
    """Build the page of an acquisition that is open, or is opened for it."""
    look = site.desk.look(tables, file_id)
    if look is None:
        return build_unknown_page(site, "unknown.file", file=file_id[:FILE_ID_SHOWN])
    opened = open_page(tables, site.desk.known(), look, parse_gate_address(file_id, query))
    head = build_strip(site, opened)
    if look.bench is None:
        return [head, build_problem(site, opened)]
    return [
        head,
        html.Div(
            [build_side(site, opened), build_centre(site, opened), build_panel(site, opened)],
            className="gate",
        ),
        build_gate_strip(site, opened),
        build_stamp(site, tables, file_id[:FILE_ID_SHOWN], site.text("stamp.gates")),
        dcc.Store(id="gate-config", data=describe_editor(site, opened)),
    ]


def build_strip(site: Site, opened: Opened) -> Any:
    """Build the strip: which tube of whom, its quality, and what lies over the plot."""
    file = opened.look.file
    siblings = list_siblings(opened.known, file, site.home.study)
    place = next((i for i, one in enumerate(siblings) if one.file_id == file.file_id), 0)
    before = siblings[place - 1] if place > 0 else None
    after = siblings[place + 1] if place + 1 < len(siblings) else None
    run = () if file.subject_id else (file.instrument, file.collected_at[:10])
    title = " · ".join(word for word in (file.subject_id, file.visit, file.panel, file.tube, *run) if word)
    chips = [build_chip(html.Span(file.file_id[:FILE_ID_SHOWN], title=file.file_id), rank=3)]
    if file.collected_at:
        told = site.text("gate.collected", time=format_time(site, file.collected_at))
        chips.append(build_chip(told, rank=2))
    return html.Div(
        [
            build_step(site, opened, "previous", before),
            html.H1(title),
            build_step(site, opened, "next", after),
            *chips,
            *build_quality(site, opened),
            *build_waiting(site, opened),
            build_run(site),
            html.Span(className="grow"),
            *([build_overlays(site, opened)] if opened.view and opened.view.parent else []),
        ],
        className="strip",
    )


def build_step(site: Site, opened: Opened, name: str, other: AcquisitionFile | None) -> Any:
    """Build the arrow to the same gate at the visit before or after; greyed at either end."""
    glyph = site.text(f"patients.{name}.glyph")
    if other is None:
        return html.Span(glyph, className="icon off", **{"aria-hidden": "true"})
    label = site.text(f"gate.{name}", visit=name_occasion(other))
    return dcc.Link(
        [html.Span(glyph, **{"aria-hidden": "true"}), html.Span(label, className="unseen")],
        href=opened.address.href(file_id=other.file_id), id=f"patient-{name}", className="icon", title=label,
    )  # fmt: skip


def build_quality(site: Site, opened: Opened) -> list[Any]:
    """Build a chip for each graver finding, or one that says that there is none."""
    if not opened.rows:
        return []
    if not opened.findings:
        told = f"{LEVEL_GLYPHS['pass']} {site.text('drawer.no_finding')}"
        return [build_chip(told, kind="ok", name="gate-quality")]
    checks = list(dict.fromkeys((finding.level, finding.check) for finding in opened.findings))
    return [
        build_chip(f"{LEVEL_GLYPHS.get(level, '')} {check}", kind=LEVEL_KINDS.get(level, ""), rank=1)
        for level, check in checks[:MOST_CHIPS]
    ]


def build_waiting(site: Site, opened: Opened) -> list[Any]:
    """Say that gates were decided since the snapshot was made."""
    if not is_waiting(opened.tables, opened.known, opened.look.file.file_id):
        return []
    mark = html.Span(site.text("status_mark.stale"), **{"aria-hidden": "true"})
    return [build_chip(mark, site.text("gate.waits"), kind="warn", name="gate-waits")]


def build_overlays(site: Site, opened: Opened) -> Any:
    """Build the choice of what lies over the plot, as links: the address keeps it."""
    links = [
        dcc.Link(
            site.text(f"gate.overlay.{word}"), href=opened.address.href(overlay=word),
            className="on" if opened.address.overlay == word else "",
            id=f"gate-overlay-{word}",
        )
        for word in OVERLAYS
    ]  # fmt: skip
    return html.Nav(links, className="choice", **{"aria-label": site.text("gate.overlays")})


def build_problem(site: Site, opened: Opened) -> Any:
    """Say why there is nothing to look at, with the findings of the file."""
    findings = [html.P(write_finding(site, finding)) for finding in opened.findings]
    return html.Div(
        [
            html.H2(site.text(f"gate.problem.{opened.look.problem}.title")),
            html.P(site.text(f"gate.problem.{opened.look.problem}.next")),
            *findings,
        ],
        className="card empty", id="gate-problem",
    )  # fmt: skip


def build_side(site: Site, opened: Opened) -> Any:
    """Build the left column: the tree, the tubes of the visit, the findings of the tube."""
    tree = build_tree(opened.rows, opened.look, opened.population)
    findings = [
        html.Section(
            [
                html.H2(site.text("gate.findings")),
                html.Ul([html.Li(write_finding(site, finding)) for finding in opened.findings]),
            ],
            id="gate-findings",
        )
    ]
    return html.Div(
        [
            html.Div(build_tree_table(site, opened.address, tree, opened.population), className="tree"),
            build_tubes(site, opened.known, opened.tables, opened.address, opened.look.file),
            *(findings if opened.findings else []),
        ],
        className="card side",
    )


def build_centre(site: Site, opened: Opened) -> Any:
    """Build the plot with its heading above and its axes to choose below."""
    heading = html.Header([html.H2(write_heading(site, opened)), *list_keys(site, opened)], className="head")
    if opened.view is None:
        return html.Div(
            [heading, html.P(site.text("gate.no_plot"), className="quiet")], className="card centre"
        )
    alt = site.text(
        "gate.alt", population=opened.population, x=opened.view.x.channel, y=opened.view.y.channel
    )
    plot = html.Div(
        [html.Img(id="gate-image", alt=alt), html.Div(id="gate-overlay")], id="gate-plot", className="plot"
    )
    tools = [build_tools(site, opened)] if may_draw(opened) else []
    return html.Div([heading, *tools, plot, build_axis_row(site, opened)], className="card centre")


def build_tools(site: Site, opened: Opened) -> Any:
    """Build the choice of what the gate is: its limits or a shape to draw; the browser marks it."""
    view = opened.view
    names = [*(["limits"] if view and view.lines else []), *KINDS]
    buttons = [
        html.Button(
            [html.Span(site.text(f"gate.tool.{name}.glyph"), **{"aria-hidden": "true"}), " ",
             site.text(f"gate.tool.{name}.name")],
            id=f"gate-tool-{name}", className="tool", **{"data-tool": name, "aria-pressed": "false"},
        )
        for name in names
    ]  # fmt: skip
    return html.Div(
        [
            html.Div(buttons, className="choice", role="group", **{"aria-label": site.text("gate.tools")}),
            html.Span(site.text("gate.tool_note"), className="quiet how", id="gate-tool-note"),
        ],
        className="tools",
    )


def write_heading(site: Site, opened: Opened) -> list[Any]:
    """Write which gate this is, what divides it, and what is held beside it."""
    view = opened.view
    if view is None:
        return [html.B(opened.population)]
    parts = [html.B(opened.population)]
    if view.parent:
        parts.append(html.Span(site.text("gate.within", parent=view.parent)))
    held = [f"{term.cut}{'+' if term.positive else '−'}" for term in view.held]
    if held:
        parts.append(html.Span(site.text("gate.held", terms=" ".join(held))))
    unseen = [f"{term.cut}{'+' if term.positive else '−'}" for term in view.unseen]
    if unseen:
        parts.append(html.Span(site.text("gate.unseen", terms=" ".join(unseen))))
    return [piece for part in parts for piece in (part, " ")]


def list_keys(site: Site, opened: Opened) -> list[Any]:
    """Explain what lies over the plot, or say that there is no such tube."""
    view, address, file = opened.view, opened.address, opened.look.file
    if view is None or not view.is_divided:
        return [html.Span(site.text("gate.key.outside"), className="key")]
    keys = []
    if address.overlay in ("fmo", "both"):
        fmo = find_fmo(opened.known, file, (view.y.channel, view.x.channel))
        told = site.text("gate.key.fmo", tube=fmo.tube) if fmo else site.text("gate.key.no_fmo")
        keys.append(html.Span(told, className="key fmo" if fmo else "key"))
    if address.overlay in ("before", "both"):
        before = find_before(opened.tables, opened.known, file)
        told = site.text("gate.key.before", visit=before.visit) if before else site.text("gate.key.no_before")
        keys.append(html.Span(told, className="key before" if before else "key"))
    return [html.Span(keys, className="keys")]


def build_axis_row(site: Site, opened: Opened) -> Any:
    """Build the selects of both axes and of the population to look for."""
    view, bench = opened.view, opened.look.bench
    if view is None or bench is None:
        return html.Div()
    channels = list_channels(bench)
    names = [row["population"] for row in opened.rows]
    picks = (
        ("x", channels, view.x.channel),
        ("y", channels, view.y.channel),
        ("back", names, opened.address.back if opened.address.back in names else None),
    )
    return html.Div(
        [
            html.Div(
                [html.Span(site.text(f"gate.pick.{name}"), className="quiet"),
                 dmc.Select(
                     id=f"gate-{name}", data=list(words), value=chosen, searchable=True,
                     clearable=name == "back", className="select", allowDeselect=False,
                     placeholder=site.text("gate.pick.nothing"),
                     nothingFoundMessage=site.text("gate.pick.unknown"),
                     **{"aria-label": site.text(f"gate.pick.{name}")},
                 )],
                className="pick",
            )
            for name, words, chosen in picks
        ],
        className="picks",
    )  # fmt: skip


def register(app: Any, site: Site) -> None:
    """Let the browser draw, move limits, and write choices into the address."""

    def open_large(asked: Any) -> Any:
        tables = site.cache.current()
        if tables is None or not isinstance(asked, Mapping) or not isinstance(asked.get("query"), Mapping):
            return no_update
        words = {str(name): str(word) for name, word in asked["query"].items()}
        return build_page(site, tables, str(asked.get("file_id", "")), words)

    app.callback(Output("gate-page", "children"), Input("gate-opening", "data"))(
        allow(*EVERY_ROLE)(open_large)
    )

    def count_others(config: Any) -> list[Any]:
        tables = site.cache.current()
        if tables is None or not isinstance(config, Mapping):
            return []
        return build_controls(site, tables, config)

    app.callback(Output("gate-controls", "children"), Input("gate-config", "data"))(
        allow(*EVERY_ROLE)(count_others)
    )
    app.clientside_callback(
        ClientsideFunction("corelab", "openGate"),
        Output("gate-overlay", "title"),
        Input("gate-config", "data"),
        Input("scheme", "data"),
        Input("viewport", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("corelab", "pickGate"),
        Output("gate-plot", "title"),
        Input("gate-x", "value"),
        Input("gate-y", "value"),
        Input("gate-back", "value"),
        State("gate-config", "data"),
        prevent_initial_call=True,
    )
