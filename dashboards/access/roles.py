"""Which role a callback or a route asks for."""

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from flask import abort
from flask_login import current_user

from corelab.vocabulary import Role

P = ParamSpec("P")
R = TypeVar("R")

EVERY_ROLE: Final = tuple(Role)
EXPORTERS: Final = (Role.SCIENTIST, Role.REVIEWER, Role.INVESTIGATOR)
"""Roles that may take tables out of the house; an administrator keeps accounts only."""

AUDITORS: Final = (Role.REVIEWER, Role.ADMIN)
"""Roles that may read who did what."""

PAGE_ROLES: Final = {"audit": AUDITORS, "upload": (Role.SCIENTIST,)}
"""Pages that not every role may open; absent for the others, and 403 by their address."""

ROLES_ATTRIBUTE: Final = "allowed_roles"


def may(*roles: Role) -> bool:
    """Tell whether the person of this request has one of the roles."""
    return bool(current_user.is_authenticated) and current_user.role in roles


def may_open(page: str) -> bool:
    """Tell whether the person of this request may open a page."""
    return may(*PAGE_ROLES.get(page, EVERY_ROLE))


def check_role(*roles: Role) -> None:
    """Refuse the request with 401 without a login and with 403 for another role."""
    if not current_user.is_authenticated:
        abort(401)
    if not may(*roles):
        abort(403)


def allow(*roles: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Guard a callback; the roles stay readable on it, so that a test finds one that has none."""

    def guard(callback: Callable[P, R]) -> Callable[P, R]:
        @wraps(callback)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            check_role(*roles)
            return callback(*args, **kwargs)

        setattr(guarded, ROLES_ATTRIBUTE, roles)
        return guarded

    return guard
