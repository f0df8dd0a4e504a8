"""Makes the reports on paper of a snapshot: one for each child, one for the cohort."""

import datetime as dt
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

from corelab.report import (
    Signed,
    Source,
    build_child_report,
    build_cohort_report,
    find_chinese_font,
    load_words,
    write_pdf,
)

if TYPE_CHECKING:
    from corelab.store import Home, Snapshot


def make_reports(home: "Home", snapshot: "Snapshot", *, language: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of every report of a snapshot.

    The same snapshot with the same signatures gives the same bytes.

    Raises
    ------
    ConfigError
        If the language is unknown, or a report has words that no font of this machine can write.
    """
    words, source, font = load_words(language), read_source(home, snapshot), find_chinese_font()
    for child in sorted(source.tables["subjects"]["subject_id"]):
        page = build_child_report(source, child, words)
        yield f"patient_{child}.pdf", write_pdf(page, created_at=snapshot.created_at, chinese_font=font)
    cohort = build_cohort_report(source, words)
    yield "cohort.pdf", write_pdf(cohort, created_at=snapshot.created_at, chinese_font=font)


def read_source(home: "Home", snapshot: "Snapshot") -> Source:
    """Read what reports are made of."""
    cutoff = str(snapshot.manifest.get("cutoff") or "")
    moment = dt.datetime.fromisoformat(cutoff) if cutoff else snapshot.created_at
    return Source(
        tables={name: snapshot.table(name) for name in snapshot.table_names},
        study=home.study,
        snapshot_id=snapshot.id,
        created_at=snapshot.created_at,
        cutoff=home.study.localise(moment),
        version=version("corelab"),
        signed=tuple(list_signed(home, snapshot)),
    )


def list_signed(home: "Home", snapshot: "Snapshot") -> Iterator[Signed]:
    """Yield every visit with results, and whether what was signed last is what this snapshot holds."""
    from corelab.store.results import ResultScope, hash_results, list_targets

    reviews = {review.target: review for review in home.reviews.all()}
    targets = [t for t in list_targets(snapshot.table) if t.scope is ResultScope.VISIT]
    codes = {code: place for place, code in enumerate(home.study.visits_by_code)}
    targets.sort(key=lambda target: (target.subject_id, codes.get(target.visit, len(codes)), target.visit))
    reviewed = [target for target in targets if target in reviews]
    hashes = hash_results(snapshot.table, snapshot.table_names, reviewed) if reviewed else {}
    for target in targets:
        review = reviews.get(target)
        if review is None:
            yield Signed(subject_id=target.subject_id, visit=target.visit)
        else:
            yield Signed(
                subject_id=target.subject_id, visit=target.visit, state=review.state.value,
                is_stale=hashes.get(target) != review.content_hash, author=review.author, at=review.at,
            )  # fmt: skip
