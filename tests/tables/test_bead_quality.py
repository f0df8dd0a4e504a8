"""Quality beads over the runs of an instrument: what they say of the tubes of a run."""

import numpy as np
import pandas as pd
import pytest

from corelab.statistics.westgard import WestgardRules
from corelab.tables.bead_quality import derive_bead_findings, judge_beads, widen_rules
from tests.tables.trial import STUDY, Trial, cart, one, pick

DETECTORS = ("BV421-A", "FITC-A", "PE-A", "FSC-A")


def run_beads(trial: Trial, day: int, *, n: int = 2000, changed: float = 1.0, **changes: str) -> None:
    """Add a tube of beads; ``changed`` multiplies what PE-A sees."""
    name = f"beads-{day}"
    changes = {"batch": f"R{day}", "instrument": "I1", "lot": "A", **changes}
    cv = float(changes.pop("cv", "0.03"))
    trial.tube("", day, {}, subject_id="", file_id=name, tube="bead_qc", **changes)
    for number, detector in enumerate(DETECTORS):
        median = 1000.0 * (number + 1) * (1 + 0.01 * (-1) ** day) * (changed if detector == "PE-A" else 1)
        row = {"file_id": name, "detector": detector, "median": median, "robust_cv": cv, "n": n}
        trial.gates.setdefault("bead_peaks", []).append(row)


def run_history(trial: Trial, runs: int, **changes: str) -> None:
    for day in range(runs):
        run_beads(trial, day, **changes)


def judge(trial: Trial) -> pd.DataFrame:
    acquisitions = trial.inputs().acquisitions
    return derive_bead_findings(
        acquisitions, judge_beads(acquisitions, trial.gate_tables().bead_peaks, study=STUDY)
    )


def add_sample(trial: Trial, batch: str = "R14", *, instrument: str = "I1", file_id: str = "sample") -> None:
    trial.tube("D14", 14, cart(900, 60_000), batch=batch, instrument=instrument, file_id=file_id)


@pytest.mark.parametrize(
    ("changed", "level", "rule"),
    [(1.0, None, ""), (1.03, None, ""), (1.055, "warn", "1-2s"), (0.8, "fail", "1-3s")],
)
def test_bead_qc__judges_its_run_where_a_detector_left_its_limits(
    changed: float, level: str | None, rule: str
) -> None:
    trial = Trial().subject()
    run_history(trial, 12)
    run_beads(trial, 14, changed=changed)
    add_sample(trial)
    add_sample(trial, "R15", file_id="other-run")
    findings = judge(trial)
    found = pick(findings, file_id="sample")
    assert list(found["level"]) == ([level] if level else [])
    assert pick(findings, file_id="other-run").empty
    if level:
        assert found["reason"].iloc[0].startswith(f"{rule}: median of the beads in PE-A;")


def test_bead_qc__rejects_the_tubes_of_its_run_and_keeps_their_numbers() -> None:
    trial = Trial().subject()
    run_history(trial, 12)
    run_beads(trial, 14, changed=0.8)
    add_sample(trial)
    tables = trial.derive()
    assert one(tables["quality"], check="BEAD_QC", object="sample")["level"] == "fail"
    row = one(tables["populations"], file_id="sample", population="car_t")
    assert (row["count"], row["status"], row["reason"]) == (900, "failed", "BEAD_QC")
    beads = one(tables["bead_qc"], file_id="beads-14", detector="PE-A")
    assert (beads["level_median"], beads["rule_median"], beads["level_robust_cv"]) == ("fail", "1-3s", "pass")
    assert (beads["median"], beads["robust_cv_percent"]) == (pytest.approx(2424.0), pytest.approx(3.0))
    first = one(tables["bead_qc"], file_id="beads-0", detector="PE-A")
    assert (np.isnan(first["z_median"]), first["level_median"]) == (True, "")


@pytest.mark.parametrize(("cv", "levels"), [("0.06", ["fail"]), ("0.01", [])])
def test_bead_qc__minds_a_spread_that_grows_and_none_that_shrinks(cv: str, levels: list[str]) -> None:
    trial = Trial().subject()
    run_history(trial, 12)
    run_beads(trial, 14, cv=cv)
    found = pick(judge(trial), file_id="beads-14")
    assert list(found["level"]) == levels
    if levels:
        assert "robust CV of the beads in BV421-A, FITC-A, FSC-A, PE-A;" in found["reason"].iloc[0]


def test_bead_qc__with_few_runs_behind_it_warns_only() -> None:
    trial = Trial()
    run_history(trial, 6)
    run_beads(trial, 14, changed=0.5)
    found = one(judge(trial), file_id="beads-14")
    assert (found["level"], "provisional, 6 runs behind" in found["reason"]) == ("warn", True)


@pytest.mark.parametrize("change", [{"lot": "B"}, {"instrument": "I2"}, {"panel": "bcell"}])
def test_bead_qc__of_another_lot_instrument_or_panel_is_another_series(change: dict[str, str]) -> None:
    trial = Trial()
    run_history(trial, 12)
    run_beads(trial, 14, changed=0.5, **change)
    assert judge(trial).empty


def test_bead_qc__of_another_panel_speaks_where_a_session_has_no_other() -> None:
    trial = Trial().subject()
    run_history(trial, 12, panel="bcell")
    run_beads(trial, 14, changed=0.5, panel="bcell")
    add_sample(trial)
    add_sample(trial, instrument="I2", file_id="other-instrument")
    assert set(judge(trial)["file_id"]) == {"beads-14", "sample"}


def test_bead_qc__a_run_in_control_is_rarely_rejected_however_many_the_detectors() -> None:
    """Thirty-two series at once: 400 runs of medians that scatter by 2.5 %, none of them changed."""
    rng = np.random.default_rng(5)
    trial = Trial()
    for day in range(400):
        name = f"beads-{day:03d}"
        trial.tube("", day, {}, subject_id="", file_id=name, tube="bead_qc", batch=f"R{day}", instrument="I1")
        for number in range(16):
            row = {
                "file_id": name, "detector": f"D{number}", "median": 5000 * (1 + 0.025 * rng.normal()),
                "robust_cv": 0.03 * (1 + 0.05 * rng.normal()), "n": 2000,
            }  # fmt: skip
            trial.gates.setdefault("bead_peaks", []).append(row)
    findings = judge(trial)
    assert (findings["level"] == "fail").sum() <= 8
    assert findings["file_id"].nunique() <= 40


def test_widen_rules__keeps_the_limits_of_one_series() -> None:
    rules = WestgardRules(warn_sd=2, reject_sd=3, provisional_from=5, minimum_runs=10)
    same = widen_rules(rules, 1)
    assert (same.warn_sd, same.reject_sd) == pytest.approx((2, 3))
