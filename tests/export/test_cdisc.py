"""SDTM and ADaM of the synthetic trial: the same values, read by another program, and obeying every rule."""

import datetime as dt
import io
import json
import xml.etree.ElementTree as ET
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest
import xmlschema

from corelab.export.cdisc import Submission, build_submission, format_submission
from corelab.export.cdisc.define import DEF, ODM, XLINK
from corelab.export.cdisc.model import read_datasets
from corelab.export.cdisc.package import spell_plain
from corelab.export.cdisc.rules import RULES, validate
from corelab.export.cdisc.trial import count_days
from corelab.store import Home
from corelab.store.snapshots import Snapshot
from corelab.tables.schemas import SCHEMAS
from pipelines.export import ExportReport, export
from tests.export.conftest import NOW

DATASETS = tuple(read_datasets())


@pytest.fixture(scope="session")
def tables(snapshot: Snapshot) -> dict[str, pd.DataFrame]:
    """The tables of the trial, with what every data set needs to have rows."""
    tables = {name: snapshot.table(name) for name in snapshot.table_names}
    infused = tables["subjects"].loc[tables["subjects"]["infusion_at"] != ""].iloc[0]
    lab = tables["measurements"]
    lab = lab[
        (lab["subject_id"] == infused["subject_id"]) & (lab["name"] == "ANC") & (lab["study_day"] > 0)
    ].iloc[0]
    when = {
        name: lab[name] for name in ("subject_id", "arm", "visit", "visit_label", "study_day", "collected_at")
    }
    tables["responses"] = SCHEMAS["responses"].conform(
        [{**when, "endpoint": "CRR", "definition": "CORELAB_DEFAULT", "state": "responder"}]
    )
    tables["lab_toxicity"] = SCHEMAS["lab_toxicity"].conform(
        [{**when, "test": "ANC", "term": "Neutrophil count decreased", "direction": "low", "grade": 3,
          "value": lab["value"], "unit": lab["unit"], "baseline": 3.0, "ref_low": lab["value"] + 1,
          "ref_high": 99.5}]
    )  # fmt: skip
    judged = tables["eligibility"]
    is_anc = (judged["criterion"] == "I09a3") & (judged["subject_id"] == infused["subject_id"])
    tables["eligibility"] = judged.assign(state=judged["state"].mask(is_anc, "not_met"))
    return tables


@pytest.fixture(scope="session")
def submission(tables: dict[str, pd.DataFrame], trial_home: Home, snapshot: Snapshot) -> Submission:
    return build_submission(tables, study=trial_home.study, cutoff=snapshot.manifest["cutoff"])


@pytest.fixture(scope="session")
def plain(trial_home: Home, snapshot: Snapshot) -> Submission:
    """The data sets of the snapshot as it is."""
    tables = {one: snapshot.table(one) for one in snapshot.table_names}
    return build_submission(tables, study=trial_home.study, cutoff=snapshot.manifest["cutoff"])


@pytest.fixture(scope="session")
def folder(trial_home: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExportReport]:
    out = tmp_path_factory.mktemp("xpt")
    return out, export(trial_home, out, at=NOW, actor="test", format_name="xpt")


def test_submission__obeys_every_rule(submission: Submission) -> None:
    assert submission.breaches.to_dict(orient="records") == []
    assert all(len(submission.domains[name]) for name in DATASETS)


def test_export__writes_every_data_set_and_the_companions(folder: tuple[Path, ExportReport]) -> None:
    out, report = folder
    expected = {f"{name.lower()}.{ext}" for name in DATASETS for ext in ("xpt", "json")}
    expected |= {"define.xml", "validation.csv", "dictionary.csv", "codelists.csv", "provenance.json"}
    assert {path.name for path in out.iterdir()} == expected == set(report.files)
    assert report.findings == []


@pytest.mark.parametrize("name", DATASETS)
def test_xpt__read_by_pyreadstat_is_the_data_set(
    name: str, folder: tuple[Path, ExportReport], plain: Submission
) -> None:
    read, meta = pyreadstat.read_xport(
        str(folder[0] / f"{name.lower()}.xpt"), disable_datetime_conversion=True
    )
    table = plain.domains[name]
    dataset = read_datasets()[name]
    assert (meta.table_name, meta.file_label) == (name, dataset.label)
    assert meta.column_names == dataset.names
    assert meta.column_labels == [variable.label for variable in dataset.variables]
    assert max([*meta.variable_storage_width.values()]) <= 200
    assert len(read) == len(table)
    for variable in dataset.variables:
        if variable.is_number:
            np.testing.assert_allclose(
                read[variable.name].astype(float), table[variable.name], rtol=1e-12, atol=0
            )
        else:
            assert read[variable.name].tolist() == table[variable.name].tolist()


