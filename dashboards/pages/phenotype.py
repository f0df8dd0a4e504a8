"""Single cells over time: map, abundance of clusters, gated subsets; each view is an address."""

from collections.abc import Mapping
from typing import Any, Final

from dash import Input, Output, dcc, html

from dashboards.access.roles import EVERY_ROLE, EXPORTERS, allow, may
from dashboards.cells import find_cells
from dashboards.components import map_now
from dashboards.components.address import build_address, read_choice, read_option
from dashboards.components.empty import build_empty
from dashboards.components.phenotype_drawer import build_phenotype_drawer
from dashboards.components.stamp import build_stamp
from dashboards.components.tabs import build_tabs
from dashboards.pages import phenotype_map, phenotype_shares
from dashboards.site import Site, SnapshotTables

STORE: Final = "phenotype-choice"
VIEWS: Final = ("map", "clusters", "subsets")
MODULES: Final = {
    "map": phenotype_map.VIEW,
    "clusters": phenotype_shares.CLUSTERS,
    "subsets": phenotype_shares.SUBSETS,
}


def layout(site: Site, query: Mapping[str, str]) -> Any:
    """Build one view of the page; the address names it and its filters."""
    tables = site.cache.current()
    if tables is None or tables["populations"].empty:
        return build_empty(site, "phenotype.empty")
    view = read_option(query, "view", VIEWS)
    module = MODULES[view]
    chosen = read_choice(query)
    cells = find_cells(site, tables)
    is_shown = cells is not None or not module.needs_cells
    heading = [
        html.H1(site.text("phenotype.title")),
        build_tabs(site, "phenotype", VIEWS, view),
        html.Span(className="grow"),
        *(module.build_switches(site, tables, query) if is_shown else []),
        *(build_save(site, view) if is_shown else []),
    ]
    drawer = html.Aside(
        id="phenotype-drawer", className="drawer", hidden=True,
        **{"aria-label": site.text("phenotype.drawer")},
    )  # fmt: skip
    main = module.build_main(site, chosen) if is_shown else [map_now.build_waiting(site)]
    aside = module.build_aside(site, chosen) if is_shown else []
    # A view that waits has no switches: nothing of it goes into the address.
    names = ["view", *module.parameters, "open"]
    return [
        *(build_address(f"phenotype-{view}", names) if is_shown else []),
        dcc.Store(id="phenotype-view", data=view),
        dcc.Store(id=STORE, data=chosen),
        html.Div(heading, className="strip"),
        html.Div(
            [
                html.Div(main, className="column"),
                html.Div(aside, className="aside", id="phenotype-aside"),
                drawer,
            ],
            className=f"beside {module.shape}".strip(),
        ),
        build_stamp(site, tables, *describe(site, tables, view)),
    ]


def describe(site: Site, tables: SnapshotTables, view: str) -> list[str]:
    """Say by which model the cells were mapped, and which files are not among them."""
    cells = find_cells(site, tables)
    if view == "subsets":
        return [site.text("phenotype.stamp.subsets")]
    if cells is None:
        return []
    manifest = cells.map.manifest
    words = [
        site.text("phenotype.stamp.model", model=manifest["model"][:12], since=manifest["model_at"][:10]),
        site.text("phenotype.stamp.chosen", count=manifest["per_file"]),
    ]
    batches = cells["batches"]
    shifted = batches.loc[batches["level"] == "warn", "batch"].nunique()
    if shifted:
        words.append(site.text("phenotype.stamp.shifted", count=shifted))
    if manifest["findings"]:
        words.append(site.text("phenotype.stamp.left_out", count=len(manifest["findings"])))
    return words


def build_save(site: Site, view: str) -> list[Any]:
    """Build the links to the tables behind a view, for those who may take tables along."""
    if not may(*EXPORTERS):
        return []
    if view == "subsets":
        links = {"phenotype": "/api/v1/tables/phenotype.csv"}
    else:
        names = {"map": ("heat",), "clusters": ("abundance", "groups")}[view]
        links = {name: f"/api/v1/cells/{name}.csv" for name in names}
    return [
        html.A(
            site.text(f"phenotype.save.{name}"), href=href, className="button", id=f"phenotype-save-{name}"
        )
        for name, href in links.items()
    ]


def register(app: Any, site: Site) -> None:
    """Open the drawer for what was chosen; each view draws itself."""

    def show(choice: Any) -> tuple[Any, bool, bool]:
        tables = site.cache.current()
        drawer = None if tables is None else build_phenotype_drawer(site, tables, choice, store=STORE)
        return drawer or [], drawer is None, drawer is not None

    app.callback(
        Output("phenotype-drawer", "children"),
        Output("phenotype-drawer", "hidden"),
        Output("phenotype-aside", "hidden"),
        Input(STORE, "data"),
    )(allow(*EVERY_ROLE)(show))
    map_now.register(app, site)
    for module in MODULES.values():
        module.register(app, site)
