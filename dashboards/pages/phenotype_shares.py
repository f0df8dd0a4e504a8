"""Shares over time: clusters of cells by child and dose group, and the gated subsets of a compartment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dash import Input, Output, html

from corelab.figures.share_courses import SharePanel, share_courses_figure
from corelab.figures.share_data import COMPARTMENTS, build_cluster_panels, build_subset_panels
from corelab.figures.tokens import Scheme
from dashboards.access.roles import EVERY_ROLE, allow
from dashboards.cells import find_cells
from dashboards.components.address import keep_in_address, read_option
from dashboards.components.chips import build_arm_key
from dashboards.components.graph import empty_figure, name_data
from dashboards.components.phenotype_view import (
    AROUND_PX,
    DRAWER_PX,
    SIDES_PX,
    STORE,
    PhenotypeView,
    build_filter,
    list_children,
)
from dashboards.components.pick import build_pick
from dashboards.components.switch import build_switch
from dashboards.components.wall import enlarge_figure
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import PHONE_PX, Viewport, read_viewport

LEAST_PX: Final = 400
CELL_COMPARTMENTS: Final = ("car_t", "car_neg_t", "b_cells")
MOST_PANELS: Final = 12
"""Clusters of one part: more do not fit a screen, and no one reads them at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSource:
    """From which table the panels of a view are drawn, its compartments in words, and the panels of one."""

    table: str
    list_options: Callable[[Site, SnapshotTables], dict[str, str]]
    list_panels: Callable[[Site, SnapshotTables, object], list[SharePanel]]


def list_cell_options(site: Site, tables: SnapshotTables) -> dict[str, str]:
    """Return the compartments whose cells are mapped, in words; by parts where there are many clusters."""
    cells = find_cells(site, tables)
    if cells is None:
        return {}
    there = set(cells["abundance"]["compartment"])
    return {
        name: site.figure_catalog.text(f"cells.compartment.{name}")
        for name in CELL_COMPARTMENTS
        if name in there
    }


def list_subset_options(site: Site, tables: SnapshotTables) -> dict[str, str]:
    """Return the compartments that are split into subsets, in words."""
    there = set(tables["phenotype"]["compartment"])
    return {
        name: site.figure_catalog.text(f"shares.compartment.{name}") for name in COMPARTMENTS if name in there
    }


