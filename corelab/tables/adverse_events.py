"""`adverse_events`: one row per subject and term with its worst grade."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from corelab.study.model import Study
from corelab.study.schedule import add_months
from corelab.tables.clock import Clocks, SubjectClock, parse_moment

NAN: Final = float("nan")
TRUE_WORDS: Final = ("yes", "y", "true", "1", "related", "possible", "probable", "definite")
COLUMNS: Final = [
    "subject_id", "arm", "term", "worst_grade", "scale", "onset_day", "duration_days", "related", "serious",
    "ongoing", "treatment_emergent", "aesi", "worst_related_grade",
]  # fmt: skip


def derive_adverse_events(events: pd.DataFrame, *, clocks: Clocks) -> pd.DataFrame:
    """Join the episodes of each term.

    Notes
    -----
    A term is treatment-emergent if an episode starts on the day of infusion or later, not at an earlier hour
    of that day, and is either new or worse than before; its worst grade is then taken from the episodes up to
    the end of the emergent period, as are its relatedness and seriousness. Days count both first and last
    date, overlapping episodes once; an ongoing term has none. Spellings that differ in capitals are one term.
    """
    labelled = events.assign(term=name_terms(events["term"], events["subject_id"]))
    rows = [
        _derive_row(subject, term, group, clocks)
        for (subject, term), group in labelled.groupby(["subject_id", "term"], sort=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def name_terms(terms: "pd.Series[str]", *within: "pd.Series[str]") -> "pd.Series[str]":
    """Return one spelling for the terms that differ in capitals, the one with capitals before the others."""
    return terms.groupby([*within, terms.str.casefold()]).transform("min") if len(terms) else terms


def _derive_row(subject: str, term: str, group: pd.DataFrame, clocks: Clocks) -> dict[str, Any]:
    study = clocks.study
    clock = clocks.subjects.get(subject)
    starts = [_to_date(text, study) for text in group["start"]]
    ends = [_to_date(text, study) for text in group["end"]]
    settings = study.settings["adverse_events"]
    episodes = group.assign(start_date=pd.Series(starts, index=group.index, dtype=object))
    emergent = _select_emergent(episodes, clock, int(settings["emergent_years"]), study)
    graded = emergent if len(emergent) else episodes
    worst = graded["grade"].max()
    known = [day for day in starts if day]
    is_ongoing = any(end is None for end in ends)
    infusion = clock.infusion.date() if clock and clock.infusion else None
    is_prolonged = _is_prolonged_cytopenia(term, episodes.assign(end_date=ends), infusion, settings)
    return {
        "subject_id": subject,
        "arm": clock.arm if clock else "",
        "term": term,
        "worst_grade": worst,
        "scale": "; ".join(sorted(set(group["scale"]) - {""})),
        "onset_day": float((min(known) - infusion).days) if known and infusion else NAN,
        "duration_days": NAN if is_ongoing else _count_days(starts, ends),
        "related": _any(graded["related"]),
        "serious": _any(graded["serious"]),
        "ongoing": "yes" if is_ongoing else "no",
        "treatment_emergent": "yes" if len(emergent) else "no",
        "aesi": "yes" if _is_of_interest(term, group, worst, settings) or is_prolonged else "no",
        "worst_related_grade": graded.loc[graded["related"].map(_is_true), "grade"].max(),
    }


def _to_date(text: str, study: Study) -> dt.date | None:
    moment = parse_moment(text, study)
    return moment.date() if moment else None


def _is_hours_early(text: str, infusion: dt.datetime, study: Study) -> bool:
    """Tell whether a start has a time, and that time lies before the infusion; midnight is a date alone."""
    moment = parse_moment(text, study)
    return moment is not None and moment.time() != dt.time() and moment < infusion


def _select_emergent(
    episodes: pd.DataFrame, clock: SubjectClock | None, years: int, study: Study
) -> pd.DataFrame:
    if clock is None or clock.infusion is None:
        return episodes.iloc[:0]
    first = clock.infusion.date()
    last = add_months(first, 12 * years)
    early = [_is_hours_early(text, clock.infusion, study) for text in episodes["start"]]
    is_before = [
        soon or (day is not None and day < first)
        for soon, day in zip(early, episodes["start_date"], strict=True)
    ]
    is_after = [
        not soon and day is not None and first <= day <= last
        for soon, day in zip(early, episodes["start_date"], strict=True)
    ]
    earlier = episodes.loc[is_before, "grade"].max()
    after = episodes[is_after]
    return after if pd.isna(earlier) or after["grade"].max() > earlier else after.iloc[:0]


def _count_days(starts: list[dt.date | None], ends: list[dt.date | None]) -> float:
    days = {
        start + dt.timedelta(days=offset)
        for start, end in zip(starts, ends, strict=True)
        if start and end
        for offset in range((end - start).days + 1)
    }
    return float(len(days)) if days else NAN


def _any(answers: "pd.Series[str]") -> str:
    given = [text.strip().lower() for text in answers if text.strip()]
    if not given:
        return ""
    return "yes" if any(map(_is_true, given)) else "no"


def _is_true(text: str) -> bool:
    return text.strip().lower() in TRUE_WORDS


def _is_of_interest(term: str, group: pd.DataFrame, worst: float, settings: Mapping[str, Any]) -> bool:
    words = [text.strip().lower() for text in (term, *group["category"])]
    listed = {text.lower() for text in settings["aesi_terms"]}
    infection = any("infection" in text for text in words)
    is_severe = bool(worst >= settings["aesi_infection_from_grade"])
    return any(text in listed or text == "aesi" for text in words) or (infection and is_severe)


def _is_prolonged_cytopenia(
    term: str, episodes: pd.DataFrame, infusion: dt.date | None, settings: Mapping[str, Any]
) -> bool:
    """Tell whether a severe cytopenia was there after the day from which it counts as prolonged.

    Lymphopenia, which lymphodepletion is given for, is no such term.
    """
    named = {text.lower() for text in settings["aesi_cytopenia_terms"]}
    if infusion is None or term.strip().lower() not in named:
        return False
    last = infusion + dt.timedelta(days=int(settings["aesi_cytopenia_after_day"]))
    severe = episodes[episodes["grade"] >= settings["aesi_cytopenia_from_grade"]]
    return any(
        start is not None and (end is None or end > last)
        for start, end in zip(severe["start_date"], severe["end_date"], strict=True)
    )
