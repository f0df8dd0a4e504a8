"""Which parts of the chart library our charts need: ``python -m tests.dashboards.cut_plotly`` says it.

The file is one function with thousands of statements, each module of the library one of them. A statement is
needed if a needed one names what it defines. Names are read wherever they stand, which keeps a few too many.
"""

import hashlib
import re
import string
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dashboards.lean_plotly import KINDS, read_whole

TOKEN = re.compile(
    r"""(?P<space>\s+|/\*.*?\*/|//[^\n]*)|(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    r"""|(?P<name>[\w$]+)|(?P<sign>=>|\.\.\.|.)""",
    re.DOTALL,
)
PATTERN = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
TEMPLATE_TEXT = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*", re.DOTALL)
WORDS_BEFORE_PATTERN = frozenset({"return", "typeof", "case", "in", "of", "do", "else", "void", "=>"})
SIGNS_BEFORE_PATTERN = "(,=:[!&|?{};+-*%~^<>"
PARAMETERS = frozenset(string.ascii_lowercase)
"""Names of one small letter are parameters wherever they stand."""
BINDS = ("var", "let", "const")
BLOCKS = ("function", "class", "async")


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a sign of a script and where it stands."""

    kind: str
    text: str
    start: int
    end: int


_END = Token("sign", ";", 0, 0)


@dataclass(slots=True)
class Statement:
    """A statement, the names that it defines and those that stand in it."""

    start: int
    end: int
    defines: set[str]
    names: set[str]
    belongs_to: str = ""


def read_tokens(script: str, at: int, end: int) -> Iterator[Token]:
    """Read a script word by word; text inside of templates is left out, what they compute is not."""
    before, inside = ";", []
    while at < end:
        if script[at] == "`" or (inside and inside[-1] == 0 and script[at] == "}"):
            if script[at] == "}":
                inside.pop()
            at = TEMPLATE_TEXT.match(script, at + 1).end()
            if script[at] == "`":
                at, before = at + 1, '"'
            else:
                inside.append(0)
                at, before = at + 2, "("
            continue
        found = TOKEN.match(script, at)
        if script[at] == "/" and found.lastgroup == "sign" and is_before_pattern(before):
            found = PATTERN.match(script, at)
            at, before = found.end(), '"'
            continue
        start, at = found.span()
        kind, text = found.lastgroup, found.group()
        if kind == "space":
            continue
        if inside and text in "{}":
            inside[-1] += 1 if text == "{" else -1
        before = '"' if kind == "string" else text
        yield Token(kind, text, start, at)


def is_before_pattern(word: str) -> bool:
    """Tell whether a slash after this word begins a pattern and does not divide."""
    return word in WORDS_BEFORE_PATTERN or (len(word) == 1 and word in SIGNS_BEFORE_PATTERN)


def split_statements(script: str, start: int, end: int) -> list[Statement]:
    """Split the body of a function into its statements."""
    found, tokens, depth = [], [], 0
    for token in read_tokens(script, start, end):
        tokens.append(token)
        depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "sign" else 0
        is_block = token.text == "}" and tokens[0].text in BLOCKS
        if depth == 0 and token.kind == "sign" and (token.text == ";" or is_block):
            found.append(describe(tokens, start))
            start, tokens = token.end, []
    if depth or tokens:
        message = f"the script is not understood from place {start} on"
        raise ValueError(message)
    return found


def describe(tokens: Sequence[Token], start: int) -> Statement:
    """Tell what a statement defines and names; one that fills an object of exports belongs to that object."""
    around = zip([_END, *tokens], tokens, [*tokens[1:], _END], strict=False)
    names = {
        token.text for before, token, after in around
        if token.kind == "name" and before.text != "." and not (before.text in "{," and after.text == ":")
    }  # fmt: skip
    statement = Statement(start, tokens[-1].end, set(), names)
    if tokens[0].text in BINDS:
        statement.defines = set(list_bound(tokens))
    elif tokens[0].text in BLOCKS:
        statement.defines = {next(t.text for t in tokens if t.kind == "name" and t.text not in BLOCKS)}
    elif [t.text for t in tokens[1:2]] == ["("] and tokens[0].kind == "name" and len(tokens) > 4:
        statement.belongs_to = tokens[2].text if tokens[3].text == "," else ""
    return statement


def list_bound(tokens: Sequence[Token]) -> Iterator[str]:
    """Name what a statement of variables binds; of a pattern every name in it."""
    depth, is_due, pattern = 0, True, False
    for token in tokens[1:]:
        opens, closes = token.text in ("(", "[", "{"), token.text in (")", "]", "}")
        pattern = pattern or (opens and depth == 0 and is_due)
        depth += opens - closes
        if token.kind == "name" and is_due:
            yield token.text
        if depth == 0 and token.kind == "sign" and not opens:
            pattern, is_due = False, token.text == ","
        elif not pattern:
            is_due = False


def find_needed(statements: Sequence[Statement]) -> list[Statement]:
    """Follow names from the statements that define nothing, which give the library away, to all they need."""
    makers: dict[str, list[int]] = {}
    for number, one in enumerate(statements):
        for name in (one.defines | {one.belongs_to}) - {""} - PARAMETERS:
            makers.setdefault(name, []).append(number)
    waiting = [n for n, one in enumerate(statements) if not one.defines and one.belongs_to not in makers]
    needed: set[int] = set()
    while waiting:
        number = waiting.pop()
        if number not in needed:
            needed.add(number)
            waiting += [maker for name in statements[number].names for maker in makers.get(name, [])]
    return [statements[number] for number in sorted(needed)]


def blank_kinds(whole: str) -> str:
    """Write blanks over what registers other kinds of charts than ours; every other place stays."""
    found = list(re.finditer(r"\.register\(\[((?:[\w$]+\(\),?)+)\]\);(?=[\w$]+\.exports=)", whole))
    last = found[-1]
    kept, kinds = last.group(1), set()
    for maker in re.findall(r"[\w$]+\(\),?", last.group(1)):
        kind = name_kind(whole, maker.rstrip("(),"))
        if kind in KINDS:
            kinds.add(kind)
        else:
            kept = kept.replace(maker, " " * len(maker), 1)
    if kinds != set(KINDS) - {"scatter"}:  # the core of the library brings scatter
        message = f"found only the charts {sorted(kinds)}"
        raise ValueError(message)
    return whole[: last.start(1)] + kept + whole[last.end(1) :]


def name_kind(whole: str, maker: str) -> str:
    """Name the kind of chart of a module that hands on another's exports."""
    word = re.escape(maker)
    inner = re.search(
        rf"(?<![\w$]){word}=[\w$]+\(\([\w$]+,[\w$]+\)=>\{{[^}}]*?\.exports=([\w$]+)\(\)\}}", whole
    )
    if inner is None:
        return ""
    start = whole.index(f"{inner.group(1)}=")
    named = re.search(r"name:\"(\w+)\"", whole[start : start + 3_000])
    return named.group(1) if named else ""


def plan_cut(whole: str) -> list[tuple[int, int]]:
    """Return the parts of the file that stay, from and to: its licences and what our charts need."""
    opening, closing = '"use strict";var Plotly=(()=>{', "})();\n"
    start = whole.index(opening)
    body_end = whole.index(closing, whole.rindex("return ", 0, whole.rindex(closing)))
    end = whole.index("return Plotly;", body_end)
    script = blank_kinds(whole)
    needed = find_needed(split_statements(script, start + len(opening), body_end))
    spans = [(0, whole.index("*/") + 3), (start, start + len(opening))]
    spans += [(one.start, one.end) for one in needed]
    spans += [(body_end, end)]
    return merge(spans, [m.span() for m in re.finditer(" {3,}", script) if whole[slice(*m.span())].strip()])


def merge(spans: Sequence[tuple[int, int]], without: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that touch and take some out of them."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    for start, end in without:
        at = next(n for n, (a, b) in enumerate(joined) if a <= start and end <= b)
        joined[at : at + 1] = [(joined[at][0], start), (end, joined[at][1])]
    return joined


if __name__ == "__main__":
    whole = read_whole()
    # One letter a byte, so that places are those of the bytes; all that is not ASCII stands in texts.
    spans = ",\n".join(f"    ({start}, {end})" for start, end in plan_cut(whole.decode("latin-1")))
    sys.stdout.write(f'SHA256: Final = "{hashlib.sha256(whole).hexdigest()}"\nKEPT: Final = (\n{spans},\n)\n')
