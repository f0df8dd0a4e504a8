"""From tables to shares over time: clusters by child and dose group, and gated subsets of a compartment."""

import math
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.course import to_float
from corelab.figures.share_courses import GroupPoint, SharePanel, SharePoint

SUBSETS: Final = (
    "naive", "naive_or_scm", "scm", "cm", "em", "temra", "pd1", "tim3", "lag3", "hla_dr", "cd25",
    "pd1_tim3_lag3",
)  # fmt: skip
B_ORDER: Final = (
    "transitional", "naive_b", "unswitched_memory_b", "switched_memory_b", "double_negative_b",
    "plasmablasts",
)  # fmt: skip
COMPARTMENTS: Final = (
    "car_t", "car_cd4", "car_cd8", "car_neg_cd4", "car_neg_cd8", "cd4_t", "cd8_t", "b_cells",
)  # fmt: skip
"""Those that are split into subsets, CAR-T cells first."""
FEW_EVENTS: Final = "FEW_EVENTS"
RATIO_OF: Final = {
    "car_t": "car_t", "car_neg_cd4": "car_neg_t", "car_neg_cd8": "car_neg_t", "cd4_t": "t_cells",
    "cd8_t": "t_cells",
}  # fmt: skip
"""By compartment: the population whose ratio of CD4 to CD8 is shown beside its subsets."""


def build_cluster_panels(
    abundance: pd.DataFrame, groups: pd.DataFrame, clusters: pd.DataFrame
) -> list[SharePanel]:
    """Return a panel for each cluster: its share of one compartment.

    Parameters
    ----------
    abundance, groups
        Rows of one panel and compartment.
    clusters
        The clusters to show, in their order.
    """
    by_cluster = {str(name): rows for name, rows in abundance.groupby("cluster")}
    by_group = {str(name): rows for name, rows in groups.groupby("cluster")}
    panels = []
    for row in clusters.to_dict(orient="records"):
        name = str(row["cluster"])
        found = by_cluster.get(name, abundance.iloc[:0]).to_dict(orient="records")
        means = by_group.get(name, groups.iloc[:0]).to_dict(orient="records")
        panels.append(
            SharePanel(
                title=name, detail=str(row["description"]), unit="%",
                points=tuple(_build_point(one, ("abundance", one["file_id"], name)) for one in found),
                groups=tuple(_build_group(one) for one in means),
            )
        )  # fmt: skip
    return panels


def build_subset_panels(
    phenotype: pd.DataFrame, ratios: pd.DataFrame, *, compartment: str, catalog: Catalog
) -> list[SharePanel]:
    """Return a panel for each gated subset of a compartment, and one for CD4 to CD8 where it has one.

    Parameters
    ----------
    phenotype
        The snapshot's table.
    ratios
        Rows of ``measurements`` named ``<population>:CD4/CD8``.
    compartment
        Whose subsets.
    """
    rows = phenotype[phenotype["compartment"] == compartment]
    order = B_ORDER if compartment == "b_cells" else SUBSETS
    by_subset = {str(name): found for name, found in rows.groupby("subset")}
    panels = [
        SharePanel(
            title=catalog.text(f"shares.subset.{subset}"),
            detail=catalog.text("shares.of", compartment=catalog.text(f"shares.compartment.{compartment}")),
            unit="%",
            points=tuple(
                _build_point(row, ("subset", row["subject_id"], row["visit_label"], compartment, subset))
                for row in by_subset[subset].to_dict(orient="records")
            ),
        )
        for subset in order
        if subset in by_subset
    ]
    own = ratios[ratios["name"] == f"{RATIO_OF.get(compartment, '')}:CD4/CD8"]
    return [*_build_ratio(own, RATIO_OF.get(compartment, ""), catalog), *panels]


def _build_ratio(rows: pd.DataFrame, population: str, catalog: Catalog) -> list[SharePanel]:
    if rows.empty:
        return []
    records = [{**row, "percent": row["value"]} for row in rows.to_dict(orient="records")]
    points = tuple(
        _build_point(row, ("ratio", row["subject_id"], row["visit_label"], population, population))
        for row in records
    )
    detail = catalog.text("shares.of", compartment=catalog.text(f"shares.compartment.{population}"))
    return [SharePanel(title=catalog.text("shares.ratio"), detail=detail, unit="", points=points)]


def _build_point(row: dict[str, Any], choice: Sequence[object]) -> SharePoint:
    """Build a point; one without a value stands in the lane below.

    A compartment of too few cells is no failure of its tube: there is only nothing to divide.
    """
    is_few = str(row.get("reason")) == FEW_EVENTS
    return SharePoint(
        subject_id=str(row["subject_id"]), arm=str(row["arm"]), day=to_float(row["study_day"]),
        visit_label=str(row["visit_label"] or row["visit"]), value=to_float(row["percent"]),
        low=to_float(row["ci_low"]), high=to_float(row["ci_high"]),
        status="not_calculated" if is_few else str(row["status"]), is_few=is_few,
        choice=tuple(map(str, choice)),
    )  # fmt: skip


def _build_group(row: dict[str, Any]) -> GroupPoint:
    n = to_float(row["n_children"])
    return GroupPoint(
        arm=str(row["arm"]), visit=str(row["visit"]), value=to_float(row["percent"]),
        low=to_float(row["ci_low"]), high=to_float(row["ci_high"]), n=int(n) if math.isfinite(n) else 0,
    )  # fmt: skip
