"""Work that the dashboard asks for and a runner does: a durable queue in the registry.

A job that is claimed has a lease. A runner that dies lets it run out, and another takes the job again;
every job is such that doing it twice is doing it once.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from corelab.store import schema
from corelab.store.audit import format_moment
from corelab.store.database import reading, writing

INGEST: Final = "ingest"
RUN: Final = "run"
PHENOTYPE: Final = "phenotype"
SHARED: Final = (RUN, PHENOTYPE)
"""Kinds of which one that is queued serves everybody."""
QUEUED: Final = "queued"
RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"
LEASE: Final = dt.timedelta(minutes=10)
MOST_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work, who asked for it, and what came of it."""

    id: int
    kind: str
    payload: Mapping[str, Any]
    account: str
    role: str
    state: str
    attempts: int
    created_at: str
    finished_at: str
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """The jobs of one registry."""

    engine: sa.Engine

    def add(
        self, kind: str, *, account: str, role: str, at: dt.datetime, payload: Mapping[str, Any] | None = None
    ) -> int:
        """Queue a job and return its number; one of `SHARED` that is queued already serves everybody."""
        with writing(self.engine) as connection:
            return add_job(connection, kind, account=account, role=role, at=at, payload=payload)

    def claim(self, *, at: dt.datetime) -> Job | None:
        """Take the oldest job that is queued or whose lease ran out; None where there is none."""
        job = schema.job.c
        now = format_moment(at)
        free = (job.state == QUEUED) | ((job.state == RUNNING) & (job.lease_until < now))
        with writing(self.engine) as connection:
            self._give_up(connection, now)
            row = connection.execute(sa.select(schema.job).where(free).order_by(job.id).limit(1)).first()
            if row is None:
                return None
            values = {
                "state": RUNNING,
                "attempts": row.attempts + 1,
                "lease_until": format_moment(at + LEASE),
            }
            connection.execute(sa.update(schema.job).where(job.id == row.id).values(values))
            return _job({**row._mapping, **values})

    def has_work(self, *, at: dt.datetime) -> bool:
        """Tell whether a job waits, or one whose runner died."""
        job = schema.job.c
        dead = (job.state == RUNNING) & (job.lease_until < format_moment(at))
        with reading(self.engine) as connection:
            query = sa.select(job.id).where((job.state == QUEUED) | dead).limit(1)
            return connection.execute(query).first() is not None

    def extend(self, job_id: int, *, at: dt.datetime, done: int | None = None, total: int = 0) -> None:
        """Say that a job is still at work, and how many files of how many are done."""
        report = {} if done is None else {"report": _json({"done": done, "total": total})}
        self._set(job_id, {"lease_until": format_moment(at + LEASE), **report})

    def find_latest(self, kind: str) -> Job | None:
        """Return the newest job of a kind, or None."""
        query = sa.select(schema.job).where(schema.job.c.kind == kind).order_by(schema.job.c.id.desc())
        with reading(self.engine) as connection:
            row = connection.execute(query.limit(1)).mappings().first()
        return None if row is None else _job(dict(row))

    def finish(
        self, job_id: int, report: Mapping[str, Any], *, at: dt.datetime, failed: bool = False
    ) -> None:
        """Note what came of a job."""
        state = FAILED if failed else DONE
        self._set(job_id, {"state": state, "finished_at": format_moment(at), "report": _json(report)})

    def latest(self, *, limit: int = 5) -> list[Job]:
        """Return the newest jobs, newest first."""
        query = sa.select(schema.job).order_by(schema.job.c.id.desc()).limit(limit)
        with reading(self.engine) as connection:
            return [_job(dict(row)) for row in connection.execute(query).mappings()]

    def _set(self, job_id: int, values: Mapping[str, Any]) -> None:
        with writing(self.engine) as connection:
            connection.execute(sa.update(schema.job).where(schema.job.c.id == job_id).values(dict(values)))

    @staticmethod
    def _give_up(connection: sa.Connection, now: str) -> None:
        job = schema.job.c
        dead = (job.state == RUNNING) & (job.lease_until < now) & (job.attempts >= MOST_ATTEMPTS)
        report = _json({"error": f"it ended {MOST_ATTEMPTS} times without an answer"})
        values = {"state": FAILED, "finished_at": now, "report": report}
        connection.execute(sa.update(schema.job).where(dead).values(values))


def add_job(
    connection: sa.Connection, kind: str, *, account: str, role: str, at: dt.datetime,
    payload: Mapping[str, Any] | None = None,
) -> int:  # fmt: skip
    """Queue a job inside a writing transaction."""
    job = schema.job.c
    if kind in SHARED:
        waits = sa.select(job.id).where(job.kind == kind, job.state == QUEUED)
        known = connection.execute(waits).first()
        if known:
            return int(known.id)
    values = {
        "kind": kind, "payload": _json(payload or {}), "account": account, "role": role, "state": QUEUED,
        "attempts": 0, "lease_until": "", "created_at": format_moment(at), "finished_at": "", "report": "{}",
    }  # fmt: skip
    key: Any = connection.execute(sa.insert(schema.job).values(values)).inserted_primary_key
    return int(key[0])


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False)


def _job(row: Mapping[str, Any]) -> Job:
    return Job(
        id=row["id"], kind=row["kind"], payload=json.loads(row["payload"]), account=row["account"],
        role=row["role"], state=row["state"], attempts=row["attempts"], created_at=row["created_at"],
        finished_at=row["finished_at"], report=json.loads(row["report"]),
    )  # fmt: skip
