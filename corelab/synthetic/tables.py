"""The delivered tables and the truth tables of a planned trial."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from corelab.synthetic.assessments import score_rows, screening_rows
from corelab.synthetic.children import DATA_CUTOFF, Child
from corelab.synthetic.course import b_per_ul, blood_on, copies_per_ug
from corelab.synthetic.disease import Disease, draw_disease
from corelab.synthetic.laboratory import RENAL, Row, growth_rows, lab_rows, qpcr_row, state_of
from corelab.synthetic.plan import TrialPlan
from corelab.synthetic.plates import plate_files
from corelab.synthetic.render import blood_of
from corelab.synthetic.safety import adverse_event_rows, medication_rows
from corelab.synthetic.soluble import cytokine_rows

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "subjects.csv": (
        "subject_id", "sex", "age_years", "consent_date", "arm", "height_cm", "weight_kg",
        "lymphodepletion_at", "infusion_at", "infusion_end_at", "infused_volume_ml", "tnc_per_ml",
        "viability_pct", "cd3_pct", "car_pct"),
    "labs.csv": (
        "subject_id", "visit", "collected_at", "test", "value", "unit", "ref_low", "ref_high"),
    "cytokines.csv": (
        "subject_id", "visit", "collected_at", "analyte", "value", "unit", "lloq", "uloq", "lod",
        "matrix", "platform"),
    "qpcr.csv": (
        "subject_id", "visit", "collected_at", "copies_per_ug", "lloq", "lod", "gdna_ng"),
    "assessments.csv": (
        "subject_id", "visit", "collected_at", "instrument", "item", "value", "by", "comment"),
    "medications.csv": (
        "subject_id", "drug", "start", "end", "dose", "unit", "route", "reason"),
    "adverse_events.csv": (
        "subject_id", "term", "scale", "grade", "start", "end", "serious", "related", "category"),
    "manifest.csv": (
        "file", "subject_id", "visit", "collected_at", "panel", "tube", "beads_per_tube",
        "blood_volume_ul", "predilution", "batch", "instrument"),
    "plates/layout.csv": (
        "plate", "well", "sample_type", "name", "dilution", "subject_id", "visit", "collected_at", "kit_lot",
        "matrix"),
    "plates/standards.csv": ("plate", "level", "analyte", "nominal", "unit"),
    "truth/plates.csv": ("plate", "well", "subject_id", "visit", "analyte", "concentration"),
    "truth/files.csv": (
        "file", "subject_id", "visit", "panel", "tube", "population", "count"),
    "truth/subjects.csv": (
        "subject_id", "arm", "trait", "cd19", "cd19_positive_pct", "response", "crs_grade",
        "CAR_ABS_CMAX", "CAR_ABS_TMAX", "CAR_PCT_CD3_CMAX", "CAR_PCT_CD3_TMAX",
        "CAR_PCT_LYM_CMAX", "CAR_PCT_LYM_TMAX", "CAR_VCN_UG_CMAX", "CAR_VCN_UG_TMAX",
        "aplasia_day", "recovery_10_day", "recovery_50_day"),
    "truth/courses.csv": (
        "subject_id", "day", "car_per_ul", "cd3_per_ul", "b_per_ul", "nk_per_ul", "alc_per_ul",
        "anc_per_ul", "wbc_per_ul", "platelets_per_ul", "copies_per_ug"),
})  # fmt: skip
"""Columns of every table that a simulated delivery holds, in order."""

_FIRST_DAY: Final = -10
_STEP: Final = 0.25


def format_csv(name: str, rows: Iterable[Mapping[str, str]]) -> bytes:
    """Write rows under the columns of a table; a column that a row lacks stays empty."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS[name], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def delivered_tables(plan: TrialPlan) -> dict[str, bytes]:
    """Write every delivered table but the manifest, and the plates with their truth.

    Parameters
    ----------
    plan
        The planned trial.

    Returns
    -------
    dict
        File name to its bytes.
    """
    diseases = {child.subject_id: draw_disease(plan.seed, child) for child in plan.children}
    rows: dict[str, list[Row]] = {
        "subjects.csv": [_subject_row(child) for child in plan.children],
        "medications.csv": [row for c in plan.children for row in medication_rows(c, diseases[c.subject_id])],
        "adverse_events.csv": [
            row for c in plan.children for row in adverse_event_rows(plan.seed, c, diseases[c.subject_id])
        ],
    }
    for name, row in _draw_rows(plan, diseases):
        rows.setdefault(name, []).append(row)
    exports, of_plates = plate_files(plan.seed, plan.draws, diseases)
    rows |= {name: table for name, table in of_plates.items() if table}
    return {**exports, **{name: format_csv(name, table) for name, table in rows.items()}}


