"""Clusters and their map: found again, kept, and deaf to what is not among their markers."""

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from corelab.errors import ConfigError, IntegrityError
from corelab.singlecell.embedding import find_places
from corelab.singlecell.mixture import assign_clusters, fit_mixture
from corelab.singlecell.model import CellModel, complete_model, fit_panel, format_model, parse_model
from corelab.singlecell.profiles import check_batches, compute_weighted_median, describe_clusters
from corelab.singlecell.settings import CellSettings, build_cell_settings
from corelab.study import builtin_study

ROOT = Path(__file__).parents[2]
CENTRES = {"a": (0.0, 0.0, 4.0), "b": (4.0, 0.0, 4.0), "c": (4.0, 4.0, 0.0), "d": (0.0, 4.0, 0.0)}
SIZES = {"a": 900, "b": 500, "c": 300, "d": 60}
MARKERS = ("CD4", "CD8", "CAR")


def settings(**changes: Any) -> CellSettings:
    """The study's settings with a map so small that no embedding has to be compiled."""
    built = build_cell_settings(builtin_study().settings["single_cells"])
    return replace(built, **{"mapped": 24, "fewest": 200, "nodes": 60, **changes})


def make_cells(seed: int = 1) -> pd.DataFrame:
    """Four kinds of cells, one of them rare, and a marker that says nothing of the kind."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(list(SIZES), list(SIZES.values()))
    values = np.array([CENTRES[kind] for kind in kinds]) + rng.normal(0, 0.4, (len(kinds), 3))
    cells = pd.DataFrame(values, columns=list(MARKERS))
    files = rng.permutation(np.arange(len(kinds)) % 4).astype(str)
    return cells.assign(kind=kinds, file_id=files, **{"PD-1": rng.normal(0, 2, len(kinds))})


def agree(first: Any, second: Any) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(first, second))


def test_fit_mixture__finds_the_kinds_also_the_rare_one() -> None:
    cells = make_cells()
    mixture = fit_mixture(cells[list(MARKERS)].to_numpy(), settings())
    assert mixture is not None
    assert len(mixture) == 4
    labels = assign_clusters(cells[list(MARKERS)].to_numpy(), mixture)
    assert agree(cells["kind"], labels) > 0.99
    assert (np.diff(mixture.weights) <= 0).all()


def test_fit_panel__is_the_same_bytes_for_the_same_seed() -> None:
    first, again = (
        format_model(CellModel(panels={"cart": model}, about={"seed": 1}))
        for model in (fit_panel(make_cells(), MARKERS, panel="cart", settings=settings()) for _ in range(2))
        if model is not None
    )
    assert first == again


def test_model__is_read_back_as_it_was_and_places_cells_as_before() -> None:
    cells = make_cells()
    model = fit_panel(cells, MARKERS, panel="cart", settings=settings())
    assert model is not None
    back = parse_model(format_model(CellModel(panels={"cart": model}, about={}))).panels["cart"]
    values = cells[list(MARKERS)].to_numpy()
    labels = model.assign(values)
    np.testing.assert_array_equal(back.assign(values), labels)
    np.testing.assert_array_equal(back.find_places(values, labels), model.find_places(values, labels))
    assert back.names == ("T01", "T02", "T03", "T04")
    assert model.descriptions[0] == "CD4− CD8− CAR+"


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"no model", format_model(CellModel(panels={}, about={}))[:-40]]
)
def test_parse_model__refuses_what_is_none(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        parse_model(data)


def test_complete_model__leaves_what_is_frozen_and_adds_what_is_lacking() -> None:
    """A panel whose first cells come later gets its part then; the part that is there is the same object."""
    cells = make_cells()
    none = cells.iloc[:20]
    first = complete_model(
        None, {"cart": cells, "bcell": none}, settings(markers={"cart": MARKERS, "bcell": MARKERS})
    )
    assert set(first.panels) == {"cart"}
    same = complete_model(first, {"cart": make_cells(2), "bcell": none}, settings())
    assert same is first
    more = complete_model(
        first, {"cart": make_cells(2), "bcell": cells}, settings(markers={"cart": (), "bcell": MARKERS})
    )
    assert more.panels["cart"] is first.panels["cart"]
    assert set(more.panels) == {"cart", "bcell"}


def test_fit_mixture__says_what_it_lacks() -> None:
    values = make_cells()[list(MARKERS)].to_numpy()
    assert fit_mixture(values[:100], settings()) is None
    with pytest.raises(ConfigError, match="unknown"):
        fit_mixture(values, settings(), method="magic")


def test_find_places__keeps_a_cell_of_the_map_where_it_is_and_cells_with_their_own_cluster() -> None:
    mapped = np.array([[0.0], [1.0], [5.0]])
    places = np.array([[0.0, 0.0], [2.0, 0.0], [9.0, 9.0]])
    found = find_places(
        np.array([[1.0], [4.9], [4.9], [2.0]]), np.array([0, 0, 1, 7]), mapped=mapped,
        mapped_labels=np.array([0, 0, 1]), places=places,
    )  # fmt: skip
    np.testing.assert_allclose(found[0], [2.0, 0.0], atol=1e-4)
    assert found[1][0] < 2.0  # nearer to the cell of another cluster, yet placed among its own
    np.testing.assert_allclose(found[2], [9.0, 9.0])
    assert np.isnan(found[3]).all()


def test_describe_clusters__names_only_markers_that_part_clusters() -> None:
    words = describe_clusters(np.array([[0.1, 3.0], [3.9, 3.4]]), ["CD4", "CD45"], ["T01", "T02"])
    assert words == {"T01": "CD4−", "T02": "CD4+"}


def test_check_batches__finds_the_batch_that_is_shifted_in_every_cluster_and_no_patient() -> None:
    cells = make_cells().assign(weight=1.0)
    cells["cluster"] = cells["kind"]
    cells["batch"] = np.where(cells["file_id"] == "3", "new", "old")
    in_batch, in_one = cells["batch"] == "new", cells["kind"] == "a"
    cells.loc[in_batch, "CD4"] += 0.8
    cells.loc[in_batch & in_one, "CD8"] += 2.0
    found = check_batches(cells, MARKERS, panel="cart", limit=0.5).set_index(["batch", "marker"])
    assert found.loc[("new", "CD4"), "shift"] == pytest.approx(0.8, abs=0.15)
    assert found.loc[("new", "CD4"), "level"] == "warn"
    assert found.loc[("new", "CD8"), "level"] == ""
    alone = check_batches(cells.assign(batch="one"), MARKERS, panel="cart", limit=0.5)
    assert alone["shift"].isna().all()


def test_compute_weighted_median__counts_what_cells_stand_for() -> None:
    assert compute_weighted_median(np.array([3.0, 1.0]), np.array([9.0, 1.0])) == 3.0
    assert np.isnan(compute_weighted_median(np.zeros(0), np.zeros(0)))


@pytest.mark.parametrize("broken", [{"seed": "x"}, {"markers": None}, {"nodes": 0}])
def test_build_cell_settings__refuses_what_is_no_number(broken: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        build_cell_settings({**builtin_study().settings["single_cells"], **broken})


def test_fit_mixture__makes_one_cluster_of_a_kind_that_is_not_normal() -> None:
    """A kind with a tail is described by several distributions; only those with a peak of their own stay."""
    rng = np.random.default_rng(8)
    tail = rng.normal(0, 0.4, (1200, 4))
    tail[:, 0] += rng.exponential(1.0, 1200)
    other = rng.normal(0, 0.4, (800, 4)) + np.array((0.4, 3.0, 0.0, 3.0))
    cells = np.concatenate([tail, other])
    mixture = fit_mixture(cells, settings(merge=0.9, nodes=20))
    assert mixture is not None
    assert len(mixture) == 2
    labels = assign_clusters(cells, mixture)
    assert (labels[:1200] == 0).mean() > 0.99
    assert (labels[1200:] == 1).mean() > 0.99


@pytest.mark.skipif(find_spec("leidenalg") is None, reason="corelab[leiden] is not installed")
def test_fit_mixture__finds_the_kinds_by_leiden_where_it_is_installed() -> None:
    cells = make_cells()
    values = cells[list(MARKERS)].to_numpy()
    first, again = (fit_mixture(values, settings(), method="leiden") for _ in range(2))
    assert first is not None
    assert again is not None
    assert first.means.tobytes() == again.means.tobytes()
    assert agree(cells["kind"], assign_clusters(values, first)) > 0.99


def test_fit_mixture__imports_leiden_only_where_it_is_asked_for() -> None:
    code = (
        "import sys, numpy as np; from tests.singlecell.test_clusters import MARKERS, make_cells, settings;"
        "from corelab.singlecell.mixture import fit_mixture;"
        "fit_mixture(make_cells()[list(MARKERS)].to_numpy(), settings());"
        "sys.exit(bool({'leidenalg', 'igraph'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
