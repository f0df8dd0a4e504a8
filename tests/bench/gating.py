"""Gating and medians side by side with FlowKit, in one process on one core.

``python -m tests.bench.gating`` prints the rows. The timing runs in a process of its own, whose libraries get
one thread each; seconds are those of its core (`time.process_time`), so that other work on the machine does
not count for or against either side.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import flowkit as fk
import numpy as np
import pandas as pd

from corelab.cytometry.interchange.model import EMBEDDED, Dimension, GateTree
from corelab.cytometry.interchange.reference import evaluate_plainly
from corelab.cytometry.kernel.gates import Membership, Plan, gate_rows, make_plan
from corelab.cytometry.kernel.medians import Columns, Middles, measure_rows, plan_columns
from corelab.ingest.fcs import Acquisition, parse_fcs_segments, read_fcs
from corelab.ingest.fcs_events import locate_data, parse_channels
from tests.bench.measuring import Figure
from tests.bench.rows import BenchRow
from tests.bench.tree import MARKERS, make_tree, make_tube, write_fcs
from tests.cytometry.kernel.flowkit_tree import find_path, make_strategy

ROOT = Path(__file__).parents[2]
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
N_EVENTS = 1_000_000
REPEATS = 5
NAN = float("nan")
Stage = tuple[str, str, float, str, Callable[[], object], Callable[[], object]]
PEER = f"FlowKit {fk.__version__}"


def rows(n_events: int = N_EVENTS, repeats: int = REPEATS) -> Iterator[BenchRow | Figure]:
    """Time the tree of 15 gates and 33 populations on synthetic events; every answer is compared first."""
    command = [sys.executable, "-m", "tests.bench.gating", "--rows", str(n_events), str(repeats)]
    said = subprocess.run(
        command, cwd=ROOT, env=os.environ | dict.fromkeys(THREADS, "1"), check=True, stdout=subprocess.PIPE,
        text=True,
    ).stdout  # fmt: skip
    for line in said.splitlines():
        found = json.loads(line)
        yield Figure(**found) if "unit" in found else BenchRow(**found)


def measure(n_events: int, repeats: int) -> Iterator[BenchRow | Figure]:
    """Time the tree in this process, with whatever threads its libraries have."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_fcs(Path(folder) / "bench.fcs", make_tube(n_events, seed=7))
        yield from _compare(path, n_events, repeats)


def _compare(path: Path, n_events: int, repeats: int) -> Iterator[BenchRow | Figure]:
    tree = make_tree()
    head = read_fcs(path.read_bytes(), name=path.name)
    plan, columns = make_plan(tree, head), plan_columns(head, [_colour(name) for name in MARKERS])
    strategy = make_strategy(tree)
    sample, events = _read_by_flowkit(path), map_rows(path)
    paths = [find_path(tree, name) for name in plan.names]
    found = gate_rows(plan, events)
    yield from _check(tree, found, sample, strategy)
    middles, frame = _measure_ours(path, plan, columns), _measure_by_flowkit(path, paths, strategy)
    yield Figure(
        name="medians beside FlowKit and pandas", value=float(np.nanmax(np.abs(middles.median / frame - 1))),
        unit="relative", limit="at most 1e-12", note="largest difference, 12 channels in 33 populations",
    )  # fmt: skip
    masks = [found.mask(name) for name in found.names]
    stages: list[Stage] = [
        (
            "gate 15 gates, 33 populations, membership", PEER, 60.0, "stretch 100",
            lambda: gate_rows(plan, events), lambda: strategy.gate_sample(sample),
        ),
        (
            "read + gate", PEER, 45.0, "stretch 80; mapped list mode; FlowKit: Sample and gate_sample",
            lambda: gate_rows(plan, map_rows(path)), lambda: strategy.gate_sample(_read_by_flowkit(path)),
        ),
        (
            "read + gate + medians of 12 channels in 33 populations", f"{PEER}, pandas {pd.__version__}",
            15.0, "stretch 30", lambda: _measure_ours(path, plan, columns),
            lambda: _measure_by_flowkit(path, paths, strategy),
        ),
        (
            "read + gate + medians, the peer with cache_events",
            f"{PEER}, pandas {pd.__version__}", 15.0, "the peer keeps transformed events",
            lambda: _measure_ours(path, plan, columns),
            lambda: _measure_by_flowkit(path, paths, strategy, cache_events=True),
        ),
        (
            "gate, the same tree", "plain NumPy", NAN, "the reference: scales by SciPy, masks in full size",
            lambda: gate_rows(plan, events), lambda: evaluate_plainly(tree, head),
        ),
        (
            "medians of 12 channels in 33 populations", "plain NumPy", NAN, "product and np.median",
            lambda: measure_rows(columns, events, words=found.words, n_populations=len(masks), spread=False),
            lambda: _measure_by_numpy(head, masks),
        ),
    ]  # fmt: skip
    for name, peer, target, note, ours, theirs in stages:
        own, other = _time([ours, theirs], repeats)
        yield BenchRow(
            name=f"{name} ({n_events:,} x 18)", ours_s=own, peer=peer, peer_s=other, ratio=other / own,
            target=target, note=note,
        )  # fmt: skip


