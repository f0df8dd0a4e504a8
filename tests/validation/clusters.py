"""Single cells against the truth of synthetic trials, a visit that comes later, and a million cells.

    python -m tests.validation.clusters 1000000

clusters so many cells in a process of its own and prints what it took.
"""

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from corelab.singlecell.cells import FILE, gather_cells
from corelab.singlecell.mixture import assign_clusters, fit_mixture
from corelab.singlecell.model import CellModel, complete_model, fit_panel, format_model
from corelab.singlecell.settings import CellSettings, build_cell_settings
from corelab.store.home import open_home
from corelab.study import builtin_study
from corelab.synthetic.truth import read_event_truth
from corelab.vocabulary import B_SUBSETS, T_MEMORY_SUBSETS
from pipelines.sketch import sketch_events
from tests.validation.trials import run_trial

LATER = ("D14", "M3", "M6")
"""Visits each of which is left out of a model and mapped onto it."""
T_SUBSETS = tuple(
    f"{car}{lineage}.{subset}"
    for car in ("car_", "car_neg_")
    for lineage in ("cd4", "cd8")
    for subset in T_MEMORY_SUBSETS
)
FEWEST_LATER = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFigures:
    """Of one seed and panel: cells, clusters, agreement with the truth, and the least of the later visits."""

    seed: int
    panel: str
    cells: int
    clusters: int
    ari: float
    later: float
    same_bytes: bool


def read_settings() -> CellSettings:
    """The built-in study's."""
    return build_cell_settings(builtin_study().settings["single_cells"])


def measure_seed(seed: int, *, subjects: int, events: int) -> list[ClusterFigures]:
    """Take a trial through the whole road, cluster its cells, and ask the truth."""
    with tempfile.TemporaryDirectory() as folder:
        run = run_trial(
            Path(folder), seed=seed, subjects=subjects, events=events, workers=os.cpu_count() or 1
        )
        cells = gather_with_truth(run.delivery, run.home, limit=read_settings().per_file)
    return [judge(seed, panel, table) for panel, table in cells.items()]


def gather_with_truth(delivery: Path, home_path: Path, *, limit: int) -> dict[str, pd.DataFrame]:
    """The chosen cells of each panel with what they truly are; ``truth`` is no column that a model reads."""
    settings = read_settings()
    home = open_home(home_path)
    snapshot = home.snapshots.current()
    assert snapshot is not None
    populations = snapshot.table("populations")
    report = sketch_events(home, populations, snapshot.table("cuts"), limit=limit, seed=settings.seed)
    home.close()
    files = (
        populations.drop_duplicates("file_id").set_index("file_id", drop=False)[list(FILE)].assign(batch="")
    )
    paths = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in sorted(delivery.rglob("*.fcs"))}
    found = {}
    for panel in settings.markers:
        own = [one for one in report.sketches if files.loc[one.file_id, "panel"] == panel and len(one.events)]
        truths = []
        for sketch in own:
            truth = delivery / "truth" / "events" / f"{paths[sketch.file_id].stem}.npz"
            truths.append(_name_truth(read_event_truth(truth), sketch.events, panel))
        table = gather_cells(own, files, panel)
        found[panel] = table.assign(truth=np.concatenate(truths) if truths else [])
    return found


def _name_truth(masks: dict[str, Any], events: Any, panel: str) -> Any:
    names = T_SUBSETS if panel == "cart" else B_SUBSETS
    labels = np.full(len(events), "other", dtype=object)
    for name in names:
        labels[masks[name][events]] = name
    return labels


def judge(seed: int, panel: str, cells: pd.DataFrame, *, later: tuple[str, ...] = LATER) -> ClusterFigures:
    """Cluster the cells of a panel and compare with the truth and with models made without a visit."""
    settings = replace(read_settings(), fewest=FEWEST_LATER)
    markers = settings.markers
    table = cells.drop(columns="truth")
    used = tuple(marker for marker in markers[panel] if marker in table)
    values = table[list(used)].to_numpy(float)
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(values))[: settings.model])
    mixture = fit_mixture(values[chosen], settings)
    again = fit_mixture(values[chosen], settings)
    assert mixture is not None
    assert again is not None
    labels = assign_clusters(values, mixture)
    shares = [_map_later(values, chosen, labels, cells["visit"] == visit, settings) for visit in later]
    known = [share for share in shares if np.isfinite(share)]
    return ClusterFigures(
        seed=seed, panel=panel, cells=len(cells), clusters=len(mixture),
        ari=float(adjusted_rand_score(cells["truth"], labels)),
        later=min(known, default=float("nan")),
        same_bytes=mixture.means.tobytes() == again.means.tobytes()
        and mixture.covariances.tobytes() == again.covariances.tobytes(),
    )  # fmt: skip


def _map_later(values: Any, chosen: Any, labels: Any, is_later: Any, settings: CellSettings) -> float:
    """Share of a visit's cells that a model made without it puts where the model with it did.

    Which clusters of the two models are the same is told by the cells of the other visits alone.
    """
    late = np.asarray(is_later)
    if late.sum() < FEWEST_LATER:
        return float("nan")
    without = fit_mixture(values[chosen[~late[chosen]]], settings)
    assert without is not None
    other = assign_clusters(values, without)
    counts = pd.crosstab(labels[~late], other[~late])
    rows, columns = linear_sum_assignment(-counts.to_numpy())
    same = dict(zip(counts.columns[columns], counts.index[rows], strict=True))
    return float(np.mean([same.get(new) == old for new, old in zip(other[late], labels[late], strict=True)]))


def check_map_bytes() -> bool:
    """Fit a small model with its UMAP twice and compare the bytes that would be frozen."""
    cells, markers = make_cells(3_000)
    settings = read_settings()
    written = []
    for _ in range(2):
        model = complete_model(None, {"cart": cells}, replace(settings, markers={"cart": markers}))
        written.append(format_model(CellModel(panels=model.panels, about={})))
    return written[0] == written[1]


def make_cells(count: int, *, seed: int = 5) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Cells of 24 kinds by 14 markers, as wide as those of tubes."""
    rng = np.random.default_rng(seed)
    centres = rng.choice([0.3, 2.4, 4.3], size=(24, 14))
    kinds = rng.choice(24, size=count, p=rng.dirichlet(np.full(24, 2.0)))
    markers = tuple(f"M{number:02d}" for number in range(14))
    values = centres[kinds] + rng.normal(0, 0.45, (count, 14))
    return pd.DataFrame(values, columns=list(markers)).assign(file_id="f"), markers


def measure_speed(count: int) -> dict[str, float]:
    """Cluster and map so many cells in a process of its own, and say what it took."""
    command = [sys.executable, "-m", "tests.validation.clusters", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def cluster_many(count: int) -> dict[str, float]:
    """Fit a model on a part, assign every cell and find its place; seconds and MB."""
    cells, markers = make_cells(count)
    started = time.perf_counter()
    model = fit_panel(cells, markers, panel="cart", settings=read_settings())
    assert model is not None
    fitted = time.perf_counter()
    values = cells[list(markers)].to_numpy()
    labels = model.assign(values, progress=lambda done, total: sys.stdout.write(f"{done} of {total}\n"))
    assigned = time.perf_counter()
    places = model.find_places(values, labels)
    ended = time.perf_counter()
    return {
        "cells": count, "clusters": len(model.names), "fit_s": fitted - started,
        "assign_s": assigned - fitted, "place_s": ended - assigned, "total_s": ended - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "placed": float(np.isfinite(places).all(axis=1).mean()),
        "load": os.getloadavg()[0],
    }  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(cluster_many(int(sys.argv[1]))) + "\n")
