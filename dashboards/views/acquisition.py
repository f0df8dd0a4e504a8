"""One acquisition: its gating tree with counts, the tubes beside it, and the same gate at other visits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from corelab.cytometry.axes import stretch_axis
from corelab.cytometry.bench import Bench
from corelab.cytometry.gate_view import GateView, place_on
from corelab.cytometry.interchange.revision import GateRevision, Kind, Scope, Target
from corelab.store.acquisitions import AcquisitionFile
from corelab.study.model import Study
from corelab.tables.concentration import WITHOUT_CONCENTRATION
from dashboards.desk import Known, Look
from dashboards.site import SnapshotTables

if TYPE_CHECKING:
    import pandas as pd

USUAL: Final = ("car_t", "b_cells", "lymphocytes", "events")
"""What a page opens with: the first that the tube has."""
SCOPES: Final = (Scope.ACQUISITION, Scope.VISIT, Scope.CHILD, Scope.PANEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRow:
    """One population: events of the snapshot and, where limits were moved since, those of now."""

    population: str
    parent: str
    depth: int
    count: float
    now: float
    percent: float
    status: str
    source: str
    is_folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitTube:
    """A tube of the same kind at one visit of the child, with what one population counted there."""

    file_id: str
    visit: str
    collected_at: str
    count: float
    parent_count: float
    percent: float
    high: float
    status: str
    reason: str


def read_populations(tables: SnapshotTables, file_id: str) -> list[dict[str, Any]]:
    """Return the rows of one file in the order in which a template gates them."""
    table = tables["populations"]
    places = tables.remember("populations by file", lambda: _index_files(table))
    found = places.get(file_id)
    return [] if found is None else table.iloc[found].to_dict(orient="records")


def _index_files(table: "pd.DataFrame") -> Mapping[str, Any]:
    indices: Mapping[str, Any] = table.groupby("file_id").indices
    return indices


def choose_population(rows: Sequence[Mapping[str, Any]], wanted: str) -> str:
    """Return the population that was asked for if the file has it, else the usual one that was counted."""
    names = {row["population"]: math.isfinite(_number(row["count"])) for row in rows}
    usual = (name for name in USUAL if names.get(name))
    return next((name for name in (wanted, *usual, *names) if name in names), "")


def build_tree(rows: Sequence[Mapping[str, Any]], look: Look, chosen: str) -> list[TreeRow]:
    """Lay the populations out as a tree, children below their parent, in the template's order.

    Of a compartment's subsets only those on the way to the chosen population are unfolded.
    """
    by_name = {row["population"]: row for row in rows}
    order = list(by_name)
    if look.template is not None:
        order = [rule.name for rule in look.template.populations if rule.name in by_name]
    children: dict[str, list[str]] = {}
    for name in order:
        children.setdefault(by_name[name]["parent"], []).append(name)
    listed: list[TreeRow] = []
    _walk("", 0, children, lambda name, depth: listed.append(_tree_row(by_name[name], depth, look, chosen)))
    return listed


def _walk(parent: str, depth: int, children: Mapping[str, list[str]], visit: Any) -> None:
    for name in children.get(parent, ()):
        visit(name, depth)
        _walk(name, depth + 1, children, visit)


def _tree_row(row: Mapping[str, Any], depth: int, look: Look, chosen: str) -> TreeRow:
    name = row["population"]
    count = _number(row["count"])
    is_subset = "." in name
    return TreeRow(
        population=name, parent=row["parent"], depth=depth, count=count,
        now=_count_now(look, name, count), percent=_number(row["percent_of_parent"]), status=row["status"],
        source=row["gate_source"],
        is_folded=is_subset and name.partition(".")[0] != chosen.partition(".")[0],
    )  # fmt: skip


def _count_now(look: Look, population: str, saved: float) -> float:
    if not look.is_pending or look.bench is None:
        return saved
    counted = look.bench.count(population)
    return saved if counted is None else float(counted[0])


def _number(value: Any) -> float:
    try:
        return float(value)
    except TypeError:  # pandas' own missing value is no number at all
        return math.nan


def list_visit_tubes(known: Known, file: AcquisitionFile) -> list[AcquisitionFile]:
    """List the tubes of the same draw: full tubes first, then their controls."""
    same = [
        other
        for other in known.files.values()
        if (other.subject_id, other.visit) == (file.subject_id, file.visit)
        and other.state == "active"
        and (file.subject_id or other.file_id == file.file_id)
        and (file.visit != "UNS" or other.collected_at[:10] == file.collected_at[:10])
    ]
    return sorted(same, key=lambda one: (one.panel, one.tube != "full", one.tube, one.collected_at))


def list_siblings(known: Known, file: AcquisitionFile, study: Study) -> list[AcquisitionFile]:
    """List the acquisitions of the same child, panel and tube, in the order of their collection.

    Tubes of a run belong to no child: those of the same instrument compare.
    """
    order = {visit.code: visit.order for visit in study.visits}
    same = [
        other
        for other in known.files.values()
        if (other.subject_id, other.panel, other.tube) == (file.subject_id, file.panel, file.tube)
        and (file.subject_id or other.instrument == file.instrument)
        and other.state == "active"
    ]
    return sorted(same, key=lambda one: (one.collected_at, order.get(one.visit, 99), one.file_id))


def name_occasion(file: AcquisitionFile) -> str:
    """Name when a tube was drawn: by its visit, one of a run by its day."""
    return file.visit or file.collected_at[:10]


def stretch_view(tables: SnapshotTables, siblings: Sequence[AcquisitionFile], view: GateView) -> GateView:
    """Return a plot whose axes hold the quality beads of all siblings, at whatever voltage they were read."""
    beads = tables["bead_qc"]
    beads = beads[beads["file_id"].isin([one.file_id for one in siblings])]
    highest = beads.groupby("detector")["median"].max()
    x, y = (stretch_axis(axis, float(highest.get(axis.detector, 0.0))) for axis in (view.x, view.y))
    return place_on(view, x=x, y=y)


def list_same_gate(
    tables: SnapshotTables, siblings: Sequence[AcquisitionFile], population: str
) -> list[VisitTube]:
    """Return what one population counted in each of the child's tubes."""
    return [_visit_tube(tables, file, population) for file in siblings]


