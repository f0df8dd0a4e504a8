"""Delivered values read by their own digits, for comparison with limits."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from corelab.clinical.bounds import UNBOUNDED, Bounds, point
from corelab.errors import InputError
from corelab.ingest.values import parse_measured
from corelab.vocabulary import Status

_LAST_NUMBER: Final = re.compile(r"((?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*$")
_TITRE: Final = re.compile(r"1\s*:\s*\d")
NO_NUMBER: Final = (Status.FAILED, Status.MISSING, Status.NOT_CALCULATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a delivered text says.

    ``bounds`` is the interval of its number, unbounded where it has none; ``word`` is ``positive`` or
    ``negative`` where it is a finding; ``is_titre`` tells ``1:N`` from a plain number.
    """

    bounds: Bounds
    status: Status
    word: str = ""
    is_titre: bool = False

    @property
    def is_valid(self) -> bool:
        """Whether the text says anything about the value."""
        return self.status not in NO_NUMBER


def read_value(text: str) -> Reading:
    """Read a delivered value without passing through binary floating point.

    Returns
    -------
    reading
        With status ``failed`` where the text cannot be read, ``missing`` where there is none.

    Examples
    --------
    >>> read_value("1.725").bounds.exact, read_value("<1:100").bounds.high, read_value("positive").word
    (Fraction(69, 40), Fraction(100, 1), 'positive')
    """
    try:
        measured = parse_measured(text)
    except InputError:
        return Reading(bounds=UNBOUNDED, status=Status.FAILED)
    if measured.status in NO_NUMBER:
        return Reading(bounds=UNBOUNDED, status=measured.status)
    if measured.reason in ("POSITIVE", "NEGATIVE"):
        return Reading(bounds=UNBOUNDED, status=measured.status, word=measured.reason.lower())
    return _read_digits(unicodedata.normalize("NFKC", text).strip(), measured.relation, measured.status)


def _read_digits(spelling: str, relation: str, status: Status) -> Reading:
    match = _LAST_NUMBER.search(spelling)
    if match is None:  # "not detected" and its like: nothing was found, and no limit is told
        word = "negative" if status is Status.NOT_DETECTED else ""
        return Reading(bounds=UNBOUNDED, status=status, word=word)
    number = Fraction(Decimal(match[1]))
    return Reading(
        bounds=_make_bounds(number, relation), status=status, is_titre=_TITRE.search(spelling) is not None
    )


def _make_bounds(number: Fraction, relation: str) -> Bounds:
    if relation.startswith("<"):
        return Bounds(low=Fraction(0), high=number, is_high_strict=relation == "<")
    if relation.startswith(">"):
        return Bounds(low=number, high=None, is_low_strict=relation == ">")
    return point(number)
