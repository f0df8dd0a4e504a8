"""Ingest: what is admitted, what waits with its reason, and that nothing is lost or done twice."""

import datetime as dt
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from corelab.errors import InputError
from corelab.ingest.fcs import read_fcs
from corelab.store import Home
from corelab.store.objects import compute_sha256
from pipelines.ingest import IngestReport, ingest
from tests.deliveries import LAB, PLANTED, SUBJECT, TUBE, make_fcs, write_delivery

NOW = dt.datetime(2025, 4, 1, 9, 0, tzinfo=dt.UTC)


def take(home: Home, *paths: Path, accept: str = "") -> IngestReport:
    return ingest(home, paths, at=NOW, actor="test", accept_reason=accept)


def waiting(home: Home) -> dict[str, str]:
    return {row["path"]: row["reason"] for row in home.registry.quarantine_rows()}


def test_ingest__admits_a_clean_delivery(home: Home, tmp_path: Path) -> None:
    report = take(home, write_delivery(tmp_path / "d"))
    assert report.is_clean
    inputs = home.registry.inputs()
    assert list(inputs.subjects["subject_id"]) == ["S-1"]
    assert inputs.subjects["infusion_at"][0] == "2025-03-03T10:00:00+08:00"
    assert list(inputs.labs[["test", "value", "source_id"]].loc[0]) == ["ALC", "1.35", "labs.csv:2"]
    tube = inputs.acquisitions.loc[0]
    assert tube["file_id"] == compute_sha256(make_fcs())
    assert home.objects.exists(tube["object_id"])


@pytest.mark.parametrize(("stated", "volume"), [("60000", 60.0), ("", None), ("0", None), ("many", None)])
def test_ingest__keeps_the_volume_that_a_file_states(
    home: Home, tmp_path: Path, stated: str, volume: float | None
) -> None:
    data = make_fcs(keywords={"$VOL": stated} if stated else {})
    tables = {"subjects": [SUBJECT], "manifest": [TUBE]}
    take(home, write_delivery(tmp_path / "d", tables=tables, files={"fcs/a.fcs": data}))
    kept = home.registry.inputs().acquisitions["acquired_volume_ul"][0]
    assert math.isnan(kept) if volume is None else kept == volume


def test_ingest__twice_changes_nothing(home: Home, tmp_path: Path) -> None:
    delivery = write_delivery(tmp_path / "d")
    take(home, delivery)
    before, trail = home.registry.content_hash(), len(home.registry.audit.rows())
    report = take(home, delivery)
    assert report.is_clean
    assert report.counts["files_new"] == 0
    assert home.registry.content_hash() == before
    assert len(home.registry.audit.rows()) == trail


def test_ingest__stores_no_planted_name_and_the_same_events(home: Home, tmp_path: Path) -> None:
    take(home, write_delivery(tmp_path / "d"))
    tube = home.registry.inputs().acquisitions.loc[0]
    stored = home.objects.read(tube["object_id"])
    assert (read_fcs(stored, name="s").events == read_fcs(make_fcs(), name="d").events).all()
    kept = b"".join(path.read_bytes() for path in home.path.rglob("*") if path.is_file())
    for keyword, value in PLANTED.items():
        if keyword != "$BTIM":  # the time of acquisition is kept in the registry: it tells a sample's age
            assert value.encode() not in kept, keyword


