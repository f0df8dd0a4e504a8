"""A submission from a snapshot's tables: data sets, their breaches of rules, and the files."""

import datetime as dt
import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from corelab.export.cdisc import adam, answers, course, findings, outcomes, people
from corelab.export.cdisc.define import format_define, name_type
from corelab.export.cdisc.model import Dataset, Variable, read_datasets
from corelab.export.cdisc.relations import derive_relrec
from corelab.export.cdisc.rules import validate
from corelab.export.cdisc.trial import Trial
from corelab.export.cdisc.xport import EPOCH, Field, format_xport
from corelab.export.text import format_csv

if TYPE_CHECKING:
    from corelab.study.model import Study

LONGEST_TEXT: Final = 200
_SPELLINGS: Final = str.maketrans(
    {"µ": "u", "μ": "u", "×": "x", "≤": "<=", "≥": ">=", "–": "-", "α": "a", "β": "b", "γ": "g"}
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Submission:
    """Data sets by name in their order, and every breach of a rule (`corelab.export.cdisc.rules`)."""

    domains: Mapping[str, pd.DataFrame]
    breaches: pd.DataFrame


def build_submission(
    tables: Mapping[str, pd.DataFrame],
    *,
    study: "Study",
    cutoff: str,
    move: Callable[[str, str], str] = lambda text, _: text,
) -> Submission:
    """Derive SDTM and ADaM data sets from the tables of a snapshot, and check them.

    Parameters
    ----------
    tables
        The tables of the contract by name.
    study
        The trial.
    cutoff
        Data cut-off, ISO 8601.
    move
        What the cut-off is for a subject whose dates were moved: the text and the subject in, a text out.
    """
    trial = Trial(study=study, tables=tables, cutoff=lambda subject: move(cutoff[:10], subject))
    events, supplement = people.derive_ae(trial)
    domains: dict[str, pd.DataFrame] = {
        "DM": people.derive_dm(trial), "EX": people.derive_ex(trial), "SV": people.derive_sv(trial),
        "AE": events, "SUPPAE": supplement, "BE": people.derive_be(trial), "CP": findings.derive_cp(trial),
        "LB": findings.derive_lb(trial), "PC": findings.derive_pc(trial), "PP": findings.derive_pp(trial),
        "VS": findings.derive_vs(trial), "CM": course.derive_cm(trial), "DS": course.derive_ds(trial),
        "MH": course.derive_mh(trial), "SE": course.derive_se(trial), "IE": course.derive_ie(trial),
        "MI": answers.derive_mi(trial), "QS": answers.derive_qs(trial), "RS": answers.derive_rs(trial),
    }  # fmt: skip
    domains["RELREC"] = derive_relrec(trial, domains)
    adsl = adam.derive_adsl(trial, domains)
    domains |= {
        "ADSL": adsl, "ADCP": adam.derive_bds(domains["CP"], adsl, "CP"),
        "ADLB": adam.derive_bds(domains["LB"], adsl, "LB"), "ADPP": adam.derive_adpp(domains["PP"], adsl),
        "ADEFF": outcomes.derive_adeff(domains["RS"], adsl),
        "ADTTE": outcomes.derive_adtte(trial, domains, adsl),
    }  # fmt: skip
    return Submission(domains=domains, breaches=_add_unnamed(validate(domains), trial))


def _add_unnamed(breaches: pd.DataFrame, trial: Trial) -> pd.DataFrame:
    rows = [
        {
            "rule": "CP_TERM", "dataset": "CP", "row": 0, "variable": "CPTESTCD", "found": name,
            "rule_text": "every population with results has a test; this one is left out of CP",
        }
        for name in findings.list_unnamed_populations(trial)
    ]  # fmt: skip
    return pd.concat([breaches, pd.DataFrame(rows)], ignore_index=True) if rows else breaches


def format_submission(
    submission: Submission, *, study: "Study", moment: dt.datetime
) -> Iterator[tuple[str, bytes]]:
    """Yield the files: ``.xpt`` and Dataset-JSON for each data set, define.xml, validation.csv.

    A text that a transport file cannot hold is written in ASCII and cut at 200 bytes there, and is whole in
    Dataset-JSON; validation.csv names each.
    """
    when = moment.isoformat()
    lengths: dict[tuple[str, str], int] = {}
    for name, table in submission.domains.items():
        dataset = read_datasets()[name]
        plain = _to_plain(table, dataset)
        fields = [_describe_field(variable, plain[variable.name]) for variable in dataset.variables]
        lengths |= {(name, field.name): field.length for field in fields}
        yield f"{name.lower()}.xpt", format_xport(plain, fields, name=name, label=dataset.label)
        yield f"{name.lower()}.json", format_dataset_json(table, dataset, study=study, moment=when)
    yield "define.xml", format_define(submission.domains, lengths, study=study, moment=when)
    yield "validation.csv", format_csv(submission.breaches)


def _to_plain(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    texts = {one.name: _spell_column(table[one.name]) for one in dataset.variables if not one.is_number}
    return table.assign(**texts)


def _spell_column(values: "pd.Series[Any]") -> "pd.Series[Any]":
    known = {text: spell_plain(text) for text in values.unique()}
    return values if all(text == plain for text, plain in known.items()) else values.map(known)


def spell_plain(text: str) -> str:
    """Write a text in printable ASCII of at most 200 bytes; a letter without one is a question mark.

    Examples
    --------
    >>> spell_plain("Hypogammaglobulinämie ≥ 3"), spell_plain("发热")
    ('Hypogammaglobulinamie >= 3', '??')
    """
    if text.isascii() and text.isprintable():
        return text[:LONGEST_TEXT]
    split = unicodedata.normalize("NFKD", text.translate(_SPELLINGS))
    letters = "".join(" " if one.isspace() else one for one in split if not unicodedata.combining(one))
    plain = letters.encode("ascii", "replace").decode("ascii")
    return "".join(one if one.isprintable() else "?" for one in plain)[:LONGEST_TEXT]


def _describe_field(variable: Variable, values: "pd.Series[Any]") -> Field:
    length = 8 if variable.is_number else max([1, *map(len, values.unique())])
    return Field(
        name=variable.name, label=variable.label, is_number=variable.is_number, length=int(length),
        format="DATE" if variable.type == "date" else "",
    )  # fmt: skip


def format_dataset_json(table: pd.DataFrame, dataset: Dataset, *, study: "Study", moment: str) -> bytes:
    """Write a data set as CDISC Dataset-JSON 1.1; a date of ADaM is an ISO 8601 text there."""
    columns = [_describe_column(variable, dataset) for variable in dataset.variables]
    values = [_list_values(table[variable.name], variable) for variable in dataset.variables]
    content = {
        "datasetJSONCreationDateTime": moment,
        "datasetJSONVersion": "1.1.0",
        "fileOID": f"{study.id}.{dataset.name}",
        "originator": "corelab",
        "studyOID": study.id,
        "metaDataVersionOID": f"MDV.{study.id}",
        "metaDataRef": "define.xml",
        "itemGroupOID": f"IG.{dataset.name}",
        "records": len(table),
        "name": dataset.name,
        "label": dataset.label,
        "columns": columns,
        "rows": [list(row) for row in zip(*values, strict=True)],
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8")


def _describe_column(variable: Variable, dataset: Dataset) -> dict[str, Any]:
    kind = {"text": "string", "float": "double"}.get(name_type(variable), name_type(variable))
    column: dict[str, Any] = {
        "itemOID": f"IT.{dataset.name}.{variable.name}", "name": variable.name, "label": variable.label,
        "dataType": "date" if variable.type == "date" else kind,
    }  # fmt: skip
    if variable.type == "date":
        column |= {"targetDataType": "integer", "displayFormat": "DATE9."}
    if variable.name in dataset.keys:
        column["keySequence"] = dataset.keys.index(variable.name) + 1
    return column


def _list_values(values: "pd.Series[Any]", variable: Variable) -> list[Any]:
    if not variable.is_number:
        return list(values)
    known = [None if pd.isna(value) else float(value) for value in values]
    if variable.type == "date":
        return [None if one is None else (EPOCH + dt.timedelta(days=int(one))).isoformat() for one in known]
    is_whole = name_type(variable) == "integer"
    return [int(one) if is_whole and one is not None else one for one in known]
