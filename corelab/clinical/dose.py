"""The infused dose in viable CAR-positive T cells per kg."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What was infused: nucleated cells per mL, percentages and mL, and the child's weight in kg."""

    tnc_per_ml: float
    viability_pct: float
    cd3_pct: float
    car_pct: float
    volume_ml: float
    weight_kg: float


def compute_dose_per_kg(product: Product) -> float:
    """Return viable CAR-positive T cells per kg; NaN where a part is missing.

    Notes
    -----
    Nucleated cells/mL x viability x CD3 of viable x CAR of CD3 x mL / kg.

    Examples
    --------
    >>> product = Product(tnc_per_ml=12.0e6, viability_pct=88, cd3_pct=97, car_pct=34, volume_ml=4.5,
    ...     weight_kg=32.5)
    >>> round(compute_dose_per_kg(product), 0)
    482218.0
    """
    if not product.weight_kg > 0:
        return float("nan")
    shares = product.viability_pct * product.cd3_pct * product.car_pct / 1e6
    return product.tnc_per_ml * shares * product.volume_ml / product.weight_kg
