"""Parity with the program that drew the gates: count by count, with the cause of each difference."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from corelab.cytometry.interchange.model import (
    Boolean,
    Ellipsoid,
    Gate,
    GateTree,
    Polygon,
    Refusal,
    describe_geometry,
    list_references,
)
from corelab.cytometry.interchange.reference import Replay

EXACT_EVENTS: Final = 2
EXACT_SHARE: Final = 0.005
DRAWN_EVENTS: Final = 6
DRAWN_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityRow:
    """One gate of one sample.

    ``stored_count`` is what the other program counted (None: it does not say), ``count`` what the
    replay counts (None: refused); ``tolerance`` in events; ``verdict`` is ``equal``, ``within``,
    ``outside``, ``not_counted`` or ``refused``; ``cause`` says why they differ or why it is refused.
    """

    sample: str
    gate: str
    population: str
    gate_type: str
    stored_count: int | None
    count: int | None
    difference: int | None
    tolerance: int | None
    verdict: str
    cause: str


COLUMNS: Final = tuple(field.name for field in fields(ParityRow))


def compare_counts(
    sample: str,
    tree: GateTree,
    replay: Replay,
    *,
    refusals: Sequence[Refusal] = (),
    populations: Mapping[str, tuple[str, ...]] | None = None,
) -> list[ParityRow]:
    """Compare a replay with the stored counts of a tree.

    Parameters
    ----------
    sample
        What to call the file.
    tree, replay
        The gates and what they hold here.
    refusals
        Gates that could not be read at all.
    populations
        Gate to the populations it stands for.

    Returns
    -------
    list of ParityRow
        One for every gate, in the order of the document; refused ones as well.
    """
    meant = populations or {}
    curved = _find_curved(tree)
    causes = {refusal.gate: refusal.cause for refusal in replay.refusals}
    rows = [
        _compare(sample, gate, replay, " ".join(meant.get(gate.name, ())), curved.get(gate.name, ""), causes)
        for gate in tree.gates.values()
    ]
    unread = (_refuse(sample, one.gate, "", "", one.cause, None) for one in refusals)
    return [*rows, *unread]


def compare_total(sample: str, stored: int, count: int) -> ParityRow:
    """Compare the number of events of a file with that of the file on which the gates were drawn."""
    is_same = stored == count
    return ParityRow(
        sample=sample, gate="", population="events", gate_type="all events", stored_count=stored,
        count=count, difference=count - stored, tolerance=0, verdict="equal" if is_same else "outside",
        cause="" if is_same else "the gates were drawn on another file of this name",
    )  # fmt: skip


def _compare(
    sample: str, gate: Gate, replay: Replay, population: str, curved: str, causes: Mapping[str, str]
) -> ParityRow:
    kind = describe_geometry(gate)
    if gate.name not in replay.masks:
        return _refuse(sample, gate.name, population, kind, causes.get(gate.name, ""), gate.stored_count)
    count = int(replay.masks[gate.name].sum())
    stored = gate.stored_count
    tolerance = None if stored is None else compute_tolerance(stored, is_drawn=bool(curved))
    difference = None if stored is None else count - stored
    verdict = _judge(difference, tolerance)
    return ParityRow(
        sample=sample, gate=gate.name, population=population, gate_type=kind, stored_count=stored,
        count=count, difference=difference, tolerance=tolerance, verdict=verdict,
        cause=_explain(difference, curved) if verdict in ("within", "outside") else "",
    )  # fmt: skip


def compute_tolerance(stored: int, *, is_drawn: bool) -> int:
    """Return how many events a count may differ.

    Boxes are exact but for rounding at their edges; polygons and ellipses, and what lies below
    them, depend on how the other program rasters its drawing.

    Examples
    --------
    >>> compute_tolerance(1000, is_drawn=True), compute_tolerance(10, is_drawn=True)
    (50, 6)
    """
    if is_drawn:
        return max(DRAWN_EVENTS, int(DRAWN_SHARE * stored))
    return max(EXACT_EVENTS, int(EXACT_SHARE * stored))


def _judge(difference: int | None, tolerance: int | None) -> str:
    if difference is None or tolerance is None:
        return "not_counted"
    if difference == 0:
        return "equal"
    return "within" if abs(difference) <= tolerance else "outside"


def _explain(difference: int | None, curved: str) -> str:
    if difference is None or not curved:
        return "events at the edge of a box, or another matrix or scale than the workspace stores"
    return f"FlowJo judges {curved} by the cells of its display"


def _find_curved(tree: GateTree) -> dict[str, str]:
    """Name for each gate the polygon or ellipse on which its count depends, its own or another's."""
    found: dict[str, str] = {}
    for gate in tree.gates.values():
        own = isinstance(gate.geometry, Polygon | Ellipsoid)
        above = next((found[name] for name in list_references(gate) if found.get(name)), "")
        words = f"{describe_geometry(gate)} {gate.label!r}"
        found[gate.name] = words if own else above
    # A Boolean gate may stand before the gates it combines.
    for gate in tree.gates.values():
        if isinstance(gate.geometry, Boolean) and not found[gate.name]:
            found[gate.name] = next((found[n] for n in list_references(gate) if found.get(n)), "")
    return found


def _refuse(sample: str, gate: str, population: str, kind: str, cause: str, stored: int | None) -> ParityRow:
    return ParityRow(
        sample=sample, gate=gate, population=population, gate_type=kind, stored_count=stored, count=None,
        difference=None, tolerance=None, verdict="refused", cause=cause,
    )  # fmt: skip


def summarise_parity(rows: Iterable[ParityRow]) -> dict[str, int]:
    """Count the rows of each verdict."""
    counts = dict.fromkeys(("equal", "within", "outside", "not_counted", "refused"), 0)
    for row in rows:
        counts[row.verdict] += 1
    return counts


def list_rows(rows: Iterable[ParityRow]) -> list[dict[str, Any]]:
    """Lay rows out as plain mappings, for a table."""
    return [{name: getattr(row, name) for name in COLUMNS} for row in rows]
