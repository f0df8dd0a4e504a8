"""Completed years of life."""

import datetime as dt


def count_years(birth: dt.date, on: dt.date) -> int:
    """Return completed years of age; negative before birth.

    Examples
    --------
    >>> count_years(dt.date(2010, 6, 10), dt.date(2025, 6, 9))
    14
    """
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))
