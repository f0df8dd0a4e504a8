"""Tokens for scripts: of one account, for some tables, until a day; shown once and kept as a hash."""

import datetime as dt
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from corelab.errors import ConfigError
from corelab.store import schema
from corelab.store.audit import AuditTrail, Entry, append_entries, format_moment
from corelab.store.database import reading, writing
from corelab.store.objects import compute_sha256

LONGEST_DAYS: Final = 366
PREFIX: Final = "corelab"
_TOKEN: Final = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")
_NO_HASH: Final = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A token without its secret. ``tables`` are those it gives; empty: every table."""

    id: str
    account: str
    tables: tuple[str, ...]
    created_at: str
    expires_at: str
    revoked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The tokens of one registry. The clock is an argument of everything that needs it."""

    engine: sa.Engine
    audit: AuditTrail

    def issue(
        self, account: str, *, days: int, tables: Sequence[str] = (), at: dt.datetime, actor: str
    ) -> tuple[str, AccessToken]:
        """Make a token; its text is given here and never again.

        Raises
        ------
        ConfigError
            If there is no such account or it is shut, or the days are not 1 to `LONGEST_DAYS`.
        """
        if not 1 <= days <= LONGEST_DAYS:
            raise ConfigError(f"a token for {days} days", expected=f"1 to {LONGEST_DAYS}")
        token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        values: dict[str, Any] = {
            "token_id": token_id, "account": account, "secret_hash": _hash(secret),
            "tables": " ".join(dict.fromkeys(tables)), "created_at": format_moment(at),
            "expires_at": format_moment(at + dt.timedelta(days=days)), "revoked": False,
        }  # fmt: skip
        what = f"{values['tables'] or 'every table'} until {values['expires_at']}"
        entry = Entry(
            at=at, actor=actor, role="", action="token_issue", object=f"{account} {token_id}", new=what
        )
        with writing(self.engine) as connection:
            version = _find_version(connection, account)
            if version is None:
                raise ConfigError(
                    f"account {account!r} does not exist or is shut", remedy="see corelab user list"
                )
            connection.execute(sa.insert(schema.access_token).values(values | {"session_version": version}))
            head = append_entries(connection, [entry])
        self.audit.write_head(head)
        return f"{PREFIX}_{token_id}_{secret}", _describe(values)

    def verify(self, text: str, *, at: dt.datetime) -> AccessToken | None:
        """Return the token of a text if it is one that still holds, else None.

        It ends with its day, when it is revoked, when its account is shut or gets a new password. A refused
        one that was known is recorded.
        """
        match = _TOKEN.fullmatch(text)
        if match is None:
            return None
        with reading(self.engine) as connection:
            query = sa.select(schema.access_token).where(schema.access_token.c.token_id == match[1])
            row = connection.execute(query).one_or_none()
            version = _find_version(connection, row.account) if row else None
        fits = secrets.compare_digest(row.secret_hash if row else _NO_HASH, _hash(match[2]))
        if row is None:
            return None
        reason = _why_refused(row, fits=fits, version=version, at=at)
        if reason:
            self.audit.append(
                actor=row.account, role="", action="token_refused", object=row.token_id, reason=reason, at=at
            )
            return None
        return _describe(row._asdict())

    def revoke(self, token_id: str, *, at: dt.datetime, actor: str) -> AccessToken:
        """End a token.

        Raises
        ------
        ConfigError
            If there is none of that id.
        """
        found = next((one for one in self.all() if one.id == token_id), None)
        if found is None:
            raise ConfigError(f"token {token_id!r} does not exist", remedy="see corelab user token --list")
        entry = Entry(
            at=at, actor=actor, role="", action="token_revoke", object=f"{found.account} {token_id}"
        )
        with writing(self.engine) as connection:
            where = schema.access_token.c.token_id == token_id
            connection.execute(sa.update(schema.access_token).where(where).values(revoked=True))
            head = append_entries(connection, [entry])
        self.audit.write_head(head)
        return found

    def all(self, account: str = "") -> list[AccessToken]:
        """Return the tokens of an account, or of all, oldest first."""
        table = schema.access_token
        query = sa.select(table).order_by(table.c.created_at, table.c.token_id)
        if account:
            query = query.where(table.c.account == account)
        with reading(self.engine) as connection:
            return [_describe(row._asdict()) for row in connection.execute(query)]


def _hash(secret: str) -> str:
    # The secret has 256 random bits: no slow hash is needed against guessing.
    return compute_sha256(secret.encode("ascii"))


def _find_version(connection: sa.Connection, account: str) -> int | None:
    row = connection.execute(sa.select(schema.user).where(schema.user.c.name == account)).one_or_none()
    return None if row is None or row.disabled else int(row.session_version)


def _why_refused(row: Any, *, fits: bool, version: int | None, at: dt.datetime) -> str:
    if not fits:
        return "wrong secret"
    if row.revoked:
        return "revoked"
    if version != row.session_version:
        return "the account was shut or changed"
    return "expired" if format_moment(at) >= row.expires_at else ""


def _describe(values: dict[str, Any]) -> AccessToken:
    return AccessToken(
        id=values["token_id"], account=values["account"], tables=tuple(values["tables"].split()),
        created_at=values["created_at"], expires_at=values["expires_at"], revoked=bool(values["revoked"]),
    )  # fmt: skip
