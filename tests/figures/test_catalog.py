"""Every word that a figure shows is in the catalog, and every word of the catalog is shown."""

import ast
import re
from pathlib import Path

import pytest

import corelab.figures
from corelab.errors import ConfigError
from corelab.figures.catalog import figure_catalog, list_places, parse_catalog, read_catalog

FOLDER = Path(corelab.figures.__file__).parent
KEY = re.compile(r"[a-z_]+(\.[a-zA-Z0-9_{}]+)+")


def _calls() -> list[tuple[str, ast.expr]]:
    return [
        (path.name, node.args[0])
        for path in sorted(FOLDER.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "text"
    ]


def _pattern(node: ast.JoinedStr) -> str:
    parts = [re.escape(part.value) if isinstance(part, ast.Constant) else r"\w+" for part in node.values]
    return "".join(parts)


def _strings() -> tuple[set[str], set[str]]:
    constants, patterns = set(), set()
    for path in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                constants.add(node.value)
            if isinstance(node, ast.JoinedStr):
                patterns.add(_pattern(node))
    return constants, patterns


def test_catalog__knows_every_key_that_a_figure_asks_for():
    words = figure_catalog().words
    calls = _calls()
    assert len(calls) > 30
    for place, node in calls:
        if isinstance(node, ast.Constant):
            assert node.value in words, f"{place} asks for {node.value}"
        elif isinstance(node, ast.JoinedStr):
            assert any(re.fullmatch(_pattern(node), key) for key in words), f"{place}: {ast.unparse(node)}"


def test_catalog__holds_no_word_that_nothing_asks_for():
    constants, patterns = _strings()
    keyed = [pattern for pattern in patterns if "." in pattern]
    unused = [
        key
        for key in figure_catalog().words
        if key not in constants and not any(re.fullmatch(pattern, key) for pattern in keyed)
    ]
    assert unused == []


def test_catalog__places_given_in_code_are_those_of_the_sentence():
    words = figure_catalog().words
    for path in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_text = (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "text"
            )
            if is_text and isinstance(node.args[0], ast.Constant):
                given = {keyword.arg for keyword in node.keywords}
                assert given == list_places(words[node.args[0].value]), f"{path.name}: {node.args[0].value}"


def test_text__fills_places_and_refuses_unknown_keys():
    catalog = parse_catalog("a:\n  b: '{n} of {total}'\n  c: plain {braces}", language="en", place="x.yaml")
    assert catalog.text("a.b", n=3, total=5) == "3 of 5"
    assert catalog.has("a.b")
    assert not catalog.has("a")
    with pytest.raises(KeyError):
        catalog.text("a.missing")
    with pytest.raises(KeyError):
        catalog.text("a.b", n=3)


@pytest.mark.parametrize(
    "text", ["- a list", "a: 5", "a: '{}'", "a: 'broken {'", "a: [1, 2]", "a: 'x\n b: : :", "", "a: null"]
)
def test_parse_catalog__refuses_what_is_no_catalog(text):
    with pytest.raises(ConfigError, match=r"x\.yaml"):
        parse_catalog(text, language="en", place="x.yaml")


def test_read_catalog__names_its_language_and_refuses_other_encodings(tmp_path):
    path = tmp_path / "zh.yaml"
    path.write_text("a: 今天", encoding="utf-8")
    catalog = read_catalog(path)
    assert (catalog.language, catalog.text("a")) == ("zh", "今天")
    path.write_bytes("a: 今天".encode("gb18030"))
    with pytest.raises(ConfigError, match="UTF-8"):
        read_catalog(path)
    with pytest.raises(ConfigError):
        read_catalog(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="'xx' is unknown"):
        figure_catalog("xx")