def test_xpt__every_pointer_of_adam_names_a_record_that_says_the_same(
    folder: tuple[Path, ExportReport],
) -> None:
    """Followed in the files alone: numbers are equal, a response is 1 or 0, a time ends at its record."""
    read = {
        name: pyreadstat.read_xport(str(folder[0] / f"{name.lower()}.xpt"), disable_datetime_conversion=True)[
            0
        ]
        for name in DATASETS
    }
    followed: dict[tuple[str, str], int] = {}
    for name in ("ADCP", "ADLB", "ADPP", "ADEFF", "ADTTE"):
        for (domain, variable), rows in read[name].groupby(["SRCDOM", "SRCVAR"]):
            source = read[domain].set_index(["USUBJID", f"{domain}SEQ"])[variable]
            said = source.loc[list(zip(rows["USUBJID"], rows["SRCSEQ"], strict=True))].reset_index(drop=True)
            if variable == "RSSTRESC":
                said = said.map({"RESPONDER": 1.0, "NON_RESPONDER": 0.0})
            elif variable == "CPDTC":
                days = pd.to_datetime(said.str[:10]) - pd.Timestamp("1960-01-01")
                said = days.dt.days - rows["STARTDT"].reset_index(drop=True)
            np.testing.assert_array_equal(said.to_numpy(dtype=float), rows["AVAL"].to_numpy(dtype=float))
            followed[name, str(domain)] = len(rows)
        assert sum(n for (one, _), n in followed.items() if one == name) == len(read[name])
    assert {domain for _, domain in followed} == {"CP", "LB", "PP", "RS"}


@pytest.mark.parametrize("name", DATASETS)
def test_dataset_json__holds_the_same_rows(name: str, folder: tuple[Path, ExportReport]) -> None:
    content = json.loads((folder[0] / f"{name.lower()}.json").read_text(encoding="utf-8"))
    assert (content["datasetJSONVersion"], content["name"]) == ("1.1.0", name)
    assert [column["name"] for column in content["columns"]] == read_datasets()[name].names
    assert content["records"] == len(content["rows"])
    read, _ = pyreadstat.read_xport(str(folder[0] / f"{name.lower()}.xpt"))
    for index, column in enumerate(content["columns"]):
        values = [row[index] for row in content["rows"]]
        other = read[column["name"]].tolist()
        if column["dataType"] == "date":
            other = [one.isoformat() if isinstance(one, dt.date) else None for one in other]
        assert values == [None if isinstance(one, float) and np.isnan(one) else one for one in other]


def test_cp__says_what_the_tables_say(submission: Submission, tables: dict[str, pd.DataFrame]) -> None:
    """CAR+ of T cells: the same doubles, the same limits, the name with Sub and its markers."""
    flow = tables["measurements"]
    flow = flow[(flow["name"] == "car_t") & (flow["metric"] == "percent")].set_index("source_id")
    cp = submission.domains["CP"]
    rows = cp[(cp["CPTESTCD"] == "TLSTLY") & (cp["CPSBMRKS"] == "CAR+")].set_index("CPSPID")
    assert set(rows.index) == set(flow.index)
    assert set(rows["CPTEST"]) == {"TLym Sub/TLym"}
    assert set(rows["CPMRKSTR"]) == {"CD45+CD3+CAR+Viability-/CD45+CD3+Viability-"}
    assert set(rows["CPGATDEF"]) == {"events|time_ok|singlets|live|leukocytes|lymphocytes|t_cells|car_t"}
    for file_id, row in rows.iterrows():
        told = flow.loc[file_id]
        if told["status"] == "quantified":
            assert row["CPSTRESN"] == told["value"] == float(row["CPORRES"])
        elif told["status"] in ("not_detected", "detected_blq"):
            assert np.isnan(row["CPSTRESN"])
            assert row["CPORRES"] == row["CPSTRESC"] == f"<{float(told['high'])!r}".removesuffix(".0")


