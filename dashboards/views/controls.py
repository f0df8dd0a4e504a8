"""The same limits in the tubes that speak against a gate: without the stain, and before infusion."""

from dataclasses import dataclass

from corelab.cytometry.bench import Bench
from corelab.cytometry.gate_view import GateView, select_in_gate
from corelab.store.acquisitions import AcquisitionFile
from dashboards.desk import Look
from dashboards.site import Site, SnapshotTables
from dashboards.views.acquisition import find_before, find_fmo


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What the limits of a gate hold in another tube; ``kind`` is ``fmo`` or ``before``."""

    kind: str
    file: AcquisitionFile
    count: int
    parent_count: int


def count_controls(
    site: Site, tables: SnapshotTables, look: Look, view: GateView, *, own: Bench | None = None
) -> list[Control]:
    """Count a view's gate in the control of the same draw and in the child's last tube before infusion.

    Parameters
    ----------
    site, tables
        The site and the snapshot's tables.
    look, view
        The opened acquisition and the plot of the gate.
    own
        The acquisition as it is tried, where that is not how it was opened.
    """
    known, file = site.desk.known(), look.file
    tried = own or look.bench
    if tried is None:
        return []
    tubes = (
        ("fmo", find_fmo(known, file, (view.y.channel, view.x.channel))),
        ("before", find_before(tables, known, file)),
    )
    found = []
    for kind, other in tubes:
        opened = site.desk.look(tables, other.file_id) if other is not None else None
        if opened is not None and opened.bench is not None:
            found.append(_count(kind, opened, tried, view))
    return [control for control in found if control is not None]


def _count(kind: str, look: Look, own: Bench, view: GateView) -> Control | None:
    if look.bench is None:
        return None
    mask, parent = select_in_gate(look.bench, own, view), look.bench.count(view.parent)
    if mask is None or parent is None:
        return None
    return Control(kind=kind, file=look.file, count=int(mask.sum()), parent_count=parent[0])
