"""Single cells of a home: clustered once, assigned ever after, the same wherever and whenever."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import anndata
import numpy as np
import pytest

from corelab.errors import ConfigError
from corelab.store import Home, open_home
from corelab.store.jobs import PHENOTYPE
from pipelines.cli import main
from pipelines.export import export
from pipelines.phenotype import Wish, map_cells
from pipelines.runner import work_off
from pipelines.verify import verify
from tests.dashboards.simulated import make_trial
from tests.dashboards.trial import NOW
from tests.once import make_once
from tests.singlecell.mapped import find_mapped, shrink
from tests.validation.clusters import gather_with_truth, judge


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return find_mapped(tmp_path_factory)


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


@pytest.mark.parametrize("panel", ["cart", "bcell"])
def test_clusters__are_the_true_subsets(
    home: Home, panel: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Adjusted Rand index against what each synthetic cell is; no gate is among the inputs."""
    delivery = make_once(tmp_path_factory, "trial", make_trial) / "delivery"
    cells = gather_with_truth(delivery, home.path, limit=300)[panel]
    assert judge(1, panel, cells, later=()).ari >= 0.8


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
