"""Laboratory results as measurements: canonical units, and eGFR from creatinine and height."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from corelab.clinical import egfr
from corelab.clinical.laboratory import TEST_UNITS, choose_test_unit
from corelab.study.model import Study
from corelab.study.placing import UNSCHEDULED
from corelab.tables.clock import Clocks, parse_moment
from corelab.tables.inputs import Inputs
from corelab.tables.values import (
    UNKNOWN_UNIT,
    UNREADABLE,
    convert_columns,
    parse_values,
    spell_units,
    tabulate_measured,
)
from corelab.vocabulary import Assay, Status

NAN: Final = float("nan")
NUMBERLESS: Final = ("1", "titre")
"""Canonical units of tests that answer in words, ratios or titres."""
POSITIVE: Final = "POSITIVE"
MEASURED: Final = (Status.QUANTIFIED.value, Status.DETECTED_BLQ.value, Status.ABOVE_ULOQ.value)
CHILD_UNTIL: Final = 16


def derive_laboratory(labs: pd.DataFrame) -> pd.DataFrame:
    """Parse laboratory results and bring them into canonical units."""
    open_limits = [NAN] * len(labs)
    measured = parse_values(labs["value"], lods=open_limits, lloqs=open_limits, uloqs=open_limits)
    parsed = labs.drop(columns="value").join(tabulate_measured(measured, labs.index))
    unit = spell_units(labs["unit"])
    target = [choose_test_unit(test, spelled) for test, spelled in zip(labs["test"], unit, strict=True)]
    rows = parsed.assign(unit=unit, target=pd.Series(target, index=labs.index, dtype=object))
    rows = convert_columns(rows, ("value", "low", "high"), substance="test")
    unknown = rows["unit"] == ""
    rows = rows.assign(
        status=rows["status"].mask(unknown, Status.FAILED.value),
        reason=rows["reason"].mask(unknown, UNKNOWN_UNIT),
        unit=rows["target"].mask(unknown, labs["unit"]),
    )
    rows = _mark_no_numbers(rows, labs)
    return rows.rename(columns={"test": "name"}).assign(assay=Assay.LABORATORY.value, metric="result")[
        _COLUMNS
    ]


def _mark_no_numbers(rows: pd.DataFrame, labs: pd.DataFrame) -> pd.DataFrame:
    """Mark what is no amount of a test that is measured as one: a word, a titre, another kind of unit.

    A positive has no number there, so none stands for it, nor a titre's; a number in a unit that says
    something else (cells as ``mg/dL``) is kept and failed.
    """
    expected = labs["test"].map(lambda test: TEST_UNITS.get(test, ""))
    is_amount = ~expected.isin(("", *NUMBERLESS)) & (rows["unit"] != "titre")
    word = is_amount & (rows["reason"] == POSITIVE)
    titre = is_amount & labs["value"].str.contains(":", regex=False)
    other = is_amount & ~word & ~titre & (rows["unit"] != expected) & rows["status"].isin(MEASURED)
    numbers = {name: rows[name].mask(word | titre, NAN) for name in ("value", "low", "high")}
    status = rows["status"].mask(word, Status.NOT_CALCULATED.value)
    return rows.assign(
        **numbers,
        relation=rows["relation"].mask(titre, ""),
        status=status.mask(titre | other, Status.FAILED.value),
        reason=rows["reason"].mask(titre, UNREADABLE).mask(other, UNKNOWN_UNIT),
    )


_COLUMNS: Final = [
    "subject_id", "visit", "collected_at", "assay", "name", "metric", "value", "relation", "low", "high",
    "unit", "status", "reason", "source_id",
]  # fmt: skip


def derive_egfr(laboratory: pd.DataFrame, inputs: Inputs, *, clocks: Clocks) -> pd.DataFrame:
    """Compute bedside Schwartz for every creatinine, with the height nearest in time."""
    study, settings = clocks.study, clocks.study.settings["egfr"]
    heights = _collect_heights(laboratory, inputs.subjects, study)
    births = {row.subject_id: row for row in inputs.subjects.itertuples(index=False)}
    creatinine = laboratory[(laboratory["name"] == "CREAT") & (laboratory["unit"] == "umol/L")]
    rows = [
        _estimate(row, heights.get(row["subject_id"], []), births.get(row["subject_id"]), settings, study)
        for row in creatinine.to_dict(orient="records")
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _estimate(
    row: Mapping[str, Any],
    heights: list[egfr.Height],
    subject: Any,
    settings: Mapping[str, Any],
    study: Study,
) -> dict[str, Any]:
    result = {**row, "name": "EGFR", "unit": egfr.UNIT, "value": NAN, "low": NAN, "high": NAN, "relation": ""}
    if row["status"] != Status.QUANTIFIED or not row["value"] > 0:
        return {**result, "status": Status.NOT_CALCULATED.value, "reason": "NO_CREATININE"}
    moment = parse_moment(row["collected_at"], study)
    if moment is None:
        return {**result, "status": Status.NOT_CALCULATED.value, "reason": "NO_DATE"}
    months = _allowed_months(subject, moment.date(), settings, study)
    height, reason = egfr.choose_height(heights, moment.date(), months=months)
    if height is None:
        return {**result, "status": Status.NOT_CALCULATED.value, "reason": reason}
    value = egfr.compute_bedside_schwartz(height.cm, row["value"], factor=settings["factor"])
    return {**result, "value": value, "low": value, "high": value, "relation": "=", "reason": ""}


def _allowed_months(subject: Any, on: dt.date, settings: Mapping[str, Any], study: Study) -> int:
    birth = parse_moment(subject.birth_date, study) if subject is not None else None
    if birth is not None:
        age = float(count_years(birth.date(), on))
    else:
        age = float(subject.age_years) if subject is not None else NAN
    return int(settings["height_months_from_16"] if age >= CHILD_UNTIL else settings["height_months"])


def count_years(birth: dt.date, on: dt.date) -> int:
    """Return completed years of age.

    Examples
    --------
    >>> count_years(dt.date(2010, 6, 10), dt.date(2025, 6, 9))
    14
    """
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def _collect_heights(
    laboratory: pd.DataFrame, subjects: pd.DataFrame, study: Study
) -> dict[str, list[egfr.Height]]:
    heights: dict[str, list[egfr.Height]] = {}
    measured = laboratory[
        (laboratory["name"] == "HEIGHT")
        & (laboratory["unit"] == "cm")
        & (laboratory["status"] == Status.QUANTIFIED.value)
    ]
    for subject, text, cm in measured[["subject_id", "collected_at", "value"]].itertuples(index=False):
        moment = parse_moment(text, study)
        if moment is not None:
            heights.setdefault(subject, []).append(egfr.Height(date=moment.date(), cm=cm))
    screening = _find_screening_dates(laboratory, subjects, study)
    for row in subjects.itertuples(index=False):
        if row.height_cm > 0 and row.subject_id in screening:
            heights.setdefault(row.subject_id, []).append(
                egfr.Height(date=screening[row.subject_id], cm=row.height_cm)
            )
    return heights


def _find_screening_dates(
    laboratory: pd.DataFrame, subjects: pd.DataFrame, study: Study
) -> dict[str, dt.date]:
    """Return the date to which the height of the subject file belongs: screening, else consent."""
    dates: dict[str, dt.date] = {}
    for subject, text in subjects[["subject_id", "consent_date"]].itertuples(index=False):
        moment = parse_moment(text, study)
        if moment is not None:
            dates[subject] = moment.date()
    screening = laboratory[laboratory["visit"] == "SCR"]
    for subject, text in screening.groupby("subject_id")["collected_at"].max().items():
        moment = parse_moment(text, study)
        if moment is not None:
            dates[str(subject)] = moment.date()
    return dates


def match_lymphocytes(tubes: pd.DataFrame, laboratory: pd.DataFrame, *, clocks: Clocks) -> pd.DataFrame:
    """Return for each file the absolute lymphocytes of the same draw, where a blood count has them.

    The blood count is of the same subject, visit (or moment) and local day; of several the nearest in time,
    and of two equally near the earlier.
    """
    counts = laboratory[
        (laboratory["name"] == "ALC")
        & (laboratory["unit"] == "10^9/L")
        & (laboratory["status"] == Status.QUANTIFIED.value)
    ]
    placed = clocks.place(counts[["subject_id", "visit", "collected_at", "value"]])
    pairs = tubes[["file_id", "subject_id", "visit", "instant", "collected_at"]].merge(
        placed[["subject_id", "visit", "instant", "collected_at", "value"]],
        on="subject_id",
        suffixes=("", "_count"),
    )
    # One draw may be a visit for one assay and unscheduled for another, of which a nearer draw has the visit.
    is_loose = (pairs[["visit", "visit_count"]] == UNSCHEDULED).any(axis=1)
    is_moment = is_loose & (pairs["instant"] == pairs["instant_count"])
    pairs = pairs[(pairs["visit"] == pairs["visit_count"]) | is_moment]
    # Times are spelled in the study's zone, so that the first ten characters are the local date.
    pairs = pairs[pairs["collected_at"].str[:10] == pairs["collected_at_count"].str[:10]]
    pairs = pairs.assign(
        distance=(pairs["instant"] - pairs["instant_count"]).abs(), alc_per_ul=pairs["value"] * 1000
    ).sort_values(["file_id", "distance", "instant_count", "value"])
    return pairs.drop_duplicates("file_id")[["file_id", "alc_per_ul"]]
