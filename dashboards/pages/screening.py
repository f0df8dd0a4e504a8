"""Screening: every criterion of every child, the CD19 call, and the evidence behind each cell."""

import math
from collections.abc import Mapping
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Input, Output, dcc, html

from corelab.figures.cd19 import cd19_figure
from corelab.figures.course import to_float
from corelab.figures.numbers import format_count, format_interval, format_number
from corelab.figures.screening import screening_figure
from corelab.figures.screening_cell import write_unit
from corelab.figures.screening_data import (
    VERDICTS,
    Judgement,
    Screening,
    count_verdicts,
    select_screening,
    write_threshold,
)
from corelab.figures.tokens import Scheme
from dashboards.access.roles import EVERY_ROLE, EXPORTERS, allow, may
from dashboards.components.address import build_address, keep_in_address, read_choice, read_option
from dashboards.components.chips import build_chip
from dashboards.components.empty import build_empty
from dashboards.components.evidence import build_evidence
from dashboards.components.graph import empty_figure, name_data
from dashboards.components.pick import build_close, build_pick, build_pick_button, read_words
from dashboards.components.stamp import build_stamp
from dashboards.components.wall import enlarge_figure
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import Viewport, read_viewport
from dashboards.views.screening import (
    Lack,
    find_cd19,
    find_cd19_criterion,
    find_judgement,
    list_lacks,
    read_criteria,
    read_screening,
)

STORE: Final = "screening-choice"
VERDICT_OPTIONS: Final = ("all", *VERDICTS)
CRITERIA_OPTIONS: Final = ("all", "unresolved")
ASIDE_PX: Final = 372
SIDES_PX: Final = 3 * 12 + 22
AROUND_PX: Final = 40 + 44 + 18 + 22 + 26
SMALLEST_PX: Final = 360
CD19_MOST_PX: Final = 520
LONGEST_LIST: Final = 12
MARK_KINDS: Final = {"passes": "ok", "by_exception": "", "fails": "fail", "open": "warn"}
MARK_GLYPHS: Final = {"passes": "✓", "by_exception": "▣", "fails": "×", "open": "◇"}


def layout(site: Site, query: Mapping[str, str]) -> Any:
    """Build the page; the address may name the filters and the cell that is open."""
    tables = site.cache.current()
    if tables is None or tables["eligibility"].empty:
        return build_empty(site, "screening.empty")
    screening = read_screening(tables, site.home.study)
    label = site.text("screening.chart", count=len(screening.candidates))
    matrix = html.Div(
        build_pick(site, "screening-matrix", label=label, store=STORE, chosen=read_choice(query)),
        className="card",
    )
    return [
        *build_address("screening", ["verdict", "criteria", "open"]),
        dcc.Store(id=STORE, data=read_choice(query)),
        build_strip(site, screening, query),
        html.Div(
            [
                matrix,
                html.Div(
                    [build_cd19_card(site), build_lacks(site, list_lacks(screening))],
                    className="aside",
                    id="screening-aside",
                ),
                html.Aside(
                    id="screening-drawer",
                    className="drawer",
                    hidden=True,
                    **{"aria-label": site.text("screening.drawer")},
                ),
            ],
            className="beside",
        ),
        build_stamp(site, tables, site.text("screening.stamp", versions=", ".join(list_versions(screening)))),
    ]


def list_versions(screening: Screening) -> list[str]:
    """Return the versions of the rules by which the children were judged."""
    return sorted({judgement.rule_version for judgement in screening.judgements.values()})


def build_strip(site: Site, screening: Screening, query: Mapping[str, str]) -> Any:
    """Build the heading with the verdicts counted, and the filters."""
    counts = count_verdicts(screening)
    kinds = {"eligible": "ok", "pending": "warn", "ineligible": "fail"}
    tallies = [
        html.Span(
            [html.B(format_count(counts[verdict])), site.text(f"screening.verdict.{verdict}")],
            className=f"tally {kinds[verdict] if counts[verdict] else ''}".strip(),
        )
        for verdict in VERDICTS
    ]
    save = html.A(
        site.text("screening.save"), href="/api/v1/tables/eligibility.csv", className="button",
        id="screening-save",
    )  # fmt: skip
    return html.Div(
        [
            html.H1(site.text("screening.title")),
            *tallies,
            html.Span(className="grow"),
            build_switch(site, "verdict", VERDICT_OPTIONS, read_option(query, "verdict", VERDICT_OPTIONS)),
            build_switch(
                site, "criteria", CRITERIA_OPTIONS, read_option(query, "criteria", CRITERIA_OPTIONS)
            ),
            *([save] if may(*EXPORTERS) else []),
        ],
        className="strip",
    )


