"""A session that ended is ended once, on record, for every process."""

import datetime as dt

from corelab.store import Home, open_home

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)


def test_end__counts_once_and_for_everybody(home: Home, database_url: str | None) -> None:
    sessions = home.registry.users.sessions
    assert not sessions.is_ended("a")
    assert sessions.end("a", account="ann", role="admin", at=NOW)
    other = open_home(home.path, database_url=database_url)
    assert other.registry.users.sessions.is_ended("a")
    assert not other.registry.users.sessions.end("a", account="ann", role="admin", at=NOW, reason="idle")
    assert not other.registry.users.sessions.is_ended("b")
    other.close()
    rows = home.registry.audit.rows()
    assert list(rows["action"]) == ["logout"]
    assert home.registry.audit.verify() == []
