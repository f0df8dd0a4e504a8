"""Logistic standard curves: response of a concentration, and concentration of a response.

Notes
-----
Five-parameter logistic ``y = d + (a - d) / (1 + (x / c)**b)**g``; the four-parameter one has ``g = 1``.
With ``b > 0`` the curve starts at ``a`` and ends at ``d``; a vendor's curve may be written with ``b < 0``,
then it starts at ``d`` and its asymmetry sits on the other shoulder.

References
----------
Gottschalk PG, Dunn JR. Anal Biochem 2005;343:54 (five-parameter logistic).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A logistic standard curve by the letters of its formula.

    ``a`` and ``d`` are the asymptotes in units of response, ``c`` a concentration, ``b`` the slope factor,
    ``g`` the asymmetry.
    """

    a: float
    b: float
    c: float
    d: float
    g: float = 1.0

    @property
    def floor(self) -> float:
        """Lower asymptote: no response at or below it has a concentration."""
        return min(self.a, self.d)

    @property
    def ceiling(self) -> float:
        """Upper asymptote: no response at or above it has a concentration."""
        return max(self.a, self.d)

    @property
    def is_rising(self) -> bool:
        """Whether more analyte gives more response."""
        return (self.d > self.a) == (self.b > 0)


def compute_response(curve: Curve, concentration: npt.ArrayLike) -> Values:
    """Return the response at concentrations of zero or more.

    Examples
    --------
    >>> curve = Curve(a=12, b=1.15, c=850, d=21000)
    >>> round(float(compute_response(curve, 100)), 4)
    1662.3356
    """
    x = np.asarray(concentration, dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        power = (x / curve.c) ** curve.b
        return np.asarray(curve.d + (curve.a - curve.d) / (1 + power) ** curve.g)


def compute_concentration(curve: Curve, response: npt.ArrayLike) -> Values:
    """Return the concentration of responses; NaN at or beyond an asymptote, where there is none.

    Which side a response without concentration lies on is told by `is_below` and `is_above`.

    Examples
    --------
    >>> curve = Curve(a=12, b=1.15, c=850, d=21000)
    >>> round(float(compute_concentration(curve, 5000)), 4), float(compute_concentration(curve, 11))
    (308.4968, nan)
    """
    y = np.asarray(response, dtype=np.float64)
    inside = (y > curve.floor) & (y < curve.ceiling)
    within = np.where(inside, y, np.nan)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        share = ((curve.a - curve.d) / (within - curve.d)) ** (1 / curve.g) - 1
        x = curve.c * np.where(share > 0, share, np.nan) ** (1 / curve.b)
    return np.where(np.isfinite(x) & (x > 0), x, np.nan)


def is_below(curve: Curve, response: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell which responses lie where a concentration of zero would, or beyond."""
    y = np.asarray(response, dtype=np.float64)
    return np.asarray(y <= curve.floor if curve.is_rising else y >= curve.ceiling)


def is_above(curve: Curve, response: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell which responses lie at or beyond saturation."""
    y = np.asarray(response, dtype=np.float64)
    return np.asarray(y >= curve.ceiling if curve.is_rising else y <= curve.floor)
