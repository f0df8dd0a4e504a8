"""Measured values as they are written by analysers and people, read into what they say.

A text is a number, a limit (`<2.4`), a vendor's word (`OOR <`, `---`), a titre (`1:320`) or a serology
result. It is never turned into a number that was not measured: what lies outside a range becomes an
interval with a status.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from corelab.errors import InputError
from corelab.vocabulary import Status

NAN: Final = float("nan")
DETECTION_UNKNOWN: Final = "DETECTION_UNKNOWN"
EXTRAPOLATED: Final = "EXTRAPOLATED"

_NUMBER: Final = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_LIMIT: Final = re.compile(rf"(<=|>=|<|>)\s*({_NUMBER})")
_TITRE: Final = re.compile(rf"(<=|>=|<|>)?\s*1\s*:\s*({_NUMBER})")
_PLAIN: Final = re.compile(_NUMBER)
_EXTRAPOLATED: Final = re.compile(rf"\*\s*({_NUMBER})")
_DECIMAL_COMMA: Final = re.compile(r"[<>=*\s]*\d+(?:\.\d+)*,\d+")
_WORDS: Final = {
    "oor <": "below", "oor<": "below", "nd": "below", "not detected": "below", "undetected": "below",
    "undetectable": "below", "<lod": "below_lod", "< lod": "below_lod", "<llod": "below_lod",
    "<lloq": "below_lloq", "< lloq": "below_lloq", "<loq": "below_lloq", "blq": "below_lloq",
    "oor >": "above", "oor>": "above", ">uloq": "above", "> uloq": "above", "alq": "above",
    "---": "outlier", "***": "malfunction", "nan": "not_a_number",
    "positive": "positive", "pos": "positive", "+": "positive", "reactive": "positive", "阳性": "positive",
    "negative": "negative", "neg": "negative", "-": "negative", "non-reactive": "negative",
    "nonreactive": "negative", "阴性": "negative",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a delivered value says.

    ``value`` is NaN unless the number itself was measured in range. The true value relates to the limit
    by ``relation``, or to both ends of ``low`` to ``high``; an open end is NaN.
    """

    value: float
    relation: str
    low: float
    high: float
    status: Status
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    lod: float
    lloq: float
    uloq: float


def parse_measured(
    text: str, *, lod: float = NAN, lloq: float = NAN, uloq: float = NAN, place: str = ""
) -> Measured:
    """Read a delivered value against the limits of its assay.

    Parameters
    ----------
    text
        The value as delivered.
    lod, lloq, uloq
        Limits of detection and quantification in the unit of the value; NaN where unknown.
    place
        File and row, for the message.

    Raises
    ------
    InputError
        If the text is none of the forms of the contract, has a decimal comma, or is not finite.

    Examples
    --------
    >>> parse_measured("<2.4", lloq=2.4).reason, parse_measured("12.5").value
    ('DETECTION_UNKNOWN', 12.5)
    """
    spelling = unicodedata.normalize("NFKC", text).strip().replace("≤", "<=").replace("≥", ">=")
    limits = _Limits(lod=lod, lloq=lloq, uloq=uloq)
    if not spelling:
        return _unknown(Status.MISSING, "NO_VALUE")
    word = _WORDS.get(" ".join(spelling.lower().split()), _vendor_phrase(spelling))
    if word:
        return _BY_WORD[word](limits)
    return _parse_number(spelling, limits, place)


def _vendor_phrase(spelling: str) -> str:
    first = spelling.lower().split()[0]
    return {"below": "below", "above": "above"}.get(first, "")


def _parse_number(spelling: str, limits: _Limits, place: str) -> Measured:
    if match := _LIMIT.fullmatch(spelling):
        return _censored(match[1], _finite(match[2], spelling, place), limits)
    if match := _TITRE.fullmatch(spelling):
        titre = _finite(match[2], spelling, place)
        return _censored(match[1], titre, limits) if match[1] else _in_range(titre)
    if match := _EXTRAPOLATED.fullmatch(spelling):
        return _extrapolated(_finite(match[1], spelling, place), limits)
    if _PLAIN.fullmatch(spelling):
        return _against_limits(_finite(spelling, spelling, place), limits)
    if _DECIMAL_COMMA.fullmatch(spelling):
        raise InputError(
            f"value {spelling!r} has a comma",
            place=place,
            expected="a decimal point and no thousands separator",
            remedy="write 12.5, not 12,5",
        )
    raise InputError(
        f"value {spelling!r} cannot be read", place=place,
        expected="a number, a limit (<2.4, >200), a titre (1:320), positive or negative, or a vendor's mark",
        remedy="correct the value or leave the row out",
    )  # fmt: skip


