"""A spillover matrix delivered beside its FCS files, and single stains of a run, up to the table."""

import datetime as dt
from pathlib import Path

import pytest

from corelab.ingest.spillover import parse_spillover_csv
from corelab.store import Home
from pipelines.gating import plan_jobs
from pipelines.ingest import IngestReport, ingest
from pipelines.run import run
from tests.deliveries import SUBJECT, TUBE, make_fcs, write_delivery

NOW = dt.datetime(2025, 4, 1, 9, 0, tzinfo=dt.UTC)
TABLES = {"subjects": [SUBJECT], "manifest": [TUBE]}
MATRIX = b"FITC-A,PE-A\n1,0.3\n0.02,1\n"
OTHER = b"FITC-A,PE-A\n1,0.25\n0.02,1\n"


def take(home: Home, *paths: Path, accept: str = "") -> IngestReport:
    return ingest(home, paths, at=NOW, actor="test", accept_reason=accept)


def deliver(folder: Path, matrix: bytes = b"") -> Path:
    files = {"fcs/a.fcs": make_fcs()} | ({"panel.spill.csv": matrix} if matrix else {})
    return write_delivery(folder, tables=TABLES, files=files)


def applied(home: Home) -> list[list[float]]:
    matrix_id = home.registry.inputs().acquisitions["spillover_id"][0]
    return parse_spillover_csv(home.objects.read(matrix_id), name="x").matrix.tolist() if matrix_id else []


def compensation(home: Home) -> str:
    run(home, at=NOW)
    snapshot = home.snapshots.current()
    assert snapshot is not None
    (found,) = snapshot.table("populations")["compensation"].unique()
    return str(found)


def test_ingest__ties_a_matrix_to_the_files_of_its_delivery(home: Home, tmp_path: Path) -> None:
    take(home, deliver(tmp_path / "plain"))
    embedded = compensation(home)
    assert applied(home) == []
    folder = deliver(tmp_path / "d", MATRIX)
    assert take(home, folder).is_clean
    assert applied(home) == [[1.0, 0.3], [0.02, 1.0]]
    (shown,) = home.registry.acquisition_files()  # what the gate page opens is compensated alike
    assert shown.spillover_id == home.registry.inputs().acquisitions["spillover_id"][0] != ""
    assert len({embedded, compensation(home)}) == 2
    before = home.registry.content_hash()
    assert take(home, folder).is_clean
    assert home.registry.content_hash() == before


def test_ingest__another_matrix_for_a_file_is_a_correction(home: Home, tmp_path: Path) -> None:
    first, second = deliver(tmp_path / "d", MATRIX), deliver(tmp_path / "e", OTHER)
    take(home, first)
    report = take(home, second)
    assert len(report.corrections) == 1
    assert applied(home)[0][1] == 0.3
    assert take(home, second, accept="measured anew").is_clean
    assert applied(home)[0][1] == 0.25
    assert take(home, first).is_clean
    assert applied(home)[0][1] == 0.25


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [(b"FITC-A,APC-A\n1,0\n0,1\n", "has all its detectors"), (b"FITC-A,PE-A\n1,0.1\n", "1 rows for 2")],
)
def test_ingest__holds_a_matrix_that_serves_no_file(
    home: Home, tmp_path: Path, matrix: bytes, reason: str
) -> None:
    folder = deliver(tmp_path / "d", matrix)
    report = take(home, folder)
    assert [line for line in report.waiting if reason in line and "panel.spill.csv" in line]
    assert applied(home) == []
    (folder / "panel.spill.csv").write_bytes(MATRIX)
    assert applied(home) == []
    take(home, folder)
    assert applied(home)[0][1] == 0.3


def row(file_id: str, tube: str, **changes: str) -> dict[str, str]:
    base = {
        "file_id": file_id, "object_id": file_id, "subject_id": "", "visit": "",
        "collected_at": "2025-03-17T08:30:00+08:00", "panel": "cart", "tube": tube, "batch": "",
        "instrument": "",
    }  # fmt: skip
    return base | changes


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ({"batch": "R1"}, ["a", "u"]),
        ({"batch": "R9"}, ["d"]),
        ({}, ["a", "c", "d", "u"]),
        ({"panel": "bcell"}, ["b"]),
        ({"collected_at": "2025-03-18T08:30:00+08:00"}, []),
        ({"batch": "R1", "panel": "bcell"}, ["b"]),
    ],
)
def test_plan_jobs__ties_single_stains_by_batch_else_by_date_and_panel(
    sample: dict[str, str], expected: list[str]
) -> None:
    rows = [
        row("s", "full", subject_id="S-1", visit="D14", **sample),
        row("a", "comp_CD3", batch="R1"), row("u", "unstained", batch="R1"),
        row("b", "comp_CD3", batch="R1", panel="bcell"), row("c", "comp_CD4", batch="R2"),
        row("d", "comp_CD8"),
    ]  # fmt: skip
    jobs = plan_jobs(rows, lambda _: b"", None, {})
    tube = next(tube for job in jobs for tube in job.tubes if tube.file_id == "s")
    assert [object_id for _, object_id in tube.stains] == expected
