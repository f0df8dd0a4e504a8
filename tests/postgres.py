"""A throwaway PostgreSQL server for the tests: its own folder, a Unix socket, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def running_postgres() -> Iterator[str]:
    """Start a server and give the URL of its database ``postgres``."""
    programs = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="corelab-pg-", dir="/tmp"))  # a socket's path must be short
    as_owner = _as_owner(folder)
    data = folder / "data"
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=50"
    try:
        _call(as_owner, programs / "initdb", "-D", data, "-A", "trust", "-U", "corelab", "-E", "UTF8")
        _call(as_owner, programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            yield f"postgresql://corelab@/postgres?host={folder}"
        finally:
            _call(as_owner, programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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


def _call(as_owner: list[str], *words: object) -> None:
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    result = subprocess.run(
        [*as_owner, *map(str, words)], check=False, cwd="/", env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    if result.returncode:
        message = f"{words[0]} ended with {result.returncode}: {result.stderr.decode()[-500:]}"
        raise RuntimeError(message)
