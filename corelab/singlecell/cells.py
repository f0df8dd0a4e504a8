"""Chosen cells of many files under each other, and what is asked of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from corelab.cytometry.sketch import CellSketch
from corelab.statistics.sampling import find_level

if TYPE_CHECKING:
    import pandas as pd

FILE: Final = ("file_id", "subject_id", "arm", "visit", "visit_label", "study_day", "collected_at", "panel")
"""What is said of each file, as in the table ``populations``."""
CELL: Final = ("batch", "compartment", "population", "weight", "cluster", "x", "y")
_MOST_MISSING: Final = 0.1
"""Share of a panel's files that may lack a marker which still divides cells; those files are left out."""


def gather_cells(sketches: Sequence[CellSketch], files: "pd.DataFrame", panel: str) -> "pd.DataFrame":
    """Lay the chosen cells of a panel's files under each other.

    Parameters
    ----------
    sketches
        The cells of each file.
    files
        By file id: `FILE` and ``batch``.
    panel
        The panel.

    Returns
    -------
    DataFrame
        `FILE`, ``batch``, ``compartment``, ``population``, ``weight`` and the markers on the self-scaled
        axis; a marker that a file lacks is NaN.
    """
    import pandas as pd

    parts = []
    for sketch in sketches:
        place = files.loc[sketch.file_id]
        if place["panel"] != panel or not len(sketch.events):
            continue
        values = pd.DataFrame(sketch.transformed.astype(np.float64), columns=list(sketch.markers))
        about = {name: place[name] for name in (*FILE, "batch")}
        parts.append(
            values.assign(
                **about, compartment=sketch.compartment, population=sketch.population, weight=sketch.weight
            )
        )
    columns = [*FILE, *CELL[:4]]
    if not parts:
        return pd.DataFrame({name: [] for name in columns})
    return pd.concat(parts, ignore_index=True)


def list_markers(cells: "pd.DataFrame") -> list[str]:
    """Return the markers of a panel's cells, sorted."""
    return sorted(str(name) for name in cells.columns if name not in {*FILE, *CELL})


def choose_markers(cells: "pd.DataFrame", wanted: Sequence[str]) -> tuple[str, ...]:
    """Choose those of the wanted markers that nearly every file has."""
    total = max(cells["file_id"].nunique(), 1)
    return tuple(
        marker
        for marker in wanted
        if marker in cells
        and cells.loc[cells[marker].notna(), "file_id"].nunique() >= (1 - _MOST_MISSING) * total
    )


def thin_fairly(cells: "pd.DataFrame", limit: int) -> "pd.DataFrame":
    """Take at most so many cells that the largest files are cut to one size, and weigh them accordingly.

    Every so-many-th row of a file is taken, the same ones each time: its rows are by compartment and then in
    the order in which the cells passed the laser.
    """
    if len(cells) <= limit:
        return cells
    sizes = cells.groupby("file_id", sort=False).size()
    level = find_level(sizes.to_numpy(dtype=np.int64), limit)
    taken = []
    for rows in cells.groupby("file_id", sort=False).indices.values():
        count = min(level, len(rows))
        taken.append(rows[np.arange(count) * len(rows) // count])
    chosen = np.sort(np.concatenate(taken))
    kept = sizes.clip(upper=level)
    factor = (sizes / kept).loc[cells["file_id"].iloc[chosen]].to_numpy(float)
    return cells.iloc[chosen].assign(weight=cells["weight"].to_numpy(float)[chosen] * factor)
