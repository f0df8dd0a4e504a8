"""Two languages: the same keys and places in both, nothing left in English, each by their own choice."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import corelab.figures
from corelab.figures.catalog import LANGUAGES, figure_catalog, list_places, read_catalog
from corelab.study import builtin_study
from corelab.tables.schemas import SCHEMAS
from corelab.vocabulary import VISITS, Panel
from dashboards.app import WORDS
from dashboards.views.screening import read_criteria
from tests.dashboards.conftest import call, log_in
from tests.dashboards.trial import ACCOUNTS

ENGLISH, CHINESE = LANGUAGES
PAIRS = {
    "pages": (read_catalog(WORDS[ENGLISH]).words, read_catalog(WORDS[CHINESE]).words),
    "figures": (figure_catalog(ENGLISH).words, figure_catalog(CHINESE).words),
}
RECORDED = Path(corelab.figures.__path__[0]) / "words" / "recorded.zh.yaml"
SAME = """
    AESI AUC AUC₀₋₂₈ CAR-T CI CRR CRS CSV Cmax D FMO G ICANS Jonckheere Kendall LLOQ LOD M Mann–Whitney
    ORR PRR Parquet Python R SLEDAI-2K SRI-4 Spearman Tmax UPCR ULOQ N cm corelab .csv eGFR em g/g
    mL/min/1.73 m² n n/N naive p qPCR scm temra t½ Δ τ τ-b ρ ≥G3 ≥LLOQ <LLOQ LLOQ–ULOQ n<
    kB MB D0–D8 D9–D30 PD-1+ TIM-3+ LAG-3+ HLA-DR+ CD25+
"""
"""Names, units and signs that are the same in both languages."""


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_catalogs__have_the_same_keys_and_places(pair):
    english, chinese = pair

    assert list(english) == list(chinese)
    assert [key for key in english if list_places(english[key]) != list_places(chinese[key])] == []


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_catalogs__leave_no_sentence_in_english(pair):
    english, chinese = pair

    same = {key: word for key, word in chinese.items() if word == english[key]}
    words = {key: set(re.findall(r"\S*[^\W\d_]\S*", re.sub(r"\{\w+\}", "", same[key]))) for key in same}
    assert {
        key: sorted(found - set(SAME.split())) for key, found in words.items() if found - set(SAME.split())
    } == {}


def test_catalogs__no_chinese_sentence_is_without_chinese_where_it_differs():
    for english, chinese in PAIRS.values():
        odd = [key for key in chinese if chinese[key] != english[key] and chinese[key].isascii()]
        assert [key for key in odd if key not in OWN] == []


OWN = ("page.language", "shell.other_language", "shell.other_language_code", "shell.other_language_word",
       "shell.language", "cohort.of_n", "expansion.at")  # fmt: skip
"""What names the languages themselves, or has signs and places alone."""


def test_recorded__each_entry_is_chinese_and_keeps_its_places():
    parts = yaml.safe_load(RECORDED.read_text(encoding="utf-8"))
    pairs = [pair for part in parts.values() for pair in part.items()]

    assert [key for key, word in pairs if list_places(key) != list_places(word)] == []
    assert len({key.casefold() for key, _ in pairs}) == len(pairs)


def test_recorded__knows_every_criterion_grade_and_row_of_the_built_in_study():
    study, say = builtin_study(), figure_catalog(CHINESE).say
    texts = {study.title}
    for criterion in read_criteria(study).values():
        texts |= {criterion.title, criterion.note}
    rules = Path(corelab.__path__[0]) / "clinical" / "rules"
    for path in rules.glob("toxicity-*.yaml"):
        texts |= {rule["term"] for rule in yaml.safe_load(path.read_text(encoding="utf-8"))["terms"]}
    texts |= {part for schema in SCHEMAS.values() for part in schema.row.split(" x ")}
    kept = {"ALT", "AST", "INR", "HIV", ""}

    assert sorted(text for text in texts - kept if say(text) == text) == []
    assert figure_catalog(ENGLISH).say("Anemia") == "Anemia"


def test_say__translates_parts_and_leaves_what_it_does_not_know():
    say = figure_catalog(CHINESE).say

    assert say("manifest.csv:3: panel 'x' is unknown; expected a finite number") == (
        "manifest.csv:3: 抗体组合 'x' 未知; 应为 有限数"
    )
    assert say("HBSAG negative, HBCAB positive") == "HBSAG 阴性, HBCAB 阳性"
    assert say("the site telephoned; no beads today") == "the site telephoned; no beads today"


ASKED = (
    ("", "", "en"),
    ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh-CN"),
    ("en-GB,en;q=0.9,zh;q=0.5", "", "en"),
    ("de,fr", "", "en"),
    ("zh-CN", "en", "en"),
    ("en", "zh", "zh-CN"),
    ("zh-CN", "tlh", "zh-CN"),
)
"""What a browser asks for, what was chosen in it, and the language of the answer."""


def test_language__is_the_choice_then_what_the_browser_asks_for(app):
    for header, cookie, shown in ASKED:
        client = app.server.test_client()
        if cookie:
            client.set_cookie("corelab_language", cookie)

        page = client.get("/login", headers={"Accept-Language": header}).text

        assert f'<html lang="{shown}"' in page, (header, cookie)
        assert ("用户名" in page) == (shown == "zh-CN")


def test_login__chooses_a_language_without_a_script_and_keeps_it(app, client):
    english = client.get("/login?next=/patients/CL-001").text
    link = re.search(r'id="login-language"[^>]*href="([^"]+)"', english).group(1).replace("&amp;", "&")

    assert "用户名" in client.get(link).text
    assert client.get_cookie("corelab_language").value == "zh"
    log_in(client, "ortiz")
    assert '<html lang="zh-CN"' in client.get("/patients/CL-001").text
    log_in(other := app.server.test_client(), "ortiz")
    assert '<html lang="en"' in other.get("/patients/CL-001").text


SEEN = (
    "children", "title", "label", "placeholder", "nothingFoundMessage", "alt", "description", "aria-label",
    "headerName", "text", "ticktext", "said",
)  # fmt: skip
CODE = ("Pre", "Code")


def list_seen(node: Any, name: str = "") -> Iterator[str]:
    """Yield every text of a layout or a figure that a person sees or hears."""
    if isinstance(node, str):
        if name in SEEN:
            yield re.sub(r"<[^>]*>|\w+…", " ", node)
    elif isinstance(node, list):
        if name == "customdata" and node and isinstance(node[-1], str):
            yield from list_seen(node[-1] if " " in node[-1] else "", "said")
        else:
            for item in node:
                yield from list_seen(item, name)
    elif isinstance(node, dict) and node.get("type") not in CODE:
        for key, item in node.items():
            yield from list_seen(item, name if key in ("props", "response") else key)


def list_parts(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the id and the properties of every component."""
    if isinstance(node, dict):
        props = node.get("props")
        if isinstance(props, dict) and isinstance(props.get("id"), str):
            yield props["id"], props
        for item in node.values():
            yield from list_parts(item)
    elif isinstance(node, list):
        for item in node:
            yield from list_parts(item)


