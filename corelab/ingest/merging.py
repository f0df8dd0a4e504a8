"""A later row laid over the present one: what it fills, and what it would change."""

from collections.abc import Mapping

from corelab.ingest.book import PendingCorrection, Present


def merge_rows(
    present: Mapping[str, str], given: Mapping[str, str]
) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Lay a later row over the present one.

    Returns
    -------
    tuple of dict and dict
        Filled fields that the later row changes (old, new), and the row with its filled fields laid over.

    Examples
    --------
    >>> merge_rows({"value": "1.2", "unit": ""}, {"value": "1.20", "unit": "g/L"})
    ({}, {'value': '1.2', 'unit': 'g/L'})
    """
    conflicts, merged = {}, dict(present)
    for name, text in given.items():
        old = present.get(name, "")
        if not text or _same(old, text):
            continue
        merged[name] = text
        if old:
            conflicts[name] = (old, text)
    return conflicts, merged


def _same(old: str, new: str) -> bool:
    if old == new:
        return True
    try:
        return float(old) == float(new)
    except ValueError:
        return False


def describe_correction(pending: PendingCorrection, present: Present) -> str:
    """Name a correction with its old and new values, for the person who delivered it."""
    conflicts, _ = merge_rows(present.values, pending.values)
    changes = ", ".join(f"{name} {old!r} would become {new!r}" for name, (old, new) in conflicts.items())
    return f"{pending.source}: {changes}; accept with --accept-corrections REASON"
