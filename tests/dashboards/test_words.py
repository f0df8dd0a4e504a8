"""Every sentence comes from the catalog, and every key that is asked for is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dashboards
from corelab.figures.catalog import read_catalog
from dashboards.app import WORDS

FOLDER = Path(dashboards.__path__[0])
MODULES = sorted(path for path in FOLDER.rglob("*.py"))
SEEN = {
    "children",
    "title",
    "label",
    "placeholder",
    "nothingFoundMessage",
    "alt",
    "description",
    "aria-label",
}
"""Arguments of a component that a person sees or hears."""


def list_literals(node: ast.AST) -> Iterator[str]:
    """Yield the sentences written into a value, also inside lists and both branches of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from (part.value for part in node.values if isinstance(part, ast.Constant))
    elif isinstance(node, ast.List | ast.Tuple):
        for item in node.elts:
            yield from list_literals(item)
    elif isinstance(node, ast.IfExp):
        yield from list_literals(node.body)
        yield from list_literals(node.orelse)


def list_shown(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the sentences that components of html, dcc and dmc are given, with their lines."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (
            isinstance(node.func.value, ast.Name) and node.func.value.id in ("html", "dcc", "dmc", "dag")
        ):
            continue
        given = list(node.args[:1]) + [word.value for word in node.keywords if word.arg in SEEN]
        for word in node.keywords:
            if word.arg is None and isinstance(word.value, ast.Dict):
                pairs = zip(word.value.keys, word.value.values, strict=True)
                given += [value for key, value in pairs if getattr(key, "value", None) in SEEN]
        for value in given:
            yield from ((node.lineno, text) for text in list_literals(value) if re.search(r"[^\W\d_]", text))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_modules__hold_no_sentence_of_their_own(path):
    assert list(list_shown(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_list_shown__finds_a_sentence_where_there_is_one():
    tree = ast.parse('html.P(["Nothing here", x])\ndcc.Link(name, title="Go on", **{"aria-label": "Go"})')

    assert [text for _, text in list_shown(tree)] == ["Nothing here", "Go on", "Go"]


def list_asked() -> Iterator[str]:
    """Yield every key that the code asks the catalog for in so many letters."""
    for path in MODULES:
        yield from re.findall(r"""text\(\s*["']([\w.]+)["']""", path.read_text(encoding="utf-8"))


def test_catalog__has_every_key_that_is_asked_for():
    catalog = read_catalog(WORDS["en"])
    asked = set(list_asked())

    assert len(asked) > 50
    assert sorted(key for key in asked if not catalog.has(key)) == []


def test_catalog__has_no_key_that_nobody_asks_for():
    catalog = read_catalog(WORDS["en"])
    sources = "\n".join(path.read_text(encoding="utf-8") for path in MODULES)
    prefixes = set(re.findall(r"""f["']([\w.]+)\.\{""", sources))
    prefixes |= set(re.findall(r"""_PREFIX: Final = ["'](\w+)\.["']""", sources))
    prefixes |= set(
        re.findall(r"""["']([\w.]+\.empty|[\w.]+\.nobody|unknown\.\w+|login\.\w+)["']""", sources)
    )
    tabbed = re.findall(r"""build_tabs\(\s*site, ["'](\w+)["']""", sources)
    assert tabbed
    prefixes |= {f"{page}.view" for page in tabbed}
    asked = {*list_asked(), *(f"{page}.views" for page in tabbed)}

    unused = [
        key
        for key in catalog.words
        if key not in asked and not any(f"{key}.".startswith(f"{word}.") for word in prefixes)
    ]
    assert unused == []
