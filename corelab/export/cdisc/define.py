"""define.xml 2.1: what every data set, variable, value and code of a submission is."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from corelab.export.cdisc.model import Dataset, Variable, read_datasets, read_terms

if TYPE_CHECKING:
    from corelab.study.model import Study

ODM: Final = "http://www.cdisc.org/ns/odm/v1.3"
DEF: Final = "http://www.cdisc.org/ns/def/v2.1"
XLINK: Final = "http://www.w3.org/1999/xlink"
_STANDARDS: Final = (("STD.SDTM", "SDTMIG", "3.4"), ("STD.ADAM", "ADaMIG", "1.3"))
_VALUES: Final = {
    name: (f"{name}STRESN", f"{name}TESTCD", f"{name}TEST", f"{name}STRESU")
    for name in ("CP", "LB", "PC", "PP", "VS", "QS", "RS")
}
"""Number, code, name and unit of the domains whose numbers mean something else for each code."""
_ASKED: Final = ("QS", "RS")
"""Domains of scores, which have no unit."""
_ANALYSES: Final = ("ADCP", "ADLB", "ADPP", "ADEFF", "ADTTE")
_COLLECTED_BY: Final = {
    "Collected": "Investigator",
    "Derived": "Sponsor",
    "Assigned": "Sponsor",
    "Protocol": "Sponsor",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """One value of a list: the code it holds for and what it then is."""

    oid: str
    code: str
    text: str


def format_define(
    domains: Mapping[str, pd.DataFrame],
    lengths: Mapping[tuple[str, str], int],
    *,
    study: "Study",
    moment: str,
) -> bytes:
    """Write define.xml for the data sets.

    Parameters
    ----------
    domains
        Data sets by name.
    lengths
        Bytes of each variable, by data set and variable.
    study
        The trial.
    moment
        When the data were made, ISO 8601.
    """
    for prefix, uri in (("", ODM), ("def", DEF), ("xlink", XLINK)):
        ET.register_namespace(prefix, uri)
    root = _element(
        None,
        "ODM",
        FileType="Snapshot",
        FileOID=f"{study.id}.define",
        ODMVersion="1.3.2",
        CreationDateTime=moment,
    )
    root.set(f"{{{DEF}}}Context", "Other")
    study_element = _element(root, "Study", OID=study.id)
    names = _element(study_element, "GlobalVariables")
    for tag, text in (("StudyName", study.id), ("StudyDescription", study.title), ("ProtocolName", study.id)):
        _element(names, tag).text = text
    version = _element(
        study_element, "MetaDataVersion", OID=f"MDV.{study.id}", Name=f"{study.id} data definition"
    )
    version.set(f"{{{DEF}}}DefineVersion", "2.1.0")
    _add_standards(version)
    _add_value_lists(version, domains)
    for name, table in domains.items():
        _add_dataset(version, read_datasets()[name], is_empty=table.empty)
    listed = {(name, number) for name, number, _, _ in _list_values(domains)}
    code_lists = _collect_code_lists(domains)
    for name in domains:
        for variable in read_datasets()[name].variables:
            item = _add_variable(version, name, variable, length=lengths[name, variable.name])
            if variable.terms in code_lists:
                # Before the origin, where the schema wants it.
                item.insert(1, ET.Element(f"{{{ODM}}}CodeListRef", CodeListOID=f"CL.{variable.terms}"))
            if (name, variable.name) in listed:
                _own(item, "ValueListRef", ValueListOID=f"VL.{name}.{variable.name}")
    _add_value_items(version, domains)
    _add_code_lists(version, code_lists)
    _add_methods(version, domains)
    ET.indent(root, " ")
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _element(parent: ET.Element | None, tag: str, **attributes: str) -> ET.Element:
    return _make(parent, ODM, tag, attributes)


def _own(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    return _make(parent, DEF, tag, attributes)


def _make(parent: ET.Element | None, uri: str, tag: str, attributes: Mapping[str, str]) -> ET.Element:
    element = ET.Element(f"{{{uri}}}{tag}", dict(attributes))
    if parent is not None:
        parent.append(element)
    return element


def _describe(parent: ET.Element, text: str) -> None:
    translated = _element(_element(parent, "Description"), "TranslatedText")
    translated.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    translated.text = text


def _add_standards(version: ET.Element) -> None:
    standards = _own(version, "Standards")
    for oid, name, number in _STANDARDS:
        _own(standards, "Standard", OID=oid, Name=name, Type="IG", Version=number, Status="Final")


def _list_values(domains: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, str, str, list[_Value]]]:
    """Yield data set, variable, the variable of the code, and the values."""
    for name, table in domains.items():
        if name in _VALUES:
            number, code, label, unit = _VALUES[name]
            texts = _name_values(table, code, label, unit)
            if name in _ASKED:
                texts = {one: texts[one] for one in sorted(set(table.loc[table[number].notna(), code]))}
        elif name in _ANALYSES:
            number, code = "AVAL", "PARAMCD"
            texts = dict(table.groupby(code)["PARAM"].first())
        else:
            continue
        values = [
            _Value(oid=f"{name}.{number}.{one}", code=str(one), text=str(text))
            for one, text in sorted(texts.items())
        ]
        if values:
            yield name, number, code, values


def _name_values(table: pd.DataFrame, code: str, label: str, unit: str) -> dict[str, str]:
    """Return the name of each code, with the units of its numbers."""
    labels = table.groupby(code)[label].first()
    if unit not in table.columns:
        return dict(labels)
    units = table.groupby(code)[unit].agg(lambda texts: ", ".join(sorted({t for t in texts if t})))
    return {one: f"{labels[one]} ({units[one]})" if units[one] else labels[one] for one in labels.index}


def _add_value_lists(version: ET.Element, domains: Mapping[str, pd.DataFrame]) -> None:
    listed = list(_list_values(domains))
    for name, number, _, values in listed:
        value_list = _own(version, "ValueListDef", OID=f"VL.{name}.{number}")
        for order, value in enumerate(values, start=1):
            item = _element(
                value_list, "ItemRef", ItemOID=f"IT.{value.oid}", OrderNumber=str(order), Mandatory="No"
            )
            _own(item, "WhereClauseRef", WhereClauseOID=f"WC.{value.oid}")
    for name, _, code, values in listed:
        for value in values:
            clause = _own(version, "WhereClauseDef", OID=f"WC.{value.oid}")
            check = _element(clause, "RangeCheck", Comparator="EQ", SoftHard="Soft")
            check.set(f"{{{DEF}}}ItemOID", f"IT.{name}.{code}")
            _element(check, "CheckValue").text = value.code


def _add_value_items(version: ET.Element, domains: Mapping[str, pd.DataFrame]) -> None:
    for name, number, _, values in _list_values(domains):
        for value in values:
            item = _element(
                version, "ItemDef", OID=f"IT.{value.oid}", Name=number, DataType="float", Length="8"
            )
            _describe(item, value.text)
            origin = _own(item, "Origin", Type="Derived", Source="Sponsor")
            if name in _VALUES and name != "PP":
                origin.set("Type", "Collected")
                origin.set("Source", "Investigator" if name in _ASKED else "Vendor")


def _add_dataset(version: ET.Element, dataset: Dataset, *, is_empty: bool) -> None:
    is_tabulation = dataset.standard == "sdtm"
    group = _element(version, "ItemGroupDef", OID=f"IG.{dataset.name}", Name=dataset.name)
    group.set("Repeating", "No" if _is_one_each(dataset) else "Yes")
    group.set("IsReferenceData", "No")
    group.set("SASDatasetName", dataset.name)
    group.set("Purpose", "Tabulation" if is_tabulation else "Analysis")
    if is_tabulation:
        group.set("Domain", dataset.name)
    group.set(f"{{{DEF}}}Structure", dataset.structure)
    group.set(f"{{{DEF}}}ArchiveLocationID", f"LF.{dataset.name}")
    group.set(f"{{{DEF}}}StandardOID", _STANDARDS[0 if is_tabulation else 1][0])
    if is_empty:
        group.set(f"{{{DEF}}}HasNoData", "Yes")
    _describe(group, dataset.label)
    for order, variable in enumerate(dataset.variables, start=1):
        item = _element(
            group, "ItemRef", ItemOID=f"IT.{dataset.name}.{variable.name}", OrderNumber=str(order),
            Mandatory="Yes" if variable.core == "Req" else "No",
        )  # fmt: skip
        if variable.name in dataset.keys:
            item.set("KeySequence", str(dataset.keys.index(variable.name) + 1))
        if _has_method(variable):
            item.set("MethodOID", f"MT.{dataset.name}.{variable.name}")
    _own(group, "Class", Name=dataset.category)
    leaf = _own(group, "leaf", ID=f"LF.{dataset.name}")
    leaf.set(f"{{{XLINK}}}href", f"{dataset.name.lower()}.xpt")
    _own(leaf, "title").text = f"{dataset.name.lower()}.xpt"


def _is_one_each(dataset: Dataset) -> bool:
    return dataset.keys == ("STUDYID", "USUBJID")


def _has_method(variable: Variable) -> bool:
    return variable.origin == "Derived" and bool(variable.method)


def _add_variable(version: ET.Element, dataset: str, variable: Variable, *, length: int) -> ET.Element:
    oid = f"IT.{dataset}.{variable.name}"
    item = _element(version, "ItemDef", OID=oid, Name=variable.name, SASFieldName=variable.name)
    item.set("DataType", name_type(variable))
    if name_type(variable) in ("text", "float", "integer"):
        item.set("Length", str(length))
    if variable.type == "date":
        item.set(f"{{{DEF}}}DisplayFormat", "DATE9.")
    _describe(item, variable.label)
    origin = _own(item, "Origin", Type=variable.origin)
    if variable.origin == "Predecessor":
        _describe(origin, variable.method or variable.name)
    else:
        origin.set("Source", _COLLECTED_BY[variable.origin])
    return item


def name_type(variable: Variable) -> str:
    """Return the data type of define.xml: a time of SDTM is a text, a date of ADaM a number."""
    if variable.type == "date":
        return "integer"
    if variable.is_number:
        return "integer" if variable.name.endswith(("SEQ", "DY", "PARAMN", "CNSR")) else "float"
    return "datetime" if variable.name.endswith("DTC") else "text"


def _collect_code_lists(domains: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, str]]:
    """Collect the codes of each list: the fixed ones, and those that the data hold; none is empty."""
    fixed: dict[str, dict[str, str]] = dict(read_terms()["codes"])
    used: dict[str, dict[str, str]] = {}
    for name, table in domains.items():
        for variable in read_datasets()[name].variables:
            if not variable.terms:
                continue
            codes = used.setdefault(variable.terms, {})
            codes |= fixed.get(variable.terms) or _read_codes(table, variable)
    return {name: codes for name, codes in sorted(used.items()) if codes}


def _read_codes(table: pd.DataFrame, variable: Variable) -> dict[str, str]:
    name = variable.name
    decode = name.removesuffix("CD") if name.endswith("TESTCD") else name
    pairs = table[table[name] != ""].groupby(name)[decode].first() if len(table) else {}
    return {str(code): str(text) for code, text in dict(pairs).items()}


def _add_code_lists(version: ET.Element, code_lists: Mapping[str, Mapping[str, str]]) -> None:
    nci = read_terms()["nci"]
    for name, codes in code_lists.items():
        element = _element(version, "CodeList", OID=f"CL.{name}", Name=name, DataType="text")
        for code, text in sorted(codes.items()):
            item = _element(element, "CodeListItem", CodedValue=code)
            decode = _element(_element(item, "Decode"), "TranslatedText")
            decode.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
            decode.text = text
        if name in nci:
            _element(element, "Alias", Context="nci:ExtCodeID", Name=nci[name])


def _add_methods(version: ET.Element, domains: Mapping[str, pd.DataFrame]) -> None:
    for name in domains:
        for variable in read_datasets()[name].variables:
            if _has_method(variable):
                oid, title = f"MT.{name}.{variable.name}", f"Method of {name}.{variable.name}"
                method = _element(version, "MethodDef", OID=oid, Name=title, Type="Computation")
                _describe(method, variable.method)
