"""Visits that are due at the data cut-off and have no sample."""

from collections.abc import Mapping

import pandas as pd

from corelab.study.model import Visit
from corelab.study.schedule import compute_window
from corelab.tables.clock import Clocks, SubjectClock
from corelab.vocabulary import Analyte, Status

EXPECTED_BY: Mapping[Analyte, str] = {
    Analyte.CAR_PCT_CD3: "cart",
    Analyte.CAR_PCT_LYM: "cart",
    Analyte.CAR_ABS: "cart",
    Analyte.CAR_VCN_UG: "qpcr",
}
"""The word in a visit's ``expects`` that asks for each analyte."""


def list_due_visits(clock: SubjectClock, clocks: Clocks) -> list[Visit]:
    """Return the visits whose window closed by the cut-off while the subject was in the trial."""
    if clock.infusion is None or clocks.as_of is None:
        return []
    due = []
    for visit in clocks.study.visits:
        window = compute_window(visit, clock.infusion.date())
        if window is None or window[1] > clocks.as_of.date():
            continue
        if clock.left_at is None or window[1] <= clock.left_at.date():
            due.append(visit)
    return due


def list_missing(rows: pd.DataFrame, *, units: Mapping[Analyte, str], clocks: Clocks) -> pd.DataFrame:
    """Return a ``missing`` row for every due visit and analyte without a row."""
    present = set(rows[["subject_id", "visit", "analyte"]].itertuples(index=False, name=None))
    missing = [
        {
            "subject_id": subject_id, "arm": clock.arm, "visit": visit.code, "visit_label": visit.code,
            "collected_at": "", "analyte": analyte.value, "unit": units[analyte],
            "status": Status.MISSING.value, "reason": "NOT_COLLECTED",
        }
        for subject_id, clock in clocks.subjects.items()
        for visit in list_due_visits(clock, clocks)
        for analyte, expected in EXPECTED_BY.items()
        if expected in visit.expects and (subject_id, visit.code, analyte.value) not in present
    ]  # fmt: skip
    return pd.DataFrame(missing)
