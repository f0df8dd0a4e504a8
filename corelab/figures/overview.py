"""Who is where: for every child, visit and assay whether a result came, failed, is missing or not due."""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.clock import DAYS_PER_MONTH
from corelab.figures.course import FOLLOW_UP_ENDS, SubjectClock, build_clock
from corelab.study import Study, Visit

COLUMNS: Final = ("subject_id", "arm", "visit", "assay", "state", "study_day")
ASSAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "flow": ("cart", "bcell"), "qpcr": ("qpcr",), "cytokine": ("cytokine",),
    "laboratory": ("laboratory", "renal"),
}  # fmt: skip
"""The four pips of a visit, and what a visit must expect for each."""
MONTHS_FROM_DAY: Final = 45


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewCounts:
    """The numbers above the matrix."""

    enrolled: int
    infused: int
    missing: int
    failed: int
    done: int


Arrivals = Mapping[tuple[str, str, str], bool]
"""By subject, visit and kind of result: True where at least one is good, False where all failed."""


def summarise_overview(tables: Mapping[str, pd.DataFrame], study: Study, as_of: dt.date) -> pd.DataFrame:
    """Return one row per child, visit and expected assay with its state.

    Returns
    -------
    DataFrame
        ``subject_id, arm, visit, assay`` (flow, qpcr, cytokine, laboratory), ``state`` and ``study_day``,
        the child's day at the cut-off (NaN before infusion). ``done``: a result came; ``failed``: all that
        came failed; ``missing``: the window closed before the cut-off and nothing came; ``not_due``: else.
        Where two panels are due the worse counts. A visit without a target (screening, apheresis) is due
        once the child is infused. Sorted by subject and by the order of the schedule.
    """
    arrivals = read_arrivals(tables)
    ends = _read_ends(tables)
    rows = []
    for subject in tables["subjects"].to_dict(orient="records"):
        name = str(subject["subject_id"])
        clock = build_clock(str(subject["infusion_at"]), as_of, study)
        judge = _Judge(subject_id=name, clock=clock, arrivals=arrivals, end=ends.get(name, ""))
        rows += [{"arm": str(subject["arm"]), **row} for row in judge.list_rows(study.visits)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def count_overview(overview: pd.DataFrame) -> OverviewCounts:
    """Count children and results of an overview."""
    states = overview["state"].value_counts()
    days = overview.groupby("subject_id")["study_day"].first()
    return OverviewCounts(
        enrolled=len(days), infused=int(days.notna().sum()), missing=int(states.get("missing", 0)),
        failed=int(states.get("failed", 0)), done=int(states.get("done", 0)),
    )  # fmt: skip


def name_stage(day: float, visits: Iterable[str]) -> tuple[str, int]:
    """Return where a child is, as the end of a word's key and its number.

    Parameters
    ----------
    day
        Study day at the cut-off, NaN before infusion.
    visits
        Visits from which anything came.

    Examples
    --------
    >>> name_stage(25.0, []), name_stage(200.0, []), name_stage(float("nan"), ["SCR", "LD"])
    (('day', 25), ('month', 6), ('lymphodepletion', 0))
    """
    if math.isnan(day):
        return ("lymphodepletion" if "LD" in visits else "screening"), 0
    if day < MONTHS_FROM_DAY:
        return "day", int(day)
    return "month", int(day / DAYS_PER_MONTH)


def read_arrivals(tables: Mapping[str, pd.DataFrame]) -> Arrivals:
    """Return what came for each subject and visit, by kind of result."""
    arrivals: dict[tuple[str, str, str], bool] = {}
    for key, is_good in (*_flow_arrivals(tables["populations"]), *_other_arrivals(tables["measurements"])):
        arrivals[key] = arrivals.get(key, False) or is_good
    return arrivals


def _flow_arrivals(populations: pd.DataFrame) -> list[tuple[tuple[str, str, str], bool]]:
    full = populations[(populations["tube"] == "full") & (populations["subject_id"] != "")]
    tubes = full.groupby(["subject_id", "visit", "panel", "file_id"], sort=True)["qc"].first()
    return [
        ((str(subject), str(visit), str(panel)), qc != "fail")
        for (subject, visit, panel, _), qc in tubes.items()
    ]


def _other_arrivals(measurements: pd.DataFrame) -> list[tuple[tuple[str, str, str], bool]]:
    came = measurements[
        measurements["assay"].isin(["qpcr", "cytokine", "laboratory"])
        & (measurements["collected_at"] != "")
        & (measurements["status"] != "missing")
    ]
    is_good = (came["status"] != "failed").groupby([came["subject_id"], came["visit"], came["assay"]]).any()
    return [((str(s), str(v), str(assay)), bool(good)) for (s, v, assay), good in is_good.items()]


def _read_ends(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return when a child's follow-up ended: an early-termination visit or a disposition."""
    measurements = tables["measurements"]
    names = measurements["name"].str.rpartition(":")[2] if len(measurements) else measurements["name"]
    over = measurements[(measurements["visit"] == "ET") | names.isin(FOLLOW_UP_ENDS)]
    ends = over[over["collected_at"] != ""].groupby("subject_id")["collected_at"].min()
    return {str(subject): str(end) for subject, end in ends.items()}


@dataclass(frozen=True, kw_only=True)
class _Judge:
    """Judges the visits of one child."""

    subject_id: str
    clock: SubjectClock | None
    arrivals: Arrivals
    end: str

    def list_rows(self, visits: Iterable[Visit]) -> list[dict[str, Any]]:
        day = math.nan if self.clock is None else self.clock.day(self.clock.cut_off.isoformat())
        return [
            {
                "subject_id": self.subject_id, "visit": visit.code, "assay": assay,
                "state": self._judge(visit, [kind for kind in kinds if kind in visit.expects]),
                "study_day": math.floor(day) if math.isfinite(day) else math.nan,
            }
            for visit in visits
            for assay, kinds in ASSAYS.items()
            if any(kind in visit.expects for kind in kinds)
        ]  # fmt: skip

    def _judge(self, visit: Visit, kinds: list[str]) -> str:
        found = {self.arrivals.get((self.subject_id, visit.code, _arrival_kind(kind))) for kind in kinds}
        if False in found:
            return "failed"
        if None in found and self._is_closed(visit):
            return "missing"
        return "done" if True in found else "not_due"

    def _is_closed(self, visit: Visit) -> bool:
        if self.clock is None:
            return False
        if not visit.has_target:
            return True
        over = math.inf if not self.end else self.clock.day(self.end)
        return self.clock.is_closed(visit) and self.clock.target_day(visit) <= over


def _arrival_kind(kind: str) -> str:
    return "laboratory" if kind == "renal" else kind
