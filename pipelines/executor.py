"""Where jobs run: in this process, on processes of this machine, or on a Dask cluster.

All three speak `concurrent.futures`. A worker that dies costs a retry, not the run: a job that ends its
worker every time is handed back as lost, and the others go on.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import active_children, get_context, parent_process
from typing import Final, TypeVar

from corelab.errors import ConfigError

Job = TypeVar("Job")
Result = TypeVar("Result")

_CONNECT_SECONDS: Final = 10
_RETRIES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where jobs run: ``workers`` processes here, or the Dask cluster at ``scheduler`` (``tcp://host:port``).

    ``early`` is a process that `start_early` started: a single job runs there.
    """

    workers: int = 1
    scheduler: str = ""
    early: Executor | None = field(default=None, compare=False, repr=False)


HERE: Final = Place()


@dataclass(frozen=True, slots=True)
class Lost:
    """What stands in for a result whose worker died each time."""


@contextmanager
def start_early(place: Place, load: Callable[[], object]) -> Iterator[Place]:
    """Start a process that loads what the work will need while this one finds out what the work is.

    Parameters
    ----------
    place
        Where jobs are to run; one worker, or a cluster, is not started early.
    load
        Imports what the jobs need; importable by name.

    Yields
    ------
    Place
        The same with the process, which is ended with the block whatever it does.
    """
    if place.scheduler or place.workers <= 1:
        yield place
        return
    others = set(active_children())
    with open_pool(1) as early:
        early.submit(load)
        own = set(active_children()) - others
        try:
            yield replace(place, early=early)
        finally:
            # Nobody waits for what it still loads.
            for process in own:
                process.terminate()


def begin_call(place: Place, function: Callable[..., Result], *arguments: object) -> Callable[[], Result]:
    """Begin one call on a process that was started early; what is returned waits for its result.

    Where there is none, or it died, the call is made here when its result is asked for.
    """
    if place.early is None:
        return lambda: function(*arguments)
    try:
        future = place.early.submit(function, *arguments)
    except BrokenProcessPool:
        return lambda: function(*arguments)

    def wait() -> Result:
        try:
            return future.result()
        except BrokenProcessPool:
            return function(*arguments)

    return wait


def run_jobs(
    function: Callable[[Job], Result], jobs: Sequence[Job], *, place: Place,
    meanwhile: Callable[[], object] | None = None,
) -> Iterator[tuple[Job, Result | Lost]]:  # fmt: skip
    """Run a function on every job and give each back as it is done.

    Parameters
    ----------
    function
        Importable by name; it and the jobs must be picklable unless they run here.
    jobs
        In the order in which they should start.
    place
        Where. One worker, or one job, runs in this process, the job in one that was started early if any.
    meanwhile
        Called here once while the processes work.

    Raises
    ------
    ConfigError
        If no scheduler answers at the address, or Dask is not installed.
    Exception
        Whatever the function raises: that is a defect, not a lost worker.
    """
    if place.scheduler:
        yield from _run_on_cluster(function, jobs, place.scheduler)
    elif place.workers <= 1 or (len(jobs) == 1 and place.early is None):
        for job in jobs:
            yield job, function(job)
    else:
        yield from _run_on_processes(function, jobs, place, meanwhile)


def run_alone(function: Callable[[Job], Result], job: Job) -> Result | Lost:
    """Run one job in a process of its own, so that it can end none but itself."""
    with open_pool(1) as pool:
        for _, result in _collect(function, [job], pool):
            return result
    return Lost()


def _run_on_processes(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    place: Place,
    meanwhile: Callable[[], object] | None,
) -> Iterator[tuple[Job, Result | Lost]]:
    """Run on a pool; a process that dies takes its pool along, then those that ran are tried one by one."""
    waiting, workers = list(jobs), min(place.workers, len(jobs))
    early = place.early if workers == 1 else None
    while waiting:
        done = set()
        with open_pool(workers) if early is None else nullcontext(early) as pool:
            for position, result in _collect(function, waiting, pool, meanwhile):
                done.add(position)
                yield waiting[position], result
        unfinished = [job for position, job in enumerate(waiting) if position not in done]
        # The pool hands out jobs in order, one ahead of its processes: the culprit is among the first.
        suspects, waiting = unfinished[: workers + 1], unfinished[workers + 1 :]
        for job in suspects:
            yield job, run_alone(function, job)
        early = meanwhile = None


@contextmanager
def open_pool(workers: int) -> Iterator[Executor]:
    """Start processes that end with the block, and with this process even where it is killed."""
    # A fork would copy the locks of a serving process.
    started = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_watch_parent)
    with started as pool, _cancelling(pool):
        yield pool


def _watch_parent() -> None:
    """End this process as soon as the one that started it is gone: nobody would take its results."""
    threading.Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _collect(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    pool: Executor,
    meanwhile: Callable[[], object] | None = None,
) -> Iterator[tuple[int, Result]]:
    """Give back what a pool of processes finished, by position; nothing for what was lost with the pool."""
    futures = {}
    for position, job in enumerate(jobs):
        with suppress(BrokenProcessPool):
            futures[pool.submit(function, job)] = position
    if meanwhile:
        meanwhile()
    for future in as_completed(futures):
        with suppress(BrokenProcessPool):
            yield futures[future], future.result()


def _run_on_cluster(
    function: Callable[[Job], Result], jobs: Sequence[Job], scheduler: str
) -> Iterator[tuple[Job, Result | Lost]]:
    """Run on a Dask cluster; it gives the work of a worker that died to another one by itself."""
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise ConfigError("Dask is not installed", remedy="pip install 'corelab[dask]'") from error
    try:
        client = Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no Dask scheduler answers at {scheduler}", expected="tcp://host:port of a running scheduler"
        ) from error
    with client, client.get_executor(retries=_RETRIES, pure=False) as pool, _cancelling(pool):
        futures = {pool.submit(function, job): job for job in jobs}
        for future in as_completed(futures):
            try:
                result = future.result()
            except KilledWorker:
                yield futures[future], Lost()
            else:
                yield futures[future], result


@contextmanager
def _cancelling(pool: Executor) -> Iterator[None]:
    """Start nothing more once something went wrong, instead of finishing the rest first."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
