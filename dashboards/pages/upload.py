"""Files in: chosen or dropped, sent in pieces, handed over, and what waits settled in place."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update
from flask_login import current_user

from corelab.errors import CorelabError, InputError
from corelab.ingest.layouts import LAYOUTS
from corelab.store.intake import decide_corrections
from corelab.store.jobs import DONE, RUN, RUNNING, Job
from corelab.store.objects import compute_sha256
from corelab.store.resolving import assign_files
from corelab.store.withdrawal import withdraw
from corelab.vocabulary import RUN_TUBES, Panel, Role
from dashboards.access.roles import allow
from dashboards.components.grid import GRID_THEME, list_grid_words
from dashboards.components.run_now import build_run
from dashboards.site import Site
from dashboards.views.intake import (
    list_correction_rows,
    list_file_rows,
    list_held_rows,
    read_progress,
    write_job,
)

POLL_MS: Final = 2_000
GRIDS: Final = ("files", "corrections", "held")
HEAD_PX: Final = 30
ROW_PX: Final = 26
MOST_ROWS: Final = 8
WORDS: Final = (
    "waiting", "sending", "received", "paused", "again", "refused", "remove", "overall", "speed", "handed",
    "nothing", "offline", "kilobytes", "megabytes", "pick_files", "pick_plates", "pick_folder",
)  # fmt: skip
"""Sentences that the browser's own script writes."""


def layout(site: Site) -> Any:
    """Build the page for a scientist."""
    heading = html.Div(
        [
            html.H1(site.text("upload.title")),
            html.Span(site.text("upload.purpose"), className="quiet"),
            html.Span(className="grow"),
            build_run(site),
        ],
        className="strip",
    )
    body = html.Div(
        [
            html.Div([build_drop(site), build_work(site), build_templates(site)], className="upload-in"),
            html.Div(
                [build_files(site), build_corrections(site), build_held(site)], className="upload-waits"
            ),
            dcc.Store(id="upload-tick"),
            dcc.Store(id="upload-version"),
            dcc.Interval(id="upload-interval", interval=POLL_MS),
        ],
        className="upload",
    )
    return [heading, body]


def build_drop(site: Site) -> Any:
    """Build the place to drop files on, the list that the script fills, and the button."""
    words = json.dumps({word: site.text(f"upload.script.{word}") for word in WORDS})
    return html.Section(
        [
            html.Div(
                [
                    html.B(site.text("upload.drop")),
                    html.Span(site.text("upload.drop_hint"), className="quiet"),
                    html.Span(id="upload-picker", className="chips"),
                ],
                id="upload-drop",
                className="drop",
                **{"data-words": words},
            ),
            html.Div(id="upload-overall", className="upload-overall"),
            html.Div(id="upload-list", className="upload-list", **{"aria-live": "off"}),
            html.Div(
                [
                    html.Button(
                        site.text("upload.hand_over"),
                        id="upload-hand",
                        className="button primary",
                        disabled=True,
                    ),
                    html.Span(id="upload-say", role="status", className="quiet"),
                ],
                className="row",
            ),
        ],
        className="card",
        **{"aria-label": site.text("upload.drop")},
    )


def build_work(site: Site) -> Any:
    """Build the list of what the runner did of late."""
    return html.Section(
        [html.H2(site.text("upload.work")), html.Ul(id="upload-jobs", className="plain-list")],
        className="card",
    )


def build_job(site: Site, job: Job) -> Any:
    """Build one line about a piece of work, with a bar while it is done and the way to what came of it."""
    parts: list[Any] = [write_job(site, job)]
    if job.state == RUNNING:
        done, total = read_progress(job)
        parts.append(html.Progress(value=str(done), max=str(total)) if total else html.Progress())
    if job.kind == RUN and job.state == DONE:
        parts += [" ", html.A(site.text("upload.look"), href="/samples")]
    return html.Li(parts)


def build_templates(site: Site) -> Any:
    """Build the links to every input file, empty."""
    links = [
        html.Li(
            html.A(
                site.text("upload.template", name=stem),
                href=f"/api/v1/templates/{stem}.csv",
                className="button",
            )
        )
        for stem in LAYOUTS
    ]
    return html.Section(
        [
            html.H2(site.text("upload.templates")),
            html.P(site.text("upload.templates_hint"), className="quiet"),
            html.Ul(links, className="chips", id="upload-templates"),
        ],
        className="card",
    )


