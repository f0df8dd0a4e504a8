"""The frame around every page: the 40 px bar and the stores that all pages share."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html
from flask_login import current_user

from dashboards.access.roles import EXPORTERS, may, may_open
from dashboards.components.chips import build_chip
from dashboards.site import Site, read_scheme
from dashboards.theme import MANTINE_THEME

NAVIGATION: Final = (
    ("home", "/"),
    ("upload", "/upload"),
    ("samples", "/samples"),
    ("screening", "/screening"),
    ("patients", "/patients"),
    ("cohort", "/cohort"),
    ("cytokines", "/cytokines"),
    ("outcomes", "/outcomes"),
    ("phenotype", "/phenotype"),
    ("exports", "/exports"),
    ("review", "/review"),
    ("audit", "/audit"),
)
"""The pages of this version, in the order of the bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """What a browser that opens an address shows first: its address, its window and the page there."""

    pathname: str
    search: str
    viewport: dict[str, int] | None
    page: Any
    navigation: list[Any]
    title: str


def build_shell(site: Site, first: First | None = None) -> Any:
    """Build the frame for the person of this request, empty or around the first page."""
    scheme = read_scheme()
    address = {"pathname": first.pathname, "search": first.search} if first else {}
    return dmc.MantineProvider(
        id="shell",
        theme=MANTINE_THEME,
        forceColorScheme=scheme,
        children=[
            dcc.Location(id="location", refresh=False, **address),
            dcc.Store(id="viewport", data=first.viewport if first else None),
            dcc.Store(id="scheme", data=scheme),
            dcc.Store(id="page-title", data=first.title if first else None),
            html.A(site.text("shell.skip"), href="#page", className="skip"),
            build_bar(site, first),
            build_alert(site),
            html.Main(first.page if first else None, id="page", tabIndex="-1"),
            *build_figure_words(site),
            html.Div(id="announcer", className="unseen", **{"aria-live": "polite"}),
        ],
    )


def build_figure_words(site: Site) -> list[Any]:
    """Give the browser the words of the buttons with which a figure is saved; absent for who may not."""
    if not current_user.is_authenticated or not may(*EXPORTERS):
        return []
    words = {f"data-{name}": site.text(f"figure.{name}") for name in ("group", "png", "svg", "csv", "failed")}
    return [html.Div(id="figure-words", hidden=True, **words)]


def build_alert(site: Site) -> Any:
    """Build the sentence that the browser shows when the server failed, or the database is away."""
    return html.Div(
        id="shell-alert",
        className="alert",
        role="alert",
        hidden=True,
        **{"data-broken": site.text("shell.broken"), "data-away": site.text("shell.away")},
    )


def build_bar(site: Site, first: First | None = None) -> Any:
    """Build the top bar: pages, snapshot, scheme, language and person."""
    return html.Header(
        className="bar",
        children=[
            html.Span(site.text("brand"), className="brand"),
            html.Nav(
                first.navigation if first else None,
                id="shell-navigation",
                **{"aria-label": site.text("shell.pages")},
            ),
            html.Span(className="grow"),
            html.Span(build_snapshot_chip(site) if first else None, id="shell-snapshot"),
            html.Button(
                site.text("shell.scheme_glyph"),
                id="shell-scheme",
                className="icon",
                title=site.text("shell.scheme"),
                **{"aria-label": site.text("shell.scheme")},
            ),
            html.Button(
                site.text("shell.other_language"),
                id="shell-language",
                className="icon",
                title=site.text("shell.language"),
                lang=site.text("shell.other_language_code"),
                **{"data-language": site.text("shell.other_language_word")},
            ),
            build_person(site),
            html.A(site.text("shell.logout"), href="/logout", className="quiet", id="shell-logout"),
        ],
    )


def build_person(site: Site) -> Any:
    """Say who is logged in and as what."""
    if not current_user.is_authenticated:
        return html.Span()
    role = site.text(f"role.{current_user.role}")
    return html.Span(
        site.text("shell.person", name=current_user.name, role=role), id="shell-person", className="person"
    )


def build_snapshot_chip(site: Site) -> Any:
    """Name the snapshot that everything on the page is read from."""
    tables = site.cache.current()
    if tables is None:
        return build_chip(site.text("shell.no_snapshot"))
    moment = format_moment(tables.snapshot.created_at, site)
    return build_chip(
        site.text("shell.snapshot"),
        html.B(tables.snapshot.id),
        html.Span(site.text("shell.snapshot_time", time=moment), className="snapshot-time"),
    )


def format_moment(moment: dt.datetime, site: Site) -> str:
    """Write a moment in the study's zone to the minute."""
    return site.home.study.localise(moment).strftime("%Y-%m-%d %H:%M")


def format_time(site: Site, text: str) -> str:
    """Write a delivered time in the study's zone to the minute; empty where there is none."""
    return format_moment(dt.datetime.fromisoformat(text), site) if text else ""


def build_navigation(site: Site, current: str | None) -> list[Any]:
    """Build the links to the pages of this role; the current one says so to eyes and to screen readers."""
    links = []
    for word, path in NAVIGATION:
        if not may_open(path.strip("/")):
            continue
        is_current = current is not None and current == path.strip("/")
        links.append(
            dcc.Link(
                site.text(f"nav.{word}"),
                href=path,
                className="page current" if is_current else "page",
                id=f"nav-{word}",
            )
        )
    return links


def register(app: Any, _site: Site) -> None:
    """Wire the stores that the browser itself fills."""
    app.clientside_callback(
        ClientsideFunction("corelab", "switchScheme"),
        Output("scheme", "data"),
        Output("shell", "forceColorScheme"),
        Input("shell-scheme", "n_clicks"),
        State("scheme", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("corelab", "measureViewport"),
        Output("viewport", "data"),
        Input("location", "pathname"),
        State("viewport", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("corelab", "setTitle"),
        Output("announcer", "children"),
        Input("page-title", "data"),
    )
