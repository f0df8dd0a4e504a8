"""What a browser gets that opens an address: one script, the grid's where there is one, the page at once."""

import re

import pytest

from tests.dashboards.conftest import log_in


@pytest.fixture
def reader(app):
    client = app.server.test_client()
    log_in(client, "ortiz")
    return client


def list_scripts(text: str) -> list[str]:
    return re.findall(r'<script src="([^"]+)"', text)


@pytest.mark.parametrize(("path", "with_grid"), [("/cohort", False), ("/samples", True), ("/exports", True)])
def test_page__names_one_script_that_may_be_kept_and_the_grids_where_it_opens_with_one(
    reader, path, with_grid
):
    scripts = list_scripts(reader.get(path).text)
    assert [("dash_ag_grid" in script) for script in scripts] == [False, *[True] * with_grid]
    answer = reader.get(scripts[0])
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    for part in (
        "react-dom",
        "dash_mantine_components",
        "dash_html_components",
        "DashRenderer",
        "keepAddress",
    ):
        assert part in answer.text
    assert reader.get(scripts[0].replace("dash_renderer.", "dash_renderer.0")).status_code == 404


def test_library__is_asked_for_again_only_when_it_changed(reader):
    path = "/_dash-component-suites/plotly/package_data/plotly.min.js"
    first = reader.get(path)
    again = reader.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)


def test_layout__holds_the_page_of_the_named_address(reader):
    frame = reader.get("/_dash-layout").text
    named = reader.get("/_dash-layout?pathname=/exports&search=&width=1440&height=900")

    assert "exports-grid" in named.text
    assert "exports-grid" not in frame
    assert '"width":1440' in named.text.replace(" ", "")
    assert "dash_ag_grid" in named.headers["X-Grid-Script"]
    assert "X-Grid-Script" not in reader.get("/_dash-layout?pathname=/cohort").headers


def test_layout__holds_no_page_of_another_role(reader):
    text = reader.get("/_dash-layout?pathname=/audit").text
    assert '"id":"unknown"' in text.replace(" ", "")
    assert "audit-grid" not in text
