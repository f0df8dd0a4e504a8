"""Plates from the delivery to the tables: joined, judged, waiting, rejected; nothing is lost."""

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest

from corelab.export.bundle import parse_bundle
from corelab.store import Home
from pipelines.ingest import IngestReport, ingest
from pipelines.replay import make_bundle, replay_bundle
from pipelines.run import run
from tests.deliveries import SUBJECT, write_delivery
from tests.plate_exports import (
    CONTROLS,
    LEVELS,
    fill_plate,
    layout_rows,
    read_signals,
    standard_rows,
    write_matrix,
    write_xponent,
)

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
PLATE = fill_plate({"S1": 20.0, "S2": 800.0, "S3": 100_000.0, "S4": 0.0})
SIGNALS = {"IL6": read_signals(PLATE, cv=0.02), "IL8": read_signals(PLATE, cv=0.02, seed=2)}
DRAWS = {
    "S1": {"subject_id": "S-1", "visit": "LD", "collected_at": "2025-02-25T08:00", "dilution": "2"},
    "S2": {"subject_id": "S-1", "visit": "D3", "collected_at": "2025-03-06T08:00", "dilution": "2"},
    "S3": {"subject_id": "S-1", "visit": "D7", "collected_at": "2025-03-10T08:00", "dilution": "2"},
    "S4": {"subject_id": "S-1", "visit": "D14", "collected_at": "2025-03-17T08:00", "dilution": "2"},
}
CHILD = SUBJECT | {"lymphodepletion_at": "2025-02-26T09:00"}
Rows = list[dict[str, str]]


@pytest.fixture
def home(make_home: Callable[..., Home]) -> Home:
    return make_home()


def deliver(
    home: Home, folder: Path, *, files: Mapping[str, bytes] | None = None, layout: Rows | None = None,
    standards: Rows | None = None, **tables: Rows,
) -> IngestReport:  # fmt: skip
    given: dict[str, Rows] = dict(tables)
    if layout is not None:
        given["plates/layout"] = layout
    if standards is not None:
        given["plates/standards"] = standards
    write_delivery(folder, tables=given, files=files or {})
    return ingest(home, [folder], at=NOW, actor="test")


def tables_of(home: Home) -> Callable[[str], pd.DataFrame]:
    snapshot = home.snapshots.get(run(home, at=NOW).snapshot_id)
    return snapshot.table


def checks(quality: pd.DataFrame, plate: str = "p1") -> set[str]:
    return set(quality.loc[quality["object"] == plate, "check"])


LAYOUT = layout_rows(PLATE, DRAWS)
STANDARDS = standard_rows(["IL-6", "IL-8"])


def test_plate__becomes_measurements_a_course_and_findings(home: Home, tmp_path: Path) -> None:
    report = deliver(
        home, tmp_path / "d", files={"plates/p1.csv": write_xponent(PLATE, SIGNALS)}, layout=LAYOUT,
        standards=STANDARDS, subjects=[CHILD],
        medications=[{"subject_id": "S-1", "drug": "Tocilizumab", "start": "2025-03-08"}],
    )  # fmt: skip
    assert report.is_clean, report.waiting
    table = tables_of(home)
    (plate,) = table("plates").to_dict("records")
    assert (plate["state"], plate["n_specimens"], plate["n_accepted"]) == ("accepted", 4, 2)
    rows = table("measurements")
    il6 = rows[(rows["name"] == "IL-6") & (rows["metric"] == "concentration")].set_index("visit")
    assert il6.loc["LD", "value"] == pytest.approx(40, rel=0.1)
    assert il6.loc["D3", "value"] == pytest.approx(1600, rel=0.1)
    assert il6.loc["LD", "ci_low"] < il6.loc["LD", "value"] < il6.loc["LD", "ci_high"]
    assert (il6.loc["D7", "status"], il6.loc["D7", "low"]) == ("above_uloq", 2 * LEVELS["STD0"])
    assert il6.loc["D14", "relation"] == "<"
    assert pd.isna(il6.loc["D14", "value"])
    assert il6.loc["D3", "reason"] == ""
    assert "POST_TOCILIZUMAB" in il6.loc["D7", "reason"]
    assert set(il6["unit"]) == {"pg/mL"}
    fold = rows[(rows["name"] == "IL-6") & (rows["metric"] == "fold_change") & (rows["visit"] == "D3")]
    assert fold["value"].iloc[0] == pytest.approx(40, rel=0.15)
    kinetics = table("kinetics")
    base = kinetics[(kinetics["analyte"] == "IL-6") & (kinetics["parameter"] == "BASE")]
    assert base["value"].iloc[0] == pytest.approx(40, rel=0.1)
    assert "il_6_pg_ml" in table("analysis").columns
    wells = table("plate_wells")
    assert len(wells) == 2 * len(PLATE)
    assert set(wells["role"]) == {"standard", "qc", "blank", "unknown"}
    assert set(table("plate_controls")["level"]) == set(CONTROLS)
    assert len(table("plate_curve_points")) == 2 * 41


