"""Gates by plain NumPy, one after the other on all events: the reference of every faster way.

Every value is computed event by event in a fixed order of arithmetic (no matrix product of a library,
whose last bits depend on the machine and on how many events there are), so that some events alone give
the same answers as all of them.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from corelab.cytometry.interchange.geometry import points_in_ellipsoid, points_in_polygon
from corelab.cytometry.interchange.model import (
    EMBEDDED,
    OWN,
    UNCOMPENSATED,
    Boolean,
    Cells,
    Dimension,
    Ellipsoid,
    Gate,
    GateTree,
    Matrix,
    Polygon,
    Rectangle,
    Refusal,
    list_references,
)
from corelab.cytometry.interchange.scales import apply_scale, compute_ratio
from corelab.cytometry.markers import find_scatter
from corelab.cytometry.records import Mask, Values
from corelab.errors import InputError
from corelab.ingest.fcs import Acquisition, Spillover

_WORST_CONDITION: Final = 1e9

ReadOwn = Callable[[str], Values | None]
"""Gives a marker or scatter channel of the tube as the trial gates it, None where it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """Gates on one acquisition: name to boolean ``(n_events,)``, and the gates that could not be used."""

    masks: Mapping[str, Mask]
    refusals: tuple[Refusal, ...]


def evaluate_plainly(tree: GateTree, acquisition: Acquisition, *, read_own: ReadOwn | None = None) -> Replay:
    """Apply every gate of a tree by NumPy; arguments and answer are those of `evaluate.evaluate`."""
    ordered, refusals = order_gates(tree)
    axes = Axes(tree=tree, acquisition=acquisition, read_own=read_own)
    masks: dict[str, Mask] = {}
    for gate in ordered:
        try:
            masks[gate.name] = _apply(gate, masks, axes)
        except InputError as error:
            refusals.append(Refusal(gate=gate.name, cause=str(error)))
    return Replay(masks=masks, refusals=tuple(refusals))


def order_gates(tree: GateTree) -> tuple[list[Gate], list[Refusal]]:
    """Order gates so that each comes after those it rests on; refuse those that cannot be ordered.

    Returns
    -------
    tuple of list of Gate and list of Refusal
        Refused are gates that rest on one that is not there, or on themselves.
    """
    refused = {
        gate.name: Refusal(gate=gate.name, cause=f"it rests on {missing[0]!r}, which is not there")
        for gate in tree.gates.values()
        if (missing := [name for name in list_references(gate) if name not in tree.gates])
    }
    open_references = {
        name: set(list_references(gate)) & set(tree.gates) for name, gate in tree.gates.items()
    }
    users: dict[str, list[str]] = {name: [] for name in tree.gates}
    for name, references in open_references.items():
        for reference in references:
            users[reference].append(name)
    ready = deque(name for name, references in open_references.items() if not references)
    ordered: list[Gate] = []
    while ready:
        name = ready.popleft()
        ordered.append(tree.gates[name])
        for user in users[name]:
            open_references[user].discard(name)
            if not open_references[user]:
                ready.append(user)
    placed = {gate.name for gate in ordered}
    for name in tree.gates:
        if name not in placed:
            refused[name] = Refusal(gate=name, cause="it rests on itself, directly or through others")
    return [gate for gate in ordered if gate.name not in refused], list(refused.values())


def _apply(gate: Gate, masks: Mapping[str, Mask], axes: "Axes") -> Mask:
    unusable = [name for name in list_references(gate) if name not in masks]
    if unusable:
        raise InputError(f"it rests on {unusable[0]!r}, which cannot be used")
    inside = _apply_geometry(gate, masks, axes)
    if gate.complement:
        inside = ~inside
    return inside & masks[gate.parent] if gate.parent else inside


def _apply_geometry(gate: Gate, masks: Mapping[str, Mask], axes: "Axes") -> Mask:
    if isinstance(gate.geometry, Boolean):
        return _combine(gate.geometry, masks)
    return apply_shape(gate.geometry, axes.read, axes.acquisition.n_events)


