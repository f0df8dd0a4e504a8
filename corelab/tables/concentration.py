"""Cells per uL of blood: by the beads of the tube, by its volume, or by the blood count of the same draw."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from corelab.statistics.intervals import clopper_pearson, count_ratio, poisson_exact
from corelab.tables.tubes import join_findings
from corelab.vocabulary import Level, Status

WITHOUT_CONCENTRATION: Final = ("events", "time_ok", "beads", "singlets")
DUAL_PLATFORM: Final = "DUAL_PLATFORM"
DISAGREE: Final = "ROUTES_DISAGREE"
BEADS: Final = "beads"
VOLUME: Final = "volume"
BLOOD: Final = "blood_count"
NO_ROUTE: Final = "none"
ROUTES: Final = (BEADS, VOLUME, BLOOD, NO_ROUTE)
"""By what a concentration was computed, the preferred first."""


def derive_concentration(rows: pd.DataFrame, *, tolerance_percent: float) -> pd.DataFrame:
    """Add cells per uL with interval and Poisson CV, the route, and whether two routes disagree.

    Notes
    -----
    Beads: events / beads x beads per tube / blood volume x predilution, interval of a ratio of counts.
    Volume: events / acquired volume x predilution, where the file states its volume and the manifest the
    dilution; Garwood's interval. Blood count: lymphocytes per uL x events / lymphocyte events, interval of a
    fraction. The doubt of the blood count itself, of pipetting and of the bead lot is not known and not in
    the interval.
    """
    events = pd.DataFrame({name: _events_of(rows, name) for name in ("beads", "lymphocytes")})
    per_event = _list_routes(rows, events)
    # A tube has one route, so that its populations stand in the ratio of their events.
    beads, volume, blood = per_event[BEADS].notna(), per_event[VOLUME].notna(), per_event[BLOOD].notna()
    route = pd.Series(np.select([beads, volume, blood], ROUTES[:3], NO_ROUTE), index=rows.index)
    is_cell = ~rows["population"].isin(WITHOUT_CONCENTRATION) & rows["count"].notna()
    in_lymphocytes = _lie_within(rows, "lymphocytes")
    stands = is_cell & (route != NO_ROUTE) & ((route != BLOOD) | in_lymphocytes)
    chosen = per_event[BEADS].fillna(per_event[VOLUME]).fillna(per_event[BLOOD]).where(stands)
    low, high = _bound(rows, events, per_event, route)
    spread = per_event.max(axis=1) / per_event.min(axis=1)
    disagree = stands & (spread > 1 + tolerance_percent / 100)
    return rows.assign(
        per_event=chosen,
        by_blood=stands & (route == BLOOD),
        route=route.where(stands, NO_ROUTE).where(is_cell, ""),
        cells_per_ul=(rows["count"] * chosen).where(rows["count"] > 0),
        cells_per_ul_low=low.where(stands),
        cells_per_ul_high=high.where(stands),
        cells_per_ul_cv=_compute_cv(rows["count"], events, route).where(stands),
        route_ratio=spread.where(disagree),
        reason=join_findings(
            rows["reason"], _word(stands & (route == BLOOD), DUAL_PLATFORM), _word(disagree, DISAGREE)
        ),
    )


def _word(mask: "pd.Series[bool]", word: str) -> "pd.Series[str]":
    return pd.Series(np.where(mask, word, ""), index=mask.index, dtype=object)


def _list_routes(rows: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Return what one event stands for, in cells per uL, by every route that a tube has."""
    scale = _bead_scale(rows)
    volume = rows["predilution"] / rows["acquired_volume_ul"].where(rows["acquired_volume_ul"] > 0)
    counted = events["lymphocytes"].where(events["lymphocytes"] > 0)
    return pd.DataFrame(
        {
            BEADS: (scale / events["beads"].where(events["beads"] > 0)).where(scale > 0),
            VOLUME: volume.where(volume > 0),
            BLOOD: rows["alc_per_ul"] / counted,
        }
    )


