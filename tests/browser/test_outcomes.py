"""Outcomes and cytokines in the browser: each view is drawn, opens its evidence, and has no barrier."""

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import log_in
from tests.browser.conftest import open_watched
from tests.browser.picks import click_pick
from tests.browser.test_pages import list_barriers, turn_dark
from tests.dashboards.trial import PASSWORD

pytestmark = pytest.mark.browser

VIEWS = [
    ("/outcomes", "outcomes-matrix", ("event", "CL-001", "CRS"), "CL-001 · CRS"),
    ("/outcomes?view=response", "outcomes-responses", ("response", "CL-001", "M3", "ORR"), "CL-001 · M3"),
    ("/outcomes?view=expansion", "outcomes-expansion", ("association", "DOSE_HIGH"), "Dose group"),
    ("/cytokines", "cytokines-courses", ("draw", "CL-001", "IL-6"), "CL-001 · LD · IL-6"),
    ("/cytokines?view=plates", "cytokines-map", ("well", "P1", "IL-6", "B2"), "P1 · B2 · IL-6"),
    ("/cytokines?view=controls", "cytokines-controls", ("control", "P3"), "P3 · QC1 · IL-6"),
]


@pytest.mark.parametrize(("path", "chart", "words", "title"), VIEWS)
def test_view__opens_what_stands_behind_a_mark_without_a_barrier(page, path, chart, words, title):
    page.goto(path)

    click_pick(page, chart, *words)

    drawer = f"#{path.split('?')[0].strip('/')}-drawer"
    expect(page.locator(f"{drawer} h2")).to_have_text(title)
    assert "open=" in page.url
    assert list_barriers(page) == []
    turn_dark(page, path)
    assert list_barriers(page, colours_only=True) == []
    page.reload()
    expect(page.locator(f"{drawer} h2")).to_have_text(title)


def test_outcomes__its_tabs_and_switches_are_addresses(page):
    page.goto("/outcomes")
    page.click("#outcomes-to-response")
    expect(page.locator("#outcomes-to-response")).to_contain_text("shown")
    page.get_by_text("SRI-4", exact=True).first.click()
    page.wait_for_url("**/outcomes?view=response&endpoint=SRI4*")
    page.click("#outcomes-to-safety")
    page.get_by_text("days 1–28", exact=True).click()
    expect(page.locator("#outcomes-matrix-title")).to_have_text(
        "Worst laboratory grade of each child · days 1–28"
    )


def test_cytokines__an_analyte_of_a_plate_says_why_it_was_rejected(page):
    page.goto("/cytokines?view=plates")
    page.get_by_role("link", name="TNF-a").click()

    expect(page.locator("#cytokines-curve")).to_contain_text("5 of 7 levels back-calculate")
    expect(page.locator(".analytes")).to_contain_text("rejected")


@pytest.fixture
def reviewer(browser, served, request):
    for page in open_watched(browser, served.address, request):
        log_in(page, served.address, "li.wei", PASSWORD)
        yield page


def test_cytokines__a_lock_is_seen_at_once(reviewer):
    reviewer.goto("/cytokines?view=plates")
    expect(reviewer.locator("#cytokines-lock h2")).to_have_text("Lock P1")
    for button, title, told in (("Lock", "Unlock P1", "P1 is locked"), ("Unlock", "Lock P1", "P1 is open")):
        reviewer.fill("#cytokines-lock-reason", "the wrong plate was signed")
        reviewer.fill("#cytokines-lock-password", PASSWORD)
        reviewer.get_by_role("button", name=button, exact=True).click()
        expect(reviewer.locator("#cytokines-lock h2")).to_have_text(title)
        expect(reviewer.locator("#cytokines-lock-answer")).to_contain_text(told)
    expect(reviewer.locator("#cytokines-plate-list")).not_to_contain_text("locked by")