def _draw_rows(plan: TrialPlan, diseases: Mapping[str, Disease]) -> Iterator[tuple[str, Row]]:
    for draw in plan.draws:
        disease = diseases[draw.child.subject_id]
        blood = blood_of(plan.seed, draw)
        yield from (("labs.csv", row) for row in lab_rows(plan.seed, draw, blood=blood, disease=disease))
        if "qpcr" in draw.expects:
            yield "qpcr.csv", qpcr_row(plan.seed, draw, blood)
        if "cytokine" in draw.expects:
            yield from (("cytokines.csv", row) for row in cytokine_rows(plan.seed, draw, disease))
        if "scores" in draw.expects:
            state = state_of(draw, blood, disease)
            labs = {test.name: test.value(state) for test in RENAL}
            yield from (("assessments.csv", row) for row in score_rows(draw, disease, labs))
            if draw.visit != "SCR":
                yield from (("labs.csv", row) for row in growth_rows(draw))
        if draw.visit == "SCR":
            yield from (("assessments.csv", row) for row in screening_rows(draw, disease))


def _subject_row(child: Child) -> Row:
    who = {
        "subject_id": child.subject_id,
        "sex": child.sex,
        "age_years": str(child.age_years),
        "consent_date": child.consent_date.isoformat(),
        "arm": child.arm,
        "height_cm": f"{child.height_cm:.1f}",
        "weight_kg": f"{child.weight_kg:.1f}",
    }
    if not child.is_infused:
        return who
    return who | {
        "lymphodepletion_at": child.stamp(child.lymphodepletion_at),
        "infusion_at": child.stamp(child.infusion_at),
        "infusion_end_at": child.stamp(child.infusion_end_at),
        "infused_volume_ml": f"{child.product.volume_ml:.2f}",
        "tnc_per_ml": f"{child.product.tnc_per_ml:.0f}",
        "viability_pct": f"{child.product.viability_pct:.1f}",
        "cd3_pct": f"{child.product.cd3_pct:.1f}",
        "car_pct": f"{child.product.car_pct:.1f}",
    }


def truth_tables(plan: TrialPlan) -> dict[str, bytes]:
    """Write the true courses and the truth of every child."""
    courses = [row for child in plan.children if child.is_infused for row in _course_rows(child)]
    return {
        "truth/subjects.csv": format_csv(
            "truth/subjects.csv", (_truth_row(child) for child in plan.children)
        ),
        "truth/courses.csv": format_csv("truth/courses.csv", courses),
    }


def _last_day(child: Child) -> int:
    return (DATA_CUTOFF - child.infusion_at.date()).days


def _course_rows(child: Child) -> Iterator[Row]:
    for day in range(_FIRST_DAY, _last_day(child) + 1):
        blood = blood_on(child.course, float(day))
        values = {
            "car_per_ul": blood.car,
            "cd3_per_ul": blood.cd3,
            "b_per_ul": blood.b,
            "nk_per_ul": blood.nk,
            "alc_per_ul": blood.lymphocytes,
            "anc_per_ul": blood.granulocyte,
            "wbc_per_ul": blood.leukocytes,
            "platelets_per_ul": blood.platelets,
            "copies_per_ug": copies_per_ug(child.course, blood),
        }
        heading = {"subject_id": child.subject_id, "day": str(day)}
        yield heading | {name: f"{value:.6g}" for name, value in values.items()}


def _truth_row(child: Child) -> Row:
    row = {
        "subject_id": child.subject_id,
        "arm": child.arm,
        "trait": child.trait,
        "cd19": {"cd19_negative": "negative", "few_b_cells": "not_evaluable"}.get(child.trait, "positive"),
        "cd19_positive_pct": f"{100 * child.cd19_positive:.3f}",
        "response": child.response if child.is_infused else "",
        "crs_grade": str(child.crs_grade),
    }
    if not child.is_infused:
        return row
    days = [_STEP * step for step in range(1, int(_last_day(child) / _STEP) + 1)]
    return row | _peaks(child, days) | _b_cell_days(child, days)


def _peaks(child: Child, days: Sequence[float]) -> Row:
    bloods = [blood_on(child.course, day) for day in days]
    series = {
        "CAR_ABS": [blood.car for blood in bloods],
        "CAR_PCT_CD3": [100 * blood.car / blood.cd3 for blood in bloods],
        "CAR_PCT_LYM": [100 * blood.car / blood.lymphocytes for blood in bloods],
        "CAR_VCN_UG": [copies_per_ug(child.course, blood) for blood in bloods],
    }
    peaks: Row = {}
    for analyte, values in series.items():
        place = max(range(len(values)), key=values.__getitem__)
        peaks[f"{analyte}_CMAX"] = f"{values[place]:.6g}"
        peaks[f"{analyte}_TMAX"] = f"{days[place]:g}"
    return peaks


def _b_cell_days(child: Child, days: Sequence[float]) -> Row:
    """Find the true days of aplasia and return; a return after the cut-off stays empty."""
    if child.trait == "few_b_cells":
        aplasia = 0.0
    else:
        aplasia = next((d for d in days if b_per_ul(child.course, d) < 10.0), float("nan"))
    after = [day for day in days if day > 20.0]
    row = {"aplasia_day": f"{aplasia:g}"}
    for threshold in (10, 50):
        found = next((d for d in after if b_per_ul(child.course, d) >= threshold), None)
        row[f"recovery_{threshold}_day"] = "" if found is None else f"{found:g}"
    return row