def build_files(site: Site) -> Any:
    """Build the grid in which files get their tubes."""
    subjects = sorted({row.subject_id for row in site.home.registry.active_rows() if row.kind == "subjects"})
    visits = [*site.home.study.visits_by_code, "UNS", "ET"]
    choices = {"subject_id": subjects, "visit": visits, "panel": [panel.value for panel in Panel]}
    tubes = ["full", "fmo_car", "fmo_cd19", *RUN_TUBES]
    columns = [
        {"field": "name", "pinned": "left", "minWidth": 180},
        *(choose(field, ["", *values]) for field, values in choices.items()),
        choose("tube", tubes),
        {"field": "collected_at", "editable": True, "minWidth": 190},
        {"field": "beads_per_tube", "editable": True},
        {"field": "batch", "editable": True},
        {"field": "against", "minWidth": 220, "cellClass": "warn", "tooltipField": "against"},
        {"field": "why", "minWidth": 260, "tooltipField": "why"},
        {"field": "waits", "minWidth": 220, "tooltipField": "waits"},
    ]
    return build_panel(site, "files", columns, buttons=("assign",), key="params.data.file_id")


def choose(field: str, values: Sequence[str]) -> dict[str, Any]:
    """Describe a column whose cells are chosen from a list."""
    return {
        "field": field, "editable": True, "cellEditor": "agSelectCellEditor",
        "cellEditorParams": {"values": list(values)},
    }  # fmt: skip


def build_corrections(site: Site) -> Any:
    """Build the grid of corrections, old beside new."""
    columns = [
        {"field": field, "minWidth": width}
        for field, width in (("source", 130), ("what", 220), ("field", 110), ("old", 120), ("new", 120))
    ]
    return build_panel(
        site, "corrections", columns, buttons=("accept", "refuse"),
        key="params.data.record_id + ' ' + params.data.field",
    )  # fmt: skip


def build_held(site: Site) -> Any:
    """Build the grid of everything else that waits."""
    columns = [
        {"field": "path", "minWidth": 170},
        {"field": "reason", "minWidth": 420, "flex": 1, "tooltipField": "reason"},
        {"field": "since", "minWidth": 130},
    ]
    return build_panel(site, "held", columns, buttons=("dismiss",), key="params.data.object")


def build_panel(
    site: Site, name: str, columns: list[dict[str, Any]], *, buttons: Sequence[str], key: str
) -> Any:
    """Build a grid with what a person can do with its selected rows, and the reason that it needs."""
    for column in columns:
        column["headerName"] = site.text(f"upload.column.{column['field']}")
    grid = dag.AgGrid(
        id=f"upload-{name}",
        columnDefs=columns,
        rowData=[],
        getRowId=key,
        defaultColDef={"sortable": True, "filter": True, "resizable": True, "minWidth": 90},
        dashGridOptions={
            "theme": GRID_THEME, "rowHeight": ROW_PX, "headerHeight": 28, "ensureDomOrder": True,
            "rowSelection": {"mode": "multiRow", "headerCheckbox": True}, "singleClickEdit": True,
            "stopEditingWhenCellsLoseFocus": True, "tooltipShowDelay": 300,
            "localeText": list_grid_words(site, no_rows=site.text(f"upload.{name}.none")),
        },
        columnSize="autoSize",
        style={"height": f"{fit_height(0)}px"},
    )  # fmt: skip
    actions = [
        html.Button(site.text(f"upload.{action}"), id=f"upload-{action}", className="button")
        for action in buttons
    ]
    reason = dmc.TextInput(
        id=f"upload-{name}-reason",
        label=site.text("upload.reason"),
        placeholder=site.text(f"upload.{name}.reason"),
        size="xs",
        className="grow",
    )
    return html.Section(
        [
            html.H2(site.text(f"upload.{name}.title")),
            html.P(site.text(f"upload.{name}.hint"), className="quiet"),
            grid,
            html.Div([reason, *actions], className="row", id=f"upload-{name}-row", hidden=True),
            html.Span(id=f"upload-{name}-say", role="status"),
        ],
        className="card preview",
    )  # fmt: skip


def fit_height(count: int) -> int:
    """Return the height in px of a grid of so many rows: room for a few, and for the word where none is."""
    return HEAD_PX + ROW_PX * min(max(count, 2), MOST_ROWS)


def settle(site: Site, act: Callable[[], int], done: str) -> str:
    """Do what a person decided and say what came of it; new tables are asked for."""
    try:
        count = act()
    except CorelabError as error:
        return site.say(str(error))
    site.home.jobs.add(RUN, account=current_user.name, role=current_user.role.value, at=site.clock())
    return site.text(done, count=count)


def dismiss(site: Site, rows: Sequence[dict[str, Any]], reason: str) -> int:
    """Take what is selected out of the quarantine, for a reason; nothing that takes part is taken so.

    Raises
    ------
    InputError
        If it does not wait.
    """
    waiting = {row["object"] for row in list_held_rows(site)}
    if any(str(row.get("object")) not in waiting for row in rows):
        raise InputError("this does not wait", remedy="load the page again")
    for row in rows:
        withdraw(
            site.whole_home, str(row["object"]), reason=reason, at=site.clock(), author=current_user.name,
            role=current_user.role.value,
        )  # fmt: skip
    return len(rows)


