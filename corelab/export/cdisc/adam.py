"""The minimum of ADaM: ADSL, ADCP and ADLB from findings, ADPP, ADEFF, ADTTE; each value with its source."""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.export.cdisc.model import read_datasets, read_terms
from corelab.export.cdisc.trial import NAN, Trial, count_days, finish, pick
from corelab.export.cdisc.xport import count_days as count_sas_days

Domains = Mapping[str, pd.DataFrame]
_SUBJECT: Final = ["STUDYID", "USUBJID", "TRT01P", "SAFFL", "EFFFL", "TRTSDT"]


def derive_adsl(trial: Trial, domains: Domains) -> pd.DataFrame:
    """Derive one record per subject."""
    people = domains["DM"]
    infused = people["RFXSTDTC"] != ""
    judged = trial.tables["responses"]
    judged = judged[judged["state"].isin(("responder", "non_responder"))]["subject_id"]
    evaluated = people["SUBJID"].isin(judged) & infused
    doses = domains["EX"].set_index("USUBJID")["EXDOSE"]
    table = people.assign(
        TRT01P=people["ARMCD"],
        TRT01A=people["ARMCD"].where(infused, ""),
        SAFFL=np.where(infused, "Y", "N"),
        EFFFL=np.where(evaluated, "Y", "N"),
        TRTSDT=people["RFXSTDTC"].map(count_sas_days),
        WTBL=people["SUBJID"].map(_find_weights(trial)),
        DOSEKG=people["USUBJID"].map(doses),
    )
    return finish(table, read_datasets()["ADSL"])


def _find_weights(trial: Trial) -> "pd.Series[Any]":
    measured = trial.tables["measurements"]
    is_weight = (measured["name"] == "WEIGHT") & measured["value"].notna()
    rows = measured[is_weight & ~(measured["study_day"] > 0).fillna(value=False).astype(bool)]
    return rows.sort_values("collected_at", kind="stable").groupby("subject_id")["value"].last()


