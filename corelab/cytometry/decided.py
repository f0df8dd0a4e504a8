"""What people decided about one tube, made ready for the engine: limits, and the events inside shapes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.model import GateTree
from corelab.cytometry.interchange.parity import compare_counts
from corelab.cytometry.interchange.reference import ReadOwn, Replay
from corelab.cytometry.interchange.revision import Decision, Kind, read_cause, read_limit, read_shape
from corelab.cytometry.records import Cut, Finding, Mask
from corelab.cytometry.template import CutRule, PopulationRule, Template
from corelab.cytometry.tube import Tube
from corelab.errors import InputError
from corelab.ingest.fcs import Acquisition
from corelab.vocabulary import GateSource, Level

NOT_GIVEN: Final = "NOT_GIVEN"
_SIDE_SCATTER: Final = "lymphocytes"
_NAN: Final = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Decisions on one tube.

    ``cuts`` is by cut, ``shapes`` by population, ``masks`` the events inside each shape that can be
    used here, ``(n_events,)``. A shape of ``whole`` came with all gates above it (a workspace, a
    Gating-ML file): what it holds belongs to the fitted populations above it as well. ``opposites``
    leads from a population to the drawn one whose complement it is (no CAR, where CAR was drawn).
    ``alone``: nothing is fitted beside what was decided.
    """

    cuts: Mapping[str, Decision] = field(default_factory=dict)
    shapes: Mapping[str, Decision] = field(default_factory=dict)
    masks: Mapping[str, Mask] = field(default_factory=dict)
    whole: frozenset[str] = frozenset()
    opposites: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    alone: bool = False

    def decides(self, rule: PopulationRule) -> bool:
        """Tell whether a person set the gate of a population, by a shape or by one of its limits."""
        return bool(self.list_own(rule))

    def list_own(self, rule: PopulationRule) -> list[Decision]:
        """List the decisions about a population's own gate."""
        if rule.name in self.masks:
            return [self.shapes[rule.name]]
        if rule.name in self.opposites:
            return [self.shapes[self.opposites[rule.name]]]
        names = [term.cut for term in (*rule.all_of, *rule.any_of)]
        names += [rule.name] if rule.gate == _SIDE_SCATTER else []
        return [self.cuts[name] for name in dict.fromkeys(names) if name in self.cuts]

    def describe(self, rule: PopulationRule) -> str:
        """Return the versions of the decisions about a population's own gate, each after a ``#``."""
        return "".join(f"#{decision.version}" for decision in self.list_own(rule))

    def collect_below(self, rule: PopulationRule, template: Template) -> Mask | None:
        """Collect what whole shapes hold below a fitted population, None where there is none.

        A shape whose own parents were decided stays inside them, so only the uppermost count.
        """
        parents = {one.name: one for one in template.populations}
        found = [self.masks[name] for name in sorted(self.whole) if self._hangs_on(name, rule.name, parents)]
        return np.asarray(np.logical_or.reduce(found)) if found else None

    def _hangs_on(self, name: str, above: str, parents: Mapping[str, PopulationRule]) -> bool:
        """Tell whether a population lies below another with no decided one between."""
        current = parents[name].parent
        while current and current != above:
            if self.decides(parents[current]):
                return False
            current = parents[current].parent
        return current == above


def prepare_decisions(
    decisions: Sequence[Decision], acquisition: Acquisition, template: Template, *,
    read_own: ReadOwn | None = None, alone: bool = False,
) -> Decided:  # fmt: skip
    """Apply what was decided to one acquisition.

    Parameters
    ----------
    decisions
        Those that count for the tube (`corelab.cytometry.interchange.revision.pick_decisions`).
    acquisition
        As read.
    template
        Decisions about populations that it does not have are left aside.
    read_own
        What gives the tube's channels by marker, for shapes that were drawn here.
    alone
        Whether nothing is to be fitted beside them.

    Returns
    -------
    Decided
        With findings ``GATE_REFUSED`` (a shape that cannot be used here; the population is fitted)
        and ``GATE_PARITY`` (a count that is not that of the program which drew the gate).
    """
    populations = {rule.name for rule in template.populations}
    shapes = {one.gate: one for one in decisions if one.kind is Kind.SHAPE and one.gate in populations}
    cuts = {one.gate: one for one in decisions if one.kind is Kind.CUT}
    known = {*template.cuts, *(rule.name for rule in template.populations if rule.gate == _SIDE_SCATTER)}
    findings = [_refuse(one.gate, read_cause(one)) for one in decisions if one.kind is Kind.REFUSED]
    findings += [_refuse(name, "the template has no such cut") for name in sorted(set(cuts) - known)]
    masks, more = _apply_shapes(shapes, acquisition, read_own)
    return Decided(
        cuts={name: one for name, one in cuts.items() if name in known}, shapes=shapes, masks=masks,
        whole=frozenset(name for name in masks if shapes[name].source != GateSource.MANUAL),
        opposites={} if alone else find_opposites(template, masks), findings=(*findings, *more), alone=alone,
    )  # fmt: skip


def redraw(
    decided: Decided, shapes: Mapping[str, Decision | None], *, tube: Tube, template: Template
) -> Decided:
    """Return decisions with some shapes drawn anew, or taken back where None.

    Raises
    ------
    InputError
        If a shape holds no usable gate.
    """
    fresh = prepare_decisions(
        [one for one in shapes.values() if one is not None], tube.acquisition, template, read_own=tube.read
    )
    kept = {name: mask for name, mask in decided.masks.items() if name not in shapes}
    known = {name: one for name, one in decided.shapes.items() if name not in shapes}
    masks = {**kept, **fresh.masks}
    return replace(
        decided, shapes={**known, **fresh.shapes}, masks=masks,
        whole=frozenset(kept) & decided.whole | fresh.whole, opposites=find_opposites(template, masks),
    )  # fmt: skip


