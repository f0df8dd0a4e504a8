"""The drawer beside a course: one value with its counts, limits, gate and remarks."""

import datetime as dt
import json
import math
import re
from typing import Any, Final
from urllib.parse import urlencode

from dash import dcc, html

from corelab.figures.course import Point
from corelab.figures.numbers import format_count, format_fraction, format_interval, format_number, format_p
from corelab.figures.readout_words import name_status
from corelab.figures.tokens import Scheme
from corelab.vocabulary import Status
from dashboards.components.chips import build_chip
from dashboards.shell import format_moment
from dashboards.site import Site
from dashboards.views.point import Blank, Choice, Finding, Gate, PointDetail

STATUS_KINDS: Final = {Status.FAILED: "fail", Status.MISSING: "warn"}
LEVEL_GLYPHS: Final = {"pass": "✓", "warn": "△", "fail": "×"}
FILE_ID_SHOWN: Final = 12
PLOT_PX: Final = (339, 300)
API: Final = "/api/v1/acquisitions"


def build_drawer(site: Site, detail: PointDetail, scheme: Scheme) -> Any:
    """Build everything inside the drawer."""
    point = detail.point
    name = name_row(site, detail.choice.row)
    title = site.text("drawer.title", visit=point.visit_label, row=name, day=f"{point.day:.1f}")
    close = build_choice_button(site.text("drawer.close_glyph"), None, name="drawer-close", style="icon")
    setattr(close, "aria-label", site.text("drawer.close"))
    facts = [*list_facts(site, detail), *list_findings(site, detail.gate)]
    rows = [html.Tr([html.Th(head, scope="row"), html.Td(fact)]) for head, fact in facts]
    table = html.Table(html.Tbody(rows), className="plain")
    return [
        html.Header([html.H2(title), close]),
        html.P(write_lead(site, point, detail.choice.row), className="lead", id="drawer-lead"),
        *[html.P(line, className="interval") for line in write_limits(site, point)],
        html.Div(list_chips(site, point), className="chips"),
        *build_gate_plot(site, detail.gate, scheme),
        table,
        html.Nav(
            [*build_gate_link(site, detail.gate), *list_neighbours(site, detail)],
            **{"aria-label": site.text("drawer.neighbours")},
        ),
    ]


def name_row(site: Site, row: str) -> str:
    """Return a row's name in words; a soluble analyte's is the delivered one."""
    key = f"row.{row}"
    return site.text(key) if site.catalog.has(key) else row.removeprefix("tracks:")


def write_lead(site: Site, point: Point, row: str) -> Any:
    """Write the number that counts most: the count of its total, else the value, else the status."""
    if math.isfinite(point.count) and math.isfinite(point.total):
        counted = f"{format_count(point.count)} / {format_count(point.total)}"
        key = f"counted.{row}"
        of_what = site.text(key if site.catalog.has(key) else "drawer.events")
        return [counted, " ", html.Small(of_what)]
    if math.isfinite(point.value) and point.status == Status.QUANTIFIED:
        return [format_number(point.value), " ", html.Small(write_unit(point.unit))]
    return site.text(f"status.{name_status(point)}")


def write_limits(site: Site, point: Point) -> list[str]:
    """Write the value with its interval, then the limits of the assay for this sample."""
    lines = []
    if math.isfinite(point.value):
        lines.append(site.text("drawer.value", value=format_number(point.value), unit=write_unit(point.unit)))
    if math.isfinite(point.high):
        estimate = point.value if math.isfinite(point.value) else point.high
        interval = format_interval(point.low, point.high, estimate=estimate)
        lines.append(site.text("drawer.interval", interval=interval, unit=write_unit(point.unit)))
    if math.isfinite(point.lloq):
        lines.append(site.text("drawer.lloq", value=format_number(point.lloq), unit=write_unit(point.unit)))
    if math.isfinite(point.uloq):
        lines.append(site.text("drawer.uloq", value=format_number(point.uloq), unit=write_unit(point.unit)))
    return lines


def write_unit(unit: str) -> str:
    """Write a unit of the tables as people read it.

    Examples
    --------
    >>> write_unit("cells/uL"), write_unit("umol/L"), write_unit("copies/ug")
    ('cells/µL', 'µmol/L', 'copies/µg')
    """
    return re.sub(r"\bu(?=g|L|mol)", "µ", unit)


def list_chips(site: Site, point: Point) -> list[Any]:
    """Build the chips of status."""
    kind = STATUS_KINDS.get(Status(point.status), "")
    mark = html.Span(site.text(f"status_mark.{point.status}"), **{"aria-hidden": "true"})
    return [build_chip(mark, site.text(f"status.{name_status(point)}"), kind=kind)]


