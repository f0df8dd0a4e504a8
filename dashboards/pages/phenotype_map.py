"""The map of single cells and the heat map of its clusters."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Input, Output, html

from corelab.figures.cell_heat import cell_heat_figure, order_markers
from corelab.figures.cell_map import COLOURS, PERIODS, MapView, cell_map_figure, name_periods
from corelab.figures.tokens import Scheme
from dashboards.access.roles import EVERY_ROLE, EXPORTERS, allow, may
from dashboards.cells import CellTables, find_cells
from dashboards.components.address import keep_in_address
from dashboards.components.graph import empty_figure, name_data
from dashboards.components.phenotype_view import (
    AROUND_PX,
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
from dashboards.sizes import Viewport, read_viewport

PARAMETERS: Final = ("panel", "colour", "child", "compartment", "period")
ASIDE_PX: Final = 372
HEAT_SIDES_PX: Final = 24
LEAST_PX: Final = 460


def build_switches(site: Site, tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the choice of panel and colour, and the filters."""
    cells = find_cells(site, tables)
    if cells is None:
        return []
    panel = read_panel(cells, query.get("panel"))
    labels = {name: site.text(f"phenotype.panel.{name}") for name in cells.panels}
    colours = list_colours(site, cells, panel)
    sent = query.get("colour", "")
    compartments = {
        name: site.figure_catalog.text(f"cells.compartment.{name}")
        for name in sorted(set(cells.cells(panel)["compartment"]))
    }
    periods = {name: site.figure_catalog.text(f"cells.period.{name}") for name in PERIODS}
    return [
        html.Div(build_switch("phenotype-panel", labels, panel), hidden=len(labels) < 2),
        dmc.Select(
            id="phenotype-colour",
            data=[{"value": word, "label": text} for word, text in colours.items()],
            value=sent if sent in colours else COLOURS[0],
            allowDeselect=False,
            searchable=True,
            nothingFoundMessage=site.text("phenotype.nothing_found"),
            className="select",
            **{"aria-label": site.text("phenotype.colour")},
        ),
        build_filter(site, "phenotype-child", list_children(tables), query.get("child", ""), key="child"),
        build_filter(
            site, "phenotype-compartment", compartments, query.get("compartment", ""), key="compartment"
        ),
        build_filter(site, "phenotype-period", periods, query.get("period", ""), key="period"),
    ]


def read_panel(cells: CellTables, sent: object) -> str:
    """Return the panel that was asked for; the first one for anything unknown."""
    return str(sent) if sent in cells.panels else cells.panels[0]


def list_colours(site: Site, cells: CellTables, panel: str) -> dict[str, str]:
    """Return what cells can be coloured by, in words: cluster, compartment, time, and each marker."""
    words = {name: site.text(f"phenotype.by.{name}") for name in COLOURS}
    return words | {marker: marker for marker in order_markers(cells.of_panel("heat", panel))}


def build_main(site: Site, chosen: Sequence[str] | None) -> list[Any]:
    """Build the map."""
    label = site.text("phenotype.map.chart")
    return [
        html.Div(
            build_pick(site, "phenotype-cells", label=label, store=STORE, chosen=chosen), className="card"
        )
    ]


def build_aside(site: Site, chosen: Sequence[str] | None) -> list[Any]:
    """Build the heat map."""
    label = site.text("phenotype.heat.chart")
    return [
        html.Div(
            [
                html.H2(
                    [site.text("phenotype.heat.title"), " ", html.Small(site.text("phenotype.heat.key"))]
                ),
                build_pick(
                    site, "phenotype-heat", label=label, store=STORE, chosen=chosen, is_told=False
                ),
                *build_further(site),
            ],
            className="card",
        )
    ]  # fmt: skip


def build_further(site: Site) -> list[Any]:
    """Build the links to what else is known of the map, for those who may take tables along."""
    if not may(*EXPORTERS):
        return []
    links: list[Any] = [site.text("phenotype.save.further")]
    for name in ("clusters", "batches"):
        label = site.text(f"phenotype.save.{name}")
        links += [" ", html.A(label, href=f"/api/v1/cells/{name}.csv", id=f"phenotype-save-{name}")]
    return [html.P(links, className="quiet")]


def draw(
    site: Site, wishes: Mapping[str, object], viewport: Viewport | None, scheme: Scheme
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw map and heat map for the switches' values, by the names of the parameters."""
    tables = site.cache.current()
    cells = None if tables is None else find_cells(site, tables)
    if cells is None or viewport is None:
        return empty_figure(), empty_figure()
    panel = read_panel(cells, wishes["panel"])
    look: dict[str, Any] = {"scheme": scheme, "catalog": site.figure_catalog}
    tall = max(viewport.drawn[1] - AROUND_PX, LEAST_PX)
    picture = cell_map_figure(
        build_view(cells, panel, wishes), size=(viewport.beside(ASIDE_PX + 12) - SIDES_PX, tall), **look
    )
    heat = cell_heat_figure(
        cells.of_panel("heat", panel), cells.of_panel("clusters", panel),
        size=(ASIDE_PX - HEAT_SIDES_PX, tall - 24), **look,
    )  # fmt: skip
    heat = name_data(heat, "cells/heat", panel=panel)
    return enlarge_figure(picture, viewport.scale), enlarge_figure(heat, viewport.scale)


def build_view(cells: CellTables, panel: str, wishes: Mapping[str, object]) -> MapView:
    """Return what is shown; a word that is none of its choices counts as not sent."""
    table = cells.cells(panel)
    clusters = cells.of_panel("clusters", panel)
    known = {
        "subject_id": set(table["subject_id"]), "compartment": set(table["compartment"]),
        "period": set(name_periods(table)),
    }  # fmt: skip
    sent = {"subject_id": wishes["child"], "compartment": wishes["compartment"], "period": wishes["period"]}
    filters = {name: str(word) for name, word in sent.items() if word and word in known[name]}
    colours = {*COLOURS, *cells.of_panel("heat", panel)["marker"]}
    colour = str(wishes["colour"]) if wishes["colour"] in colours else COLOURS[0]
    words = dict(zip(clusters["cluster"], clusters["description"], strict=True))
    return MapView(cells=table, clusters=words, colour=colour, **filters)


def register(app: Any, site: Site) -> None:
    """Redraw for the switches, the size and the scheme."""

    def show(*sent: Any) -> tuple[Any, Any]:
        *words, viewport, scheme = sent
        wishes = dict(zip(PARAMETERS, words, strict=True))
        return draw(site, wishes, read_viewport(viewport), read_scheme_word(scheme))

    app.callback(
        Output("phenotype-cells", "figure"),
        Output("phenotype-heat", "figure"),
        *(Input(f"phenotype-{name}", "value") for name in PARAMETERS),
        Input("viewport", "data"),
        Input("scheme", "data"),
    )(allow(*EVERY_ROLE)(show))
    controls = {f"phenotype-{name}": "value" for name in PARAMETERS}
    keep_in_address(app, "phenotype-map", {"phenotype-view": "data", **controls, STORE: "data"})


VIEW: Final = PhenotypeView(
    parameters=PARAMETERS, shape="", needs_cells=True, build_switches=build_switches, build_main=build_main,
    build_aside=build_aside, register=register,
)  # fmt: skip
