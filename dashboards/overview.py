"""The overview of a snapshot, made once and read by every page that counts gaps."""

from typing import TYPE_CHECKING

from corelab.figures.overview import summarise_overview
from dashboards.site import Site, SnapshotTables
from dashboards.views.trial import read_cut_off

if TYPE_CHECKING:
    import pandas as pd


def read_overview(site: Site, tables: SnapshotTables) -> "pd.DataFrame":
    """Return one row per child, visit and expected assay with its state at the cut-off."""
    study = site.home.study
    return tables.remember(
        "overview", lambda: summarise_overview(tables, study, read_cut_off(tables.snapshot, study))
    )
