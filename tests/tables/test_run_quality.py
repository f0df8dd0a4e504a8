"""What a tube shows only beside others: age of the sample, beads and controls of its run."""

import pytest

from tests.tables.trial import Trial, at, bcell, cart, one, pick


def run_control(trial: Trial, day: int, t_cells: int, **changes: str) -> None:
    counts = {"lymphocytes": ("time_ok", 10_000, 12_000), "t_cells": ("lymphocytes", t_cells, 10_000)}
    batch = f"R{day}"
    trial.tube(
        "", day, counts, subject_id="", file_id=f"control-{day}", tube="run_control", batch=batch, **changes
    )


@pytest.mark.parametrize(
    ("last", "level", "rule"),
    [(7000, None, ""), (7250, "warn", "1-2s"), (6300, "fail", "1-3s")],
)
def test_run_control__rejects_its_run_by_westgard_rules(last: int, level: str | None, rule: str) -> None:
    trial = Trial().subject()
    for day in range(12):
        run_control(trial, day, 7000 + (100 if day % 2 else -100))
    run_control(trial, 14, last)
    trial.tube("D14", 14, cart(900, 60_000), batch="R14", file_id="sample")
    trial.tube("D14", 14, bcell(900), panel="bcell", batch="R14", file_id="other-panel")
    tables = trial.derive()
    found = pick(tables["quality"], check="RUN_CONTROL", object="sample")
    assert list(found["level"]) == ([level] if level else [])
    assert pick(tables["quality"], check="RUN_CONTROL", object="other-panel").empty
    row = one(tables["persistence"], analyte="CAR_PCT_CD3", visit="D14")
    assert row["status"] == ("failed" if level == "fail" else "quantified")
    assert row["n_events"] == 900
    if level:
        assert found["reason"].iloc[0].startswith(rule)
    if level == "fail":
        assert "RUN_CONTROL" in row["reason"]
        assert one(tables["populations"], file_id="sample", population="car_t")["count"] == 900


def test_run_control__with_few_runs_behind_it_warns_only() -> None:
    trial = Trial().subject()
    for day in range(6):
        run_control(trial, day, 7000 + (100 if day % 2 else -100))
    run_control(trial, 7, 3000)
    trial.tube("D7", 7, cart(900, 60_000), batch="R7", file_id="sample")
    found = one(trial.derive()["quality"], check="RUN_CONTROL", object="sample")
    assert (found["level"], "provisional, 6 runs behind" in found["reason"]) == ("warn", True)


def test_run_control__follows_car_t_cells_where_the_control_holds_some() -> None:
    """One that loses its CAR-T cells rejects the run; the background of one without any says nothing."""
    trial = Trial().subject()
    for lot, usual, last in (("A", 700, 0), ("B", 700, 710), ("C", 8, 40)):
        for day, n_car in [*((day, usual + day % 2) for day in range(12)), (14, last)]:
            trial.tube(
                "", day, cart(n_car, 7_000), subject_id="", file_id=f"control-{lot}{day}", tube="run_control",
                batch=f"{lot}{day}", lot=lot,
            )  # fmt: skip
            if not n_car:
                trial.gates["counts"][-1]["status"] = "not_detected"
        trial.tube("D14", 14, cart(900, 60_000), batch=f"{lot}14", file_id=f"sample-{lot}")
    found = pick(trial.derive()["quality"], check="RUN_CONTROL")
    assert dict(zip(found["object"], found["level"], strict=True)) == {
        "control-A14": "fail",
        "sample-A": "fail",
    }


def test_run_control__another_lot_is_another_series() -> None:
    trial = Trial().subject()
    for day in range(12):
        run_control(trial, day, 7000 + (100 if day % 2 else -100), lot="A")
    run_control(trial, 14, 4000, lot="B")
    assert pick(trial.derive()["quality"], check="RUN_CONTROL").empty


def test_sample_age__by_panel() -> None:
    cases = [
        (5, "cart", None), (25, "cart", "warn"), (50, "cart", "fail"), (25, "bcell", None),
        (50, "bcell", "fail"), (-3, "cart", "warn"),
    ]  # fmt: skip
    trial = Trial()
    for hours, panel, _ in cases:
        counts = cart(900, 60_000) if panel == "cart" else bcell(900)
        # The instrument's clock has no zone: it is the study's.
        acquired = at(7 + hours / 24)[:19]
        name = f"{panel}{hours}"
        trial.subject(name).tube(
            "D7", 7, counts, panel=panel, subject_id=name, file_id=name, acquired_at=acquired
        )
    found = pick(trial.derive()["quality"], check="SAMPLE_AGE").set_index("object")
    assert found["level"].to_dict() == {f"{panel}{hours}": level for hours, panel, level in cases if level}
    for name, hours in (("cart25", 25), ("cart50", 50), ("bcell50", 50)):
        assert found.loc[name, "value"] == pytest.approx(hours, abs=1e-3)


def test_sample_age__a_date_without_a_time_counts_from_the_end_of_its_day() -> None:
    trial = Trial().subject()
    trial.tube("D7", 7, cart(900, 60_000), collected_at=at(7, hour=0), acquired_at=at(8, hour=20)[:19])
    assert pick(trial.derive()["quality"], check="SAMPLE_AGE").empty


def test_beads__are_held_against_the_median_of_their_run() -> None:
    trial = Trial()
    for name, beads in (("A", 5000), ("B", 5100), ("C", 4900), ("D", 3000)):
        trial.subject(name)
        trial.tube("D7", 7, cart(900, 60_000, beads=beads), subject_id=name, batch="R1", file_id=name)
    found = one(trial.derive()["quality"], check="BEADS")
    assert (found["object"], found["level"], found["limit"]) == ("D", "warn", 0.8)
    assert found["value"] == pytest.approx(3000 / 4950, abs=1e-6)
