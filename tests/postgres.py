"""A throwaway PostgreSQL server for the tests: its own folder, a Unix socket, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/opt/postgresql*/bin", "/opt/homebrew/opt/postgresql*/bin")


def find_programs() -> Path:
    """Return the folder of initdb and pg_ctl; a machine without them fails the run."""
    found = shutil.which("pg_ctl")
    places = [Path(found).resolve().parent] if found else []
    for pattern in _PLACES:
        places += sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "pg_ctl").exists():
            return place
    message = "no PostgreSQL server found; run tests/provision.sh (make test does)"
    raise RuntimeError(message)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that may be stopped and started again."""

    folder: Path
    programs: Path
    as_owner: tuple[str, ...]

    @property
    def url(self) -> str:
        """URL of the database ``postgres``."""
        return f"postgresql://corelab@/postgres?host={self.folder}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=50"
        self._control("-o", options, "-l", self.folder / "log", "-w", "start")

    def stop(self) -> None:
        """End the server at once, with whatever is connected to it."""
        self._control("-m", "immediate", "-w", "stop")

    def _control(self, *words: object) -> None:
        _call(self.as_owner, self.programs / "pg_ctl", "-D", self.folder / "data", *words)


@contextmanager
def running_server() -> Iterator[Server]:
    """Make a server of its own, started, and gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="corelab-pg-", dir="/tmp"))  # a socket's path must be short
    server = Server(folder=folder, programs=find_programs(), as_owner=tuple(_as_owner(folder)))
    initdb = (server.programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "corelab", "-E", "UTF8")
    try:
        _call(server.as_owner, *initdb)
        server.start()
        try:
            yield server
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_postgres() -> Iterator[str]:
    """Start a server and give the URL of its database ``postgres``."""
    with running_server() as server:
        yield server.url


def _as_owner(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: then another account owns the folder and starts it."""
    if os.geteuid() != 0:
        return []
    for account in ("postgres", "nobody"):
        if subprocess.run(["id", account], capture_output=True, check=False).returncode == 0:
            shutil.chown(folder, account)
            return ["runuser", "-u", account, "--"]
    message = "PostgreSQL cannot run as root, and there is neither an account postgres nor nobody"
    raise RuntimeError(message)


def _call(as_owner: Sequence[str], *words: object) -> None:
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    result = subprocess.run(
        [*as_owner, *map(str, words)], check=False, cwd="/", env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    if result.returncode:
        message = f"{words[0]} ended with {result.returncode}: {result.stderr.decode()[-500:]}"
        raise RuntimeError(message)
