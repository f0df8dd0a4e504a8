"""Values as the intervals in which they lie, in exact fractions.

A measured value is an interval of one point, ``<1.0`` the interval from 0 up to but without 1.0. Limits are
compared with the interval, never with a number that was put in its place, and never in binary floating
point: 1.725 is exactly 1.5 x 1.15.
"""

import math
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Final

from corelab.clinical.logic import Truth, negate

SHOWN_DIGITS: Final = 6
_DELIVERED: Final = Context(prec=12, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """An interval; an open end is None, a strict one excludes its own value."""

    low: Fraction | None
    high: Fraction | None
    is_low_strict: bool = False
    is_high_strict: bool = False

    @property
    def exact(self) -> Fraction | None:
        """The value itself where the interval is one point."""
        return self.low if self.low is not None and self.low == self.high else None


UNBOUNDED: Final = Bounds(low=None, high=None)


def point(value: Fraction | int) -> Bounds:
    """Return the interval of one known value."""
    return Bounds(low=Fraction(value), high=Fraction(value))


def read_number(value: float) -> Fraction | None:
    """Return a number of a table by the decimal digits in which it was delivered; None for NaN.

    Notes
    -----
    Twelve significant digits: more than any laboratory reports, and fewer than binary rounding disturbs.

    Examples
    --------
    >>> read_number(1.15) * 3 / 2 == Fraction("1.725")
    True
    """
    if not math.isfinite(value):
        return None
    return Fraction(_DELIVERED.create_decimal(Decimal(value)))


def is_at_least(value: Bounds, limit: Fraction) -> Truth:
    """Tell whether a value is at or above a limit.

    Examples
    --------
    >>> below = Bounds(low=Fraction(0), high=Fraction("1.5"), is_high_strict=True)
    >>> is_at_least(below, Fraction(1)).value, is_at_least(below, Fraction("1.5")).value
    ('unknown', 'no')
    """
    if value.low is not None and value.low >= limit:
        return Truth.YES
    if value.high is not None and (value.high < limit or (value.high == limit and value.is_high_strict)):
        return Truth.NO
    return Truth.UNKNOWN


def is_above(value: Bounds, limit: Fraction) -> Truth:
    """Tell whether a value is above a limit."""
    if value.low is not None and (value.low > limit or (value.low == limit and value.is_low_strict)):
        return Truth.YES
    if value.high is not None and value.high <= limit:
        return Truth.NO
    return Truth.UNKNOWN


def compare(value: Bounds, relation: str, limit: Fraction) -> Truth:
    """Tell whether a value stands in a relation (``>= > <= <``) to a limit."""
    if relation == ">=":
        return is_at_least(value, limit)
    if relation == ">":
        return is_above(value, limit)
    return negate(is_above(value, limit) if relation == "<=" else is_at_least(value, limit))


def scale(value: Bounds, factor: Fraction) -> Bounds:
    """Multiply an interval by a positive factor."""
    return replace(
        value,
        low=None if value.low is None else value.low * factor,
        high=None if value.high is None else value.high * factor,
    )


def subtract(value: Bounds, other: Bounds) -> Bounds:
    """Return the interval of ``value - other``."""
    return Bounds(
        low=None if value.low is None or other.high is None else value.low - other.high,
        high=None if value.high is None or other.low is None else value.high - other.low,
        is_low_strict=value.is_low_strict or other.is_high_strict,
        is_high_strict=value.is_high_strict or other.is_low_strict,
    )


def invert(value: Bounds) -> Bounds:
    """Return the interval of ``1 / value`` of a value that is not negative."""
    return Bounds(
        low=1 / value.high if value.high else None,
        high=1 / value.low if value.low else None,
        is_low_strict=value.is_high_strict,
        is_high_strict=value.is_low_strict,
    )


def divide(value: Bounds, other: Bounds) -> Bounds:
    """Return the interval of ``value / other``, neither of them negative."""
    inverse = invert(other)
    return Bounds(
        low=None if value.low is None or inverse.low is None else value.low * inverse.low,
        high=None if value.high is None or inverse.high is None else value.high * inverse.high,
        is_low_strict=value.is_low_strict or inverse.is_low_strict,
        is_high_strict=value.is_high_strict or inverse.is_high_strict,
    )


def show_number(value: Fraction) -> str:
    """Write a fraction as people read it: whole decimals in full, others in six digits.

    Examples
    --------
    >>> show_number(Fraction("1.60")), show_number(Fraction(60)), show_number(Fraction(5200, 11312))
    ('1.6', '60', '0.459689')
    """
    context = Context(prec=SHOWN_DIGITS, rounding=ROUND_HALF_EVEN)
    quotient = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    exact = Context(prec=12).divide(Decimal(value.numerator), Decimal(value.denominator))
    shown = exact if Fraction(exact) == value else quotient
    text = f"{shown:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def show(value: Bounds) -> str:
    """Write an interval: a number, ``<1``, ``>=80`` or ``4..12``; empty where nothing is known."""
    if value.exact is not None:
        return show_number(value.exact)
    if value.low is None and value.high is None:
        return ""
    if value.high is None and value.low is not None:
        return f"{'>' if value.is_low_strict else '>='}{show_number(value.low)}"
    if value.high is not None and not value.low:
        return f"{'<' if value.is_high_strict else '<='}{show_number(value.high)}"
    return f"{show_number(value.low or Fraction(0))}..{show_number(value.high or Fraction(0))}"
