"""Whole commands: cold starts, many files, a run, a run with nothing new, a run with one new file."""

import csv
from pathlib import Path

from tests.bench.measuring import REPEATS, Figure, Taken, run_alone, time_command, write_tube

_IMPORTS = """
import sys, time
begin = time.perf_counter()
import {module}
print(time.perf_counter() - begin, sum(name in sys.modules for name in ("flowkit", "scanpy", "dash")))
"""


def figures(folder: Path) -> list[Figure]:
    """Measure what a person waits for."""
    return [*measure_starts(folder), *measure_run(folder)]


def measure_starts(folder: Path) -> list[Figure]:
    """Measure starts of the interpreter, with compiled modules in place."""
    small = write_tube(folder / "small.fcs", n_events=20_000)
    helped = time_command("--help", repeats=REPEATS)
    gated = time_command("gate", str(small), "--panel", "cart", repeats=REPEATS)
    found = [
        _time("`corelab --help`", helped, "under 0.5, better 0.3", "from the start of the process"),
        _time("first gated file", gated, "under 2", "`corelab gate` of 20,000 events, cold"),
    ]
    for module in ("corelab", "corelab.cytometry.gating", "pipelines.gate"):
        seconds, heavy = run_alone(_IMPORTS.format(module=module))
        found.append(
            Figure(
                name=f"import {module}", value=seconds, unit="s", limit="",
                note=f"brings in {heavy:.0f} of FlowKit, scanpy and Dash",
            )
        )  # fmt: skip
    return found


def _time(name: str, taken: Taken, limit: str, note: str) -> Figure:
    return Figure(name=name, value=taken.clock, unit="s", limit=limit, note=f"{note}; {taken.words}")


def measure_run(folder: Path, *, subjects: int = 39) -> list[Figure]:
    """Measure a run of about 1,000 synthetic files, again with nothing new, and with one new file."""
    delivery, home = folder / "delivery", str(folder / "home")
    time_command("simulate", str(delivery), "--subjects", str(subjects), "--events", "2000", "--seed", "5")
    what = f"{len(list(delivery.rglob('*.fcs')))} files of 2,000 events, {subjects} children"
    time_command("init", home)
    ingest = time_command("ingest", home, str(delivery))
    whole = time_command("run", home, "--workers", "2")
    nothing = time_command("run", home, repeats=REPEATS)
    time_command("ingest", home, str(_deliver_one_more(delivery, folder / "late")))
    one = time_command("run", home, "--workers", "2")
    return [
        _time("`corelab ingest`", ingest, "", f"{what}, once"),
        _time("`corelab run`", whole, "", f"{what}, 2 workers, once"),
        _time("run with nothing new", nothing, "under 2 for 1,000 files", what),
        _time("run with one new file", one, "under 5 for 1,000 files", f"{what}, once"),
    ]


def _deliver_one_more(delivery: Path, late: Path) -> Path:
    """Write a delivery of one file: a tube of an unscheduled visit."""
    with (delivery / "manifest.csv").open(encoding="utf-8", newline="") as file:
        given = list(csv.DictReader(file))
    row = next(row for row in given if row["panel"] == "cart" and row["tube"] == "full" and row["subject_id"])
    data = bytearray((delivery / row["file"]).read_bytes())
    data[-3] ^= 0x11
    late.mkdir()
    (late / "late.fcs").write_bytes(data)
    day, _, _ = row["collected_at"].partition("T")
    row |= {"file": "late.fcs", "visit": "UNS", "collected_at": f"{day}T23:11"}
    with (late / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        writer.writeheader()
        writer.writerow(row)
    return late
