"""One gated tube to look into and to try limits on: populations by given limits, nothing is fitted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from corelab.cytometry.decided import list_decided, prepare_decisions, redraw
from corelab.cytometry.engine import Engine
from corelab.cytometry.interchange.model import Boolean, Dimension, GateTree, Scale
from corelab.cytometry.interchange.reference import apply_shape
from corelab.cytometry.interchange.revision import Decision, decide_cut
from corelab.cytometry.interchange.scales import apply_scale
from corelab.cytometry.markers import MarkerMap
from corelab.cytometry.records import Cut, Mask, Values
from corelab.cytometry.template import CutRule, PopulationRule, Template, Term, settle_markers
from corelab.cytometry.tube import Tube
from corelab.vocabulary import GateSource

SIDE_SCATTER: Final = "lymphocytes"
"""The limit in side scatter; it belongs to a gate of its own kind and to no cut of the template."""
_MOST_PLACED: Final = 8
"""Channels kept on a scale: those of a few plots."""


class _Applied(Engine):
    """Gates with limits that are given; one that is not is unplaced."""

    def place(self, name: str) -> Cut:
        """Return a given limit."""
        return self.cuts.get(name) or unplaced(self.template.cuts[name])

    def is_left_out(self, term: Term) -> bool:
        """Tell whether a claim does not count in this tube."""
        return self._is_left_out(term)

    def _gate_lymphocytes(self, rule: PopulationRule, parent: Mask) -> Mask | None:
        side = self.tube.scatter("SSC-A")
        cut = self.cuts.get(SIDE_SCATTER)
        if side is None or cut is None:
            self.reasons[rule.name] = "NO_SCATTER"
            return None
        return parent & (side > 0) & (side <= cut.cut) if cut.is_placed else parent.copy()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """A tube with its template and the limits that count for it.

    The values along a limit that somebody moves are kept in order, so that each further place costs no look
    at the events.
    """

    tube: Tube
    template: Template
    name: str
    cuts: Mapping[str, Cut]
    _engine: _Applied
    _sorted: dict[tuple[str, str], tuple[Values, int]] = field(default_factory=dict)
    _placed: dict[tuple[str, str, Scale | None], Values] = field(default_factory=dict)

    @property
    def markers(self) -> MarkerMap:
        """Where which marker is."""
        return self.tube.markers

    @property
    def n_bytes(self) -> int:
        """What the events take in memory."""
        placed = sum(values.nbytes for values in dict(self._placed).values())
        kept = self.tube.values.n_bytes + self._engine.masks.n_bytes
        return self.tube.acquisition.events.nbytes + kept + placed

    def rule(self, population: str) -> PopulationRule:
        """Return the rule of a population; raises KeyError for a name that the template does not have."""
        return self._engine.rules[population]

    @property
    def population_names(self) -> frozenset[str]:
        """Every population of the template, with or without a gate here."""
        return frozenset(self._engine.rules)

    def select(self, population: str) -> Mask | None:
        """Return the events of a population, None where it has no gate in this tube."""
        return self._engine.select(population)

    def is_drawn(self, population: str) -> bool:
        """Tell whether a person drew the gate of a population as a shape: then no limit of it counts.

        So it is with what a drawn population leaves of its parent.
        """
        decided = self._engine.decided
        return population in decided.masks or population in decided.opposites

    def find_shape(self, population: str) -> Decision | None:
        """Return the shape that a person drew for a population, if it counts in this tube."""
        decided = self._engine.decided
        return decided.shapes[population] if population in decided.masks else None

    def terms(self, population: str) -> tuple[Term, ...]:
        """Return the claims of a population that count in this tube, those of which all must hold."""
        claims = () if self.is_drawn(population) else self.rule(population).all_of
        return tuple(term for term in claims if not self._engine.is_left_out(term))

    def alternatives(self, population: str) -> tuple[Term, ...]:
        """Return the claims of a population of which one is enough, as far as they are placed."""
        claims = () if self.is_drawn(population) else self.rule(population).any_of
        return tuple(term for term in claims if self._engine.place(term.cut).is_placed)

    def meets(self, term: Term) -> Mask:
        """Return the events of the tube that meet one claim."""
        return self._engine.meets(term)

    def values(self, channel: str) -> Values | None:
        """Return a marker compensated, or a scatter channel as recorded; None where it is not there."""
        column = self.tube.column(channel)
        return self.tube.scatter(channel) if column is None else self.tube.values(column)

    def count(self, population: str) -> tuple[int, int] | None:
        """Return the events of a population and of its parent; None where it has no gate."""
        mask = self.select(population)
        if mask is None:
            return None
        parent = self.rule(population).parent
        above = self.select(parent) if parent else mask
        return int(mask.sum()), 0 if above is None else int(above.sum())

    def count_at(self, population: str, gate: str, limit: float) -> int | None:
        """Count a population as if one of its limits lay elsewhere, all others as they are.

        Parameters
        ----------
        population, gate
            A population and a limit that divides it.
        limit
            In linear compensated units.

        Returns
        -------
        int or None
            None where the population has no gate or the limit is none of its own.
        """
        term = self.find_term(population, gate)
        if term is None or self.select(population) is None:
            return None
        rule = self.rule(population)
        is_mixed = bool(self._engine.decided.masks)
        if is_mixed or {rule.parent, *rule.none_of} & find_touched(self.template, (gate,)):
            # The limit also decides what is above or beside: all of it is gated again.
            counted = self.try_limits({gate: limit}).count(population)
            return None if counted is None else counted[0]
        inside, fixed = self._values_along(population, term)
        below = int(np.searchsorted(inside, limit, side="right"))
        return fixed + (len(inside) - below if term.positive else below)

    def find_term(self, population: str, gate: str) -> Term | None:
        """Return the claim of a population about a limit; None where it makes none in this tube."""
        if gate == SIDE_SCATTER:
            is_own = self.rule(population).gate == SIDE_SCATTER and gate in self.cuts
            is_own = is_own and not self.is_drawn(population)
            return Term(cut=gate, positive=False, optional=False, if_shared="") if is_own else None
        claims = (*self.terms(population), *self.alternatives(population))
        found = next((term for term in claims if term.cut == gate), None)
        return None if found is None or self.values(self.template.cuts[gate].marker) is None else found

    def _values_along(self, population: str, term: Term) -> tuple[Values, int]:
        """Return, in order, the values of the events that a limit decides, and how many are in anyhow."""
        key = (population, term.cut)
        if key not in self._sorted:
            others = [other for other in self.alternatives(population) if other.cut != term.cut]
            either = np.logical_or.reduce([self.meets(other) for other in others]) if others else None
            base = self._meet_all(population, but=term.cut)
            fixed = 0
            if either is not None and term in self.alternatives(population):
                fixed = int((base & either).sum())
                base &= ~either
            elif either is not None:
                base &= either
            values = self._values_of(term.cut)
            self._sorted[key] = np.sort(values[base]), fixed
        return self._sorted[key]

    def _values_of(self, gate: str) -> Values:
        values = self.values("SSC-A" if gate == SIDE_SCATTER else self.template.cuts[gate].marker)
        return np.zeros(0) if values is None else values

    def _meet_all(self, population: str, *, but: str) -> Mask:
        """Return the events of the parent that meet every claim of a population but one."""
        rule = self.rule(population)
        parent = self.select(rule.parent)
        mask = np.zeros(self.tube.acquisition.n_events, dtype=bool) if parent is None else parent.copy()
        for term in self.terms(population):
            if term.cut != but:
                mask &= self.meets(term)
        if but == SIDE_SCATTER:
            mask &= self._values_of(but) > 0
        for other in (self.select(name) for name in rule.none_of):
            if other is not None:
                mask &= ~other
        return mask

    def select_shown(self, population: str, channels: Iterable[str]) -> Mask | None:
        """Return the parent's events that meet what the axes of a plot do not show.

        Parameters
        ----------
        population
            Whose gate is drawn.
        channels
            The channels on the axes; claims about them are drawn, all others hold.
        """
        rule = self.rule(population)
        parent = self.select(rule.parent) if rule.parent else self.select(population)
        if parent is None:
            return None
        shown = set(channels)
        mask = parent.copy()
        for term in self.terms(population):
            if self.template.cuts[term.cut].marker not in shown and self._engine.place(term.cut).is_placed:
                mask &= self.meets(term)
        return mask

    def count_shape(self, population: str, tree: GateTree, gate: str) -> int | None:
        """Count a population as if its gate were a shape drawn here; None where it has no parent to be in.

        Only events of the parent are looked at, and their places on the shape's axes are kept.

        Raises
        ------
        InputError
            If the shape has no extent.
        KeyError
            If it is a combination of other gates, or the tube lacks its channel.
        """
        rule, geometry = self.rule(population), tree.gates[gate].geometry
        parent = self.select(rule.parent) if rule.parent else None
        if parent is None or isinstance(geometry, Boolean):
            return None
        n = int(parent.sum())

        def read(dimension: Dimension) -> Values:
            return self._place_in(rule.parent, dimension.channel, tree.scales.get(dimension.scale))

        return int(apply_shape(geometry, read, n).sum())

    def _place_in(self, population: str, channel: str, scale: Scale | None) -> Values:
        """Return where the events of a population lie on a scale, or their values without one."""
        key = (population, channel, scale)
        if key not in self._placed:
            mask, values = self.select(population), self.tube.read(channel)
            if mask is None or values is None:
                raise KeyError(channel)
            inside = values[mask]
            while len(self._placed) >= _MOST_PLACED:
                self._placed.pop(next(iter(self._placed)), None)
            self._placed[key] = inside if scale is None else apply_scale(inside, scale)
        return self._placed[key]

    def try_limits(self, limits: Mapping[str, float]) -> "Bench":
        """Return the same tube with some limits set by hand and all others held where they are."""
        return self.try_decided(limits, {})

    def try_decided(self, limits: Mapping[str, float], shapes: Mapping[str, Decision | None]) -> "Bench":
        """Return the same tube with some limits set and some shapes drawn; all others are held.

        Parameters
        ----------
        limits
            By gate, in linear compensated units.
        shapes
            By population; None takes a shape back, and the limits count again.

        Raises
        ------
        InputError
            If a shape holds no usable gate.
        """
        decided = self._engine.decided
        if shapes:
            decided = redraw(decided, shapes, tube=self.tube, template=self.template)
        decisions = {gate: decide_cut(gate, limit) for gate, limit in limits.items()}
        decided = replace(decided, cuts={**decided.cuts, **decisions})
        cuts = {**self.cuts, **{gate: self._move(gate, limit) for gate, limit in limits.items()}}
        engine = _Applied(self.tube, self.template, self.name, controls={}, priors={}, decided=decided)
        engine.cuts = dict(cuts)
        touched = find_touched(self.template, limits, list_decided(decided, shapes, self.template))
        # Copies first: another request may gate more of this tube meanwhile.
        masks, reasons = self._engine.masks.copy(without=touched), dict(self._engine.reasons)
        engine.masks = masks
        engine.reasons = {name: reason for name, reason in reasons.items() if name not in touched}
        return Bench(tube=self.tube, template=self.template, name=self.name, cuts=cuts, _engine=engine)

    def _move(self, gate: str, limit: float) -> Cut:
        start = self.cuts.get(gate) or unplaced(self.template.cuts[gate])
        return replace(start, cut=limit, source=GateSource.MANUAL, recipe="decided", control="", reason="")


def open_bench(
    tube: Tube, *, template: Template, name: str, cuts: Iterable[Cut], decisions: Sequence[Decision] = ()
) -> Bench:
    """Lay a prepared tube out with the limits that a run placed.

    Parameters
    ----------
    tube
        As prepared for gating.
    template, name
        As in gating: the panel's template and ``full``, ``fmo_<marker>`` or a run tube.
    cuts
        The limits. A population that asks for one that is not among them has no gate.
    decisions
        What people decided about the tube; of these the shapes are applied here.

    Raises
    ------
    InputError
        If a decision holds no usable gate.
    """
    placed = {cut.gate: cut for cut in cuts}
    template = settle_markers(template, tube.markers.columns)
    decided = prepare_decisions(decisions, tube.acquisition, template, read_own=tube.read)
    engine = _Applied(tube, template, name, controls={}, priors={}, decided=decided)
    engine.cuts = dict(placed)
    return Bench(tube=tube, template=template, name=name, cuts=placed, _engine=engine)


def make_cuts(rows: Iterable[Mapping[str, Any]]) -> list[Cut]:
    """Make the limits of one file of the rows of the table ``cuts``; a missing number is NaN."""
    return [
        Cut(
            gate=row["gate"], marker=row["marker"], cut=float(row["cut"]), units=float("nan"),
            score=float(row["score"]), recipe=row["recipe"], source=row["gate_source"],
            control=row["control"], n_reference=_whole(row["n_reference"]), reason=row["reason"],
        )
        for row in rows
    ]  # fmt: skip


def _whole(value: Any) -> int:
    return int(value) if value == value and value is not None else 0  # noqa: PLR0124 - NaN is not itself


def unplaced(rule: CutRule) -> Cut:
    """Return the limit of a rule that was not placed."""
    return Cut(
        gate=rule.name, marker=rule.marker, cut=float("nan"), units=float("nan"), score=0.0, recipe="",
        source="", control="", n_reference=0, reason="NO_LIMIT",
    )  # fmt: skip


def find_touched(
    template: Template, limits: Iterable[str], populations: Iterable[str] = ()
) -> frozenset[str]:
    """Return the populations whose events change with limits, or shapes, that move, all others held."""
    moved = set(limits)
    touched: set[str] = set()
    drawn = set(populations)
    for rule in template.populations:
        own = {term.cut for term in (*rule.all_of, *rule.any_of)}
        if rule.gate == SIDE_SCATTER:
            own.add(SIDE_SCATTER)
        if rule.name in drawn or own & moved or touched & {rule.parent, *rule.none_of}:
            touched.add(rule.name)
    return frozenset(touched)


def find_dependents(
    template: Template, limits: Iterable[str], populations: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the limits that a run fits to populations which change with others; in their order.

    A preview holds them where they are; the run places them anew.

    Parameters
    ----------
    template
        The panel's.
    limits, populations
        Limits that move, and populations whose shape does.
    """
    moved, drawn = set(limits), tuple(populations)
    found: set[str] = set()
    while True:
        touched = find_touched(template, moved | found, drawn)
        more = {
            name
            for name, rule in template.cuts.items()
            if name not in moved and touched & set(list_references(rule))
        }
        if more <= found:
            return tuple(name for name in template.cuts if name in found)
        found |= more


def list_references(rule: CutRule) -> Iterator[str]:
    """Yield the populations to which a limit is fitted."""
    names = (rule.on, rule.above_of, rule.otherwise, rule.control_population, *rule.between, *rule.of)
    yield from (name for name in names if name)
