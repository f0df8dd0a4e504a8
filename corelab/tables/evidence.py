"""Delivered rows as the evidence by which a child is judged, at screening or at a visit."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.clinical.bounds import read_number
from corelab.clinical.drugs import spell_drug
from corelab.clinical.egfr import Height
from corelab.clinical.evidence import Answer, Biopsy, Exposure, Person, Result
from corelab.clinical.reading import read_value
from corelab.errors import InputError
from corelab.study.model import Study
from corelab.tables.clock import Clocks, parse_moment
from corelab.tables.inputs import Inputs
from corelab.units import parse_unit

SCREENING: Final = "SCR"
BIOPSY: Final = "biopsy"
MEDICATION: Final = "medication"
_ORDER: Final = ["instant", "source_id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """All that was delivered of one child, in the order of time.

    ``answers`` are the rows of ``assessments.csv`` by instrument and item.
    """

    person: Person
    results: Mapping[str, Sequence[Result]]
    answers: Mapping[tuple[str, str], Sequence[Answer]]
    exposures: Sequence[Exposure]
    heights: Sequence[Height]


def build_charts(inputs: Inputs, *, clocks: Clocks) -> dict[str, Chart]:
    """Open a chart for every subject of the trial.

    Rows without a time of collection have no place in it.
    """
    study = clocks.study
    results = _collect_results(clocks.place(inputs.labs), study)
    answers = _collect_answers(clocks.place(inputs.assessments), study)
    exposures = _collect_exposures(inputs.medications, answers, study)
    screened = _find_screening_dates(inputs, study)
    charts = {}
    for row in inputs.subjects.itertuples(index=False):
        key = str(row.subject_id)
        person = _build_person(row, screened.get(key), study)
        tests = results.get(key, {})
        charts[key] = Chart(
            person=person,
            results=tests,
            answers=answers.get(key, {}),
            exposures=exposures.get(key, ()),
            heights=tuple(_list_heights(row, tests.get("HEIGHT", ()), person)),
        )
    return charts


def _build_person(row: Any, screened: dt.date | None, study: Study) -> Person:
    return Person(
        subject_id=row.subject_id,
        sex=row.sex,
        birth_date=_to_date(row.birth_date, study),
        age_years=read_number(row.age_years),
        consent_date=_to_date(row.consent_date, study),
        screening_date=screened,
        source_id=row.source_id,
    )


def _to_date(text: str, study: Study) -> dt.date | None:
    moment = parse_moment(text, study)
    return moment.date() if moment else None


def _collect_results(labs: pd.DataFrame, study: Study) -> dict[str, dict[str, tuple[Result, ...]]]:
    readings = {text: read_value(text) for text in labs["value"].unique()}
    units = {text: _spell_unit(text) for text in labs["unit"].unique()}
    found: dict[str, dict[str, tuple[Result, ...]]] = {}
    timed = labs[labs["instant"].notna()].sort_values(_ORDER, kind="stable")
    for row in timed.itertuples(index=False):
        date = _to_date(row.collected_at, study)
        if date is None:
            continue
        result = Result(
            test=row.test,
            visit=row.visit,
            collected_at=row.collected_at,
            date=date,
            reading=readings[row.value],
            unit=units[row.unit],
            ref_low=read_number(row.ref_low),
            ref_high=read_number(row.ref_high),
            source_id=row.source_id,
        )
        tests = found.setdefault(row.subject_id, {})
        tests[row.test] = (*tests.get(row.test, ()), result)
    return found


def _spell_unit(text: str) -> str:
    try:
        return parse_unit(text)
    except InputError:
        return ""


def _collect_answers(
    assessments: pd.DataFrame, study: Study
) -> dict[str, dict[tuple[str, str], tuple[Answer, ...]]]:
    found: dict[str, dict[tuple[str, str], tuple[Answer, ...]]] = {}
    timed = assessments[assessments["instant"].notna()].sort_values(_ORDER, kind="stable")
    for row in timed.itertuples(index=False):
        date = _to_date(row.collected_at, study)
        if date is None:
            continue
        answer = Answer(
            text=row.value,
            visit=row.visit,
            collected_at=row.collected_at,
            date=date,
            by=row.by,
            comment=row.comment,
            source_id=row.source_id,
        )
        items = found.setdefault(row.subject_id, {})
        key = (row.instrument, row.item)
        items[key] = (*items.get(key, ()), answer)
    return found


def _collect_exposures(
    medications: pd.DataFrame,
    answers: Mapping[str, Mapping[tuple[str, str], Sequence[Answer]]],
    study: Study,
) -> dict[str, tuple[Exposure, ...]]:
    found: dict[str, list[Exposure]] = {}
    for row in medications.itertuples(index=False):
        start = _to_date(row.start, study)
        if start is not None:
            found.setdefault(row.subject_id, []).append(
                Exposure(
                    drug=spell_drug(row.drug, reason=row.reason),
                    start=start,
                    end=_to_date(row.end, study),
                    reason=row.reason,
                    source_id=row.source_id,
                )
            )
    for subject, items in answers.items():
        found.setdefault(subject, []).extend(_list_recorded(items))
    return {subject: tuple(exposures) for subject, exposures in found.items()}


def _list_recorded(items: Mapping[tuple[str, str], Sequence[Answer]]) -> Iterator[Exposure]:
    """Yield drugs recorded as an assessment: given on that date."""
    for (instrument, item), given in items.items():
        if instrument == MEDICATION:
            for answer in given:
                if answer.truth.value == "yes":
                    yield Exposure(
                        drug=spell_drug(item),
                        start=answer.date,
                        end=answer.date,
                        reason="",
                        source_id=answer.source_id,
                    )


def _find_screening_dates(inputs: Inputs, study: Study) -> dict[str, dt.date]:
    """Return the first date of visit SCR; a biopsy may be older and does not date the visit."""
    scores = inputs.assessments
    parts = [inputs.labs, inputs.acquisitions, scores[scores["instrument"] != BIOPSY]]
    dates: dict[str, dt.date] = {}
    for part in parts:
        rows = part.loc[part["visit"] == SCREENING, ["subject_id", "collected_at"]].drop_duplicates()
        for subject, text in rows.itertuples(index=False, name=None):
            date = _to_date(text, study)
            if date is not None:
                dates[subject] = min(date, dates.get(subject, date))
    return dates


def _list_heights(row: Any, measured: Iterable[Result], person: Person) -> Iterator[Height]:
    """Yield measured heights, and that of the subject file as of screening."""
    for result in measured:
        exact = result.bounds_in("cm").exact
        if exact is not None and result.is_valid("cm"):
            yield Height(date=result.date, cm=float(exact))
    date = person.screening_date or person.consent_date
    if row.height_cm > 0 and date is not None:
        yield Height(date=date, cm=float(row.height_cm))


def list_biopsies(chart: Chart) -> tuple[Biopsy, ...]:
    """Return the biopsies of screening, and those without a visit that were taken before it ended."""
    rows: dict[str, dict[str, Answer]] = {}
    for item in ("class", "active"):
        for answer in chart.answers.get((BIOPSY, item), ()):
            rows.setdefault(answer.collected_at, {})[item] = answer
    last = chart.person.screening_date
    taken = []
    for items in rows.values():
        any_item = next(iter(items.values()))
        is_early = any_item.visit == "UNS" and last is not None and any_item.date <= last
        if any_item.visit == SCREENING or is_early:
            texts = {item: answer.text for item, answer in items.items()}
            taken.append(
                Biopsy(
                    date=any_item.date,
                    grade=texts.get("class", ""),
                    active=texts.get("active", ""),
                    source_id=any_item.source_id,
                )
            )
    return tuple(taken)


def group_by_draw(chart: Chart, instrument: str) -> list[dict[str, Answer]]:
    """Return the assessments of an instrument, each with its items, in the order of time."""
    draws: dict[tuple[dt.date, str, str], dict[str, Answer]] = {}
    for (name, item), answers in chart.answers.items():
        if name == instrument:
            for answer in answers:
                draws.setdefault((answer.date, answer.collected_at, answer.visit), {})[item] = answer
    return [draws[key] for key in sorted(draws)]
