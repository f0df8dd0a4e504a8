"""Exports: every table, the same doubles, a dictionary for each column."""

import csv
import datetime as dt
import io
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.errors import ConfigError, HomeError
from corelab.export import format_csv, make_codelists, make_dictionary
from corelab.export.workbook import format_workbook
from corelab.store import Home
from corelab.store.objects import compute_sha256
from corelab.tables.schemas import SCHEMAS
from pipelines.export import export
from pipelines.ingest import ingest
from pipelines.run import run
from tests.deliveries import write_delivery

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)


@pytest.fixture
def ready(make_home: Callable[..., Home], tmp_path: Path) -> Home:
    home = make_home()
    ingest(home, [write_delivery(tmp_path / "d")], at=NOW, actor="test")
    run(home, at=NOW)
    return home


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1))
def test_format_csv__reads_back_to_the_same_double(values: list[float]) -> None:
    table = pd.DataFrame({"value": pd.Series(values, dtype="float64"), "text": "x"})
    rows = list(csv.DictReader(io.StringIO(format_csv(table).decode())))
    for row, value in zip(rows, values, strict=True):
        assert (row["value"] == "") if value != value else (float(row["value"]) == value)


def test_format_csv__keeps_the_header_of_an_empty_table() -> None:
    data = format_csv(SCHEMAS["summary"].empty())
    assert data.decode().strip() == ",".join(SCHEMAS["summary"].column_names)


def test_format_csv__writes_whole_numbers_whole_and_missing_ones_empty() -> None:
    table = pd.DataFrame({"n": pd.Series([3, None], dtype="Int64"), "t": ["a,b", ""]})
    assert format_csv(table) == b'n,t\n3,"a,b"\n,\n'


def test_export__writes_every_table_and_its_companions(ready: Home, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(ready, out, at=NOW, actor="ann")
    expected = {f"{name}.csv" for name in (*SCHEMAS, "analysis")}
    expected |= {"dictionary.csv", "codelists.csv", "provenance.json"}
    assert {path.name for path in out.iterdir()} == expected
    described = pd.read_csv(out / "dictionary.csv", keep_default_na=False)
    for name in (*SCHEMAS, "analysis"):
        header = (out / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
        assert list(described.loc[described["table"] == name, "name"]) == header, name
    provenance = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    current = ready.snapshots.current()
    assert current is not None
    assert provenance["snapshot"] == current.id


def test_export__twice_gives_the_same_bytes(ready: Home, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(ready, tmp_path / name, at=NOW, actor="ann")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_export__gives_the_same_values_as_parquet_and_as_a_workbook(ready: Home, tmp_path: Path) -> None:
    for name in ("parquet", "xlsx"):
        export(ready, tmp_path / name, at=NOW, actor="ann", format_name=name)
    current = ready.snapshots.current()
    assert current is not None
    table = current.table("measurements")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "parquet" / "measurements.parquet", dtype_backend="numpy_nullable").astype(
            table.dtypes.to_dict()
        ),
        table,
    )
    sheet = openpyxl.load_workbook(tmp_path / "xlsx" / "corelab.xlsx")["measurements"]
    rows = list(sheet.iter_rows(values_only=True))
    assert list(rows[0]) == list(table.columns)
    assert len(rows) - 1 == len(table)
    assert [row[rows[0].index("value")] for row in rows[1:]] == [
        None if value != value else value for value in table["value"]
    ]


def test_format_workbook__writes_a_relation_as_text_and_not_as_a_formula() -> None:
    data = format_workbook({"t": pd.DataFrame({"relation": ["=", "=1+1", "<"]})})
    sheet = openpyxl.load_workbook(io.BytesIO(data))["t"]
    assert [(cell.value, cell.data_type) for cell in sheet["A"][1:]] == [
        ("=", "s"),
        ("=1+1", "s"),
        ("<", "s"),
    ]


def test_export__is_audited(ready: Home, tmp_path: Path) -> None:
    export(ready, tmp_path / "out", at=NOW, actor="ann", tables=["subjects"])
    files, entry = ready.registry.audit.rows(limit=2).to_dict("records")
    assert (entry["actor"], entry["action"], entry["new"]) == ("ann", "export", "csv: subjects")
    # Whoever finds a file finds by its hash who took it, when and of which snapshot.
    told = dict(one.split(" sha256 ") for one in files["new"].split("; "))
    assert told == {path.name: compute_sha256(path.read_bytes()) for path in (tmp_path / "out").iterdir()}
    assert (files["action"], files["object"]) == ("export_files", entry["object"])


def test_export__writes_only_the_asked_tables(ready: Home, tmp_path: Path) -> None:
    report = export(ready, tmp_path / "out", at=NOW, actor="ann", tables=["subjects", "quality"])
    assert report.files == [
        "subjects.csv",
        "quality.csv",
        "dictionary.csv",
        "codelists.csv",
        "provenance.json",
    ]


def test_export__refuses_before_it_writes(
    ready: Home, tmp_path: Path, make_home: Callable[..., Home]
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="csv, parquet, xlsx, xpt, h5ad, pdf"):
        export(ready, out, at=NOW, actor="ann", format_name="sas7bdat")
    with pytest.raises(ConfigError, match="--tables"):
        export(ready, out, at=NOW, actor="ann", format_name="h5ad", tables=["subjects"])
    with pytest.raises(ConfigError, match="nothing"):
        export(ready, out, at=NOW, actor="ann", tables=["nothing"])
    with pytest.raises(HomeError, match="no snapshot yet"):
        export(make_home("empty"), out, at=NOW, actor="ann")
    assert not out.exists()


def test_make_codelists__lists_every_code_of_every_column() -> None:
    lists = make_codelists(SCHEMAS).groupby("codelist")["code"].agg(list).to_dict()
    described = make_dictionary(SCHEMAS)
    for schema in SCHEMAS.values():
        for column in schema.columns:
            row = described[(described["table"] == schema.name) & (described["name"] == column.name)].iloc[0]
            assert row["type"] == column.type
            if column.codes:
                assert lists[row["codelist"]] == [str(code) for code in column.codes]