def test_pc_and_pp__say_what_the_tables_say(submission: Submission, tables: dict[str, pd.DataFrame]) -> None:
    told = tables["kinetics"]
    told = told[(told["analyte"] == "CAR_VCN_UG") & (told["parameter"] == "AUC0_28D")]
    pp = submission.domains["PP"]
    rows = pp[(pp["PPTESTCD"] == "AUCINT") & (pp["PPCAT"] == "CAR Transgene") & (pp["PPENINT"] == "P28D")]
    assert rows["PPSTRESN"].tolist() == told["value"].tolist()
    assert set(rows["PPSTRESU"]) == {"copies/ug*d"}
    pc = submission.domains["PC"]
    assert set(rows["PPCAT"]) == set(pc["PCTEST"])
    assert pc["PCLLOQ"].notna().all()


def test_adpp__names_a_parameter_the_same_where_it_was_not_calculated(
    tables: dict[str, pd.DataFrame], trial_home: Home, snapshot: Snapshot
) -> None:
    """Of two subjects one has too few points: his row has no unit, but the parameter has."""
    kinetics = tables["kinetics"]
    other = kinetics.assign(
        subject_id="LN-099", status="not_calculated", reason="FEW_POINTS",
        **dict.fromkeys(("value", "low", "high"), float("nan")),
    )  # fmt: skip
    both = SCHEMAS["kinetics"].conform(pd.concat([kinetics, other], ignore_index=True))
    cutoff = snapshot.manifest["cutoff"]
    submission = build_submission({**tables, "kinetics": both}, study=trial_home.study, cutoff=cutoff)
    assert submission.breaches.empty
    adpp = submission.domains["ADPP"]
    auc = adpp[adpp["PARAM"].str.startswith("AUC from T1 to T2, CAR Transgene; P0D to P28D")]
    assert set(auc["PARAM"]) == {"AUC from T1 to T2, CAR Transgene; P0D to P28D (copies/ug*d)"}
    assert sorted(auc["AREASND"]) == ["", "NOT_CALCULATED: FEW_POINTS"]


def test_lb__carries_the_grade_of_its_toxicity(submission: Submission) -> None:
    lb = submission.domains["LB"]
    graded = lb[lb["LBTOXGR"] != ""]
    assert graded[["LBTESTCD", "LBTOX", "LBTOXGR"]].to_numpy().tolist() == [
        ["NEUT", "Neutrophil count decreased", "3"]
    ]
    assert graded[["LBSTNRHI", "LBORNRHI", "LBNRIND"]].to_numpy().tolist() == [[99.5, "99.5", "LOW"]]
    assert set(lb.loc[lb["LBSTNRHI"].isna(), "LBNRIND"]) == {""}
    adlb = submission.domains["ADLB"]
    assert adlb.loc[adlb["ATOXGR"] == "3", "ANRHI"].tolist() == [99.5]


def test_lobxfl__is_the_last_result_before_the_infusion(submission: Submission) -> None:
    dm, pc = submission.domains["DM"].set_index("USUBJID"), submission.domains["PC"]
    for subject, rows in pc.groupby("USUBJID"):
        start = pd.Timestamp(dm.at[subject, "RFXSTDTC"])
        before = rows[rows["PCDTC"].map(pd.Timestamp) < start]
        flagged = rows[rows["PCLOBXFL"] == "Y"]
        assert flagged["PCDTC"].tolist() == [max(before["PCDTC"], key=pd.Timestamp)]


def test_count_days__has_no_day_zero() -> None:
    """Infusion 2025-06-10: D0 is day 1, the day before it -1, D28 day 29."""
    days = count_days(pd.Series([0, -1, 28, None], dtype="Int64"))
    assert days.tolist()[:3] == [1.0, -1.0, 29.0]
    assert np.isnan(days.iloc[3])


