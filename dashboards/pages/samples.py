"""Every acquisition with its state and quality; one of them is `dashboards.pages.acquisition`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html

from corelab.figures.numbers import format_count
from dashboards.access.roles import EXPORTERS, may
from dashboards.components.empty import build_empty
from dashboards.components.grid import GRID_THEME, list_grid_words
from dashboards.components.run_now import build_run
from dashboards.components.stamp import build_stamp
from dashboards.shell import format_time
from dashboards.site import Site
from dashboards.views.samples import (
    COUNTED,
    SampleFilter,
    SampleRow,
    list_choices,
    list_samples,
    parse_filter,
    write_checks,
)

FILTERS: Final = ("subject", "visit", "panel", "tube", "quality", "state")
WIDE_FILTER: Final = "subject"
MARKS: Final[Mapping[str, str]] = {"pass": "✓", "warn": "△", "fail": "×", "": ""}
STATE_RULES: Final = {
    "quiet": "params.data.kind == 'current' || params.data.kind == 'withdrawn'",
    "warn": "params.data.kind == 'stale' || params.data.kind == 'waiting'",
    "fail": "params.data.kind == 'failed'",
}
QUALITY_RULES: Final = {
    "quiet": "params.data.level == 'pass'",
    "warn": "params.data.level == 'warn'",
    "fail": "params.data.level == 'fail'",
}
"""Colour only helps: each word has its shape before it."""
STATE_MARKS: Final[Mapping[str, str]] = {
    "current": "", "waiting": "◇", "stale": "△", "failed": "×", "withdrawn": "–",
}  # fmt: skip


def layout(site: Site, query: Mapping[str, str]) -> Any:
    """Build the list, filtered as the address says."""
    tables = site.cache.current()
    rows = list_samples(tables, site.desk.known(), site.home.study)
    if not rows:
        return build_empty(site, "samples.empty")
    wanted = parse_filter(query)
    shown = [row for row in rows if wanted.lets_through(row)]
    return [
        build_strip(site, rows, wanted, n_shown=len(shown)),
        build_run(site),
        html.Div(build_grid(site, shown) if shown else build_nothing(site, wanted), className="samples"),
        *([] if tables is None else [build_stamp(site, tables, site.text("stamp.all_files"))]),
    ]


def build_strip(site: Site, rows: Sequence[SampleRow], wanted: SampleFilter, *, n_shown: int) -> Any:
    """Build the heading with the number of files, and a select for each filter."""
    choices = list_choices(rows)
    told = site.text("samples.shown", shown=format_count(n_shown), count=format_count(len(rows)))
    save = html.A(
        site.text("samples.save"),
        href="/api/v1/tables/populations.csv",
        className="button",
        id="samples-save",
    )
    return html.Div(
        [
            html.H1(site.text("samples.title")),
            html.Span(told, className="quiet", id="samples-shown"),
            *(build_select(site, name, choices[name], getattr(wanted, name)) for name in FILTERS),
            *([build_clear(site)] if wanted.n_on else []),
            html.Span(className="grow"),
            *([save] if may(*EXPORTERS) else []),
        ],
        className="strip filters",
    )


def build_select(site: Site, name: str, words: Sequence[str], chosen: str) -> Any:
    """Build the select of one filter; the browser writes its choice into the address."""
    label = site.text(f"samples.filter.{name}")
    return dmc.Select(
        id=f"samples-{name}",
        data=[{"value": word, "label": name_word(site, name, word)} for word in words],
        value=chosen or None,
        placeholder=label,
        clearable=True,
        searchable=name == WIDE_FILTER,
        nothingFoundMessage=site.text("samples.nobody"),
        className="select filter",
        **{"aria-label": label},
    )


def name_word(site: Site, name: str, word: str) -> str:
    """Return a word of a filter as people read it."""
    if name == "state":
        return site.text(f"samples.state.{word}")
    return site.text(f"samples.quality.{word}") if name == "quality" else word


def build_clear(site: Site) -> Any:
    """Build the link that takes all filters away."""
    return dcc.Link(site.text("samples.clear"), href="/samples", className="button", id="samples-clear")


def build_nothing(site: Site, wanted: SampleFilter) -> Any:
    """Say that no file passes the filters, and lead back to all."""
    return html.Div(
        [html.P(site.text("samples.no_match", count=wanted.n_on)), build_clear(site)], className="card none"
    )


def build_grid(site: Site, rows: Sequence[SampleRow]) -> Any:
    """Build the grid; a row's first cell leads to the acquisition."""
    return dag.AgGrid(
        id="samples-grid",
        columnDefs=list_columns(site),
        rowData=[write_row(site, row) for row in rows],
        defaultColDef={"sortable": True, "resizable": True, "minWidth": 60},
        columnSize="responsiveSizeToFit",
        dashGridOptions={
            "theme": GRID_THEME, "rowHeight": 26, "headerHeight": 28, "ensureDomOrder": True,
            "suppressCellFocus": False, "enableCellTextSelection": True,
            "localeText": list_grid_words(site),
        },
        style={"height": "calc(100vh - 40px - 44px - 34px)", "minHeight": "320px"},
    )  # fmt: skip


