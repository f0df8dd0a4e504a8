"""Plates of a second panel: exports as a Luminex reader writes them, their layout, standards and truth.

The markers are others than those of ``cytokines.csv``, so that each is one series. Serum is diluted twofold
and every specimen read in two wells; all draws of a child lie on one plate as long as there is room.
"""

import datetime as dt
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from corelab.immunoassay.curve import Curve, compute_response
from corelab.synthetic.disease import Disease, inflammation_on
from corelab.synthetic.laboratory import Row
from corelab.synthetic.schedule import Draw
from corelab.synthetic.seeding import spawn_generator


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateMarker:
    """One marker in pg/mL: resting level, gain per unit of inflammation, top standard, and its curve."""

    name: str
    region: int
    resting: float
    gain: float
    top: float
    curve: Curve


MARKERS: Final = (
    PlateMarker(
        name="IL-18", region=43, resting=60.0, gain=240.0, top=8000.0,
        curve=Curve(a=16, b=1.1, c=1500, d=21000),
    ),
    PlateMarker(
        name="IP-10", region=56, resting=90.0, gain=900.0, top=6000.0,
        curve=Curve(a=11, b=1.25, c=700, d=18500),
    ),
    PlateMarker(
        name="IL-1b", region=13, resting=1.2, gain=4.0, top=3000.0,
        curve=Curve(a=19, b=1.0, c=1100, d=15500),
    ),
    PlateMarker(
        name="IL-7", region=55, resting=9.0, gain=2.0, top=4000.0,
        curve=Curve(a=24, b=1.05, c=900, d=13000),
    ),
)  # fmt: skip
_STEPS: Final = 8
_STEP: Final = 4.0
_CONTROLS: Final = {"QC1": 0.005, "QC2": 0.05, "QC3": 0.4}
_DILUTION: Final = 2.0
_WELLS: Final = tuple(f"{letter}{column}" for column in range(1, 13) for letter in "ABCDEFGH")
_MOST_SPECIMENS: Final = (len(_WELLS) - 2 * _STEPS - 2 * len(_CONTROLS) - 2) // 2
_CV: Final = 0.04
_FAILED_PLATE: Final = 2
"""The plate on which the controls of the last marker are off: that run is rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Well:
    """What a well holds: its name, role, and true concentrations in it by marker."""

    well: str
    name: str
    role: str
    amounts: Mapping[str, float]
    draw: Draw | None = None


def plate_files(
    seed: int, draws: Sequence[Draw], diseases: Mapping[str, Disease]
) -> tuple[dict[str, bytes], dict[str, list[Row]]]:
    """Return the exports by path, and rows of the layout, the standards and the truth by file name."""
    exports: dict[str, bytes] = {}
    rows: dict[str, list[Row]] = {"plates/layout.csv": [], "plates/standards.csv": [], "truth/plates.csv": []}
    for number, chunk in enumerate(_fill(draws), start=1):
        name = f"panel2_run{number:02d}"
        wells = list(_place_wells(chunk, diseases))
        exports[f"plates/{name}.csv"] = _write_export(seed, name, wells, number)
        rows["plates/layout.csv"] += [_layout_row(name, one, number) for one in wells]
        rows["plates/standards.csv"] += list(_standard_rows(name))
        rows["truth/plates.csv"] += [
            row for one in wells if one.draw is not None for row in _truth_rows(name, one)
        ]
    return exports, rows


def _fill(draws: Sequence[Draw]) -> Iterator[list[Draw]]:
    """Put the draws of each child together on plates, in the order of the children."""
    children: dict[str, list[Draw]] = {}
    for draw in draws:
        if "cytokine" in draw.expects:
            children.setdefault(draw.child.subject_id, []).append(draw)
    plate: list[Draw] = []
    for subject in sorted(children):
        mine = children[subject]
        if plate and len(plate) + len(mine) > _MOST_SPECIMENS:
            yield plate
            plate = []
        for start in range(0, len(mine), _MOST_SPECIMENS):
            plate = [*plate, *mine[start : start + _MOST_SPECIMENS]]
            if len(plate) == _MOST_SPECIMENS:
                yield plate
                plate = []
    if plate:
        yield plate


def _place_wells(draws: Sequence[Draw], diseases: Mapping[str, Disease]) -> Iterator[_Well]:
    free = iter(_WELLS)
    for level in range(_STEPS):
        amounts = {marker.name: marker.top / _STEP**level for marker in MARKERS}
        for _ in range(2):
            yield _Well(well=next(free), name=f"STD{level + 1}", role="standard", amounts=amounts)
    for name, share in _CONTROLS.items():
        amounts = {marker.name: marker.top * share for marker in MARKERS}
        for _ in range(2):
            yield _Well(well=next(free), name=name, role="qc", amounts=amounts)
    for _ in range(2):
        yield _Well(well=next(free), name="BLK", role="blank", amounts={})
    for draw in draws:
        disease = diseases[draw.child.subject_id]
        amounts = {marker.name: _true_amount(draw, disease, marker) / _DILUTION for marker in MARKERS}
        for _ in range(2):
            yield _Well(
                well=next(free), name=f"{draw.child.subject_id} {draw.visit}", role="unknown",
                amounts=amounts, draw=draw,
            )  # fmt: skip


def _true_amount(draw: Draw, disease: Disease, marker: PlateMarker) -> float:
    value = marker.resting + marker.gain * inflammation_on(draw.child, disease, draw.day)
    if marker.name == "IL-7" and draw.child.is_infused:  # lymphodepletion frees IL-7
        value += 40.0 * float(np.exp(-0.5 * ((draw.day - 1.0) / 5.0) ** 2))
    return value


def _layout_row(plate: str, one: _Well, number: int) -> Row:
    row = {
        "plate": plate, "well": one.well, "sample_type": one.role, "name": one.name,
        "kit_lot": f"K{1 + (number - 1) // 6:03d}", "matrix": "serum",
    }  # fmt: skip
    if one.draw is None:
        return row
    return row | {
        "dilution": f"{_DILUTION:g}", "subject_id": one.draw.child.subject_id, "visit": one.draw.visit,
        "collected_at": one.draw.child.stamp(one.draw.collected_at),
    }  # fmt: skip


def _standard_rows(plate: str) -> Iterator[Row]:
    shares = {f"STD{level + 1}": _STEP**-level for level in range(_STEPS)} | _CONTROLS
    for marker in MARKERS:
        for level, share in shares.items():
            yield {
                "plate": plate, "level": level, "analyte": marker.name,
                "nominal": f"{marker.top * share:.8g}",
                "unit": "pg/mL",
            }  # fmt: skip


def _truth_rows(plate: str, one: _Well) -> Iterator[Row]:
    if one.draw is None:
        return
    for marker in MARKERS:
        yield {
            "plate": plate, "well": one.well, "subject_id": one.draw.child.subject_id,
            "visit": one.draw.visit, "analyte": marker.name,
            "concentration": f"{one.amounts[marker.name] * _DILUTION:.6g}",
        }  # fmt: skip


def _write_export(seed: int, plate: str, wells: Sequence[_Well], number: int) -> bytes:
    rng = spawn_generator(seed, "plates", plate)
    signals = [[_read_well(rng, one, marker, number) for marker in MARKERS] for one in wells]
    counts = rng.integers(62, 140, size=(len(wells), len(MARKERS)))
    names = ",".join(marker.name for marker in MARKERS)
    read_at = max(one.draw.collected_at for one in wells if one.draw is not None) + dt.timedelta(days=9)
    lines = [
        "Program,xPONENT,,FLEXMAP 3D", "Build,4.2.1705.0", f"Batch,{plate}", "Operator,", "ComputerName,",
        f"BatchStartTime,{read_at:%Y-%m-%d %H:%M:%S}", "", f"Samples,{len(wells)},Min Events,50,Per Bead", "",
        "Results", "",
    ]  # fmt: skip
    for kind, table in (("Median", signals), ("Count", counts.tolist())):
        lines += [f"DataType:,{kind}", f"Location,Sample,{names},Total Events"]
        for place, (one, row, beads) in enumerate(zip(wells, table, counts.tolist(), strict=True), start=1):
            cells = ",".join(f"{value:g}" for value in row)
            lines.append(f'"{place}(1,{one.well})",{one.name},{cells},{sum(beads)}')
        lines.append("")
    regions = ",".join(str(marker.region) for marker in MARKERS)
    lines += ["DataType:,Units", f"Analyte:,{names}", f"BeadID:,{regions}", "", "-- CRC --"]
    text = "\n".join(lines)
    return f"{text}\nCRC32: {zlib.crc32(text.encode()):08X}\n".encode()


def _read_well(rng: np.random.Generator, one: _Well, marker: PlateMarker, number: int) -> float:
    """Return a median: spread by a share of what lies above the blank, and by the blank's own."""
    amount = one.amounts.get(marker.name, 0.0)
    if number == _FAILED_PLATE and one.role == "qc" and marker is MARKERS[-1]:
        amount *= 1.6
    net = float(compute_response(marker.curve, amount)) - marker.curve.a
    value = marker.curve.a + net * (1 + _CV * rng.standard_normal()) + 0.7 * rng.standard_normal()
    return round(max(value, 1.0) * 2) / 2
