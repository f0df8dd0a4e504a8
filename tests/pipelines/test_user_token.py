"""``corelab user token`` prints a token that the registry knows, lists it and ends it."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from corelab.store import create_home, open_home
from corelab.study import builtin_study


def test_user_token__is_made_listed_and_ended(corelab: Callable[..., object], tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    home = create_home(tmp_path / "home", study_text=builtin_study().source)
    home.registry.users.add("ann", role="investigator", password="a long one", at=now)
    home.close()
    made = corelab("user", "token", home.path, "ann", "--days", "3", "--tables", "subjects,kinetics")
    assert (made.returncode, made.stderr) == (0, "")
    opened = open_home(home.path)
    token = opened.registry.users.tokens.verify(made.stdout.strip(), at=now)
    assert token is not None
    assert token.tables == ("subjects", "kinetics")
    listed = corelab("user", "token", home.path, "ann", "--list").stdout
    assert listed == f"{token.id}\tuntil {token.expires_at}\tsubjects kinetics\n"
    assert corelab("user", "token", home.path, "ann", "--revoke", token.id).returncode == 0
    assert opened.registry.users.tokens.verify(made.stdout.strip(), at=now) is None
    opened.close()
    refused = corelab("user", "token", home.path, "bob")
    assert refused.returncode == 2
    assert "bob" in refused.stderr
    refused = corelab("user", "token", home.path, "ann", "--tables", "subjects,kinetic")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "table 'kinetic' is unknown" in refused.stderr
