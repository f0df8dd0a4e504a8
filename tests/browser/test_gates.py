"""The list of acquisitions and the gate editor in a real browser: a limit moved, counted, recorded."""

import re

import pytest
from playwright.sync_api import expect

from corelab.cytometry.interchange.revision import Kind, Scope, read_limit
from tests.browser.chromium import log_in
from tests.browser.conftest import open_watched
from tests.browser.test_pages import list_barriers, turn_dark
from tests.dashboards.trial import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LIMIT = "[data-gate-limit='CAR']"


@pytest.fixture
def scientist(browser, real_address, request):
    for page in open_watched(browser, real_address, request):
        log_in(page, real_address, "chen", PASSWORD)
        yield page


@pytest.fixture
def reader(browser, real_address, request):
    for page in open_watched(browser, real_address, request):
        log_in(page, real_address, "ortiz", PASSWORD)
        yield page


@pytest.fixture(scope="session")
def tube(real_home) -> dict:
    """The CAR-T tube with the most CAR-T cells."""
    table = real_home.snapshots.current().table("populations")
    cars = table[(table["population"] == "car_t") & (table["tube"] == "full") & (table["qc"] != "fail")]
    return cars.loc[cars["count"].astype(float).idxmax()].to_dict()


def open_gate(page, file_id: str, words: str = "population=car_t") -> None:
    page.goto(f"/samples/{file_id}?{words}")
    page.wait_for_function("() => { const i = document.querySelector('#gate-image'); "
                           "return i && i.complete && i.naturalWidth > 100; }")  # fmt: skip


def read_count(page) -> int:
    return int(re.sub(r"\D", "", page.locator("#gate-count").inner_text()))


def wait_for_other_count(page, before: int) -> int:
    """Wait until a limit rests and its count, which is then said aloud, is another."""
    page.wait_for_function(
        """before => {
          const count = document.querySelector('#gate-count').textContent;
          const said = document.querySelector('#gate-said').textContent;
          return Number(count.replace(/\\D/g, '')) !== before && said.startsWith(count + ' ');
        }""",
        arg=before,
    )
    return read_count(page)


def find_box(page, selector: str) -> dict:
    """Return where something of the plot is; the plot is drawn anew with each count."""
    return page.evaluate(
        """selector => {
          const r = document.querySelector(selector).getBoundingClientRect();
          return { x: r.x, y: r.y, width: r.width, height: r.height };
        }""",
        selector,
    )


