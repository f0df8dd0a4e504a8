"""Random gate trees with events that hit their edges, for comparison of engines."""

from dataclasses import dataclass, field

import numpy as np

from corelab.cytometry.interchange.model import (
    UNCOMPENSATED,
    Asinh,
    Biex,
    Boolean,
    Bound,
    Dimension,
    Ellipsoid,
    FloorLog,
    Gate,
    GateTree,
    Geometry,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    Matrix,
    Operand,
    Polygon,
    Rectangle,
    Scale,
)
from corelab.cytometry.interchange.scales import apply_scale
from corelab.cytometry.kernel.cuts import find_edge

TOP = 262144.0
CHANNELS = ("FSC-A", "SSC-A", "B1-A", "B2-A", "R1-A", "V1-A")
COLOURS = CHANNELS[2:]
SCALES: dict[str, Scale | None] = {
    "": None,
    "linear": Linear(t=TOP, a=100.0),
    "log": Log(t=TOP, m=5.0),
    "asinh": Asinh(t=TOP, m=4.0, a=1.0),
    "logicle": Logicle(t=TOP, w=0.5, m=4.5, a=0.0),
    "wide": Logicle(t=TOP, w=1.2, m=4.5, a=0.6),
    "hyperlog": Hyperlog(t=TOP, w=0.8, m=4.5, a=0.2),
    "floor": FloorLog(offset=5.0, decades=5.0),
    "biex": Biex(negative=0.0, width=-40.0, positive=4.5, maximum=TOP),
}


