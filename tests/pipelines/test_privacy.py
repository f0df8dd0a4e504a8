"""No planted name, number or date of a person is in any byte that is stored, exported, backed up or told."""

import base64
import datetime as dt
import gzip
import io
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import openpyxl
import pandas as pd
import pytest
import typst

from corelab.ingest.fcs_segments import parse_fcs_segments
from corelab.store import Home
from corelab.store.acquisitions import list_acquisitions
from corelab.store.backup import restore_backup, write_backup
from corelab.store.objects import compute_sha256
from pipelines.cli import main
from pipelines.runner import work_off
from tests.deliveries import LAB, SUBJECT, TUBE, make_fcs, write_delivery
from tests.traces import find_traces

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
PERSON = "Invented Childname"
PLANTED = {
    "$SRC": PERSON, "PATIENT ID": "HN-20250317", "$DATE": "17-MAR-2025", "$OP": "Operator Imagined",
    "EXPERIMENT NAME": f"{PERSON} ward 7", "$FIL": f"{PERSON} D14.fcs", "DOB": "03-FEB-2013",
    "$INST": "Hospital of Nowhere", "$P2S": f"CD3 {PERSON}", "PATIENT NAME": "张伟",
}  # fmt: skip
TEXTS = (
    PERSON, "Childname", "HN-20250317", "17-MAR-2025", "Operator Imagined", "03-FEB-2013",
    "Hospital of Nowhere", "MRN-5550123", "HN20250317", "20130203", "InventedChild", "张伟",
)  # fmt: skip
NAMED = "fcs/invented_childname-D14.fcs"
KEYWORDS = ("$SRC", "PATIENT NAME", "$SMNO", "$OP", "$FIL", "EXPERIMENT NAME", "TUBE NAME", "$DATE")


def write_workbook(path: Path) -> None:
    """A workbook whose properties and spare columns name a person."""
    book = openpyxl.Workbook()
    book.properties.creator = PERSON
    book.properties.lastModifiedBy = "Operator Imagined"
    sheet = book.active
    assert sheet is not None
    sheet.append([*LAB, "patient_name", "hospital_number"])
    sheet.append([*LAB.values(), PERSON, "MRN-5550123"])
    other = book.create_sheet("patients")
    other.append([PERSON, "03-FEB-2013"])
    book.save(path)


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    folder = write_delivery(
        tmp_path / "planted", tables={"subjects": [SUBJECT], "manifest": [TUBE | {"file": NAMED}]},
        files={
            NAMED: make_fcs(1, n_events=400, keywords=PLANTED),
            "childname, invented/stray HN20250317.fcs": make_fcs(2, keywords=PLANTED),
            "张伟 20130203.fcs": make_fcs(3, keywords=PLANTED),
            "InventedChildname cut.fcs": make_fcs(4, keywords=PLANTED)[:900],
            f"{PERSON}.spill.csv": b",FITC-A,PE-A\nFITC-A,1,0.1\nPE-A,0.02,1\n",
            f"{PERSON}.wsp": b"<Workspace/>",
            f"notes on {PERSON}.docx": b"nothing that is read",
        },
    )  # fmt: skip
    write_workbook(folder / "labs.xlsx")
    return folder


