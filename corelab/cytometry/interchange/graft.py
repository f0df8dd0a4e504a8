"""Trees that people drew taken into the trial's own tree of an acquisition."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from corelab.cytometry.interchange.model import (
    Boolean,
    Dimension,
    Gate,
    GateTree,
    Operand,
    map_dimensions,
    select_subtree,
)
from corelab.cytometry.interchange.reference import order_gates

_T = TypeVar("_T")
_LIMITED: Final = " limited"


@dataclass(slots=True, kw_only=True, eq=False)
class Grafts:
    """What was taken in so far: scales, ratios, matrices, and each gate with the name it has here."""

    tree: GateTree
    placed: list[tuple[GateTree, str, str]] = field(default_factory=list)

    def add(self, drawn: GateTree, gate: str, *, name: str, limit: str) -> dict[str, Gate]:
        """Take in one gate with everything it rests on.

        Parameters
        ----------
        drawn, gate
            The tree as a person drew it and the gate that is the population.
        name
            What the gate is to be called.
        limit
            The gate here inside which it lies; empty: none but its own.

        Returns
        -------
        dict
            Gates to be added, in order. One that was taken in with another population is used again.
        """
        shared = self._share(drawn)
        called: dict[str, str] = {}
        added: dict[str, Gate] = {}
        for one in order_gates(drawn)[0]:
            below = select_subtree(drawn, one.name)
            known = next((here for tree, was, here in self.placed if (tree, was) == (below, one.name)), "")
            if known and one.name != gate:
                called[one.name] = known
                continue
            here = name if one.name == gate else f"{name} drawn {one.name}"
            called[one.name] = here
            added[here] = _rename(shared.gates[one.name], here, called)
            self.placed.append((below, one.name, here))
        self.tree = replace(
            self.tree, scales={**self.tree.scales, **shared.scales},
            ratios={**self.tree.ratios, **shared.ratios}, matrices={**self.tree.matrices, **shared.matrices},
        )  # fmt: skip
        if limit and limit not in called.values():
            _limit(added, name, limit)
        return added

    def _share(self, drawn: GateTree) -> GateTree:
        """Give scales, ratios and matrices the names under which they are here, or free ones."""
        scales = _find_names(drawn.scales, self.tree.scales)
        ratios = _find_names(drawn.ratios, self.tree.ratios)
        matrices = _find_names(drawn.matrices, self.tree.matrices)

        def call(one: Dimension) -> Dimension:
            return replace(
                one, scale=scales.get(one.scale, one.scale),
                compensation=matrices.get(one.compensation, one.compensation),
                channel=ratios.get(one.channel, one.channel) if one.is_ratio else one.channel,
            )  # fmt: skip

        gates = {n: replace(g, geometry=map_dimensions(g.geometry, call)) for n, g in drawn.gates.items()}
        return GateTree(
            gates=gates, scales=_called(drawn.scales, scales), ratios=_called(drawn.ratios, ratios),
            matrices=_called(drawn.matrices, matrices),
        )  # fmt: skip


def _find_names(own: Mapping[str, _T], here: Mapping[str, _T]) -> dict[str, str]:
    """Find for each record the name that it has here, or a free one."""
    names: dict[str, str] = {}
    for name, record in own.items():
        same = next((other for other, known in here.items() if known == record), "")
        free = name
        while not same and free in here:
            free += " ~"
        names[name] = same or free
    return names


def _called(own: Mapping[str, _T], names: Mapping[str, str]) -> dict[str, _T]:
    return {names[name]: record for name, record in own.items()}


def _rename(gate: Gate, name: str, called: Mapping[str, str]) -> Gate:
    geometry = gate.geometry
    if isinstance(geometry, Boolean):
        operands = tuple(replace(one, gate=called[one.gate]) for one in geometry.operands)
        geometry = replace(geometry, operands=operands)
    label = name if " drawn " not in name else gate.label
    return replace(
        gate, name=name, label=label, parent=called.get(gate.parent, ""), geometry=geometry, stored_count=None
    )


def _limit(added: dict[str, Gate], name: str, limit: str) -> None:
    """Put a gate inside another: as its child where it has no parent, else as what both hold."""
    gate = added[name]
    if not gate.parent:
        added[name] = replace(gate, parent=limit)
        return
    whole = name + _LIMITED
    operands = (Operand(gate=whole),)
    del added[name]
    added[whole] = replace(gate, name=whole, label=whole)
    added[name] = Gate(
        name=name, label=name, parent=limit, geometry=Boolean(operation="and", operands=operands)
    )
