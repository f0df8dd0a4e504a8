"""Accounts: who may come in, and who is kept out."""

import datetime as dt
import subprocess
import sys
from contextlib import ExitStack
from subprocess import PIPE

import pytest

from corelab.errors import ConfigError
from corelab.store import Home
from corelab.store.users import LOCK_AFTER_FAILURES, LOCK_WINDOW
from corelab.vocabulary import Role

NOW = dt.datetime(2025, 3, 3, 9, 0, tzinfo=dt.UTC)
PASSWORD = "correct horse battery"


@pytest.fixture
def with_ann(home: Home) -> Home:
    home.registry.users.add("ann", role="scientist", password=PASSWORD, at=NOW)
    return home


def test_verify__knows_the_right_password_only(with_ann: Home) -> None:
    users = with_ann.registry.users
    user = users.verify("ann", PASSWORD, at=NOW)
    assert user is not None
    assert (user.name, user.role, user.disabled) == ("ann", Role.SCIENTIST, False)
    assert users.verify("ann", PASSWORD + "x", at=NOW) is None
    assert users.verify("bob", PASSWORD, at=NOW) is None
    assert users.verify("", "", at=NOW) is None


def test_verify__locks_after_failures_and_opens_again_with_time(with_ann: Home) -> None:
    users = with_ann.registry.users
    for _ in range(LOCK_AFTER_FAILURES):
        assert users.verify("ann", "wrong", at=NOW) is None
    assert users.is_locked("ann", at=NOW)
    assert users.verify("ann", PASSWORD, at=NOW) is None
    later = NOW + LOCK_WINDOW + dt.timedelta(seconds=1)
    assert users.verify("ann", PASSWORD, at=later) is not None


_GUESS = """
import datetime as dt, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from corelab.store import open_home
home = open_home(Path(sys.argv[1]), database_url=sys.argv[2] or None)
at = dt.datetime.fromisoformat(sys.argv[3])
def guess(_):
    return home.registry.users.verify("ann", "wrong", at=at)
with ThreadPoolExecutor(4) as pool:
    print("ready", flush=True)
    sys.stdin.readline()
    print(list(pool.map(guess, range(4))) == [None] * 4)
"""


def test_verify__counts_the_attempts_of_all_processes_at_once(
    with_ann: Home, database_url: str | None
) -> None:
    """Attempts that two servers take at one time are worth no more than one after the other."""
    words = [sys.executable, "-c", _GUESS, str(with_ann.path), database_url or "", NOW.isoformat()]
    with ExitStack() as stack:
        started = [
            stack.enter_context(subprocess.Popen(words, stdin=PIPE, stdout=PIPE, text=True)) for _ in range(2)
        ]
        assert [one.stdout.readline() for one in started] == ["ready\n"] * 2
        for one in started:
            one.stdin.write("\n")
            one.stdin.flush()
        assert [one.communicate()[0] for one in started] == ["True\n"] * 2
    reasons = list(with_ann.registry.audit.rows()["reason"])
    assert (reasons.count("refused"), len(reasons)) == (LOCK_AFTER_FAILURES, 8 + 1)
    assert with_ann.registry.users.verify("ann", PASSWORD, at=NOW) is None
    assert with_ann.registry.audit.verify() == []


def test_verify__counts_failures_since_the_last_success(with_ann: Home) -> None:
    users = with_ann.registry.users
    for _ in range(LOCK_AFTER_FAILURES - 1):
        users.verify("ann", "wrong", at=NOW)
    assert users.verify("ann", PASSWORD, at=NOW) is not None
    users.verify("ann", "wrong", at=NOW)
    assert not users.is_locked("ann", at=NOW)


def test_verify__writes_every_attempt_into_the_trail_without_what_was_typed(with_ann: Home) -> None:
    users = with_ann.registry.users
    users.verify("ann", PASSWORD, at=NOW)
    users.verify("ann", "wrong", at=NOW)
    users.verify("hunter2-typed-as-a-name", "wrong", at=NOW)
    rows = with_ann.registry.audit.rows()
    assert list(rows["action"][:3]) == ["login_failed", "login_failed", "login"]
    assert "hunter2" not in rows.to_csv()


def test_disable__ends_the_account_and_its_sessions(with_ann: Home) -> None:
    users = with_ann.registry.users
    before = users.get("ann")
    after = users.disable("ann", at=NOW, actor="root", reason="left")
    assert before is not None
    assert after.session_version > before.session_version
    assert users.verify("ann", PASSWORD, at=NOW) is None


def test_set_password__replaces_it_and_ends_sessions(with_ann: Home) -> None:
    users = with_ann.registry.users
    assert users.set_password("ann", "another good one", at=NOW).session_version == 2
    assert users.verify("ann", PASSWORD, at=NOW) is None
    assert users.verify("ann", "another good one", at=NOW) is not None


@pytest.mark.parametrize(
    ("name", "role", "password", "match"),
    [
        ("ann", "scientist", PASSWORD, "exists"),
        ("Ann", "reviewer", PASSWORD, "account ann exists"),
        ("\u0430nn", "reviewer", PASSWORD, "no account name"),  # a Cyrillic letter that looks the same
        ("ann\u200b", "reviewer", PASSWORD, "no account name"),
        ("ann\n", "reviewer", PASSWORD, "no account name"),
        ("bob", "owner", PASSWORD, "role"),
        ("bob", "admin", "short", "too short"),
        ("b b", "admin", PASSWORD, "no account name"),
        ("'; DROP TABLE account; --", "admin", PASSWORD, "no account name"),
        ("", "admin", PASSWORD, "no account name"),
    ],
)
def test_add__refuses_what_is_no_account(
    with_ann: Home, name: str, role: str, password: str, match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        with_ann.registry.users.add(name, role=role, password=password, at=NOW)
    assert [user.name for user in with_ann.registry.users.all()] == ["ann"]


def test_disable__names_an_unknown_account(home: Home) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        home.registry.users.disable("nobody", at=NOW)


def test_add__keeps_no_password(with_ann: Home) -> None:
    database = with_ann.path / "registry.db"
    if database.exists():
        stored = b"".join(path.read_bytes() for path in with_ann.path.glob("registry.db*"))
        assert PASSWORD.encode() not in stored
        assert b"$argon2id$" in stored
