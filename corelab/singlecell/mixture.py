"""Clusters of cells: many small groups, joined while noise alone could part them, then smoothed.

The steps are those of FlowSOM with a k-means in the place of its map, and the clusters are at last described
as normal distributions, so that their borders are smooth, do not hang on single cells, and can be kept.

References
----------
Van Gassen S et al. Cytometry A 2015;87:636 (many nodes, joined by hierarchical clustering). Dempster AP,
Laird NM, Rubin DB. J R Stat Soc B 1977;39:1 (the mixture's expectation and maximisation).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.errors import ConfigError
from corelab.singlecell.settings import CellSettings

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]

NOISE: Final = 0.4
"""Standard deviation of cells without a marker on the self-scaled axis."""
ONE_PEAK: Final = 0.98
"""The valley between two clusters that is none: so much of the lower peak."""
_FAR: Final = 40.0
"""Squared distance in spreads of both beyond which two clusters are surely two."""
_STEPS: Final = 61
_ROUNDS: Final = 60
_FLOOR: Final = 0.02
_CHUNK: Final = 50_000
_MOST_CLUSTERS: Final = 60
_LEIDEN_CELLS: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """Clusters as normal distributions: ``weights (k,)``, ``means (k, d)``, ``covariances (k, d, d)``."""

    weights: Floats
    means: Floats
    covariances: Floats

    def __len__(self) -> int:
        return len(self.weights)


def alone() -> AbstractContextManager[Any]:
    """Use one thread: sums over several are not the same to the last bit each time."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(limits=1)
    return limits


def fit_mixture(values: Floats, settings: CellSettings, *, method: str = "gaussian") -> Mixture | None:
    """Find the clusters of cells.

    Parameters
    ----------
    values
        ``(n, d)`` cells by the markers that divide them, on the self-scaled axis.
    settings
        Nodes, merging distance, seed.
    method
        ``gaussian``, or ``leiden`` for first clusters by the Leiden algorithm on the graph of neighbours.

    Returns
    -------
    Mixture or None
        The largest cluster first; None for fewer cells than make a model. The same cells and seed give
        the same bytes on one machine.

    Raises
    ------
    ConfigError
        If the method is unknown or its packages are not installed.
    """
    if len(values) < settings.fewest:
        return None
    with alone():
        start = _START[method](values, settings) if method in _START else None
        if start is None:
            raise ConfigError(f"method {method!r} is unknown", expected=" or ".join(_START))
        return _sort(_dissolve(values, _refine(values, start)))


