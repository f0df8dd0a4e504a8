"""Safety: incidence by dose group, and the worst grade of every child, reported and from the laboratory."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import Input, Output, html

from corelab.figures.grade_matrix import grade_matrix_figure
from corelab.figures.incidence import incidence_figure
from corelab.figures.safety import build_event_matrix, build_lab_matrix
from corelab.figures.tokens import Scheme
from dashboards.access.roles import EVERY_ROLE, allow
from dashboards.components.address import keep_in_address, read_option
from dashboards.components.graph import empty_figure, name_data
from dashboards.components.pick import build_pick
from dashboards.components.switch import build_switch
from dashboards.components.wall import enlarge_figure
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import Viewport, read_viewport

PARAMETERS: Final = ("grades",)
SHAPE: Final = "even"
STORE: Final = "outcomes-choice"
REPORTED: Final = "reported"
AROUND_PX: Final = 40 + 44 + 26 + 22 + 24 + 22 + 18
SMALLEST_PX: Final = 300
SIDES_PX: Final = 3 * 12 + 2 * 22
ASIDE_PX: Final = 520


def list_grades(site: Site) -> tuple[str, ...]:
    """Return what the matrix can show: reported terms, or the laboratory grades of a phase of the study."""
    return (REPORTED, *site.home.study.settings["toxicity"].get("phases", {}))


def build_switches(site: Site, _tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the switch between reported events and laboratory grades by phase."""
    options = list_grades(site)
    labels = {word: name_grades(site, word) for word in options}
    return [build_switch("outcomes-grades", labels, read_option(query, "grades", options))]


def name_grades(site: Site, word: str) -> str:
    """Write one choice in words; a phase that the catalog does not know stands for itself."""
    key = f"outcomes.grades.{word}"
    return site.text(key) if site.catalog.has(key) else word


def build_main(site: Site, chosen: Sequence[str] | None) -> list[Any]:
    """Build the matrix of worst grades."""
    label = site.text("outcomes.matrix.chart")
    return [
        html.Div(
            [
                html.H2(site.text("outcomes.matrix.title"), id="outcomes-matrix-title"),
                build_pick(site, "outcomes-matrix", label=label, store=STORE, chosen=chosen),
            ],
            className="card",
        )
    ]


def build_aside(site: Site, chosen: Sequence[str] | None) -> list[Any]:
    """Build the incidence by group."""
    label = site.text("outcomes.incidence.chart")
    return [
        html.Div(
            [
                html.H2(site.text("outcomes.incidence.title")),
                build_pick(
                    site, "outcomes-incidence", label=label, store=STORE, chosen=chosen, is_told=False
                ),
            ],
            className="card",
        )
    ]


def draw_charts(
    site: Site, grades: str, viewport: Viewport | None, scheme: Scheme
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Draw the matrix and the incidence, and name what the matrix shows."""
    tables = site.cache.current()
    if tables is None or viewport is None:
        return empty_figure(), empty_figure(), ""
    height = viewport.drawn[1]
    catalog = site.figure_catalog
    is_reported = grades not in list_grades(site) or grades == REPORTED
    matrix = build_event_matrix(tables, catalog) if is_reported else build_lab_matrix(tables, grades, catalog)
    empty = "outcomes.matrix.no_event" if is_reported else "outcomes.matrix.no_grade"
    matrix_figure = grade_matrix_figure(
        matrix,
        size=(viewport.beside(ASIDE_PX) - SIDES_PX, max(height - AROUND_PX, SMALLEST_PX)),
        scheme=scheme,
        catalog=catalog,
        empty=site.text(empty),
    )
    incidence = incidence_figure(
        tables["summary"],
        size=(ASIDE_PX, max(height - AROUND_PX, SMALLEST_PX)),
        scheme=scheme,
        catalog=catalog,
    )
    title = site.text("outcomes.matrix.title" if is_reported else "outcomes.matrix.lab_title")
    return (
        enlarge_figure(
            name_data(matrix_figure, "adverse_events" if is_reported else "lab_toxicity"), viewport.scale
        ),
        enlarge_figure(name_data(incidence, "summary"), viewport.scale),
        title if is_reported else f"{title} · {name_grades(site, grades)}",
    )


def register(app: Any, site: Site) -> None:
    """Redraw for the switch, the size and the scheme."""

    def draw(grades: Any, viewport: Any, scheme: Any) -> tuple[Any, Any, str]:
        chosen = grades if isinstance(grades, str) else REPORTED
        return draw_charts(site, chosen, read_viewport(viewport), read_scheme_word(scheme))

    app.callback(
        Output("outcomes-matrix", "figure"),
        Output("outcomes-incidence", "figure"),
        Output("outcomes-matrix-title", "children"),
        Input("outcomes-grades", "value"),
        Input("viewport", "data"),
        Input("scheme", "data"),
    )(allow(*EVERY_ROLE)(draw))
    keep_in_address(
        app,
        "outcomes-safety",
        {"outcomes-view": "data", "outcomes-grades": "value", STORE: "data"},
    )
