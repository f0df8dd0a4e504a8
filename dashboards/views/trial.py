"""The trial at a glance: what waits, what is missing, what comes next."""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corelab.study.model import Study
from corelab.study.schedule import compute_target_date, compute_window
from dashboards.ports import SnapshotPort

if TYPE_CHECKING:
    import pandas as pd

DAYS_AHEAD: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One delivered file or row in quarantine."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What did not come or did not pass of a child's visit, by assay.

    ``days`` counts from the end of the visit's window to the cut-off; None for a visit without a window.
    """

    subject_id: str
    visit: str
    assays: tuple[str, ...]
    days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """One visit of a child that is due soon."""

    subject_id: str
    visit: str
    due: dt.date


def read_cut_off(snapshot: SnapshotPort, study: Study) -> dt.datetime:
    """Return the data cut-off of a snapshot in the study's zone.

    A snapshot without any dated row has none; then nothing can be late at the moment it was made.
    """
    text = str(snapshot.manifest.get("cutoff") or "")
    return study.localise(dt.datetime.fromisoformat(text) if text else snapshot.created_at)


def list_waiting(quarantine: "pd.DataFrame") -> list[Waiting]:
    """Return what waits in quarantine, in the order of its paths."""
    rows = quarantine[["path", "reason"]].sort_values(["path", "reason"], kind="stable")
    return [Waiting(path=path, reason=reason) for path, reason in rows.itertuples(index=False)]


def list_gaps(
    subjects: "pd.DataFrame", overview: "pd.DataFrame", study: Study, *, state: str, as_of: dt.datetime
) -> list[Gap]:
    """Return the visits of which something is missing (or failed), the latest first."""
    infused = read_infusions(subjects, study)
    today = study.localise(as_of).date()
    rows = overview[overview["state"] == state]
    gaps = [
        Gap(
            subject_id=subject,
            visit=visit,
            assays=tuple(group["assay"]),
            days=_count_days(visit, infused.get(subject), study, today),
        )
        for (subject, visit), group in rows.groupby(["subject_id", "visit"], sort=True)
    ]
    order = {visit.code: visit.order for visit in study.visits}
    return sorted(gaps, key=lambda gap: (gap.days is None, gap.days, gap.subject_id, order[gap.visit]))


def read_infusions(subjects: "pd.DataFrame", study: Study) -> dict[str, dt.date]:
    """Return the local date of infusion of every child who was infused."""
    pairs = zip(subjects["subject_id"], subjects["infusion_at"], strict=True)
    return {
        subject: study.localise(dt.datetime.fromisoformat(infusion)).date()
        for subject, infusion in pairs
        if infusion
    }


def _count_days(visit: str, infused: dt.date | None, study: Study, today: dt.date) -> int | None:
    window = compute_window(study.visits_by_code[visit], infused) if infused else None
    return None if window is None else (today - window[1]).days


def list_coming(
    subjects: "pd.DataFrame", overview: "pd.DataFrame", study: Study, *, as_of: dt.datetime
) -> list[Coming]:
    """Return the visits due within a week after the cut-off that have brought nothing yet, by date."""
    today = study.localise(as_of).date()
    done = overview[overview["state"] == "done"]
    seen = set(zip(done["subject_id"], done["visit"], strict=True))
    coming = [
        Coming(subject_id=subject_id, visit=code, due=due)
        for subject_id, infused in read_infusions(subjects, study).items()
        for code, due in _list_due(study, infused, today)
        if (subject_id, code) not in seen
    ]
    return sorted(coming, key=lambda visit: (visit.due, visit.subject_id))


def _list_due(study: Study, infused: dt.date, today: dt.date) -> list[tuple[str, dt.date]]:
    due = []
    for visit in study.visits:
        target, window = compute_target_date(visit, infused), compute_window(visit, infused)
        if target is None or window is None or not visit.expects:
            continue
        is_soon = today < target <= today + dt.timedelta(days=DAYS_AHEAD)
        is_open = target <= today <= window[1]
        if is_soon or is_open:
            due.append((visit.code, target))
    return due
