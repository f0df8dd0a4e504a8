"""Tokens: shown once, for some tables, until something ends them."""

import datetime as dt

import pytest
import sqlalchemy as sa

from corelab.errors import ConfigError
from corelab.store import Home, schema
from corelab.store.tokens import Tokens

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)


@pytest.fixture
def tokens(home: Home) -> Tokens:
    home.registry.users.add("ann", role="investigator", password="a long one", at=NOW)
    return home.registry.users.tokens


def test_issue__gives_a_token_that_holds_until_its_day(tokens: Tokens) -> None:
    text, token = tokens.issue("ann", days=2, tables=["persistence"], at=NOW, actor="cli")
    found = tokens.verify(text, at=NOW + dt.timedelta(days=1, hours=23))
    assert found == token
    assert found is not None
    assert (found.account, found.tables) == ("ann", ("persistence",))
    assert tokens.verify(text, at=NOW + dt.timedelta(days=2)) is None
    assert tokens.all("ann") == [token]


def test_issue__keeps_no_secret(tokens: Tokens, home: Home) -> None:
    text, _ = tokens.issue("ann", days=2, at=NOW, actor="cli")
    with home.registry.engine.connect() as connection:
        kept = repr(connection.execute(sa.select(schema.access_token)).all())
        kept += repr(connection.execute(sa.select(schema.audit)).all())
    assert text.split("_", 2)[2] not in kept


@pytest.mark.parametrize("text", ["", "x", "corelab_000000000000_" + "a" * 43, "corelab__"])
def test_verify__refuses_what_was_never_made(tokens: Tokens, text: str) -> None:
    assert tokens.verify(text, at=NOW) is None


def test_verify__refuses_a_wrong_secret_and_records_it(tokens: Tokens, home: Home) -> None:
    text, token = tokens.issue("ann", days=2, at=NOW, actor="cli")
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    assert tokens.verify(wrong, at=NOW) is None
    newest = home.registry.audit.rows(limit=1).iloc[0]
    assert (newest["action"], newest["object"], newest["reason"]) == (
        "token_refused",
        token.id,
        "wrong secret",
    )


def test_verify__ends_with_revocation_password_and_account(tokens: Tokens, home: Home) -> None:
    users = home.registry.users
    first, token = tokens.issue("ann", days=2, at=NOW, actor="cli")
    tokens.revoke(token.id, at=NOW, actor="cli")
    assert tokens.verify(first, at=NOW) is None
    second, _ = tokens.issue("ann", days=2, at=NOW, actor="cli")
    users.set_password("ann", "another long one", at=NOW)
    assert tokens.verify(second, at=NOW) is None
    third, _ = tokens.issue("ann", days=2, at=NOW, actor="cli")
    users.disable("ann", at=NOW)
    assert tokens.verify(third, at=NOW) is None
    assert home.registry.audit.verify() == []


@pytest.mark.parametrize(("name", "days"), [("bob", 5), ("ann", 0), ("ann", 367)])
def test_issue__refuses_unknown_accounts_and_odd_days(tokens: Tokens, name: str, days: int) -> None:
    with pytest.raises(ConfigError):
        tokens.issue(name, days=days, at=NOW, actor="cli")


def test_issue__refuses_a_shut_account(tokens: Tokens, home: Home) -> None:
    home.registry.users.disable("ann", at=NOW)
    with pytest.raises(ConfigError, match="is shut"):
        tokens.issue("ann", days=5, at=NOW, actor="cli")


def test_revoke__refuses_an_unknown_token(tokens: Tokens) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        tokens.revoke("000000000000", at=NOW, actor="cli")
