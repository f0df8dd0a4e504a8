"""`subjects`: every child with age and the dose that was really given."""

from typing import Any, Final

import pandas as pd

from corelab.clinical.dose import Product, compute_dose_per_kg
from corelab.study.model import Study
from corelab.tables.clock import Clocks, parse_moment
from corelab.tables.laboratory import count_years
from corelab.vocabulary import Status

NAN: Final = float("nan")


def derive_subjects(subjects: pd.DataFrame, laboratory: pd.DataFrame, *, clocks: Clocks) -> pd.DataFrame:
    """Give every subject completed years at consent and viable CAR+ cells per kg.

    The weight is that of lymphodepletion where it was measured, else that of the subject file.
    """
    weights = _find_weights(laboratory)
    consent = _find_screening(laboratory)
    rows = [_derive_row(row, weights, consent, clocks) for row in subjects.itertuples(index=False)]
    return pd.DataFrame(rows)


def _derive_row(
    row: Any, weights: dict[str, float], screening: dict[str, str], clocks: Clocks
) -> dict[str, Any]:
    planned = clocks.study.planned_dose.get(row.arm, NAN)
    product = Product(
        tnc_per_ml=row.tnc_per_ml,
        viability_pct=row.viability_pct,
        cd3_pct=row.cd3_pct,
        car_pct=row.car_pct,
        volume_ml=row.infused_volume_ml,
        weight_kg=weights.get(row.subject_id, row.weight_kg),
    )
    actual = compute_dose_per_kg(product)
    consent = row.consent_date or screening.get(row.subject_id, "")
    return {
        "subject_id": row.subject_id, "arm": row.arm, "sex": row.sex,
        "age_years": _count_age(row, consent, clocks.study), "consent_date": row.consent_date,
        "lymphodepletion_at": row.lymphodepletion_at, "infusion_at": row.infusion_at,
        "infusion_end_at": row.infusion_end_at,
        "planned_dose_per_kg": planned, "actual_dose_per_kg": actual,
        "pct_of_planned": 100 * actual / planned, "reason": _explain_dose(row, product),
    }  # fmt: skip


def _explain_dose(row: Any, product: Product) -> str:
    """Name what lacks for the dose."""
    if not row.infusion_at:
        return "NOT_INFUSED"
    parts = {
        "tnc_per_ml": product.tnc_per_ml, "viability_pct": product.viability_pct, "cd3_pct": product.cd3_pct,
        "car_pct": product.car_pct, "infused_volume_ml": product.volume_ml, "weight_kg": product.weight_kg,
    }  # fmt: skip
    lacking = [name for name, value in parts.items() if not value > 0]
    absent = [*lacking, *([] if row.arm else ["arm"])]
    return f"MISSING subjects.csv {', '.join(absent)}" if absent else ""


def _count_age(row: Any, consent: str, study: Study) -> float:
    birth, on = parse_moment(row.birth_date, study), parse_moment(consent, study)
    return float(count_years(birth.date(), on.date())) if birth and on else float(row.age_years)


def _find_weights(laboratory: pd.DataFrame) -> dict[str, float]:
    rows = laboratory[
        (laboratory["name"] == "WEIGHT")
        & (laboratory["visit"] == "LD")
        & (laboratory["unit"] == "kg")
        & (laboratory["status"] == Status.QUANTIFIED.value)
    ].sort_values(["collected_at", "source_id"])
    return dict(
        rows.drop_duplicates("subject_id", keep="last")[["subject_id", "value"]].itertuples(index=False)
    )


def _find_screening(laboratory: pd.DataFrame) -> dict[str, str]:
    rows = laboratory[(laboratory["visit"] == "SCR") & (laboratory["collected_at"] != "")]
    return {str(key): text for key, text in rows.groupby("subject_id")["collected_at"].min().items()}
