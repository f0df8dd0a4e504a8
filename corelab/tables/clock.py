"""Every draw on its subject's clock: visit, label, study day and days since infusion."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from corelab.errors import InputError
from corelab.ingest.visits import SERIES, name_platforms, place_rows
from corelab.study.model import Study
from corelab.study.placing import UNSCHEDULED
from corelab.study.schedule import compute_study_day
from corelab.tables.inputs import Inputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TIMED_TABLES: Final = ("acquisitions", "labs", "cytokines", "qpcr", "assessments", "plate_layout")
DRAW_KEY: Final = ["subject_id", "visit", "collected_at"]
WHEN: Final = ["arm", "visit_label", "study_day"]
DAY_SECONDS: Final = 86400.0
NAN: Final = float("nan")
_BEFORE_INFUSION: Final = ("SCR", "APH", "LD", "D0")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectClock:
    """What places a subject's draws in time; moments are in the study's zone, None where unknown.

    ``start`` is the end of infusion, else its begin. ``excluded_from`` is the moment of a second infusion,
    after which kinetics end; ``left_at`` the moment at which the subject died or left the trial.
    """

    arm: str
    infusion: dt.datetime | None
    start: dt.datetime | None
    lymphodepletion: dt.datetime | None
    excluded_from: dt.datetime | None
    left_at: dt.datetime | None

    def is_before_infusion(self, moment: dt.datetime, visit: str) -> bool:
        """Whether a draw lies before the infusion; every draw does without one.

        Where only the date of infusion is known (midnight), the visit D0 of that date is before it.
        """
        if self.infusion is None or moment <= self.infusion:
            return True
        is_date_only = self.infusion.time() == dt.time()
        return is_date_only and visit == "D0" and moment.date() == self.infusion.date()

    def count_days(self, moment: dt.datetime, visit: str) -> float:
        """Return days since the end of infusion; never above 0 for a draw before it."""
        if self.start is None:
            return float("nan")
        days = (moment - self.start).total_seconds() / DAY_SECONDS
        return min(days, 0.0) if self.is_before_infusion(moment, visit) else days


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clocks:
    """All clocks of a trial.

    ``draws`` has one row per subject, visit and time of collection with ``arm``, ``visit_label``,
    ``study_day``, ``days`` since infusion (NaN without one), ``is_before`` infusion and ``instant``, seconds
    since 1970 by which draws are sorted whatever their zone (NaN without a time).
    """

    study: Study
    subjects: Mapping[str, SubjectClock]
    draws: pd.DataFrame
    as_of: dt.datetime | None

    def place(self, table: pd.DataFrame) -> pd.DataFrame:
        """Add arm, label, study day and days since infusion to rows with a draw's key."""
        return table.merge(self.draws, on=DRAW_KEY, how="left", validate="many_to_one")


def parse_moment(text: str, study: Study, *, place: str = "") -> dt.datetime | None:
    """Read an ISO 8601 time into the study's zone; None for an empty text.

    Raises
    ------
    InputError
        If the text is no ISO 8601 time.
    """
    if not text:
        return None
    try:
        return study.localise(dt.datetime.fromisoformat(text))
    except ValueError as error:
        raise InputError(
            f"time {text!r} cannot be read", place=place, expected="an ISO 8601 date or time"
        ) from error


def order_inputs(inputs: Inputs, study: Study) -> Inputs:
    """Put rows into an order of their own and times into one spelling, and name missing visits.

    The order in which rows arrived leaves no trace. A row with a subject but without a visit gets the
    visit in whose window it lies, unless a nearer draw of the same series has it.

    Raises
    ------
    InputError
        If a time is not ISO 8601.
    """
    tables = {field.name: getattr(inputs, field.name) for field in fields(Inputs)}
    tables |= {name: _spell_times(tables[name], study) for name in TIMED_TABLES}
    tables |= {name: _name_visits(name, tables, study) for name in TIMED_TABLES}
    ordered = {
        name: table.sort_values(list(table.columns), ignore_index=True) for name, table in tables.items()
    }
    acquisitions = ordered["acquisitions"].drop_duplicates("file_id", ignore_index=True)
    return replace(Inputs(**ordered), acquisitions=acquisitions)


