"""One browser and one served home for all browser tests; a page fails on anything that it should not say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from dashboards.app import create_app
from tests.browser.chromium import log_in, serve, start_chromium
from tests.dashboards.trial import PASSWORD, make_home


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
        if response.status >= 500:
            self.complaints.append(f"answer {response.status}: {response.url}")


@pytest.fixture
def watched(browser, served, request) -> Iterator[Page]:
    """A fresh page; afterwards nothing may have gone wrong on it.

    A test that expects an error of the browser's console names it with the mark ``expects``.
    """
    yield from open_watched(browser, served.address, request)


def open_watched(browser: Browser, address: str, request: Any) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=address)
    page = context.new_page()
    page.set_default_timeout(15_000)
    watch = Watch(page, address)
    watch.expected = list(getattr(request, "param", []))
    yield page
    context.close()
    assert watch.complaints == []


@pytest.fixture
def page(watched, served) -> Page:
    """A watched page on which the investigator is logged in."""
    log_in(watched, served.address, "ortiz", PASSWORD)
    return watched
