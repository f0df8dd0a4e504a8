"""Jobs on processes and on a Dask cluster, with workers that die."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from corelab.errors import ConfigError
from corelab.store import create_home
from corelab.study import builtin_study
from pipelines.executor import HERE, Lost, Place, begin_call, run_jobs, start_early
from pipelines.gating import gate_all
from pipelines.ingest import ingest
from pipelines.run import run
from tests.pipelines.gate_trials import ReadFrom, make_trial

NOW = dt.datetime(2026, 11, 25, 8, tzinfo=dt.UTC)
PROCESSES = Place(workers=2)


def double(number: int) -> int:
    """Double a number; 13 ends the process that looks at it, 7 is a defect."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 7:
        raise ZeroDivisionError("a defect")
    return 2 * number


@dataclass(frozen=True, slots=True)
class DeadlyReader:
    """Gives the bytes of a file; one file ends whoever reads it."""

    reader: ReadFrom
    deadly: str

    def __call__(self, object_id: str) -> bytes:
        if object_id == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.reader(object_id)


def test_run_jobs__gives_every_result_wherever_it_runs() -> None:
    jobs = [1, 2, 2, 3]
    assert sorted(run_jobs(double, jobs, place=HERE)) == sorted(run_jobs(double, jobs, place=PROCESSES))


def test_run_jobs__a_deadly_job_is_lost_and_the_others_are_done() -> None:
    found = dict(run_jobs(double, [1, 13, 2, 3, 4, 5, 6], place=PROCESSES))
    assert found.pop(13) == Lost()
    assert found == {number: 2 * number for number in (1, 2, 3, 4, 5, 6)}


def load() -> None:
    """Load nothing."""


def idle() -> None:
    """Load for longer than anyone waits."""
    time.sleep(600)


def tell_process(_job: object) -> int:
    """Tell in which process a job runs."""
    return os.getpid()


def test_start_early__runs_a_single_job_there_and_something_else_here_meanwhile() -> None:
    called: list[int] = []
    with start_early(PROCESSES, load) as place:
        [(_, where)] = run_jobs(tell_process, [1], place=place, meanwhile=lambda: called.append(os.getpid()))
        assert begin_call(place, tell_process, 2)() == where != os.getpid()
    assert called == [os.getpid()]


def test_start_early__a_job_that_ends_the_process_is_lost_and_later_calls_are_made_here() -> None:
    with start_early(PROCESSES, load) as place:
        assert dict(run_jobs(double, [13], place=place)) == {13: Lost()}
        assert begin_call(place, tell_process, 1)() == os.getpid()
        assert dict(run_jobs(double, [4], place=place)) == {4: 8}


def test_start_early__nobody_waits_for_what_it_still_loads() -> None:
    begin = time.monotonic()
    with start_early(PROCESSES, idle) as place:
        assert place.early is not None
    assert time.monotonic() - begin < 300


def tell_and_stay(path: Path) -> None:
    """Write down which process this is, and go on for longer than anyone waits."""
    path.with_suffix(".part").write_text(str(os.getpid()))
    path.with_suffix(".part").rename(path)
    time.sleep(600)


_HOLDS_A_PROCESS = """
import sys
from pathlib import Path
from pipelines.executor import open_pool
from tests.pipelines.test_executor import tell_and_stay
if __name__ == "__main__":
    with open_pool(1) as pool:
        pool.submit(tell_and_stay, Path(sys.argv[1])).result()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes by /proc")
def test_open_pool__its_processes_end_with_the_one_that_started_them_even_if_it_is_killed(
    tmp_path: Path,
) -> None:
    script, place = tmp_path / "holds.py", tmp_path / "pid"
    script.write_text(_HOLDS_A_PROCESS)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, str(script), str(place)], env=environment)
    wait_until(place.exists)
    child = int(place.read_text())
    parent.kill()
    parent.wait()
    wait_until(lambda: not is_running(child))


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_run_jobs__a_defect_is_raised_not_lost() -> None:
    with pytest.raises(ZeroDivisionError):
        list(run_jobs(double, [1, 7, 2], place=PROCESSES))


def test_run_jobs__says_that_no_scheduler_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.executor._CONNECT_SECONDS", 1)
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        list(run_jobs(double, [1], place=Place(scheduler="tcp://127.0.0.1:9")))


def test_gate_all__names_the_file_that_ends_its_process(tmp_path: Path) -> None:
    acquisitions, reader, _ = make_trial(tmp_path, seed=5, subjects=4, events=500)
    wanted = acquisitions[acquisitions["visit"].isin(["LD", "D7"])].reset_index(drop=True)
    assert wanted["subject_id"].nunique() > 1
    victim = wanted[wanted["tube"] == "full"].iloc[0]
    deadly = DeadlyReader(reader, victim["object_id"])
    tables = gate_all(wanted, deadly, place=PROCESSES)
    unreadable = tables.findings[tables.findings["check"] == "UNREADABLE"]
    assert unreadable["file_id"].tolist() == [victim["file_id"]]
    assert "process" in unreadable["reason"].item()
    others = set(wanted["file_id"]) - {victim["file_id"]}
    assert set(tables.counts["file_id"]) == others


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Address of a Dask scheduler with two workers, each a process of its own, and those workers."""
    place = tmp_path / "scheduler.json"
    common = ["--no-dashboard"]
    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", place, *common)
    workers: list[subprocess.Popen[bytes]] = []
    try:
        address = wait_for_address(place, scheduler)
        for number in (1, 2):
            folder = tmp_path / f"worker-{number}"
            options = ["--nthreads", "1", "--no-nanny", "--host", "127.0.0.1", "--local-directory", folder]
            workers.append(start("worker", address, *options, *common))
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def start(part: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{part}", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_address(place: Path, scheduler: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until and scheduler.poll() is None:
        if place.exists() and place.read_text().strip():
            return str(json.loads(place.read_text())["address"])
        time.sleep(0.1)
    raise TimeoutError("the scheduler did not start")


@pytest.mark.slow
def test_run__on_a_cluster_that_loses_a_worker_gives_the_snapshot_of_the_local_run(
    tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    make_trial(tmp_path / "delivery", seed=11, subjects=3, events=600)
    snapshots = []
    for name, scheduler in (("here", ""), ("there", address)):
        home = create_home(tmp_path / name, study_text=builtin_study().source)
        ingest(home, [tmp_path / "delivery"], at=NOW, actor="test")
        done: list[int] = []

        def kill_one(finished: int, total: int, done: list[int] = done, scheduler: str = scheduler) -> None:
            done.append(finished)
            if scheduler and len(done) == 1 and finished < total:
                threading.Thread(target=workers[0].kill).start()

        snapshots.append(run(home, at=NOW, place=Place(scheduler=scheduler), progress=kill_one).snapshot_id)
        assert len(done) > 1
        home.close()
    assert workers[0].wait(timeout=30) != 0
    assert snapshots[0] == snapshots[1]
