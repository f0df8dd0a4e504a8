"""The report of one child: who, the curves, and what the tables say, on one to three pages."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.build_course import build_course
from corelab.figures.course import Parameter, PatientCourse, Point, to_float
from corelab.figures.numbers import format_count, format_number
from corelab.figures.readout_words import describe_point
from corelab.figures.tokens import MARKS
from corelab.report.course_chart import draw_course
from corelab.report.page import NO_DRAWING, Page, Section, Signed
from corelab.report.words import Words
from corelab.study import Study

Tables = Mapping[str, pd.DataFrame]

CAR_ANALYTES: Final = ("CAR_VCN_UG", "CAR_ABS", "CAR_PCT_CD3")
CAR_PARAMETERS: Final = ("CMAX", "TMAX", "AUC0_28D", "PERSIST", "LAMZHL")
CYTOKINE_PARAMETERS: Final = ("BASE", "PEAK", "TPEAK", "FOLDPEAK")
OUTCOMES: Final = ("sledai", "upcr", "egfr")
ENDPOINTS: Final = ("CRR", "PRR", "ORR", "SRI4")
GAP_ROWS: Final[Mapping[str, str]] = {"car_abs": "flow", "car_vcn": "qpcr", "b_cells": "b_cells"}
DASH: Final = "–"
NO_RESULT: Final = 2
"""The lane of what has no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What reports are made of: the tables of one snapshot, and what is said of it."""

    tables: Tables
    study: Study
    snapshot_id: str
    created_at: dt.datetime
    cutoff: dt.datetime
    version: str
    signed: Sequence[Signed] = ()

    def rows(self, table: str, subject_id: str) -> list[dict[str, Any]]:
        """Return a child's rows of a table, in its order."""
        found = self.tables[table]
        rows: list[dict[str, Any]] = found[found["subject_id"] == subject_id].to_dict(orient="records")
        return rows

    def course(self, subject_id: str) -> PatientCourse:
        """Return the course that the patient page draws."""
        return build_course(
            self.tables, subject_id, study=self.study, as_of=self.cutoff,
            medications=self.tables.get("medications"),
        )  # fmt: skip


def build_child_report(source: Source, subject_id: str, words: Words) -> Page:
    """Build the report of a child of the snapshot."""
    course = source.course(subject_id)
    signed = [one for one in source.signed if one.subject_id == subject_id]
    sections = [
        *(_list_course_sections(source, course, words) if course.is_infused else []),
        build_gaps(course, words),
        build_signatures(signed, words),
    ]
    return Page(
        title=words.text("title.child", subject=subject_id),
        language=words.language,
        facts=_list_facts(source, course, signed, words),
        chart=draw_course(course, words) if course.is_infused else NO_DRAWING,
        alt=words.text("chart.child"),
        key=words.text("chart.key"),
        sections=tuple(sections),
        **stamp_page(source, signed, words),
    )


def stamp_page(source: Source, signed: Sequence[Signed], words: Words) -> dict[str, str]:
    """Say of which snapshot a report is, and mark one that not every visit of which is signed."""
    is_signed = bool(signed) and all(one.is_valid for one in signed)
    stamp = words.text(
        "stamp", version=source.version, snapshot=source.snapshot_id, cutoff=source.cutoff.date().isoformat(),
        created=source.study.localise(source.created_at).strftime("%Y-%m-%d %H:%M"),
    )  # fmt: skip
    return {
        "stamp": stamp,
        "numbering": words.text("page", page="<page>", pages="<pages>"),
        "watermark": "" if is_signed else words.text("watermark"),
    }


def _list_course_sections(source: Source, course: PatientCourse, words: Words) -> list[Section]:
    return [
        build_kinetics(course, words),
        Section(title=words.text("b_cells.title"), note=tell_b_cells(course, words)),
        build_response(source, course.subject_id, words),
        build_activity(course, words),
        build_phenotype(course, words),
        build_cytokines(course, words),
        build_safety(source, course.subject_id, words),
    ]


def _list_facts(
    source: Source, course: PatientCourse, signed: Sequence[Signed], words: Words
) -> list[tuple[str, str]]:
    subject = source.rows("subjects", course.subject_id)[0]
    valid = sum(one.is_valid for one in signed)
    told = {
        "study": f"{source.study.id} · {words.say(source.study.title)}",
        "child": tell_child(subject, words),
        "arm": words.text(f"arm.{course.arm or 'none'}"),
        "dose": tell_dose(subject, words),
        "infused": course.infusion_at[:10] or words.text("said.not_infused"),
        "followed": words.text("said.followed", day=format_count(course.today))
        if course.is_infused
        else DASH,
        "reviewed": words.text("said.reviewed", signed=valid, visits=len(signed)),
    }
    return [(words.text(f"fact.{name}"), fact) for name, fact in told.items()]