def _visit_tube(tables: SnapshotTables, file: AcquisitionFile, population: str) -> VisitTube:
    rows = read_populations(tables, file.file_id)
    row = next((row for row in rows if row["population"] == population), {})
    return VisitTube(
        file_id=file.file_id, visit=name_occasion(file), collected_at=file.collected_at,
        count=_number(row.get("count", math.nan)), parent_count=_number(row.get("parent_count", math.nan)),
        percent=_number(row.get("percent_of_parent", math.nan)), high=_number(row.get("ci_high", math.nan)),
        status=row.get("status", ""), reason=row.get("reason", ""),
    )  # fmt: skip


def find_fmo(known: Known, file: AcquisitionFile, markers: Sequence[str]) -> AcquisitionFile | None:
    """Find the control of the same draw that leaves out one of some markers."""
    wanted = {_bare(marker) for marker in markers}
    tubes = [one for one in list_visit_tubes(known, file) if one.panel == file.panel]
    fitting = [one for one in tubes if one.tube.startswith("fmo_") and _bare(one.tube[4:]) in wanted]
    return fitting[-1] if fitting and file.tube == "full" else None


def _bare(marker: str) -> str:
    return "".join(sign for sign in marker.casefold() if sign.isalnum())


def find_before(tables: SnapshotTables, known: Known, file: AcquisitionFile) -> AcquisitionFile | None:
    """Find the child's last sound full tube of the panel from before infusion, for a later tube."""
    days = tables.remember("days of files", lambda: _read_days(tables["populations"]))
    own = days.get(file.file_id, (math.nan, ""))[0]
    if not own > 0:
        return None
    earlier = [
        (days[other.file_id][0], other.collected_at, other)
        for other in known.files.values()
        if (other.subject_id, other.panel, other.tube) == (file.subject_id, file.panel, "full")
        and other.file_id in days
        and days[other.file_id][0] <= 0
        and days[other.file_id][1] != "fail"
    ]
    return max(earlier, key=lambda found: found[:2])[2] if earlier else None


def _read_days(table: "pd.DataFrame") -> dict[str, tuple[float, str]]:
    """Return study day and quality of each file; the day of the infusion itself counts as before."""
    firsts = table.drop_duplicates("file_id")
    triples = zip(firsts["file_id"], firsts["study_day"], firsts["qc"], strict=True)
    return {str(file_id): (_number(day), str(qc)) for file_id, day, qc in triples}


def build_target(file: AcquisitionFile, scope: Scope) -> Target | None:
    """Name the tubes of a decision made at one acquisition; None where it does not belong so far."""
    if scope is Scope.ACQUISITION:
        return Target(scope=scope, file_id=file.file_id)
    if scope is Scope.PANEL:
        return Target(scope=scope, panel=file.panel)
    if not file.subject_id:
        return None
    if scope is Scope.CHILD:
        return Target(scope=scope, subject_id=file.subject_id, panel=file.panel)
    if not file.visit:
        return None
    return Target(scope=scope, subject_id=file.subject_id, visit=file.visit, panel=file.panel)


def list_tubes(known: Known, file: AcquisitionFile) -> dict[Scope, list[AcquisitionFile]]:
    """List the tubes that a decision of each scope, made at one acquisition, would change."""
    of_panel = [one for one in known.files.values() if one.panel == file.panel and one.state == "active"]
    of_child = [one for one in of_panel if one.subject_id == file.subject_id]
    found = {
        Scope.ACQUISITION: [file],
        Scope.VISIT: [one for one in of_child if one.visit == file.visit],
        Scope.CHILD: of_child,
        Scope.PANEL: of_panel,
    }
    return {scope: found[scope] for scope in SCOPES if build_target(file, scope) is not None}


def list_history(
    known: Known, file: AcquisitionFile, gates: Sequence[str], populations: Sequence[str]
) -> list[GateRevision]:
    """List what was ever decided about some limits and shapes for this tube, the newest first."""
    wanted = {(Kind.CUT, gate) for gate in gates} | {(Kind.SHAPE, name) for name in populations}
    targets = {target for scope in SCOPES if (target := build_target(file, scope)) is not None}
    return [
        one
        for one in reversed(known.revisions)
        if one.target in targets and (one.decision.kind, one.decision.gate) in wanted
    ]


def find_per_event(rows: Sequence[Mapping[str, Any]], population: str) -> float:
    """Return the cells per uL that one event of a population stands for.

    NaN where no volume is known, or for events that are no cells.
    """
    for row in rows if population not in WITHOUT_CONCENTRATION else ():
        count, cells = _number(row["count"]), _number(row["cells_per_ul"])
        if count > 0 and math.isfinite(cells):
            return cells / count
    return math.nan


def list_changes(saved: Bench, tried: Bench, populations: Sequence[str]) -> list[tuple[str, float, float]]:
    """Return the populations whose count is another after a trial: name, before, after."""
    changes = []
    for name in populations:
        before, after = saved.count(name), tried.count(name)
        if before is not None and after is not None and before[0] != after[0]:
            changes.append((name, float(before[0]), float(after[0])))
    return changes
