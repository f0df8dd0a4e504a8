"""Every child's curve of one analyte by dose group, and what is counted of them at each visit."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.clock import DAYS_PER_MONTH
from corelab.figures.course import SECONDS_PER_DAY, to_float
from corelab.vocabulary import VISITS, Arm

MEDIAN_FROM: Final = 5
"""Children at a visit from which a median is drawn: with three it is a child's own line."""
BELOW: Final = ("detected_blq", "not_detected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One child's valid value: NaN where it lies below its limit."""

    day: float
    visit: str
    visit_label: str
    collected_at: str
    status: str
    value: float
    lloq: float

    @property
    def is_below(self) -> bool:
        """Whether the value lies below its limit of quantification; a zero does on any scale of ratios."""
        return self.status in BELOW or self.value <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One child's valid samples in the order of time."""

    subject_id: str
    arm: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitSummary:
    """One visit of one group; median and quartiles are NaN where they lie below LLOQ or n is small."""

    visit: str
    day: float
    n: int
    n_above: int
    median: float
    lower: float
    upper: float
    median_is_below: bool

    @property
    def has_median(self) -> bool:
        """Whether enough children stand behind a median."""
        return self.n >= MEDIAN_FROM


def build_curves(tables: Mapping[str, pd.DataFrame], analyte: str) -> tuple[Curve, ...]:
    """Return the curves of all infused children, failed and missing samples left out.

    Parameters
    ----------
    tables
        ``subjects`` and ``persistence`` of a snapshot.
    analyte
        Word of the column ``analyte``.
    """
    subjects = tables["subjects"]
    infusions = {
        str(row["subject_id"]): (str(row["arm"]), str(row["infusion_at"]))
        for row in subjects.to_dict(orient="records")
        if row["infusion_at"] and row["arm"]
    }
    persistence = tables["persistence"]
    rows = persistence[persistence["analyte"] == analyte].to_dict(orient="records")
    found: dict[str, list[Sample]] = {subject: [] for subject in infusions}
    for row in rows:
        subject = str(row["subject_id"])
        if subject in infusions and row["collected_at"] and _is_valid(row):
            found[subject].append(_build_sample(row, infusions[subject][1]))
    return tuple(
        Curve(subject_id=subject, arm=infusions[subject][0], samples=tuple(sorted(samples, key=_day)))
        for subject, samples in sorted(found.items())
    )


def _is_valid(row: Mapping[str, Any]) -> bool:
    """Tell whether a row says how much there was: a number, or that it lies below its limit."""
    has_number = row["status"] in ("quantified", "above_uloq") and math.isfinite(to_float(row["value"]))
    return has_number or row["status"] in BELOW


def _day(sample: Sample) -> float:
    return sample.day


def _build_sample(row: Mapping[str, Any], infusion_at: str) -> Sample:
    collected = str(row["collected_at"])
    elapsed = dt.datetime.fromisoformat(collected) - dt.datetime.fromisoformat(infusion_at)
    return Sample(
        day=elapsed.total_seconds() / SECONDS_PER_DAY, visit=str(row["visit"]),
        visit_label=str(row["visit_label"] or row["visit"]), collected_at=collected,
        status=str(row["status"]), value=to_float(row["value"]), lloq=to_float(row["lloq"]),
    )  # fmt: skip


def select_group(curves: Sequence[Curve], arm: str) -> tuple[Curve, ...]:
    """Return the curves of one dose group."""
    return tuple(curve for curve in curves if curve.arm == arm)


def nominal_day(visit: str) -> float:
    """Return the nominal day of a visit word (``D7``, ``M3``), NaN for others.

    Examples
    --------
    >>> nominal_day("D7"), nominal_day("M2")
    (7.0, 60.875)
    """
    kind, number = visit[:1], visit[1:]
    if not number.isdigit() or kind not in ("D", "M"):
        return math.nan
    return float(number) if kind == "D" else int(number) * DAYS_PER_MONTH


def summarise_visits(curves: Sequence[Curve]) -> tuple[VisitSummary, ...]:
    """Return count, median and quartiles of a group at each scheduled visit from D0.

    A value below its limit ranks lowest and never becomes a number: a median or quartile that falls on
    one is NaN.
    """
    by_visit: dict[str, list[Sample]] = {}
    for curve in curves:
        for sample in {sample.visit: sample for sample in curve.samples}.values():
            if math.isfinite(nominal_day(sample.visit)):
                by_visit.setdefault(sample.visit, []).append(sample)
    return tuple(_summarise_visit(visit, by_visit[visit]) for visit in VISITS if visit in by_visit)


def _summarise_visit(visit: str, samples: Sequence[Sample]) -> VisitSummary:
    ranked = sorted(-math.inf if sample.is_below else sample.value for sample in samples)
    days = sorted(sample.day for sample in samples)
    enough = len(samples) >= MEDIAN_FROM
    lower, median, upper = (
        _rank_quantile(ranked, share) if enough else math.nan for share in (0.25, 0.5, 0.75)
    )
    return VisitSummary(
        visit=visit, day=0.0 if visit == "D0" else _rank_quantile(days, 0.5), n=len(samples),
        n_above=sum(not sample.is_below for sample in samples), median=_finite(median), lower=_finite(lower),
        upper=_finite(upper), median_is_below=median == -math.inf,
    )  # fmt: skip


def _rank_quantile(ranked: Sequence[float], share: float) -> float:
    """Return a quantile (type 7, geometric between two levels); below LLOQ if either neighbour is."""
    position = share * (len(ranked) - 1)
    low, high = ranked[math.floor(position)], ranked[math.ceil(position)]
    weight = position - math.floor(position)
    if weight == 0 or low == high:
        return low
    if low == -math.inf:
        return -math.inf
    if low > 0:
        return math.exp(math.log(low) * (1 - weight) + math.log(high) * weight)
    return low * (1 - weight) + high * weight


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def list_arms() -> tuple[str, ...]:
    """Return the dose groups in the order in which they are drawn."""
    return tuple(arm.value for arm in Arm)
