"""The audit trail: who did what, when and why, and whether its chain is whole."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import Input, Output, html

from corelab.figures.numbers import format_count
from dashboards.access.roles import AUDITORS, allow
from dashboards.components.address import build_address, keep_in_address
from dashboards.components.chips import build_chip
from dashboards.components.evidence import build_evidence
from dashboards.components.grid import GRID_THEME, list_grid_words
from dashboards.components.pick import build_close
from dashboards.site import Site
from dashboards.views.audit import FILTERS, AuditFilter, find_entry, list_words, read_filter, select_entries

if TYPE_CHECKING:
    import pandas as pd

SHOWN: Final = 2000
"""Entries that go to the browser; the file has them all."""
COLUMNS: Final[Mapping[str, Mapping[str, Any]]] = {
    "seq": {"width": 70, "type": "rightAligned"}, "at": {"width": 150}, "actor": {"width": 130},
    "role": {"width": 96}, "action": {"width": 150}, "object": {"flex": 3, "minWidth": 190},
    "change": {"flex": 2, "minWidth": 130}, "reason": {"flex": 2, "minWidth": 110},
}  # fmt: skip
HASH_SHOWN: Final = 16


def layout(site: Site, query: Mapping[str, str]) -> Any:
    """Build the page; the address may name the filters."""
    rows = site.trail.rows()
    return [
        *build_address("audit", list(FILTERS)),
        build_strip(site, rows, query),
        html.P(id="audit-chain", className="chain", role="status"),
        html.Div(
            [
                html.Div(build_grid(site)),
                html.Aside(
                    id="audit-drawer", className="drawer", hidden=True,
                    **{"aria-label": site.text("audit.drawer")},
                ),
            ],
            className="beside single",
            id="audit-body",
        ),
        html.P(id="audit-stamp", className="stamp"),
    ]  # fmt: skip


def build_strip(site: Site, rows: "pd.DataFrame", query: Mapping[str, str]) -> Any:
    """Build the heading and the filters."""
    selects = [
        dmc.Select(
            id=f"audit-{name}",
            data=[
                {"value": word, "label": name_word(site, name, word)}
                for word in sorted({*list_words(rows, name), *filter(None, [query.get(name)])})
            ],
            value=query.get(name) or None,
            placeholder=site.text(f"audit.filter.{name}"),
            clearable=True,
            searchable=True,
            nothingFoundMessage=site.text("audit.filter.nothing"),
            className="select",
            **{"aria-label": site.text(f"audit.filter.{name}")},
        )
        for name in ("actor", "action")
    ]
    texts = [
        dmc.TextInput(
            id=f"audit-{name}",
            value=query.get(name, ""),
            placeholder=site.text(f"audit.filter.{name}"),
            debounce=300,
            className=f"select {'' if name == 'text' else 'day'}".strip(),
            **{"aria-label": site.text(f"audit.label.{name}")},
        )
        for name in ("text", "since", "until")
    ]
    save = html.A(site.text("audit.save"), href="/api/v1/audit.csv", className="button", id="audit-save")
    return html.Div(
        [html.H1(site.text("audit.title")), *selects, *texts, html.Span(className="grow"), save],
        className="strip",
    )


def name_word(site: Site, column: str, word: str) -> str:
    """Write an action in words; other words stand for themselves."""
    key = f"audit.action.{word}"
    return site.text(key) if column == "action" and site.catalog.has(key) else word


def build_grid(site: Site) -> Any:
    """Build the empty grid; its rows come with the filters."""
    columns = [
        {"field": name, "headerName": site.text(f"audit.column.{name}"), "tooltipField": name, **look}
        for name, look in COLUMNS.items()
    ]
    return dag.AgGrid(
        id="audit-grid",
        columnDefs=columns,
        rowData=[],
        defaultColDef={"sortable": True, "resizable": True, "minWidth": 60},
        dashGridOptions={
            "theme": GRID_THEME, "rowHeight": 24, "headerHeight": 28, "ensureDomOrder": True,
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "localeText": list_grid_words(site, no_rows=site.text("audit.no_rows")),
        },
        style={"height": "calc(100vh - 174px)", "minHeight": "320px"},
    )  # fmt: skip


def list_records(site: Site, entries: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return entries as the grid shows them: time of the study's zone, the change in one column."""
    return [
        {
            "seq": int(row["seq"]), "at": write_moment(site, row["at"]), "actor": row["actor"],
            "role": name_role(site, row["role"]), "action": name_word(site, "action", row["action"]),
            "object": row["object"],
            "change": write_change(site, row), "reason": site.say(row["reason"]),
        }
        for row in entries.to_dict(orient="records")
    ]  # fmt: skip


def name_role(site: Site, role: str) -> str:
    """Write a role in words; an entry that no account made has none."""
    return site.text(f"role.{role}") if site.catalog.has(f"role.{role}") else role


