"""What the snapshot has not seen yet, and the run that takes it in: asked for here, followed here."""

from typing import Any, Final

from dash import Input, Output, dcc, html, no_update
from flask_login import current_user

from corelab.figures.numbers import format_count
from corelab.store.jobs import DONE, FAILED, RUN, RUNNING
from corelab.store.work import Work, find_work
from corelab.vocabulary import Role
from dashboards.access.roles import EVERY_ROLE, allow, may
from dashboards.site import Site
from dashboards.views.intake import read_progress

EVERY_MS: Final = 2_000


def build_run(site: Site) -> Any:
    """Build the line; empty while nothing waits. It asks again only while something is at work."""
    work = find_work(site.whole_home)
    return html.Div(
        [
            html.Span(write_work(site, work), id="run-state", className="run-state", role="status"),
            dcc.Interval(id="run-interval", interval=EVERY_MS, disabled=not work.is_active),
        ],
        className="run-now",
    )


def write_work(site: Site, work: Work, *, is_followed: bool = False) -> list[Any]:
    """Write what is being done, what went wrong, what came of it, or what waits."""
    job = work.job
    if work.is_active and job is not None:
        return write_progress(site, work)
    parts: list[Any] = []
    if job is not None and job.state == FAILED and (work.is_waiting or is_followed):
        error = site.text("run.failed", error=site.say(str(job.report.get("error", ""))))
        parts.append(html.Span(error, className="fail"))
    if is_followed and job is not None and job.state == DONE:
        done = site.text("run.done", snapshot=str(job.report.get("snapshot", ""))[:8])
        parts += [html.Span(done), " ", html.A(site.text("run.show"), href="", id="run-show")]
    if work.is_waiting:
        parts += [html.Span(write_changes(site, work), className="warn"), *build_button(site)]
    return parts


def write_progress(site: Site, work: Work) -> list[Any]:
    """Write how far the work is, with a bar once the number of files is known."""
    job = work.job
    if job is None:
        return []
    done, total = read_progress(job)
    if job.state != RUNNING or not total:
        return [html.Span(site.text(f"run.{job.kind}.{job.state}")), html.Progress()]
    told = site.text(f"run.{job.kind}.progress", done=format_count(done), total=format_count(total))
    return [html.Span(told), html.Progress(value=str(done), max=str(total))]


def write_changes(site: Site, work: Work) -> str:
    """Name what no snapshot has seen."""
    found = [
        site.text(f"run.change.{name}", count=format_count(count))
        for name, count in work.changes.items()
        if count
    ]
    return site.text("run.waits", changes=", ".join(found))


def build_button(site: Site) -> list[Any]:
    """Build the button for those who may."""
    if not may(Role.SCIENTIST):
        return []
    return [html.Button(site.text("run.now"), id="run-press", className="button small-button")]


def register(app: Any, site: Site) -> None:
    """Follow the work, and ask for it."""

    def follow(ticks: int | None) -> tuple[Any, Any]:
        if not ticks:
            return no_update, no_update
        work = find_work(site.whole_home)
        return write_work(site, work, is_followed=True), not work.is_active

    def press(clicks: int | None) -> tuple[Any, Any]:
        if not clicks:
            return no_update, no_update
        name, role = current_user.name, current_user.role.value
        number = site.home.jobs.add(RUN, account=name, role=role, at=site.clock())
        site.home.registry.audit.append(
            actor=name, role=role, action="ask_run", at=site.clock(), object=f"job {number}"
        )
        return write_work(site, find_work(site.whole_home)), False

    app.callback(
        Output("run-state", "children"),
        Output("run-interval", "disabled"),
        Input("run-interval", "n_intervals"),
    )(allow(*EVERY_ROLE)(follow))
    app.callback(
        Output("run-state", "children", allow_duplicate=True),
        Output("run-interval", "disabled", allow_duplicate=True),
        Input("run-press", "n_clicks"),
        prevent_initial_call=True,
    )(allow(Role.SCIENTIST)(press))