def test_find_traces__finds_every_planted_text_in_every_disguise(tmp_path: Path, planted: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    text = f"name: {PERSON}; born 03-FEB-2013"
    (place / "plain.txt").write_text(text)
    (place / "wide.txt").write_bytes(text.encode("utf-16"))
    for shift in range(3):
        (place / f"{shift}.b64").write_bytes(base64.b64encode(b"." * shift + text.encode()))
    (place / "x.gz").write_bytes(gzip.compress(text.encode()))
    with zipfile.ZipFile(place / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.txt", text)
    pd.DataFrame({"note": [text] * 100}).to_parquet(place / "x.parquet", compression="zstd")
    with h5py.File(place / "x.h5ad", "w") as file:
        file.create_dataset("obs/note", data=[text] * 100, compression="gzip")
    (place / "x.pdf").write_bytes(typst.compile(f"= {text}".encode()))
    with sqlite3.connect(place / "x.db") as connection:
        connection.execute("CREATE TABLE t (v TEXT)")
        connection.execute("INSERT INTO t VALUES (?)", ["." * 4090 + text])
    connection.close()
    found = find_traces([PERSON], place)
    assert {path.name for path in place.iterdir()} == {line.split(" in ")[1].split("!")[0] for line in found}
    for text in TEXTS:
        assert find_traces([text], planted), text


def run_everything(home: Home, delivery: Path, out: Path) -> None:
    """Bring files in by both doors, compute, export every way, back up, and list what waits."""
    main(["ingest", str(home.path), str(delivery)])
    for number, path in enumerate(sorted(one for one in delivery.rglob("*.fcs"))):
        data = path.read_bytes()[:-1] + bytes([number])  # another file, cut or not: it may end in quarantine
        upload = home.uploads.create(
            account="chen", name=f"up/{PERSON} {number}.fcs", size=len(data), changed="", at=NOW
        )
        home.uploads.append(upload.id, io.BytesIO(data), account="chen", offset=0, size=len(data), at=NOW)
    home.uploads.hand_over(account="chen", role="scientist", at=NOW)
    work_off(home, clock=lambda: NOW)
    main(["run", str(home.path), "--workers", "1"])
    for name in ("csv", "parquet", "xlsx", "xpt", "h5ad", "pdf"):
        assert main(["export", str(home.path), str(out / name), "--format", name]) == 0
    write_backup(home, out / "backup.tar", at=NOW, actor="chen")
    (out / "status.json").write_text(json.dumps(home.status()))


def test_home__holds_no_trace_of_a_planted_person(
    planted: Path, make_home: Callable[..., Home], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    home = make_home()
    out = tmp_path / "out"
    out.mkdir()
    run_everything(home, planted, out)
    told = capfd.readouterr()
    (out / "told.txt").write_text(told.out + told.err)
    assert len(home.registry.inputs().acquisitions) == 1
    assert len(home.registry.inputs().labs) == 1
    assert (home.path / "registry.db-wal").stat().st_size  # as it is while others work in it
    assert find_traces(TEXTS, home.path) == []
    assert find_traces(TEXTS, out) == []  # with the whole registry in the backup
    home.registry.engine.dispose()


@pytest.mark.parametrize("order", [("manifest", "fcs"), ("fcs", "manifest")])
def test_ingest__finds_a_file_that_lost_its_name_whatever_comes_first(
    order: tuple[str, str], make_home: Callable[..., Home], tmp_path: Path
) -> None:
    home = make_home()
    tables = {"subjects": [SUBJECT], "manifest": [TUBE | {"file": "Childname, Invented.fcs"}]}
    parts = {
        "manifest": write_delivery(tmp_path / "m", tables=tables),
        "fcs": write_delivery(
            tmp_path / "f", tables={}, files={"Childname, Invented.fcs": make_fcs(keywords=PLANTED)}
        ),
    }
    main(["ingest", str(home.path), str(parts[order[0]])])
    write_backup(home, tmp_path / "b.tar", at=NOW, actor="chen")
    home.close()
    # A home from a backup knows the codes as well: the same manifest again would be nothing new.
    home = restore_backup(tmp_path / "b.tar", tmp_path / "restored", at=NOW, actor="chen")
    assert (home.path / "names.key").stat().st_mode & 0o777 == 0o600
    main(["ingest", str(home.path), str(parts[order[1]])])
    (acquisition,) = list_acquisitions(home.registry)
    assert (acquisition.subject_id, acquisition.visit) == ("S-1", "D14")
    assert acquisition.name == f"{acquisition.file_id[:8]}.fcs"
    assert home.registry.quarantine_rows() == []
    home.registry.engine.dispose()
    # Of a file that nobody has seen only a code of the name was kept.
    assert find_traces(TEXTS, home.path) == []


def test_ingest__tells_no_name_of_a_file_that_nobody_has_seen(
    make_home: Callable[..., Home], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A hospital's number, a name in either script; folders keep two files of one name apart."""
    home = make_home()
    names = [f"{PERSON}/HN20250317.fcs", "张伟/D14 cart.fcs", "ward/Childname.fcs", "home/childname.fcs",
             "S-1/D28_cart_full.fcs"]  # fmt: skip
    days = [f"2025-03-{day}T08:30" for day in (10, 11, 12, 13, 14)]
    rows = [TUBE | {"file": name, "collected_at": day} for name, day in zip(names, days, strict=True)]
    main(
        [
            "ingest",
            str(home.path),
            str(write_delivery(tmp_path / "m", tables={"subjects": [SUBJECT], "manifest": rows})),
        ]
    )
    (tmp_path / "told").mkdir()
    (tmp_path / "told" / "told.txt").write_text("".join(capfd.readouterr()) + json.dumps(home.status()))
    for place in (home.path, tmp_path / "told"):
        assert find_traces((*TEXTS, "ward"), place) == []
    waiting = {row["row"]: row["reason"] for row in home.registry.quarantine_rows()}
    assert len(waiting) == len(names)
    assert "S-1/D28_cart_full.fcs was not delivered" in waiting[6]  # what is plain is said as it is
    files = {name: make_fcs(number, keywords={}) for number, name in enumerate(names)}
    main(["ingest", str(home.path), str(write_delivery(tmp_path / "f", tables={}, files=files))])
    assert home.registry.quarantine_rows() == []
    assert find_traces(["张伟", "HN20250317", PERSON], home.path) == []  # no keyword says whose they are
    found = {one.file_id: one.collected_at[:16] for one in list_acquisitions(home.registry)}
    assert found == {compute_sha256(files[name]): day for name, day in zip(names, days, strict=True)}
    home.registry.engine.dispose()


def test_home__holds_no_trace_of_the_synthetic_trials_people(
    tiny_trial: Path, make_home: Callable[..., Home], tmp_path: Path
) -> None:
    """The trial plants names in some tubes and the acquisition's date and time in all."""
    texts: set[str] = set()
    for path in tiny_trial.rglob("*.fcs"):
        given = parse_fcs_segments(path.read_bytes(), name=path.name).lookup()
        texts |= {given[keyword] for keyword in KEYWORDS if keyword in given}
    assert any("Invented" in text for text in texts)
    delivery = tmp_path / "few"
    shutil.copytree(tiny_trial, delivery, ignore=shutil.ignore_patterns("truth"))
    home, out = make_home(), tmp_path / "out"
    out.mkdir()
    main(["ingest", str(home.path), str(delivery)])
    write_backup(home, out / "backup.tar", at=NOW, actor="chen")
    home.registry.engine.dispose()
    planted = [text for text in texts if len(text) > 4]
    assert find_traces(planted, home.path) == []
    assert find_traces(planted, out) == []
