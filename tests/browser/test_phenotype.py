"""Single cells in the browser: the map opens a cluster, each view is an address, and none has a barrier."""

import shutil

import pytest
from playwright.sync_api import expect

from corelab.store import open_home
from dashboards.app import create_app
from tests.browser.chromium import log_in, serve
from tests.browser.conftest import open_watched
from tests.browser.test_pages import list_barriers
from tests.dashboards.trial import PASSWORD
from tests.singlecell.mapped import find_mapped, shrink

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    home = shrink(open_home(shutil.copytree(find_mapped(tmp_path_factory), folder / "home")))
    with serve(create_app(home, secret_key="a key for tests and nothing else")) as address:
        yield address
    home.close()


@pytest.fixture
def page(browser, address, request):
    for page in open_watched(browser, address, request):
        log_in(page, address, "ortiz", PASSWORD)
        yield page


def test_phenotype__opens_a_cluster_and_shows_each_view_without_a_barrier(page):
    page.goto("/phenotype?colour=CAR&open=cluster~T01")

    expect(page.locator("#phenotype-cells image").first).to_be_attached(timeout=20_000)
    expect(page.locator("#phenotype-drawer h2")).to_have_text("Cluster T01")
    expect(page.locator("#phenotype-drawer")).to_contain_text("Gated as")
    assert list_barriers(page) == []
    page.locator("#drawer-close").click()
    expect(page.locator("#phenotype-heat .heatmaplayer")).to_be_visible()
    assert page.locator("#phenotype-cells [data-format=csv]").is_hidden()
    page.locator("#phenotype-heat").hover()
    expect(page.locator("#phenotype-heat [data-format=csv]")).to_be_visible()
    assert "colour=CAR" in page.url
    assert "open=" not in page.url
    page.click("#phenotype-to-clusters")
    expect(page.locator("#phenotype-clusters .errorbars").first).to_be_attached(timeout=20_000)
    page.click("#phenotype-to-subsets")
    expect(page.locator("#phenotype-subsets")).to_contain_text("CD4 to CD8", timeout=20_000)
    assert list_barriers(page) == []