@pytest.mark.parametrize(
    ("table", "row", "found"),
    [
        ("labs", LAB | {"unit": "stones"}, "unit 'stones' is unknown"),
        ("labs", LAB | {"subject_id": "S-9"}, "subject 'S-9' is unknown"),
        ("labs", LAB | {"collected_at": "2025-02-30"}, "collected_at"),
        ("labs", LAB | {"visit": "D15"}, "visit"),
        ("labs", LAB | {"value": "1,35"}, "comma"),
        ("labs", LAB | {"test": ""}, "test is empty"),
        ("manifest", TUBE | {"panel": "nk"}, "panel 'nk' is unknown"),
        ("manifest", TUBE | {"subject_id": "S-9"}, "subject 'S-9' is unknown"),
        ("manifest", TUBE | {"tube": "second"}, "tube 'second' is unknown"),
        ("manifest", TUBE | {"file": "fcs/absent.fcs"}, "was not delivered"),
        ("manifest", TUBE | {"subject_id": ""}, "subject_id is empty"),
        ("subjects", SUBJECT | {"subject_id": "S/2"}, "subject_id"),
        ("subjects", SUBJECT | {"subject_id": "S-2", "sex": "girl"}, "sex"),
        ("subjects", {"subject_id": "S-2"}, "neither age nor birth date"),
    ],
)
def test_ingest__holds_a_bad_row_and_admits_the_rest(
    home: Home, tmp_path: Path, table: str, row: dict[str, str], found: str
) -> None:
    tables = {"subjects": [SUBJECT], "manifest": [TUBE], "labs": [LAB]}
    files = {"fcs/a.fcs": make_fcs(), "fcs/b.fcs": make_fcs(2)}
    tables["manifest"].append(TUBE | {"file": "fcs/b.fcs", "tube": "fmo_car"})
    bad = {**row}
    good = {name: list(rows) for name, rows in tables.items()}
    good[table].append(bad)
    report = take(home, write_delivery(tmp_path / "d", tables=good, files=files))
    place = f"{table}.csv:{len(good[table]) + 1}"
    assert found in waiting(home)[place]
    assert any(line.startswith(f"{place}: ") for line in report.waiting)
    inputs = home.registry.inputs()
    assert (len(inputs.subjects), len(inputs.acquisitions), len(inputs.labs)) == (1, 2, 1)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"this is not a cytometry file", "begins with"),
        (b"", "no FCS header"),
        (make_fcs()[:-100], "cut short"),
        (make_fcs()[:200], "cut short"),
    ],
)
def test_ingest__holds_an_unreadable_fcs_file(home: Home, tmp_path: Path, data: bytes, found: str) -> None:
    rows = [TUBE, TUBE | {"file": "fcs/bad.fcs", "tube": "fmo_car"}]
    delivery = write_delivery(
        tmp_path / "d", tables={"subjects": [SUBJECT], "manifest": rows},
        files={"fcs/a.fcs": make_fcs(), "fcs/bad.fcs": data},
    )  # fmt: skip
    for _ in range(2):  # named each time it is delivered
        report = take(home, delivery)
        assert [line.split(":")[0] for line in report.waiting] == ["fcs/bad.fcs"]
        assert found in waiting(home)["fcs/bad.fcs"]
    assert len(home.registry.inputs().acquisitions) == 1


def test_ingest__takes_a_file_that_is_delivered_whole_the_second_time(home: Home, tmp_path: Path) -> None:
    take(home, write_delivery(tmp_path / "d1", files={"fcs/a.fcs": make_fcs()[:-9]}, tables=TABLES))
    assert list(waiting(home)) == ["fcs/a.fcs"]
    take(home, write_delivery(tmp_path / "d2", files={"fcs/a.fcs": make_fcs()}, tables={}))
    assert waiting(home) == {}
    assert len(home.registry.inputs().acquisitions) == 1


TABLES = {"subjects": [SUBJECT], "manifest": [TUBE]}


def test_ingest__holds_a_file_that_no_manifest_names_until_one_does(home: Home, tmp_path: Path) -> None:
    report = take(
        home, write_delivery(tmp_path / "d1", tables={"subjects": [SUBJECT]}, files={"a.fcs": make_fcs()})
    )
    assert not report.is_clean
    assert "no manifest names this file" in waiting(home)["a.fcs"]
    assert take(home, write_delivery(tmp_path / "d2", tables={"manifest": [TUBE]}, files={})).is_clean
    assert waiting(home) == {}
    assert home.registry.inputs().acquisitions["tube"][0] == "full"


def test_ingest__keeps_a_manifest_row_until_its_file_arrives(home: Home, tmp_path: Path) -> None:
    take(home, write_delivery(tmp_path / "d1", tables=TABLES, files={}))
    assert "was not delivered" in waiting(home)["manifest.csv:2"]
    take(home, write_delivery(tmp_path / "d2", tables={}, files={"fcs/a.fcs": make_fcs()}))
    assert waiting(home) == {}
    assert len(home.registry.inputs().acquisitions) == 1


def test_ingest__tells_files_of_one_name_in_two_deliveries_apart(home: Home, tmp_path: Path) -> None:
    take(home, write_delivery(tmp_path / "d1", tables=TABLES, files={"fcs/a.fcs": make_fcs(1)}))
    later = [TUBE | {"visit": "D28", "collected_at": "2025-03-31T08:00"}]
    report = take(
        home, write_delivery(tmp_path / "d2", tables={"manifest": later}, files={"fcs/a.fcs": make_fcs(2)})
    )
    assert report.is_clean
    assert sorted(home.registry.inputs().acquisitions["visit"]) == ["D14", "D28"]


def test_ingest__asks_for_the_path_where_two_files_share_a_name(home: Home, tmp_path: Path) -> None:
    delivery = write_delivery(
        tmp_path / "d", tables={"subjects": [SUBJECT], "manifest": [TUBE | {"file": "a.fcs"}]},
        files={"one/a.fcs": make_fcs(1), "two/a.fcs": make_fcs(2)},
    )  # fmt: skip
    take(home, delivery)
    assert "names 2 files" in waiting(home)["manifest.csv:2"]
    assert home.registry.inputs().acquisitions.empty


