"""One delivered row checked against its layout: a row in the registry's words, or the reason why not."""

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from corelab.errors import InputError
from corelab.ingest.layouts import Field, Layout
from corelab.ingest.names import (
    ITEMS,
    is_known_analyte,
    is_known_item,
    is_known_test,
    spell_analyte,
    spell_instrument,
    spell_item,
    spell_test,
)
from corelab.ingest.values import parse_measured
from corelab.study import Study
from corelab.units import parse_unit
from corelab.vocabulary import VISITS, Arm, Panel, is_run_tube, is_tube

SUBJECT_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_WELL: Final = re.compile(r"([A-Pa-p])0?([1-9]|1[0-9]|2[0-4])")
_SAMPLE_TYPES: Final = ("standard", "qc", "blank", "unknown")
_FOLDED: Final = ("test", "analyte", "term", "drug", "item")
_SPELLINGS: Final[Mapping[tuple[str, str], Callable[[str], str]]] = {
    ("labs", "test"): spell_test, ("cytokines", "analyte"): spell_analyte,
    ("plate_standards", "analyte"): spell_analyte,
    ("assessments", "instrument"): spell_instrument, ("assessments", "item"): spell_item,
}  # fmt: skip
_YES: Final = ("yes", "y", "true", "1")
_NO: Final = ("no", "n", "false", "0")
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 2200


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRow:
    """A row whose every text is what its column says.

    ``key`` is canonical JSON of the words that name the row; ``remarks`` are warnings that do not keep
    it out.
    """

    kind: str
    key: str
    subject_id: str
    values: Mapping[str, str]
    remarks: tuple[str, ...] = ()


def check_row(values: Mapping[str, str], layout: Layout, *, study: Study, place: str) -> CheckedRow:
    """Check a row's texts, bring times into the study's zone and words into their spelling.

    Whether its subject is known is not asked here.

    Raises
    ------
    InputError
        Naming the column, what was found and what was expected.
    """
    checked = {}
    for field in layout.fields:
        text = values.get(field.name, "").strip()
        if text:
            word = _CHECKS[field.rule](text, field, study, f"{place} {field.name}")
            checked[field.name] = _SPELLINGS.get((layout.kind, field.name), str)(word)
        elif field.filled:
            raise InputError(f"{field.name} is empty", place=place, expected=_expected(field))
        else:
            checked[field.name] = ""
    _check_together(checked, layout, place=place)
    return CheckedRow(
        kind=layout.kind,
        key=make_key(checked, layout),
        subject_id=checked.get("subject_id", ""),
        values=checked,
        remarks=_remarks(checked, layout, place),
    )


def make_key(values: Mapping[str, str], layout: Layout) -> str:
    """Return what names a row: two rows of the same key are the same measurement."""
    words = [
        values.get(name, "").casefold() if name in _FOLDED else values.get(name, "") for name in layout.key
    ]
    return json.dumps([layout.kind, *words], ensure_ascii=False, separators=(",", ":"))


def _remarks(values: Mapping[str, str], layout: Layout, place: str) -> tuple[str, ...]:
    if layout.kind == "labs" and not is_known_test(values["test"]):
        return (f"{place}: test {values['test']!r} is unknown; kept",)
    if layout.kind == "cytokines" and not is_known_analyte(values["analyte"]):
        return (f"{place}: analyte {values['analyte']!r} is unknown; kept",)
    if layout.kind == "assessments" and values["instrument"] not in ITEMS:
        return (f"{place}: instrument {values['instrument']!r} is unknown; kept",)
    if layout.kind == "assessments" and not is_known_item(values["instrument"], values["item"]):
        return (f"{place}: item {values['item']!r} of {values['instrument']} is unknown; kept",)
    return ()


def _check_together(values: Mapping[str, str], layout: Layout, *, place: str) -> None:
    """Check what no column says alone."""
    if layout.kind == "acquisitions":
        _check_tube_owner(values, place)
    if layout.kind == "subjects":
        if not values["age_years"] and not values["birth_date"]:
            raise InputError("neither age nor birth date", place=place, expected="age_years or birth_date")
        _check_order(values, "birth_date", "consent_date", place)
        _check_order(values, "infusion_at", "infusion_end_at", place)
        _check_order(values, "lymphodepletion_at", "infusion_at", place)
    if layout.kind == "plate_layout" and values["subject_id"] and values["sample_type"] != "unknown":
        raise InputError(
            f"a {values['sample_type']} has a subject",
            place=place,
            expected="a subject in unknown wells only",
        )
    if "start" in values:
        _check_order(values, "start", "end", place)


def _check_tube_owner(values: Mapping[str, str], place: str) -> None:
    run_tube = is_run_tube(values["tube"])
    if run_tube and (values["subject_id"] or values["visit"]):
        raise InputError(
            f"run tube {values['tube']} has a subject or visit", place=place, expected="both empty"
        )
    if not run_tube and not values["subject_id"]:
        raise InputError("subject_id is empty", place=place, expected="the subject of the tube")


def _check_order(values: Mapping[str, str], first: str, second: str, place: str) -> None:
    if values[first] and values[second] and _moment(values[second]) < _moment(values[first]):
        raise InputError(f"{second} {values[second]} lies before {first} {values[first]}", place=place)


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _expected(field: Field) -> str:
    return {
        "number": "a number", "whole": "a whole number", "moment": "a time as 2025-03-17T08:30",
        "date": "a date as 2025-03-17", "visit": " ".join(VISITS), "panel": " or ".join(Panel),
        "tube": "full, fmo_<marker> or a run tube", "arm": "low or high", "sex": "F or M",
        "yes_no": "yes or no", "well": "A1 to P24", "sample_type": "standard, qc, blank or unknown",
        "subject": "a subject", "subject_new": "1 to 32 of A-Z a-z 0-9 . _ -",
    }.get(field.rule, "a text")  # fmt: skip


