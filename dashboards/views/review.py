"""What waits for a reviewer, as rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from corelab.store.results import ResultScope, ResultTarget, hash_results, list_targets
from corelab.store.review import ReviewState, Standing
from dashboards.site import Site, SnapshotTables


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
    """Return where each visit stands, those that wait for a reviewer first."""
    standings = read_standings(site, tables).values()
    codes = {code: place for place, code in enumerate(site.home.study.visits_by_code)}

    def order(one: Standing) -> tuple[bool, str, int, str]:
        is_done = one.state is not ReviewState.DRAFT and not one.is_stale
        return is_done, one.target.subject_id, codes.get(one.target.visit, len(codes)), one.target.visit

    return sorted(standings, key=order)


def count_waiting(site: Site, tables: SnapshotTables) -> dict[str, int]:
    """Count what waits for a reviewer: drafts, reviewed ones to lock, and signed ones that changed."""
    standings = list_standings(site, tables)
    counts = Counter("stale" if one.is_stale else one.state.value for one in standings)
    return {name: counts[name] for name in ("draft", "reviewed", "stale")}


def list_rows(site: Site, tables: SnapshotTables) -> list[dict[str, Any]]:
    """Write the rows of the page's grid."""
    rows = []
    for standing in list_standings(site, tables):
        review = standing.review
        state = "stale" if standing.is_stale else standing.state.value
        rows.append(
            {
                "scope": standing.target.scope.value, "subject_id": standing.target.subject_id,
                "visit": standing.target.visit, "state": site.text(f"review.state.{state}"),
                "by": review.author if review else "",
                "at": review.at[:16].replace("T", " ") if review else "",
                "reason": review.reason if review else "",
            }
        )  # fmt: skip
    return rows
