"""Each format read by a program that is not ours, and equal to the snapshot value by value."""

import csv
import json
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.export import find_schemas, format_csv, restore_text
from corelab.export.text import neutralise_text
from corelab.export.workbook import format_workbook
from corelab.store.snapshots import Snapshot
from corelab.tables.schema import PANDAS_TYPES, TableSchema
from corelab.tables.schemas import SCHEMAS

NAMES = (*SCHEMAS, "analysis")
EXACT = {"check_exact": True, "check_dtype": True}


def schema_of(name: str, snapshot: Snapshot) -> TableSchema:
    return find_schemas([name], snapshot.manifest)[name]


@pytest.mark.parametrize("name", NAMES)
def test_csv__read_by_pandas_equals_the_snapshot(
    name: str, exported: dict[str, Path], snapshot: Snapshot
) -> None:
    types = {column.name: PANDAS_TYPES[column.type] for column in schema_of(name, snapshot).columns}
    texts = [column for column, kind in types.items() if kind == "object"]
    read = pd.read_csv(
        exported["csv"] / f"{name}.csv", dtype=types, float_precision="round_trip",
        keep_default_na=False, na_values={column: [""] for column in types if column not in texts},
    )  # fmt: skip
    pd.testing.assert_frame_equal(read, snapshot.table(name), **EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_csv__numbers_read_by_python_are_the_same_doubles(
    name: str, exported: dict[str, Path], snapshot: Snapshot
) -> None:
    with (exported["csv"] / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    table = snapshot.table(name)
    assert len(rows) == len(table)
    for column in table.select_dtypes("float64"):
        read = np.array([float(row[column]) if row[column] else np.nan for row in rows])
        np.testing.assert_array_equal(read, table[column].to_numpy())


@pytest.mark.parametrize("name", NAMES)
def test_parquet__read_by_pyarrow_equals_the_snapshot(
    name: str, exported: dict[str, Path], snapshot: Snapshot
) -> None:
    read = pq.read_table(exported["parquet"] / f"{name}.parquet")
    table = snapshot.table(name)
    assert read.column_names == list(table.columns)
    expected = table.astype(object).where(table.notna(), None)
    for column in read.column_names:
        assert read[column].to_pylist() == expected[column].tolist(), column


@pytest.fixture(scope="session")
def book(exported: dict[str, Path]) -> openpyxl.Workbook:
    return openpyxl.load_workbook(exported["xlsx"] / "corelab.xlsx")


def test_workbook__read_by_openpyxl_equals_the_snapshot(book: openpyxl.Workbook, snapshot: Snapshot) -> None:
    assert set(book.sheetnames) == set(NAMES)
    for name in NAMES:
        sheet, table = book[name], snapshot.table(name)
        assert sheet.freeze_panes == "A2"
        rows = list(sheet.iter_rows(values_only=True))
        assert list(rows[0]) == list(table.columns)
        expected = table.astype(object).where(table.notna() & (table != ""), None)
        assert rows[1:] == list(expected.itertuples(index=False, name=None)), name
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"], name


def test_workbook__has_real_types(book: openpyxl.Workbook, snapshot: Snapshot) -> None:
    sheet = book["populations"]
    kinds = {"text": "s", "number": "n", "integer": "n"}
    for index, column in enumerate(schema_of("populations", snapshot).columns, start=1):
        cells = [cell for (cell,) in sheet.iter_rows(min_row=2, min_col=index, max_col=index)]
        assert {cell.data_type for cell in cells if cell.value is not None} <= {kinds[column.type]}


def test_workbook__of_the_same_tables_is_the_same_bytes() -> None:
    tables = {"t": pd.DataFrame({"a": [1.5, None], "b": ["x", "=y"]})}
    assert format_workbook(tables) == format_workbook(tables)


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx"])
def test_export__names_the_snapshot_and_describes_every_column(
    form: str, exported: dict[str, Path], snapshot: Snapshot
) -> None:
    provenance = json.loads((exported[form] / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["snapshot"] == snapshot.id
    assert provenance["tables"].keys() == set(NAMES)
    described = pd.read_csv(exported[form] / "dictionary.csv", keep_default_na=False)
    for name in NAMES:
        assert list(described.loc[described["table"] == name, "name"]) == list(snapshot.table(name).columns)
    assert (described["label"].str.strip() != "").all()
    quantities = described[described["type"] != "text"]
    assert quantities.loc[quantities["unit"] == "", ["table", "name"]].to_numpy().tolist() == []
    assert set(described["origin"]) <= {"derived", "delivered"}
    lists = pd.read_csv(exported[form] / "codelists.csv", keep_default_na=False)
    assert set(described["codelist"]) - {""} == set(lists["codelist"])


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema__gives_every_quantity_a_unit(name: str) -> None:
    """Also of tables that this trial leaves empty."""
    for column in SCHEMAS[name].columns:
        assert column.label, column.name
        assert column.type == "text" or column.unit, column.name


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"), ("+1+cmd|'/C'!A0", "'+1+cmd|'/C'!A0"),
        ("'=1", "''=1"), ("=", "="), ("<=", "<="), ("-2.5", "-2.5"), ("+", "+"), ("-S1", "-S1"),
        ("it's", "it's"), ("<2.4", "<2.4"), ("", ""),
    ],
)  # fmt: skip
def test_neutralise_text__marks_only_what_would_run(text: str, written: str) -> None:
    assert neutralise_text(text) == written
    assert restore_text(written) == text


@given(st.text(alphabet="'=+-@\t\r(1aA |!", max_size=6))
def test_restore_text__gives_every_text_back(text: str) -> None:
    assert restore_text(neutralise_text(text)) == text


def test_format_csv__marks_a_formula_and_no_number() -> None:
    table = pd.DataFrame({"n": [-1.5], "t": ["=HYPERLINK(1)"], "r": ["<="]})
    assert format_csv(table) == b"n,t,r\n-1.5,'=HYPERLINK(1),<=\n"