def test_define__describes_every_variable_and_file(folder: tuple[Path, ExportReport]) -> None:
    root = ET.parse(folder[0] / "define.xml").getroot()
    space = {"o": ODM, "d": DEF}
    version = root.find("o:Study/o:MetaDataVersion", space)
    assert version is not None
    assert version.get(f"{{{DEF}}}DefineVersion") == "2.1.0"
    groups = version.findall("o:ItemGroupDef", space)
    assert [group.get("Name") for group in groups] == list(DATASETS)
    items = {item.get("OID"): item for item in version.findall("o:ItemDef", space)}
    for group in groups:
        dataset = read_datasets()[str(group.get("Name"))]
        named = [items[str(ref.get("ItemOID"))].get("Name") for ref in group.findall("o:ItemRef", space)]
        assert named == dataset.names
        leaf = group.find("d:leaf", space)
        assert leaf is not None
        assert (folder[0] / str(leaf.get(f"{{{XLINK}}}href"))).is_file()


def test_define__obeys_its_schema(folder: tuple[Path, ExportReport], trial_home: Home) -> None:
    """CDISC's own XML schema of define.xml 2.1, which a package of readers brings along."""
    schemas = Path(str(resources.files("odmlib"))) / "schemas" / "define" / "2.1"
    schema = xmlschema.XMLSchema(str(schemas / "define2-1-0.xsd"), allow="local")
    data = (folder[0] / "define.xml").read_bytes()
    assert [f"{error.path}: {error.reason}" for error in schema.iter_errors(io.BytesIO(data))] == []
    # A code list that no value fills is none.
    empty = {name: one.empty() for name, one in SCHEMAS.items()}
    nothing = build_submission(empty, study=trial_home.study, cutoff="")
    bare = dict(format_submission(nothing, study=trial_home.study, moment=NOW))["define.xml"]
    assert [error.reason for error in schema.iter_errors(io.BytesIO(bare))] == []
    for right, wrong in ((b"<ItemRef ItemOID", b"<ItemRef ItemId"), (b'Mandatory="Yes"', b'Mandatory="1"')):
        assert right in bare
        assert next(schema.iter_errors(io.BytesIO(bare.replace(right, wrong, 1))), None) is not None
    before, rest = bare.split(b"<MethodDef", 1)
    moved = before.replace(
        b"<CodeList ", b"<MethodDef" + rest.split(b"</MethodDef>")[0] + b"</MethodDef><CodeList ", 1
    )
    assert next(schema.iter_errors(io.BytesIO(moved + b"<MethodDef" + rest)), None) is not None


def test_define__points_only_to_what_it_holds(folder: tuple[Path, ExportReport]) -> None:
    root = ET.parse(folder[0] / "define.xml").getroot()
    oids = [element.get("OID") for element in root.iter() if element.get("OID")]
    assert len(oids) == len(set(oids))
    for element in root.iter():
        for name, value in element.attrib.items():
            is_reference = name.rpartition("}")[2] in (
                "ItemOID", "MethodOID", "CodeListOID", "ValueListOID", "WhereClauseOID", "StandardOID",
            )  # fmt: skip
            if is_reference:
                assert value in oids, (element.tag, name, value)
    units = {
        text.text
        for item in root.iter(f"{{{ODM}}}ItemDef")
        if str(item.get("OID")).startswith("IT.CP.CPSTRESN.")
        for text in item.iter(f"{{{ODM}}}TranslatedText")
    }
    assert "TLym Sub/TLym (%)" in units


def change(submission: Submission, name: str, **values: Any) -> set[str]:
    """The rules that a data set breaks after its first row was changed."""
    table = submission.domains[name].copy()
    for column, value in values.items():
        table.loc[table.index[0], column] = value
    domains = {**submission.domains, name: table}
    return {rule.name for rule in RULES for _ in rule.find(read_datasets()[name], table, domains)}


