"""A delivery is deterministic, complete, in the contract's words, and carries its traps."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corelab.errors import ConfigError
from corelab.ingest.fcs import read_fcs
from corelab.study import Study
from corelab.study.schedule import compute_window
from corelab.synthetic import simulate_trial
from corelab.synthetic.children import DATA_CUTOFF, draw_children
from corelab.synthetic.course import blood_on
from corelab.synthetic.plan import TrialPlan, plan_trial
from corelab.synthetic.render import render_tube
from corelab.vocabulary import VISITS, Arm, Panel, is_tube
from pipelines.simulate import DEFAULT_SEED, simulate


def digests(subjects: int, events: int, seed: int, study: Study) -> dict[str, str]:
    files = simulate_trial(subjects=subjects, events=events, seed=seed, study=study)
    return {file.path: hashlib.sha256(file.data).hexdigest() for file in files}


def table(delivery: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(delivery / name, dtype=str, keep_default_na=False)


def traps(delivery: Path) -> dict[str, object]:
    return dict(json.loads((delivery / "truth" / "traps.json").read_text(encoding="utf-8")))


def test_simulate_trial__the_same_seed_gives_the_same_bytes(study: Study) -> None:
    first = digests(1, 500, 5, study)
    assert first == digests(1, 500, 5, study)
    other = digests(1, 500, 6, study)
    assert not {first[p] for p in first if p.endswith(".fcs")} & set(other.values())


def test_simulate__writes_what_simulate_trial_gives(tmp_path: Path, study: Study) -> None:
    told: list[tuple[int, int]] = []
    written = simulate(
        tmp_path / "out", subjects=1, events=500, seed=5, progress=lambda *step: told.append(step)
    )
    expected = digests(1, 500, 5, study)
    found = {
        path.relative_to(tmp_path / "out").as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == expected
    assert written == len(expected)
    assert told[-1] == (len(told), len(told))


def test_render_tube__does_not_depend_on_who_else_is_in_the_trial(study: Study) -> None:
    small = plan_trial(subjects=2, events=600, seed=9, study=study)
    large = plan_trial(subjects=5, events=600, seed=9, study=study)
    compared = 0
    for tube in small.tubes:
        twins = [
            t
            for t in large.tubes
            if t.identity == tube.identity and (t.quality, t.n_events) == (tube.quality, tube.n_events)
        ]
        for twin in twins:
            assert render_tube(9, tube).truth == render_tube(9, twin).truth
            assert render_tube(9, tube).fcs[-9600:] == render_tube(9, twin).fcs[-9600:]
            compared += 1
    assert compared > 20


@pytest.mark.parametrize(("subjects", "events", "seed"), [(0, 500, 1), (1, 499, 1), (1, 500, -1)])
def test_simulate_trial__refuses_numbers_out_of_range(
    study: Study, subjects: int, events: int, seed: int
) -> None:
    with pytest.raises(ConfigError, match=r"expected .* to "):
        list(simulate_trial(subjects=subjects, events=events, seed=seed, study=study))


def test_simulate__leaves_a_folder_alone_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="not an empty folder"):
        simulate(tmp_path, subjects=1, events=500)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_manifest__speaks_the_words_of_the_contract(delivery: Path) -> None:
    manifest = table(delivery, "manifest.csv")
    assert set(manifest["panel"]) == set(Panel)
    assert all(is_tube(tube) for tube in manifest["tube"])
    assert set(manifest["tube"]) == {"full", "fmo_car", "fmo_cd19", "bead_qc"}
    beads = manifest["tube"] == "bead_qc"
    assert (manifest.loc[beads, ["subject_id", "visit", "beads_per_tube"]] == "").all(axis=None)
    manifest = manifest[~beads]
    assert set(manifest["visit"]) <= set(VISITS)
    assert manifest["file"].is_unique
    assert all((delivery / name).is_file() for name in manifest["file"])
    known = set(table(delivery, "subjects.csv")["subject_id"])
    assert set(manifest["subject_id"]) <= known
    for name in ("labs", "cytokines", "qpcr", "assessments", "medications", "adverse_events"):
        assert set(table(delivery, f"{name}.csv")["subject_id"]) <= known


def test_manifest__file_names_tell_nothing_of_the_child(delivery: Path) -> None:
    for name in table(delivery, "manifest.csv")["file"]:
        assert re.fullmatch(r"fcs/run-\d{4}_tube\d{2}\.fcs", name)


def test_delivery__concentrations_follow_the_course(plan: TrialPlan, delivery: Path) -> None:
    """Cells per bead give the blood back: within four draws' scatter and counting error."""
    manifest = table(delivery, "manifest.csv").set_index("file")
    counts = pd.read_csv(delivery / "truth" / "files.csv").set_index(["file", "population"])["count"]
    checked = 0
    for tube in plan.tubes:
        if not tube.is_named or tube.n_events < 1000:
            continue
        row = manifest.loc[tube.path]
        per_bead = float(row["beads_per_tube"]) / float(row["blood_volume_ul"]) * float(row["predilution"])
        blood = blood_on(tube.draw.child.course, tube.draw.day)
        cells, beads = counts[tube.path, "t_cells"], counts[tube.path, "beads"]
        scatter = 4 * np.sqrt(0.04**2 + 1 / cells + 1 / beads)
        assert cells / beads * per_bead == pytest.approx(blood.cd3, rel=scatter), tube.path
        checked += 1
    assert checked > 100


