"""Our own rules for data sets of a submission, each with a name and a sentence; nothing is repaired here."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.export.cdisc.model import Dataset, read_datasets
from corelab.export.cdisc.tracing import find_unrelated, find_untraceable
from corelab.export.cdisc.trial import NOT_DONE
from corelab.export.cdisc.xport import LARGEST, SMALLEST

Domains = Mapping[str, pd.DataFrame]
Rows = Iterator[tuple[int, str, str]]
"""Row (0 is the data set itself), variable and what was found."""

_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,7}")
_DATE: Final = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?")
_HYPHENATED: Final = re.compile(r"HLA-DR|PD-1|TIM-3|LAG-3")
_COLUMNS: Final = ["rule", "dataset", "row", "variable", "found", "rule_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: its name, what must hold, and how to find the rows where it does not."""

    name: str
    text: str
    find: Callable[[Dataset, pd.DataFrame, Domains], Rows]


def validate(domains: Domains) -> pd.DataFrame:
    """Check data sets; a row for each breach with the rule's name. Rows count from 1."""
    found = [
        {
            "rule": rule.name,
            "dataset": name,
            "row": row,
            "variable": variable,
            "found": what,
            "rule_text": rule.text,
        }
        for name, table in domains.items()
        for rule in RULES
        for row, variable, what in rule.find(read_datasets()[name], table, domains)
    ]
    return pd.DataFrame(found, columns=_COLUMNS)


def _where(mask: Any, variable: str, values: "pd.Series[Any]") -> Rows:
    flags = np.asarray(mask, dtype=bool)
    for position in np.flatnonzero(flags):
        yield int(position) + 1, variable, str(values.iloc[position])


def _where_text(breaks: Callable[[str], bool], variable: str, values: "pd.Series[Any]") -> Rows:
    """Ask each text once, and look for its rows only where it breaks the rule."""
    broken = [text for text in values.unique() if breaks(text)]
    if broken:
        yield from _where(values.isin(broken), variable, values)


def _texts(dataset: Dataset) -> list[str]:
    return [variable.name for variable in dataset.variables if not variable.is_number]


def _numbers(dataset: Dataset) -> list[str]:
    return [variable.name for variable in dataset.variables if variable.is_number]


def _find_names(dataset: Dataset, _table: pd.DataFrame, _domains: Domains) -> Rows:
    for name in (dataset.name, *dataset.names):
        if not _NAME.fullmatch(name):
            yield 0, name, name


def _find_labels(dataset: Dataset, _table: pd.DataFrame, _domains: Domains) -> Rows:
    labels = [(dataset.name, dataset.label), *((one.name, one.label) for one in dataset.variables)]
    for name, label in labels:
        if not label or not label.isascii() or len(label) > 40:
            yield 0, name, label


