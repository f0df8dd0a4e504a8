"""What was assessed: the answers on each subject's clock, and the scores among them as measurements."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from corelab.clinical.sledai import WEIGHTS, Total, compute_total
from corelab.tables.clock import Clocks
from corelab.tables.values import parse_values
from corelab.vocabulary import Assay, Status

NAN: Final = float("nan")
SLEDAI: Final = "SLEDAI-2K"
BILAG: Final = "BILAG-2004"
BILAG_SCORES: Final = {"A": 12.0, "B": 8.0, "C": 1.0, "D": 0.0, "E": 0.0}
"""Numbers of the letters; Yee CS. Rheumatology 2010;49:1665."""
SINGLE_SCORES: Final = {("PGA", "vas_0_3"): "PGA", ("ECOG", "score"): "ECOG"}
COLUMNS: Final = [
    "subject_id", "visit", "collected_at", "assay", "name", "metric", "value", "relation", "low", "high",
    "unit", "status", "reason", "source_id",
]  # fmt: skip
ANSWER_COLUMNS: Final = [
    "subject_id", "arm", "visit", "visit_label", "study_day", "collected_at", "instrument", "item", "value",
    "source_id",
]  # fmt: skip
_DRAW: Final = ["subject_id", "visit", "collected_at"]


def derive_assessments(assessments: pd.DataFrame, *, clocks: Clocks) -> pd.DataFrame:
    """Place every delivered answer on its subject's clock; who gave it and what was remarked stay behind."""
    return clocks.place(assessments).reindex(columns=ANSWER_COLUMNS)


def derive_scores(assessments: pd.DataFrame) -> pd.DataFrame:
    """Return every score that is a number; a BILAG letter stands as reason beside its number."""
    rows = [*_derive_sledai(assessments), *_derive_single(assessments), *_derive_bilag(assessments)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _derive_sledai(assessments: pd.DataFrame) -> list[dict[str, Any]]:
    rows = assessments[assessments["instrument"] == SLEDAI]
    derived = []
    for draw, group in rows.groupby(_DRAW, sort=True):
        total = _add_up(dict(zip(group["item"], group["value"], strict=True)))
        if total is not None:
            source = group.loc[group["item"] == "total", "source_id"]
            place = source.iloc[-1] if len(source) else group["source_id"].min()
            derived.append(_row(draw, SLEDAI, total, place))
    return derived


def _add_up(values: Mapping[str, str]) -> Total | None:
    items = {name: text.strip() == "1" for name, text in values.items() if _is_scored(name, text)}
    delivered = _read_number(values.get("total", ""))
    return compute_total(items, delivered) if items or delivered is not None else None


def _is_scored(name: str, text: str) -> bool:
    return name in WEIGHTS and text.strip() in ("0", "1")


def _read_number(text: str) -> float | None:
    measured = parse_values([text], lods=[NAN], lloqs=[NAN], uloqs=[NAN])[0]
    return measured.value if measured.status is Status.QUANTIFIED and measured.relation == "=" else None


def _derive_single(assessments: pd.DataFrame) -> list[dict[str, Any]]:
    derived = []
    for row in assessments.to_dict(orient="records"):
        name = SINGLE_SCORES.get((row["instrument"], row["item"]))
        if name:
            derived.append(_scored(row, name, _read_number(row["value"]), ""))
    return derived


def _derive_bilag(assessments: pd.DataFrame) -> list[dict[str, Any]]:
    rows = assessments[assessments["instrument"] == BILAG]
    derived = []
    for row in rows.to_dict(orient="records"):
        letter = row["value"].strip().upper()
        derived.append(_scored(row, f"{BILAG} {row['item']}", BILAG_SCORES.get(letter), letter))
    return derived


def _scored(row: Mapping[str, Any], name: str, value: float | None, remark: str) -> dict[str, Any]:
    is_known = value is not None
    number = NAN if value is None else value
    return {
        **{column: row[column] for column in (*_DRAW, "source_id")},
        "assay": Assay.ASSESSMENT.value, "name": name, "metric": "score", "unit": "1",
        "value": number, "low": number, "high": number, "relation": "=" if is_known else "",
        "status": (Status.QUANTIFIED if is_known else Status.FAILED).value,
        "reason": remark if is_known else "UNREADABLE",
    }  # fmt: skip


def _row(draw: Any, name: str, total: Total, source_id: str) -> dict[str, Any]:
    is_known = total.value is not None
    return {
        **dict(zip(_DRAW, draw, strict=True)),
        "assay": Assay.ASSESSMENT.value, "name": name, "metric": "score", "unit": "1",
        "value": NAN if total.value is None else float(total.value), "low": float(total.low),
        "high": float(total.high), "relation": "=" if is_known else "",
        "status": (Status.QUANTIFIED if is_known else Status.NOT_CALCULATED).value,
        "reason": total.reason, "source_id": source_id,
    }  # fmt: skip
