"""What a request is answered while the database is away: wait, nothing was changed, try again."""

from flask import Flask, Response, request

from corelab.errors import DatabaseAwayError
from dashboards.access.guard import MACHINE_PREFIXES
from dashboards.site import Site, read_scheme

_RETRY_AFTER_SECONDS = 5
_PAGE = """<!doctype html>
<html lang="{{ text('page.language') }}" data-mantine-color-scheme="{{ scheme }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ text('away.title') }}</title>
<link rel="stylesheet" href="/style/tokens.css"><link rel="stylesheet" href="/assets/10-shell.css"></head>
<body class="login"><main><h1>{{ text('away.title') }}</h1><p role="alert">{{ text('shell.away') }}</p>
<p><a href="{{ path }}">{{ text('away.again') }}</a></p></main></body></html>
"""


def add_outage_answer(server: Flask, site: Site) -> None:
    """Answer 503 in words wherever the database cannot be reached."""

    def answer(_error: DatabaseAwayError) -> Response:
        if request.path.startswith(MACHINE_PREFIXES):
            response = Response(site.text("shell.away") + "\n", status=503, mimetype="text/plain")
        else:
            # Not through Flask: its templates ask who the person is, and so the database.
            page = server.jinja_env.from_string(_PAGE)
            text = page.render(text=site.text, scheme=read_scheme(), path=request.path)
            response = Response(text, status=503, mimetype="text/html")
        response.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
        return response

    server.register_error_handler(DatabaseAwayError, answer)
