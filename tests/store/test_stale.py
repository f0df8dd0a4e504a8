"""One thing changes: stale is what it changed, every time, and nothing else."""

import datetime as dt
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corelab.cytometry.interchange.revision import Scope, Target, decide_cut
from corelab.store import Home, create_home, open_home
from corelab.store.results import ResultScope, ResultTarget, list_targets
from corelab.store.review import ReviewState, Signature
from corelab.store.withdrawal import withdraw
from corelab.study import builtin_study
from pipelines.ingest import ingest
from pipelines.run import run
from tests.deliveries import LAB, SUBJECT, TUBE, make_fcs, write_delivery
from tests.plate_exports import fill_plate, layout_rows, read_signals, standard_rows, write_xponent

NOW = dt.datetime(2025, 7, 1, 9, 0, tzinfo=dt.UTC)
PASSWORD = "correct horse battery"
ALT = {"test": "ALT", "value": "30", "unit": "U/L", "ref_high": "40"}
BASE = LAB | ALT | {"visit": "LD", "collected_at": "2025-02-26T08:30"}
M2 = LAB | {"visit": "M2", "collected_at": "2025-05-03"}
WELLS = fill_plate({"S1": 20.0, "S2": 800.0})
DRAW = {"visit": "D3", "collected_at": "2025-03-06T08:00"}
LAYOUT = layout_rows(WELLS, {"S1": {"subject_id": "S-1", **DRAW}, "S2": {"subject_id": "S-2", **DRAW}})
TABLES = {
    "subjects": [SUBJECT, SUBJECT | {"subject_id": "S-2"}],
    "manifest": [
        TUBE,
        TUBE | {"file": "fcs/b.fcs", "subject_id": "S-2"},
        TUBE | {"file": "fcs/c.fcs", "visit": "D28", "collected_at": "2025-03-31T08:30"},
    ],
    "labs": [BASE, LAB, LAB | ALT | {"value": "90"}, M2, LAB | {"subject_id": "S-2"}],
    "plates/layout": LAYOUT,
    "plates/standards": standard_rows(["IL-6"]),
}
FILES = {f"fcs/{name}.fcs": make_fcs(number) for number, name in enumerate("abc")}
FILES["plates/p1.csv"] = write_xponent(WELLS, {"IL6": read_signals(WELLS, cv=0.02)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stale")
    home = create_home(folder / "home", study_text=builtin_study().source)
    ingest(home, [write_delivery(folder / "d", tables=TABLES, files=FILES)], at=NOW, actor="chen")
    home.registry.users.add("rita", role="reviewer", password=PASSWORD, at=NOW)
    run(home, at=NOW)
    sign_all(home)
    home.close()
    return folder / "home"


@pytest.fixture
def signed(made: Path, tmp_path: Path) -> Iterator[Home]:
    """Every visit, every tube and the plate are signed."""
    home = open_home(shutil.copytree(made, tmp_path / "home"))
    yield home
    home.close()


def signature(home: Home, reason: str = "") -> Signature:
    current = home.snapshots.current()
    assert current is not None
    return Signature(author="rita", password=PASSWORD, at=NOW, snapshot_id=current.id, reason=reason)


def sign_all(home: Home) -> None:
    current = home.snapshots.current()
    assert current is not None
    home.reviews.sign(list_targets(current.table), ReviewState.REVIEWED, signature(home))
    home.plate_locks.lock(["p1"], signature(home))


def read_content(home: Home) -> dict[ResultTarget, list[str]]:
    """Every row of a snapshot under the results that it belongs to: not how the store compares them."""
    current = home.snapshots.current()
    assert current is not None
    found: dict[ResultTarget, list[str]] = defaultdict(list)
    files = dict(current.table("plates")[["plate", "file_id"]].itertuples(index=False, name=None))
    for name in current.table_names:
        for row in current.table(name).to_dict("records"):
            held = {key: repr(value) for key, value in row.items() if key != "source_id"}
            if name == "analysis":  # a column more without a value changes no visit
                held = {key: value for key, value in held.items() if value not in ("nan", "''", "None")}
            said = f"{name} {sorted(held.items())}"
            if "subject_id" in row and "visit" in row:
                about = {"subject_id": row["subject_id"], "visit": row["visit"]}
                found[ResultTarget(scope=ResultScope.VISIT, **about)].append(said)
                if "file_id" in row:
                    tube = ResultTarget(scope=ResultScope.ACQUISITION, **about, file_id=row["file_id"])
                    found[tube].append(said)
            if row.get("plate") in files:
                plate = ResultTarget(
                    scope=ResultScope.PLATE, subject_id="", visit="", file_id=files[row["plate"]]
                )
                found[plate].append(said)
    return {target: sorted(rows) for target, rows in found.items()}


def correct(**tables: list[dict[str, str]]) -> Callable[[Home, Path], None]:
    def act(home: Home, folder: Path) -> None:
        delivery = write_delivery(folder, tables={name.replace("__", "/"): tables[name] for name in tables})
        ingest(home, [delivery], at=NOW, actor="chen", accept_reason="typed wrong")

    return act


def gate(scope: Scope, **about: str) -> Callable[[Home, Path], None]:
    def act(home: Home, _folder: Path) -> None:
        target = Target(scope=scope, **about)
        home.gates.add([(target, decide_cut("CD3", 1010.0))], at=NOW, author="chen", reason="too low")

    return act


def gate_tube(home: Home, folder: Path) -> None:
    tube = next(one for one in home.registry.acquisition_files() if one.name == "fcs/c.fcs")
    gate(Scope.ACQUISITION, file_id=tube.file_id)(home, folder)


def change_layout(home: Home, folder: Path) -> None:
    home.plate_locks.unlock(["p1"], signature(home, "a dilution was wrong"))
    rows = [row | {"dilution": "2"} if row["name"] == "S1" else row for row in LAYOUT]
    correct(plates__layout=rows)(home, folder)


def leave_out(what: str) -> Callable[[Home, Path], None]:
    return lambda home, _folder: (
        withdraw(home, what, reason="not this child's", at=NOW, author="chen") and None
    )


ONE, TWO = "S-1", "S-2"
EVERY_ONE = {(ONE, visit) for visit in ("LD", "D3", "D14", "D28", "M2")}
CHANGES = {
    "a laboratory value": (correct(labs=[LAB | {"value": "9"}]), {(ONE, "D14")}),
    "a test that nobody had": (correct(labs=[M2 | {"test": "PLT", "value": "200"}]), {(ONE, "M2")}),
    "the baseline of a grade": (correct(labs=[BASE | {"value": "80"}]), {(ONE, "LD"), (ONE, "D14")}),
    "a value taken out": (leave_out("labs.csv:4"), {(ONE, "D14")}),
    "a gate of a tube": (gate_tube, {(ONE, "D28")}),
    "gates of a panel": (gate(Scope.PANEL, panel="cart"), {(ONE, "D14"), (ONE, "D28"), (TWO, "D14")}),
    "a tube of another child": (
        correct(manifest=[TUBE | {"file": "fcs/a.fcs", "subject_id": TWO}]), {(ONE, "D14"), (TWO, "D14")},
    ),
    "a tube of another visit": (
        correct(manifest=[TUBE | {"file": "fcs/c.fcs", "visit": "UNS", "collected_at": "2025-04-20T08:30"}]),
        {(ONE, "D28")},
    ),
    "a plate's layout": (change_layout, {(ONE, "D3")}),
    "the dose": (correct(subjects=[SUBJECT | {"infused_volume_ml": "5", "tnc_per_ml": "1e7"}]), set()),
    "the infusion": (correct(subjects=[SUBJECT | {"infusion_at": "2025-03-02T10:00"}]), EVERY_ONE),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_change__marks_exactly_the_results_that_it_changes(signed: Home, tmp_path: Path, change: str) -> None:
    act, expected = CHANGES[change]
    before = read_content(signed)
    assert signed.reviews.stale() == []
    act(signed, tmp_path / "change")
    run(signed, at=NOW)
    after = read_content(signed)
    signed_still = {target for target, one in signed.reviews.standings().items() if one.state != "draft"}
    changed = {target for target in signed_still if before[target] != after.get(target)}
    stale = {standing.target for standing in signed.reviews.stale()}
    assert stale == changed
    visits = {(one.subject_id, one.visit) for one in stale if one.scope is ResultScope.VISIT}
    assert visits == expected
