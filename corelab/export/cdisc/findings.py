"""The domains of findings: CP, LB, VS, PC, PP."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.export.cdisc.model import read_datasets, read_terms
from corelab.export.cdisc.people import name_specimens
from corelab.export.cdisc.trial import (
    Trial,
    finish,
    format_number,
    pick,
    read_terms_of,
    stack,
    write_results,
)

VIABILITY: Final = "Viability-"
_UNITS: Final = {"cells/uL": "10^6/L", "%": "%", "1": "MFI"}
"""1 cell/uL is 10^6 cells/L."""
_COMMON: Final = [
    "subject_id", "visit_label", "study_day", "collected_at", "assay", "unit", "value", "relation", "low",
    "high", "lloq", "status", "reason", "source_id",
]  # fmt: skip


def derive_cp(trial: Trial) -> pd.DataFrame:
    """Derive cell phenotype findings: percentages, concentrations and intensities of full tubes."""
    parts = [_of_measurements(trial), _of_persistence(trial), _of_phenotype(trial)]
    rows = stack(parts)
    rows = rows.assign(assay="flow", unit=rows["unit"].map(_UNITS))
    table = pd.DataFrame(
        {
            **trial.place(rows, "CP"),
            **write_results(rows, "CP"),
            "CPREFID": name_specimens(rows),
            "CPSPID": rows["source_id"],
            "CPTESTCD": rows["code"],
            "CPTEST": rows["test"],
            "CPSBMRKS": rows["sub"],
            "CPMRKSTR": rows["markers"],
            "CPGATDEF": rows["population"].map(_read_gate_paths(trial)),
            "CPTSTPNL": rows["source_id"].map(_read_panels(trial)),
            "CPCAT": "FLOW CYTOMETRY",
            "CPLLOQ": rows["lloq"],
            "CPSPEC": "BLOOD",
            "CPMETHOD": "FLOW CYTOMETRY",
        },
        index=rows.index,
    )
    flag = trial.flag_last_before(table, "CP", ["CPTESTCD", "CPMRKSTR"])
    return finish(table.assign(CPLOBXFL=flag), read_datasets()["CP"])


def list_unnamed_populations(trial: Trial) -> list[str]:
    """List populations with flow results that have no test of their own, so that none vanishes unseen."""
    terms, measured = read_terms_of("cp"), trial.tables["measurements"]
    names = set(measured.loc[(measured["assay"] == "flow") & (measured["metric"] == "percent"), "name"])
    return sorted(names - set(terms["percent"]) - set(terms["steps"]))


def _of_measurements(trial: Trial) -> pd.DataFrame:
    measured = trial.tables["measurements"]
    flow = measured[measured["assay"] == "flow"]
    named = [_name_flow(metric, name) for metric, name in zip(flow["metric"], flow["name"], strict=True)]
    known = pd.DataFrame(named, columns=["code", "test", "sub", "markers", "population"], index=flow.index)
    return pd.concat([flow[_COMMON], known], axis=1)[known["code"] != ""]


def _name_flow(metric: str, name: str) -> tuple[str, str, str, str, str]:
    terms = read_terms_of("cp")
    if metric == "median_intensity":
        return _name_intensity(name, terms)
    known = terms.get(metric, {}).get(name)
    if known is None:
        return ("", "", "", "", "")
    over = known[2] if len(known) > 2 else ""
    markers = _write_markers(terms, name) + (f"/{_write_markers(terms, over)}" if over else "")
    return known[0], known[1], terms["sub_markers"].get(name, ""), markers, name


def _name_intensity(name: str, terms: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Name an expression test: ``CD19 Expression`` with the marker, the measure and the population."""
    population, _, marker = name.partition(":")
    spelled = marker.replace("-", "")
    markers = f"{spelled} MFI {_write_markers(terms, population)}"
    return f"{spelled.upper()[:5]}EXP", f"{spelled} Expression", "", markers, population


def _write_markers(terms: Mapping[str, Any], population: str, more: str = "") -> str:
    return f"{terms['markers'][population]}{more}{VIABILITY}"


def _of_persistence(trial: Trial) -> pd.DataFrame:
    """CAR+ cells of lymphocytes, which only ``persistence`` knows."""
    terms, persistence = read_terms_of("cp"), trial.tables["persistence"]
    rows = persistence[persistence["analyte"] == "CAR_PCT_LYM"]
    code, test, over = terms["car_of_lymphocytes"]
    below = rows["status"].isin(("not_detected", "detected_blq"))
    return rows.assign(
        assay="flow", relation=np.where(below, "<", "="), low=0.0, high=rows["lloq"], code=code, test=test,
        source_id="", sub=terms["sub_markers"]["car_t"], population="car_t",
        markers=f"{_write_markers(terms, 'car_t')}/{_write_markers(terms, over)}",
    )[[*_COMMON, "code", "test", "sub", "markers", "population"]]  # fmt: skip


