"""The page of single cells: what it shows, what it asks for while nothing is mapped, who may take what."""

import csv
import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from corelab.store import open_home
from corelab.store.jobs import PHENOTYPE
from dashboards.app import create_app
from pipelines.runner import work_off
from tests.dashboards.conftest import SECRET, call, log_in
from tests.dashboards.trial import NOW
from tests.singlecell.mapped import find_mapped, shrink

MAP = "..phenotype-cells.figure...phenotype-heat.figure.."
DRAWER = "phenotype-drawer.children"
VIEWPORT = {"width": 1440, "height": 900}


@pytest.fixture(scope="session")
def made_mapped(tmp_path_factory) -> Path:
    return find_mapped(tmp_path_factory)


@pytest.fixture
def mapped(made_mapped, tmp_path):
    opened = open_home(shutil.copytree(made_mapped, tmp_path / "mapped"))
    yield shrink(opened)
    opened.close()


@pytest.fixture
def app(mapped, clock):
    return create_app(mapped, secret_key=SECRET, clock=clock)


@pytest.fixture
def client(app):
    client = app.server.test_client()
    log_in(client, "ortiz")
    return client


def show(client, app, search: str = "") -> str:
    return call(client, app, "page.children", "/phenotype", search).text


def figures(client, app, *words, scheme: str = "light"):
    answer = call(client, app, MAP, *words, VIEWPORT, scheme).json["response"]
    return answer["phenotype-cells"]["figure"], answer["phenotype-heat"]["figure"]


def test_page__waits_for_the_map_and_a_scientist_asks_for_it(mapped, app):
    shutil.rmtree(mapped.cache / "phenotype")
    reader, scientist = app.server.test_client(), app.server.test_client()
    log_in(reader, "ortiz")
    log_in(scientist, "chen")
    page = show(reader, app)
    assert "not on the map yet" in page
    assert "phenotype-press" not in page
    assert "phenotype-press" in show(scientist, app)
    press = next(name for name, one in app.callback_map.items() if "phenotype-press" in str(one["inputs"]))
    assert call(reader, app, press, 1).status_code == 403
    assert "Waits for its turn" in call(scientist, app, press, 1).text
    assert mapped.jobs.find_latest(PHENOTYPE).account == "chen"
    follow = "..phenotype-waiting.children...phenotype-ready.data.."
    assert "Waits for its turn" in call(reader, app, follow, 1).text
    work_off(mapped, clock=lambda: NOW)
    assert call(reader, app, follow, 2).json["response"]["phenotype-ready"]["data"] is True
    assert "phenotype-cells" in show(reader, app)


def test_map__shows_pictures_and_names_and_no_cell_as_a_number(client, app):
    drawn, heat = figures(client, app, "cart", "cluster", None, None, None)
    assert len(drawn["layout"]["images"]) >= 3
    assert all(one["source"].startswith("data:image/png;base64,") for one in drawn["layout"]["images"])
    names = [words[1] for words in drawn["data"][0]["customdata"]]
    assert names == sorted(names)
    assert len(json.dumps(drawn["data"])) < 20_000
    assert [words[0][1] for words in heat["data"][0]["customdata"]] == names
    assert {row for line in heat["data"][0]["z"] for row in line} >= {0.0, 1.0}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "words",
    [
        ("cart", "CAR", "LN-001", "car_t", "week_4"), ("bcell", "compartment", None, None, None),
        ("bcell", "period", None, "b_cells", None), ("nothing", "nothing", "nobody", "x", 5),
    ],
)  # fmt: skip
def test_map__draws_whatever_the_filters_are(client, app, words, scheme):
    drawn, heat = figures(client, app, *words, scheme=scheme)
    assert drawn["layout"]["images"]
    assert heat["data"]


