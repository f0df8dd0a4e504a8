"""Every command and every example of the tutorials, run as printed, gives what is printed."""

import contextlib
import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from pipelines.cli import main
from tests.dashboards.simulated import make_trial
from tests.once import make_once
from tests.plate_exports import fill_plate, read_signals, write_xponent

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "docs" / "first_hour.md", *(ROOT / "docs" / "tutorials").glob("*.md")])
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Step:
    """A command and what it says."""

    command: str
    said: str


def list_steps(block: str) -> Iterator[Step]:
    """Split a session into commands (``$``, continued by ``>``) and their answers."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        more = [line.removeprefix("> ") for line in lines[1:] if line.startswith("> ")]
        said = [line for line in lines[1:] if not line.startswith("> ")]
        yield Step("\n".join([lines[0], *more]), "\n".join([*said, ""]) if said else "")


def run_step(command: str) -> str:
    """Run a command of a page: ours within this process, which is faster, all others by the shell."""
    words = shlex.split(command) if "\n" not in command else []
    if words[:1] != ["corelab"] or {"|", ">"} & set(words):
        done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        code = main(words[1:])
    assert code in (0, 1, 2), told.getvalue()
    return told.getvalue() + (f"exit code {code}\n" if code else "")


def run_page(page: Path, names: dict[str, object]) -> None:
    checker, parser = doctest.OutputChecker(), doctest.DocTestParser()
    for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            test = parser.get_doctest(block, names, page.name, str(page), 0)
            report = io.StringIO()
            runner = doctest.DocTestRunner(optionflags=OPTIONS)
            runner.run(test, out=report.write, clear_globs=False)
            names.update(test.globs)
            assert runner.summarize(verbose=False).failed == 0, report.getvalue()
            continue
        for step in list_steps(block):
            said = run_step(step.command)
            assert checker.check_output(step.said, said, OPTIONS), f"$ {step.command}\n{said}"


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_once(tmp_path_factory, "trial", make_trial)


def lay_out(folder: Path, trial: Path) -> None:
    """What the pages begin with: a tube, a plate, a delivery and a trial."""
    rows = pd.read_csv(trial / "delivery" / "manifest.csv", dtype=str, keep_default_na=False)
    tube = rows[(rows["tube"] == "full") & (rows["panel"] == "cart") & (rows["visit"] == "D14")].iloc[0]
    shutil.copy(trial / "delivery" / tube["file"], folder / "my.fcs")
    plate = fill_plate()
    (folder / "run-7.csv").write_bytes(write_xponent(plate, {"IL-6": read_signals(plate)}))
    shutil.copytree(trial / "home", folder / "trial")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page__runs_as_printed(
    page: Path, trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path, trial)
    for name in ("CORELAB_HOME", "CORELAB_DATABASE_URL", "CORELAB_OBJECT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    run_page(page, {})
