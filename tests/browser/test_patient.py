"""A child's page: marks, cursor, drawer, keys."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.course import click_mark, find_mark, open_course, read_zoom, wait_for_course
from tests.browser.test_pages import list_barriers

pytestmark = pytest.mark.browser


def narrow(text: str) -> str:
    """Write thousands apart as the dashboard does."""
    return re.sub(r"(?<=\d) (?=\d{3}\b)", "\u202f", text)


def test_patient__says_who_this_is(page):
    open_course(page, "CL-001")

    strip = page.locator(".strip")
    expect(page.locator("h1")).to_have_text("CL-001")
    expect(strip).to_contain_text("■high1×10⁶/kg")
    expect(strip).to_contain_text("F · 11 y")
    expect(strip).to_contain_text("infused2026-05-06· day 200")
    expect(page.locator("#patient-cd19")).to_have_text("CD19 positive 97.2 % (96.3–97.9)")


MARKS = [
    ("car_pct", "M3", "24 / 61 000 CAR⁺ of CD3⁺", ["detected, < LLOQ", "LLOQ 0.0820 %", "0/119 000",
     "placed by a control · cart-1", "VIABILITY 84.0 (85.0)"]),
    ("car_abs", "D10", "20 570 / 55 000 CAR⁺ of CD3⁺", ["214 cells/µL", "95 % CI 193–235 cells/µL"]),
    ("car_abs", "D21", "40 / 900 CAR⁺ of CD3⁺", ["failed", "VIABILITY"]),
    ("car_vcn", "M2", "292 copies/µg", ["quantified", "LLOQ 50.0 copies/µg"]),
    ("b_cells", "D7", "0 / 30 000 B cells of lymphocytes", ["not detected", "fitted to this file"]),
    ("car_abs", "M4", "missing", ["nothing came", "nothing was collected"]),
    ("sledai", "M3", "2.00", ["assessments.csv:M3"]),
    ("tracks:IL-6", "D7", "210 pg/mL", ["cytokines.csv:D7"]),
]  # fmt: skip


def test_patient__a_click_on_a_mark_opens_what_is_known_of_it(page):
    open_course(page, "CL-001")
    width = page.locator("#patient-graph .main-svg").first.bounding_box()["width"]

    for row, label, lead, facts in MARKS:
        click_mark(page, row, label)

        expect(page.locator("#drawer-lead")).to_have_text(
            lead.replace(" 000", "\u202f000").replace(" 570", "\u202f570")
        )
        for fact in facts:
            expect(page.locator("#patient-drawer")).to_contain_text(fact.replace(" 000", "\u202f000"))
        wait_for_width(page, width - 372)
        page.keyboard.press("Escape")
        wait_for_width(page, width)


def wait_for_width(page, width):
    """Wait until the figure has taken the place that the drawer left or took."""
    page.wait_for_function(
        "width => document.querySelector('#patient-graph .main-svg').getBoundingClientRect().width === width",
        arg=width,
    )


def test_patient__the_drawer_takes_372_px_and_the_figure_gives_way(page):
    open_course(page, "CL-001")
    before = page.locator("#patient-graph .main-svg").first.bounding_box()["width"]

    click_mark(page, "car_pct", "M3")

    expect(page.locator("#patient-drawer")).to_be_visible()
    assert page.locator("#patient-drawer").bounding_box()["width"] == 372
    wait_for_width(page, before - 372)
    page.keyboard.press("Escape")
    expect(page.locator("#patient-drawer")).to_be_hidden()


def test_patient__the_drawer_leads_to_the_draw_before_and_after(page):
    open_course(page, "CL-001")
    click_mark(page, "car_pct", "M3")

    page.click("#drawer-before")
    expect(page.locator("#patient-drawer h2")).to_contain_text("M2 · ")
    page.click("#drawer-after")
    expect(page.locator("#patient-drawer h2")).to_contain_text("M3 · ")
    page.click("#drawer-after")
    expect(page.locator("#patient-drawer h2")).to_contain_text("M4 · ")
    page.click("#drawer-close")
    expect(page.locator("#patient-drawer")).to_be_hidden()


def test_patient__the_cursor_reads_the_visit_under_it(page):
    open_course(page, "CL-001")
    x, y = find_mark(page, "car_abs", "D10")

    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)

    cursor = page.locator("#patient-cursor")
    expect(cursor).to_be_visible()
    assert abs(cursor.bounding_box()["x"] - x) <= 1.5
    expect(page.locator(".readout.row-car_abs")).to_contain_text("214 (193–235)")
    expect(page.locator(".readout.row-car_abs")).to_contain_text("20\u202f570/55\u202f000 events")
    expect(page.locator(".readout.row-b_cells")).to_contain_text("missing")
    page.mouse.move(5, 5)
    expect(cursor).to_be_hidden()


def test_patient__j_and_k_walk_through_the_children(page):
    open_course(page, "CL-001")

    page.keyboard.press("j")
    expect(page).to_have_url("/patients/CL-002")
    wait_for_course(page, "CL-002")
    expect(page.locator("h1")).to_have_text("CL-002")
    expect(page.locator(".strip")).to_contain_text("● low".replace(" ", ""))
    page.keyboard.press("k")
    expect(page).to_have_url("/patients/CL-001")
    page.keyboard.press("k")
    expect(page.locator("h1")).to_have_text("CL-001")


def test_patient__keys_walk_through_the_values_and_open_one(page):
    open_course(page, "CL-001")
    page.focus("#patient-chart")

    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)

    expect(page.locator("#patient-drawer h2")).to_contain_text("D1 · CAR copies")


def test_patient__zoom_survives_the_drawer(page):
    open_course(page, "CL-001")
    page.evaluate(
        "Plotly.relayout(document.querySelector('#patient-graph .js-plotly-plot'),"
        " {'xaxis.range[0]': 0, 'xaxis.range[1]': 20})"
    )
    page.wait_for_function(
        "() => document.querySelector('#patient-graph .js-plotly-plot')._fullLayout.xaxis.range[1] === 20"
    )

    click_mark(page, "car_abs", "D10")

    expect(page.locator("#patient-drawer")).to_be_visible()
    width = "document.querySelector('#patient-graph .js-plotly-plot')._fullLayout.width"
    page.wait_for_function(f"() => {width} < 1100")
    assert read_zoom(page) == [0, 20]


def test_patient__the_right_end_follows_the_switch(page):
    open_course(page, "CL-001")
    before = read_zoom(page)[1]

    page.get_by_text("to M24", exact=True).click()

    page.wait_for_function(
        "end => document.querySelector('#patient-graph .js-plotly-plot')"
        "._fullLayout.xaxis.range[1] > end + 10",
        arg=before,
    )
    page.get_by_text("to M3", exact=True).click()
    # Of the lines of the longer view none stays behind: that of today would stand at a wrong day.
    page.wait_for_function(
        """end => {
          const chart = document.querySelector('#patient-graph .js-plotly-plot');
          return chart._fullLayout.xaxis.range[1] < end
            && chart.querySelectorAll('path[data-index]').length === chart.layout.shapes.length;
        }""",
        arg=before,
    )


def test_patient__a_child_before_infusion_says_so(page):
    page.goto("/patients/CL-003")

    expect(page.locator("#patient-before")).to_contain_text("CL-003 is not infused yet")
    assert list_barriers(page) == []
    expect(page.locator(".strip")).to_contain_text("not infused yet")


@pytest.mark.parametrize("page", [["status of 404"]], indirect=True)
def test_patient__an_unknown_child_is_said_to_be_unknown(page):
    page.goto("/patients/CL-999")

    expect(page.locator("#unknown h1")).to_have_text("No child CL-999 in this snapshot")


def test_patient__saves_the_childs_rows(page):
    open_course(page, "CL-001")
    with page.expect_download() as download:
        page.click("#patient-save")

    text = download.value.path().read_text()
    assert text.startswith("subject_id,")
    assert "CL-002" not in text
