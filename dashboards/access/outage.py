"""What a request is answered that could not be served: the database is away, or the failure is ours."""

import secrets
from contextlib import suppress
from typing import Final

from dash.exceptions import DependencyException
from flask import Flask, Response, current_app, request
from flask_login import current_user

from corelab.errors import CorelabError, DatabaseAwayError
from dashboards.access.guard import MACHINE_PREFIXES, check_next, name_route
from dashboards.site import Site, read_scheme

_RETRY_AFTER_SECONDS: Final = 5
_REFERENCE_BYTES: Final = 4
REFERENCE_HEADER: Final = "Failure-Reference"
"""By which an administrator finds a failure in the server's log and in the audit trail."""
_PAGE: Final = """<!doctype html>
<html lang="{{ text('page.language') }}" data-mantine-color-scheme="{{ scheme }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<link rel="stylesheet" href="/style/tokens.css"><link rel="stylesheet" href="/assets/10-shell.css"></head>
<body class="login"><main><h1>{{ title }}</h1><p role="alert">{{ said }}</p>
<p><a href="{{ path }}">{{ text('away.again') }}</a></p></main></body></html>
"""


def add_outage_answer(server: Flask, site: Site) -> None:
    """Answer in words: 503 wherever the database cannot be reached, 500 where we failed."""

    def answer_away(_error: DatabaseAwayError) -> Response:
        response = _answer(server, site, site.text("shell.away"), title="away.title", status=503)
        response.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
        return response

    def answer_failed(error: Exception) -> Response:
        reference = secrets.token_hex(_REFERENCE_BYTES)
        current_app.logger.error("failure %s at %s", reference, name_route(), exc_info=error)
        _record(site, error, reference)
        said = site.text("shell.failed", reference=reference)
        response = _answer(server, site, said, title="away.failed", status=500)
        response.headers[REFERENCE_HEADER] = reference
        return response

    # Dash's own words for a script that is not there.
    server.register_error_handler(DependencyException, lambda _error: ("404 Not Found\n", 404))
    server.register_error_handler(DatabaseAwayError, answer_away)
    server.register_error_handler(Exception, answer_failed)


def _answer(server: Flask, site: Site, said: str, *, title: str, status: int) -> Response:
    if request.path.startswith(MACHINE_PREFIXES):
        return Response(f"{said}\n", status=status, mimetype="text/plain")
    # Not through Flask: its templates ask who the person is, and so the database.
    page = server.jinja_env.from_string(_PAGE)
    path = check_next(request.path)
    text = page.render(text=site.text, scheme=read_scheme(), said=said, title=site.text(title), path=path)
    return Response(text, status=status, mimetype="text/html")


def _record(site: Site, error: Exception, reference: str) -> None:
    """Tell the audit trail that and where we failed, not on what; where it cannot be told the log has it.

    What nobody who is known here asked for stands in the log alone: strangers write no audit trail.
    """
    with suppress(CorelabError, OSError):
        if current_user.is_authenticated:
            site.home.registry.audit.append(
                actor=current_user.name, role=current_user.role.value, action="failure",
                object=name_route(), reason=f"{reference} {type(error).__name__}", at=site.clock(),
            )  # fmt: skip
