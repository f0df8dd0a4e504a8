"""The minimum of ADaM: ADSL, ADCP and ADLB from findings, ADPP; each value with its source."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.export.cdisc.model import read_datasets
from corelab.export.cdisc.trial import NAN, Trial, find_free, finish
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
        LDSTDT=people["SUBJID"].map(trial.read_subjects("lymphodepletion_at")).map(count_sas_days),
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
    rows = join_subjects(_number_parameters(rows), adsl)
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
        codes[key] = find_free(key[0], set(codes.values()))
    name = source[f"{prefix}TEST"] + ", " + source[more]
    unit = (" (" + source[f"{prefix}STRESU"] + ")").where(source[f"{prefix}STRESU"] != "", "")
    return (
        pd.Series([codes[key] for key in keys], index=source.index, dtype=object),
        (name.str.rstrip(", ") + unit).astype(object),
    )


def _number_parameters(rows: pd.DataFrame) -> pd.DataFrame:
    order = {code: number for number, code in enumerate(sorted(set(rows["PARAMCD"])), start=1)}
    return rows.assign(PARAMN=rows["PARAMCD"].map(order).astype("float64"))


def join_subjects(rows: pd.DataFrame, adsl: pd.DataFrame) -> pd.DataFrame:
    """Give rows the treatment, populations and first day of treatment of their subject."""
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
        codes[key] = find_free(key[0], set(codes.values()))
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
    return finish(join_subjects(_number_parameters(rows), adsl), read_datasets()["ADPP"])
