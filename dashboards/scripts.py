"""The scripts of a page as one, without those that no page uses; the grid's own only where a grid is shown.

A browser that has kept nothing waits for each script that it asks for, and reads all of them before it shows
anything. What Dash would name one by one is sent as one script, under an address that changes with its bytes,
so that it is asked for once.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Final

from dash.fingerprint import check_fingerprint
from flask import Blueprint, Response, abort, request

FOLDER: Final = "/_dash-component-suites/dash/dcc/"
"""Where the parts of Dash look for what they load later, by the place of the script that they came in."""
GRAPH: Final = f"{FOLDER}async-graph.js"
UNUSED: Final = ("/dash/deps/polyfill@", "/dash/dash_table/")
"""Support of browsers of the last decade, and a kind of table that no page has."""
GRID: Final = "/dash_ag_grid/"
GRID_MARK: Final = b'"namespace":"dash_ag_grid"'
GRID_HEADER: Final = "X-Grid-Script"
_TAG: Final = re.compile(r'<script src="([^"]+)"></script>')


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts:
    """One script for every page, and the address of the grid's."""

    word: str
    text: bytes
    grid: str

    @property
    def path(self) -> str:
        """The address of the one script."""
        return f"{FOLDER}dash_renderer.{self.word}.js"


def join_scripts(tags: str) -> Scripts:
    """Join the scripts that Dash's tags name, in their order."""
    sources = [source for source in _TAG.findall(tags) if not any(part in source for part in UNUSED)]
    grid = next((source for source in sources if GRID in source), "")
    text = b"".join(b";\n" + read_script(source) for source in [*sources, GRAPH] if source != grid)
    return Scripts(word=hashlib.sha256(text).hexdigest()[:16], text=text, grid=grid)


def read_script(source: str) -> bytes:
    """Read a script of ours or of a package by the address that Dash gives it."""
    path = source.partition("?")[0]
    if path.startswith("/assets/"):
        return resources.files("dashboards").joinpath(path.lstrip("/")).read_bytes()
    package, _, file = path.removeprefix("/_dash-component-suites/").partition("/")
    return resources.files(package).joinpath(check_fingerprint(file)[0]).read_bytes()


def write_tags(scripts: Scripts, *, with_grid: bool) -> str:
    """Write the tags of a page that opens with a grid or without one."""
    sources = [scripts.path, *([scripts.grid] if with_grid and scripts.grid else [])]
    return "\n".join(f'<script src="{source}"></script>' for source in sources)


def build_script_routes(get: Callable[[], Scripts]) -> Blueprint:
    """Serve the one script, which browsers may keep for good, and name the grid's to who gets a grid."""
    routes = Blueprint("scripts", __name__)

    def send(word: str) -> Response:
        scripts = get()
        if word != scripts.word:
            abort(404)
        response = Response(scripts.text, mimetype="text/javascript")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    def name_grid(response: Response) -> Response:
        if request.path.startswith("/_dash-") and response.is_json and GRID_MARK in response.data:
            response.headers[GRID_HEADER] = get().grid
        return response

    routes.add_url_rule(f"{FOLDER}dash_renderer.<string:word>.js", "one", send)
    routes.after_app_request(name_grid)
    return routes
