"""AnnData read by anndata and used by scanpy: the same counts and medians as the tables."""

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from corelab.export.single_cells import build_events, build_populations, format_h5ad, write_gate_path
from corelab.store import Home
from corelab.store.snapshots import Snapshot
from corelab.tables.schemas import SCHEMAS
from pipelines.export import ExportReport, export
from pipelines.sketch import find_limit, sketch_events
from tests.export.conftest import NOW


@pytest.fixture(scope="session")
def folder(trial_home: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExportReport]:
    out = tmp_path_factory.mktemp("h5ad")
    return out, export(trial_home, out, at=NOW, actor="test", format_name="h5ad")


@pytest.fixture(scope="session")
def events(folder: tuple[Path, ExportReport]) -> anndata.AnnData:
    return anndata.read_h5ad(folder[0] / "events.h5ad")


def test_export__writes_both_files_and_finds_nothing(folder: tuple[Path, ExportReport]) -> None:
    out, report = folder
    assert report.findings == []
    assert report.files[:2] == ["populations.h5ad", "events.h5ad"]
    assert (out / "provenance.json").is_file()


def test_populations__are_the_table_and_its_medians(
    folder: tuple[Path, ExportReport], snapshot: Snapshot
) -> None:
    data = anndata.read_h5ad(folder[0] / "populations.h5ad")
    table, expression = snapshot.table("populations"), snapshot.table("expression")
    assert data.n_obs == len(table)
    for name in ("subject_id", "visit", "population", "file_id", "status", "gate_version"):
        assert data.obs[name].astype(str).tolist() == table[name].tolist()
    np.testing.assert_array_equal(data.obs["count"].to_numpy(), table["count"].astype("float64").to_numpy())
    assert np.isfinite(data.X).sum() == len(expression)
    where = {
        pair: row for row, pair in enumerate(zip(data.obs["file_id"], data.obs["population"], strict=True))
    }
    for line in expression.sample(60, random_state=1).itertuples(index=False):
        row, column = where[line.file_id, line.population], data.var_names.get_loc(line.marker)
        assert data.X[row, column] == np.float32(line.median_intensity)
        assert data.layers["robust_sd"][row, column] == np.float32(line.robust_sd)
        assert data.layers["n"][row, column] == line.n


def test_events__stand_for_every_cell_of_the_snapshot(events: anndata.AnnData, snapshot: Snapshot) -> None:
    """The weights of a file's compartment add up to its count in the table; rare ones are there whole."""
    table = snapshot.table("populations")
    sound = table[(table["tube"] == "full") & (table["qc"] != "fail") & (table["subject_id"] != "")]
    sums = events.obs.groupby(["file_id", "compartment"], observed=True)["weight"].sum()
    for panel, names in (("cart", ("car_t", "car_neg_t")), ("bcell", ("b_cells",))):
        rows = sound[(sound["panel"] == panel) & sound["population"].isin(names) & (sound["count"] > 0)]
        assert len(rows)
        for row in rows.itertuples(index=False):
            assert sums[row.file_id, row.population] == pytest.approx(row.count)
    # The smallest population of a cell is one that its tube has: naive or scm where CD95 tells them apart.
    held = events.obs[["file_id", "population"]].drop_duplicates()
    pairs = set(zip(table["file_id"], table["population"], strict=True))
    assert set(held.astype(str).itertuples(index=False, name=None)) <= pairs
    assert set(events.obs["compartment"]) == {"car_t", "car_neg_t", "b_cells"}


def test_events__have_what_the_contract_names(events: anndata.AnnData, snapshot: Snapshot) -> None:
    for name in ("subject_id", "visit", "population", "file_id", "gate_version", "study_day", "arm"):
        assert name in events.obs
    assert set(events.layers) == {"compensated", "transformed"}
    np.testing.assert_array_equal(events.X, events.layers["transformed"])
    assert events.uns["snapshot"] == snapshot.id
    assert events.uns["seed"] == 20250401
    assert events.obs_names.is_unique
    path = events.obs.loc[events.obs["population"] == "car_cd4.cm", "gate_path"]
    expected = "events/time_ok/singlets/live/leukocytes/lymphocytes/t_cells/car_t/car_cd4/car_cd4.cm"
    assert set(path) == {expected}