BROKEN = [
    ("CP_SUB", "CP", {"CPTEST": "T-Lymphocytes/Lymphocytes", "CPSBMRKS": "CAR+"}),
    ("CP_SUB", "CP", {"CPTEST": "Subcutaneous", "CPSBMRKS": "CAR+"}),
    ("CP_STATE", "CP", {"CPCELSTA": "ACTIVATED"}),
    ("CP_MARKERS", "CP", {"CPTEST": "T-Lymphocytes", "CPMRKSTR": "CD3+ HLA-DR+"}),
    ("CP_MARKERS", "CP", {"CPMRKSTR": ""}),
    ("DY_NO_ZERO", "LB", {"LBDY": 0.0}),
    ("DY_DATE", "LB", {"LBDY": 5000.0}),
    ("DTC_ISO8601", "LB", {"LBDTC": "17-MAR-2025"}),
    ("XPT_LENGTH", "AE", {"AETERM": "x" * 201}),
    ("XPT_ASCII", "AE", {"AETERM": "发热"}),
    ("XPT_ASCII", "AE", {"AETERM": "two\nlines"}),
    ("XPT_RANGE", "LB", {"LBSTRESN": 1e80}),
    ("REQUIRED", "DM", {"SEX": ""}),
    ("SEQ_UNIQUE", "LB", {"LBSEQ": 2.0}),
    ("SUBJECT_KNOWN", "AE", {"USUBJID": "NCT06904729-X"}),
    ("TESTCD", "LB", {"LBTESTCD": "4TEST"}),
    ("TESTCD", "LB", {"LBTESTCD": "AUC0-28d"}),
    ("TEST_LENGTH", "CP", {"CPTEST": "T-Lymphocytes Sub-Population/T-Lymphocytes"}),
    ("TEST_ONE_NAME", "PC", {"PCTEST": "Another"}),
    ("BLQ_NO_NUMBER", "LB", {"LBSTRESC": "<0.082", "LBSTRESN": 0.041}),
    ("STAT_REASON", "LB", {"LBSTAT": "NOT DONE"}),
    ("UNIT", "PC", {"PCSTRESN": 1.0, "PCSTRESU": ""}),
    ("AD_CHANGE", "ADLB", {"AVAL": 3.0, "BASE": 1.0, "CHG": 1.0}),
    ("AD_TRACE", "ADLB", {"AVAL": 123456.0}),
    ("AD_TRACE", "ADEFF", {"AVAL": 0.0}),
    ("AD_TRACE", "ADEFF", {"SRCSEQ": 9999.0}),
    ("AD_TRACE", "ADEFF", {"SRCDOM": "RESPONSES"}),
    ("AD_TRACE", "ADTTE", {"SRCVAR": "NONE"}),
    ("AD_TRACE", "ADTTE", {"AVAL": 1.5}),
    ("REL_RECORD", "RELREC", {"IDVAR": "BEID"}),
    ("REL_RECORD", "RELREC", {"USUBJID": "NCT06904729-X", "IDVARVAL": "7"}),
    ("IE_EXCEPTION", "IE", {"IESTRESC": "Y"}),
    ("DY_DATE", "CM", {"CMSTDY": 5000.0}),
    ("STAT_REASON", "RS", {"RSORRES": "", "RSDRVFL": ""}),
    ("AD_CENSOR", "ADTTE", {"CNSR": 0.0, "STOPHI": float("nan")}),
    ("KEY_SORTED", "AE", {"AETERM": "zzz"}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "name", "values"), BROKEN)
def test_validate__names_the_rule_that_is_broken(
    rule: str, name: str, values: dict[str, Any], submission: Submission
) -> None:
    assert rule in change(submission, name, **values)


def test_validate__finds_twins_and_second_baselines(submission: Submission) -> None:
    domains = dict(submission.domains)
    lb, adlb = domains["LB"], domains["ADLB"]
    domains["LB"] = pd.concat([lb.iloc[:1], lb], ignore_index=True)
    domains["ADLB"] = adlb.assign(ABLFL="Y")
    breaches = validate(domains)
    assert {"KEY_UNIQUE", "SEQ_UNIQUE", "AD_BASELINE"} <= set(breaches["rule"])


def test_rules__each_have_a_name_of_their_own_and_a_sentence() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.text for rule in RULES)


def test_export__keeps_a_foreign_text_whole_in_json_and_names_it(
    tables: dict[str, pd.DataFrame], trial_home: Home, snapshot: Snapshot
) -> None:
    events = tables["adverse_events"].copy()
    events.loc[0, "term"] = "发热"
    changed = build_submission(
        {**tables, "adverse_events": events}, study=trial_home.study, cutoff=snapshot.manifest["cutoff"]
    )
    assert set(changed.breaches["rule"]) == {"XPT_ASCII"}
    assert "发热" in set(changed.domains["AE"]["AETERM"])
    assert spell_plain("发热") == "??"


def test_build_submission__stands_without_a_row(trial_home: Home) -> None:
    empty = {name: schema.empty() for name, schema in SCHEMAS.items()}
    submission = build_submission(empty, study=trial_home.study, cutoff="")
    assert all(table.empty for name, table in submission.domains.items() if name != "RELREC")
    assert submission.breaches.empty
