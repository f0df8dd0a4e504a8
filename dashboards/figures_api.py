"""Figures taken along: the rows behind one as CSV, and a line of the audit for a picture that was saved."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from flask import Blueprint, Response, abort, request

from corelab.export.text import format_csv
from corelab.singlecell.tables import COLUMNS
from dashboards.access.roles import EXPORTERS, check_role
from dashboards.api import FORMATS, build_attachment, check_scope, note_download
from dashboards.cells import find_cells
from dashboards.components.stamp import write_stamp
from dashboards.overview import read_overview
from dashboards.site import Site, SnapshotTables

if TYPE_CHECKING:
    import pandas as pd

OVERVIEW: Final = "overview"
CELLS: Final = "cells/"
PICTURES: Final = ("png", "svg")
LONGEST: Final = 300


def build_figures_api(site: Site) -> Blueprint:
    """Collect the routes; they are for those who may take tables along."""
    routes = Blueprint("figures", __name__, url_prefix="/api/v1/figures")
    routes.add_url_rule("/<table>.csv", "rows", lambda table: answer_rows(site, table))
    routes.add_url_rule("/cells/<name>.csv", "cells", lambda name: answer_rows(site, f"{CELLS}{name}"))
    routes.add_url_rule("/saved", "saved", lambda: answer_saved(site), methods=["POST"])
    return routes


def answer_rows(site: Site, table: str) -> Response:
    """Give the rows that a figure was drawn from, each with snapshot, version and filters.

    The query names columns and their value. Answers 404 for an unknown table, 400 for an unknown column.
    """
    check_role(*EXPORTERS)
    tables = site.cache.current()
    rows = None if tables is None else find_rows(site, tables, table)
    if tables is None or rows is None:
        abort(404)
    check_scope(site, table.removeprefix(CELLS))
    filters = request.args.to_dict()
    if not set(filters) <= set(rows.columns):
        abort(400)
    body = format_csv(stamp_rows(site, tables, select_rows(rows, filters), filters))
    note_download(site, f"{tables.snapshot.id}/figure {table} {write_filters(filters)}".strip(), body)
    return build_attachment(body, f"{table.replace('/', '_')}_{tables.snapshot.id[:8]}.csv", FORMATS["csv"])


def find_rows(site: Site, tables: SnapshotTables, table: str) -> "pd.DataFrame | None":
    """Return the rows of a table of the snapshot, of its overview or of its single cells' clusters."""
    if table == OVERVIEW:
        return read_overview(site, tables)
    if table.startswith(CELLS):
        cells, name = find_cells(site, tables), table.removeprefix(CELLS)
        return cells[name] if cells is not None and name in COLUMNS else None
    return tables.get(table)


def select_rows(rows: "pd.DataFrame", filters: Mapping[str, str]) -> "pd.DataFrame":
    """Keep the rows whose columns have these values, as they are written."""
    for column, value in filters.items():
        rows = rows[rows[column].astype(str) == value]
    return rows


def stamp_rows(
    site: Site, tables: SnapshotTables, rows: "pd.DataFrame", filters: Mapping[str, str]
) -> "pd.DataFrame":
    """Say on every row from which snapshot, by which version and with which filters it was taken."""
    return rows.assign(
        made_from=write_stamp(site, tables), filters=write_filters(filters) or site.text("figure.no_filter")
    )


def write_filters(filters: Mapping[str, str]) -> str:
    """Write filters in one line."""
    return ", ".join(f"{name} {value}" for name, value in filters.items())


def answer_saved(site: Site) -> Response:
    """Note that a picture was saved; the browser makes it and waits for this answer."""
    check_role(*EXPORTERS)
    sent = request.get_json(silent=True)
    tables = site.cache.current()
    if tables is None or not isinstance(sent, dict) or sent.get("format") not in PICTURES:
        abort(400)
    figure, address = (str(sent.get(name, ""))[:LONGEST] for name in ("figure", "address"))
    note_download(site, f"{tables.snapshot.id}/figure {figure}.{sent['format']} {address}")
    return Response(status=204)
