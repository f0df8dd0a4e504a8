"""A map of cells in two dimensions: made once of a few thousand, further cells find their place on it.

References
----------
McInnes L, Healy J, Melville J. arXiv:1802.03426 (UMAP), by scanpy: Wolf FA et al. Genome Biol 2018;19:15.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.singlecell.mixture import Floats, Labels, alone
from corelab.singlecell.settings import CellSettings

Places = npt.NDArray[np.float64]

_NEAREST: Final = 5
_CLOSE: Final = 1e-3
_CHUNK: Final = 50_000


def draw_map(values: Floats, settings: CellSettings) -> Places:
    """Lay cells out by UMAP on scanpy's graph of neighbours; below 30 cells by their first two components.

    The neighbours are exact: a map has few thousand cells, and no index has to be compiled for them.
    """
    if len(values) <= 2 * settings.neighbours:
        return _flatten(values)
    import warnings

    with warnings.catch_warnings():
        # Packages below announce their own changes and say that a seed keeps them on one core.
        warnings.simplefilter("ignore")
        import anndata
        import scanpy as sc

        with alone():
            data = anndata.AnnData(values.astype(np.float32))
            sc.pp.neighbors(
                data, n_neighbors=settings.neighbours, use_rep="X", transformer="sklearn",
                random_state=settings.seed,
            )  # fmt: skip
            sc.tl.umap(data, min_dist=0.3, init_pos=_flatten(values), random_state=settings.seed)
    return np.asarray(data.obsm["X_umap"], dtype=np.float64)


def _flatten(values: Floats) -> Places:
    """Return the first two principal components; their signs are those of the largest loading."""
    if not len(values):
        return np.zeros((0, 2))
    centred = values - values.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    two = np.zeros((2, values.shape[1]))
    two[: min(2, len(axes))] = axes[:2]
    signs = np.sign(two[np.arange(2), np.abs(two).argmax(axis=1)])
    return np.asarray(centred @ (two * np.where(signs == 0, 1, signs)[:, None]).T)


def find_places(
    values: Floats, labels: Labels, *, mapped: Floats, mapped_labels: Labels, places: Places
) -> Places:
    """Place cells on a map among the nearest cells of their own cluster there.

    Parameters
    ----------
    values, labels
        ``(n, d)`` cells and their clusters.
    mapped, mapped_labels, places
        The cells of the map, their clusters and where they are.

    Returns
    -------
    (n, 2) float64
        The mean of up to five nearest places, nearer ones counting more; a cell of the map stays where it
        is. NaN for a cell of a cluster that the map has no cell of.
    """
    from scipy.spatial import KDTree

    found = np.full((len(values), 2), np.nan)
    for cluster in np.unique(labels):
        rows, there = np.flatnonzero(labels == cluster), np.flatnonzero(mapped_labels == cluster)
        if not len(there):
            continue
        tree = KDTree(mapped[there])
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            distance, nearest = _ask(tree, values[part], min(_NEAREST, len(there)))
            weight = 1.0 / (distance + _CLOSE) ** 2
            around = places[there[nearest]]
            found[part] = (around * weight[..., None]).sum(axis=1) / weight.sum(axis=1)[:, None]
    return found


def _ask(tree: Any, values: Floats, count: int) -> tuple[Floats, Labels]:
    distance, nearest = tree.query(values, k=list(range(1, count + 1)))
    return distance, nearest
