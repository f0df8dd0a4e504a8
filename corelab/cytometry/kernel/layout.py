"""A gate tree as flat tables, which one compiled loop reads whatever the tree."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.interchange.geometry import points_in_polygon
from corelab.cytometry.interchange.model import (
    EMBEDDED,
    UNCOMPENSATED,
    Boolean,
    Bound,
    Cells,
    Dimension,
    Ellipsoid,
    Gate,
    GateTree,
    Linear,
    Polygon,
    Rectangle,
    Scale,
)
from corelab.cytometry.interchange.reference import as_matrix, find_cells, invert_matrix
from corelab.cytometry.kernel.cuts import (
    WIDEST,
    Edge,
    find_cell_edge,
    find_domain,
    find_edge,
    measure_reach,
)
from corelab.cytometry.kernel.lookup import SHIFT, make_lookup
from corelab.cytometry.markers import find_scatter
from corelab.cytometry.records import Values
from corelab.ingest.fcs import Acquisition

RECTANGLE, POLYGON, CELLS, ELLIPSOID, ALL_OF, ANY_OF, NONE_OF = range(7)
RECORDED, PRODUCT, RATIO = range(3)
STRAIGHT, TABLE = range(2)
_OPERATIONS: Final = {"and": ALL_OF, "or": ANY_OF, "not": NONE_OF}
_WIDER: Final = 1e-9
_MOST_CELLS: Final = 1 << 22
_ROUNDING: Final = 1e-12

Numbers = npt.NDArray[np.int64]


class UnknownKindError(Exception):
    """A gate that the compiled loops do not know: NumPy has to judge the tree."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """What `corelab.cytometry.kernel.compiled.gate_blocks` reads.

    ``names`` are the gates in the order of evaluation; the others are its arguments.
    """

    names: tuple[str, ...]
    loads: tuple[Numbers, Values]
    slots: tuple[Any, ...]
    gates: tuple[Numbers, Numbers]
    limits: tuple[Any, ...]
    shapes: tuple[Any, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class SlotTable:
    """The columns of values that gates ask for: recorded channels first, then what is computed from them."""

    acquisition: Acquisition
    tree: GateTree
    loads: dict[str, int] = field(default_factory=dict)
    computed: list[tuple[int, int, int, int]] = field(default_factory=list)
    terms: list[tuple[int, float]] = field(default_factory=list)
    ratios: list[tuple[float, float, float]] = field(default_factory=list)
    amplification: float = 1.0
    _known: dict[Dimension, int] = field(default_factory=dict)
    _inverses: dict[str, Any] = field(default_factory=dict)

    def find(self, dimension: Dimension) -> int:
        """Return the number of a channel's column, negative (from -1 downwards) where it is computed."""
        key = Dimension(
            channel=dimension.channel, compensation=dimension.compensation, is_ratio=dimension.is_ratio
        )
        if key not in self._known:
            self._known[key] = self._add_ratio(key) if key.is_ratio else self._add_channel(key)
        return self._known[key]

    def _load(self, channel: str) -> int:
        return self.loads.setdefault(channel, len(self.loads))

    def _add_channel(self, dimension: Dimension) -> int:
        if dimension.compensation == UNCOMPENSATED:
            return self._load(dimension.channel)
        matrix, inverse = self._invert(dimension.compensation)
        if matrix is None or dimension.channel not in matrix.fluorochromes:
            return self._load(dimension.channel)
        # Of two columns of one name the later one counts, as in a mapping.
        at = len(matrix.fluorochromes) - 1 - matrix.fluorochromes[::-1].index(dimension.channel)
        numbers = inverse[:, at]
        start = len(self.terms)
        for detector, number in zip(matrix.detectors, numbers.tolist(), strict=True):
            if number:
                self.terms.append((self._load(detector), number))
        self.amplification = max(self.amplification, float(np.abs(numbers).sum()))
        return self._compute(PRODUCT, start, len(self.terms), 0)

    def _add_ratio(self, dimension: Dimension) -> int:
        ratio = self.tree.ratios[dimension.channel]
        parts = [
            self.find(Dimension(channel=name, compensation=dimension.compensation))
            for name in (ratio.numerator, ratio.denominator)
        ]
        self.ratios.append((ratio.a, ratio.b, ratio.c))
        return self._compute(RATIO, parts[0], parts[1], len(self.ratios) - 1)

    def _compute(self, *row: int) -> int:
        self.computed.append((row[0], row[1], row[2], row[3]))
        return -len(self.computed)

    def _invert(self, name: str) -> Any:
        if name not in self._inverses:
            if name == EMBEDDED:
                spillover = self.acquisition.spillover
                matrix = as_matrix(spillover) if spillover else None
            else:
                matrix = self.tree.matrices[name]
            self._inverses[name] = (matrix, None if matrix is None else invert_matrix(matrix))
        return self._inverses[name]

    def resolve(self, slot: int) -> int:
        """Return the final number of a column, when all are known."""
        return slot if slot >= 0 else len(self.loads) - 1 - slot

    def list_loads(self) -> tuple[Numbers, Values]:
        """Return which recorded channels are read and by what each is multiplied (time: its step)."""
        step = self.acquisition.time_step
        channels = [self.acquisition.detectors.index(name) for name in self.loads]
        factors = [step if step is not None and find_scatter(n) == "time" else 1.0 for n in self.loads]
        return np.array(channels, dtype=np.int64), np.array(factors, dtype=float)

    def pack(self, reach: float) -> tuple[Any, ...]:
        """Return the tables of the columns."""
        recorded = [(RECORDED, i, 0, 0) for i in range(len(self.loads))]
        computed = [
            (kind, self.resolve(a), self.resolve(b), c) if kind == RATIO else (kind, a, b, c)
            for kind, a, b, c in self.computed
        ]
        bits = int(np.array([reach]).view(np.int64)[0])
        return (
            whole([*recorded, *computed], 4),
            (whole([load for load, _ in self.terms]), real([value for _, value in self.terms])),
            real(self.ratios, 3),
            (float(reach), bits),
        )


