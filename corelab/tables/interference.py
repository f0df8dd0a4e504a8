"""Marks on values that a drug changes: IL-6 after tocilizumab is no measure of severity."""

import datetime as dt
from collections.abc import Mapping
from typing import Final

import pandas as pd

from corelab.clinical.drugs import spell_drug
from corelab.kinetics.parameter import join_reasons
from corelab.tables.clock import Clocks, parse_moment
from corelab.tables.inputs import Inputs

POST_TOCILIZUMAB: Final = "POST_TOCILIZUMAB"
_RAISED: Final = ("IL-6", "sIL-6R")
_DRUG: Final = "tocilizumab"


def mark_interference(concentrations: pd.DataFrame, inputs: Inputs, *, clocks: Clocks) -> pd.DataFrame:
    """Say on every IL-6 drawn within some weeks of tocilizumab that it was.

    A blocked receptor clears no IL-6, so that what is measured rises; the value stays as it is.
    """
    given = _collect_doses(inputs, clocks)
    days = float(clocks.study.settings["cytokine"]["tocilizumab_days"])
    series = concentrations["name"].map(lambda name: name.partition(" (")[0])
    rows = concentrations["subject_id"].isin(given) & series.isin(_RAISED)
    reasons = concentrations["reason"].copy()
    for index in concentrations.index[rows]:
        drawn = parse_moment(concentrations.at[index, "collected_at"], clocks.study)
        doses = given[concentrations.at[index, "subject_id"]]
        if drawn and any(0 <= (drawn - dose).total_seconds() / 86400 <= days for dose in doses):
            reasons[index] = join_reasons((concentrations.at[index, "reason"], POST_TOCILIZUMAB))
    return concentrations.assign(reason=reasons)


def _collect_doses(inputs: Inputs, clocks: Clocks) -> Mapping[str, list[dt.datetime]]:
    """Return when each subject was given the drug: rows of medications, and assessments that say yes."""
    doses: dict[str, list[dt.datetime]] = {}
    said = inputs.assessments
    said = said[
        (said["instrument"] == "medication") & (said["item"] == _DRUG) & (said["value"].str.lower() == "yes")
    ]
    drugs = inputs.medications
    drugs = drugs[drugs["drug"].map(lambda drug: spell_drug(drug) == _DRUG).astype(bool)]
    for subjects, times in (
        (said["subject_id"], said["collected_at"]), (drugs["subject_id"], drugs["start"]),
    ):  # fmt: skip
        for subject, text in zip(subjects, times, strict=True):
            moment = parse_moment(text, clocks.study)
            if moment:
                doses.setdefault(subject, []).append(moment)
    return doses