def test_plate__is_kept_without_people_and_found_again(home: Home, tmp_path: Path) -> None:
    data = write_xponent(PLATE, SIGNALS)
    deliver(home, tmp_path / "d", files={"plates/p1.csv": data}, subjects=[CHILD])
    for object_id in home.registry.object_ids():
        kept = home.objects.read(object_id)
        assert not any(word in kept for word in (b"Invented", b"LAB-PC", b"iperson", b"C:\\"))
    again = ingest(home, [tmp_path / "d"], at=NOW, actor="test")
    assert again.counts["files_new"] == 0


def test_plate__waits_for_its_layout(home: Home, tmp_path: Path) -> None:
    deliver(
        home, tmp_path / "a", files={"plates/p1.csv": write_matrix(PLATE, SIGNALS["IL6"])}, subjects=[CHILD]
    )
    table = tables_of(home)
    assert table("plates")["state"].tolist() == ["parsed"]
    assert {"PLATE_WAITS", "LAYOUT_MISSING"} <= checks(table("quality"))
    assert table("measurements").empty
    deliver(home, tmp_path / "b", layout=LAYOUT, standards=standard_rows(["IL-6"]))
    table = tables_of(home)
    assert table("plates")["state"].tolist() == ["accepted"]
    assert (table("measurements")["metric"] == "concentration").sum() == 4


def test_plate__whose_controls_fail_keeps_its_numbers_and_enters_nothing(home: Home, tmp_path: Path) -> None:
    wrong = standard_rows(["IL-6", "IL-8"], levels=LEVELS | {"QC1": 24.0, "QC2": 180.0, "QC3": 1500.0})
    deliver(
        home, tmp_path / "d", files={"plates/p1.csv": write_xponent(PLATE, SIGNALS)}, layout=LAYOUT,
        standards=wrong, subjects=[CHILD],
    )  # fmt: skip
    table = tables_of(home)
    assert table("plates")["state"].tolist() == ["rejected"]
    rows = table("measurements")
    assert set(rows["status"]) == {"failed"}
    assert rows["reason"].str.startswith("RUN_REJECTED QC: none of 2 at 24").all()
    assert rows.loc[rows["visit"] == "D3", "value"].gt(1000).all()
    assert set(rows["metric"]) == {"concentration"}
    assert table("kinetics").empty
    assert "RUN_REJECTED" in checks(table("quality"))


def test_plate__holes_unknown_subjects_and_few_beads_are_named_and_the_rest_goes_on(
    home: Home, tmp_path: Path
) -> None:
    draws = DRAWS | {"S2": DRAWS["S2"] | {"subject_id": "S-9"}}
    layout = [row for row in layout_rows(PLATE, draws) if row["name"] != "S4"]
    first = next(well for well, one in PLATE.items() if one.name == "S1")
    report = deliver(
        home, tmp_path / "d", layout=layout, standards=STANDARDS, subjects=[CHILD],
        files={
            "plates/p1.csv": write_xponent(PLATE, SIGNALS, beads={first: 12}),
            "plates/p2.csv": write_xponent(PLATE, SIGNALS, trailer=False),
        },
    )  # fmt: skip
    assert sum("subject 'S-9' is unknown" in line for line in report.waiting) == 2
    assert any(line.startswith("plates/p2.csv: the file ends early") for line in report.waiting)
    table = tables_of(home)
    assert {"LAYOUT_HOLE", "LOW_BEAD"} <= checks(table("quality"))
    rows = table("measurements")
    assert set(rows.loc[rows["metric"] == "concentration", "visit"]) == {"LD", "D7"}
    wells = table("plate_wells")
    assert set(wells.loc[wells["well"] == first, "flags"]) == {"LOW_BEAD"}
    assert set(wells.loc[wells["role"] == "unstated", "name"]) == {"S2", "S4"}
    deliver(home, tmp_path / "e", subjects=[CHILD | {"subject_id": "S-9"}])
    rows = tables_of(home)("measurements")
    assert "S-9" in set(rows["subject_id"])


def test_plate__without_a_unit_anywhere_says_so(home: Home, tmp_path: Path) -> None:
    """An export with expected concentrations needs no table of standards, and then names no unit."""
    columns = "Plate,Sample,Assay,Well,Spot,Dilution,Concentration,Signal,Calc. Concentration,Detection Range"
    lines = [columns]
    for row, level in zip("ABCDEFGH", range(8), strict=True):
        amount = 10_000 / 4**level
        lines += [f"P1,S00{level},IL-10,{row}{column},1,1,{amount},{20 + 3 * amount},," for column in (1, 2)]
    deliver(home, tmp_path / "d", files={"plates/msd.csv": "\n".join(lines).encode()}, subjects=[CHILD])
    quality = tables_of(home)("quality")
    assert list(quality.loc[quality["check"] == "UNIT_MISSING", "reason"]) == ["IL-10: no unit is known"]


