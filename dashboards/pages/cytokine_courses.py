"""Every soluble analyte over time, a line a child."""

from collections.abc import Mapping
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Input, Output, html

from corelab.figures.cytokine_courses import AnalyteCourse, build_courses, courses_figure
from corelab.figures.tokens import Scheme
from dashboards.access.roles import EVERY_ROLE, allow
from dashboards.components.address import keep_in_address, read_choice, read_option
from dashboards.components.chips import build_arm_key
from dashboards.components.graph import empty_figure, name_data
from dashboards.components.pick import build_pick
from dashboards.components.switch import build_switch
from dashboards.components.wall import enlarge_figure
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import PHONE_PX, Viewport, read_viewport

PARAMETERS: Final = ("highlight", "part")
SHAPE: Final = "wide"
STORE: Final = "cytokines-choice"
AROUND_PX: Final = 40 + 44 + 18 + 18 + 22 + 3
SIDES_PX: Final = 2 * 12 + 22
DRAWER_PX: Final = 372 + 12
LEAST_PX: Final = 400
PANELS: Final = 12
"""Analytes of one part: more do not fit a screen, and no one reads them at once."""


def build_switches(site: Site, tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the choice of the part of the analytes, where there are several, and of the child."""
    subjects = tables["subjects"]
    infused = list(subjects.loc[subjects["infusion_at"].fillna("") != "", "subject_id"])
    sent = query.get("highlight", "")
    parts = list_parts(len(read_courses(tables)))
    labels = {str(number): words for number, words in enumerate(parts)}
    switch = build_switch("cytokines-part", labels, read_option(query, "part", tuple(labels)))
    return [
        *build_arm_key(site),
        html.Div(switch, hidden=len(parts) < 2),
        dmc.Select(
            id="cytokines-highlight",
            data=infused,
            value=sent if sent in infused else None,
            placeholder=site.text("cohort.highlight"),
            clearable=True,
            searchable=True,
            nothingFoundMessage=site.text("cohort.nobody"),
            className="select",
            **{"aria-label": site.text("cohort.highlight")},
        ),
    ]


def read_courses(tables: SnapshotTables) -> list[AnalyteCourse]:
    """Return the courses of all analytes of a snapshot, gathered once."""
    return tables.remember("cytokine courses", lambda: build_courses(tables))


def list_parts(count: int) -> list[str]:
    """Name the parts of so many analytes by their numbers.

    Examples
    --------
    >>> list_parts(5), list_parts(30)
    (['1–5'], ['1–12', '13–24', '25–30'])
    """
    starts = range(0, max(count, 1), PANELS)
    return [f"{start + 1}–{min(start + PANELS, max(count, 1))}" for start in starts]


def read_part(sent: object, count: int) -> int:
    """Return the number of a part; the first for anything unknown."""
    known = [str(number) for number in range(len(list_parts(count)))]
    return int(str(sent)) if sent in known else 0


def build_main(site: Site, _tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the panels."""
    label, chosen = site.text("cytokines.courses.chart"), read_choice(query)
    pick = build_pick(site, "cytokines-courses", label=label, store=STORE, chosen=chosen)
    return [html.Div(pick, className="card")]


def build_aside(_site: Site, _tables: SnapshotTables, _query: Mapping[str, str]) -> list[Any]:
    """Leave the whole width to the panels."""
    return []


def draw_courses(
    site: Site, chosen: tuple[object, object], viewport: Viewport | None, scheme: Scheme, *, has_drawer: bool
) -> dict[str, Any]:
    """Draw the panels, narrower beside an open drawer."""
    tables = site.cache.current()
    if tables is None or viewport is None:
        return empty_figure()
    courses, highlight = read_courses(tables), chosen[0]
    start = PANELS * read_part(chosen[1], len(courses))
    known = set(tables["subjects"]["subject_id"])
    height = viewport.drawn[1]
    figure = courses_figure(
        courses[start : start + PANELS],
        highlight=highlight if isinstance(highlight, str) and highlight in known else "",
        size=(
            viewport.beside(DRAWER_PX if has_drawer else 0, until=PHONE_PX) - SIDES_PX,
            max(height - AROUND_PX, LEAST_PX),
        ),
        scheme=scheme,
        catalog=site.figure_catalog,
    )
    return enlarge_figure(name_data(figure, "measurements", assay="cytokine"), viewport.scale)


def register(app: Any, site: Site) -> None:
    """Redraw for the child, the size, the scheme and the drawer."""

    def draw(highlight: Any, part: Any, viewport: Any, scheme: Any, drawer_hidden: Any) -> Any:
        return draw_courses(
            site, (highlight, part), read_viewport(viewport), read_scheme_word(scheme),
            has_drawer=drawer_hidden is False,
        )  # fmt: skip

    app.callback(
        Output("cytokines-courses", "figure"),
        Input("cytokines-highlight", "value"),
        Input("cytokines-part", "value"),
        Input("viewport", "data"),
        Input("scheme", "data"),
        Input("cytokines-drawer", "hidden"),
    )(allow(*EVERY_ROLE)(draw))
    controls = {
        "cytokines-view": "data",
        "cytokines-highlight": "value",
        "cytokines-part": "value",
        STORE: "data",
    }
    keep_in_address(app, "cytokines-courses", controls)