def apply_shape(shape: Rectangle | Polygon | Ellipsoid, read: Callable[[Dimension], Values], n: int) -> Mask:
    """Mark the events inside one shape.

    Parameters
    ----------
    shape
        The shape.
    read
        Gives ``(n,)`` values of an axis, on its scale.
    n
        Number of events.

    Raises
    ------
    InputError
        If it is an ellipsoid without extent.
    """
    match shape:
        case Rectangle(bounds=bounds):
            inside = np.ones(n, dtype=bool)
            for bound in bounds:
                values = read(bound.dimension)
                inside &= ~np.isnan(values)
                if bound.low is not None:
                    inside &= values >= bound.low
                if bound.high is not None:
                    inside &= values < bound.high
            return inside
        case Polygon():
            return _apply_polygon(shape, read)
        case Ellipsoid():
            points = np.column_stack([read(dimension) for dimension in shape.dimensions])
            return _apply_ellipsoid(shape, points)


def _apply_polygon(line: Polygon, read: Callable[[Dimension], Values]) -> Mask:
    x, y = (read(dimension) for dimension in line.dimensions)
    if line.grid is None:
        return points_in_polygon(x, y, line.vertices)
    corners = np.array(line.vertices)
    columns = [find_cells(corners[:, i], cells) for i, cells in enumerate(line.grid)]
    in_cells = list(zip(*(column.tolist() for column in columns), strict=True))
    return points_in_polygon(find_cells(x, line.grid[0]), find_cells(y, line.grid[1]), in_cells)


def find_cells(values: Values, cells: Cells) -> Values:
    """Return the number of the cell in which each value lies."""
    with np.errstate(over="ignore"):
        return np.asarray(np.floor(values / cells.width + cells.shift))


def _apply_ellipsoid(shape: Ellipsoid, points: Values) -> Mask:
    try:
        return points_in_ellipsoid(
            points, mean=shape.mean, covariance=shape.covariance, distance_square=shape.distance_square
        )
    except np.linalg.LinAlgError as error:
        raise InputError(
            "an ellipsoid without extent", expected="a covariance that can be inverted"
        ) from error