def _find_columns(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    if list(table.columns) != dataset.names:
        yield 0, "", " ".join(map(str, table.columns))


def _find_long(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    for name in _texts(dataset):
        yield from _where_text(lambda text: len(text.encode("utf-8")) > 200, name, table[name])


def _find_foreign(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    for name in _texts(dataset):
        yield from _where_text(lambda text: not (text.isascii() and text.isprintable()), name, table[name])


def _find_extreme(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    for name in _numbers(dataset):
        size = table[name].abs()
        wrong = (size > LARGEST) | ((size < SMALLEST) & (size > 0))
        yield from _where(wrong, name, table[name])


def _find_absent(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    for variable in dataset.variables:
        if variable.core != "Req" or variable.name in ("AVAL", "TRT01P", "AGE", "AGEU", "ARM"):
            continue
        values = table[variable.name]
        yield from _where(values.isna() | (values == ""), variable.name, values)


def _find_repeated(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    keys = list(dataset.keys)
    yield from _where(table.duplicated(keys), keys[-1], table[keys[-1]])


def _find_unsorted(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    keys = list(dataset.keys)
    ordered = table.sort_values(keys, kind="stable", na_position="first")
    if not ordered.index.equals(table.index):
        yield 0, " ".join(keys), "not sorted"


def _find_sequences(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    name = f"{dataset.name}SEQ"
    if name in dataset.names:
        yield from _where(table.duplicated(["USUBJID", name]), name, table[name])


def _find_day_zero(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    for name in _numbers(dataset):
        if name.endswith("DY"):
            yield from _where(table[name] == 0, name, table[name])


def _find_wrong_days(dataset: Dataset, table: pd.DataFrame, domains: Domains) -> Rows:
    """Compare a day with its date; both dates are local, so the first ten letters count."""
    pairs = [(f"{dataset.name}{part}DY", f"{dataset.name}{part}DTC") for part in ("", "ST", "EN")]
    pairs = [pair for pair in pairs if set(pair) <= set(dataset.names)]
    if not pairs or "DM" not in domains:
        return
    starts = dict(zip(domains["DM"]["USUBJID"], domains["DM"]["RFSTDTC"], strict=True))
    reference = _read_days([starts.get(subject, "") for subject in table["USUBJID"]])
    for day, date in pairs:
        difference = (_read_days(table[date]) - reference).dt.days
        expected = difference.where(difference < 0, difference + 1)
        differs = (expected != table[day]) & (expected.notna() | table[day].notna())
        yield from _where(differs, day, table[day])


def _read_days(texts: Iterable[str]) -> "pd.Series[Any]":
    days = pd.Series([text[:10] for text in texts], dtype=object)
    return pd.to_datetime(days, format="%Y-%m-%d", errors="coerce")


def _find_bad_dates(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    for name in _texts(dataset):
        if name.endswith("DTC"):
            yield from _where_text(lambda text: bool(text and not _DATE.fullmatch(text)), name, table[name])


def _find_strangers(dataset: Dataset, table: pd.DataFrame, domains: Domains) -> Rows:
    home = "DM" if dataset.standard == "sdtm" else "ADSL"
    if "USUBJID" in dataset.names and home in domains and dataset.name not in (home, "RELREC"):
        yield from _where(~table["USUBJID"].isin(domains[home]["USUBJID"]), "USUBJID", table["USUBJID"])


def _find_codes(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    for name in (f"{dataset.name}TESTCD", "PARAMCD", "QNAM"):
        if name in dataset.names:
            yield from _where_text(lambda text: not _NAME.fullmatch(text), name, table[name])


def _find_test_names(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    name = f"{dataset.name}TEST"
    # The text of a criterion of eligibility is whole up to 200 letters.
    if name in dataset.names and dataset.name != "IE":
        yield from _where(table[name].str.len() > 40, name, table[name])


def _find_split_codes(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    pairs = ((f"{dataset.name}TESTCD", f"{dataset.name}TEST"), ("PARAMCD", "PARAM"))
    for code, name in pairs:
        if code in dataset.names and name in dataset.names:
            many = table.groupby(code)[name].transform("nunique") > 1
            yield from _where(many, code, table[code])


def _find_numbers_beyond(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    text, number = f"{dataset.name}STRESC", f"{dataset.name}STRESN"
    if {text, number} <= set(dataset.names):
        beyond = table[text].str.startswith(("<", ">")) & table[number].notna()
        yield from _where(beyond, number, table[number])


def _find_undone(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    status, result, reason = (f"{dataset.name}{end}" for end in ("STAT", "ORRES", "REASND"))
    if {status, result, reason} <= set(dataset.names):
        undone, derived = table[status] == NOT_DONE, f"{dataset.name}DRVFL"
        # A derived record may have its result in the standard format alone.
        is_derived = (table[derived] == "Y") if derived in dataset.names else False
        wrong = undone & ((table[result] != "") | (table[reason] == ""))
        wrong |= ~undone & (table[result] == "") & ~is_derived
        yield from _where(wrong, status, table[status])


def _find_units(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    number, unit = f"{dataset.name}STRESN", f"{dataset.name}STRESU"
    if {number, unit} <= set(dataset.names) and dataset.name != "LB":
        yield from _where(table[number].notna() & (table[unit] == ""), unit, table[number])


def _find_missing_sub(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    if dataset.name == "CP":
        markers = table[["CPSBMRKS", "CPCELSTA", "CPCSMRKS"]].ne("").any(axis=1)
        has_sub = table["CPTEST"].map(lambda text: bool(re.search(r"\bSub\b", text)))
        yield from _where(markers & ~has_sub, "CPTEST", table["CPTEST"])


def _find_half_state(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    if dataset.name == "CP":
        yield from _where(table["CPCELSTA"].ne("") != table["CPCSMRKS"].ne(""), "CPCELSTA", table["CPCELSTA"])


def _find_delimiters(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    if dataset.name == "CP":
        expression = table["CPTEST"].str.endswith(" Expression")
        wrong = table["CPMRKSTR"].map(
            lambda text: bool(_HYPHENATED.search(text) or re.search(r"[,;|_]", text))
        )
        spaced = table["CPMRKSTR"].str.contains(" ", regex=False) & ~expression
        yield from _where(wrong | spaced | (table["CPMRKSTR"] == ""), "CPMRKSTR", table["CPMRKSTR"])


def _find_no_exceptions(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    if dataset.name == "IE":
        expected = table["IECAT"].map({"INCLUSION": "N", "EXCLUSION": "Y"})
        yield from _where(expected != table["IESTRESC"], "IESTRESC", table["IESTRESC"])


def _find_changes(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    if "CHG" in dataset.names:
        wrong = table["CHG"].notna() & ((table["AVAL"] - table["BASE"] - table["CHG"]).abs() > 0)
        yield from _where(wrong, "CHG", table["CHG"])


def _find_baselines(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    if "ABLFL" in dataset.names:
        flagged = table[table["ABLFL"] == "Y"]
        twice = flagged.index[flagged.duplicated(["USUBJID", "PARAMCD"])]
        yield from _where(table.index.isin(twice), "ABLFL", table["ABLFL"])


def _find_censoring(dataset: Dataset, table: pd.DataFrame, _domains: Domains) -> Rows:
    if "CNSR" in dataset.names:
        wrong = (table["CNSR"] == 0) == table["STOPHI"].isna()
        yield from _where(wrong, "CNSR", table["CNSR"])


RULES: Final = (
    Rule(name="XPT_NAME", text="a name has 1 to 8 of A-Z 0-9 _ and begins with a letter", find=_find_names),
    Rule(name="XPT_LABEL", text="a label has 1 to 40 bytes of ASCII", find=_find_labels),
    Rule(
        name="XPT_VARIABLES",
        text="the variables are those of the specification, in its order",
        find=_find_columns,
    ),
    Rule(name="XPT_LENGTH", text="a text has at most 200 bytes", find=_find_long),
    Rule(name="XPT_ASCII", text="a text is printable ASCII without line breaks", find=_find_foreign),
    Rule(name="XPT_RANGE", text="a number lies within what an IBM float can hold", find=_find_extreme),
    Rule(name="REQUIRED", text="a required variable is filled", find=_find_absent),
    Rule(name="KEY_UNIQUE", text="no two records have the same key", find=_find_repeated),
    Rule(name="KEY_SORTED", text="the records are sorted by key", find=_find_unsorted),
    Rule(name="SEQ_UNIQUE", text="--SEQ is unique within a subject", find=_find_sequences),
    Rule(name="DY_NO_ZERO", text="there is no study day 0", find=_find_day_zero),
    Rule(name="DY_DATE", text="--DY is date - RFSTDTC, plus 1 from the reference on", find=_find_wrong_days),
    Rule(name="DTC_ISO8601", text="a date is ISO 8601, whole or cut off at its right", find=_find_bad_dates),
    Rule(name="SUBJECT_KNOWN", text="each USUBJID is in DM, or in ADSL", find=_find_strangers),
    Rule(name="TESTCD", text="a code has 1 to 8 of A-Z 0-9 _ and begins with a letter", find=_find_codes),
    Rule(name="TEST_LENGTH", text="--TEST has at most 40 letters", find=_find_test_names),
    Rule(name="TEST_ONE_NAME", text="one code has one name", find=_find_split_codes),
    Rule(name="BLQ_NO_NUMBER", text="a result beyond a limit has no number", find=_find_numbers_beyond),
    Rule(
        name="STAT_REASON",
        text="NOT DONE has a reason and no result, all others have a result",
        find=_find_undone,
    ),
    Rule(name="UNIT", text="a number has a unit", find=_find_units),
    Rule(
        name="CP_SUB",
        text="CPTEST says Sub where CPSBMRKS, CPCELSTA or CPCSMRKS is filled",
        find=_find_missing_sub,
    ),
    Rule(name="CP_STATE", text="CPCELSTA and CPCSMRKS are filled together", find=_find_half_state),
    Rule(
        name="CP_MARKERS", text="CPMRKSTR has no delimiter and no hyphen inside a name", find=_find_delimiters
    ),
    Rule(name="AD_CHANGE", text="CHG is AVAL - BASE", find=_find_changes),
    Rule(name="AD_BASELINE", text="a subject has one baseline for each parameter", find=_find_baselines),
    Rule(
        name="IE_EXCEPTION",
        text="IE has inclusion criteria with N and exclusion criteria with Y alone",
        find=_find_no_exceptions,
    ),
    Rule(name="REL_RECORD", text="each side of a relation names a record", find=find_unrelated),
    Rule(
        name="AD_TRACE",
        text="AVAL is what SRCVAR says in record SRCSEQ of SRCDOM",
        find=find_untraceable,
    ),
    Rule(
        name="AD_CENSOR", text="an event has an upper bound, a censored time has none", find=_find_censoring
    ),
)
