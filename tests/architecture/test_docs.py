"""The documents name what exists."""

import re
from pathlib import Path

import pytest

from corelab.vocabulary import Status
from pipelines.arguments import make_parser

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands() -> dict[str, set[str]]:
    """Every command with its long options, from the parser itself."""
    parser = make_parser(with_home=True)
    (choices,) = (a.choices for a in parser._actions if isinstance(a.choices, dict))
    return {
        name: {
            option for action in sub._actions for option in action.option_strings if option.startswith("--")
        }
        for name, sub in choices.items()
    }


@pytest.mark.parametrize("command", commands())
def test_commands_page__documents_each_command_with_its_options(command: str) -> None:
    text = read("docs/commands.md")
    rows = [line for line in text.splitlines() if line.startswith(f"| `corelab {command}")]
    assert rows, f"docs/commands.md has no row for {command}"
    for option in commands()[command] - {"--help"}:
        assert option in rows[0], option


def test_documents__name_no_command_that_does_not_exist() -> None:
    known = set(commands())
    for name in ("README.md", "docs/guide.md", "docs/commands.md"):
        named = set(re.findall(r"corelab ([a-z]+) [A-Z{]", read(name)))
        assert named <= known, name


@pytest.mark.parametrize("status", Status)
def test_guide__explains_every_status(status: str) -> None:
    assert f"`{status}`" in read("docs/guide.md")


def test_documents__link_only_to_files_that_are_there() -> None:
    for name in ("README.md", "docs/guide.md", "docs/architecture.md", "docs/commands.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", read(name)):
            if not target.startswith("http"):
                assert (ROOT / name).parent.joinpath(target).exists(), f"{name} -> {target}"
