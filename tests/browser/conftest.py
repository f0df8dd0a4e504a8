"""One browser and one served home for all browser tests; a page fails on anything that it should not say."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from corelab.store.home import Home, open_home
from dashboards.app import create_app
from tests.browser.chromium import log_in, serve, start_chromium
from tests.dashboards.simulated import make_trial
from tests.dashboards.trial import PASSWORD, make_home
from tests.once import make_once

VIEW: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with start_chromium() as started:
        yield started


@dataclass(frozen=True, kw_only=True)
class Served:
    """A home and the address at which it is served."""

    home: Any
    address: str


@pytest.fixture(scope="session")
def served(tmp_path_factory) -> Iterator[Served]:
    home = make_home(tmp_path_factory.mktemp("served"))
    with serve(create_app(home, secret_key="a key for tests and nothing else")) as address:
        yield Served(home=home, address=address)
    home.close()


@pytest.fixture(scope="session")
def bare(tmp_path_factory) -> Iterator[Served]:
    """A home before its first run."""
    home = make_home(tmp_path_factory.mktemp("bare"), with_snapshot=False)
    with serve(create_app(home, secret_key="a key for tests and nothing else")) as address:
        yield Served(home=home, address=address)
    home.close()


@pytest.fixture(scope="session")
def real_home(tmp_path_factory) -> Iterator[Home]:
    """A simulated trial, ingested and run, with an account of each role."""
    made = make_once(tmp_path_factory, "trial", make_trial) / "home"
    home = open_home(shutil.copytree(made, tmp_path_factory.mktemp("real") / "home"))
    yield home
    home.close()


@pytest.fixture(scope="session")
def real_address(real_home) -> Iterator[str]:
    with serve(create_app(real_home, secret_key="a key for tests and nothing else")) as address:
        yield address


class Watch:
    """What a page said or did that it should not have."""

    def __init__(self, page: Page, address: str) -> None:
        self.complaints: list[str] = []
        self.expected: list[str] = []
        self._address = address
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("request", self._check_request)
        page.on("response", self._check_response)

    def _hear(self, message: Any) -> None:
        if message.type == "error" and not any(part in message.text for part in self.expected):
            self.complaints.append(f"console: {message.text}")

    def _check_request(self, request: Any) -> None:
        if not request.url.startswith((self._address, "data:", "blob:", "about:")):
            self.complaints.append(f"request to elsewhere: {request.url}")

    def _check_response(self, response: Any) -> None:
        is_call = response.status == 400 and "/_dash-update-component" in response.url
        is_wrong = response.status >= 500 or is_call  # a page of ours asks as the server expects it
        if is_wrong and f"status of {response.status}" not in self.expected:
            self.complaints.append(f"answer {response.status}: {response.url}")


@pytest.fixture
def watched(browser, served, request) -> Iterator[Page]:
    """A fresh page of a browser without a session; afterwards nothing may have gone wrong on it.

    A test that expects an error on the browser's console gives a part of it as the fixture's parameter.
    """
    yield from open_watched(browser, served.address, request)


def open_watched(browser: Browser, address: str, request: Any) -> Iterator[Page]:
    context = browser.new_context(**VIEW, base_url=address)
    yield from watch(context, address, list(getattr(request, "param", [])))
    context.close()


def watch(context: BrowserContext, address: str, expected: list[str]) -> Iterator[Page]:
    page = context.new_page()
    page.set_default_timeout(15_000)
    watching = Watch(page, address)
    watching.expected = expected
    yield page
    page.close()
    assert watching.complaints == []


@pytest.fixture(scope="session")
def reading(browser, served) -> Iterator[BrowserContext]:
    """A browser in which the investigator has logged in; it keeps what it loaded, as a person's does."""
    context = browser.new_context(**VIEW, base_url=served.address)
    page = context.new_page()
    log_in(page, served.address, "ortiz", PASSWORD)
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(reading, served, request) -> Iterator[Page]:
    """A watched page on which the investigator is logged in, in light colours and in English."""
    chosen = {"corelab_scheme": "light", "corelab_language": "en"}
    reading.add_cookies([{"name": k, "value": v, "url": served.address} for k, v in chosen.items()])
    yield from watch(reading, served.address, list(getattr(request, "param", [])))
