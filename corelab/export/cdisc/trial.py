"""The tables of a snapshot with what every domain needs: subjects, visits, days, results, numbering."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from corelab.export.cdisc.model import Dataset, read_terms
from corelab.tables.schemas import SCHEMAS
from corelab.vocabulary import Status

if TYPE_CHECKING:
    from corelab.study.model import Study

UNSCHEDULED: Final = 99
NAN: Final = float("nan")
NOT_DONE: Final = "NOT DONE"
_MIDNIGHT: Final = r"T00:00:00(?:[+-]\d{2}:\d{2}|Z)?$"
_BEYOND: Final = ("<", ">", "<=", ">=")
_WORDS: Final = {
    Status.NOT_DETECTED.value: "NOT DETECTED",
    Status.DETECTED_BLQ.value: "BELOW LIMIT OF QUANTIFICATION",
    Status.ABOVE_ULOQ.value: "ABOVE LIMIT OF QUANTIFICATION",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """A snapshot's tables and its study; ``cutoff`` is the data cut-off as a date text, of each subject."""

    study: "Study"
    tables: Mapping[str, pd.DataFrame]
    cutoff: Callable[[str], str]

    @cached_property
    def infusions(self) -> dict[str, str]:
        """Start of infusion by subject, empty where none was given."""
        subjects = self.tables["subjects"]
        return dict(zip(subjects["subject_id"], subjects["infusion_at"], strict=True))

    @cached_property
    def answers(self) -> pd.DataFrame:
        """What was assessed; without a row where the snapshot is older than that table."""
        return self.read("assessments")

    def has(self, name: str) -> bool:
        """Whether the snapshot has a table."""
        return name in self.tables

    def read(self, name: str) -> pd.DataFrame:
        """Return a table, or one without a row where the snapshot is older than that table."""
        return self.tables[name] if self.has(name) else SCHEMAS[name].empty()

    def read_subjects(self, column: str) -> "pd.Series[str]":
        """Return a text of each subject by id; empty where the snapshot is older than that column."""
        subjects = self.tables["subjects"]
        texts = subjects[column] if column in subjects.columns else ""
        return pd.Series(texts, index=subjects.index, dtype=object).set_axis(subjects["subject_id"])

    def count_from_infusion(self, subjects: "pd.Series[str]", dates: "pd.Series[str]") -> "pd.Series[float]":
        """Return --DY of dates; empty for a part of a date or a subject without infusion."""
        starts = _read_dates(subjects.map(self.infusions).fillna("").astype(object))
        return count_days((_read_dates(dates) - starts).dt.days)

    def name_subject(self, subject_id: str) -> str:
        """Return USUBJID."""
        return f"{self.study.id}-{subject_id}"

    def number_visit(self, label: str) -> float:
        """Return VISITNUM: the order of the study file, unscheduled draws after all others."""
        code, _, number = label.partition(".")
        if code == "UNS":
            return UNSCHEDULED + int(number or 0) / 100
        visit = self.study.visits_by_code.get(code)
        return float(visit.order + 1) if visit else NAN

    def place(self, rows: pd.DataFrame, prefix: str) -> dict[str, Any]:
        """Return the columns by which each domain is joined: subject, visit, time and day."""
        return {
            "STUDYID": self.study.id,
            "DOMAIN": prefix,
            "USUBJID": rows["subject_id"].map(self.name_subject),
            "VISITNUM": rows["visit_label"].map(self.number_visit),
            "VISIT": rows["visit_label"],
            f"{prefix}DTC": rows["collected_at"],
            f"{prefix}DY": count_days(rows["study_day"]),
        }

    def flag_last_before(self, table: pd.DataFrame, prefix: str, by: Sequence[str]) -> "pd.Series[str]":
        """Mark the last result of each test that was drawn before the infusion."""
        starts = {self.name_subject(name): at for name, at in self.infusions.items() if at}
        first = _read_instants(table["USUBJID"].map(starts).fillna(""))
        drawn = _read_instants(table[f"{prefix}DTC"])
        counts = (drawn < first) & (table[f"{prefix}STRESC"] != "")
        order = table.assign(_drawn=drawn)[counts].sort_values("_drawn", kind="stable")
        last = order.drop_duplicates(["USUBJID", *by], keep="last").index
        return pd.Series(np.where(table.index.isin(last), "Y", ""), index=table.index, dtype=object)


def count_days(study_day: "pd.Series[Any]") -> "pd.Series[float]":
    """Return --DY: study day 0 is day 1, the day before it is day -1; there is no day 0."""
    days = study_day.astype("float64")
    return days.where(days < 0, days + 1)


def _read_dates(texts: "pd.Series[str]") -> "pd.Series[Any]":
    return pd.to_datetime(texts.str[:10], format="%Y-%m-%d", errors="coerce")


