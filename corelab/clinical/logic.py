"""Three-valued logic: a claim holds, does not hold, or cannot be judged.

References
----------
Kleene SC. Introduction to Metamathematics. 1952, section 64 (strong connectives).
"""

from collections.abc import Iterable
from enum import StrEnum


class Truth(StrEnum):
    """Whether a claim holds; ``UNKNOWN`` where what is known does not decide it."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def negate(truth: Truth) -> Truth:
    """Return the opposite; the opposite of unknown is unknown."""
    return {Truth.YES: Truth.NO, Truth.NO: Truth.YES, Truth.UNKNOWN: Truth.UNKNOWN}[truth]


def join_all(truths: Iterable[Truth]) -> Truth:
    """Return whether all claims hold: one that fails decides, whatever is unknown.

    Examples
    --------
    >>> join_all([Truth.YES, Truth.UNKNOWN, Truth.NO]), join_all([Truth.YES, Truth.UNKNOWN])
    (<Truth.NO: 'no'>, <Truth.UNKNOWN: 'unknown'>)
    """
    found = set(truths)
    if Truth.NO in found:
        return Truth.NO
    return Truth.UNKNOWN if Truth.UNKNOWN in found else Truth.YES


def join_any(truths: Iterable[Truth]) -> Truth:
    """Return whether any claim holds: one that holds decides, whatever is unknown.

    Examples
    --------
    >>> join_any([Truth.NO, Truth.UNKNOWN, Truth.YES]), join_any([])
    (<Truth.YES: 'yes'>, <Truth.NO: 'no'>)
    """
    return negate(join_all(negate(truth) for truth in truths))


def claim(is_true: bool | None) -> Truth:  # noqa: FBT001 - the argument is the claim itself
    """Return the truth of a plain yes or no, unknown for None."""
    if is_true is None:
        return Truth.UNKNOWN
    return Truth.YES if is_true else Truth.NO
