"""Small made acquisitions with known populations, for tests of the gates."""

from collections.abc import Mapping, Sequence

import numpy as np

from corelab.ingest.fcs import Acquisition, Spillover


def make_acquisition(
    columns: Mapping[str, np.ndarray],
    *,
    labels: Mapping[str, str] | None = None,
    spillover: Spillover | None = None,
    upper: float = 262144.0,
    name: str = "made.fcs",
) -> Acquisition:
    """An acquisition of these columns; detectors are the keys."""
    events = np.column_stack(list(columns.values())).astype(float)
    return Acquisition(
        name=name,
        version="FCS3.1",
        events=events,
        detectors=tuple(columns),
        labels=tuple((labels or {}).get(detector, "") for detector in columns),
        ranges=np.full(len(columns), upper),
        time_step=0.01,
        keywords={},
        spillover=spillover,
    )


LEVELS = {
    # population: CD45, CD3, CD4, CD8, CAR, CD45RA, CCR7, CD95, in spreads of the negative
    "cd4_naive": (60, 60, 50, 0, 0, 40, 40, 0),
    "cd4_cm": (60, 60, 50, 0, 0, 0, 40, 25),
    "cd4_em": (60, 60, 50, 0, 0, 0, 0, 25),
    "cd8_naive": (60, 60, 0, 60, 0, 40, 40, 0),
    "cd8_em": (60, 60, 0, 60, 0, 0, 0, 25),
    "cd8_temra": (60, 60, 0, 60, 0, 40, 0, 25),
    "car_cd8_em": (60, 55, 0, 60, 25, 0, 0, 25),
    "b": (60, 0, 0, 0, 0, 30, 20, 0),
    "nk": (60, 0, 0, 2, 0, 30, 0, 5),
    "debris": (0, 0, 0, 0, 0, 0, 0, 0),
}
MARKERS = ("CD45", "CD3", "CD4", "CD8", "CAR", "CD45RA", "CCR7", "CD95")


def make_t_cells(
    counts: Mapping[str, int], *, seed: int, gains: Sequence[float] | float = 1.0
) -> tuple[Acquisition, dict[str, np.ndarray]]:
    """A CAR-T tube of known cells and the membership of each kind; no spillover, no scatter."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(list(counts), list(counts.values()))
    level = np.array([LEVELS[kind] for kind in kinds], dtype=float).reshape(-1, len(MARKERS))
    noise = 200.0
    light = level * noise * np.exp(rng.normal(0, 0.25, level.shape))
    values = (light + rng.normal(0, noise, level.shape)) * np.asarray(gains)
    order = rng.permutation(len(kinds))
    columns = {f"D{i}-A": values[order, i] for i in range(len(MARKERS))}
    labels = {f"D{i}-A": marker for i, marker in enumerate(MARKERS)}
    masks = {kind: kinds[order] == kind for kind in counts}
    return make_acquisition(columns, labels=labels), masks
