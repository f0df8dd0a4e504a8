"""``make bench``: ours beside FlowKit, NumPy and np.fromfile in one run, with date and machine."""

import datetime as dt
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from tests.bench.measuring import ONE_THREAD, Figure, write_tube
from tests.bench.rows import BenchRow

_PACKAGES = ("numpy", "pandas", "flowkit", "flowio", "numba")
_INTRODUCTION = """\
# How fast

Written by `make bench`: medians of five on one thread, from the page cache, all in one run on one machine.
Readings, gates, medians and fits are seconds of the processor, so that other work counts little;
commands are seconds on the clock, with those of the processor beside them. Seconds differ from machine to
machine; ratios tell more. A fit of more than 200,000 events uses an even part of them (every k-th by place);
time quality and counts use all.
"""


def main(out: Path) -> None:
    """Measure everything and write the report."""
    os.environ.update(ONE_THREAD)
    from tests.bench import fitting, reading, running

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        million = write_tube(folder / "million.fcs", n_events=1_000_000)
        half = write_tube(folder / "half.fcs", n_events=500_000)
        small = write_tube(folder / "first.fcs", n_events=20_000)
        rows = [*reading.rows(million), *_compare_gates()]
        figures = [*reading.figures(million), *fitting.figures(half, small)]
        figures += [fitting.measure_growth(300, small), *running.figures(folder)]
    text = format_report(rows, figures)
    out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def _compare_gates() -> list[BenchRow]:
    """Compare the gates and medians of given trees; they are measured in a process of their own."""
    from tests.bench import gating

    return list(gating.rows())


def format_report(rows: list[BenchRow], figures: list[Figure]) -> str:
    """Lay rows and figures out as two tables below date, machine and versions."""
    lines = [_INTRODUCTION, f"{dt.datetime.now(tz=dt.UTC):%d %B %Y}, {describe_machine()}.", ""]
    lines += ["| what | ours, s | beside | its s | times | asked | measured on |", "|---" * 7 + "|"]
    lines += [
        f"| {row.name} | {row.ours_s:.4f} | {row.peer} | {row.peer_s:.4f} | {row.ratio:.2f} "
        f"| {'' if row.target != row.target else f'{row.target:g}'} | {row.note} |"
        for row in rows
    ]
    lines += ["", "| what | measured | asked | how |", "|---|---|---|---|"]
    lines += [f"| {one.name} | {one.value:.3g} {one.unit} | {one.limit} | {one.note} |" for one in figures]
    return "\n".join([*lines, ""])


def describe_machine() -> str:
    """Say what measured: processor, cores, load, versions; no names."""
    text = Path("/proc/cpuinfo")
    found = text.read_text(encoding="utf-8").splitlines() if text.exists() else []
    model = next((line.partition(":")[2].strip() for line in found if line.startswith("model name")), "")
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES if find_spec(name))
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores ({model or platform.machine()}), load {load:.1f} at the end, "
        f"Python {platform.python_version()}, {packages}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