def _finite(digits: str, spelling: str, place: str) -> float:
    number = float(digits)
    if number == float("inf"):
        raise InputError(f"value {spelling!r} is too large", place=place, expected="a finite number")
    return number


def _against_limits(number: float, limits: _Limits) -> Measured:
    if number < limits.lod or (number == 0 and limits.lloq > 0):
        high = limits.lod if number < limits.lod else limits.lloq
        return _below(Status.NOT_DETECTED, high, "BELOW_LOD")
    if number < limits.lloq:
        low = limits.lod if limits.lod == limits.lod else 0.0
        return _below(Status.DETECTED_BLQ, limits.lloq, "BELOW_LLOQ", low=low)
    if number > limits.uloq:
        return _above(limits.uloq, "ABOVE_ULOQ")
    return _in_range(number)


def _censored(relation: str, limit: float, limits: _Limits) -> Measured:
    if relation.startswith(">"):
        return _above(limit, "ABOVE_ULOQ", relation=relation)
    if limit <= limits.lod:
        return _below(Status.NOT_DETECTED, limit, "BELOW_LOD", relation=relation)
    return _below(Status.DETECTED_BLQ, limit, DETECTION_UNKNOWN, relation=relation)


def _extrapolated(number: float, limits: _Limits) -> Measured:
    if number < limits.lloq:
        return _below(Status.DETECTED_BLQ, limits.lloq, EXTRAPOLATED)
    if number > limits.uloq:
        return _above(limits.uloq, EXTRAPOLATED)
    return _unknown(Status.NOT_CALCULATED, EXTRAPOLATED)


def _in_range(number: float) -> Measured:
    return Measured(value=number, relation="=", low=number, high=number, status=Status.QUANTIFIED, reason="")


def _below(status: Status, high: float, reason: str, *, low: float = 0.0, relation: str = "<") -> Measured:
    return Measured(value=NAN, relation=relation, low=low, high=high, status=status, reason=reason)


def _above(low: float, reason: str, *, relation: str = ">") -> Measured:
    return Measured(value=NAN, relation=relation, low=low, high=NAN, status=Status.ABOVE_ULOQ, reason=reason)


def _unknown(status: Status, reason: str) -> Measured:
    return Measured(value=NAN, relation="", low=NAN, high=NAN, status=status, reason=reason)


def _serology(value: float, status: Status, reason: str) -> Measured:
    return Measured(value=value, relation="", low=value, high=value, status=status, reason=reason)


_BY_WORD: Final[dict[str, Callable[[_Limits], Measured]]] = {
    "below": lambda limits: _below(Status.NOT_DETECTED, limits.lloq, "BELOW_RANGE"),
    "below_lod": lambda limits: _below(
        Status.NOT_DETECTED, limits.lod if limits.lod == limits.lod else limits.lloq, "BELOW_LOD"
    ),
    "below_lloq": lambda limits: _below(Status.DETECTED_BLQ, limits.lloq, DETECTION_UNKNOWN),
    "above": lambda limits: _above(limits.uloq, "ABOVE_RANGE"),
    "outlier": lambda _: _unknown(Status.FAILED, "OUTLIER"),
    "malfunction": lambda _: _unknown(Status.FAILED, "MALFUNCTION"),
    "not_a_number": lambda _: _unknown(Status.FAILED, "NOT_A_NUMBER"),
    "positive": lambda _: _serology(1.0, Status.QUANTIFIED, "POSITIVE"),
    "negative": lambda _: _serology(NAN, Status.NOT_DETECTED, "NEGATIVE"),
}