def tell_child(subject: Mapping[str, Any], words: Words) -> str:
    """Say sex and age, as far as they were delivered; nothing else of who it is."""
    age, sex = to_float(subject["age_years"]), str(subject["sex"] or "")
    years = format_count(age) if math.isfinite(age) else DASH
    if sex not in ("F", "M"):
        return words.text("said.sexless", age=years)
    return words.text("said.child", sex=words.text(f"sex.{sex}"), age=years)


def tell_dose(subject: Mapping[str, Any], words: Words) -> str:
    """Say the dose that was given, beside the planned one."""
    dose, percent = to_float(subject["actual_dose_per_kg"]), to_float(subject["pct_of_planned"])
    if not math.isfinite(dose):
        return DASH
    share = format_number(percent) if math.isfinite(percent) else DASH
    return words.text("said.dose", dose=format_number(dose), percent=share)


def write_parameter(found: Parameter | None, words: Words) -> str:
    """Write a parameter: its value, the bound of a censored one, or why there is none."""
    if found is None:
        return DASH
    if math.isfinite(found.value):
        is_open = math.isfinite(found.low) and math.isnan(found.high) and found.low == found.value
        return f"≥ {format_number(found.value)}" if is_open else format_number(found.value)
    if found.status in ("detected_blq", "not_detected") and math.isfinite(found.high):
        return f"< {format_number(found.high)}"
    if math.isfinite(found.low) and found.low > 0:
        return f"≥ {format_number(found.low)}"
    return words.figures.text(f"status.{found.status}")


def build_kinetics(course: PatientCourse, words: Words) -> Section:
    """Build the table of CAR-T kinetics, a row an analyte."""
    rows = [
        [
            words.text(f"kinetics.{analyte}"),
            *(write_parameter(course.kinetics.get((analyte, name)), words) for name in CAR_PARAMETERS),
        ]
        for analyte in CAR_ANALYTES
        if (analyte, "CMAX") in course.kinetics
    ]
    head = [words.text(f"kinetics.{name}") for name in ("analyte", *CAR_PARAMETERS)]
    return Section(title=words.text("kinetics.title"), head=head, rows=rows, note=words.text("kinetics.note"))


def tell_b_cells(course: PatientCourse, words: Words) -> str:
    """Say when B cells were gone, and between which days they came back."""
    found = course.aplasia
    if found is None:
        is_known = any(MARKS[point.status].lane < NO_RESULT for point in course.series.get("b_cells", ()))
        return words.text("b_cells.none" if is_known else "b_cells.no_result")
    gone = words.text("b_cells.aplasia", start=format_number(found.start))
    low, high = (course.recovery.get(f"recovery_10_{end}", math.nan) for end in ("low", "high"))
    if math.isfinite(high):
        back = words.text("b_cells.back", low=format_number(low), high=format_number(high))
    else:
        last = low if math.isfinite(low) else course.today
        back = words.text("b_cells.open", low=format_number(last))
    return f"{gone} {back}"


def build_response(source: Source, subject_id: str, words: Words) -> Section:
    """Build the table of responses by the study's primary definition, a row a visit."""
    primary = str(source.study.settings["responses"]["primary"])
    states: dict[str, dict[str, str]] = {}
    for row in source.rows("responses", subject_id):
        if row["endpoint"] in ENDPOINTS and (row["endpoint"] == "SRI4" or row["definition"] == primary):
            states.setdefault(str(row["visit"]), {})[str(row["endpoint"])] = str(row["state"])
    rows = [
        [visit, *(_tell_state(found.get(endpoint, ""), words) for endpoint in ENDPOINTS)]
        for visit, found in sorted(states.items(), key=lambda item: _order(source.study, item[0]))
    ]
    return Section(
        title=words.text("response.title"),
        head=[words.text(f"response.{name}") for name in ("visit", *ENDPOINTS)],
        rows=rows,
        note=words.text("response.note", definition=primary)
        if rows
        else words.figures.text("response.state.not_due"),
    )


def _tell_state(state: str, words: Words) -> str:
    return words.figures.text(f"response.state.{state}") if state else DASH


def _order(study: Study, visit: str) -> tuple[int, str]:
    codes = list(study.visits_by_code)
    return (codes.index(visit) if visit in codes else len(codes), visit)


def build_activity(course: PatientCourse, words: Words) -> Section:
    """Build the table of activity, a row a visit at which SLEDAI-2K or proteinuria was due or measured."""
    by_visit: dict[str, dict[str, str]] = {}
    for row in OUTCOMES:
        for point in course.series.get(row, ()):
            by_visit.setdefault(point.visit_label, {})[row] = write_point(point, words)
    days = {p.visit_label: p.day for row in OUTCOMES for p in course.series.get(row, ())}
    rows = [
        [visit, *(by_visit[visit].get(row, DASH) for row in OUTCOMES)]
        for visit in sorted(by_visit, key=lambda visit: days[visit])
        if by_visit[visit].keys() & {"sledai", "upcr"}
    ]
    text = words.figures.text
    heads = [f"{text(f'patient.row.{row}')}, {text(f'patient.row.{row}_unit')}" for row in OUTCOMES]
    return Section(
        title=words.text("activity.title"), head=[words.text("activity.visit"), *heads], rows=rows,
        note="" if rows else words.text("none"),
    )  # fmt: skip


