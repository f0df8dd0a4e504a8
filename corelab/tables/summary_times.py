"""Rows of `summary` for what ends at an unknown time between two samples: persistence and aplasia."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.statistics.survival import (
    IntervalMasses,
    Survival,
    estimate_turnbull,
    fit_kaplan_meier,
    read_survival,
)
from corelab.study.model import Visit
from corelab.tables.clock import Clocks
from corelab.tables.due import list_due_visits
from corelab.tables.groups import ALL, Groups, build_groups

NAN: Final = float("nan")
KM: Final = "km"
TURNBULL: Final = "turnbull"
MONTH_DAYS: Final = 365.25 / 12
_WITHIN: Final = "WITHIN_INTERVAL"
_BEYOND: Final = "BEYOND_FOLLOW_UP"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Times:
    """When something ended: after ``low`` and, where known, at or before ``high``, by subject."""

    endpoint: str
    suffix: str
    table: pd.DataFrame


def summarise_times(
    tables: Mapping[str, pd.DataFrame], groups: Groups, *, clocks: Clocks
) -> Iterator[dict[str, Any]]:
    """Estimate the share still persistent, and still without B cells, at the monthly visits.

    Notes
    -----
    A visit has a row once it is due for anyone. ``km`` puts each event into the middle of its interval,
    ``turnbull`` uses the interval itself; inside an interval that holds mass its estimate is the middle of
    what is possible, with both ends beside it.
    """
    due = {visit.code for clock in clocks.subjects.values() for visit in list_due_visits(clock, clocks)}
    visits = [visit for visit in clocks.study.visits if visit.month is not None and visit.code in due]
    for times in _collect_times(tables, clocks):
        for arm, members in groups.members.items():
            rows = times.table[times.table["subject_id"].isin(members)]
            if len(rows) and visits:
                yield from _estimate(times, rows, visits, arm)


def list_times(tables: Mapping[str, pd.DataFrame], clocks: Clocks) -> list[dict[str, Any]]:
    """Return the rows of `summarise_times`, none where there is nobody."""
    groups = build_groups(clocks)
    return list(summarise_times(tables, groups, clocks=clocks)) if groups.members[ALL] else []


def choose_times(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Choose the rows on which `summarise_times` rests: few, to be handed to another process."""
    kinetics = tables["kinetics"]
    loss = kinetics[kinetics["parameter"] == "LOSS"].reset_index(drop=True)
    return {"kinetics": loss, "b_cell_recovery": tables["b_cell_recovery"]}


def _collect_times(tables: Mapping[str, pd.DataFrame], clocks: Clocks) -> Iterator[_Times]:
    settings = clocks.study.settings["summary"]
    kinetics = tables["kinetics"]
    further = {analyte: f":{analyte}" for analyte in settings["further_analytes"]}
    for analyte, suffix in {settings["persistence_analyte"]: "", **further}.items():
        loss = kinetics[(kinetics["analyte"] == analyte) & (kinetics["parameter"] == "LOSS")]
        yield _Times(endpoint="PERSIST_PCT", suffix=suffix, table=_keep_known(loss, "low", "high"))
    recovery = tables["b_cell_recovery"]
    lost = recovery[recovery["aplasia_day"].notna() & (recovery["baseline_below"] != "yes")]
    yield _Times(
        endpoint="APLASIA",
        suffix="",
        table=_keep_known(lost, "recovery_10_low", "recovery_10_high"),
    )


def _keep_known(rows: pd.DataFrame, low: str, high: str) -> pd.DataFrame:
    renamed = rows[["subject_id", low, high]].set_axis(["subject_id", "low", "high"], axis=1)
    return renamed[renamed["low"].notna()].reset_index(drop=True)


def count_target_day(visit: Visit) -> float:
    """Return the day of a monthly visit on a clock that knows no calendar; months have their mean length."""
    return round((visit.month or 0) * MONTH_DAYS)


def _estimate(
    times: _Times, rows: pd.DataFrame, visits: Sequence[Visit], arm: str
) -> Iterator[dict[str, Any]]:
    masses = estimate_turnbull(rows["low"].to_list(), rows["high"].to_list())
    curve = fit_kaplan_meier(rows["low"].to_list(), rows["high"].to_list())
    for visit in visits:
        day = _choose_day(rows, visit)
        place = {"arm": arm, "endpoint": times.endpoint, "visit": visit.code, "unit": "%"}
        counted = {
            "n": int((rows["low"] >= day).sum()),
            "n_total": len(rows),
        }
        yield {**place, **counted, "method": f"{KM}{times.suffix}", **_by_middle(curve(day))}
        yield {**place, **counted, "method": f"{TURNBULL}{times.suffix}", **_by_interval(masses, day)}


def _choose_day(rows: pd.DataFrame, visit: Visit) -> float:
    """Return the target day, or the last day under observation where that lies in the window before it."""
    target = count_target_day(visit)
    last = float(rows[["low", "high"]].max().max())
    return last if target - visit.before <= last < target else target


def _by_middle(found: Survival) -> dict[str, Any]:
    is_open = bool(np.isnan(found.share))
    return {
        "estimate": 100 * found.share, "ci_low": 100 * found.ci_low, "ci_high": 100 * found.ci_high,
        "reason": _BEYOND if is_open else "",
    }  # fmt: skip


def _by_interval(masses: IntervalMasses, day: float) -> dict[str, Any]:
    least, greatest = read_survival(masses, day)
    is_beyond = bool((np.isinf(masses.highs) & (masses.lows < day) & (masses.masses > 0)).any())
    is_within = greatest - least > 1e-9
    reason = f"{_WITHIN} {100 * least:.4g}..{100 * greatest:.4g}" if is_within else ""
    return {
        "estimate": NAN if is_beyond else 50 * (least + greatest), "ci_low": NAN, "ci_high": NAN,
        "reason": _BEYOND if is_beyond else reason,
    }  # fmt: skip
