# ruff: noqa: E501 - a row of a table, or of cases, reads best on one line
"""Small tables of a made-up trial that obey the contract's schemas, for the tests of the figures."""

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from corelab.tables.schemas import SCHEMAS

INFUSION = "2026-05-06T10:00:00+08:00"
AS_OF = dt.datetime(2026, 11, 22, 9, 14, tzinfo=dt.timezone(dt.timedelta(hours=8)))
NAN = math.nan


def at(day: float, infusion: str = INFUSION) -> str:
    moment = dt.datetime.fromisoformat(infusion) + dt.timedelta(days=day)
    return moment.isoformat(timespec="seconds")


def keys(
    subject: str, arm: str, visit: str, day: float, infusion: str = INFUSION, label: str = ""
) -> dict[str, Any]:
    return {
        "subject_id": subject,
        "arm": arm,
        "visit": visit,
        "visit_label": label or visit,
        "study_day": round(day),
        "collected_at": at(day, infusion),
    }


def subject_row(subject: str, arm: str, infusion: str = INFUSION) -> dict[str, Any]:
    return {
        "subject_id": subject,
        "arm": arm,
        "sex": "F",
        "age_years": 11.0,
        "infusion_at": infusion,
        "planned_dose_per_kg": {"low": 5e5, "high": 1e6, "": NAN}[arm],
        "actual_dose_per_kg": 9.8e5,
        "pct_of_planned": 98.0,
    }


def level(analyte: str, when: Mapping[str, Any], status: str, value: float, **more: Any) -> dict[str, Any]:
    units = {"CAR_ABS": "cells/uL", "CAR_PCT_CD3": "%", "CAR_VCN_UG": "copies/ug"}
    return {**when, "analyte": analyte, "unit": units[analyte], "status": status, "value": value, **more}


# visit, day, CAR/uL, copies, % CD3, B cells/uL as (status, value, upper limit or count)
_COURSE = [
    ("SCR", -28.0, None, None, None, ("quantified", 168.0)),
    ("LD", -5.0, ("not_detected", NAN, 0.08), ("not_detected", NAN, 20.0), ("not_detected", NAN, 0.02), ("quantified", 92.0)),
    ("D0", -0.1, ("not_detected", NAN, 0.05), ("not_detected", NAN, 20.0), ("not_detected", NAN, 0.02), ("quantified", 41.0)),
    ("D1", 1.0, ("detected_blq", NAN, 0.045), ("quantified", 120.0, NAN), ("detected_blq", NAN, 0.05), ("quantified", 22.0)),
    ("D3", 3.1, ("quantified", 0.21, NAN), ("quantified", 900.0, NAN), ("quantified", 0.6, NAN), None),
    ("D7", 7.0, ("quantified", 98.0, NAN), ("quantified", 15600.0, NAN), ("quantified", 22.0, NAN), ("detected_blq", NAN)),
    ("D10", 10.0, ("quantified", 214.0, NAN), ("quantified", 48200.0, NAN), ("quantified", 37.4, NAN), ("not_detected", NAN)),
    ("D14", 14.2, ("quantified", 121.0, NAN), ("quantified", 31000.0, NAN), ("quantified", 21.0, NAN), ("not_detected", NAN)),
    ("D21", 21.0, ("failed", 44.0, NAN), ("quantified", 8400.0, NAN), ("failed", 9.0, NAN), ("failed", 0.1)),
    ("UNS", 24.3, ("quantified", 30.0, NAN), None, ("quantified", 8.0, NAN), None),
    ("D28", 28.0, ("quantified", 14.0, NAN), ("quantified", 2100.0, NAN), ("quantified", 2.4, NAN), ("not_detected", NAN)),
    ("M2", 60.0, ("quantified", 1.3, NAN), ("quantified", 310.0, NAN), ("quantified", 0.4, NAN), ("quantified", 2.0)),
    ("M3", 90.2, ("detected_blq", NAN, 0.41), ("detected_blq", NAN, 50.0), ("detected_blq", NAN, 0.0585), ("quantified", 8.0)),
    ("M6", 183.0, ("not_detected", NAN, 0.053), ("not_detected", NAN, 20.0), ("not_detected", NAN, 0.006), ("quantified", 140.0)),
]  # fmt: skip