def test_ingest__resolves_rows_when_their_subject_arrives(home: Home, tmp_path: Path) -> None:
    take(home, write_delivery(tmp_path / "d1", tables={"labs": [LAB]}))
    assert "unknown" in waiting(home)["labs.csv:2"]
    report = take(home, write_delivery(tmp_path / "d2", tables={"subjects": [SUBJECT]}))
    assert report.is_clean
    assert waiting(home) == {}
    assert len(home.registry.inputs().labs) == 1


def test_ingest__fills_an_empty_field(home: Home, tmp_path: Path) -> None:
    take(home, write_delivery(tmp_path / "d1", tables={"subjects": [{**SUBJECT, "arm": ""}]}))
    report = take(home, write_delivery(tmp_path / "d2", tables={"subjects": [{**SUBJECT, "arm": "low"}]}))
    assert report.is_clean
    assert home.registry.inputs().subjects["arm"][0] == "low"
    assert home.registry.status()["states"]["superseded"] == 1


def test_ingest__holds_a_correction_until_it_has_a_reason(home: Home, tmp_path: Path) -> None:
    take(home, write_delivery(tmp_path / "d1", tables={"subjects": [SUBJECT], "labs": [LAB]}))
    changed = write_delivery(tmp_path / "d2", tables={"labs": [LAB | {"value": "2.5"}]})
    for _ in range(2):
        report = take(home, changed)
        assert "value '1.35' would become '2.5'" in report.corrections[0]
        assert home.registry.inputs().labs["value"][0] == "1.35"
    assert len(home.registry.corrections()) == 1
    assert take(home, changed, accept="transcription error").is_clean
    assert home.registry.inputs().labs["value"][0] == "2.5"
    assert home.registry.corrections().empty
    entry = home.registry.audit.rows().query("action == 'correct'").iloc[0]
    assert entry["reason"] == "transcription error"
    assert ('"value": "1.35"' in entry["old"], '"value": "2.5"' in entry["new"]) == (True, True)


def test_ingest__accepts_a_correction_at_once_with_a_reason(home: Home, tmp_path: Path) -> None:
    take(home, write_delivery(tmp_path / "d1", tables={"subjects": [SUBJECT], "labs": [LAB]}))
    changed = write_delivery(tmp_path / "d2", tables={"labs": [LAB | {"value": "2.5"}]})
    assert take(home, changed, accept="analyser recalibrated").is_clean
    assert home.registry.inputs().labs["value"][0] == "2.5"
    assert take(
        home, write_delivery(tmp_path / "d3", tables={"labs": [LAB | {"value": "2.5", "ref_low": "1"}]})
    ).is_clean


def test_ingest__moves_a_tube_to_another_child_only_with_a_reason(home: Home, tmp_path: Path) -> None:
    two = [SUBJECT, SUBJECT | {"subject_id": "S-2"}]
    take(
        home,
        write_delivery(
            tmp_path / "d1", tables={"subjects": two, "manifest": [TUBE]}, files={"fcs/a.fcs": make_fcs()}
        ),
    )
    moved = write_delivery(tmp_path / "d2", tables={"manifest": [TUBE | {"subject_id": "S-2"}]})
    assert not take(home, moved).is_clean
    before = home.registry.subject_hashes()
    assert take(home, moved, accept="tube was mislabelled").is_clean
    after = home.registry.subject_hashes()
    assert list(home.registry.inputs().acquisitions["subject_id"]) == ["S-2"]
    assert all(before[subject] != after[subject] for subject in ("S-1", "S-2"))


def test_ingest__counts_two_platforms_and_two_draws_as_different_rows(home: Home, tmp_path: Path) -> None:
    cytokine = {
        "subject_id": "S-1", "visit": "D7", "collected_at": "2025-03-10T08:00", "analyte": "IL-6",
        "value": "<2.4", "unit": "pg/mL", "platform": "A",
    }  # fmt: skip
    rows = [
        cytokine,
        cytokine | {"platform": "B"},
        cytokine | {"visit": "UNS", "collected_at": "2025-03-11T08:00"},
        cytokine | {"visit": "UNS", "collected_at": "2025-03-12T08:00"},
    ]
    assert take(
        home, write_delivery(tmp_path / "d", tables={"subjects": [SUBJECT], "cytokines": rows})
    ).is_clean
    assert len(home.registry.inputs().cytokines) == 4


def test_ingest__knows_one_measurement_in_two_spellings(home: Home, tmp_path: Path) -> None:
    first = LAB | {"test": "HGB", "value": "110", "unit": "g/L", "collected_at": "2025-03-17T08:30"}
    second = first | {"test": "Hb", "value": "110.0", "collected_at": "2025-03-17T00:30:00Z"}
    report = take(
        home,
        write_delivery(
            tmp_path / "d", tables={"subjects": [SUBJECT], "labs": [first, second | {"unit": "g/L"}]}
        ),
    )
    assert len(home.registry.inputs().labs) == 1
    assert report.counts["rows_known"] == 1 or report.corrections