@pytest.mark.parametrize(
    ("view", "of", "count"),
    [("clusters", "car_t", 3), ("clusters", "b_cells", 3), ("subsets", "car_t", 8), ("subsets", "cd4_t", 8),
     ("subsets", "b_cells", 6), ("subsets", "x", 8)],
)  # fmt: skip
def test_shares__have_a_panel_each_with_intervals(client, app, view, of, count):
    page = show(client, app, f"?view={view}&of={of}&child=LN-001")
    assert f"phenotype-{view}" in page
    answer = call(client, app, f"phenotype-{view}.figure", of, "LN-001", VIEWPORT, "light", True)
    figure = answer.json["response"][f"phenotype-{view}"]["figure"]
    assert sum(name.startswith("yaxis") for name in figure["layout"]) >= count
    marks = [trace for trace in figure["data"] if trace["mode"] == "markers"]
    assert any(sum(trace["error_y"]["array"]) > 0 for trace in marks if "error_y" in trace)
    rows = list_rows(client, figure)
    assert rows[0]["made_from"]
    assert {row["compartment"] for row in rows} == {of if of != "x" else "car_t"}


def list_rows(client, figure):
    """The rows from which a figure says that it was drawn."""
    source = figure["layout"]["meta"]
    answer = client.get(f"/api/v1/figures/{source['table']}.csv", query_string=source["filters"])
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))


def test_heat_map__gives_its_rows_and_the_map_no_cell(client, app):
    drawn, heat = figures(client, app, "bcell", "cluster", None, None, None)
    assert {row["panel"] for row in list_rows(client, heat)} == {"bcell"}
    assert "meta" not in drawn["layout"]
    assert client.get("/api/v1/figures/cells/cells_bcell.csv").status_code == 404


def test_drawer__tells_what_was_chosen(client, app, mapped):
    snapshot = mapped.snapshots.current()
    cells = mapped.cell_maps.read(snapshot.id)
    share = cells.table("abundance").query("status == 'quantified'").iloc[0]
    subset = snapshot.table("phenotype").query("status == 'quantified'").iloc[0]
    ratio = snapshot.table("measurements").query("name == 't_cells:CD4/CD8'").iloc[0]
    for words, told in (
        (["cluster", "T01"], "Gated as"),
        (["abundance", share["file_id"], share["cluster"]], "effective number"),
        (["subset", *subset[["subject_id", "visit_label", "compartment", "subset"]]], "Counted"),
        (["ratio", ratio["subject_id"], ratio["visit_label"], "t_cells", "t_cells"], "CD4 to CD8"),
    ):
        assert told in call(client, app, DRAWER, [*words, ""]).text, words
    for words in (
        ["cluster", "T99"],
        ["abundance", "x", "T01"],
        ["subset", "a", "b", "c", "d"],
        ["x"],
        None,
        5,
    ):
        answer = call(client, app, DRAWER, words)
        assert answer.json["response"]["phenotype-drawer"]["hidden"] is True, words


def test_csv__is_for_those_who_take_tables(client, app, mapped):
    for name in ("clusters", "abundance", "groups", "heat", "batches"):
        answer = client.get(f"/api/v1/cells/{name}.csv")
        assert answer.status_code == 200
        path = mapped.path / f"{name}.csv"
        path.write_bytes(answer.data)
        assert len(pd.read_csv(path))
    assert client.get("/api/v1/cells/cells_cart.csv").status_code == 404
    assert client.get("/api/v1/cells/x.csv").status_code == 404
    other = app.server.test_client()
    assert other.get("/api/v1/cells/heat.csv").status_code == 401
    log_in(other, "root")
    assert other.get("/api/v1/cells/heat.csv").status_code == 403
    assert "phenotype-save" not in show(other, app)
    assert "export" in set(mapped.registry.audit.rows()["action"])


def test_page__without_a_snapshot_says_what_comes_next(tmp_path, clock):
    from corelab.store import create_home
    from corelab.study import builtin_study
    from tests.dashboards.trial import PASSWORD

    home = create_home(tmp_path / "empty", study_text=builtin_study().source)
    home.registry.users.add("ortiz", role="investigator", password=PASSWORD, at=NOW)
    app = create_app(home, secret_key=SECRET, clock=clock)
    client = app.server.test_client()
    log_in(client, "ortiz")
    assert "No cell has been gated yet" in show(client, app)
    home.close()
