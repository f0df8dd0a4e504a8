"""One child's course on the infusion clock."""

from collections.abc import Mapping
from typing import Any, Final, cast

import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html

from corelab.figures.clock import Until
from corelab.figures.course import PatientCourse
from corelab.figures.patient import build_course, patient_figure
from corelab.figures.tokens import Scheme
from dashboards.access.roles import EVERY_ROLE, EXPORTERS, allow, may
from dashboards.components.before_infusion import build_before_infusion
from dashboards.components.chips import build_arm_mark, build_chip
from dashboards.components.drawer import build_drawer
from dashboards.components.empty import build_empty, build_unknown_page
from dashboards.components.graph import build_graph, empty_figure, name_data
from dashboards.components.stamp import write_stamp
from dashboards.components.wall import enlarge_figure
from dashboards.overview import read_overview
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import PHONE_PX, Viewport, read_viewport
from dashboards.views.point import Choice, build_point_detail, parse_choice
from dashboards.views.readings import build_readings
from dashboards.views.review import list_marks
from dashboards.views.subject import Subject, build_subject
from dashboards.views.trial import Gap, list_gaps, read_cut_off

UNTIL: Final = ("M3", "today", "M24")
DRAWER_PX: Final = 372
SMALLEST_FIGURE_PX: Final = 776
ABOVE_PX: Final = 40 + 44
SIDE_PX: Final = 8
CD19_KINDS: Final = {"positive": "ok", "negative": "fail", "not_evaluable": "warn"}


def is_subject(tables: SnapshotTables, subject_id: object) -> bool:
    """Tell whether a snapshot has a child of this name."""
    return isinstance(subject_id, str) and subject_id in set(tables["subjects"]["subject_id"])


def layout(site: Site, subject_id: str) -> Any:
    """Build a child's page; the first child's without a name."""
    tables = site.cache.current()
    if tables is None:
        return build_empty(site, "patients.empty")
    names = list(tables["subjects"]["subject_id"])
    if not names:
        return build_empty(site, "patients.nobody")
    study, shown = site.home.study, subject_id or names[0]
    subject = build_subject(tables, shown, study, as_of=read_cut_off(tables.snapshot, study))
    if subject is None:
        return build_unknown_page(site, "unknown.subject", subject=subject_id)
    return [
        build_strip(
            site,
            subject,
            [*list_gap_chips(site, tables, shown), *list_review_chips(site, tables, subject.subject_id)],
        ),
        build_course_frame(site, subject)
        if subject.infused_on
        else build_before_infusion(site, tables, subject.subject_id),
    ]


def build_strip(site: Site, subject: Subject, gaps: list[Any]) -> Any:
    """Build the strip: who this is, and what one can do here."""
    save = html.A(
        site.text("patients.save"),
        href=f"/api/v1/tables/measurements.csv?subject_id={subject.subject_id}",
        className="button",
        id="patient-save",
    )
    return html.Div(
        [
            build_step(site, "previous", subject.previous_id),
            html.H1(subject.subject_id),
            build_step(site, "next", subject.next_id),
            *list_chips(site, subject),
            *gaps,
            html.Span(className="grow"),
            *([build_until(site)] if subject.infused_on else []),
            *([save] if may(*EXPORTERS) else []),
        ],
        className="strip",
    )


def build_until(site: Site) -> Any:
    """Build the choice of how far the clock runs."""
    return dmc.SegmentedControl(
        id="patient-until",
        data=[{"value": word, "label": site.text(f"patients.until.{word}")} for word in UNTIL],
        value="today",
        className="segments",
        transitionDuration=0,
    )


def build_step(site: Site, name: str, subject_id: str) -> Any:
    """Build the arrow to the child before or after; the arrow stays, greyed, at either end."""
    glyph = site.text(f"patients.{name}.glyph")
    if not subject_id:
        return html.Span(glyph, className="icon off", **{"aria-hidden": "true"})
    label = site.text(f"patients.{name}.label", subject=subject_id)
    return dcc.Link(
        [html.Span(glyph, **{"aria-hidden": "true"}), html.Span(label, className="unseen")],
        href=f"/patients/{subject_id}",
        id=f"patient-{name}",
        className="icon",
        title=label,
    )


def list_chips(site: Site, subject: Subject) -> list[Any]:
    """Build the chips; what is not known is left out, except where that itself is the news."""
    chips = []
    if subject.arm:
        chips.append(
            build_chip(
                build_arm_mark(subject.arm), html.B(site.text(f"arm.{subject.arm}")), subject.arm_label
            )
        )
    person = " · ".join(
        part
        for part in (
            site.text(f"sex.{subject.sex}") if subject.sex else "",
            site.text("patients.age", age=subject.age) if subject.age else "",
        )
        if part
    )
    if person:
        chips.append(build_chip(person, rank=3))
    chips.append(build_infusion_chip(site, subject))
    if subject.cd19_call:
        chips.append(build_cd19_chip(site, subject))
    return chips