def build_cluster_switches(site: Site, tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the choice of the compartment and of the child that stands out."""
    options = list_cell_options(site, tables)
    chosen = read_option(query, "of", tuple(options) or ("",))
    return [
        *build_arm_key(site),
        build_switch("phenotype-of", options, chosen),
        build_filter(
            site, "phenotype-highlight", list_children(tables), query.get("child", ""), key="highlight"
        ),
    ]


def build_subset_switches(site: Site, tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the choice of the compartment and of the child that stands out."""
    options = list_subset_options(site, tables)
    chosen = read_option(query, "of", tuple(options) or ("",))
    return [
        *build_arm_key(site),
        build_filter(site, "phenotype-subsets-of", options, chosen, key="compartment"),
        build_filter(
            site, "phenotype-subsets-child", list_children(tables), query.get("child", ""), key="highlight"
        ),
    ]


def build_chart(site: Site, name: str, chosen: Sequence[str] | None) -> list[Any]:
    """Build the panels."""
    label = site.text(f"phenotype.{name}.chart")
    pick = build_pick(site, f"phenotype-{name}", label=label, store=STORE, chosen=chosen)
    return [html.Div(pick, className="card")]


def build_nothing(_site: Site, _chosen: Sequence[str] | None) -> list[Any]:
    """Leave the whole width to the panels."""
    return []


def read_compartment(options: Mapping[str, str], of: object) -> str:
    """Return the compartment that was asked for; the first one for anything unknown."""
    return of if isinstance(of, str) and of in options else next(iter(options), "")


def list_cluster_panels(site: Site, tables: SnapshotTables, of: object) -> list[SharePanel]:
    """Return the clusters of a compartment that hold any of its cells, the largest first."""
    cells, options = find_cells(site, tables), list_cell_options(site, tables)
    if cells is None or not options:
        return []
    compartment = read_compartment(options, of)
    abundance, groups = (
        table[table["compartment"] == compartment] for table in (cells["abundance"], cells["groups"])
    )
    held = abundance.groupby("cluster")["cells"].sum().sort_values(ascending=False, kind="stable")
    names = list(held[held > 0].index[:MOST_PANELS])
    clusters = cells["clusters"].set_index("cluster", drop=False).loc[names]
    return build_cluster_panels(abundance, groups, clusters)


def list_subset_panels(site: Site, tables: SnapshotTables, of: object) -> list[SharePanel]:
    """Return the subsets of a compartment, and its ratio of CD4 to CD8."""
    options = list_subset_options(site, tables)
    if not options:
        return []
    compartment = read_compartment(options, of)
    measured = tables["measurements"]
    ratios = measured[measured["name"].str.endswith(":CD4/CD8")]
    return build_subset_panels(
        tables["phenotype"], ratios, compartment=compartment, catalog=site.figure_catalog
    )


def draw(
    site: Site, panels: list[SharePanel], highlight: object, *, viewport: Viewport, scheme: Scheme,
    has_drawer: bool,
) -> dict[str, Any]:  # fmt: skip
    """Draw the panels, narrower beside an open drawer."""
    width = viewport.beside(DRAWER_PX if has_drawer else 0, until=PHONE_PX) - SIDES_PX
    figure = share_courses_figure(
        panels, highlight=highlight if isinstance(highlight, str) else "", scheme=scheme,
        size=(width, max(viewport.drawn[1] - AROUND_PX, LEAST_PX)),
        catalog=site.figure_catalog,
    )  # fmt: skip
    return enlarge_figure(figure, viewport.scale)


def register_view(app: Any, site: Site, name: str, controls: tuple[str, str], source: PanelSource) -> None:
    """Redraw a view for its compartment, its child, the size, the scheme and the drawer."""

    def show(of: Any, highlight: Any, viewport: Any, scheme: Any, drawer_hidden: Any) -> Any:
        tables, seen = site.cache.current(), read_viewport(viewport)
        if tables is None or seen is None:
            return empty_figure()
        figure = draw(
            site, source.list_panels(site, tables, of), highlight, viewport=seen,
            scheme=read_scheme_word(scheme), has_drawer=drawer_hidden is False,
        )  # fmt: skip
        compartment = read_compartment(source.list_options(site, tables), of)
        return name_data(figure, source.table, compartment=compartment)

    app.callback(
        Output(f"phenotype-{name}", "figure"),
        *(Input(one, "value") for one in controls),
        Input("viewport", "data"),
        Input("scheme", "data"),
        Input("phenotype-drawer", "hidden"),
    )(allow(*EVERY_ROLE)(show))
    kept = {"phenotype-view": "data", **dict.fromkeys(controls, "value"), STORE: "data"}
    keep_in_address(app, f"phenotype-{name}", kept)


CLUSTERS: Final = PhenotypeView(
    parameters=("of", "child"), shape="wide", needs_cells=True, build_switches=build_cluster_switches,
    build_main=lambda site, chosen: build_chart(site, "clusters", chosen), build_aside=build_nothing,
    register=lambda app, site: register_view(
        app, site, "clusters", ("phenotype-of", "phenotype-highlight"),
        PanelSource(
            table="cells/abundance", list_options=list_cell_options, list_panels=list_cluster_panels
        ),
    ),
)  # fmt: skip
SUBSETS: Final = PhenotypeView(
    parameters=("of", "child"), shape="wide", needs_cells=False, build_switches=build_subset_switches,
    build_main=lambda site, chosen: build_chart(site, "subsets", chosen), build_aside=build_nothing,
    register=lambda app, site: register_view(
        app, site, "subsets", ("phenotype-subsets-of", "phenotype-subsets-child"),
        PanelSource(table="phenotype", list_options=list_subset_options, list_panels=list_subset_panels),
    ),
)  # fmt: skip
