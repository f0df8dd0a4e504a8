"""What is costly to make and only read is made once for all processes of a test run."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first process to ask for it has filled; the others wait for that one.

    Only for what nobody writes to: whoever needs to copies it first.
    """
    base = factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base  # each worker of xdist has its own
    folder, done = shared / f"once-{name}", shared / f"once-{name}.done"
    with (shared / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
