"""The gating tree and the tubes of a visit, as tables of links."""

import math
from collections.abc import Sequence
from typing import Any

from dash import dcc, html

from corelab.figures.numbers import format_count, format_number
from corelab.store.acquisitions import AcquisitionFile
from corelab.vocabulary import GateSource, Status
from dashboards.desk import Known
from dashboards.site import Site, SnapshotTables
from dashboards.views.acquisition import TreeRow, list_visit_tubes, read_populations
from dashboards.views.address import GateAddress

_BY_HAND = (GateSource.MANUAL, GateSource.FLOWJO, GateSource.GATINGML)


def build_tree_table(site: Site, address: GateAddress, tree: Sequence[TreeRow], chosen: str) -> Any:
    """Build the tree: population, events, share of the parent, and a mark for what is not a plain count."""
    heads = [
        html.Th(site.text("gate.head.population"), scope="col"),
        html.Th(site.text("gate.head.events"), scope="col", className="number"),
        html.Th(site.text("gate.head.percent"), scope="col", className="number"),
        html.Th(html.Span(site.text("gate.head.mark"), className="unseen"), scope="col"),
    ]
    rows = [
        build_tree_row(site, address, row, is_chosen=row.population == chosen)
        for row in tree
        if not row.is_folded
    ]
    return html.Table([html.Thead(html.Tr(heads)), html.Tbody(rows)], className="plain", id="gate-tree")


def build_tree_row(site: Site, address: GateAddress, row: TreeRow, *, is_chosen: bool) -> Any:
    """Build one population; its events are those of now, with a triangle where the snapshot has others."""
    name = row.population.partition(".")[2] or row.population
    href = address.href(population=row.population, x="", y="")
    link = dcc.Link(name, href=href, title=row.population, id=f"tree-{row.population.replace('.', '--')}")
    moved = math.isfinite(row.now) and row.now != row.count
    events = format_count(row.now) if math.isfinite(row.now) else site.text("gate.none")
    percent = format_number(row.percent) if math.isfinite(row.percent) and not moved else ""
    return html.Tr(
        [
            html.Th(link, scope="row", style={"paddingLeft": f"calc({2 + 5 * row.depth} * var(--u))"}),
            html.Td(events, className="number"),
            html.Td(percent, className="number"),
            html.Td(write_mark(site, row, moved=moved), className="marks"),
        ],
        className="current" if is_chosen else "",
    )


def write_mark(site: Site, row: TreeRow, *, moved: bool) -> Any:
    """Write the shape of what a person should know of a population, with its word for who asks."""
    if moved:
        return _mark(
            site, "status_mark.stale", site.text("gate.mark.moved", count=format_count(row.count)), "warn"
        )
    if row.status == Status.FAILED:
        return _mark(site, "status_mark.failed", site.text("status.failed"), "fail")
    if row.source == GateSource.TEMPLATE:
        return _mark(site, "status_mark.stale", site.text("gate_source.template"), "warn")
    if row.source in _BY_HAND:
        return _mark(site, "gate.mark.hand", site.text(f"gate_source.{row.source}"), "")
    if row.status in (Status.MISSING, Status.NOT_CALCULATED):
        return _mark(site, f"status_mark.{row.status}", site.text(f"status.{row.status}"), "quiet")
    return ""


def _mark(site: Site, key: str, word: str, kind: str) -> Any:
    return html.Span(
        [html.Span(site.text(key), **{"aria-hidden": "true"}), html.Span(word, className="unseen")],
        title=word, className=kind,
    )  # fmt: skip


def build_tubes(
    site: Site, known: Known, tables: SnapshotTables, address: GateAddress, file: AcquisitionFile
) -> Any:
    """Build the tubes of the same draw, each with its events."""
    rows = []
    for tube in list_visit_tubes(known, file):
        name = site.text("gate.tube", panel=tube.panel, tube=tube.tube)
        keeps = tube.panel == file.panel
        href = address.href(file_id=tube.file_id) if keeps else GateAddress(file_id=tube.file_id).href()
        is_own = tube.file_id == file.file_id
        counted = read_populations(tables, tube.file_id)
        events = next((row["count"] for row in counted if row["population"] == "events"), None)
        told = format_count(events) if events is not None else site.text("samples.state.waiting")
        link = html.Span(name) if is_own else dcc.Link(name, href=href)
        rows.append(
            html.Tr(
                [html.Th(link, scope="row"), html.Td(told, className="number")],
                className="own" if is_own else "",
            )
        )
    return html.Section(
        [html.H2(site.text("gate.tubes")), html.Table(html.Tbody(rows), className="plain")], id="gate-tubes"
    )
