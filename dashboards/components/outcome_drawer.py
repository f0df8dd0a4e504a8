"""The drawer of the page of outcomes: what stands behind one mark, whatever its kind."""

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dash import dcc, html

from corelab.figures.course import to_float
from corelab.figures.expansion import tell_outcome
from corelab.figures.incidence import name_endpoint, write_share
from corelab.figures.numbers import (
    MINUS,
    format_count,
    format_exact,
    format_interval,
    format_number,
    format_p,
)
from corelab.figures.safety import read_grade
from corelab.figures.screening_cell import write_unit
from corelab.figures.screening_data import write_threshold
from dashboards.components.chips import build_chip
from dashboards.components.evidence import Fact, build_evidence
from dashboards.components.pick import build_close, read_words
from dashboards.site import Site, SnapshotTables

if TYPE_CHECKING:
    import pandas as pd

STATE_KINDS: Final = {"responder": "ok", "non_responder": "", "not_evaluable": "warn"}
STATE_GLYPHS: Final = {"responder": "●", "non_responder": "○", "not_evaluable": "◇"}
GROUP_GLYPHS: Final = {"low": "●", "high": "■", "all": "◆"}

Row = Mapping[str, Any]
Parts = Mapping[str, Any]


def build_outcome_drawer(site: Site, tables: SnapshotTables, sent: object, *, store: str) -> list[Any] | None:
    """Build the drawer for a choice, or None for none or for one that the snapshot does not hold."""
    kind = read_words(sent, 1)
    told = TELLERS.get(kind[0]) if kind else None
    words = read_words(sent, told[0]) if told else None
    parts = told[1](site, tables, words) if told and words else None
    if parts is None:
        return None
    child = parts.pop("child", "")
    foot = [
        html.Nav(
            dcc.Link(
                site.text("outcomes.child", subject=child), href=f"/patients/{child}", className="button"
            )
        )
    ]
    return build_evidence(close=build_close(site, store), foot=foot if child else (), **parts)


def select_row(table: "pd.DataFrame", **wanted: str) -> dict[str, Any] | None:
    """Return the first row with the given words, or None."""
    kept = table
    for column, word in wanted.items():
        kept = kept[kept[column] == word]
    return None if kept.empty else kept.to_dict(orient="records")[0]


def name_facts(site: Site, kind: str, facts: Mapping[str, Any]) -> list[Fact]:
    """Put the catalog's words before facts."""
    return [(site.text(f"outcomes.{kind}.{name}"), fact) for name, fact in facts.items()]


def list_lines(text: str, separator: str) -> list[Any]:
    """Write the parts of a text one a line."""
    return [html.Div(part.strip()) for part in text.split(separator) if part.strip()]


