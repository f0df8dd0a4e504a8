"""The line under every figure that says what it was made from."""

from typing import Any

from dash import html

from dashboards.shell import format_moment
from dashboards.site import Site, SnapshotTables


def write_stamp(site: Site, tables: SnapshotTables, *remarks: str) -> str:
    """Name program, snapshot and what is special about the figure above."""
    snapshot = tables.snapshot
    parts = [
        site.text("stamp.version", version=site.version),
        site.text("stamp.snapshot", id=snapshot.id, time=format_moment(snapshot.created_at, site)),
        *remarks,
    ]
    return " · ".join(parts)


def build_stamp(site: Site, tables: SnapshotTables, *remarks: str) -> Any:
    """Build the line under a page's figures; see `write_stamp`."""
    return html.P(write_stamp(site, tables, *remarks), className="stamp")
