"""Damaged deliveries, taken by ``ingest`` as a laboratory would send them, and run at the end."""

import datetime as dt
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from corelab.errors import CorelabError
from corelab.store import Home, create_home
from corelab.study import builtin_study
from pipelines.ingest import ingest
from pipelines.run import run
from tests.cytometry.interchange.workspaces import make_gatingml, make_tube, make_workspace
from tests.deliveries import LAB, SUBJECT, TUBE, write_delivery
from tests.plate_exports import fill_plate, layout_rows, read_signals, write_matrix, write_msd, write_xponent

NOW: Final = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
LONGEST_SECONDS: Final = 5.0
_TABLES: Final[Mapping[str, list[dict[str, str]]]] = {
    "subjects": [SUBJECT, {**SUBJECT, "subject_id": "S-2", "sex": "M", "infusion_at": ""}],
    "manifest": [TUBE, {**TUBE, "file": "fcs/b.fcs", "visit": "D28", "collected_at": "2025-03-31T08:30"}],
    "labs": [LAB, {**LAB, "test": "UPCR", "value": "<0.1", "unit": "mg/mg"}],
    "cytokines": [{"subject_id": "S-1", "visit": "D7", "collected_at": "2025-03-10T08:00", "analyte": "IL-6",
                   "value": "OOR >", "unit": "pg/mL", "uloq": "5000"}],
    "qpcr": [{"subject_id": "S-1", "visit": "D14", "collected_at": "2025-03-17T08:00",
              "copies_per_ug": "1200", "lloq": "50"}],
    "assessments": [{"subject_id": "S-1", "visit": "M3", "collected_at": "2025-06-03T08:00",
                     "instrument": "SLEDAI-2K", "item": "arthritis", "value": "1"}],
    "medications": [{"subject_id": "S-1", "drug": "tocilizumab", "start": "2025-03-08", "dose": "8"}],
    "adverse_events": [{"subject_id": "S-1", "term": "CRS", "scale": "ASTCT 2019", "grade": "2",
                        "start": "2025-03-07"}],
}  # fmt: skip
_WORDS: Final = (
    b"", b"\x00", b"\xff\xfe", b'"', b"'", b",", b";", b"\t", b"\r", b"\n\n", b"=cmd|' /C calc'!A0", b"<",
    b">", b"1e309", b"-0", b"nan", b"inf", b"99999999999999999999", b"2025-02-30", b"0000-00-00T99:99",
    b"../../x", b"C:\\a\\b", "Zhāng 张三 \u202e".encode(), "٣".encode(), b"'; DROP TABLE audit; --", b"&lol;",
    b"<!DOCTYPE x", b"<![CDATA[", b"</", b"NaN,NaN", b"0" * 400, "e\u0301".encode(), b"\xf0\x9f\x92\x89",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Fuzzed:
    """What came of the damaged inputs: how many of each kind, what went wrong, and what it cost."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    growth_mb: float = 0.0
    snapshot: str = ""


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage bytes in one to three ways, without regard to what they are."""
    for _ in range(int(rng.integers(1, 4))):
        data = _WAYS[int(rng.integers(len(_WAYS)))](data, rng)
    return data


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(0, max(1, len(data)), int(rng.integers(1, 9))):
        if changed:
            changed[int(place)] = int(rng.integers(256))
    return bytes(changed)


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data) + 1))]


def _insert(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(data) + 1))
    return data[:at] + _WORDS[int(rng.integers(len(_WORDS)))] + data[at:]


def _replace_cell(data: bytes, rng: np.random.Generator) -> bytes:
    """Put an odd word in the place of one between two commas or quotes."""
    marks = [i for i, byte in enumerate(data[:20_000]) if byte in b',"|\n']
    if len(marks) < 2:
        return data
    place = int(rng.integers(0, len(marks) - 1))
    return data[: marks[place] + 1] + _WORDS[int(rng.integers(len(_WORDS)))] + data[marks[place + 1] :]


