"""Persistence and kinetics by dose group."""

import math
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Input, Output, html

from corelab.figures.cohort import cohort_figure, persistence_bars_figure
from corelab.figures.tokens import Scheme
from corelab.vocabulary import Analyte
from dashboards.access.roles import EVERY_ROLE, EXPORTERS, allow, may
from dashboards.components.empty import build_empty
from dashboards.components.graph import build_graph, empty_figure, name_data
from dashboards.components.kinetics_table import build_kinetics_table
from dashboards.components.stamp import build_stamp
from dashboards.components.wall import enlarge_figure
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import Viewport, read_viewport

ANALYTES: Final = (Analyte.CAR_VCN_UG, Analyte.CAR_ABS, Analyte.CAR_PCT_CD3)
SMALLEST_FACETS_PX: Final = 360
BARS_PX: Final = 264
AROUND_PX: Final = 40 + 44 + 20 + 8 + 41
GAPS_PX: Final = 36
CARD_EDGES_PX: Final = 24
LOWER_SHARE: Final = 1.63 / 2.63


def layout(site: Site) -> Any:
    """Build the page; its charts follow the switches."""
    tables = site.cache.current()
    if tables is None:
        return build_empty(site, "cohort.empty")
    return [
        build_strip(site, tables),
        build_graph("cohort-facets"),
        html.Div(
            [
                html.Div(
                    [
                        html.H2(
                            [site.text("cohort.bars.title"), " ", html.Small(site.text("cohort.bars.key"))]
                        ),
                        build_graph("cohort-bars"),
                    ],
                    className="card",
                ),
                html.Div(
                    [html.H2(site.text("cohort.kinetics.title")), html.Div(id="cohort-kinetics")],
                    className="card",
                ),
            ],
            className="cohort-lower",
        ),
        build_stamp(site, tables, site.text("stamp.infused", count=count_infused(tables))),
    ]


def count_infused(tables: SnapshotTables) -> int:
    """Return the number of children who were infused."""
    return int((tables["subjects"]["infusion_at"] != "").sum())


def build_strip(site: Site, tables: SnapshotTables) -> Any:
    """Build the switches: which analyte, which child stands out."""
    save = html.A(
        site.text("cohort.save"), href="/api/v1/tables/persistence.csv", className="button", id="cohort-save"
    )
    return html.Div(
        [
            html.H1(site.text("cohort.title")),
            dmc.SegmentedControl(
                id="cohort-analyte",
                data=[{"value": word.value, "label": site.text(f"analyte.{word}")} for word in ANALYTES],
                value=ANALYTES[0].value,
                className="segments",
                transitionDuration=0,
            ),
            dmc.Select(
                id="cohort-highlight",
                data=list(tables["subjects"]["subject_id"]),
                placeholder=site.text("cohort.highlight"),
                clearable=True,
                searchable=True,
                nothingFoundMessage=site.text("cohort.nobody"),
                className="select",
                **{"aria-label": site.text("cohort.highlight")},
            ),
            html.Span(className="grow"),
            *([save] if may(*EXPORTERS) else []),
        ],
        className="strip",
    )


def read_analyte(sent: object) -> Analyte:
    """Return the analyte that a page sent; anything unknown is the first one."""
    return next((analyte for analyte in ANALYTES if analyte.value == sent), ANALYTES[0])


def read_highlight(tables: SnapshotTables, sent: object) -> str:
    """Return the child that stands out, empty if none does or the snapshot has no such child."""
    return sent if isinstance(sent, str) and sent in set(tables["subjects"]["subject_id"]) else ""


def draw_charts(
    site: Site, analyte: Analyte, highlight: object, viewport: Viewport | None, scheme: Scheme
) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Draw the two facets, the bars and the table of parameters for one analyte."""
    tables = site.cache.current()
    if tables is None or viewport is None:
        return empty_figure(), empty_figure(), []
    look: dict[str, Any] = {
        "analyte": analyte,
        "scheme": scheme,
        "highlight": read_highlight(tables, highlight),
        "catalog": site.figure_catalog,
    }
    width, height = viewport.drawn
    beside = math.ceil((width - GAPS_PX) * (1 - LOWER_SHARE))
    bars_width = viewport.beside(beside) - GAPS_PX - CARD_EDGES_PX
    facets, bars = tables.remember(
        ("cohort charts", analyte, look["highlight"], width, height, scheme),
        lambda: (
            cohort_figure(
                tables, width=width, height=max(height - AROUND_PX - BARS_PX, SMALLEST_FACETS_PX), **look
            ),
            persistence_bars_figure(tables, width=bars_width, height=BARS_PX, **look),
        ),
    )
    return (
        enlarge_figure(name_data(facets, "persistence", analyte=analyte.value), viewport.scale),
        enlarge_figure(name_data(bars, "kinetics", analyte=analyte.value), viewport.scale),
        build_kinetics_table(site, tables, analyte),
    )


def register(app: Any, site: Site) -> None:
    """Redraw when a switch, the size or the scheme changes."""

    def draw(analyte: Any, highlight: Any, viewport: Any, scheme: Any) -> tuple[Any, Any, Any]:
        return draw_charts(
            site, read_analyte(analyte), highlight, read_viewport(viewport), read_scheme_word(scheme)
        )

    app.callback(
        Output("cohort-facets", "figure"),
        Output("cohort-bars", "figure"),
        Output("cohort-kinetics", "children"),
        Input("cohort-analyte", "value"),
        Input("cohort-highlight", "value"),
        Input("viewport", "data"),
        Input("scheme", "data"),
    )(allow(*EVERY_ROLE)(draw))