def course_tables(
    subject: str = "CL-017", arm: str = "high", infusion: str = INFUSION, until: float = 1e9
) -> dict[str, list[dict[str, Any]]]:
    """One child with every status, a failed tube, missing visits and an unscheduled draw."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    rows["subjects"].append(subject_row(subject, arm, infusion))
    for visit, day, *values in _COURSE:
        if day <= until:
            when = keys(subject, arm, visit, day, infusion, "UNS.1" if visit == "UNS" else "")
            _add_levels(rows, when, values)
    _add_measurements(rows, subject, arm, infusion, until)
    _add_course_results(rows, subject, arm, until)
    return rows


def _add_levels(rows: dict[str, list[dict[str, Any]]], when: dict[str, Any], values: list[Any]) -> None:
    car, copies, percent, b_cells = values
    for analyte, found, lloq in (
        ("CAR_ABS", car, 0.45),
        ("CAR_VCN_UG", copies, 50.0),
        ("CAR_PCT_CD3", percent, 0.082),
    ):
        if found is None:
            continue
        status, value, upper = found
        spread = (
            {"ci_low": value * 0.93, "ci_high": value * 1.07}
            if value == value
            else {"ci_low": 0.0, "ci_high": upper}
        )
        own = lloq if analyte == "CAR_VCN_UG" else lloq * (1 + 0.03 * len(rows["persistence"]))
        counts = {} if analyte == "CAR_VCN_UG" else {"n_events": _count(status, value), "n_reference": 61000}
        reason = "TIME_DRIFT" if status == "failed" else ""
        rows["persistence"].append(
            level(analyte, when, status, value, lloq=own, reason=reason, **spread, **counts)
        )
    if percent is not None and percent[0] in ("quantified", "failed", "detected_blq"):
        _add_phenotype(rows, when, percent)
    if b_cells is not None:
        _add_b_cells(rows, when, *b_cells)


def _count(status: str, value: float) -> int:
    return {"not_detected": 0, "detected_blq": 24}.get(status, 0 if value != value else int(value * 300))


def _add_phenotype(
    rows: dict[str, list[dict[str, Any]]], when: dict[str, Any], percent: tuple[str, float, float]
) -> None:
    status, value, _ = percent
    parents = _count(status, value)
    day = when["study_day"]
    shares = {"naive": 4, "scm": 6, "cm": 40 - day / 4, "em": 44, "temra": 6 + day / 4}
    for subset, share in shares.items():
        rows["phenotype"].append({
            **when, "compartment": "car_t", "subset": subset, "count": int(parents * share / 100),
            "parent_count": parents, "percent": share, "ci_low": share - 2, "ci_high": share + 2,
            "status": "failed" if status == "failed" else "quantified",
        })  # fmt: skip


def _add_b_cells(
    rows: dict[str, list[dict[str, Any]]], when: dict[str, Any], status: str, value: float
) -> None:
    failed = status == "failed"
    known = value == value
    rows["populations"].append({
        **when, "file_id": f"{when['subject_id']}{when['visit_label']}b".encode().hex(), "panel": "bcell", "tube": "full",
        "population": "b_cells", "parent": "lymphocytes", "count": 5200 if known else 0, "parent_count": 52000,
        "percent_of_parent": 10.0 if known else 0.0, "cells_per_ul": value,
        "cells_per_ul_low": value * 0.95 if known else 0.0, "cells_per_ul_high": value * 1.05 if known else 0.25,
        "status": status, "qc": "fail" if failed else "pass",
    })  # fmt: skip
    rows["measurements"].append({
        **when, "assay": "flow", "name": "b_cells", "metric": "cells_per_ul", "value": value if known else NAN,
        "unit": "cells/uL", "status": status, "lloq": 0.6, "source_id": when["visit_label"],
    })  # fmt: skip


_FOLDS = {  # analyte: baseline, fold by visit
    "IL-6": (4.1, {"LD": 1, "D0": 1.1, "D1": 3, "D3": 9, "D7": 100, "D10": 23, "D14": 6, "D28": 1, "M2": 1}),
    "TNF-a": (9.6, {"LD": 1, "D0": 1, "D1": 1.5, "D3": 3, "D7": 5, "D10": 3, "D14": 2, "D28": 1}),
    "IFN-g": (3.0, {"LD": 1, "D0": 1, "D1": 3, "D3": 20, "D7": 327, "D10": 70, "D14": 8, "D28": 1}),
    "IL-10": (3.0, {"LD": 1, "D0": 1, "D1": 2, "D3": 5, "D7": 53, "D10": 15, "D14": 4, "D28": 1, "M2": 1}),
    "IL-15": (5.0, {"LD": 1, "D0": 12, "D1": 9, "D3": 6, "D7": 4, "D10": 2, "D14": 1.5, "D28": 1}),
    "MCP-1": (200.0, {"LD": 1, "D0": 1, "D1": 2, "D3": 8, "D7": 60, "D10": 20, "D14": 6, "D28": 1}),
}  # fmt: skip


def _add_measurements(
    rows: dict[str, list[dict[str, Any]]], subject: str, arm: str, infusion: str, until: float
) -> None:
    days = {visit: day for visit, day, *_ in _COURSE if day <= until}
    for analyte, (base, folds) in _FOLDS.items():
        for visit, fold in folds.items():
            if visit in days:
                when = keys(subject, arm, visit, days[visit], infusion)
                rows["measurements"] += _cytokine(when, analyte, base, fold)
    outcomes = (
        ("assessment", "SLEDAI-2K", "score", {"SCR": 16, "LD": 14, "D28": 6, "M2": 4, "M3": 2, "M6": 0}, ""),
        ("laboratory", "UPCR", "result", {"SCR": 3.1, "LD": 2.9, "D28": 1.6, "M3": 0.9, "M6": 0.31}, "g/g"),
        (
            "laboratory",
            "EGFR",
            "result",
            {"SCR": 78, "LD": 75, "D7": 69, "D28": 84, "M2": 86, "M3": 92, "M6": 95},
            "mL/min/1.73m2",
        ),
    )
    for assay, name, metric, values, unit in outcomes:
        for visit, value in values.items():
            if visit in days:
                rows["measurements"].append({
                    **keys(subject, arm, visit, days[visit], infusion), "assay": assay, "name": name, "metric": metric,
                    "value": float(value), "relation": "=", "unit": unit, "status": "quantified", "source_id": "labs.csv:1",
                })  # fmt: skip


def _cytokine(when: dict[str, Any], analyte: str, base: float, fold: float) -> list[dict[str, Any]]:
    status, value, relation = "quantified", base * fold, "="
    if analyte == "IFN-g" and fold == 1:
        status, value, relation = "detected_blq", NAN, "<"
    if analyte == "MCP-1" and fold == 60:
        status, value, relation = "above_uloq", NAN, ">"
    if analyte == "TNF-a" and when["visit"] == "D14":
        status, value, relation = "failed", 19.0, "="
    common = {**when, "assay": "cytokine", "name": analyte, "source_id": "cytokines.csv:1"}
    rows = [{
        **common, "metric": "concentration", "value": value, "relation": relation, "unit": "pg/mL", "status": status,
        "lloq": 2.4, "uloq": 10000.0, "high": 2.4 if relation == "<" else NAN, "low": 10000.0 if relation == ">" else NAN,
    }]  # fmt: skip
    if status in ("quantified", "above_uloq"):
        bound = {"low": 60.0} if status == "above_uloq" else {}
        rows.append({
            **common, "metric": "fold_change", "value": NAN if bound else fold, "relation": ">" if bound else "=",
            "unit": "ratio", "status": status, **bound,
        })  # fmt: skip
    return rows


def _add_course_results(rows: dict[str, list[dict[str, Any]]], subject: str, arm: str, until: float) -> None:
    ended = until > 180
    rows["b_cell_recovery"].append({
        "subject_id": subject, "arm": arm, "baseline_b_cells_per_ul": 92.0, "baseline_below": "no",
        "aplasia_day": 7.0 if until >= 7 else NAN, "onset_low": 1.0, "onset_high": 7.0,
        "recovery_10_low": 90.0 if ended else NAN, "recovery_10_high": 120.0 if ended else NAN,
        "recovery_10_censored": "no" if ended else "yes", "recovery_50_censored": "yes",
    })  # fmt: skip
    for analyte, values in {
        "CAR_ABS": {
            "CMAX": 214.0,
            "TMAX": 10.0,
            "LAMZHL": 4.6,
            "LAMZLL": 14.2,
            "LAMZUL": 60.0,
            "PERSIST": 60.0,
        },
        "CAR_VCN_UG": {"CMAX": 48200.0, "TMAX": 10.0, "AUC0_28D": 438624.99, "PERSIST": 60.0},
        "CAR_PCT_CD3": {"CMAX": 37.4, "TMAX": 10.0, "PERSIST": 60.0},
    }.items():
        for parameter, value in values.items():
            known = ended or parameter in ("CMAX", "TMAX")
            rows["kinetics"].append({
                "subject_id": subject, "arm": arm, "analyte": analyte, "parameter": parameter,
                "value": value if known else NAN, "low": value if parameter == "PERSIST" and known else NAN,
                "high": 90.0 if parameter == "PERSIST" and known else NAN,
                "status": "quantified" if known else "not_calculated",
                "reason": "" if known else "TOO_FEW_POINTS",
            })  # fmt: skip
    events = (
        ("CRS", 1, "ASTCT 2019", 5.3, 4.0, "no", "yes"),
        ("Neutropenia", 4, "CTCAE v5.0", 3.0, 15.0, "no", "no"),
        ("Hypogammaglobulinaemia", 2, "CTCAE v5.0", 37.0, 163.0, "yes", "yes"),
        ("Herpes zoster", 2, "CTCAE v5.0", 101.0, 16.0, "no", "no"),
    )
    for term, grade, scale, onset, duration, ongoing, aesi in events:
        if onset <= until:
            rows["adverse_events"].append({
                "subject_id": subject, "arm": arm, "term": term, "worst_grade": grade, "scale": scale, "onset_day": onset,
                "duration_days": duration, "related": "yes", "serious": "no", "ongoing": ongoing, "treatment_emergent": "yes",
                "aesi": aesi,
            })  # fmt: skip


def medications(subject: str = "CL-017", infusion: str = INFUSION) -> pd.DataFrame:
    rows = [
        ("Flu/Cy", -5.0, -3.0, NAN, ""), ("Tocilizumab", 6.9, 7.4, 8.0, "mg/kg"), ("Prednisone", -40.0, -5.2, 20.0, "mg"),
        ("Prednisone", -5.2, 30.0, 10.0, "mg/d"), ("Prednisone", 30.0, 75.0, 5.0, "mg"), ("IVIG", 60.0, 64.0, NAN, ""),
        ("IVIG", 98.0, 104.0, NAN, ""), ("Sulfamethoxazole", -3.0, None, NAN, ""),
    ]  # fmt: skip
    return pd.DataFrame([
        {"subject_id": subject, "drug": drug, "start": at(start, infusion), "end": "" if end is None else at(end, infusion),
         "dose": dose, "unit": unit, "route": "", "reason": ""}
        for drug, start, end, dose, unit in rows
    ])  # fmt: skip


def conform(rows: Mapping[str, list[dict[str, Any]]]) -> dict[str, pd.DataFrame]:
    return {
        name: schema.conform(rows[name]) if rows.get(name) else schema.empty()
        for name, schema in SCHEMAS.items()
    }


def child_tables(**which: Any) -> dict[str, pd.DataFrame]:
    return conform(course_tables(**which))


_PROFILE = {"D1": 1.0, "D3": 3.0, "D7": 7.0, "D10": 10.0, "D14": 14.0, "D21": 21.0, "D28": 28.0, "M2": 61.0, "M3": 91.0,
            "M6": 183.0, "M9": 274.0, "M12": 365.0, "M18": 548.0, "M24": 731.0}  # fmt: skip


def cohort_tables(children: int, *, arms: tuple[str, ...] = ("low", "high")) -> dict[str, pd.DataFrame]:
    """A trial of many children whose curves follow a formula; some still persist, some are short."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    for number in range(1, children + 1):
        _add_cohort_child(rows, number, arms[number % len(arms)])
    return conform(rows)


