"""Delivered tables: encodings, headers, rows with the number a spreadsheet shows."""

import io
import re
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.errors import PlateReadError, TableReadError
from corelab.ingest import tables
from corelab.ingest.layouts import LAYOUTS
from corelab.ingest.plates.sheets import open_export
from corelab.ingest.tables import format_delivered, parse_table
from corelab.ingest.template import format_template

LABS = LAYOUTS["labs"]
HEADER = "subject_id,visit,collected_at,test,value,unit"


def read(text: str | bytes) -> list[tuple[int, str, str]]:
    data = text.encode() if isinstance(text, str) else text
    table = parse_table(data, LABS, path="labs.csv")
    return [(row.number, row.values["test"], row.values["value"]) for row in table.rows]


def test_parse_table__numbers_rows_as_a_spreadsheet_does() -> None:
    text = f"{HEADER}\nS-1,D14,2025-03-17,ALC,1,10^9/L\n\nS-1,D14,2025-03-17,PLT,200,10^9/L\n"
    assert read(text) == [(2, "ALC", "1"), (4, "PLT", "200")]


def test_parse_table__tolerates_a_mark_crlf_case_and_order_of_columns() -> None:
    text = "\ufeffUnit, Value,TEST,collected_at,visit,Subject_ID\r\ng/L,1,HGB,2025-03-17,D14,S-1\r\n"
    assert read(text) == [(2, "HGB", "1")]


def test_parse_table__reads_gb18030_and_says_so() -> None:
    table = parse_table(
        f"{HEADER}\nS-1,D14,2025-03-17,血小板,1,g/L\n".encode("gb18030"), LABS, path="labs.csv"
    )
    assert table.rows[0].values["test"] == "血小板"
    assert "GB18030" in table.remarks[0]


def test_parse_table__lists_unknown_columns_and_keeps_none_of_them() -> None:
    text = f"{HEADER},patient_name\nS-1,D14,2025-03-17,ALC,1,10^9/L,Invented Person\n"
    table = parse_table(text.encode(), LABS, path="labs.csv")
    assert table.remarks == ("labs.csv: columns not read: patient_name",)
    assert b"Invented" not in format_delivered(table)


def test_parse_table__marks_a_row_with_more_cells_than_columns() -> None:
    """An unquoted decimal comma moves every later cell: such a row must not be read as it stands."""
    table = parse_table(f"{HEADER}\nS-1,D14,2025-03-17,ALC,1,35,10^9/L\n".encode(), LABS, path="labs.csv")
    assert table.rows[0].problem == "7 cells under 6 columns"


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "empty"),
        (b"\xff\xfea\x00", "UTF-16"),
        (b"PK\x00\x00", "no text"),
        (b"subject_id\n", "no column visit"),
        (f"{HEADER},unit\n".encode(), "stands twice"),
        (HEADER.replace(",", ";").encode(), "separated by semicolons; expected commas"),
        (HEADER.replace(",", "\t").encode(), "separated by tabs"),
        (("a," * 10_000).encode(), "10001 columns"),
        (b"\x81\x20\xff\xff", "encoding"),
    ],
)
def test_parse_table__refuses_in_one_line(data: bytes, match: str) -> None:
    with pytest.raises(TableReadError, match=match) as caught:
        parse_table(data, LABS, path="labs.csv")
    assert "\n" not in str(caught.value)


def test_parse_table__needs_an_age_or_a_birth_date() -> None:
    with pytest.raises(TableReadError, match="age_years"):
        parse_table(b"subject_id,sex\nS-1,F\n", LAYOUTS["subjects"], path="subjects.csv")
    assert parse_table(b"subject_id,birth_date\nS-1,2012-01-01\n", LAYOUTS["subjects"], path="s.csv").rows


def make_workbook(rows: list[list[object]]) -> bytes:
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(buffer)
    return buffer.getvalue()


def test_parse_table__reads_the_first_sheet_of_a_workbook() -> None:
    data = make_workbook([HEADER.split(","), ["S-1", "D14", "2025-03-17", "ALC", 1.35, "10^9/L"]])
    table = parse_table(data, LABS, path="labs.xlsx")
    assert table.rows[0].values["value"] == "1.35"


