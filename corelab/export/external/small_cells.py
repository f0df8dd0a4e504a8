"""Counts of few children, withheld so that nobody can compute them back from those that are shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from corelab.tables.groups import ALL

if TYPE_CHECKING:
    import pandas as pd

WITHHELD: Final = "SUPPRESSED"
SUMMARY_VALUES: Final = ("n", "n_total", "estimate", "ci_low", "ci_high")
ASSOCIATION_VALUES: Final = (
    "n", "n_first", "n_second", "estimate", "ci_low", "ci_high", "p_value", "p_holm",
)  # fmt: skip
_OF_ONE: Final = ("minimum", "maximum", "listed")
"""Methods that give the value of one child, however large the group."""
_OF_VALUES: Final = (*_OF_ONE, "geometric_mean", "geometric_cv", "median", "q1", "q3")
"""Methods that summarise values; all others count children with and without something."""


def withhold_summary(table: "pd.DataFrame", *, smallest: int) -> "tuple[pd.DataFrame, dict[str, int]]":
    """Withhold the rows of `summary` that tell of fewer than ``smallest`` children.

    Parameters
    ----------
    table
        The table.
    smallest
        The fewest children that a shown number may stand for.

    Returns
    -------
    tuple
        The table with what is withheld empty and its reason ``SUPPRESSED``, and how many rows are withheld:
        ``small``, ``complementary`` (a small one could be computed back from them) and ``of_one_child``.

    Notes
    -----
    A group is small at an endpoint and visit if those with it, those without it, or all of them are fewer
    than ``smallest`` by any method. If one dose group is withheld the other one is too, because both give the
    total; the total stays while at least two splits of it are possible.
    """
    rows = table.reset_index(drop=True)
    small, complementary = set[int](), set[int]()
    for _, group in rows.groupby(["endpoint", "visit"], sort=False):
        values = group["method"].isin(_OF_VALUES)
        first = set(group.loc[group["n"].isna() | group["n"].lt(smallest), "arm"])
        families = _collect_families(group[~values])
        first |= {arm for one in families for arm, counts in one.items() if _is_small(counts, smallest)}
        second = complete(first, families or [dict.fromkeys(group["arm"], NOBODY)], smallest=smallest) - first
        small |= set(group.index[group["arm"].isin(first)])
        complementary |= set(group.index[group["arm"].isin(second)])
    of_one = set(rows.index[rows["method"].isin(_OF_ONE)]) - small - complementary
    told = {"small": len(small), "complementary": len(complementary), "of_one_child": len(of_one)}
    kept = _hide_missing(rows, smallest)
    return _withhold(kept, small | complementary | of_one, SUMMARY_VALUES), told


def withhold_associations(table: "pd.DataFrame", *, smallest: int) -> "tuple[pd.DataFrame, dict[str, int]]":
    """Withhold the rows of `associations` in which any group has fewer than ``smallest`` children."""
    rows = table.reset_index(drop=True)
    counts = rows[["n", "n_first", "n_second"]]
    small = set(rows.index[(counts.lt(smallest) & counts.notna()).any(axis=1)])
    return _withhold(rows, small, ASSOCIATION_VALUES), {"small": len(small)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many of a group have an endpoint, of how many: several totals where several methods judge it."""

    n: int
    totals: frozenset[int]


NOBODY: Final = Counts(n=0, totals=frozenset({0}))


def _is_small(counts: Counts, smallest: int) -> bool:
    return counts.n < smallest or any(total - counts.n < smallest for total in counts.totals)


def _collect_families(rows: "pd.DataFrame") -> list[dict[str, Counts]]:
    """Collect the counts by arm, together for all methods that have the same numbers in every arm.

    A share of all and one of those who were observed have one numerator: one of them would tell the other.
    """
    families: dict[tuple[tuple[str, int], ...], dict[str, set[int]]] = {}
    for _, group in rows[rows["n"].notna()].groupby("method", sort=True):
        pairs = tuple(sorted((str(arm), int(n)) for arm, n in zip(group["arm"], group["n"], strict=True)))
        totals = families.setdefault(pairs, {arm: set() for arm, _ in pairs})
        for arm, total in zip(group["arm"], group["n_total"], strict=True):
            totals[str(arm)].add(int(total))
    return [
        {arm: Counts(n=n, totals=frozenset(totals[arm])) for arm, n in pairs}
        for pairs, totals in families.items()
    ]


def complete(small: Iterable[str], families: Iterable[Mapping[str, Counts]], *, smallest: int) -> set[str]:
    """Return the groups to withhold so that no small one can be computed back.

    Parameters
    ----------
    small
        Groups that are small by any way of counting.
    families
        The counts by group, for each numerator.
    smallest
        The fewest children that a shown number may stand for.

    Examples
    --------
    Seven of all leave (3, 4) and (4, 3) open; eight leave (4, 4) alone.

    >>> def count(n, total):
    ...     return Counts(n=n, totals=frozenset({total}))
    >>> seven = {"low": count(3, 20), "high": count(4, 20), "all": count(7, 40)}
    >>> sorted(complete({"low", "high"}, [seven], smallest=5))
    ['high', 'low']
    >>> eight = {"low": count(4, 20), "high": count(4, 20), "all": count(8, 40)}
    >>> sorted(complete({"low", "high"}, [eight], smallest=5))
    ['all', 'high', 'low']
    """
    given = list(families)
    arms, withheld = {arm for one in given for arm in one}, set(small)
    if not withheld:
        return withheld
    if ALL in withheld or any(_is_told(one, smallest) for one in given):
        return withheld | arms
    return withheld | (arms - {ALL})


def _is_told(counts: Mapping[str, Counts], smallest: int) -> bool:
    """Tell whether the total gives the parts away to who knows the rule and the sizes of the groups."""
    parts = [arm for arm in counts if arm != ALL]
    if ALL not in counts or len(parts) != 2:
        return ALL in counts
    first, second = (counts[arm] for arm in parts)
    total = counts[ALL].n
    splits = [
        n for n in range(total + 1)
        if _may_be(n, first, smallest) and _may_be(total - n, second, smallest)
    ]  # fmt: skip
    return len(splits) < 2


def _may_be(n: int, counts: Counts, smallest: int) -> bool:
    """Tell whether a group could as well have so many: possible, and as small as it is or is not."""
    other = Counts(n=n, totals=counts.totals)
    return n <= min(counts.totals) and _is_small(other, smallest) == _is_small(counts, smallest)


def _hide_missing(rows: "pd.DataFrame", smallest: int) -> "pd.DataFrame":
    """Leave the number of children with data away where few of them lack a value that could be summarised."""
    summarised = rows["method"].isin(_OF_VALUES)
    without = rows["n_total"] - rows["n"]
    few = summarised & without.gt(0).fillna(value=False) & without.lt(smallest).fillna(value=False)
    endpoints = set(rows.loc[few, "endpoint"])
    hidden = summarised & rows["endpoint"].isin(endpoints)
    return rows.assign(n_total=rows["n_total"].mask(hidden))


def _withhold(rows: "pd.DataFrame", places: set[int], columns: tuple[str, ...]) -> "pd.DataFrame":
    import pandas as pd

    if not places:
        return rows
    hidden = rows.index.isin(places)
    emptied: dict[str, Any] = {name: rows[name].mask(hidden) for name in columns}
    reason = pd.Series(rows["reason"].mask(hidden, WITHHELD), dtype=object)
    return rows.assign(**emptied, reason=reason)