def list_facts(site: Site, detail: PointDetail) -> list[tuple[str, Any]]:
    """List what the table of the drawer says, without the findings."""
    point = detail.point
    facts: list[tuple[str, Any]] = [(site.text("drawer.collected"), write_collected(site, point))]
    if point.reason:
        facts.append((site.text("drawer.reason"), write_reason(site, point.reason)))
    if detail.gate:
        facts += write_gate(site, detail.gate)
    if detail.blank:
        facts.append((site.text("drawer.blank"), write_blank(site, detail.blank)))
    if point.source_id and not detail.gate:
        facts.append((site.text("drawer.source"), point.source_id))
    return facts


def write_collected(site: Site, point: Point) -> str:
    """Write when the sample was taken, to the minute in the study's zone, or that nothing came."""
    if not point.collected_at:
        return site.text("drawer.nothing_came")
    return format_moment(dt.datetime.fromisoformat(point.collected_at), site)


def write_reason(site: Site, reason: str) -> str:
    """Write a reason in words beside its code, where the catalog knows it."""
    words = [word.strip() for word in reason.split(";") if word.strip()]
    told = [
        f"{word}: {site.text(f'reason.{word}')}" if site.catalog.has(f"reason.{word}") else word
        for word in words
    ]
    return "; ".join(told)


def write_gate(site: Site, gate: Gate) -> list[tuple[str, Any]]:
    """Write which gate counted, in which tube of which file."""
    source = site.text(f"gate_source.{gate.source}") if gate.source else site.text("drawer.no_gate")
    return [
        (site.text("drawer.gate"), " · ".join(part for part in (source, gate.version) if part)),
        (site.text("drawer.tube"), gate.tube),
        (site.text("drawer.file"), html.Span(gate.file_id[:FILE_ID_SHOWN], title=gate.file_id)),
    ]


def write_blank(site: Site, blank: Blank) -> str:
    """Write the background count and the test against it."""
    counted = format_fraction(blank.count, blank.total)
    if not math.isfinite(blank.p_value):
        return counted
    return site.text("drawer.blank_test", counted=counted, p=format_p(blank.p_value))


def list_findings(site: Site, gate: Gate | None) -> list[tuple[str, Any]]:
    """List the quality findings of the file, or say that there is none."""
    if gate is None:
        return []
    if not gate.findings:
        return [(site.text("drawer.quality"), f"{LEVEL_GLYPHS['pass']} {site.text('drawer.no_finding')}")]
    return [
        (site.text("drawer.quality"), [html.Div(write_finding(site, finding)) for finding in gate.findings])
    ]


def write_finding(site: Site, finding: Finding) -> str:
    """Write one finding: shape, check, value against limit, and why."""
    parts = [LEVEL_GLYPHS.get(finding.level, ""), finding.check]
    if math.isfinite(finding.value):
        parts.append(format_number(finding.value))
    if math.isfinite(finding.limit):
        parts.append(f"({format_number(finding.limit)})")
    return " ".join([*parts, site.say(finding.reason)]).strip()


def build_gate_plot(site: Site, gate: Gate | None, scheme: Scheme) -> list[Any]:
    """Build the picture of the events and the gate that counted them; none where the file is not here."""
    if gate is None or gate.file_id not in site.desk.known().files:
        return []
    width, height = PLOT_PX
    words = {
        "population": gate.population,
        "overlay": "before",
        "width": width,
        "height": height,
        "scheme": scheme,
    }
    alt = site.text("drawer.plot", population=gate.population, tube=gate.tube)
    source = f"{API}/{gate.file_id}/plot.svg?{urlencode(words)}"
    return [html.Img(src=source, alt=alt, width=width, height=height, className="gate-plot")]


def build_gate_link(site: Site, gate: Gate | None) -> list[Any]:
    """Build the way to the tube with this gate."""
    if gate is None or gate.file_id not in site.desk.known().files:
        return []
    address = f"/samples/{gate.file_id}?population={gate.population}"
    return [
        dcc.Link(site.text("drawer.open_gate"), href=address, className="button primary", id="drawer-gate")
    ]


def list_neighbours(site: Site, detail: PointDetail) -> list[Any]:
    """Build the buttons to the draws before and after in the same row."""
    return [
        build_choice_button(
            site.text(f"drawer.{name}", visit=choice.visit_label), choice, name=f"drawer-{name}"
        )
        for name, choice in (("before", detail.before), ("after", detail.after))
        if choice is not None
    ]


def build_choice_button(label: str, choice: Choice | None, *, name: str, style: str = "button") -> Any:
    """Build a button that opens another value, or closes the drawer without one; the script reads it."""
    words = [] if choice is None else [choice.subject_id, choice.row, choice.visit_label, choice.collected_at]
    return html.Button(label, id=name, className=style, **{"data-choice": json.dumps(words)})
