"""Values onto the axes on which gates are drawn.

References
----------
Spidlen, Moore, Brinkman 2015, ISAC's Gating-ML 2.0 data exchange standard, Cytometry A 87:683.
Moore, Parks 2012, Update for the logicle data scale, Cytometry A 81:273.
Bagwell 2005, Hyperlog, Cytometry A 64:34.
"""

from functools import lru_cache
from typing import Any, Final

import numpy as np

from corelab.cytometry.interchange.model import (
    Asinh,
    Biex,
    FloorLog,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    Ratio,
    Scale,
)
from corelab.cytometry.records import Values
from corelab.errors import InputError

BIEX_TOP: Final = 4096.0
_LN10: Final = float(np.log(10.0))
_NO_ROOT: Final = -1.0
_MOST_DECADES: Final = 300.0
_WIDEST: Final = -1e6


def apply_scale(values: Values, scale: Scale) -> Values:
    """Return values on a scale; NaN where the scale is not defined, so that no gate holds them.

    Parameters
    ----------
    values
        ``(n,)`` linear.
    scale
        Any of the model's.

    Raises
    ------
    InputError
        If the scale's parameters make none.

    Examples
    --------
    >>> apply_scale(np.array([-500.0, 0.0, 10_000.0]), Linear(t=10_000, a=500)).round(4).tolist()
    [0.0, 0.0476, 1.0]
    """
    check_scale(scale)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        match scale:
            case Linear(t=t, a=a):
                return np.asarray((values + a) / (t + a))
            case Log(t=t, m=m):
                return np.where(values > 0, (1.0 / m) * np.log10(values / t) + 1.0, np.nan)
            case Asinh(t=t, m=m, a=a):
                return np.asarray(
                    (np.arcsinh(values * (np.sinh(m * _LN10) / t)) + a * _LN10) / ((m + a) * _LN10)
                )
            case FloorLog(offset=offset, decades=decades):
                floored = np.maximum(values, offset)
                return np.asarray((1.0 / decades) * (np.log10(floored) - np.log10(offset)))
            case Biex():
                x, y = _biex_table(scale)
                return np.where(np.isnan(values), np.nan, np.interp(values, x, y))
            case Logicle() | Hyperlog():
                return _find_roots(values, scale)


def invert_scale(places: Values, scale: Scale) -> Values:
    """Return the linear values of places on a scale.

    Raises
    ------
    InputError
        If the scale's parameters make none, or a place lies so far out that it has no value.
    """
    check_scale(scale)
    with np.errstate(over="ignore", invalid="ignore"):
        values = _invert(places, scale)
    if not np.all(np.isfinite(values)):
        raise InputError("a limit far off its scale", expected="one on the axis")
    return values


def _invert(places: Values, scale: Scale) -> Values:
    match scale:
        case Linear(t=t, a=a):
            return np.asarray(places * (t + a) - a)
        case Log(t=t, m=m):
            return np.asarray(t * 10 ** ((places - 1) * m))
        case Asinh(t=t, m=m, a=a):
            return np.asarray(np.sinh(places * (m + a) * _LN10 - a * _LN10) * t / np.sinh(m * _LN10))
        case FloorLog(offset=offset, decades=decades):
            return np.asarray(offset * 10 ** (places * decades))
        case Biex():
            x, y = _biex_table(scale)
            return np.asarray(np.interp(places, y, x))
        case Logicle() | Hyperlog():
            return np.asarray(
                _root_functions(scale)[1](np.array(places, dtype=float), None, **_parameters(scale))
            )


def compute_ratio(numerator: Values, denominator: Values, ratio: Ratio) -> Values:
    """Return ``a (x - b) / (y - c)``; NaN where the denominator is zero."""
    below = denominator - ratio.c
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(below == 0, np.nan, ratio.a * ((numerator - ratio.b) / below))


def check_scale(scale: Scale) -> Scale:
    """Return a scale whose parameters are allowed.

    Raises
    ------
    InputError
        If they are not finite or outside the limits of Gating-ML 2.0 (section 6) or of FlowJo's table.
    """
    numbers = {name: getattr(scale, name) for name in type(scale).__slots__}
    if not all(np.isfinite(number) for number in numbers.values()) or not _is_allowed(scale):
        text = ", ".join(f"{name} {number:g}" for name, number in numbers.items())
        raise InputError(
            f"{type(scale).__name__.lower()} scale with {text}", expected="parameters that make a scale"
        )
    return scale


def _is_allowed(scale: Scale) -> bool:
    match scale:
        case Linear(t=t, a=a):
            allowed = t + a > 0
        case Log(t=t, m=m):
            allowed = t > 0 and m > 0
        case Asinh(t=t, m=m, a=a):
            allowed = t > 0 and 0 < m <= _MOST_DECADES and m + a > 0
        case FloorLog(offset=offset, decades=decades):
            allowed = offset > 0 and decades > 0
        case Biex(negative=negative, width=width, positive=positive, maximum=maximum):
            allowed = _WIDEST <= width < 0 and 0 < positive <= 20 and 0 <= negative <= 20 and maximum > 0
        case Logicle(t=t, w=w, m=m, a=a) | Hyperlog(t=t, w=w, m=m, a=a):
            lowest = 0 if isinstance(scale, Logicle) else np.nextafter(0, 1)
            allowed = t > 0 and 0 < m <= _MOST_DECADES and lowest <= w <= m / 2 and -w <= a <= m - 2 * w
    return bool(allowed)


def _parameters(scale: Logicle | Hyperlog) -> dict[str, float]:
    return {"t": scale.t, "w": scale.w, "m": scale.m, "a": scale.a}


def _root_functions(scale: Logicle | Hyperlog) -> tuple[Any, Any]:
    from flowutils import transforms

    if isinstance(scale, Logicle):
        return transforms.logicle, transforms.logicle_inverse
    return transforms.hyperlog, transforms.hyperlog_inverse


def _find_roots(values: Values, scale: Logicle | Hyperlog) -> Values:
    """Apply a scale that has no formula; a root that was not found is no place on the axis."""
    forward, inverse = _root_functions(scale)
    finite = np.isfinite(values)
    places = np.full(len(values), np.nan)
    places[finite] = forward(np.ascontiguousarray(values[finite]), None, **_parameters(scale))
    # The library gives -1 both for a value that lies there and for one without a root.
    suspect = np.flatnonzero(places == _NO_ROOT)
    if len(suspect):
        back = float(inverse(np.array([_NO_ROOT]), None, **_parameters(scale))[0])
        places[suspect] = np.where(np.isclose(values[suspect], back), _NO_ROOT, np.nan)
    return places


@lru_cache(maxsize=256)
def _biex_table(scale: Biex) -> tuple[Values, Values]:
    """Return FlowJo's table: linear values and their channels 0 to 4,096, both rising."""
    from flowkit import transforms

    table = transforms.WSPBiexTransform(
        negative=scale.negative, width=scale.width, positive=scale.positive, max_value=scale.maximum
    )
    channels = np.arange(BIEX_TOP + 1)
    linear = np.asarray(table.inverse(channels), dtype=float)
    if not (np.all(np.isfinite(linear)) and np.all(np.diff(linear) > 0)):
        raise InputError(f"biex scale with width {scale.width:g}", expected="a scale that rises")
    return linear, channels
