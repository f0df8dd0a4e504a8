"""Small plots in a row: the same gate at every visit, or every gate of one tube."""

import math
from typing import Any
from urllib.parse import urlencode

from dash import dcc, html

from corelab.figures.numbers import format_count, format_fraction, format_number
from corelab.vocabulary import BEAD_QC
from dashboards.components.gate_editor import API
from dashboards.site import Site
from dashboards.views.acquisition import TreeRow, VisitTube, build_tree, list_same_gate, list_siblings
from dashboards.views.address import STRIPS
from dashboards.views.opened import Opened


def build_gate_strip(site: Site, opened: Opened) -> Any:
    """Build the choice of rows and the chosen row of small plots."""
    address = opened.address
    tabs = [
        dcc.Link(
            site.text(f"gate.strip.{word}"), href=address.href(strip=word), id=f"gate-strip-{word}",
            className="on" if address.strip == word else "",
        )
        for word in STRIPS
    ]  # fmt: skip
    is_beads = address.strip == "visits" and opened.look.file.tube == BEAD_QC
    note = site.text(f"gate.strip_note.{'beads' if is_beads else address.strip}")
    if address.strip == "visits":
        cards = [build_visit_card(site, opened, tube) for tube in list_visits(site, opened)]
    else:
        cards = [build_gate_card(site, opened, row) for row in list_plots(opened)]
    return html.Section(
        [
            html.Div(
                [
                    html.Nav(tabs, className="choice", **{"aria-label": site.text("gate.strips")}),
                    html.Span(note, className="quiet"),
                ],
                className="strip-head",
            ),
            html.Div(cards, className="small-plots", id="gate-small"),
        ],
        className="gate-strip",
    )


def list_visits(site: Site, opened: Opened) -> list[VisitTube]:
    """Return the child's tubes of this kind with what the chosen population counted."""
    siblings = list_siblings(opened.known, opened.look.file, site.home.study)
    return list_same_gate(opened.tables, siblings, opened.population)


def list_plots(opened: Opened) -> list[TreeRow]:
    """Return the populations that have a gate: all but the first, subsets of the chosen compartment alone."""
    tree = build_tree(opened.rows, opened.look, opened.population)
    return [row for row in tree if row.parent and not row.is_folded and math.isfinite(row.count)]


def build_visit_card(site: Site, opened: Opened, tube: VisitTube) -> Any:
    """Build the same gate at one visit, on the axes of the large plot."""
    is_own = tube.file_id == opened.look.file.file_id
    counted = math.isfinite(tube.count)
    words = {"population": opened.population, "like": opened.look.file.file_id, **list_axes(opened)}
    alt = site.text("gate.small_visit", population=opened.population, visit=tube.visit)
    return dcc.Link(
        [
            html.Div(
                [html.B(tube.visit), html.Span(write_state(site, tube), className=tube.status)],
                className="top",
            ),
            build_picture(tube.file_id, words, alt) if counted else build_missing(site, tube),
            html.Div(
                [
                    html.Span(format_fraction(tube.count, tube.parent_count) if counted else ""),
                    html.Span(write_share(site, tube), className="quiet"),
                ],
                className="bottom",
            ),
        ],
        href=opened.address.href(file_id=tube.file_id),
        className="small own" if is_own else "small",
    )


def list_axes(opened: Opened) -> dict[str, str]:
    """Return the channels of the large plot."""
    if opened.view is None:
        return {}
    return {"x": opened.view.x.channel, "y": opened.view.y.channel}


def build_missing(site: Site, tube: VisitTube) -> Any:
    """Say in the picture's place that there is none."""
    told = tube.reason or (
        site.text(f"status.{tube.status}") if tube.status else site.text("samples.state.waiting")
    )
    return html.Div(told, className="no-picture")


def write_state(site: Site, tube: VisitTube) -> str:
    """Write the status of a count where it is not plainly quantified."""
    return site.text(f"status.{tube.status}") if tube.status not in ("", "quantified") else ""


def write_share(site: Site, tube: VisitTube) -> str:
    """Write the share of the parent; of no event the upper limit."""
    if not math.isfinite(tube.count):
        return ""
    if math.isfinite(tube.percent):
        return site.text("gate.percent", value=format_number(tube.percent))
    return site.text("gate.at_most", value=format_number(tube.high)) if math.isfinite(tube.high) else ""


def build_gate_card(site: Site, opened: Opened, row: TreeRow) -> Any:
    """Build one gate of this tube; in back-gating with the chosen population on it."""
    is_back = opened.address.strip == "back"
    words = {"population": row.population, **({"back": opened.population} if is_back else {})}
    alt = site.text("gate.small_gate", population=row.population)
    share = site.text("gate.percent", value=format_number(row.percent)) if math.isfinite(row.percent) else ""
    name = row.population
    return dcc.Link(
        [
            html.Div(html.B(name), className="top"),
            build_picture(opened.look.file.file_id, words, alt),
            html.Div(
                [html.Span(format_count(row.now)), html.Span(share, className="quiet")],
                className="bottom",
            ),
        ],
        href=opened.address.href(
            population=name, x="", y="", **({"back": opened.population} if is_back else {})
        ),
        className="small own" if name == opened.population else "small",
    )


def build_picture(file_id: str, words: dict[str, str], alt: str) -> Any:
    """Build a picture; the browser asks for it in its scheme and size."""
    address = f"{API}/{file_id}/small.svg?{urlencode(words)}"
    return html.Div(html.Img(alt=alt, className="picture", **{"data-picture": address}), className="frame")
