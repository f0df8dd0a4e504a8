"""A simulated child in a home: ingested, run, and with an account of each role."""

from pathlib import Path

from corelab.store.home import create_home
from corelab.study import builtin_study
from pipelines.ingest import ingest
from pipelines.run import run
from pipelines.simulate import simulate
from tests.dashboards.trial import ACCOUNTS, NOW, PASSWORD


def make_trial(folder: Path) -> None:
    """Leave the delivery in ``folder / "delivery"`` and the home in ``folder / "home"``."""
    simulate(folder / "delivery", subjects=1, events=3_000, seed=7)
    made = create_home(folder / "home", study_text=builtin_study().source)
    ingest(made, [folder / "delivery"], at=NOW, actor="test")
    run(made, at=NOW)
    for name, role in ACCOUNTS.items():
        made.registry.users.add(name, role=role, password=PASSWORD, at=NOW)
    made.close()