def _refuse(text: str, field: Field, place: str, remedy: str = "") -> InputError:
    return InputError(f"{text[:80]!r}", place=place, expected=_expected(field), remedy=remedy)


def _check_subject(text: str, field: Field, study: Study, place: str) -> str:
    if not SUBJECT_ID.fullmatch(text):
        raise _refuse(text, field, place)
    if not re.fullmatch(study.subject_id_pattern, text):
        raise InputError(f"{text!r}", place=place, expected=f"an id like {study.subject_id_pattern}")
    return text


def _check_known_subject(text: str, field: Field, study: Study, place: str) -> str:
    # Any text may stand for a subject that is not known; that it is unknown is the better message.
    return text[:80]


def _check_visit(text: str, field: Field, study: Study, place: str) -> str:
    word = text.upper()
    if word not in study.visits_by_code and word not in ("UNS", "ET"):
        raise InputError(f"{text[:80]!r}", place=place, expected=" ".join(study.visits_by_code))
    return word


def _check_moment(text: str, field: Field, study: Study, place: str) -> str:
    try:
        moment = dt.datetime.fromisoformat(text)
        local = study.localise(moment)
    except (ValueError, OverflowError):
        raise _refuse(text, field, place, "a real date in ISO 8601") from None
    if not _FIRST_YEAR <= local.year <= _LAST_YEAR:
        raise InputError(f"year {local.year} cannot be", place=place, expected=_expected(field))
    return local.isoformat()


def _check_date(text: str, field: Field, study: Study, place: str) -> str:
    try:
        day = dt.datetime.fromisoformat(text).date()
    except ValueError:
        raise _refuse(text, field, place, "a real date in ISO 8601") from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise InputError(f"year {day.year} cannot be", place=place, expected=_expected(field))
    return day.isoformat()


def _check_number(text: str, field: Field, study: Study, place: str) -> str:
    if not _NUMBER.fullmatch(text):
        remedy = "write 12.5, not 12,5" if "," in text else ""
        raise _refuse(text, field, place, remedy)
    number = float(text)
    too_low = field.least is not None and number < field.least
    if too_low or (field.most is not None and number > field.most) or number in (float("inf"), -float("inf")):
        bounds = f"{field.least:g} or more" if field.least is not None else "a finite number"
        raise InputError(
            f"{text} {field.unit}".strip(), place=place,
            expected=f"{field.least:g} to {field.most:g}" if field.most is not None else bounds,
        )  # fmt: skip
    return text


def _check_whole(text: str, field: Field, study: Study, place: str) -> str:
    checked = _check_number(text, field, study, place)
    if not float(checked).is_integer():
        raise _refuse(text, field, place)
    return str(int(float(checked)))


def _check_measured(text: str, field: Field, study: Study, place: str) -> str:
    parse_measured(text, place=place)
    return text


def _check_unit(text: str, field: Field, study: Study, place: str) -> str:
    parse_unit(text, place=place)
    return text


def _check_panel(text: str, field: Field, study: Study, place: str) -> str:
    word = text.lower()
    if word not in tuple(Panel):
        raise InputError(f"panel {text[:80]!r} is unknown", place=place, expected=_expected(field))
    return word


def _check_tube(text: str, field: Field, study: Study, place: str) -> str:
    word = text if is_tube(text) else text.lower()
    if not is_tube(word) or len(word) > 64:
        raise InputError(f"tube {text[:80]!r} is unknown", place=place, expected=_expected(field))
    return word


def _check_arm(text: str, field: Field, study: Study, place: str) -> str:
    word = text.lower()
    if word not in tuple(Arm):
        raise _refuse(text, field, place)
    return word


def _check_sex(text: str, field: Field, study: Study, place: str) -> str:
    word = text.upper()
    if word not in ("F", "M"):
        raise _refuse(text, field, place)
    return word


def _check_well(text: str, field: Field, study: Study, place: str) -> str:
    match = _WELL.fullmatch(text)
    if match is None:
        raise _refuse(text, field, place)
    return f"{match[1].upper()}{int(match[2])}"


def _check_sample_type(text: str, field: Field, study: Study, place: str) -> str:
    word = text.lower()
    if word not in _SAMPLE_TYPES:
        raise _refuse(text, field, place)
    return word


def _check_yes_no(text: str, field: Field, study: Study, place: str) -> str:
    word = text.lower()
    if word in _YES:
        return "yes"
    if word in _NO:
        return "no"
    raise _refuse(text, field, place)


def _check_text(text: str, field: Field, study: Study, place: str) -> str:
    if any(ord(mark) < 32 and mark not in "\t\n\r" for mark in text):
        raise InputError("control characters", place=place, expected="plain text")
    return " ".join(text.split()) if field.rule == "word" else text


_CHECKS: Final[Mapping[str, Callable[[str, Field, Study, str], str]]] = {
    "subject": _check_known_subject, "subject_new": _check_subject, "visit": _check_visit,
    "moment": _check_moment, "date": _check_date, "number": _check_number, "whole": _check_whole,
    "measured": _check_measured, "unit": _check_unit, "panel": _check_panel, "tube": _check_tube,
    "arm": _check_arm, "sex": _check_sex, "yes_no": _check_yes_no, "word": _check_text,
    "text": _check_text, "file": _check_text, "well": _check_well, "sample_type": _check_sample_type,
}  # fmt: skip
