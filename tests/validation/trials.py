"""A synthetic trial through the whole road, and how far its tables lie from the truth."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from corelab.store.home import open_home
from corelab.vocabulary import Status
from pipelines.cli import main
from pipelines.simulate import simulate

JUDGED = ("t_cells", "cd4_t", "cd8_t", "b_cells", "car_t")
"""The populations whose counts the trial rests on."""
MINIMUM_TRUE_EVENTS = 200
PRE_INFUSION = ("SCR", "APH", "LD", "D0")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRun:
    """One synthetic trial: where it was delivered, and the tables of its snapshot."""

    delivery: Path
    home: Path
    tables: dict[str, pd.DataFrame]


def run_trial(folder: Path, *, seed: int, subjects: int, events: int, workers: int = 1) -> TrialRun:
    """Simulate a trial and take it through init, ingest and run, as a user would."""
    delivery, home = folder / "delivery", folder / "home"
    simulate(delivery, subjects=subjects, events=events, seed=seed)
    expect_exit(["init", str(home)], 0)
    expect_exit(["ingest", str(home), str(delivery)], 1)  # the file that no manifest names
    expect_exit(["run", str(home), "--workers", str(workers)], 0)
    opened = open_home(home)
    snapshot = opened.snapshots.current()
    if snapshot is None:
        message = "the run left no snapshot"
        raise AssertionError(message)
    tables = {name: snapshot.table(name) for name in snapshot.table_names}
    opened.close()
    return TrialRun(delivery=delivery, home=home, tables=tables)


def expect_exit(arguments: list[str], code: int) -> None:
    """Run a command of ours and insist on its exit code."""
    got = main(arguments)
    if got != code:
        message = f"corelab {' '.join(arguments)} ended with {got}, expected {code}"
        raise AssertionError(message)


def compare_counts(run: TrialRun) -> pd.DataFrame:
    """Lay every judged count of a full tube beside its truth.

    Returns
    -------
    DataFrame
        file, subject_id, visit, panel, population, truth, count, relative_error, status, gate_source, qc;
        only where the truth has 200 events or more.
    """
    truth = pd.read_csv(run.delivery / "truth" / "files.csv")
    truth = truth[truth["population"].isin(JUDGED) & (truth["tube"] == "full")]
    truth = truth.rename(columns={"count": "truth"})[["file", "population", "truth"]]
    truth["file_id"] = truth["file"].map(
        {
            name: hashlib.sha256((run.delivery / name).read_bytes()).hexdigest()
            for name in truth["file"].unique()
        }
    )
    found = run.tables["populations"]
    both = truth.merge(found, on=["file_id", "population"], how="inner", validate="one_to_one")
    both = both[both["truth"] >= MINIMUM_TRUE_EVENTS].copy()
    both["relative_error"] = (both["count"].astype(float) - both["truth"]) / both["truth"]
    columns = ["file", "subject_id", "visit", "panel", "population", "truth", "count", "relative_error"]
    columns += ["status", "gate_source", "qc"]
    return both[columns].sort_values("relative_error", key=abs, ascending=False)


def find_wrong_cd19_calls(run: TrialRun) -> pd.DataFrame:
    """Return the children whose CD19 call differs from the truth; there must be none."""
    truth = pd.read_csv(run.delivery / "truth" / "subjects.csv")[["subject_id", "cd19"]]
    both = truth.merge(run.tables["cd19_status"], on="subject_id", how="left")
    return both[both["cd19"] != both["call"]]


def find_quantified_before_infusion(run: TrialRun) -> pd.DataFrame:
    """Return the CAR-T rows that claim a quantity before there was any CAR-T cell; there must be none."""
    rows = run.tables["persistence"]
    return rows[rows["visit"].isin(PRE_INFUSION) & (rows["status"] == Status.QUANTIFIED)]


def read_traps(run: TrialRun) -> dict[str, object]:
    """Read what the simulator hid in the delivery."""
    traps: dict[str, object] = json.loads((run.delivery / "truth" / "traps.json").read_text(encoding="utf-8"))
    return traps