def list_gap_chips(site: Site, tables: SnapshotTables, subject_id: str) -> list[Any]:
    """Build a chip for what failed and one for what is missing: the visit itself where it is only one."""
    study, as_of = site.home.study, read_cut_off(tables.snapshot, site.home.study)
    overview = read_overview(site, tables)
    mine = overview[overview["subject_id"] == subject_id]
    chips = []
    for state, kind in (("failed", "fail"), ("missing", "warn")):
        gaps = list_gaps(tables["subjects"], mine, study, state=state, as_of=as_of)
        if gaps:
            mark = html.Span(site.text(f"status_mark.{state}"), **{"aria-hidden": "true"})
            chips.append(
                build_chip(mark, write_gaps(site, gaps, state), kind=kind, name=f"patient-{state}", rank=1)
            )
    return chips


def write_gaps(site: Site, gaps: list[Gap], state: str) -> str:
    """Write which visit lacks what, or of how many visits something is lacking."""
    if len(gaps) > 1:
        return site.text(f"patients.gaps.{state}", count=len(gaps))
    assays = ", ".join(site.text(f"assay.{assay}") for assay in gaps[0].assays)
    return site.text(f"patients.gap.{state}", visit=gaps[0].visit, assays=assays)


def build_infusion_chip(site: Site, subject: Subject) -> Any:
    """Say when the child was infused and how long ago at the cut-off."""
    if not subject.infused_on:
        return build_chip(site.text("patients.not_infused"))
    day = "" if subject.day is None else site.text("patients.day", day=subject.day)
    return build_chip(site.text("patients.infused"), html.B(subject.infused_on), day, rank=2)


def build_cd19_chip(site: Site, subject: Subject) -> Any:
    """Say the CD19 call with its percentage and interval."""
    told = site.text(
        f"cd19.{subject.cd19_call}", percent=subject.cd19_percent, interval=subject.cd19_interval
    )
    return build_chip(told, kind=CD19_KINDS.get(subject.cd19_call, ""), name="patient-cd19")


def build_course_frame(site: Site, subject: Subject) -> Any:
    """Build the place of the figure, the cursor over it and the drawer beside it."""
    chart = html.Div(
        [
            build_graph("patient-graph"),
            html.Div(className="cursor", id="patient-cursor"),
            html.Div(className="chosen", id="patient-chosen"),
            html.Div(id="patient-readout", className="readouts", **{"aria-hidden": "true"}),
            html.Div(id="patient-said", className="unseen", **{"aria-live": "polite"}),
        ],
        className="chart",
        tabIndex="0",
        role="group",
        id="patient-chart",
        **{"aria-label": site.text("patients.chart", subject=subject.subject_id)},
    )
    drawer = html.Aside(
        id="patient-drawer", className="drawer", hidden=True, **{"aria-label": site.text("drawer.label")}
    )
    return html.Div(
        [
            dcc.Store(id="patient-subject", data=subject.subject_id),
            dcc.Store(id="patient-choice"),
            dcc.Store(id="patient-readings"),
            chart,
            drawer,
        ],
        className="patient",
    )


def read_course(site: Site, tables: SnapshotTables, subject_id: str) -> PatientCourse | None:
    """Gather a child's course up to the snapshot's cut-off."""
    study = site.home.study
    as_of = read_cut_off(tables.snapshot, study)
    if not is_subject(tables, subject_id):
        return None
    return tables.remember(
        ("course", subject_id),
        lambda: build_course(
            tables, subject_id, study=study, as_of=as_of, medications=tables.get("medications")
        ),
    )


def read_marks(site: Site, tables: SnapshotTables, subject_id: str) -> dict[str, str]:
    """Return for each visit of a child whether it is signed, to review, or changed since."""
    return {visit: mark for (child, visit), mark in list_marks(site, tables).items() if child == subject_id}


def read_rings(site: Site, tables: SnapshotTables, subject_id: str) -> dict[str, str]:
    """Return the visits to ring; none while nothing of the child was signed: the strip says that in words."""
    marks = read_marks(site, tables, subject_id)
    has_begun = any(mark != "review" for mark in marks.values())
    return marks if has_begun else {}


def list_review_chips(site: Site, tables: SnapshotTables, subject_id: str) -> list[Any]:
    """Say how much of a child is to review and how much changed after it was signed."""
    marks = list(read_marks(site, tables, subject_id).values())
    return [
        build_chip(
            site.text(f"patients.{mark}", count=marks.count(mark)), kind=kind, rank=2, name=f"patient-{mark}"
        )
        for mark, kind in (("stale", "warn"), ("review", ""))
        if mark in marks
    ]


