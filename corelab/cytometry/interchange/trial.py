"""The trial's own gates of one acquisition as a gate tree, to be drawn by other programs.

A limit is exclusive on one side here and inclusive there, and other programs round: so each is moved to
the middle of the gap between the two events beside it, and the events inside are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from corelab.cytometry.compensation import compensate
from corelab.cytometry.decided import Decided, prepare_decisions
from corelab.cytometry.interchange.boxes import find_enclosure, find_gap, find_intervals, find_sides
from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.geometry import points_in_polygon
from corelab.cytometry.interchange.graft import Grafts
from corelab.cytometry.interchange.model import (
    OWN,
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
    map_dimensions,
)
from corelab.cytometry.interchange.reference import as_matrix
from corelab.cytometry.interchange.revision import Decision, read_shape
from corelab.cytometry.markers import MarkerMap, match_markers
from corelab.cytometry.records import GatedAcquisition, Mask, Values
from corelab.cytometry.template import PopulationRule, Template, Term, settle_markers
from corelab.cytometry.tube import read_channel
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
        because it has no channel, none. Refused is what no shape can be drawn for, or not to the event,
        with its cause.
    """
    matrix = as_matrix(gated.spillover) if gated.spillover else None
    markers = match_markers(acquisition, required=template.required, marker_labels=marker_labels)
    template = settle_markers(template, markers.columns)
    if matrix:
        events = compensate(acquisition, external=gated.spillover).events
    else:
        events = acquisition.events.astype(np.float64)

    def read(channel: str) -> Values | None:
        return read_channel(channel, markers, acquisition, values=lambda column: events[:, column])

    drawing = _Drawing(
        gated=gated, acquisition=acquisition, template=template, markers=markers, events=events,
        decided=prepare_decisions(decisions, acquisition, template, read_own=read), matrix=matrix,
        grafts=Grafts(tree=GateTree(matrices={_MATRIX: matrix} if matrix else {})),
    )  # fmt: skip
    for rule in template.populations:
        drawing.add(rule)
    tree = drawing.tree()
    return tree, (*drawing.refusals, *drawing.find_differences(tree))


