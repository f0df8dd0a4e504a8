"""The trial at a glance: who is where, what is missing, what waits for whom."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dash import Input, Output, dcc, html

from corelab.figures.home import OverviewCounts, count_overview, overlay_reviews, overview_figure
from corelab.figures.numbers import format_count
from corelab.figures.tokens import Scheme
from dashboards.access.roles import EVERY_ROLE, allow, may_open
from dashboards.components.address import read_option
from dashboards.components.empty import build_empty
from dashboards.components.graph import build_graph, empty_figure, name_data
from dashboards.components.run_now import build_run
from dashboards.components.stamp import build_stamp
from dashboards.components.tabs import build_tabs
from dashboards.components.wall import enlarge_figure
from dashboards.overview import read_overview
from dashboards.pages import home_trends
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import Viewport, read_viewport
from dashboards.views.review import Pending, list_marks, list_pending
from dashboards.views.trial import Coming, Gap, Waiting, list_coming, list_gaps, list_waiting, read_cut_off

if TYPE_CHECKING:
    import pandas as pd

VIEWS: Final = ("list", "trends")
LONGEST_LIST: Final = 6
VISITS_SHOWN: Final = 3
HOURS_A_DAY: Final = 24
LISTS_PX: Final = 340 + 12
SIDES_PX: Final = 2 * 12 + 20
"""Width of margins and card edges beside the matrix."""
AROUND_PX: Final = 40 + 44 + 94 + 26
"""Height of bar, heading, counts and stamp above and under the matrix."""
SMALLEST_MATRIX_PX: Final = 300


def layout(site: Site, query: Mapping[str, str]) -> Any:
    """Build one view of the page: what waits, or quality over time."""
    tables = site.cache.current()
    if tables is None:
        return build_empty(site, "home.empty")
    study = site.home.study
    view = read_option(query, "view", VIEWS)
    heading = html.Div(
        [
            html.H1(study.id),
            html.Span(site.say(study.title), className="quiet"),
            build_tabs(site, "home", VIEWS, view, path="/"),
            html.Span(className="grow"),
            build_run(site),
        ],
        className="strip",
    )
    if view == "trends":
        body = home_trends.build_trends_view(site, query)
        return [heading, *body, build_stamp(site, tables, site.text("trends.stamp"))]
    overview = read_overview(site, tables)
    matrix = html.Div(
        [
            build_counts(site, count_overview(overview), Counter(list_marks(site, tables).values())),
            build_graph("home-matrix"),
        ],
        className="card",
    )
    lists = build_lists(site, tables, overview)
    worklist = html.Div([matrix, lists], className="overview")
    return [heading, worklist, build_stamp(site, tables, site.text("stamp.all_children"))]


def build_counts(site: Site, counts: OverviewCounts, marks: Mapping[str, int]) -> Any:
    """Build the row of big numbers; each carries its word, colour only helps."""
    numbers = {
        "enrolled": (counts.enrolled, ""),
        "infused": (counts.infused, ""),
        "missing": (counts.missing, "warn"),
        "review": (marks.get("review", 0), "action"),
        "failed": (counts.failed, "fail"),
        "stale": (marks.get("stale", 0), "warn"),
    }
    blocks = []
    for name, (number, kind) in numbers.items():
        label = site.text(f"home.count.{name}", planned=site.home.study.subjects_planned)
        children = [html.B(format_count(number)), html.Span(label)]
        blocks.append(html.Div(children, className=f"count {kind if number else ''}".strip()))
    return html.Div(blocks, className="counts", id="home-counts")


def build_lists(site: Site, tables: SnapshotTables, overview: "pd.DataFrame") -> Any:
    """Build the column of lists beside the matrix."""
    study, subjects = site.home.study, tables["subjects"]
    as_of = read_cut_off(tables.snapshot, study)
    gaps, coming = tables.remember(
        "home lists",
        lambda: (
            {
                state: list_gaps(subjects, overview, study, state=state, as_of=as_of)
                for state in ("failed", "missing")
            },
            list_coming(subjects, overview, study, as_of=as_of),
        ),
    )
    pending = list_pending(site, tables)
    waiting = list_waiting(site.home.registry.quarantine())
    sections = [
        build_section(site, "pending", pending, lambda one: write_pending(site, one)),
        build_section(site, "waiting", waiting, lambda row: write_waiting(site, row)),
        *(build_section(site, state, gaps[state], lambda gap: write_gap(site, gap)) for state in gaps),
        build_section(site, "coming", coming, lambda visit: write_coming(site, visit)),
    ]
    return html.Aside(sections, className="card lists", **{"aria-label": site.text("home.lists")})


def build_section(site: Site, name: str, rows: Sequence[Any], write: Callable[[Any], Any]) -> Any:
    """Build one list: its heading with the number of entries, the first of them, and how many more."""
    heading = html.Header(
        [
            html.H2(site.text(f"home.list.{name}.title", count=len(rows))),
            html.Span(site.text(f"home.list.{name}.who")),
        ]
    )
    shown: list[Any] = [html.Ul([write(row) for row in rows[:LONGEST_LIST]])] if rows else []
    if not rows:
        shown.append(html.P(site.text(f"home.list.{name}.none")))
    if len(rows) > LONGEST_LIST:
        shown.append(html.P(site.text("home.more", count=len(rows) - LONGEST_LIST)))
    return html.Section([heading, *shown], id=f"home-{name}")


def write_pending(site: Site, pending: Pending) -> Any:
    """Write what one child's visits wait for, and since when, leading to where it is decided."""
    shown = " ".join(pending.visits[:VISITS_SHOWN])
    if len(pending.visits) > VISITS_SHOWN:
        shown = site.text("home.visits_more", visits=shown, count=len(pending.visits) - VISITS_SHOWN)
    told = site.text(f"home.decision.{pending.decision}", subject=pending.subject_id, visits=shown)
    return html.Li([dcc.Link(told, href="/review"), html.Span(write_age(site, pending.since))])


