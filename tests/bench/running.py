"""Whole commands: cold starts, many files, a run, a run with nothing new, a run with one new file."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.bench.measuring import REPEATS, Figure, Taken, run_alone, time_command, write_tube

_IMPORTS = """
import sys, time
begin = time.perf_counter()
import {module}
print(time.perf_counter() - begin, sum(name in sys.modules for name in ("flowkit", "scanpy", "dash")))
"""


_MANY = """
import sys, time
from pathlib import Path
from pipelines.gate import gate_files

paths = sorted(Path(sys.argv[1]).glob("*.fcs"))
out = Path(sys.argv[1]) / "counts.csv"
gate_files(paths[:3], panel="cart", out=out)
for n in map(int, sys.argv[2:]):
    begin = time.process_time()
    gate_files(paths[:n], panel="cart", out=out)
    print((time.process_time() - begin) / n)
"""


def figures(folder: Path) -> list[Figure]:
    """Measure what a person waits for."""
    return [*measure_starts(folder), *measure_many(folder), *measure_gate(folder), *measure_run(folder)]


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


def measure_many(folder: Path, *, numbers: Sequence[int] = (10, 100, 1000)) -> list[Figure]:
    """Measure what a small file costs among few and among many; every file has other bytes."""
    many = folder / "many"
    many.mkdir()
    data = bytearray(write_tube(folder / "one.fcs", n_events=2000).read_bytes())
    for i in range(max(numbers)):
        data[-4:-2] = i.to_bytes(2, "little")
        (many / f"{i:05d}.fcs").write_bytes(data)
    # The few are measured several times, of which the median counts.
    rounds = [n for n in numbers for _ in range(max(1, min(REPEATS, max(numbers) // n // 10)))]
    seconds = run_alone(_MANY, str(many), *map(str, rounds))
    shutil.rmtree(many)
    costs = [median(one for n, one in zip(rounds, seconds, strict=True) if n == number) for number in numbers]
    return [
        Figure(
            name="cost of a small file, dearest beside cheapest", value=max(costs) / min(costs), unit="times",
            limit="1.2", note=", ".join(
                f"{1000 * cost:.1f} ms of the processor among {n:,}"
                for n, cost in zip(numbers, costs, strict=True)
            ),
        )
    ]  # fmt: skip


def measure_gate(folder: Path, *, files: int = 10, n_events: int = 500_000) -> list[Figure]:
    """Measure ``corelab gate`` on large files; what two small files take counts as the start."""
    paths = [write_tube(folder / f"large{i}.fcs", n_events=n_events, seed=20 + i) for i in range(2)]
    paths += [Path(shutil.copy(paths[i % 2], folder / f"copy{i}.fcs")) for i in range(files - 2)]
    small = [str(write_tube(folder / f"small{i}.fcs", n_events=1000, seed=i)) for i in range(2)]
    command = ("--panel", "cart", "--workers")
    start = time_command("gate", *small, *command, "2", repeats=3)
    one, two = (time_command("gate", *map(str, paths), *command, n) for n in ("1", "2"))
    for path in paths:
        path.unlink()
    per_second = files * n_events / 1e6 / (two.clock - start.clock)
    of_processor = files * n_events / 1e6 / (two.processor - start.processor)
    return [
        Figure(
            name="`corelab gate`, 2 workers", value=per_second, unit="million events/s", limit="1.5",
            note=f"{files} files of {n_events:,} events with fits and medians, after start-up; "
            f"{of_processor:.2f} million a second of the processor",
        ),
        Figure(
            name="two workers beside one", value=one.clock / two.clock, unit="times", limit="1.8",
            note=f"the same files, start-up included; {one.clock:.1f} s and {two.clock:.1f} s",
        ),
    ]  # fmt: skip


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
