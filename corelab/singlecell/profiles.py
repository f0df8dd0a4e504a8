"""What marks a cluster, and whether batches lie where the others do."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

HEAT: Final = ("panel", "cluster", "marker", "divides", "median", "scaled", "cells")
BATCHES: Final = ("panel", "batch", "marker", "files", "cells", "shift", "level")
_FEWEST: Final = 20
_GAP: Final = 1.0


def compute_weighted_median(values: Floats, weights: Floats) -> float:
    """Return the smallest value with at least half of the weight at or below it; NaN for none.

    Examples
    --------
    >>> compute_weighted_median(np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 5.0]))
    9.0
    """
    if not len(values):
        return float("nan")
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def derive_heat(
    cells: "pd.DataFrame", markers: Sequence[str], *, panel: str, divides: Sequence[str]
) -> "pd.DataFrame":
    """Derive the median of every marker in every cluster, each marker scaled from 0 to 1 over the clusters.

    Parameters
    ----------
    cells
        Chosen cells: ``cluster``, ``weight`` and the markers on the self-scaled axis.
    markers, divides
        The markers to show, and those of them that divide cells into clusters.
    """
    import pandas as pd

    rows = []
    groups = [(str(name), part) for name, part in cells.groupby("cluster", sort=True, observed=True)]
    for marker in markers:
        medians = [
            compute_weighted_median(part[marker].to_numpy(float), part["weight"].to_numpy(float))
            for _, part in groups
        ]
        low, high = (min(medians), max(medians)) if medians else (0.0, 0.0)
        rows += [
            {
                "panel": panel, "cluster": name, "marker": marker,
                "divides": "yes" if marker in divides else "no", "median": median,
                "scaled": (median - low) / (high - low) if high > low else 0.0,
                "cells": float(part["weight"].sum()),
            }
            for (name, part), median in zip(groups, medians, strict=True)
        ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(HEAT)).sort_values(["cluster", "marker"], ignore_index=True)


def describe_clusters(means: Floats, markers: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Write each cluster as the markers it has and has not, those that part no clusters left out.

    Examples
    --------
    >>> describe_clusters(np.array([[0.2, 3.0], [4.0, 3.1]]), ["CD4", "CD45"], ["T01", "T02"])
    {'T01': 'CD4−', 'T02': 'CD4+'}
    """
    words: dict[str, list[str]] = {name: [] for name in names}
    for column, marker in enumerate(markers):
        limit = find_gap(means[:, column])
        for name, value in zip(names, means[:, column], strict=True):
            if np.isfinite(limit):
                words[name].append(f"{marker}{'+' if value > limit else '−'}")
    return {name: " ".join(parts) for name, parts in words.items()}


def find_gap(values: Floats) -> float:
    """Return the middle of the widest gap between values; NaN where none is wider than one unit."""
    ordered = np.sort(values)
    gaps = np.diff(ordered)
    if not len(gaps) or gaps.max() < _GAP:
        return float("nan")
    widest = int(gaps.argmax())
    return float((ordered[widest] + ordered[widest + 1]) / 2)


def check_batches(
    cells: "pd.DataFrame", markers: Sequence[str], *, panel: str, limit: float
) -> "pd.DataFrame":
    """Check whether a batch lies elsewhere than the others in a marker, cluster by cluster.

    Parameters
    ----------
    cells
        Chosen cells: ``batch``, ``file_id``, ``cluster`` and the markers.
    markers
        The markers that divide cells.
    limit
        A larger shift is a warning.

    Returns
    -------
    DataFrame
        `BATCHES`. ``shift`` is the median, over the clusters with at least 20 cells in the batch, of the
        batch's median less that of all other batches: what is different in every cluster is the batch, what
        is different in one may be the patient. Empty (NaN) where there is no other batch.
    """
    import pandas as pd

    rows = []
    for batch, part in cells.groupby("batch", sort=True, observed=True):
        rest = cells[cells["batch"] != batch]
        own, other = _list_medians(part, markers), _list_medians(rest, markers)
        shared = own.index.intersection(other.index)
        apart = (own.loc[shared] - other.loc[shared]).median() if len(shared) else {}
        rows += [_judge(panel, str(batch), marker, part, apart, limit) for marker in markers]
    return pd.DataFrame(rows, columns=list(BATCHES))


def _list_medians(cells: "pd.DataFrame", markers: Sequence[str]) -> "pd.DataFrame":
    groups = cells.groupby("cluster", observed=True)
    medians: pd.DataFrame = groups[list(markers)].median()
    return medians[groups.size() >= _FEWEST]


def _judge(
    panel: str, batch: str, marker: str, part: "pd.DataFrame", apart: Mapping[str, float], limit: float
) -> dict[str, object]:
    shift = float(apart[marker]) if len(apart) else float("nan")
    return {
        "panel": panel, "batch": batch, "marker": marker, "files": float(part["file_id"].nunique()),
        "cells": float(len(part)), "shift": shift, "level": "warn" if abs(shift) > limit else "",
    }  # fmt: skip
