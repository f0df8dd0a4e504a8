"""One small synthetic trial with every assay, run once and only read."""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from corelab.store import Home, create_home, open_home
from corelab.store.snapshots import Snapshot
from corelab.study import builtin_study
from pipelines.export import export
from pipelines.ingest import ingest
from pipelines.run import run
from pipelines.simulate import simulate
from tests.once import make_once

NOW = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)


def make_trial(folder: Path) -> None:
    """A child of all assays and one who was only screened, with a snapshot."""
    simulate(folder / "delivery", subjects=1, events=3000, seed=7)
    columns = (folder / "delivery" / "subjects.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    screened = {"subject_id": "LN-099", "sex": "F", "age_years": "9"}
    with (folder / "delivery" / "subjects.csv").open("a", encoding="utf-8") as stream:
        stream.write(",".join(screened.get(column, "") for column in columns) + "\n")
    home = create_home(folder / "home", study_text=builtin_study().source)
    ingest(home, [folder / "delivery"], at=NOW, actor="test")
    run(home, at=NOW)
    home.close()


@pytest.fixture(scope="session")
def trial_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The home of that trial; tests only export from it."""
    made = make_once(tmp_path_factory, "exports", make_trial) / "home"
    home = open_home(shutil.copytree(made, tmp_path_factory.mktemp("exports") / "home"))
    yield home
    home.close()


@pytest.fixture(scope="session")
def snapshot(trial_home: Home) -> Snapshot:
    """The snapshot of the trial."""
    current = trial_home.snapshots.current()
    assert current is not None
    return current


@pytest.fixture(scope="session")
def exported(trial_home: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The trial as CSV, Parquet and workbook: folder by format."""
    folder = tmp_path_factory.mktemp("out")
    for name in ("csv", "parquet", "xlsx"):
        export(trial_home, folder / name, at=NOW, actor="test", format_name=name)
    return {name: folder / name for name in ("csv", "parquet", "xlsx")}