def write_moment(site: Site, at: str) -> str:
    """Write when something happened, to the second in the study's zone."""
    return site.home.study.localise(dt.datetime.fromisoformat(at)).strftime("%Y-%m-%d %H:%M:%S")


def write_change(site: Site, row: Mapping[str, Any]) -> str:
    """Write what was there before and what came, or whichever of them there is."""
    old, new = (shorten_hash(str(row[name])) for name in ("old", "new"))
    return site.text("audit.change", old=old, new=new) if old and new else new or old


def shorten_hash(text: str) -> str:
    """Keep the first signs of a hash; anything else stands as it is.

    Examples
    --------
    >>> shorten_hash("ab12" * 16), shorten_hash("reviewer")
    ('ab12ab12ab12…', 'reviewer')
    """
    return f"{text[:12]}…" if re.fullmatch(r"[0-9a-f]{64}", text) else text


def show_entries(site: Site, wanted: AuditFilter) -> tuple[list[dict[str, Any]], str, str]:
    """Return the rows of the grid, the line under it, and where the file of this view lies."""
    rows = site.trail.rows()
    kept = select_entries(rows, wanted, site.home.study)
    shown = list_records(site, kept.head(SHOWN))
    stamp = site.text(
        "audit.stamp", version=site.version, shown=format_count(len(shown)), kept=format_count(len(kept)),
        rows=format_count(len(rows)), zone=site.home.study.timezone,
    )  # fmt: skip
    return shown, stamp, write_address(wanted)


def write_address(wanted: AuditFilter) -> str:
    """Return the address of the file that holds what the filter keeps."""
    fields = {name: str(getattr(wanted, name) or "") for name in FILTERS}
    query = urlencode({name: value for name, value in fields.items() if value})
    return f"/api/v1/audit.csv{'?' if query else ''}{query}"


def tell_chain(site: Site) -> list[Any]:
    """Say whether the chain is whole, and what is wrong with it where it is not."""
    findings = site.home.registry.audit.verify()
    if not findings:
        count = format_count(len(site.trail.rows()))
        return [
            build_chip(site.text("audit.chain.whole"), kind="ok"),
            site.text("audit.chain.told", count=count),
        ]
    chip = build_chip(site.text("audit.chain.broken"), kind="fail")
    return [chip, html.Span([html.Div(finding) for finding in findings])]


def show_entry(site: Site, selected: object) -> list[Any] | None:
    """Build the drawer of the selected entry, or None without one."""
    first = selected[0] if isinstance(selected, list) and selected else None
    entry = find_entry(site.trail.rows(), first.get("seq")) if isinstance(first, dict) else None
    if entry is None:
        return None
    role = f" · {name_role(site, entry['role'])}" if entry["role"] else ""
    heads = {
        "at": write_moment(site, entry["at"]), "who": f"{entry['actor']}{role}", "object": entry["object"],
        "old": entry["old"], "new": entry["new"],
        "reason": site.say(entry["reason"]) or site.text("audit.no_reason"),
        "hash": html.Code(entry["hash"][:HASH_SHOWN], title=entry["hash"]),
        "previous": html.Code(entry["previous_hash"][:HASH_SHOWN], title=entry["previous_hash"]),
    }  # fmt: skip
    return build_evidence(
        close=build_close(site, "audit-grid", prop="selectedRows"),
        title=site.text("audit.entry", seq=format_count(entry["seq"])),
        lead=name_word(site, "action", entry["action"]),
        facts=[(site.text(f"audit.fact.{head}"), fact) for head, fact in heads.items()],
    )


def register(app: Any, site: Site) -> None:
    """Fill the grid for the filters, check the chain, open the drawer for an entry."""

    def fill(*sent: Any) -> tuple[Any, Any, Any]:
        return show_entries(site, read_filter(dict(zip(FILTERS, sent, strict=True))))

    def open_entry(selected: Any) -> tuple[Any, bool, str]:
        drawer = show_entry(site, selected)
        return drawer or [], drawer is None, "beside" if drawer else "beside single"

    app.callback(
        Output("audit-grid", "rowData"),
        Output("audit-stamp", "children"),
        Output("audit-save", "href"),
        *(Input(f"audit-{name}", "value") for name in FILTERS),
    )(allow(*AUDITORS)(fill))
    app.callback(Output("audit-chain", "children"), Input("audit-names", "data"))(
        allow(*AUDITORS)(lambda _names: tell_chain(site))
    )
    app.callback(
        Output("audit-drawer", "children"),
        Output("audit-drawer", "hidden"),
        Output("audit-body", "className"),
        Input("audit-grid", "selectedRows"),
    )(allow(*AUDITORS)(open_entry))
    keep_in_address(app, "audit", {f"audit-{name}": "value" for name in FILTERS})
