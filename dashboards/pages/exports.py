"""Tables out: what each holds, a look into it, and the files to take."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import dash_ag_grid as dag
from dash import dcc, html
from flask import request
from flask_login import current_user

from dashboards.access.roles import EXPORTERS, may
from dashboards.components.empty import build_empty
from dashboards.components.grid import GRID_THEME, list_grid_words
from dashboards.components.snippets import build_snippets
from dashboards.components.stamp import build_stamp
from dashboards.site import Site, SnapshotTables
from dashboards.views.schemas import find_schemas, order_tables

if TYPE_CHECKING:
    import pandas as pd

PREVIEW_ROWS: Final = 500


def layout(site: Site, chosen: str) -> Any:
    """Build the page with one table open; the first without a choice."""
    tables = site.cache.current()
    if tables is None:
        return build_empty(site, "exports.empty")
    name = chosen if chosen in tables else "subjects"
    strip = [html.H1(site.text("exports.title")), html.Span(site.text("exports.purpose"), className="quiet")]
    if may(*EXPORTERS):
        strip += [
            html.Span(className="grow"),
            html.A(site.text("exports.dictionary"), href="/api/v1/dictionary.csv", className="button"),
        ]
    right = [build_preview(site, tables, name)]
    if may(*EXPORTERS):
        right.insert(0, build_elsewhere(site, tables, name))
    body = html.Div([build_list(site, tables, name), html.Div(right)], className="exports")
    return [html.Div(strip, className="strip"), body, build_stamp(site, tables)]


def build_elsewhere(site: Site, tables: SnapshotTables, name: str) -> Any:
    """Build the programs and commands that take a table of this snapshot elsewhere."""
    snapshot, account = tables.snapshot.id, current_user.name
    values = {"host": request.host_url, "table": name, "snapshot": snapshot, "account": account}
    return build_snippets(site, values)


def build_list(site: Site, tables: SnapshotTables, chosen: str) -> Any:
    """Build the list of tables: name, what a row is, rows, and the files."""
    heads = [html.Th(site.text(f"exports.head.{head}"), scope="col") for head in ("table", "row")]
    heads.append(html.Th(site.text("exports.head.rows"), scope="col", className="number"))
    if may(*EXPORTERS):
        heads.append(html.Th(site.text("exports.head.files"), scope="col"))
    rows = [build_row(site, tables, name, is_chosen=name == chosen) for name in order_tables(tables)]
    table = html.Table([html.Thead(html.Tr(heads)), html.Tbody(rows)], className="plain", id="exports-tables")
    return html.Div(table, className="card")


def build_row(site: Site, tables: SnapshotTables, name: str, *, is_chosen: bool) -> Any:
    """Build one line of the list of tables."""
    row = write_row_words(site, find_schemas(tables.snapshot)[name].row)
    cells = [
        html.Th(dcc.Link(name, href=f"/exports?table={name}"), scope="row"),
        html.Td(row, className="quiet"),
        html.Td(
            site.text("number", value=f"{len(tables[name]):,}".replace(",", "\u202f")), className="number"
        ),
    ]
    if may(*EXPORTERS):
        links = [
            html.A(
                site.text(f"exports.format.{ext}"),
                href=f"/api/v1/tables/{name}.{ext}",
                **{"aria-label": site.text("exports.file", name=name, ext=ext)},
            )
            for ext in ("csv", "parquet")
        ]
        cells.append(html.Td(links, className="formats"))
    return html.Tr(cells, className="current" if is_chosen else "")


def write_row_words(site: Site, row: str) -> str:
    """Say what a row of a table stands for, part by part."""
    return " × ".join(site.say(part) for part in row.split(" x "))


def build_preview(site: Site, tables: SnapshotTables, name: str) -> Any:
    """Build a grid with the first rows of a table, numbers as they are and units in the header."""
    table = tables[name]
    shown = min(len(table), PREVIEW_ROWS)
    head = html.Header(
        [
            html.H2(name),
            html.Span(site.text("exports.shown", shown=shown, rows=len(table)), className="quiet"),
        ]
    )
    if table.empty:
        return html.Div(
            [head, html.P(site.text("exports.no_rows"), className="quiet")], className="card preview"
        )
    units = {column.name: column.unit for column in find_schemas(tables.snapshot)[name].columns}
    grid = dag.AgGrid(
        id="exports-grid",
        columnDefs=[
            build_column(column, table, {key: site.say(unit) for key, unit in units.items()})
            for column in table.columns
        ],
        rowData=list_records(table.head(PREVIEW_ROWS)),
        defaultColDef={"sortable": True, "filter": True, "resizable": True, "minWidth": 80},
        columnSize="autoSize",
        dashGridOptions={
            "theme": GRID_THEME,
            "rowHeight": 26,
            "headerHeight": 28,
            "ensureDomOrder": True,
            "localeText": list_grid_words(site),
        },
        style={"height": "calc(100vh - 206px)", "minHeight": "320px"},
    )
    return html.Div([head, grid], className="card preview")


def build_column(name: str, table: "pd.DataFrame", units: Mapping[str, str]) -> dict[str, Any]:
    """Describe a column of the grid: unit in the header, numbers to the right and written our way."""
    kind = table[name].dtype.kind
    if kind not in "fiu":
        return {"field": name, "headerName": name}
    unit = units.get(name, "")
    writer = "estimate" if kind == "f" else "count"
    return {
        "field": name,
        "headerName": f"{name} [{unit}]" if unit else name,
        "type": "rightAligned",
        "valueFormatter": {"function": f"{writer}(params.value)"},
        "filter": "agNumberColumnFilter",
    }


def list_records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return rows as JSON records; what is missing is null, never 0."""
    known = table.astype(object).where(table.notna(), None)
    return [dict(zip(known.columns, row, strict=True)) for row in known.itertuples(index=False, name=None)]


def register(_app: Any, _site: Site) -> None:
    """Nothing on this page needs a callback: the address says which table is open."""
