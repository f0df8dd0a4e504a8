"""A tiny synthetic trial, and a command line called in this process or in one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.simulate import simulate

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tiny_trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic child with small tubes, and a file that no manifest names."""
    out = tmp_path_factory.mktemp("trial") / "delivery"
    simulate(out, subjects=1, events=800, seed=11)
    return out


def command(*words: object) -> list[str]:
    """Words of a process that runs one command."""
    return [sys.executable, "-m", "pipelines.cli", *map(str, words)]


def clean_environment(**more: str) -> dict[str, str]:
    """The environment of a command, without settings of this one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CORELAB_")}
    return kept | {"PYTHONPATH": str(ROOT)} | more


@pytest.fixture
def corelab() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a command in a process of its own."""

    def run(*words: object, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command(*words), input=stdin, capture_output=True, text=True, check=False, cwd="/",
            env=clean_environment(**environment), timeout=240,
        )  # fmt: skip

    return run
