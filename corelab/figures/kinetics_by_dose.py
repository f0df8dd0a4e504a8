"""The card of kinetics by dose group: what the table ``kinetics`` says, counted and averaged per group."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.course import to_float
from corelab.figures.numbers import DASH, format_count, format_number, format_p
from corelab.vocabulary import Arm

LIST_AT_MOST: Final = 6
LIST_BELOW: Final = 3
"""Children below which values are listed, not averaged."""
NOT_INFORMATIVE_ABOVE: Final = 0.05
COLUMNS: Final = ("key", "label", "statistic", "low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One child's row of one parameter."""

    value: float
    high: float
    is_known: bool


Group = Mapping[str, Sequence[Found]]
"""The children of one dose group by parameter."""


def summarise_kinetics_by_dose(
    tables: Mapping[str, pd.DataFrame], analyte: str, *, catalog: Catalog
) -> pd.DataFrame:
    """Return the rows of the card, ready to read: key, label, statistic, low, high.

    Cmax and the area are geometric means with their geometric coefficient of variation, each child's value
    where a group has fewer than three; Tmax and persistence are medians with their range. A parameter that
    was not calculated is counted, never averaged.

    Notes
    -----
    gCV % = 100 sqrt(exp(s²) − 1), s² the variance (n − 1) of the logarithms.
    """
    groups = {arm.value: _read_group(tables["kinetics"], analyte, arm.value) for arm in Arm}
    rows = [_row("children", "n", groups, lambda group: format_count(count_children(group)), catalog)]
    for parameter, (average, each) in STATISTICS.items():
        statistic, write = each if _is_listed(parameter, list(groups.values())) else average
        rows.append(_row(parameter, statistic, groups, _of(parameter, write, catalog), catalog))
    rows.append(_row("not_calculated", "n", groups, lambda group: _count_missing(group, catalog), catalog))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def describe_comparison(tables: Mapping[str, pd.DataFrame], analyte: str, *, catalog: Catalog) -> str:
    """Return the sentence under the card: whether any test between the groups could be informative."""
    counts = [
        sum(found.is_known for found in _read_group(tables["kinetics"], analyte, arm.value).get("CMAX", ()))
        for arm in Arm
    ]
    p_value = compute_smallest_p(*counts)
    if min(counts) > 0 and p_value > NOT_INFORMATIVE_ABOVE:
        return catalog.text("kinetics.not_informative", p=format_p(p_value))
    return catalog.text("kinetics.descriptive")


def compute_smallest_p(n_low: int, n_high: int) -> float:
    """Return the smallest two-sided p that an exact permutation test of two groups can reach.

    With groups of equal size the mirror split is as extreme; with unequal ones it does not exist.

    Examples
    --------
    >>> compute_smallest_p(3, 3), compute_smallest_p(0, 4)
    (0.1, 1.0)
    >>> round(compute_smallest_p(3, 5), 6)
    0.017857
    """
    splits = math.comb(n_low + n_high, n_low)
    return min(1.0, (2 if n_low == n_high else 1) / splits)


def count_children(group: Group) -> int:
    """Return how many children of a group have kinetics of the analyte."""
    return max((len(found) for found in group.values()), default=0)


def _read_group(kinetics: pd.DataFrame, analyte: str, arm: str) -> dict[str, list[Found]]:
    rows = kinetics[(kinetics["analyte"] == analyte) & (kinetics["arm"] == arm)].to_dict(orient="records")
    group: dict[str, list[Found]] = {}
    for row in rows:
        group.setdefault(str(row["parameter"]), []).append(_read_found(row))
    return group


def _read_found(row: Mapping[str, Any]) -> Found:
    value = to_float(row["value"])
    known = row["status"] == "quantified" and math.isfinite(value)
    return Found(value=value, high=to_float(row["high"]), is_known=known)


def _is_listed(parameter: str, groups: Sequence[Group]) -> bool:
    """Tell whether both groups list their children: one has too few to average, neither too many to list."""
    known = [sum(one.is_known for one in group.get(parameter, ())) for group in groups]
    return any(0 < n < LIST_BELOW for n in known) and max(known) <= LIST_AT_MOST


Writer = Callable[[Sequence[Found], Catalog], str]


def _of(parameter: str, write: Writer, catalog: Catalog) -> Callable[[Group], str]:
    return lambda group: write(group.get(parameter, ()), catalog)


def _row(
    key: str, statistic: str, groups: Mapping[str, Group], write: Callable[[Group], str], catalog: Catalog
) -> dict[str, str]:
    return {
        "key": key, "label": catalog.text(f"kinetics.row.{key}"),
        "statistic": catalog.text(f"kinetics.statistic.{statistic}"),
        **{arm: write(group) for arm, group in groups.items()},
    }  # fmt: skip


def _write_each(found: Sequence[Found], catalog: Catalog) -> str:
    return " · ".join(format_number(one.value) if one.is_known else DASH for one in found) or DASH


def _write_geometric(found: Sequence[Found], catalog: Catalog) -> str:
    logs = [math.log(one.value) for one in found if one.is_known and one.value > 0]
    if len(logs) < LIST_BELOW:
        return catalog.text("kinetics.each", values=_write_each(found, catalog)) if logs else DASH
    mean = math.fsum(logs) / len(logs)
    variance = math.fsum((log - mean) ** 2 for log in logs) / (len(logs) - 1)
    spread = 100 * math.sqrt(math.exp(variance) - 1)
    return f"{format_number(math.exp(mean))} ({format_number(spread)})"


def _write_median(found: Sequence[Found], catalog: Catalog) -> str:
    values = sorted(one.value for one in found if one.is_known)
    if not values:
        return DASH
    middle = len(values) // 2
    median = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
    return f"{format_number(median)} ({format_number(values[0])}{DASH}{format_number(values[-1])})"


def _write_persistence(found: Sequence[Found], catalog: Catalog) -> str:
    return _with_censored(_write_median(found, catalog), found, catalog)


def _write_each_persistence(found: Sequence[Found], catalog: Catalog) -> str:
    return _with_censored(_write_each(found, catalog), found, catalog)


def _with_censored(text: str, found: Sequence[Found], catalog: Catalog) -> str:
    still = sum(one.is_known and math.isnan(one.high) for one in found)
    return f"{text}, {catalog.text('kinetics.still', n=still)}" if still else text


def _count_missing(group: Group, catalog: Catalog) -> str:
    counts = {p: sum(not one.is_known for one in group.get(p, ())) for p in ("CMAX", "AUC0_28D", "LAMZHL")}
    parts = [
        catalog.text("kinetics.not_calculated_part", parameter=_parameter_label(p, catalog), n=n)
        for p, n in counts.items()
        if n
    ]
    return " · ".join(parts) or "0"


STATISTICS: Final[Mapping[str, tuple[tuple[str, Writer], tuple[str, Writer]]]] = {
    "CMAX": (("geometric", _write_geometric), ("each", _write_each)),
    "TMAX": (("tmax", _write_median), ("tmax_each", _write_each)),
    "AUC0_28D": (("geometric", _write_geometric), ("each", _write_each)),
    "PERSIST": (("persist", _write_persistence), ("persist_each", _write_each_persistence)),
}
"""By parameter what is written of a group: its summary, and its children where they are listed."""


def _parameter_label(parameter: str, catalog: Catalog) -> str:
    return catalog.text(f"kinetics.row.{parameter}")
