"""Ingest: a draw that names no visit gets one by its window, and every reader of the trial agrees."""

import datetime as dt
from pathlib import Path

from corelab.cytometry.interchange.revision import Scope, Target, decide_cut
from corelab.store import Home
from corelab.store.gates import open_revisions
from pipelines.ingest import IngestReport, ingest
from tests.deliveries import LAB, SUBJECT, TUBE, make_fcs, write_delivery

NOW = dt.datetime(2025, 4, 1, 9, 0, tzinfo=dt.UTC)


def take(home: Home, *paths: Path, accept: str = "") -> IngestReport:
    return ingest(home, paths, at=NOW, actor="test", accept_reason=accept)


def test_ingest__names_a_visit_that_was_not_given_by_its_window(home: Home, tmp_path: Path) -> None:
    rows = [LAB | {"visit": ""}, LAB | {"visit": "", "collected_at": "2025-03-20T08:00"}]
    take(home, write_delivery(tmp_path / "d", tables={"subjects": [SUBJECT], "labs": rows}))
    assert sorted(home.registry.inputs().labs["visit"]) == ["D14", "UNS"]


def test_ingest__gives_a_visit_to_one_draw_and_every_reader_agrees(home: Home, tmp_path: Path) -> None:
    drawn = {
        "a": ("2025-03-16T08:00", "full"),
        "b": ("2025-03-17T08:00", "full"),
        "c": ("2025-03-17T08:00", "fmo_car"),
    }
    rows = [
        TUBE | {"file": f"fcs/{name}.fcs", "visit": "", "collected_at": when, "tube": tube}
        for name, (when, tube) in drawn.items()
    ]
    files = {f"fcs/{name}.fcs": make_fcs(seed) for seed, name in enumerate(drawn)}
    target = Target(scope=Scope.VISIT, subject_id="S-1", visit="D14", panel="cart")
    # The farther draw comes alone and has the visit until the nearer one is there.
    first = write_delivery(
        tmp_path / "1",
        tables={"subjects": [SUBJECT], "manifest": rows[:1]}, files={"fcs/a.fcs": files.pop("fcs/a.fcs")},
    )  # fmt: skip
    take(home, first)
    open_revisions(home).add([(target, decide_cut("CD3", 800.0))], at=NOW, author="chen", reason="too low")
    assert list(home.registry.inputs().acquisitions["visit"]) == ["D14"]
    take(home, write_delivery(tmp_path / "2", tables={"manifest": rows[1:]}, files=files))
    table = home.registry.inputs().acquisitions.sort_values("collected_at")
    assert list(table["visit"]) == ["UNS", "D14", "D14"]
    assert list(table["visit_taken"]) == ["D14", "", ""]
    visits = table.set_index("file_id")["visit"]
    assert {one.file_id: one.visit for one in home.registry.acquisition_files()} == visits.to_dict()
    assert set(home.registry.gate_decisions()) == set(visits.index[visits == "D14"])
