"""What every request must pass before a page, a callback or a table answers."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from flask import Flask, Response, abort, redirect, request
from flask_login import current_user
from werkzeug.exceptions import Forbidden, HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as BaseResponse

from corelab.errors import CorelabError
from dashboards.access.sessions import is_csrf_header_right

if TYPE_CHECKING:
    from dashboards.site import Site

PUBLIC_PREFIXES: Final = ("/assets/", "/_dash-component-suites/")
PUBLIC_PATHS: Final = ("/login", "/healthz", "/_favicon.ico", "/style/tokens.css")
PUBLIC_ENDPOINTS: Final = ("oidc.start", "oidc.callback")
"""The ways to a provider and back; they are there only where one is set up."""
MACHINE_PREFIXES: Final = ("/_", "/api/")
"""Paths that scripts ask for; they get a status instead of a page."""
SCRIPTS: Final = "/api/v1/"
"""Where a token counts; an error is a line of text there."""


def add_guard(server: Flask, site: "Site") -> None:
    """Check each request for a login, and each changing one for its token; refusals are on record."""
    refusals = Refusals(site)

    def refuse(error: Forbidden) -> Any:
        refusals.record()
        return write_error(error)

    server.before_request(check_request)
    server.register_error_handler(HTTPException, write_error)
    server.register_error_handler(Forbidden, refuse)


class Refusals:
    """Who asked for what is not for their role: on record once an hour for each route, however often."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self._told: set[tuple[str, str]] = set()
        self._hour = ""

    def record(self) -> None:
        """Add the refusal of this request to the audit trail; a stranger's and a token's stand elsewhere."""
        if not current_user.is_authenticated or current_user.token:
            return
        at, route = self._site.clock(), name_route()
        hour = at.strftime("%Y-%m-%dT%H")
        if hour != self._hour:
            self._hour, self._told = hour, set()
        if (current_user.name, route) in self._told:
            return
        self._told.add((current_user.name, route))
        with suppress(CorelabError):  # what cannot be recorded is refused all the same
            self._site.home.registry.audit.append(
                actor=current_user.name, role=current_user.role.value, action="refused", object=route, at=at
            )


def name_route() -> str:
    """Name the route and not the address: what somebody typed is no part of a record."""
    return f"{request.method} {request.url_rule.rule if request.url_rule else ''}".strip()


def write_error(error: HTTPException) -> Any:
    """Answer a script in one line of text what a person would be shown as a page."""
    if not request.path.startswith(SCRIPTS) or error.code is None:
        return error
    said = "" if error.description == type(error).description else f": {error.description}"
    response = Response(f"{error.code} {error.name}{said}\n", status=error.code, mimetype="text/plain")
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def check_request() -> BaseResponse | None:
    """Let a request through (None), send it to the login page, or refuse it with 401 or 403."""
    path = request.path
    if path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES) or request.endpoint in PUBLIC_ENDPOINTS:
        return None
    if not current_user.is_authenticated:
        return refuse_anonymous(path)
    if isinstance(request.routing_exception, MethodNotAllowed):
        return None  # no route will run; the answer says which methods there are
    if request.method not in ("GET", "HEAD", "OPTIONS") and path != "/logout" and not is_csrf_header_right():
        abort(403)
    return None


def refuse_anonymous(path: str) -> BaseResponse:
    """Answer somebody without a session: 401 to a script, the login page to a person."""
    if path.startswith(MACHINE_PREFIXES) or request.method not in ("GET", "HEAD"):
        headers = {"WWW-Authenticate": "Bearer"} if path.startswith(SCRIPTS) else {}
        return Response("401 Unauthorized\n", status=401, mimetype="text/plain", headers=headers)
    wanted = request.full_path.rstrip("?")
    target = "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='/')}"
    return redirect(target, 302)


def check_next(target: str) -> str:
    """Return the page to go to after the login: a path of this site, or the first page.

    Examples
    --------
    >>> check_next("/patients/CL-001"), check_next("//elsewhere.example"), check_next("https://x.example/")
    ('/patients/CL-001', '/', '/')
    """
    parts = urlsplit(target)
    is_local = target.startswith("/") and not target.startswith(("//", "/\\", "/_", "/api/"))
    has_control = any(ord(letter) < 33 for letter in target) or "\\" in target
    if parts.scheme or parts.netloc or not is_local or has_control or parts.path in ("/login", "/logout"):
        return "/"
    return target


def is_cross_site() -> bool:
    """Tell whether a browser says that another site caused this request."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") == "cross-site":
        return True
    origin = request.headers.get("Origin")
    return bool(origin) and urlsplit(origin or "").netloc != request.host
