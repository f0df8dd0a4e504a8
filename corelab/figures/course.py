"""One subject's rows on the infusion clock: what the patient figure draws, without any drawing."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from corelab.errors import ContractError
from corelab.figures.clock import VisitTick
from corelab.study import Study, Visit
from corelab.study.schedule import compute_target_date, compute_window

SECONDS_PER_DAY: Final = 86_400.0
FOLLOW_UP_ENDS: Final = ("withdrawal", "death", "lost_to_followup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of one draw, with all that is known of its doubt; NaN where a number does not apply.

    ``day`` is the elapsed time from infusion in days; for a visit to which nothing came it is the day on
    which the visit was due, and ``collected_at`` is empty.
    """

    day: float
    visit: str
    visit_label: str
    collected_at: str
    status: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    lloq: float = math.nan
    uloq: float = math.nan
    count: float = math.nan
    total: float = math.nan
    relation: str = ""
    reason: str = ""
    unit: str = ""
    source_id: str = ""
    lod: float = math.nan

    @property
    def upper_limit(self) -> float:
        """Below what a censored value lies: its interval's end, else the limit that it did not reach."""
        if math.isfinite(self.high):
            return self.high
        is_undetected = self.status == "not_detected" and math.isfinite(self.lod)
        return self.lod if is_undetected else self.lloq


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetBar:
    """The memory subsets of one compartment at one draw: percent by subset, out of ``parent_count``."""

    day: float
    visit_label: str
    collected_at: str
    parent_count: float
    percents: Mapping[str, float]
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One soluble analyte: its points, and the fold over baseline by time of collection."""

    name: str
    unit: str
    points: tuple[Point, ...]
    folds: Mapping[str, Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Something that lasts: an adverse event or a drug; ``end`` is NaN while it goes on."""

    name: str
    start: float
    end: float
    text: str = ""
    grade: int = 0
    is_aesi: bool = False
    scale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aplasia:
    """B-cell aplasia in days from infusion; ``end_high`` is NaN while B cells have not come back."""

    start: float
    end_low: float
    end_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One kinetic parameter as tabled."""

    value: float
    low: float
    high: float
    unit: str
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PatientCourse:
    """Everything of one subject that the patient page draws.

    ``today`` is the data cut-off in days from infusion (NaN before infusion); ``series`` holds the points
    of every row by its key (``car_abs``, ``car_vcn``, ``car_pct``, ``b_cells``, ``sledai``, ``upcr``,
    ``egfr``) in the order of time; ``drugs`` is None where no table of medications was given.
    """

    subject_id: str
    arm: str
    infusion_at: str
    today: float
    ticks: tuple[VisitTick, ...]
    series: Mapping[str, tuple[Point, ...]]
    phenotype: tuple[SubsetBar, ...]
    tracks: tuple[Track, ...]
    events: tuple[Episode, ...]
    drugs: tuple[Episode, ...] | None
    aplasia: Aplasia | None
    recovery: Mapping[str, float]
    kinetics: Mapping[tuple[str, str], Parameter]

    @property
    def is_infused(self) -> bool:
        """Whether the clock runs for this subject."""
        return bool(self.infusion_at)


@dataclass(frozen=True, kw_only=True)
class SubjectClock:
    """One subject's infusion and cut-off, and what the schedule says of them."""

    study: Study
    infusion: dt.datetime
    cut_off: dt.datetime

    def day(self, moment: str) -> float:
        """Return elapsed days from infusion of an ISO 8601 moment."""
        return (parse_moment(moment, self.study) - self.infusion).total_seconds() / SECONDS_PER_DAY

    def target_day(self, visit: Visit) -> float:
        """Return the day on which a visit is due, NaN without a target."""
        target = compute_target_date(visit, self.infusion.date())
        return math.nan if target is None else float((target - self.infusion.date()).days)

    def is_closed(self, visit: Visit) -> bool:
        """Tell whether the visit's window closed on or before the day of the cut-off."""
        window = compute_window(visit, self.infusion.date())
        return window is not None and window[1] <= self.cut_off.date()


def parse_moment(text: str, study: Study) -> dt.datetime:
    """Read an ISO 8601 moment; one without a zone is in the study's.

    Raises
    ------
    ContractError
        If the text is no moment: tables hold only checked ones.
    """
    try:
        return study.localise(dt.datetime.fromisoformat(text))
    except ValueError as error:
        raise ContractError(f"{text!r} is no moment", expected="ISO 8601") from error


def build_clock(infusion_at: str, as_of: dt.date, study: Study) -> SubjectClock | None:
    """Return a subject's clock, or None before infusion; ``as_of`` may be a date or a moment."""
    if not infusion_at:
        return None
    moment = as_of if isinstance(as_of, dt.datetime) else dt.datetime.combine(as_of, dt.time(23, 59))
    return SubjectClock(
        study=study, infusion=parse_moment(infusion_at, study), cut_off=study.localise(moment)
    )


def derive_missing_points(points: list[Point], clock: SubjectClock, *, expects: str) -> list[Point]:
    """Add a point of status ``missing`` for every closed visit that expects this kind and brought none."""
    seen = {point.visit for point in points}
    missing = [
        Point(
            day=clock.target_day(visit), visit=visit.code, visit_label=visit.code, collected_at="",
            status="missing", reason="NOT_COLLECTED",
        )
        for visit in clock.study.visits
        if expects in visit.expects and visit.code not in seen and clock.is_closed(visit)
    ]  # fmt: skip
    return sorted([*points, *missing], key=lambda point: point.day)


def build_ticks(draws: Mapping[str, tuple[str, float]], clock: SubjectClock) -> tuple[VisitTick, ...]:
    """Return the visits of the clock.

    Parameters
    ----------
    draws
        By visit label the visit and the day of its first draw.
    clock
        Gives the target day of the visits to which nothing came.
    """
    ticks = [
        VisitTick(label=label, day=_tick_day(visit, day), is_due=True, is_target=visit not in ("UNS", "ET"))
        for label, (visit, day) in draws.items()
    ]
    taken = {tick.label for tick in ticks}
    today = clock.day(clock.cut_off.isoformat())
    for visit in clock.study.visits:
        day = clock.target_day(visit)
        if visit.code not in taken and math.isfinite(day):
            ticks.append(VisitTick(label=visit.code, day=day, is_due=day <= today))
    return tuple(sorted(ticks, key=lambda tick: tick.day))


def _tick_day(visit: str, day: float) -> float:
    return 0.0 if visit == "D0" else day


def to_float(value: Any) -> float:
    """Return a cell as a float, NaN where it is missing."""
    import pandas as pd

    return math.nan if pd.isna(value) else float(value)
