"""Pages and cards that have nothing to show say what is absent and what comes next."""

from typing import Any

from dash import dcc, html

from dashboards.site import Site


def build_empty(site: Site, key: str, **values: object) -> Any:
    """Say what is absent and what to do, in a card."""
    return html.Div(
        className="card empty",
        children=[
            html.H1(site.text(f"{key}.title", **values)),
            html.P(site.text(f"{key}.next", **values)),
        ],
    )


def build_unknown_page(site: Site, key: str, **values: object) -> Any:
    """Say that nothing lives at this address, and lead back."""
    return html.Div(
        className="card empty",
        id="unknown",
        children=[
            html.H1(site.text(f"{key}.title", **values)),
            html.P(site.text(f"{key}.next", **values)),
            dcc.Link(site.text("unknown.back"), href="/", className="button"),
        ],
    )