def _add_cohort_child(rows: dict[str, list[dict[str, Any]]], number: int, arm: str) -> None:
    subject = f"CL-{number:03d}"
    rows["subjects"].append(subject_row(subject, arm))
    peak = 20_000 * math.exp(math.sin(number * 2.3) * 1.2) * (1.5 if arm == "high" else 1)
    decline = 0.09 + 0.03 * math.cos(number)
    last_day = [12.0, 40.0, 200.0, 400.0, 800.0][number % 5]
    values: list[tuple[float, float]] = []
    for visit, day in {"D0": -0.1, **_PROFILE}.items():
        actual = day + 0.4 * math.sin(number + day)
        if day > last_day or (visit == "D14" and number % 7 == 0):
            continue
        rise = (
            math.exp(-((actual - 10) ** 2) / 18)
            if actual < 10
            else math.exp(-decline * min(actual - 10, 25) - 0.02 * max(actual - 35, 0))
        )
        value = peak * rise if day > 0 else 0.0
        status = "quantified" if value >= 50 else ("detected_blq" if value > 15 else "not_detected")
        number_ = value if status == "quantified" else NAN
        when = keys(subject, arm, visit, actual if day > 0 else day)
        for analyte in ("CAR_VCN_UG", "CAR_ABS", "CAR_PCT_CD3"):
            scale = {"CAR_VCN_UG": 1.0, "CAR_ABS": 0.005, "CAR_PCT_CD3": 0.0005}[analyte]
            rows["persistence"].append(level(
                analyte, when, status, number_ * scale, lloq=50.0 * scale, ci_high=50 * scale if status != "quantified" else NAN,
            ))  # fmt: skip
        values.append((actual, number_))
    _add_cohort_kinetics(rows, subject, arm, values)


