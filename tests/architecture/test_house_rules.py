"""The conventions of the house, as tests."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("corelab", "pipelines", "dashboards")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MAX_LINES = 400
MAX_POSITIONAL = 3


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def public_functions() -> Iterator[tuple[str, ModuleType, object]]:
    for module_info in pkgutil.walk_packages([str(ROOT / "corelab")], "corelab."):
        if ".migrations" in module_info.name:
            continue
        module = importlib.import_module(module_info.name)
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", "") == module.__name__
            if own and inspect.isfunction(thing) and not name.startswith("_"):
                yield f"{module.__name__}.{name}", module, thing


PUBLIC = {name: thing for name, _, thing in public_functions()}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_function__takes_few_positional_parameters(name: str) -> None:
    """More than three positional parameters are mixed up by callers."""
    parameters = inspect.signature(PUBLIC[name]).parameters.values()  # type: ignore[arg-type]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    assert len(positional) <= MAX_POSITIONAL, [p.name for p in positional]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_function__has_a_docstring(name: str) -> None:
    assert inspect.getdoc(PUBLIC[name])


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_module__is_short_enough_to_hold_one_idea(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, lines


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_module__asserts_nothing_and_catches_narrowly(path: Path) -> None:
    """``assert`` vanishes under -O; a bare except hides our own defects."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}"


@pytest.mark.parametrize("path", [p for p in SOURCES if name_of(p).startswith("corelab/")], ids=name_of)
def test_library__reads_no_clock_and_no_environment(path: Path) -> None:
    """Dates, seeds and settings are arguments, so that the same inputs give the same bytes."""
    text = path.read_text(encoding="utf-8")
    for forbidden in (
        "os.environ",
        "getenv(",
        "datetime.now(",
        "utcnow(",
        "time.time(",
        "np.random.seed",
        "np.random.rand",
    ):
        assert forbidden not in text, forbidden


def test_repository__names_no_machine_and_no_package_host() -> None:
    """A path or host of one machine would make the project work only there."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    paths = "|".join(("wo" + "rk", "ro" + "ot", "home/[a-z]+"))
    hosts = "|".join(("index" + "-url", "extra" + "-index", "_reg" + "istry="))
    pattern = re.compile(rf"(^|[\s\"'=(:])/({paths})/|{hosts}")
    found = []
    for name in names:
        path = ROOT / name
        if (
            name
            and path.is_file()
            and path.suffix in {".py", ".md", ".toml", ".yaml", ".txt", ".sh", ".js", ".css", ""}
        ):
            text = path.read_text(encoding="utf-8", errors="ignore")
            found += [f"{name}: {m.group(0)}" for m in pattern.finditer(text)]
    assert not found


@pytest.mark.parametrize("heavy", ["pandas", "numpy", "flowkit", "dash", "sqlalchemy", "scanpy", "scipy"])
def test_command_line__imports_heavy_packages_lazily(heavy: str) -> None:
    """``corelab --help`` has to answer in under half a second."""
    code = f"import sys, pipelines.cli; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_web_process__does_not_import_the_engines() -> None:
    """FlowKit and scanpy take seconds and hundreds of megabytes; jobs import them, pages never."""
    code = "import sys, dashboards.app; sys.exit(bool({'flowkit', 'scanpy', 'anndata'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
