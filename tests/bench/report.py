"""``make bench``: ours beside FlowKit, NumPy and np.fromfile in one run, with date and machine."""

import datetime as dt
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
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
    found: list[BenchRow | Figure] = []
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        for title, work in list_sections(Path(name)).items():
            sys.stderr.write(f"{time.perf_counter() - begin:.0f} s: {title}\n")
            found += work()
    text = format_report(_drop_repeated(found), minutes=(time.perf_counter() - begin) / 60)
    out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def list_sections(folder: Path) -> dict[str, Callable[[], Sequence[BenchRow | Figure]]]:
    """List what is measured, in order; each part by itself."""
    from tests.bench import files, fitting, gating, reading, running

    million, half = (
        write_tube(folder / f"{n}.fcs", n_events=n) for n in (1_000_000, 500_000)
    )  # fmt: skip
    first, small = (write_tube(folder / f"{n}.fcs", n_events=n) for n in (120_000, 20_000))
    return {
        "reading": lambda: [*reading.rows(million), *reading.figures(million)],
        "gates and medians beside FlowKit": lambda: list(gating.rows()),
        "fits": lambda: fitting.figures(half, first),
        "500 files": lambda: [fitting.measure_growth(500, small)],
        "files": lambda: files.figures(folder),
        "commands": lambda: running.figures(folder),
    }


def _drop_repeated(found: Sequence[BenchRow | Figure]) -> list[BenchRow | Figure]:
    """Keep the first of what has one name, but for rows beside several peers."""
    kept = {(one.name, one.peer if isinstance(one, BenchRow) else ""): one for one in reversed(found)}
    return list(reversed(kept.values()))


def format_report(found: Sequence[BenchRow | Figure], *, minutes: float) -> str:
    """Lay out what must hold, then every row and figure, below date, machine and versions."""
    rows = [one for one in found if isinstance(one, BenchRow)]
    figures = [one for one in found if isinstance(one, Figure)]
    when = f"{dt.datetime.now(tz=dt.UTC):%d %B %Y}, {describe_machine()}; measured in {minutes:.0f} minutes."
    lines = [_INTRODUCTION, when, "", "## What must hold", ""]
    lines += ["| what | asked | measured | holds |", "|---" * 4 + "|"]
    lines += [_format_verdict(one) for one in found if one.holds is not None]
    lines += ["", "## Side by side", ""]
    lines += ["| what | ours, s | beside | its s | times | asked | measured on |", "|---" * 7 + "|"]
    lines += [
        f"| {row.name} | {row.ours_s:.4f} | {row.peer} | {row.peer_s:.4f} | {row.ratio:.2f} "
        f"| {'' if row.target != row.target else f'{row.target:g}'} | {row.note} |"
        for row in rows
    ]
    lines += ["", "## By itself", "", "| what | measured | asked | how |", "|---|---|---|---|"]
    lines += [f"| {one.name} | {one.value:.3g} {one.unit} | {one.limit} | {one.note} |" for one in figures]
    return "\n".join([*lines, ""])


def _format_verdict(one: BenchRow | Figure) -> str:
    answer = "yes" if one.holds else "**no**"
    if isinstance(one, BenchRow):
        asked, measured = f"at least {one.target:g} x {one.peer}", f"{one.ratio:.2f} x"
    else:
        asked, measured = f"{one.limit} {one.unit}", f"{one.value:.3g} {one.unit}"
    return f"| {one.name} | {asked} | {measured} | {answer} |"


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
