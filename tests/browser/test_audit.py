"""The audit trail in the browser: filters, one entry, and the closed door."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import log_in
from tests.browser.conftest import open_watched
from tests.browser.test_pages import list_barriers, turn_dark
from tests.dashboards.trial import PASSWORD

pytestmark = pytest.mark.browser


@pytest.fixture
def auditor(browser, served, request) -> Iterator[Page]:
    for page in open_watched(browser, served.address, request):
        log_in(page, served.address, "li.wei", PASSWORD, target="/audit")
        yield page


def test_audit__shows_entries_opens_one_and_has_no_barrier(auditor):
    auditor.goto("/audit?action=user_add")
    expect(auditor.locator("#audit-chain")).to_contain_text("chain verified")
    rows = auditor.locator(".ag-center-cols-container .ag-row")
    expect(rows).to_have_count(4)

    rows.first.click()

    expect(auditor.locator("#audit-drawer .lead")).to_have_text("account made")
    assert list_barriers(auditor) == []
    turn_dark(auditor, "/audit")
    assert list_barriers(auditor, colours_only=True) == []
    auditor.keyboard.press("Escape")
    expect(auditor.locator("#audit-drawer")).to_be_hidden()


def test_audit__filters_stand_in_the_address_and_in_the_file(auditor):
    auditor.fill("#audit-text", "root")
    expect(auditor).to_have_url("/audit?text=root")
    expect(auditor.locator("#audit-save")).to_have_attribute("href", "/api/v1/audit.csv?text=root")
    with auditor.expect_download() as download:
        auditor.click("#audit-save")
    assert "root" in download.value.path().read_text()


@pytest.mark.parametrize("page", [["status of 403"]], indirect=True)
def test_audit__is_absent_and_shut_for_an_investigator(page):
    page.goto("/audit")

    expect(page.locator("#unknown h1")).to_have_text("This page is not for your role")
    expect(page.locator("#nav-audit")).to_have_count(0)
