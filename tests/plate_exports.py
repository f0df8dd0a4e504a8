"""Small exports of plate readers for tests, written as the vendors write them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from corelab.immunoassay.curve import Curve, compute_response

CURVE = Curve(a=14.0, b=1.1, c=900.0, d=21000.0)
LEVELS = {f"STD{place}": 8000.0 / 4**place for place in range(8)}
CONTROLS = {"QC1": 12.0, "QC2": 180.0, "QC3": 1500.0}
LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Content:
    """What a test puts into a well: a name and the true concentration in the well."""

    name: str
    concentration: float


def fill_plate(specimens: Mapping[str, float] = {"S1": 40.0, "S2": 700.0}) -> dict[str, Content]:
    """Standards, controls and blanks twice, then specimens twice, down the columns of a plate."""
    contents = [Content(name, amount) for name, amount in LEVELS.items() for _ in range(2)]
    contents += [Content(name, amount) for name, amount in CONTROLS.items() for _ in range(2)]
    contents += [Content("BLK", 0.0)] * 2
    contents += [Content(name, amount) for name, amount in specimens.items() for _ in range(2)]
    wells = [f"{letter}{column}" for column in range(1, 13) for letter in LETTERS]
    return dict(zip(wells, contents, strict=False))


def read_signals(
    plate: Mapping[str, Content], *, curve: Curve = CURVE, cv: float = 0.0, seed: int = 1
) -> dict[str, float]:
    """Responses of a reader whose wells spread by a share of what lies above the blank."""
    rng = np.random.default_rng(seed)
    ideal = {well: float(compute_response(curve, one.concentration)) for well, one in plate.items()}
    return {
        well: round(
            curve.a + (value - curve.a) * (1 + cv * rng.standard_normal()) + cv * rng.standard_normal(), 1
        )
        for well, value in ideal.items()
    }  # fmt: skip


def write_xponent(
    plate: Mapping[str, Content],
    signals: Mapping[str, Mapping[str, float]],
    *,
    beads: Mapping[str, int] | None = None,
    batch: str = "Batch 7",
    trailer: bool = True,
    separator: str = ",",
) -> bytes:
    """An xPONENT 3.1 CSV with medians and counts; ``signals`` by analyte and well."""
    analytes = list(signals)
    counts = beads or {}

    def number(value: float) -> str:
        return f"{value:g}".replace(".", ",") if separator == ";" else f"{value:g}"

    def row(*cells: object) -> str:
        return separator.join(f'"{cell}"' if separator in str(cell) else str(cell) for cell in cells)

    lines = [
        row("Program", "xPONENT", "", "LX100/LX200"), row("Build", "3.1.871.0"),
        row("Date", "17/03/2025", "16:07"),
        row("Batch", batch), row("Operator", "Invented Person"), row("ComputerName", "LAB-PC-07"),
        row("BatchStartTime", "17/03/2025 21:44:35"), "",
        row("Samples", len(plate), "Min Events", 50, "Per Bead"),
        "", row("Results"), "",
    ]  # fmt: skip
    for kind in ("Median", "Count"):
        lines += [row("DataType:", kind), row("Location", "Sample", *analytes, "Total Events")]
        for place, (well, content) in enumerate(plate.items(), start=1):
            values = [
                number(signals[analyte][well]) if kind == "Median" else str(counts.get(well, 90))
                for analyte in analytes
            ]
            lines.append(row(f"{place}(1,{well})", content.name, *values, 4000))
        lines.append("")
    lines += [
        row("DataType:", "Units"), row("Analyte:", *analytes),
        row("BeadID:", *range(12, 12 + len(analytes))),
        row("Units:", *["pg/mL"] * len(analytes)), "", row("DataType:", "Audit Logs"),
        row("UserId", "Date", "Message"), row("iperson", "17/03/2025", "C:\\data\\Invented\\run.csv"), "",
    ]  # fmt: skip
    if trailer:
        lines += ["-- CRC --", "CRC32: 53B2478C"]
    return "\r\n".join([*lines, ""]).encode()


def write_matrix(
    plate: Mapping[str, Content], signals: Mapping[str, float], *, analyte: str = "IL-6"
) -> bytes:
    """A matrix of optical densities of a 96-well plate."""
    lines = [f"Analyte,{analyte}", "Unit,pg/mL", "", ",".join(["", *map(str, range(1, 13))])]
    for letter in LETTERS:
        cells = [f"{signals[well]:g}" if (well := f"{letter}{c}") in plate else "" for c in range(1, 13)]
        lines.append(",".join([letter, *cells]))
    return "\n".join([*lines, ""]).encode()


def write_msd(plate: Mapping[str, Content], signals: Mapping[str, Mapping[str, float]]) -> bytes:
    """A Discovery Workbench CSV: a line for the plate, then one row a spot."""
    lines = [
        "Plate_2AB01,,,,,,,,",
        "Sample,Assay,Well,Spot,Dilution,Concentration,Signal,Calc. Concentration,Detection Range",
    ]
    known = LEVELS | CONTROLS
    for well, content in plate.items():
        letter = {"STD": "S", "QC": "C", "BLK": "B"}.get(content.name.rstrip("0123456789"), "U")
        code = f"{letter}{re.sub('[^0-9]', '', content.name) or 1:0>3}"
        nominal = f"{known[content.name]:g}" if content.name in known else ""
        for spot, analyte in enumerate(signals, start=1):
            cells = [code, analyte, f"{well[0]}{int(well[1:]):02}", spot, "", nominal, signals[analyte][well]]
            lines.append(",".join(map(str, [*cells, "NaN", "Below Fit Curve Range"])))
    return "\n".join([*lines, ""]).encode()


def layout_rows(
    plate: Mapping[str, Content], specimens: Mapping[str, Mapping[str, str]], *, name: str = "p1"
) -> list[dict[str, str]]:
    """Rows of ``plates/layout.csv``; ``specimens`` gives subject, visit and time by a well's name."""
    rows = []
    for well, content in plate.items():
        kind = {"STD": "standard", "QC": "qc", "BLK": "blank"}.get(
            content.name.rstrip("0123456789"), "unknown"
        )
        rows.append(
            {
                "plate": name,
                "well": well,
                "sample_type": kind,
                "name": content.name,
                **specimens.get(content.name, {}),
            }
        )
    return rows


def standard_rows(
    analytes: Sequence[str], *, name: str = "p1", levels: Mapping[str, float] | None = None
) -> list[dict[str, str]]:
    """Rows of ``plates/standards.csv`` for standards and controls."""
    return [
        {"plate": name, "level": level, "analyte": analyte, "nominal": f"{amount:.12g}", "unit": "pg/mL"}
        for analyte in analytes
        for level, amount in (levels or LEVELS | CONTROLS).items()
    ]  # fmt: skip
