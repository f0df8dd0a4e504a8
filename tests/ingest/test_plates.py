"""Exports of plate readers: what is read, what is refused, what is blanked."""

import io
import re
from pathlib import Path

import openpyxl
import pytest

from corelab.errors import PlateReadError
from corelab.ingest.plates.reader import read_plate
from corelab.ingest.plates.records import PlateExport, SampleType
from corelab.ingest.plates.sheets import blank_people, open_export, pack_sheets, unpack_sheets
from tests.plate_exports import fill_plate, read_signals, write_matrix, write_msd, write_xponent

PLATE = fill_plate()
SIGNALS = {"IL6": read_signals(PLATE), "IL8": read_signals(PLATE, seed=2)}
XPONENT = write_xponent(PLATE, SIGNALS)
BIOPLEX = [
    ["File Name: C:\\Users\\invented\\run.rbx"], ["Analyte: IL-6 (12)"],
    ["Acquisition Date: 02-Mar-2025, 01:03 PM"],
    ["Plate ID: PLATE-9"], [],
    ["Type", "Well", "Description", "FI", "FI - Bkgd", "Std Dev", "%CV", "Obs Conc", "Exp Conc", "Dilution",
     "Bead Count"],
    ["B", "A1", "", 9.5, 0, "", "", "", "", 1, 80],
    ["S1", "B1", "Standard", 900.5, 891, "", "", "*480.1", 500, 1, 71],
    ["C1", "C1", "low", 40, 30.5, "", "", 12.1, 12, 1, 66],
    ["X1", "D1", "child", 11, 1.5, "", "", "OOR <", "", 4, 30],
    ["X2", "E1", "child", "***", "***", "", "", "***", "", 4, 3],
    ["X3", "F1", "child", 60, 50.5, "", "", "---", "", 4, 90],
    [], ["Std. Curve: FI = -1.5 + (26735.7 + 1.5) / ((1 + (Conc / 2042.15)^-1.06114))^0.8"],
]  # fmt: skip


def read(data: bytes, name: str = "plates/p1.csv") -> PlateExport:
    """Read an export as ingest does."""
    sheets = blank_people(open_export(data, name=name))
    assert unpack_sheets(pack_sheets(sheets)) == sheets
    return read_plate(sheets, name=name)


