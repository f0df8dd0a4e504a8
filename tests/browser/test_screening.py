"""Screening in the browser: a cell opens its evidence, by mouse and by keys; the address keeps the view."""

import pytest
from playwright.sync_api import expect

from tests.browser.picks import click_pick

pytestmark = pytest.mark.browser


def test_screening__a_cell_opens_its_evidence_and_escape_closes_it(page):
    page.goto("/screening")

    click_pick(page, "screening-matrix", "E06a", "CL-003")

    expect(page.locator("#screening-drawer h2")).to_have_text("CL-003 · E06a")
    expect(page.locator("#screening-drawer .chips")).to_contain_text("does not pass")
    expect(page.locator("#screening-aside")).to_be_hidden()
    expect(page).to_have_url("/screening?open=E06a%7ECL-003")
    page.keyboard.press("Escape")
    expect(page.locator("#screening-drawer")).to_be_hidden()
    expect(page).to_have_url("/screening")


def test_screening__keys_walk_the_cells_and_open_one(page):
    page.goto("/screening?verdict=ineligible&criteria=unresolved")
    page.wait_for_selector("#screening-matrix .js-plotly-plot[data-picks]")
    page.focus("#screening-matrix-pick")

    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)

    expect(page.locator("#screening-drawer h2")).to_have_text("CL-003 · I10")
    expect(page.locator("#screening-matrix-said")).to_contain_text("not evaluable · MISSING labs.csv SCR ANA")


def test_screening__the_address_shows_the_view_again(page):
    page.goto("/screening")
    page.get_by_text("only unresolved", exact=True).click()
    page.get_by_text("ineligible", exact=True).last.click()
    expect(page).to_have_url("/screening?verdict=ineligible&criteria=unresolved")

    page.reload()

    expect(page.locator("#screening-matrix")).to_contain_text("CL-003")
    expect(page.locator("#screening-matrix")).not_to_contain_text("CL-001")


def test_screening__the_list_of_lacks_leads_to_the_evidence(page):
    page.goto("/screening")

    page.get_by_role("button", name="CL-003 I06").click()

    expect(page.locator("#screening-drawer .lead")).to_have_text("not evaluable")
    expect(page.locator("#screening-drawer")).to_contain_text("no B-cell tube of screening")


def test_screening__a_child_of_the_cd19_card_opens_its_call(page):
    page.goto("/screening")

    click_pick(page, "screening-cd19", "I06", "CL-001")

    expect(page.locator("#screening-drawer")).to_contain_text("reference B cells")


def test_screening__gives_its_table(page):
    page.goto("/screening")
    with page.expect_download() as download:
        page.click("#screening-save")

    assert download.value.path().read_text().startswith("subject_id,arm,criterion")


def test_screening__says_what_to_do_before_the_first_run(browser, bare):
    from tests.browser.chromium import log_in
    from tests.dashboards.trial import PASSWORD

    context = browser.new_context(base_url=bare.address)
    page = context.new_page()
    log_in(page, bare.address, "ortiz", PASSWORD, target="/screening")
    expect(page.locator("h1")).to_have_text("No child has been judged yet")
    expect(page.locator(".empty p")).to_contain_text("corelab run")
    context.close()
