"""Controls over the runs, by Levey and Jennings, and the rules they broke."""

from collections.abc import Mapping
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Input, Output, html

from corelab.figures.control_chart import control_chart_figure
from corelab.figures.tokens import Scheme
from dashboards.access.roles import EVERY_ROLE, allow
from dashboards.components.address import keep_in_address, read_choice
from dashboards.components.empty import build_empty
from dashboards.components.graph import build_graph, empty_figure, name_data
from dashboards.components.pick import build_pick
from dashboards.components.wall import enlarge_figure
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import PHONE_PX, Viewport, read_viewport

PARAMETERS: Final = ("control",)
SHAPE: Final = "wide"
STORE: Final = "cytokines-choice"
AROUND_PX: Final = 40 + 44 + 18 + 22 + 22 + 18
SIDES_PX: Final = 2 * 12 + 22
DRAWER_PX: Final = 372 + 12
LEAST_PX: Final = 300


def list_analytes(tables: SnapshotTables) -> list[str]:
    """Return the analytes with a control of known concentration."""
    controls = tables["plate_controls"]
    return sorted(controls.loc[controls["nominal"].notna(), "analyte"].unique(), key=str.lower)


def read_analyte(tables: SnapshotTables, sent: object) -> str:
    """Return the analyte that was asked for; the first one for anything unknown."""
    known = list_analytes(tables)
    return str(sent) if sent in known else next(iter(known), "")


def build_switches(site: Site, tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the choice of the analyte; without a control it is there and empty."""
    return [
        dmc.Select(
            id="cytokines-control",
            data=list_analytes(tables),
            value=read_analyte(tables, query.get("control")) or None,
            allowDeselect=False,
            disabled=not list_analytes(tables),
            searchable=True,
            nothingFoundMessage=site.text("cytokines.controls.nothing"),
            className="select",
            **{"aria-label": site.text("cytokines.controls.analyte")},
        )
    ]


def build_main(site: Site, tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the charts, or say how controls get here."""
    if not list_analytes(tables):
        hidden = html.Div(build_graph("cytokines-controls"), hidden=True)
        return [build_empty(site, "cytokines.no_plate"), hidden]
    label, chosen = site.text("cytokines.controls.chart"), read_choice(query)
    pick = build_pick(site, "cytokines-controls", label=label, store=STORE, chosen=chosen)
    return [html.Div([html.H2(site.text("cytokines.controls.title")), pick], className="card")]


def build_aside(_site: Site, _tables: SnapshotTables, _query: Mapping[str, str]) -> list[Any]:
    """Leave the whole width to the charts."""
    return []


def draw_controls(
    site: Site, analyte: object, viewport: Viewport | None, scheme: Scheme, *, has_drawer: bool
) -> dict[str, Any]:
    """Draw the charts of an analyte, narrower beside an open drawer."""
    tables = site.cache.current()
    if tables is None or viewport is None:
        return empty_figure()
    height = viewport.drawn[1]
    shown = read_analyte(tables, analyte)
    figure = control_chart_figure(
        tables["plate_controls"],
        analyte=shown,
        size=(
            viewport.beside(DRAWER_PX if has_drawer else 0, until=PHONE_PX) - SIDES_PX,
            max(height - AROUND_PX, LEAST_PX),
        ),
        scheme=scheme,
        catalog=site.figure_catalog,
    )
    return enlarge_figure(name_data(figure, "plate_controls", analyte=shown), viewport.scale)


def register(app: Any, site: Site) -> None:
    """Redraw for the analyte, the size, the scheme and the drawer."""

    def draw(analyte: Any, viewport: Any, scheme: Any, drawer_hidden: Any) -> Any:
        return draw_controls(
            site, analyte, read_viewport(viewport), read_scheme_word(scheme),
            has_drawer=drawer_hidden is False,
        )  # fmt: skip

    app.callback(
        Output("cytokines-controls", "figure"),
        Input("cytokines-control", "value"),
        Input("viewport", "data"),
        Input("scheme", "data"),
        Input("cytokines-drawer", "hidden"),
    )(allow(*EVERY_ROLE)(draw))
    controls = {"cytokines-view": "data", "cytokines-control": "value", STORE: "data"}
    keep_in_address(app, "cytokines-controls", controls)
