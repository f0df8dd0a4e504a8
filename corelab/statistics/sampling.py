"""A fair choice among groups of very different size."""

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def choose_fairly(
    labels: npt.NDArray[np.object_], *, limit: int, rng: np.random.Generator
) -> tuple[Indices, npt.NDArray[np.float64]]:
    """Choose at most so many rows that no label loses more than needed: the largest are cut to one size.

    Returns
    -------
    chosen : (n,) int64
        Rows, ascending.
    weights : (n,) float64
        Rows of the label for each chosen one; their sum is the number of labels' rows.
    """
    names, codes, counts = np.unique(labels.astype(str), return_inverse=True, return_counts=True)
    level = find_level(counts, limit)
    taken, weights = [], []
    for code in range(len(names)):
        rows = np.flatnonzero(codes == code)
        size = min(level, len(rows))
        picked = rng.choice(rows, size=size, replace=False) if size < len(rows) else rows
        taken.append(picked)
        weights.append(np.full(size, len(rows) / size if size else 0.0))
    chosen = np.concatenate(taken) if taken else np.zeros(0, dtype=np.int64)
    order = np.argsort(chosen)
    return chosen[order], (np.concatenate(weights) if weights else np.zeros(0))[order]


def find_level(counts: npt.NDArray[np.int64], limit: int) -> int:
    """Return the largest size such that groups cut to it make at most ``limit`` together; at least 1.

    Examples
    --------
    >>> find_level(np.array([5, 1000, 2000]), 105), find_level(np.array([5, 7]), 100)
    (50, 7)
    """
    if counts.sum() <= limit:
        return int(counts.max(initial=1))
    low, high = 1, int(counts.max())
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(counts, middle).sum() <= limit:
            low = middle
        else:
            high = middle - 1
    return low
