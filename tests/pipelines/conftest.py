"""A tiny synthetic trial, and a command line called in this process or in one of its own."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.simulate import simulate
from tests.deliveries import write_table
from tests.once import make_once

ROOT = Path(__file__).parents[2]


KEPT_VISITS = ("SCR", "LD", "D7", "D14", "D28")


@pytest.fixture(scope="session")
def tiny_trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic child with small tubes of a few visits, and a file that no manifest names."""
    return make_once(tmp_path_factory, "tiny", make_tiny_trial) / "delivery"


def make_tiny_trial(folder: Path) -> None:
    """Simulate a child and leave out most of its visits' tubes: what is tested does not grow with them."""
    out = folder / "delivery"
    simulate(out, subjects=1, events=800, seed=11)
    with (out / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    kept = [row for row in rows if row["visit"] in (*KEPT_VISITS, "")]
    for name in {row["file"] for row in rows} - {row["file"] for row in kept}:
        (out / name).unlink(missing_ok=True)
    write_table(out / "manifest.csv", kept)


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