@pytest.mark.parametrize(
    "data", [b"", b"not a zip", make_workbook([["a"]])[:-30], b"PK\x03\x04" + b"\0" * 50]
)
def test_parse_table__refuses_a_broken_workbook(data: bytes) -> None:
    with pytest.raises(TableReadError):
        parse_table(data, LABS, path="labs.xlsx")


def test_parse_table__refuses_a_workbook_that_unpacks_to_a_bomb() -> None:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x", "w", force_zip64=True) as entry,
    ):
        for _ in range(70):
            entry.write(b"\0" * 2**20)
    with pytest.raises(TableReadError, match="64 MiB"):
        parse_table(buffer.getvalue(), LABS, path="labs.xlsx")


@given(st.binary(max_size=400))
def test_parse_table__never_ends_in_anything_but_rows_or_one_line(data: bytes) -> None:
    for path in ("labs.csv", "labs.xlsx"):
        message = ""
        try:
            parse_table(data, LABS, path=path)
        except TableReadError as error:
            message = str(error)
        assert "\n" not in message


@pytest.mark.parametrize("stem", LAYOUTS)
def test_format_template__is_a_table_without_data(stem: str) -> None:
    data = format_template(LAYOUTS[stem])
    table = parse_table(data, LAYOUTS[stem], path=f"{stem}.csv")
    assert table.rows == ()
    assert b"example" in data


WORKBOOK = make_workbook([HEADER.split(","), ["S-1", "D14", "2025-03-17", "ALC", 1.35, "10^9/L"]])


@given(st.lists(st.tuples(st.integers(0, len(WORKBOOK) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_parse_table__reads_or_refuses_a_damaged_workbook(changes: list[tuple[int, int]]) -> None:
    data = bytearray(WORKBOOK)
    for place, value in changes:
        data[place] = value
    message = ""
    try:
        parse_table(bytes(data), LABS, path="labs.xlsx")
    except TableReadError as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize(
    "rows", [b'<row r="4000000000"><c><v>1</v></c></row>', b"<row><c><v>1</v></c></row>" * 3_000]
)
def test_parse_table__ends_a_sheet_that_never_would(rows: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes of a workbook may say that they are any number of rows."""
    monkeypatch.setattr(tables, "_MOST_ROWS", 2_000)
    monkeypatch.setattr(tables, "_LAST_ROW", 50_000)
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(WORKBOOK)) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for item in source.infolist():
            text = source.read(item)
            if item.filename == "xl/worksheets/sheet1.xml":
                text = text.replace(b"</sheetData>", rows + b"</sheetData>")
            target.writestr(item.filename, text)
    with pytest.raises(TableReadError, match="more than 2000 rows"):
        parse_table(buffer.getvalue(), LABS, path="labs.xlsx")
    with pytest.raises(PlateReadError):
        open_export(buffer.getvalue(), name="p")


def test_parse_table__reads_the_rows_that_a_sheet_does_not_count() -> None:
    """Some programs write a dimension that ends before the rows do."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(WORKBOOK)) as source, zipfile.ZipFile(buffer, "w") as target:
        for item in source.infolist():
            target.writestr(
                item, re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', source.read(item))
            )
    counted = [len(parse_table(data, LABS, path="labs.xlsx").rows) for data in (WORKBOOK, buffer.getvalue())]
    assert counted[0] == counted[1] > 0


def test_parse_table__refuses_more_rows_than_a_trial_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_MOST_ROWS", 2_000)
    text = b"subject_id,visit,collected_at,test,value,unit\n" + b"S,D1,2025-01-01,ALC,1,g/L\n" * 2_000
    with pytest.raises(TableReadError, match="more than 2000 rows"):
        parse_table(text, LABS, path="labs.csv")


@pytest.mark.parametrize("entity", ["file:///etc/passwd", "http://127.0.0.1:9/x"])
def test_parse_table__follows_no_entity_of_a_workbook(entity: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(WORKBOOK)) as source, zipfile.ZipFile(buffer, "w") as target:
        for item in source.infolist():
            text = source.read(item)
            if item.filename == "xl/worksheets/sheet1.xml":
                head = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{entity}">]>'.encode()
                text = head + text.replace(b"<v>1.35</v>", b"<v>&e;</v>")
            target.writestr(item, text)
    with pytest.raises(TableReadError):
        parse_table(buffer.getvalue(), LABS, path="labs.xlsx")
