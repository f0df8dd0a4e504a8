"""AnnData: one of populations with their medians, one of single cells; both open in plain scanpy."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from corelab.cytometry.sketch import CellSketch
from corelab.singlecell.model import CellModel

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

_FILE: Final = [
    "subject_id", "arm", "visit", "visit_label", "study_day", "collected_at", "file_id", "panel", "tube",
]  # fmt: skip
_POPULATION: Final = [
    *_FILE, "population", "parent", "count", "parent_count", "percent_of_parent", "ci_low", "ci_high",
    "cells_per_ul", "status", "reason", "gate_source", "gate_version", "qc",
]  # fmt: skip
TRANSFORM: Final = "asinh(x / (2.5 s)), s: noise of the channel in the file, 1.4826 x median |x| of x < 0"


def build_populations(
    populations: "pd.DataFrame", expression: "pd.DataFrame", *, uns: Mapping[str, Any]
) -> "AnnData":
    """Lay gated populations out as observations and markers as variables.

    ``X`` is the median intensity (linear, compensated); the layers are ``robust_sd`` and ``n``. What was
    not measured is NaN: no median stands for a population without an event or a marker without a channel.
    """
    import anndata

    keys = ["file_id", "population"]
    markers = sorted(set(expression["marker"]))
    index = populations[keys].apply(tuple, axis=1) if len(populations) else []
    shape = {}
    for name in ("median_intensity", "robust_sd", "n"):
        wide = (
            expression.pivot_table(index=keys, columns="marker", values=name, aggfunc="first", observed=True)
            if len(expression)
            else None
        )
        values = np.full((len(populations), len(markers)), np.nan, dtype=np.float32)
        if wide is not None and len(populations):
            values = wide.reindex(index=list(index), columns=markers).to_numpy(
                dtype=np.float32, na_value=np.nan
            )
        shape[name] = values
    obs = _plain(populations[_POPULATION])
    obs.index = [
        f"{one[:16]}:{name}"
        for one, name in zip(populations["file_id"], populations["population"], strict=True)
    ]
    return anndata.AnnData(
        X=shape["median_intensity"],
        obs=obs,
        var=_variables(markers),
        layers={"robust_sd": shape["robust_sd"], "n": shape["n"]},
        uns={**uns, "X": "median intensity, linear and compensated"},
    )


def build_events(
    sketches: Sequence[CellSketch], populations: "pd.DataFrame", *, uns: Mapping[str, Any]
) -> "AnnData":
    """Lay chosen cells out as observations and markers as variables.

    ``X`` and the layer ``transformed`` are on the axis of `TRANSFORM`, the layer ``compensated`` is linear.
    A marker that the cell's panel does not have is NaN; ``var`` says by panel which are there, and
    ``obsm["X_shared"]`` holds the transformed markers that every panel has.
    """
    import anndata
    import pandas as pd

    used = [sketch for sketch in sketches if len(sketch.events)]
    markers = sorted({marker for sketch in used for marker in sketch.markers})
    obs = pd.concat([_describe_cells(one, populations) for one in used]) if used else _no_cells(populations)
    layers = {name: _align(used, markers, name) for name in ("compensated", "transformed")}
    var = _variables(markers)
    for panel in sorted(set(populations["panel"]) - {""}):
        own = [
            set(one.markers) for one in used if panel in set(obs.loc[obs["file_id"] == one.file_id, "panel"])
        ]
        var[f"in_{panel}"] = [all(marker in one for one in own) and bool(own) for marker in markers]
    shared = [all(marker in one.markers for one in used) for marker in markers]
    return anndata.AnnData(
        X=layers["transformed"].copy(),
        obs=_plain(obs),
        var=var,
        layers=layers,
        obsm={"X_shared": layers["transformed"][:, shared]},
        uns={
            **uns,
            "X": TRANSFORM,
            "shared_markers": [m for m, one in zip(markers, shared, strict=True) if one],
        },
    )


def add_clusters(events: "AnnData", model: CellModel) -> None:
    """Add to each cell its cluster by a frozen model and its place on the map, in place.

    ``obs["cluster"]`` is empty, and ``obsm["X_umap"]`` NaN, for cells of a panel that the model has no part
    for, or of a file that lacks one of its markers. Each panel has a map of its own.
    """
    import pandas as pd

    names = np.full(events.n_obs, "", dtype=object)
    places = np.full((events.n_obs, 2), np.nan, dtype=np.float32)
    layer = pd.DataFrame(events.layers["transformed"], columns=events.var_names)
    for panel, one in sorted(model.panels.items()):
        values = layer.reindex(columns=list(one.markers)).to_numpy(dtype=np.float64)
        rows = np.flatnonzero((events.obs["panel"] == panel).to_numpy() & np.isfinite(values).all(axis=1))
        labels = one.assign(values[rows])
        names[rows] = np.array(one.names, dtype=object)[labels]
        places[rows] = one.find_places(values[rows], labels)
    events.obs["cluster"] = pd.Categorical(names, categories=sorted(set(names)))
    events.obsm["X_umap"] = places
    events.uns["clusters"] = {
        name: words
        for one in model.panels.values()
        for name, words in zip(one.names, one.descriptions, strict=True)
    }  # fmt: skip


def _align(sketches: Sequence[CellSketch], markers: Sequence[str], layer: str) -> Any:
    parts = []
    for sketch in sketches:
        values = np.full((len(sketch.events), len(markers)), np.nan, dtype=np.float32)
        columns = [markers.index(marker) for marker in sketch.markers]
        values[:, columns] = getattr(sketch, layer)
        parts.append(values)
    return np.concatenate(parts) if parts else np.zeros((0, len(markers)), dtype=np.float32)


def _describe_cells(sketch: CellSketch, populations: "pd.DataFrame") -> "pd.DataFrame":
    rows = populations[populations["file_id"] == sketch.file_id]
    parents = dict(zip(rows["population"], rows["parent"], strict=True))
    paths = {name: write_gate_path(name, parents) for name in set(sketch.population)}
    first = rows[[*_FILE, "gate_version", "qc"]].iloc[[0] * len(sketch.events)]
    cells = first.reset_index(drop=True)
    cells["compartment"] = sketch.compartment
    cells["population"] = sketch.population
    cells["gate_path"] = [paths[name] for name in sketch.population]
    cells["event"] = sketch.events
    cells["weight"] = sketch.weight
    return cells.set_axis([f"{sketch.file_id[:16]}:{event}" for event in sketch.events])


def write_gate_path(population: str, parents: Mapping[str, str]) -> str:
    """Write the populations from the whole file down to one, with ``/`` between them.

    Examples
    --------
    >>> write_gate_path("car_t", {"car_t": "t_cells", "t_cells": "events", "events": ""})
    'events/t_cells/car_t'
    """
    steps = [population]
    while parents.get(steps[-1]) and len(steps) <= len(parents):
        steps.append(parents[steps[-1]])
    return "/".join(reversed(steps))


def _no_cells(populations: "pd.DataFrame") -> "pd.DataFrame":
    texts = [*_FILE, "gate_version", "qc", "compartment", "population", "gate_path"]
    empty = populations.iloc[:0].reindex(columns=texts)
    return empty.assign(event=np.zeros(0, dtype=np.int64), weight=np.zeros(0))


def _variables(markers: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(index=pd.Index(list(markers), dtype=object))


def _plain(obs: "pd.DataFrame") -> "pd.DataFrame":
    """Give each column a type that every reader knows: float64, int64 or a category of texts."""
    import pandas as pd

    typed: dict[str, Any] = {}
    for name in obs.columns:
        if name == "event":
            typed[name] = obs[name].to_numpy(dtype="int64")
        elif obs[name].dtype == object:
            typed[name] = pd.Categorical(obs[name].astype(str), categories=sorted(set(obs[name].astype(str))))
        else:
            typed[name] = obs[name].to_numpy(dtype="float64", na_value=np.nan)
    return pd.DataFrame(typed, index=pd.Index(obs.index.astype(str), dtype=object))


def format_h5ad(data: "AnnData") -> bytes:
    """Write AnnData as ``.h5ad`` bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.h5ad"
        data.write_h5ad(path, compression="gzip")
        return path.read_bytes()
