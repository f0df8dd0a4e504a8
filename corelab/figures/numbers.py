"""How numbers are written: three significant digits, narrow thousands, a true minus, honest limits."""

import math
from typing import Final

THIN: Final = "\u202f"
"""Narrow no-break space: groups thousands without breaking a line."""
NARROW: Final = "\u00a0"
"""No-break space between a number and its unit."""
MINUS: Final = "−"
_MOST_DECIMALS: Final = 6
DASH: Final = "–"
_SUPERSCRIPT: Final = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def format_count(count: float) -> str:
    """Write a whole number exactly, thousands apart.

    Examples
    --------
    >>> format_count(55000).replace(THIN, "_")
    '55_000'
    """
    return _signed(f"{round(count):,}".replace(",", THIN))


def format_number(value: float, *, digits: int = 3) -> str:
    """Write an estimate to significant digits; ``–`` where there is none.

    Examples
    --------
    >>> format_number(0.21454), format_number(-48200.0).replace(THIN, "_"), format_number(9.996)
    ('0.215', '−48_200', '10.0')
    """
    if not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    mantissa, exponent = _split_significant(value, digits)
    if exponent < -4 or exponent >= 9:
        return _signed(f"{mantissa}×10{str(exponent).translate(_SUPERSCRIPT)}")
    return _fixed(float(f"{mantissa}e{exponent}"), max(0, digits - 1 - exponent))


def format_exact(value: float) -> str:
    """Write a number as it was set or delivered (a limit, a score, a tick), without trailing zeros.

    Examples
    --------
    >>> format_exact(50.0), format_exact(0.5), format_exact(2350.0).replace(THIN, "_")
    ('50', '0.5', '2_350')
    """
    text = format_number(value, digits=4)
    return text.rstrip("0").rstrip(".") if "." in text and "×" not in text else text


def format_interval(low: float, high: float, *, estimate: float, digits: int = 3) -> str:
    """Write an interval to the decimals of its estimate, with one or two more where it would seem a point.

    Examples
    --------
    >>> format_interval(0.17765, 0.25691, estimate=0.21454), format_interval(99.8, 100, estimate=100)
    ('0.178–0.257', '99.8–100.0')
    """
    decimals = count_decimals(estimate, digits=digits)
    while low < high and _fixed(low, decimals) == _fixed(high, decimals) and decimals < _MOST_DECIMALS:
        decimals += 1
    ends = (_fixed(end, decimals) if math.isfinite(end) else DASH for end in (low, high))
    return DASH.join(ends)


def count_decimals(value: float, *, digits: int = 3) -> int:
    """Return the decimals that `format_number` gives a value."""
    if not math.isfinite(value) or value == 0:
        return digits - 1
    return max(0, digits - 1 - _split_significant(value, digits)[1])


def format_fraction(count: float, total: float) -> str:
    """Write a count of a total, both exact."""
    return f"{format_count(count)}/{format_count(total)}"


def format_p(p_value: float) -> str:
    """Write a p value to two digits, ``< 0.001`` below that.

    Examples
    --------
    >>> format_p(0.0084), format_p(0.1), format_p(0.0004), format_p(0.2501)
    ('0.0084', '0.10', '< 0.001', '0.25')
    """
    if not math.isfinite(p_value):
        return DASH
    if p_value < 0.001:
        return "< 0.001"
    return format_number(p_value, digits=2)


def format_power(exponent: int) -> str:
    """Write a power of ten as an axis label: plain up to a thousand, else ten to the power.

    Examples
    --------
    >>> format_power(-1), format_power(2), format_power(4), format_power(-3)
    ('0.1', '100', '10⁴', '10⁻³')
    """
    if -2 <= exponent <= 3:
        return format_number(10.0**exponent, digits=1)
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def escape_markup(text: str) -> str:
    """Escape what Plotly would read as markup.

    Examples
    --------
    >>> escape_markup("n<50 & more")
    'n&lt;50 &amp; more'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _split_significant(value: float, digits: int) -> tuple[str, int]:
    """Round to significant digits; as text, since the largest floats round beyond what a float holds."""
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return mantissa, int(exponent)


def _fixed(value: float, decimals: int) -> str:
    return _signed(f"{value:,.{decimals}f}".replace(",", THIN))


def _signed(text: str) -> str:
    return text.replace("-", MINUS)
