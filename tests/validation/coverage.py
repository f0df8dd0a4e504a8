"""How often exact and score intervals hold the truth, over expected counts on a log grid."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binom, poisson

from corelab.statistics.intervals import clopper_pearson, count_ratio, wilson

Values = npt.NDArray[np.float64]
TOTAL = 50_000
BEADS = 9_000
FIRST, LAST = 0.5, 1_000.0


def list_expected(n: int) -> Values:
    """Return expected counts on a log grid."""
    return np.geomspace(FIRST, LAST, n)


def cover_fractions(expected: Values) -> pd.DataFrame:
    """Return the coverage of both intervals of a fraction, summed over every count that can occur."""
    counts = np.arange(int(LAST + 12 * np.sqrt(LAST)) + 20)
    exact, score = clopper_pearson(counts, TOTAL), wilson(counts, TOTAL)
    rows = []
    for mean in expected:
        truth, chance = mean / TOTAL, binom.pmf(counts, TOTAL, mean / TOTAL)
        rows.append(
            {
                "expected": mean,
                "clopper_pearson": chance[(exact[0] <= truth) & (truth <= exact[1])].sum(),
                "wilson": chance[(score[0] <= truth) & (truth <= score[1])].sum(),
            }
        )
    return pd.DataFrame(rows)


def cover_concentrations(expected: Values, *, draws: int, seed: int) -> pd.DataFrame:
    """Return the coverage of cells per uL by beads, cells and beads both drawn from their Poisson laws.

    Cells are summed over every count that can occur, beads are drawn.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for mean in expected:
        counts = np.arange(int(mean + 10 * np.sqrt(mean)) + 20)
        chance = poisson.pmf(counts, mean)
        beads = rng.poisson(BEADS, draws)
        low, high = count_ratio(counts[:, None], beads[None, :])
        truth = mean / BEADS
        held = ((low <= truth) & (truth <= high)).mean(axis=1)
        rows.append({"expected": mean, "cells_per_ul": float((chance * held).sum())})
    return pd.DataFrame(rows)
