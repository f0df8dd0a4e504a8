"""`populations` of files that belong to no subject: gated without a home."""

import numpy as np
import pandas as pd

from corelab.cytometry.records import GateTables
from corelab.statistics.intervals import clopper_pearson
from corelab.tables.schemas import POPULATIONS


def derive_free_populations(gates: GateTables, panel: str) -> pd.DataFrame:
    """Derive the table of populations; what a subject or a visit would say is empty.

    Parameters
    ----------
    gates
        The gated files.
    panel
        Their panel.
    """
    counts = gates.counts
    n, parent = counts["count"].to_numpy(), counts["parent_count"].to_numpy()
    known = np.isfinite(n) & (parent > 0) & (counts["parent"] != "").to_numpy()
    total = np.where(known, parent, np.nan)
    low, high = clopper_pearson(np.where(known, n, 0), np.where(known, parent, 0))
    levels = {file_id: _find_worst(gates.findings, file_id) for file_id in set(counts["file_id"])}
    table: pd.DataFrame = POPULATIONS.conform(
        counts.drop(columns=["control", "band_low", "band_high"]).assign(
            panel=panel,
            tube="full",
            percent_of_parent=100 * n / total,
            ci_low=100 * low,
            ci_high=100 * high,
            qc=counts["file_id"].map(levels),
        )
    )
    return table


def _find_worst(findings: pd.DataFrame, file_id: str) -> str:
    levels = set(findings.loc[findings["file_id"] == file_id, "level"])
    return next((level for level in ("fail", "warn") if level in levels), "pass")
