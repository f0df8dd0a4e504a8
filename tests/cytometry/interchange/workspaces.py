"""Tubes with workspaces and Gating-ML documents of their own, for tests."""

import numpy as np

from corelab.cytometry.interchange.flowjo_write import SampleToWrite, write_flowjo
from corelab.cytometry.interchange.gatingml_write import write_gatingml
from corelab.cytometry.interchange.model import (
    Boolean,
    Bound,
    Dimension,
    Ellipsoid,
    Gate,
    GateTree,
    Logicle,
    Matrix,
    Operand,
    Polygon,
    Rectangle,
)
from corelab.cytometry.interchange.scales import apply_scale
from corelab.ingest.fcs import Acquisition
from tests.cytometry.acquisitions import MARKERS, make_t_cells
from tests.ingest.fcs_files import build_float_fcs

KINDS = {"cd4_naive": 900, "cd4_em": 700, "cd8_temra": 800, "car_cd8_em": 300, "b": 400, "debris": 300}
CHANNEL = {marker: f"D{i}-A" for i, marker in enumerate(MARKERS)}
SCALE = Logicle(t=262144.0, w=1.0, m=4.5, a=0.0)
PERSONAL = ("Zhang San", "LAB-PC-7", "C:\\Users\\zhangsan", "zhangsan", "HN-778899", "Li Lei", "tube_LiLei")


def make_tube(seed: int = 1, *, with_labels: bool = True) -> tuple[Acquisition, bytes]:
    """A CAR-T tube and its FCS file."""
    tube, _ = make_t_cells(KINDS, seed=seed)
    keywords = {"$SRC": "Li Lei", "PATIENT ID": "HN-778899"}
    if with_labels:
        keywords |= {f"$P{i}S": label for i, label in enumerate(tube.labels, start=1)}
    data = build_float_fcs(tube.events, names=tube.detectors, keywords=keywords)
    return tube, data


def on_scale(x: float) -> float:
    return float(apply_scale(np.array([float(x)]), SCALE)[0])


def make_tree(*, matrix: bool = False) -> GateTree:
    """T cells, CD4 and CD8 among them, one by a polygon, and what is neither; on logicle scales."""
    names = tuple(CHANNEL.values())
    values = tuple(tuple(1.0 if i == j else 0.01 for j in range(len(names))) for i in range(len(names)))
    own = Matrix(fluorochromes=names, detectors=names, values=values)
    axis = {
        marker: Dimension(
            channel=channel, compensation="own" if matrix else "uncompensated", scale=f"s {channel}"
        )
        for marker, channel in CHANNEL.items()
    }

    def box(name: str, parent: str, **limits: float) -> Gate:
        bounds = tuple(Bound(dimension=axis[m], low=on_scale(low), high=None) for m, low in limits.items())
        return Gate(
            name=name, label=name.rpartition("/")[2], parent=parent, geometry=Rectangle(bounds=bounds)
        )

    corners = tuple(
        (on_scale(x), on_scale(y)) for x, y in ((4000, -900), (90_000, -900), (90_000, 3000), (4000, 2000))
    )
    line = Polygon(dimensions=(axis["CD4"], axis["CD8"]), vertices=corners)
    round_gate = Ellipsoid(
        dimensions=(axis["CD45RA"], axis["CCR7"]), mean=(0.45, 0.4),
        covariance=((0.02, 0.006), (0.006, 0.01)),
        distance_square=1.5,
    )  # fmt: skip
    neither = Boolean(operation="or", operands=(Operand(gate="T cells/CD4"), Operand(gate="T cells/CD8")))
    gates = (
        box("T cells", "", CD3=2500.0),
        Gate(name="T cells/CD4", label="CD4", parent="T cells", geometry=line),
        box("T cells/CD8", "T cells", CD8=4000.0, CD45=-3000.0),
        Gate(name="T cells/round", label="round", parent="T cells", geometry=round_gate),
        Gate(name="T cells/either", label="either", parent="T cells", geometry=neither),
        box("T cells/CAR+", "T cells", CAR=1800.0),
    )
    return GateTree(
        gates={gate.name: gate for gate in gates}, scales={f"s {c}": SCALE for c in names},
        matrices={"own": own} if matrix else {},
    )  # fmt: skip


def make_workspace(names: dict[str, Acquisition], *, counts: dict[str, int] | None = None) -> bytes:
    """A workspace of these files, with an operator, a computer and paths in it."""
    samples = [
        SampleToWrite(
            name=name,
            keywords={
                "$SRC": "Li Lei", "$OP": "Zhang San", "PATIENT ID": "HN-778899", "$SYS": "LAB-PC-7",
                **{f"$P{i}N": d for i, d in enumerate(tube.detectors, start=1)},
                **{f"$P{i}S": m for i, m in enumerate(MARKERS, start=1)},
            },
            n_events=tube.n_events, tree=make_tree(), counts=counts or {},
        )
        for name, tube in names.items()
    ]  # fmt: skip
    text = write_flowjo(samples)[0].decode("utf-8")
    head = ' nonAutoSaveFileName="file:/C:\\Users\\zhangsan/a.wsp" userName="Zhang San" computer="LAB-PC-7"'
    text = text.replace("<Workspace ", f"<Workspace {head} ", 1).replace(
        "file:", "file:/C:\\Users\\zhangsan/"
    )
    return text.replace('annotation=""', 'annotation="seen by Zhang San"').encode("utf-8")


def make_gatingml(**about: str) -> bytes:
    return write_gatingml(make_tree(), about=about)[0]
