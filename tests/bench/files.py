"""Files through ``corelab gate``: large ones by one and two workers, one of 20 million events, many small."""

import shutil
import statistics
from pathlib import Path

from tests.bench.measuring import (
    Figure,
    Taken,
    run_alone,
    time_command,
    write_large,
    write_tube,
)

_FIRST = 120_000
"""Events of a file for which the compiled loops are loaded."""

_LARGE = """
import sys, time
from pathlib import Path
from corelab.cytometry.template import load_template
from pipelines.gate import GateJob, gate_file
def gate(path):
    return gate_file(GateJob(path=Path(path), template=load_template("cart"), labels=()))
gate(sys.argv[1])
before, begin = read_peak(), time.process_time()
outcome = gate(sys.argv[2])
counts = {row["population"]: row["count"] for row in outcome.rows if row["table"] == "counts"}
seconds, peak = time.process_time() - begin, read_peak()
print((peak - before) / 1e6, peak / 1e6, seconds, counts["events"], counts["car_t"])
"""

_IMPORTED = """
import sys
from pathlib import Path
import pipelines.gating
from corelab.cytometry.template import load_template
from pipelines.gate import GateJob, gate_file
gate_file(GateJob(path=Path(sys.argv[1]), template=load_template("cart"), labels=()))
print(len({"flowkit", "flowio", "flowutils", "scanpy", "anndata", "dash"} & set(sys.modules)))
"""

_MANY = """
import sys, time
from pathlib import Path
from corelab.cytometry.template import load_template
from pipelines.gate import GateJob, gate_file
job = GateJob(path=Path(sys.argv[1]), template=load_template("cart"), labels=())
gate_file(job)
for n in map(int, sys.argv[2:]):
    begin = time.process_time()
    for _ in range(n):
        gate_file(job)
    print(1000 * (time.process_time() - begin) / n)
"""


def figures(
    folder: Path, *, files: int = 10, n_events: int = 500_000, n_large: int = 20_000_000, repeats: int = 3
) -> list[Figure]:
    """Measure all of them; every size may be lowered."""
    first = [str(write_tube(folder / f"first{i}.fcs", n_events=_FIRST, seed=30 + i)) for i in range(2)]
    return [
        *measure_workers(folder, first, files=files, n_events=n_events, repeats=repeats),
        *measure_large(folder, first[0], n_events=n_large),
        *measure_many(folder),
        measure_imports(first[0]),
        measure_first_start(folder, first[0]),
    ]


def measure_workers(
    folder: Path, first: list[str], *, files: int, n_events: int, repeats: int
) -> list[Figure]:
    """Measure ``corelab gate`` on large files by one worker and by two, in turn.

    The start is what two files take for which each worker loads what it needs.
    """
    drawn = [write_tube(folder / f"large{i}.fcs", n_events=n_events, seed=20 + i) for i in range(2)]
    paths = [*drawn, *(Path(shutil.copy(drawn[i % 2], folder / f"copy{i}.fcs")) for i in range(files - 2))]
    given = {"1": first[:1], "2": first}
    taken: dict[str, list[tuple[Taken, Taken]]] = {"1": [], "2": []}
    for _ in range(repeats):
        for workers, small in given.items():
            start, done = (
                time_command("gate", *map(str, one), "--panel", "cart", "--workers", workers)
                for one in (small, paths)
            )
            taken[workers].append((start, done))
    for path in paths:
        path.unlink()
    one, two = (_net([(s.clock, d.clock) for s, d in taken[workers]]) for workers in ("1", "2"))
    own, both = (_net([(s.processor, d.processor) for s, d in taken[workers]]) for workers in ("1", "2"))
    what = f"{files} files of {n_events:,} events with fits and medians, after start-up"
    events = files * n_events / 1e6
    return [
        Figure(
            name="`corelab gate` by two workers", value=events / two, unit="million events/s",
            limit="at least 1.5",
            note=f"{what}, on the clock; {events / both:.2f} million a second of the processor",
        ),
        Figure(
            name="two workers beside one", value=one / two, unit="times", limit="at least 1.8",
            note=f"the same files on the clock, {one:.1f} s and {two:.1f} s; of the processor "
            f"{own:.1f} s and {both:.1f} s, so that {2 * own / both:.2f} is what it allows",
        ),
    ]  # fmt: skip


def _net(pairs: list[tuple[float, float]]) -> float:
    return statistics.median(done for _, done in pairs) - statistics.median(start for start, _ in pairs)


def measure_large(folder: Path, first: str, *, n_events: int) -> list[Figure]:
    """Measure one file larger than what is gated at once, after a small one."""
    path = write_large(folder / "huge.fcs", n_events=n_events)
    size = path.stat().st_size / 1e6
    above, peak, seconds, seen, cells = run_alone(_LARGE, first, str(path))
    path.unlink()
    what = f"{seen:,.0f} events x 12, {size:.0f} MB, fits and medians with it, {cells:,.0f} CAR-T cells"
    return [
        Figure(
            name="memory of a large file", value=above, unit="MB", limit="at most 600",
            note=f"{what}; above imports and a first file, with them {peak:.0f} MB",
        ),
        Figure(
            name="speed of a large file", value=seen / 1e6 / seconds, unit="million events/s", limit="",
            note="of the processor, one process; medians and spreads by bins of a 1024th of a doubling",
        ),
    ]  # fmt: skip


def measure_many(folder: Path, *, counts: tuple[int, ...] = (10, 100, 1000)) -> list[Figure]:
    """Measure what a small file costs in a row of them."""
    small = write_tube(folder / "tiny.fcs", n_events=2000)
    each = run_alone(_MANY, str(small), *map(str, counts))
    costs = ", ".join(f"{cost:.1f} ms of {n}" for cost, n in zip(each, counts, strict=True))
    return [
        Figure(
            name="cost per small file", value=100 * (max(each) / min(each) - 1), unit="%",
            limit="at most 20", note=f"a file of 2,000 events, seconds of the processor: {costs}",
        )
    ]  # fmt: skip


def measure_imports(first: str) -> Figure:
    """Count what a gating worker must not load."""
    return Figure(
        name="heavy imports of a gating worker", value=run_alone(_IMPORTED, first)[0], unit="packages",
        limit="at most 0", note="of FlowKit, FlowIO, FlowUtils, scanpy, anndata and Dash, after a file",
    )  # fmt: skip


def measure_first_start(folder: Path, first: str) -> Figure:
    """Measure the very first start, when nothing is compiled."""
    taken = time_command("gate", first, "--panel", "cart", NUMBA_CACHE_DIR=str(folder / "numba"))
    return Figure(
        name="the very first start", value=taken.clock, unit="s", limit="",
        note=f"`corelab gate` of {_FIRST:,} events with no loop compiled yet, once; {taken.words}",
    )  # fmt: skip
