"""Expansion against response, cytokine release and dose, with exact tests and what they can say."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import Input, Output, html

from corelab.figures.expansion import expansion_figure
from corelab.figures.expansion_data import build_panels
from corelab.figures.tokens import Scheme
from dashboards.access.roles import EVERY_ROLE, allow
from dashboards.components.address import keep_in_address, read_option
from dashboards.components.graph import empty_figure, name_data
from dashboards.components.pick import build_pick
from dashboards.components.switch import build_switch
from dashboards.components.wall import enlarge_figure
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import PHONE_PX, Viewport, read_viewport

PARAMETERS: Final = ("analyte", "parameter")
SHAPE: Final = "wide"
STORE: Final = "outcomes-choice"
AROUND_PX: Final = 40 + 44 + 18 + 22 + 22 + 18
SIDES_PX: Final = 2 * 12 + 22
DRAWER_PX: Final = 372 + 12
SMALLEST_PX: Final = 520


def list_options(site: Site, name: str) -> tuple[str, ...]:
    """Return the analytes or the parameters of exposure that the study sets against outcomes."""
    key = "analytes" if name == "analyte" else "exposures"
    return tuple(map(str, site.home.study.settings["associations"][key]))


def build_switches(site: Site, _tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the switches: which analyte, which measure of its expansion."""
    switches = []
    for name, prefix in (("analyte", "analyte"), ("parameter", "outcomes.parameter")):
        options = list_options(site, name)
        keys = {word: f"{prefix}.{word}" for word in options}
        labels = {word: site.text(key) if site.catalog.has(key) else word for word, key in keys.items()}
        switches.append(build_switch(f"outcomes-{name}", labels, read_option(query, name, options)))
    return switches


def build_main(site: Site, chosen: Sequence[str] | None) -> list[Any]:
    """Build the panels."""
    label = site.text("outcomes.expansion.chart")
    return [
        html.Div(
            [
                html.H2(
                    [
                        site.text("outcomes.expansion.title"),
                        " ",
                        html.Small(site.text("outcomes.expansion.key")),
                    ]
                ),
                build_pick(site, "outcomes-expansion", label=label, store=STORE, chosen=chosen),
            ],
            className="card",
        )
    ]


def build_aside(_site: Site, _chosen: Sequence[str] | None) -> list[Any]:
    """Leave the whole width to the panels."""
    return []


def draw_panels(
    site: Site, exposure: tuple[str, str], viewport: Viewport | None, scheme: Scheme, *, has_drawer: bool
) -> dict[str, Any]:
    """Draw the panels for one analyte and measure, narrower beside an open drawer."""
    tables = site.cache.current()
    if tables is None or viewport is None:
        return empty_figure()
    analyte, parameter = exposure
    primary = str(site.home.study.settings["responses"]["primary"])
    panels = tables.remember(
        ("expansion", exposure),
        lambda: build_panels(tables, analyte=analyte, parameter=parameter, primary=primary),
    )
    height = viewport.drawn[1]
    figure = expansion_figure(
        panels,
        analyte=analyte,
        size=(
            viewport.beside(DRAWER_PX if has_drawer else 0, until=PHONE_PX) - SIDES_PX,
            max(height - AROUND_PX, SMALLEST_PX),
        ),
        scheme=scheme,
        catalog=site.figure_catalog,
    )
    named = name_data(figure, "associations", analyte=analyte, parameter=parameter)
    return enlarge_figure(named, viewport.scale)


def register(app: Any, site: Site) -> None:
    """Redraw for the switches, the size, the scheme and the drawer."""

    def draw(analyte: Any, parameter: Any, viewport: Any, scheme: Any, drawer_hidden: Any) -> Any:
        analytes, parameters = list_options(site, "analyte"), list_options(site, "parameter")
        exposure = (
            analyte if analyte in analytes else analytes[0],
            parameter if parameter in parameters else parameters[0],
        )
        return draw_panels(
            site, exposure, read_viewport(viewport), read_scheme_word(scheme),
            has_drawer=drawer_hidden is False,
        )  # fmt: skip

    app.callback(
        Output("outcomes-expansion", "figure"),
        *(Input(f"outcomes-{name}", "value") for name in PARAMETERS),
        Input("viewport", "data"),
        Input("scheme", "data"),
        Input("outcomes-drawer", "hidden"),
    )(allow(*EVERY_ROLE)(draw))
    controls = {f"outcomes-{name}": "value" for name in PARAMETERS}
    keep_in_address(app, "outcomes-expansion", {"outcomes-view": "data", **controls, STORE: "data"})
