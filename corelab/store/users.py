"""Accounts: one for each person, argon2 hashes, and failures counted in the registry."""

import datetime as dt
import re
from dataclasses import dataclass
from functools import cache
from typing import Final

import argon2
import sqlalchemy as sa

from corelab.errors import ConfigError
from corelab.store import schema
from corelab.store.audit import AuditTrail, Entry, append_entries, format_moment
from corelab.store.database import reading, writing
from corelab.store.objects import compute_sha256
from corelab.store.sessions import Sessions
from corelab.store.tokens import Tokens
from corelab.vocabulary import Role

MINIMUM_PASSWORD: Final = 8
LOCK_AFTER_FAILURES: Final = 5
LOCK_WINDOW: Final = dt.timedelta(minutes=15)
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_HASHER = argon2.PasswordHasher()
_ALIKE: Final = str.maketrans("0OIl", "oo11")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account. ``session_version`` grows when its sessions must end."""

    name: str
    role: Role
    session_version: int
    disabled: bool


@cache
def _dummy_hash() -> str:
    """Return the hash that is checked for unknown names, so that they take as long as known ones."""
    return str(_HASHER.hash("no account has this password"))


def _matches(password_hash: str, password: str) -> bool:
    try:
        return bool(_HASHER.verify(password_hash, password))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """The accounts of one registry. The clock is an argument of everything that needs it."""

    engine: sa.Engine
    audit: AuditTrail

    @property
    def tokens(self) -> Tokens:
        """The tokens of the accounts."""
        return Tokens(engine=self.engine, audit=self.audit)

    @property
    def sessions(self) -> Sessions:
        """The ends of the accounts' sessions."""
        return Sessions(engine=self.engine, audit=self.audit)

    def add(self, name: str, *, role: Role | str, password: str, at: dt.datetime, actor: str = "") -> User:
        """Make an account that can log in at once.

        Raises
        ------
        ConfigError
            If the name is taken or malformed, or could be mistaken for another's (``Ann`` beside ``ann``),
            the role unknown, or the password too short.
        """
        checked = _check_new(name, role=role, password=password)
        values = {
            "name": name, "role": checked.value, "password_hash": str(_HASHER.hash(password)),
            "session_version": 1, "disabled": False, "created_at": format_moment(at),
        }  # fmt: skip
        entry = Entry(at=at, actor=actor or name, role="", action="user_add", object=name, new=checked.value)
        with writing(self.engine) as connection:
            taken = next((one for one in _names(connection) if _is_alike(one, name)), "")
            if taken:
                raise ConfigError(f"account {taken} exists already", expected="a new name")
            connection.execute(sa.insert(schema.user).values(values))
            head = append_entries(connection, [entry])
        self.audit.write_head(head)
        return User(name=name, role=checked, session_version=1, disabled=False)

    def get(self, name: str) -> User | None:
        """Return an account, disabled or not, or None."""
        with reading(self.engine) as connection:
            row = _row(connection, name)
        return None if row is None else _user(row)

    def all(self) -> list[User]:
        """Return every account by name."""
        with reading(self.engine) as connection:
            rows = connection.execute(sa.select(schema.user).order_by(schema.user.c.name)).all()
        return [_user(row) for row in rows]

    def disable(self, name: str, *, at: dt.datetime, actor: str = "", reason: str = "") -> User:
        """Shut an account and end its sessions.

        Raises
        ------
        ConfigError
            If there is no such account.
        """
        entry = Entry(at=at, actor=actor, role="", action="user_disable", object=name, reason=reason)
        return self._change(name, {"disabled": True}, entry)

    def set_password(self, name: str, password: str, *, at: dt.datetime, actor: str = "") -> User:
        """Give an account a new password and end its sessions.

        Raises
        ------
        ConfigError
            If there is no such account or the password is too short.
        """
        _check_password(password)
        entry = Entry(at=at, actor=actor, role="", action="user_passwd", object=name)
        return self._change(name, {"password_hash": str(_HASHER.hash(password))}, entry)

    def verify(self, name: str, password: str, *, at: dt.datetime, purpose: str = "login") -> User | None:
        """Return the account if name and password fit and it is neither disabled nor locked, else None.

        Every attempt is counted and audited here, so no caller can forget it. A locked account costs the
        same time as any other, and the right password does not open it. ``purpose`` names the attempt in
        the audit trail: a login, or a signature for which the password is asked again.
        """
        with reading(self.engine) as connection:
            row = _row(connection, name)
        fits = _matches(row.password_hash if row else _dummy_hash(), password)
        known = name if row else "unknown account"
        # Asked where one writer works at a time: many attempts at once are as many as one after the other.
        with writing(self.engine) as connection:
            locked = _count_failures(connection, name, at=at) >= LOCK_AFTER_FAILURES
            now = _row(connection, name)
            accepted = fits and now is not None and now == row and not now.disabled and not locked
            reason = "" if accepted else ("locked" if locked else "refused")
            entry = Entry(
                at=at, actor=known, role=row.role if row else "", object=known, reason=reason,
                action=_name_attempt(purpose, accepted=accepted),
            )  # fmt: skip
            attempt = {"name_hash": _name_hash(name), "at": format_moment(at), "success": accepted}
            connection.execute(sa.insert(schema.login_attempt).values(attempt))
            head = append_entries(connection, [entry])
        self.audit.write_head(head)
        return _user(row) if accepted and row else None

    def admit(self, name: str, *, via: str, at: dt.datetime) -> User | None:
        """Return the account that somebody else vouches for, if it is neither disabled nor locked, else None.

        A provider that knows a person gives no account: only one that is here opens. It counts as no
        attempt, so it neither locks an account nor opens a locked one. ``via`` is the reason in the audit
        trail of a login that came so.
        """
        with reading(self.engine) as connection:
            row = _row(connection, name)
            locked = _count_failures(connection, name, at=at) >= LOCK_AFTER_FAILURES
        accepted = row is not None and not row.disabled and not locked
        known = name if row else "unknown account"
        self.audit.append(
            at=at, actor=known, role=str(row.role) if row else "", object=known,
            action=_name_attempt("login", accepted=accepted),
            reason=via if accepted else f"{via}: {'locked' if locked else 'refused'}",
        )  # fmt: skip
        return _user(row) if accepted and row else None

    def is_locked(self, name: str, *, at: dt.datetime) -> bool:
        """Tell whether too many attempts failed of late; true or false for unknown names as well."""
        with reading(self.engine) as connection:
            return _count_failures(connection, name, at=at) >= LOCK_AFTER_FAILURES

    def _change(self, name: str, values: dict[str, object], entry: Entry) -> User:
        with writing(self.engine) as connection:
            if _row(connection, name) is None:
                raise ConfigError(f"account {name!r} does not exist", remedy="see corelab user list")
            version = schema.user.c.session_version + 1
            change = sa.update(schema.user).where(schema.user.c.name == name)
            connection.execute(change.values(session_version=version, **values))
            head = append_entries(connection, [entry])
            row = _row(connection, name)
        self.audit.write_head(head)
        return _user(row)


