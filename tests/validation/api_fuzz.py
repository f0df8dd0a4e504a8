"""Requests against the description of the API, made and judged by a program that is not ours."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler
from werkzeug.serving import make_server as make_wsgi_server


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuzzed:
    """How many requests were made, and the failures as reported."""

    requests: int
    failures: str


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing of each request."""


@contextmanager
def serve_locally(server: Any) -> Iterator[str]:
    """Serve an app on a free port of this machine while the block runs; gives its address."""
    served = make_wsgi_server("127.0.0.1", 0, server, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{served.server_port}"
    finally:
        served.shutdown()
        thread.join(timeout=10)
        served.server_close()


def fuzz_api(
    server: Any,
    credentials: Sequence[str],
    *,
    examples: int,
    seed: int,
    folder: Path,
    options: Sequence[str] = (),
) -> Fuzzed:
    """Read the description from the running app and try every route by every check.

    Parameters
    ----------
    server
        The Flask app.
    credentials
        Headers that say who asks: a token, or the cookie of a session.
    examples
        Most examples that are drawn of each route.
    seed
        Seed of the draws.
    folder
        Where the program may write.
    options
        Further options of the program.
    """
    with serve_locally(server) as address:
        done = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "run", f"{address}/api/v1/openapi.json",
                *(part for one in credentials for part in ("-H", one)), "--checks", "all",
                "--max-examples", str(examples),
                "--seed", str(seed), "--no-color", "--continue-on-failure",
                "--generation-database", "none", *options,
            ],
            cwd=folder, capture_output=True, text=True, timeout=1200, check=False,
        )  # fmt: skip
    found = re.search(r"Test cases:\s+(\d[\d,]*) generated", done.stdout)
    return Fuzzed(
        requests=int(found[1].replace(",", "")) if found else 0,
        failures="" if done.returncode == 0 else done.stdout + done.stderr,
    )


def make_server(folder: Path) -> tuple[Any, dict[str, list[str]]]:
    """Make a dashboard of literal tables, and the credentials of a script and of a reviewer's session."""
    from dashboards.app import create_app
    from tests.dashboards.trial import NOW, PASSWORD, make_home

    home = make_home(folder)
    token, _ = home.registry.users.tokens.issue("ortiz", days=9, at=NOW, actor="test")
    server = create_app(home, secret_key="a key for tests and nothing else", clock=lambda: NOW).server
    client = server.test_client()
    client.post("/login", data={"username": "li.wei", "password": PASSWORD})
    session = client.get_cookie("corelab_session")
    return server, {
        "token": [f"Authorization: Bearer {token}"],
        "session": [f"Cookie: corelab_session={session.value if session else ''}"],
    }


LEFT_OUT = {"token": (), "session": ("--exclude-checks", "negative_data_rejection,ignored_auth")}
"""Checks that cannot be asked of a session: its cookie is sent with every request, also with those that
should come without one, and an Authorization that is no bearer's is not ours (a proxy may add it)."""