def build_switch(site: Site, name: str, options: tuple[str, ...], value: str) -> Any:
    """Build one filter."""
    return dmc.SegmentedControl(
        id=f"screening-{name}",
        data=[{"value": word, "label": site.text(f"screening.{name}.{word}")} for word in options],
        value=value,
        className="segments",
        transitionDuration=0,
    )


def build_cd19_card(site: Site) -> Any:
    """Build the card of CD19 calls."""
    cutoff = site.home.study.settings["cd19"]["cutoff_percent"]
    least = site.home.study.settings["cd19"]["minimum_b_reference"]
    rule = site.text("screening.cd19.rule", cutoff=f"{cutoff:g}", least=least)
    return html.Div(
        [
            html.Header([html.H2(site.text("screening.cd19.title"))]),
            html.P(rule, className="quiet"),
            build_pick(
                site, "screening-cd19", label=site.text("screening.cd19.chart"), store=STORE, is_told=False
            ),
        ],
        className="card",
    )


def build_lacks(site: Site, lacks: list[Lack]) -> Any:
    """Build the list of what stands against a child or is not decided; each leads to its evidence."""
    title = html.H2(site.text("screening.lacks.title", count=len(lacks)))
    if not lacks:
        return html.Div(
            [title, html.P(site.text("screening.lacks.none"), className="quiet")], className="card"
        )
    rows = [html.Li(write_lack(site, lack)) for lack in lacks[:LONGEST_LIST]]
    more = len(lacks) - LONGEST_LIST
    rest = [html.P(site.text("home.more", count=more))] if more > 0 else []
    return html.Div([title, html.Ul(rows), *rest], className="card lists", id="screening-lacks")


def write_lack(site: Site, lack: Lack) -> list[Any]:
    """Write one entry: which child and criterion, and why."""
    name = site.text("screening.lacks.name", subject=lack.subject_id, criterion=lack.criterion)
    glyph = html.Span(MARK_GLYPHS[lack.mark], className=f"mark tone-{MARK_KINDS[lack.mark]}")
    told = write_reason(site, lack.reason) or lack.value or site.text(f"screening.mark.{lack.mark}")
    return [
        html.Span([glyph, " ", build_pick_button(name, (lack.criterion, lack.subject_id), STORE)]),
        html.Span(told, title=told, className="cut"),
    ]


def write_reason(site: Site, reason: str) -> str:
    """Write reasons in words where the catalog knows them, as they are elsewhere."""
    parts = [part.strip() for part in reason.split(";") if part.strip()]
    keys = [f"screening.reason.{part.split(' ', maxsplit=1)[0]}" for part in parts]
    return "; ".join(
        site.text(key, what=" ".join(part.split(" ")[1:])) if site.catalog.has(key) else part
        for key, part in zip(keys, parts, strict=True)
    )