def _add_cohort_kinetics(
    rows: dict[str, list[dict[str, Any]]], subject: str, arm: str, values: list[tuple[float, float]]
) -> None:
    known = [(day, value) for day, value in values if value == value]
    after = [day for day, value in values if known and day > known[-1][0]]
    found = {"CMAX": NAN, "TMAX": NAN, "PERSIST": NAN, "AUC0_28D": NAN}
    if known:
        top = max(known, key=lambda item: item[1])
        found = {
            "CMAX": top[1],
            "TMAX": top[0],
            "PERSIST": known[-1][0],
            "AUC0_28D": top[1] * 9 if values[-1][0] >= 26 else NAN,
        }
    for parameter, value in found.items():
        bounds = {"low": value, "high": after[0] if after else NAN} if parameter == "PERSIST" else {}
        rows["kinetics"].append({
            "subject_id": subject, "arm": arm, "analyte": "CAR_VCN_UG", "parameter": parameter, "value": value,
            "status": "quantified" if value == value else "not_calculated", "reason": "" if value == value else "NO_D21_D28",
            **bounds,
        })  # fmt: skip


def add_arrivals(tables: dict[str, pd.DataFrame], study: Any) -> dict[str, pd.DataFrame]:
    """Fill populations and measurements of a cohort with what would have come of each visit."""
    rows: dict[str, list[dict[str, Any]]] = {"populations": [], "measurements": []}
    for number, child in enumerate(tables["subjects"].to_dict(orient="records")):
        reach = [12.0, 40.0, 110.0, 199.0, 199.0][number % 5]
        for visit in study.visits:
            day = {"SCR": -28.0, "APH": -20.0}.get(visit.code)
            if day is None:
                if not visit.has_target:
                    continue
                day = float(visit.day) if visit.day is not None else visit.month * 30.44
            if day <= reach and (number + round(day)) % 13:
                _add_arrival(
                    rows, keys(child["subject_id"], child["arm"], visit.code, day), visit.expects, number
                )
    return {**tables, **{name: SCHEMAS[name].conform(found) for name, found in rows.items()}}


def _add_arrival(
    rows: dict[str, list[dict[str, Any]]], when: dict[str, Any], expects: tuple[str, ...], number: int
) -> None:
    for panel in ("cart", "bcell"):
        if panel in expects:
            rows["populations"].append({
                **when, "file_id": f"{when['subject_id']}{when['visit']}{panel}".encode().hex(), "panel": panel, "tube": "full",
                "population": "events", "status": "quantified", "qc": "fail" if (number + when["study_day"]) % 17 == 0 else "pass",
            })  # fmt: skip
    for assay in ("qpcr", "cytokine", "laboratory"):
        if assay in expects and (number * 7 + when["study_day"]) % 23:
            rows["measurements"].append({
                **when, "assay": assay, "name": "X", "metric": "result", "value": 1.0, "unit": "1", "status": "quantified", "source_id": "a:1",
            })  # fmt: skip