def workbook(*sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for place, rows in enumerate(sheets):
        page = book.create_sheet(f"Sheet {place}")
        for row in rows:
            page.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def as_csv(rows: list[list[object]]) -> bytes:
    cells = [[f'"{cell}"' if "," in str(cell) else str(cell) for cell in row] for row in rows]
    return "\n".join(",".join(row) for row in cells).encode()


@pytest.mark.parametrize(
    "data",
    [
        XPONENT,
        XPONENT.replace(b'"', b""),  # 1(1,A1) unquoted falls into two cells
        b"\xef\xbb\xbf" + XPONENT,
        XPONENT.decode().encode("utf-16"),
        XPONENT.replace(b"Invented Person", "Invented Müller".encode("cp1252")),
        write_xponent(PLATE, SIGNALS, separator=";"),
    ],
    ids=["quoted", "unquoted", "bom", "utf-16", "cp1252", "semicolons and decimal commas"],
)
def test_read_plate__xponent_in_every_spelling(data: bytes) -> None:
    export = read(data)
    assert (export.format, export.platform, export.batch, export.plate) == (
        "xPONENT",
        "Luminex",
        "Batch 7",
        "p1",
    )
    assert export.run_at == "2025-03-17T21:44:35"
    assert (len(export.wells), export.analytes, export.units["IL6"]) == (len(PLATE), ("IL6", "IL8"), "pg/mL")
    signals = {reading.well: reading.signal for reading in export.readings if reading.analyte == "IL6"}
    assert signals == SIGNALS["IL6"]
    assert {reading.bead_count for reading in export.readings} == {90.0}
    assert {well.sample_type for well in export.wells} == {SampleType.UNSTATED}


LINES = XPONENT.decode().split("\r\n")
MEDIAN = LINES.index("DataType:,Median")


def changed(*edits: tuple[int, str | None]) -> bytes:
    """The export with lines replaced or taken out."""
    lines: list[str | None] = list(LINES)
    for place, line in edits:
        lines[place] = line
    return "\r\n".join(line for line in lines if line is not None).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"\0\1\2\3", "bytes that are no text"),
        (b"a,b\n1,2\n", "the layout of this export is not known"),
        (XPONENT[: len(XPONENT) // 2], "the file ends early"),
        (write_xponent(PLATE, SIGNALS, trailer=False), "the file ends early"),
        (XPONENT + XPONENT, "two plates in one file"),
        (XPONENT.replace(b"Program,xPONENT", b"Program,,xPONENT"), "Program is ''"),
        (changed((MEDIAN + 3, LINES[MEDIAN + 2])), "well A1 stands twice in block Median"),
        (changed((MEDIAN + 3, LINES[MEDIAN + 3].replace("(1,", "(2,"))), "plates 1 and 2 in one file"),
        (changed((MEDIAN + 3, None)), "block Count and the medians differ in well B1"),
        (changed((MEDIAN + 3, LINES[MEDIAN + 3].rsplit(",", 2)[0])), "3 cells; expected 4"),
        (changed((MEDIAN + 3, LINES[MEDIAN + 3].replace("STD0,", "STD0,12.mar,"))), "'12.mar' is no number"),
        (changed((MEDIAN + 1, LINES[MEDIAN + 1].replace("IL8", "IL9"))), "analytes of block Count are not"),
        (XPONENT.replace(b",Median", b",Mean"), "no block of medians"),
        (XPONENT.replace(b"Batch 7", b'"Batch 7', 1), "not readable as a table"),
        (b"PK\x03\x04rubbish", "not readable as an .xlsx workbook"),
        (b"\xd0\xcf\x11\xe0rubbish", "not readable as an .xls workbook"),
        (workbook([[None]]), "the workbook is empty"),
        (workbook(BIOPLEX, [["Plate ID: OTHER"], *BIOPLEX]), "plates PLATE-9 and OTHER in one file"),
        (as_csv([*BIOPLEX[:8], BIOPLEX[7], *BIOPLEX[8:]]), "well B1 of IL-6 (12) stands twice"),
        (as_csv([*BIOPLEX[:7], ["S1", "Z9", "", 1, 1], *BIOPLEX[7:]]), "'Z9' is no well"),
        (write_msd(PLATE, SIGNALS).replace(b"IL8,A01", b"IL6,A01"), "well A1 of IL6 stands twice"),
        (write_msd(PLATE, SIGNALS) + b"Plate_2A,,\nSample,Assay,Well,Signal\nU1,IL6,H12,7\n", "in one file"),
        (write_matrix(PLATE, SIGNALS["IL6"]).replace(b"\nC,", b"\nD,", 1), "row D where C was expected"),
        (write_matrix(PLATE, SIGNALS["IL6"]) * 2, "2 plates in one file"),
        (write_matrix(PLATE, SIGNALS["IL6"]).rpartition(b"\nH,")[0], "7 rows; expected 8 rows"),
    ],
)  # fmt: skip
def test_read_plate__refuses_with_one_clear_reason(data: bytes, words: str) -> None:
    with pytest.raises(PlateReadError) as caught:
        read(data)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


# The same cells as a workbook of the old binary format, written once with xlwt.
OLD_WORKBOOK = (Path(__file__).parent / "plates" / "bioplex.xls").read_bytes()


