"""The tree of 15 gates and 33 populations on synthetic events, by which gating is timed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corelab.cytometry.interchange.model import (
    EMBEDDED,
    Bound,
    Dimension,
    Ellipsoid,
    Gate,
    GateTree,
    Geometry,
    Logicle,
    Polygon,
    Rectangle,
)

SCATTER = ("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H")
MARKERS = (
    "Viability", "CD45", "CD3", "CD19", "CD4", "CD8", "CAR", "CD45RA", "CCR7", "CD20", "CD27", "IgD",
)  # fmt: skip
DETECTORS = (*SCATTER, *MARKERS, "Time")
TOP = 262144.0
LOGICLE = Logicle(t=TOP, w=0.5, m=4.5, a=0.0)
N_GATES = 15

_DIM, _LOW, _MID, _HIGH = 100.0, 900.0, 4000.0, 20000.0
_KINDS = {
    # kind: share, Viability, CD45, CD3, CD19, CD4, CD8
    "cd4": (0.30, _DIM, _HIGH, _HIGH, _DIM, _HIGH, _DIM),
    "cd8": (0.22, _DIM, _HIGH, _HIGH, _DIM, _DIM, _HIGH),
    "double_negative": (0.06, _DIM, _HIGH, _HIGH, _DIM, _DIM, _DIM),
    "double_positive": (0.06, _DIM, _HIGH, _HIGH, _DIM, _HIGH, _HIGH),
    "b": (0.16, _DIM, _HIGH, _DIM, _HIGH, _DIM, _DIM),
    "nk": (0.06, _DIM, _HIGH, _DIM, _DIM, _DIM, _MID),
    "dead": (0.08, _HIGH, _MID, _LOW, _LOW, _LOW, _LOW),
    "red": (0.06, _DIM, _DIM, _DIM, _DIM, _DIM, _DIM),
}
_HALVES = ("CAR", "CD45RA", "CCR7", "CD20", "CD27", "IgD")
"""Markers bright on a part of every kind, one independent of the other, so that no gate is empty."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tube:
    """Events as recorded, ``(n, 18)`` float32, and the 12 x 12 spillover with which they were mixed."""

    events: np.ndarray
    spillover: np.ndarray


def make_tube(n_events: int, *, seed: int) -> Tube:
    """Synthetic list mode: scatter, twelve colours of eight kinds of cell, time."""
    rng = np.random.default_rng(seed)
    shares = np.array([kind[0] for kind in _KINDS.values()])
    kinds = rng.choice(len(shares), n_events, p=shares / shares.sum())
    light = np.full((n_events, len(MARKERS)), _DIM)
    light[:, :6] = np.array([kind[1:] for kind in _KINDS.values()])[kinds]
    for marker in _HALVES:
        bright = rng.random(n_events) < 0.4
        light[bright, MARKERS.index(marker)] = _HIGH / 2
    light *= np.exp(rng.normal(0, 0.4, light.shape))
    spillover = np.eye(len(MARKERS)) + np.where(
        np.eye(len(MARKERS)) == 1, 0, rng.uniform(0, 0.12, (len(MARKERS),) * 2)
    )
    mixed = light @ spillover + rng.normal(0, 90, light.shape)
    size = np.exp(rng.normal(np.where(kinds == 7, 10.6, 11.3), 0.22))
    doublet = rng.random(n_events) < 0.12
    height = size * np.where(doublet, 0.55, 0.9) * np.exp(rng.normal(0, 0.04, n_events))
    side = np.exp(rng.normal(np.where(kinds == 6, 11.0, 10.2), 0.35))
    time = np.sort(rng.uniform(0, 6e4, n_events))
    columns = [size, height, np.full(n_events, 6e4), side, side * 0.9, *mixed.T, time]
    return Tube(events=np.column_stack(columns).astype(np.float32), spillover=spillover)


