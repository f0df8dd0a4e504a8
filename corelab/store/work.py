"""What came since the snapshot was made, and the run that takes it in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corelab.store.jobs import DONE, INGEST, QUEUED, RUN, RUNNING, Job

if TYPE_CHECKING:
    from corelab.store.home import Home

LOGS: Final = ("record", "withdrawal", "gate_revision")
_LATEST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Entries of each log that no snapshot has seen, and the newest run or delivery; None before any."""

    changes: Mapping[str, int]
    job: Job | None

    @property
    def is_active(self) -> bool:
        """Whether the newest job waits for the runner or is at work."""
        return self.job is not None and self.job.state in (QUEUED, RUNNING)

    @property
    def is_waiting(self) -> bool:
        """Whether a run would have something to look at."""
        return any(self.changes.values())


def find_work(home: "Home") -> Work:
    """Look what waits for a run and what is being done.

    A run that found nothing new keeps the snapshot; its report says how far it had read.
    """
    # Single cells change no table: their page follows them by itself.
    jobs = [job for job in home.jobs.latest(limit=_LATEST) if job.kind in (RUN, INGEST)]
    seen = [position for _, position in home.snapshots.positions()[-1:]]
    seen += [one.report["position"] for one in jobs if _has_read(one)][:1]
    now = home.registry.position()
    changes = {
        name: max(now.get(name, 0) - max((read.get(name, 0) for read in seen), default=0), 0) for name in LOGS
    }
    return Work(changes=changes, job=_choose(jobs))


def _has_read(job: Job) -> bool:
    return job.kind == RUN and job.state == DONE and "position" in job.report


def _choose(jobs: list[Job]) -> Job | None:
    """Take the job that is at work, else the next in turn, else the last that ended."""
    for state in (RUNNING, QUEUED):
        active = [job for job in jobs if job.state == state]
        if active:
            return active[-1]
    return jobs[0] if jobs else None
