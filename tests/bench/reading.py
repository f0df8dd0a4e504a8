"""Reading list mode beside NumPy's own reading of the same bytes and beside the usual libraries."""

from pathlib import Path

import flowio
import flowkit
import numpy as np

from corelab.cytometry.records import MOST_AT_ONCE
from corelab.ingest.fcs import map_file, read_fcs
from tests.bench.measuring import Figure, measure, run_alone
from tests.bench.rows import BenchRow

_PEAK = """
import sys
from pathlib import Path
from corelab.ingest.fcs import map_file, read_fcs
before = read_peak()
events = read_fcs(map_file(Path(sys.argv[1])), name="x").events
events.max()
print(read_peak() - before)
"""


def rows(file: Path) -> list[BenchRow]:
    """Compare the reading of one file, from the page cache."""
    n_bytes = 4 * read_fcs(map_file(file), name="x").events.size
    offset = file.stat().st_size - n_bytes
    ours = measure(lambda: read_fcs(map_file(file), name="x"))
    turned = measure(lambda: read_fcs(map_file(file), name="x", by_column=MOST_AT_ONCE))
    plain = measure(lambda: np.ascontiguousarray(np.fromfile(file, "<f4", offset=offset).reshape(-1, 18).T))
    peers = {
        "np.fromfile": (measure(lambda: np.fromfile(file, "<f4", offset=offset)), 0.6),
        "np.memmap, each number looked at": (
            measure(lambda: np.memmap(file, "<f4", mode="r", offset=offset).max()), float("nan"),
        ),
        f"FlowIO {flowio.__version__}": (
            measure(lambda: flowio.FlowData(str(file)).as_array()), float("nan")
        ),
        f"FlowKit {flowkit.__version__} Sample": (
            measure(lambda: flowkit.Sample(str(file))), float("nan")
        ),
    }  # fmt: skip
    by_column = BenchRow(
        name="reading, channel by channel", ours_s=turned, peer="np.fromfile and a copy of the transpose",
        peer_s=plain, ratio=plain / turned, target=float("nan"), note="as gating reads: copied and checked",
    )  # fmt: skip
    rows = [
        BenchRow(
            name="reading", ours_s=ours, peer=peer, peer_s=seconds, ratio=seconds / ours, target=target,
            note=f"{n_bytes / 1e6:.0f} MB, every number checked to be finite",
        )
        for peer, (seconds, target) in peers.items()
    ]  # fmt: skip
    return [*rows, by_column]


def figures(file: Path) -> list[Figure]:
    """Measure the memory that reading takes, in a process of its own."""
    peak = run_alone(_PEAK, str(file))[0] / file.stat().st_size
    return [
        Figure(
            name="memory of reading",
            value=peak,
            unit="files",
            limit="",
            note="peak above imports, from a mapped file",
        ),
    ]