def whole(rows: Sequence[Any], width: int = 0) -> Numbers:
    """Return rows as an array of whole numbers, ``(n, width)``, or ``(n,)`` without a width."""
    return np.array(rows, dtype=np.int64).reshape((-1, width) if width else (-1,))


def real(rows: Sequence[Any], width: int = 0) -> Values:
    """Return rows as an array of doubles, ``(n, width)``, or ``(n,)`` without a width."""
    return np.array(rows, dtype=float).reshape((-1, width) if width else (-1,))


@dataclass(slots=True, kw_only=True, eq=False)
class _Writer:
    """Rows of the tables as they are written, one gate after the other."""

    slots: SlotTable
    rows: dict[str, int] = field(default_factory=dict)
    gates: list[tuple[int, ...]] = field(default_factory=list)
    parts: list[tuple[int, float, float]] = field(default_factory=list)
    bands: dict[tuple[int, float, float], None] = field(default_factory=dict)
    operands: list[tuple[int, int]] = field(default_factory=list)
    heads: list[tuple[int, int, int, int]] = field(default_factory=list)
    axes: list[tuple[int, ...]] = field(default_factory=list)
    axis_numbers: list[tuple[float, float, float]] = field(default_factory=list)
    data: list[float] = field(default_factory=list)
    inside: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    pieces: list[Values] = field(default_factory=list)
    tables: dict[Scale, int] = field(default_factory=dict)
    reach: float = WIDEST

    def scale(self, dimension: Dimension) -> Scale | None:
        """Return the scale of an axis, None for linear values."""
        return self.slots.tree.scales[dimension.scale] if dimension.scale else None

    def add(self, gate: Gate) -> None:
        """Write one gate; those on which it rests were written before."""
        parts, shape = len(self.parts), len(self.heads)
        span = [parts, parts]
        match gate.geometry:
            case Rectangle(bounds=bounds):
                kind = RECTANGLE
                for bound in bounds:
                    self._add_bound(bound)
            case Polygon() as line:
                kind = POLYGON if line.grid is None else CELLS
                self._add_polygon(line) if line.grid is None else self._add_cells(line, line.grid)
            case Ellipsoid() as form:
                kind = ELLIPSOID
                self._add_ellipsoid(form)
            case Boolean(operation=operation, operands=operands):
                kind = _OPERATIONS[operation]
                used = operands[:1] if operation == "not" else operands
                span[0] = len(self.operands)
                self.operands += [(self.rows[one.gate], int(one.complement)) for one in used]
        span[1] = len(self.operands) if kind >= ALL_OF else len(self.parts)
        parent = self.rows[gate.parent] if gate.parent else -1
        self.rows[gate.name] = len(self.gates)
        self.gates.append((kind, parent, int(gate.complement), span[0], span[1], shape))

    def _add_part(self, dimension: Dimension, low: float, high: float) -> None:
        self.parts.append((self.slots.find(dimension), low, high))
        self.reach = min(self.reach, measure_reach(self.scale(dimension)))

    def _add_bound(self, bound: Bound) -> None:
        scale = self.scale(bound.dimension)
        low, high = find_domain(scale), np.inf
        if bound.low is not None:
            edge = find_edge(scale, bound.low)
            low = max(low, edge.first)
            self._add_band(bound.dimension, edge)
        if bound.high is not None:
            edge = find_edge(scale, bound.high)
            high = edge.last_before if not np.isnan(bound.high) else -np.inf
            self._add_band(bound.dimension, edge)
        self._add_part(bound.dimension, low, high)

    def _add_band(self, dimension: Dimension, edge: Edge) -> None:
        if edge.unsure_low <= edge.unsure_high:
            self.bands[self.slots.find(dimension), edge.unsure_low, edge.unsure_high] = None

    def _add_box(self, dimension: Dimension, low: float, high: float) -> tuple[float, float]:
        """Write a box that is a little too large: what lies in it is judged by the shape itself."""
        scale = self.scale(dimension)
        margin = _WIDER * max(1.0, abs(low), abs(high))
        first = find_edge(scale, low - margin).first
        beyond = find_edge(scale, high + margin, above=True).first
        first = max(first, find_domain(scale))
        self._add_part(dimension, first, beyond)
        return max(first, -WIDEST), min(beyond, WIDEST)

    def _add_axis(self, dimension: Dimension, box: tuple[float, float]) -> float:
        """Write how an axis is computed; return the largest error."""
        scale, slot = self.scale(dimension), self.slots.find(dimension)
        if scale is None:
            self.axes.append((slot, STRAIGHT, 0, 0, 0, 0))
            self.axis_numbers.append((0.0, 1.0, 0.0))
            return 0.0
        if isinstance(scale, Linear):
            self.axes.append((slot, STRAIGHT, 0, 0, 0, 0))
            self.axis_numbers.append((scale.a, scale.t + scale.a, 0.0))
            return 0.0
        lookup = make_lookup(scale)
        if scale not in self.tables:
            self.tables[scale] = sum(len(one) for one in self.pieces)
            self.pieces.append(np.column_stack([lookup.place, lookup.slope]))
        start = self.tables[scale]
        base = int(np.array([lookup.offset]).view(np.int64)[0]) >> SHIFT
        last = start + len(lookup.place) - 1
        error = lookup.bound_error(box[0], box[1]) if box[0] <= box[1] else 0.0
        self.axes.append((slot, TABLE, start + lookup.zero, base, start, last))
        self.axis_numbers.append((lookup.offset, 1.0, error))
        self.reach = min(self.reach, lookup.reach)
        return error

    def _add_polygon(self, line: Polygon) -> None:
        corners = real(line.vertices, 2)
        errors = self._add_axes(line.dimensions, corners.min(axis=0), corners.max(axis=0))
        size = np.maximum(1.0, np.abs(corners).max(axis=0))
        is_exact = not any(errors)
        start = len(self.data)
        for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            dx, dy = abs(x2 - x1), abs(y2 - y1)
            slack = dx * (errors[1] + _ROUNDING * size[1]) + dy * (errors[0] + _ROUNDING * size[0])
            self.data += [x1, y1, x2, y2, 0.0 if is_exact else float(slack)]
        self.heads.append((len(self.axes) - 2, 2, start, 5 * len(corners)))

    def _add_axes(self, dimensions: Sequence[Dimension], low: Values, high: Values) -> list[float]:
        boxes = [
            self._add_box(dimension, float(low[i]), float(high[i])) for i, dimension in enumerate(dimensions)
        ]
        return [self._add_axis(one, box) for one, box in zip(dimensions, boxes, strict=True)]

    def _add_cells(self, line: Polygon, grid: tuple[Cells, Cells]) -> None:
        """Write a polygon that is judged by cells: which cells lie inside is known beforehand."""
        corners = real(line.vertices, 2)
        columns = [find_cells(corners[:, i], cells) for i, cells in enumerate(grid)]
        low, high = [c.min() for c in columns], [c.max() for c in columns]
        if not np.all(np.isfinite([low, high])):
            raise UnknownKindError("corners without a cell")
        counts = [int(b - a) + 1 for a, b in zip(low, high, strict=True)]
        if counts[0] * counts[1] > _MOST_CELLS:
            raise UnknownKindError("a polygon over more cells than a table should hold")
        for i, dimension in enumerate(line.dimensions):
            scale = self.scale(dimension)
            first = find_cell_edge(scale, grid[i], low[i] - 1)
            beyond = find_cell_edge(scale, grid[i], high[i] + 2)
            first = max(first, find_domain(scale))
            self._add_part(dimension, first, beyond)
            self._add_axis(dimension, (max(first, -WIDEST), min(beyond, WIDEST)))
        x, y = (
            a.ravel().astype(float) for a in np.meshgrid(*(low[i] + np.arange(counts[i]) for i in (0, 1)))
        )
        in_cells = list(zip(*(column.tolist() for column in columns), strict=True))
        start = sum(len(one) for one in self.inside)
        self.inside.append(points_in_polygon(x, y, in_cells).astype(np.uint8))
        at = len(self.data)
        self.data += [start, *counts]
        for i in (0, 1):
            self.data += [grid[i].width, grid[i].shift, float(low[i])]
        self.heads.append((len(self.axes) - 2, 2, at, len(self.data) - at))

    def _add_ellipsoid(self, form: Ellipsoid) -> None:
        mean, covariance = real(form.mean), np.asarray(form.covariance, dtype=float)
        inverse = np.linalg.inv(covariance)
        with np.errstate(invalid="ignore"):
            half = np.sqrt(form.distance_square * np.diag(covariance)) * (1 + 1e-6)
        # Without bounds in every direction it is no ellipsoid, but a gate all the same.
        if not np.all(np.isfinite(half)) or np.any(np.linalg.eigvalsh((inverse + inverse.T) / 2) <= 0):
            half = np.full(len(mean), np.inf)
        self._add_axes(form.dimensions, mean - half, mean + half)
        start = len(self.data)
        self.data += [*mean.tolist(), *inverse.ravel().tolist(), form.distance_square]
        dims = len(form.dimensions)
        self.heads.append((len(self.axes) - dims, dims, start, len(self.data) - start))

    def _join_fours(self, gates: Numbers) -> None:
        """Note where four rectangles, on which nothing rests, share a parent and two axes: quadrants do."""
        used = {*gates[:, 1].tolist(), *(number for number, _ in self.operands)}
        slots = [slot for slot, _, _ in self.parts]
        g = 0
        while g + 4 <= len(gates):
            four = gates[g : g + 4]
            axes = {tuple(slots[start:stop]) for start, stop in four[:, 3:5].tolist()}
            alike = len(axes) == 1 and len(next(iter(axes))) == 2 and len(set(four[:, 1].tolist())) == 1
            if alike and not four[:, [0, 2]].any() and g % 64 <= 60 and not used & set(range(g, g + 4)):
                gates[g : g + 4, 6] = (4, -1, -1, -1)
                g += 3
            g += 1

    def finish(self, names: tuple[str, ...]) -> Tables:
        """Return the tables with the final numbers of the columns."""
        n_gates, resolve = len(self.gates), self.slots.resolve
        gates = np.column_stack([whole(self.gates, 6), np.zeros(n_gates, dtype=np.int64)])
        gates[gates[:, 1] < 0, 1] = n_gates
        self._join_fours(gates)
        axes = whole([(resolve(slot), *others) for slot, *others in self.axes], 6)
        limits, bands = (
            (whole([resolve(slot) for slot, _, _ in rows]), real([row[1:] for row in rows], 2))
            for rows in (self.parts, [*self.bands])
        )
        pieces = np.concatenate(self.pieces) if self.pieces else np.zeros((1, 2))
        inside = np.concatenate(self.inside) if self.inside else np.zeros(1, np.uint8)
        shapes = (
            whole(self.heads, 4), axes, real(self.axis_numbers, 3), real(self.data), inside, pieces,
        )  # fmt: skip
        slots = self.slots.pack(self.reach / self.slots.amplification)
        return Tables(
            names=names, loads=self.slots.list_loads(), slots=slots, gates=(gates, whole(self.operands, 2)),
            limits=(*limits, *bands), shapes=shapes,
        )  # fmt: skip


def lay_out(tree: GateTree, gates: Sequence[Gate], acquisition: Acquisition) -> Tables:
    """Lay gates out as tables.

    Parameters
    ----------
    tree
        With the scales, ratios and matrices that the gates name.
    gates
        Those that can be used (`corelab.cytometry.interchange.reference.evaluate_plainly` says which), each
        after what it rests on.
    acquisition
        For the places of its channels, its step of time and its matrix; its events are not looked at.

    Raises
    ------
    UnknownKindError
        If a gate is of a kind that the loops do not know.
    """
    writer = _Writer(slots=SlotTable(acquisition=acquisition, tree=tree))
    for gate in gates:
        writer.add(gate)
    return writer.finish(tuple(gate.name for gate in gates))
