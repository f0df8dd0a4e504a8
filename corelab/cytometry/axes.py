"""The axes on which events are drawn: places between 0 and 1, their linear values, and their ticks."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from corelab.cytometry.interchange.model import Linear, Log, Logicle, Scale
from corelab.cytometry.interchange.scales import apply_scale, invert_scale
from corelab.cytometry.records import Values
from corelab.cytometry.tube import Tube

_TOP: Final = 262_144.0
_DECADES: Final = 4.5
_NOISE_SHOWN: Final = 5.0
"""Spreads of the negatives that the axis shows below zero."""
_WIDTHS: Final = (0.3, 1.6)
_FIRST_LABEL: Final = 3
"""The decades around zero carry no label: theirs would stand in each other's way."""
_ROUND: Final = (1.0, 2.0, 5.0, 10.0)
_SPARE: Final = 1.25
"""How far beyond a value an axis ends that is made to hold it."""
_DIGITS: Final = 4
"""Digits of a limit that a person sets: finer than a pixel of any plot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on an axis; ``power`` is its signed power of ten, None for a plain number or a minor tick."""

    place: float
    value: float
    is_major: bool
    power: int | None = None


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis: the channel by its marker and detector, and its scale."""

    channel: str
    detector: str
    scale: Scale

    def place(self, value: float) -> float:
        """Return where a linear value lies; NaN where the scale is not defined."""
        return float(apply_scale(np.array([value], dtype=float), self.scale)[0])

    def value(self, place: float) -> float:
        """Return the linear value of a place, in the digits that a person may set."""
        exact = float(invert_scale(np.array([place], dtype=float), self.scale)[0])
        return float(f"{exact:.{_DIGITS - 1}e}")

    def edges(self, n_bins: int) -> Values:
        """Return the linear values of ``n_bins + 1`` edges that divide the axis evenly, ascending."""
        return invert_scale(np.linspace(0.0, 1.0, n_bins + 1), self.scale)

    @cached_property
    def ticks(self) -> tuple[Tick, ...]:
        """Return the ticks from low to high."""
        found = _tick_numbers(self.scale) if isinstance(self.scale, Linear) else _tick_decades(self)
        return tuple(sorted((t for t in found if -1e-6 <= t.place <= 1 + 1e-6), key=lambda tick: tick.place))


def build_axis(tube: Tube, channel: str) -> Axis | None:
    """Choose the axis of a marker or scatter channel; None where the tube has no such channel.

    Markers lie on a logicle scale whose linear part is as wide as the tube's own noise, side scatter on a
    logarithm, as its limit is fitted there, forward scatter and time on plain axes.
    """
    column = tube.column(channel)
    if column is not None:
        scale = choose_logicle(float(tube.acquisition.ranges[column]), float(tube.scales[column]))
        return Axis(channel=channel, detector=tube.acquisition.detectors[column], scale=scale)
    values, place = tube.scatter(channel), tube.markers.scatter.get(channel)
    if values is None or place is None or not len(values):
        return None
    return Axis(
        channel=channel,
        detector=tube.acquisition.detectors[place],
        scale=_choose_log(values) if channel == "SSC-A" else _choose_linear(values, channel),
    )


def stretch_axis(axis: Axis, value: float) -> Axis:
    """Return an axis that holds a value as well; its lower end stays.

    Markers lie on the whole range of their channel, which holds every value.

    Examples
    --------
    >>> plain = Axis(channel="FSC-A", detector="FSC-A", scale=Linear(t=1000.0, a=0.0))
    >>> stretch_axis(plain, 2000.0).scale.t, stretch_axis(plain, 10.0).scale.t
    (2500.0, 1000.0)
    """
    scale, top = axis.scale, _SPARE * value
    if not isinstance(scale, Linear | Log) or not top > scale.t:
        return axis
    if isinstance(scale, Linear):
        return replace(axis, scale=replace(scale, t=top))
    return replace(axis, scale=Log(t=top, m=scale.m + math.log10(top / scale.t)))


def choose_logicle(top: float, noise: float) -> Logicle:
    """Choose the scale of a marker.

    Parameters
    ----------
    top
        Upper end of the channel.
    noise
        Spread of its negatives.

    Notes
    -----
    ``w = (m - log10(t / r)) / 2`` with ``r`` the depth below zero that is to be seen; rounded to a
    twentieth, so that tubes of one run share their axis.

    References
    ----------
    Parks DR, Roederer M, Moore WA. Cytometry A 2006;69:541.

    Examples
    --------
    >>> choose_logicle(262144.0, 150.0).w
    1.0
    """
    t = top if math.isfinite(top) and top > 1 else _TOP
    m = _DECADES + max(0.0, math.log10(t / _TOP))
    depth = min(max(_NOISE_SHOWN * noise, 1.0), t / 10)
    width = (m - math.log10(t / depth)) / 2
    low, high = _WIDTHS
    return Logicle(t=t, w=round(min(max(width, low), high) * 20) / 20, m=m, a=0.0)


def _choose_log(values: Values) -> Scale:
    positive = values[values > 0]
    if not len(positive):
        return Linear(t=1.0, a=0.0)
    low, high = np.quantile(positive, (0.001, 0.999))
    first, last = math.floor(math.log10(low) * 4) / 4, math.log10(high) + 0.1
    return Log(t=10.0**last, m=max(last - max(first, last - 4), 1.0))


def _choose_linear(values: Values, channel: str) -> Linear:
    if channel == "time":
        low, high = float(values.min()), float(values.max())
        return Linear(t=max(high, low + 1.0), a=-low)
    return Linear(t=max(float(np.quantile(values, 0.999)) * 1.05, 1.0), a=0.0)


def _tick_decades(axis: Axis) -> list[Tick]:
    """Mark 1 to 9 of each decade on either side of zero, and zero itself where it has a place."""
    has_zero = isinstance(axis.scale, Logicle)
    top = axis.scale.t if isinstance(axis.scale, Logicle | Log) else 1.0
    numbers = [0.0] if has_zero else []
    signs = (1.0, -1.0) if has_zero else (1.0,)
    for power in range(2 if has_zero else 0, math.ceil(math.log10(top)) + 1):
        numbers += [sign * step * 10.0**power for sign in signs for step in range(1, 10)]
    places = apply_scale(np.array(numbers), axis.scale)
    pairs = zip(places.tolist(), numbers, strict=True)
    return [_tick(place, number, has_zero=has_zero) for place, number in pairs if math.isfinite(place)]


def _tick(place: float, number: float, *, has_zero: bool) -> Tick:
    if number == 0:
        return Tick(place=place, value=0.0, is_major=True)
    power = math.log10(abs(number))
    is_decade = abs(power - round(power)) < 1e-9
    is_major = is_decade and (round(power) >= _FIRST_LABEL or not has_zero)
    signed = round(math.copysign(round(power), number))
    return Tick(place=place, value=number, is_major=is_major, power=signed if is_major else None)


def _tick_numbers(scale: Linear) -> list[Tick]:
    """Mark about five round numbers."""
    low, high = -scale.a, scale.t
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(factor * power for factor in _ROUND if factor * power >= span / 5)
    first = math.ceil(low / step)
    numbers = [step * number for number in range(first, math.floor(high / step) + 1)]
    return [Tick(place=(n + scale.a) / (scale.t + scale.a), value=n, is_major=True) for n in numbers]
