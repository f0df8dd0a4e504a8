"""Ingest: in whatever form a delivery comes, workbook, coding, odd name or link, it is read alike."""

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path

from corelab.store import Home
from pipelines.ingest import IngestReport, ingest
from tests.deliveries import LAB, SUBJECT, make_fcs, write_delivery, write_table

NOW = dt.datetime(2025, 4, 1, 9, 0, tzinfo=dt.UTC)


def take(home: Home, *paths: Path, accept: str = "") -> IngestReport:
    return ingest(home, paths, at=NOW, actor="test", accept_reason=accept)


def waiting(home: Home) -> dict[str, str]:
    return {row["path"]: row["reason"] for row in home.registry.quarantine_rows()}


def test_ingest__reads_a_workbook_like_the_table(make_home: Callable[..., Home], tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(list(LAB))
    moment = dt.datetime(2025, 3, 17, 8, 30)
    sheet.append(
        [
            moment if name == "collected_at" else 1.35 if name == "value" else text
            for name, text in LAB.items()
        ]
    )
    first, second = make_home("csv"), make_home("xlsx")
    take(first, write_delivery(tmp_path / "d1", tables={"subjects": [SUBJECT], "labs": [LAB]}))
    folder = write_delivery(tmp_path / "d2", tables={"subjects": [SUBJECT]})
    book.save(folder / "labs.xlsx")
    assert take(second, folder).is_clean
    columns = ["subject_id", "visit", "collected_at", "test", "value", "unit"]
    assert first.registry.inputs().labs[columns].equals(second.registry.inputs().labs[columns])


def test_ingest__reads_gb18030_and_says_so(home: Home, tmp_path: Path) -> None:
    path = write_table(tmp_path / "d" / "labs.csv", [LAB | {"unit": "10^9/L", "test": "淋巴细胞"}])
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    write_table(tmp_path / "d" / "subjects.csv", [SUBJECT])
    report = take(home, tmp_path / "d")
    assert report.is_clean
    assert any("GB18030" in remark for remark in report.remarks)
    assert home.registry.inputs().labs["test"][0] == "淋巴细胞"


def test_ingest__takes_file_names_that_are_no_utf8(home: Home, tmp_path: Path) -> None:
    delivery = write_delivery(tmp_path / "d")
    name = os.fsdecode(str(delivery).encode() + b"/fcs/caf\xe9.fcs")
    Path(name).write_bytes(make_fcs(5))
    report = take(home, delivery)
    assert [line.split(":")[0] for line in report.waiting] == ["fcs/caf\ufffd.fcs"]


def test_ingest__follows_no_link_out_of_the_delivery(home: Home, tmp_path: Path) -> None:
    delivery = write_delivery(tmp_path / "d")
    write_table(tmp_path / "private" / "labs.csv", [LAB | {"test": "PLT"}])
    (delivery / "more").symlink_to(tmp_path / "private")
    (delivery / "qpcr.csv").symlink_to(tmp_path / "private" / "labs.csv")
    assert take(home, delivery).is_clean
    assert list(home.registry.inputs().labs["test"]) == ["ALC"]


def test_ingest__spells_tests_and_analytes_as_the_contract_does(home: Home, tmp_path: Path) -> None:
    rows = [
        LAB | {"test": "Lymphocytes"},
        LAB | {"test": "creatinine", "unit": "umol/L"},
        LAB | {"test": "Novel X"},
    ]
    report = take(home, write_delivery(tmp_path / "d", tables={"subjects": [SUBJECT], "labs": rows}))
    assert sorted(home.registry.inputs().labs["test"]) == ["ALC", "CREAT", "Novel X"]
    assert [remark for remark in report.remarks if "Novel X" in remark]
