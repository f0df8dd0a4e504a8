"""From a path to a page: one table, used by the browser's navigation and by the server's status code."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from dash import Input, Output
from flask import Response, request

from dashboards import shell
from dashboards.access.roles import EVERY_ROLE, allow, may_open
from dashboards.components.empty import build_unknown_page
from dashboards.pages import (
    acquisition,
    audit,
    cohort,
    cytokines,
    exports,
    home,
    outcomes,
    patients,
    phenotype,
    review,
    samples,
    screening,
    upload,
)
from dashboards.site import Site

PAGES: Final = (
    home, upload, samples, acquisition, screening, patients, cohort, cytokines, outcomes, phenotype, exports,
    review, audit,
)  # fmt: skip
"""Modules with callbacks of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What a person asked for: the page's word, the rest of the path and the query."""

    page: str
    rest: str
    query: dict[str, str]


Layout = Callable[[Site, Address], Any]

DEEP: Final = ("patients", "samples")
"""Pages with an address for each of their things."""
GRIDS: Final = ("samples", "exports", "review", "upload", "audit")
"""Pages that open with a grid and so get its script; on others it comes with the first grid."""


def show_samples(site: Site, address: Address) -> Any:
    """Build the list of acquisitions, or the page of one."""
    if address.rest:
        return acquisition.layout(site, address.rest, address.query)
    return samples.layout(site, address.query)


LAYOUTS: Final[dict[str, Layout]] = {
    "": lambda site, address: home.layout(site, address.query),
    "samples": show_samples,
    "screening": lambda site, address: screening.layout(site, address.query),
    "patients": lambda site, address: patients.layout(site, address.rest),
    "cohort": lambda site, _address: cohort.layout(site),
    "cytokines": lambda site, address: cytokines.layout(site, address.query),
    "outcomes": lambda site, address: outcomes.layout(site, address.query),
    "phenotype": lambda site, address: phenotype.layout(site, address.query),
    "exports": lambda site, address: exports.layout(site, address.query.get("table", "")),
    "review": lambda site, _address: review.layout(site),
    "upload": lambda site, _address: upload.layout(site),
    "audit": lambda site, address: audit.layout(site, address.query),
}


def parse_address(pathname: str, search: str = "") -> Address | None:
    """Split a path, or return None when no page lives there.

    Examples
    --------
    >>> parse_address("/patients/CL-001").rest
    'CL-001'
    >>> parse_address("/nowhere") is None
    True
    """
    page, _, rest = unquote(pathname).strip("/").partition("/")
    if page not in LAYOUTS or (rest and page not in DEEP) or "/" in rest:
        return None
    query = {name: values[-1] for name, values in parse_qs(search.lstrip("?")).items()}
    return Address(page=page, rest=rest, query=query)


def build_page(site: Site, pathname: str, search: str) -> tuple[Any, list[Any], str]:
    """Build what stands under the top bar, the navigation with its current entry, and the title."""
    address = parse_address(pathname, search)
    navigation = shell.build_navigation(site, address.page if address else None)
    if address is None:
        return build_unknown_page(site, "unknown.page", path=pathname), navigation, site.text("brand")
    if not may_open(address.page):
        return build_unknown_page(site, "unknown.role"), navigation, site.text("brand")
    title = site.text(
        "page.title", page=site.text(f"nav.{address.page or 'home'}"), rest=name_rest(site, address)
    )
    return LAYOUTS[address.page](site, address), navigation, " ".join(title.split())


def build_layout(site: Site) -> Any:
    """Build the frame, and in it the page of the address that the browser names with its window.

    One that names nothing gets the frame alone and asks for the page then.
    """
    pathname, search = request.args.get("pathname"), request.args.get("search", "")
    if pathname is None:
        return shell.build_shell(site)
    width, height = (request.args.get(side, type=int) for side in ("width", "height"))
    page, navigation, title = build_page(site, pathname, search)
    first = shell.First(
        pathname=pathname, search=search, page=page, navigation=navigation, title=title,
        viewport={"width": width, "height": height} if width and height else None,
    )  # fmt: skip
    return shell.build_shell(site, first)


def opens_with_grid(pathname: str) -> bool:
    """Tell whether a grid is among the first things of the page at a path."""
    address = parse_address(pathname)
    return address is not None and address.page in GRIDS and not address.rest


def opens_with_chart(pathname: str) -> bool:
    """Tell whether a chart is among the first things of a page; a gate is drawn without its library.

    Examples
    --------
    >>> opens_with_chart("/patients/CL-001"), opens_with_chart("/samples/0a1b"), opens_with_chart("/audit")
    (True, False, False)
    """
    address = parse_address(pathname)
    return address is not None and address.page not in GRIDS


def is_known(site: Site, path: str) -> bool:
    """Tell whether a path leads to a page and, for a child or a file, to one of this trial."""
    address = parse_address(path)
    if address is None:
        return False
    tables = site.cache.current()
    if not address.rest or tables is None:
        return True
    if address.page == "samples":
        return address.rest in site.desk.known().files
    return patients.is_subject(tables, address.rest)


def name_rest(site: Site, address: Address) -> str:
    """Name the thing of an address for the title of the window: a file by child, visit and tube."""
    file = site.desk.known().files.get(address.rest) if address.page == "samples" and address.rest else None
    if file is None:
        return address.rest[:12] if address.page == "samples" else address.rest
    return " ".join(word for word in (file.subject_id, file.visit, file.panel, file.tube) if word)


def mark_unknown_page(site: Site, response: Response) -> Response:
    """Give the single page the status 404 where nothing lives at the path, 403 where the role may not go."""
    is_page = response.status_code == 200 and response.mimetype == "text/html"
    if not is_page or request.path == "/login":
        return response
    address = parse_address(request.path)
    if address is not None and not may_open(address.page):
        response.status_code = 403
    elif not is_known(site, request.path):
        response.status_code = 404
    return response


def register(app: Any, site: Site) -> None:
    """Let the address choose the page."""

    def show(pathname: str, search: str | None) -> tuple[Any, Any, str, Any]:
        return *build_page(site, pathname or "/", search or ""), shell.build_snapshot_chip(site)

    app.callback(
        Output("page", "children"),
        Output("shell-navigation", "children"),
        Output("page-title", "data"),
        Output("shell-snapshot", "children"),
        Input("location", "pathname"),
        Input("location", "search"),
        prevent_initial_call=True,
    )(allow(*EVERY_ROLE)(show))