def _combine(rule: Boolean, masks: Mapping[str, Mask]) -> Mask:
    parts = [~masks[o.gate] if o.complement else masks[o.gate] for o in rule.operands]
    if rule.operation == "not":
        return ~parts[0]
    joined = np.logical_and if rule.operation == "and" else np.logical_or
    return np.asarray(joined.reduce(parts))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axes:
    """Channels of an acquisition as gates ask for them, each computed once."""

    tree: GateTree
    acquisition: Acquisition
    read_own: ReadOwn | None = None
    done: dict[Dimension, Values] = field(default_factory=dict)
    compensated: dict[str, Mapping[str, Values]] = field(default_factory=dict)

    def read(self, dimension: Dimension) -> Values:
        """Return the values of an axis on its scale."""
        if dimension not in self.done:
            values = self._read_ratio(dimension) if dimension.is_ratio else self._read_channel(dimension)
            self.done[dimension] = self._onto_scale(values, dimension.scale)
        return self.done[dimension]

    def _onto_scale(self, values: Values, name: str) -> Values:
        if not name:
            return values
        if name not in self.tree.scales:
            raise InputError(f"scale {name!r} is not there", expected="a scale defined in the document")
        return apply_scale(values, self.tree.scales[name])

    def _read_ratio(self, dimension: Dimension) -> Values:
        ratio = self.tree.ratios.get(dimension.channel)
        if ratio is None:
            raise InputError(
                f"ratio {dimension.channel!r} is not there", expected="one defined in the document"
            )
        parts = [
            self._read_channel(Dimension(channel=name, compensation=dimension.compensation))
            for name in (ratio.numerator, ratio.denominator)
        ]
        return compute_ratio(parts[0], parts[1], ratio)

    def _read_channel(self, dimension: Dimension) -> Values:
        if dimension.compensation == OWN:
            return self._read_own(dimension.channel)
        if dimension.compensation == UNCOMPENSATED:
            return self._read_recorded(dimension.channel)
        columns = self._compensate(dimension.compensation)
        if dimension.channel in columns:
            return columns[dimension.channel]
        if dimension.compensation == EMBEDDED:
            return self._read_recorded(dimension.channel)
        raise InputError(
            f"matrix {dimension.compensation!r} has no {dimension.channel!r}",
            expected=f"one of {', '.join(columns)}",
        )

    def _read_own(self, channel: str) -> Values:
        values = None if self.read_own is None else self.read_own(channel)
        if values is None:
            raise InputError(f"the tube has no channel of {channel!r}", expected="a marker of the tube")
        return values

    def _read_recorded(self, channel: str) -> Values:
        names = self.acquisition.detectors
        if names.count(channel) != 1:
            found = "twice in" if channel in names else "not in"
            raise InputError(
                f"channel {channel!r} is {found} the file", expected=f"one of {', '.join(names)}"
            )
        values = self.acquisition.column(names.index(channel))
        step = self.acquisition.time_step if find_scatter(channel) == "time" else None
        return values if step is None else np.asarray(values * step)

    def _compensate(self, name: str) -> Mapping[str, Values]:
        if name not in self.compensated:
            self.compensated[name] = self._compute_compensated(name)
        return self.compensated[name]

    def _compute_compensated(self, name: str) -> Mapping[str, Values]:
        matrix = self._find_matrix(name)
        if matrix is None:
            return {}
        inverse = invert_matrix(matrix)
        observed = [self._read_recorded(detector) for detector in matrix.detectors]
        return {
            fluorochrome: add_products(observed, inverse[:, i])
            for i, fluorochrome in enumerate(matrix.fluorochromes)
        }

    def _find_matrix(self, name: str) -> Matrix | None:
        if name == EMBEDDED:
            return as_matrix(self.acquisition.spillover) if self.acquisition.spillover else None
        if name not in self.tree.matrices:
            raise InputError(f"matrix {name!r} is not there", expected="one defined in the document")
        return self.tree.matrices[name]


def add_products(columns: Sequence[Values], numbers: Values) -> Values:
    """Add up columns times their numbers from left to right; a number that is zero takes no part."""
    total = np.zeros(len(columns[0]))
    with np.errstate(invalid="ignore", over="ignore"):
        for column, number in zip(columns, numbers.tolist(), strict=True):
            if number:
                total += column * number
    return total


def as_matrix(spillover: Spillover) -> Matrix:
    """Return the spillover matrix of a file as one whose fluorochromes are called like its detectors."""
    return Matrix(
        fluorochromes=spillover.detectors,
        detectors=spillover.detectors,
        values=tuple(tuple(row) for row in spillover.matrix.tolist()),
    )


def invert_matrix(matrix: Matrix) -> Values:
    """Return what turns observed detectors into fluorochromes, for events as rows.

    A matrix with more detectors than fluorochromes is solved by least squares.

    Raises
    ------
    InputError
        If rows, columns and names do not fit, or the matrix has no stable inverse.
    """
    values = np.asarray(matrix.values, dtype=float)
    shape = (len(matrix.fluorochromes), len(matrix.detectors))
    if values.shape != shape or shape[0] > shape[1] or not np.all(np.isfinite(values)):
        raise InputError(f"a spillover matrix of {values.shape} numbers", expected=f"{shape[0]} x {shape[1]}")
    if np.linalg.cond(values) > _WORST_CONDITION:
        raise InputError("a spillover matrix without inverse", expected="independent rows")
    return np.asarray(np.linalg.inv(values) if shape[0] == shape[1] else np.linalg.pinv(values))