@dataclass(kw_only=True, eq=False)
class _Drawing:
    """A tree under way. ``nodes`` maps a population to its gate, or to its parent's where it has none.

    ``events`` are as they were gated: compensated where there is a matrix.
    """

    gated: GatedAcquisition
    acquisition: Acquisition
    template: Template
    markers: MarkerMap
    events: Values
    decided: Decided
    matrix: Matrix | None
    grafts: Grafts
    gates: dict[str, Gate] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)

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
        return replace(self.grafts.tree, gates=self.gates)

    def find_differences(self, tree: GateTree) -> list[Refusal]:
        """Say which populations are not drawn to the event, where their parents are."""
        replay = evaluate(tree, self.acquisition)
        differences: dict[str, Refusal] = {}
        parents = {rule.name: rule.parent for rule in self.template.populations}
        for population in [name for name, node in self.nodes.items() if node == name and name]:
            mask = self.gated.membership[population]
            n = int((mask != replay.masks[population]).sum()) if population in replay.masks else len(mask)
            if n:
                cause = f"its drawing holds other events than it, {n} of them"
                differences[population] = Refusal(gate=population, cause=cause)
        return [one for name, one in differences.items() if parents[name] not in differences]

    def _draw(self, rule: PopulationRule, mask: Mask, parent: Mask) -> None:
        if rule.name in self.decided.masks:
            self._graft(rule)
        elif rule.name in self.decided.opposites:
            self._put(rule, [self._not(rule, self.decided.opposites[rule.name])])
        elif rule.gate == "beads":
            self._put(rule, [self._draw_beads(mask, parent)])
        elif np.array_equal(mask, parent) and rule.passes_on and not self._has_limit(rule):
            self.nodes[rule.name] = self.nodes[rule.parent]
        elif rule.gate == "time":
            self._put(rule, self._draw_time(rule, mask))
        elif rule.gate == "singlets":
            self._put(rule, self._draw_singlets(rule, mask, parent))
        else:
            self._put(rule, self._draw_terms(rule))

    def _has_limit(self, rule: PopulationRule) -> bool:
        """Tell whether limits were placed: a gate that leaves nothing out is one still."""
        names = [term.cut for term in rule.all_of if not self._is_left_out(term)]
        return bool(names) and all(np.isfinite(self._limit(name)) for name in names)

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

    def _graft(self, rule: PopulationRule) -> None:
        """Take over a shape that a person drew, inside what limits it here."""
        drawn, gate = read_shape(self.decided.shapes[rule.name])
        drawn = replace(drawn, gates={name: self._name_detectors(one) for name, one in drawn.gates.items()})
        limit = self.nodes[rule.parent]
        if rule.name in self.decided.whole:
            limit = next((self.nodes[one] for one in self._list_above(rule) if one in self.nodes), "")
        self.gates |= self.grafts.add(drawn, gate, name=rule.name, limit=limit)
        self.nodes[rule.name] = rule.name

    def _name_detectors(self, gate: Gate) -> Gate:
        """Name the channels of a gate that was drawn here by the detectors of this file."""
        places = {**self.markers.scatter, **self.markers.columns}

        def call(one: Dimension) -> Dimension:
            if one.compensation != OWN:
                return one
            return replace(self._dimension(places[one.channel]), scale=one.scale)

        return replace(gate, geometry=map_dimensions(gate.geometry, call))

    def _list_above(self, rule: PopulationRule) -> list[str]:
        """List the populations above one that a person decided, the nearest first."""
        rules = {one.name: one for one in self.template.populations}
        above = []
        while rule.parent:
            rule = rules[rule.parent]
            above += [rule.name] if self.decided.decides(rule) else []
        return above

    def _draw_time(self, rule: PopulationRule, mask: Mask) -> list[Geometry | str]:
        """Draw the stretches of time that were kept."""
        column = self.markers.scatter["time"]
        time = self.acquisition.column(column) * (self.acquisition.time_step or 1.0)
        intervals = find_intervals(time, mask)
        if len(intervals) > _MOST_INTERVALS:
            raise InputError(f"{len(intervals)} stretches of time", expected=f"{_MOST_INTERVALS} or fewer")
        dimension = Dimension(channel=self.acquisition.detectors[column])
        boxes = []
        for interval in intervals:
            low, high = find_enclosure(time, interval)
            boxes.append(Rectangle(bounds=(Bound(dimension=dimension, low=low, high=high),)))
        if len(boxes) == 1:
            return [boxes[0]]
        parent = self.nodes[rule.parent]
        names = [self._gate(f"{rule.name} ~{i}", parent, box) for i, box in enumerate(boxes, start=1)]
        return [Boolean(operation="or", operands=tuple(Operand(gate=name) for name in names))]

    def _draw_beads(self, mask: Mask, parent: Mask) -> Rectangle:
        """Draw the box of scatter around the beads, and of light where other events lie in it."""
        columns = [self.markers.scatter[name] for name in ("FSC-A", "SSC-A") if name in self.markers.scatter]
        if not columns or not mask.any():
            raise InputError("no beads or no scatter", expected="beads to draw a box around")
        events = self.events
        sides = {i: (float(events[mask, i].min()), float(events[mask, i].max())) for i in columns}
        spare = parent & ~mask
        for i, (low, high) in sides.items():
            spare &= (events[:, i] >= low) & (events[:, i] <= high)
        return self._box(sides | find_sides(events, mask, spare, columns=self.markers.fluorescence))

    def _box(self, sides: Mapping[int, tuple[float, float]]) -> Rectangle:
        bounds = []
        for column, inside in sides.items():
            low, high = find_enclosure(self.events[:, column], inside)
            bounds.append(Bound(dimension=self._dimension(column), low=low, high=high))
        return Rectangle(bounds=tuple(bounds))

    def _draw_singlets(self, rule: PopulationRule, mask: Mask, parent: Mask) -> list[Geometry | str]:
        """Draw the wedge in which area fits height, without beads, and without what is off the scale."""
        columns = [self.markers.scatter[name] for name in ("FSC-A", "FSC-H")]
        events = self.events
        area, height = (events[:, column] for column in columns)
        if not mask.any():
            raise InputError("no singlets", expected="events to draw a shape around")
        ratio = height[mask] / area[mask]
        # One part in a billion wider: the events at the edge are those that set it.
        low, high = float(ratio.min()) * (1 - 1e-9), float(ratio.max()) * (1 + 1e-9)
        top = float(area[mask].max()) * (1 + 1e-9)
        vertices = ((0.0, 0.0), (top, top * low), (top, top * high))
        dimensions = [Dimension(channel=self.acquisition.detectors[column]) for column in columns]
        spare = parent & ~mask & points_in_polygon(area, height, vertices)
        has_beads = self.nodes.get("beads") == "beads" and rule.parent == "time_ok"
        if has_beads:
            spare &= ~self.gated.membership["beads"]
        # Time is left out: an event that is off the scale is so in light or scatter.
        sides = find_sides(events, mask, spare, columns=(*self.markers.fluorescence, *self._find_scatter()))
        wedge = Polygon(dimensions=(dimensions[0], dimensions[1]), vertices=vertices)
        parts: list[Geometry | str] = [wedge, *([self._box(sides)] if sides else [])]
        return [*parts, *([self._not(rule, "beads")] if has_beads else [])]

    def _find_scatter(self) -> list[int]:
        return sorted({column for name, column in self.markers.scatter.items() if name != "time"})

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
        cut = self._limit(term.cut)
        if not np.isfinite(cut):
            raise InputError(f"cut {term.cut} was not placed", expected="a limit")
        column = self.markers.columns[self.template.cuts[term.cut].marker]
        limit = find_gap(self.events[:, column], cut)
        dimension = self._dimension(column)
        low, high = (limit, None) if term.positive else (None, limit)
        return Bound(dimension=dimension, low=low, high=high)

    def _scatter_bound(self, name: str) -> Bound:
        limit = self._limit(name)
        if not np.isfinite(limit):
            raise InputError("no limit in side scatter was placed", expected="a limit")
        column = self.markers.scatter["SSC-A"]
        values = self.acquisition.column(column)
        dimension = Dimension(channel=self.acquisition.detectors[column])
        return Bound(dimension=dimension, low=find_gap(values, 0.0), high=find_gap(values, limit))

    def _dimension(self, column: int) -> Dimension:
        channel = self.acquisition.detectors[column]
        is_compensated = self.matrix is not None and channel in self.matrix.fluorochromes
        return Dimension(channel=channel, compensation=_MATRIX if is_compensated else UNCOMPENSATED)