def _bead_scale(rows: pd.DataFrame) -> "pd.Series[float]":
    scale = rows["beads_per_tube"] / rows["blood_volume_ul"] * rows["predilution"].fillna(1.0)
    return scale.where(np.isfinite(scale))


def _bound(
    rows: pd.DataFrame, events: pd.DataFrame, per_event: pd.DataFrame, route: "pd.Series[str]"
) -> "tuple[pd.Series[float], pd.Series[float]]":
    count = rows["count"].fillna(0)
    lymphocytes = events["lymphocytes"].fillna(0)
    ratio = count_ratio(count, events["beads"].where(events["beads"] > 0, 1))
    share = clopper_pearson(count.where(count <= lymphocytes, 0), lymphocytes)
    mean = poisson_exact(count)
    limits = [
        np.select(
            [route == BEADS, route == VOLUME, route == BLOOD],
            [ratio[end] * _bead_scale(rows), mean[end] * per_event[VOLUME], share[end] * rows["alc_per_ul"]],
            np.nan,
        )
        for end in (0, 1)
    ]
    return pd.Series(limits[0], index=rows.index), pd.Series(limits[1], index=rows.index)


def _compute_cv(
    count: "pd.Series[float]", events: pd.DataFrame, route: "pd.Series[str]"
) -> "pd.Series[float]":
    """Return the relative error of counting in percent: of both counts, of one, or of a fraction."""
    n = count.where(count > 0)
    variance = np.select(
        [route == BEADS, route == VOLUME, route == BLOOD],
        [1 / n + 1 / events["beads"], 1 / n, (1 / n - 1 / events["lymphocytes"]).clip(lower=0)],
        np.nan,
    )
    return pd.Series(100 * np.sqrt(variance), index=count.index)


def find_disagreements(rows: pd.DataFrame, *, tolerance_percent: float) -> pd.DataFrame:
    """Return a finding for every tube whose routes disagree, with the ratio of the highest to the lowest."""
    apart = rows[rows["route_ratio"].notna()].drop_duplicates("file_id")
    return pd.DataFrame(
        {
            "subject_id": apart["subject_id"], "visit": apart["visit"], "object": apart["file_id"],
            "check": "ROUTES", "level": Level.WARN.value, "value": apart["route_ratio"],
            "limit": 1 + tolerance_percent / 100,
            "reason": "cells per uL by beads, volume and blood count lie apart, highest over lowest",
        }
    )  # fmt: skip


def _events_of(rows: pd.DataFrame, population: str) -> "pd.Series[float]":
    """Return, on every row, the usable events of one population of the same file; NaN without."""
    # The counts of a failed tube keep their numbers; too few beads are no denominator at all.
    counted = rows["status"].isin((Status.QUANTIFIED.value, Status.FAILED.value)) & (
        rows["reason"] != "BEADS"
    )
    usable = rows[(rows["population"] == population) & counted]
    return rows["file_id"].map(usable.set_index("file_id")["count"]).astype("float64")


def _lie_within(rows: pd.DataFrame, ancestor: str) -> "pd.Series[bool]":
    """Tell which populations lie in another by the tree of their own file."""
    trees: dict[str, dict[str, str]] = {}
    for file_id, population, parent in zip(rows["file_id"], rows["population"], rows["parent"], strict=True):
        trees.setdefault(file_id, {})[population] = parent
    known: dict[tuple[tuple[str, str], ...], frozenset[str]] = {}
    inside: dict[str, frozenset[str]] = {}
    for file_id, tree in trees.items():
        key = tuple(tree.items())
        if key not in known:
            known[key] = _find_descendants(tree, ancestor)
        inside[file_id] = known[key]
    held = [
        name in inside[file_id] for file_id, name in zip(rows["file_id"], rows["population"], strict=True)
    ]
    return pd.Series(held, index=rows.index, dtype=bool)


def _find_descendants(parents: Mapping[str, str], ancestor: str) -> frozenset[str]:
    found = set()
    for population in parents:
        current = population
        while current and current != ancestor:
            current = parents.get(current, "")
        if current == ancestor:
            found.add(population)
    return frozenset(found)