def _spell_times(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    spelled = {}
    for text, place in zip(table["collected_at"], table["source_id"], strict=True):
        if text not in spelled:
            moment = parse_moment(text, study, place=place)
            spelled[text] = moment.isoformat() if moment else ""
    return table.assign(collected_at=table["collected_at"].map(spelled).astype(object))


def _name_visits(name: str, tables: Mapping[str, pd.DataFrame], study: Study) -> pd.DataFrame:
    """Name the visits of a table's rows that have none, and say which of them another draw has."""
    table = tables[name]
    unnamed = (table["visit"] == "") & (table["subject_id"] != "")
    if not unnamed.any():
        return table
    infusions = {
        str(row.subject_id): parse_moment(row.infusion_at, study, place=row.source_id)
        for row in tables["subjects"].itertuples(index=False)
    }
    columns = ["subject_id", "visit", "collected_at", *SERIES[name]]
    placed = place_rows(
        [(name, row) for row in table[columns].to_dict("records")],
        infusions=infusions,
        platforms=name_platforms(tables["plates"].to_dict("records")),
        study=study,
    )
    visits = pd.Series([one.visit or UNSCHEDULED for one in placed], index=table.index, dtype=object)
    taken = pd.Series([one.taken for one in placed], index=table.index, dtype=object)
    return table.assign(
        visit=table["visit"].where(~unnamed, visits), visit_taken=table["visit_taken"].where(~unnamed, taken)
    )


def build_clocks(inputs: Inputs, *, study: Study, as_of: dt.datetime | None) -> Clocks:
    """Set the clocks from ordered inputs; the cut-off is the newest draw unless one is given."""
    dispositions = inputs.assessments[inputs.assessments["instrument"] == "disposition"]
    clocks = {
        str(row.subject_id): _build_clock(row, dispositions, study)
        for row in inputs.subjects.itertuples(index=False)
    }
    draws = _collect_draws(inputs)
    moments = [parse_moment(text, study) for text in draws["collected_at"]]
    cut_off = as_of or max((moment for moment in moments if moment), default=None)
    return Clocks(
        study=study,
        subjects=clocks,
        draws=_place_draws(draws, moments, clocks, study),
        as_of=study.localise(cut_off) if cut_off else None,
    )


def _build_clock(row: Any, dispositions: pd.DataFrame, study: Study) -> SubjectClock:
    infusion = parse_moment(row.infusion_at, study, place=row.source_id)
    end = parse_moment(row.infusion_end_at, study, place=row.source_id)
    return SubjectClock(
        arm=row.arm,
        infusion=infusion or end,
        start=end or infusion,
        lymphodepletion=parse_moment(row.lymphodepletion_at, study, place=row.source_id),
        excluded_from=_find_disposition(dispositions, row.subject_id, ("second_infusion",), study),
        left_at=_find_disposition(
            dispositions, row.subject_id, ("withdrawal", "death", "lost_to_followup"), study
        ),
    )


def _find_disposition(
    dispositions: pd.DataFrame, subject_id: str, items: "Iterable[str]", study: Study
) -> dt.datetime | None:
    rows = dispositions[
        (dispositions["subject_id"] == subject_id)
        & dispositions["item"].isin(items)
        & (dispositions["value"].str.lower() == "yes")
    ]
    moments = [parse_moment(text, study) for text in rows["collected_at"]]
    return min((moment for moment in moments if moment), default=None)


def _collect_draws(inputs: Inputs) -> pd.DataFrame:
    parts = [getattr(inputs, name)[DRAW_KEY] for name in TIMED_TABLES]
    draws = pd.concat(parts, ignore_index=True).drop_duplicates()
    draws = draws[draws["subject_id"] != ""]
    return draws.sort_values(DRAW_KEY, ignore_index=True)


def _place_draws(
    draws: pd.DataFrame,
    moments: "Sequence[dt.datetime | None]",
    clocks: Mapping[str, SubjectClock],
    study: Study,
) -> pd.DataFrame:
    unknown = SubjectClock(
        arm="", infusion=None, start=None, lymphodepletion=None, excluded_from=None, left_at=None
    )
    placed = [
        (clocks.get(subject, unknown), moment, visit)
        for subject, moment, visit in zip(draws["subject_id"], moments, draws["visit"], strict=True)
    ]
    study_days = [
        compute_study_day(moment, clock.infusion, study=study) if moment and clock.infusion else None
        for clock, moment, _ in placed
    ]
    timed = draws.assign(
        arm=pd.Series([clock.arm for clock, _, _ in placed], index=draws.index, dtype=object),
        study_day=pd.array(study_days, dtype="Int64"),
        days=[clock.count_days(moment, visit) if moment else NAN for clock, moment, visit in placed],
        is_before=[
            clock.is_before_infusion(moment, visit) if moment else visit in _BEFORE_INFUSION
            for clock, moment, visit in placed
        ],
        instant=[moment.timestamp() if moment else NAN for _, moment, _ in placed],
    )
    return timed.assign(visit_label=_label_visits(timed))


def _label_visits(draws: pd.DataFrame) -> "pd.Series[Any]":
    """Give unscheduled draws their number by time; all assays of one draw share it."""
    ranks = draws.groupby(["subject_id", "visit"])["instant"].rank(method="dense")
    labels = [
        f"{visit}.{int(rank)}" if visit == "UNS" and rank > 0 else visit
        for visit, rank in zip(draws["visit"], ranks, strict=True)
    ]
    return pd.Series(labels, index=draws.index, dtype=object)
