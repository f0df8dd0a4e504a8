"""Counts of a gate as people read them; the browser shows these texts and computes nothing."""

import math
from typing import Any, Final

from corelab.cytometry.bench import Bench
from corelab.figures.numbers import DASH, MINUS, format_count, format_interval, format_number
from corelab.statistics.intervals import clopper_pearson
from dashboards.site import Site
from dashboards.views.acquisition import list_changes

MOST_CHANGES: Final = 40


def write_count(site: Site, count: int, parent_count: int, *, per_event: float) -> dict[str, str]:
    """Write a count, its share of the parent with the exact interval, and cells per uL where known."""
    return {
        "count": format_count(count),
        "parent": site.text("gate.of_parent", count=format_count(parent_count)),
        "percent": write_percent(site, count, parent_count),
        "interval": write_interval(site, count, parent_count),
        "cells": write_cells(site, count, per_event),
        "label": site.text(
            "gate.label", count=format_count(count), percent=write_percent(site, count, parent_count)
        ),
    }


def write_percent(site: Site, count: float, parent_count: float) -> str:
    """Write a share of the parent; that of no event is the upper limit, never 0."""
    if not (math.isfinite(count) and parent_count > 0):
        return DASH
    if count == 0:
        high = float(clopper_pearson(0, parent_count)[1])
        return site.text("gate.at_most", value=format_number(100 * high))
    return site.text("gate.percent", value=format_number(100 * count / parent_count))


def write_interval(site: Site, count: float, parent_count: float) -> str:
    """Write the exact 95 % interval of a share; empty where there is no parent."""
    if not (math.isfinite(count) and parent_count > 0):
        return ""
    low, high = (100 * float(limit) for limit in clopper_pearson(count, parent_count))
    estimate = 100 * count / parent_count if count else high
    return site.text("gate.interval", interval=format_interval(low, high, estimate=estimate))


def write_cells(site: Site, count: float, per_event: float) -> str:
    """Write cells per uL; empty where no volume is known or nothing was counted."""
    if not math.isfinite(per_event) or count == 0:
        return ""
    return site.text("gate.cells", value=format_number(count * per_event))


def write_difference(before: float, after: float) -> str:
    """Write a change of a count with its sign.

    Examples
    --------
    >>> write_difference(118, 124), write_difference(124, 118)
    ('+6', '−6')
    """
    sign = "+" if after >= before else MINUS
    return f"{sign}{format_count(abs(after - before))}"


def write_changes(site: Site, saved: Bench, tried: Bench) -> dict[str, Any]:
    """Write the populations whose counts a trial changes, before and after."""
    shown = [rule.name for rule in saved.template.populations if not rule.hidden]
    changes = list_changes(saved, tried, shown)
    rows = [
        [name, format_count(before), format_count(after), write_difference(before, after)]
        for name, before, after in changes[:MOST_CHANGES]
    ]
    more = len(changes) - len(rows)
    return {"rows": rows, "more": site.text("gate.more_changes", count=more) if more > 0 else ""}