def open_whole(client: Any, app: Any, address: str) -> Iterator[Any]:
    """Open a page as a browser does: its layout, then each callback whose components stand on it."""
    path, _, query = address.partition("?")
    layout = call(client, app, "page.children", path, f"?{query}" if query else "").json
    yield layout
    parts = dict(list_parts(layout))
    parts |= {"location": {"pathname": path, "search": f"?{query}" if query else ""}}
    parts |= {"viewport": {"data": {"width": 1440, "height": 900}}, "scheme": {"data": "light"}}
    for name, spec in app.callback_map.items():
        needed = [*spec["inputs"], *spec["state"]]
        is_drawn = ".figure" in name or "-drawer.children" in name
        if "callback" in spec and is_drawn and all(each["id"] in parts for each in needed):
            values = [parts[each["id"]].get(each["property"]) for each in needed]
            answer = call(client, app, name, *values)
            assert answer.status_code in (200, 204), name
            yield answer.json if answer.status_code == 200 else {}


NAMES = """ACR ALT AST EULAR ISN RPS ULN UNS INR HIV III ECOG NCT Schwartz Asia Shanghai SAE SRI
    proteinuria baseline egfr uacr fcs run tube manifest panel umol csv xlsx parquet standards nowhere
    BAFF GM-CSF IFN-g IL- sIL- Ra IP- MCP- TNF-a BLK STD HBSAG HBCAB HBVDNA HCVAB HCVRNA HIVAB SYPHILIS LN-
    analysis qpcr run-"""
"""Names of tests, analytes, scales, files and variables that are the same in both languages."""


def list_names(home: Any) -> set[str]:
    """Return the words that pages may show as they are: names, codes and identifiers."""
    snapshot = home.snapshots.current()
    codes = [*ACCOUNTS, *Panel, *VISITS, snapshot.id, home.study.id, *SCHEMAS]
    codes += [column.name for schema in SCHEMAS.values() for column in schema.columns]
    table = snapshot.table("populations")
    codes += [*table["population"], *table["tube"], *table["file_id"], *snapshot.table("quality")["check"]]
    codes += [column.unit for schema in SCHEMAS.values() for column in schema.columns]
    chinese = [re.sub(r"\{\w+\}", "", word) for pair in PAIRS.values() for word in pair[1].values()]
    return set(WORD.findall(" ".join([NAMES, *codes, *chinese])))


WORD = re.compile(r"[A-Za-z][A-Za-z'-]{2,}")
ADDRESSES = ("/", "/samples", "/samples/{file}?population=car_t", "/screening", "/screening?open=I06~{child}",
             "/patients/{child}", "/cohort", "/outcomes?view=safety", "/outcomes?view=response",
             "/outcomes?view=expansion", "/cytokines?view=courses", "/cytokines?view=plates",
             "/cytokines?view=controls", "/phenotype", "/phenotype?view=clusters",
             "/phenotype?view=subsets", "/exports?table=kinetics", "/review", "/upload", "/audit",
             "/nowhere")  # fmt: skip


def test_pages__hold_no_english_word_in_chinese(trial, trial_app):
    table = trial.snapshots.current().table("populations")
    file_id = table[table["population"] == "car_t"]["file_id"].iloc[-1]
    names, found = list_names(trial), {}
    clients = {name: trial_app.server.test_client() for name in ("li.wei", "chen")}
    for name, client in clients.items():
        log_in(client, name)
        client.set_cookie("corelab_language", CHINESE)

    for address in ADDRESSES:
        client = clients["chen" if address == "/upload" else "li.wei"]
        for part in open_whole(client, trial_app, address.format(file=file_id, child="LN-001")):
            for text in list_seen(part):
                for word in set(WORD.findall(text)) - names:
                    found.setdefault(word, (address, text[:80]))

    assert found == {}


def test_list_seen__finds_words_of_layouts_and_figures():
    layout = {
        "props": {"children": [{"props": {"children": "Nothing", "id": "x", "title": "Go"}, "type": "P"}]}
    }
    figure = {"data": [{"text": ["one"], "customdata": [["event", "CL-001", "said here"]], "name": "rows"}]}
    code = {"type": "Pre", "props": {"children": "import os"}}

    assert list(list_seen([layout, figure, code])) == ["Nothing", "Go", "one", "said here"]
