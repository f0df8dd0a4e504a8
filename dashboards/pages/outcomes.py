"""Outcomes: safety, response, and expansion against both; each view is an address."""

from collections.abc import Mapping
from typing import Any, Final

from dash import Input, Output, dcc, html

from dashboards.access.roles import EVERY_ROLE, EXPORTERS, allow, may
from dashboards.components.address import build_address, read_choice, read_option
from dashboards.components.empty import build_empty
from dashboards.components.outcome_drawer import build_outcome_drawer
from dashboards.components.stamp import build_stamp
from dashboards.components.tabs import build_tabs
from dashboards.pages import outcome_expansion, outcome_response, outcome_safety
from dashboards.site import Site

STORE: Final = "outcomes-choice"
VIEWS: Final = ("safety", "response", "expansion")
TABLES: Final = {"safety": "adverse_events", "response": "responses", "expansion": "associations"}
MODULES: Final = {
    "safety": outcome_safety,
    "response": outcome_response,
    "expansion": outcome_expansion,
}


def layout(site: Site, query: Mapping[str, str]) -> Any:
    """Build one view of the page; the address names it and its switches."""
    tables = site.cache.current()
    if tables is None or not (tables["subjects"]["infusion_at"].fillna("") != "").any():
        return build_empty(site, "outcomes.empty")
    view = read_option(query, "view", VIEWS)
    module = MODULES[view]
    chosen = read_choice(query)
    return [
        *build_address(f"outcomes-{view}", ["view", *module.PARAMETERS, "open"]),
        dcc.Store(id="outcomes-view", data=view),
        dcc.Store(id=STORE, data=chosen),
        html.Div(
            [
                html.H1(site.text("outcomes.title")),
                build_tabs(site, "outcomes", VIEWS, view),
                html.Span(className="grow"),
                *module.build_switches(site, tables, query),
                *build_save(site, view),
            ],
            className="strip",
        ),
        html.Div(
            [
                html.Div(module.build_main(site, chosen), className="column"),
                html.Div(module.build_aside(site, chosen), className="aside", id="outcomes-aside"),
                html.Aside(
                    id="outcomes-drawer",
                    className="drawer",
                    hidden=True,
                    **{"aria-label": site.text("outcomes.drawer")},
                ),
            ],
            className=f"beside {module.SHAPE}".strip(),
        ),
        build_stamp(site, tables, site.text(f"outcomes.stamp.{view}")),
    ]


def build_save(site: Site, view: str) -> list[Any]:
    """Build the link to the table behind a view, for those who may take tables along."""
    if not may(*EXPORTERS):
        return []
    href = f"/api/v1/tables/{TABLES[view]}.csv"
    return [html.A(site.text("outcomes.save"), href=href, className="button", id="outcomes-save")]


def register(app: Any, site: Site) -> None:
    """Open the drawer for what was chosen; each view draws itself."""

    def show(choice: Any) -> tuple[Any, bool, bool]:
        tables = site.cache.current()
        drawer = None if tables is None else build_outcome_drawer(site, tables, choice, store=STORE)
        return drawer or [], drawer is None, drawer is not None

    app.callback(
        Output("outcomes-drawer", "children"),
        Output("outcomes-drawer", "hidden"),
        Output("outcomes-aside", "hidden"),
        Input(STORE, "data"),
    )(allow(*EVERY_ROLE)(show))
    for module in MODULES.values():
        module.register(app, site)