@pytest.mark.parametrize(
    "data", [workbook(BIOPLEX), as_csv(BIOPLEX), OLD_WORKBOOK], ids=["workbook", "csv", "xls"]
)
def test_read_plate__bioplex_with_its_marks(data: bytes) -> None:
    export = read(data)
    assert (export.format, export.batch, export.run_at) == (
        "Bio-Plex Manager",
        "PLATE-9",
        "2025-03-02T13:03:00",
    )
    kinds = {well.key: well.sample_type.value for well in export.wells}
    assert kinds == {
        "A1": "blank",
        "B1": "standard",
        "C1": "qc",
        "D1": "unknown",
        "E1": "unknown",
        "F1": "unknown",
    }
    found = {reading.well: reading for reading in export.readings}
    assert (found["B1"].vendor_result, found["D1"].vendor_result) == ("*480.1", "OOR <")
    assert (found["E1"].flags, found["F1"].flags) == (("MALFUNCTION",), ("OUTLIER",))
    assert found["F1"].signal == 60.0
    (curve,) = export.vendor_curves
    assert (curve.analyte, curve.d, curve.a, curve.c, curve.b, curve.g) == (
        "IL-6", -1.5, 26735.7, 2042.15, -1.06114, 0.8,
    )  # fmt: skip
    assert {(one.level, one.concentration) for one in export.nominals} == {("S1", 500.0), ("C1", 12.0)}


def test_read_plate__bioplex_prefers_single_wells_to_their_means() -> None:
    means = [BIOPLEX[5], ["X1", "D1,E1", "child", 12, 2, 1, 8, 3.1, "", 4, ""], []]
    singles = [
        BIOPLEX[5],
        *(["X1", well, "child", fi, 2, "", "", 3, "", 4, 60] for well, fi in (("D1", 11), ("E1", 13))),
    ]
    export = read(as_csv([["Analyte: IL-6"], *means, *singles]))
    assert {reading.well: reading.signal for reading in export.readings} == {"D1": 11.0, "E1": 13.0}
    only = read(as_csv([["Analyte: IL-6"], *means]))
    (reading,) = only.readings
    assert (reading.well, reading.signal, reading.signal_cv) == ("D1,E1", 12.0, 8.0)


def test_read_plate__msd_with_its_codes() -> None:
    export = read(write_msd(PLATE, SIGNALS))
    assert (export.format, export.batch, len(export.readings)) == (
        "MSD Discovery Workbench",
        "2AB01",
        2 * len(PLATE),
    )
    kinds = {well.key: well.sample_type.value for well in export.wells}
    assert (kinds["A1"], kinds["A3"], kinds["G3"], kinds["A4"]) == ("standard", "qc", "blank", "unknown")
    assert {reading.vendor_result for reading in export.readings} == {"Below Fit Curve Range"}


def test_read_plate__matrix_takes_off_its_reference() -> None:
    low = {well: value / 10 for well, value in SIGNALS["IL6"].items()}
    one, two = (write_matrix(PLATE, signals).decode() for signals in (SIGNALS["IL6"], low))
    export = read(f"450 nm\n{one}\n620 nm\n{two}".encode())
    assert (export.analytes, export.units) == (("IL-6",), {"IL-6": "pg/mL"})
    found = {reading.well: reading.signal for reading in export.readings}
    assert found["A1"] == pytest.approx(0.9 * SIGNALS["IL6"]["A1"], rel=1e-4)


def test_blank_people__leaves_no_operator_computer_or_path_and_every_number() -> None:
    for data in (XPONENT, as_csv(BIOPLEX), workbook(BIOPLEX)):
        kept = pack_sheets(blank_people(open_export(data, name="p.csv"))).decode()
        for word in ("Invented", "invented", "LAB-PC", "iperson", "C:\\\\"):
            assert word not in kept, word
    before, after = (
        [row for row in sheets.first if row and row[0][:1].isdigit()]
        for sheets in (open_export(XPONENT, name="p"), blank_people(open_export(XPONENT, name="p")))
    )
    assert before == after


