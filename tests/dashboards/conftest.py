"""A real home with literal tables, and an app whose clock the tests turn."""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from corelab.store.home import Home, open_home
from dashboards.app import create_app
from tests.dashboards.simulated import make_trial
from tests.dashboards.trial import NOW, PASSWORD, make_home
from tests.once import make_once

SECRET = "a key for tests and nothing else"


class Clock:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += dt.timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def made_home(tmp_path_factory) -> Path:
    """A home that is made once and copied for each test: hashing passwords takes its time by design."""
    folder = tmp_path_factory.mktemp("made")
    make_home(folder).close()
    return folder / "home"


@pytest.fixture
def home(made_home, tmp_path) -> Iterator[Home]:
    opened = open_home(shutil.copytree(made_home, tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def made_trial(tmp_path_factory) -> Path:
    """A simulated child, ingested and run: what the pages of files and gates need."""
    return make_once(tmp_path_factory, "trial", make_trial) / "home"


@pytest.fixture
def trial(made_trial, tmp_path) -> Iterator[Home]:
    """A copy of the simulated trial that a test may write to."""
    opened = open_home(shutil.copytree(made_trial, tmp_path / "trial"))
    yield opened
    opened.close()


@pytest.fixture
def trial_app(trial, clock) -> Any:
    return create_app(trial, secret_key=SECRET, clock=clock)


@pytest.fixture
def app(home, clock) -> Any:
    return create_app(home, secret_key=SECRET, clock=clock)


@pytest.fixture
def client(app) -> FlaskClient:
    return app.server.test_client()


def log_in(client: FlaskClient, name: str) -> None:
    response = client.post("/login", data={"username": name, "password": PASSWORD})
    assert response.status_code == 303


def csrf(client: FlaskClient) -> dict[str, str]:
    """Return the header with which the browser repeats its token."""
    cookie = client.get_cookie("_csrf_token")
    return {"X-CSRFToken": cookie.value if cookie else ""}


def call(client: FlaskClient, app: Any, output: str, *values: Any, headers: Any = None) -> Any:
    """Call one callback as the browser does; ``output`` is a part of its id, ``values`` its arguments."""
    name = next(name for name in app.callback_map if output in name)
    spec = app.callback_map[name]
    sent = iter(values)
    fill = [{**each, "value": next(sent)} for each in spec["inputs"]]
    state = [{**each, "value": next(sent)} for each in spec["state"]]
    parts = [part.rsplit(".", 1) for part in name.strip(".").split("...")]
    outputs = [{"id": part[0], "property": part[1]} for part in parts]
    body = {
        "output": name,
        "outputs": outputs if name.startswith("..") else outputs[0],
        "inputs": fill,
        "state": state,
        "changedPropIds": [f"{fill[0]['id']}.{fill[0]['property']}"],
    }
    sent_headers = csrf(client) if headers is None else headers
    return client.post("/_dash-update-component", json=body, headers=sent_headers)