def drag(page, down_px: float) -> None:
    """Drag the limit of CAR by its handle."""
    box = page.locator(f"{LIMIT} rect.handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + down_px / 2)
    page.mouse.move(x, y + down_px)
    page.mouse.up()


def test_samples__lists_filters_and_opens_an_acquisition(reader, real_home, tube):
    known = real_home.registry.acquisition_files()
    reader.goto("/samples")
    expect(reader.locator("#samples-shown")).to_have_text(f"{len(known)} of {len(known)} acquisitions")

    reader.click("#samples-panel")
    reader.get_by_role("option", name="cart", exact=True).click()
    expect(reader).to_have_url("/samples?panel=cart")
    cart = [file for file in known if file.panel == "cart"]
    expect(reader.locator("#samples-shown")).to_have_text(f"{len(cart)} of {len(known)} acquisitions")

    reader.goto(f"/samples?subject={tube['subject_id']}&visit={tube['visit']}&panel=cart&tube=full")
    expect(reader.locator(".ag-center-cols-container .ag-row")).to_have_count(1)
    expect(reader.locator(".ag-row").first).to_contain_text("in the snapshot")
    reader.locator(".ag-row a").first.click()
    expect(reader).to_have_url(f"/samples/{tube['file_id']}")
    expect(reader.locator("h1")).to_have_text(f"{tube['subject_id']} · {tube['visit']} · cart · full")

    reader.go_back()
    expect(reader.locator("#samples-shown")).to_be_visible()


def test_samples__says_that_nothing_matches_and_leads_back(reader):
    reader.goto("/samples?visit=M24&tube=nothing")
    expect(reader.locator("#page")).to_contain_text("No acquisition matches. Filters that are on: 2.")

    reader.locator("#page .none a").click()

    expect(reader).to_have_url("/samples")
    expect(reader.locator(".ag-row").first).to_be_visible()


def test_acquisition__shows_the_counts_of_the_snapshot_and_lets_a_reader_move_nothing(reader, tube):
    open_gate(reader, tube["file_id"])

    assert read_count(reader) == tube["count"]
    expect(reader.locator("#gate-tree tr.current")).to_contain_text("car_t")
    expect(reader.locator("#gate-overlay path")).not_to_have_count(0)
    assert reader.locator("[role=slider], #gate-save, #gate-reason, .take-back").count() == 0
    assert reader.locator("#gate-limits input").first.get_attribute("readonly") is not None
    expect(reader.locator("#gate-controls tr").first).to_be_visible()


def test_acquisition__walks_through_gates_visits_and_rows_of_plots(reader, tube):
    open_gate(reader, tube["file_id"])

    reader.click("#tree-cd4_t")
    expect(reader).to_have_url(f"/samples/{tube['file_id']}?population=cd4_t")
    expect(reader.locator("#gate-tree tr.current")).to_contain_text("cd4_t")
    reader.click("#gate-strip-gates")
    expect(reader.locator("#gate-small a.own")).to_contain_text("cd4_t")
    pictures = (
        "() => [...document.querySelectorAll('img[data-picture]')].every(i => i.src && i.naturalWidth > 0)"
    )
    reader.wait_for_function(pictures)
    reader.click("#gate-overlay-none")
    expect(reader).to_have_url(re.compile("overlay=none"))
    expect(reader.locator("#gate-overlay-none")).to_have_class("on")
    reader.click("#gate-back")
    reader.get_by_role("option", name="car_t", exact=True).click()
    expect(reader).to_have_url(re.compile("back=car_t"))
    expect(reader.locator("#gate-image")).to_have_attribute("src", re.compile("back=car_t"))


def test_pages__have_no_barrier_that_axe_finds(scientist, tube):
    scientist.goto("/samples?visit=D14")
    expect(scientist.locator(".ag-row").first).to_be_visible()
    assert list_barriers(scientist) == []
    turn_dark(scientist, "/samples")
    assert list_barriers(scientist, colours_only=True) == []

    scientist.goto(f"/samples/{tube['file_id']}?population=car_t")
    for scheme in ("dark", "light"):
        expect(scientist.locator("#gate-controls tr").first).to_be_visible()
        expect(scientist.locator(LIMIT)).to_be_visible()
        expect(scientist.locator("#gate-image")).to_have_attribute("src", re.compile(f"scheme={scheme}"))
        assert list_barriers(scientist, colours_only=scheme == "light") == []
        scientist.click("#shell-scheme")


def test_editor__moves_a_limit_by_mouse_and_keys_and_takes_it_back(scientist, tube):
    open_gate(scientist, tube["file_id"])
    first = read_count(scientist)

    drag(scientist, 60)
    dragged = wait_for_other_count(scientist, first)
    assert dragged > first
    expect(scientist.locator("#gate-live")).to_be_visible()
    expect(scientist.locator("#gate-preview")).to_contain_text("car_t")
    expect(scientist.locator("#gate-preview")).to_contain_text("car_neg_t")
    expect(scientist.locator("#gate-save")).to_be_disabled()

    scientist.locator(LIMIT).focus()
    for _ in range(12):
        scientist.keyboard.press("ArrowUp")
    keyed = wait_for_other_count(scientist, dragged)
    assert keyed < dragged
    assert scientist.locator(LIMIT).get_attribute("aria-valuenow") is not None

    scientist.click("#gate-undo")
    wait_for_other_count(scientist, keyed)
    expect(scientist.locator("#gate-count")).to_have_text(f"{dragged:,}".replace(",", "\u202f"))
    scientist.click("#gate-discard")
    wait_for_other_count(scientist, dragged)
    assert read_count(scientist) == first
    expect(scientist.locator("#gate-live")).to_be_hidden()


def test_editor__draws_a_polygon_by_mouse_and_keys_and_records_it(scientist, real_home, tube):
    """Every kind of shape in one load of the page; a polygon is drawn corner by corner and saved."""
    open_gate(scientist, tube["file_id"])
    first = read_count(scientist)
    scientist.click("#gate-tool-ellipse")
    expect(scientist.locator("#gate-image")).to_have_attribute("src", re.compile("whole=yes"))
    scientist.locator("[data-gate-handle=v0]").focus()
    for _ in range(25):
        scientist.keyboard.press("ArrowLeft")
    narrow = wait_for_other_count(scientist, first)
    assert narrow < first
    scientist.click("#gate-tool-quadrant")
    wait_for_other_count(scientist, narrow)
    counts = [re.sub(r"\D", "", text) for text in scientist.locator("text.quadrant").all_text_contents()]
    assert read_count(scientist) + sum(map(int, counts)) == tube["parent_count"]

    scientist.click("#gate-tool-polygon")
    box = find_box(scientist, "#gate-overlay .sheet")
    corners = [(0.05, 0.97), (0.05, 0.6), (0.95, 0.6), (0.95, 0.97)]
    scientist.mouse.click(box["x"] + 0.02 * box["width"], box["y"] + 0.98 * box["height"])
    for x, up in corners[1:]:
        scientist.mouse.click(box["x"] + x * box["width"], box["y"] + (1 - up) * box["height"])
    before = read_count(scientist)
    scientist.keyboard.press("Enter")
    drawn = wait_for_other_count(scientist, before)
    expect(scientist.locator("g.corner")).to_have_count(4)
    scientist.locator("[data-gate-handle=v1]").focus()
    scientist.keyboard.press("+")
    expect(scientist.locator("g.corner")).to_have_count(5)
    scientist.keyboard.press("Delete")
    expect(scientist.locator("g.corner")).to_have_count(4)
    scientist.keyboard.press("Control+z")
    expect(scientist.locator("g.corner")).to_have_count(5)
    corner = find_box(scientist, "[data-gate-handle=v3] .handle")
    scientist.mouse.move(corner["x"] + 4, corner["y"] + 4)
    scientist.mouse.down()
    scientist.mouse.move(corner["x"] - 60, corner["y"] + 40)
    scientist.mouse.up()
    wait_for_other_count(scientist, drawn)
    scientist.wait_for_load_state("networkidle")

    assert list_barriers(scientist) == []
    scientist.fill("#gate-reason", "The dim cells lie below the limit")
    now = read_count(scientist)
    scientist.click("#gate-save")
    expect(scientist.locator("#gate-waits")).to_be_visible()
    revision = real_home.gates.all()[-1]
    assert (revision.decision.kind, revision.decision.gate) == (Kind.SHAPE, "car_t")
    assert read_count(scientist) == now
    expect(scientist.locator("#gate-tool-polygon")).to_have_attribute("aria-pressed", "true")
    expect(scientist.locator("#gate-tool-limits")).to_have_count(0)
    expect(scientist.locator("#gate-history")).to_contain_text("car_t polygon")
    scientist.fill("#gate-reason", "A second look")
    scientist.locator(".take-back").first.click()
    expect(scientist.locator("#gate-waits")).to_have_count(0)
    assert read_count(scientist) == first


def test_editor__records_a_limit_with_its_reason_and_the_tube_waits_for_a_run(scientist, real_home, tube):
    open_gate(scientist, tube["file_id"])
    first = read_count(scientist)
    drag(scientist, -90)
    now = wait_for_other_count(scientist, first)
    limit = float(scientist.locator("#gate-limits input").first.input_value())

    scientist.fill("#gate-reason", "The negatives reach higher at this visit")
    scientist.get_by_text("visit", exact=True).first.click()
    expect(scientist.locator("#gate-changes")).to_contain_text("Tubes that change:")
    scientist.click("#gate-save")
    expect(scientist.locator("#gate-waits")).to_be_visible()

    revision = real_home.gates.all()[-1]
    assert (revision.target.scope, revision.target.visit) == (Scope.VISIT, tube["visit"])
    assert (revision.decision.gate, revision.author) == ("CAR", "chen")
    assert read_limit(revision.decision) == pytest.approx(limit, rel=1e-3)
    newest = real_home.registry.audit.rows(limit=1).iloc[0]
    assert (newest["actor"], newest["role"], newest["action"]) == ("chen", "scientist", "gate_edit")
    assert newest["reason"] == "The negatives reach higher at this visit"
    assert read_count(scientist) == now
    expect(scientist.locator("#gate-history")).to_contain_text("The negatives reach higher")
    expect(scientist.locator("#gate-compared")).to_contain_text(f"{first:,}".replace(",", "\u202f"))
    scientist.goto(f"/samples?subject={tube['subject_id']}&visit={tube['visit']}&panel=cart&tube=full")
    expect(scientist.locator(".ag-row").first).to_contain_text("waits for a new run")

    open_gate(scientist, tube["file_id"])
    scientist.fill("#gate-reason", "A second look: the first limit was right")
    scientist.locator(".take-back").first.click()
    expect(scientist.locator("#gate-waits")).to_have_count(0)
    assert real_home.gates.all()[-1].decision.content == ""
    assert read_count(scientist) == first
