"""Review: results move from draft to reviewed to locked, each step signed, and go stale when they change."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from corelab.errors import ReviewError
from corelab.store import schema
from corelab.store.audit import Entry, append_entries, format_moment
from corelab.store.database import reading, writing
from corelab.store.results import ResultScope, ResultTarget, check_target, hash_results
from corelab.store.workers import find_workers
from corelab.vocabulary import Role

if TYPE_CHECKING:
    from corelab.store.acquisitions import AcquisitionFile
    from corelab.store.home import Home
    from corelab.store.snapshots import Snapshot


HashNow = Callable[[Sequence[ResultTarget]], Mapping[ResultTarget, str]]


class ReviewState(StrEnum):
    """How far results have come."""

    DRAFT = "draft"
    REVIEWED = "reviewed"
    LOCKED = "locked"


MEANINGS: Final[Mapping[ReviewState, str]] = {
    ReviewState.REVIEWED: "I have reviewed these results and their gates.",
    ReviewState.LOCKED: "I approve these results; they are final.",
    ReviewState.DRAFT: "I unlock these results for the reason given.",
}
"""What a signature says, in the words that stand in the audit trail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One decision about results, as it was signed."""

    id: int
    target: ResultTarget
    state: ReviewState
    content_hash: str
    snapshot_id: str
    author: str
    at: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where results stand now. ``is_stale``: they are no longer those that were signed."""

    target: ResultTarget
    state: ReviewState
    is_stale: bool
    review: Review | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who signs, proved by the password, and when; ``snapshot_id`` is what the person saw."""

    author: str
    password: str
    at: dt.datetime
    snapshot_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """The reviews of a home."""

    home: "Home"

    def all(self) -> list[Review]:
        """Return every decision in the order in which it was signed."""
        with reading(self.home.registry.engine) as connection:
            return read_reviews(connection)

    def mark(self) -> int:
        """Return a number that grows with every decision."""
        query = sa.select(sa.func.coalesce(sa.func.max(schema.review.c.id), 0))
        with reading(self.home.registry.engine) as connection:
            return int(connection.execute(query).scalar_one())

    def standings(self, targets: Iterable[ResultTarget] | None = None) -> dict[ResultTarget, Standing]:
        """Return where targets stand; without any given, those that were ever signed."""
        latest = {review.target: review for review in self.all()}
        asked = latest.keys() if targets is None else set(targets)
        signed = [target for target in asked if target in latest]
        hashes = self.hash_current(signed) if signed else {}
        return {target: _stand(target, latest.get(target), hashes) for target in sorted(asked)}

    def stand(
        self, targets: Iterable[ResultTarget], hash_now: HashNow, *, snapshot_id: str
    ) -> dict[ResultTarget, Standing]:  # fmt: skip
        """Return where targets stand, with hashes that the caller keeps.

        What was signed in the current snapshot is what it was; only older signatures are compared.

        Parameters
        ----------
        targets
            Results.
        hash_now
            Gives the hashes of some targets in the current snapshot.
        snapshot_id
            Of the current snapshot.
        """
        latest = {review.target: review for review in self.all()}
        asked = sorted(set(targets))
        fresh = {t: r.content_hash for t, r in latest.items() if r.snapshot_id == snapshot_id}
        older = [target for target in asked if target in latest and target not in fresh]
        hashes = {**(hash_now(older) if older else {}), **fresh}
        return {target: _stand(target, latest.get(target), hashes) for target in asked}

    def hash_current(self, targets: Iterable[ResultTarget]) -> dict[ResultTarget, str]:
        """Hash what the current snapshot holds of each target."""
        snapshot = self.home.snapshots.current()
        return {} if snapshot is None else hash_results(snapshot.table, snapshot.table_names, targets)

    def stale(self) -> list[Standing]:
        """Return signed results that are no longer what was signed, of plates and children in the trial."""
        subjects = self.home.registry.subject_hashes()
        return [
            standing
            for standing in self.standings().values()
            if standing.is_stale
            and (standing.target.subject_id in subjects or standing.target.scope is ResultScope.PLATE)
        ]

    def sign(self, targets: Sequence[ResultTarget], state: ReviewState, signature: Signature) -> list[Review]:
        """Sign results as reviewed or as locked, all of them or none.

        The password is asked again, and counted like a login. What is signed is the content of the
        current snapshot, which must be the one that the person saw.

        Raises
        ------
        ReviewError
            If the password or the role is wrong, newer data wait for a run, there are no such results, a
            target is not in the state before, or the person worked on it.
        """
        role = self.check_person(signature)
        if state is ReviewState.DRAFT:
            raise ReviewError("nothing is signed as a draft", expected="reviewed or locked")
        snapshot = self.check_snapshot(signature.snapshot_id)
        checked = [check_target(target) for target in dict.fromkeys(targets)]
        if any(target.scope is ResultScope.PLATE for target in checked):
            raise ReviewError("a plate is not signed like results", remedy="lock it on the page of plates")
        hashes = hash_results(snapshot.table, snapshot.table_names, checked)
        self.check_up_to_date({target.subject_id for target in checked})
        for target in checked:
            if target not in hashes:
                raise ReviewError(f"{target.name}: there are no results", remedy="look at the page again")
            self.check_worker(target, signature.author)
        return self.record(checked, state, signature, role=role, hashes=hashes)

    def unlock(self, targets: Sequence[ResultTarget], signature: Signature) -> list[Review]:
        """Bring reviewed or locked results back to draft, for a reason.

        Raises
        ------
        ReviewError
            If no reason is given, the password or the role is wrong, or a target is a draft.
        """
        if not signature.reason.strip():
            raise ReviewError("no reason for the unlocking", expected="why the results are opened again")
        role = self.check_person(signature)
        checked = [check_target(target) for target in dict.fromkeys(targets)]
        return self.record(checked, ReviewState.DRAFT, signature, role=role, hashes={})

    def check_unlocked(self, tubes: "Iterable[AcquisitionFile]") -> None:
        """Refuse a change to tubes whose results are locked, themselves or as part of their visit.

        Raises
        ------
        ReviewError
            If they are locked.
        """
        changed = list(tubes)
        for review in {review.target: review for review in self.all()}.values():
            if review.state is not ReviewState.LOCKED:
                continue
            target = review.target
            visit, files = (target.subject_id, target.visit), ("", *(tube.file_id for tube in changed))
            if target.file_id in files and visit in {(tube.subject_id, tube.visit) for tube in changed}:
                raise ReviewError(f"{target.name} is locked", remedy="a reviewer has to unlock it first")

    def verify(self) -> list[str]:
        """Return what is wrong: decisions that are not those which the audit trail tells of."""
        entry = schema.audit.c
        query = sa.select(entry.object, entry.new).where(entry.action.in_(["sign", "unlock"]))
        with reading(self.home.registry.engine) as connection:
            told = [(row.object, row.new) for row in connection.execute(query.order_by(entry.seq))]
            kept = [(one.target.name, _describe(one)) for one in read_reviews(connection)]
        findings = [
            f"review {number}: differs from what the audit trail says"
            for number, (one, other) in enumerate(zip(kept, told, strict=False), start=1)
            if one != other
        ]
        if len(kept) != len(told):
            findings.append(f"review: {len(kept)} signatures, {len(told)} in the audit trail")
        return findings

    def check_person(self, signature: Signature) -> Role:
        """Return the role of who signs, proved by the password; only a reviewer signs."""
        users = self.home.registry.users
        user = users.verify(signature.author, signature.password, at=signature.at, purpose="sign")
        if user is None:
            raise ReviewError("the password does not fit, or the account is shut for a while")
        if user.role is not Role.REVIEWER:
            raise ReviewError(f"a {user.role} signs nothing", expected=Role.REVIEWER.value)
        return user.role

    def check_snapshot(self, seen: str) -> "Snapshot":
        """Return the current snapshot, which must be the one that was seen."""
        snapshot = self.home.snapshots.current()
        if snapshot is None or snapshot.id != seen:
            raise ReviewError("there is a newer snapshot than the one that was seen", remedy="load it first")
        return snapshot

    def check_up_to_date(self, subjects: Iterable[str]) -> None:
        """Refuse where newer data of a child wait for a run; ``""`` is what belongs to no child."""
        waiting = set(subjects) & set(self.home.stale_subjects())
        if waiting:
            whose = min(waiting) or "plates or run tubes"
            raise ReviewError(f"newer data of {whose} wait", remedy="run corelab run, then look again")

    def check_worker(self, target: ResultTarget, author: str) -> None:
        """Refuse whose work the results are."""
        with reading(self.home.registry.engine) as connection:
            workers = find_workers(connection, target, study=self.home.study)
        if author in workers:
            raise ReviewError(
                f"{target.name}: nobody approves their own work ({author} {workers[author]})",
                expected="another reviewer",
            )

    def record(
        self, targets: Sequence[ResultTarget], state: ReviewState, signature: Signature, *, role: Role,
        hashes: Mapping[ResultTarget, str],
    ) -> list[Review]:  # fmt: skip
        """Record a checked decision about results, all of them or none, with its lines of the audit."""
        signed = []
        with writing(self.home.registry.engine) as connection:
            latest = {review.target: review for review in read_reviews(connection)}
            entries = []
            for target in targets:
                before = latest.get(target)
                _check_step(target, before, state, content=hashes.get(target, ""))
                row = _row(target, before, state, signature, content=hashes.get(target, ""))
                key: Sequence[Any] = connection.execute(
                    sa.insert(schema.review).values(row)
                ).inserted_primary_key or (0,)
                review = _review({"id": int(key[0]), **row})
                signed.append(review)
                entries.append(_entry(review, before, signature, role))
            head = append_entries(connection, entries)
        self.home.registry.audit.write_head(head)
        return signed


def _stand(target: ResultTarget, review: Review | None, hashes: Mapping[ResultTarget, str]) -> Standing:
    state = review.state if review else ReviewState.DRAFT
    is_stale = review is not None and state is not ReviewState.DRAFT
    is_stale = is_stale and review is not None and hashes.get(target) != review.content_hash
    return Standing(target=target, state=state, is_stale=is_stale, review=review)


def _check_step(target: ResultTarget, before: Review | None, state: ReviewState, *, content: str) -> None:
    now = before.state if before else ReviewState.DRAFT
    is_same = before is not None and before.content_hash == content
    if state is ReviewState.DRAFT:
        if now is ReviewState.DRAFT:
            raise ReviewError(f"{target.name} is a draft", expected="reviewed or locked results")
        return
    if now is ReviewState.LOCKED:
        remedy = "" if is_same else "unlock it first"
        raise ReviewError(f"{target.name} is locked already", remedy=remedy)
    is_plate = target.scope is ResultScope.PLATE  # judged by its rules, it has no draft to be reviewed
    if state is ReviewState.LOCKED and not is_plate and not (now is ReviewState.REVIEWED and is_same):
        raise ReviewError(f"{target.name} is not reviewed as it is now", remedy="review it first")
    if state is ReviewState.REVIEWED and now is ReviewState.REVIEWED and is_same:
        raise ReviewError(f"{target.name} is reviewed already")


def _row(
    target: ResultTarget, before: Review | None, state: ReviewState, signature: Signature, *, content: str
) -> dict[str, Any]:
    return {
        "scope": target.scope.value, "file_id": target.file_id, "subject_id": target.subject_id,
        "visit": target.visit, "state": state.value, "content_hash": content,
        "snapshot_id": signature.snapshot_id, "author": signature.author,
        "recorded_at": format_moment(signature.at), "reason": signature.reason.strip(),
        "supersedes": before.id if before else None,
    }  # fmt: skip


def _entry(review: Review, before: Review | None, signature: Signature, role: Role) -> Entry:
    return Entry(
        at=signature.at, actor=signature.author, role=role.value,
        action="unlock" if review.state is ReviewState.DRAFT else "sign", object=review.target.name,
        old=_describe(before) if before else ReviewState.DRAFT.value, new=_describe(review),
        reason=" ".join((MEANINGS[review.state], review.reason)).strip(),
    )  # fmt: skip


def _describe(review: Review) -> str:
    signed = f"{review.content_hash} of snapshot {review.snapshot_id}" if review.content_hash else ""
    return f"{review.state} {signed}".strip()


def read_reviews(connection: sa.Connection) -> list[Review]:
    """Read every decision in the order in which it was signed."""
    query = sa.select(schema.review).order_by(schema.review.c.id)
    return [_review(dict(row)) for row in connection.execute(query).mappings()]


def _review(row: Mapping[str, Any]) -> Review:
    target = ResultTarget(
        scope=ResultScope(row["scope"]), subject_id=row["subject_id"], visit=row["visit"],
        file_id=row["file_id"],
    )  # fmt: skip
    return Review(
        id=row["id"], target=target, state=ReviewState(row["state"]), content_hash=row["content_hash"],
        snapshot_id=row["snapshot_id"], author=row["author"], at=row["recorded_at"], reason=row["reason"],
    )  # fmt: skip
