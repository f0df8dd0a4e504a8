"""What waits for a reviewer, as rows."""

from collections import Counter
from typing import Any

from corelab.store.results import ResultScope, ResultTarget, list_targets
from corelab.store.review import ReviewState, Standing
from dashboards.site import Site, SnapshotTables


def list_visits(tables: SnapshotTables) -> list[ResultTarget]:
    """Return every visit with results in a snapshot."""
    targets = tables.remember("review-targets", lambda: list_targets(tables.__getitem__))
    return [target for target in targets if target.scope is ResultScope.VISIT]


def list_standings(site: Site, tables: SnapshotTables) -> list[Standing]:
    """Return where each visit stands, those that wait for a reviewer first."""
    standings = site.home.reviews.standings(list_visits(tables)).values()
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
