"""The login form, the way out, and the health check: plain pages without a script."""

import secrets
from typing import Final
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    redirect,
    render_template_string,
    request,
    session,
)
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from dashboards.access.guard import check_next, is_cross_site
from dashboards.access.sessions import end_session, start_session
from dashboards.site import LANGUAGE_COOKIE, Site, read_language, read_scheme

LONGEST_NAME: Final = 128
LONGEST_PASSWORD: Final = 1024
YEAR_SECONDS: Final = 31_536_000

_FORM: Final = """<!doctype html>
<html lang="{{ text('page.language') }}" data-mantine-color-scheme="{{ scheme }}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ text('login.title') }}</title>
<link rel="stylesheet" href="/style/tokens.css"><link rel="stylesheet" href="/assets/10-shell.css">
<link rel="icon" href="/_favicon.ico">
</head>
<body class="login">
<main>
<h1>{{ text('brand') }}</h1>
<p class="quiet">{{ study }} · {{ text('login.purpose') }}</p>
{% if problem %}<p role="alert" class="alert">{{ text(problem) }}</p>{% endif %}
<form method="post" action="/login">
<label for="username">{{ text('login.username') }}</label>
<input id="username" name="username" autocomplete="username" maxlength="128" required autofocus
 value="{{ username }}" spellcheck="false" autocapitalize="none">
<label for="password">{{ text('login.password') }}</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024"
 required>
<input type="hidden" name="next" value="{{ next }}">
<input type="hidden" name="token" value="{{ token }}">
<button class="button primary" type="submit">{{ text('login.submit') }}</button>
</form>
{% if provider %}<p><a class="button" id="login-provider" href="{{ provider_link }}">
{{ text('login.provider', provider=provider) }}</a></p>{% endif %}
<p><a class="quiet" id="login-language" lang="{{ text('shell.other_language_code') }}"
 href="{{ other }}">{{ text('shell.language') }}</a></p>
</main>
</body>
</html>
"""


def build_blueprint(site: Site) -> Blueprint:
    """Collect the routes that need no login."""
    routes = Blueprint("access", __name__)
    routes.add_url_rule("/login", "login", lambda: answer_login(site), methods=["GET", "POST"])
    routes.add_url_rule("/logout", "logout", lambda: answer_logout(site), methods=["GET", "POST"])
    routes.add_url_rule("/healthz", "healthz", lambda: Response("ok\n", mimetype="text/plain"))
    return routes


def answer_login(site: Site) -> BaseResponse | str | tuple[str, int]:
    """Show the form, or check what was typed and go on to the page that was asked for."""
    if request.method == "GET":
        target = check_next(request.args.get("next", "/"))
        return redirect(target, 303) if current_user.is_authenticated else answer_form(site, target)
    if is_cross_site():
        abort(403)
    target = check_next(request.form.get("next", "/"))
    name = request.form.get("username", "")[:LONGEST_NAME]
    if not is_own_form():
        return write_form(site, target=target, username=name, problem="login.stale"), 403
    password = request.form.get("password", "")[:LONGEST_PASSWORD]
    user = site.home.registry.users.verify(name, password, at=site.clock())
    if user is None:
        return write_form(site, target=target, username=name, problem="login.failed"), 401
    start_session(site.home, user, at=site.clock())
    return redirect(target, 303)


def is_own_form() -> bool:
    """Tell whether the form that was posted is the one that this browser was given.

    A browser always says where a form comes from, and then the form's own token is asked for. A script
    without such headers has no session that somebody could abuse, so it may post the two fields alone.
    """
    sent, kept = request.form.get("token", ""), str(session.get("login_token", ""))
    is_browser = any(name in request.headers for name in ("Origin", "Sec-Fetch-Site", "Referer"))
    if not (is_browser or sent):
        return True
    return bool(kept) and secrets.compare_digest(sent.encode(), kept.encode())


def answer_form(site: Site, target: str) -> BaseResponse:
    """Show the form; a language that the address chose is kept, as the switch in the bar keeps it."""
    response = make_response(write_form(site, target=target))
    if "language" in request.args:
        response.set_cookie(LANGUAGE_COOKIE, read_language(), max_age=YEAR_SECONDS, samesite="Lax")
    return response


def write_form(site: Site, *, target: str, username: str = "", problem: str = "") -> str:
    """Write the login page with a token of this browser's own."""
    token = session.setdefault("login_token", secrets.token_urlsafe(32))
    return render_template_string(
        _FORM,
        text=site.catalog.text,
        study=site.home.study.id,
        scheme=read_scheme(),
        problem=problem,
        username=username,
        next=target,
        other=f"/login?{urlencode({'language': site.text('shell.other_language_word'), 'next': target})}",
        token=token,
        provider=site.provider,
        provider_link=f"/login/oidc?{urlencode({'next': target})}",
    )


def answer_logout(site: Site) -> BaseResponse:
    """End the session; another site cannot do it for the person."""
    if is_cross_site():
        abort(403)
    end_session(site.home, at=site.clock())
    return redirect("/login", 303)
