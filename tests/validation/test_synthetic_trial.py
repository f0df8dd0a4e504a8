"""One synthetic trial that development never looked at, through the whole road."""

import pytest

from corelab.ingest.fcs import parse_fcs_segments
from tests.validation.trials import (
    JUDGED,
    TrialRun,
    compare_counts,
    expect_exit,
    find_quantified_before_infusion,
    find_wrong_cd19_calls,
    read_traps,
    run_trial,
)

SEED = 90_001


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrialRun:
    return run_trial(tmp_path_factory.mktemp("trial"), seed=SEED, subjects=4, events=8_000)


def test_counts__lie_within_5_percent_of_the_truth(run: TrialRun) -> None:
    counts = compare_counts(run)
    assert set(counts["population"]) == set(JUDGED)
    assert len(counts) > 100
    assert counts["relative_error"].abs().max() <= 0.05, counts.head(10).to_string()


def test_persistence__quantifies_nothing_before_infusion(run: TrialRun) -> None:
    assert (run.tables["persistence"]["status"] == "quantified").any()
    assert find_quantified_before_infusion(run).empty


def test_cd19_status__agrees_with_the_truth_for_every_child(run: TrialRun) -> None:
    calls = run.tables["cd19_status"]["call"].tolist()
    assert {"positive", "negative", "not_evaluable"} <= set(calls)
    assert find_wrong_cd19_calls(run).empty


def test_failed_tube__keeps_its_numbers_and_enters_no_derived_table(run: TrialRun) -> None:
    failed = read_traps(run)["failed_tube"]
    assert isinstance(failed, dict)
    rows = run.tables["populations"]
    rows = rows[rows["qc"] == "fail"]
    assert rows["file_id"].nunique() >= 1
    cells = rows[rows["population"] == "lymphocytes"]
    assert (cells["status"] == "failed").all()
    assert (cells["count"] > 0).all()
    assert (cells["reason"] != "").all()


def test_run__computes_nothing_the_second_time(run: TrialRun) -> None:
    before = sorted(p.name for p in (run.home / "snapshots").iterdir())
    expect_exit(["ingest", str(run.home), str(run.delivery)], 1)
    expect_exit(["run", str(run.home), "--workers", "1"], 0)
    assert sorted(p.name for p in (run.home / "snapshots").iterdir()) == before


def test_patient_names__are_nowhere_in_the_home(run: TrialRun) -> None:
    """The simulator writes invented names into some files; no byte of the home may hold them."""
    named = read_traps(run)["patient_names"]
    assert isinstance(named, list)
    names = {
        dict(parse_fcs_segments((run.delivery / f).read_bytes(), name=f).keywords)["PATIENT NAME"]
        for f in named
    }
    assert names
    for path in run.home.rglob("*"):
        held = path.read_bytes() if path.is_file() else b""
        assert not [name for name in names if name.encode() in held], path.name