@dataclass(slots=True)
class TreeMaker:
    """Draws gates one after the other; remembers the edges of those on recorded values."""

    rng: np.random.Generator
    gates: dict[str, Gate] = field(default_factory=dict)
    edges: dict[str, list[float]] = field(default_factory=dict)

    def make(self, n_gates: int) -> GateTree:
        while len(self.gates) < n_gates:
            kind = self.rng.choice(["box", "box", "range", "polygon", "ellipsoid", "quadrants", "boolean"])
            getattr(self, f"_add_{kind}")(f"g{len(self.gates)}")
        values = np.eye(len(COLOURS)) + self.rng.uniform(0, 0.25, (len(COLOURS),) * 2)
        matrix = Matrix(fluorochromes=COLOURS, detectors=COLOURS, values=tuple(map(tuple, values.tolist())))
        scales = {name: scale for name, scale in SCALES.items() if scale is not None}
        return GateTree(gates=self.gates, scales=scales, matrices={"comp": matrix})

    def _parent(self) -> str:
        return str(self.rng.choice(["", *self.gates])) if self.gates and self.rng.random() < 0.8 else ""

    def _axes(self, count: int) -> list[Dimension]:
        compensation = str(self.rng.choice([UNCOMPENSATED, "comp"]))
        channels = self.rng.choice(COLOURS if compensation == "comp" else CHANNELS, count, replace=False)
        return [
            Dimension(channel=str(one), compensation=compensation, scale=str(self.rng.choice([*SCALES])))
            for one in channels
        ]

    def _limits(self, axis: Dimension, count: int) -> list[float]:
        """Limits on an axis, at values that occur; those of recorded values are kept as edges."""
        low = 1.5 if axis.scale in ("log", "floor") else 0.3
        linear = np.exp(self.rng.uniform(low, 11.5, count))
        if axis.scale not in ("log", "floor") and self.rng.random() < 0.3:
            linear[0] = self.rng.choice([0.0, -40.0, -700.0])
        linear = linear.astype(np.float32).astype(float)
        scale = SCALES[axis.scale]
        places = sorted(linear.tolist() if scale is None else apply_scale(linear, scale).tolist())
        if axis.compensation == UNCOMPENSATED:
            kept = self.edges.setdefault(axis.channel, [])
            first = [find_edge(scale, place).first for place in places]
            kept += [*linear.tolist(), *first, *np.nextafter(first, -np.inf), *np.nextafter(first, np.inf)]
        return places

    def _put(self, name: str, geometry: Geometry, *, parent: str | None = None, **more: object) -> None:
        above = self._parent() if parent is None else parent
        self.gates[name] = Gate(name=name, label=name, parent=above, geometry=geometry, **more)

    def _bound(self, axis: Dimension) -> Bound:
        low, high = self._limits(axis, 2)
        # FlowKit takes what has no logarithm for minus infinity; Gating-ML leaves it out.
        is_open = self.rng.random(2) < 0.3
        keeps_low = axis.scale == "log" or not is_open[0]
        return Bound(dimension=axis, low=low if keeps_low else None, high=None if is_open[1] else high)

    def _add_box(self, name: str) -> None:
        bounds = tuple(self._bound(axis) for axis in self._axes(int(self.rng.integers(2, 4))))
        bounds = tuple(one for one in bounds if (one.low, one.high) != (None, None))
        if bounds:
            self._put(name, Rectangle(bounds=bounds))

    def _add_range(self, name: str) -> None:
        bound = self._bound(self._axes(1)[0])
        complement = bool(self.rng.random() < 0.3) and bound.dimension.scale != "log"
        if (bound.low, bound.high) != (None, None):
            self._put(name, Rectangle(bounds=(bound,)), complement=complement)

    def _add_polygon(self, name: str) -> None:
        axes = self._axes(2)
        (x1, x2), (y1, y2) = (self._limits(axis, 2) for axis in axes)
        angles = np.sort(self.rng.uniform(0, 2 * np.pi, int(self.rng.integers(3, 9))))
        reach = self.rng.uniform(0.5, 1.0, len(angles))
        x = (x1 + x2) / 2 + (x2 - x1) / 2 * reach * np.cos(angles)
        y = (y1 + y2) / 2 + (y2 - y1) / 2 * reach * np.sin(angles)
        corners = tuple(zip(x.tolist(), y.tolist(), strict=True))
        if self.rng.random() < 0.3:
            corners = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
        self._put(name, Polygon(dimensions=(axes[0], axes[1]), vertices=corners))

    def _add_ellipsoid(self, name: str) -> None:
        axes = self._axes(int(self.rng.integers(2, 4)))
        ends = [self._limits(axis, 2) for axis in axes]
        half = np.array([(high - low) / 2 + 1e-3 for low, high in ends])
        turn = self.rng.uniform(-0.4, 0.4, (len(axes),) * 2) + np.eye(len(axes))
        covariance = (turn @ turn.T) * np.outer(half, half)
        mean = tuple((low + high) / 2 for low, high in ends)
        rows = tuple(map(tuple, covariance.tolist()))
        self._put(name, Ellipsoid(dimensions=tuple(axes), mean=mean, covariance=rows, distance_square=1.3))

    def _add_quadrants(self, name: str) -> None:
        axes = [axis for axis in self._axes(2) if axis.scale != "log"]
        cuts = [self._limits(axis, 1)[0] for axis in axes]
        parent = self._parent()
        if len(axes) == 2:
            for side in range(4):
                bounds = tuple(
                    Bound(
                        dimension=axis,
                        low=cut if side >> i & 1 else None,
                        high=None if side >> i & 1 else cut,
                    )
                    for i, (axis, cut) in enumerate(zip(axes, cuts, strict=True))
                )
                self._put(f"{name}.{side}", Rectangle(bounds=bounds), parent=parent, quadrant_of=name)

    def _add_boolean(self, name: str) -> None:
        if not self.gates:
            return
        operation = str(self.rng.choice(["and", "or", "not"]))
        count = 1 if operation == "not" else int(self.rng.integers(2, 4))
        operands = tuple(
            Operand(gate=str(one), complement=operation != "not" and bool(self.rng.random() < 0.3))
            for one in self.rng.choice([*self.gates], count)
        )
        self._put(name, Boolean(operation=operation, operands=operands))


def make_events(maker: TreeMaker, n_events: int, *, hits: bool = True) -> np.ndarray:
    """Events of all sizes: light and negative noise; with ``hits`` whole numbers, zeros and exact edges."""
    rng = maker.rng
    events = np.exp(rng.uniform(0, 12.4, (n_events, len(CHANNELS))))
    events[rng.random(events.shape) < 0.2] *= -0.05
    if not hits:
        return events
    whole = rng.random(events.shape) < 0.1
    events[whole] = np.round(events[whole])
    events[rng.random(events.shape) < 0.02] = 0.0
    for channel, edges in maker.edges.items():
        hit = rng.random(n_events) < 0.3
        usable = [one for one in edges if np.isfinite(one) and abs(one) < 1e7]
        if usable:
            events[hit, CHANNELS.index(channel)] = rng.choice(usable, int(hit.sum()))
    return events