def test_events__of_a_panel_have_each_of_its_markers(events: anndata.AnnData) -> None:
    for panel in ("cart", "bcell"):
        part = events[events.obs["panel"] == panel, events.var[f"in_{panel}"]]
        assert part.n_vars > 5
        assert np.isfinite(part.X).all()
        rest = events[events.obs["panel"] == panel, ~events.var[f"in_{panel}"]]
        assert np.isnan(rest.X).all()
    assert np.isfinite(events.obsm["X_shared"]).all()


def test_events__are_where_their_gates_put_them(events: anndata.AnnData) -> None:
    """CAR+ T cells are brighter in CAR than CAR- ones, B cells in CD19 than in CD3."""
    car = pd.Series(events[:, "CAR"].X[:, 0], index=events.obs_names)
    medians = car.groupby(events.obs["compartment"], observed=True).median()
    assert medians["car_t"] > medians["car_neg_t"] + 0.5
    cells = events[events.obs["compartment"] == "b_cells"]
    assert np.median(cells[:, "CD19"].X) > np.median(cells[:, "CD3"].X)


def test_events__go_through_neighbours_in_plain_scanpy(events: anndata.AnnData) -> None:
    import scanpy as sc

    cart = events[events.obs["panel"] == "cart", events.var["in_cart"]][:300].copy()
    # The kernel that needs no compilation, which would take longer than all other tests here.
    sc.pp.neighbors(cart, n_neighbors=10, use_rep="X", method="gauss", transformer="sklearn", random_state=0)
    assert cart.obsp["connectivities"].shape == (300, 300)


def test_sketch__is_the_same_bytes_again(trial_home: Home, snapshot: Snapshot) -> None:
    table = snapshot.table("populations")
    counted = table[(table["population"] == "car_neg_t") & (table["count"] > 0) & (table["qc"] != "fail")]
    part = table[table["file_id"].isin(counted["file_id"].unique()[:2])]
    cuts = snapshot.table("cuts")
    first, again = (
        format_h5ad(build_events(sketch_events(trial_home, part, cuts).sketches, part, uns={}))
        for _ in range(2)
    )
    assert first == again


def test_sketch__leaves_out_what_the_snapshot_does_not_describe(trial_home: Home, snapshot: Snapshot) -> None:
    """Other counts than the table's would be cells of another gate; a file that is gone is named."""
    table = snapshot.table("populations")
    files = table.loc[
        (table["tube"] == "full") & (table["panel"] == "cart") & (table["count"] > 0), "file_id"
    ]
    part = table[table["file_id"].isin(files.unique()[:2])].copy()
    changed, gone = sorted(part["file_id"].unique())
    part.loc[(part["file_id"] == changed) & (part["population"] == "car_neg_t"), "count"] += 1
    part.loc[part["file_id"] == gone, "file_id"] = "f" * 64
    report = sketch_events(trial_home, part, snapshot.table("cuts"))
    assert report.sketches == []
    assert len(report.findings) == 2
    assert any("gated otherwise" in finding for finding in report.findings)
    assert any("no longer part" in finding for finding in report.findings)


def test_find_limit__keeps_the_whole_below_its_bound() -> None:
    rows = pd.DataFrame(index=range(400))
    assert find_limit(rows) == 250
    assert find_limit(rows.iloc[:0]) == 2000


def test_build__stands_without_a_row() -> None:
    populations, expression = SCHEMAS["populations"].empty(), SCHEMAS["expression"].empty()
    for data in (build_populations(populations, expression, uns={}), build_events([], populations, uns={})):
        assert data.n_obs == 0
        assert {"subject_id", "visit", "population", "file_id"} <= set(data.obs)
        assert len(format_h5ad(data)) > 0


def test_write_gate_path__ends_also_in_a_circle() -> None:
    assert write_gate_path("a", {"a": "b", "b": "a"}).count("/") < 5