def write_age(site: Site, since: str) -> str:
    """Write how long ago something was, in days, or in hours within the first."""
    hours = int((site.clock() - dt.datetime.fromisoformat(since)).total_seconds() // 3600)
    if hours < HOURS_A_DAY:
        return site.text("home.age.hours", count=max(hours, 0))
    return site.text("home.age.days", count=hours // HOURS_A_DAY)


def write_waiting(site: Site, waiting: Waiting) -> Any:
    """Write one entry of the quarantine with its reason, leading who may to where it is settled."""
    name = dcc.Link(waiting.path, href="/upload") if may_open("upload") else html.Span(waiting.path)
    return html.Li(html.Span([name, html.Br(), html.Span(site.say(waiting.reason), className="quiet")]))


def write_gap(site: Site, gap: Gap) -> Any:
    """Write one visit that lacks something, leading to the child."""
    assays = ", ".join(site.text(f"assay.{assay}") for assay in gap.assays)
    label = site.text("home.gap", subject=gap.subject_id, visit=gap.visit)
    late = assays if gap.days is None else site.text("home.late", assays=assays, days=gap.days)
    return html.Li([dcc.Link(label, href=f"/patients/{gap.subject_id}"), html.Span(late)])


def write_coming(site: Site, visit: Coming) -> Any:
    """Write one visit that is due soon, leading to the child."""
    label = site.text("home.gap", subject=visit.subject_id, visit=visit.visit)
    return html.Li([dcc.Link(label, href=f"/patients/{visit.subject_id}"), html.Span(visit.due.isoformat())])


def draw_matrix(site: Site, viewport: Viewport | None, scheme: Scheme) -> dict[str, Any]:
    """Draw children by visits for the size of the window."""
    tables = site.cache.current()
    if tables is None or viewport is None:
        return empty_figure()
    width, height = viewport.drawn
    figure = tables.remember(
        ("home matrix", site.home.reviews.mark(), width, height, scheme),
        lambda: overview_figure(
            overlay_reviews(read_overview(site, tables), list_marks(site, tables)),
            width=viewport.beside(LISTS_PX) - SIDES_PX,
            height=max(height - AROUND_PX, SMALLEST_MATRIX_PX),
            scheme=scheme,
            catalog=site.figure_catalog,
        ),
    )
    return enlarge_figure(name_data(figure, "overview"), viewport.scale)


def register(app: Any, site: Site) -> None:
    """Draw the matrix once the browser has told its size, and again when size or scheme change."""

    def draw(viewport: dict[str, Any] | None, scheme: str) -> dict[str, Any]:
        return draw_matrix(site, read_viewport(viewport), read_scheme_word(scheme))

    app.callback(Output("home-matrix", "figure"), Input("viewport", "data"), Input("scheme", "data"))(
        allow(*EVERY_ROLE)(draw)
    )
    home_trends.register(app, site)