def _measure_by_numpy(head: Acquisition, masks: list[np.ndarray]) -> np.ndarray:
    """Compensate by the inverse and take medians, one population after the other."""
    places = [head.detectors.index(name) for name in MARKERS]
    true = head.events[:, places].astype(float) @ np.linalg.inv(head.spillover.matrix)
    return np.array([np.median(true[mask], axis=0) for mask in masks])


def _colour(name: str) -> Dimension:
    return Dimension(channel=name, compensation=EMBEDDED)


def map_rows(path: Path) -> np.ndarray:
    """List mode of a float32 file as it lies on the disk, ``(n_events, n_channels)``."""
    with path.open("rb") as handle:
        segments = parse_fcs_segments(handle.read(1 << 16), name=path.name)
    channels = parse_channels(segments)
    span, n_events = locate_data(segments, channels, n_bytes=path.stat().st_size)
    flat = np.memmap(path, dtype="<f4", mode="r", offset=span.begin, shape=(n_events * len(channels),))
    return np.asarray(flat).reshape(n_events, len(channels))


def _read_by_flowkit(path: Path) -> fk.Sample:
    return fk.Sample(path, sample_id="bench")


def _measure_ours(path: Path, plan: Plan, columns: Columns) -> Middles:
    events = map_rows(path)
    found = gate_rows(plan, events)
    return measure_rows(columns, events, words=found.words, n_populations=len(found.names), spread=False)


def _measure_by_flowkit(
    path: Path, paths: list[tuple[str, ...]], strategy: fk.GatingStrategy, *, cache_events: bool = False
) -> np.ndarray:
    """Medians in the order of our populations, ``(33, 12)``."""
    sample = _read_by_flowkit(path)
    results = strategy.gate_sample(sample, cache_events=cache_events)
    sample.apply_compensation(sample.metadata["spillover"])
    frame = sample.as_dataframe(source="comp", col_order=list(MARKERS))
    inside = (results.get_gate_membership(one[-1], gate_path=one[:-1]) for one in paths)
    return np.array([frame[mask].median().to_numpy() for mask in inside])


def _check(
    tree: GateTree, ours: Membership, sample: fk.Sample, strategy: fk.GatingStrategy
) -> Iterator[Figure]:
    """Compare every membership bit and say how much of its parent a population holds."""
    results = strategy.gate_sample(sample)
    differing, shares = 0, []
    for name in ours.names:
        expected = results.get_gate_membership(name, gate_path=find_path(tree, name)[:-1])
        differing += int((ours.mask(name) != expected).sum())
        parent = tree.gates[name].parent
        above = int(ours.counts[ours.names.index(parent)]) if parent else len(expected)
        shares.append(100 * int(ours.counts[ours.names.index(name)]) / above)
    bits = len(ours.names) * len(ours.words)
    yield Figure(
        name="membership beside FlowKit", value=differing, unit="bits differ", limit="at most 0",
        note=f"of {bits:,}, all 33 counts with them",
    )  # fmt: skip
    for name, share, limit in (("least", min(shares), "at least 5"), ("most", max(shares), "at most 95")):
        yield Figure(
            name=f"{name} that a population holds", value=share, unit="% of its parent", limit=limit,
            note="the tree by which gates are timed",
        )  # fmt: skip


def _time(calls: list[Callable[[], object]], repeats: int) -> list[float]:
    """Return the median of each call's times, taken in turn, after one that is not counted."""
    taken: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 1):
        for call, times in zip(calls, taken, strict=True):
            start = time.process_time()
            call()
            if turn:
                times.append(time.process_time() - start)
    return [statistics.median(times) for times in taken]


def main(words: list[str]) -> None:
    """Print the rows, as lines of JSON with ``--rows``."""
    sizes = [int(word) for word in words if word != "--rows"]
    if "--rows" in words:
        for row in measure(*sizes):
            sys.stdout.write(json.dumps(asdict(row)) + "\n")
        return
    for row in rows(*sizes):
        if isinstance(row, Figure):
            sys.stdout.write(f"{row.name}: {row.value:.3g} {row.unit} ({row.limit}); {row.note}\n")
            continue
        sys.stdout.write(
            f"{row.name}: ours {row.ours_s * 1000:.1f} ms, {row.peer} {row.peer_s:.2f} s, "
            f"{row.ratio:.1f} x{'' if row.holds is None else f' (at least {row.target:g} x)'}; {row.note}\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
