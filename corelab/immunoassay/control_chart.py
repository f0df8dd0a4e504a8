"""Levey-Jennings charts of controls over plates and kit lots, judged by the Westgard rules.

References
----------
Westgard JO et al. Clin Chem 1981;27:493.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WARNING = "1_2s"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPoint:
    """One control of one plate, in the order of time."""

    plate: str
    lot: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPoint:
    """A control on its lot's chart: how many standard deviations off the centre, and the rules it breaks."""

    plate: str
    lot: str
    value: float
    centre: float
    sd: float
    z: float
    rules: tuple[str, ...]

    @property
    def is_rejected(self) -> bool:
        """Whether a rule beyond the warning is broken."""
        return any(rule != WARNING for rule in self.rules)


def chart_controls(
    points: Sequence[ControlPoint],
    *,
    centre: float | None = None,
    sd: float | None = None,
    baseline: int = 20,
) -> list[ChartPoint]:
    """Place controls on a Levey-Jennings chart; each kit lot has its own centre and spread.

    Parameters
    ----------
    points
        Controls of one analyte and level, in the order of time.
    centre, sd
        Established target and standard deviation; without them they come from the lot's first ``baseline``
        points (three at least, else there is no chart and no rule).
    baseline
        How many first points of a lot establish its chart.
    """
    charted: dict[int, ChartPoint] = {}
    for lot in dict.fromkeys(point.lot for point in points):
        places = [place for place, point in enumerate(points) if point.lot == lot]
        values = np.array([points[place].value for place in places], dtype=np.float64)
        middle, spread = _establish(values[:baseline], centre, sd)
        z = (values - middle) / spread if spread > 0 else np.full(len(values), np.nan)
        for step, place in enumerate(places):
            charted[place] = ChartPoint(
                plate=points[place].plate, lot=lot, value=float(values[step]), centre=middle, sd=spread,
                z=float(z[step]), rules=find_broken_rules(z[: step + 1]),
            )  # fmt: skip
    return [charted[place] for place in range(len(points))]


def _establish(first: npt.NDArray[np.float64], centre: float | None, sd: float | None) -> tuple[float, float]:
    finite = first[np.isfinite(first)]
    enough = len(finite) >= 3
    middle = centre if centre is not None else float(finite.mean()) if enough else float("nan")
    spread = sd if sd is not None else float(np.std(finite, ddof=1)) if enough else float("nan")
    return middle, spread


def find_broken_rules(z: npt.ArrayLike) -> tuple[str, ...]:
    """Return the Westgard rules that the last of a sequence of z-scores breaks.

    Examples
    --------
    >>> find_broken_rules([0.1, 2.3]), find_broken_rules([2.1, 2.3]), find_broken_rules([-2.2, 2.3])
    (('1_2s',), ('1_2s', '2_2s'), ('1_2s', 'R_4s'))
    """
    scores = np.asarray(z, dtype=np.float64)
    last = scores[-1]
    if not np.isfinite(last):
        return ()
    side = np.sign(last) * scores
    rules = {
        WARNING: abs(last) > 2,
        "1_3s": abs(last) > 3,
        "2_2s": len(side) >= 2 and bool((side[-2:] > 2).all()),
        "R_4s": len(side) >= 2 and abs(last) > 2 and side[-2] < -2,
        "4_1s": len(side) >= 4 and bool((side[-4:] > 1).all()),
        "10_x": len(side) >= 10 and bool((side[-10:] > 0).all()),
    }
    return tuple(rule for rule, broken in rules.items() if broken)
