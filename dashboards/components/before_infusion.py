"""A child who was not infused: what screening says of it, what was measured, and the tubes that came."""

from typing import TYPE_CHECKING, Any, Final

from dash import dcc, html

from corelab.figures.course import to_float
from corelab.figures.numbers import format_count, format_number
from corelab.figures.screening_cell import write_unit
from corelab.figures.screening_data import write_threshold
from dashboards.components.address import SEPARATOR
from dashboards.components.chips import build_chip
from dashboards.components.drawer import LEVEL_GLYPHS
from dashboards.shell import format_time
from dashboards.site import Site, SnapshotTables
from dashboards.views.samples import SampleRow, list_samples
from dashboards.views.screening import Lack, list_lacks, read_criteria, read_screening

if TYPE_CHECKING:
    import pandas as pd

MEASURED: Final = (
    ("assessment", "SLEDAI-2K", "score"), ("laboratory", "UPCR", "result"), ("laboratory", "EGFR", "result"),
    ("flow", "b_cells", "cells_per_ul"), ("flow", "t_cells", "cells_per_ul"), ("laboratory", "ALC", "result"),
)  # fmt: skip
"""What the course begins with: assay, name and metric in the table of measurements."""
VERDICTS: Final = {"eligible": "ok", "ineligible": "fail", "pending": "warn"}
MARK_KINDS: Final = {"fails": "fail", "open": "warn"}


def build_before_infusion(site: Site, tables: SnapshotTables, subject_id: str) -> Any:
    """Build what is known of a child before its clock starts."""
    return html.Div(
        [
            html.P(site.text("before.told", subject=subject_id), className="quiet"),
            html.Div(
                [
                    build_screening_card(site, tables, subject_id),
                    build_values_card(site, tables["measurements"], subject_id),
                    build_tubes_card(site, tables, subject_id),
                ],
                className="cards",
            ),
        ],
        id="patient-before",
        className="before",
    )


def build_screening_card(site: Site, tables: SnapshotTables, subject_id: str) -> Any:
    """Build the verdict, and each criterion that stands against the child or is open."""
    screening = read_screening(tables, site.home.study)
    verdict = next((one.verdict for one in screening.candidates if one.subject_id == subject_id), "")
    lacks = [lack for lack in list_lacks(screening) if lack.subject_id == subject_id]
    told = site.text(f"screening.verdict.{verdict}") if verdict else site.text("before.not_screened")
    rows = [html.Li(write_lack(site, tables, lack)) for lack in lacks]
    return html.Section(
        [
            html.H2(site.text("before.screening")),
            html.Div(build_chip(told, kind=VERDICTS.get(verdict, "warn")), className="chips"),
            html.Ul(rows) if rows else html.P(site.text("before.no_lack"), className="quiet"),
            dcc.Link(site.text("before.to_screening"), href="/screening", className="button"),
        ],
        className="card lists",
    )


def write_lack(site: Site, tables: SnapshotTables, lack: Lack) -> list[Any]:
    """Write one criterion with its value and limit, leading to its evidence."""
    criterion = read_criteria(site.home.study).get(lack.criterion)
    judgement = read_screening(tables, site.home.study).judgements[lack.criterion, lack.subject_id]
    title = site.say(criterion.title) if criterion else lack.criterion
    shown = " · ".join(part for part in (lack.value, site.say(write_threshold(judgement.threshold))) if part)
    return [
        dcc.Link(
            f"{lack.criterion} {title}",
            href=f"/screening?open={lack.criterion}{SEPARATOR}{lack.subject_id}",
        ),
        html.Span(shown, className=f"tone-{MARK_KINDS[lack.mark]}"),
    ]


def build_values_card(site: Site, measurements: "pd.DataFrame", subject_id: str) -> Any:
    """Build the latest value of what the course will begin with."""
    mine = measurements[(measurements["subject_id"] == subject_id) & (measurements["status"] == "quantified")]
    rows = []
    for assay, name, metric in MEASURED:
        found = mine[(mine["assay"] == assay) & (mine["name"] == name) & (mine["metric"] == metric)]
        if not found.empty:
            last = found.sort_values("collected_at", kind="stable").iloc[-1]
            unit = "" if last["unit"] == "1" else write_unit(str(last["unit"]))
            value = f"{format_number(to_float(last['value']))} {unit}".strip()
            cells = [html.Td(value, className="number"), html.Td(f"{last['visit_label']}")]
            rows.append(html.Tr([html.Th(site.text(f"before.value.{name}"), scope="row"), *cells]))
    table = html.Table(html.Tbody(rows), className="plain")
    return html.Section(
        [
            html.H2(site.text("before.values")),
            table if rows else html.P(site.text("before.no_value"), className="quiet"),
        ],
        className="card",
    )


def build_tubes_card(site: Site, tables: SnapshotTables, subject_id: str) -> Any:
    """Build the tubes of the child, each leading to its gates."""
    samples = list_samples(tables, site.desk.known(), site.home.study)
    mine = [row for row in samples if row.subject_id == subject_id]
    rows = [write_tube(site, row) for row in mine]
    return html.Section(
        [
            html.H2(site.text("before.tubes", count=format_count(len(mine)))),
            html.Table(html.Tbody(rows), className="plain")
            if rows
            else html.P(site.text("before.no_tube"), className="quiet"),
        ],
        className="card",
    )


def write_tube(site: Site, row: SampleRow) -> Any:
    """Write one tube: what it is, when it was drawn, its quality."""
    name = " ".join((row.visit, row.panel, row.tube))
    quality = site.text(f"samples.quality.{row.quality}") if row.quality else ""
    told = f"{LEVEL_GLYPHS.get(row.quality, '')} {', '.join(row.checks) or quality}".strip()
    return html.Tr(
        [
            html.Th(dcc.Link(name, href=f"/samples/{row.file_id}"), scope="row"),
            html.Td(format_time(site, row.collected_at)),
            html.Td(told, className=f"tone-{row.quality}" if row.quality in ("warn", "fail") else "quiet"),
        ]
    )
