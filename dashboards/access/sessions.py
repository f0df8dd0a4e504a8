"""Logged-in sessions: a signed cookie that the registry can end at any moment.

The registry keeps which sessions ended, and why: a cookie that somebody copied is worth nothing afterwards.
"""

import datetime as dt
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Flask, Request, Response, request, session
from flask_login import LoginManager, current_user, login_user, logout_user

from corelab.vocabulary import Role
from dashboards.ports import HomePort, UserPort

IDLE_TIMEOUT: Final = dt.timedelta(minutes=30)
LONGEST_SESSION: Final = dt.timedelta(hours=12)
SEEN_EVERY_SECONDS: Final = 30
CSRF_COOKIE: Final = "_csrf_token"
CSRF_HEADER: Final = "X-CSRFToken"
TOKEN_PATHS: Final = ("/api/v1/tables/", "/api/v1/dictionary.csv", "/api/v1/openapi.json")
"""What a token gives: tables and their description, nothing else of its account."""

Clock = Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The person of this request, in the shape that Flask-Login asks for.

    ``token`` is the id of the token by which a script came, ``tables`` those it gives (empty: every table).
    """

    name: str
    role: Role
    token: str = ""
    tables: tuple[str, ...] = ()
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        """Return the name by which the session finds this account again."""
        return self.name


def configure_sessions(server: Flask, home: HomePort, *, clock: Clock, secure_cookies: bool) -> None:
    """Set the cookie's flags and let every request look its account up in the registry."""
    server.config.update(
        SESSION_COOKIE_NAME="corelab_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure_cookies,
        PERMANENT_SESSION_LIFETIME=IDLE_TIMEOUT,
        SESSION_REFRESH_EACH_REQUEST=True,
    )
    manager = LoginManager(server)
    manager.session_protection = None
    manager.user_loader(lambda name: None if bears_token(request) else read_account(home, name, at=clock()))
    manager.request_loader(lambda asked: read_bearer(home, asked, at=clock()))


def bears_token(asked: Request) -> bool:
    """Tell whether a script shows a token where one counts; its session is then not asked."""
    kind = asked.headers.get("Authorization", "").partition(" ")[0]
    return kind.lower() == "bearer" and asked.path.startswith(TOKEN_PATHS)


def read_bearer(home: HomePort, asked: Request, *, at: dt.datetime) -> Account | None:
    """Return the account of a script by its token; it gives tables, and only to read."""
    if not bears_token(asked):
        return None
    text = asked.headers["Authorization"].partition(" ")[2]
    token = home.registry.users.tokens.verify(text.strip(), at=at)
    user = home.registry.users.get(token.account) if token else None
    if token is None or user is None:
        return None
    return Account(name=user.name, role=user.role, token=token.id, tables=token.tables)


def read_account(home: HomePort, name: str, *, at: dt.datetime) -> Account | None:
    """Return the session's account, or None when it was disabled, changed, idle or kept too long.

    Why a session ended by itself is on record as soon as its cookie comes again.
    """
    users, session_id = home.registry.users, str(session.get("id", ""))
    user = users.get(name)
    if user is None or not session_id or users.sessions.is_ended(session_id):
        return None
    reason = find_end(user, at=at)
    if reason:
        users.sessions.end(session_id, account=name, role=user.role.value, at=at, reason=reason)
        return None
    if at.timestamp() - session.get("seen", 0) > SEEN_EVERY_SECONDS:
        session["seen"] = at.timestamp()
    return Account(name=user.name, role=user.role)


def find_end(user: UserPort, *, at: dt.datetime) -> str:
    """Return why the session of this request holds no longer; empty while it does."""
    now = at.timestamp()
    if user.disabled or session.get("version") != user.session_version:
        return "the account was shut or changed"
    if now - session.get("since", 0) > LONGEST_SESSION.total_seconds():
        return "open for too long"
    return "idle for too long" if now - session.get("seen", 0) > IDLE_TIMEOUT.total_seconds() else ""


def start_session(home: HomePort, user: UserPort, *, at: dt.datetime) -> None:
    """Begin a session from nothing, so that a planted cookie is worth nothing afterwards."""
    end_session(home, at=at)
    session.permanent = True
    now = at.timestamp()
    session.update(
        id=secrets.token_urlsafe(32), version=user.session_version, since=now, seen=now,
        csrf=secrets.token_urlsafe(32),
    )  # fmt: skip
    login_user(Account(name=user.name, role=user.role))


def end_session(home: HomePort, *, at: dt.datetime) -> None:
    """Forget who this is, here and wherever a copy of the cookie is; it is on record."""
    if current_user.is_authenticated and "id" in session:
        home.registry.users.sessions.end(
            str(session["id"]), account=current_user.name, role=current_user.role.value, at=at
        )
    logout_user()
    session.clear()


def write_csrf_cookie(response: Response, *, secure_cookies: bool) -> Response:
    """Give the page its request token; it is no secret from scripts of our own origin."""
    token = session.get("csrf")
    if token is None:
        if request.cookies.get(CSRF_COOKIE) is not None:
            response.delete_cookie(CSRF_COOKIE)
    elif request.cookies.get(CSRF_COOKIE) != token:
        response.set_cookie(CSRF_COOKIE, token, samesite="Strict", secure=secure_cookies)
    return response


def is_csrf_header_right() -> bool:
    """Tell whether the request repeats the token of its session in the header."""
    token = str(session.get("csrf", ""))
    sent = request.headers.get(CSRF_HEADER, "")
    return bool(token) and secrets.compare_digest(sent.encode(), token.encode())
