"""What waits for a reviewer, as rows."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from corelab.errors import CorelabError
from corelab.figures.course import to_float
from corelab.figures.numbers import format_number
from corelab.store.results import ResultScope, ResultTarget, hash_results, list_targets
from corelab.store.review import ReviewState, Standing
from corelab.vocabulary import Level, Status
from dashboards.shell import format_time
from dashboards.site import Site, SnapshotTables
from dashboards.views.samples import FITTED, write_checks

if TYPE_CHECKING:
    import pandas as pd

Known = dict[tuple[str, str], "Results"]
"""Results by child and visit."""

LEVEL_MARKS: Final = {"fail": "×", "warn": "△"}
NOTHING: Final = "–"


def list_visits(tables: SnapshotTables) -> list[ResultTarget]:
    """Return every visit with results in a snapshot."""
    targets = tables.remember("review-targets", lambda: list_targets(tables.__getitem__))
    return [target for target in targets if target.scope is ResultScope.VISIT]


def read_standings(site: Site, tables: SnapshotTables) -> dict[ResultTarget, Standing]:
    """Return where each visit stands; what a snapshot holds of one is hashed once."""
    known: dict[ResultTarget, str] = tables.remember("result-hashes", dict)

    def hash_now(targets: Sequence[ResultTarget]) -> dict[ResultTarget, str]:
        lacking = [target for target in targets if target not in known]
        if lacking:
            known.update(hash_results(tables.__getitem__, tables.snapshot.table_names, lacking))
        return known

    reviews = site.home.reviews
    return tables.remember(
        ("standings", reviews.mark()),
        lambda: reviews.stand(list_visits(tables), hash_now, snapshot_id=tables.snapshot.id),
    )


def list_marks(site: Site, tables: SnapshotTables) -> dict[tuple[str, str], str]:
    """Return for each child and visit whether it is ``signed``, to ``review``, or ``stale``."""
    return {
        (one.target.subject_id, one.target.visit): _mark(one) for one in read_standings(site, tables).values()
    }


def _mark(standing: Standing) -> str:
    if standing.is_stale:
        return "stale"
    return "review" if standing.state is ReviewState.DRAFT else "signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Visits of a child that wait for one decision: ``review``, ``lock`` or ``stale``, and since when."""

    subject_id: str
    decision: str
    visits: tuple[str, ...]
    since: str


def list_pending(site: Site, tables: SnapshotTables) -> list[Pending]:
    """Return what waits for a reviewer, what changed after its signature first, then by child.

    What is to be locked waits since its review, everything else since the snapshot was made.
    """
    made = tables.snapshot.created_at.isoformat()
    found: dict[tuple[int, str], list[Standing]] = {}
    for one in list_standings(site, tables):
        place = 0 if one.is_stale else {ReviewState.DRAFT: 1, ReviewState.REVIEWED: 2}.get(one.state, -1)
        if place >= 0:
            found.setdefault((place, one.target.subject_id), []).append(one)
    return [
        Pending(
            subject_id=subject, decision=("stale", "review", "lock")[place],
            visits=tuple(one.target.visit for one in ones),
            since=min(one.review.at if place == 2 and one.review else made for one in ones),
        )
        for (place, subject), ones in sorted(found.items())
    ]  # fmt: skip


def list_standings(site: Site, tables: SnapshotTables) -> list[Standing]:
    """Return where each visit stands: what changed since signed first, then what was never signed."""
    standings = read_standings(site, tables).values()
    codes = {code: place for place, code in enumerate(site.home.study.visits_by_code)}

    def order(one: Standing) -> tuple[bool, bool, str, int, str]:
        is_done = one.state is not ReviewState.DRAFT
        return (
            not one.is_stale,
            is_done,
            one.target.subject_id,
            codes.get(one.target.visit, len(codes)),
            one.target.visit,
        )

    return sorted(standings, key=order)


