"""Fitting a tube: time quality, noise, limits, checks, counts and medians of all populations."""

from pathlib import Path

from tests.bench.measuring import REPEATS, Figure, run_alone

_FIT = """
import statistics, sys, time
from pathlib import Path
from corelab.cytometry import gating
from corelab.cytometry.quality import builtin_limits
from corelab.cytometry.template import load_template
from corelab.ingest.fcs import map_file, read_fcs
template, _ = load_template("cart"), builtin_limits()
gating.gate_acquisition(read_fcs(map_file(Path(sys.argv[2])), name="x"), template=template)
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
    gating.gate_acquisition(read_fcs(map_file(Path(sys.argv[1])), name="x"), template=template)
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
            limit="1.5", note="peak above imports and a small file, five files one after the other",
        ),
    ]  # fmt: skip


def measure_growth(files: int, small: Path) -> Figure:
    """Measure how much more memory the last of many small files takes than the tenth."""
    code = _GROWTH
    first, last = run_alone(code, str(small), str(files))
    return Figure(
        name="memory over many files", value=last - first, unit="MB", limit="flat",
        note=f"growth of the peak from file 10 to file {files}",
    )  # fmt: skip


_GROWTH = """
import sys
from pathlib import Path
from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.template import load_template
from corelab.ingest.fcs import map_file, read_fcs
template, peaks = load_template("cart"), []
for _ in range(int(sys.argv[2])):
    gate_acquisition(read_fcs(map_file(Path(sys.argv[1])), name="x"), template=template)
    peaks.append(read_peak() / 1e6)
print(peaks[9], peaks[-1])
"""
