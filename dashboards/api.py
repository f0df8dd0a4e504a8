"""Tables of a snapshot as files, for the export page and for scripts."""

import json
from typing import Final

from flask import Blueprint, Response, abort, request
from flask_login import current_user

from corelab.errors import HomeError
from corelab.export.dictionary import make_dictionary
from corelab.export.text import format_csv
from corelab.singlecell.tables import COLUMNS
from corelab.store.objects import compute_sha256
from dashboards.access.roles import AUDITORS, EVERY_ROLE, EXPORTERS, check_role
from dashboards.cells import find_cells
from dashboards.ports import SnapshotPort
from dashboards.site import Site, SnapshotTables
from dashboards.views.api_description import describe_api
from dashboards.views.audit import read_filter, select_entries
from dashboards.views.schemas import find_schemas, order_tables

FORMATS: Final = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


def build_api(site: Site) -> Blueprint:
    """Collect the routes under ``/api/v1``."""
    routes = Blueprint("api", __name__, url_prefix="/api/v1")
    routes.add_url_rule("/tables/<name>.<ext>", "table", lambda name, ext: answer_table(site, name, ext))
    routes.add_url_rule("/cells/<name>.csv", "cells", lambda name: answer_cells(site, name))
    routes.add_url_rule("/dictionary.csv", "dictionary", lambda: answer_dictionary(site))
    routes.add_url_rule("/openapi.json", "openapi", lambda: answer_description(site))
    routes.add_url_rule("/audit.csv", "audit", lambda: answer_audit(site))
    return routes


def answer_table(site: Site, name: str, ext: str) -> Response:
    """Give one table, or the rows of one child (``?subject_id=``), and note who took it.

    Answers 404 for an unknown table, format, snapshot or child.
    """
    check_role(*EXPORTERS)
    check_scope(site, name)
    check_query("snapshot", *(("subject_id",) if ext == "csv" else ()))
    snapshot = find_snapshot(site, request.args.get("snapshot", ""))
    if snapshot is None or ext not in FORMATS or name not in snapshot.table_names:
        abort(404)
    subject_id = request.args.get("subject_id", "")
    if ext == "parquet":
        body = snapshot.read_bytes(name)
    else:
        body = write_rows(SnapshotTables(snapshot), name, subject_id)
    stem = f"{name}_{subject_id}" if subject_id and ext == "csv" else name
    note_download(site, f"{snapshot.id}/{stem}.{ext}", body)
    return build_attachment(body, f"{stem}.{ext}", FORMATS[ext])


def check_scope(site: Site, name: str) -> None:
    """Refuse a script whose token does not give this table, and note it."""
    if current_user.tables and name not in current_user.tables:
        note(site, "export_refused", name)
        abort(403)


def check_query(*known: str) -> None:
    """Refuse a parameter that is not known: a misspelt one must not give more than was asked for."""
    for name, values in request.args.lists():
        if name not in known:
            abort(400, f"the parameter {name!r} is not known; expected {' or '.join(known) or 'none'}")
        if len(values) > 1:
            abort(400, f"the parameter {name!r} is given {len(values)} times")


def find_snapshot(site: Site, snapshot_id: str) -> SnapshotPort | None:
    """Return the snapshot of an id, the current one without an id, or None."""
    if not snapshot_id:
        return site.home.snapshots.current()
    try:
        return site.home.snapshots.get(snapshot_id)
    except HomeError:
        return None


def write_rows(tables: SnapshotTables, name: str, subject_id: str) -> bytes:
    """Write a table, or one child's rows of it, as CSV."""
    table = tables[name]
    if subject_id:
        if "subject_id" not in table.columns or subject_id not in set(tables["subjects"]["subject_id"]):
            abort(404)
        table = table[table["subject_id"] == subject_id]
    return format_csv(table)


def answer_cells(site: Site, name: str) -> Response:
    """Give one table of the current snapshot's single cells: clusters, shares, medians; no cell by itself.

    Answers 404 for an unknown table, or where the cells were not mapped yet.
    """
    check_role(*EXPORTERS)
    check_scope(site, name)
    check_query()
    tables = site.cache.current()
    cells = None if tables is None else find_cells(site, tables)
    if cells is None or tables is None or name not in COLUMNS:
        abort(404)
    body = format_csv(cells[name])
    note_download(site, f"{tables.snapshot.id}/cells/{name}.csv", body)
    return build_attachment(body, f"{name}.csv", FORMATS["csv"])


def answer_dictionary(site: Site) -> Response:
    """Give the data dictionary of the current snapshot's tables."""
    check_role(*EXPORTERS)
    check_query("snapshot")
    snapshot = find_snapshot(site, request.args.get("snapshot", ""))
    if snapshot is None:
        abort(404)
    body = format_csv(make_dictionary(find_schemas(snapshot)))
    note_download(site, f"{snapshot.id}/dictionary.csv", body)
    return build_attachment(body, "dictionary.csv", FORMATS["csv"])


def answer_description(site: Site) -> Response:
    """Describe these routes as OpenAPI, with the tables of the current snapshot."""
    check_role(*EVERY_ROLE)
    check_query()
    tables = site.cache.current()
    described = describe_api(order_tables(tables) if tables else [], version=site.version)
    return Response(json.dumps(described, indent=1), content_type="application/json")


def answer_audit(site: Site) -> Response:
    """Give the entries of the audit trail that the query keeps, all of them without one."""
    check_role(*AUDITORS)
    kept = select_entries(site.trail.rows(), read_filter(request.args), site.home.study)
    body = format_csv(kept)
    query = request.query_string.decode("ascii", "replace")
    note_download(site, f"audit.csv{'?' if query else ''}{query}", body)
    return build_attachment(body, "audit.csv", FORMATS["csv"])


def note_download(site: Site, what: str, body: bytes = b"") -> None:
    """Add the download to the audit trail before the file leaves, by the hash that tells it again."""
    note(site, "export", what, new=f"sha256 {compute_sha256(body)}" if body else "")


def note(site: Site, action: str, what: str, *, new: str = "") -> None:
    """Add what somebody, or a script by its token, did to the audit trail."""
    by = f"token {current_user.token}" if current_user.token else ""
    site.home.registry.audit.append(
        actor=current_user.name,
        role=current_user.role,
        action=action,
        object=what,
        new=new,
        reason=by,
        at=site.clock(),
    )


def build_attachment(body: bytes, name: str, content_type: str) -> Response:
    """Build a response that the browser saves as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, content_type=content_type, headers=headers)
