"""What the strip above a child's course says."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corelab.figures.numbers import format_interval, format_number
from corelab.study.model import Study
from corelab.study.schedule import compute_study_day

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One child: who, which dose, since when, and the CD19 call."""

    subject_id: str
    arm: str
    arm_label: str
    sex: str
    age: str
    infused_on: str
    day: int | None
    cd19_call: str
    cd19_percent: str
    cd19_interval: str
    previous_id: str
    next_id: str


def build_subject(
    tables: "Mapping[str, pd.DataFrame]", subject_id: str, study: Study, *, as_of: dt.datetime
) -> Subject | None:
    """Collect what is known of a child, or None when the snapshot has no such child."""
    subjects = tables["subjects"]
    names = list(subjects["subject_id"])
    if subject_id not in names:
        return None
    place = names.index(subject_id)
    row = subjects.iloc[place]
    infusion = dt.datetime.fromisoformat(row["infusion_at"]) if row["infusion_at"] else None
    labels = {arm.code.value: arm.label for arm in study.arms}
    call, percent, interval = read_cd19(tables["cd19_status"], subject_id)
    return Subject(
        subject_id=subject_id,
        arm=row["arm"],
        arm_label=labels.get(row["arm"], ""),
        sex=row["sex"],
        age=f"{row['age_years']:.0f}" if math.isfinite(row["age_years"]) else "",
        infused_on=study.localise(infusion).date().isoformat() if infusion else "",
        day=compute_study_day(as_of, infusion, study=study) if infusion else None,
        cd19_call=call,
        cd19_percent=percent,
        cd19_interval=interval,
        previous_id=names[place - 1] if place > 0 else "",
        next_id=names[place + 1] if place + 1 < len(names) else "",
    )


def read_cd19(cd19_status: "pd.DataFrame", subject_id: str) -> tuple[str, str, str]:
    """Return the call with its percentage and interval as text; empty text where there is none."""
    rows = cd19_status[cd19_status["subject_id"] == subject_id]
    if rows.empty:
        return "", "", ""
    row = rows.iloc[0]
    percent = float(row["percent_cd19"])
    if not math.isfinite(percent):
        return row["call"], "", ""
    interval = format_interval(float(row["ci_low"]), float(row["ci_high"]), estimate=percent)
    return row["call"], format_number(percent), interval