def count_waiting(site: Site, tables: SnapshotTables) -> dict[str, int]:
    """Count what waits for a reviewer: drafts, reviewed ones to lock, and signed ones that changed."""
    standings = list_standings(site, tables)
    counts = Counter("stale" if one.is_stale else one.state.value for one in standings)
    return {name: counts[name] for name in ("draft", "reviewed", "stale")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a signature of a visit is about, in short: values as people read them, and how far they hold.

    ``car_t`` and ``b_cells`` are cells per microlitre or a status, one for each tube; ``checks`` by the worst
    level; ``by_hand`` the gates that people set.
    """

    car_t: tuple[str, ...] = ()
    b_cells: tuple[str, ...] = ()
    level: str = ""
    checks: tuple[str, ...] = ()
    by_hand: int = 0


def summarise_results(tables: SnapshotTables) -> dict[tuple[str, str], Results]:
    """Return what is signed of each child and visit that has a tube or a finding."""
    persistence, populations, quality = (tables[n] for n in ("persistence", "populations", "quality"))
    car = persistence[(persistence["analyte"] == "CAR_ABS") & (persistence["collected_at"] != "")]
    b_cells = populations[(populations["population"] == "b_cells") & (populations["tube"] == "full")]
    by_hand = populations[~populations["gate_source"].isin(["", *FITTED])]
    parts = {
        "car_t": _collect(car, lambda row: _write_value(row.value, row.status)),
        "b_cells": _collect(b_cells, lambda row: _write_value(row.cells_per_ul, row.status)),
        "checks": _collect(quality, lambda row: (row.level, row.check)),
        "by_hand": _collect(by_hand, lambda row: row.population),
    }
    return {
        key: Results(
            car_t=tuple(parts["car_t"].get(key, ())), b_cells=tuple(parts["b_cells"].get(key, ())),
            level=_find_worst([level for level, _ in parts["checks"].get(key, ())]),
            checks=tuple(dict.fromkeys(check for _, check in sorted(parts["checks"].get(key, ())))),
            by_hand=len(parts["by_hand"].get(key, ())),
        )
        for key in {key for found in parts.values() for key in found}
    }  # fmt: skip


def _find_worst(levels: Sequence[str]) -> str:
    return next((level for level in (Level.FAIL, Level.WARN) if level in levels), "")


def _collect(rows: "pd.DataFrame", read: Callable[[Any], Any]) -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = {}
    for row in rows.itertuples(index=False):
        found.setdefault((row.subject_id, row.visit), []).append(read(row))
    return found


def _write_value(value: Any, status: str) -> str:
    """Write a number, or the status of what is none."""
    number = to_float(value)
    return format_number(number) if status == Status.QUANTIFIED and math.isfinite(number) else status


def list_rows(site: Site, tables: SnapshotTables) -> list[dict[str, Any]]:
    """Write the rows of the page's grid."""
    rows = []
    results = tables.remember("review results", lambda: summarise_results(tables))
    for standing in list_standings(site, tables):
        review = standing.review
        state = "stale" if standing.is_stale else standing.state.value
        key = standing.target.subject_id, standing.target.visit
        found = results.get(key, Results())
        changed = ""
        if review and standing.is_stale:
            signed = read_signed(site, tables, review.snapshot_id)
            changed = (
                site.text("review.not_kept")
                if signed is None
                else write_changes(site, signed.get(key, Results()), found)
            )
        rows.append(
            {
                **write_results(site, found),
                "scope": standing.target.scope.value, "subject_id": standing.target.subject_id,
                "visit": standing.target.visit, "state": site.text(f"review.state.{state}"), "kind": state,
                "changed": changed,
                "by": review.author if review else "",
                "at": format_time(site, review.at) if review else "",
                "reason": review.reason if review else "",
            }
        )  # fmt: skip
    return rows


def read_signed(site: Site, tables: SnapshotTables, snapshot_id: str) -> Known | None:
    """Return what a snapshot held in which results were signed; None where it cannot be read any more."""

    def read() -> Known | None:
        try:
            return summarise_results(SnapshotTables(site.home.snapshots.get(snapshot_id)))
        except CorelabError:
            return None

    return tables.remember(("signed results", snapshot_id), read)


def write_changes(site: Site, then: Results, now: Results) -> str:
    """Write what is another than when it was signed: before and after of what the page shows."""
    before, after = write_results(site, then), write_results(site, now)
    parts = [
        f"{site.text(f'review.column.{name}')} {before[name] or NOTHING} → {after[name] or NOTHING}"
        for name in ("car_t", "b_cells", "quality", "by_hand")
        if before[name] != after[name]
    ]
    return " · ".join(parts) or site.text("review.other_change")


def write_results(site: Site, found: Results) -> dict[str, str]:
    """Write what is signed of one visit, in words of this language."""

    def write(values: Sequence[str]) -> str:
        return " · ".join(
            site.text(f"status.{value}") if site.catalog.has(f"status.{value}") else value for value in values
        )

    mark = LEVEL_MARKS.get(found.level, "")
    return {
        "car_t": write(found.car_t), "b_cells": write(found.b_cells), "level": found.level,
        "quality": f"{mark} {', '.join(found.checks)}".strip(), "why": write_checks(site, found.checks),
        "by_hand": site.text("samples.by_hand", count=found.by_hand) if found.by_hand else "",
    }  # fmt: skip
