"""Empty in every way: rows with status and reason, no exception, and no zero that was not measured."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables.trial import Tables, Trial, bcell, cart, one, pick

BEADS = {"beads_per_tube": 50_000, "blood_volume_ul": 50}


def no_t_cells(trial: Trial) -> Trial:
    return trial.tube("D14", 14, cart(0, 0, lymphocytes=20_000, beads=5_000), **BEADS)


def no_b_cells(trial: Trial) -> Trial:
    trial.tube("LD", -5, bcell(0, beads=5_000), panel="bcell", **BEADS)
    return trial.tube("D14", 14, bcell(0, beads=5_000), panel="bcell", **BEADS)


def no_beads(trial: Trial) -> Trial:
    trial.tube("D14", 14, cart(500, 60_000), **BEADS)
    return trial.tube("D14", 14, bcell(300), panel="bcell", **BEADS)


def no_event(trial: Trial) -> Trial:
    counts = {name: (parent, 0, 0) for name, (parent, _, _) in cart(1, 1).items()}
    return trial.tube("D14", 14, counts, **BEADS)


def all_below(trial: Trial) -> Trial:
    for visit, day in (("D0", 0), ("D7", 7), ("D14", 14), ("D28", 28)):
        trial.tube(visit, day, cart(0, 60_000, beads=5_000), **BEADS)
        trial.draw("qpcr", visit, day, copies_per_ug="<50", lod=50)
        trial.draw("cytokines", visit, day, analyte="IL-6", value="<2.4", unit="pg/mL", lloq=2.4)
    return trial


def one_visit(trial: Trial) -> Trial:
    trial.tube("D7", 7, cart(900, 60_000, beads=5_000), **BEADS)
    trial.draw("qpcr", "D7", 7, copies_per_ug="900")
    return trial.draw("cytokines", "D7", 7, analyte="IL-6", value="80", unit="pg/mL", lloq=2.4)


def nothing(trial: Trial) -> Trial:
    return trial


CASES: dict[str, Callable[[Trial], Trial]] = {
    "no T cells": no_t_cells, "no B cells": no_b_cells, "no beads": no_beads, "no event": no_event,
    "all below the limit": all_below, "one visit": one_visit, "nothing": nothing,
}  # fmt: skip


@pytest.fixture(scope="module")
def derived() -> dict[str, Tables]:
    return {name: add(Trial().subject()).derive() for name, add in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_derive_tables__a_number_or_a_status_with_its_reason(derived: dict[str, Tables], name: str) -> None:
    tables = derived[name]
    for table, value in (
        ("populations", "percent_of_parent"), ("persistence", "value"), ("phenotype", "percent"),
        ("kinetics", "value"), ("measurements", "value"),
    ):  # fmt: skip
        rows = tables[table]
        empty = rows[rows[value].isna() & ~((rows["parent"] == "") if table == "populations" else False)]
        assert not (empty["status"] == "quantified").any(), (table, empty.head())
        assert (empty["reason"] != "").all(), (table, empty.head())
        assert not (rows[rows["status"] != "quantified"][value] == 0).any(), table
    assert (tables["cd19_status"].query("call == 'not_evaluable'")["reason"] != "").all()
    for row in tables["b_cell_recovery"].itertuples():
        assert not np.isnan(row.aplasia_day) or row.reason
        assert not np.isnan(row.baseline_b_cells_per_ul) or row.reason
    for row in tables["subjects"].itertuples():
        assert not np.isnan(row.actual_dose_per_kg) or row.reason
    for row in tables["summary"].itertuples():
        assert not np.isnan(row.estimate) or row.reason


@pytest.mark.parametrize("name", CASES)
def test_derive_tables__no_zero_that_was_not_counted(derived: dict[str, Tables], name: str) -> None:
    populations = derived[name]["populations"]
    assert not (populations["percent_of_parent"] == 0).any()
    assert not (populations["cells_per_ul"] == 0).any()
    persistence = derived[name]["persistence"]
    assert not (persistence["value"] == 0).any()


def test_no_t_cells__no_denominator(derived: dict[str, Tables]) -> None:
    row = one(derived["no T cells"]["persistence"], analyte="CAR_PCT_CD3", visit="D14")
    assert (row["status"], row["reason"].split(";")[0]) == ("not_calculated", "EMPTY_PARENT")
    assert (row["n_events"], row["n_reference"]) == (0, 0)


def test_no_b_cells__below_before_infusion(derived: dict[str, Tables]) -> None:
    row = one(derived["no B cells"]["b_cell_recovery"], subject_id="A")
    assert (row["baseline_below"], row["aplasia_day"], row["deep_depletion_day"]) == ("yes", 14, 14)
    cells = one(derived["no B cells"]["populations"], population="b_cells", visit="D14")
    assert (cells["status"], cells["reason"]) == ("not_detected", "NO_EVENTS")
    assert 0 < cells["cells_per_ul_high"] < 1


def test_no_beads__no_concentration(derived: dict[str, Tables]) -> None:
    rows = derived["no beads"]["populations"]
    assert set(rows["route"]) == {"", "none"}
    assert rows["cells_per_ul"].isna().all()
    absolute = one(derived["no beads"]["persistence"], analyte="CAR_ABS", visit="D14")
    assert (absolute["status"], absolute["route"]) == ("not_calculated", "none")
    assert one(derived["no beads"]["b_cell_recovery"], subject_id="A")["reason"] == (
        "NO_BASELINE;NO_POST_INFUSION_SAMPLE"
    )


def test_all_below__a_peak_below_its_limit(derived: dict[str, Tables]) -> None:
    kinetics = pick(derived["all below the limit"]["kinetics"], analyte="CAR_VCN_UG").set_index("parameter")
    assert kinetics.loc["CMAX", ["status", "reason", "high"]].tolist() == ["not_detected", "ALL_BLQ", 50]
    assert kinetics.loc["EXPANDED", "value"] == 0
    assert kinetics.loc["EXPRATE", "reason"] == "ALL_BLQ"


def test_one_visit__a_peak_and_no_slope(derived: dict[str, Tables]) -> None:
    kinetics = pick(derived["one visit"]["kinetics"], analyte="CAR_VCN_UG").set_index("parameter")
    assert kinetics.loc["CMAX", "value"] == 900
    assert kinetics.loc["LAMZ", "reason"] == "FEW_POINTS"
    assert kinetics.loc["EXPRATE", "reason"] == "PEAK_IS_FIRST"
    assert kinetics.loc["LOSS", "status"] == "not_calculated"


COUNTS = st.integers(500, 200_000).flatmap(lambda n: st.tuples(st.integers(0, min(n, 400)), st.just(n)))


@settings(max_examples=6)
@given(st.lists(COUNTS, min_size=12, max_size=12))
def test_derive_persistence__states_agree_with_their_limits(counts: list[tuple[int, int]]) -> None:
    """A quantified value lies at or above its limit, what is not detected below it or in the blank."""
    trial = Trial().subject().tube("LD", -5, cart(2, 60_000))
    for number, (car, cd3) in enumerate(counts):
        trial.tube("UNS", 10 + number, cart(car, cd3, beads=8_000), **BEADS)
    rows = pick(trial.derive()["persistence"], visit="UNS")
    estimate = 100 * rows["n_events"].astype(float) / rows["n_reference"].astype(float)
    percent = rows[rows["unit"] == "%"]
    for row, value in zip(percent.itertuples(), estimate[percent.index], strict=True):
        assert row.ci_low <= value <= row.ci_high
        assert row.lod <= row.lloq
        if row.status == "quantified":
            assert value >= row.lloq * (1 - 1e-12)
        elif row.status == "detected_blq":
            assert row.lod * (1 - 1e-12) <= value < row.lloq
        else:
            assert value < row.lod or row.p_value >= 0.05
    states = rows.pivot_table(index="collected_at", columns="analyte", values="status", aggfunc="first")
    assert (states["CAR_ABS"] == states["CAR_PCT_CD3"]).all()


def test_derive_tables__units_of_delivery_leave_no_trace() -> None:
    derived = []
    for alc, creatinine in ((("0.9", "10^9/L"), ("88.4", "umol/L")), (("900", "/uL"), ("1.0", "mg/dL"))):
        trial = Trial().subject().tube("D14", 14, cart(900, 60_000))
        trial.draw("labs", "D14", 14, test="ALC", value=alc[0], unit=alc[1])
        trial.draw("labs", "D14", 14, test="CREAT", value=creatinine[0], unit=creatinine[1])
        trial.draw("labs", "D14", 14, test="HEIGHT", value="140", unit="cm")
        derived.append(trial.derive())
    for name in ("populations", "persistence", "kinetics", "measurements", "analysis"):
        pd.testing.assert_frame_equal(derived[0][name], derived[1][name], obj=name)