def test_plate__run_again_reports_the_first_accepted_run_and_keeps_both(home: Home, tmp_path: Path) -> None:
    again = {"IL6": read_signals(PLATE, cv=0.02, seed=9), "IL8": read_signals(PLATE, cv=0.02, seed=10)}
    deliver(
        home, tmp_path / "d", subjects=[CHILD],
        files={
            "plates/p1.csv": write_xponent(PLATE, SIGNALS, batch="one"),
            "plates/p2.csv": write_xponent(PLATE, again, batch="two"),
        },
        layout=[*LAYOUT, *layout_rows(PLATE, DRAWS, name="two")],
        standards=[*STANDARDS, *standard_rows(["IL-6", "IL-8"], name="p2")],
    )  # fmt: skip
    table = tables_of(home)
    rows = table("measurements")
    il6 = rows[(rows["name"] == "IL-6") & (rows["metric"] == "concentration") & (rows["visit"] == "LD")]
    assert il6.set_index("source_id")["reason"].to_dict() == {"plates/p1.csv": "", "plates/p2.csv": "REASSAY"}
    analysed = table("analysis").set_index("visit").loc["LD", "il_6_pg_ml"]
    assert analysed == il6.set_index("source_id").loc["plates/p1.csv", "value"]
    assert "BATCH_MIXED" in checks(table("quality"))


def test_plate__another_platform_is_another_series(home: Home, tmp_path: Path) -> None:
    deliver(
        home, tmp_path / "d", files={"plates/p1.csv": write_xponent(PLATE, SIGNALS)}, layout=LAYOUT,
        standards=STANDARDS, subjects=[CHILD],
        cytokines=[
            {
                "subject_id": "S-1", "visit": "D3", "collected_at": "2025-03-06T08:00", "analyte": "IL-6",
                "value": "1400", "unit": "pg/mL", "platform": "MSD",
            }
        ],
    )  # fmt: skip
    names = set(tables_of(home)("measurements")["name"])
    assert {"IL-6 (Luminex)", "IL-6 (MSD)", "IL-8"} <= names


def test_plate__without_a_time_of_draw_takes_the_visits_only_one(home: Home, tmp_path: Path) -> None:
    draws = {name: {**row, "collected_at": ""} for name, row in DRAWS.items()}
    lab = {
        "subject_id": "S-1", "visit": "D3", "collected_at": "2025-03-06T07:30", "test": "ALC", "value": "1",
        "unit": "10^9/L",
    }  # fmt: skip
    deliver(
        home, tmp_path / "d", files={"plates/p1.csv": write_xponent(PLATE, SIGNALS)}, subjects=[CHILD],
        layout=layout_rows(PLATE, draws), standards=STANDARDS, labs=[lab],
    )  # fmt: skip
    table = tables_of(home)
    rows = table("measurements")
    times = rows[rows["metric"] == "concentration"].set_index("visit")["collected_at"].to_dict()
    assert times["D3"] == "2025-03-06T07:30:00+08:00"
    assert times["D7"] == ""
    assert "DRAW_TIME" in checks(table("quality"))


def test_plate__replays_from_a_bundle(home: Home, tmp_path: Path) -> None:
    deliver(
        home, tmp_path / "d", files={"plates/p1.csv": write_xponent(PLATE, SIGNALS)}, layout=LAYOUT,
        standards=STANDARDS, subjects=[CHILD],
    )  # fmt: skip
    snapshot = home.snapshots.get(run(home, at=NOW).snapshot_id)
    names = ["plates", "plate_curves", "plate_wells", "measurements"]
    report = replay_bundle(parse_bundle(make_bundle(home, snapshot, names), name="b.zip"))
    assert not report.findings
    assert report.same["plate_wells"] == 2 * len(PLATE)


def test_plate__serum_and_plasma_of_one_draw_are_two_results(home: Home, tmp_path: Path) -> None:
    draws = {"S1": DRAWS["S2"] | {"matrix": "serum"}, "S2": DRAWS["S2"] | {"matrix": "Plasma"}}
    deliver(
        home, tmp_path / "d", files={"plates/p1.csv": write_xponent(PLATE, SIGNALS)},
        layout=layout_rows(PLATE, draws), standards=STANDARDS, subjects=[CHILD],
    )  # fmt: skip
    rows = tables_of(home)("measurements")
    values = rows[rows["metric"] == "concentration"].set_index("name")["value"]
    assert values["IL-6 (serum)"] == pytest.approx(40, rel=0.1)
    assert values["IL-6 (plasma)"] == pytest.approx(1600, rel=0.1)
