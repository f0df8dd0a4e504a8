"""The simulated child with its cells on a map; the map is so small that no embedding has to be compiled."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from corelab.store import Home, open_home
from pipelines.phenotype import map_cells
from tests.dashboards.simulated import make_trial
from tests.dashboards.trial import NOW
from tests.once import make_once


def shrink(home: Home) -> Home:
    """The home with a map of few cells, and few of each file."""
    settings = dict(home.study.settings)
    settings["single_cells"] = {**settings["single_cells"], "mapped": 25, "per_file": 300, "fewest": 300}
    return replace(home, study=replace(home.study, settings=settings))


def find_mapped(factory: pytest.TempPathFactory) -> Path:
    """Return the home, made once for all processes; copy it before writing."""
    trial = make_once(factory, "trial", make_trial) / "home"

    def make(folder: Path) -> None:
        home = open_home(shutil.copytree(trial, folder / "home"))
        map_cells(shrink(home), at=NOW, actor="ada", role="scientist")
        home.close()

    return make_once(factory, "mapped", make) / "home"