def test_ingest__lists_what_it_does_not_read(home: Home, tmp_path: Path) -> None:
    delivery = write_delivery(
        tmp_path / "d",
        files={"fcs/a.fcs": make_fcs(), "notes.docx": b"x", "a.spill": b"x"},
        tables=TABLES | {"labs": [LAB | {"test": "Troponin"}]},
    )  # fmt: skip
    (delivery / "truth").mkdir()
    (delivery / "truth" / "labs.csv").write_text("not,a,table")
    report = take(home, delivery)
    assert report.is_clean
    assert "notes.docx: not a file of a delivery; left alone" in report.remarks
    assert "a.spill: not a file of a delivery; left alone" in report.remarks
    assert any("Troponin" in remark for remark in report.remarks)
    assert not any("truth" in remark for remark in report.remarks)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("subject_id,visit,collected_at,test,value\nS-1,D14,2025-03-17,ALC,1\n", "no column unit"),
        ("", "empty"),
        ("subject_id,visit,visit,collected_at,test,value,unit\n", "stands twice"),
        ('subject_id,visit,collected_at,test,value,unit\nS-1,"D14', "not readable as CSV"),
    ],
)
def test_ingest__holds_a_table_that_cannot_be_read(home: Home, tmp_path: Path, text: str, found: str) -> None:
    delivery = write_delivery(
        tmp_path / "d", tables={"subjects": [SUBJECT]}, files={"labs.csv": text.encode()}
    )
    report = take(home, delivery)
    assert found in waiting(home)["labs.csv"]
    assert not report.is_clean
    assert len(home.registry.inputs().subjects) == 1


def test_ingest__refuses_a_path_that_is_not_there_before_it_changes_anything(
    home: Home, tmp_path: Path
) -> None:
    delivery = write_delivery(tmp_path / "d")
    with pytest.raises(InputError, match="no such file or folder"):
        take(home, delivery, tmp_path / "absent")
    assert home.registry.status()["states"]["files"] == 0


def test_ingest__takes_single_files_together(home: Home, tmp_path: Path) -> None:
    delivery = write_delivery(tmp_path / "d")
    paths = [
        delivery / "labs.csv",
        delivery / "fcs" / "a.fcs",
        delivery / "manifest.csv",
        delivery / "subjects.csv",
    ]
    assert take(home, *paths).is_clean
    assert len(home.registry.inputs().acquisitions) == 1


def make_parts(folder: Path) -> list[Path]:
    """A trial in parts that can arrive in any order, with bad rows and a file without an owner."""
    subjects = [SUBJECT, {"subject_id": "S-2", "age_years": "9"}]
    tubes = [TUBE, TUBE | {"file": "fcs/b.fcs", "subject_id": "S-2"}, TUBE | {"file": "fcs/none.fcs"}]
    labs = [
        LAB,
        LAB | {"subject_id": "S-2"},
        LAB | {"subject_id": "S-9"},
        LAB | {"test": "PLT", "unit": "lb"},
    ]
    again = [LAB, LAB | {"ref_low": "1.1"}]
    return [
        write_delivery(folder / "p1", tables={"subjects": subjects}),
        write_delivery(folder / "p2", tables={"manifest": tubes}),
        write_delivery(folder / "p3", tables={"labs": labs}),
        write_delivery(folder / "p4", tables={"labs": again}),
        write_delivery(folder / "p5", tables={}, files={"fcs/a.fcs": make_fcs(1)}),
        write_delivery(folder / "p6", tables={}, files={"fcs/b.fcs": make_fcs(2), "fcs/c.fcs": make_fcs(3)}),
        write_delivery(
            folder / "p7", tables={"subjects": [{"subject_id": "S-1", "age_years": "12", "arm": "low"}]}
        ),
    ]


def test_ingest__gives_one_registry_whatever_the_order_of_arrival(
    make_home: Callable[..., Home], tmp_path: Path
) -> None:
    parts = make_parts(tmp_path)
    seen = set()
    for seed in range(8):
        order = random.Random(seed).sample(parts, len(parts))
        home = make_home(f"home{seed}")
        for part in order:
            take(home, part)
        seen.add((home.registry.content_hash(), str(home.registry.subject_hashes())))
    together = make_home("together")
    take(together, *parts)
    seen.add((together.registry.content_hash(), str(together.registry.subject_hashes())))
    assert len(seen) == 1


def test_ingest__survives_a_lost_cache(home: Home, tmp_path: Path) -> None:
    shutil.rmtree(home.path / "cache")
    assert take(home, write_delivery(tmp_path / "d")).is_clean
