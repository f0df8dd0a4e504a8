"""Expected concentrations that contradict their own dilution series: a lost decimal point, a wrong level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFault:
    """A level off its series: what was stated, what the other levels imply, and what may have happened."""

    level: str
    stated: float
    implied: float
    explanation: str


def find_series_faults(expected: Mapping[str, float], *, tolerance_percent: float = 5.0) -> list[SeriesFault]:
    """Find levels that do not lie on the geometric series of the others.

    Parameters
    ----------
    expected
        Concentration by level, the levels in the order of the series (descending or ascending).
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
    names = [name for name, value in expected.items() if value > 0]
    logs = np.log([expected[name] for name in names])
    line = _find_line(logs, tolerance_percent)
    if line is None:
        return []
    implied = np.exp(line)
    off = np.abs(np.exp(logs) / implied - 1) * 100 > tolerance_percent
    return [
        SeriesFault(
            level=names[i], stated=expected[names[i]], implied=float(f"{implied[i]:.12g}"),
            explanation=_explain(expected[names[i]] / implied[i]),
        )
        for i in np.flatnonzero(off)
    ]  # fmt: skip


def _find_line(
    logs: "np.typing.NDArray[np.float64]", tolerance: float
) -> "np.typing.NDArray[np.float64] | None":
    """Return the geometric series through most of the levels, or None if fewer than two thirds lie on one."""
    n = len(logs)
    if n < 4:
        return None
    places = np.arange(n)
    best, most = None, 0
    for i in range(n):
        for j in range(i + 1, n):
            step = (logs[j] - logs[i]) / (j - i)
            line = logs[i] + step * (places - i)
            agree = int((np.abs(np.expm1(logs - line)) * 100 <= tolerance).sum())
            if agree > most and abs(step) > np.log(1.1):
                best, most = line, agree
    return best if 3 * most >= 2 * n else None


def _explain(ratio: float) -> str:
    power = round(float(np.log10(ratio)))
    if power != 0 and abs(ratio / 10.0**power - 1) < 0.1:
        word = "a lost decimal point" if power > 0 else "a decimal point too far left"
        return f"{word} (a factor of {10.0 ** abs(power):g})"
    return f"off by a factor of {ratio:.3g}"


def list_levels_by_fault(faults: Mapping[str, Sequence[SeriesFault]]) -> dict[str, list[str]]:
    """Gather analytes by the level that is off, for one line per level instead of one per analyte."""
    levels: dict[str, list[str]] = {}
    for analyte, found in faults.items():
        for fault in found:
            levels.setdefault(fault.level, []).append(analyte)
    return levels