def _join_nodes(values: Floats, settings: CellSettings) -> Labels:
    """Group cells into nodes and join nodes by average linkage up to the merging distance."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from sklearn.cluster import KMeans

    count = min(settings.nodes, max(2, len(values) // 10))
    nodes = KMeans(count, n_init=1, random_state=settings.seed % 2**32).fit(values)
    tree = linkage(nodes.cluster_centers_, "average")
    distance = settings.merge * NOISE * np.sqrt(2 * values.shape[1])
    joined = fcluster(tree, distance, "distance")
    if joined.max() > _MOST_CLUSTERS:
        joined = fcluster(tree, _MOST_CLUSTERS, "maxclust")
    found: Labels = joined.astype(np.int64)[nodes.labels_] - 1
    return found


def _join_graph(values: Floats, settings: CellSettings) -> Labels:
    """Cluster a graph of neighbours by Leiden; further cells go to the cluster of their nearest one."""
    from importlib.util import find_spec

    if not (find_spec("leidenalg") and find_spec("igraph")):
        raise ConfigError("Leiden is not installed", remedy="pip install 'corelab[leiden]'")
    import anndata
    import scanpy as sc
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(settings.seed)
    chosen = np.sort(rng.permutation(len(values))[:_LEIDEN_CELLS])
    data = anndata.AnnData(values[chosen].astype(np.float32))
    sc.pp.neighbors(
        data, n_neighbors=settings.neighbours, use_rep="X", transformer="sklearn", random_state=settings.seed
    )
    sc.tl.leiden(
        data, resolution=1.0, flavor="igraph", n_iterations=2, directed=False, random_state=settings.seed
    )
    names = data.obs["leiden"].astype(str).astype(int).to_numpy()
    nearest = KNeighborsClassifier(1).fit(values[chosen], names)
    found: Labels = nearest.predict(values).astype(np.int64)
    return found


_START: Final[dict[str, Callable[[Floats, CellSettings], Labels]]] = {
    "gaussian": _join_nodes, "leiden": _join_graph,
}  # fmt: skip


def _refine(values: Floats, labels: Labels) -> Mixture:
    """Describe clusters as normal distributions and let them settle."""
    return _settle_down(values, _describe(values, labels))


def _dissolve(values: Floats, mixture: Mixture) -> Mixture:
    """Take away clusters that share one peak with a larger one, until each has a peak of its own.

    One kind of cell whose values are not quite normal is described by several distributions, and which ones
    hangs on single cells: a model without a visit would draw another border through it. The cells of a
    cluster that goes are taken by those that they are nearest to.
    """
    while len(mixture) > 1:
        smaller = _find_without_peak(mixture)
        if smaller is None:
            return mixture
        kept = np.arange(len(mixture)) != smaller
        mixture = _settle_down(
            values,
            Mixture(
                weights=mixture.weights[kept] / mixture.weights[kept].sum(),
                means=mixture.means[kept],
                covariances=mixture.covariances[kept],
            ),
        )
    return mixture


def _find_without_peak(mixture: Mixture) -> int | None:
    """Return the smaller of the two clusters that are most surely one peak, or None."""
    best, found = ONE_PEAK, None
    for one in range(len(mixture)):
        for other in range(one):
            depth = _find_valley(mixture, one, other)
            if depth >= best:
                best, found = depth, one if mixture.weights[one] < mixture.weights[other] else other
    return found


def _find_valley(mixture: Mixture, one: int, other: int) -> float:
    """Return the density in the valley between two clusters, as a share of the lower peak; 1 without one.

    All peaks and valleys of two normal distributions lie on one line, from mean to mean (the ridge line).
    """
    pair = [one, other]
    inverse = np.linalg.inv(mixture.covariances[pair])
    apart = mixture.means[one] - mixture.means[other]
    if apart @ inverse[0] @ apart > _FAR and apart @ inverse[1] @ apart > _FAR:
        return 0.0
    pulled = np.einsum("kij,kj->ki", inverse, mixture.means[pair])
    part = np.linspace(0.0, 1.0, _STEPS)[:, None]
    line = np.linalg.solve(
        (1 - part[..., None]) * inverse[0] + part[..., None] * inverse[1],
        ((1 - part) * pulled[0] + part * pulled[1])[..., None],
    )[..., 0]
    heights = mixture.weights[pair] * np.sqrt(np.linalg.det(inverse))
    off = line[:, None, :] - mixture.means[pair]
    density = (heights * np.exp(-0.5 * np.einsum("nki,kij,nkj->nk", off, inverse, off))).sum(axis=1)
    before = np.maximum.accumulate(density)
    after = np.maximum.accumulate(density[::-1])[::-1]
    return float((density / np.minimum(before, after)).min())


def _describe(values: Floats, labels: Labels) -> Mixture:
    depth = values.shape[1]
    counts = np.bincount(labels)
    kept = np.flatnonzero(counts > 0)
    means = np.array([values[labels == one].mean(axis=0) for one in kept])
    spreads = np.array([_spread(values[labels == one], depth) for one in kept])
    return Mixture(weights=counts[kept] / len(values), means=means, covariances=spreads)


def _settle_down(values: Floats, mixture: Mixture) -> Mixture:
    """Do rounds of `_settle` until no mean moves."""
    for _ in range(_ROUNDS):
        before = mixture.means
        mixture = _settle(values, mixture)
        if float(np.abs(mixture.means - before).max()) < 1e-3:
            break
    return mixture


def _spread(cells: Floats, depth: int) -> Floats:
    if len(cells) <= 3 * depth:
        return np.eye(depth) * NOISE**2
    return np.asarray(np.cov(cells.T)).reshape(depth, depth) + _FLOOR * np.eye(depth)


def _settle(values: Floats, mixture: Mixture) -> Mixture:
    """Do one round of expectation and maximisation; a cluster that would vanish stays as it was."""
    shares = np.exp(_score(values, mixture))
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
    total = shares.sum(axis=0)
    lasts = total > 3 * values.shape[1]
    means, covariances = mixture.means.copy(), mixture.covariances.copy()
    for one in np.flatnonzero(lasts):
        means[one] = shares[:, one] @ values / total[one]
        apart = values - means[one]
        covariances[one] = (apart * shares[:, [one]]).T @ apart / total[one]
        covariances[one] += _FLOOR * np.eye(values.shape[1])
    return Mixture(weights=np.maximum(total, 1.0) / len(values), means=means, covariances=covariances)


def _score(values: Floats, mixture: Mixture) -> Floats:
    """Return log weight and log density of each cell in each cluster, less the largest of the cell."""
    from scipy.linalg import solve_triangular

    scores = np.empty((len(values), len(mixture)))
    for one, (weight, mean, covariance) in enumerate(
        zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    ):
        root = np.linalg.cholesky(covariance)
        apart = solve_triangular(root, (values - mean).T, lower=True, check_finite=False)
        scores[:, one] = np.log(weight) - np.log(np.diag(root)).sum() - 0.5 * (apart**2).sum(axis=0)
    scores -= scores.max(axis=1, keepdims=True)
    return scores


def _sort(mixture: Mixture) -> Mixture:
    order = np.argsort(-mixture.weights, kind="stable")
    return Mixture(
        weights=mixture.weights[order], means=mixture.means[order], covariances=mixture.covariances[order]
    )


def assign_clusters(values: Floats, mixture: Mixture, *, progress: Progress | None = None) -> Labels:
    """Return the most probable cluster of each cell; a part at a time, so that memory stays small."""
    labels = np.zeros(len(values), dtype=np.int64)
    with alone():
        for start in range(0, len(values), _CHUNK):
            part = np.asarray(values[start : start + _CHUNK], dtype=np.float64)
            labels[start : start + _CHUNK] = _score(part, mixture).argmax(axis=1)
            if progress:
                progress(min(start + _CHUNK, len(values)), len(values))
    return labels
