"""Adverse events and laboratory grades of every infused child as a matrix of worst grades."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.course import to_float
from corelab.figures.episode_row import name_term
from corelab.figures.grade_matrix import NAME_PX, NOT_GRADED, GradeCell, GradeMatrix, GradeRow
from corelab.figures.numbers import format_count, format_exact, format_fraction, format_number
from corelab.figures.text_width import measure_text
from corelab.figures.tokens import FONT_LABEL

SEVERE: Final = 3
ASTCT: Final = "ASTCT"


def list_infused(subjects: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Return the infused children with their dose group, low dose first."""
    rows = subjects[subjects["infusion_at"].fillna("") != ""].to_dict(orient="records")
    children = [(str(row["subject_id"]), str(row["arm"])) for row in rows]
    return tuple(sorted(children, key=lambda child: (child[1] != "low", child[0])))


def build_event_matrix(tables: Mapping[str, pd.DataFrame], catalog: Catalog) -> GradeMatrix:
    """Return the worst grade of every treatment-emergent term: ASTCT first, then by how many had it.

    Reads ``subjects`` and ``adverse_events``. A child without a term has a cell of grade 0: it was followed
    for adverse events and none of this term was reported.
    """
    children = list_infused(tables["subjects"])
    names = {child for child, _ in children}
    events = tables["adverse_events"]
    rows = [
        row
        for row in events[events["treatment_emergent"] == "yes"].to_dict(orient="records")
        if row["subject_id"] in names
    ]
    by_term: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_term.setdefault(str(row["term"]), []).append(row)
    terms = sorted(by_term, key=lambda term: (not _is_astct(by_term[term]), -len(by_term[term]), term))
    cells: dict[tuple[str, str], GradeCell] = {}
    for term in terms:
        for child, _ in children:
            said = catalog.text("safety.none", subject=child, term=catalog.say(term))
            cells[term, child] = GradeCell(grade=0, words=("event", child, term, said))
        for row in by_term[term]:
            child = str(row["subject_id"])
            cells[term, child] = GradeCell(
                grade=read_grade(row["worst_grade"]),
                words=("event", child, term, describe_event(row, catalog)),
            )
    return GradeMatrix(
        rows=tuple(_build_term(term, by_term[term], len(children), catalog) for term in terms),
        children=children, cells=cells,
    )  # fmt: skip


def _is_astct(rows: Sequence[Mapping[str, Any]]) -> bool:
    return any(ASTCT in str(row["scale"]) for row in rows)


def read_grade(value: object) -> int:
    """Return a grade, -1 where there is none."""
    number = to_float(value)
    return int(number) if math.isfinite(number) else NOT_GRADED


def _build_term(term: str, rows: Sequence[Mapping[str, Any]], total: int, catalog: Catalog) -> GradeRow:
    severe, said = sum(read_grade(row["worst_grade"]) >= SEVERE for row in rows), catalog.say(term)
    section = "safety.section.astct" if _is_astct(rows) else "safety.section.ctcae"
    is_aesi = any(row["aesi"] == "yes" for row in rows)
    return GradeRow(
        key=term, label=said if measure_text(said, FONT_LABEL) <= NAME_PX else name_term(term, catalog),
        section=catalog.text(section), remark=catalog.text("safety.aesi") if is_aesi else "",
        count=f"{format_fraction(len(rows), total)} · {format_count(severe)}",
    )  # fmt: skip


def describe_event(row: Mapping[str, Any], catalog: Catalog) -> str:
    """Say one term of a child: worst grade, when it began and how long it lasted."""
    key = "safety.ongoing" if row["ongoing"] == "yes" else "safety.said"
    places = {
        "subject": row["subject_id"], "term": catalog.say(str(row["term"])),
        "grade": read_grade(row["worst_grade"]), "scale": row["scale"],
        "day": format_exact(to_float(row["onset_day"])),
    }  # fmt: skip
    if key == "safety.said":
        places["days"] = format_exact(to_float(row["duration_days"]))
    return catalog.text(key, **places)


def build_lab_matrix(tables: Mapping[str, pd.DataFrame], phase: str, catalog: Catalog) -> GradeMatrix:
    """Return the worst laboratory grade of a phase, for every term that any child reached grade 1 in.

    Reads ``subjects`` and ``lab_shift``.
    """
    children = list_infused(tables["subjects"])
    shifts = tables["lab_shift"]
    rows = shifts[shifts["phase"] == phase].to_dict(orient="records")
    by_term: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_term.setdefault(f"{row['test']}:{row['direction']}", []).append(row)
    found = {
        key: members
        for key, members in by_term.items()
        if any(read_grade(row["worst_grade"]) > 0 for row in members)
    }
    terms = sorted(found, key=lambda key: (-max(read_grade(r["worst_grade"]) for r in found[key]), key))
    cells = {
        (key, str(row["subject_id"])): GradeCell(
            grade=read_grade(row["worst_grade"]),
            words=("lab", str(row["subject_id"]), key, phase, describe_shift(row, catalog)),
        )
        for key in terms
        for row in found[key]
    }
    return GradeMatrix(
        rows=tuple(_build_lab_row(key, found[key], catalog) for key in terms), children=children, cells=cells
    )


def _build_lab_row(key: str, rows: Sequence[Mapping[str, Any]], catalog: Catalog) -> GradeRow:
    graded = [read_grade(row["worst_grade"]) for row in rows]
    judged = [grade for grade in graded if grade >= 0]
    had, severe = sum(grade > 0 for grade in judged), sum(grade >= SEVERE for grade in judged)
    return GradeRow(
        key=key, label=catalog.say(str(rows[0]["term"])),
        count=f"{format_fraction(had, len(judged))} · {format_count(severe)}",
    )  # fmt: skip


def describe_shift(row: Mapping[str, Any], catalog: Catalog) -> str:
    """Say the worst laboratory grade of a child in a phase beside that at baseline."""
    worst, before = read_grade(row["worst_grade"]), read_grade(row["baseline_grade"])
    return catalog.text(
        "safety.shift", subject=row["subject_id"], term=catalog.say(str(row["term"])), unit=row["unit"],
        value=format_number(to_float(row["value"])), grade="–" if worst < 0 else f"G{worst}",
        before="–" if before < 0 else f"G{before}",
    )  # fmt: skip