def tell_event(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> dict[str, Any] | None:
    """Tell an adverse event of a child."""
    row = select_row(tables["adverse_events"], subject_id=words[1], term=words[2])
    if row is None:
        return None
    grade = read_grade(row["worst_grade"])
    days = to_float(row["duration_days"])
    facts = {
        "scale": row["scale"],
        "onset": site.text("outcomes.day", day=format_exact(to_float(row["onset_day"]))),
        "duration": site.text("outcomes.days", days=format_exact(days)) if math.isfinite(days) else "",
        **{
            name: site.say(str(row[name]))
            for name in ("ongoing", "related", "serious", "treatment_emergent", "aesi")
        },
    }
    return {
        "child": words[1],
        "title": f"{words[1]} · {site.say(words[2])}",
        "lead": site.text("outcomes.event.lead", grade=grade)
        if grade >= 0
        else site.text("outcomes.no_grade"),
        "facts": name_facts(site, "event", facts),
    }


def tell_grade(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> dict[str, Any] | None:
    """Tell the worst laboratory grade of a child in a phase."""
    test, _, direction = words[2].partition(":")
    row = select_row(tables["lab_shift"], subject_id=words[1], test=test, direction=direction, phase=words[3])
    if row is None:
        return None
    worst, before = read_grade(row["worst_grade"]), read_grade(row["baseline_grade"])
    facts = {
        "value": f"{format_number(to_float(row['value']))} {write_unit(row['unit'])}",
        "when": site.text("outcomes.day", day=format_exact(to_float(row["study_day"]))),
        "baseline": f"G{before}" if before >= 0 else site.text("outcomes.no_grade"),
        "graded": format_count(to_float(row["n"])),
        "not_graded": format_count(to_float(row["n_not_graded"])),
        "version": row["rule_version"],
    }
    return {
        "child": words[1],
        "title": f"{words[1]} · {site.say(str(row['term']))}",
        "lead": f"G{worst}" if worst >= 0 else site.text("outcomes.no_grade"),
        "lines": [site.text("outcomes.grade.lab")],
        "facts": name_facts(site, "grade", facts),
    }


def tell_response(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> dict[str, Any] | None:
    """Tell why a child responded, or did not, by one definition."""
    responses = tables["responses"]
    row = select_row(responses, subject_id=words[1], visit=words[2], endpoint=words[3], definition=words[4])
    if row is None:
        return None
    mark = html.Span(STATE_GLYPHS[row["state"]], **{"aria-hidden": "true"})
    chip = build_chip(mark, site.text(f"outcomes.state.{row['state']}"), kind=STATE_KINDS[row["state"]])
    facts = {
        "definition": row["definition"],
        "judged": list_lines(str(row.get("value", "")), ","),
        "condition": write_threshold(str(row.get("threshold", ""))),
        "reason": row["reason"],
        "components": list_components(site, responses, words) if words[3] == "SRI4" else "",
        "collected": str(row["collected_at"])[:16].replace("T", " "),
        "evidence": list_lines(str(row.get("evidence", "")), ";"),
        "version": row.get("rule_version", ""),
    }
    return {
        "child": words[1],
        "title": f"{words[1]} · {words[2]}",
        "lead": site.text(f"outcomes.endpoint.{words[3]}"),
        "chips": [chip],
        "facts": name_facts(site, "response", facts),
    }


def list_components(site: Site, responses: "pd.DataFrame", words: tuple[str, ...]) -> list[Any]:
    """List the components of SRI-4 with their state, value and condition."""
    rows = responses[
        (responses["subject_id"] == words[1])
        & (responses["visit"] == words[2])
        & responses["endpoint"].str.startswith("SRI_")
    ].to_dict(orient="records")
    return [
        html.Div(
            site.text(
                "outcomes.response.component",
                glyph=STATE_GLYPHS[row["state"]],
                name=site.text(f"outcomes.component.{row['endpoint']}"),
                value=re.sub(r"^-", MINUS, str(row.get("value") or row["reason"])),
                condition=write_threshold(str(row.get("threshold", ""))),
            )
        )
        for row in rows
    ]


def tell_share(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> dict[str, Any] | None:
    """Tell a share of children with its exact interval and its method."""
    row = select_row(tables["summary"], endpoint=words[1], visit=words[2], method=words[3], arm=words[4])
    if row is None:
        return None
    method = words[3].partition(":")[0]
    endpoint = name_endpoint(words[1], site.figure_catalog)
    title = " · ".join(part for part in (endpoint, words[2]) if part)
    facts = {
        "group": f"{GROUP_GLYPHS[words[4]]} {site.text(f'outcomes.group.{words[4]}')}",
        "method": site.text(f"outcomes.method.{method}"),
        "definition": words[3].partition(":")[2],
        "interval": site.text("outcomes.share.exact"),
        "reason": row.get("reason", ""),
    }
    return {
        "title": title,
        "lead": write_share(row) if to_float(row["n_total"]) > 0 else site.text("outcomes.share.nobody"),
        "facts": name_facts(site, "share", facts),
    }


def tell_association(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> dict[str, Any] | None:
    """Tell the tests of one outcome, all exposures of it, and what they can say."""
    table = tables["associations"]
    rows = table[table["outcome"] == words[1]].to_dict(orient="records")
    if not rows:
        return None
    lines = [html.Div(write_test(site, row)) for row in rows]
    name = tell_outcome(words[1], site.figure_catalog)
    facts = {
        "landmark": rows[0]["visit"],
        "tests": lines,
        "rule": site.text("outcomes.association.said"),
    }
    return {
        "child": words[2],
        "title": name,
        "lead": words[2],
        "facts": name_facts(site, "association", facts),
    }


def write_test(site: Site, row: Row) -> str:
    """Write one exact test: exposure, effect, p and what it can say."""
    estimate, low, high = (to_float(row[name]) for name in ("estimate", "ci_low", "ci_high"))
    interval = format_interval(low, high, estimate=estimate) if math.isfinite(low) else "–"
    reason = row["reason"]
    return site.text(
        "outcomes.association.test",
        exposure=f"{row['analyte']} {row['parameter']}",
        method=site.text(f"outcomes.test.{row['method']}"),
        effect=format_number(estimate),
        interval=interval,
        p=format_p(to_float(row["p_value"])),
        note=site.text(f"outcomes.association.{reason}") if reason else "",
    ).strip(" ·")


Teller = Callable[[Site, SnapshotTables, tuple[str, ...]], dict[str, Any] | None]

TELLERS: Final[Mapping[str, tuple[int, Teller]]] = {
    "event": (3, tell_event),
    "lab": (4, tell_grade),
    "response": (5, tell_response),
    "share": (5, tell_share),
    "association": (3, tell_association),
}
"""By the first word of a choice: how many words it has, and who tells it."""
