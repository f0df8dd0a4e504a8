"""The CD19 call on the worked tubes, and each way in which there is none."""

import numpy as np
import pandas as pd
import pytest

from corelab.tables.derive import derive_tables
from corelab.tables.schemas import SCHEMAS
from tests.tables.trial import STUDY, Trial, bcell, one


def call(reference: int, positive: int, *, control: str = "fmo_cd19", fails: bool = False) -> pd.Series:
    counts = bcell(reference, reference=reference, positive=positive, beads=8_950)
    trial = Trial().subject(infusion_at="").tube(
        "SCR", -30, counts, panel="bcell", file_id="f", control=control,
        beads_per_tube=49_800, blood_volume_ul=50,
    )  # fmt: skip
    if fails:
        trial.finding("f", "VIABILITY", "fail")
    row: pd.Series = one(trial.derive()["cd19_status"], subject_id="A")
    return row


WORKED = [
    (1_842, 1_790, "positive", 97.18, 96.31, 97.88, "no", ""),
    (30, 28, "not_evaluable", 93.33, 77.93, 99.18, "no", "FEW_EVENTS"),
    (1_842, 210, "negative", 11.40, 9.98, 12.94, "yes", ""),
    (200, 40, "not_evaluable", 20.0, 14.69, 26.22, "yes", "CI_SPANS_CUTOFF"),
    (100, 79, "positive", 79.0, 69.71, 86.51, "yes", ""),
]


def test_derive_cd19_status__worked_calls() -> None:
    trial = Trial()
    for reference, positive, *_ in WORKED:
        name = f"{positive}-{reference}"
        counts = bcell(reference, reference=reference, positive=positive, beads=8_950)
        trial.subject(name, infusion_at="").tube(
            "SCR", -30, counts, panel="bcell", subject_id=name, control="fmo_cd19",
            beads_per_tube=49_800, blood_volume_ul=50,
        )  # fmt: skip
    table = trial.derive()["cd19_status"]
    for reference, positive, word, percent, low, high, alert, reason in WORKED:
        row = one(table, subject_id=f"{positive}-{reference}")
        assert (row["call"], row["alert"], row["reason"], row["threshold_source"]) == (
            word,
            alert,
            reason,
            "fmo",
        )
        assert [round(row[name], 2) for name in ("percent_cd19", "ci_low", "ci_high")] == [percent, low, high]
        assert row["n_b_reference"] == reference
        assert row["b_cells_per_ul"] == pytest.approx(reference / 8_950 * 49_800 / 50)


def test_derive_cd19_status__a_limit_from_t_cells_is_flagged() -> None:
    row = call(1_842, 1_790, control="t_cells")
    assert (row["call"], row["threshold_source"], row["reason"]) == ("positive", "t_cells", "NO_FMO")


def test_derive_cd19_status__a_persons_limit_stands_for_itself() -> None:
    counts = bcell(1_842, reference=1_842, positive=1_790, beads=8_950)
    trial = Trial().subject(infusion_at="").tube("SCR", -30, counts, panel="bcell", file_id="f", control="")
    for count in trial.gates["counts"]:
        count["gate_source"] = "manual"
    row = one(trial.derive()["cd19_status"], subject_id="A")
    assert (row["call"], row["threshold_source"], row["reason"]) == ("positive", "manual", "")


def test_derive_cd19_status__a_limit_that_nothing_places_is_not_evaluable() -> None:
    """Gating counts no CD19+ cells then, so the row of the population is missing and says why."""
    cases = {
        "A": (1_842, "NO_CONTROL", "NO_CONTROL"), "B": (99, "NO_CONTROL", "FEW_EVENTS"),
        "C": (1_842, "MARKER_MISSING", "GATE_MISSING"),
    }  # fmt: skip
    trial = Trial()
    for name, (reference, cause, _) in cases.items():
        counts = bcell(reference, reference=reference)
        trial.subject(name, infusion_at="").tube("SCR", -30, counts, panel="bcell", subject_id=name)
        trial.gates["counts"][-1].update(count=None, status="missing", reason=cause)  # cd19_positive
    table = trial.derive()["cd19_status"]
    for name, (reference, _, reason) in cases.items():
        row = one(table, subject_id=name)
        assert (row["call"], row["threshold_source"], row["reason"]) == ("not_evaluable", "", reason)
        assert row["n_b_reference"] == reference


def test_derive_cd19_status__no_control_is_not_evaluable() -> None:
    row = call(1_842, 1_790, control="")
    assert (row["call"], row["threshold_source"], row["reason"]) == ("not_evaluable", "", "NO_CONTROL")


def test_derive_cd19_status__a_failed_tube_is_not_evaluable() -> None:
    row = call(1_842, 210, fails=True)
    assert (row["call"], row["reason"]) == ("not_evaluable", "VIABILITY")


def test_derive_cd19_status__no_b_cell_at_all_is_not_negative() -> None:
    row = call(0, 0)
    assert (row["call"], row["reason"], row["alert"]) == ("not_evaluable", "FEW_EVENTS", "")
    assert np.isnan(row["percent_cd19"])


def test_derive_cd19_status__every_subject_has_a_row() -> None:
    row = one(Trial().subject().derive()["cd19_status"], subject_id="A")
    assert (row["call"], row["reason"]) == (
        "not_evaluable",
        "NO_SCREENING_TUBE;MISSING manifest.csv SCR bcell full tube",
    )


def test_derive_tables__without_any_row_every_table_is_there() -> None:
    trial = Trial()
    tables = derive_tables(trial.inputs(), trial.gate_tables(), study=STUDY, as_of=None)
    assert len(tables) == len(SCHEMAS) + 1
    assert all(len(table) == 0 and len(table.columns) for table in tables.values())