def derive_bds(source: pd.DataFrame, adsl: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Derive values over time with baseline and change from a domain of findings.

    Parameters
    ----------
    source
        CP or LB.
    adsl
        Subjects.
    prefix
        ``CP`` or ``LB``.
    """
    code, name = _name_series(source, prefix)
    rows = source.assign(
        PARAMCD=code,
        PARAM=name,
        AVISIT=source["VISIT"],
        AVISITN=source["VISITNUM"],
        ADT=source[f"{prefix}DTC"].map(count_sas_days),
        ADY=source[f"{prefix}DY"],
        AVAL=source[f"{prefix}STRESN"],
        AVALC=source[f"{prefix}STRESC"],
        LLOQ=source[f"{prefix}LLOQ"],
        ANRLO=source.get(f"{prefix}STNRLO", NAN),
        ANRHI=source.get(f"{prefix}STNRHI", NAN),
        ATOXGR=source.get(f"{prefix}TOXGR", ""),
        SRCDOM=prefix,
        SRCVAR=f"{prefix}STRESN",
        SRCSEQ=source[f"{prefix}SEQ"],
        _drawn=pd.to_datetime(source[f"{prefix}DTC"].replace("", None), utc=True, format="ISO8601"),
    )
    rows = rows[rows[f"{prefix}STAT"] == ""].reset_index(drop=True)
    rows = _join_subjects(_number_parameters(rows), adsl)
    flagged = _flag(rows, prefix)
    dataset = read_datasets()[f"AD{prefix}"]
    return finish(_add_baseline(flagged), dataset)


def _name_series(source: pd.DataFrame, prefix: str) -> tuple["pd.Series[str]", "pd.Series[str]"]:
    """Give each series of equal test, markers, specimen and unit its code and its name with the unit."""
    more = "CPMRKSTR" if prefix == "CP" else "LBSPEC"
    parts = [f"{prefix}TESTCD", f"{prefix}CAT", more, f"{prefix}STRESU"]
    keys = [tuple(row) for row in source[parts].itertuples(index=False, name=None)]
    codes: dict[tuple[str, ...], str] = {}
    for key in sorted(set(keys), key=lambda key: (key[0], key[3] == "", key)):
        codes[key] = _find_free(key[0], set(codes.values()))
    name = source[f"{prefix}TEST"] + ", " + source[more]
    unit = (" (" + source[f"{prefix}STRESU"] + ")").where(source[f"{prefix}STRESU"] != "", "")
    return (
        pd.Series([codes[key] for key in keys], index=source.index, dtype=object),
        (name.str.rstrip(", ") + unit).astype(object),
    )


def _find_free(code: str, taken: set[str]) -> str:
    found, number = code, 2
    while found in taken:
        found, number = f"{code[: 8 - len(str(number))]}{number}", number + 1
    return found


def _number_parameters(rows: pd.DataFrame) -> pd.DataFrame:
    order = {code: number for number, code in enumerate(sorted(set(rows["PARAMCD"])), start=1)}
    return rows.assign(PARAMN=rows["PARAMCD"].map(order).astype("float64"))


def _join_subjects(rows: pd.DataFrame, adsl: pd.DataFrame) -> pd.DataFrame:
    kept = [name for name in rows.columns if name not in _SUBJECT or name == "USUBJID"]
    joined: pd.DataFrame = rows[kept].merge(adsl[_SUBJECT], on="USUBJID", how="left", validate="many_to_one")
    return joined


def _flag(rows: pd.DataFrame, prefix: str) -> pd.DataFrame:
    key = ["USUBJID", "PARAMCD"]
    order = rows.sort_values(["_drawn", "SRCSEQ"], kind="stable")
    last = order.drop_duplicates([*key, "AVISIT"], keep="last").index
    # The baseline is a number; a last result before infusion beyond a limit gives no change.
    before = order[(order["ADY"] < 0) | (order[f"{prefix}LOBXFL"] == "Y")]
    base = before[before["AVAL"].notna()].drop_duplicates(key, keep="last").index
    return rows.assign(
        ANL01FL=np.where(rows.index.isin(last), "Y", ""), ABLFL=np.where(rows.index.isin(base), "Y", "")
    )


def _add_baseline(rows: pd.DataFrame) -> pd.DataFrame:
    key = ["USUBJID", "PARAMCD"]
    base = rows[rows["ABLFL"] == "Y"][[*key, "AVAL", "ATOXGR", "_drawn"]]
    base = base.rename(columns={"AVAL": "BASE", "ATOXGR": "BTOXGR", "_drawn": "_based"})
    joined = rows.merge(base, on=key, how="left", validate="many_to_one")
    after = joined["_drawn"] > joined["_based"]
    change = (joined["AVAL"] - joined["BASE"]).where(after)
    percent = (100 * change / joined["BASE"].where(joined["BASE"] != 0)).where(after)
    return joined.assign(CHG=change, PCHG=percent)


def derive_adpp(source: pd.DataFrame, adsl: pd.DataFrame) -> pd.DataFrame:
    """Derive kinetic parameters, each analyte's apart."""
    keys = [tuple(row) for row in source[["PPTESTCD", "PPCAT", "PPENINT"]].itertuples(index=False, name=None)]
    codes: dict[tuple[str, ...], str] = {}
    for key in sorted(set(keys)):
        codes[key] = _find_free(key[0], set(codes.values()))
    interval = ("; " + source["PPSTINT"] + " to " + source["PPENINT"]).where(source["PPENINT"] != "", "")
    # A parameter that was not calculated has no unit of its own; the others of its series say it.
    known = source.groupby(["PPTESTCD", "PPCAT", "PPENINT"])["PPSTRESU"].transform("max")
    unit = (" (" + known + ")").where(known != "", "")
    rows = source.assign(
        PARAMCD=[codes[key] for key in keys],
        PARAM=source["PPTEST"] + ", " + source["PPCAT"] + interval + unit,
        PARCAT1=source["PPCAT"],
        AVAL=source["PPSTRESN"],
        AVALC=source["PPSTRESC"],
        AREASND=source["PPREASND"],
        SRCDOM="PP",
        SRCVAR="PPSTRESN",
        SRCSEQ=source["PPSEQ"],
    )
    return finish(_join_subjects(_number_parameters(rows), adsl), read_datasets()["ADPP"])


def derive_adeff(trial: Trial, adsl: pd.DataFrame) -> pd.DataFrame:
    """Derive responses as observed; nothing is imputed here."""
    responses, names = trial.tables["responses"], read_terms()["endpoints"]
    named = responses["endpoint"].map(lambda one: names.get(one, [one.replace("_", "")[:8], one]))
    rows = pd.DataFrame(
        {
            "USUBJID": responses["subject_id"].map(trial.name_subject),
            "PARAMCD": pick(named, 0),
            "PARAM": pick(named, 1),
            "PARCAT1": responses["definition"],
            "AVISIT": responses["visit_label"],
            "AVISITN": responses["visit_label"].map(trial.number_visit),
            "ADT": responses["collected_at"].map(count_sas_days),
            "ADY": count_days(responses["study_day"]),
            "AVAL": responses["state"].map({"responder": 1.0, "non_responder": 0.0}),
            "AVALC": responses["state"].str.upper(),
            "AREASND": responses["reason"].str[:200],
        },
        index=responses.index,
    )
    return finish(_join_subjects(rows, adsl), read_datasets()["ADEFF"])


def derive_adtte(trial: Trial, adsl: pd.DataFrame) -> pd.DataFrame:
    """Derive times to loss of CAR-T cells and to the return of B cells, with the bounds between samples."""
    rows = [*_list_losses(trial), *_list_recoveries(trial)]
    columns = ["USUBJID", "PARAMCD", "PARAM", "SRCDOM", "EVNTDESC", "STARTLO", "STOPHI"]
    table = pd.DataFrame(rows, columns=columns)
    table = table[table["STARTLO"].notna() | table["STOPHI"].notna()].reset_index(drop=True)
    is_event = table["STOPHI"].notna()
    table = table.assign(
        CNSR=np.where(is_event, 0.0, 1.0), AVAL=table["STOPHI"].where(is_event, table["STARTLO"])
    )
    joined = _join_subjects(table, adsl)
    return finish(joined.assign(STARTDT=joined["TRTSDT"]), read_datasets()["ADTTE"])


def _list_losses(trial: Trial) -> list[dict[str, Any]]:
    """Loss by analyte; where none was seen, the time is censored at the last quantifiable sample."""
    kinetics = trial.tables["kinetics"]
    wide = kinetics[kinetics["parameter"].isin(("LOSS", "PERSIST"))]
    found: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    for row in wide.itertuples(index=False):
        found.setdefault((row.subject_id, row.analyte), {})[row.parameter] = (row.low, row.high)
    rows = []
    for number, analyte in enumerate(("CAR_VCN_UG", "CAR_ABS", "CAR_PCT_CD3", "CAR_PCT_LYM"), start=1):
        for (subject, name), bounds in sorted(found.items()):
            if name == analyte:
                low, high = _bound_loss(bounds)
                rows.append(
                    {
                        "USUBJID": trial.name_subject(subject),
                        "PARAMCD": f"LOSS{number}",
                        "PARAM": f"Time to Loss of CAR-T Cells by {analyte} (days)",
                        "SRCDOM": "KINETICS",
                        "EVNTDESC": "LOSS" if math.isfinite(high) else "STILL QUANTIFIABLE AT LAST SAMPLE",
                        "STARTLO": low,
                        "STOPHI": high,
                    }
                )
    return rows


def _bound_loss(bounds: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    low, high = bounds.get("LOSS", (NAN, NAN))
    if math.isfinite(high):
        return low, high
    return bounds.get("PERSIST", (low, NAN))[0], NAN


def _list_recoveries(trial: Trial) -> list[dict[str, Any]]:
    rows = []
    for row in trial.tables["b_cell_recovery"].to_dict(orient="records"):
        for limit in ("10", "50"):
            low, high = row[f"recovery_{limit}_low"], row[f"recovery_{limit}_high"]
            rows.append(
                {
                    "USUBJID": trial.name_subject(str(row["subject_id"])),
                    "PARAMCD": f"BREC{limit}",
                    "PARAM": f"Time to B Cells of {limit}/uL (days)",
                    "SRCDOM": "B_CELL_RECOVERY",
                    "EVNTDESC": f"B CELLS AT {limit}/UL" if math.isfinite(high) else "NOT YET REACHED",
                    "STARTLO": low,
                    "STOPHI": high,
                }
            )
    return rows
