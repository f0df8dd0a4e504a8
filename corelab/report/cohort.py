"""The report of the trial: every curve, kinetics by dose group, safety, response, and each child in a row."""

from typing import Final

from corelab.figures.clock import compute_right_day, compute_span
from corelab.figures.course import PatientCourse, to_float
from corelab.figures.incidence import name_endpoint, write_share
from corelab.figures.kinetics_by_dose import summarise_kinetics_by_dose
from corelab.figures.numbers import format_count
from corelab.figures.tokens import LIGHT, MARKS
from corelab.report.child import (
    DASH,
    Source,
    build_signatures,
    stamp_page,
    write_parameter,
)
from corelab.report.course_chart import FOOT, LEFT, PANEL, TITLE, WIDTH, build_panel, draw_ground, draw_visits
from corelab.report.drawing import Drawing, Shape, area, circle, line
from corelab.report.page import NO_DRAWING, Page, Section
from corelab.report.words import Words

ANALYTE: Final = "CAR_VCN_UG"
SHOWN: Final = (
    ("AE_ANY", "observed"), ("AE_G3_RELATED", "observed"), ("SAE_RELATED", "observed"), ("AESI", "observed"),
    ("CRS", "observed"), ("ICANS", "observed"), ("CRR", "nri"), ("ORR", "nri"), ("SRI4", "nri"),
)  # fmt: skip
GROUPS: Final = ("low", "high", "all")


def build_cohort_report(source: Source, words: Words) -> Page:
    """Build the report of all children of the snapshot."""
    children = [str(name) for name in source.tables["subjects"]["subject_id"]]
    courses = [source.course(child) for child in children]
    infused = [course for course in courses if course.is_infused]
    counts = words.text("said.counts", children=len(courses), infused=len(infused))
    valid = sum(one.is_valid for one in source.signed)
    facts = {
        "study": f"{source.study.id} · {words.say(source.study.title)}",
        "children": counts,
        "reviewed": words.text("said.reviewed", signed=valid, visits=len(source.signed)),
    }
    sections = [build_children(source, courses, words), build_signatures(source.signed, words)]
    if infused:
        sections = [build_dose_groups(source, words), build_summary(source, words), *sections]
    return Page(
        title=words.text("title.cohort"),
        language=words.language,
        facts=[(words.text(f"fact.{name}"), fact) for name, fact in facts.items()],
        chart=draw_cohort(infused, words) if infused else NO_DRAWING,
        alt=words.text("chart.cohort"),
        key=_write_key(words),
        sections=tuple(sections),
        **stamp_page(source, source.signed, words),
    )


def _write_key(words: Words) -> str:
    arms = " · ".join(f"{glyph} {words.text(f'arm.{arm}')}" for arm, glyph in (("low", "●"), ("high", "■")))
    return f"{arms} · {words.text('chart.key_cohort')}"


def draw_cohort(courses: list[PatientCourse], words: Words) -> Drawing:
    """Draw the copies of every infused child on one axis, coloured by dose group."""
    longest = max(courses, key=lambda course: course.today)
    right = compute_right_day(longest.ticks, today=longest.today, until="today")
    points = [point for course in courses for point in course.series.get("car_vcn", ()) if point.day <= right]
    span = compute_span([point.day for point in points], right_day=right, width_px=WIDTH - LEFT)
    panel = build_panel(points, (50.0, 1e5), span, top=TITLE, height=2 * PANEL)
    shapes: list[Shape] = draw_ground(panel, words, title=words.text("chart.car_vcn"))
    for course in courses:
        colour = LIGHT.high if course.arm == "high" else LIGHT.low
        drawn = [p for p in course.series.get("car_vcn", ()) if p.day <= right and p.status != "missing"]
        known = [panel.place(point) for point in drawn if MARKS[point.status].lane == 0]
        if len(known) > 1:
            shapes.append(line(known, colour, width=0.5))
        shapes += [_dot(*panel.place(p), colour, course.arm, is_full=p.status == "quantified") for p in drawn]
    height = TITLE + 2 * PANEL
    shapes += draw_visits(longest, span, height)
    return Drawing(width=WIDTH, height=height + FOOT, shapes=tuple(shapes))