def _of_phenotype(trial: Trial) -> pd.DataFrame:
    terms, phenotype = read_terms_of("cp"), trial.tables["phenotype"]
    rows = phenotype[phenotype["compartment"].isin(terms["subset_of"])]
    named = [_name_subset(c, s, terms) for c, s in zip(rows["compartment"], rows["subset"], strict=True)]
    known = pd.DataFrame(named, columns=["code", "test", "sub", "markers", "population"], index=rows.index)
    below = rows["status"].isin(("not_detected", "detected_blq"))
    filled = rows.assign(
        assay="flow", unit="%", value=rows["percent"], relation=np.where(below, "<", "="), low=0.0,
        high=rows["ci_high"], lloq=float("nan"), source_id="",
    )  # fmt: skip
    return pd.concat([filled[_COMMON], known], axis=1)[known["code"] != ""]


def _name_subset(compartment: str, subset: str, terms: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    more = terms["subset_markers"].get(subset)
    if more is None:
        return ("", "", "", "", "")
    tests = terms["subset_of"]
    code, test = tests.get(f"{compartment}.{subset}", tests[compartment])
    markers = f"{_write_markers(terms, compartment, more)}/{_write_markers(terms, compartment)}"
    sub = terms["sub_markers"].get(compartment, "") + more
    return code, test, sub, markers, f"{compartment}.{subset}"


def _read_gate_paths(trial: Trial) -> dict[str, str]:
    """Return the path of gates by population, with ``|`` between the steps."""
    pairs = trial.tables["populations"][["population", "parent"]].drop_duplicates()
    parents = dict(zip(pairs["population"], pairs["parent"], strict=True))
    return {population: _write_path(population, parents) for population in parents}


def _write_path(population: str, parents: Mapping[str, str]) -> str:
    steps = [population]
    while parents.get(steps[-1]) and len(steps) <= len(parents):
        steps.append(parents[steps[-1]])
    return "|".join(reversed(steps))


def _read_panels(trial: Trial) -> dict[str, str]:
    tubes = trial.tables["populations"][["file_id", "panel"]].drop_duplicates()
    return dict(zip(tubes["file_id"], tubes["panel"].str.upper(), strict=True))


def derive_lb(trial: Trial) -> pd.DataFrame:
    """Derive laboratory results: blood counts, chemistry, urine, serology and cytokines."""
    measured = trial.tables["measurements"]
    is_lab = (measured["assay"] == "laboratory") & (measured["metric"] == "result")
    is_cytokine = (measured["assay"] == "cytokine") & (measured["metric"] == "concentration")
    rows = measured[(is_lab & ~measured["name"].isin(read_terms_of("vs"))) | is_cytokine]
    named = rows["name"].map(_name_laboratory)
    toxicity = _read_toxicity(trial)
    key = list(rows[["subject_id", "visit", "collected_at", "name"]].itertuples(index=False, name=None))
    table = pd.DataFrame(
        {
            **trial.place(rows, "LB"),
            **write_results(rows, "LB"),
            "LBREFID": name_specimens(rows),
            "LBSPID": rows["source_id"],
            "LBTESTCD": pick(named, 0),
            "LBTEST": pick(named, 1),
            "LBCAT": np.where(rows["assay"] == "cytokine", "CYTOKINES", pick(named, 2)),
            "LBSPEC": pick(named, 3),
            **_write_ranges(trial, rows),
            "LBLLOD": rows["lod"],
            "LBLLOQ": rows["lloq"],
            "LBULOQ": rows["uloq"],
            "LBDRVFL": np.where(rows["name"] == "EGFR", "Y", ""),
            "LBTOX": [toxicity.get(one, ("", ""))[0] for one in key],
            "LBTOXGR": [toxicity.get(one, ("", ""))[1] for one in key],
        },
        index=rows.index,
    )
    flag = trial.flag_last_before(table, "LB", ["LBCAT", "LBTESTCD", "LBSPEC"])
    return finish(table.assign(LBLOBXFL=flag), read_datasets()["LB"])


def _name_laboratory(name: str) -> tuple[str, str, str, str]:
    """Return code, name, category and specimen; a test that is not listed is kept under its own name."""
    known = read_terms_of("lb").get(name)
    if known is not None:
        return known[0], known[1], known[2], known[3]
    letters = "".join(letter for letter in name.upper() if letter.isascii() and letter.isalnum())
    code = letters if letters[:1].isalpha() else f"T{letters}"
    return code[:8], name.encode("ascii", "replace").decode()[:40], "OTHER", ""


def _write_ranges(trial: Trial, rows: pd.DataFrame) -> dict[str, Any]:
    """Return the laboratory's limits where a graded result of the same unit carries them."""
    graded = trial.tables["lab_toxicity"].rename(columns={"test": "name"})
    key = ["subject_id", "visit", "collected_at", "name", "unit"]
    limits = graded.drop_duplicates(key)[[*key, "ref_low", "ref_high"]]
    found = rows[key].merge(limits, on=key, how="left").set_axis(rows.index)
    low, high, value = found["ref_low"], found["ref_high"], rows["value"]
    is_known = value.notna() & (low.notna() | high.notna())
    where = np.select([~is_known, value < low, value > high], ["", "LOW", "HIGH"], "NORMAL")
    return {
        "LBORNRLO": low.map(_write_limit),
        "LBORNRHI": high.map(_write_limit),
        "LBSTNRLO": low,
        "LBSTNRHI": high,
        "LBNRIND": pd.Series(where, index=rows.index, dtype=object),
    }


def _write_limit(limit: float) -> str:
    return "" if pd.isna(limit) else format_number(float(limit))


def _read_toxicity(trial: Trial) -> dict[tuple[Any, ...], tuple[str, str]]:
    graded = trial.tables["lab_toxicity"]
    graded = graded[graded["grade"].notna()].sort_values("grade", kind="stable")
    return {
        (row.subject_id, row.visit, row.collected_at, row.test): (row.term, str(int(row.grade)))
        for row in graded.itertuples(index=False)
    }


def derive_vs(trial: Trial) -> pd.DataFrame:
    """Derive height and weight."""
    measured, names = trial.tables["measurements"], read_terms_of("vs")
    rows = measured[(measured["assay"] == "laboratory") & measured["name"].isin(names)]
    table = pd.DataFrame(
        {
            **trial.place(rows, "VS"),
            **write_results(rows, "VS"),
            "VSSPID": rows["source_id"],
            "VSTESTCD": rows["name"],
            "VSTEST": rows["name"].map(names),
        },
        index=rows.index,
    )
    return finish(
        table.assign(VSLOBXFL=trial.flag_last_before(table, "VS", ["VSTESTCD"])), read_datasets()["VS"]
    )


def derive_pc(trial: Trial) -> pd.DataFrame:
    """Derive concentrations of the CAR transgene in blood."""
    measured = trial.tables["measurements"]
    rows = measured[(measured["assay"] == "qpcr") & (measured["metric"] == "copies_per_ug")]
    code, test = read_terms()["pc"]
    table = pd.DataFrame(
        {
            **trial.place(rows, "PC"),
            **write_results(rows, "PC"),
            "PCGRPID": code,
            "PCREFID": name_specimens(rows),
            "PCSPID": rows["source_id"],
            "PCTESTCD": code,
            "PCTEST": test,
            "PCSPEC": "BLOOD",
            "PCMETHOD": "QUANTITATIVE POLYMERASE CHAIN REACTION",
            "PCLLOQ": rows["lloq"],
            "PCULOQ": rows["uloq"],
            "PCRFTDTC": rows["subject_id"].map(trial.infusions),
        },
        index=rows.index,
    )
    return finish(
        table.assign(PCLOBXFL=trial.flag_last_before(table, "PC", ["PCTESTCD"])), read_datasets()["PC"]
    )


def derive_pp(trial: Trial) -> pd.DataFrame:
    """Derive kinetic parameters of the four ways in which CAR-T cells are counted."""
    terms, kinetics = read_terms_of("pp"), trial.tables["kinetics"]
    rows = kinetics[kinetics["analyte"].isin(terms["analytes"])]
    below = rows["status"].isin(("not_detected", "detected_blq"))
    rows = rows.assign(relation=np.where(below, "<", "="))
    named = rows["parameter"].map(lambda name: _name_parameter(name, terms["parameters"]))
    table = pd.DataFrame(
        {
            "STUDYID": trial.study.id,
            "DOMAIN": "PP",
            "USUBJID": rows["subject_id"].map(trial.name_subject),
            **write_results(rows, "PP"),
            "PPGRPID": np.where(rows["analyte"] == "CAR_VCN_UG", read_terms()["pc"][0], ""),
            "PPTESTCD": pick(named, 0),
            "PPTEST": pick(named, 1),
            "PPCAT": rows["analyte"].map({name: one[0] for name, one in terms["analytes"].items()}),
            "PPSPEC": rows["analyte"].map({name: one[1] for name, one in terms["analytes"].items()}),
            "PPANMETH": "LINEAR UP LOG DOWN",
            "PPRFTDTC": rows["subject_id"].map(trial.infusions),
            "PPSTINT": pick(named, 2),
            "PPENINT": pick(named, 3),
        },
        index=rows.index,
    )
    return finish(table, read_datasets()["PP"])


def _name_parameter(name: str, known: Mapping[str, list[str]]) -> tuple[str, str, str, str]:
    code, test, start, end = [*known.get(name, [name.replace("_", "")[:8], name]), "", ""][:4]
    return code, test, start, end
