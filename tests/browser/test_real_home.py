"""The whole road once: a simulated trial, ingested, run, and read in the browser."""

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import log_in
from tests.browser.conftest import open_watched
from tests.browser.course import click_mark, wait_for_course
from tests.browser.picks import click_pick
from tests.browser.test_pages import list_barriers
from tests.dashboards.trial import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(browser, real_address, request):
    for page in open_watched(browser, real_address, request):
        log_in(page, real_address, "ortiz", PASSWORD)
        yield page


def test_home__tells_the_simulated_trial(page, real_home):
    subjects = real_home.snapshots.current().table("subjects")
    waiting = real_home.registry.quarantine()

    expect(page.locator("#home-counts")).to_contain_text(f"{len(subjects)}of 50 enrolled")
    expect(page.locator("#home-counts")).to_contain_text(f"{(subjects['infusion_at'] != '').sum()}infused")
    expect(page.locator("#home-waiting h2")).to_have_text(f"Waits for the laboratory · {len(waiting)}")
    assert len(waiting) >= 1
    for path in waiting["path"][:6]:
        expect(page.locator("#home-waiting")).to_contain_text(path)
    expect(page.locator("#home-matrix")).to_contain_text(subjects["subject_id"].iloc[0])


def test_home__a_mark_of_quality_opens_its_tube_without_a_barrier(page, real_home):
    findings = real_home.snapshots.current().table("quality")
    low = findings[findings["check"] == "LIMITED_SENSITIVITY"].iloc[0]

    page.click("#home-to-trends")
    click_pick(page, "home-trends", "tube", low["object"][:12], "events")

    expect(page.locator("#trends-drawer h2")).to_contain_text(f"{low['subject_id']} · {low['visit']}")
    expect(page.locator("#trends-drawer")).to_contain_text("LIMITED_SENSITIVITY")
    assert "open=tube" in page.url
    assert list_barriers(page) == []
    page.click("#trends-drawer .button")
    page.wait_for_url(f"**/samples/{low['object']}*")


def test_patient__shows_the_counts_of_the_snapshot(page, real_home):
    persistence = real_home.snapshots.current().table("persistence")
    flow = persistence[(persistence["analyte"] == "CAR_PCT_CD3") & (persistence["status"] == "quantified")]
    assert not flow.empty
    peak = flow.loc[flow["value"].idxmax()]

    page.goto(f"/patients/{peak['subject_id']}")
    wait_for_course(page, peak["subject_id"])
    click_mark(page, "car_pct", peak["visit_label"])

    counted = f"{peak['n_events']:,} / {peak['n_reference']:,} CAR⁺ of CD3⁺".replace(",", "\u202f")
    expect(page.locator("#drawer-lead")).to_have_text(counted)


def test_patient__draws_nothing_below_its_limit_as_a_number(page, real_home):
    persistence = real_home.snapshots.current().table("persistence")
    below = persistence[
        (persistence["analyte"] == "CAR_PCT_CD3")
        & persistence["status"].isin(["not_detected", "detected_blq"])
        & (persistence["collected_at"] != "")
    ]
    row = below.iloc[0]

    page.goto(f"/patients/{row['subject_id']}")
    wait_for_course(page, row["subject_id"])
    click_mark(page, "car_pct", row["visit_label"])

    words = {"not_detected": "not detected", "detected_blq": "detected, < LLOQ"}[row["status"]]
    expect(page.locator("#patient-drawer .chips")).to_contain_text(words)
    expect(page.locator("#drawer-lead")).to_contain_text(f"{row['n_events']} / ")


def test_exports__gives_the_wide_table_of_the_snapshot(page, real_home):
    table = real_home.snapshots.current().table("analysis")
    page.goto("/exports?table=analysis")

    expect(page.locator(".preview header")).to_contain_text(f"{len(table)} of {len(table)} rows")
    with page.expect_download() as download:
        page.locator("a[href='/api/v1/tables/analysis.csv']").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == ",".join(table.columns)
    assert len(lines) == len(table) + 1
