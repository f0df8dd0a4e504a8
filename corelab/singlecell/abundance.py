"""How much of a sample each cluster is, from cells that were chosen of it, and how sure that is.

References
----------
Korn EL, Graubard BI. Survey Methodology 1998;24:193 (exact limits with the effective number of a sample).
"""

from typing import TYPE_CHECKING, Final

import numpy as np

from corelab.statistics.intervals import clopper_pearson

if TYPE_CHECKING:
    import pandas as pd

ABUNDANCE: Final = (
    "file_id", "panel", "compartment", "cluster", "cells_seen", "cells_chosen", "cells", "percent", "ci_low",
    "ci_high", "status", "reason",
)  # fmt: skip
GROUPS: Final = (
    "panel", "compartment", "cluster", "arm", "visit", "n_children", "percent", "ci_low", "ci_high", "status",
    "reason",
)  # fmt: skip
FEWEST_CELLS: Final = 50
"""Cells of a compartment below which a share of it is not calculated."""
FEWEST_CHILDREN: Final = 3
_SMOOTH: Final = 0.5


def derive_abundance(cells: "pd.DataFrame", clusters: "dict[str, list[str]]") -> "pd.DataFrame":
    """Derive the share of each cluster in each compartment of each file.

    Parameters
    ----------
    cells
        Chosen cells: ``file_id, panel, compartment, population, weight, cluster``. The weight says for how
        many cells of its population one stands.
    clusters
        The clusters of each panel; one that a file has no cell of has a row with none.

    Returns
    -------
    DataFrame
        `ABUNDANCE`. ``cells_seen`` is what the compartment holds, ``cells_chosen`` how many of them were
        looked at, ``cells`` how many of the cluster those stand for.

    Notes
    -----
    The cells are a stratified sample of the tube's, its populations being the strata, and the tube is one of
    the blood. With the share p of the cluster and N cells, N_h of stratum h of which n_h were chosen, the
    variance is sum (N_h/N)^2 p_h (1 - p_h) / n_h (1 - n_h/N_h) + p (1 - p) / N; p (1 - p) over it is the
    effective number of cells, for which the exact binomial limits are taken. In the variance p_h is
    (n_hk + 1/2) / (n_h + 1), so that a cluster of which nothing was chosen is no certainty. Where every cell
    was chosen the limits are those of the counts.
    """
    import pandas as pd

    parts = [
        _share_out(part, clusters[str(panel)]).assign(file_id=file_id, panel=panel, compartment=compartment)
        for (file_id, panel, compartment), part in cells.groupby(
            ["file_id", "panel", "compartment"], sort=True, observed=True
        )
    ]
    if not parts:
        return pd.DataFrame({name: [] for name in ABUNDANCE})
    return pd.concat(parts, ignore_index=True)[list(ABUNDANCE)]


def _share_out(part: "pd.DataFrame", clusters: list[str]) -> "pd.DataFrame":
    import pandas as pd

    strata = part["population"].astype(str)
    chosen = pd.crosstab(strata, part["cluster"].astype(str)).reindex(columns=clusters, fill_value=0)
    held = part["weight"].groupby(strata).sum().loc[chosen.index].to_numpy(float)
    counts = chosen.to_numpy(float)
    n = part.groupby(strata).size().loc[chosen.index].to_numpy(float)
    total, all_seen = held.sum(), np.isclose(n, held)
    share = (held[:, None] * counts / n[:, None]).sum(axis=0) / total
    smooth = np.where(all_seen[:, None], counts / n[:, None], (counts + _SMOOTH) / (n[:, None] + 1.0))
    expected = (held[:, None] * smooth).sum(axis=0) / total
    left = np.where(all_seen, 0.0, 1.0 - n / held)
    within = ((held / total)[:, None] ** 2 * smooth * (1 - smooth) / n[:, None] * left[:, None]).sum(axis=0)
    spread = expected * (1 - expected)
    variance = within + spread / total
    effective = np.divide(spread, variance, out=np.full(len(share), total), where=variance > 0)
    low, high = clopper_pearson(np.minimum(share * effective, effective), effective)
    is_enough = total >= FEWEST_CELLS
    return pd.DataFrame({
        "cluster": clusters,
        "cells_seen": float(round(total)),
        "cells_chosen": float(len(part)),
        "cells": share * total,
        "percent": 100 * share if is_enough else np.nan,
        "ci_low": 100 * low if is_enough else np.nan,
        "ci_high": 100 * high if is_enough else np.nan,
        "status": "quantified" if is_enough else "not_calculated",
        "reason": "" if is_enough else "FEW_CELLS",
    })  # fmt: skip


def summarise_groups(abundance: "pd.DataFrame") -> "pd.DataFrame":
    """Summarise clusters by dose group and visit; the children are what is repeated, not the cells.

    Parameters
    ----------
    abundance
        As `derive_abundance`, with ``subject_id``, ``arm`` and ``visit``.

    Returns
    -------
    DataFrame
        `GROUPS`, for each arm and for ``all``. ``percent`` is the mean of the children's log odds turned
        back, with Student's limits from three children on. A child's share of none or of all counts by half
        a cell.
    """
    import pandas as pd

    used = abundance[(abundance["status"] == "quantified") & (abundance["subject_id"] != "")]
    pair = ["panel", "compartment", "cluster", "visit"]
    if used.empty:
        return pd.DataFrame({name: [] for name in GROUPS})
    both = pd.concat([used[used["arm"].isin(["low", "high"])], used.assign(arm="all")])
    children = _log_odds(both).groupby([both[name] for name in [*pair, "arm", "subject_id"]]).mean()
    groups = children.groupby(level=[*pair, "arm"]).agg(["size", "mean", "std"]).reset_index()
    summary = groups.join(_turn_back(groups["size"], groups["mean"], groups["std"]))
    order = summary["arm"].map({"low": 0, "high": 1, "all": 2})
    ordered = summary.assign(order=order).sort_values(["order", *pair], ignore_index=True)
    return ordered[list(GROUPS)]


def _log_odds(rows: "pd.DataFrame") -> "pd.Series[float]":
    share = (rows["cells"] + _SMOOTH) / (rows["cells_seen"] + 2 * _SMOOTH)
    odds: pd.Series[float] = np.log(share / (1 - share))
    return odds


def _turn_back(
    count: "pd.Series[int]", centre: "pd.Series[float]", spread: "pd.Series[float]"
) -> "pd.DataFrame":
    """Turn means of log odds and their Student's limits back into percent."""
    import pandas as pd
    from scipy.special import expit, stdtrit

    n = count.to_numpy(float)
    is_enough = n >= FEWEST_CHILDREN
    reach = stdtrit(np.maximum(n - 1, 1), 0.975) * spread.to_numpy(float) / np.sqrt(n)
    middle = centre.to_numpy(float)
    return pd.DataFrame({
        "n_children": n,
        "percent": 100 * expit(middle),
        "ci_low": np.where(is_enough, 100 * expit(middle - reach), np.nan),
        "ci_high": np.where(is_enough, 100 * expit(middle + reach), np.nan),
        "status": "quantified",
        "reason": np.where(is_enough, "", "FEW_CHILDREN"),
    }, index=count.index)  # fmt: skip
