"""The page about Python does what it says, and importing the library costs nothing."""

import doctest
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import corelab
from corelab.errors import HomeError, InputError
from tests.dashboards.simulated import make_trial
from tests.once import make_once
from tests.plate_exports import fill_plate, read_signals, write_xponent

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_once(tmp_path_factory, "trial", make_trial)


def find_tube(delivery: Path) -> Path:
    """A full tube of the week in which most T cells carry the CAR."""
    rows = pd.read_csv(delivery / "manifest.csv", dtype=str, keep_default_na=False)
    chosen = rows[(rows["tube"] == "full") & (rows["panel"] == "cart") & (rows["visit"] == "D14")]
    return delivery / chosen["file"].iloc[0]


def test_page__runs_as_printed(trial: Path, tmp_path: Path) -> None:
    plate = fill_plate()
    path = tmp_path / "run-7.csv"
    path.write_bytes(write_xponent(plate, {"IL-6": read_signals(plate)}))
    home = shutil.copytree(trial / "home", tmp_path / "home")
    names = {"HOME": str(home), "FCS": str(find_tube(trial / "delivery")), "PLATE": str(path)}
    found = doctest.testfile(
        str(ROOT / "docs" / "python.md"), module_relative=False, globs=names, encoding="utf-8"
    )
    assert found.attempted >= 12
    assert found.failed == 0


@pytest.mark.parametrize("heavy", ["numpy", "pandas", "flowkit", "scanpy", "dash", "sqlalchemy"])
def test_import__is_light(heavy: str) -> None:
    code = f"import sys, corelab; dir(corelab); sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_public_names__are_those_of_the_page() -> None:
    assert {"open", "gate", "fit_plate", "nca"} <= set(dir(corelab))
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        corelab.magic  # noqa: B018


def test_nca__takes_courses_of_many_children_with_their_limits() -> None:
    course = pd.DataFrame({
        "subject_id": ["A"] * 4 + ["B"] * 2,
        "days": [1, 7, 14, 28, 7, 14],
        "value": [60, 900, 500, 20, 10, 5],
    })  # fmt: skip
    found = corelab.nca(course, lloq=50).set_index(["subject_id", "parameter"])
    assert found.loc[("A", "CMAX"), "value"] == 900
    assert found.loc[("A", "TLST"), "value"] == 14
    assert found.loc[("B", "CMAX"), "status"] == "not_detected"
    assert found.loc[("B", "CMAX"), "high"] == 50
    with pytest.raises(InputError, match="no column 'days'"):
        corelab.nca(course.drop(columns="days"))


def test_functions__say_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        corelab.gate(tmp_path / "no.fcs", "cart")
    with pytest.raises(InputError, match="cannot be read"):
        corelab.fit_plate(tmp_path / "no.csv")
    with pytest.raises(HomeError):
        corelab.open(tmp_path)


def test_trial__names_what_it_does_not_hold(trial: Path, tmp_path: Path) -> None:
    home = shutil.copytree(trial / "home", tmp_path / "home")
    with corelab.open(home) as opened:
        assert len(opened.table("subjects", snapshot=opened.snapshot.id)) == len(opened.table("subjects"))
        with pytest.raises(HomeError, match="no table 'x'"):
            opened.table("x")
        with pytest.raises(HomeError, match="not mapped"):
            opened.cells("abundance")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": ["<50", "200", "90"]}, "course, row 0: value is '<50'"),
        ({"days": [0.0, 1.0, 1.0]}, "course, row 2: a second value at 1 days"),
        ({"days": [0.0, None, 2.0]}, "course, row 1: days is 'nan'; expected a number"),
        ({"value": [1.0, float("inf"), 2.0]}, "course, row 1: value is 'inf'"),
        ({"lloq": ["a", "50", "50"]}, "course, row 0: lloq is 'a'"),
        ({"subject_id": ["a", None, "a"]}, "course, row 1: a row without its course"),
    ],
)
def test_nca__refuses_what_is_no_course(changes: dict[str, list[object]], message: str) -> None:
    course = pd.DataFrame({"days": [0.0, 1.0, 2.0], "value": [10.0, 200.0, 90.0]} | changes)
    with pytest.raises(InputError, match=re.escape(message)):
        corelab.nca(course, lloq=50)
