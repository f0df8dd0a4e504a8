"""Does the work that the dashboard asked for: takes deliveries and brings the tables up to date.

The serving process only looks whether there is work; a process of its own does it, so that the engines and
their memory are not the server's. Killed at any moment, the work is taken up again when its lease ends.
"""

import datetime as dt
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corelab.errors import CorelabError, InputError

if TYPE_CHECKING:
    from corelab.store import Home
    from corelab.store.jobs import Job

Clock = Callable[[], dt.datetime]
_LOOK_EVERY_SECONDS: Final = 1.0
_LONGEST_LIST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePlace:
    """Where a home is, for another process."""

    path: Path
    database_url: str | None = None
    object_url: str | None = None


def start_runner(home: "Home", place: HomePlace, *, clock: Clock, workers: int = 1) -> Callable[[], None]:
    """Look for work beside a server, and return how to stop looking."""
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(home, place, clock, workers, stop), daemon=True)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(timeout=2 * _LOOK_EVERY_SECONDS)

    return end


def _watch(home: "Home", place: HomePlace, clock: Clock, workers: int, stop: threading.Event) -> None:
    context = get_context("spawn")
    while not stop.wait(_LOOK_EVERY_SECONDS):
        try:
            if not home.jobs.has_work(at=clock()):
                continue
        except CorelabError:
            continue  # a database that went away comes back
        process = context.Process(target=work_at, args=(place, workers))
        process.start()
        while process.is_alive() and not stop.is_set():
            process.join(timeout=_LOOK_EVERY_SECONDS)


def work_at(place: HomePlace, workers: int = 1) -> None:
    """Open a home and do all the work that waits there."""
    from corelab.store import open_home

    home = open_home(place.path, database_url=place.database_url, object_url=place.object_url)
    try:
        work_off(home, clock=lambda: dt.datetime.now(dt.UTC), workers=workers)
    finally:
        home.close()


def work_off(home: "Home", *, clock: Clock, workers: int = 1) -> int:
    """Do the jobs that wait, oldest first; return how many there were."""
    home.uploads.settle()
    home.uploads.expire(at=clock())
    count = 0
    while job := home.jobs.claim(at=clock()):
        report, failed = _try(home, job, clock=clock, workers=workers)
        if failed:
            home.registry.audit.append(
                actor=job.account, role=job.role, action="failure", object=f"job {job.id} {job.kind}",
                at=clock(), reason="the report of the job says why",
            )  # fmt: skip
        home.jobs.finish(job.id, report, at=clock(), failed=failed)
        home.uploads.settle()
        count += 1
    return count


def _try(home: "Home", job: "Job", *, clock: Clock, workers: int) -> tuple[Mapping[str, Any], bool]:
    try:
        return _WORK[job.kind](home, job, clock=clock, workers=workers), False
    except CorelabError as error:
        return {"error": str(error)}, True
    except Exception:  # noqa: BLE001 - our own failure goes to the log, and the next job still has its turn
        traceback.print_exc(file=sys.stderr)
        return {"error": "our own failure; it is in the server's log"}, True


def take_delivery(home: "Home", job: "Job", *, clock: Clock, workers: int) -> Mapping[str, Any]:
    """Ingest the files of an upload, and ask for new tables where anything was taken.

    Raises
    ------
    InputError
        If the bytes of a file are no longer there.
    """
    from corelab.ingest.delivery import DeliveredFile, recognise
    from corelab.store.jobs import RUN
    from pipelines.ingest import ingest_files

    handed = home.uploads.handed(job.id)
    lost = [upload.name for upload, path in handed if not path.is_file()]
    if lost:
        raise InputError("its bytes are gone", place=_name_kind(lost[0]), remedy="upload it again")
    files = [
        DeliveredFile(path=upload.name, location=path, kind=recognise(upload.name))
        for upload, path in sorted(handed, key=lambda one: one[0].name)
    ]
    report = ingest_files(
        home, [files], at=clock(), actor=job.account, role=job.role,
        progress=lambda _path, done, total: home.jobs.extend(job.id, at=clock(), done=done, total=total),
    )  # fmt: skip
    home.jobs.add(RUN, account=job.account, role=job.role, at=clock())
    lines = {"waiting": report.waiting, "corrections": report.corrections, "remarks": report.remarks}
    return {
        "counts": dict(report.counts), "files": list(report.files)[:_LONGEST_LIST],
        **{name: list(texts)[:_LONGEST_LIST] for name, texts in lines.items()},
    }  # fmt: skip


def _name_kind(path: str) -> str:
    """Call a file what it is: its own name may be a person's, and without its bytes nothing tells."""
    from corelab.ingest.delivery import FileKind, recognise, table_stem

    kind = recognise(path)
    return f"{table_stem(path)}.csv" if kind is FileKind.TABLE else f"a file of kind {kind.value}"


def update_tables(home: "Home", job: "Job", *, clock: Clock, workers: int) -> Mapping[str, Any]:
    """Bring the tables up to date, and ask for the single cells of a new snapshot where they are mapped."""
    from corelab.store.jobs import PHENOTYPE
    from pipelines.executor import Place
    from pipelines.run import run

    position = home.registry.position()
    report = run(
        home, at=clock(), place=Place(workers=workers), actor=job.account,
        progress=lambda done, total: home.jobs.extend(job.id, at=clock(), done=done, total=total),
    )  # fmt: skip
    if report.is_new and home.cell_models.current():
        home.jobs.add(PHENOTYPE, account=job.account, role=job.role, at=clock())
    return {
        "snapshot": report.snapshot_id, "is_new": report.is_new, "failed": report.n_failed,
        "position": dict(position),
    }  # fmt: skip


def map_single_cells(home: "Home", job: "Job", *, clock: Clock, workers: int) -> Mapping[str, Any]:
    """Put the cells of the current snapshot on the map; another model where a reason is given."""
    from pipelines.executor import Place
    from pipelines.phenotype import Wish, map_cells

    report = map_cells(
        home, at=clock(), actor=job.account, role=job.role, place=Place(workers=workers),
        wish=Wish(reason=str(job.payload.get("reason", ""))),
        progress=lambda done, total: home.jobs.extend(job.id, at=clock(), done=done, total=total),
    )  # fmt: skip
    return {
        "snapshot": report.snapshot_id, "model": report.model_id, "cells": report.n_cells,
        "clusters": report.n_clusters, "findings": list(report.findings)[:_LONGEST_LIST],
    }  # fmt: skip


_WORK: Final[Mapping[str, Callable[..., Mapping[str, Any]]]] = {
    "ingest": take_delivery,
    "run": update_tables,
    "phenotype": map_single_cells,
}
