"""The map of cells that is not there yet: how far it is, and the button that asks for it."""

from typing import Any, Final

from dash import ClientsideFunction, Input, Output, dcc, html, no_update
from flask_login import current_user

from corelab.figures.numbers import format_count
from corelab.store.jobs import FAILED, PHENOTYPE, QUEUED, RUNNING, Job
from corelab.vocabulary import Role
from dashboards.access.roles import EVERY_ROLE, allow, may
from dashboards.cells import find_cells
from dashboards.site import Site

EVERY_MS: Final = 2_000


def build_waiting(site: Site) -> Any:
    """Build the card that stands for the map."""
    return html.Div(
        [
            html.H2(site.text("phenotype.waiting.title")),
            html.Div(write_state(site), id="phenotype-waiting", role="status"),
            dcc.Interval(id="phenotype-interval", interval=EVERY_MS),
            dcc.Store(id="phenotype-ready"),
            dcc.Store(id="phenotype-reloaded"),
        ],
        className="card empty",
    )


def write_state(site: Site) -> list[Any]:
    """Write what is being done, or what to do."""
    job = site.home.jobs.find_latest(PHENOTYPE)
    if job is not None and job.state in (QUEUED, RUNNING):
        return write_progress(site, job)
    parts: list[Any] = []
    if job is not None and job.state == FAILED:
        error = site.text("phenotype.waiting.failed", error=site.say(str(job.report.get("error", ""))))
        parts.append(html.P(error, className="fail"))
    parts.append(html.P(site.text("phenotype.waiting.next")))
    if may(Role.SCIENTIST):
        label = site.text("phenotype.waiting.now")
        parts.append(html.Button(label, id="phenotype-press", className="button"))
    return parts


def write_progress(site: Site, job: Job) -> list[Any]:
    """Write how far a job is, with a bar once the number of files is known."""
    done, total = (int(job.report.get(name, 0) or 0) for name in ("done", "total"))
    if job.state != RUNNING or not total:
        return [html.P(site.text(f"phenotype.waiting.{job.state}")), html.Progress()]
    if done >= total:
        return [html.P(site.text("phenotype.waiting.clustering")), html.Progress()]
    told = site.text("phenotype.waiting.progress", done=format_count(done), total=format_count(total))
    return [html.P(told), html.Progress(value=str(done), max=str(total))]


def register(app: Any, site: Site) -> None:
    """Follow the work, ask for it, and load the page again once it is done."""

    def follow(ticks: int | None) -> tuple[Any, Any]:
        tables = site.cache.current()
        if not ticks or tables is None:
            return no_update, no_update
        is_ready = find_cells(site, tables) is not None
        return (no_update, True) if is_ready else (write_state(site), no_update)

    def press(clicks: int | None) -> Any:
        if not clicks:
            return no_update
        name, role = current_user.name, current_user.role.value
        number = site.home.jobs.add(PHENOTYPE, account=name, role=role, at=site.clock())
        site.home.registry.audit.append(
            actor=name, role=role, action="ask_cells", at=site.clock(), object=f"job {number}"
        )
        return write_state(site)

    app.callback(
        Output("phenotype-waiting", "children"),
        Output("phenotype-ready", "data"),
        Input("phenotype-interval", "n_intervals"),
    )(allow(*EVERY_ROLE)(follow))
    app.callback(
        Output("phenotype-waiting", "children", allow_duplicate=True),
        Input("phenotype-press", "n_clicks"),
        prevent_initial_call=True,
    )(allow(Role.SCIENTIST)(press))
    app.clientside_callback(
        ClientsideFunction("corelab", "reloadWhen"),
        Output("phenotype-reloaded", "data"),
        Input("phenotype-ready", "data"),
    )
