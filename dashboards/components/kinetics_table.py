"""The card of kinetic parameters by dose group."""

from typing import Any

from dash import html

from corelab.figures.cohort import summarise_kinetics_by_dose
from corelab.figures.kinetics_by_dose import describe_comparison
from corelab.figures.tokens import ARM_GLYPHS
from corelab.vocabulary import Analyte, Arm
from dashboards.site import Site, SnapshotTables


def build_kinetics_table(site: Site, tables: SnapshotTables, analyte: Analyte) -> list[Any]:
    """Build the table of one analyte and the sentence under it."""
    summary = summarise_kinetics_by_dose(tables, analyte, catalog=site.figure_catalog)
    head = [html.Th(site.text(f"unit.{analyte}"), scope="col")]
    head += [
        html.Th([ARM_GLYPHS[arm], " ", site.text(f"arm.{arm}")], scope="col", className=f"number {arm}")
        for arm in Arm
    ]
    body = [
        html.Tr([build_head(row), *(html.Td(row[arm], className="number") for arm in Arm)])
        for row in summary.to_dict(orient="records")
    ]
    table = html.Table([html.Thead(html.Tr(head)), html.Tbody(body)], className="plain", id="cohort-table")
    return [table, html.P(describe_comparison(tables, analyte, catalog=site.figure_catalog))]


def build_head(row: dict[str, str]) -> Any:
    """Build a row's name with the statistic that is written in it."""
    return html.Th([row["label"], " ", html.Span(row["statistic"], className="quiet")], scope="row")