def _repeat(data: bytes, rng: np.random.Generator) -> bytes:
    begin, end = sorted(int(place) for place in rng.integers(0, len(data) + 1, 2))
    return data[:end] + data[begin : min(end, begin + 5_000)] + data[end:]


_WAYS: Final[tuple[Callable[[bytes, np.random.Generator], bytes], ...]] = (
    _flip, _cut, _insert, _insert, _replace_cell, _replace_cell, _replace_cell, _repeat,
)  # fmt: skip


def fuzz_deliveries(folder: Path, *, inputs: int, seed: int) -> Fuzzed:
    """Deliver damaged files of every kind until there were enough, and run the trial they leave.

    Nothing but a `CorelabError` may come out of a delivery, and each file must be done in five seconds.
    """
    outcome = Fuzzed()
    home = create_home(folder / "home", study_text=builtin_study().source)
    bases = make_bases(folder / "whole")
    ingest(home, [folder / "whole"], at=NOW, actor="test")
    rng = np.random.default_rng(seed)
    before = _read_peak_mb()
    number = 0
    while outcome.counts.total() < inputs:
        delivery = folder / f"{number}"
        names = rng.choice(sorted(bases), size=min(10, inputs), replace=False)
        for name in names:
            place = delivery / str(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(damage(bases[str(name)], rng))
            outcome.counts[Path(str(name)).suffix.removeprefix(".") or "?"] += 1
        began = time.perf_counter()
        _watch(lambda: ingest(home, [delivery], at=NOW, actor="test"), f"delivery {number}", outcome)  # noqa: B023
        outcome.slowest_s = max(outcome.slowest_s, (time.perf_counter() - began) / len(names))
        number += 1
    outcome.growth_mb = _read_peak_mb() - before
    _finish(home, outcome)
    home.close()
    return outcome


def _watch(work: Callable[[], object], what: str, outcome: Fuzzed) -> None:
    try:
        work()
    except CorelabError as error:
        if "\n" in str(error):
            outcome.wrong.append(f"{what}: {error!r}")
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        place = traceback.extract_tb(error.__traceback__)[-1]
        outcome.wrong.append(f"{what}: {error!r} in {Path(place.filename).name}:{place.lineno}")


def _finish(home: Home, outcome: Fuzzed) -> None:
    _watch(lambda: run(home, at=NOW), "the run at the end", outcome)
    current = home.snapshots.current()
    outcome.snapshot = current.id if current else ""
    outcome.wrong += home.registry.audit.verify()


def _read_peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def make_bases(folder: Path) -> dict[str, bytes]:
    """Write one sound delivery of every kind of file, and return its files by path."""
    plate = fill_plate()
    tubes = {name: make_tube(seed) for seed, name in enumerate(("fcs/a.fcs", "fcs/b.fcs"), start=1)}
    signals = {"IL-6": read_signals(plate, cv=0.03), "IFN-g": read_signals(plate, cv=0.03, seed=2)}
    detectors = tubes["fcs/a.fcs"][0].detectors[:3]
    rows = [",".join(detectors), *(",".join("1" if i == j else "0.02" for j in range(3)) for i in range(3))]
    files = {
        **{name: data for name, (_, data) in tubes.items()},
        "gates.wsp": make_workspace({"a.fcs": tubes["fcs/a.fcs"][0]}),
        "a.gml": make_gatingml(file="a.fcs"),
        "own.spill.csv": "\n".join(rows).encode(),
        "plates/p1.csv": write_xponent(plate, signals),
        "plates/p2.csv": write_matrix(plate, signals["IL-6"]),
        "plates/p3.csv": write_msd(plate, signals),
    }
    specimens = {name: {"subject_id": "S-1", "visit": "D7", "collected_at": "2025-03-10T08:00"}
                 for name in ("S1", "S2")}  # fmt: skip
    layout = layout_rows(plate, specimens, name="p1")
    write_delivery(folder, tables={**_TABLES, "plates/layout": layout}, files=files)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
