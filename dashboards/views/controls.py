"""The same limits in the tubes that speak against a gate: without the stain, and before infusion."""

from dataclasses import dataclass

from corelab.cytometry.gate_view import GateView, select_in_limits
from corelab.store.acquisitions import AcquisitionFile
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
    site: Site, tables: SnapshotTables, file: AcquisitionFile, view: GateView
) -> list[Control]:
    """Count a view's limits in the control of the same draw and in the child's last tube before infusion."""
    known = site.desk.known()
    tubes = (
        ("fmo", find_fmo(known, file, (view.y.channel, view.x.channel))),
        ("before", find_before(tables, known, file)),
    )
    found = [_count(site, tables, kind, other, view) for kind, other in tubes if other is not None]
    return [control for control in found if control is not None]


def _count(
    site: Site, tables: SnapshotTables, kind: str, file: AcquisitionFile, view: GateView
) -> Control | None:
    look = site.desk.look(tables, file.file_id)
    bench = None if look is None else look.bench
    mask = None if bench is None else select_in_limits(bench, view)
    parent = None if bench is None else bench.count(view.parent)
    if mask is None or parent is None:
        return None
    return Control(kind=kind, file=file, count=int(mask.sum()), parent_count=parent[0])
