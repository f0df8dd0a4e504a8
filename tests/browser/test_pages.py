"""What every page owes: real numbers, both schemes, no barrier, nothing sent away."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.course import click_mark, wait_for_course

pytestmark = pytest.mark.browser

PATHS = ("/", "/screening?open=I06~CL-001", "/patients/CL-001", "/cohort", "/exports?table=cd19_status")
OTHERS = (
    "Samples", "Screening", "Patients", "Cohort", "Cytokines", "Outcomes", "Phenotype", "Exports", "Review",
)  # fmt: skip
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}


def settle(page, path: str) -> None:
    """Open a page and wait until its charts or its grid are drawn."""
    page.goto(path)
    expect(page.locator("h1")).to_be_visible()
    if path.startswith("/exports"):
        expect(page.locator(".ag-row").first).to_be_visible()
        return
    if path.startswith("/patients"):
        wait_for_course(page, path.rsplit("/", maxsplit=1)[1])
        return
    page.wait_for_function(
        """() => { const all = [...document.querySelectorAll('.js-plotly-plot')];
             return all.length > 0 && all.every(gd => gd._fullLayout && gd._fullLayout.width > 100); }"""
    )


@pytest.mark.parametrize("path", PATHS)
def test_page__has_no_barrier_in_either_scheme_and_sends_no_chart_away(page, path):
    settle(page, path)
    if path.startswith("/patients"):
        click_mark(page, "car_pct", "M3")
        expect(page.locator("#drawer-lead")).to_be_visible()
    assert page.locator("[data-title^='Share']").count() == 0
    assert page.locator(".modebar-btn").count() == 0
    assert list_barriers(page) == []

    turn_dark(page, path)

    assert list_barriers(page, colours_only=True) == []
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    for width in (1024, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_function("() => document.documentElement.scrollWidth <= window.innerWidth")


def turn_dark(page, path):
    """Press the switch; page and charts follow at once."""
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#shell-scheme")
    page.wait_for_function("light => getComputedStyle(document.body).backgroundColor !== light", arg=light)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 28)"
    if not path.startswith("/exports"):
        page.wait_for_function(
            """() => [...document.querySelectorAll('.js-plotly-plot')].every(gd =>
                 ['#15181C', 'rgba(0,0,0,0)'].includes(gd._fullLayout.paper_bgcolor))"""
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_login__has_no_barrier_that_axe_finds(watched, served, scheme):
    watched.context.add_cookies([{"name": "corelab_scheme", "value": scheme, "url": served.address}])
    watched.goto("/login")

    assert list_barriers(watched) == []


def list_barriers(page, *, colours_only: bool = False) -> list[tuple[str, list[str]]]:
    """Return what axe finds, rule and elements; of a page that only changed its colours, their contrast."""
    options = {"runOnly": ["color-contrast"]} if colours_only else RULES
    found = Axe().run(page, options=options).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


def test_shell__names_the_snapshot_and_only_pages_that_exist_in_either_language(page, served):
    settle(page, "/")
    snapshot = served.home.snapshots.current().id

    expect(page.locator("#shell-snapshot")).to_contain_text(snapshot)
    expect(page.locator("#shell-snapshot")).to_contain_text("2026-11-22 09:14")
    assert page.locator("#shell-navigation a").all_inner_texts() == ["Home", *OTHERS]
    page.click("#shell-language")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    for name in (*OTHERS, "Home"):
        page.click(f"#nav-{name.lower()}")
        expect(page.locator(f"#nav-{name.lower()}")).to_have_attribute("aria-current", "page")
        expect(page).to_have_title(re.compile(r"^[\u4e00-\u9fff]+ · corelab$"))
        expect(page.locator("#unknown")).to_have_count(0)
        expect(page.locator("h1")).to_be_visible()
    expect(page.locator("#shell-language")).to_have_text("EN")


def test_shell__fits_its_bar(page):
    settle(page, "/")
    assert page.locator(".bar").bounding_box()["height"] == 40
    for width in (1280, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_home__counts_what_the_tables_hold(page):
    settle(page, "/")

    counts = page.locator("#home-counts")
    expect(counts).to_contain_text("3of 50 enrolled")
    expect(counts).to_contain_text("2infused")
    expect(page.locator("#home-failed")).to_contain_text("CL-001 D21")
    expect(page.locator("#home-missing")).to_contain_text("CL-001 M6flow, qPCR, laboratory · 2 d")
    expect(page.locator("#home-coming")).to_contain_text("CL-002 D28")
    expect(page.locator("#home-coming")).to_contain_text("2026-11-29")
    expect(page.locator("#home-waiting")).to_contain_text("Nothing is in quarantine.")


def test_home__leads_to_the_child(page):
    settle(page, "/")

    page.locator("#home-failed a").first.click()

    expect(page).to_have_url("/patients/CL-001")


def test_home__a_click_in_the_matrix_leads_to_the_child(page):
    settle(page, "/")
    page.wait_for_selector("#home-matrix .js-plotly-plot[data-leads]")
    place = page.evaluate(
        """() => {
          const gd = document.querySelector('#home-matrix .js-plotly-plot');
          const box = gd.getBoundingClientRect();
          const trace = gd._fullData.find(t => t.name === 'failed');
          const { xaxis, yaxis } = gd._fullLayout;
          return [box.left + xaxis._offset + xaxis.d2p(trace.x[0]),
                  box.top + yaxis._offset + yaxis.d2p(trace.y[0])];
        }"""
    )

    page.mouse.move(place[0] + 2, place[1])
    page.mouse.move(*place)
    page.mouse.click(*place)

    expect(page).to_have_url("/patients/CL-001")


def test_cohort__shows_both_groups_and_follows_its_switches(page):
    settle(page, "/cohort")

    expect(page.locator("#cohort-facets")).to_contain_text("CL-001")
    expect(page.locator("#cohort-table")).to_contain_text("48\u202f200")
    page.get_by_text("cells/µL", exact=True).click()
    expect(page.locator("#cohort-table")).to_contain_text("214")
    page.click("#cohort-highlight")
    page.get_by_role("option", name="CL-002").click()
    ink = """() => document.querySelector('#cohort-facets .js-plotly-plot')._fullData
        .some(t => t.line && t.line.width === 2.5 && JSON.stringify(t.customdata || '').includes('CL-002'))"""
    page.wait_for_function(ink)


def test_exports__shows_a_table_and_gives_it(page):
    settle(page, "/exports?table=kinetics")

    expect(page.locator("#exports-tables tr.current")).to_contain_text("kinetics")
    expect(page.locator(".ag-row").first).to_contain_text("AUC0_28D")
    with page.expect_download() as download:
        page.locator("a[href='/api/v1/tables/kinetics.csv']").click()
    assert download.value.suggested_filename == "kinetics.csv"
    assert download.value.path().read_text().startswith("subject_id,arm,analyte")


def test_print__hides_the_bar_and_turns_light(page, served):
    page.context.add_cookies([{"name": "corelab_scheme", "value": "dark", "url": served.address}])
    settle(page, "/exports?table=cd19_status")

    page.emulate_media(media="print")

    expect(page.locator(".bar")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_print__a_childs_course_is_one_sheet(page, tmp_path):
    settle(page, "/patients/CL-001")

    page.pdf(path=tmp_path / "sheet.pdf", prefer_css_page_size=True, print_background=True)

    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "sheet.pdf").read_bytes())) == 1


@pytest.mark.parametrize("page", [["status of 500", "Callback error"]], indirect=True)
def test_page__says_when_something_could_not_be_made(page):
    settle(page, "/cohort")
    page.route("**/_dash-update-component*", lambda route: route.fulfill(status=500, body="broken"))

    page.get_by_text("cells/µL", exact=True).click()

    expect(page.locator("#shell-alert")).to_be_visible()
