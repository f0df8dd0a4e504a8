"""The conventions of the house, as tests."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("corelab", "pipelines", "dashboards")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MAX_LINES = 400
MAX_POSITIONAL = 3


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def public_functions() -> Iterator[tuple[str, Callable[..., object]]]:
    for module_info in pkgutil.walk_packages([str(ROOT / "corelab")], "corelab."):
        if ".migrations" in module_info.name:
            continue
        module = importlib.import_module(module_info.name)
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", "") == module.__name__
            if own and inspect.isfunction(thing) and not name.startswith("_"):
                yield f"{module.__name__}.{name}", thing


@pytest.fixture(scope="module")
def public() -> dict[str, Callable[..., object]]:
    return dict(public_functions())


def test_public_function__takes_few_positional_parameters(public: dict[str, Callable[..., object]]) -> None:
    """More than three positional parameters are mixed up by callers."""
    found = {name: inspect.signature(thing).parameters.values() for name, thing in public.items()}
    positional = {
        name: [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        for name, parameters in found.items()
    }
    assert len(found) > 1_000
    assert {name: names for name, names in positional.items() if len(names) > MAX_POSITIONAL} == {}


def test_public_function__has_a_docstring(public: dict[str, Callable[..., object]]) -> None:
    assert [name for name, thing in public.items() if not inspect.getdoc(thing)] == []


def test_module__is_short_enough_to_hold_one_idea() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_module__asserts_nothing_and_catches_narrowly() -> None:
    """``assert`` vanishes under -O; a bare except hides our own defects."""
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert) or (isinstance(node, ast.ExceptHandler) and node.type is None)
    ]
    assert found == []


def test_library__reads_no_clock_and_no_environment() -> None:
    """Dates, seeds and settings are arguments, so that the same inputs give the same bytes."""
    forbidden = (
        "os.environ", "getenv(", "datetime.now(", "utcnow(", "time.time(", "np.random.seed", "np.random.rand",
    )  # fmt: skip
    library = [path for path in SOURCES if name_of(path).startswith("corelab/")]
    found = [
        f"{name_of(path)}: {word}"
        for path in library
        for word in forbidden
        if word in path.read_text(encoding="utf-8")
    ]
    assert len(library) > 200
    assert found == []


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
