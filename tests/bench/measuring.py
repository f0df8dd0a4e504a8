"""How the comparison of speed measures: medians of repeats on one thread, memory in a process of its own."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from corelab.synthetic.fcs import Channel, encode_fcs, format_spillover
from corelab.vocabulary import Panel
from tests.validation.gate_tubes import draw_tube

REPEATS: Final = 5
ONE_THREAD: Final = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
_LEFT_OUT: Final = ("CD14", "CD19")
PEAK: Final = """
from pathlib import Path
def read_peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""
"""Python that reads the largest memory of its own process: that of `resource` may be its parent's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number that is compared with nothing: memory, rates, seconds of a command.

    ``limit`` is what must hold, in words.
    """

    name: str
    value: float
    unit: str
    limit: str
    note: str


def measure(work: Callable[[], Any], *, repeats: int = REPEATS) -> float:
    """Return the median of the seconds of the processor that some work in this process takes."""
    taken = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


def write_tube(path: Path, *, n_events: int, seed: int = 11) -> Path:
    """Write a synthetic CAR-T tube of 18 channels (4 scatter and time, 14 colours) as float32."""
    tube = draw_tube(seed, Panel.CART, n_events=n_events, car=60.0, b=60.0).acquisition
    labels = list(zip(tube.detectors, tube.labels, strict=True))
    kept = [i for i, (_, label) in enumerate(labels) if not any(name in label for name in _LEFT_OUT)]
    channels = [Channel(name=labels[i][0], label=labels[i][1]) for i in kept]
    names = [one.name for one in channels if tube.spillover and one.name in tube.spillover.detectors]
    places = [tube.spillover.detectors.index(name) for name in names] if tube.spillover else []
    matrix = tube.spillover.matrix[np.ix_(places, places)] if tube.spillover else np.eye(0)
    keywords = {"$SPILLOVER": format_spillover(names, matrix), "$TIMESTEP": "0.01"}
    path.write_bytes(encode_fcs(tube.events[:, kept].astype(np.float32), channels, keywords))
    return path


def run_alone(code: str, *arguments: str) -> list[float]:
    """Run some Python in a process of its own and return the numbers that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK + code, *arguments], check=True, capture_output=True, text=True,
        env={**os.environ, **ONE_THREAD},
    )  # fmt: skip
    return [float(word) for word in done.stdout.split()]


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds on the clock and of the processor, medians over the repeats."""

    clock: float
    processor: float

    @property
    def words(self) -> str:
        """The seconds of the processor, for a note."""
        return f"{self.processor:.2f} s of the processor"


def time_command(*arguments: str, repeats: int = 1) -> Taken:
    """Measure a command from its start to its end, its workers included."""
    clock, processor = [], []
    for _ in range(repeats):
        begin, before = time.perf_counter(), os.times()
        subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *arguments], check=False, capture_output=True,
            env={**os.environ, **ONE_THREAD},
        )  # fmt: skip
        after = os.times()
        clock.append(time.perf_counter() - begin)
        processor.append(
            after.children_user - before.children_user + after.children_system - before.children_system
        )
    return Taken(statistics.median(clock), statistics.median(processor))