def test_delivery__no_car_cell_before_infusion_but_some_false_signal(plan: TrialPlan, delivery: Path) -> None:
    counts = pd.read_csv(delivery / "truth" / "files.csv")
    before = counts[counts["visit"].isin(["LD", "D0"]) & (counts["population"] == "car_t")]
    assert len(before) > 10
    assert (before["count"] == 0).all()
    assert all(5e-5 <= child.false_car <= 2e-4 for child in plan.children)


def test_delivery__visits_lie_in_their_windows_and_none_after_the_cutoff(
    plan: TrialPlan, study: Study
) -> None:
    for draw in plan.draws:
        window = compute_window(study.visits_by_code[draw.visit], draw.child.infusion_at.date())
        date = draw.collected_at.date()
        assert date <= DATA_CUTOFF
        if window:
            assert window[0] <= date <= window[1], draw.visit
    d0 = [draw for draw in plan.draws if draw.visit == "D0"]
    assert all(draw.collected_at < draw.child.infusion_at for draw in d0)


def test_draw_children__lengths_of_follow_up_differ(plan: TrialPlan) -> None:
    last = {child.subject_id: max(
        (d for d in plan.draws if d.child is child), key=lambda d: d.collected_at).visit
        for child in plan.children}  # fmt: skip
    assert sorted(last.values()) == sorted(["M12", "SCR", "M12", "M6", "M4", "D14"])


def test_draw_children__dose_meets_the_plan(study: Study) -> None:
    for seed in range(10):
        for child in draw_children(seed, subjects=6, study=study):
            if not child.is_infused:
                assert child.arm == ""
                continue
            p = child.product
            cells = p.tnc_per_ml * p.viability_pct * p.cd3_pct * p.car_pct / 1e6 * p.volume_ml
            share = cells / child.weight_kg / study.planned_dose[child.arm]
            assert 0.8 < share < 1.2
    assert {c.arm for c in draw_children(1, subjects=6, study=study)} == {*Arm, ""}


def test_traps__are_all_laid_and_named(delivery: Path) -> None:
    assert set(traps(delivery)) == {
        "drift", "failed_tube", "patient_names", "unnamed_file", "missed_visit", "unscheduled_draw",
        "cd19_negative", "few_b_cells", "fading_detector",
    }  # fmt: skip


def test_traps__the_unnamed_file_is_there_but_not_in_the_manifest(delivery: Path) -> None:
    name = str(traps(delivery)["unnamed_file"])
    assert (delivery / name).is_file()
    assert name not in set(table(delivery, "manifest.csv")["file"])
    delivered = {path.relative_to(delivery).as_posix() for path in delivery.rglob("*.fcs")}
    assert delivered - set(table(delivery, "manifest.csv")["file"]) == {name}


def test_traps__names_stand_in_keywords_of_the_named_files_only(delivery: Path) -> None:
    named = set(traps(delivery)["patient_names"])  # type: ignore[call-overload]
    assert named
    for path in delivery.rglob("*.fcs"):
        keywords = read_fcs(path.read_bytes(), name=path.name).keywords
        is_named = path.relative_to(delivery).as_posix() in named
        assert ("PATIENT NAME" in keywords) == is_named
        assert ("$SRC" in keywords) == is_named


def test_traps__missed_and_unscheduled_draws(delivery: Path) -> None:
    found, laid = table(delivery, "manifest.csv"), traps(delivery)
    missed, extra = laid["missed_visit"], laid["unscheduled_draw"]
    visits = found[found["subject_id"] == missed["subject_id"]]["visit"]  # type: ignore[index]
    assert "M2" not in set(visits)
    assert "M3" in set(visits)
    assert "UNS" in set(found[found["subject_id"] == extra["subject_id"]]["visit"])  # type: ignore[index]


def test_traps__a_tube_failed_and_a_tube_drifted(delivery: Path) -> None:
    counts = pd.read_csv(delivery / "truth" / "files.csv").set_index(["file", "population"])["count"]
    laid = traps(delivery)
    failed, drifted = laid["failed_tube"]["file"], laid["drift"]["file"]  # type: ignore[index]
    assert counts[failed, "leukocytes"] < 0.5 * counts[failed, "singlets"] or counts[failed, "events"] < 500
    assert 0.7 < counts[drifted, "time_ok"] / counts[drifted, "events"] < 0.9


@pytest.mark.parametrize("seed", range(5))
def test_traps__cd19_is_lost_on_nine_of_ten_b_cells_of_one_child(study: Study, seed: int) -> None:
    plan = plan_trial(subjects=2, events=4000, seed=seed, study=study)
    tube = next(t for t in plan.tubes if t.draw.child.trait == "cd19_negative" and t.tube == "full")
    counts = render_tube(seed, tube).counts
    assert counts["b_reference"] > 150
    assert counts["cd19_positive"] / counts["b_reference"] < 0.15


def test_default_seed__is_the_one_that_sample_data_names() -> None:
    path = Path(__file__).parents[2] / "sample_data" / "seed.txt"
    assert int(path.read_text(encoding="utf-8")) == DEFAULT_SEED
