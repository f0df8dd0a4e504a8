"""Areas under a curve: linear up, logarithmic down, and partial areas with an exact end.

References
----------
Gabrielsson J, Weiner D. Pharmacokinetic and Pharmacodynamic Data Analysis, 5th ed., section 2.8 (linear-up
log-down trapezoid).
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Method = Literal["linear_up_log_down", "linear"]


def compute_segment_areas(
    days: npt.ArrayLike, values: npt.ArrayLike, *, method: Method = "linear_up_log_down"
) -> Values:
    """Return the area of every segment between neighbouring points.

    Notes
    -----
    A fall between two positive values is exponential: ``(C1 - C2) / ln(C1 / C2) x dt``. Every other
    segment is a trapezoid.
    """
    time, value = np.asarray(days, dtype=float), np.asarray(values, dtype=float)
    width = np.diff(time)
    first, second = value[:-1], value[1:]
    linear: Values = (first + second) / 2 * width
    if method == "linear":
        return linear
    falls = (second < first) & (second > 0)
    # log1p keeps the digits of nearly equal neighbours, where C1 - C2 and the logarithm both vanish.
    drop = np.where(falls, (first - second) / np.where(falls, second, 1.0), 1.0)
    areas: Values = np.where(falls, (first - second) / np.log1p(drop) * width, linear)
    return areas


def compute_area(
    days: npt.ArrayLike, values: npt.ArrayLike, *, method: Method = "linear_up_log_down"
) -> float:
    """Return the area from the first point to the last.

    Examples
    --------
    >>> compute_area([0, 1, 3], [0, 120, 900])
    1080.0
    """
    return float(compute_segment_areas(days, values, method=method).sum())


def interpolate(
    days: npt.ArrayLike, values: npt.ArrayLike, at: float, *, method: Method = "linear_up_log_down"
) -> float:
    """Return the value at a time between two points: exponential where it falls, else linear.

    NaN outside the points: nothing is extrapolated here.

    Examples
    --------
    >>> round(interpolate([26.9, 33.1], [2500, 1500], 28), 2)
    2283.39
    """
    time, value = np.asarray(days, dtype=float), np.asarray(values, dtype=float)
    if not time.size or at < time[0] or at > time[-1]:
        return float("nan")
    right = int(np.searchsorted(time, at, side="left"))
    if time[right] == at:
        return float(value[right])
    first, second = float(value[right - 1]), float(value[right])
    share = float((at - time[right - 1]) / (time[right] - time[right - 1]))
    if method == "linear_up_log_down" and 0 < second < first:
        return float(first * (second / first) ** share)
    return first + (second - first) * share


def compute_partial_area(
    days: npt.ArrayLike, values: npt.ArrayLike, end: float, *, method: Method = "linear_up_log_down"
) -> float:
    """Return the area from the first point to an exact end inside the points; NaN beyond the last."""
    time, value = np.asarray(days, dtype=float), np.asarray(values, dtype=float)
    last = interpolate(time, value, end, method=method)
    if np.isnan(last):
        return float("nan")
    inside = time < end
    return compute_area(np.append(time[inside], end), np.append(value[inside], last), method=method)


def extend_last_segment(days: npt.ArrayLike, values: npt.ArrayLike, end: float) -> float:
    """Return the value shortly after the last point: along the last fall, held after a rise."""
    time, value = np.asarray(days, dtype=float), np.asarray(values, dtype=float)
    if time.size < 2 or value[-1] >= value[-2] or value[-1] <= 0:
        return float(value[-1])
    rate = np.log(value[-2] / value[-1]) / (time[-1] - time[-2])
    return float(value[-1] * np.exp(-rate * (end - time[-1])))
