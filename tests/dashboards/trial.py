"""A small trial of literal tables, in a real home: what the dashboard's tests look at."""

import datetime as dt
from pathlib import Path

import pandas as pd

from corelab.store.home import Home, create_home
from corelab.study import builtin_study
from corelab.tables.schemas import SCHEMAS
from corelab.vocabulary import Role
from tests.dashboards.trial_clinical import make_clinical, make_events

NOW = dt.datetime(2026, 11, 22, 1, 14, tzinfo=dt.UTC)
CUT_OFF = "2026-11-22T09:00:00+08:00"
PASSWORD = "correct horse battery"
ACCOUNTS = {"chen": Role.SCIENTIST, "li.wei": Role.REVIEWER, "ortiz": Role.INVESTIGATOR, "root": Role.ADMIN}
FILE_ID = "ab12" * 16
WHO = {"CL-001": "high", "CL-002": "low", "CL-003": ""}

INFUSED = {
    "CL-001": dt.datetime.fromisoformat("2026-05-06T10:00:00+08:00"),
    "CL-002": dt.datetime.fromisoformat("2026-11-01T10:00:00+08:00"),
}
DAYS = {
    "LD": -5,
    "D0": 0,
    "D1": 1,
    "D3": 3,
    "D7": 7,
    "D10": 10,
    "D14": 14,
    "D21": 21,
    "D28": 28,
    "M2": 61,
    "M3": 92,
}
Q, T, N, F = "quantified", "detected_blq", "not_detected", "failed"

# visit, status, value (cells/uL), CAR+ events, T cells counted
COURSE = {
    "CL-001": [
        ("LD", N, None, 0, 61000),
        ("D0", N, None, 0, 58000),
        ("D1", T, None, 24, 55000),
        ("D3", Q, 0.31, 118, 55000),
        ("D7", Q, 110.0, 9800, 52000),
        ("D10", Q, 214.0, 20570, 55000),
        ("D14", Q, 120.0, 12000, 51000),
        ("D21", F, None, 40, 900),
        ("D28", Q, 14.2, 1400, 50000),
        ("M2", Q, 1.3, 130, 52000),
        ("M3", T, None, 24, 61000),
    ],
    "CL-002": [
        ("LD", N, None, 0, 61000),
        ("D0", N, None, 0, 58000),
        ("D1", N, None, 2, 52000),
        ("D3", Q, 0.9, 90, 51000),
        ("D7", Q, 41.0, 4100, 50000),
        ("D10", Q, 25.0, 2500, 50000),
        ("D14", Q, 9.1, 910, 50500),
    ],
}


def draw(subject: str, visit: str) -> dict[str, object]:
    """Return the key columns of one draw at 09:00 of its day."""
    moment = INFUSED[subject].replace(hour=9) + dt.timedelta(days=DAYS[visit])
    return {
        "subject_id": subject,
        "arm": WHO[subject],
        "visit": visit,
        "visit_label": visit,
        "study_day": DAYS[visit],
        "collected_at": moment.isoformat(),
    }


def make_subjects() -> list[dict[str, object]]:
    return [
        {
            "subject_id": name,
            "arm": arm,
            "sex": "F" if name != "CL-002" else "M",
            "age_years": 11.0,
            "infusion_at": INFUSED[name].isoformat() if name in INFUSED else "",
        }
        for name, arm in WHO.items()
    ]


