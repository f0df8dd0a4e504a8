"""The chart library without the kinds of charts that no page draws.

The file that the package ``plotly`` brings holds fifty kinds. A browser that has not kept it takes over a
second to read it, and shows nothing meanwhile; what our three kinds need is a quarter of the file and takes a
tenth of that time. Its parts are written down here for one file, known by its hash:
``python -m tests.dashboards.cut_plotly`` finds them. Any other file is sent whole, so another version of the
package is slower and never wrong.
"""

import hashlib
from importlib import resources
from typing import Final

from flask import Blueprint, Response, request

KINDS: Final = ("bar", "heatmap", "scatter")
"""The kinds of traces that our figures use."""
PATH: Final = "/_dash-component-suites/plotly/package_data/plotly.min.js"
"""Where the browser's part of Dash looks for the library."""
SHA256: Final = "3b6e15d45dbb7fca5bd2094291e961ddc5472cd887009e6009a56dab668d721f"
KEPT: Final = (
    (0, 118),
    (333, 681),
    (763, 1004),
    (1173, 1751),
    (2408, 1096780),
    (1120206, 1151568),
    (4813486, 4813542),
    (4813548, 4813554),
    (4813817, 4815795),
)
"""From and to which byte the file is kept: its licences, and what our charts need."""


def read_whole() -> bytes:
    """Read the library as the package ``plotly`` brings it."""
    return resources.files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()


def cut(whole: bytes) -> bytes:
    """Return what our charts need of the library; all of it where the file is not the known one."""
    if hashlib.sha256(whole).hexdigest() != SHA256:
        return whole
    return b"".join(whole[start:end] for start, end in KEPT)


def build_library_routes() -> Blueprint:
    """Serve the library instead of the package's own file; like all scripts it holds no data."""
    script = cut(read_whole())
    routes = Blueprint("library", __name__)

    def send() -> Response:
        response = Response(script, mimetype="text/javascript")
        response.headers["Cache-Control"] = "no-cache"
        response.add_etag()
        return response.make_conditional(request)  # type: ignore[return-value]

    routes.add_url_rule(PATH, "plotly", send)
    return routes
