"""Cytokines: every analyte over time, the plates behind it, and the controls over the runs."""

from collections.abc import Mapping
from typing import Any, Final

from dash import Input, Output, dcc, html

from dashboards.access.roles import EVERY_ROLE, EXPORTERS, allow, may
from dashboards.components.address import build_address, read_choice, read_option
from dashboards.components.cytokine_drawer import build_cytokine_drawer
from dashboards.components.empty import build_empty
from dashboards.components.stamp import build_stamp
from dashboards.components.tabs import build_tabs
from dashboards.pages import cytokine_controls, cytokine_courses, cytokine_plates
from dashboards.site import Site, SnapshotTables

STORE: Final = "cytokines-choice"
VIEWS: Final = ("courses", "plates", "controls")
TABLES: Final = {"courses": "measurements", "plates": "plate_wells", "controls": "plate_controls"}
MODULES: Final = {
    "courses": cytokine_courses,
    "plates": cytokine_plates,
    "controls": cytokine_controls,
}


def has_any(tables: SnapshotTables) -> bool:
    """Tell whether the snapshot holds a soluble analyte, or a plate."""
    return not tables["plates"].empty or bool((tables["measurements"]["assay"] == "cytokine").any())


def layout(site: Site, query: Mapping[str, str]) -> Any:
    """Build one view of the page; the address names it and its switches."""
    tables = site.cache.current()
    if tables is None or not has_any(tables):
        return build_empty(site, "cytokines.empty")
    view = read_option(query, "view", VIEWS)
    module = MODULES[view]
    chosen = read_choice(query)
    heading = [
        html.H1(site.text("cytokines.title")),
        build_tabs(site, "cytokines", VIEWS, view),
        html.Span(className="grow"),
        *module.build_switches(site, tables, query),
        *build_save(site, view),
    ]
    drawer = html.Aside(
        id="cytokines-drawer",
        className="drawer",
        hidden=True,
        **{"aria-label": site.text("cytokines.drawer")},
    )
    return [
        *build_address(f"cytokines-{view}", ["view", *module.PARAMETERS, "open"]),
        dcc.Store(id="cytokines-view", data=view),
        dcc.Store(id=STORE, data=chosen),
        html.Div(heading, className="strip"),
        html.Div(
            [
                html.Div(module.build_main(site, tables, query), className="column"),
                html.Div(module.build_aside(site, tables, query), className="aside", id="cytokines-aside"),
                drawer,
            ],
            className=f"beside {module.SHAPE}".strip(),
        ),
        build_stamp(site, tables, site.text(f"cytokines.stamp.{view}")),
    ]


def build_save(site: Site, view: str) -> list[Any]:
    """Build the link to the table behind a view, for those who may take tables along."""
    if not may(*EXPORTERS):
        return []
    href = f"/api/v1/tables/{TABLES[view]}.csv"
    return [html.A(site.text("cytokines.save"), href=href, className="button", id="cytokines-save")]


def register(app: Any, site: Site) -> None:
    """Open the drawer for what was chosen; each view draws itself."""

    def show(choice: Any) -> tuple[Any, bool, bool]:
        tables = site.cache.current()
        drawer = None if tables is None else build_cytokine_drawer(site, tables, choice, store=STORE)
        return drawer or [], drawer is None, drawer is not None

    app.callback(
        Output("cytokines-drawer", "children"),
        Output("cytokines-drawer", "hidden"),
        Output("cytokines-aside", "hidden"),
        Input(STORE, "data"),
    )(allow(*EVERY_ROLE)(show))
    for module in MODULES.values():
        module.register(app, site)
