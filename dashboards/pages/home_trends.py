"""Quality over time: every tube of the trial by day, and what the checks said of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import Input, Output, dcc, html

from corelab.figures.numbers import format_count, format_number
from corelab.figures.quality_data import Trend, build_trends
from corelab.figures.quality_trends import quality_trends_figure
from corelab.figures.tokens import Scheme
from corelab.store.acquisitions import AcquisitionFile
from dashboards.access.roles import EVERY_ROLE, allow
from dashboards.components.address import build_address, keep_in_address, read_choice
from dashboards.components.chips import build_chip
from dashboards.components.drawer import FILE_ID_SHOWN, LEVEL_GLYPHS
from dashboards.components.evidence import build_evidence
from dashboards.components.graph import empty_figure, name_data
from dashboards.components.pick import build_close, build_pick, read_words
from dashboards.components.wall import enlarge_figure
from dashboards.shell import format_time
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import PHONE_PX, Viewport, read_viewport
from dashboards.views.point import list_findings
from dashboards.views.samples import compute_age

STORE: Final = "trends-choice"
AROUND_PX: Final = 40 + 44 + 18 + 18 + 34
SIDES_PX: Final = 2 * 12 + 22
DRAWER_PX: Final = 372 + 12
LEAST_PX: Final = 400


def build_trends_view(site: Site, query: Mapping[str, str]) -> list[Any]:
    """Build the panels, and the drawer of the tube that was chosen."""
    chosen = read_choice(query)
    pick = build_pick(site, "home-trends", label=site.text("trends.chart"), store=STORE, chosen=chosen)
    drawer = html.Aside(
        id="trends-drawer", className="drawer", hidden=True, **{"aria-label": site.text("trends.drawer")}
    )
    return [
        *build_address("home-trends", ["view", "open"]),
        dcc.Store(id="home-view", data="trends"),
        dcc.Store(id=STORE, data=chosen),
        html.Div(
            [html.Div(html.Div(pick, className="card"), className="column"), drawer], className="beside wide"
        ),
    ]


def read_ages(site: Site) -> dict[str, float]:
    """Return the hours from draw to cytometer of each file for which both are known."""
    files = site.desk.known().files.values()
    return {file.file_id: age for file in files if (age := compute_age(file)) is not None}


def find_trends(site: Site, tables: SnapshotTables, ages_h: Mapping[str, float]) -> list[Trend]:
    """Follow every tube of a snapshot."""
    limits = site.home.study.settings["flow_quality"]
    return tables.remember(
        ("trends", frozenset(ages_h.items())),
        lambda: build_trends(
            tables["populations"], tables["quality"], ages_h=ages_h, limits=limits, bead_qc=tables["bead_qc"]
        ),
    )


def draw_trends(site: Site, viewport: Viewport | None, scheme: Scheme, *, has_drawer: bool) -> dict[str, Any]:
    """Draw the panels, narrower beside an open drawer."""
    tables = site.cache.current()
    if tables is None or viewport is None:
        return empty_figure()
    height = viewport.drawn[1]
    size = (
        viewport.beside(DRAWER_PX if has_drawer else 0, until=PHONE_PX) - SIDES_PX,
        max(height - AROUND_PX, LEAST_PX),
    )
    ages_h, catalog = read_ages(site), site.figure_catalog
    figure = tables.remember(
        ("trends figure", frozenset(ages_h.items()), size, scheme, catalog.language),
        lambda: quality_trends_figure(
            find_trends(site, tables, ages_h), size=size, scheme=scheme, catalog=catalog
        ),
    )
    return enlarge_figure(name_data(figure, "quality"), viewport.scale)


def find_file(site: Site, start: str) -> AcquisitionFile | None:
    """Return the file whose id begins so; None if there is none, or more than one."""
    found = [file for name, file in site.desk.known().files.items() if name.startswith(start)]
    return found[0] if len(found) == 1 else None


def build_tube_drawer(site: Site, tables: SnapshotTables, sent: object) -> list[Any] | None:
    """Tell one tube: what is followed of it, and each finding of its checks; None for no known tube."""
    words = read_words(sent, 3)
    file = find_file(site, words[1]) if words and words[0] == "tube" else None
    if file is None:
        return None
    values = {
        trend.key: point
        for trend in find_trends(site, tables, read_ages(site))
        for point in trend.points
        if point.file_id == file.file_id
    }
    findings = list_findings(tables["quality"], file.file_id)
    catalog = site.figure_catalog
    facts: list[tuple[str, Any]] = [(site.text("trends.collected"), format_time(site, file.collected_at))]
    for key, point in values.items():
        write = format_count if key in ("events", "beads") else format_number
        unit = catalog.text(f"trends.unit.{key}")
        facts.append((catalog.text(f"trends.name.{key}"), f"{write(point.value)} {unit}"))
    facts += [
        (html.Code(found.check), f"{LEVEL_GLYPHS[found.level]} {site.say(found.reason)}")
        for found in findings
    ]
    worst = next((one for one in ("fail", "warn") if any(found.level == one for found in findings)), "pass")
    title = " · ".join(part for part in (file.subject_id, file.visit, file.panel, file.tube) if part)
    chip = build_chip(f"{LEVEL_GLYPHS[worst]} {catalog.text(f'trends.level.{worst}')}", kind=_KINDS[worst])
    return build_evidence(
        close=build_close(site, STORE), title=title, lead=file.file_id[:FILE_ID_SHOWN], chips=[chip],
        facts=facts,
        foot=[
            html.Nav(
                dcc.Link(site.text("trends.gates"), href=f"/samples/{file.file_id}", className="button")
            )
        ],
    )  # fmt: skip


_KINDS: Final = {"pass": "ok", "warn": "warn", "fail": "fail"}


def register(app: Any, site: Site) -> None:
    """Redraw for the size, the scheme and the drawer; open the drawer for a tube."""

    def draw(viewport: Any, scheme: Any, drawer_hidden: Any) -> Any:
        return draw_trends(
            site, read_viewport(viewport), read_scheme_word(scheme), has_drawer=drawer_hidden is False
        )

    app.callback(
        Output("home-trends", "figure"),
        Input("viewport", "data"),
        Input("scheme", "data"),
        Input("trends-drawer", "hidden"),
    )(allow(*EVERY_ROLE)(draw))

    def show(choice: Any) -> tuple[Sequence[Any], bool]:
        tables = site.cache.current()
        drawer = None if tables is None else build_tube_drawer(site, tables, choice)
        return drawer or [], drawer is None

    app.callback(
        Output("trends-drawer", "children"), Output("trends-drawer", "hidden"), Input(STORE, "data")
    )(allow(*EVERY_ROLE)(show))
    keep_in_address(app, "home-trends", {"home-view": "data", STORE: "data"})
