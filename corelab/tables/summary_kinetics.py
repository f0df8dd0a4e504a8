"""Rows of `summary` for kinetic parameters: geometric mean and CV, median and range."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from corelab.statistics.descriptive import summarise_geometric, summarise_order
from corelab.tables.groups import Groups
from corelab.vocabulary import Analyte, Status

NAN: Final = float("nan")
LISTED_BELOW: Final = 3
"""Values of a group that are listed instead of summarised."""
ORDER_ONLY: Final = ("TMAX",)
"""Times of sampling: their mean says nothing."""
UNSOUND: Final = ("SHORT_SPAN", "LOW_R2ADJ")
"""Remarks on a terminal slope that leave it out of summaries."""


def summarise_kinetics(
    kinetics: pd.DataFrame, groups: Groups, parameters: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Summarise each parameter of each CAR-T analyte by dose group.

    ``n`` counts the values that enter, ``n_total`` the children with data: what is below a limit or cannot
    be computed stands in the difference and never in a mean.
    """
    analytes = {analyte.value for analyte in Analyte}
    chosen = kinetics[kinetics["analyte"].isin(analytes) & kinetics["parameter"].isin(parameters)]
    for (parameter, analyte, unit), rows in chosen.groupby(["parameter", "analyte", "unit"]):
        for arm, members in groups.members.items():
            group = rows[rows["subject_id"].isin(members)]
            place = {"arm": arm, "endpoint": f"{parameter}:{analyte}", "visit": "", "n_total": len(group)}
            if len(group):
                yield from _summarise(place, _select_sound(group), parameter, unit)


def _select_sound(group: pd.DataFrame) -> list[float]:
    is_sound = (group["status"] == Status.QUANTIFIED.value) & group["value"].notna()
    flagged = [any(word in reason for word in UNSOUND) for reason in group["reason"]]
    return sorted(group.loc[is_sound & ~pd.Series(flagged, index=group.index), "value"].tolist())


def _summarise(
    place: Mapping[str, Any], values: list[float], parameter: str, unit: str
) -> Iterator[dict[str, Any]]:
    if len(values) < LISTED_BELOW:
        listed = f"FEW_VALUES: {', '.join(f'{value:.4g}' for value in values)}" if values else "NO_VALUE"
        yield {**place, "method": "listed", "n": len(values), "unit": unit, **_row(NAN, reason=listed)}
        return
    common = {**place, "n": len(values), "unit": unit}
    if parameter not in ORDER_ONLY and values[0] > 0:
        mean = summarise_geometric(values)
        limits = {"ci_low": mean.ci_low, "ci_high": mean.ci_high}
        yield {**common, "method": "geometric_mean", **_row(mean.mean), **limits}
        yield {**common, "method": "geometric_cv", **_row(mean.cv_percent), "unit": "%"}
    order = summarise_order(values)
    for method, value in (
        ("median", order.median),
        ("q1", order.q1),
        ("q3", order.q3),
        ("minimum", order.minimum),
        ("maximum", order.maximum),
    ):
        yield {**common, "method": method, **_row(value)}


def _row(estimate: float, *, reason: str = "") -> dict[str, Any]:
    return {"estimate": estimate, "ci_low": NAN, "ci_high": NAN, "reason": reason}