def draw_charts(
    site: Site, chosen: tuple[object, object], viewport: Viewport | None, scheme: Scheme
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw the matrix and the CD19 calls of the children that the filters keep."""
    tables = site.cache.current()
    if tables is None or viewport is None or tables["eligibility"].empty:
        return empty_figure(), empty_figure()
    study = site.home.study
    criteria = read_criteria(study)
    verdict = chosen[0] if isinstance(chosen[0], str) and chosen[0] in VERDICTS else ""
    screening = select_screening(
        read_screening(tables, study), verdict=verdict, only_open=chosen[1] == "unresolved"
    )
    height = viewport.drawn[1]
    matrix = screening_figure(
        screening,
        {name: criterion.title for name, criterion in criteria.items()},
        width=viewport.beside(ASIDE_PX) - SIDES_PX,
        height=max(height - AROUND_PX, SMALLEST_PX),
        scheme=scheme,
        catalog=site.figure_catalog,
    )
    shown = [child.subject_id for child in screening.candidates]
    calls = tables["cd19_status"]
    cd19 = cd19_figure(
        calls[calls["subject_id"].isin(shown)],
        cutoff=float(study.settings["cd19"]["cutoff_percent"]),
        criterion=find_cd19_criterion(criteria),
        size=(ASIDE_PX - 22, min(max(height // 2, 160), CD19_MOST_PX)),
        scheme=scheme,
        catalog=site.figure_catalog,
    )
    return (
        enlarge_figure(name_data(matrix, "eligibility"), viewport.scale),
        enlarge_figure(name_data(cd19, "cd19_status"), viewport.scale),
    )


def show_evidence(site: Site, sent: object) -> list[Any] | None:
    """Build the drawer of a cell, or None where nothing is chosen or the snapshot has no such cell."""
    tables, words = site.cache.current(), read_words(sent, 2)
    if tables is None or words is None:
        return None
    judgement = find_judgement(read_screening(tables, site.home.study), words[0], words[1])
    return None if judgement is None else build_drawer(site, tables, judgement)


def build_drawer(site: Site, tables: SnapshotTables, judgement: Judgement) -> list[Any]:
    """Build the evidence of one criterion of one child."""
    criterion = read_criteria(site.home.study).get(judgement.criterion)
    title = site.text("screening.evidence.title", subject=judgement.subject_id, criterion=judgement.criterion)
    mark = html.Span(MARK_GLYPHS[judgement.mark], **{"aria-hidden": "true"})
    chip = build_chip(mark, site.text(f"screening.mark.{judgement.mark}"), kind=MARK_KINDS[judgement.mark])
    value = site.say(judgement.value) or site.text(f"screening.state.{judgement.state}")
    unit = html.Small(write_unit(judgement.unit)) if judgement.unit not in ("", "1", "a", "titre") else ""
    heads = {
        "threshold": site.say(write_threshold(judgement.threshold)),
        "state": site.text(f"screening.state.{judgement.state}"),
        "reason": write_reason(site, judgement.reason),
        "exception": judgement.exception_used or site.text("screening.evidence.no_exception"),
        "evidence": write_sources(judgement.evidence),
        "version": judgement.rule_version,
        "note": site.say(criterion.note) if criterion else "",
    }
    is_cd19 = criterion is not None and criterion.kind == "cd19"
    return build_evidence(
        close=build_close(site, STORE),
        title=title,
        lead=[value, " ", unit],
        lines=[
            site.say(criterion.title) if criterion else judgement.criterion,
            *(write_cd19(site, tables, judgement.subject_id) if is_cd19 else []),
        ],
        chips=[chip],
        facts=[(site.text(f"screening.evidence.{head}"), fact) for head, fact in heads.items()],
        foot=[
            html.Nav(
                dcc.Link(
                    site.text("screening.evidence.child", subject=judgement.subject_id),
                    href=f"/patients/{judgement.subject_id}",
                    className="button",
                )
            )
        ],
    )


def write_sources(evidence: str) -> list[Any]:
    """Write the rows on which a judgement rests, one a line."""
    return [html.Div(part.strip()) for part in evidence.split(";") if part.strip()]


def write_cd19(site: Site, tables: SnapshotTables, subject_id: str) -> list[str]:
    """Write what stands behind a CD19 call: interval, counts and control."""
    row = find_cd19(tables["cd19_status"], subject_id)
    if row is None:
        return []
    lines, percent = [], to_float(row["percent_cd19"])
    if math.isfinite(percent):
        interval = format_interval(to_float(row["ci_low"]), to_float(row["ci_high"]), estimate=percent)
        lines.append(
            site.text(
                "screening.cd19.interval",
                interval=interval,
                cells=format_count(to_float(row["n_b_reference"])),
            )
        )
    source = row["threshold_source"] or "none"
    lines.append(site.text(f"screening.cd19.source.{source}"))
    cells = to_float(row["b_cells_per_ul"])
    if math.isfinite(cells):
        lines.append(site.text("screening.cd19.absolute", cells=format_number(cells)))
    if row["alert"] == "yes":
        lines.append(site.text("screening.cd19.alert"))
    return lines


def register(app: Any, site: Site) -> None:
    """Redraw for filters, size and scheme; open the drawer for a cell."""

    def draw(verdict: Any, criteria: Any, viewport: Any, scheme: Any) -> tuple[Any, Any]:
        return draw_charts(site, (verdict, criteria), read_viewport(viewport), read_scheme_word(scheme))

    def show(choice: Any) -> tuple[Any, bool, bool]:
        drawer = show_evidence(site, choice)
        return drawer or [], drawer is None, drawer is not None

    app.callback(
        Output("screening-matrix", "figure"),
        Output("screening-cd19", "figure"),
        Input("screening-verdict", "value"),
        Input("screening-criteria", "value"),
        Input("viewport", "data"),
        Input("scheme", "data"),
    )(allow(*EVERY_ROLE)(draw))
    app.callback(
        Output("screening-drawer", "children"),
        Output("screening-drawer", "hidden"),
        Output("screening-aside", "hidden"),
        Input(STORE, "data"),
    )(allow(*EVERY_ROLE)(show))
    keep_in_address(
        app, "screening", {"screening-verdict": "value", "screening-criteria": "value", STORE: "data"}
    )