def methodical(
    spots: int = 3,
    *,
    plate: str = "1",
    spot_id: str = "",
    visible: str = "",
    assays: str = "",
    end: bool = True,
) -> bytes:
    """A Methodical Mind file; a well's signal tells its row, column and spot, and spot 2 was left empty."""
    head = [
        "FileName :\tC:\\ECL\\x.txt", "Stack ID :\t0.1", f"Plate #  :\t{plate}", "Barcode1 :\t<*2BO40AW290*>",
        "Read Time:\t10/17/2024\t15:06:11 EDT", "Version  :\tMMPR 1.0.38", "", "User     :\tInvented",
        f"Assays   :\t{assays}", f"Visible Spots:\t{visible}", f"SpotID   :\t{spot_id}", "",
    ]  # fmt: skip
    lines = [f"{'=' * 10}Data{'=' * 40}", "  \t" + "\t".join(map(str, range(1, 13))) + "\t"]
    for place, letter in enumerate("ABCDEFGH"):
        for spot in range(1, spots + 1):
            signals = [
                f"{1000 * spot + 100 * place + column:>8}" if spot != 2 else "" for column in range(1, 13)
            ]
            lines.append(f"{letter if spot == 1 else ' '} \t" + "\t".join(signals) + "\t")
        lines.append("")
    tail = [f"{'=' * 10}Processing{'=' * 20}", "Radius   :\t 3.00"] if end else []
    return "\n".join([*head, *lines, *tail, ""]).encode()


@pytest.mark.parametrize(
    ("data", "analytes"),
    [
        (methodical(), ("Spot 1", "Spot 3")), (methodical(visible="2,5,10"), ("Spot 2", "Spot 10")),
        (methodical(assays="IL-6,none,TNF-a"), ("IL-6", "TNF-a")), (methodical(1), ("",)),
        (methodical(1, spot_id="8") + methodical(1, spot_id="10"), ("Spot 8", "Spot 10")),
    ],
)  # fmt: skip
def test_read_plate__methodical_mind_spot_by_spot(data: bytes, analytes: tuple[str, ...]) -> None:
    export = read(data, name="plates/p1.txt")
    assert (export.format, export.platform, export.batch) == ("MSD Methodical Mind", "MSD", "2BO40AW290")
    assert (export.run_at, export.software) == ("2024-10-17T15:06:11", "MMPR 1.0.38")
    assert (export.analytes, len(export.wells)) == (analytes, 96)
    signals = {(one.well, one.analyte): one.signal for one in export.readings}
    assert len(signals) == 96 * len(analytes)
    assert signals["C12", analytes[0]] == 1212
    assert signals["H1", analytes[-1]] == (3701 if data.count(b"1201") and b"3701" in data else 1701)
    assert {well.sample_type for well in export.wells} == {SampleType.UNSTATED}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (methodical() + methodical(plate="2"), "plates 0.1 1 2BO40AW290 and 0.1 2 2BO40AW290 in one file"),
        (methodical() + methodical(), "stands twice"), (methodical(end=False), "the file ends early"),
        (methodical().replace(b"H \t", b"X \t"), "rows A B C D E F G X; expected A to H or P"),
        (methodical().replace(b"\t    1101", b"\t      OL"), "'OL' is no number"),
        (methodical(1).replace(b"\t    1712\t", b""), "12 cells"),
        (methodical().replace(b"\t12\t", b"\t"), "the heading is not known"),
    ],
)  # fmt: skip
def test_read_plate__methodical_mind_refuses_with_one_clear_reason(data: bytes, words: str) -> None:
    with pytest.raises(PlateReadError, match=re.escape(words)):
        read(data, name="plates/p1.txt")


def test_read_plate__methodical_mind_says_which_rows_are_not_there() -> None:
    lines = methodical(1).decode().split("\n")
    export = read("\n".join(line for line in lines if not line.startswith(("B ", "H "))).encode())
    assert (len(export.wells), export.remarks) == (72, ("rows B H of the plate are not in the export",))


def test_blank_people__leaves_no_user_of_methodical_mind() -> None:
    sheets = blank_people(open_export(methodical(), name="p1.txt"))
    assert not {"Invented", "C:\\ECL\\x.txt"} & {cell for row in sheets.first for cell in row}