def make_persistence() -> list[dict[str, object]]:
    rows = []
    for subject, course in COURSE.items():
        for visit, status, value, count, total in course:
            percent = 100 * count / total
            flow = {
                "n_events": count,
                "n_reference": total,
                "status": status,
                "blank_events": 0,
                "blank_reference": 119000,
                "p_value": 0.0004 if count > 20 else 0.4,
                "reason": {T: "TRACE", F: "VIABILITY"}.get(status, ""),
            }
            key = draw(subject, visit)
            low, high = (0.0, 3.7 / total * 100) if count == 0 else (percent * 0.8, percent * 1.2)
            rows.append(
                {
                    **key,
                    **flow,
                    "analyte": "CAR_PCT_CD3",
                    "unit": "%",
                    "value": percent if status == Q else None,
                    "ci_low": low,
                    "ci_high": high,
                    "lloq": 5000 / total,
                }
            )
            rows.append(
                {
                    **key,
                    **flow,
                    "analyte": "CAR_ABS",
                    "unit": "cells/uL",
                    "value": value,
                    "ci_low": (value or 0) * 0.9,
                    "ci_high": (value or 0.3) * 1.1,
                    "lloq": 0.2,
                }
            )
            copies = None if value is None else value * 225
            rows.append(
                {
                    **key,
                    "analyte": "CAR_VCN_UG",
                    "unit": "copies/ug",
                    "value": copies,
                    "lloq": 50.0,
                    "status": status if status != F else Q,
                    **({"value": 4100.0} if status == F else {}),
                    "ci_high": 40.0 if value is None and status != F else None,
                }
            )
    return rows


def make_populations() -> list[dict[str, object]]:
    rows = []
    for visit, status, value, count, total in COURSE["CL-001"]:
        tube = {
            **draw("CL-001", visit),
            "file_id": FILE_ID if visit == "M3" else f"{visit:0>4}".lower() * 16,
            "panel": "cart",
            "tube": "full",
            "qc": "fail" if status == F else "pass",
        }
        rows.append(
            {
                **tube,
                "population": "car_t",
                "parent": "t_cells",
                "count": count,
                "parent_count": total,
                "percent_of_parent": 100 * count / total,
                "cells_per_ul": value,
                "status": status,
                "gate_source": "control",
                "gate_version": "cart-1",
            }
        )
    levels = {
        "LD": (180.0, Q),
        "D7": (None, N),
        "D14": (None, N),
        "D28": (None, N),
        "M2": (2.1, Q),
        "M3": (8.0, Q),
    }
    for visit, (value, status) in levels.items():
        rows.append(
            {
                **draw("CL-001", visit),
                "file_id": f"b{visit:0>3}".lower() * 16,
                "panel": "bcell",
                "tube": "full",
                "population": "b_cells",
                "parent": "lymphocytes",
                "count": 400 if value else 0,
                "parent_count": 30000,
                "cells_per_ul": value,
                "cells_per_ul_low": (value or 0) * 0.8,
                "cells_per_ul_high": (value or 0.25) * 1.2,
                "status": status,
                "gate_source": "auto",
                "gate_version": "bcell-1",
                "qc": "pass",
            }
        )
    return rows


def make_measurements() -> list[dict[str, object]]:
    scores = {"LD": 14.0, "D28": 6.0, "M2": 4.0, "M3": 2.0}
    il_6 = {"LD": 2.0, "D0": 3.1, "D3": 40.0, "D7": 210.0, "D14": 12.0}
    rows: list[dict[str, object]] = []
    for visit, value in scores.items():
        rows.append(
            {
                **draw("CL-001", visit),
                "assay": "assessment",
                "name": "SLEDAI-2K:total",
                "metric": "score",
                "value": value,
                "relation": "=",
                "status": Q,
                "source_id": f"assessments.csv:{visit}",
            }
        )
    for test, unit in (("UPCR", "g/g"), ("EGFR", "mL/min/1.73m2"), ("CRP", "mg/L")):
        for visit, value in scores.items():
            rows.append(
                {
                    **draw("CL-001", visit),
                    "assay": "laboratory",
                    "name": test,
                    "metric": "result",
                    "value": value / 4 if test == "UPCR" else 90 - value,
                    "relation": "=",
                    "unit": unit,
                    "status": Q,
                    "source_id": f"labs.csv:{test}{visit}",
                }
            )
    for visit, value in il_6.items():
        for metric, shown, unit in (("concentration", value, "pg/mL"), ("fold_change", value / 2, "1")):
            rows.append(
                {
                    **draw("CL-001", visit),
                    "assay": "cytokine",
                    "name": "IL-6",
                    "metric": metric,
                    "value": shown,
                    "relation": "=",
                    "unit": unit,
                    "status": Q,
                    "lloq": 1.0 if metric == "concentration" else None,
                    "source_id": f"cytokines.csv:{visit}",
                }
            )
    return rows