def list_columns(site: Site) -> list[dict[str, Any]]:
    """Describe the columns: text to the left, numbers to the right with their unit in the header."""
    columns: list[dict[str, Any]] = [
        {"field": "subject", "cellRenderer": "SampleLink", "width": 96},
        {"field": "visit", "width": 70, "sortable": False},
        {"field": "panel", "width": 74},
        {"field": "tube", "width": 92, "minWidth": 84},
        {"field": "collected", "width": 134, "minWidth": 130},
        {"field": "state", "width": 146, "minWidth": 118, "cellClassRules": STATE_RULES},
        {
            "field": "quality",
            "width": 220,
            "minWidth": 150,
            "tooltipField": "why",
            "cellClassRules": QUALITY_RULES,
        },
        *(describe_number(name) for name in (*COUNTED, "percent", "age_h")),
        {"field": "source", "width": 150, "tooltipField": "source"},
    ]
    return [{**column, "headerName": site.text(f"samples.head.{column['field']}")} for column in columns]


def describe_number(name: str) -> dict[str, Any]:
    """Describe a column of numbers, written our way."""
    writer = "count" if name in COUNTED else "estimate"
    width = 106 if name == "lymphocytes" else 80
    return {
        "field": name, "type": "rightAligned", "width": width, "minWidth": width - 12,
        "valueFormatter": {"function": f"{writer}(params.value)"},
    }  # fmt: skip


def write_row(site: Site, row: SampleRow) -> dict[str, Any]:
    """Write one line of the grid."""
    told = ", ".join(row.checks)
    quality = site.text(f"samples.quality.{row.quality}") if row.quality else ""
    return {
        "file_id": row.file_id,
        "kind": row.state,
        "level": row.quality,
        "subject": row.subject_id or site.text("samples.run_tube"),
        "visit": row.visit,
        "panel": row.panel,
        "tube": row.tube,
        "collected": format_time(site, row.collected_at),
        "state": f"{STATE_MARKS[row.state]} {site.text(f'samples.state.{row.state}')}".strip(),
        "quality": " ".join(part for part in (MARKS[row.quality], told or quality) if part),
        "why": write_checks(site, row.checks),
        **row.counts,
        "percent": row.percent,
        "age_h": row.age_h,
        "source": write_source(site, row),
    }


def write_source(site: Site, row: SampleRow) -> str:
    """Write the least certain origin of a fitted limit, and how many gates people set."""
    fitted = site.text(f"samples.source.{row.source}") if row.source else ""
    by_hand = site.text("samples.by_hand", count=row.by_hand) if row.by_hand else ""
    return " · ".join(part for part in (by_hand, fitted) if part)


def register(app: Any, _site: Site) -> None:
    """Let the filters write themselves into the address."""
    app.clientside_callback(
        ClientsideFunction("corelab", "filterSamples"),
        Output("samples-shown", "title"),
        *(Input(f"samples-{name}", "value") for name in FILTERS),
        State("location", "search"),
        prevent_initial_call=True,
    )