def write_fcs(path: Path, tube: Tube) -> Path:
    """Write list mode as FCS 3.1, little-endian float32, with the matrix in it."""
    numbers = ",".join(f"{value:.17g}" for value in tube.spillover.ravel())
    words = {
        "$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0",
        "$BYTEORD": "1,2,3,4", "$DATATYPE": "F", "$MODE": "L", "$NEXTDATA": "0",
        "$PAR": str(len(DETECTORS)), "$TOT": str(len(tube.events)), "$TIMESTEP": "0.01",
        "$SPILLOVER": f"{len(MARKERS)},{','.join(MARKERS)},{numbers}",
    }  # fmt: skip
    for i, name in enumerate(DETECTORS, 1):
        words |= {f"$P{i}N": name, f"$P{i}B": "32", f"$P{i}E": "0,0", f"$P{i}R": "262144"}
    raw = tube.events.astype("<f4").tobytes()
    text, begin = "", 0
    while True:
        ends = {"$BEGINDATA": str(begin), "$ENDDATA": str(begin + len(raw) - 1)}
        text = "|" + "".join(f"{key}|{value}|" for key, value in (words | ends).items())
        if begin == 256 + len(text):
            break
        begin = 256 + len(text)
    fits = begin + len(raw) <= 99_999_999
    data = (begin, begin + len(raw) - 1) if fits else (0, 0)
    header = "FCS3.1    " + "".join(f"{place:>8}" for place in (256, 255 + len(text), *data, 0, 0))
    with path.open("wb") as handle:
        handle.write(header.ljust(256).encode() + text.encode())
        handle.write(raw)
    return path


def make_tree() -> GateTree:
    """The 15 gates; a quadrant gate counts once."""
    gates: dict[str, Gate] = {}

    def put(name: str, parent: str, geometry: Geometry, quadrant_of: str = "") -> None:
        gates[name] = Gate(name=name, label=name, parent=parent, geometry=geometry, quadrant_of=quadrant_of)

    def quadrants(name: str, parent: str, markers: tuple[str, str], cuts: tuple[float, float]) -> None:
        axes = [_axis(marker) for marker in markers]
        for x in (False, True):
            for y in (False, True):
                bounds = tuple(
                    Bound(dimension=axis, low=cut if above else None, high=None if above else cut)
                    for axis, cut, above in zip(axes, cuts, (x, y), strict=True)
                )
                sides = "".join("+" if above else "-" for above in (x, y))
                put(f"{name}{sides}", parent, Rectangle(bounds=bounds), name)

    scatter = tuple(Dimension(channel=name) for name in ("FSC-A", "FSC-H"))
    corners = ((20e3, 14e3), (60e3, 44e3), (2.4e5, 1.8e5), (2.6e5, 2.8e5), (20e3, 24e3))
    put("singlets", "", Polygon(dimensions=scatter, vertices=corners))
    put("lymphocytes", "singlets", Ellipsoid(
        dimensions=tuple(Dimension(channel=name) for name in ("FSC-A", "SSC-A")), mean=(8.4e4, 2.9e4),
        covariance=((5.5e8, 3e7), (3e7, 1.6e8)), distance_square=4.0,
    ))  # fmt: skip
    put("live", "lymphocytes", Rectangle(bounds=(_below("Viability", 300),)))
    put("leukocytes", "live", Rectangle(bounds=(_above("CD45", 11500),)))
    put("t_cells", "leukocytes", Rectangle(bounds=(_above("CD3", 2500), _below("CD19", 3000))))
    quadrants("cd4_cd8", "t_cells", ("CD4", "CD8"), (_place(1500), _place(1500)))
    put("car_cd4", "cd4_cd8+-", Rectangle(bounds=(_above("CAR", 1200),)))
    put("car_cd8", "cd4_cd8-+", Rectangle(bounds=(_above("CAR", 1200),)))
    for parent in ("cd4_cd8+-", "cd4_cd8-+", "car_cd4", "car_cd8"):
        quadrants(f"memory_{parent}", parent, ("CD45RA", "CCR7"), (_place(1200), _place(1200)))
    b_cells = [(-2e2, 4e3), (1.2e3, 4e3), (1.8e3, 9e3), (1.8e3, 9e4), (-2e2, 9e4)]
    put("b_cells", "leukocytes", Polygon(
        dimensions=(_axis("CD3"), _axis("CD19")),
        vertices=tuple((_place(x), _place(y)) for x, y in b_cells),
    ))  # fmt: skip
    put("cd20", "b_cells", Rectangle(bounds=(_above("CD20", 1200),)))
    quadrants("cd27_igd", "b_cells", ("CD27", "IgD"), (_place(1200), _place(1200)))
    return GateTree(gates=gates, scales={"logicle": LOGICLE})


def _axis(marker: str) -> Dimension:
    return Dimension(channel=marker, compensation=EMBEDDED, scale="logicle")


def _place(value: float) -> float:
    from corelab.cytometry.interchange.scales import apply_scale

    return float(apply_scale(np.array([value]), LOGICLE)[0])


def _above(marker: str, value: float) -> Bound:
    return Bound(dimension=_axis(marker), low=_place(value), high=None)


def _below(marker: str, value: float) -> Bound:
    return Bound(dimension=_axis(marker), low=None, high=_place(value))
