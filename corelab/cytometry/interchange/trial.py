"""The trial's own gates of one acquisition as a gate tree, to be drawn by other programs.

A limit is exclusive on one side here and inclusive there, so each is moved to the next double: the
events are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from corelab.cytometry.interchange.evaluate import as_matrix
from corelab.cytometry.interchange.model import (
    UNCOMPENSATED,
    Boolean,
    Bound,
    Dimension,
    Gate,
    GateTree,
    Geometry,
    Matrix,
    Operand,
    Polygon,
    Rectangle,
    Refusal,
)
from corelab.cytometry.interchange.revision import Decision, Kind, read_shape
from corelab.cytometry.markers import MarkerMap, match_markers
from corelab.cytometry.records import GatedAcquisition, Mask, Values
from corelab.cytometry.template import PopulationRule, Template, Term
from corelab.errors import InputError
from corelab.ingest.fcs import Acquisition

_MATRIX: Final = "Acquisition-defined"
_MOST_INTERVALS: Final = 50


def describe_trial_gates(
    gated: GatedAcquisition,
    acquisition: Acquisition,
    *,
    template: Template,
    marker_labels: Mapping[str, str] | None = None,
    decisions: Sequence[Decision] = (),
) -> tuple[GateTree, tuple[Refusal, ...]]:
    """Lay the gates of one acquisition out as a tree in linear values.

    Parameters
    ----------
    gated
        What gating gave.
    acquisition
        The same acquisition as read.
    template, marker_labels, decisions
        As they were given to gating.

    Returns
    -------
    tuple of GateTree and tuple of Refusal
        A gate for each population that was gated, named like it; where a population is its parent
        because it has no channel, none. Refused is what no shape can be drawn for, with its cause.
    """
    drawing = _Drawing(
        gated=gated, acquisition=acquisition, template=template,
        markers=match_markers(acquisition, required=template.required, marker_labels=marker_labels),
        shapes={one.gate: one for one in decisions if one.kind is Kind.SHAPE},
        matrix=as_matrix(gated.spillover) if gated.spillover else None,
    )  # fmt: skip
    for rule in template.populations:
        drawing.add(rule)
    return drawing.tree(), tuple(drawing.refusals)


@dataclass(slots=True, kw_only=True, eq=False)
class _Drawing:
    """A tree under way. ``nodes`` maps a population to its gate, or to its parent's where it has none."""

    gated: GatedAcquisition
    acquisition: Acquisition
    template: Template
    markers: MarkerMap
    shapes: Mapping[str, Decision]
    matrix: Matrix | None
    gates: dict[str, Gate] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    drawn: GateTree = field(default_factory=GateTree)

    def add(self, rule: PopulationRule) -> None:
        """Draw one population, if it was gated."""
        mask = self.gated.membership.get(rule.name)
        if mask is None:
            return
        if not rule.parent:
            self.nodes[rule.name] = ""
            return
        if rule.parent not in self.nodes:
            self.refusals.append(Refusal(gate=rule.name, cause=f"its parent {rule.parent} has no shape"))
            return
        try:
            self._draw(rule, mask, self.gated.membership[rule.parent])
        except InputError as error:
            self.refusals.append(Refusal(gate=rule.name, cause=str(error)))

    def tree(self) -> GateTree:
        """Return what was drawn."""
        matrices = {_MATRIX: self.matrix} if self.matrix else {}
        return GateTree(
            gates=self.gates, scales=self.drawn.scales, ratios=self.drawn.ratios,
            matrices={**self.drawn.matrices, **matrices},
        )  # fmt: skip

    def _draw(self, rule: PopulationRule, mask: Mask, parent: Mask) -> None:
        if rule.name in self.shapes:
            self._put(rule, [self._draw_decided(rule)])
        elif rule.gate == "beads":
            self._put(rule, [self._draw_beads(mask)])
        elif np.array_equal(mask, parent) and rule.passes_on:
            self.nodes[rule.name] = self.nodes[rule.parent]
        elif rule.gate == "time":
            self._put(rule, self._draw_time(rule, mask))
        elif rule.gate == "singlets":
            self._put(rule, [self._draw_singlets(mask), *self._leave_beads_out(rule)])
        else:
            self._put(rule, self._draw_terms(rule))

    def _put(self, rule: PopulationRule, parts: Sequence[Geometry | str]) -> None:
        """Add a population that is the intersection of parts: shapes, or gates that are there already."""
        parent = self.nodes[rule.parent]
        if len(parts) == 1 and not isinstance(parts[0], str):
            self._gate(rule.name, parent, parts[0])
        else:
            names = [
                part if isinstance(part, str) else self._gate(f"{rule.name} ~{i}", parent, part)
                for i, part in enumerate(parts, start=1)
            ]
            operands = tuple(Operand(gate=name) for name in names)
            self._gate(rule.name, parent, Boolean(operation="and", operands=operands))
        self.nodes[rule.name] = rule.name

    def _gate(self, name: str, parent: str, geometry: Geometry) -> str:
        self.gates[name] = Gate(name=name, label=name, parent=parent, geometry=geometry)
        return name

    def _draw_decided(self, rule: PopulationRule) -> str | Geometry:
        """Take over a shape that a person drew, with everything it rests on, beside our own gates."""
        tree, gate = read_shape(self.shapes[rule.name])
        prefix = f"{rule.name} drawn "
        for one in tree.gates.values():
            name = prefix + one.name
            parent = prefix + one.parent if one.parent else ""
            label = prefix + one.label
            geometry = _rename(one.geometry, prefix)
            self.gates[name] = Gate(
                name=name, label=label, parent=parent, geometry=geometry, complement=one.complement
            )
        self.drawn = GateTree(
            scales={**self.drawn.scales, **tree.scales}, ratios={**self.drawn.ratios, **tree.ratios},
            matrices={**self.drawn.matrices, **tree.matrices},
        )  # fmt: skip
        return Boolean(operation="and", operands=(Operand(gate=prefix + gate),))

    def _draw_time(self, rule: PopulationRule, mask: Mask) -> list[Geometry | str]:
        """Draw the stretches of time that were kept."""
        column = self.markers.scatter["time"]
        time = self.acquisition.events[:, column] * (self.acquisition.time_step or 1.0)
        intervals = find_intervals(time, mask)
        if len(intervals) > _MOST_INTERVALS:
            raise InputError(f"{len(intervals)} stretches of time", expected=f"{_MOST_INTERVALS} or fewer")
        dimension = Dimension(channel=self.acquisition.detectors[column])
        boxes = [
            Rectangle(bounds=(Bound(dimension=dimension, low=low, high=_next(high)),))
            for low, high in intervals
        ]
        if len(boxes) == 1:
            return [boxes[0]]
        parent = self.nodes[rule.parent]
        names = [self._gate(f"{rule.name} ~{i}", parent, box) for i, box in enumerate(boxes, start=1)]
        return [Boolean(operation="or", operands=tuple(Operand(gate=name) for name in names))]

    def _draw_beads(self, mask: Mask) -> Rectangle:
        """Draw the box of scatter around the beads; gating itself also asks for their light."""
        columns = [self.markers.scatter[name] for name in ("FSC-A", "SSC-A") if name in self.markers.scatter]
        if not columns or not mask.any():
            raise InputError("no beads or no scatter", expected="beads to draw a box around")
        bounds = []
        for column in columns:
            values = self.acquisition.events[mask, column]
            dimension = Dimension(channel=self.acquisition.detectors[column])
            bounds.append(
                Bound(dimension=dimension, low=float(values.min()), high=_next(float(values.max())))
            )
        return Rectangle(bounds=tuple(bounds))

    def _leave_beads_out(self, rule: PopulationRule) -> list[str]:
        has_beads = self.nodes.get("beads") == "beads" and rule.parent == "time_ok"
        return [self._not(rule, "beads")] if has_beads else []

    def _draw_singlets(self, mask: Mask) -> Polygon:
        """Draw the wedge in which area fits height; margin events inside it stay in."""
        columns = [self.markers.scatter[name] for name in ("FSC-A", "FSC-H")]
        area, height = (self.acquisition.events[:, column] for column in columns)
        if not mask.any():
            raise InputError("no singlets", expected="events to draw a shape around")
        ratio = height[mask] / area[mask]
        # One part in a billion wider: the events at the edge are those that set it.
        low, high = float(ratio.min()) * (1 - 1e-9), float(ratio.max()) * (1 + 1e-9)
        top = float(area[mask].max()) * (1 + 1e-9)
        dimensions = [Dimension(channel=self.acquisition.detectors[column]) for column in columns]
        return Polygon(
            dimensions=(dimensions[0], dimensions[1]),
            vertices=((0.0, 0.0), (top, top * low), (top, top * high)),
        )

    def _draw_terms(self, rule: PopulationRule) -> list[Geometry | str]:
        bounds = [self._bound(term) for term in rule.all_of if not self._is_left_out(term)]
        if rule.gate == "lymphocytes":
            bounds.append(self._scatter_bound(rule.name))
        placed = [term for term in rule.any_of if np.isfinite(self._limit(term.cut))]
        if len(placed) == 1:
            bounds.append(self._bound(placed[0]))
        parts: list[Geometry | str] = [Rectangle(bounds=tuple(bounds))] if bounds else []
        if len(placed) > 1:
            parts.append(self._any(rule, placed))
        parts += [self._not(rule, name) for name in rule.none_of if name in self.gated.membership]
        if not parts:
            raise InputError("a population without limits", expected="a cut")
        return parts

    def _any(self, rule: PopulationRule, terms: Sequence[Term]) -> str:
        parent = self.nodes[rule.parent]
        names = [
            self._gate(f"{rule.name} {term.cut}", parent, Rectangle(bounds=(self._bound(term),)))
            for term in terms
        ]
        rule_of_any = Boolean(operation="or", operands=tuple(Operand(gate=name) for name in names))
        return self._gate(f"{rule.name} any", parent, rule_of_any)

    def _not(self, rule: PopulationRule, other: str) -> str:
        parent = self.nodes[rule.parent]
        name = f"{parent} not {other}".strip()
        if name not in self.gates:
            if not self.nodes.get(other):
                raise InputError(f"{other} has no shape", expected="a shape to leave out")
            rule_of_not = Boolean(operation="not", operands=(Operand(gate=self.nodes[other]),))
            self._gate(name, parent, rule_of_not)
        return name

    def _is_left_out(self, term: Term) -> bool:
        if term.if_shared and term.if_shared not in self.markers.shared:
            return True
        absent = self.template.cuts[term.cut].marker not in self.markers.columns
        return absent and (term.optional or bool(term.if_shared))

    def _limit(self, cut: str) -> float:
        return next((one.cut for one in self.gated.cuts if one.gate == cut), float("nan"))

    def _bound(self, term: Term) -> Bound:
        limit = _next(self._limit(term.cut))
        if not np.isfinite(limit):
            raise InputError(f"cut {term.cut} was not placed", expected="a limit")
        dimension = self._dimension(self.markers.columns[self.template.cuts[term.cut].marker])
        low, high = (limit, None) if term.positive else (None, limit)
        return Bound(dimension=dimension, low=low, high=high)

    def _scatter_bound(self, name: str) -> Bound:
        limit = self._limit(name)
        if not np.isfinite(limit):
            raise InputError("no limit in side scatter was placed", expected="a limit")
        dimension = Dimension(channel=self.acquisition.detectors[self.markers.scatter["SSC-A"]])
        return Bound(dimension=dimension, low=_next(0.0), high=_next(limit))

    def _dimension(self, column: int) -> Dimension:
        channel = self.acquisition.detectors[column]
        is_compensated = self.matrix is not None and channel in self.matrix.fluorochromes
        return Dimension(channel=channel, compensation=_MATRIX if is_compensated else UNCOMPENSATED)


def find_intervals(time: Values, kept: Mask) -> list[tuple[float, float]]:
    """Return first and last time of each stretch of kept events.

    Examples
    --------
    >>> find_intervals(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, True, False, True]))
    [(1.0, 2.0), (4.0, 4.0)]
    """
    order = np.argsort(time, kind="stable")
    inside = np.concatenate([[False], kept[order], [False]])
    changes = np.flatnonzero(inside[1:] != inside[:-1])
    ordered = time[order]
    return [
        (float(ordered[begin]), float(ordered[end - 1]))
        for begin, end in zip(changes[::2], changes[1::2], strict=True)
    ]


def _next(limit: float) -> float:
    return float(np.nextafter(limit, np.inf))


def _rename(geometry: Geometry, prefix: str) -> Geometry:
    if not isinstance(geometry, Boolean):
        return geometry
    operands = tuple(Operand(gate=prefix + one.gate, complement=one.complement) for one in geometry.operands)
    return Boolean(operation=geometry.operation, operands=operands)