def _read_instants(texts: "pd.Series[str]") -> "pd.Series[Any]":
    return pd.to_datetime(texts.where(texts != ""), utc=True, format="ISO8601")


def format_number(value: float) -> str:
    """Write a number so that it reads back to the same double, whole ones without a point.

    Examples
    --------
    >>> format_number(12.0), format_number(0.1), format_number(1e22)
    ('12', '0.1', '1e+22')
    """
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))


def write_results(rows: pd.DataFrame, prefix: str) -> dict[str, Any]:
    """Return original and standard result, unit, status and reason of measured rows.

    A result beyond a limit is written with its relation and has no number; one that failed or is missing is
    NOT DONE with its reason.
    """
    texts = [_write_result(row) for row in rows.to_dict(orient="records")]
    done = pd.Series([text != "" for text in texts], index=rows.index, dtype=bool)
    result = pd.Series(texts, index=rows.index, dtype=object)
    counts = (
        done & (rows["status"] == Status.QUANTIFIED.value) & ~rows["reason"].isin(("POSITIVE", "NEGATIVE"))
    )
    unit = rows["unit"].where(done, "")
    why = rows["status"].str.upper() + (": " + rows["reason"]).where(rows["reason"] != "", "")
    return {
        f"{prefix}ORRES": result,
        f"{prefix}ORRESU": unit,
        f"{prefix}STRESC": result,
        f"{prefix}STRESN": rows["value"].where(counts),
        f"{prefix}STRESU": unit,
        f"{prefix}STAT": pd.Series(np.where(done, "", NOT_DONE), index=rows.index, dtype=object),
        f"{prefix}REASND": why.where(~done, "").str[:200],
    }


def _write_result(row: Mapping[Any, Any]) -> str:
    if row["reason"] in ("POSITIVE", "NEGATIVE"):
        return str(row["reason"])
    if row["status"] == Status.QUANTIFIED.value:
        return format_number(row["value"]) if math.isfinite(row["value"]) else ""
    if row["status"] in _WORDS:
        bound = row["high"] if row["relation"].startswith("<") else row["low"]
        is_known = row["relation"] in _BEYOND and math.isfinite(bound)
        return f"{row['relation']}{format_number(bound)}" if is_known else _WORDS[row["status"]]
    return ""


def stack(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tables under each other; without a row the first of them."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def drop_unknown_times(table: pd.DataFrame) -> pd.DataFrame:
    """Write a date that was delivered without a time, which is kept as midnight, as the date alone."""
    names = [name for name in table.columns if name.endswith("DTC")] if len(table) else []
    texts = {name: table[name].fillna("").astype(object) for name in names}
    return table.assign(**{name: one.str.replace(_MIDNIGHT, "", regex=True) for name, one in texts.items()})


def finish(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Bring a table into the variables, types and order of its data set, and number its records."""
    typed = {
        variable.name: _fill(table, variable.name, is_number=variable.is_number)
        for variable in dataset.variables
    }
    ordered = pd.DataFrame(typed, columns=dataset.names, index=table.index)
    ordered = ordered.sort_values(list(dataset.keys), kind="stable", na_position="first", ignore_index=True)
    sequence = f"{dataset.name}SEQ"
    if sequence in dataset.names:
        numbers = ordered.groupby("USUBJID", sort=False).cumcount() + 1
        ordered[sequence] = numbers.astype("float64")
    return ordered


def _fill(table: pd.DataFrame, name: str, *, is_number: bool) -> "pd.Series[Any]":
    if name not in table.columns:
        return pd.Series(
            [NAN if is_number else ""] * len(table), index=table.index, dtype=float if is_number else object
        )
    values = table[name]
    if is_number:
        return values.astype("float64")
    filled = values.astype(object).where(values.notna(), "")
    return filled.map({text: str(text) for text in filled.unique()}).astype(object)


def pick(tuples: "pd.Series[Any]", position: int) -> "pd.Series[Any]":
    """Return one part of a column of tuples, which may have no row."""
    return pd.Series([one[position] for one in tuples], index=tuples.index, dtype=object)


def find_free(code: str, taken: set[str]) -> str:
    """Return a code of at most eight letters that is not taken: itself, or with a number at its end.

    Examples
    --------
    >>> find_free("CMAX", set()), find_free("AUCINFOB", {"AUCINFOB", "AUCINFO2"})
    ('CMAX', 'AUCINFO3')
    """
    found, number = code, 2
    while found in taken:
        found, number = f"{code[: 8 - len(str(number))]}{number}", number + 1
    return found


def read_terms_of(domain: str) -> Mapping[str, Any]:
    """Return the codes and names of one domain."""
    terms: Mapping[str, Any] = read_terms()[domain]
    return terms
