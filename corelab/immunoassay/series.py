"""Expected concentrations that contradict their own dilution series: a lost decimal point, a wrong level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corelab.immunoassay.curve import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFault:
    """A level off its series: what was stated, what the other levels imply, and what may have happened.

    ``is_slip`` says that it is a shifted decimal point or stands out of order; a step that was chosen
    differently is neither.
    """

    level: str
    stated: float
    implied: float
    explanation: str
    is_slip: bool


def find_series_faults(
    expected: Mapping[str, float], *, places: Sequence[int] | None = None, tolerance_percent: float = 5.0
) -> list[SeriesFault]:
    """Find levels that do not lie on the geometric series of the others.

    Parameters
    ----------
    expected
        Concentration by level, the levels in the order of the series (descending or ascending).
    places
        Number of each level in the series, where some may be missing; 0, 1, 2 ... by default.
    tolerance_percent
        How far a level may lie off the series.

    Returns
    -------
    list of SeriesFault
        In the order of the levels; empty where they are no series (fewer than four levels, or no ratio that
        most neighbours share): steps may be chosen freely, and then nothing can be said.

    Examples
    --------
    >>> fault, = find_series_faults({"S1": 400, "S2": 200, "S3": 100000, "S4": 50, "S5": 25})
    >>> fault.level, fault.implied, fault.explanation
    ('S3', 100.0, 'a lost decimal point (a factor of 1000)')
    """
    numbered = list(zip(expected, range(len(expected)) if places is None else places, strict=True))
    kept = [(name, place) for name, place in numbered if expected[name] > 0]
    stated = np.array([expected[name] for name, _ in kept], dtype=np.float64)
    line = _find_line(np.log(stated), np.array([place for _, place in kept]), tolerance_percent)
    if line is None:
        return []
    implied = np.exp(line)
    off = np.flatnonzero(np.abs(stated / implied - 1) * 100 > tolerance_percent)
    return [
        SeriesFault(
            level=kept[i][0], stated=float(stated[i]), implied=float(f"{implied[i]:.12g}"),
            explanation=_explain(stated[i] / implied[i]),
            is_slip=_power_of_ten(stated[i] / implied[i]) != 0 or _is_out_of_order(stated, implied, i),
        )
        for i in off.tolist()
    ]  # fmt: skip


def _is_out_of_order(stated: Values, implied: Values, i: int) -> bool:
    """Tell whether a level lies on the wrong side of a neighbour, by what the series implies for that one."""
    beside = [implied[j] for j in (i - 1, i + 1) if 0 <= j < len(stated)]
    return any((stated[i] > other) != (implied[i] > other) for other in beside)


def _find_line(logs: Values, places: npt.NDArray[np.int_], tolerance: float) -> Values | None:
    """Return the geometric series through most levels, or None if fewer than two thirds lie on one."""
    n = len(logs)
    if n < 4:
        return None
    best, most = None, 0
    for i in range(n):
        for j in range(i + 1, n):
            step = (logs[j] - logs[i]) / max(places[j] - places[i], 1)
            line = logs[i] + step * (places - places[i])
            agree = int((np.abs(np.expm1(logs - line)) * 100 <= tolerance).sum())
            if agree > most and abs(step) > np.log(1.1):
                best, most = line, agree
    return best if 3 * most >= 2 * n else None


def _power_of_ten(ratio: float) -> int:
    """Return by how many places a decimal point was moved; 0 if that is not what happened."""
    power = round(float(np.log10(ratio)))
    return power if abs(ratio / 10.0**power - 1) < 0.1 else 0


def _explain(ratio: float) -> str:
    power = _power_of_ten(ratio)
    if power:
        word = "a lost decimal point" if power > 0 else "a decimal point too far left"
        return f"{word} (a factor of {10.0 ** abs(power):g})"
    return f"off by a factor of {ratio:.3g}"
