"""Run after run of a home gives what a new home gives of all at once.

Whatever came and in whatever order: deliveries, corrections, withdrawals, gates that people set or take back,
and another study file.
"""

import datetime as dt
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import pipelines.children
import pipelines.run
from corelab.cytometry.interchange.revision import Decision, Scope, Target, decide_cut, take_back
from corelab.ingest.fcs import compute_fcs_sha256
from corelab.store import Home, open_home
from corelab.store.withdrawal import withdraw
from corelab.study import builtin_study
from corelab.tables.children import derive_children
from corelab.tables.trial import Trial
from pipelines.ingest import ingest
from pipelines.run import run
from tests.deliveries import LAB, SUBJECT, TUBE, make_fcs, write_delivery

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
CHILDREN = ("S-1", "S-2", "S-3", "S-4")
NUMBERS = np.random.default_rng(20)
Step = Callable[[Home], None]


@pytest.fixture
def derived(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The children of which tables were derived, by run."""
    seen: list[list[str]] = []

    def tell(trial: Trial, *rest: object) -> object:
        seen.append(trial.children)
        return derive_children(trial, *rest)

    monkeypatch.setattr(pipelines.children, "derive_children", tell)
    return seen


def deliver(folder: Path, *, accept: str = "", **rows: list[dict[str, str]]) -> Step:
    """Return the step of a delivery; its tubes come with files of their own."""
    files = {row["file"]: make_fcs(int(row["file"][4:-4])) for row in rows.get("manifest", [])}
    write_delivery(folder, tables=rows, files=files)
    return lambda home: _take(home, folder, accept)


def _take(home: Home, folder: Path, accept: str) -> None:
    ingest(home, [folder], at=NOW, actor="test", accept_reason=accept)


def take_away(what: str) -> Step:
    """Return the step of a withdrawal."""
    return lambda home: _withdraw(home, what)


def _withdraw(home: Home, what: str) -> None:
    withdraw(home, what, reason="consent", at=NOW, author="test")


def set_gate(decision: Decision, scope: Scope, **where: str) -> Step:
    """Return the step of a gate that a person sets, or takes back, for some tubes."""
    target = Target(scope=scope, **where)
    return lambda home: _set_gate(home, target, decision)


def _set_gate(home: Home, target: Target, decision: Decision) -> None:
    assert home.gates.add([(target, decision)], at=NOW, author="test", role="scientist", reason="seen")


def change_study(**settings: tuple[str, str]) -> Step:
    """Return the step of a study file in which some settings, and nothing else, are not the built-in ones."""
    text = builtin_study().source
    for name, (old, new) in settings.items():
        assert text.count(f"{name}: {old}") == 1
        text = text.replace(f"{name}: {old}", f"{name}: {new}")
    return lambda home: _write_study(home, text)


def _write_study(home: Home, text: str) -> None:
    (home.path / "study.yaml").write_text(text, encoding="utf-8")


def plan_steps(folder: Path) -> tuple[Step, list[Step], list[Step]]:
    """Plan what comes first, deliveries in a random order, and changes of what was delivered in another."""
    folders = (folder / str(n) for n in count())
    seeds = count(1)
    people = [
        SUBJECT | {"subject_id": child, "arm": "high" if child == "S-2" else "low"} for child in CHILDREN
    ]
    tubes = [
        TUBE | {
            "subject_id": child, "visit": visit, "collected_at": f"{day}T08:30", "file": f"fcs/{seed}.fcs",
            "batch": batch,
        }
        for child in CHILDREN[:3]  # of the fourth there is no tube
        for visit, day, batch in (("LD", "2025-02-27", "B1"), ("D14", "2025-03-17", "B2"))
        for seed in [next(seeds)]
    ]  # fmt: skip
    labs = [LAB | {"subject_id": child, "value": f"1.{n}5"} for n, child in enumerate(CHILDREN)]
    il_6 = {
        "visit": "D14", "collected_at": "2025-03-17T08:30", "analyte": "IL-6", "unit": "pg/mL",
        "platform": "Luminex",
    }  # fmt: skip
    arriving = [
        *(deliver(next(folders), manifest=[tube]) for tube in tubes),
        deliver(next(folders), labs=labs),
        *(
            deliver(next(folders), cytokines=[il_6 | {"subject_id": child, "value": f"{n}.5"}])
            for n, child in enumerate(CHILDREN, 3)
        ),
        # A second platform renames the series of the children that have the first one.
        deliver(next(folders), cytokines=[il_6 | {"subject_id": "S-3", "platform": "MSD", "value": "7"}]),
        # A late row moves the data cut-off: visits become due.
        deliver(next(folders), labs=[LAB | {"visit": "M6", "collected_at": "2025-09-04T09:00"}]),
        set_gate(decide_cut("CD3", 1000.0), Scope.CHILD, subject_id="S-3", panel="cart"),
    ]
    changing = [
        deliver(next(folders), accept="typing error", labs=[labs[1] | {"value": "0.07"}]),
        deliver(next(folders), accept="mislabelled", manifest=[tubes[1] | {"subject_id": "S-2"}]),
        deliver(
            next(folders), accept="dated anew", subjects=[people[2] | {"infusion_at": "2025-03-04T10:00"}]
        ),
        take_away("S-1"),
        set_gate(decide_cut("CD3", 900.0), Scope.ACQUISITION, file_id=compute_fcs_sha256(make_fcs(2))),
        set_gate(take_back(decide_cut("CD3", 0.0)), Scope.CHILD, subject_id="S-3", panel="cart"),
    ]
    return (
        deliver(next(folders), subjects=people),
        [arriving[n] for n in NUMBERS.permutation(len(arriving))],
        [changing[n] for n in NUMBERS.permutation(len(changing))],
    )


def run_after(home: Home, *steps: Step) -> str:
    """Take some steps, run, and return the snapshot."""
    for step in steps:
        step(home)
    opened = open_home(home.path)  # with the study file of now
    try:
        return run(opened, at=NOW).snapshot_id
    finally:
        opened.close()


def test_run__each_change_gives_what_a_new_home_gives(make_home: Callable[..., Home], tmp_path: Path) -> None:
    first, arriving, changing = plan_steps(tmp_path / "deliveries")
    half, third = len(arriving) // 2, len(changing) // 3
    peaks = change_study(minimum_peak_samples=("3", "1"))
    home, other = make_home(), make_home("other")
    seen = [
        run_after(home, first, *arriving[:half]),
        run_after(home, *arriving[half:]),
        run_after(home, peaks),
    ]
    assert seen[-1] == run_after(make_home("backwards"), first, *reversed(arriving), peaks)
    limits = change_study(minimum_events=("{cart: [50000, 500]", "{cart: [50, 10]"))
    seen += [run_after(home, *steps) for steps in (changing[:third], changing[third:], [limits])]
    assert seen[-1] == run_after(other, first, *arriving, *changing, limits)
    assert len(set(seen)) == len(seen)
    # Under the first study again much is kept of the time before the changes; the other home never had it.
    assert run_after(home, change_study()) == run_after(other, change_study())


def test_run__derives_only_the_children_of_which_something_changed(
    make_home: Callable[..., Home], tmp_path: Path, derived: list[list[str]]
) -> None:
    people = [SUBJECT | {"subject_id": child} for child in CHILDREN]
    labs = [LAB | {"subject_id": child} for child in CHILDREN]
    home = make_home()
    deliver(tmp_path / "first", subjects=people, labs=labs, manifest=[TUBE | {"file": "fcs/1.fcs"}])(home)
    run(home, at=NOW)
    tube = TUBE | {"file": "fcs/2.fcs", "subject_id": "S-3"}
    deliver(tmp_path / "one", manifest=[tube])(home)
    one = run(home, at=NOW)
    assert derived == [[*CHILDREN], ["S-3"]]

    kept = [path for path in (home.cache / "tables").rglob("*") if path.is_file()]
    for path in kept:
        path.write_bytes(path.read_bytes()[:-1])
    shutil.rmtree(home.path / "snapshots" / one.snapshot_id)
    assert run(home, at=NOW).snapshot_id == one.snapshot_id
    assert derived[2:] == [[*CHILDREN]]


def test_run__believes_no_tables_of_another_program(
    make_home: Callable[..., Home], tmp_path: Path, derived: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home()
    deliver(tmp_path / "first", subjects=[SUBJECT], labs=[LAB])(home)
    run(home, at=NOW)
    monkeypatch.setattr(pipelines.run, "compute_code_hash", lambda: "another")
    assert run(home, at=NOW).is_new
    assert derived == [["S-1"], ["S-1"]]
