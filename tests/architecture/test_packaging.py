"""What an installation gets: versions, licences, package data."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
REQUIRED = ("flowkit", "anndata", "scanpy", "pandas", "plotly", "dash")
COPYLEFT = ("leidenalg", "igraph", "flowsom")


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return match.group(0).lower().replace("_", "-") if match else ""


def test_constraints__hold_exact_versions_only() -> None:
    """No address, no range: the same files everywhere."""
    for line in CONSTRAINTS:
        assert re.fullmatch(r"[a-z0-9._-]+==[^\s;]+( ; [a-z_]+ .+)?", line), line


def test_constraints__cover_every_direct_dependency() -> None:
    pinned = {name_of(line) for line in CONSTRAINTS}
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
    assert [name_of(entry) for entry in wanted if name_of(entry) not in pinned] == []


def test_constraints__give_older_pythons_the_versions_that_still_support_them() -> None:
    anndata = [line for line in CONSTRAINTS if line.startswith("anndata==")]
    assert len(anndata) == 2
    assert all("python" in line for line in anndata)


@pytest.mark.parametrize("package", REQUIRED)
def test_dependencies__include_what_the_trial_asks_for(package: str) -> None:
    assert package in [name_of(entry) for entry in PROJECT["dependencies"]]


def test_dependencies__keep_copyleft_packages_optional() -> None:
    assert not [entry for entry in PROJECT["dependencies"] if name_of(entry) in COPYLEFT]


def test_wheel__carries_every_data_file(tmp_path: Path) -> None:
    """Templates, study, words, assets and migrations are package data, not files of a checkout."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(tmp_path),
            str(ROOT),
        ],
        check=True,
    )
    (wheel,) = tmp_path.glob("corelab-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    data = {
        path.relative_to(ROOT).as_posix()
        for package in ("corelab", "pipelines", "dashboards")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert data - packed == set()
    assert not [name for name in packed if name.startswith(("tests/", "sample_data/"))]
