"""Response: who responded when, the share of responders, and how far proteinuria fell."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Input, Output, html

from corelab.figures.incidence import response_share_figure
from corelab.figures.response_matrix import ENDPOINTS, response_matrix_figure
from corelab.figures.safety import list_infused
from corelab.figures.swimmer import swimmer_figure
from corelab.figures.tokens import Scheme
from corelab.figures.waterfall import waterfall_figure
from dashboards.access.roles import EVERY_ROLE, allow
from dashboards.components.address import keep_in_address, read_option
from dashboards.components.graph import empty_figure, name_data
from dashboards.components.pick import build_pick
from dashboards.components.switch import build_switch
from dashboards.components.wall import enlarge_figure
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import Viewport, read_viewport

PARAMETERS: Final = ("endpoint", "visit", "definition")
SHAPE: Final = "even"
STORE: Final = "outcomes-choice"
CHARTS: Final = ("outcomes-responses", "outcomes-swimmer", "outcomes-shares", "outcomes-waterfall")
AROUND_PX: Final = 40 + 44 + 18
CARD_PX: Final = 22 + 22 + 18
GAP_PX: Final = 12
SIDES_PX: Final = 3 * 12 + 2 * 22
ASIDE_PX: Final = 520
SMALLEST_PX: Final = 180
MATRIX_HEAD_PX: Final = 66


def list_definitions(site: Site) -> tuple[str, ...]:
    """Return the definitions of renal response, the primary one first."""
    settings = site.home.study.settings["responses"]
    return (str(settings["primary"]), *map(str, settings["sensitivity"]))


def list_visits(site: Site, tables: SnapshotTables) -> tuple[str, ...]:
    """Return the efficacy visits of the trial that are due for anybody, in the order of time."""
    seen = set(tables["responses"]["visit"])
    visits = sorted(site.home.study.visits, key=lambda visit: visit.order)
    return tuple(visit.code for visit in visits if visit.code in seen)


def build_switches(site: Site, tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the switches: endpoint of the shares, visit of the waterfall, definition of both."""
    visits, definitions = list_visits(site, tables) or ("M3",), list_definitions(site)
    endpoints = {word: site.text(f"outcomes.endpoint.{word}") for word in ENDPOINTS}
    return [
        build_switch(
            "outcomes-endpoint", endpoints, read_option(query, "endpoint", ("ORR", "CRR", "PRR", "SRI4"))
        ),
        build_switch("outcomes-visit", {word: word for word in visits}, read_option(query, "visit", visits)),
        html.Label(site.text("outcomes.definition"), htmlFor="outcomes-definition", className="quiet rank-3"),
        build_definition(definitions, read_option(query, "definition", definitions)),
    ]


def build_definition(definitions: tuple[str, ...], value: str) -> Any:
    """Build the choice of a definition of renal response."""
    return dmc.Select(
        id="outcomes-definition", data=list(definitions), value=value, allowDeselect=False, className="select"
    )


def build_card(site: Site, name: str, chosen: Sequence[str] | None) -> Any:
    """Build the card of one chart."""
    title = site.text(f"outcomes.{name}.title")
    label = site.text(f"outcomes.{name}.chart")
    is_told = name == "responses"
    pick = build_pick(site, f"outcomes-{name}", label=label, store=STORE, chosen=chosen, is_told=is_told)
    return html.Div([html.H2(title), pick], className="card")


def build_main(site: Site, chosen: Sequence[str] | None) -> list[Any]:
    """Build the matrix of responders and the swimmer plot."""
    return [build_card(site, name, chosen) for name in ("responses", "swimmer")]


def build_aside(site: Site, chosen: Sequence[str] | None) -> list[Any]:
    """Build the shares and the waterfall."""
    return [build_card(site, name, chosen) for name in ("shares", "waterfall")]


def draw_charts(
    site: Site, switches: tuple[str, str, str], viewport: Viewport | None, scheme: Scheme
) -> list[dict[str, Any]]:
    """Draw the four charts for endpoint, visit and definition."""
    tables = site.cache.current()
    if tables is None or viewport is None:
        return [empty_figure() for _ in CHARTS]
    endpoint, visit, definition = switches
    left = viewport.beside(ASIDE_PX) - SIDES_PX
    room = viewport.drawn[1] - AROUND_PX - 2 * CARD_PX - GAP_PX
    matrix_px = min(MATRIX_HEAD_PX + 24 * len(list_infused(tables["subjects"])), room // 2)
    visits = list_visits(site, tables)
    look = (scheme, site.figure_catalog)
    is_primary = endpoint == "SRI4" or definition == list_definitions(site)[0]
    figures = [
        response_matrix_figure(
            tables, definition=definition, visits=visits, size=(left, max(matrix_px, SMALLEST_PX)), look=look
        ),
        swimmer_figure(
            tables, definition=definition, size=(left, max(room - matrix_px, SMALLEST_PX)), look=look
        ),
        response_share_figure(
            tables["summary"],
            endpoint=endpoint,
            definition="" if is_primary else definition,
            visits=visits,
            size=(ASIDE_PX, max(round(room * 0.55), SMALLEST_PX)),
            look=look,
        ),
        waterfall_figure(
            tables["responses"],
            visit=visit,
            definition=definition,
            size=(ASIDE_PX, max(round(room * 0.45), SMALLEST_PX)),
            look=look,
        ),
    ]
    shown = {"definition": definition}
    named = (
        ("responses", shown), ("responses", shown), ("summary", {"endpoint": endpoint}),
        ("responses", {**shown, "visit": visit}),
    )  # fmt: skip
    return [
        enlarge_figure(name_data(figure, table, **filters), viewport.scale)
        for figure, (table, filters) in zip(figures, named, strict=True)
    ]


def read_switches(site: Site, sent: Sequence[object]) -> tuple[str, str, str]:
    """Return endpoint, visit and definition as sent, each the first one for anything unknown."""
    tables = site.cache.current()
    visits = ("M3",) if tables is None else (list_visits(site, tables) or ("M3",))
    known: tuple[tuple[str, ...], ...] = (ENDPOINTS, visits, list_definitions(site))
    endpoint, visit, definition = (
        word if isinstance(word, str) and word in words else words[0]
        for word, words in zip(sent, known, strict=True)
    )
    return endpoint, visit, definition


def register(app: Any, site: Site) -> None:
    """Redraw for the switches, the size and the scheme."""

    def draw(endpoint: Any, visit: Any, definition: Any, viewport: Any, scheme: Any) -> list[Any]:
        switches = read_switches(site, (endpoint, visit, definition))
        return draw_charts(site, switches, read_viewport(viewport), read_scheme_word(scheme))

    app.callback(
        *(Output(name, "figure") for name in CHARTS),
        *(Input(f"outcomes-{name}", "value") for name in PARAMETERS),
        Input("viewport", "data"),
        Input("scheme", "data"),
    )(allow(*EVERY_ROLE)(draw))
    controls = {f"outcomes-{name}": "value" for name in PARAMETERS}
    keep_in_address(app, "outcomes-response", {"outcomes-view": "data", **controls, STORE: "data"})
