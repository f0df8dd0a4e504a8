"""Where a moment lies on a subject's infusion clock."""

import calendar
import datetime as dt
from collections.abc import Iterable

from corelab.study.model import Study, Visit


def add_months(day: dt.date, months: int) -> dt.date:
    """Add calendar months, clamping to the month's last day.

    Examples
    --------
    >>> add_months(dt.date(2025, 8, 31), 6)
    datetime.date(2026, 2, 28)
    """
    index = day.month - 1 + months
    year, month = day.year + index // 12, index % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def compute_study_day(collected: dt.datetime, infusion: dt.datetime, *, study: Study) -> int:
    """Return the difference of local dates in days; the infusion's date is day 0."""
    return (study.localise(collected).date() - study.localise(infusion).date()).days


def compute_target_date(visit: Visit, infusion: dt.date) -> dt.date | None:
    """Return the date on which a visit is due, or None where the protocol gives no target."""
    if visit.month is not None:
        return add_months(infusion, visit.month)
    if visit.day is not None:
        return infusion + dt.timedelta(days=visit.day)
    return None


def compute_window(visit: Visit, infusion: dt.date) -> tuple[dt.date, dt.date] | None:
    """Return the first and last date of a visit's window, or None without a target."""
    target = compute_target_date(visit, infusion)
    if target is None:
        return None
    return target - dt.timedelta(days=visit.before), target + dt.timedelta(days=visit.after)


def assign_visit(collected: dt.date, infusion: dt.date, visits: Iterable[Visit]) -> str:
    """Name the visit of a row delivered without one: the nearest target whose window holds the date.

    A tie goes to the earlier visit; a date in no window is ``UNS``.
    """
    candidates = []
    for visit in visits:
        window, target = compute_window(visit, infusion), compute_target_date(visit, infusion)
        if window and target and window[0] <= collected <= window[1]:
            candidates.append((abs((collected - target).days), visit.order, visit.code))
    return min(candidates)[2] if candidates else "UNS"