def read_version(site: Site, jobs: Sequence[Job]) -> str:
    """Return what changes when anything on the page does, and only then: a refresh undoes unsaved edits."""
    waits = [(row["file_id"], row["row"], row["reason"]) for row in site.home.registry.quarantine_rows()]
    pending = list(site.home.registry.corrections()["id"])
    words = repr((waits, pending, [(job.id, job.state) for job in jobs]))
    return compute_sha256(words.encode("utf-8", "surrogatepass"))


def register(app: Any, site: Site) -> None:
    """Show what waits and what is done, and settle what is selected."""

    def poll(_ticks: int | None, _tick: Any, seen: str | None) -> tuple[Any, Any]:
        jobs = site.home.jobs.latest()
        version = read_version(site, jobs)
        if version == seen and not any(job.state == RUNNING for job in jobs):
            return no_update, no_update
        return [build_job(site, job) for job in jobs], no_update if version == seen else version

    app.callback(
        Output("upload-jobs", "children"),
        Output("upload-version", "data"),
        Input("upload-interval", "n_intervals"),
        Input("upload-tick", "data"),
        State("upload-version", "data"),
    )(allow(Role.SCIENTIST)(poll))

    def show(_version: str | None) -> tuple[Any, ...]:
        files = list_file_rows(site)
        lists = files, list_correction_rows(site), list_held_rows(site, files)
        heights = [{"height": f"{fit_height(len(rows))}px"} for rows in lists]
        return *lists, *heights, *(not rows for rows in lists)

    app.callback(
        *(Output(f"upload-{name}", "rowData") for name in GRIDS),
        *(Output(f"upload-{name}", "style") for name in GRIDS),
        *(Output(f"upload-{name}-row", "hidden") for name in GRIDS),
        Input("upload-version", "data"),
        prevent_initial_call=True,
    )(allow(Role.SCIENTIST)(show))
    register_decisions(app, site)


def register_decisions(app: Any, site: Site) -> None:
    """Wire the buttons under the grids."""

    def who() -> dict[str, Any]:
        return {"at": site.clock(), "actor": current_user.name, "role": current_user.role.value}

    def assign(rows: list[dict[str, Any]], reason: str) -> int:
        return assign_files(site.whole_home, rows, reason=reason, **who())

    def decide(rows: list[dict[str, Any]], reason: str, *, accept: bool) -> int:
        asked = {str(row.get("record_id")) for row in rows}
        ids = {int(one) for one in site.home.registry.corrections()["id"] if str(one) in asked}
        return decide_corrections(site.whole_home, ids, accept=accept, reason=reason, **who())

    acts: dict[str, tuple[str, Callable[[list[dict[str, Any]], str], int]]] = {
        "assign": ("files", assign),
        "accept": ("corrections", lambda rows, reason: decide(rows, reason, accept=True)),
        "refuse": ("corrections", lambda rows, reason: decide(rows, reason, accept=False)),
        "dismiss": ("held", lambda rows, reason: dismiss(site, rows, reason)),
    }
    for name, (grid, act) in acts.items():
        app.callback(
            Output(f"upload-{grid}-say", "children", allow_duplicate=True),
            Output("upload-tick", "data", allow_duplicate=True),
            Input(f"upload-{name}", "n_clicks"),
            State(f"upload-{grid}", "selectedRows"),
            State(f"upload-{grid}", "rowData"),
            State(f"upload-{grid}-reason", "value"),
            prevent_initial_call=True,
        )(allow(Role.SCIENTIST)(make_press(site, name, act)))


def pick_rows(selected: Any, shown: Any) -> list[dict[str, Any]]:
    """Return the selected rows as they are shown: the browser's list of selected ones knows no edits."""
    chosen = [row for row in selected or [] if isinstance(row, dict)]
    edited = {str(row["file_id"]): row for row in shown or [] if isinstance(row, dict) and "file_id" in row}
    return [edited.get(str(row.get("file_id")), row) for row in chosen]


def make_press(
    site: Site, name: str, act: Callable[[list[dict[str, Any]], str], int]
) -> Callable[[int | None, Any, Any, str | None], tuple[Any, Any]]:
    """Make what a button does with the selected rows and the reason."""

    def press(clicks: int | None, selected: Any, shown: Any, reason: str | None) -> tuple[Any, Any]:
        if not clicks:
            return no_update, no_update
        rows = pick_rows(selected, shown)
        if not rows:
            return site.text("upload.select"), no_update
        said = reason if isinstance(reason, str) else ""
        return settle(site, lambda: act(rows, said), f"upload.done.{name}"), f"{name} {clicks}"

    return press
