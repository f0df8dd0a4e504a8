"""Fitting a tube: time quality, noise, limits, checks, counts and medians of all populations."""

from pathlib import Path

from tests.bench.measuring import REPEATS, Figure, run_alone

_FIT = """
import statistics, sys, time
from pathlib import Path
from corelab.cytometry import gating
from corelab.cytometry.quality import builtin_limits
from corelab.cytometry.records import MOST_AT_ONCE
from corelab.cytometry.template import load_template
from corelab.ingest.fcs import map_file, read_fcs
template, _ = load_template("cart"), builtin_limits()
def gate(path):
    acquisition = read_fcs(map_file(Path(path)), name="x", by_column=MOST_AT_ONCE)
    gating.gate_acquisition(acquisition, template=template)
gate(sys.argv[2])
measured = gating.measure_expression
medians = []
def watched(*given):
    begin = time.process_time()
    found = measured(*given)
    medians.append(time.process_time() - begin)
    return found
gating.measure_expression = watched
before, fits = read_peak(), []
for _ in range(int(sys.argv[3])):
    begin = time.process_time()
    gate(sys.argv[1])
    fits.append(time.process_time() - begin - medians[-1])
peak = read_peak() - before
print(statistics.median(fits), statistics.median(medians), peak)
"""


def figures(file: Path, small: Path) -> list[Figure]:
    """Measure one file several times in one process, after a small one."""
    fit, medians, peak = run_alone(_FIT, str(file), str(small), str(REPEATS))
    return [
        Figure(
            name="fit, quality and counts", value=fit, unit="s", limit="under 0.5",
            note="500,000 x 18, reading and all 97 populations of the CAR-T panel with it, medians apart",
        ),
        Figure(
            name="medians and spreads", value=medians, unit="s", limit="",
            note="14 markers in 8 populations of the same file",
        ),
        Figure(
            name="memory of gating by fits", value=peak / file.stat().st_size, unit="files",
            limit="at most 1.5",
            note="peak above imports, compiled loops among them, and a small file; five times in turn",
        ),
    ]  # fmt: skip


def measure_growth(files: int, path: Path) -> Figure:
    """Measure how much more memory the last of many files takes than the tenth."""
    first, last = run_alone(_GROWTH, str(path), str(files))
    return Figure(
        name="memory over many files", value=100 * (last / first - 1), unit="%", limit="at most 2",
        note=f"growth of one process's peak from file 10 to {files}; {first:.0f} MB and {last:.0f} MB",
    )  # fmt: skip


_GROWTH = """
import sys
from pathlib import Path
from corelab.cytometry.template import load_template
from pipelines.gate import GateJob, gate_file
job, peaks = GateJob(path=Path(sys.argv[1]), template=load_template("cart"), labels=()), []
for _ in range(int(sys.argv[2])):
    gate_file(job)
    peaks.append(read_peak() / 1e6)
print(peaks[9], peaks[-1])
"""
