"""Puts the single cells of a snapshot into clusters and on a map, by a model that stays.

The first call finds the clusters and freezes them; later ones assign the cells of every snapshot to the
frozen clusters, so that a new visit moves none. Another model is made only when somebody asks for it and
says why.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from corelab.singlecell.cells import FILE, gather_cells
from corelab.singlecell.model import complete_model, format_model, parse_model
from corelab.singlecell.settings import build_cell_settings
from corelab.singlecell.tables import derive_cell_tables
from pipelines.executor import HERE, Place
from pipelines.export import find_snapshot
from pipelines.sketch import read_limits, sketch_events

if TYPE_CHECKING:
    import pandas as pd

    from corelab.store import Home, Snapshot
    from corelab.store.registry import Position

Progress = Callable[[int, int], None]
_PACKAGES: Final = ("scikit-learn", "scanpy", "umap-learn")


@dataclass(frozen=True, slots=True, kw_only=True)
class MapReport:
    """What was done. ``is_new``: the map was not there; ``is_frozen``: a model was made."""

    snapshot_id: str
    model_id: str
    is_new: bool
    is_frozen: bool
    n_cells: int
    n_clusters: int
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks for: another model, for a reason, by a method. No reason: the frozen model."""

    reason: str = ""
    method: str = "gaussian"


def map_cells(  # noqa: PLR0913 - who, when, where and how
    home: "Home", *, at: dt.datetime, actor: str, role: str = "", wish: Wish | None = None,
    place: Place = HERE, progress: Progress | None = None,
) -> MapReport:  # fmt: skip
    """Cluster and map the cells of the current snapshot.

    Parameters
    ----------
    home
        The home.
    at, actor, role
        When, by whom and as what, for the audit trail's line about a model.
    wish
        Whether another model is to be frozen.
    place
        Where files are read.
    progress
        Told the files that are done and all files.

    Raises
    ------
    HomeError
        If there is no snapshot yet.
    ConfigError
        If the method is unknown or not installed.
    IntegrityError
        If the frozen model cannot be read by this version.
    """
    wish = wish or Wish()
    snapshot = find_snapshot(home, None)
    settings = build_cell_settings(home.study.settings["single_cells"])
    frozen = home.cell_models.current()
    there = home.cell_maps.read(snapshot.id)
    if (
        frozen
        and there
        and not wish.reason
        and there.key == compute_map_key(home, snapshot, frozen.object_id)
    ):
        return _report(there.manifest, snapshot.id, is_new=False, is_frozen=False)
    position = dict(home.snapshots.positions()).get(snapshot.id) or None
    report = sketch_events(
        home, snapshot.table("populations"), read_limits(snapshot), limit=settings.per_file,
        position=position, seed=settings.seed, place=place,
        progress=progress,
    )  # fmt: skip
    files = _describe_files(home, snapshot, position)
    cells = {panel: gather_cells(report.sketches, files, panel) for panel in settings.markers}
    model = parse_model(home.cell_models.read(frozen)) if frozen and not wish.reason else None
    whole = complete_model(model, cells, settings, method=wish.method, packages=_list_packages())
    if whole is not model:
        frozen = home.cell_models.freeze(
            format_model(whole),
            at=at,
            actor=actor,
            role=role,
            reason=wish.reason or "the first cells of a panel",
        )
    tables, findings = derive_cell_tables(whole, cells, settings)
    model_id = frozen.object_id if frozen else ""
    manifest = {
        "snapshot": snapshot.id, "model": model_id, "model_at": frozen.at if frozen else "",
        "markers": {panel: list(one.markers) for panel, one in whole.panels.items()},
        "cells": sum(map(len, cells.values())), "clusters": len(tables["clusters"]),
        "per_file": settings.per_file, "findings": sorted([*report.findings, *findings]),
        "packages": _list_packages(),
    }  # fmt: skip
    key = compute_map_key(home, snapshot, model_id)
    written = home.cell_maps.write(snapshot.id, tables, manifest, key=key)
    return _report(written.manifest, snapshot.id, is_new=True, is_frozen=whole is not model)


def _report(manifest: Mapping[str, Any], snapshot_id: str, *, is_new: bool, is_frozen: bool) -> MapReport:
    return MapReport(
        snapshot_id=snapshot_id, model_id=manifest["model"], is_new=is_new, is_frozen=is_frozen,
        n_cells=manifest["cells"], n_clusters=manifest["clusters"], findings=tuple(manifest["findings"]),
    )  # fmt: skip


def compute_map_key(home: "Home", snapshot: "Snapshot", model_id: str) -> str:
    """Hash all that a map is made of: tables, model, settings, code and packages."""
    parts = [
        snapshot.id, model_id, json.dumps(home.study.settings["single_cells"], sort_keys=True),
        _hash_code(), json.dumps(_list_packages(), sort_keys=True),
    ]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _list_packages() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in _PACKAGES}


@cache
def _hash_code() -> str:
    digest = hashlib.sha256()
    for package in ("corelab.singlecell", "corelab.cytometry"):
        for entry in sorted(resources.files(package).iterdir(), key=lambda one: one.name):
            if entry.name.endswith(".py"):
                digest.update(entry.name.encode() + entry.read_bytes())
    digest.update(resources.files("pipelines").joinpath("phenotype.py").read_bytes())
    return digest.hexdigest()


def _describe_files(home: "Home", snapshot: "Snapshot", position: "Position | None") -> "pd.DataFrame":
    """Say of each file where it belongs, and its batch."""
    populations = snapshot.table("populations")
    files = populations.drop_duplicates("file_id").set_index("file_id", drop=False)[list(FILE)]
    acquisitions = home.registry.inputs(position).acquisitions.set_index("file_id")
    batches = acquisitions["batch"].reindex(files.index).fillna("")
    # Without a batch in the manifest the day of the draw stands for it.
    return files.assign(batch=batches.where(batches != "", files["collected_at"].str[:10]))