def _check_new(name: str, *, role: Role | str, password: str) -> Role:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no account name", expected="1 to 64 of A-Z a-z 0-9 . _ @ -")
    _check_password(password)
    try:
        return Role(role)
    except ValueError:
        raise ConfigError(f"role {role!r} is unknown", expected=" ".join(Role)) from None


def _check_password(password: str) -> None:
    if len(password) < MINIMUM_PASSWORD:
        raise ConfigError("the password is too short", expected=f"at least {MINIMUM_PASSWORD} characters")


def _names(connection: sa.Connection) -> list[str]:
    return [str(name) for name in connection.scalars(sa.select(schema.user.c.name))]


def _is_alike(one: str, other: str) -> bool:
    """Tell whether two names differ only in case, or in letters and figures that look the same."""
    return one.casefold() == other.casefold() or one.translate(_ALIKE) == other.translate(_ALIKE)


def _row(connection: sa.Connection, name: str) -> "sa.Row[tuple[object, ...]] | None":
    return connection.execute(sa.select(schema.user).where(schema.user.c.name == name)).one_or_none()


def _user(row: "sa.Row[tuple[object, ...]] | None") -> User:
    if row is None:
        message = "an account vanished inside its own transaction"
        raise RuntimeError(message)
    return User(
        name=str(row.name), role=Role(row.role), session_version=int(row.session_version),
        disabled=bool(row.disabled),
    )  # fmt: skip


def _name_attempt(purpose: str, *, accepted: bool) -> str:
    word = "login" if purpose == "login" else f"{purpose}_password"
    return word if accepted else f"{word}_failed"


def _name_hash(name: str) -> str:
    return compute_sha256(name.encode("utf-8", "surrogatepass"))


def _count_failures(connection: sa.Connection, name: str, *, at: dt.datetime) -> int:
    """Count failures inside the window since the last success."""
    attempt = schema.login_attempt.c
    query = (
        sa.select(attempt.success)
        .where(attempt.name_hash == _name_hash(name), attempt.at > format_moment(at - LOCK_WINDOW))
        .order_by(attempt.id.desc())
        .limit(LOCK_AFTER_FAILURES)
    )
    outcomes = [bool(row.success) for row in connection.execute(query)]
    return outcomes.index(True) if True in outcomes else len(outcomes)
