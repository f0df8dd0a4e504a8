"""The open FCS files of the gate pages: read once, kept within a budget, with what was decided since."""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from corelab.cytometry.bench import Bench, make_cuts, open_bench
from corelab.cytometry.interchange.revision import (
    Decision,
    GateRevision,
    Kind,
    TubeKey,
    pick_for_tubes,
    read_labels,
    read_limit,
)
from corelab.cytometry.records import MOST_AT_ONCE, Cut
from corelab.cytometry.run_tubes import read_matrix, read_stains
from corelab.cytometry.template import Template, load_template
from corelab.cytometry.tube import prepare_tube
from corelab.errors import ConfigError, CorelabError
from corelab.ingest.fcs import read_fcs
from corelab.store.acquisitions import AcquisitionFile
from corelab.vocabulary import BEAD_QC
from dashboards.ports import HomePort
from dashboards.site import SnapshotTables

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

BUDGET_BYTES: Final = 768 * 1024 * 1024
"""Memory for open files; the newest stays open whatever its size."""
PICTURES: Final = 600
_NAN: Final = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the registry holds about files and their gates at one moment."""

    files: Mapping[str, AcquisitionFile]
    decisions: Mapping[str, tuple[Decision, ...]]
    revisions: tuple[GateRevision, ...]
    by_version: Mapping[str, Decision] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """One acquisition with its gates.

    ``saved`` is gated as the snapshot was, ``bench`` with what was decided since; ``is_pending`` tells
    whether that is anything. ``problem`` is why there are no gates to look at, else empty.
    """

    file: AcquisitionFile
    key: Hashable
    template: Template | None
    saved: Bench | None
    bench: Bench | None
    is_pending: bool = False
    problem: str = ""


@dataclass(slots=True, eq=False)
class _Kept:
    """Things by key, the least recently used first."""

    budget: int
    weigh: Callable[[Any], int]
    items: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)

    def get(self, key: Hashable) -> Any:
        found = self.items.get(key)
        if found is not None:
            self.items.move_to_end(key)
        return found

    def put(self, key: Hashable, thing: Any) -> None:
        self.items[key] = thing
        self.items.move_to_end(key)
        while len(self.items) > 1 and sum(map(self.weigh, self.items.values())) > self.budget:
            self.items.popitem(last=False)


def _weigh_look(look: Look) -> int:
    return look.bench.n_bytes if look.bench else 1


class Desk:
    """Opens acquisitions for the gate pages.

    Files are read one after the other, as each takes much memory while it is prepared; what is open already
    is given at once.
    """

    def __init__(self, home: HomePort, *, budget: int = BUDGET_BYTES) -> None:
        self._home = home
        self._lock = threading.RLock()
        self._reading = threading.RLock()
        self._trying = threading.RLock()
        self._mark: tuple[int, int] | None = None
        self._known = Known(files={}, decisions={}, revisions=())
        self._looks = _Kept(budget=budget, weigh=_weigh_look)
        self._tried = _Kept(budget=8, weigh=lambda _bench: 1)
        self._pictures = _Kept(budget=PICTURES, weigh=lambda _picture: 1)

    def known(self) -> Known:
        """Return what the registry holds now; read again only after it has changed."""
        mark = self._home.registry.acquisition_mark()
        with self._lock:
            if mark != self._mark:
                self._known = _read_known(self._home)
                self._mark = mark
            return self._known

    def is_open(self, tables: SnapshotTables, file_id: str) -> bool:
        """Tell whether `look` would answer at once."""
        return self._find(self._looks, self._key(tables, file_id)) is not None

    def _key(self, tables: SnapshotTables, file_id: str) -> Hashable:
        decisions = self.known().decisions.get(file_id, ())
        return tables.snapshot.id, file_id, tuple(sorted(describe_decisions(decisions).items()))

    def look(self, tables: SnapshotTables, file_id: str) -> Look | None:
        """Open an acquisition as a snapshot gated it; None for a file that was never delivered."""
        known = self.known()
        file = known.files.get(file_id)
        if file is None:
            return None
        decisions, key = known.decisions.get(file_id, ()), self._key(tables, file_id)
        return self._keep(self._looks, key, lambda: self._open(tables, file, decisions, key), self._reading)

    def try_decided(
        self, look: Look, limits: Mapping[str, float], shapes: Mapping[str, Decision] | None = None
    ) -> Bench | None:
        """Return an acquisition with limits moved and shapes drawn by hand; the last few trials are kept."""
        if look.bench is None or not (limits or shapes):
            return look.bench
        bench, drawn = look.bench, dict(shapes or {})
        versions = tuple(sorted((name, one.version) for name, one in drawn.items()))
        key = (look.key, tuple(sorted(limits.items())), versions)
        return self._keep(self._tried, key, lambda: bench.try_decided(limits, drawn), self._trying)

    def picture(self, key: Hashable, draw: Callable[[], str]) -> str:
        """Return a drawing, made once."""
        return self._keep(self._pictures, key, draw, contextlib.nullcontext())

    def _keep(
        self, kept: _Kept, key: Hashable, make: Callable[[], T], alone: AbstractContextManager[Any]
    ) -> T:
        """Return what is kept under a key; make it inside ``alone`` if nobody else did meanwhile."""
        found: T | None = self._find(kept, key)
        if found is not None:
            return found
        with alone:
            found = self._find(kept, key)
            if found is None:
                found = make()
                with self._lock:
                    kept.put(key, found)
            return found

    def _find(self, kept: _Kept, key: Hashable) -> Any:
        with self._lock:
            return kept.get(key)

    def _open(
        self, tables: SnapshotTables, file: AcquisitionFile, decisions: tuple[Decision, ...], key: Hashable
    ) -> Look:
        nothing = Look(file=file, key=key, template=None, saved=None, bench=None)
        if "cuts" not in tables:
            return _with_problem(nothing, "old_snapshot")
        cuts = read_cuts(tables, file.file_id)
        if not cuts and not _is_counted_without(tables, file):
            return _with_problem(nothing, "not_gated")
        try:
            template = load_template(file.panel)
            acquisition = read_fcs(
                self._home.objects.read(file.object_id), name=file.name, by_column=MOST_AT_ONCE
            )
            tube = prepare_tube(
                acquisition, template=template, marker_labels=read_labels(decisions),
                spillover=read_matrix(file.spillover_id, self._home.objects.read),
                stains=read_stains(file.stains, self._home.objects.read),
            )  # fmt: skip
            then = find_decisions_then(tables, self.known(), file.file_id)
            saved = open_bench(tube, template=template, name=file.tube, cuts=cuts, decisions=then)
            bench = try_since(saved, then, decisions, cuts)
        except (ConfigError, CorelabError, OSError):
            return _with_problem(nothing, "unreadable")
        return Look(
            file=file, key=key, template=template, saved=saved, bench=bench, is_pending=bench is not saved
        )


def _is_counted_without(tables: SnapshotTables, file: AcquisitionFile) -> bool:
    """Tell whether a tube was counted although it has no limit: quality beads have none."""
    files = tables.remember("files of populations", lambda: frozenset(tables["populations"]["file_id"]))
    return file.tube == BEAD_QC and file.file_id in files


def _with_problem(look: Look, problem: str) -> Look:
    return Look(file=look.file, key=look.key, template=None, saved=None, bench=None, problem=problem)


def try_since(saved: Bench, then: Sequence[Decision], now: Sequence[Decision], cuts: Sequence[Cut]) -> Bench:
    """Return a tube with what was decided since it was counted; the same tube if that is nothing."""
    limits = find_pending_limits(now, cuts)
    old, new = ({one.gate: one for one in all_ if one.kind is Kind.SHAPE} for all_ in (then, now))
    known = saved.population_names
    shapes = {name: new.get(name) for name in sorted({*old, *new} & known) if old.get(name) != new.get(name)}
    return saved.try_decided(limits, shapes) if limits or shapes else saved


def _read_known(home: HomePort) -> Known:
    files = {file.file_id: file for file in home.registry.acquisition_files()}
    revisions = home.gates.all()
    tubes = [
        TubeKey(file_id=file.file_id, subject_id=file.subject_id, visit=file.visit, panel=file.panel)
        for file in files.values()
    ]
    return Known(
        files=files, decisions=pick_for_tubes(revisions, tubes), revisions=tuple(revisions),
        by_version={one.decision.version: one.decision for one in revisions},
    )  # fmt: skip


def read_cuts(tables: SnapshotTables, file_id: str) -> list[Cut]:
    """Return the limits with which a snapshot counted a file."""
    by_file = tables.remember("cuts by file", lambda: _group_by_file(tables["cuts"]))
    return make_cuts(by_file.get(file_id, ()))


def _group_by_file(table: "pd.DataFrame") -> dict[str, list[dict[str, Any]]]:
    known = table.astype(object).where(table.notna(), _NAN)
    return {str(file_id): rows.to_dict(orient="records") for file_id, rows in known.groupby("file_id")}


def describe_decisions(decisions: tuple[Decision, ...]) -> dict[str, str]:
    """Return the versions of decisions by what they are about, as a snapshot's manifest lists them."""
    return {f"{one.kind} {one.gate}".strip(): one.version for one in decisions}


def find_decisions_then(tables: SnapshotTables, known: Known, file_id: str) -> list[Decision]:
    """Return what people had decided about a file when the snapshot was made."""
    versions = tables.snapshot.manifest.get("gates", {}).get(file_id, {}).values()
    return [known.by_version[version] for version in versions if version in known.by_version]


def is_waiting(tables: SnapshotTables, known: Known, file_id: str) -> bool:
    """Tell whether gates of a file were decided, or taken back, since the snapshot was made."""
    then = tables.snapshot.manifest.get("gates", {}).get(file_id, {})
    return bool(describe_decisions(known.decisions.get(file_id, ())) != then)


def find_pending_limits(decisions: Sequence[Decision], cuts: Sequence[Cut]) -> dict[str, float]:
    """Return the limits that were decided and are not those with which the snapshot counted."""
    counted = {cut.gate: cut.cut for cut in cuts if cut.reason != "MARKER_MISSING"}
    decided = {one.gate: read_limit(one) for one in decisions if one.kind is Kind.CUT}
    return {gate: limit for gate, limit in decided.items() if gate in counted and counted[gate] != limit}