def list_decided(decided: Decided, shapes: Iterable[str], template: Template) -> frozenset[str]:
    """List the populations that change with some shapes: they, their contraries, what they widen above."""
    names = set(shapes)
    names |= {name for name, drawn in find_opposites(template, names).items() if drawn in names}
    parents = {rule.name: rule.parent for rule in template.populations}
    for name in names & decided.whole:
        above = parents[name]
        while above:
            names.add(above)
            above = parents[above]
    return frozenset(names)


def find_opposites(template: Template, drawn: Iterable[str]) -> dict[str, str]:
    """Find the populations that are what a drawn one leaves of its parent.

    They are those that claim of one limit exactly the contrary: with a shape in the place of the limit,
    an event would otherwise belong to both or to none.
    """
    shapes = set(drawn)
    return {
        rule.name: other.name
        for rule in template.populations
        for other in template.populations
        if rule.name not in shapes and other.name in shapes and _is_contrary(rule, other)
    }


def _is_contrary(rule: PopulationRule, other: PopulationRule) -> bool:
    if rule.parent != other.parent or len(rule.all_of) != 1 or len(other.all_of) != 1:
        return False
    (own,), (theirs,) = rule.all_of, other.all_of
    is_alone = not (rule.any_of or rule.none_of or other.any_of or other.none_of)
    return is_alone and own == replace(theirs, positive=not theirs.positive)


def _apply_shapes(
    shapes: Mapping[str, Decision], acquisition: Acquisition, read_own: ReadOwn | None
) -> tuple[dict[str, Mask], list[Finding]]:
    masks: dict[str, Mask] = {}
    findings: list[Finding] = []
    for tree, wanted in _join_trees(shapes):
        replay = evaluate(tree, acquisition, read_own=read_own)
        causes = {refusal.gate: refusal.cause for refusal in replay.refusals}
        for population, gate in wanted.items():
            if gate in replay.masks:
                masks[population] = replay.masks[gate]
            else:
                findings.append(_refuse(population, causes.get(gate, "its gate cannot be used")))
        findings += _compare(tree, replay, set(wanted.values()))
    return masks, findings


def _join_trees(shapes: Mapping[str, Decision]) -> list[tuple[GateTree, dict[str, str]]]:
    """Join trees that agree wherever they share a name, so that a workspace is evaluated once."""
    joined: list[tuple[GateTree, dict[str, str]]] = []
    for population, decision in sorted(shapes.items()):
        tree, gate = read_shape(decision)
        for i, (known, wanted) in enumerate(joined):
            if _agree(known, tree):
                joined[i] = (_join(known, tree), {**wanted, population: gate})
                break
        else:
            joined.append((tree, {population: gate}))
    return joined


def _parts(tree: GateTree) -> Iterable[Mapping[str, object]]:
    return tree.gates, tree.scales, tree.ratios, tree.matrices


def _agree(one: GateTree, other: GateTree) -> bool:
    return all(
        a[name] == b[name]
        for a, b in zip(_parts(one), _parts(other), strict=True)
        for name in a.keys() & b.keys()
    )


def _join(one: GateTree, other: GateTree) -> GateTree:
    return GateTree(
        gates={**one.gates, **other.gates}, scales={**one.scales, **other.scales},
        ratios={**one.ratios, **other.ratios}, matrices={**one.matrices, **other.matrices},
    )  # fmt: skip


def _compare(tree: GateTree, replay: Replay, gates: set[str]) -> list[Finding]:
    return [
        Finding(
            check="GATE_PARITY", level=Level.WARN, value=float(row.count or 0),
            limit=float(row.stored_count or 0),
            reason=f"{row.gate} holds {row.count} events here, {row.stored_count} where it was drawn",
        )
        for row in compare_counts("", tree, replay)
        if row.verdict == "outside" and row.gate in gates
    ]  # fmt: skip


def _refuse(gate: str, cause: str) -> Finding:
    return Finding(check="GATE_REFUSED", level=Level.WARN, value=_NAN, limit=_NAN, reason=f"{gate}: {cause}")


def take_limit(rule: CutRule, decision: Decision, tube: Tube) -> Cut:
    """Return a limit as a person set it.

    Raises
    ------
    InputError
        If the decision holds no number.
    """
    column = tube.column(rule.marker)
    cut = make_decided_cut(rule.name, rule.marker, decision)
    if column is None:
        return replace(cut, cut=_NAN, source="", score=0.0, reason="MARKER_MISSING")
    return replace(cut, units=cut.cut / float(tube.scales[column]))


def make_decided_cut(gate: str, marker: str, decision: Decision) -> Cut:
    """Make the record of a limit, or of a shape (without a limit), that a person set.

    Raises
    ------
    InputError
        If the decision holds no number.
    """
    try:
        limit = read_limit(decision) if decision.kind is Kind.CUT else _NAN
    except (TypeError, ValueError) as error:
        raise InputError(f"limit {decision.content!r}", place=gate, expected="a number") from error
    return Cut(
        gate=gate, marker=marker, cut=limit, units=_NAN, score=1.0, recipe="decided",
        source=decision.source, control="", n_reference=0, reason="",
    )  # fmt: skip
