"""The way in, in a real browser: choose, send, close the tab, go on, hand over, settle what waits."""

import datetime as dt
import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from dashboards.app import create_app
from pipelines.ingest import ingest
from pipelines.runner import work_off
from tests.browser.chromium import log_in, serve
from tests.browser.conftest import VIEW, Served, open_watched
from tests.browser.test_pages import list_barriers, turn_dark
from tests.dashboards.trial import NOW, PASSWORD, make_home
from tests.deliveries import LAB, SUBJECT, make_fcs, write_delivery

pytestmark = pytest.mark.browser
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
LARGE = 20_000_000
PATIENT_MS = 30_000


@pytest.fixture(scope="module")
def receiving(tmp_path_factory) -> Iterator[Served]:
    """A home with one child, to which files can be brought."""
    folder = tmp_path_factory.mktemp("receiving")
    home = make_home(folder, with_snapshot=False)
    ingest(
        home, [write_delivery(folder / "d", tables={"subjects": [SUBJECT], "labs": [LAB]})], at=NOW, actor="s"
    )
    with serve(create_app(home, secret_key="a key for tests and nothing else")) as address:
        yield Served(home=home, address=address)
    home.close()


@pytest.fixture
def page(browser, receiving, request):
    for page in open_watched(browser, receiving.address, request):
        log_in(page, receiving.address, "chen", PASSWORD, target="/upload")
        expect(page.locator("#upload-input")).to_be_visible()
        yield page


def choose(page, *files) -> None:
    page.set_input_files("#upload-input", [str(file) for file in files])


@pytest.mark.parametrize("page", [["status of 422"]], indirect=True)
def test_upload__brings_files_in_and_settles_what_waits(page, receiving, tmp_path):
    home = receiving.home
    (tmp_path / "S-1_D14_FMO-CAR.fcs").write_bytes(make_fcs())
    (tmp_path / "labs.csv").write_bytes(
        b"subject_id,visit,collected_at,test,value,unit\nS-1,D14,2025-03-17T08:30,ALC,9,10^9/L\n"
    )
    (tmp_path / "notes.docx").write_bytes(b"x")
    choose(page, *sorted(tmp_path.iterdir()))
    refused = page.locator(".upload-row[data-state=refused]")
    expect(refused).to_contain_text("not a file of a delivery")
    expect(page.locator(".upload-row[data-state=received]")).to_have_count(2)
    expect(page.locator("#upload-sum")).to_contain_text("2 of 2 files")
    (tmp_path / "layout.csv").write_bytes(b"plate,well,sample_type\n")
    page.set_input_files("#upload-plates", str(tmp_path / "layout.csv"))
    plate = page.locator(".upload-row[data-state=received]", has_text="plates/layout.csv")
    expect(plate).to_contain_text("1 kB")
    plate.locator("button").click()
    page.click("#upload-hand")
    expect(page.locator("#upload-say")).to_contain_text("Files handed over: 2")
    expect(refused).to_contain_text("by the button for plates")
    refused.locator("button").click()
    expect(page.locator("#upload-jobs")).to_contain_text("waits for the runner")
    assert work_off(home, clock=lambda: dt.datetime.now(dt.UTC)) == 2
    expect(page.locator("#upload-jobs")).to_contain_text("corrections to decide 1")

    row = page.locator("#upload-files .ag-center-cols-container .ag-row")
    expect(row).to_contain_text("fmo_car")
    page.locator("#upload-files .ag-row input[type=checkbox]").first.check()
    page.click("#upload-assign")
    expect(page.locator("#upload-files-say")).to_contain_text("no reason")
    panel = row.locator("[col-id=panel]")
    panel.click()
    panel.locator(".ag-picker-field-wrapper").click()
    page.locator(".ag-list-item", has_text="cart").click()
    page.fill("#upload-files-reason", "by the worksheet")
    page.click("#upload-assign")
    expect(page.locator("#upload-files-say")).to_contain_text("Files assigned: 1")
    expect(page.locator("#upload-files")).to_contain_text("Every file has its tube")

    corrections = page.locator("#upload-corrections .ag-row")
    expect(corrections).to_contain_text(["1.35"])
    page.locator("#upload-corrections .ag-row input[type=checkbox]").first.check()
    page.fill("#upload-corrections-reason", "typo")
    page.click("#upload-accept")
    expect(page.locator("#upload-corrections-say")).to_contain_text("Corrections accepted: 1")
    assert list(home.registry.inputs().acquisitions["tube"]) == ["fmo_car"]
    assert list(home.registry.inputs().labs["value"]) == ["9"]
    assert home.registry.audit.verify() == []


def test_upload__goes_on_after_a_closed_tab(browser, receiving, tmp_path):
    home = receiving.home
    data = make_fcs(7) + os.urandom(LARGE)
    file = tmp_path / "half.fcs"
    file.write_bytes(data)
    context = browser.new_context(**VIEW, base_url=receiving.address)
    page = context.new_page()
    log_in(page, receiving.address, "chen", PASSWORD, target="/upload")
    expect(page.locator("#upload-input")).to_be_visible()

    def hold(route) -> None:
        """Let the first piece through, and cut the line at the second."""
        if route.request.headers.get("upload-offset") in (None, "0"):
            route.continue_()
        else:
            route.abort()

    page.route("**/api/v1/uploads/*", hold)
    choose(page, file)
    expect(page.locator(".upload-row", has_text="half.fcs").locator(".told")).to_contain_text(
        "17 MB of 20 MB", timeout=PATIENT_MS
    )
    page.close(run_before_unload=False)

    again = context.new_page()
    again.goto("/upload")
    row = again.locator(".upload-row", has_text="half.fcs")
    expect(row.locator(".told")).to_contain_text(
        "17 MB of 20 MB are here; choose the file again", timeout=PATIENT_MS
    )
    resumed = []
    again.on("request", lambda request: resumed.append(request.headers.get("upload-offset")))
    choose(again, file)
    expect(row).to_have_attribute("data-state", "received", timeout=PATIENT_MS)
    assert next(one for one in resumed if one is not None) == str(16 * 2**20)
    (upload,) = (one for one in home.uploads.open("chen") if one.name == "half.fcs")
    assert (home.path / "uploads" / f"{upload.id}.part").read_bytes() == data
    home.uploads.discard(upload.id, account="chen")
    context.close()


def test_upload__has_no_barrier_that_axe_finds(page):
    page.goto("/upload")
    expect(page.locator("#upload-input")).to_be_visible()
    expect(page.locator("#upload-held .ag-header-cell").first).to_be_visible()
    assert list_barriers(page) == []
    turn_dark(page, "/upload")
    assert list_barriers(page, colours_only=True) == []


def test_upload__is_not_shown_to_others(browser, receiving, request):
    for page in open_watched(browser, receiving.address, request):
        log_in(page, receiving.address, "ortiz", PASSWORD)
        expect(page.locator("#nav-upload")).to_have_count(0)