def write_point(point: Point, words: Words) -> str:
    """Write what one draw gave: its value, or its status."""
    return "".join(span.text for span in describe_point(point, words.figures)[0])


def build_phenotype(course: PatientCourse, words: Words) -> Section:
    """Build the table of memory subsets, a row a draw with enough CAR-T cells."""
    bars = [bar for bar in course.phenotype if any(math.isfinite(value) for value in bar.percents.values())]
    subsets = list(bars[0].percents) if bars else []
    rows = [
        [
            bar.visit_label,
            format_count(bar.parent_count),
            *(
                format_number(bar.percents[name]) if math.isfinite(bar.percents.get(name, math.nan)) else DASH
                for name in subsets
            ),
        ]
        for bar in bars
    ]
    names = [words.figures.text(f"subset.{name}") for name in subsets]
    head = [words.text("phenotype.visit"), words.text("phenotype.cells"), *names]
    return Section(
        title=words.text("phenotype.title"), head=head, rows=rows, note=words.text("phenotype.note")
    )


def build_cytokines(course: PatientCourse, words: Words) -> Section:
    """Build the table of peaks of soluble analytes, a row an analyte."""
    rows = [
        [
            f"{track.name}, {track.unit}",
            *(
                write_parameter(course.kinetics.get((track.name, name)), words)
                for name in CYTOKINE_PARAMETERS
            ),
        ]
        for track in sorted(course.tracks, key=lambda track: track.name)
    ]
    head = [words.text(f"cytokines.{name}") for name in ("analyte", *CYTOKINE_PARAMETERS)]
    return Section(
        title=words.text("cytokines.title"), head=head, rows=rows, note="" if rows else words.text("none")
    )


def build_safety(source: Source, subject_id: str, words: Words) -> Section:
    """Build the table of adverse events that began or worsened after infusion, the gravest first."""
    found = [row for row in source.rows("adverse_events", subject_id) if row["treatment_emergent"] == "yes"]
    found.sort(key=lambda row: (-_number(row["worst_grade"]), _number(row["onset_day"]), str(row["term"])))
    rows = [
        [
            words.say(str(row["term"])),
            f"{format_count(to_float(row['worst_grade']))} ({row['scale']})",
            _write_day(row["onset_day"]),
            words.text("safety.ongoing") if row["ongoing"] == "yes" else _write_day(row["duration_days"]),
            words.say(str(row["related"])) or DASH,
            words.say(str(row["serious"])) or DASH,
        ]
        for row in found
    ]
    head = [
        words.text(f"safety.{name}") for name in ("term", "grade", "onset", "lasted", "related", "serious")
    ]
    return Section(
        title=words.text("safety.title"), head=head, rows=rows, note="" if rows else words.text("safety.none")
    )


def _number(value: object) -> float:
    number = to_float(value)
    return number if math.isfinite(number) else 0.0


def _write_day(value: object) -> str:
    number = to_float(value)
    return format_count(number) if math.isfinite(number) else DASH


def build_gaps(course: PatientCourse, words: Words) -> Section:
    """Build the table of what did not come, or failed, a row a visit."""
    gaps: dict[str, dict[str, list[str]]] = {}
    for row in GAP_ROWS:
        for point in course.series.get(row, ()):
            if point.status in ("missing", "failed"):
                named = words.figures.text(f"patient.row.{row}") + _tell_assay(row)
                gaps.setdefault(point.visit_label, {}).setdefault(point.status, []).append(named)
    days = {p.visit_label: p.day for row in GAP_ROWS for p in course.series.get(row, ())}
    rows = [
        [visit, *("; ".join(gaps[visit].get(state, [])) or DASH for state in ("missing", "failed"))]
        for visit in sorted(gaps, key=lambda visit: days[visit])
    ]
    head = [words.text(f"gaps.{name}") for name in ("visit", "missing", "failed")]
    return Section(
        title=words.text("gaps.title"), head=head, rows=rows, note="" if rows else words.text("gaps.none")
    )


def _tell_assay(row: str) -> str:
    return {"car_vcn": " (qPCR)", "car_abs": " (cart)", "b_cells": " (bcell)"}[row]


def build_signatures(signed: Sequence[Signed], words: Words) -> Section:
    """Build the table of signatures, a row a visit that anybody signed."""
    rows = [
        [
            f"{one.subject_id} {one.visit}",
            words.text(f"signed.{'stale' if one.is_stale else one.state}"),
            one.author,
            one.at[:16].replace("T", " "),
        ]
        for one in signed
        if one.state in ("reviewed", "locked")
    ]
    unsigned = sum(not one.is_valid for one in signed)
    note = words.text("signed.note", unsigned=unsigned)
    return Section(
        title=words.text("signed.title"),
        head=[words.text(f"signed.{name}") for name in ("visit", "state", "by", "at")],
        rows=rows,
        note=note if rows else f"{words.text('signed.none')} {note}",
    )
