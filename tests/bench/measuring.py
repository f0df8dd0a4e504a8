"""How the comparison of speed measures: medians of repeats on one thread, memory in a process of its own."""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from corelab.synthetic.fcs import Channel, encode_fcs, encode_head, format_spillover
from corelab.vocabulary import Panel
from tests.validation.gate_tubes import draw_tube

REPEATS: Final = 5
ONE_THREAD: Final = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
_LEFT_OUT: Final = ("CD14", "CD19")
_LARGE_LEFT_OUT: Final = (*_LEFT_OUT, "CD95", "PD1", "TIM-3", "LAG-3", "HLA-DR", "CD25")
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

    ``limit`` is what must hold, in words that begin with ``under``, ``at most`` or ``at least`` and a number;
    empty where nothing is asked.
    """

    name: str
    value: float
    unit: str
    limit: str
    note: str

    @property
    def holds(self) -> bool | None:
        """Whether it holds, None where nothing is asked."""
        found = re.match(r"(under|at most|at least) ([0-9.e-]+)", self.limit)
        if found is None:
            return None
        bound = float(found[2])
        if found[1] == "at least":
            return self.value >= bound
        return self.value < bound if found[1] == "under" else self.value <= bound


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
    events, channels, keywords = _draw(n_events, seed, left_out=_LEFT_OUT)
    path.write_bytes(encode_fcs(events, channels, keywords))
    return path


def write_large(path: Path, *, n_events: int, seed: int = 11) -> Path:
    """Write a synthetic CAR-T file of 12 channels, one of 250,000 events over and over, in order of time."""
    n_drawn = min(n_events, 250_000)
    events, channels, keywords = _draw(n_drawn, seed, left_out=_LARGE_LEFT_OUT)
    lasting = float(events[:, -1].max()) + 1.0
    with path.open("wb") as file:
        file.write(encode_head(n_events, channels, keywords))
        for begin in range(0, n_events, n_drawn):
            file.write(events[: n_events - begin].astype("<f4").tobytes())
            events[:, -1] += lasting
    return path


def _draw(
    n_events: int, seed: int, *, left_out: Sequence[str]
) -> tuple[np.ndarray, list[Channel], dict[str, str]]:
    tube = draw_tube(seed, Panel.CART, n_events=n_events, car=60.0, b=60.0).acquisition
    labels = list(zip(tube.detectors, tube.labels, strict=True))
    kept = [i for i, (_, label) in enumerate(labels) if label.split()[:1] not in [[one] for one in left_out]]
    channels = [Channel(name=labels[i][0], label=labels[i][1]) for i in kept]
    names = [one.name for one in channels if tube.spillover and one.name in tube.spillover.detectors]
    places = [tube.spillover.detectors.index(name) for name in names] if tube.spillover else []
    matrix = tube.spillover.matrix[np.ix_(places, places)] if tube.spillover else np.eye(0)
    keywords = {"$SPILLOVER": format_spillover(names, matrix), "$TIMESTEP": "0.01"}
    events = tube.events[:, kept].astype(np.float32)
    return events[np.argsort(events[:, -1], kind="stable")], channels, keywords


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


def time_command(*arguments: str, repeats: int = 1, **environment: str) -> Taken:
    """Measure a command from its start to its end, its workers included."""
    clock, processor = [], []
    for _ in range(repeats):
        begin, before = time.perf_counter(), os.times()
        subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *arguments], check=False, capture_output=True,
            env={**os.environ, **ONE_THREAD, **environment},
        )  # fmt: skip
        after = os.times()
        clock.append(time.perf_counter() - begin)
        processor.append(
            after.children_user - before.children_user + after.children_system - before.children_system
        )
    return Taken(statistics.median(clock), statistics.median(processor))
