"""Single cells of a home: clustered once, assigned ever after, the same wherever and whenever."""

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from corelab.errors import ConfigError
from corelab.store import Home, create_home, open_home
from corelab.store.jobs import PHENOTYPE
from corelab.study import builtin_study
from pipelines.cli import main
from pipelines.export import export
from pipelines.ingest import ingest
from pipelines.phenotype import Wish, map_cells
from pipelines.run import run
from pipelines.runner import work_off
from pipelines.simulate import simulate
from pipelines.verify import verify

NOW = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)


def shrink(home: Home) -> Home:
    """The home with a map so small that no embedding has to be compiled."""
    settings = dict(home.study.settings)
    settings["single_cells"] = {**settings["single_cells"], "mapped": 25, "per_file": 300, "fewest": 300}
    return replace(home, study=replace(home.study, settings=settings))


def thin_out(delivery: Path) -> None:
    """Keep the full tubes of a few visits: each further file costs its gating."""
    rows = pd.read_csv(delivery / "manifest.csv", dtype=str, keep_default_na=False)
    kept = rows[(rows["tube"] == "full") & rows["visit"].isin(["SCR", "LD", "D7", "D14", "D28", "M6", "M9"])]
    kept.to_csv(delivery / "manifest.csv", index=False)
    for path in delivery.rglob("*.fcs"):
        if path.relative_to(delivery).as_posix() not in set(kept["file"]):
            path.unlink()
    for path in (*(delivery / "plates").iterdir(), *delivery.glob("cytokines.csv")):
        path.unlink()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A child with the full tubes of some visits, run and mapped."""
    folder = tmp_path_factory.mktemp("cells")
    simulate(folder / "delivery", subjects=1, events=1500, seed=11)
    thin_out(folder / "delivery")
    home = create_home(folder / "home", study_text=builtin_study().source)
    ingest(home, [folder / "delivery"], at=NOW, actor="test")
    run(home, at=NOW)
    report = map_cells(shrink(home), at=NOW, actor="ada", role="scientist")
    assert report.is_new
    assert report.is_frozen
    home.close()
    return folder / "home"


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Iterator[Home]:
    opened = open_home(shutil.copytree(made, tmp_path / "home"))
    yield shrink(opened)
    opened.close()


def test_map_cells__freezes_a_model_with_its_line_of_the_audit(home: Home) -> None:
    frozen = home.cell_models.current()
    assert frozen is not None
    assert (frozen.actor, frozen.reason) == ("ada", "the first cells of a panel")
    assert verify(home) == []
    path = next((home.path / "objects").rglob(frozen.object_id))
    path.unlink()
    assert any("model of single cells" in line for line in verify(home))


def test_map_cells__has_every_sound_sample_with_all_clusters(home: Home) -> None:
    snapshot = home.snapshots.current()
    assert snapshot is not None
    made = home.cell_maps.read(snapshot.id)
    assert made is not None
    abundance, clusters = made.table("abundance"), made.table("clusters")
    populations = snapshot.table("populations")
    told = populations.set_index(["file_id", "population"])["count"]
    for (file_id, compartment), part in abundance.groupby(["file_id", "compartment"]):
        assert part["cells_seen"].iloc[0] == told[file_id, compartment]
        assert part["cells"].sum() == pytest.approx(part["cells_seen"].iloc[0])
        assert len(part) == (clusters["panel"] == part["panel"].iloc[0]).sum()
        good = part[part["status"] == "quantified"]
        assert (good["ci_low"] <= good["percent"] + 1e-9).all()
        assert (good["percent"] <= good["ci_high"] + 1e-9).all()
    shown = made.table("cells_cart")
    assert np.isfinite(shown[["x", "y"]].to_numpy()).all()
    assert set(shown["cluster"]) <= set(clusters["cluster"])
    heat = made.table("heat")
    assert heat["scaled"].between(0, 1).all()
    assert set(heat.loc[heat["marker"] == "PD-1", "divides"]) == {"no"}
    assert set(heat.loc[heat["marker"] == "CD45RA", "divides"]) == {"yes"}


def test_map_cells__computes_nothing_twice_and_the_same_again(home: Home) -> None:
    snapshot = home.snapshots.current()
    assert snapshot is not None
    assert not map_cells(home, at=NOW, actor="x").is_new
    made = home.cell_maps.read(snapshot.id)
    assert made is not None
    before = {path.name: path.read_bytes() for path in sorted(made.folder.iterdir())}
    shutil.rmtree(home.cache)
    report = map_cells(home, at=NOW, actor="x")
    assert report.is_new
    assert not report.is_frozen
    assert {path.name: path.read_bytes() for path in sorted(made.folder.iterdir())} == before


def test_map_cells__makes_another_model_only_for_a_reason_and_then_the_same_bytes(home: Home) -> None:
    first = home.cell_models.current()
    report = map_cells(home, at=NOW, actor="bo", wish=Wish(reason="new antibody"))
    second = home.cell_models.current()
    assert report.is_frozen
    assert first is not None
    assert second is not None
    assert second.object_id == first.object_id  # same cells, same seed, same bytes: one object
    assert (second.actor, second.reason) == ("bo", "new antibody")
    if find_spec("leidenalg") is None:
        with pytest.raises(ConfigError, match="Leiden is not installed"):
            map_cells(home, at=NOW, actor="bo", wish=Wish(reason="try", method="leiden"))


def test_export__tells_each_cell_its_cluster_of_the_frozen_model(home: Home, tmp_path: Path) -> None:
    export(home, tmp_path / "out", at=NOW, actor="test", format_name="h5ad")
    events = anndata.read_h5ad(tmp_path / "out" / "events.h5ad")
    frozen = home.cell_models.current()
    assert frozen is not None
    assert events.uns["cell_model"] == frozen.object_id
    clustered = (events.obs["cluster"] != "").to_numpy()
    assert clustered.mean() > 0.9
    assert np.isfinite(events.obsm["X_umap"][clustered]).all()
    assert set(events.obs.loc[clustered, "cluster"]) <= set(events.uns["clusters"])


def test_runner__maps_cells_that_were_asked_for(home: Home) -> None:
    shutil.rmtree(home.cache)
    home.jobs.add(PHENOTYPE, account="ada", role="scientist", at=NOW)
    assert home.jobs.add(PHENOTYPE, account="bo", role="scientist", at=NOW) == 1  # one serves everybody
    assert work_off(home, clock=lambda: NOW) == 1
    job = home.jobs.find_latest(PHENOTYPE)
    assert job is not None
    assert job.state == "done"
    assert job.report["cells"] > 0


def test_command__needs_a_snapshot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "home")]) == 0
    assert main(["phenotype", str(tmp_path / "home")]) == 2
    assert "no snapshot yet" in capsys.readouterr().err