def _dot(x: float, y: float, colour: str, arm: str, *, is_full: bool) -> Shape:
    fill = colour if is_full else "#FFFFFF"
    if arm == "high":
        return area(
            [(x - 1.5, y - 1.5), (x + 1.5, y - 1.5), (x + 1.5, y + 1.5), (x - 1.5, y + 1.5)],
            fill=fill, colour=colour,
        )  # fmt: skip
    return circle(x, y, 1.6, fill=fill, colour=colour)


def build_dose_groups(source: Source, words: Words) -> Section:
    """Build the table of kinetics by dose group, as the page of the cohort has it."""
    table = summarise_kinetics_by_dose(source.tables, ANALYTE, catalog=words.figures)
    head = [
        words.text("dose.parameter"),
        words.text("dose.statistic"),
        words.text("arm.low"),
        words.text("arm.high"),
    ]
    rows = [
        [str(row[name]) for name in ("label", "statistic", "low", "high")] for row in table.to_dict("records")
    ]
    title = f"{words.text('dose.title')} · {words.text(f'kinetics.{ANALYTE}')}"
    return Section(title=title, head=head, rows=rows)


def build_summary(source: Source, words: Words) -> Section:
    """Build the table of shares by dose group, with exact intervals."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    shown = dict(SHOWN)
    for row in source.tables["summary"].to_dict(orient="records"):
        if shown.get(str(row["endpoint"])) == row["method"]:
            key = (str(row["endpoint"]), str(row["visit"]))
            has_any = to_float(row["n_total"]) > 0
            told = write_share(row) if has_any else words.figures.text("incidence.nobody")
            rows.setdefault(key, {})[str(row["arm"])] = told
    order = {endpoint: place for place, (endpoint, _) in enumerate(SHOWN)}
    visits = {code: place for place, code in enumerate(source.study.visits_by_code)}
    keys = sorted(rows, key=lambda key: (order[key[0]], visits.get(key[1], -1)))
    return Section(
        title=words.text("summary.title"),
        head=[words.text("summary.endpoint"), *(words.figures.text(f"group.{arm}") for arm in GROUPS)],
        rows=[
            [
                f"{name_endpoint(endpoint, words.figures)} {visit}".strip(),
                *(rows[endpoint, visit].get(arm, DASH) for arm in GROUPS),
            ]
            for endpoint, visit in keys
        ],
        note=words.text("summary.note"),
    )


def build_children(source: Source, courses: list[PatientCourse], words: Words) -> Section:
    """Build the table of children, a row each."""
    names = ("child", "arm", "infused", "peak", "persistence", "response", "worst")
    return Section(
        title=words.text("children.title"),
        head=[words.text(f"children.{name}") for name in names],
        rows=[_write_child(source, course, words) for course in courses],
    )


def _write_child(source: Source, course: PatientCourse, words: Words) -> list[str]:
    grades = [
        to_float(row["worst_grade"])
        for row in source.rows("adverse_events", course.subject_id)
        if row["treatment_emergent"] == "yes"
    ]
    return [
        course.subject_id,
        words.text(f"arm.{course.arm or 'none'}"),
        course.infusion_at[:10] or words.text("said.not_infused"),
        write_parameter(course.kinetics.get((ANALYTE, "CMAX")), words) if course.is_infused else DASH,
        write_parameter(course.kinetics.get((ANALYTE, "PERSIST")), words) if course.is_infused else DASH,
        _tell_last_response(source, course.subject_id, words),
        format_count(max(grades)) if grades and course.is_infused else DASH,
    ]


def _tell_last_response(source: Source, subject_id: str, words: Words) -> str:
    """Say the last overall renal response by the primary definition, and at which visit."""
    primary = str(source.study.settings["responses"]["primary"])
    rows = [
        row
        for row in source.rows("responses", subject_id)
        if row["endpoint"] == "ORR" and row["definition"] == primary
    ]
    if not rows:
        return DASH
    last = max(rows, key=lambda row: int(row["study_day"]))
    return f"{last['visit']}: {words.figures.text('response.state.' + str(last['state']))}"