def draw_course(
    site: Site, subject_id: str, viewport: Viewport | None, *, until: str, scheme: Scheme, has_drawer: bool
) -> dict[str, Any]:
    """Draw a child's course for the size of the window, narrower beside an open drawer."""
    tables = site.cache.current()
    course = read_course(site, tables, subject_id) if tables is not None else None
    if tables is None or course is None or viewport is None:
        return empty_figure()
    height = viewport.drawn[1]
    figure = patient_figure(
        course,
        width=viewport.beside(DRAWER_PX if has_drawer else 0, until=PHONE_PX) - 2 * SIDE_PX,
        height=max(height - ABOVE_PX, SMALLEST_FIGURE_PX),
        scheme=scheme,
        catalog=site.figure_catalog,
        until=cast("Until", until if until in UNTIL else "today"),
        stamp=write_stamp(
            site,
            tables,
            subject_id,
            site.text("stamp.all_visits"),
            site.text("stamp.blq"),
            site.text("stamp.clock"),
        ),
        with_readout=not has_drawer,
        marks=read_rings(site, tables, subject_id),
    )
    figure["layout"]["uirevision"] = f"{subject_id} {until}"
    return enlarge_figure(name_data(figure, "measurements", subject_id=subject_id), viewport.scale)


def read_values(site: Site, subject_id: str) -> dict[str, Any]:
    """Return what every visit brought, row by row, for the column beside the cursor."""
    tables = site.cache.current()
    course = read_course(site, tables, subject_id) if tables is not None else None
    return {} if course is None else build_readings(course, site.figure_catalog)


def keep_zoom(figure: dict[str, Any], shown: Mapping[str, Any] | None) -> dict[str, Any]:
    """Carry the zoom of the shown figure over to its successor of the same child and span.

    ``dcc.Graph`` of Dash 4.4 writes zoom back into its figure and resets it with the next one, whatever
    ``uirevision`` says.
    """
    before = _read_part(shown, "layout")
    axis = _read_part(before, "xaxis")
    is_same = before.get("uirevision") == figure["layout"].get("uirevision")
    kept = axis.get("range")
    is_zoomed = isinstance(kept, list) and bool(kept) and axis.get("autorange") is not True
    if is_same and is_zoomed and "xaxis" in figure["layout"]:
        figure["layout"]["xaxis"]["range"] = list(kept or ())
    return figure


def _read_part(figure: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    part = (figure or {}).get(name)
    return part if isinstance(part, dict) else {}


def show_choice(site: Site, choice: Choice | None, scheme: Scheme) -> tuple[Any, bool]:
    """Fill the drawer for a value; empty and hidden without one."""
    tables = site.cache.current()
    course = read_course(site, tables, choice.subject_id) if tables is not None and choice else None
    if tables is None or choice is None or course is None:
        return [], True
    detail = build_point_detail(course, tables, choice)
    return ([], True) if detail is None else (build_drawer(site, detail, scheme), False)


def register(app: Any, site: Site) -> None:
    """Draw the course, and open the drawer for the value that was chosen."""

    def draw(
        viewport: Any, until: str, scheme: str, drawer_hidden: Any, subject_id: str, shown: Any
    ) -> dict[str, Any]:
        figure = draw_course(
            site, subject_id, read_viewport(viewport), until=until, scheme=read_scheme_word(scheme),
            has_drawer=drawer_hidden is False,
        )  # fmt: skip
        return keep_zoom(figure, shown)

    def choose(sent: Any, scheme: Any, subject_id: str) -> tuple[Any, bool]:
        choice = parse_choice(sent)
        chosen = choice if choice and choice.subject_id == subject_id else None
        return show_choice(site, chosen, read_scheme_word(scheme))

    app.callback(
        Output("patient-graph", "figure"),
        Input("viewport", "data"),
        Input("patient-until", "value"),
        Input("scheme", "data"),
        Input("patient-drawer", "hidden"),
        Input("patient-subject", "data"),
        State("patient-graph", "figure"),
    )(allow(*EVERY_ROLE)(draw))
    app.callback(Output("patient-readings", "data"), Input("patient-subject", "data"))(
        allow(*EVERY_ROLE)(lambda subject_id: read_values(site, subject_id))
    )
    app.clientside_callback(
        ClientsideFunction("corelab", "watchCourse"),
        Output("patient-cursor", "title"),
        Input("patient-readings", "data"),
        Input("patient-choice", "data"),
        Input("patient-graph", "figure"),
    )
    app.callback(
        Output("patient-drawer", "children"),
        Output("patient-drawer", "hidden"),
        Input("patient-choice", "data"),
        Input("scheme", "data"),
        State("patient-subject", "data"),
        prevent_initial_call=True,
    )(allow(*EVERY_ROLE)(choose))
