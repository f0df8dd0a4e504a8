"""What judging one condition gives: its truth, the value it rests on, and why it is not decided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from corelab.clinical.logic import Truth, join_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of a condition.

    ``reasons`` say what is missing, unclear or remarkable; ``sources`` are the rows on which it rests;
    ``exception_used`` names an exception and who attested it.
    """

    truth: Truth
    value: str = ""
    unit: str = ""
    threshold: str = ""
    reasons: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    exception_used: str = ""


def unknown(*reasons: str, threshold: str = "") -> Finding:
    """Return a condition that cannot be judged, with the reasons that are not empty."""
    named = tuple(reason for reason in reasons if reason)
    return Finding(truth=Truth.UNKNOWN, reasons=named, threshold=threshold)


def require_all(first: Finding, others: Sequence[Finding]) -> Finding:
    """Join conditions that must all hold; the first gives value, unit and threshold."""
    parts = (first, *others)
    return replace(
        first,
        truth=join_all(part.truth for part in parts),
        reasons=tuple(dict.fromkeys(reason for part in parts for reason in part.reasons)),
        sources=tuple(dict.fromkeys(source for part in parts for source in part.sources)),
        exception_used="; ".join(dict.fromkeys(p.exception_used for p in parts if p.exception_used)),
    )


def remark(finding: Finding, *reasons: str) -> Finding:
    """Add reasons to a finding without changing its truth."""
    return replace(finding, reasons=(*finding.reasons, *(r for r in reasons if r)))


def missing(file: str, visit: str, what: str) -> str:
    """Name what was not delivered: the file, the visit and the test or item."""
    return " ".join(part for part in ("MISSING", file, visit, what) if part)
