"""Links between the views of a page; each is an address of its own."""

from collections.abc import Sequence
from typing import Any

from dash import dcc, html

from dashboards.site import Site


def build_tabs(site: Site, page: str, views: Sequence[str], current: str, *, path: str = "") -> Any:
    """Build the links; the current one says so to eyes, and to screen readers by its words.

    ``path`` is where the page lives, by default under its own name.
    """
    links = []
    for name in views:
        words = [site.text(f"{page}.view.{name}")]
        if name == current:
            words.append(html.Span(site.text("tabs.current"), className="unseen"))
        links.append(
            dcc.Link(
                words,
                href=f"{path or f'/{page}'}?view={name}",
                className="tab current" if name == current else "tab",
                id=f"{page}-to-{name}",
            )
        )
    return html.Nav(links, className="tabs", **{"aria-label": site.text(f"{page}.views")})
