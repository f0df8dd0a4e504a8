import dataclasses
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from corelab.cytometry.compensation import compensate
from corelab.cytometry.quality import builtin_limits
from corelab.cytometry.records import TABLE_COLUMNS
from corelab.ingest.fcs import read_fcs
from pipelines.executor import Place
from pipelines.gate_controls import find_controls
from pipelines.gating import TubeFile, gate_all
from tests.pipelines.gate_trials import ReadFrom, make_trial

JUDGED = ("t_cells", "cd4_t", "cd8_t", "b_cells", "car_t")


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    acquisitions, reader, truth = make_trial(
        tmp_path_factory.mktemp("trial") / "delivery", seed=70001, events=5000
    )
    few = acquisitions[acquisitions["visit"].isin(["SCR", "LD", "D7", "D28"])]
    return few.reset_index(drop=True), reader, truth


@pytest.fixture(scope="module")
def gates(trial):
    return gate_all(*trial[:2])


def frames(tables):
    return {name: getattr(tables, name) for name in TABLE_COLUMNS}


def halve(data):
    return data[: len(data) // 2]


def flip_a_bit(data):
    return data[:500] + bytes([data[500] ^ 1]) + data[501:]


def assert_same(one, other):
    for name, frame in frames(one).items():
        pd.testing.assert_frame_equal(frame, getattr(other, name), check_exact=True)


def test_gate_all__gives_every_file_every_population(trial, gates):
    acquisitions = trial[0]
    for name, columns in TABLE_COLUMNS.items():
        assert tuple(getattr(gates, name).columns) == columns
    sizes = gates.counts.groupby("file_id").size()
    assert set(sizes.index) == set(acquisitions["file_id"])
    panels = acquisitions.set_index("file_id")["panel"]
    assert sizes.groupby(panels).nunique().eq(1).all()
    assert not gates.counts.duplicated(["file_id", "population"]).any()
    assert not gates.expression.duplicated(["file_id", "population", "marker"]).any()


def test_gate_all__is_the_same_whatever_the_order_and_the_workers(trial, gates):
    acquisitions, reader, _ = trial
    shuffled = acquisitions.sample(frac=1, random_state=3)
    assert_same(gate_all(shuffled, reader, place=Place(workers=2)), gates)


def test_gate_all__gates_an_unchanged_file_only_once(trial, gates, tmp_path):
    acquisitions, reader, _ = trial
    first = gate_all(acquisitions, reader, cache_dir=tmp_path / "cache")
    assert_same(first, gates)
    nothing = ReadFrom(tmp_path, ())
    assert_same(gate_all(acquisitions, nothing, cache_dir=tmp_path / "cache"), gates)


def test_gate_all__gates_anew_what_depends_on_a_changed_control(trial, tmp_path):
    acquisitions, reader, _ = trial
    subject = acquisitions[(acquisitions["visit"] == "SCR") & (acquisitions["panel"] == "bcell")]
    subject = subject[subject["subject_id"] == subject["subject_id"].iloc[0]]
    gate_all(subject, reader, cache_dir=tmp_path)
    alone = subject[subject["tube"] == "full"]
    counts = gate_all(alone, reader, cache_dir=tmp_path).counts
    control = counts.loc[counts["population"] == "cd19_positive", "control"]
    assert list(control) == ["t_cells"]


def test_gate_all__takes_no_limit_from_a_control_that_failed(trial):
    acquisitions, reader, _ = trial
    subject = acquisitions[(acquisitions["visit"] == "SCR") & (acquisitions["panel"] == "bcell")]
    subject = subject[subject["subject_id"] == subject["subject_id"].iloc[0]]
    strict = dataclasses.replace(builtin_limits(), viability_percent=(100.0, 100.0))
    tables = gate_all(subject, reader, limits=strict)
    control = subject.loc[subject["tube"] == "fmo_cd19", "file_id"].iloc[0]
    assert "fail" in set(tables.findings.loc[tables.findings["file_id"] == control, "level"])
    counts = tables.counts[tables.counts["population"] == "cd19_positive"].set_index("file_id")
    assert list(counts["control"].drop(control)) == ["t_cells"]


def test_gate_all__survives_a_broken_cache(trial, tmp_path):
    acquisitions, reader, _ = trial
    one = acquisitions.head(1)
    whole = gate_all(one, reader, cache_dir=tmp_path)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    contents = [path.read_bytes() for path in kept]
    assert len(kept) == 2  # of the tube and of the subject

    for damage in (halve, flip_a_bit, lambda _: b"", lambda data: contents[data == contents[0]]):
        for path, data in zip(kept, contents, strict=True):
            path.write_bytes(damage(data))
        assert_same(gate_all(one, reader, cache_dir=tmp_path), whole)
        assert [path.read_bytes() for path in kept] == contents


def test_gate_all__believes_no_cache_of_a_file_that_could_not_be_read(trial, tmp_path):
    acquisitions, reader, _ = trial
    one = acquisitions.head(1)
    lost = gate_all(one, ReadFrom(tmp_path, reader.names), cache_dir=tmp_path / "cache")
    assert list(lost.findings["check"]) == ["UNREADABLE"]
    assert_same(gate_all(one, reader, cache_dir=tmp_path / "cache"), gate_all(one, reader))


def test_gate_all__names_an_unreadable_file_and_goes_on(trial, gates, tmp_path):
    acquisitions, reader, _ = trial
    one = acquisitions[acquisitions["subject_id"] == acquisitions["subject_id"].iloc[0]]
    broken = one["file_id"].iloc[0]
    folder = tmp_path / "copy"
    shutil.copytree(reader.folder, folder)
    (folder / one["file"].iloc[0]).write_bytes(b"rubbish")
    result = gate_all(one, ReadFrom(folder, reader.names))
    unreadable = result.findings[result.findings["check"] == "UNREADABLE"]
    assert list(unreadable["file_id"]) == [broken]
    assert "expected FCS2.0" in unreadable["reason"].iloc[0]
    assert set(result.counts["file_id"]) == set(one["file_id"]) - {broken}


def test_gate_all__keeps_the_peaks_of_quality_beads(trial, tmp_path):
    run_tube = {"tube": "bead_qc", "subject_id": "", "visit": ""}
    beads = trial[0].head(1).assign(**run_tube)
    first = gate_all(beads, trial[1], cache_dir=tmp_path)
    assert first.bead_peaks["detector"].is_unique
    assert len(first.bead_peaks) > 10
    assert_same(gate_all(beads, lambda _: b"", cache_dir=tmp_path), first)


def test_gate_all__takes_no_file_at_all(trial):
    tables = gate_all(trial[0].head(0), trial[1])
    for name, columns in TABLE_COLUMNS.items():
        assert getattr(tables, name).empty
        assert tuple(getattr(tables, name).columns) == columns


def test_gate_all__tells_its_progress(trial):
    seen = []
    gate_all(trial[0].head(5), trial[1], progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (5, 5)


def test_gate_all__names_a_panel_without_template(trial):
    odd = trial[0].head(1).assign(panel="nk")
    findings = gate_all(odd, trial[1]).findings
    assert list(findings["check"]) == ["UNREADABLE"]
    assert "'nk'" in findings["reason"].iloc[0]


def test_compensate__is_applied_once_to_every_tube(trial):
    acquisitions, reader, _ = trial
    for file_id in acquisitions["object_id"][::2]:
        acquisition = read_fcs(reader(file_id), name=file_id[:8])
        once = compensate(acquisition)
        again = compensate(dataclasses.replace(acquisition, events=once.events.copy()))
        assert (len(once.sha256), again.sha256) == (64, ""), file_id


def test_find_controls__takes_those_of_the_same_visit_and_panel():
    def tube(file_id, **changes):
        kind = {"visit": "D7", "collected_at": "2025-01-01T08:00", "panel": "cart", "tube": "full"}
        return TubeFile(file_id=file_id, object_id=file_id, **(kind | changes))

    full = tube("f")
    tubes = [
        full, tube("a", tube="fmo_car"), tube("b", tube="fmo_car", visit="D14"),
        tube("c", tube="fmo_cd19", panel="bcell"), tube("d", tube="unstained"),
        tube("e", tube="fmo_car", collected_at="2025-01-01T07:00"),
        tube("g", tube="fmo_cd19", collected_at="2025-01-01T08:10"),
        tube("h", tube="fmo_cd19", collected_at="2025-01-09T08:00"),
        tube("i", tube="fmo_cd19", collected_at=""),
    ]  # fmt: skip
    assert [control.file_id for control in find_controls(full, tubes)] == ["a", "g"]
    assert find_controls(tubes[1], tubes) == []


@pytest.mark.slow
def test_gate_all__counts_within_five_percent_of_the_truth(trial, gates):
    """Unseen trials, whole and larger, are in ``tests.validation``."""
    acquisitions, _, truth = trial
    tables = gates
    rows = tables.counts.merge(acquisitions[["file_id", "file", "visit", "tube"]], on="file_id")
    rows = rows.merge(truth, on=["file", "population"])
    judged = rows[rows["population"].isin(JUDGED) & (rows["truth"] >= 200) & (rows["tube"] == "full")]
    relative = judged["count"] / judged["truth"] - 1
    worst = judged.loc[relative.abs().idxmax()]
    sys.stdout.write(
        f"worst of {len(judged)} counts {100 * relative.abs().max():.2f} %"
        f" ({worst['file']} {worst['population']}: {worst['count']:.0f} for {worst['truth']})\n"
    )
    # The failed tube is told by its finding; its numbers are kept, but nobody relies on them.
    assert relative[judged["status"] == "quantified"].abs().max() <= 0.05
    before = rows[(rows["population"] == "car_t") & rows["visit"].isin(["LD", "D0"])]
    assert len(before)
    assert (before["count"] - before["truth"]).max() < 20
    drift = tables.findings[(tables.findings["check"] == "TIME_DRIFT")]
    assert drift["file_id"].nunique() == 1
    clean = rows[(rows["population"] == "time_ok") & ~rows["file_id"].isin(drift["file_id"])]
    assert (clean["count"] / clean["truth"]).min() >= 0.98
    assert np.isfinite(tables.expression["median_intensity"]).all()