def make_kinetics() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for subject, cmax, persist in (("CL-001", 214.0, 61.0), ("CL-002", 41.0, 14.0)):
        for analyte, factor, unit in (("CAR_ABS", 1, "cells/uL"), ("CAR_VCN_UG", 225, "copies/ug")):
            key = {"subject_id": subject, "arm": WHO[subject], "analyte": analyte}
            rows += [
                {**key, "parameter": "CMAX", "value": cmax * factor, "unit": unit, "status": Q},
                {**key, "parameter": "TMAX", "value": 10.0, "unit": "d", "status": Q},
                {
                    **key,
                    "parameter": "AUC0_28D",
                    "value": cmax * 9 * factor,
                    "unit": f"{unit}.d",
                    "status": Q,
                },
                {
                    **key,
                    "parameter": "PERSIST",
                    "value": persist,
                    "low": persist,
                    "high": None,
                    "unit": "d",
                    "status": Q,
                },
                {
                    **key,
                    "parameter": "LAMZHL",
                    "unit": "d",
                    "status": "not_calculated",
                    "reason": "fewer than 3 points",
                },
            ]
    return rows


def make_tables() -> dict[str, pd.DataFrame]:
    rows = {
        "subjects": make_subjects(),
        "persistence": make_persistence(),
        "populations": make_populations(),
        "measurements": make_measurements(),
        "kinetics": make_kinetics(),
        "cd19_status": [
            {
                "subject_id": "CL-001",
                "arm": "high",
                "call": "positive",
                "percent_cd19": 97.2,
                "ci_low": 96.3,
                "ci_high": 97.9,
                "n_b_reference": 2400,
                "b_cells_per_ul": 180.0,
                "threshold_source": "fmo",
                "alert": "no",
            }
        ],
        "quality": [
            {
                "subject_id": "CL-001",
                "visit": "M3",
                "object": FILE_ID,
                "check": "VIABILITY",
                "level": "warn",
                "value": 84.0,
                "limit": 85.0,
                "reason": "fewer living cells than usual",
            }
        ],
        "phenotype": [
            {
                **draw("CL-001", visit),
                "compartment": "car_t",
                "subset": subset,
                "count": 400,
                "parent_count": 2000,
                "percent": 20.0,
                "status": Q,
            }
            for visit in ("D7", "D10")
            for subset in ("naive", "scm", "cm", "em", "temra")
        ],
        "adverse_events": [
            {
                "subject_id": "CL-001",
                "arm": "high",
                "term": "CRS",
                "worst_grade": 1,
                "scale": "ASTCT 2019",
                "onset_day": 5.0,
                "duration_days": 4.0,
                "related": "yes",
                "serious": "no",
                "ongoing": "no",
                "treatment_emergent": "yes",
                "aesi": "yes",
            }
        ],
        "b_cell_recovery": [
            {
                "subject_id": "CL-001",
                "arm": "high",
                "baseline_b_cells_per_ul": 180.0,
                "baseline_below": "no",
                "aplasia_day": 7.0,
                "onset_low": -5.0,
                "onset_high": 7.0,
                "recovery_10_low": 92.0,
                "recovery_10_censored": "yes",
                "recovery_50_censored": "yes",
            }
        ],
    }
    rows |= make_clinical()
    rows["adverse_events"] += make_events()
    return {name: schema.conform(rows.get(name, [])) for name, schema in SCHEMAS.items()}


def make_home(folder: Path, *, with_snapshot: bool = True) -> Home:
    """Make a real home with the accounts of every role, and one snapshot of the literal tables."""
    home = create_home(folder / "home", study_text=builtin_study().source)
    for name, role in ACCOUNTS.items():
        home.registry.users.add(name, role=role, password=PASSWORD, at=NOW)
    if with_snapshot:
        home.snapshots.write(make_tables(), {"cutoff": CUT_OFF}, run_key="test", at=NOW)
    return home
