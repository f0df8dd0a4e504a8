"""What is followed over time of every tube, and what the checks of quality said of it."""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.vocabulary import BEAD_QC, Level

KEY_POPULATION: Final[Mapping[str, str]] = {"cart": "t_cells", "bcell": "lymphocytes"}
"""Population of which a panel needs a minimum of events, as the limits of quality name it."""
CHECKS: Final[Mapping[str, tuple[str, ...]]] = {
    "viability": ("VIABILITY",), "drift": ("TIME_DRIFT",), "singlets": ("DOUBLETS",),
    "events": ("FEW_EVENTS", "LIMITED_SENSITIVITY"), "beads": ("BEADS",), "age": ("SAMPLE_AGE",),
    "instrument": ("BEAD_QC",),
}  # fmt: skip
"""By what is followed: the checks that judge it."""
_FOLLOWED: Final = ("live", "time_ok", "singlets", "beads", *KEY_POPULATION.values())
_COLUMNS: Final = ["file_id", "subject_id", "visit", "panel", "tube", "collected_at"]
_EPOCH: Final = dt.date(1970, 1, 1)
_WORST: Final = (Level.FAIL, Level.WARN)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """One tube: when it was drawn, in days since 1970, its value, and the level of its checks."""

    file_id: str
    subject_id: str
    visit: str
    panel: str
    tube: str
    day: float
    value: float
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit that is drawn, and the level of what lies beyond it."""

    value: float
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One thing that is followed: its points in the order of their days; counts go by powers of ten."""

    key: str
    points: tuple[TrendPoint, ...]
    limits: tuple[Limit, ...] = ()
    is_log: bool = False


def build_trends(
    populations: pd.DataFrame,
    quality: pd.DataFrame,
    *,
    ages_h: Mapping[str, float],
    limits: Mapping[str, Any],
    bead_qc: pd.DataFrame,
) -> list[Trend]:
    """Follow viability, drift, singlets, key events, counting beads and sample age of every tube.

    Quality beads are no cells: of their tubes drift is followed, and the detector that is farthest from the
    instrument's earlier runs.

    Parameters
    ----------
    populations, quality
        Tables of the snapshot.
    ages_h
        Hours from the draw to the cytometer by file, where known.
    limits
        The study's settings ``flow_quality``; a limit is drawn where the value is what it limits.
    bead_qc
        Table of the snapshot.

    Returns
    -------
    list of Trend
        Those that have a point.
    """
    rows = populations[populations["population"].isin(_FOLLOWED)]
    tubes = rows[rows["collected_at"].fillna("") != ""].drop_duplicates("file_id")
    tubes = tubes[_COLUMNS].assign(day=[_to_day(text) for text in tubes["collected_at"]])
    wide = {
        column: rows.drop_duplicates(["file_id", "population"]).pivot(
            index="file_id", columns="population", values=column
        )
        for column in ("count", "percent_of_parent")
    }
    counts = {name: _column(wide["count"], name) for name in ("", *KEY_POPULATION.values())}
    kept = _column(wide["percent_of_parent"], "time_ok")
    values: dict[str, Mapping[str, float]] = {
        "viability": _column(wide["percent_of_parent"], "live"),
        "drift": {file_id: 100.0 - percent for file_id, percent in kept.items()},
        "singlets": _column(wide["percent_of_parent"], "singlets"),
        "events": {
            row.file_id: count
            for row in tubes.itertuples()
            if (count := counts[KEY_POPULATION.get(row.panel, "")].get(row.file_id)) is not None
        },
        "beads": _column(wide["count"], "beads"),
        "age": ages_h,
        "instrument": _find_farthest(bead_qc),
    }
    drawn = {
        "drift": _limits([[100 * float(limit) for limit in limits["time_removed"]]]),
        "events": _limits(limits["minimum_events"][panel] for panel in KEY_POPULATION),
        "beads": _limits([limits["beads"]]),
        "age": _limits(limits["sample_age_hours"].values()),
    }
    trends = [
        Trend(
            key=key,
            points=_follow(_choose(tubes, key), values[key], _find_levels(quality, checks)),
            limits=drawn.get(key, ()), is_log=key in ("events", "beads"),
        )
        for key, checks in CHECKS.items()
    ]  # fmt: skip
    return [trend for trend in trends if trend.points]


def _choose(tubes: pd.DataFrame, key: str) -> pd.DataFrame:
    """Choose the tubes in which something can be followed: in beads the instrument and drift, no cells."""
    are_beads = tubes["tube"] == BEAD_QC
    if key == "drift":
        return tubes
    return tubes[are_beads if key == "instrument" else ~are_beads]


def _to_day(text: str) -> float:
    moment = dt.datetime.fromisoformat(text)
    return (moment.date() - _EPOCH).days + (moment.hour * 60 + moment.minute) / 1440


def _column(wide: pd.DataFrame, name: str) -> Mapping[str, float]:
    if name not in wide.columns:
        return {}
    known = wide[name].dropna()
    return dict(zip(known.index, known.astype(float), strict=True))


def _find_farthest(bead_qc: pd.DataFrame) -> Mapping[str, float]:
    """Return the distance of the farthest detector's median by file of quality beads."""
    known = bead_qc[bead_qc["z_median"].notna()]
    farthest = known.loc[known["z_median"].abs().groupby(known["file_id"]).idxmax()]
    return dict(zip(farthest["file_id"], farthest["z_median"].astype(float), strict=True))


def _limits(pairs: Iterable[Iterable[Any]]) -> tuple[Limit, ...]:
    """List the limits of warn and fail, each once; where one is both, it is what fails."""
    found: dict[float, Level] = {}
    for warn, fail in pairs:
        found.setdefault(float(warn), Level.WARN)
        found[float(fail)] = Level.FAIL
    return tuple(Limit(value=value, level=level) for value, level in sorted(found.items()))


def _find_levels(quality: pd.DataFrame, checks: tuple[str, ...]) -> Mapping[str, Level]:
    """Return the worst level of some checks by file."""
    rows = quality[quality["check"].isin(checks)]
    levels: dict[str, Level] = {}
    for level in reversed(_WORST):
        levels |= dict.fromkeys(rows.loc[rows["level"] == level.value, "object"], level)
    return levels


def _follow(
    tubes: pd.DataFrame, values: Mapping[str, float], levels: Mapping[str, Level]
) -> tuple[TrendPoint, ...]:
    points = [
        TrendPoint(
            file_id=row.file_id, subject_id=row.subject_id, visit=row.visit, panel=row.panel, tube=row.tube,
            day=row.day, value=float(values[row.file_id]), level=levels.get(row.file_id, Level.PASS),
        )
        for row in tubes.itertuples()
        if row.file_id in values and math.isfinite(values[row.file_id])
    ]  # fmt: skip
    return tuple(sorted(points, key=lambda point: (point.day, point.file_id)))
