"""Coming in and going out, in a real browser."""

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import log_in
from tests.browser.conftest import open_watched
from tests.dashboards.trial import PASSWORD

pytestmark = pytest.mark.browser


def test_login__leads_to_the_page_that_was_asked_for(watched):
    watched.goto("/cohort")
    expect(watched).to_have_url("/login?next=/cohort")

    watched.fill("#username", "ortiz")
    watched.fill("#password", PASSWORD)
    watched.keyboard.press("Enter")

    expect(watched).to_have_url("/cohort")
    expect(watched.locator("h1")).to_have_text("Persistence")
    expect(watched.locator("#shell-person")).to_have_text("ortiz · investigator")


@pytest.mark.parametrize("watched", [["status of 401"]], indirect=True)
def test_login__says_that_it_did_not_work_and_keeps_the_name(watched):
    watched.goto("/login")
    watched.fill("#username", "ortiz")
    watched.fill("#password", "wrong")
    watched.click("button[type=submit]")

    expect(watched.get_by_role("alert")).to_contain_text("do not fit")
    expect(watched.locator("#username")).to_have_value("ortiz")


def test_login__shuts_an_account_after_five_failures(browser, bare):
    """On a home of its own: the account stays shut for the tests that follow."""
    context = browser.new_context(base_url=bare.address)
    page = context.new_page()
    page.goto("/login")
    for password in ["wrong"] * 5 + [PASSWORD]:
        page.fill("#username", "li.wei")
        page.fill("#password", password)
        page.click("button[type=submit]")
        expect(page.get_by_role("alert")).to_be_visible()
    context.close()


def test_logout__ends_the_session(watched, served):
    log_in(watched, served.address, "ortiz", PASSWORD)

    watched.click("#shell-logout")

    expect(watched).to_have_url("/login")
    watched.goto("/")
    expect(watched).to_have_url("/login")


@pytest.mark.parametrize("watched", [["status of 401"]], indirect=True)
def test_session__that_ended_leads_to_the_login_and_back(watched, served):
    log_in(watched, served.address, "ortiz", PASSWORD)
    # An answer that is under way would bring the session back.
    watched.wait_for_load_state("networkidle")
    watched.context.clear_cookies()

    watched.click("#nav-cohort")

    expect(watched).to_have_url("/login?next=%2Fcohort")


@pytest.mark.parametrize(("name", "role"), [("chen", "scientist"), ("root", "administrator")])
def test_shell__says_who_is_here_and_as_what(watched, served, name, role):
    log_in(watched, served.address, name, PASSWORD)

    expect(watched.locator("#shell-person")).to_have_text(f"{name} · {role}")


def test_exports__offers_an_administrator_no_file(watched, served):
    log_in(watched, served.address, "root", PASSWORD, target="/exports")

    expect(watched.locator("#exports-tables")).to_be_visible()
    expect(watched.locator("a[href^='/api/']")).to_have_count(0)


@pytest.mark.parametrize("path", ["/", "/patients/CL-001", "/cohort", "/exports"])
def test_pages__say_what_is_absent_before_the_first_run(browser, bare, request, path):
    for page in open_watched(browser, bare.address, request):
        log_in(page, bare.address, "ortiz", PASSWORD, target=path)

        expect(page.locator("h1")).to_have_text("No snapshot yet")
        expect(page.locator("#shell-snapshot")).to_have_text("no snapshot yet")
